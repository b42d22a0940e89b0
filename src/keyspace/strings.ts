// Strings. They live in their entries (short ones and integers) or in a block of their own (blobs),
// which is why they stand here and not in types/: a change of length may move the entry.
//
//   blob: │ of a snapshot's walk, 8 B: string-first.ts │ bytes … capacity of the block │
//
// A blob is allocated with room to grow when it was changed in place: twice its size, at most 1 MiB
// more, as Redis grows its strings, so that a run of APPENDs does not copy each time.

import { int64, parseInt64, writeInt64 } from '../base/ascii.js';
import { assert } from '../base/assert.js';
import { copyBytes } from '../base/bytes.js';
import type { Slices } from '../base/slices.js';
import {
  allocate,
  type BlockRef,
  capacityOf,
  growInPlace,
  PAGE_BYTES,
  roundedBytes,
  SMALL_BYTES_MAX,
} from '../slab/alloc.js';
import { NONE, type Slab } from '../slab/slab.js';
import {
  EMBEDDED_BYTES_MAX,
  Encoding,
  EntryFlag,
  type EntryRef,
  embeddedBytesOf,
  embeddedStartOf,
  encodingOf,
  flagsOf,
  hasExpiry,
  payloadHigh,
  payloadLow,
  setPayload,
  Type,
} from './entry.js';
import type { Partition } from './partition.js';
import { saveBytesFirst } from './string-first.js';

const BLOB_HEAD_BYTES = 8;
/** What an entry has besides key and value; rounded up. */
const ENTRY_HEAD_BYTES_MAX = 64;
const GROWTH_BYTES_MAX = 2 ** 20;
/** The text of an int64 has at most 20 bytes. */
const INTEGER_TEXT_BYTES = 20;
/** Redis calls strings up to here embstr, longer ones raw. */
const EMBSTR_BYTES_MAX = 44;

/** The bytes of a string, wherever they are: valid until the next change or the next read. */
export class StringBytes {
  u8: Uint8Array = new Uint8Array(0);
  start = 0;
  length = 0;
}

const integerText = new Uint8Array(new ArrayBuffer(32));

/** Sets `out` to the string's bytes; an integer's text stands in scratch memory. */
export function readString(slab: Slab, entry: EntryRef, out: StringBytes): void {
  const encoding = encodingOf(slab, entry);
  if (encoding === Encoding.Embedded) {
    out.u8 = slab.u8;
    out.start = embeddedStartOf(slab, entry);
    out.length = embeddedBytesOf(slab, entry);
  } else if (encoding === Encoding.Blob) {
    out.u8 = slab.u8;
    out.start = blobStart(slab, entry);
    out.length = payloadHigh(slab, entry);
  } else {
    out.u8 = integerText;
    out.start = 0;
    out.length = writeInt64(integerText, 0, payloadLow(slab, entry), payloadHigh(slab, entry));
  }
}

/** Length in bytes of the string's text. */
export function stringLength(slab: Slab, entry: EntryRef): number {
  const encoding = encodingOf(slab, entry);
  if (encoding === Encoding.Embedded) return embeddedBytesOf(slab, entry);
  if (encoding === Encoding.Blob) return payloadHigh(slab, entry);
  return writeInt64(integerText, 0, payloadLow(slab, entry), payloadHigh(slab, entry));
}

function blobStart(slab: Slab, entry: EntryRef): number {
  return (payloadLow(slab, entry) << 3) + BLOB_HEAD_BYTES;
}

/** Memory that writing a string of so many bytes may need, for Partition.reserve. */
export function stringReserve(keyBytes: number, valueBytes: number): number {
  if (valueBytes <= EMBEDDED_BYTES_MAX) return keyBytes + valueBytes + ENTRY_HEAD_BYTES_MAX;
  const blobBytes = valueBytes + BLOB_HEAD_BYTES;
  const entryBytes = keyBytes + ENTRY_HEAD_BYTES_MAX;
  // Small blocks come on top of what is reserved; a long key makes the entry a second large one.
  if (entryBytes <= SMALL_BYTES_MAX) return blobBytes;
  return blobBytes + entryBytes + 2 * PAGE_BYTES;
}

