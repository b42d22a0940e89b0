// The digest of a dataset: the same keys and values give the same 40 digits, on this server and on
// Redis, whatever the order in which they were written. It is Redis's construction: a digest of
// each key and value, all of them combined by XOR, after the number of their database.

import { assert } from '../../base/assert.js';
import type { Context } from '../../dispatch/context.js';
import {
  type EntryRef,
  hasExpiry,
  keyBytesOf,
  keyStartOf,
  Type,
  typeOf,
} from '../../keyspace/entry.js';
import type { Partition } from '../../keyspace/partition.js';
import { readString, StringBytes } from '../../keyspace/strings.js';
import type { Slab } from '../../slab/slab.js';
import { bucketAtPosition, eachInBucket, nextPosition, SCAN_END } from '../../structs/table.js';

const DIGEST_BYTES = 20;
const BLOCK_BYTES = 64;
const LENGTH_AT = 56;
const ROUNDS = 80;

const EXPIRE_MARK = Buffer.from('!!expire!!', 'latin1');

const schedule = new Int32Array(ROUNDS);
const block = Buffer.alloc(BLOCK_BYTES);
const state = new Int32Array(5);
const hashed = Buffer.alloc(DIGEST_BYTES);
const number = Buffer.alloc(4);
const value = new StringBytes();

/** SHA-1 (FIPS 180-4) of u8[start, start + length), into `hashed`. */
function sha1(u8: Uint8Array, start: number, length: number): void {
  state.set([0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0]);
  const whole = length - (length % BLOCK_BYTES);
  for (let at = 0; at < whole; at += BLOCK_BYTES) {
    block.set(u8.subarray(start + at, start + at + BLOCK_BYTES));
    mixBlock();
  }
  // The rest, a single 1 bit, zeros, and the length in bits: one block or two.
  block.fill(0);
  block.set(u8.subarray(start + whole, start + length));
  block[length - whole] = 0x80;
  if (length - whole >= LENGTH_AT) {
    mixBlock();
    block.fill(0);
  }
  block.writeUInt32BE(Math.floor(length / 2 ** 29), LENGTH_AT);
  block.writeUInt32BE((length * 8) % 2 ** 32, LENGTH_AT + 4);
  mixBlock();
  state.forEach((word, index) => {
    hashed.writeInt32BE(word, index * 4);
  });
}

function mixBlock(): void {
  for (let round = 0; round < 16; round++) schedule[round] = block.readInt32BE(round * 4);
  for (let round = 16; round < ROUNDS; round++) {
    const word =
      schedule[round - 3]! ^ schedule[round - 8]! ^ schedule[round - 14]! ^ schedule[round - 16]!;
    schedule[round] = (word << 1) | (word >>> 31);
  }
  let [a, b, c, d, e] = state as unknown as [number, number, number, number, number];
  for (let round = 0; round < ROUNDS; round++) {
    let mixed: number;
    if (round < 20) mixed = ((b & c) | (~b & d)) + 0x5a827999;
    else if (round < 40) mixed = (b ^ c ^ d) + 0x6ed9eba1;
    else if (round < 60) mixed = ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdc;
    else mixed = (b ^ c ^ d) + 0xca62c1d6;
    const next = (((a << 5) | (a >>> 27)) + mixed + e + schedule[round]!) | 0;
    e = d;
    d = c;
    c = (b << 30) | (b >>> 2);
    b = a;
    a = next;
  }
  [a, b, c, d, e].forEach((word, index) => {
    state[index] = state[index]! + word;
  });
}

/** digest ^= SHA1(bytes): the order of several such steps does not matter. */
function xorDigest(digest: Uint8Array, u8: Uint8Array, start: number, length: number): void {
  sha1(u8, start, length);
  for (let index = 0; index < DIGEST_BYTES; index++)
    digest[index] = digest[index]! ^ hashed[index]!;
}

/** digest = SHA1(digest ^ SHA1(bytes)): the order of several such steps matters. */
function mixDigest(digest: Uint8Array, u8: Uint8Array, start: number, length: number): void {
  xorDigest(digest, u8, start, length);
  sha1(digest, 0, DIGEST_BYTES);
  digest.set(hashed);
}

function mixNumber(digest: Uint8Array, figure: number): void {
  number.writeUInt32BE(figure, 0);
  mixDigest(digest, number, 0, number.length);
}

/** Mixes an entry's type, value and whether it expires into `digest`. */
export function mixValue(digest: Uint8Array, slab: Slab, entry: EntryRef): void {
  assert(typeOf(slab, entry) === Type.String, 'the digest knows the type of every entry');
  mixNumber(digest, Type.String);
  readString(slab, entry, value);
  mixDigest(digest, value.u8, value.start, value.length);
  if (hasExpiry(slab, entry)) xorDigest(digest, EXPIRE_MARK, 0, EXPIRE_MARK.length);
}

/** The digest of all keys of all databases. Each partition is as it is when its turn comes. */
export function digestOfAll(context: Context): Uint8Array {
  const { keyspace } = context;
  const total = new Uint8Array(DIGEST_BYTES);
  for (let database = 0; database < keyspace.databaseCount; database++) {
    if (keyspace.partitions.every((partition) => partition.countOf(database) === 0)) continue;
    mixNumber(total, database);
    for (const partition of keyspace.partitions) {
      context.visitDatabase(partition.index, database, (visited) => xorPartition(total, visited));
    }
  }
  return total;
}

function xorPartition(total: Uint8Array, partition: Partition): void {
  const { slab, tableRoot } = partition;
  const xorEntry = (_: Slab, ref: number) => {
    const entry = ref as EntryRef;
    const digest = new Uint8Array(DIGEST_BYTES);
    mixDigest(digest, slab.u8, keyStartOf(slab, entry), keyBytesOf(slab, entry));
    mixValue(digest, slab, entry);
    xorDigest(total, digest, 0, DIGEST_BYTES);
  };
  for (let position = 0; position < SCAN_END; position = nextPosition(slab, tableRoot, position)) {
    const bucket = bucketAtPosition(slab, tableRoot, position);
    if (bucket !== 0) eachInBucket(slab, bucket, xorEntry);
  }
}

export function hexOf(digest: Uint8Array): string {
  return Buffer.from(digest).toString('hex');
}

export function emptyDigest(): Uint8Array {
  return new Uint8Array(DIGEST_BYTES);
}
