// What there is of large values that a walk has met, until their turn comes to be written: what
// stands before their nodes, and nodes that writers handed over meanwhile (pieces.ts). A value is
// one record of the file, so its nodes wait here while the file is busy with others: some megabytes
// in memory, the rest in a file beside it.
//
// Nodes with a number wait for those before them. Nodes with a key wait until the walk has come to
// a greater one: whatever stood before it has been handed over by then.

import { assert } from '../base/assert.js';
import { Order, OrderBits, WalkKind } from '../structs/walked.js';
import { type Assembly, assemblyOf } from './assembly.js';
import { ByteSink } from './sink.js';
import type { Spill } from './spill.js';

/** Of one partition's walked values, the walk word tells them apart. */
export interface LargeValue {
  readonly partition: number;
  readonly walkAt: number;
}

/** A node, or several, until it is written: in memory or in the spill. */
interface Kept {
  readonly bytes: Uint8Array | null;
  readonly at: number;
  readonly length: number;
}

interface Keyed extends Kept {
  readonly key: string;
}

class Stored implements LargeValue {
  /** Nodes may come before it does: from another thread. */
  head: Uint8Array | null = null;
  kind: WalkKind = WalkKind.Set;
  database = 0;
  version = 0;
  /** Nodes in the order in which they are written: in the spill, then in memory. */
  readonly parts: number[] = [];
  front: ByteSink | null = null;
  /** The number of the numbered node that is due, and nodes that came before it. */
  due = 1;
  readonly early = new Map<number, Kept>();
  /** Nodes with a key, by section. */
  readonly keyed: KeyedHeap[] = [];

  constructor(
    readonly partition: number,
    readonly walkAt: number,
  ) {}
}

/** Of all values together. */
const MEMORY_BYTES_MAX = 8 * 1024 * 1024;
/** Of one value, from where it is worth a write of its own. */
const FRONT_BYTES = 64 * 1024;
const COPY_BYTES = 256 * 1024;
const PARTITION_SPAN = 2 ** 32;
const KEY_BYTES = 16;

/** Nodes by their keys, the least first. */
class KeyedHeap {
  private readonly nodes: Keyed[] = [];

  get first(): Keyed | undefined {
    return this.nodes[0];
  }

  add(node: Keyed): void {
    const { nodes } = this;
    let at = nodes.length;
    while (at > 0) {
      const above = (at - 1) >> 1;
      if (nodes[above]!.key <= node.key) break;
      nodes[at] = nodes[above]!;
      at = above;
    }
    nodes[at] = node;
  }

  removeFirst(): void {
    const { nodes } = this;
    const last = nodes.pop()!;
    const count = nodes.length;
    if (count === 0) return;
    let at = 0;
    for (let below = 1; below < count; below = 2 * at + 1) {
      if (below + 1 < count && nodes[below + 1]!.key < nodes[below]!.key) below++;
      if (last.key <= nodes[below]!.key) break;
      nodes[at] = nodes[below]!;
      at = below;
    }
    nodes[at] = last;
  }
}

export class PieceStore {
  private readonly values = new Map<number, Stored>();
  /** In the order in which they were met. */
  private readonly waiting: (Stored | null)[] = [];
  private current: Stored | null = null;
  private assembly: Assembly | null = null;
  private memoryBytes = 0;
  /** Those with a front. */
  private readonly inMemory = new Set<Stored>();
  private readonly spillBound = (value: Stored) => this.spillFront(value);
  private nextWaiting = 0;
  private scratch: Uint8Array<ArrayBuffer> | null = null;
  /** Messages of a node whose last has not come. */
  private readonly open = new ByteSink();

  constructor(
    private readonly spill: Spill,
    private readonly memoryBytesMax = MEMORY_BYTES_MAX,
  ) {}

  private valueAt(partition: number, walkAt: number): Stored {
    const key = partition * PARTITION_SPAN + walkAt;
    let value = this.values.get(key);
    if (value === undefined) {
      value = new Stored(partition, walkAt);
      this.values.set(key, value);
    }
    return value;
  }

