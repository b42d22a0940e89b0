// The commands that a session has queued since MULTI: their bytes in one buffer, and where their
// words are in another. Keys are hashed and placed when they are queued, so that EXEC knows the
// partitions at once; neither depends on the database that is selected then.
//
//   bytes │ words of command 0, as the client sent them │ of command 1 │ …
//   index │ Head of 0 │ Word of its words … │ Head of 1 │ …
//
// Commands of a pipeline that was read ahead are borrowed at first: the queue knows their Slices,
// which stay as they are until the last command read ahead has run. Most transactions come in one
// piece, and EXEC finds all of them there; what is left then is copied (`own`), and the room for
// that was made when they were queued.
//
// Nothing is allocated per command: both buffers grow by doubling and go from one transaction to
// the next, unless they have become large (transactions.ts).

import { copyBytes } from '../base/bytes.js';
import { Slices } from '../base/slices.js';
import type { Keyspace } from '../keyspace/keyspace.js';
import type { Command } from './command.js';
import { Shape } from './define.js';
import { findKeys, KeyPositions, placeKey } from './route.js';
import { TOUCH_KEYS } from './touch.js';

const enum Head {
  Command = 0,
  WordCount = 1,
  RawStart = 2,
  /** 0: it did not come as a RESP array. */
  RawEnd = 3,
  Length = 4,
}

const enum Word {
  Start = 0,
  Bytes = 1,
  Hash = 2,
  Partition = 3,
  Length = 4,
}

const BYTES_AT_START = 2048;
const INDEX_AT_START = 512;
/** A queue that has grown beyond is not kept for the next transaction. */
const KEPT_BYTES_MAX = 64 * 1024;
/** What Redis counts for a word besides its bytes. */
const WORD_OVERHEAD_BYTES = 8;
const SOURCE_KEPT_MAX = 256 * 1024;
/** From here on V8's own copy is faster. */
const WORD_COPY_MAX = 160;
/** As many as are read ahead at the most (batch.ts). */
const BORROWED_MAX = TOUCH_KEYS;
const NO_SLICES = new Slices();

const positions = new KeyPositions();

export class Queue {
  count = 0;
  /** A command was refused: EXEC will be, too. */
  isAborted = false;
  /** All partitions are needed. */
  isWide = false;
  /** A command is not known to be short. */
  isSlow = false;
  /** All commands have one key and no other business than with that. */
  isOfKeys = true;
  /** It stands in the client directory (transactions.ts). */
  isShown = false;
  /** Flags that any of the commands has. */
  flags = 0;
  /** Bytes of the words, as client-query-buffer-limit and CLIENT LIST count them. */
  queuedBytes = 0;
  /** partitions[0, partitionCount): those of all keys, in no order. */
  readonly partitions: Int32Array;
  partitionCount = 0;
  private readonly isMarked: Uint8Array;
  private u8 = new Uint8Array(new ArrayBuffer(BYTES_AT_START));
  private view = new DataView(this.u8.buffer);
  /** The view of the bytes that the last command came from: as a rule the next does, too. */
  private source: Uint8Array = this.u8;
  private sourceView: DataView = this.view;
  private byteEnd = 0;
  private index = new Int32Array(INDEX_AT_START);
  private indexEnd = 0;
  /** borrowed[0, borrowedCount) come behind those in the index. */
  private readonly borrowed = new Array<Slices>(BORROWED_MAX).fill(NO_SLICES);
  private readonly borrowedIds = new Int32Array(BORROWED_MAX);
  private borrowedCount = 0;
  /** What `own` will add to bytes and index. */
  private borrowedBytes = 0;
  private borrowedWords = 0;
  private readAt = 0;
  private borrowedReadAt = 0;
  /** Id of the command that was read last. */
  id = 0;

  constructor(partitionCount: number) {
    this.partitions = new Int32Array(partitionCount);
    this.isMarked = new Uint8Array(partitionCount);
  }

  /** Is it worth to be used again? */
  get isSmall(): boolean {
    return this.u8.length + this.index.length * 4 <= KEPT_BYTES_MAX;
  }