/** Memory that editString to `length` bytes may need. */
export function editReserve(keyBytes: number, length: number): number {
  return stringReserve(keyBytes, length);
}

/**
 * SET: makes the string at key word `index` the given bytes, creating the key if `entry` is NONE
 * and changing it, of whatever type, if not. An expiry is kept or dropped; integers are stored as
 * such. Memory was reserved. Returns the entry.
 */
export function putString(
  partition: Partition,
  args: Slices,
  index: number,
  entry: EntryRef,
  u8: Uint8Array,
  start: number,
  length: number,
  keepsExpiry: boolean,
): EntryRef {
  const isVolatile = keepsExpiry && entry !== NONE && hasExpiry(partition.slab, entry);
  if (length <= INTEGER_TEXT_BYTES && parseInt64(u8, start, length)) {
    return storeInteger(partition, args, index, entry, int64.lo, int64.hi, isVolatile);
  }
  return storeText(partition, args, index, entry, u8, start, length, isVolatile);
}

/**
 * As putString, but what looks like an integer stays text: Redis stores the sums of INCRBYFLOAT
 * so, and OBJECT ENCODING shows it.
 */
export function putText(
  partition: Partition,
  args: Slices,
  index: number,
  entry: EntryRef,
  u8: Uint8Array,
  start: number,
  length: number,
  keepsExpiry: boolean,
): EntryRef {
  const isVolatile = keepsExpiry && entry !== NONE && hasExpiry(partition.slab, entry);
  return storeText(partition, args, index, entry, u8, start, length, isVolatile);
}

/** As putString, for the int64 (low, high). */
export function putInteger(
  partition: Partition,
  args: Slices,
  index: number,
  entry: EntryRef,
  low: number,
  high: number,
  keepsExpiry: boolean,
): EntryRef {
  const isVolatile = keepsExpiry && entry !== NONE && hasExpiry(partition.slab, entry);
  return storeInteger(partition, args, index, entry, low, high, isVolatile);
}

/**
 * SET with a time: as putString, and the key expires at (untilHigh, untilLow) ms since 1970. One
 * entry is built, with room for the expiry.
 */
export function putStringUntil(
  partition: Partition,
  args: Slices,
  index: number,
  entry: EntryRef,
  u8: Uint8Array,
  start: number,
  length: number,
  untilLow: number,
  untilHigh: number,
): EntryRef {
  const wasVolatile = entry !== NONE && hasExpiry(partition.slab, entry);
  const stored =
    length <= INTEGER_TEXT_BYTES && parseInt64(u8, start, length)
      ? storeInteger(partition, args, index, entry, int64.lo, int64.hi, true)
      : storeText(partition, args, index, entry, u8, start, length, true);
  if (wasVolatile) return partition.setExpiry(stored, args.hashes[index]!, untilLow, untilHigh);
  partition.startExpiry(stored, untilLow, untilHigh);
  return stored;
}

function storeText(
  partition: Partition,
  args: Slices,
  index: number,
  entry: EntryRef,
  u8: Uint8Array,
  start: number,
  length: number,
  isVolatile: boolean,
): EntryRef {
  const encoding = length <= EMBEDDED_BYTES_MAX ? Encoding.Embedded : Encoding.Blob;
  const shaped = shape(partition, args, index, entry, encoding, length, isVolatile);
  const { slab } = partition;
  if (encoding === Encoding.Embedded) {
    copyBytes(u8, start, slab.u8, embeddedStartOf(slab, shaped), length);
  } else {
    const blob = createBlob(slab, length + BLOB_HEAD_BYTES);
    setPayload(slab, shaped, blob, length);
    copyBytes(u8, start, slab.u8, (blob << 3) + BLOB_HEAD_BYTES, length);
  }
  return shaped;
}

