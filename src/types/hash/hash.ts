// A hash as commands see it: opened on what the key's entry holds, asked for fields, changed, and
// stored again where encoding or root have changed. It knows the three forms: a packed list, one
// with times (small.ts), a table (large.ts). Reused: one for a thread is enough.
//
// A packed list inside its entry has only the room that it takes: before a change that needs more
// or less it is copied to a block of its own, and the entry gets another shape when the hash is
// stored.
//
// What find or a walk met last is "the pair": its value can be read or replaced, it can get a time
// or be removed. Any other change makes it undefined.

import { int64FromPair, parseInt64, writeInt64 } from '../../base/ascii.js';
import { assert } from '../../base/assert.js';
import type { Reply } from '../../resp/write.js';
import { type BlockRef, release } from '../../slab/alloc.js';
import { NONE, Slab } from '../../slab/slab.js';
import {
  copyPacked,
  createPacked,
  Packed,
  packedAppend,
  packedBytes,
  packedCount,
  packedFind,
  packedRemove,
  packedReplace,
  packedReserve,
  releasePacked,
  replacesInPlace,
} from '../../structs/packed.js';
import { randomRef } from '../../structs/table.js';
import { TableWalk } from '../../structs/table-walk.js';
import { Encoding } from '../kind.js';
import { thresholds } from '../thresholds.js';
import { NEVER, nextTimeOf, scheduleHash, scheduleReserve, unscheduleHash } from './expiries.js';
import { type FieldRef, fieldBytesOf, fieldStartOf, valueBytesOf, valueStartOf } from './field.js';
import {
  addLarge,
  createLarge,
  findLarge,
  largeCount,
  nextField,
  nextTimeOfLarge,
  removeFromLarge,
  setTimeOfField,
  setValueOfField,
  tableOf,
  timeOfField,
  timesReserve,
} from './large.js';
import {
  appendTime,
  createTimed,
  listOf,
  nextTimeOfSmall,
  PAIR,
  readTime,
  replaceTime,
  setList,
  strideOf,
  TRIPLE,
  timesBytes,
  withTimes,
} from './small.js';

/** A block of a field has at most so many bytes besides name and value; an eighth is slack. */
const FIELD_HEAD_BYTES = 20;
/** A field may need an overflow bucket in the table, and its share of a new segment. */
const TABLE_BYTES = 80;
/** Each size of blocks may need pages of its own; there are not more sizes than that. */
const SIZES_MAX = 58;
const SIZE_BYTES = 32 * 1024;
/** What reserve() grants besides is enough for so many blocks of any sizes. */
const FREE_BLOCKS = 3;

const INTEGER_TEXT_BYTES = 24;
/** Smaller than any time: nothing is expired. */
const NO_TIME = -1;

/** Bytes somewhere, valid until the next change or the next read. */
export class Text {
  u8: Uint8Array = new Uint8Array(0);
  start = 0;
  length = 0;
}

const NO_SLAB = new Slab(0, new SharedArrayBuffer(8));

export class Hash {
  slab: Slab = NO_SLAB;
  /** Packed, PackedTimed or Table; see isInside. */
  encoding = Encoding.Packed;
  /** The packed list lies inside the entry. */
  isInside = false;
  root = NONE as number;
  /** The hash of its key, for hashes with times. */
  keyHash = 0;
  /** Fields that expire at it or before are not there any more. */
  nowMs = NO_TIME;
  /** Of a small hash: its list, and the elements that belong to a field. */
  private list = NONE as BlockRef;
  private stride = PAIR;
  /** The pair of a small hash. */
  private readonly name = new Packed();
  private readonly value = new Packed();
  /** The pair of a large hash. */
  private field = NONE as FieldRef;
  /** The pair was there, but its time has come: find said no. */
  private isStale = false;
  private readonly walk = new TableWalk();
  /** A walk over a small hash stands on the next name already: the last pair was removed. */
  private isAhead = false;
  private readonly scratch = new Uint8Array(new ArrayBuffer(INTEGER_TEXT_BYTES));

  /** A hash as an entry holds it. */
  open(slab: Slab, encoding: Encoding, root: number, keyHash: number, nowMs: number): void {
    this.slab = slab;
    this.isInside = encoding === Encoding.Inside;
    this.encoding = this.isInside ? Encoding.Packed : encoding;
    this.root = root;
    this.keyHash = keyHash;
    this.nowMs = nowMs;
    this.isStale = false;
    if (encoding === Encoding.Table) return;
    this.list = listOf(slab, encoding, root);
    this.stride = strideOf(encoding);
  }

