// Hashes. Small ones are written as a listpack of fields and values, large ones pair by pair; those
// with fields that expire as Redis 7.4 writes them, each field with its time. Read are also
// zipmaps, ziplists, and both forms of times that 7.4 had before its release.

import { int64, parseInt64 } from '../base/ascii.js';
import type { BlockRef } from '../slab/alloc.js';
import type { Slab } from '../slab/slab.js';
import { NEVER } from '../types/hash/expiries.js';
import {
  type FieldRef,
  fieldBytesOf,
  fieldStartOf,
  valueBytesOf,
  valueStartOf,
} from '../types/hash/field.js';
import { Hash, Text } from '../types/hash/hash.js';
import { timeOfField } from '../types/hash/large.js';
import { isPairs } from '../types/hash/small.js';
import { type Encoding, Type } from '../types/kind.js';
import { thresholds } from '../types/thresholds.js';
import type { Building } from './building.js';
import type { Elements } from './elements.js';
import { readLength, readWide, wideValue, writeLength, writeWide } from './length.js';
import { Listpack, writePacked } from './listpack.js';
import { buildListpack } from './listpack-build.js';
import { RdbType } from './rdb-type.js';
import type { ByteSink } from './sink.js';
import { BAD_DATA, type ByteSource, EMPTY_VALUE } from './source.js';
import { writeText } from './strings.js';
import { Ziplist } from './ziplist.js';
import { Zipmap } from './zipmap.js';

const PAIR = 2;
const TRIPLE = 3;
const TWO_32 = 2 ** 32;
/** Redis keeps times of fields in 48 bits. */
const TIME_MAX = 2 ** 48 - 2;

// ── Writing ──────────────────────────────────────────────────────────────────────────────────

const written = new Hash();
const text = new Text();

/** What measureHash has found: fields that have not expired, and the first time of them. */
export const measured = { count: 0, firstMs: NEVER };

/** Counts the fields of a hash with times that are there at `nowMs`. */
export function measureHash(slab: Slab, encoding: Encoding, root: number, nowMs: number): void {
  measured.count = 0;
  measured.firstMs = NEVER;
  written.open(slab, encoding, root, 0, nowMs);
  written.beginWalk();
  while (written.next()) {
    measured.count++;
    measured.firstMs = Math.min(measured.firstMs, written.time);
  }
}

/** How hashes are written: see Form in write.ts. */
export interface HashForm {
  readonly compresses: boolean;
  readonly nowMs: number;
  readonly dropsFieldTimes?: boolean;
}

export function hashTypeFor(slab: Slab, encoding: Encoding, root: number, form: HashForm): RdbType {
  if (isPairs(encoding)) return RdbType.HashListpack;
  if (form.dropsFieldTimes === true) return RdbType.Hash;
  measureHash(slab, encoding, root, form.nowMs);
  return measured.firstMs === NEVER ? RdbType.Hash : RdbType.HashTimed;
}

export function writeHash(
  sink: ByteSink,
  slab: Slab,
  encoding: Encoding,
  root: number,
  form: HashForm,
): void {
  const { compresses, nowMs } = form;
  if (isPairs(encoding)) {
    writePacked(sink, slab, root as BlockRef, compresses);
    return;
  }
  measureHash(slab, encoding, root, nowMs);
  const { count, firstMs } = measured;
  const isTimed = firstMs !== NEVER && form.dropsFieldTimes !== true;
  if (isTimed) {
    sink.little(firstMs, 4);
    sink.little(firstMs / TWO_32, 4);
  }
  writeLength(sink, count);
  written.beginWalk();
  while (written.next()) {
    if (isTimed) writeTime(sink, written.time, firstMs);
    written.readName(text);
    writeText(sink, text.u8, text.start, text.length, compresses);
    written.readValue(text);
    writeText(sink, text.u8, text.start, text.length, compresses);
  }
}

