// The scripts that the server knows, by the SHA-1 of their source: shared by all threads, so that
// what SCRIPT LOAD answers on one connection holds for EVALSHA on every other.
//
//   words:  │ lock, 16 words │ Line: version, count │ buckets: first record │
//
//   record, a block of the slab
//   ┌──────┬───────┬────────────────┬──────────────────────┐
//   │ next │ bytes │ SHA-1, 5 words │ source               │
//   └──────┴───────┴────────────────┴──────────────────────┘
//
// Who writes what, and what orders it
// - Everything but the version is read and written under the lock alone. It is the last in the
//   order of all locks, as that of pub/sub: it may be taken while partitions' locks are held, and
//   nothing is taken or posted while it is held.
// - The version counts flushes. Each thread keeps what it has compiled for as long as the version
//   is the one that it was compiled under, so that a script that runs often touches one shared
//   word. A flush raises it before its reply leaves: whoever hears of the flush cannot run an old
//   script any more.

import { assert } from '../base/assert.js';
import { copyBytes } from '../base/bytes.js';
import { sha1Of } from '../base/sha1.js';
import { allocate, formatSlab, PAGE_BYTES, reserve, resetSlab } from '../slab/alloc.js';
import { type Holder, holderOf, LOCK_WORDS, releaseLock, takeLock } from '../slab/lock.js';
import { NONE, Slab, usedBytesOf } from '../slab/slab.js';
import { createFunctions, type FunctionsShape } from './function-store.js';

const enum Line {
  Version = 0,
  Count = 1,
  Words = 16,
}

const enum Word {
  Next = 0,
  Bytes = Next + 1,
  Sha = Bytes + 1,
  Source = Sha + 5,
}

/** Words of a SHA-1. */
export const SHA_WORDS = 5;
const SHA_HEX_BYTES = 40;

const BUCKETS = 2 ** 14;
const LINE_AT: number = LOCK_WORDS;
const BUCKETS_AT = LINE_AT + Line.Words;
/** Room for all sources; only address space until it is used. */
const SOURCE_BYTES = 256 * 1024 * 1024;

/** Everything that a thread needs to use the registry; plain, so that it can be sent to one. */
export interface ScriptsShape {
  readonly words: SharedArrayBuffer;
  readonly sources: SharedArrayBuffer;
  /** Libraries of functions. */
  readonly functions: FunctionsShape;
}

/** Allocates the registry. Called once, before the threads start. */
export function createScripts(sourceBytes = SOURCE_BYTES): ScriptsShape {
  const sources = new SharedArrayBuffer(sourceBytes);
  formatSlab(new Slab(0, sources), 0);
  const words = new SharedArrayBuffer((BUCKETS_AT + BUCKETS) * 4);
  return { words, sources, functions: createFunctions() };
}

export class ScriptRegistry {
  private readonly words: Int32Array;
  private readonly slab: Slab;
  private readonly self: Holder;

  constructor(shape: ScriptsShape, thread: number) {
    this.words = new Int32Array(shape.words);
    this.slab = new Slab(0, shape.sources);
    this.self = holderOf(thread);
  }

  /** Changes with every flush. */
  get version(): number {
    // Acquire: whoever sees a flush's version sees that the scripts are gone.
    return Atomics.load(this.words, LINE_AT + Line.Version);
  }

  /** Scripts that are known; a hint. */
  get count(): number {
    return this.words[LINE_AT + Line.Count]!;
  }

  /** Bytes of all records. */
  get bytes(): number {
    return this.count === 0 ? 0 : usedBytesOf(this.slab);
  }

  has(sha: Int32Array): boolean {
    this.take();
    const at = this.find(sha);
    this.give();
    return at !== NONE;
  }

  /** A copy of the source, or null. */
  sourceOf(sha: Int32Array): Uint8Array<ArrayBuffer> | null {
    const { slab } = this;
    this.take();
    const at = this.find(sha);
    let source: Uint8Array<ArrayBuffer> | null = null;
    if (at !== NONE) {
      const start = (at + Word.Source) << 2;
      source = new Uint8Array(new ArrayBuffer(slab.i32[at + Word.Bytes]!));
      source.set(slab.u8.subarray(start, start + source.length));
    }
    this.give();
    return source;
  }

  /** Adds a script unless it is known. False when there is no memory for it. */
  add(sha: Int32Array, u8: Uint8Array, start: number, length: number): boolean {
    this.take();
    const isThere = this.find(sha) !== NONE || this.insert(sha, u8, start, length);
    this.give();
    return isThere;
  }