  /** No hash yet: find finds nothing, and reserveBytes is about a new one. */
  openNone(slab: Slab, keyHash: number): void {
    this.slab = slab;
    this.encoding = Encoding.Packed;
    this.isInside = false;
    this.root = NONE;
    this.keyHash = keyHash;
    this.nowMs = NO_TIME;
    this.isStale = false;
  }

  /** A new hash, small with room for `roomBytes` or large. Memory was reserved. */
  create(slab: Slab, isLarge: boolean, roomBytes: number, keyHash: number): void {
    const encoding = isLarge ? Encoding.Table : Encoding.Packed;
    const root = isLarge ? createLarge(slab, keyHash) : createPacked(slab, roomBytes);
    this.open(slab, encoding, root, keyHash, NO_TIME);
  }

  get isLarge(): boolean {
    return this.encoding === Encoding.Table;
  }

  /** Fields, including those whose time has come but that were not removed yet. */
  get count(): number {
    if (this.isLarge) return largeCount(this.slab, this.root);
    return packedCount(this.slab, this.list) / this.stride;
  }

  // ── The pair ───────────────────────────────────────────────────────────────────────────────

  /** Makes the field of this name the pair; false when there is none. */
  find(u8: Uint8Array, start: number, length: number): boolean {
    if (!this.findAny(u8, start, length)) {
      this.isStale = false;
      return false;
    }
    this.isStale = this.encoding !== Encoding.Packed && this.time <= this.nowMs;
    return !this.isStale;
  }

  private findAny(u8: Uint8Array, start: number, length: number): boolean {
    const { slab } = this;
    if (this.encoding === Encoding.Table) {
      this.field = findLarge(slab, this.root, u8, start, length);
      return this.field !== NONE;
    }
    if (!packedFind(slab, this.list, u8, start, length, this.stride, this.name)) return false;
    this.standOnValue();
    return true;
  }

  private standOnValue(): void {
    const { name, value, slab } = this;
    value.open(slab, this.list);
    value.stand(name.behind, slab.u8[name.behind]! ^ name.token);
  }

  /** When the pair expires. */
  get time(): number {
    const { slab, value } = this;
    if (this.encoding === Encoding.Packed) return NEVER;
    if (this.isLarge) return timeOfField(slab, this.root, this.field);
    time.open(slab, this.list);
    time.stand(value.behind, slab.u8[value.behind]! ^ value.token);
    return readTime(time);
  }

  replyName(reply: Reply): void {
    const { slab, field } = this;
    if (!this.isLarge) replyElement(reply, this.name);
    else reply.bulk(slab.u8, fieldStartOf(slab, field), fieldBytesOf(slab, field));
  }

  replyValue(reply: Reply): void {
    const { slab, field } = this;
    if (!this.isLarge) replyElement(reply, this.value);
    else reply.bulk(slab.u8, valueStartOf(slab, field), valueBytesOf(slab, field));
  }

  get valueLength(): number {
    if (this.isLarge) return valueBytesOf(this.slab, this.field);
    return this.value.textLength();
  }

  readName(out: Text): void {
    if (!this.isLarge) {
      this.readElement(this.name, out);
      return;
    }
    out.u8 = this.slab.u8;
    out.start = fieldStartOf(this.slab, this.field);
    out.length = fieldBytesOf(this.slab, this.field);
  }

  readValue(out: Text): void {
    if (!this.isLarge) {
      this.readElement(this.value, out);
      return;
    }
    out.u8 = this.slab.u8;
    out.start = valueStartOf(this.slab, this.field);
    out.length = valueBytesOf(this.slab, this.field);
  }

  private readElement(element: Packed, out: Text): void {
    if (element.isInteger) {
      out.u8 = this.scratch;
      out.start = 0;
      out.length = writeInt64(this.scratch, 0, element.low, element.high);
    } else {
      out.u8 = this.slab.u8;
      out.start = element.at;
      out.length = element.length;
    }
  }

