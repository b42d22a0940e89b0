// Hashes as the keyspace knows them.

import type { Slab } from '../../slab/slab.js';
import { packedBytes, packedCount } from '../../structs/packed.js';
import { TableRoot } from '../../structs/table.js';
import { Encoding, type ValueKind } from '../kind.js';
import {
  forgetHashes,
  nextTimeOf,
  scheduleHash,
  scheduleReserve,
  setKeyHash,
  unscheduleHash,
} from './expiries.js';
import {
  checkLarge,
  copyLarge,
  freeLargeStep,
  largeBytes,
  largeCount,
  largeRoughBytes,
  moveLarge,
  nextTimeOfLarge,
  tableOf,
  timesReserve,
} from './large.js';
import {
  checkSmall,
  copySmall,
  freeSmall,
  isPairs,
  listOf,
  moveSmall,
  nextTimeOfSmall,
  smallBytes,
  strideOf,
} from './small.js';

const NAMES: Partial<Record<Encoding, string>> = {
  [Encoding.Packed]: 'listpack',
  [Encoding.Inside]: 'listpack',
  [Encoding.PackedTimed]: 'listpackex',
  [Encoding.Table]: 'hashtable',
};

/** Each size of blocks may need pages of its own; there are not more sizes than that. */
const SIZES_MAX = 58;
const SIZE_BYTES = 32 * 1024;

export const hashKind: ValueKind = {
  encodingName: (_slab, encoding) => NAMES[encoding] ?? '',

  length(slab, encoding, root) {
    if (encoding === Encoding.Table) return largeCount(slab, root);
    return packedCount(slab, listOf(slab, encoding, root)) / strideOf(encoding);
  },

  freeStep(slab, encoding, root, budget) {
    if (encoding === Encoding.Table) return freeLargeStep(slab, root, budget);
    freeSmall(slab, encoding, root);
    return true;
  },

  copyReserve(slab, encoding, root) {
    const schedule = isPairs(encoding) ? 0 : scheduleReserve(slab);
    if (encoding !== Encoding.Table) {
      return packedBytes(slab, listOf(slab, encoding, root)) + schedule;
    }
    const held = largeBytes(slab, root);
    const sizes = Math.min(SIZES_MAX, largeCount(slab, root)) * SIZE_BYTES;
    return held + (held >>> 3) + sizes + schedule + timesReserve(slab, root, 0);
  },

  copy(source, encoding, root, target) {
    if (encoding === Encoding.Table) return copyLarge(source, root, target);
    return copySmall(source, encoding, root, target);
  },

  heldBytes(slab, encoding, root) {
    if (encoding === Encoding.Table) return largeBytes(slab, root);
    return smallBytes(slab, encoding, root);
  },

  move(slab, encoding, root, place) {
    if (encoding === Encoding.Table) return moveLarge(slab, root, place);
    place.end();
    return moveSmall(slab, encoding, root);
  },

  check(slab, encoding, root) {
    if (encoding === Encoding.Table) checkLarge(slab, root);
    else checkSmall(slab, encoding, root);
    if (!isPairs(encoding)) checkTime(slab, encoding, root);
  },

  rekey(slab, encoding, root, keyHash) {
    if (isPairs(encoding)) return;
    setKeyHash(slab, root, keyHash);
    scheduleHash(slab, root, firstTime(slab, encoding, root));
  },

  detach(slab, encoding, root) {
    if (!isPairs(encoding)) unscheduleHash(slab, root);
  },

  walkAt: (encoding, root) => (encoding === Encoding.Table ? tableOf(root) + TableRoot.Walk : 0),

  roughBytes: (slab, _encoding, root) => largeRoughBytes(slab, root),

  forget: forgetHashes,
};

function firstTime(slab: Slab, encoding: Encoding, root: number): number {
  return encoding === Encoding.Table ? nextTimeOfLarge(slab, root) : nextTimeOfSmall(slab, root);
}

function checkTime(slab: Slab, encoding: Encoding, root: number): void {
  if (nextTimeOf(slab, root) !== firstTime(slab, encoding, root)) {
    throw new Error('a hash is scheduled for its first field that expires');
  }
}