  /** A value was met: u8[start, start + length) stands before its nodes. */
  begin(
    partition: number,
    walkAt: number,
    kind: WalkKind,
    database: number,
    version: number,
    u8: Uint8Array,
    start: number,
    length: number,
  ): void {
    const value = this.valueAt(partition, walkAt);
    assert(value.head === null, 'a value is met once');
    value.head = u8.slice(start, start + length);
    value.kind = kind;
    value.database = database;
    value.version = version;
    this.waiting.push(value);
  }

  /** A node that a writer handed over, or a part of one; parts of one node follow each other. */
  node(
    partition: number,
    walkAt: number,
    u8: Uint8Array,
    start: number,
    length: number,
    order: number,
    isLast: boolean,
  ): void {
    const value = this.valueAt(partition, walkAt);
    const mode = order & OrderBits.Mask;
    const number = order >>> OrderBits.Shift;
    if (mode === Order.None || (mode === Order.Number && number === value.due)) {
      this.put(value, u8, start, length);
      if (mode === Order.Number && isLast) this.putEarly(value);
      return;
    }
    const { open } = this;
    open.bytes(u8, start, length);
    if (!isLast) return;
    const kept = this.kept(open.u8, open.at);
    if (mode === Order.Number) value.early.set(number, kept);
    else heapOf(value, number).add({ ...kept, key: keyAt(open.u8, 0) });
    open.reset();
  }

  /** A node of the current value that the walk has come to. */
  walked(order: number, u8: Uint8Array, start: number, length: number): void {
    const { current: value, assembly } = this;
    assert(value !== null && assembly !== null, 'what is walked through was started');
    if ((order & OrderBits.Mask) !== Order.Key) {
      this.node(value.partition, value.walkAt, u8, start, length, order, true);
      return;
    }
    const section = order >>> OrderBits.Shift;
    for (let before = 0; before < section; before++) this.putKeyed(value, before, null);
    this.putKeyed(value, section, keyAt(u8, start));
    assembly.take(section, u8, start, length);
  }

  /** Writes nodes of a section, up to a key, or all. */
  private putKeyed(value: Stored, section: number, key: string | null): void {
    const heap = value.keyed[section];
    if (heap === undefined) return;
    for (let node = heap.first; node !== undefined; node = heap.first) {
      if (key !== null && node.key > key) return;
      heap.removeFirst();
      this.forget(node);
      const bytes = node.bytes ?? this.readWhole(node);
      this.assembly!.take(section, bytes, 0, node.length);
    }
  }

  /** The node that was due is there: those that waited for it have their turn. */
  private putEarly(value: Stored): void {
    const { early } = value;
    value.due++;
    for (let node = early.get(value.due); node !== undefined; node = early.get(value.due)) {
      early.delete(value.due++);
      this.forget(node);
      if (node.bytes !== null) this.put(value, node.bytes, 0, node.length);
      else this.copy(node.at, node.length, (u8, length) => this.put(value, u8, 0, length));
    }
  }

  private put(value: Stored, u8: Uint8Array, start: number, length: number): void {
    if (value === this.current) this.assembly!.take(0, u8, start, length);
    else this.keep(value, u8, start, length);
  }

  private keep(value: Stored, u8: Uint8Array, start: number, length: number): void {
    value.front ??= new ByteSink();
    const { front } = value;
    front.bytes(u8, start, length);
    this.memoryBytes += length;
    this.inMemory.add(value);
    if (this.memoryBytes <= this.memoryBytesMax) return;
    if (front.at >= FRONT_BYTES) this.spillFront(value);
    // Of very many values there is a little each: it goes all at once, so that it is seldom.
    else if (this.memoryBytes > 2 * this.memoryBytesMax) this.inMemory.forEach(this.spillBound);
  }

