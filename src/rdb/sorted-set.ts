// Sorted sets. Small ones are written as a listpack of members and scores, large ones member by
// member with the scores as doubles; read are also scores as text, and ziplists.

import { parseDouble } from '../base/float-text.js';
import type { BlockRef } from '../slab/alloc.js';
import { NONE, type Slab } from '../slab/slab.js';
import { type MemberRef, nameBytes, nameStart, scoreOf } from '../structs/member.js';
import { createPacked, packedReserve } from '../structs/packed.js';
import { Encoding, Type } from '../types/kind.js';
import { SortedSet, SortedSetWalk } from '../types/sorted-set/index.js';
import { SCORE_BYTES_MAX, smallAdd, smallFind } from '../types/sorted-set/small.js';
import { thresholds } from '../types/thresholds.js';
import type { Building } from './building.js';
import type { Elements } from './elements.js';
import { readLength, writeLength } from './length.js';
import { Listpack, writePacked } from './listpack.js';
import { buildScored } from './listpack-build.js';
import { RdbType } from './rdb-type.js';
import type { ByteSink } from './sink.js';
import { BAD_DATA, type ByteSource, EMPTY_VALUE } from './source.js';
import { writeText } from './strings.js';
import { Ziplist } from './ziplist.js';

const PAIR = 2;
const set = new SortedSet();
const walk = new SortedSetWalk();

// ── Writing ──────────────────────────────────────────────────────────────────────────────────

export function sortedSetTypeFor(encoding: Encoding): RdbType {
  return encoding === Encoding.Packed ? RdbType.SortedSetListpack : RdbType.SortedSet2;
}

export function writeSortedSet(
  sink: ByteSink,
  slab: Slab,
  encoding: Encoding,
  root: number,
  compresses: boolean,
): void {
  if (encoding === Encoding.Packed) {
    // Member, score, member, score: a listpack has the same elements.
    writePacked(sink, slab, root as BlockRef, compresses);
    return;
  }
  set.open(slab, encoding, root);
  const count = set.length;
  writeLength(sink, count);
  if (count === 0) return;
  // From the greatest down, as Redis does: whoever reads them puts each before all others.
  walk.seek(set, count - 1);
  do {
    writeText(sink, walk.u8, walk.start, walk.length, compresses);
    walk.readScore();
    sink.double(walk.score);
  } while (walk.previous());
}

/** Writes a member of a large set. */
export function writeMember(
  sink: ByteSink,
  slab: Slab,
  member: MemberRef,
  compresses: boolean,
): void {
  writeText(sink, slab.u8, nameStart(member), nameBytes(slab, member), compresses);
  sink.double(scoreOf(slab, member));
}

// ── Reading ──────────────────────────────────────────────────────────────────────────────────

/** In place of the length of a score's text. */
const SCORE_NAN = 253;
const SCORE_PLUS = 254;
const SCORE_MINUS = 255;

const scoreBytes = new DataView(new ArrayBuffer(8));
const listpack = new Listpack();
const ziplist = new Ziplist();

export function readSortedSet(source: ByteSource, type: RdbType, building: Building): void {
  if (type === RdbType.SortedSet || type === RdbType.SortedSet2) {
    readMembers(source, type === RdbType.SortedSet, building);
    return;
  }
  const { text } = building;
  text.read(source);
  readPairs(type === RdbType.SortedSetListpack ? listpack : ziplist, building);
}

function hold(building: Building): void {
  building.hold(Type.SortedSet, set.encoding, set.root);
}

/** Adds a member that must not be there. */
function add(
  building: Building,
  score: number,
  u8: Uint8Array,
  start: number,
  length: number,
): void {
  if (Number.isNaN(score) || set.find(u8, start, length)) throw BAD_DATA;
  building.reserve(set.reserveFor(1, length, length));
  set.add(score);
  hold(building);
}

/** Member and score, one after the other. */
function readMembers(source: ByteSource, hasTexts: boolean, building: Building): void {
  const { slab, text } = building;
  const count = readLength(source);
  if (count === 0) throw EMPTY_VALUE;
  text.read(source);
  building.reserve(0);
  set.create(slab, count, text.length);
  hold(building);
  for (let left = count; left > 0; left--) {
    if (left < count) text.read(source);
    const score = hasTexts ? readTextScore(source) : readScore(source);
    add(building, score, text.u8, text.start, text.length);
  }
}

function readScore(source: ByteSource): number {
  source.wideLittle();
  scoreBytes.setInt32(0, source.low, true);
  scoreBytes.setInt32(4, source.high, true);
  return scoreBytes.getFloat64(0, true);
}

function readTextScore(source: ByteSource): number {
  const length = source.byte();
  if (length === SCORE_PLUS) return Number.POSITIVE_INFINITY;
  if (length === SCORE_MINUS) return Number.NEGATIVE_INFINITY;
  if (length === SCORE_NAN) throw BAD_DATA;
  const start = source.take(length);
  return parseDouble(source.u8, start, length);
}

/** A listpack or ziplist. Few members are a packed list however long they are, as in Redis. */
function readPairs(elements: Elements, building: Building): void {
  const { slab, text } = building;
  const countMax = PAIR * thresholds.zsetMaxListpackEntries;
  if (elements === listpack && buildScored(building, Type.SortedSet, countMax)) return;
  const count = elements.open(text.u8, text.start, text.length).count();
  if (count === 0) throw EMPTY_VALUE;
  if (count % PAIR !== 0) throw BAD_DATA;
  elements.open(text.u8, text.start, text.length);
  const isSmall = count / PAIR <= thresholds.zsetMaxListpackEntries;
  if (isSmall) {
    building.reserve(packedReserve(slab, NONE, text.length + SCORE_BYTES_MAX * count, count));
    set.open(slab, Encoding.Packed, createPacked(slab, text.length));
  } else {
    building.reserve(0);
    set.create(slab, count, 0);
  }
  hold(building);
  while (elements.next()) {
    const { u8, start, length } = elements;
    elements.next();
    const score = parseDouble(elements.u8, elements.start, elements.length);
    if (isSmall) addListed(building, score, u8, start, length);
    else add(building, score, u8, start, length);
  }
}

/** Adds a member to a packed list whose memory was reserved as a whole. */
function addListed(
  building: Building,
  score: number,
  u8: Uint8Array,
  start: number,
  length: number,
): void {
  const { slab } = building;
  const list = set.root as BlockRef;
  const isThere = !Number.isNaN(smallFind(slab, list, u8, start, length));
  if (Number.isNaN(score) || isThere) throw BAD_DATA;
  set.root = smallAdd(slab, list, score, u8, start, length);
  hold(building);
}
