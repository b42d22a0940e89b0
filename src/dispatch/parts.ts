// Parts of large multi-key commands. The coordinator holds all locks; round by round it groups the
// keys by the thread that owns their partition, offers each other owner its groups on the board
// (mesh/board.ts), does its own, then whatever nobody has claimed, and waits for the rest. Results
// stand in scratch memory, one cell per key, so that it answers in the order of the keys.
//
//   argument area of a part                     result area
//   ┌────────┬────────────────────────────┐     ┌───────────────────────────┬─────────────────┐
//   │ Head:  │ per key, 4 words: hash,    │     │ per key, 2 words: state   │ bytes of values │
//   │ keys,  │ partition, start, length   │     │ (Cell) or length, start   │ found (Get)     │
//   │ db …   │ (of the bytes that follow) │     └───────────────────────────┴─────────────────┘
//   └────────┴────────────────────────────┘
//
// A part runs in the middle of whatever its thread was doing, so it uses nothing of that: it has a
// keyspace object and slices of its own. It takes no lock and looks only into partitions that the
// coordinator has locked. Two threads may have parts of one partition: all they write is the same
// recency. Expired keys count as missing and stay, until somebody finds them who may record it.

import { copyBytes } from '../base/bytes.js';
import { Slices } from '../base/slices.js';
import { Type, typeOf } from '../keyspace/entry.js';
import { type Keyspace, Lookup } from '../keyspace/keyspace.js';
import { readString, StringBytes } from '../keyspace/strings.js';
import { type Board, NO_SLOT, type Part, type PartOrder } from '../mesh/board.js';
import { NONE } from '../slab/slab.js';

export const enum PartKind {
  /** Is there such a key? Leaves no trace. */
  Has = 1,
  /** As Has, and stamps it as used. */
  Touch = 2,
  /** The key's string. Stamps it as used. */
  Get = 3,
}

/** What a part says of a key; of a string that it found, its length (0 or more). */
export const enum Cell {
  Missing = -1,
  /** Get: the value did not fit the result area, the coordinator reads it itself. */
  TooLong = -2,
  /** The key exists, and a string of it is not to be had: it holds none, or was not asked for. */
  Other = -3,
}

/**
 * Keys from which a round is offered. With two workers on two cores it did not pay at any size:
 * MGET of 1024 keys took 533 µs in parts and 466 µs without, as every key and value is copied once
 * more (`npm run bench -- parts`, docs/performance.md). So parts are off unless the variable says
 * from how many keys (at most ROUND_KEYS) they are wanted, as on a machine with more cores.
 */
export const partsFrom = { keys: Number(process.env.FLAGSTONE_PARTS_FROM ?? 'Infinity') };

/** Keys of one round: with values of some hundred bytes they fit the scratch memory. */
export const ROUND_KEYS = 1024;
/** A part is bounded to about 100 µs: some 300 ns a key. */
const KEYS_PER_PART = 256;
const VALUE_BYTES_PER_KEY = 512;

const enum Head {
  Keys = 0,
  Database = 1,
  NowLow = 2,
  NowHigh = 3,
  Flags = 4,
  Words = 5,
}
const enum HeadFlag {
  StampsAccess = 1,
  ExpiresByClock = 2,
}
const enum KeyWord {
  Hash = 0,
  Partition = 1,
  Start = 2,
  Length = 3,
  Words = 4,
}
const enum CellWord {
  State = 0,
  Start = 1,
  Words = 2,
}

const TWO_32 = 2 ** 32;

export class Parts {
  private readonly board: Board;
  private readonly threadCount: number;
  /** For parts alone: no command of this thread uses it. */
  private readonly keyspace: Keyspace;
  private readonly args = new Slices();
  private readonly value = new StringBytes();
  /** Where the result of each key of the round stands: a word index in scratch. */
  private readonly cells = new Int32Array(ROUND_KEYS);
  /** The round: words [first, end) of `asked`, in `database`. */
  private kind = PartKind.Has;
  private asked: Slices;
  private first = 0;
  private end = 0;
  private database = 0;
  /** How many keys of the round exist. */
  foundCount = 0;
  private readonly order: PartOrder = {
    kind: 0,
    first: 0,
    maskLow: 0,
    maskHigh: 0,
    argAt: 0,
    argBytes: 0,
    resultAt: 0,
    resultBytesMax: 0,
  };
  readonly runPart: (part: Part) => number;