  private spillFront(value: Stored): void {
    const { front } = value;
    if (front !== null) {
      this.memoryBytes -= front.at;
      value.parts.push(this.spill.write(front.u8, front.at), front.at);
      value.front = null;
    }
    this.inMemory.delete(value);
  }

  /** Puts a node by that cannot be written yet. */
  private kept(u8: Uint8Array, length: number): Kept {
    if (this.memoryBytes + length > this.memoryBytesMax) {
      return { bytes: null, at: this.spill.write(u8, length), length };
    }
    this.memoryBytes += length;
    return { bytes: u8.slice(0, length), at: 0, length };
  }

  private forget(node: Kept): void {
    if (node.bytes !== null) this.memoryBytes -= node.length;
  }

  /** The next value to write, or null: after this its nodes go to where `start` says. */
  next(): (LargeValue & { readonly database: number; readonly version: number }) | null {
    const value = this.waiting[this.nextWaiting];
    if (value === undefined) return null;
    this.waiting[this.nextWaiting++] = null;
    return value;
  }

  /** Writes what there is of the value; from here on its nodes go straight to `sink`. */
  start({ partition, walkAt }: LargeValue, sink: ByteSink): void {
    const value = this.valueAt(partition, walkAt);
    const { head } = value;
    assert(head !== null, 'a value was met before it is written');
    const assembly = assemblyOf(value.kind, head, sink, this.spill);
    this.current = value;
    this.assembly = assembly;
    const take = (u8: Uint8Array, length: number) => assembly.take(0, u8, 0, length);
    for (let index = 0; index < value.parts.length; index += 2) {
      this.copy(value.parts[index]!, value.parts[index + 1]!, take);
    }
    if (value.front === null) return;
    take(value.front.u8, value.front.at);
    this.memoryBytes -= value.front.at;
    value.front = null;
    this.inMemory.delete(value);
  }

  /** Writes what is left of the current value, if that is wanted, and forgets the value. */
  finish(isWanted: boolean): void {
    const { current: value, assembly } = this;
    assert(value !== null && assembly !== null, 'what is finished was started');
    assert(this.open.at === 0, 'no node is there in part');
    if (isWanted) this.complete(value, assembly);
    else this.drop(value);
    this.values.delete(value.partition * PARTITION_SPAN + value.walkAt);
    this.current = null;
    this.assembly = null;
  }

  private complete(value: Stored, assembly: Assembly): void {
    assert(value.early.size === 0, 'no node waits for another that never comes');
    for (let section = 0; section < value.keyed.length; section++) {
      this.putKeyed(value, section, null);
    }
    assembly.end();
  }

  private drop(value: Stored): void {
    for (const node of value.early.values()) this.forget(node);
    for (const heap of value.keyed) {
      for (let node = heap.first; node !== undefined; node = heap.first) {
        this.forget(node);
        heap.removeFirst();
      }
    }
  }

  private copy(at: number, length: number, take: (u8: Uint8Array, length: number) => void): void {
    this.scratch ??= new Uint8Array(new ArrayBuffer(COPY_BYTES));
    for (let done = 0; done < length; ) {
      const bytes = Math.min(COPY_BYTES, length - done);
      this.spill.read(this.scratch, bytes, at + done);
      take(this.scratch, bytes);
      done += bytes;
    }
  }

  private readWhole({ at, length }: Kept): Uint8Array {
    const bytes = new Uint8Array(new ArrayBuffer(length));
    this.spill.read(bytes, length, at);
    return bytes;
  }

  /** Bytes that are kept in memory: none once all values are written. */
  get heldBytes(): number {
    return this.memoryBytes;
  }
}

function heapOf(value: Stored, section: number): KeyedHeap {
  while (value.keyed.length <= section) value.keyed.push(new KeyedHeap());
  return value.keyed[section]!;
}

/** Text of one byte a character compares as the bytes do. */
function keyAt(u8: Uint8Array, start: number): string {
  return String.fromCharCode(...u8.subarray(start, start + KEY_BYTES));
}
