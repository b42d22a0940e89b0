// Images of buckets, as writers make them for a walking snapshot before they change what the
// snapshot has not seen yet: the bucket's keys as they will stand in the file. They travel to the
// walking thread through a ring of shared memory for each thread that writes, so that they are
// bounded: whoever finds its ring full waits until the walker has taken something out.
//
//   a message of the ring. An image is one, or several of which the last is marked.
//   ┌──────────┬────────────────┬─────────┬─────────┬────────────────────────────┐
//   │ database │ keys that end  │ version │ is last │ records, as file-write.ts  │
//   │          │ in the message │         │         │ describes them             │
//   └──────────┴────────────────┴─────────┴─────────┴────────────────────────────┘
//   large values (pieces.ts): that one was met, in one message; an image of a node of it
//   ┌──────────┬────────────────┬─────────┬──────────┬──────────────────────────┐
//   │ database │ partition      │ version,│ walk word│ what is before the nodes │
//   │          │                │ kind    │          │                          │
//   ├──────────┼────────────────┼─────────┼──────────┼──────────────────────────┤
//   │ order    │ partition      │ is last │ walk word│ elements of the node     │
//   └──────────┴────────────────┴─────────┴──────────┴──────────────────────────┘
//
// Waiting under a lock is safe here and nowhere else: the walker takes images out also while it
// waits for a lock itself (it is all that it does then), and needs nothing that a writer holds.
// A command that has changed nothing yet waits until half of its ring is free, so that it need not
// wait again after its first change unless its own images fill that half.

import { int64 } from '../base/ascii.js';
import { assert } from '../base/assert.js';
import { type Clock, sleep } from '../base/clock.js';
import type { EntryRef } from '../keyspace/entry.js';
import { walkWordOf } from '../keyspace/values.js';
import { RingReader, RingWriter } from '../mesh/ring.js';
import type { Saving } from '../mesh/saving.js';
import type { Slab } from '../slab/slab.js';
import { eachInBucket } from '../structs/table.js';
import { type WalkKind, walkKindOf } from '../structs/walked.js';
import { type RdbFileWriter, type Recency, type RecordForm, writeRecord } from './file-write.js';
import type { ImageRings } from './image-rings.js';
import type { PieceStore } from './piece-store.js';
import {
  beginPieces,
  FIRST_PIECE_ORDER,
  isInPieces,
  writeFirstPiece,
  writePiece,
} from './pieces.js';
import { ByteSink } from './sink.js';

const enum Message {
  Database = 0,
  Keys = 1,
  Version = 2,
  IsLast = 3,
  Words = 4,
}

const HEAD_BYTES = Message.Words * 4;
const PIECE_BYTES = 64 * 1024;
const KIND_SHIFT = 16;
const VERSION_MASK = 0xffff;
/** Long against a message, short against a write to the disk. */
const PAUSE_MS = 0.1;

/** The other messages, and what they call the words of theirs. */
const enum Kind {
  Records = 1,
  Large = 2,
  Node = 3,
}
const enum Large {
  Database = 0,
  Partition = 1,
  Version = 2,
  WalkAt = 3,
}
const enum Node {
  /** As structs/walked.ts has it. */
  Order = 0,
  Partition = 1,
  IsLast = 2,
  WalkAt = 3,
}

// ── How images are made: the form, as the bits that Saving.beginWalk publishes ───────────────

const enum FormBit {
  Compresses = 1,
  Exact = 2,
  Recent = 4,
  Frequent = 8,
}

/** The form of a walk's records, in a word. */
export function packForm(form: RecordForm): number {
  const recency =
    form.recency === 'lru' ? FormBit.Recent : form.recency === 'lfu' ? FormBit.Frequent : 0;
  return (form.compresses ? FormBit.Compresses : 0) | (form.isExact ? FormBit.Exact : 0) | recency;
}

function unpackForm(bits: number, recencyNow: number): RecordForm {
  let recency: Recency = 'none';
  if ((bits & FormBit.Recent) !== 0) recency = 'lru';
  else if ((bits & FormBit.Frequent) !== 0) recency = 'lfu';
  return {
    compresses: (bits & FormBit.Compresses) !== 0,
    isExact: (bits & FormBit.Exact) !== 0,
    nowMs: -1,
    recency,
    recencyNow,
  };
}

// ── Writers ──────────────────────────────────────────────────────────────────────────────────

/** The images that one thread makes. */
export class ImageWriter {
  private readonly saving: Saving;
  private readonly thread: number;
  private readonly clock: Clock;
  private readonly capacity: number;
  private readonly ring: RingWriter;
  private readonly sink: ByteSink;
  private database = 0;
  private form: RecordForm = unpackForm(0, 0);
  /** Of the records since the last message. */
  private keys = 0;
  private version = 0;
  private readonly headSink = new ByteSink();
  private readonly nodeSink: ByteSink;
  private nodePartition = 0;
  private nodeWalkAt = 0;
  private nodeOrder = 0;
  private readonly writeBound = (slab: Slab, ref: number) => this.write(slab, ref as EntryRef);

