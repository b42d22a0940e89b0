// An entry: the record of one key, one block of the slab. The value of a short string or an integer
// lies in it, and so does a small hash that was written at once and not changed since; longer
// strings and all other structures are blocks of their own that it refers to.
//
//    word 0                     word 1
//   ┌──────┬──────────┬────────┬───────┬──────────┬─────────────┐
//   │ type │ encoding │recency │ flags │ key      │ value bytes │
//   │ 4    │ 4        │ 24     │ 6     │ bytes 10 │ 16          │
//   └──────┴──────────┴────────┴───────┴──────────┴─────────────┘
//   then, each part only where it is needed, all at 4-byte offsets:
//   ┌──────────────────────────────┬───────────┬────────────────┬───────────┬─────────────┐
//   │ expiry: low, high (int64 ms  │ key bytes │ payload, 8 B:  │ key bytes │ value bytes │
//   │ since 1970), place in the    │ when 1023 │ int64, or ref  │           │ (Embedded), │
//   │ expiry index                 │ or more   │ and length     │           │ list (Inside│
//   │                              │           │                │           │ at 8 bytes) │
//   └──────────────────────────────┴───────────┴────────────────┴───────────┴─────────────┘
//    HasExpiry                      LongKey      not those two
//
// A key of 16 bytes with a value of 16 takes 40 bytes; with an expiry 52, in a block of 56.

import { assert } from '../base/assert.js';
import { copyBytes, equalBytes } from '../base/bytes.js';
import { hashBytes } from '../base/hash.js';
import { allocate, type BlockRef, capacityOf, release } from '../slab/alloc.js';
import { NONE, type Ref, type Slab } from '../slab/slab.js';
import { Encoding, Type } from '../types/kind.js';

export { Encoding, Type };

export type EntryRef = Ref<'entry'>;

export const enum EntryFlag {
  HasExpiry = 1,
  LongKey = 2,
  /** Sessions watch this key (WATCH) or are told of its change (client-side caching). */
  Listened = 4,
  /** A string changed in place: its encoding is called raw whatever its length. */
  Raw = 8,
}

const enum Entry {
  Meta = 0,
  Sizes = 1,
  Optional = 2,
}
const enum Expiry {
  Low = 0,
  High = 1,
  Place = 2,
  Words = 3,
}
const enum Payload {
  Low = 0,
  High = 1,
  Words = 2,
}

const TYPE_MASK = 0xf;
const ENCODING_SHIFT = 4;
const RECENCY_SHIFT = 8;
const FLAGS_MASK = 0x3f;
const KEY_SHIFT = 6;
const KEY_MASK = 0x3ff;
const VALUE_SHIFT = 16;
const LONG_KEY_BYTES = 1023;
/** What Embedded and Inside have in common, and no other encoding. */
const PLACE_MASK = 7 << ENCODING_SHIFT;
const IN_ENTRY = Encoding.Embedded << ENCODING_SHIFT;

/** Strings up to here lie in their entry; the value field has 16 bits, larger blocks are runs. */
export const EMBEDDED_BYTES_MAX = 4096;

const TWO_32 = 2 ** 32;

export function typeOf(slab: Slab, entry: EntryRef): Type {
  return (slab.i32[(entry << 1) + Entry.Meta]! & TYPE_MASK) as Type;
}

export function encodingOf(slab: Slab, entry: EntryRef): Encoding {
  return ((slab.i32[(entry << 1) + Entry.Meta]! >>> ENCODING_SHIFT) & TYPE_MASK) as Encoding;
}

/** Another encoding for an entry whose value hangs on a root, before and after. */
export function setEncoding(slab: Slab, entry: EntryRef, encoding: Encoding): void {
  assert(encodingOf(slab, entry) !== Encoding.Embedded, 'an embedded value has no payload');
  const at = (entry << 1) + Entry.Meta;
  slab.i32[at] = (slab.i32[at]! & ~(TYPE_MASK << ENCODING_SHIFT)) | (encoding << ENCODING_SHIFT);
}

export function flagsOf(slab: Slab, entry: EntryRef): number {
  return slab.i32[(entry << 1) + Entry.Sizes]! & FLAGS_MASK;
}

