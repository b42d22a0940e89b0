// Places by name: GEOADD, GEOPOS, GEODIST and GEOHASH.

import type { Slices } from '../../base/slices.js';
import { isWord, word } from '../../dispatch/args.js';
import { type CommandSpec, Flag, keyAt, keyCommand } from '../../dispatch/define.js';
import { Notify } from '../../dispatch/effects.js';
import { type EntryRef, Type } from '../../keyspace/entry.js';
import type { Partition } from '../../keyspace/partition.js';
import { SYNTAX } from '../../resp/errors.js';
import { NONE } from '../../slab/slab.js';
import {
  distanceBetween,
  geohashText,
  position,
  readScore,
  scoreOfPosition,
} from '../../types/geo.js';
import { SortedSet } from '../../types/sorted-set/index.js';
import { createSet, entryReserve, findSet, keepSet, openSet, set } from '../sorted-set/window.js';
import { readPosition, readUnit, replyCoordinate, replyDistance } from './arguments.js';

const NX = word('NX');
const XX = word('XX');
const CH = word('CH');

const PLACE_WORDS = 3;
const NAME = 2;

const options = { isNew: false, isOld: false, countsChanged: false, firstPlace: 0 };

function readOptions(args: Slices): void {
  options.isNew = false;
  options.isOld = false;
  options.countsChanged = false;
  let index = 2;
  for (; index < args.count; index++) {
    if (isWord(args, index, NX)) options.isNew = true;
    else if (isWord(args, index, XX)) options.isOld = true;
    else if (isWord(args, index, CH)) options.countsChanged = true;
    else break;
  }
  options.firstPlace = index;
}

/** The scores of the places, in their order. */
let scores = new Float64Array(64);

/** Reads all places into `scores`; returns how many. */
function readPlaces(args: Slices): number {
  const { firstPlace } = options;
  const words = args.count - firstPlace;
  if (words % PLACE_WORDS !== 0 || (options.isNew && options.isOld)) throw SYNTAX;
  const count = words / PLACE_WORDS;
  if (count > scores.length) scores = new Float64Array(count * 2);
  for (let place = 0; place < count; place++) {
    readPosition(args, firstPlace + place * PLACE_WORDS);
    scores[place] = scoreOfPosition(position.longitude, position.latitude);
  }
  if (count === 0) throw SYNTAX;
  return count;
}

/** Memory for so many places; leaves the sorted set of the entry open. */
function reservePlaces(
  partition: Partition,
  entry: EntryRef,
  args: Slices,
  entryBytes: number,
): void {
  let bytes = 0;
  let longest = 0;
  let count = 0;
  for (let index = options.firstPlace + NAME; index < args.count; index += PLACE_WORDS) {
    const length = args.lengthOf(index);
    bytes += length;
    count++;
    if (length > longest) longest = length;
  }
  if (entry === NONE) partition.reserve(entryBytes + SortedSet.reserveForNew(count, bytes));
  else partition.reserve(openSet(partition.slab, entry).reserveFor(count, bytes, longest));
}

const geoadd = keyCommand({
  name: 'geoadd',
  arity: -5,
  group: 'geo',
  since: '3.2.0',
  summary: 'Puts places into a sorted set, by longitude and latitude; those there are moved.',
  cost: 'O(log(N)) for each place, N of them in the sorted set.',
  flags: Flag.Write | Flag.DenyOom,
  syntax: 'key [NX | XX] [CH] longitude latitude member [longitude latitude member ...]',
  keys: [keyAt(1, 'RW', 'update')],
  history: [['6.2.0', 'Takes the options CH, NX and XX.']],
  run(context) {
    const { args, partition, reply } = context;
    readOptions(args);
    const count = readPlaces(args);
    const { firstPlace, isNew, isOld } = options;

    const entry = partition.edit(args, 1, Type.SortedSet);
    if (entry === NONE && isOld) {
      reply.integer(0);
      return;
    }
    reservePlaces(partition, entry, args, entryReserve(context, 1));

    if (entry === NONE) set.create(partition.slab, count, args.lengthOf(firstPlace + NAME));
    else set.growFor(count);
    let added = 0;
    let moved = 0;
    for (let place = 0; place < count; place++) {
      const name = firstPlace + place * PLACE_WORDS + NAME;
      const score = scores[place]!;
      if (!set.find(args.u8, args.startOf(name), args.lengthOf(name))) {
        if (isOld) continue;
        set.add(score);
        added++;
      } else if (!isNew && set.score !== score) {
        set.setScore(score);
        moved++;
      }
    }
    if (entry === NONE) createSet(partition, context, 1, set);
    else keepSet(entry, set);
    if (added + moved > 0) context.changed(1, Notify.SortedSet, 'zadd');

    reply.integer(options.countsChanged ? added + moved : added);
  },
});

/** Sets `position` to that of the member in word `index` of the open set; false without one. */
function findPlace(args: Slices, index: number): boolean {
  if (!set.find(args.u8, args.startOf(index), args.lengthOf(index))) return false;
  readScore(set.score);
  return true;
}

const geopos = keyCommand({
  name: 'geopos',
  arity: -2,
  group: 'geo',
  since: '3.2.0',
  summary: 'Returns longitude and latitude of places.',
  cost: 'O(1) for each place.',
  flags: Flag.Read,
  syntax: 'key [member [member ...]]',
  keys: [keyAt(1, 'RO', 'access')],
  run(context) {
    const { args, reply } = context;
    const isThere = findSet(context, 1);

    reply.array(args.count - 2);
    for (let index = 2; index < args.count; index++) {
      if (!isThere || !findPlace(args, index)) {
        reply.nilArray();
        continue;
      }
      reply.array(2);
      replyCoordinate(reply, position.longitude);
      replyCoordinate(reply, position.latitude);
    }
  },
});

const geohash = keyCommand({
  name: 'geohash',
  arity: -2,
  group: 'geo',
  since: '3.2.0',
  summary: 'Returns the geohashes of places, eleven letters each.',
  cost: 'O(1) for each place.',
  flags: Flag.Read,
  syntax: 'key [member [member ...]]',
  keys: [keyAt(1, 'RO', 'access')],
  run(context) {
    const { args, reply } = context;
    const isThere = findSet(context, 1);

    reply.array(args.count - 2);
    for (let index = 2; index < args.count; index++) {
      if (isThere && set.find(args.u8, args.startOf(index), args.lengthOf(index))) {
        reply.text(geohashText(set.score));
      } else {
        reply.nil();
      }
    }
  },
});

const geodist = keyCommand({
  name: 'geodist',
  arity: -4,
  group: 'geo',
  since: '3.2.0',
  summary: 'Returns the distance between two places.',
  cost: 'O(1)',
  flags: Flag.Read,
  syntax: 'key member1 member2 [M | KM | FT | MI]',
  keys: [keyAt(1, 'RO', 'access')],
  run(context) {
    const { args, reply } = context;
    if (args.count > 5) throw SYNTAX;
    const unit = args.count === 5 ? readUnit(args, 4) : 1;

    if (!findSet(context, 1) || !findPlace(args, 2)) {
      reply.nil();
      return;
    }
    const { longitude, latitude } = position;
    if (!findPlace(args, 3)) {
      reply.nil();
      return;
    }
    const meters = distanceBetween(longitude, latitude, position.longitude, position.latitude);

    replyDistance(reply, meters / unit);
  },
});

export const placeCommands: readonly CommandSpec[] = [geoadd, geopos, geohash, geodist];
