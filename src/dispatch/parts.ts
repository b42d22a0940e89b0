// Parts of large multi-key commands. The coordinator holds all locks; it groups the keys by the thread
// that owns their partition, offers each other owner its group on the board (mesh/board.ts), does its
// own group, then whatever nobody has claimed, and waits for the rest. Results stand in scratch memory,
// one cell per key, so that the coordinator answers in the order of the keys.
//
//   argument area of a part                     result area
//   ┌───────┬────────────────────────────┐      ┌───────────────────────────┬─────────────────┐
//   │ keys, │ per key, 4 words: hash,    │      │ per key, 2 words: state   │ bytes of values │
//   │ db,   │ partition, start, length   │      │ (Cell) or length, start   │ found (Get)     │
//   │ now   │ (of the bytes that follow) │      └───────────────────────────┴─────────────────┘
//   └───────┴────────────────────────────┘
//
// A part runs in the middle of whatever its thread was doing, so it uses nothing of that: it has a
// keyspace object and slices of its own. It takes no lock and changes only partitions that the
// coordinator has locked. Expired keys count as missing and stay, to be removed by whoever records it.
//
// PARTS_FROM: below, offering costs more than it saves (native-free-bench/floors/parts.bench.ts).

import { copyBytes } from '../base/bytes.js';
import { Slices } from '../base/slices.js';
import { Type, typeOf } from '../keyspace/entry.js';
import type { Keyspace } from '../keyspace/keyspace.js';
import { readString, StringBytes } from '../keyspace/strings.js';
import type { Board, Part, PartOrder, SlotRef } from '../mesh/board.js';
import { NONE } from '../slab/slab.js';

export const enum PartKind {
  /** Is there such a key? Stamps it as used. */
  Touch = 1,
  /** The key's string. */
  Get = 2,
}

/** What a part says of a key; a length (0 or more) for Get. */
export const enum Cell {
  Missing = -1,
  /** Get: the value did not fit the result area: the coordinator reads it itself. */
  TooLong = -2,
  Found = 1,
}

/** Keys from which a command is worth being split. */
export const PARTS_FROM = 256;
/** A part is bounded to about 100 µs: some 300 ns a key. */
const KEYS_PER_PART = 256;
const HEAD_WORDS = 4;
const KEY_WORDS = 4;
const CELL_WORDS = 2;
const VALUE_BYTES_PER_KEY = 512;

const enum Head {
  Keys = 0,
  Database = 1,
  NowLow = 2,
  NowHigh = 3,
}
const enum KeyWord {
  Hash = 0,
  Partition = 1,
  Start = 2,
  Length = 3,
}

const TWO_32 = 2 ** 32;

export class Parts {
  private readonly board: Board;
  private readonly threadCount: number;
  private readonly keyspace: Keyspace;
  private readonly args = new Slices();
  private readonly value = new StringBytes();
  /** Where the result cell of each key of the round is: a word index in scratch; −1: not asked. */
  private cells = new Int32Array(1024);
  readonly runPart: (part: Part) => number;

  /** `keyspace` is for parts alone: no command of this thread uses it. */
  constructor(board: Board, threadCount: number, keyspace: Keyspace) {
    this.board = board;
    this.threadCount = threadCount;
    this.keyspace = keyspace;
    this.runPart = (part) => this.run(part);
  }

  /**
   * Asks owners about words[0, count) of `args`, all placed and their partitions locked. True when
   * the answers are there: read them with stateOf and valueAt, then call `end`. False: nothing was
   * offered, the caller does the work itself.
   */
  spread(kind: PartKind, args: Slices, words: Int32Array, count: number, asked: Asked): boolean {
    if (this.threadCount === 1 || count < PARTS_FROM) return false;
    if (this.cells.length < count) this.cells = new Int32Array(count * 2);
    let isOffered = false;
    for (let owner = 0; owner < this.threadCount; owner++) {
      let from = 0;
      while (from < count) {
        const next = this.offer(kind, owner, args, words, from, count, asked);
        if (next < 0) {
          // No room in scratch or on the board: what was offered is finished, then given up.
          this.board.awaitAll(this.runPart);
          this.board.endRound();
          return false;
        }
        isOffered = true;
        from = next;
      }
    }
    this.board.awaitAll(this.runPart);
    return isOffered;
  }