function storeInteger(
  partition: Partition,
  args: Slices,
  index: number,
  entry: EntryRef,
  low: number,
  high: number,
  isVolatile: boolean,
): EntryRef {
  const shaped = shape(partition, args, index, entry, Encoding.Integer, 0, isVolatile);
  setPayload(partition.slab, shaped, low, high);
  return shaped;
}

/** An entry of this encoding, with or without room for an expiry; one that it had stays. */
function shape(
  partition: Partition,
  args: Slices,
  index: number,
  entry: EntryRef,
  encoding: Encoding,
  length: number,
  isVolatile: boolean,
): EntryRef {
  if (entry === NONE) {
    const flags = isVolatile ? EntryFlag.HasExpiry : 0;
    return partition.create(args, index, Type.String, encoding, length, flags);
  }
  const { slab } = partition;
  if (encodingOf(slab, entry) !== Encoding.Embedded) partition.freeValue(entry);
  const hash = args.hashes[index]!;
  const shaped = partition.reshape(entry, hash, Type.String, encoding, length, isVolatile);
  if ((flagsOf(slab, shaped) & EntryFlag.Raw) !== 0) partition.markRaw(shaped, false);
  return shaped;
}

function createBlob(slab: Slab, bytes: number): number {
  const blob = allocate(slab, bytes);
  assert(blob !== NONE, 'memory for a blob was reserved');
  slab.i32[blob << 1] = 0;
  return blob;
}

/** A copy of an entry's blob, in its own slab or in another. Memory was reserved. */
export function copyBlob(source: Slab, entry: EntryRef, target: Slab): BlockRef {
  const length = payloadHigh(source, entry);
  const blob = createBlob(target, length + BLOB_HEAD_BYTES);
  const start = (blob << 3) + BLOB_HEAD_BYTES;
  copyBytes(source.u8, blobStart(source, entry), target.u8, start, length);
  return blob as BlockRef;
}

/** Where editString has put the bytes: byte offset in the slab, and the entry, which may move. */
export class Edited {
  entry: EntryRef = NONE as EntryRef;
  start = 0;
}

/**
 * APPEND, SETRANGE, SETBIT: makes the string `length` bytes long, at least as long as it was,
 * keeping its bytes and filling with zeros, ready to be written at `out.start`. The result is a raw
 * string. `entry` may be NONE: the key is created. Bytes [from, end) are those that the caller is
 * going to write; all, unless it says so. Memory was reserved with editReserve.
 */
export function editString(
  partition: Partition,
  args: Slices,
  index: number,
  entry: EntryRef,
  length: number,
  out: Edited,
  from = 0,
  end = length,
): void {
  const { slab } = partition;
  const hash = args.hashes[index]!;
  if (entry !== NONE && encodingOf(slab, entry) === Encoding.Blob) {
    saveBytesFirst(slab, payloadLow(slab, entry), from, end);
  }
  if (entry === NONE) {
    createEdited(partition, args, index, length, out);
  } else if (length > EMBEDDED_BYTES_MAX) {
    editBlob(partition, hash, entry, length, out);
  } else {
    editEmbedded(partition, hash, entry, length, out);
  }
  partition.markRaw(out.entry, true);
  assert(stringLength(slab, out.entry) === length, 'an edited string has its length');
}

function createEdited(
  partition: Partition,
  args: Slices,
  index: number,
  length: number,
  out: Edited,
): void {
  const { slab } = partition;
  if (length <= EMBEDDED_BYTES_MAX) {
    out.entry = partition.create(args, index, Type.String, Encoding.Embedded, length, 0);
    out.start = embeddedStartOf(slab, out.entry);
  } else {
    out.entry = partition.create(args, index, Type.String, Encoding.Blob, 0, 0);
    const blob = createBlob(slab, length + BLOB_HEAD_BYTES);
    setPayload(slab, out.entry, blob, length);
    out.start = (blob << 3) + BLOB_HEAD_BYTES;
  }
  slab.u8.fill(0, out.start, out.start + length);
}

const editScratch = new Uint8Array(new ArrayBuffer(EMBEDDED_BYTES_MAX));
const before = new StringBytes();