  /** Leaves the value in base/ascii's `int64`; false when it is no int64. */
  readInt64(): boolean {
    const { slab, field, value } = this;
    if (this.isLarge) {
      return parseInt64(slab.u8, valueStartOf(slab, field), valueBytesOf(slab, field));
    }
    // What looks like an integer is stored as one.
    if (value.isInteger) int64FromPair(value.low, value.high);
    return value.isInteger;
  }

  // ── Changes ────────────────────────────────────────────────────────────────────────────────

  /** Gives the field of this name a value and no time. True when it was not there. */
  put(
    nameU8: Uint8Array,
    nameStart: number,
    nameBytes: number,
    u8: Uint8Array,
    start: number,
    length: number,
  ): boolean {
    const isThere = this.find(nameU8, nameStart, nameBytes);
    if (isThere && this.time === NEVER) {
      this.setValue(u8, start, length);
      return false;
    }
    if (isThere) this.removePair();
    this.add(nameU8, nameStart, nameBytes, u8, start, length);
    return !isThere;
  }

  /**
   * Adds a field of this name, which find has just not found. In a hash with times it is the pair
   * then.
   */
  add(
    nameU8: Uint8Array,
    nameStart: number,
    nameBytes: number,
    u8: Uint8Array,
    start: number,
    length: number,
  ): void {
    const { slab } = this;
    if (this.isStale) this.removePair();
    if (this.isLarge) {
      this.field = addLarge(slab, this.root, nameU8, nameStart, nameBytes, u8, start, length);
      return;
    }
    if (this.isInside) this.moveOut(nameBytes + length + 2);
    let list = packedAppend(slab, this.list, nameU8, nameStart, nameBytes);
    list = packedAppend(slab, list, u8, start, length);
    if (this.stride === TRIPLE) list = appendTime(slab, list, NEVER);
    this.moveList(list);
    if (this.count <= thresholds.hashMaxListpackEntries) {
      if (this.stride === TRIPLE) this.findAny(nameU8, nameStart, nameBytes);
      return;
    }
    this.becomeLarge();
    this.findAny(nameU8, nameStart, nameBytes);
  }

  /** Gives the pair another value; its time stays. */
  setValue(u8: Uint8Array, start: number, length: number): void {
    const { slab } = this;
    if (!this.isLarge && this.count > thresholds.hashMaxListpackEntries) this.outgrow();
    if (this.isLarge) {
      this.field = setValueOfField(slab, this.root, this.field, u8, start, length);
      return;
    }
    if (this.isInside && !replacesInPlace(this.value, u8, start, length)) this.moveOut(length);
    this.moveList(packedReplace(slab, this.value, u8, start, length));
  }

  /** Gives the pair a time, or none: NEVER. The hash is one with times, unless it is NEVER. */
  setTime(timeMs: number): void {
    const { slab, value } = this;
    if (this.isLarge) {
      this.field = setTimeOfField(slab, this.root, this.field, timeMs);
      return;
    }
    if (this.encoding === Encoding.Packed) return;
    time.open(slab, this.list);
    time.stand(value.behind, slab.u8[value.behind]! ^ value.token);
    if (readTime(time) === timeMs) return;
    // A list whose time became longer or shorter may have moved: the pair is sought again.
    const length = this.keepName();
    this.moveList(replaceTime(slab, time, timeMs));
    this.findAny(scratchName, 0, length);
  }

  /** Copies the pair's name to `scratchName`, and returns its length. */
  private keepName(): number {
    this.readName(movedName);
    const { length } = movedName;
    if (scratchName.length < length) scratchName = new Uint8Array(new ArrayBuffer(length));
    scratchName.set(movedName.u8.subarray(movedName.start, movedName.start + length));
    return length;
  }

  /** The limit was lowered since: any change of a value makes a table, as in Redis. */
  private outgrow(): void {
    const length = this.keepName();
    this.becomeLarge();
    this.findAny(scratchName, 0, length);
  }

  /** Removes the pair. */
  removePair(): void {
    const { slab } = this;
    this.isStale = false;
    if (this.isLarge) {
      removeFromLarge(slab, this.root, this.field);
      return;
    }
    this.moveList(packedRemove(slab, this.name, this.stride, this.isInside));
    this.isAhead = true;
  }

  /** A list inside the entry becomes one in a block of its own; the pair stays the pair. */
  private moveOut(roomBytes: number): void {
    const { slab, list } = this;
    const moved = copyPacked(slab, list, slab, roomBytes);
    if (this.name.ref === list) this.name.follow(moved);
    if (this.value.ref === list) this.value.follow(moved);
    this.isInside = false;
    this.moveList(moved);
  }

