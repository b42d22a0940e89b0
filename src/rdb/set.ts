// Sets. Integers are written as an array, all others member by member, which every Redis reads;
// read are also the listpacks of Redis 7.2.

import { Slices } from '../base/slices.js';
import type { BlockRef } from '../slab/alloc.js';
import { NONE, type Slab } from '../slab/slab.js';
import { createIntegers, integersAdd, integersReserve } from '../structs/integers.js';
import {
  createPacked,
  Packed,
  packedAppend,
  packedFind,
  packedReserve,
} from '../structs/packed.js';
import { Encoding, Type } from '../types/kind.js';
import { memberReserve } from '../types/set/member.js';
import {
  addReserve,
  createTable,
  insertInteger,
  integersMax,
  SetValue,
} from '../types/set/value.js';
import { SetWalk } from '../types/set/walk.js';
import { thresholds } from '../types/thresholds.js';
import type { Building } from './building.js';
import { Intset, intsetBytes, writeIntset } from './intset.js';
import { readLength, writeLength } from './length.js';
import { Listpack } from './listpack.js';
import { buildListpack } from './listpack-build.js';
import { RdbType } from './rdb-type.js';
import { ByteSink } from './sink.js';
import { BAD_DATA, type ByteSource, EMPTY_VALUE } from './source.js';
import { writeIntegerText, writeText } from './strings.js';

// ── Writing ──────────────────────────────────────────────────────────────────────────────────

/** An array up to here is put together in memory, where it can be compressed. */
const SCRATCH_BYTES_MAX = 256 * 1024;
const scratch = new ByteSink();
const set = new SetValue();
const walk = new SetWalk();

export function setTypeFor(encoding: Encoding): RdbType {
  return encoding === Encoding.Integers ? RdbType.SetIntset : RdbType.Set;
}

export function writeSet(
  sink: ByteSink,
  slab: Slab,
  encoding: Encoding,
  root: number,
  compresses: boolean,
): void {
  if (encoding === Encoding.Integers) {
    writeIntegers(sink, slab, root as BlockRef, compresses);
    return;
  }
  set.open(slab, encoding, root);
  writeLength(sink, set.count);
  walk.open(set);
  while (walk.next()) {
    if (walk.isInteger) writeIntegerText(sink, walk.low, walk.high);
    else writeText(sink, walk.u8, walk.start, walk.length, compresses);
  }
}

function writeIntegers(sink: ByteSink, slab: Slab, ref: BlockRef, compresses: boolean): void {
  const bytes = intsetBytes(slab, ref);
  if (bytes > SCRATCH_BYTES_MAX) {
    writeLength(sink, bytes);
    writeIntset(sink, slab, ref);
    return;
  }
  scratch.reset();
  writeIntset(scratch, slab, ref);
  writeText(sink, scratch.u8, 0, scratch.at, compresses);
}

// ── Reading ──────────────────────────────────────────────────────────────────────────────────

/** The text of an int64 as a member. */
const INTEGER_MEMBER_BYTES = 20;

const intset = new Intset();
const listpack = new Listpack();
const found = new Packed();
const word = new Slices();

export function readSet(source: ByteSource, type: RdbType, building: Building): void {
  if (type === RdbType.Set) {
    readMembers(source, building);
    return;
  }
  const { text } = building;
  text.read(source);
  if (type === RdbType.SetIntset) readIntegers(building);
  else readListpack(building);
}

function hold(building: Building): void {
  building.hold(Type.Set, set.encoding, set.root);
}

function openTable(building: Building): void {
  building.reserve(0);
  set.open(building.slab, Encoding.Table, createTable(building.slab));
  hold(building);
}

function add(building: Building, u8: Uint8Array, start: number, length: number): void {
  word.u8 = u8;
  word.count = 0;
  word.push(start, length);
  building.reserve(addReserve(set, word, 0));
  if (!set.add(u8, start, length)) throw BAD_DATA;
  hold(building);
}

/** One string after the other: integers as long as all of them are, as in Redis. */
function readMembers(source: ByteSource, building: Building): void {
  const { slab, text } = building;
  const count = readLength(source);
  if (count === 0) throw EMPTY_VALUE;
  if (count > integersMax()) {
    openTable(building);
  } else {
    building.reserve(0);
    set.open(slab, Encoding.Integers, createIntegers(slab));
    hold(building);
  }
  for (let left = count; left > 0; left--) {
    text.read(source);
    add(building, text.u8, text.start, text.length);
  }
}

function readIntegers(building: Building): void {
  const { slab, text } = building;
  intset.open(text.u8, text.start, text.length);
  if (intset.count > integersMax()) {
    openTable(building);
    while (intset.next()) {
      building.reserve(memberReserve(INTEGER_MEMBER_BYTES));
      // They ascend, so none is there twice.
      insertInteger(slab, set.root, intset.low, intset.high);
    }
    return;
  }
  building.reserve(integersReserve(slab, NONE, intset.count));
  set.open(slab, Encoding.Integers, createIntegers(slab));
  hold(building);
  while (intset.next()) {
    set.root = integersAdd(slab, set.root as BlockRef, intset.low, intset.high);
    hold(building);
  }
}

/** Few members are a packed list however long they are, as in Redis. */
function readListpack(building: Building): void {
  const { slab, text } = building;
  if (buildListpack(building, Type.Set, 1, thresholds.setMaxListpackEntries)) return;
  const count = listpack.open(text.u8, text.start, text.length).count();
  if (count === 0) throw EMPTY_VALUE;
  listpack.open(text.u8, text.start, text.length);
  if (count > thresholds.setMaxListpackEntries) {
    openTable(building);
    while (listpack.next()) add(building, listpack.u8, listpack.start, listpack.length);
    return;
  }
  building.reserve(packedReserve(slab, NONE, text.length, count));
  set.open(slab, Encoding.Packed, createPacked(slab, text.length));
  hold(building);
  while (listpack.next()) {
    const { u8, start, length } = listpack;
    if (packedFind(slab, set.root as BlockRef, u8, start, length, 1, found)) throw BAD_DATA;
    set.root = packedAppend(slab, set.root as BlockRef, u8, start, length);
    hold(building);
  }
}