function editEmbedded(
  partition: Partition,
  hash: number,
  entry: EntryRef,
  length: number,
  out: Edited,
): void {
  const { slab } = partition;
  readString(slab, entry, before);
  const kept = before.length;
  if (encodingOf(slab, entry) === Encoding.Blob) {
    // A blob stays one: it is long, or was, and keeps the room it has.
    editBlob(partition, hash, entry, length, out);
    return;
  }
  if (kept === length && encodingOf(slab, entry) === Encoding.Embedded) {
    out.entry = entry;
    out.start = before.start;
    return;
  }
  copyBytes(before.u8, before.start, editScratch, 0, kept);
  const isVolatile = hasExpiry(slab, entry);
  const shaped = partition.reshape(entry, hash, Type.String, Encoding.Embedded, length, isVolatile);
  const start = embeddedStartOf(slab, shaped);
  copyBytes(editScratch, 0, slab.u8, start, kept);
  slab.u8.fill(0, start + kept, start + length);
  out.entry = shaped;
  out.start = start;
}

function editBlob(
  partition: Partition,
  hash: number,
  entry: EntryRef,
  length: number,
  out: Edited,
): void {
  const { slab } = partition;
  if (encodingOf(slab, entry) !== Encoding.Blob) {
    becomeBlob(partition, hash, entry, length, out);
    return;
  }
  const kept = payloadHigh(slab, entry);
  let blob = payloadLow(slab, entry) as BlockRef;
  const bytes = length + BLOB_HEAD_BYTES;
  if (bytes > capacityOf(slab, blob) && !growInPlace(slab, blob, bytes)) {
    const larger = growBlob(slab, bytes);
    const start = (blob << 3) + BLOB_HEAD_BYTES;
    slab.i32[larger << 1] = 0;
    copyBytes(slab.u8, start, slab.u8, (larger << 3) + BLOB_HEAD_BYTES, kept);
    // A snapshot that walks through it goes on with the old one.
    partition.freeValue(entry);
    blob = larger;
  }
  setPayload(slab, entry, blob, length);
  out.entry = entry;
  out.start = (blob << 3) + BLOB_HEAD_BYTES;
  if (length > kept) slab.u8.fill(0, out.start + kept, out.start + length);
}

/** A block for a growing blob: with spare room if there is memory for it, without if not. */
function growBlob(slab: Slab, bytes: number): BlockRef {
  const spare = allocate(slab, roundedBytes(bytes + Math.min(bytes, GROWTH_BYTES_MAX)));
  if (spare !== NONE) return spare;
  const exact = allocate(slab, bytes);
  assert(exact !== NONE, 'memory for a blob was reserved');
  return exact;
}

function becomeBlob(
  partition: Partition,
  hash: number,
  entry: EntryRef,
  length: number,
  out: Edited,
): void {
  const { slab } = partition;
  readString(slab, entry, before);
  const kept = before.length;
  const blob = createBlob(slab, length + BLOB_HEAD_BYTES);
  const start = (blob << 3) + BLOB_HEAD_BYTES;
  copyBytes(before.u8, before.start, slab.u8, start, kept);
  slab.u8.fill(0, start + kept, start + length);
  const isVolatile = hasExpiry(slab, entry);
  out.entry = partition.reshape(entry, hash, Type.String, Encoding.Blob, 0, isVolatile);
  setPayload(slab, out.entry, blob, length);
  out.start = start;
}

/** Redis's name of the string's encoding, for OBJECT ENCODING. */
export function stringEncodingName(slab: Slab, entry: EntryRef): 'int' | 'embstr' | 'raw' {
  const encoding = encodingOf(slab, entry);
  if (encoding === Encoding.Integer) return 'int';
  if (encoding === Encoding.Blob || (flagsOf(slab, entry) & EntryFlag.Raw) !== 0) return 'raw';
  return embeddedBytesOf(slab, entry) <= EMBSTR_BYTES_MAX ? 'embstr' : 'raw';
}