  clear(): void {
    for (let at = 0; at < this.partitionCount; at++) this.isMarked[this.partitions[at]!] = 0;
    this.partitionCount = 0;
    this.count = 0;
    this.isAborted = false;
    this.isWide = false;
    this.isSlow = false;
    this.isOfKeys = true;
    this.isShown = false;
    this.flags = 0;
    this.queuedBytes = 0;
    this.byteEnd = 0;
    this.indexEnd = 0;
    this.forgetBorrowed();
    this.rewind();
    // An idle queue does not keep a large command of somebody else in memory.
    if (this.source.length > SOURCE_KEPT_MAX) {
      this.source = this.u8;
      this.sourceView = this.view;
    }
  }

  /**
   * Appends a command; false, and nothing done, when there is no memory. `isPlaced`: its key.
   * `isLent`: its words stay as they are until `own` is called.
   */
  add(
    keyspace: Keyspace,
    command: Command,
    args: Slices,
    isPlaced: boolean,
    isLent: boolean,
  ): boolean {
    const bytes = bytesOf(args);
    const words = Head.Length + args.count * Word.Length;
    if (!this.makeRoom(this.borrowedBytes + bytes, this.borrowedWords + words)) return false;
    this.place(keyspace, command, args, isPlaced);
    if (isLent && this.borrowedCount < BORROWED_MAX) {
      const at = this.borrowedCount++;
      if (this.borrowed[at] !== args) this.borrowed[at] = args;
      this.borrowedIds[at] = command.id;
      this.borrowedBytes += bytes;
      this.borrowedWords += words;
    } else {
      this.own();
      this.append(command.id, args);
    }
    this.queuedBytes += wordBytesOf(args) + args.count * WORD_OVERHEAD_BYTES;
    this.count++;
    if (!command.isFast) this.isSlow = true;
    return true;
  }

  /** Copies what was borrowed: its bytes are somebody else's again. */
  own(): void {
    for (let at = 0; at < this.borrowedCount; at++) {
      this.append(this.borrowedIds[at]!, this.borrowed[at]!);
    }
    this.forgetBorrowed();
  }

  private forgetBorrowed(): void {
    this.borrowedCount = 0;
    this.borrowedBytes = 0;
    this.borrowedWords = 0;
  }

  /** There is room for the command. */
  private append(id: number, args: Slices): void {
    this.writeIndex(id, args);
    this.copyWords(args);
  }

  private place(keyspace: Keyspace, command: Command, args: Slices, isPlaced: boolean): void {
    if (command.shape === Shape.Key) {
      if (!isPlaced) placeKey(keyspace, args, command.firstKey);
      this.mark(args.partitions[command.firstKey]!);
      return;
    }
    this.isOfKeys = false;
    if (command.shape === Shape.Every || command.visits) {
      this.isWide = true;
    } else if (command.shape !== Shape.Session && findKeys(command, args, positions)) {
      // Where keys cannot be found the handler refuses before it looks for any.
      for (let at = 0; at < positions.count; at++) {
        this.mark(placeKey(keyspace, args, positions.words[at]!));
      }
      if (positions.isEvery) this.isWide = true;
    }
  }

  private mark(partition: number): void {
    if (this.isMarked[partition] !== 0) return;
    this.isMarked[partition] = 1;
    this.partitions[this.partitionCount++] = partition;
  }

  private writeIndex(id: number, args: Slices): void {
    const { index } = this;
    const isRaw = args.rawEnd !== 0;
    const shift = this.byteEnd - args.rawStart;
    let at = this.indexEnd;
    index[at + Head.Command] = id;
    index[at + Head.WordCount] = args.count;
    index[at + Head.RawStart] = isRaw ? this.byteEnd : 0;
    index[at + Head.RawEnd] = isRaw ? args.rawEnd + shift : 0;
    at += Head.Length;
    let wordAt = this.byteEnd;
    for (let word = 0; word < args.count; word++) {
      const bytes = args.lengths[word]!;
      index[at + Word.Start] = isRaw ? args.starts[word]! + shift : wordAt;
      index[at + Word.Bytes] = bytes;
      index[at + Word.Hash] = args.hashes[word]!;
      index[at + Word.Partition] = args.partitions[word]!;
      at += Word.Length;
      wordAt += bytes;
    }
    this.indexEnd = at;
  }

