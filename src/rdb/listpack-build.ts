// Listpacks of files as packed lists, in one pass over their bytes: each element is checked and
// written where it will stay. That is what most small collections of large datasets are loaded by.

import { compareBytes } from '../base/bytes.js';
import { parseDouble } from '../base/float-text.js';
import type { BlockRef } from '../slab/alloc.js';
import { NONE, type Slab } from '../slab/slab.js';
import {
  Packed,
  packedFind,
  packedReserve,
  releasePacked,
  tightenPacked,
} from '../structs/packed.js';
import { PackedBuilder } from '../structs/packed-build.js';
import { Encoding, type Type } from '../types/kind.js';
import type { Building } from './building.js';
import { COUNT_UNKNOWN, Listpack } from './listpack.js';
import { BAD_DATA } from './source.js';

const TWO_32 = 2 ** 32;
/** More names are looked for in the list instead. */
const NAMES_MAX = 512;
const PLACES = 2048;
const MIX = 0x9e3779b1 | 0;

const listpack = new Listpack();
const found = new Packed();
export const builder = new PackedBuilder();

// Marks of the names so far, in a small open hash table; a place counts if it is of this list.
const marks = new Int32Array(PLACES);
const lists = new Int32Array(PLACES);
let listNumber = 0;
let names = 0;

/** An upper bound for what the elements of a listpack take in a packed list. */
export function builtRoom(listpackBytes: number): number {
  // Only a text of 240 bytes or more takes a byte more than there.
  return listpackBytes + (listpackBytes >>> 7);
}

/** Makes an empty list for that listpack the value that is built. False: its length is unknown. */
function begin(building: Building, type: Type, countMax: number): boolean {
  const { slab, text } = building;
  listpack.open(text.u8, text.start, text.length);
  const { claimed } = listpack;
  if (claimed > countMax || claimed === 0 || claimed === COUNT_UNKNOWN) return false;
  building.reserve(packedReserve(slab, NONE, text.length, claimed));
  building.hold(type, Encoding.Packed, builder.begin(slab, builtRoom(text.length)));
  listNumber = (listNumber + 1) | 0;
  names = 0;
  return true;
}

function addElement(): void {
  if (listpack.isInteger) builder.integer(listpack.low, listpack.high);
  else builder.text(listpack.u8, listpack.start, listpack.length);
}

/** Refuses a name that stands in the list already, `stride` elements apart. */
function noteName(slab: Slab, stride: number): void {
  const { u8, start, length } = listpack;
  let mark: number;
  if (listpack.isInteger) mark = Math.imul(listpack.low ^ listpack.high, MIX);
  else {
    mark = length;
    for (let at = start; at < start + length; at++) mark = Math.imul(mark ^ u8[at]!, MIX);
  }
  mark ^= mark >>> 15;
  if (++names > NAMES_MAX) {
    refuseIfThere(slab, stride);
    return;
  }
  let place = mark & (PLACES - 1);
  for (; lists[place] === listNumber; place = (place + 1) & (PLACES - 1)) {
    if (marks[place] === mark) {
      refuseIfThere(slab, stride);
      break;
    }
  }
  if (lists[place] === listNumber) return;
  lists[place] = listNumber;
  marks[place] = mark;
}

function refuseIfThere(slab: Slab, stride: number): void {
  const list = builder.end();
  listpack.spell();
  const { u8, start, length } = listpack;
  if (packedFind(slab, list, u8, start, length, stride, found)) throw BAD_DATA;
}

/**
 * Builds the listpack that `building.text` is, where every `stride`-th element is a name that may
 * be there once only. False, and nothing was built: it has more than `countMax` elements, or does
 * not say how many.
 */
export function buildListpack(
  building: Building,
  type: Type,
  stride: number,
  countMax: number,
): boolean {
  if (!begin(building, type, countMax)) return false;
  const { slab } = building;
  listpack.keepsIntegers = true;
  for (let index = 0; listpack.next(); index++) {
    if (index % stride === 0) noteName(slab, stride);
    addElement();
  }
  if (builder.count % stride !== 0) throw BAD_DATA;
  builder.end();
  return true;
}

/** The score that the listpack's element is. */
function scoreHere(): number {
  if (listpack.isInteger) return listpack.high * TWO_32 + (listpack.low >>> 0);
  return parseDouble(listpack.u8, listpack.start, listpack.length);
}

/**
 * As buildListpack, of members and scores, which must be in order. False, and nothing was built:
 * they are not, as far as can be seen quickly.
 */
export function buildScored(building: Building, type: Type, countMax: number): boolean {
  if (!begin(building, type, countMax)) return false;
  const { slab } = building;
  listpack.keepsIntegers = true;
  let lastScore = Number.NEGATIVE_INFINITY;
  let lastStart = 0;
  let lastLength = -1;
  while (listpack.next()) {
    noteName(slab, 2);
    addElement();
    const { u8, start, length } = listpack;
    const isText = !listpack.isInteger;
    if (!listpack.next()) throw BAD_DATA;
    const score = scoreHere();
    if (Number.isNaN(score)) throw BAD_DATA;
    const isTie = score === lastScore;
    const isKnown = !isTie || (isText && lastLength >= 0);
    const isBehind = isTie
      ? isKnown && compareBytes(u8, lastStart, lastLength, u8, start, length) < 0
      : score > lastScore || builder.count === 1;
    if (!isBehind) {
      building.drop();
      return false;
    }
    addElement();
    lastScore = score;
    lastStart = start;
    lastLength = isText ? length : -1;
  }
  builder.end();
  return true;
}

/** A node of a list: its block; `builder` knows how many elements it has. Nobody holds it yet. */
export function buildNode(building: Building): BlockRef {
  const { slab, text } = building;
  listpack.open(text.u8, text.start, text.length);
  listpack.keepsIntegers = true;
  const node = builder.begin(slab, builtRoom(text.length));
  try {
    while (listpack.next()) addElement();
  } catch (thrown) {
    // It hangs nowhere.
    releasePacked(slab, node);
    throw thrown;
  }
  // Elements take less than in the listpack: of a full node that may be half.
  return tightenPacked(slab, builder.end());
}