  constructor(shape: ImageRings, saving: Saving, thread: number, clock: Clock) {
    this.saving = saving;
    this.thread = thread;
    this.clock = clock;
    this.capacity = shape.ringCapacity;
    this.ring = new RingWriter(shape.rings[thread]!, 0, shape.ringCapacity);
    this.sink = new ByteSink((u8, length) => this.push(u8, length, false), PIECE_BYTES);
    this.nodeSink = new ByteSink((u8, length) => this.pushNode(u8, length, false), PIECE_BYTES);
  }

  /**
   * Makes an image of the bucket, which the walk in progress has not seen: under the lock of its
   * partition, before the first change in it. `hasChanged`: has the running command changed
   * anything yet?
   */
  save(
    slab: Slab,
    bucket: number,
    database: number,
    recencyNow: number,
    hasChanged: boolean,
  ): void {
    assert(database >= 0, 'a bucket of before the cut stands in a database of before the cut');
    const { saving, ring } = this;
    if (saving.isDiscarding) return;
    if (!hasChanged) this.waitFor(() => ring.freeBytes >= this.capacity >> 1);
    this.database = database;
    this.form = unpackForm(saving.form, recencyNow);
    this.keys = 0;
    this.version = 0;
    eachInBucket(slab, bucket, this.writeBound);
    // A bucket without keys has no image.
    if (this.sink.written === 0) return;
    this.push(this.sink.u8, this.sink.at, true);
    this.sink.reset();
  }

  /** Makes an image of a node of a large value, as structs/walked.ts asks for. */
  saveNode(slab: Slab, walkAt: number, node: number, order: number): void {
    const { saving, nodeSink } = this;
    if (saving.isDiscarding) return;
    this.nodePartition = slab.index;
    this.nodeWalkAt = walkAt;
    this.nodeOrder = order;
    // The running command may have its number there.
    const { lo, hi } = int64;
    writePiece(nodeSink, slab, walkAt, node, order, unpackForm(saving.form, 0).compresses);
    int64.lo = lo;
    int64.hi = hi;
    if (nodeSink.written === 0) return;
    this.pushNode(nodeSink.u8, nodeSink.at, true);
    nodeSink.reset();
  }

  private pushNode(u8: Uint8Array, length: number, isLast: boolean): void {
    for (let start = 0; ; start += PIECE_BYTES) {
      const rest = length - start;
      const piece = Math.min(rest, PIECE_BYTES);
      const word = this.room(Kind.Node, piece);
      const { i32 } = this.ring;
      i32[word + Node.Order] = this.nodeOrder;
      i32[word + Node.Partition] = this.nodePartition;
      i32[word + Node.IsLast] = isLast && piece === rest ? 1 : 0;
      i32[word + Node.WalkAt] = this.nodeWalkAt;
      this.send(word, u8, start, piece);
      if (piece === rest) return;
    }
  }

  private writeLarge(slab: Slab, entry: EntryRef): void {
    const { headSink } = this;
    headSink.reset();
    const version = beginPieces(headSink, slab, entry, this.form);
    const walkAt = walkWordOf(slab, entry);
    const word = this.room(Kind.Large, headSink.at);
    const { i32 } = this.ring;
    i32[word + Large.Database] = this.database;
    i32[word + Large.Partition] = slab.index;
    i32[word + Large.Version] = version | (walkKindOf(slab, walkAt) << KIND_SHIFT);
    i32[word + Large.WalkAt] = walkAt;
    this.send(word, headSink.u8, 0, headSink.at);
    headSink.reset();
    if (!writeFirstPiece(headSink, slab, entry, this.form)) return;
    this.nodePartition = slab.index;
    this.nodeWalkAt = walkAt;
    this.nodeOrder = FIRST_PIECE_ORDER;
    this.pushNode(headSink.u8, headSink.at, true);
  }

  private write(slab: Slab, entry: EntryRef): void {
    if (isInPieces(slab, entry)) {
      this.writeLarge(slab, entry);
      return;
    }
    const version = writeRecord(this.sink, slab, entry, this.form);
    if (version === 0) return;
    this.keys++;
    this.version = Math.max(this.version, version);
  }

  private push(u8: Uint8Array, length: number, isLast: boolean): void {
    // What does not fit a message at once: a word of more than the sink's buffer.
    for (let start = 0; ; start += PIECE_BYTES) {
      const rest = length - start;
      const piece = Math.min(rest, PIECE_BYTES);
      this.pushPiece(u8, start, piece, isLast && piece === rest);
      if (piece === rest) return;
    }
  }

  private pushPiece(u8: Uint8Array, start: number, length: number, isLast: boolean): void {
    const word = this.room(Kind.Records, length);
    const { i32 } = this.ring;
    i32[word + Message.Database] = this.database;
    i32[word + Message.Keys] = this.keys;
    i32[word + Message.Version] = this.version;
    i32[word + Message.IsLast] = isLast ? 1 : 0;
    this.send(word, u8, start, length);
    this.keys = 0;
  }

