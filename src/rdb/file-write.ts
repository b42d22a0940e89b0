// Whole RDB files, written key by key through a buffer of a few kilobytes:
//
//   ┌───────────────┬──────────────┬───────────────┬───────────────────────────┬─────┬──────────┐
//   │ REDIS, version│ facts: name, │ libraries of  │ per database: its number, │ 255 │ CRC64 of │
//   │ as 4 digits   │ value, …     │ functions, …  │ how many keys, keys       │     │ all else │
//   └───────────────┴──────────────┴───────────────┴───────────────────────────┴─────┴──────────┘
//
//   a key: what is not there is left out
//   ┌─────┬────────────┬───────────────────────────┬──────┬─────┬───────┐
//   │ 252 │ ms since   │ 248, seconds since used,  │ type │ key │ value │
//   │     │ 1970, 8    │ or 249, how often used    │      │     │       │
//   └─────┴────────────┴───────────────────────────┴──────┴─────┴───────┘
//
// The version is 10, which Redis 7.0 reads, until a value comes that needs a newer one: then the
// file's first bytes are written again at the end, if where it goes can do that; otherwise such a
// value is refused unless the version was said at the beginning.

import { assert } from '../base/assert.js';
import { Crc64 } from '../base/crc.js';
import {
  type EntryRef,
  expiryHighOf,
  expiryLowOf,
  hasExpiry,
  keyBytesOf,
  keyStartOf,
  recencyOf,
} from '../keyspace/entry.js';
import type { Slab } from '../slab/slab.js';
import { crc64WithZeros } from './crc-shift.js';
import { writeLength } from './length.js';
import { Opcode, RDB_VERSION_WIDEST, type RdbType, versionOf } from './rdb-type.js';
import { ByteSink } from './sink.js';
import { writeText } from './strings.js';
import { type Form, isWritable, rdbTypeOf, writeValue } from './write.js';

/** Where a file goes. */
export interface RdbOutput {
  /** Appends u8[0, length), which is used again as soon as this returns. */
  write(u8: Uint8Array, length: number): void;
  /** Writes u8[0, length) over the beginning of the file. A socket has no such thing. */
  rewrite?(u8: Uint8Array, length: number): void;
}

/** What the eviction policy looks at, and files therefore keep; Redis does so as well. */
export type Recency = 'none' | 'lru' | 'lfu';

export interface RecordForm extends Form {
  readonly recency: Recency;
  /** For recency under LRU: what accesses stamp now (Keyspace.recency). */
  readonly recencyNow: number;
}

export interface RdbFileForm extends RecordForm {
  /** A checksum stands at the end; otherwise zeros, which are not checked. */
  readonly checksums: boolean;
  /** The version to begin with; 10 unless newer values are known to come. */
  readonly version?: number;
}

const BUFFER_BYTES = 256 * 1024;
const HEAD_BYTES = 9;
const RECENCY_MASK = 0xffffff;
const COUNTER_MASK = 0xff;

/**
 * Writes a key as it stands in a file, and returns the version that its value needs; 0 if nothing
 * is written, because of a hash no field is left.
 */
export function writeRecord(sink: ByteSink, slab: Slab, entry: EntryRef, form: RecordForm): number {
  if (form.nowMs >= 0 && !isWritable(slab, entry, form)) return 0;
  const type = rdbTypeOf(slab, entry, form);
  writeRecordHead(sink, slab, entry, type, form);
  writeValue(sink, slab, entry, form);
  return versionOf(type);
}

/** What stands before the value. */
export function writeRecordHead(
  sink: ByteSink,
  slab: Slab,
  entry: EntryRef,
  type: RdbType,
  form: RecordForm,
): void {
  if (hasExpiry(slab, entry)) {
    sink.byte(Opcode.ExpiryMs);
    sink.little(expiryLowOf(slab, entry), 4);
    sink.little(expiryHighOf(slab, entry), 4);
  }
  if (form.recency !== 'none') writeRecency(sink, recencyOf(slab, entry), form);
  sink.byte(type);
  writeText(sink, slab.u8, keyStartOf(slab, entry), keyBytesOf(slab, entry), form.compresses);
}

function writeRecency(sink: ByteSink, recency: number, form: RecordForm): void {
  if (form.recency === 'lru') {
    sink.byte(Opcode.Idle);
    writeLength(sink, (form.recencyNow - recency) & RECENCY_MASK);
  } else {
    sink.byte(Opcode.Frequency);
    sink.byte(recency & COUNTER_MASK);
  }
}

