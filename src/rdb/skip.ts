// Passing over a value without building it: only as much of it is looked at as says where it ends.
// What reads a value (read.ts) and what passes over it come to the same place. A broken value may
// be passed over, for whoever reads it finds out.

import type { FileSource } from './file-source.js';
import { readLength, readWide } from './length.js';
import { RdbType } from './rdb-type.js';
import { BAD_DATA } from './source.js';
import { skipText } from './strings.js';

const DOUBLE_BYTES = 8;
const TIME_BYTES = 8;
const ID_BYTES = 16;
/** From here on the length of a score's text is no length, but the score. */
const SCORE_NAN = 253;

export function skipValue(source: FileSource, type: RdbType): void {
  switch (type) {
    case RdbType.List:
    case RdbType.Set:
    case RdbType.ListQuicklist:
      skipTexts(source, readLength(source));
      return;
    case RdbType.Hash:
      skipTexts(source, 2 * readLength(source));
      return;
    case RdbType.ListQuicklist2:
      skipNodes(source);
      return;
    case RdbType.SortedSet:
    case RdbType.SortedSet2:
      skipScored(source, type === RdbType.SortedSet);
      return;
    case RdbType.HashTimedEarly:
    case RdbType.HashTimed:
    case RdbType.HashTimedValkey:
      skipTimed(source, type);
      return;
    case RdbType.StreamListpacks:
    case RdbType.StreamListpacks2:
    case RdbType.StreamListpacks3:
    case RdbType.StreamProducers:
      skipStream(source, type);
      return;
    case RdbType.Array:
      skipArray(source);
      return;
    case RdbType.HashListpackTimed:
      source.take(TIME_BYTES);
      skipText(source);
      return;
    default:
      // All others are one string.
      skipText(source);
  }
}

function skipTexts(source: FileSource, count: number): void {
  for (let left = count; left > 0; left--) skipText(source);
}

function skipNodes(source: FileSource): void {
  for (let left = readLength(source); left > 0; left--) {
    readLength(source);
    skipText(source);
  }
}

function skipScored(source: FileSource, hasTexts: boolean): void {
  for (let left = readLength(source); left > 0; left--) {
    skipText(source);
    const bytes = hasTexts ? source.byte() : DOUBLE_BYTES;
    if (bytes === SCORE_NAN) throw BAD_DATA;
    if (bytes < SCORE_NAN) source.take(bytes);
  }
}

function skipTimed(source: FileSource, type: RdbType): void {
  if (type === RdbType.HashTimed) source.take(TIME_BYTES);
  const isBehind = type === RdbType.HashTimedValkey;
  for (let left = readLength(source); left > 0; left--) {
    if (!isBehind) readWide(source);
    skipTexts(source, 2);
    if (isBehind) source.take(TIME_BYTES);
  }
}

function skipArray(source: FileSource): void {
  const count = readLength(source);
  // The cursor.
  readWide(source);
  for (let left = count; left > 0; left--) {
    readWide(source);
    skipText(source);
  }
}

function skipWides(source: FileSource, count: number): void {
  for (let left = count; left > 0; left--) readWide(source);
}

/** stream-write.ts has the picture. */
function skipStream(source: FileSource, type: RdbType): void {
  skipTexts(source, 2 * readLength(source));
  const isFirstForm = type === RdbType.StreamListpacks;
  // How many entries, the last ID; then the first one, the last deleted one, how many were added.
  skipWides(source, isFirstForm ? 3 : 8);
  for (let left = readLength(source); left > 0; left--) skipGroup(source, type);
  if (type === RdbType.StreamProducers) skipProducers(source);
}

function skipGroup(source: FileSource, type: RdbType): void {
  skipText(source);
  skipWides(source, type === RdbType.StreamListpacks ? 2 : 3);
  for (let left = readLength(source); left > 0; left--) {
    source.take(ID_BYTES + TIME_BYTES);
    readWide(source);
  }
  const hasActiveTimes = type === RdbType.StreamListpacks3 || type === RdbType.StreamProducers;
  for (let left = readLength(source); left > 0; left--) {
    skipText(source);
    source.take(hasActiveTimes ? 2 * TIME_BYTES : TIME_BYTES);
    for (let owned = readLength(source); owned > 0; owned--) source.take(ID_BYTES);
  }
}

function skipProducers(source: FileSource): void {
  skipWides(source, 4);
  for (let left = readLength(source); left > 0; left--) {
    skipText(source);
    for (let iids = readLength(source); iids > 0; iids--) {
      skipText(source);
      source.take(ID_BYTES + TIME_BYTES);
    }
  }
}