/**
 * What hashes that are written in pieces (pieces.ts) take for the first time: the fields that come
 * later do not know it, and any that is not behind theirs is as good.
 */
export const EARLIEST_MS = 1;

/** Writes a field of a large hash. */
export function writeField(
  sink: ByteSink,
  slab: Slab,
  root: number,
  field: FieldRef,
  isWithTime: boolean,
  compresses: boolean,
): void {
  if (isWithTime) writeTime(sink, timeOfField(slab, root, field), EARLIEST_MS);
  writeText(sink, slab.u8, fieldStartOf(slab, field), fieldBytesOf(slab, field), compresses);
  writeText(sink, slab.u8, valueStartOf(slab, field), valueBytesOf(slab, field), compresses);
}

/** 0 for none, else 1 and the distance from the first. */
function writeTime(sink: ByteSink, timeMs: number, firstMs: number): void {
  const distance = timeMs === NEVER ? 0 : timeMs - firstMs + 1;
  writeWide(sink, distance | 0, Math.floor(distance / TWO_32));
}

// ── Reading ──────────────────────────────────────────────────────────────────────────────────

const hash = new Hash();
const listpack = new Listpack();
const ziplist = new Ziplist();
const zipmap = new Zipmap();

export function readHash(source: ByteSource, type: RdbType, building: Building): void {
  const { text: string } = building;
  switch (type) {
    case RdbType.Hash:
      readPairs(source, building);
      break;
    case RdbType.HashTimed:
    case RdbType.HashTimedEarly:
      readTimed(source, type === RdbType.HashTimed, building);
      break;
    case RdbType.HashTimedValkey:
      readTimedBehind(source, building);
      break;
    case RdbType.HashListpackTimed:
      source.take(8); // The first time, which the list has as well.
      string.read(source);
      readTimedListpack(building);
      break;
    case RdbType.HashListpackTimedEarly:
      string.read(source);
      readTimedListpack(building);
      break;
    default:
      string.read(source);
      readElements(type, building);
  }
}

function hold(building: Building): void {
  building.hold(Type.Hash, hash.encoding, hash.root);
}

/** An empty hash for so many fields; `bytes` are those that are known to come. */
function create(building: Building, fields: number, bytes: number, isTimed: boolean): void {
  const { slab, keyHash } = building;
  const isLarge = fields > thresholds.hashMaxListpackEntries;
  hash.openNone(slab, keyHash);
  building.reserve(hash.reserveBytes(isLarge ? 1 : fields, bytes, isLarge, isTimed));
  hash.create(slab, isLarge, bytes, keyHash);
  hold(building);
  if (!isTimed || isLarge) return;
  hash.becomeTimed();
  hold(building);
}

/** Adds a field, which must not be there. */
function add(
  building: Building,
  nameU8: Uint8Array,
  nameStart: number,
  nameBytes: number,
  u8: Uint8Array,
  start: number,
  length: number,
  isLong: boolean,
): void {
  if (hash.find(nameU8, nameStart, nameBytes)) throw BAD_DATA;
  const becomesLarge = isLong && !hash.isLarge;
  building.reserve(hash.reserveBytes(1, nameBytes + length, becomesLarge, hash.hasTimes));
  if (becomesLarge) {
    hash.becomeLarge();
    hold(building);
  }
  hash.add(nameU8, nameStart, nameBytes, u8, start, length);
  if (hash.root !== building.root) hold(building);
}

function isLongText(bytes: number): boolean {
  return bytes > thresholds.hashMaxListpackValue;
}

function readPairs(source: ByteSource, building: Building): void {
  const { text: name, second: value } = building;
  const count = readLength(source);
  if (count === 0) throw EMPTY_VALUE;
  create(building, count, 0, false);
  for (let left = count; left > 0; left--) {
    name.read(source);
    value.read(source);
    const isLong = isLongText(name.length) || isLongText(value.length);
    const { u8, start, length } = value;
    add(building, name.u8, name.start, name.length, u8, start, length, isLong);
  }
}