export class RdbFileWriter {
  private readonly output: RdbOutput;
  private readonly form: RdbFileForm;
  private readonly sink: ByteSink;
  private readonly crc = new Crc64();
  private readonly firstVersion: number;
  private neededVersion: number;
  private database = -1;
  /** Databases whose sizes were written. */
  private readonly sized = new Set<number>();
  private keyCount = 0;

  constructor(output: RdbOutput, form: RdbFileForm) {
    this.output = output;
    this.form = form;
    this.firstVersion = form.version ?? RDB_VERSION_WIDEST;
    this.neededVersion = this.firstVersion;
    this.sink = new ByteSink((u8, length) => this.handOn(u8, length), BUFFER_BYTES);
  }

  private handOn(u8: Uint8Array, length: number): void {
    if (this.form.checksums) this.crc.update(u8, 0, length);
    this.output.write(u8, length);
  }

  /** Bytes so far, those that are still in the buffer included. */
  get bytes(): number {
    return this.sink.written;
  }

  get keys(): number {
    return this.keyCount;
  }

  /** The version that the file has, or will have when it ends. */
  get version(): number {
    return this.neededVersion;
  }

  /** Begins the file, with facts about it that readers show or use: redis-ver, ctime, … */
  begin(facts: Iterable<readonly [name: string, value: string]>): void {
    const head = headOf(this.firstVersion);
    this.sink.bytes(head, 0, head.length);
    for (const [name, value] of facts) this.fact(name, value);
  }

  private fact(name: string, value: string): void {
    this.sink.byte(Opcode.Aux);
    this.text(Buffer.from(name));
    this.text(Buffer.from(value));
  }

  private text(bytes: Uint8Array): void {
    writeText(this.sink, bytes, 0, bytes.length, this.form.compresses);
  }

  /** The code of a library of functions; all of them come before the first key. */
  functions(code: Uint8Array): void {
    assert(this.database === -1, 'functions come before keys');
    this.sink.byte(Opcode.Function);
    this.text(code);
  }

  /** The keys that follow are of this database; says how many there are, at least about. */
  select(database: number, keys: number, volatileKeys: number): void {
    if (database === this.database) return;
    this.database = database;
    this.sink.byte(Opcode.SelectDatabase);
    writeLength(this.sink, database);
    if (this.sized.has(database)) return;
    this.sized.add(database);
    this.sink.byte(Opcode.ResizeDatabase);
    writeLength(this.sink, keys);
    writeLength(this.sink, volatileKeys);
  }

  /** Writes a key of the selected database; false when nothing of it is left to write. */
  entry(slab: Slab, entry: EntryRef): boolean {
    const version = writeRecord(this.sink, slab, entry, this.form);
    if (version === 0) return false;
    this.need(version);
    this.keyCount++;
    return true;
  }

  /** Writes `keys` keys of the selected database that writeRecord has made bytes of before. */
  records(u8: Uint8Array, start: number, length: number, keys: number, version: number): void {
    this.need(version);
    this.sink.bytes(u8, start, length);
    this.keyCount += keys;
  }

  /**
   * For a value that is written piece by piece: where its record goes (expiry, type, key, value),
   * in the parts and the order of writeRecord.
   */
  record(version: number): ByteSink {
    this.need(version);
    this.keyCount++;
    return this.sink;
  }

  private need(version: number): void {
    if (version <= this.neededVersion) return;
    if (this.output.rewrite === undefined) {
      throw new Error(`a value needs RDB version ${version}, the file says ${this.neededVersion}`);
    }
    this.neededVersion = version;
  }

  /** Ends the file: nothing is left in the buffer. */
  end(): void {
    const { sink, crc } = this;
    sink.byte(Opcode.End);
    sink.end();
    if (this.neededVersion !== this.firstVersion) this.rewriteHead();
    const { checksums } = this.form;
    const { lo, hi } = crc;
    sink.little(checksums ? lo : 0, 4);
    sink.little(checksums ? hi : 0, 4);
    sink.end();
  }

  private rewriteHead(): void {
    const { crc, sink } = this;
    const head = headOf(this.neededVersion);
    this.output.rewrite!(head, head.length);
    const before = headOf(this.firstVersion);
    const difference = new Crc64();
    difference.update(
      head.map((byte, index) => byte ^ before[index]!),
      0,
      HEAD_BYTES,
    );
    const { low, high } = crc64WithZeros(difference.lo, difference.hi, sink.written - HEAD_BYTES);
    crc.lo = (crc.lo ^ low) >>> 0;
    crc.hi = (crc.hi ^ high) >>> 0;
  }
}

function headOf(version: number): Uint8Array {
  return Buffer.from(`REDIS${String(version).padStart(4, '0')}`, 'latin1');
}