  /** Word index of a message with room for so many bytes behind its words. */
  private room(kind: Kind, length: number): number {
    const { ring } = this;
    let at = ring.reserve(kind, HEAD_BYTES + length);
    if (at < 0) {
      this.waitFor(() => {
        at = ring.reserve(kind, HEAD_BYTES + length);
        return at >= 0;
      });
    }
    return at >> 2;
  }

  private send(word: number, u8: Uint8Array, start: number, length: number): void {
    const { ring } = this;
    ring.u8.set(u8.subarray(start, start + length), (word << 2) + HEAD_BYTES);
    ring.commit();
  }

  private waitFor(isReached: () => boolean): void {
    if (isReached()) return;
    // By the clock: a pause lasts as long as the system lets it, often twice what it was to be.
    const since = this.clock.monotonicMs();
    do sleep(PAUSE_MS);
    while (!isReached());
    this.saving.waited(this.thread, this.clock.monotonicMs() - since);
  }
}

// ── The walker ───────────────────────────────────────────────────────────────────────────────

/** Where images go: the file, or nowhere once it cannot be written any more. */
export interface ImageTarget {
  /** The keys that follow are of this database. */
  select(database: number): void;
  /** `keys` keys end in u8[start, start + length), which is borrowed. */
  take(u8: Uint8Array, start: number, length: number, keys: number, version: number): void;
  /** Where large values go. */
  readonly pieces: PieceStore;
}

/** A target that writes to a file. */
export function imagesInto(
  file: RdbFileWriter,
  sizeOf: (database: number) => readonly [keys: number, volatileKeys: number],
  pieces: PieceStore,
): ImageTarget {
  return {
    select(database) {
      const [keys, volatileKeys] = sizeOf(database);
      file.select(database, keys, volatileKeys);
    },
    take: (u8, start, length, keys, version) => file.records(u8, start, length, keys, version),
    pieces,
  };
}

/** Takes the images of all threads out of their rings. One thread has it. */
export class ImageReader {
  /** Bytes of images so far. */
  bytes = 0;
  private readonly readers: readonly RingReader[];
  private readonly words: readonly Int32Array[];
  private target: ImageTarget | null = null;
  private i32: Int32Array;
  /** The last message was not the last of its image. */
  private isOpen = false;
  private readonly takeBound = (kind: number, u8: Uint8Array, start: number, length: number) =>
    this.takeMessage(kind, u8, start, length);

  constructor({ rings, ringCapacity }: ImageRings) {
    this.readers = rings.map((ring) => new RingReader(ring, 0, ringCapacity));
    this.words = rings.map((ring) => new Int32Array(ring));
    this.i32 = this.words[0]!;
  }

  /** Takes out what is there; true if there was anything. An image is never taken in part. */
  drain(target: ImageTarget): boolean {
    this.target = target;
    let hasSome = false;
    for (let index = 0; index < this.readers.length; index++) {
      const reader = this.readers[index]!;
      if (reader.isEmpty()) continue;
      hasSome = true;
      this.i32 = this.words[index]!;
      reader.drain(this.takeBound);
      // Its writer is making the rest of an image right now, and waits for nothing but room.
      while (this.isOpen) if (reader.drain(this.takeBound) === 0) sleep(PAUSE_MS);
    }
    return hasSome;
  }

  private takeMessage(kind: number, u8: Uint8Array, start: number, length: number): void {
    const { i32, target } = this;
    assert(target !== null, 'images are taken out for somebody');
    const word = start >> 2;
    const bytes = length - HEAD_BYTES;
    this.bytes += bytes;
    const at = start + HEAD_BYTES;
    if (kind === Kind.Large) {
      const partition = i32[word + Large.Partition]!;
      const walkAt = i32[word + Large.WalkAt]!;
      const database = i32[word + Large.Database]!;
      const version = i32[word + Large.Version]! & VERSION_MASK;
      const kind = (i32[word + Large.Version]! >>> KIND_SHIFT) as WalkKind;
      target.pieces.begin(partition, walkAt, kind, database, version, u8, at, bytes);
      return;
    }
    if (kind === Kind.Node) {
      const isLast = i32[word + Node.IsLast] === 1;
      const order = i32[word + Node.Order]!;
      const partition = i32[word + Node.Partition]!;
      this.isOpen = !isLast;
      const walkAt = i32[word + Node.WalkAt]!;
      target.pieces.node(partition, walkAt, u8, at, bytes, order, isLast);
      return;
    }
    this.isOpen = i32[word + Message.IsLast] === 0;
    target.select(i32[word + Message.Database]!);
    const keys = i32[word + Message.Keys]!;
    target.take(u8, at, bytes, keys, i32[word + Message.Version]!);
  }
}