/** Time, field and value: the times are distances from the first, or whole. */
function readTimed(source: ByteSource, hasFirst: boolean, building: Building): void {
  const { text: name, second: value } = building;
  const firstMs = hasFirst ? source.signedLittle() : 1;
  const count = readLength(source);
  if (count === 0) throw EMPTY_VALUE;
  create(building, count, 0, true);
  for (let left = count; left > 0; left--) {
    readWide(source);
    const distance = wideValue(source);
    name.read(source);
    value.read(source);
    const isLong = isLongText(name.length) || isLongText(value.length);
    const { u8, start, length } = value;
    add(building, name.u8, name.start, name.length, u8, start, length, isLong);
    if (distance !== 0) setTime(building, distance + firstMs - 1);
  }
}

/** Field, value and time, which is -1 for none: as Valkey 9 writes them. */
function readTimedBehind(source: ByteSource, building: Building): void {
  const { text: name, second: value } = building;
  const count = readLength(source);
  if (count === 0) throw EMPTY_VALUE;
  create(building, count, 0, true);
  for (let left = count; left > 0; left--) {
    name.read(source);
    value.read(source);
    const isLong = isLongText(name.length) || isLongText(value.length);
    const { u8, start, length } = value;
    add(building, name.u8, name.start, name.length, u8, start, length, isLong);
    const timeMs = source.signedLittle();
    if (timeMs !== -1) setTime(building, timeMs);
  }
}

/** Gives the field that was just added its time. */
function setTime(building: Building, timeMs: number): void {
  if (timeMs <= 0 || timeMs > TIME_MAX) throw BAD_DATA;
  building.reserve(hash.reserveTimes(1, hash.timedBytes));
  hash.setTime(timeMs);
  hold(building);
}

function elementsOf(type: RdbType): Elements {
  if (type === RdbType.HashListpack) return listpack;
  return type === RdbType.HashZiplist ? ziplist : zipmap;
}

/** A listpack, ziplist or zipmap: only of the last Redis looks at lengths. */
function readElements(type: RdbType, building: Building): void {
  const { u8, start, length } = building.text;
  const countMax = PAIR * thresholds.hashMaxListpackEntries;
  // What nearly all hashes of large datasets are.
  if (type === RdbType.HashListpack && buildListpack(building, Type.Hash, PAIR, countMax)) return;
  const elements = elementsOf(type);
  const count = elements.open(u8, start, length).count();
  if (count === 0) throw EMPTY_VALUE;
  if (count % PAIR !== 0) throw BAD_DATA;
  elements.open(u8, start, length);
  create(building, count / PAIR, length, false);
  while (elements.next()) {
    const { u8: nameU8, start: nameStart, length: nameBytes } = elements;
    elements.next();
    const isLong = isLongText(nameBytes) || isLongText(elements.length);
    add(
      building,
      nameU8,
      nameStart,
      nameBytes,
      elements.u8,
      elements.start,
      elements.length,
      isLong && type === RdbType.HashZipmap,
    );
  }
}

/** A listpack of field, value and time; 0 is no time. */
function readTimedListpack(building: Building): void {
  const { u8, start, length } = building.text;
  const count = listpack.open(u8, start, length).count();
  if (count === 0) throw EMPTY_VALUE;
  if (count % TRIPLE !== 0) throw BAD_DATA;
  listpack.open(u8, start, length);
  create(building, count / TRIPLE, length, true);
  while (listpack.next()) {
    const { u8: nameU8, start: nameStart, length: nameBytes } = listpack;
    listpack.next();
    const { u8: valueU8, start: valueStart, length: valueBytes } = listpack;
    add(building, nameU8, nameStart, nameBytes, valueU8, valueStart, valueBytes, false);
    listpack.next();
    if (!parseInt64(listpack.u8, listpack.start, listpack.length)) throw BAD_DATA;
    const { value } = int64;
    if (value !== 0) setTime(building, value);
  }
}