export function setFlag(slab: Slab, entry: EntryRef, flag: EntryFlag): void {
  const at = (entry << 1) + Entry.Sizes;
  slab.i32[at] = slab.i32[at]! | flag;
}

export function clearFlag(slab: Slab, entry: EntryRef, flag: EntryFlag): void {
  const at = (entry << 1) + Entry.Sizes;
  slab.i32[at] = slab.i32[at]! & ~flag;
}

/** 24 bits: seconds, or minutes and a counter, as the eviction policy has it. */
export function recencyOf(slab: Slab, entry: EntryRef): number {
  return slab.i32[(entry << 1) + Entry.Meta]! >>> RECENCY_SHIFT;
}

export function setRecency(slab: Slab, entry: EntryRef, recency: number): void {
  const at = (entry << 1) + Entry.Meta;
  const meta = slab.i32[at]!;
  // Most accesses come within the same second: no store then, the cache line stays clean.
  if (meta >>> RECENCY_SHIFT !== recency) slab.i32[at] = (meta & 0xff) | (recency << RECENCY_SHIFT);
}

export function keyBytesOf(slab: Slab, entry: EntryRef): number {
  const sizes = slab.i32[(entry << 1) + Entry.Sizes]!;
  if ((sizes & EntryFlag.LongKey) === 0) return (sizes >>> KEY_SHIFT) & KEY_MASK;
  return slab.i32[longKeyAt(entry, sizes)]!;
}

function longKeyAt(entry: EntryRef, sizes: number): number {
  const at = (entry << 1) + Entry.Optional;
  return (sizes & EntryFlag.HasExpiry) !== 0 ? at + Expiry.Words : at;
}

/** Word index of the payload, or of the key where there is none. */
function payloadAt(entry: EntryRef, sizes: number): number {
  let at = (entry << 1) + Entry.Optional;
  if ((sizes & (EntryFlag.HasExpiry | EntryFlag.LongKey)) !== 0) {
    if ((sizes & EntryFlag.HasExpiry) !== 0) at += Expiry.Words;
    if ((sizes & EntryFlag.LongKey) !== 0) at += 1;
  }
  return at;
}

/**
 * For the touch pass, without the lock: word index of the root block of the collection whose entry
 * is likely to be at `ref`; 0 for a string, or a hash inside the entry. Only a hint, kept within
 * the slab by `mask`.
 */
export function likelyRoot(slab: Slab, ref: number, mask: number): number {
  const { i32 } = slab;
  const at = (ref << 1) & mask;
  const meta = i32[at + Entry.Meta]!;
  if ((meta & TYPE_MASK) === Type.String || (meta & PLACE_MASK) === IN_ENTRY) return 0;
  const sizes = i32[(at + Entry.Sizes) & mask]!;
  return (i32[payloadAt((at >> 1) as EntryRef, sizes) & mask]! << 1) & mask;
}

/** As likelyRoot: type and encoding of the entry. */
export function likelyKind(slab: Slab, ref: number, mask: number): number {
  return slab.i32[(ref << 1) & mask]! & 0xff;
}

/** What likelyKind gives for such an entry. */
export function kindOf(type: Type, encoding: Encoding): number {
  return type | (encoding << ENCODING_SHIFT);
}

function hasPayload(slab: Slab, entry: EntryRef): boolean {
  return (slab.i32[(entry << 1) + Entry.Meta]! & PLACE_MASK) !== IN_ENTRY;
}

/** Byte offset of the key. */
export function keyStartOf(slab: Slab, entry: EntryRef): number {
  const sizes = slab.i32[(entry << 1) + Entry.Sizes]!;
  const at = payloadAt(entry, sizes);
  return (hasPayload(slab, entry) ? at + Payload.Words : at) << 2;
}

/** Has the entry the key u8[start, start + length)? */
export function hasKey(
  slab: Slab,
  ref: number,
  u8: Uint8Array,
  start: number,
  length: number,
): boolean {
  const entry = ref as EntryRef;
  if (keyBytesOf(slab, entry) !== length) return false;
  return equalBytes(slab.u8, keyStartOf(slab, entry), u8, start, length);
}