  private copyWords(args: Slices): void {
    const { u8 } = this;
    if (args.rawEnd !== 0) {
      this.copyRaw(args.u8, args.rawStart, args.rawEnd);
      return;
    }
    for (let word = 0; word < args.count; word++) {
      copyBytes(args.u8, args.startOf(word), u8, this.byteEnd, args.lengthOf(word));
      this.byteEnd += args.lengthOf(word);
    }
  }

  /**
   * Copies a command as it came, by words where it is short: through DataViews, as log/record.ts
   * does and for its reasons.
   */
  private copyRaw(source: Uint8Array, start: number, end: number): void {
    const bytes = end - start;
    let to = this.byteEnd;
    this.byteEnd = to + bytes;
    if (bytes > WORD_COPY_MAX) {
      this.u8.set(source.subarray(start, end), to);
      return;
    }
    if (source !== this.source) {
      this.source = source;
      this.sourceView = new DataView(source.buffer, source.byteOffset, source.byteLength);
    }
    const { view, sourceView } = this;
    let from = start | 0;
    for (const last = (end - 4) | 0; from <= last; from += 4, to += 4) {
      view.setInt32(to, sourceView.getInt32(from, true), true);
    }
    for (; from < end; from++, to++) view.setUint8(to, sourceView.getUint8(from));
  }

  private makeRoom(bytes: number, indexWords: number): boolean {
    const { u8, index } = this;
    const byteEnd = this.byteEnd + bytes;
    const indexEnd = this.indexEnd + indexWords;
    if (byteEnd <= u8.length && indexEnd <= index.length) return true;
    try {
      if (byteEnd > u8.length) {
        this.u8 = new Uint8Array(new ArrayBuffer(Math.max(u8.length * 2, byteEnd)));
        this.u8.set(u8.subarray(0, this.byteEnd));
        this.view = new DataView(this.u8.buffer);
      }
      if (indexEnd > index.length) {
        this.index = new Int32Array(Math.max(index.length * 2, indexEnd));
        this.index.set(index.subarray(0, this.indexEnd));
      }
      return true;
    } catch (error) {
      if (error instanceof RangeError) return false;
      throw error;
    }
  }

  /** Goes back to the first command. */
  rewind(): void {
    this.readAt = 0;
    this.borrowedReadAt = 0;
  }

  /**
   * The words of the next command, as they were placed: `args`, or what was borrowed. `id` is its
   * id then.
   */
  read(args: Slices): Slices {
    const { index } = this;
    let at = this.readAt;
    if (at === this.indexEnd) {
      this.id = this.borrowedIds[this.borrowedReadAt]!;
      return this.borrowed[this.borrowedReadAt++]!;
    }
    const count = index[at + Head.WordCount]!;
    this.id = index[at + Head.Command]!;
    if (count > args.starts.length) args.ensure(count);
    args.u8 = this.u8;
    args.count = count;
    args.rawStart = index[at + Head.RawStart]!;
    args.rawEnd = index[at + Head.RawEnd]!;
    at += Head.Length;
    const { starts, lengths, hashes, partitions } = args;
    for (let word = 0; word < count; word++) {
      starts[word] = index[at + Word.Start]!;
      lengths[word] = index[at + Word.Bytes]!;
      hashes[word] = index[at + Word.Hash]!;
      partitions[word] = index[at + Word.Partition]!;
      at += Word.Length;
    }
    this.readAt = at;
    return args;
  }
}

function bytesOf(args: Slices): number {
  return args.rawEnd !== 0 ? args.rawEnd - args.rawStart : wordBytesOf(args);
}

function wordBytesOf(args: Slices): number {
  let bytes = 0;
  for (let word = 0; word < args.count; word++) bytes += args.lengthOf(word);
  return bytes;
}
