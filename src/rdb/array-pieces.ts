// Arrays as a snapshot writes them in pieces (pieces.ts, array.ts): runs of values, with the
// position of a run's first slot for a key. The first value of a run follows on the last of the run
// before, which whoever writes the file knows; so what stands between them is written there.
//
//   ┌───────────────────┬────────────────┬─────────────────┬─────────────────────────────────────┐
//   │ position, highest │ offset of the  │ offset of the   │ value, positions between it and the │
//   │ byte first, 0 × 8 │ first value    │ last value      │ next, value, …: as in the file      │
//   └───────────────────┴────────────────┴─────────────────┴─────────────────────────────────────┘
//    16 B                1 B               1 B

import type { Slab } from '../slab/slab.js';
import { highOf, lowOf, Position } from '../types/array/position.js';
import { numberHighAt, numberLowAt, placeAt } from '../types/array/slice.js';
import {
  findRun,
  foundRun,
  offsetAt,
  RUN_SLOTS,
  recordOfNode,
  runOfNode,
} from '../types/array/slice-first.js';
import { EMPTY, readSlot, SlotText } from '../types/array/slot.js';
import { writeWide } from './length.js';
import type { ByteSink } from './sink.js';
import { writeText } from './strings.js';

const enum Piece {
  High = 0,
  Low = 4,
  First = 16,
  Last = 17,
  Values = 18,
}

const value = new SlotText();

export function writeArrayNode(sink: ByteSink, slab: Slab, node: number, compresses: boolean) {
  const at = recordOfNode(node);
  const run = runOfNode(node);
  findRun(slab, at, run);
  const { from, end } = foundRun;
  const base = run * RUN_SLOTS;
  const numberLow = numberLowAt(slab, at);
  sink.big32(highOf(numberHighAt(slab, at), numberLow));
  sink.big32(lowOf(numberLow, base));
  sink.big32(0);
  sink.big32(0);
  let offset = offsetAt(slab, at, from);
  sink.byte(offset - base);
  sink.byte(offsetAt(slab, at, end - 1) - base);
  for (let place = from; place < end; place++) {
    const word = slab.i32[placeAt(slab, at, place)]!;
    if (word === EMPTY) continue;
    const own = offsetAt(slab, at, place);
    if (place > from) writeWide(sink, own - offset - 1, 0);
    offset = own;
    readSlot(slab, word, value);
    writeText(sink, value.u8, value.start, value.length, compresses);
  }
}

/** Writes runs to a file, one after the other. */
export class ArrayRuns {
  /** The least position that the next value may have. */
  private readonly next = new Position();

  constructor(private readonly sink: ByteSink) {}

  write(u8: Uint8Array, start: number, length: number): void {
    const { next, sink } = this;
    const high = big32(u8, start + Piece.High);
    const low = big32(u8, start + Piece.Low);
    // A run lies in one slice, so adding to the low word never carries.
    const first = (low + u8[start + Piece.First]!) | 0;
    const between = (first >>> 0) - (next.low >>> 0);
    writeWide(sink, between | 0, (high - next.high - (between < 0 ? 1 : 0)) | 0);
    sink.bytes(u8, start + Piece.Values, length - Piece.Values);
    next.set(high, (low + u8[start + Piece.Last]!) | 0);
    next.increment();
  }
}

function big32(u8: Uint8Array, at: number): number {
  return (u8[at]! << 24) | (u8[at + 1]! << 16) | (u8[at + 2]! << 8) | u8[at + 3]!;
}