export function hashOfEntry(slab: Slab, ref: number): number {
  const entry = ref as EntryRef;
  return hashBytes(slab.u8, keyStartOf(slab, entry), keyBytesOf(slab, entry));
}

export function hasExpiry(slab: Slab, entry: EntryRef): boolean {
  return (slab.i32[(entry << 1) + Entry.Sizes]! & EntryFlag.HasExpiry) !== 0;
}

/** Expiry in ms since 1970, -1 for none. Exact below 2^53, near enough to compare above. */
export function expiryOf(slab: Slab, entry: EntryRef): number {
  if (!hasExpiry(slab, entry)) return -1;
  const at = (entry << 1) + Entry.Optional;
  return slab.i32[at + Expiry.High]! * TWO_32 + (slab.i32[at + Expiry.Low]! >>> 0);
}

export function expiryLowOf(slab: Slab, entry: EntryRef): number {
  return slab.i32[(entry << 1) + Entry.Optional + Expiry.Low]!;
}

export function expiryHighOf(slab: Slab, entry: EntryRef): number {
  return slab.i32[(entry << 1) + Entry.Optional + Expiry.High]!;
}

/** Overwrites the expiry of an entry that has one. */
export function writeExpiry(slab: Slab, entry: EntryRef, low: number, high: number): void {
  assert(hasExpiry(slab, entry), 'only an entry with room for an expiry has one written');
  const at = (entry << 1) + Entry.Optional;
  slab.i32[at + Expiry.Low] = low;
  slab.i32[at + Expiry.High] = high;
}

/** Where the expiry index holds this entry: a word index, see expire.ts. */
export function placeOf(slab: Slab, entry: EntryRef): number {
  return slab.i32[(entry << 1) + Entry.Optional + Expiry.Place]!;
}

export function setPlace(slab: Slab, entry: EntryRef, place: number): void {
  slab.i32[(entry << 1) + Entry.Optional + Expiry.Place] = place;
}

/** The payload's two words: an int64, or a ref and a length. */
export function payloadLow(slab: Slab, entry: EntryRef): number {
  return slab.i32[payloadAt(entry, slab.i32[(entry << 1) + Entry.Sizes]!)]!;
}

export function payloadHigh(slab: Slab, entry: EntryRef): number {
  return slab.i32[payloadAt(entry, slab.i32[(entry << 1) + Entry.Sizes]!) + Payload.High]!;
}

export function setPayload(slab: Slab, entry: EntryRef, low: number, high: number): void {
  const at = payloadAt(entry, slab.i32[(entry << 1) + Entry.Sizes]!);
  slab.i32[at + Payload.Low] = low;
  slab.i32[at + Payload.High] = high;
}

/** Byte offset and length of an embedded value. */
export function embeddedStartOf(slab: Slab, entry: EntryRef): number {
  const sizes = slab.i32[(entry << 1) + Entry.Sizes]!;
  const at = payloadAt(entry, sizes) << 2;
  if ((sizes & EntryFlag.LongKey) === 0) return at + ((sizes >>> KEY_SHIFT) & KEY_MASK);
  return at + slab.i32[longKeyAt(entry, sizes)]!;
}

/** Where the packed list of a hash lies that is inside its entry. */
export function insideOf(slab: Slab, entry: EntryRef): BlockRef {
  return ((embeddedStartOf(slab, entry) + 7) >> 3) as BlockRef;
}

export function embeddedBytesOf(slab: Slab, entry: EntryRef): number {
  return slab.i32[(entry << 1) + Entry.Sizes]! >>> VALUE_SHIFT;
}

export function setEmbeddedBytes(slab: Slab, entry: EntryRef, bytes: number): void {
  const at = (entry << 1) + Entry.Sizes;
  slab.i32[at] = (slab.i32[at]! & 0xffff) | (bytes << VALUE_SHIFT);
}

/** Does a value of this encoding lie in the entry, which has no payload then? */
export function liesInEntry(encoding: Encoding): boolean {
  return encoding === Encoding.Embedded || encoding === Encoding.Inside;
}