  /** `keyspace` is for parts alone. */
  constructor(board: Board, threadCount: number, keyspace: Keyspace) {
    this.board = board;
    this.threadCount = threadCount;
    this.keyspace = keyspace;
    this.asked = this.args;
    this.runPart = (part) => this.run(part);
  }

  /**
   * Asks owners about the keys in words [first, end) of `args`, all placed and their partitions
   * locked and selected; at most ROUND_KEYS. True when the answers are there, counted as look-ups
   * of `keyspace`: read them with stateOf and startOf, then call `close`. False: nothing is asked
   * or counted, the caller looks the keys up itself.
   */
  spread(
    kind: PartKind,
    args: Slices,
    first: number,
    end: number,
    keyspace: Keyspace,
    database: number,
  ): boolean {
    const { board, threadCount } = this;
    if (threadCount === 1 || end - first < partsFrom.keys) return false;
    this.kind = kind;
    this.asked = args;
    this.first = first;
    this.end = end;
    this.database = database;
    // This thread's own come last: awaitAll begins with what was posted last.
    for (let step = 1; step <= threadCount; step++) {
      if (this.offerAll((board.self + step) % threadCount, keyspace)) continue;
      // No room in scratch or on the board: what was offered is finished, then given up.
      board.awaitAll(this.runPart);
      board.endRound();
      return false;
    }
    board.awaitAll(this.runPart);
    this.countLookups(keyspace);
    return true;
  }

  /** Offers the round's keys of `owner`; false where there is no room. */
  private offerAll(owner: number, keyspace: Keyspace): boolean {
    for (let from = this.first; from < this.end; ) {
      const next = this.offer(owner, from, keyspace);
      if (next < 0) return false;
      from = next;
    }
    return true;
  }

  /** Offers keys of `owner` from word `from` on, up to KEYS_PER_PART; returns where to go on. */
  private offer(owner: number, from: number, keyspace: Keyspace): number {
    const { board, asked, end, order, threadCount } = this;
    let keys = 0;
    let bytes = 0;
    let to = from;
    for (; to < end && keys < KEYS_PER_PART; to++) {
      if (asked.partitions[to]! % threadCount !== owner) continue;
      keys++;
      bytes += asked.lengthOf(to);
    }
    if (keys === 0) return to;
    const valueBytes = this.kind === PartKind.Get ? VALUE_BYTES_PER_KEY : 0;
    order.kind = this.kind;
    order.argBytes = (Head.Words + keys * KeyWord.Words) * 4 + bytes;
    order.resultBytesMax = keys * (CellWord.Words * 4 + valueBytes);
    order.argAt = board.allocate(order.argBytes);
    order.resultAt = order.argAt < 0 ? -1 : board.allocate(order.resultBytesMax);
    if (order.resultAt < 0) return -1;
    this.writeHead(order.argAt >> 2, keys, keyspace);
    this.writeKeys((order.argAt >> 2) + Head.Words, keys, owner, from, to);
    return board.post(owner, order) === NO_SLOT ? -1 : to;
  }

  private writeHead(at: number, keys: number, keyspace: Keyspace): void {
    const { i32 } = this.board.scratch;
    i32[at + Head.Keys] = keys;
    i32[at + Head.Database] = this.database;
    i32[at + Head.NowLow] = keyspace.nowMs % TWO_32;
    i32[at + Head.NowHigh] = Math.floor(keyspace.nowMs / TWO_32);
    i32[at + Head.Flags] =
      (keyspace.stampsAccess && this.kind !== PartKind.Has ? HeadFlag.StampsAccess : 0) |
      (keyspace.expiresByClock ? HeadFlag.ExpiresByClock : 0);
  }

