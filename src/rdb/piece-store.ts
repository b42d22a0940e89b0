// What there is of large values that a walk has met, until their turn comes to be written: what
// stands before their nodes, and nodes that writers handed over meanwhile (pieces.ts). A value is
// one record of the file, so its nodes wait here while the file is busy with others: some megabytes
// in memory, the rest in a file beside it.

import { assert } from '../base/assert.js';
import { ByteSink } from './sink.js';

/** Where bytes go that have no room in memory. */
export interface Spill {
  /** Appends u8[0, length); returns where. */
  write(u8: Uint8Array, length: number): number;
  /** Reads `length` bytes from there into u8. */
  read(u8: Uint8Array, length: number, at: number): void;
}

/** Of one partition's walked values, the walk word tells them apart. */
export interface LargeValue {
  readonly partition: number;
  readonly walkAt: number;
}

/** A node that comes behind those that are not there yet. */
interface BackNode {
  readonly bytes: Uint8Array | null;
  readonly at: number;
  readonly length: number;
}

/** A node that came before its turn. */
interface EarlyNode {
  readonly sink: ByteSink;
  readonly isFromBack: boolean;
}

class Stored implements LargeValue {
  /** Nodes may come before it does: from another thread. */
  head: Uint8Array | null = null;
  database = 0;
  version = 0;
  /** Nodes in the order in which they are written: in the spill, then in memory. */
  readonly parts: number[] = [];
  front: ByteSink | null = null;
  /** In the opposite order. */
  readonly back: BackNode[] = [];
  /** Pieces of a node whose last piece has not come. */
  open: ByteSink | null = null;
  /** The number of the numbered node that is due. */
  due = 1;
  /** Nodes that came before it: from another thread, which was faster. */
  readonly early = new Map<number, EarlyNode>();

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

export class PieceStore {
  private readonly values = new Map<number, Stored>();
  /** In the order in which they were met. */
  private readonly waiting: (Stored | null)[] = [];
  private current: Stored | null = null;
  private currentSink: ByteSink | null = null;
  private memoryBytes = 0;
  /** Those with a front. */
  private readonly inMemory = new Set<Stored>();
  private readonly spillBound = (value: Stored) => this.spillFront(value);
  private nextWaiting = 0;
  private scratch: Uint8Array<ArrayBuffer> | null = null;

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
    database: number,
    version: number,
    u8: Uint8Array,
    start: number,
    length: number,
  ): void {
    const value = this.valueAt(partition, walkAt);
    assert(value.head === null, 'a value is met once');
    value.head = u8.slice(start, start + length);
    value.database = database;
    value.version = version;
    this.waiting.push(value);
  }

  /**
   * A node, or a piece of one; pieces of one node follow each other. `order` is its number, or 0
   * where the order does not matter, shifted by the bit that says whether it comes from the back.
   */
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
    const isFromBack = (order & 1) !== 0;
    const number = order >>> 1;
    if (number !== 0 && number !== value.due) {
      let node = value.early.get(number);
      if (node === undefined) {
        node = { sink: new ByteSink(), isFromBack };
        value.early.set(number, node);
      }
      node.sink.bytes(u8, start, length);
      return;
    }
    this.put(value, u8, start, length, isFromBack, isLast);
    if (number !== 0 && isLast) this.putEarly(value);
  }

  /** The node that was due is there: those that waited for it have their turn. */
  private putEarly(value: Stored): void {
    const { early } = value;
    value.due++;
    for (let node = early.get(value.due); node !== undefined; node = early.get(value.due)) {
      early.delete(value.due++);
      this.put(value, node.sink.u8, 0, node.sink.at, node.isFromBack, true);
    }
  }

  private put(
    value: Stored,
    u8: Uint8Array,
    start: number,
    length: number,
    isFromBack: boolean,
    isLast: boolean,
  ): void {
    if (!isFromBack) {
      if (value === this.current) this.currentSink!.bytes(u8, start, length);
      else this.keep(value, u8, start, length);
      return;
    }
    value.open ??= new ByteSink();
    value.open.bytes(u8, start, length);
    if (!isLast) return;
    this.keepBack(value, value.open);
    value.open = null;
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

  private keepBack(value: Stored, { u8, at: length }: ByteSink): void {
    if (this.memoryBytes + length > this.memoryBytesMax) {
      value.back.push({ bytes: null, at: this.spill.write(u8, length), length });
      return;
    }
    this.memoryBytes += length;
    value.back.push({ bytes: u8.slice(0, length), at: 0, length });
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
    assert(value.head !== null, 'a value was met before it is written');
    sink.bytes(value.head, 0, value.head.length);
    for (let index = 0; index < value.parts.length; index += 2) {
      this.copy(value.parts[index]!, value.parts[index + 1]!, sink);
    }
    if (value.front !== null) {
      sink.bytes(value.front.u8, 0, value.front.at);
      this.memoryBytes -= value.front.at;
      value.front = null;
      this.inMemory.delete(value);
    }
    this.current = value;
    this.currentSink = sink;
  }

  /** Writes what comes behind all other nodes of the current value, and forgets it. */
  finish(): void {
    const { current: value, currentSink: sink } = this;
    assert(value !== null && sink !== null, 'what is finished was started');
    assert(value.open === null, 'no node is there in part');
    assert(value.early.size === 0, 'no node waits for another that never comes');
    for (let node = value.back.pop(); node !== undefined; node = value.back.pop()) {
      if (node.bytes === null) this.copy(node.at, node.length, sink);
      else {
        sink.bytes(node.bytes, 0, node.length);
        this.memoryBytes -= node.length;
      }
    }
    this.values.delete(value.partition * PARTITION_SPAN + value.walkAt);
    this.current = null;
    this.currentSink = null;
  }

  private copy(at: number, length: number, sink: ByteSink): void {
    this.scratch ??= new Uint8Array(new ArrayBuffer(COPY_BYTES));
    for (let done = 0; done < length; ) {
      const bytes = Math.min(COPY_BYTES, length - done);
      this.spill.read(this.scratch, bytes, at + done);
      sink.bytes(this.scratch, 0, bytes);
      done += bytes;
    }
  }

  /** Bytes that are kept in memory: none once all values are written. */
  get heldBytes(): number {
    return this.memoryBytes;
  }
}