/**
 * Copies the value that lies in an entry into another, which has the same encoding and as many
 * bytes for it.
 */
export function copyInEntry(source: Slab, entry: EntryRef, target: Slab, copy: EntryRef): void {
  const isInside = encodingOf(source, entry) === Encoding.Inside;
  const from = isInside ? insideOf(source, entry) << 3 : embeddedStartOf(source, entry);
  const to = isInside ? insideOf(target, copy) << 3 : embeddedStartOf(target, copy);
  copyBytes(source.u8, from, target.u8, to, embeddedBytesOf(source, entry));
}

/** Bytes of an entry with these parts. */
export function entryBytes(
  encoding: Encoding,
  keyBytes: number,
  valueBytes: number,
  isVolatile: boolean,
): number {
  let bytes = Entry.Optional * 4 + keyBytes;
  if (isVolatile) bytes += Expiry.Words * 4;
  if (keyBytes >= LONG_KEY_BYTES) bytes += 4;
  if (encoding === Encoding.Embedded) return bytes + valueBytes;
  if (encoding === Encoding.Inside) return ((bytes + 7) & ~7) + valueBytes;
  return bytes + Payload.Words * 4;
}

/**
 * Writes the head of an entry into a fresh block: everything but payload, key, expiry and value,
 * which are undefined until the caller writes them.
 */
export function writeHead(
  slab: Slab,
  block: BlockRef,
  type: Type,
  encoding: Encoding,
  keyBytes: number,
  valueBytes: number,
  flags: number,
  recency: number,
): EntryRef {
  const { i32 } = slab;
  const entry = block as number as EntryRef;
  const at = entry << 1;
  const isLong = keyBytes >= LONG_KEY_BYTES;
  i32[at + Entry.Meta] = type | (encoding << ENCODING_SHIFT) | (recency << RECENCY_SHIFT);
  const bits = isLong ? flags | EntryFlag.LongKey : flags;
  const sizes =
    bits |
    ((isLong ? KEY_MASK : keyBytes) << KEY_SHIFT) |
    ((liesInEntry(encoding) ? valueBytes : 0) << VALUE_SHIFT);
  i32[at + Entry.Sizes] = sizes;
  if (isLong) i32[longKeyAt(entry, sizes)] = keyBytes;
  return entry;
}

/** Bytes the entry takes now, without slack. */
export function bytesOfEntry(slab: Slab, entry: EntryRef): number {
  return entryBytes(
    encodingOf(slab, entry),
    keyBytesOf(slab, entry),
    embeddedBytesOf(slab, entry),
    hasExpiry(slab, entry),
  );
}

/** Bytes its block could hold. */
export function roomOfEntry(slab: Slab, entry: EntryRef): number {
  return capacityOf(slab, entry as number as BlockRef);
}

export function allocateEntry(slab: Slab, bytes: number): BlockRef {
  const block = allocate(slab, bytes);
  assert(block !== NONE, 'memory for an entry was reserved');
  return block;
}

export function releaseEntry(slab: Slab, entry: EntryRef): void {
  release(slab, entry as number as BlockRef);
}

/** One line for humans. */
export function describeEntry(slab: Slab, entry: EntryRef): string {
  const start = keyStartOf(slab, entry);
  const key = Buffer.from(slab.u8.slice(start, start + keyBytesOf(slab, entry))).toString('latin1');
  return (
    `entry ${entry} type ${typeOf(slab, entry)} encoding ${encodingOf(slab, entry)} ` +
    `flags ${flagsOf(slab, entry)} key ${JSON.stringify(key)} expiry ${expiryOf(slab, entry)}`
  );
}

/** Asserts what must hold for any entry. */
export function checkEntry(slab: Slab, entry: EntryRef): void {
  assert(entry > 0, 'an entry is not NONE');
  assert(bytesOfEntry(slab, entry) <= roomOfEntry(slab, entry), 'an entry fits its block');
  assert(embeddedBytesOf(slab, entry) <= EMBEDDED_BYTES_MAX, 'an embedded value is short');
}