  /** Offers the keys of `owner` from words[from] on, up to KEYS_PER_PART; returns where to go on. */
  private offer(
    kind: PartKind,
    owner: number,
    args: Slices,
    words: Int32Array,
    from: number,
    count: number,
    asked: Asked,
  ): number {
    let keys = 0;
    let bytes = 0;
    let end = from;
    for (; end < count && keys < KEYS_PER_PART; end++) {
      const word = words[end]!;
      if (args.partitions[word]! % this.threadCount !== owner) continue;
      keys++;
      bytes += args.lengthOf(word);
    }
    if (keys === 0) return end;
    const { board } = this;
    const argBytes = (HEAD_WORDS + keys * KEY_WORDS) * 4 + bytes;
    const resultBytesMax = keys * CELL_WORDS * 4 + (kind === PartKind.Get ? keys * VALUE_BYTES_PER_KEY : 0);
    const argAt = board.allocate(argBytes);
    const resultAt = argAt < 0 ? -1 : board.allocate(resultBytesMax);
    if (resultAt < 0) return -1;
    this.writeKeys(argAt, keys, owner, args, words, from, end, resultAt, asked);
    const order: PartOrder = {
      kind, first: 0, maskLow: 0, maskHigh: 0, argAt, argBytes, resultAt, resultBytesMax,
    };
    const slot: SlotRef = board.post(owner, order);
    return slot === 0 ? -1 : end;
  }

  private writeKeys(
    argAt: number,
    keys: number,
    owner: number,
    args: Slices,
    words: Int32Array,
    from: number,
    end: number,
    resultAt: number,
    asked: Asked,
  ): void {
    const { i32, u8 } = this.board.scratch;
    const at = argAt >> 2;
    i32[at + Head.Keys] = keys;
    i32[at + Head.Database] = asked.database;
    i32[at + Head.NowLow] = asked.nowMs % TWO_32;
    i32[at + Head.NowHigh] = Math.floor(asked.nowMs / TWO_32);
    let key = at + HEAD_WORDS;
    let byte = (key + keys * KEY_WORDS) << 2;
    let cell = resultAt >> 2;
    for (let index = from; index < end; index++) {
      const word = words[index]!;
      if (args.partitions[word]! % this.threadCount !== owner) continue;
      const length = args.lengthOf(word);
      i32[key + KeyWord.Hash] = args.hashes[word]!;
      i32[key + KeyWord.Partition] = args.partitions[word]!;
      i32[key + KeyWord.Start] = byte;
      i32[key + KeyWord.Length] = length;
      copyBytes(args.u8, args.startOf(word), u8, byte, length);
      this.cells[index] = cell;
      key += KEY_WORDS;
      byte += length;
      cell += CELL_WORDS;
    }
  }

  /** The answer for the index-th word of the round: a Cell, or a length. */
  stateOf(index: number): number {
    return this.board.scratch.i32[this.cells[index]!]!;
  }

  /** Where that value's bytes start in `bytes`. */
  valueAt(index: number): number {
    return this.board.scratch.i32[this.cells[index]! + 1]!;
  }

  get bytes(): Uint8Array {
    return this.board.scratch.u8;
  }

  /** The answers have been read. */
  end(): void {
    this.board.endRound();
  }

  // ---- leaf work, on any thread ---------------------------------------------------------------

  private run(part: Part): number {
    const { i32, u8 } = part.scratch;
    const at = part.argAt >> 2;
    const keys = i32[at + Head.Keys]!;
    const { keyspace, args } = this;
    keyspace.nowMs = i32[at + Head.NowHigh]! * TWO_32 + (i32[at + Head.NowLow]! >>> 0);
    keyspace.recency = Math.floor(keyspace.nowMs / 1000) & 0xffffff;
    args.u8 = u8;
    args.count = 0;
    args.push(0, 0);
    let cell = part.resultAt >> 2;
    let byte = part.resultAt + keys * CELL_WORDS * 4;
    const end = part.resultAt + part.resultBytesMax;
    for (let index = 0; index < keys; index++) {
      const key = at + HEAD_WORDS + index * KEY_WORDS;
      args.starts[0] = i32[key + KeyWord.Start]!;
      args.lengths[0] = i32[key + KeyWord.Length]!;
      args.hashes[0] = i32[key + KeyWord.Hash]!;
      const partition = keyspace.partitions[i32[key + KeyWord.Partition]!]!;
      partition.select(i32[at + Head.Database]!);
      const entry = partition.findQuietly(args, 0);
      if (entry === NONE) {
        i32[cell] = Cell.Missing;
      } else if (part.kind === PartKind.Touch) {
        i32[cell] = Cell.Found;
      } else if (typeOf(partition.slab, entry) !== Type.String) {
        i32[cell] = Cell.Missing;
      } else {
        readString(partition.slab, entry, this.value);
        const { length } = this.value;
        if (byte + length > end) {
          i32[cell] = Cell.TooLong;
        } else {
          copyBytes(this.value.u8, this.value.start, u8, byte, length);
          i32[cell] = length;
          i32[cell + 1] = byte;
          byte += length;
        }
      }
      cell += CELL_WORDS;
    }
    return byte - part.resultAt;
  }
}

/** For which database and at which time a round asks. */
export interface Asked {
  readonly database: number;
  readonly nowMs: number;
}