  private moveList(list: BlockRef): void {
    if (list === this.list) return;
    this.list = list;
    if (this.encoding === Encoding.Packed) this.root = list;
    else setList(this.slab, this.root, list);
  }

  /** Makes a table of a small hash. Memory was reserved. */
  becomeLarge(): void {
    const { slab, list, encoding } = this;
    const root = createLarge(slab, this.keyHash);
    const { name, value } = this;
    name.open(slab, list);
    for (let isThere = name.first(); isThere; isThere = this.nextName()) {
      this.standOnValue();
      this.readName(movedName);
      value.writeText(this.textRoom(value.textLength()), 0);
      const length = value.textLength();
      const { u8, start } = movedName;
      const field = addLarge(slab, root, u8, start, movedName.length, valueText, 0, length);
      if (encoding === Encoding.PackedTimed) setTimeOfField(slab, root, field, this.time);
    }
    if (!this.isInside) releasePacked(slab, list);
    this.isInside = false;
    if (encoding === Encoding.PackedTimed) {
      unscheduleHash(slab, this.root);
      release(slab, this.root as BlockRef);
    }
    this.encoding = Encoding.Table;
    this.root = root;
  }

  /** Can its fields get times as it is? */
  get hasTimes(): boolean {
    return this.encoding !== Encoding.Packed;
  }

  /** Makes a hash with times of one without. Memory was reserved. */
  becomeTimed(): void {
    if (this.encoding !== Encoding.Packed) return;
    const { slab } = this;
    if (this.isInside) this.moveOut(0);
    this.list = withTimes(slab, this.list);
    this.root = createTimed(slab, this.list, this.keyHash);
    this.encoding = Encoding.PackedTimed;
    this.stride = TRIPLE;
  }

  private textRoom(length: number): Uint8Array {
    if (valueText.length < length) valueText = new Uint8Array(new ArrayBuffer(2 * length));
    return valueText;
  }

  /** The next time that a field expires. */
  get nextTime(): number {
    if (this.encoding === Encoding.Packed) return NEVER;
    if (this.isLarge) return nextTimeOfLarge(this.slab, this.root);
    return nextTimeOfSmall(this.slab, this.root);
  }

  /** After changes of times: tells the partition when to look at the hash next. */
  reschedule(): void {
    if (this.encoding === Encoding.Packed) return;
    scheduleHash(this.slab, this.root, this.count === 0 ? NEVER : this.nextTime);
  }

  /** Has a field's time come? */
  get isDue(): boolean {
    return this.encoding !== Encoding.Packed && nextTimeOf(this.slab, this.root) <= this.nowMs;
  }

  // ── Walking ────────────────────────────────────────────────────────────────────────────────

  /** Starts a walk over all pairs; only the pair may be removed on the way, of small hashes. */
  beginWalk(): void {
    if (this.isLarge) {
      this.walk.open(this.slab, tableOf(this.root));
      return;
    }
    this.name.open(this.slab, this.list);
    this.name.first();
    this.isAhead = true;
  }

  /** Makes the next field that has not expired the pair; false at the end. */
  next(): boolean {
    while (this.nextAny()) {
      if (this.encoding === Encoding.Packed || this.time > this.nowMs) return true;
    }
    return false;
  }

  private nextAny(): boolean {
    if (this.isLarge) {
      this.field = this.walk.next() as FieldRef;
      return this.field !== NONE;
    }
    const isThere = this.isAhead ? this.name.token !== 0 : this.nextName();
    this.isAhead = false;
    if (isThere) this.standOnValue();
    return isThere;
  }

  /** From a name of a small hash to the next. */
  private nextName(): boolean {
    const { name } = this;
    name.next();
    if (this.stride === TRIPLE) name.next();
    return name.next();
  }

  /** Makes a field whose time has come the pair, after beginWalk; false when there is none left. */
  nextDue(): boolean {
    if (this.isLarge) {
      if (nextTimeOfLarge(this.slab, this.root) > this.nowMs) return false;
      this.field = nextField(this.slab, this.root);
      return true;
    }
    while (this.nextAny()) if (this.time <= this.nowMs) return true;
    return false;
  }

