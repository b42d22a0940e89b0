// Lists as a snapshot writes them in pieces (pieces.ts): nodes as they stand in the slab. Whoever
// writes the file makes listpacks of them and compresses those, without a lock: that takes a fifth
// of a millisecond for a node, and copying it a few microseconds.
//
//   what stands before the nodes                          node: a packed list without a gap
//   ┌─────────────────────────────────────┬────────────┐   ┌────────────────┬───────┬──────────┐
//   │ as in file-write.ts, count of nodes │ compresses?│   │ bytes, of this │ count │ elements │
//   └─────────────────────────────────────┴────────────┘   │ and all        │       │          │
//                                          1 B             └────────────────┴───────┴──────────┘
//                                                           4 B              4

import { assert } from '../base/assert.js';
import { copyBytes } from '../base/bytes.js';
import type { BlockRef } from '../slab/alloc.js';
import { Slab } from '../slab/slab.js';
import { packedBytes } from '../structs/packed.js';
import { firstAt, GAP_MASK, HEAD_BYTES, Head } from '../structs/packed-layout.js';
import type { Assembly } from './assembly.js';
import { writeLength } from './length.js';
import { writeNode } from './list.js';
import type { ByteSink } from './sink.js';

/** What stands between the key and the nodes, for ListAssembly. */
export function writeListHead(sink: ByteSink, nodes: number, compresses: boolean): void {
  writeLength(sink, nodes);
  sink.byte(compresses ? 1 : 0);
}

export function writeListNode(sink: ByteSink, slab: Slab, node: BlockRef): void {
  const bytes = packedBytes(slab, node);
  sink.little(bytes, 4);
  sink.little(slab.i32[(node << 1) + Head.Sizes]! & ~GAP_MASK, 4);
  sink.bytes(slab.u8, firstAt(slab, node), bytes - HEAD_BYTES);
}

/** Of a slab in which nothing stands but a node. */
const NODE = 1 as BlockRef;
const NODE_AT = NODE << 3;
/** Most nodes have eight kilobytes. */
const ROOM_BYTES = 64 * 1024;

function roomFor(bytes: number): Slab {
  return new Slab(0, new SharedArrayBuffer(NODE_AT + ((bytes + 7) & ~7)));
}

export class ListAssembly implements Assembly {
  private readonly small = roomFor(ROOM_BYTES);
  /** Where the node is put together that comes now, and how much of it is there. */
  private room = this.small;
  private filled = 0;
  private bytes = 0;
  private readonly compresses: boolean;

  constructor(
    head: Uint8Array,
    private readonly sink: ByteSink,
  ) {
    const headBytes = head.length - 1;
    this.compresses = head[headBytes] === 1;
    sink.bytes(head, 0, headBytes);
  }

  take(_section: number, u8: Uint8Array, start: number, length: number): void {
    const end = start + length;
    for (let from = start; from < end; ) {
      const wanted = this.filled < HEAD_BYTES ? HEAD_BYTES : this.bytes;
      const count = Math.min(wanted - this.filled, end - from);
      copyBytes(u8, from, this.room.u8, NODE_AT + this.filled, count);
      from += count;
      this.filled += count;
      if (this.filled === HEAD_BYTES) this.makeRoom();
      else if (this.filled === this.bytes) this.write();
    }
  }

  /** The head of a node is there, and tells how long it is. */
  private makeRoom(): void {
    const { room } = this;
    this.bytes = room.i32[(NODE << 1) + Head.End]!;
    assert(this.bytes > HEAD_BYTES, 'a node has elements');
    if (this.bytes <= ROOM_BYTES) return;
    this.room = roomFor(this.bytes);
    copyBytes(room.u8, NODE_AT, this.room.u8, NODE_AT, HEAD_BYTES);
  }

  private write(): void {
    writeNode(this.sink, this.room, NODE, this.compresses);
    this.room = this.small;
    this.filled = 0;
  }

  end(): void {
    assert(this.filled === 0, 'all nodes are there as a whole');
  }
}
