// How a large value becomes a record of the file: what stands before its nodes, then its nodes in
// their order. Most are written as they come. Others are put together here, because what a node is
// written as depends on those before it, or all of it must be known first.

import { WalkKind } from '../structs/walked.js';
import { ArrayRuns } from './array-pieces.js';
import { ListAssembly } from './list-pieces.js';
import type { ByteSink } from './sink.js';
import type { Spill } from './spill.js';
import { StreamAssembly } from './stream-assembly.js';
import { StringAssembly } from './string-pieces.js';

/** Writes one value. */
export interface Assembly {
  /** The next node, in the order of sections and keys; u8[start, start + length) is borrowed. */
  take(section: number, u8: Uint8Array, start: number, length: number): void;
  /** There are no more. */
  end(): void;
}

class PlainAssembly implements Assembly {
  constructor(
    head: Uint8Array,
    private readonly sink: ByteSink,
  ) {
    sink.bytes(head, 0, head.length);
  }

  take(_section: number, u8: Uint8Array, start: number, length: number): void {
    this.sink.bytes(u8, start, length);
  }

  end(): void {}
}

class ArrayAssembly extends PlainAssembly {
  private readonly runs: ArrayRuns;

  constructor(head: Uint8Array, sink: ByteSink) {
    super(head, sink);
    this.runs = new ArrayRuns(sink);
  }

  override take(_section: number, u8: Uint8Array, start: number, length: number): void {
    this.runs.write(u8, start, length);
  }
}

/** Begins the record of a value of that kind; `head` is what beginPieces has written. */
export function assemblyOf(
  kind: WalkKind,
  head: Uint8Array,
  sink: ByteSink,
  spill: Spill,
): Assembly {
  if (kind === WalkKind.Stream) return new StreamAssembly(head, sink, spill);
  if (kind === WalkKind.List) return new ListAssembly(head, sink);
  if (kind === WalkKind.String) return new StringAssembly(head, sink);
  if (kind === WalkKind.Array) return new ArrayAssembly(head, sink);
  return new PlainAssembly(head, sink);
}