  /** Makes the index-th field of a small hash the pair. */
  seek(index: number): void {
    const isThere = this.name.open(this.slab, this.list).seek(index * this.stride);
    assert(isThere, 'a drawn field is there');
    this.standOnValue();
  }

  /** Makes a field the pair that a draw has chosen; the hash is not empty. */
  seekRandom(draw: (below: number) => number): void {
    if (this.isLarge) this.field = randomRef(this.slab, tableOf(this.root), draw) as FieldRef;
    else this.seek(draw(this.count));
  }

  /** Makes a field of the table the pair, met in a walk over its buckets. */
  standOn(field: number): boolean {
    this.field = field as FieldRef;
    return this.time > this.nowMs;
  }

  /** The field of a large hash that is the pair, to come back to it. */
  get fieldRef(): number {
    return this.field;
  }

  // ── Memory ─────────────────────────────────────────────────────────────────────────────────

  /**
   * Bytes to reserve before `fields` fields, `bytes` long with their values, are put; whether the
   * hash becomes large with them, and whether they get times.
   */
  reserveBytes(fields: number, bytes: number, becomesLarge: boolean, getsTimes: boolean): number {
    const { slab } = this;
    if (this.root === NONE) return newReserve(slab, fields, bytes, becomesLarge, getsTimes);
    const times = getsTimes || this.encoding !== Encoding.Packed ? scheduleReserve(slab) : 0;
    if (this.isLarge) {
      const heap = times === 0 ? 0 : timesReserve(slab, this.root, fields);
      return largeReserve(fields, bytes) + times + heap;
    }
    const { count } = this;
    const used = packedBytes(slab, this.list);
    if (becomesLarge || count + fields > thresholds.hashMaxListpackEntries) {
      return largeReserve(fields + count, bytes + used * INTEGER_GROWTH) + times * 2;
    }
    const added = bytes + (times === 0 ? 0 : timesBytes(fields + count));
    return packedReserve(slab, this.list, added, TRIPLE * (fields + count)) + times;
  }

  /** Bytes that the pair may take when it gets a time. */
  get timedBytes(): number {
    if (!this.isLarge) return 0;
    return fieldBytesOf(this.slab, this.field) + valueBytesOf(this.slab, this.field);
  }

  /** Bytes to reserve before `fields` fields get times, `bytes` long by timedBytes. */
  reserveTimes(fields: number, bytes: number): number {
    const { slab } = this;
    const schedule = scheduleReserve(slab);
    if (this.isLarge) {
      return largeReserve(fields, bytes) + timesReserve(slab, this.root, fields) + schedule;
    }
    const { count } = this;
    return packedReserve(slab, this.list, timesBytes(count), count * 2) + schedule;
  }
}

/** An integer of a small hash may be twenty bytes of text in a large one, and two here. */
const INTEGER_GROWTH = 10;

/** As Hash.reserveBytes, for a hash that is not there yet. */
function newReserve(
  slab: Slab,
  fields: number,
  bytes: number,
  becomesLarge: boolean,
  getsTimes: boolean,
): number {
  const times = getsTimes ? scheduleReserve(slab) * 2 : 0;
  const small = packedReserve(slab, NONE, bytes + (getsTimes ? timesBytes(fields) : 0), 3 * fields);
  if (!becomesLarge && fields <= thresholds.hashMaxListpackEntries) return small + times;
  return largeReserve(fields, bytes) + times;
}

/** Bytes that adding so many fields to a table may allocate. */
function largeReserve(fields: number, bytes: number): number {
  if (fields === 1) return bytes + FIELD_HEAD_BYTES;
  const sizes = fields > FREE_BLOCKS ? Math.min(fields, SIZES_MAX) * SIZE_BYTES : 0;
  // Half as much again is the slack of blocks of any size, whole pages included.
  return bytes + (bytes >>> 1) + fields * (FIELD_HEAD_BYTES + TABLE_BYTES) + sizes;
}

const time = new Packed();
const movedName = new Text();
let scratchName = new Uint8Array(new ArrayBuffer(64));
let valueText = new Uint8Array(new ArrayBuffer(256));

function replyElement(reply: Reply, element: Packed): void {
  if (element.isInteger) reply.bulkInt64(element.low, element.high);
  else reply.bulk(element.slab.u8, element.at, element.length);
}
