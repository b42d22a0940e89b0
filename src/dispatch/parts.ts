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

import { copyBytes, copyWords } from '../base/bytes.js';
import { Slices } from '../base/slices.js';
import { Type, typeOf } from '../keyspace/entry.js';
import { type Keyspace, Lookup } from '../keyspace/keyspace.js';
import { Stamping } from '../keyspace/recency.js';
import { readString, StringBytes } from '../keyspace/strings.js';
import { type Board, NO_SLOT, type Part, type PartOrder } from '../mesh/board.js';
import { NONE, type Slab } from '../slab/slab.js';
import { areNamesakes } from '../structs/member.js';
import { joinPlaces, Row, segmentPlaces, TableJoin, type Wanted } from '../structs/table-join.js';
import { areSameMembers } from '../types/set/member.js';

export const enum PartKind {
  /** Is there such a key? Leaves no trace. */
  Has = 1,
  /** As Has, and stamps it as used. */
  Touch = 2,
  /** The key's string. Stamps it as used. */
  Get = 3,
  /** Which entries of some segments of one table are in another table, too. */
  Join = 4,
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

/** What the entries of the two tables of a join are; they are of one kind. */
export const enum JoinKind {
  Sets = 0,
  SortedSets = 1,
}

/** Entries of one part: 25 to 70 ns each, as they lie in the cache or not. */
const ENTRIES_PER_JOIN = 1024;

/**
 * Entries of the first table from which a join is offered in parts. On two cores parts
 * cost more processor time a command than they save (`npm run bench -- parts`,
 * docs/performance.md). So they are off unless the variable says from how many entries they are
 * wanted.
 */
export const joinPartsFrom = {
  entries: Number(process.env.FLAGSTONE_JOIN_PARTS_FROM ?? 'Infinity'),
  /** Rows that a part has room for: segments are not cut, nor equally full. */
  rowsMax: ENTRIES_PER_JOIN + 512,
};

/** Parts of one round, for which there is room in scratch; a round ends with all of them. */
const JOINS_PER_ROUND = 32;

const JOIN_SPILL_WORDS = 4096;

const enum JoinWord {
  Partition = 0,
  RootAt = 1,
  OtherPartition = 2,
  OtherAt = 3,
  Place = 4,
  End = 5,
  Kind = 6,
  Wanted = 7,
  Words = 8,
}
/** The result of a join: how many rows, and behind this head the rows. */
const JOIN_HEAD_WORDS = 2;
/** There were more rows than there is room for: the coordinator does this part again. */
const TOO_MANY = -1;
/** In the place of where a result is. */
const NOT_OFFERED = -1;

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
  /** For joins by this thread, its own and parts of others'. */
  private readonly join = new TableJoin();
  private joinKind = JoinKind.Sets;
  private joinWanted: Wanted = 0;
  private joinSlab: Slab;
  private joinOther: Slab;
  private joinAt = 0;
  private joinOtherAt = 0;
  private joinPlace = 0;
  private joinEnd = 0;
  /** Entries for each place of the directory, for which parts are cut. */
  private joinPlacesPerPart = 1;
  /** Of the parts of the round: where their results are, and their places. */
  private readonly joinResults = new Int32Array(JOINS_PER_ROUND);
  private readonly joinFirsts = new Int32Array(JOINS_PER_ROUND + 1);
  private joinCount = 0;
  private joinNext = 0;
  /** Rows of parts that this thread does again, or could not offer. */
  private spill = new Int32Array(JOIN_SPILL_WORDS);
  /** Rows that nextRows has come to: words of `rows`, Row.Words each, from `rowsAt` on. */
  rows: Int32Array;
  rowsAt = 0;
  rowCount = 0;

  /** `keyspace` is for parts alone. */
  constructor(board: Board, threadCount: number, keyspace: Keyspace) {
    this.board = board;
    this.threadCount = threadCount;
    this.keyspace = keyspace;
    this.asked = this.args;
    this.joinSlab = keyspace.partitions[0]!.slab;
    this.joinOther = this.joinSlab;
    this.rows = board.scratch.i32;
    this.runPart = (part) => (part.kind === PartKind.Join ? this.runJoin(part) : this.run(part));
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
      (keyspace.stamping !== Stamping.Nothing && this.kind !== PartKind.Has
        ? HeadFlag.StampsAccess
        : 0) | (keyspace.expiresByClock ? HeadFlag.ExpiresByClock : 0);
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

  // ---- joins of two tables --------------------------------------------------------------------

  /**
   * Begins the join of a table of `count` entries with another, their partitions being locked.
   * False: it is not worth while, the caller joins them itself. After true, ask for nextRows until
   * there are none, or closeJoin.
   */
  openJoin(
    slab: Slab,
    rootAt: number,
    count: number,
    other: Slab,
    otherAt: number,
    kind: JoinKind,
    wanted: Wanted,
  ): boolean {
    if (this.threadCount === 1 || count < joinPartsFrom.entries) return false;
    this.joinSlab = slab;
    this.joinAt = rootAt;
    this.joinOther = other;
    this.joinOtherAt = otherAt;
    this.joinKind = kind;
    this.joinWanted = wanted;
    this.joinPlace = 0;
    this.joinEnd = joinPlaces(slab, rootAt);
    this.joinPlacesPerPart = Math.max(1, Math.ceil((ENTRIES_PER_JOIN * this.joinEnd) / count));
    this.joinCount = 0;
    this.joinNext = 0;
    return true;
  }

  /** To the rows of the next part; false when there are no more, and then it is closed. */
  nextRows(): boolean {
    if (this.joinNext === this.joinCount) {
      this.closeJoin();
      if (this.joinPlace >= this.joinEnd) return false;
      this.offerJoins();
    }
    const index = this.joinNext++;
    const { i32 } = this.board.scratch;
    const at = this.joinResults[index]!;
    if (at === NOT_OFFERED || i32[at] === TOO_MANY) {
      this.joinHere(this.joinFirsts[index]!, this.joinFirsts[index + 1]!);
      return true;
    }
    this.rows = i32;
    this.rowsAt = at + JOIN_HEAD_WORDS;
    this.rowCount = i32[at]!;
    return true;
  }

  /** No more rows are wanted. */
  closeJoin(): void {
    this.board.endRound();
    this.joinCount = 0;
    this.joinNext = 0;
  }

  /** One round: parts of the next segments, for the other threads in turns. At least one. */
  private offerJoins(): void {
    const { board, joinFirsts, joinResults, threadCount } = this;
    joinFirsts[0] = this.joinPlace;
    let isRoom = true;
    while (isRoom && this.joinCount < JOINS_PER_ROUND && this.joinPlace < this.joinEnd) {
      const end = this.joinEndOf(this.joinPlace);
      // Not for this thread: it takes those that nobody has claimed, the last first.
      const owner = (board.self + 1 + (this.joinCount % (threadCount - 1))) % threadCount;
      joinResults[this.joinCount++] = this.offerJoin(owner, this.joinPlace, end);
      joinFirsts[this.joinCount] = end;
      this.joinPlace = end;
      isRoom = joinResults[this.joinCount - 1] !== NOT_OFFERED;
    }
    board.awaitAll(this.runPart);
  }

  /** Where a part that begins at `place` ends: behind a segment. */
  private joinEndOf(place: number): number {
    const enough = place + this.joinPlacesPerPart;
    while (place < enough && place < this.joinEnd) {
      place += segmentPlaces(this.joinSlab, this.joinAt, place);
    }
    return place;
  }

  /** Word index of the part's result, or NOT_OFFERED. */
  private offerJoin(owner: number, place: number, end: number): number {
    const { board, order } = this;
    const { i32 } = board.scratch;
    order.kind = PartKind.Join;
    order.argBytes = JoinWord.Words * 4;
    order.resultBytesMax = (JOIN_HEAD_WORDS + joinPartsFrom.rowsMax * Row.Words) * 4;
    order.argAt = board.allocate(order.argBytes);
    order.resultAt = order.argAt < 0 ? -1 : board.allocate(order.resultBytesMax);
    if (order.resultAt < 0) return NOT_OFFERED;
    const at = order.argAt >> 2;
    i32[at + JoinWord.Partition] = this.joinSlab.index;
    i32[at + JoinWord.RootAt] = this.joinAt;
    i32[at + JoinWord.OtherPartition] = this.joinOther.index;
    i32[at + JoinWord.OtherAt] = this.joinOtherAt;
    i32[at + JoinWord.Place] = place;
    i32[at + JoinWord.End] = end;
    i32[at + JoinWord.Kind] = this.joinKind;
    i32[at + JoinWord.Wanted] = this.joinWanted;
    return board.post(owner, order) === NO_SLOT ? NOT_OFFERED : order.resultAt >> 2;
  }

  /** Does a part itself, with as much room as it takes. */
  private joinHere(place: number, end: number): void {
    const { joinAt, joinOther, joinOtherAt, joinKind, joinSlab, joinWanted } = this;
    let { spill } = this;
    for (;;) {
      this.beginJoin(joinKind, joinSlab, joinAt, joinOther, joinOtherAt, joinWanted);
      this.join.openAt(place, end);
      this.rowCount = this.writeRows(spill, 0, spill.length);
      if (this.rowCount !== TOO_MANY) break;
      spill = new Int32Array(spill.length * 2);
    }
    this.spill = spill;
    this.rows = spill;
    this.rowsAt = 0;
  }

  private beginJoin(
    kind: JoinKind,
    slab: Slab,
    rootAt: number,
    other: Slab,
    otherAt: number,
    wanted: Wanted,
  ): void {
    const isSame = kind === JoinKind.Sets ? areSameMembers : areNamesakes;
    this.join.open(slab, rootAt, other, otherAt, isSame, wanted);
  }

  /** Joins and writes the rows found to words [at, end); how many, or TOO_MANY. */
  private writeRows(i32: Int32Array, at: number, end: number): number {
    const { join } = this;
    let count = 0;
    while (join.next()) {
      const words = join.rowCount * Row.Words;
      if (at + words > end) return TOO_MANY;
      copyWords(join.rows, 0, i32, at, words);
      at += words;
      count += join.rowCount;
    }
    return count;
  }

  // ---- leaf work, on any thread ---------------------------------------------------------------

  private run(part: Part): number {
    const { i32, u8 } = part.scratch;
    const { keyspace, args } = this;
    const at = part.argAt >> 2;
    const keys = i32[at + Head.Keys]!;
    const database = i32[at + Head.Database]!;
    const flags = i32[at + Head.Flags]!;
    keyspace.setClock(i32[at + Head.NowHigh]! * TWO_32 + (i32[at + Head.NowLow]! >>> 0));
    const isStamped = (flags & HeadFlag.StampsAccess) !== 0;
    keyspace.stamping = isStamped ? keyspace.policyStamping : Stamping.Nothing;
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

  private runJoin(part: Part): number {
    const { i32 } = part.scratch;
    const { partitions } = this.keyspace;
    const at = part.argAt >> 2;
    const resultAt = part.resultAt >> 2;
    this.beginJoin(
      i32[at + JoinWord.Kind]!,
      partitions[i32[at + JoinWord.Partition]!]!.slab,
      i32[at + JoinWord.RootAt]!,
      partitions[i32[at + JoinWord.OtherPartition]!]!.slab,
      i32[at + JoinWord.OtherAt]!,
      i32[at + JoinWord.Wanted]!,
    );
    this.join.openAt(i32[at + JoinWord.Place]!, i32[at + JoinWord.End]!);
    const end = resultAt + (part.resultBytesMax >> 2);
    i32[resultAt] = this.writeRows(i32, resultAt + JOIN_HEAD_WORDS, end);
    return part.resultBytesMax;
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
