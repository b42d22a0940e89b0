// The digest of one value, by its type: the order of a list or stream counts, that of the members
// of a set, hash or sorted set does not.

import { assertNever, fail } from '../../base/assert.js';
import { DOUBLE_TEXT_BYTES_MAX, writeShortest } from '../../base/float-text.js';
import {
  type EntryRef,
  encodingOf,
  hasExpiry,
  payloadHigh,
  Type,
  typeOf,
} from '../../keyspace/entry.js';
import { readString, StringBytes } from '../../keyspace/strings.js';
import { rootOf } from '../../keyspace/values.js';
import type { Slab } from '../../slab/slab.js';
import type { ArrayRef } from '../../types/array/array.js';
import { POSITION_TEXT_BYTES_MAX, Position, writePosition } from '../../types/array/position.js';
import { readSlot, SlotText } from '../../types/array/slot.js';
import { ArrayWalk } from '../../types/array/walk.js';
import { Hash, Text } from '../../types/hash/hash.js';
import { ElementText, List, readElement } from '../../types/list.js';
import { SetValue } from '../../types/set/value.js';
import { SetWalk } from '../../types/set/walk.js';
import { SortedSet, SortedSetWalk } from '../../types/sorted-set/index.js';
import { EntryCursor } from '../../types/stream/block.js';
import { describeId, ZERO_ID } from '../../types/stream/id.js';
import { type StreamRef, seekEntry } from '../../types/stream/stream.js';
import { DIGEST_BYTES, emptyDigest, mixDigest, mixNumber, xorDigest } from './digest-mixing.js';

const EXPIRE_MARK = Buffer.from('!!expire!!', 'latin1');

const text = new StringBytes();
const list = new List();
const element = new ElementText();
const set = new SetValue();
const setWalk = new SetWalk();
const sortedSet = new SortedSet();
const sortedSetWalk = new SortedSetWalk();
const hash = new Hash();
const field = new Text();
const entries = new EntryCursor();
const arrayWalk = new ArrayWalk();
const slotText = new SlotText();
const firstPosition = new Position();
const lastPosition = new Position();
lastPosition.set(-1, -1);
const positionText = new Uint8Array(new ArrayBuffer(POSITION_TEXT_BYTES_MAX));
const scoreText = new Uint8Array(new ArrayBuffer(DOUBLE_TEXT_BYTES_MAX));

/** Mixes an entry's type, value and whether it expires into `digest`. */
export function mixValue(digest: Uint8Array, slab: Slab, entry: EntryRef): void {
  const type = typeOf(slab, entry);
  mixNumber(digest, type);
  switch (type) {
    case Type.String:
      mixString(digest, slab, entry);
      break;
    case Type.List:
      mixList(digest, slab, entry);
      break;
    case Type.Set:
      mixSet(digest, slab, entry);
      break;
    case Type.SortedSet:
      mixSortedSet(digest, slab, entry);
      break;
    case Type.Hash:
      mixHash(digest, slab, entry);
      break;
    case Type.Stream:
      mixStream(digest, slab, entry);
      break;
    case Type.Array:
      mixArray(digest, slab, entry);
      break;
    case Type.Any:
      fail('an entry has a type');
      break;
    default:
      assertNever(type);
  }
  if (hasExpiry(slab, entry)) xorDigest(digest, EXPIRE_MARK, 0, EXPIRE_MARK.length);
}

function mixString(digest: Uint8Array, slab: Slab, entry: EntryRef): void {
  readString(slab, entry, text);
  mixDigest(digest, text.u8, text.start, text.length);
}

function mixList(digest: Uint8Array, slab: Slab, entry: EntryRef): void {
  list.open(slab, encodingOf(slab, entry), rootOf(slab, entry), payloadHigh(slab, entry));
  for (let isThere = list.first(); isThere; isThere = list.next()) {
    readElement(list.element, element);
    mixDigest(digest, element.u8, element.start, element.length);
  }
}

function mixSet(digest: Uint8Array, slab: Slab, entry: EntryRef): void {
  setWalk.open(set.open(slab, encodingOf(slab, entry), rootOf(slab, entry)));
  while (setWalk.next()) {
    setWalk.asText();
    xorDigest(digest, setWalk.u8, setWalk.start, setWalk.length);
  }
}

function mixSortedSet(digest: Uint8Array, slab: Slab, entry: EntryRef): void {
  sortedSet.open(slab, encodingOf(slab, entry), rootOf(slab, entry));
  sortedSetWalk.seek(sortedSet, 0);
  do {
    sortedSetWalk.readScore();
    const scoreBytes = writeShortest(scoreText, 0, sortedSetWalk.score);
    const member = emptyDigest();
    mixDigest(member, sortedSetWalk.u8, sortedSetWalk.start, sortedSetWalk.length);
    mixDigest(member, scoreText, 0, scoreBytes);
    xorDigest(digest, member, 0, DIGEST_BYTES);
  } while (sortedSetWalk.next());
}

function mixHash(digest: Uint8Array, slab: Slab, entry: EntryRef): void {
  // At no time has any field expired: what is still there counts, as with keys.
  const nowMs = -1;
  hash.open(slab, encodingOf(slab, entry), rootOf(slab, entry), 0, nowMs);
  hash.beginWalk();
  while (hash.next()) {
    const pair = emptyDigest();
    hash.readName(field);
    mixDigest(pair, field.u8, field.start, field.length);
    hash.readValue(field);
    mixDigest(pair, field.u8, field.start, field.length);
    xorDigest(digest, pair, 0, DIGEST_BYTES);
  }
}

/** Entries as they are; groups do not count. */
function mixStream(digest: Uint8Array, slab: Slab, entry: EntryRef): void {
  const stream = rootOf(slab, entry) as StreamRef;
  let isThere = seekEntry(slab, stream, entries, ZERO_ID);
  for (; isThere; isThere = entries.next()) {
    const id = Buffer.from(describeId(entries.id).replace('-', '.'), 'latin1');
    mixDigest(digest, id, 0, id.length);
    for (let index = 0; index < entries.fieldCount; index++) {
      entries.nextField();
      mixDigest(digest, slab.u8, entries.nameAt, entries.nameBytes);
      mixDigest(digest, slab.u8, entries.valueAt, entries.valueBytes);
    }
  }
}

/** Positions and values in order; the cursor does not count. */
function mixArray(digest: Uint8Array, slab: Slab, entry: EntryRef): void {
  arrayWalk.open(slab, rootOf(slab, entry) as ArrayRef, firstPosition, lastPosition);
  while (arrayWalk.next()) {
    const { high, low } = arrayWalk.position;
    mixDigest(digest, positionText, 0, writePosition(positionText, 0, high, low));
    readSlot(slab, arrayWalk.word, slotText);
    mixDigest(digest, slotText.u8, slotText.start, slotText.length);
  }
}