  /** Writes the keys of `owner` in words [from, to), from word `at` of scratch on. */
  private writeKeys(at: number, keys: number, owner: number, from: number, to: number): void {
    const { asked, order, cells, first, threadCount } = this;
    const { i32, u8 } = this.board.scratch;
    let byte = (at + keys * KeyWord.Words) << 2;
    let cell = order.resultAt >> 2;
    for (let word = from; word < to; word++) {
      if (asked.partitions[word]! % threadCount !== owner) continue;
      const length = asked.lengthOf(word);
      i32[at + KeyWord.Hash] = asked.hashes[word]!;
      i32[at + KeyWord.Partition] = asked.partitions[word]!;
      i32[at + KeyWord.Start] = byte;
      i32[at + KeyWord.Length] = length;
      copyBytes(asked.u8, asked.startOf(word), u8, byte, length);
      cells[word - first] = cell;
      at += KeyWord.Words;
      byte += length;
      cell += CellWord.Words;
    }
  }

  private countLookups(keyspace: Keyspace): void {
    const { lookups } = keyspace;
    let found = 0;
    for (let word = this.first; word < this.end; word++) {
      if (this.stateOf(word) !== Cell.Missing) found++;
    }
    this.foundCount = found;
    lookups[Lookup.Hits] = lookups[Lookup.Hits]! + found;
    lookups[Lookup.Misses] = lookups[Lookup.Misses]! + this.end - this.first - found;
  }

  /** What there is of the key in a word of the round: a Cell, or the length of its string. */
  stateOf(word: number): number {
    return this.board.scratch.i32[this.cells[word - this.first]! + CellWord.State]!;
  }

  /** Where that string starts in `bytes`. */
  startOf(word: number): number {
    return this.board.scratch.i32[this.cells[word - this.first]! + CellWord.Start]!;
  }

  get bytes(): Uint8Array {
    return this.board.scratch.u8;
  }

  /** The answers have been read. */
  close(): void {
    this.board.endRound();
  }

  // ---- leaf work, on any thread ---------------------------------------------------------------

  private run(part: Part): number {
    const { i32, u8 } = part.scratch;
    const { keyspace, args } = this;
    const at = part.argAt >> 2;
    const keys = i32[at + Head.Keys]!;
    const database = i32[at + Head.Database]!;
    const flags = i32[at + Head.Flags]!;
    keyspace.nowMs = i32[at + Head.NowHigh]! * TWO_32 + (i32[at + Head.NowLow]! >>> 0);
    keyspace.recency = Math.floor(keyspace.nowMs / 1000) & 0xffffff;
    keyspace.stampsAccess = (flags & HeadFlag.StampsAccess) !== 0;
    keyspace.expiresByClock = (flags & HeadFlag.ExpiresByClock) !== 0;
    args.u8 = u8;
    args.count = 1;
    let key = at + Head.Words;
    let cell = part.resultAt >> 2;
    let byte = part.resultAt + keys * CellWord.Words * 4;
    for (let index = 0; index < keys; index++) {
      args.starts[0] = i32[key + KeyWord.Start]!;
      args.lengths[0] = i32[key + KeyWord.Length]!;
      args.hashes[0] = i32[key + KeyWord.Hash]!;
      byte = this.look(part, i32[key + KeyWord.Partition]!, database, cell, byte);
      key += KeyWord.Words;
      cell += CellWord.Words;
    }
    return byte - part.resultAt;
  }

  /** Looks for the key in args, answers in `cell`; returns where the next value goes. */
  private look(part: Part, index: number, database: number, cell: number, byte: number): number {
    const { i32, u8 } = part.scratch;
    const partition = this.keyspace.partitions[index]!;
    partition.select(database);
    const entry = partition.findQuietly(this.args, 0);
    if (entry === NONE) {
      i32[cell + CellWord.State] = Cell.Missing;
      return byte;
    }
    if (part.kind !== PartKind.Get || typeOf(partition.slab, entry) !== Type.String) {
      i32[cell + CellWord.State] = Cell.Other;
      return byte;
    }
    const { value } = this;
    readString(partition.slab, entry, value);
    if (byte + value.length > part.resultAt + part.resultBytesMax) {
      i32[cell + CellWord.State] = Cell.TooLong;
      return byte;
    }
    copyBytes(value.u8, value.start, u8, byte, value.length);
    i32[cell + CellWord.State] = value.length;
    i32[cell + CellWord.Start] = byte;
    return byte + value.length;
  }
}