  private insert(sha: Int32Array, u8: Uint8Array, start: number, length: number): boolean {
    const { slab, words } = this;
    const bytes = Word.Source * 4 + length;
    if (bytes > slab.bytes - PAGE_BYTES || !reserve(slab, bytes)) return false;
    const at = allocate(slab, bytes) << 1;
    const bucket = bucketOf(sha);
    slab.i32[at + Word.Next] = words[bucket]!;
    slab.i32[at + Word.Bytes] = length;
    for (let word = 0; word < SHA_WORDS; word++) slab.i32[at + Word.Sha + word] = sha[word]!;
    copyBytes(u8, start, slab.u8, (at + Word.Source) << 2, length);
    words[bucket] = at;
    words[LINE_AT + Line.Count] = words[LINE_AT + Line.Count]! + 1;
    return true;
  }

  /** Forgets all scripts. */
  flush(): void {
    const { words } = this;
    this.take();
    if (words[LINE_AT + Line.Count] !== 0) {
      words.fill(0, BUCKETS_AT);
      words[LINE_AT + Line.Count] = 0;
      resetSlab(this.slab);
    }
    // Behind the change, so that whoever sees the version cannot find an old script.
    Atomics.add(words, LINE_AT + Line.Version, 1);
    this.give();
  }

  /** The word where the record begins, or NONE. Under the lock. */
  private find(sha: Int32Array): number {
    const { i32 } = this.slab;
    let at = this.words[bucketOf(sha)]!;
    while (at !== NONE && !isOf(i32, at, sha)) at = i32[at + Word.Next]!;
    return at;
  }

  private take(): void {
    takeLock(this.words, 0, this.self);
  }

  private give(): void {
    releaseLock(this.words, 0);
  }
}

function bucketOf(sha: Int32Array): number {
  return BUCKETS_AT + (sha[0]! & (BUCKETS - 1));
}

function isOf(i32: Int32Array, at: number, sha: Int32Array): boolean {
  for (let word = 0; word < SHA_WORDS; word++) {
    if (i32[at + Word.Sha + word] !== sha[word]) return false;
  }
  return true;
}

// ---- SHA-1 ------------------------------------------------------------------------------------

/** The SHA-1 of u8[start, start + length), as words in `out`. */
export function shaOf(u8: Uint8Array, start: number, length: number, out: Int32Array): void {
  const digest = sha1Of(u8, start, length);
  for (let word = 0; word < SHA_WORDS; word++) out[word] = digest.readInt32BE(word * 4);
}

/** The words of a SHA-1 as forty hexadecimal digits, lower case. */
export function shaText(sha: Int32Array): string {
  let text = '';
  for (const word of sha) text += (word >>> 0).toString(16).padStart(8, '0');
  return text;
}

/** Reads forty hexadecimal digits in either case; false if they are not. */
export function readSha(u8: Uint8Array, start: number, length: number, out: Int32Array): boolean {
  if (length !== SHA_HEX_BYTES) return false;
  for (let word = 0; word < SHA_WORDS; word++) {
    let value = 0;
    for (let at = start + word * 8; at < start + word * 8 + 8; at++) {
      const digit = digitOf(u8[at]!);
      if (digit < 0) return false;
      value = (value << 4) | digit;
    }
    out[word] = value;
  }
  return true;
}

function digitOf(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const folded = byte | 0x20;
  return folded >= 0x61 && folded <= 0x66 ? folded - 0x57 : -1;
}

/** Walks everything and throws at the first contradiction. Nobody may write meanwhile. */
export function checkScripts(shape: ScriptsShape): void {
  const words = new Int32Array(shape.words);
  const slab = new Slab(0, shape.sources);
  const sha = new Int32Array(SHA_WORDS);
  let count = 0;
  for (let bucket = BUCKETS_AT; bucket < BUCKETS_AT + BUCKETS; bucket++) {
    for (let at = words[bucket]!; at !== NONE; at = slab.i32[at + Word.Next]!) {
      shaOf(slab.u8, (at + Word.Source) << 2, slab.i32[at + Word.Bytes]!, sha);
      assert(isOf(slab.i32, at, sha), 'a script has the SHA-1 of its source');
      assert(bucketOf(sha) === bucket, 'a script stands in its bucket');
      count++;
      assert(count <= words[LINE_AT + Line.Count]!, 'the chains of scripts end');
    }
  }
  assert(words[LINE_AT + Line.Count] === count, 'scripts are counted');
}
