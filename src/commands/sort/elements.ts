// The elements that SORT starts from: those of a list, set or sorted set, all of them, or a part of
// them in the order that they have.

import type { Context } from '../../dispatch/context.js';
import {
  type EntryRef,
  encodingOf,
  payloadHigh,
  payloadLow,
  Type,
  typeOf,
} from '../../keyspace/entry.js';
import type { Partition } from '../../keyspace/partition.js';
import { reserve } from '../../slab/alloc.js';
import type { Slab } from '../../slab/slab.js';
import { ElementText, List, readElement } from '../../types/list.js';
import { SetValue } from '../../types/set/value.js';
import { SetWalk } from '../../types/set/walk.js';
import { SortedSet, SortedSetWalk } from '../../types/sorted-set/index.js';
import { keepSet } from '../sorted-set/window.js';
import type { Texts } from './texts.js';

const list = new List();
const listed = new ElementText();
const set = new SetValue();
const setWalk = new SetWalk();
const sortedSet = new SortedSet();
const sortedWalk = new SortedSetWalk();

/** Can values of this type be sorted? */
export function isSortable(type: Type): boolean {
  return type === Type.List || type === Type.Set || type === Type.SortedSet;
}

/** Adds all elements of the entry's value to `texts`, in the order that is easiest. */
export function addAll(slab: Slab, entry: EntryRef, texts: Texts): void {
  if (typeOf(slab, entry) !== Type.Set) {
    addPart(slab, entry, texts, 0, Number.POSITIVE_INFINITY, true);
    return;
  }
  set.open(slab, encodingOf(slab, entry), payloadLow(slab, entry));
  setWalk.open(set);
  while (setWalk.next()) {
    setWalk.asText();
    texts.add(setWalk.u8, setWalk.start, setWalk.length);
  }
}

/** Adds `count` elements of a list or sorted set, in its order or backward, without the first. */
export function addPart(
  slab: Slab,
  entry: EntryRef,
  texts: Texts,
  skipped: number,
  count: number,
  isForward: boolean,
): void {
  if (typeOf(slab, entry) === Type.List) addListed(slab, entry, texts, skipped, count, isForward);
  else addRanked(slab, entry, texts, skipped, count, isForward);
}

function addListed(
  slab: Slab,
  entry: EntryRef,
  texts: Texts,
  skipped: number,
  count: number,
  isForward: boolean,
): void {
  list.open(slab, encodingOf(slab, entry), payloadLow(slab, entry), payloadHigh(slab, entry));
  let isThere = list.seek(isForward ? skipped : list.length - 1 - skipped);
  for (let left = count; isThere && left > 0; left--) {
    readElement(list.element, listed);
    texts.add(listed.u8, listed.start, listed.length);
    isThere = isForward ? list.next() : list.previous();
  }
}

function addRanked(
  slab: Slab,
  entry: EntryRef,
  texts: Texts,
  skipped: number,
  count: number,
  isForward: boolean,
): void {
  sortedSet.open(slab, encodingOf(slab, entry), payloadLow(slab, entry));
  const { length } = sortedSet;
  if (skipped >= length) return;
  sortedWalk.seek(sortedSet, isForward ? skipped : length - 1 - skipped);
  for (let left = count; left > 0; left--) {
    texts.add(sortedWalk.u8, sortedWalk.start, sortedWalk.length);
    if (!(isForward ? sortedWalk.next() : sortedWalk.previous())) return;
  }
}

/**
 * As on Redis, a sorted set that was sorted once is a large one whatever its size. Nothing else
 * depends on it, so where there is no memory for it, it stays small.
 */
export function makeLarge(context: Context, partition: Partition, entry: EntryRef): void {
  const { slab } = partition;
  sortedSet.open(slab, encodingOf(slab, entry), payloadLow(slab, entry));
  if (!sortedSet.isSmall) return;
  if (!reserve(slab, sortedSet.reserveFor(0, 0, Number.POSITIVE_INFINITY))) return;
  partition.edit(context.args, 1, Type.SortedSet);
  sortedSet.growFor(Number.POSITIVE_INFINITY);
  keepSet(entry, sortedSet);
}
