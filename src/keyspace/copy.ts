// One key's value under another key: RENAME and COPY. Between partitions a value is copied from
// slab to slab; within one, RENAME hands over what the entry refers to.

import { assert } from '../base/assert.js';
import type { Slices } from '../base/slices.js';
import { PAGE_BYTES } from '../slab/alloc.js';
import type { Slab } from '../slab/slab.js';
import {
  copyInEntry,
  Encoding,
  EntryFlag,
  type EntryRef,
  embeddedBytesOf,
  encodingOf,
  entryBytes,
  expiryHighOf,
  expiryLowOf,
  flagsOf,
  hasExpiry,
  liesInEntry,
  payloadHigh,
  payloadLow,
  recencyOf,
  setPayload,
  setRecency,
  Type,
  typeOf,
} from './entry.js';
import type { Partition } from './partition.js';
import { copyBlob } from './strings.js';
import { copyStructure, isStructured, rekeyStructure, structureReserve } from './values.js';

/** Memory that copyEntry may need under a key of `keyBytes`, for Partition.reserve. */
export function copyReserve(slab: Slab, entry: EntryRef, keyBytes: number): number {
  const bytes = headReserve(slab, entry, keyBytes);
  if (isStructured(slab, entry)) return bytes + structureReserve(slab, entry) + PAGE_BYTES;
  if (encodingOf(slab, entry) !== Encoding.Blob) return bytes;
  // Two blocks, each rounded up to pages at the most.
  return bytes + payloadHigh(slab, entry) + 2 * PAGE_BYTES;
}

function headReserve(slab: Slab, entry: EntryRef, keyBytes: number): number {
  const valueBytes = embeddedBytesOf(slab, entry);
  return entryBytes(encodingOf(slab, entry), keyBytes, valueBytes, hasExpiry(slab, entry));
}

/**
 * Copies value, encoding and expiry of `entry`, which stands in `slab`, to the key of word `index`
 * in `target`, where it must not exist. Memory was reserved with copyReserve.
 */
export function copyEntry(
  slab: Slab,
  entry: EntryRef,
  target: Partition,
  args: Slices,
  index: number,
): EntryRef {
  const encoding = encodingOf(slab, entry);
  const copied = createAlike(slab, entry, target, args, index);
  if (encoding === Encoding.Blob) {
    assert(typeOf(slab, entry) === Type.String, 'only strings have blobs');
    setPayload(target.slab, copied, copyBlob(slab, entry, target.slab), payloadHigh(slab, entry));
  } else if (encoding === Encoding.Integer) {
    setPayload(target.slab, copied, payloadLow(slab, entry), payloadHigh(slab, entry));
  } else if (!liesInEntry(encoding)) {
    const root = copyStructure(slab, entry, target.slab);
    setPayload(target.slab, copied, root, payloadHigh(slab, entry));
    rekeyStructure(target.slab, copied, args.hashes[index]!);
  }
  return copied;
}

/** Memory that renameEntry may need in `target`. */
export function renameReserve(
  source: Partition,
  entry: EntryRef,
  target: Partition,
  keyBytes: number,
): number {
  if (source === target) return headReserve(source.slab, entry, keyBytes);
  return copyReserve(source.slab, entry, keyBytes);
}

/**
 * Gives the value of word `from` in `source` to the key of word `to` in `target`, where it must not
 * exist, and removes the former. Memory was reserved with renameReserve.
 */
export function renameEntry(
  source: Partition,
  entry: EntryRef,
  target: Partition,
  args: Slices,
  from: number,
  to: number,
): void {
  const { slab } = source;
  if (source !== target) {
    const copied = copyEntry(slab, entry, target, args, to);
    setRecency(target.slab, copied, recencyOf(slab, entry));
    source.remove(args, from, entry);
    return;
  }
  const renamed = createAlike(slab, entry, target, args, to);
  if (!liesInEntry(encodingOf(slab, entry))) {
    setPayload(slab, renamed, payloadLow(slab, entry), payloadHigh(slab, entry));
  }
  if (isStructured(slab, renamed)) rekeyStructure(slab, renamed, args.hashes[to]!);
  setRecency(slab, renamed, recencyOf(slab, entry));
  source.removeHead(args, from, entry);
}

/** An entry with the shape, expiry and value of another; a payload is not written. */
function createAlike(
  slab: Slab,
  entry: EntryRef,
  target: Partition,
  args: Slices,
  index: number,
): EntryRef {
  const encoding = encodingOf(slab, entry);
  const valueBytes = embeddedBytesOf(slab, entry);
  const flags = flagsOf(slab, entry) & (EntryFlag.HasExpiry | EntryFlag.Raw);
  const created = target.create(args, index, typeOf(slab, entry), encoding, valueBytes, flags);
  if (hasExpiry(slab, entry)) {
    target.startExpiry(created, expiryLowOf(slab, entry), expiryHighOf(slab, entry));
  }
  if (liesInEntry(encoding)) copyInEntry(slab, entry, target.slab, created);
  return created;
}
