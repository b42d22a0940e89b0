// Arrays, which only Flagstone has: in ascending order, each value after how far it is from the one
// before.
//
//   ┌───────┬───────────────┬────────────────────────────────────────────┬───────┬───┐
//   │ count │ cursor: 2^64  │ positions between it and the value before, │ value │ … │
//   │       │ − 1 for none  │ of the first: its position                 │       │   │
//   └───────┴───────────────┴────────────────────────────────────────────┴───────┴───┘
//    length  length          length                                       string

import type { Slab } from '../slab/slab.js';
import {
  type ArrayRef,
  arrayCount,
  createArray,
  readCursor,
  setValue,
  valueReserve,
  writeCursor,
} from '../types/array/array.js';
import { Position } from '../types/array/position.js';
import { readSlot, SlotText } from '../types/array/slot.js';
import { ArrayWalk } from '../types/array/walk.js';
import { Encoding, Type } from '../types/kind.js';
import type { Building } from './building.js';
import { readLength, readWide, writeLength, writeWide } from './length.js';
import type { ByteSink } from './sink.js';
import { BAD_DATA, type ByteSource } from './source.js';
import { writeText } from './strings.js';

const FIRST = new Position();
const LAST = new Position();
LAST.set(-1, -1);

const walk = new ArrayWalk();
const value = new SlotText();
/** The least position that the next value may have. */
const next = new Position();
const cursor = new Position();

export function writeArray(sink: ByteSink, slab: Slab, root: number, compresses: boolean): void {
  const array = root as ArrayRef;
  writeArrayHead(sink, slab, array);
  next.set(0, 0);
  walk.open(slab, array, FIRST, LAST);
  while (walk.next()) {
    const { high, low } = walk.position;
    const between = (low >>> 0) - (next.low >>> 0);
    writeWide(sink, between | 0, (high - next.high - (between < 0 ? 1 : 0)) | 0);
    readSlot(slab, walk.word, value);
    writeText(sink, value.u8, value.start, value.length, compresses);
    next.set(high, low);
    next.increment();
  }
}

/** What stands before the values. */
export function writeArrayHead(sink: ByteSink, slab: Slab, array: ArrayRef): void {
  writeLength(sink, arrayCount(slab, array));
  readCursor(slab, array, cursor);
  writeWide(sink, cursor.low, cursor.high);
}

export function readArray(source: ByteSource, building: Building): void {
  const { slab, text } = building;
  const count = readLength(source);
  if (count === 0) throw BAD_DATA;
  building.reserve(0);
  const array = createArray(slab);
  building.hold(Type.Array, Encoding.Sliced, array);
  readWide(source);
  cursor.set(source.high, source.low);
  writeCursor(slab, array, cursor);
  next.set(0, 0);
  for (let left = count; left > 0; left--) {
    readWide(source);
    advance(source.low, source.high);
    text.read(source);
    building.reserve(valueReserve(text.length));
    setValue(slab, array, next, text.u8, text.start, text.length, 1);
    next.increment();
  }
}

/** Passes over so many positions; refuses where that leads beyond the last. */
function advance(low: number, high: number): void {
  const sumLow = (next.low >>> 0) + (low >>> 0);
  const sumHigh = (next.high >>> 0) + (high >>> 0) + (sumLow > 0xffffffff ? 1 : 0);
  if (sumHigh > 0xffffffff) throw BAD_DATA;
  next.set(sumHigh | 0, sumLow | 0);
  if (next.isBehindLast) throw BAD_DATA;
}
