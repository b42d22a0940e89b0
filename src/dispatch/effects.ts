// What follows a change: the record for log and feed, notifications, wake-ups, watchers. Handlers
// say what they changed; `settle` does the rest, last thing under the command's locks.
//
// The record of a command is its own words, unless the handler wrote another form (EXPIRE leaves
// PEXPIREAT): then the words between `begin` and `end` replace them. A command may leave several.

import { digitsOfInt64, writeInt64, writeInteger } from '../base/ascii.js';
import { copyBytes } from '../base/bytes.js';
import type { Slices } from '../base/slices.js';
import type { Partition } from '../keyspace/partition.js';
import { Header } from '../slab/slab.js';
import type { Text } from '../types/hash/hash.js';

/** Takes the records of this thread's changes. */
export interface RecordSink {
  /** False: nobody wants records, and no numbers are taken. */
  isOn: boolean;
  /** One atomic change in `database`: RESP commands in u8[start, start + length). */
  append(database: number, u8: Uint8Array, start: number, length: number): void;
}

/** Classes of keyspace notifications, as `notify-keyspace-events` selects them. */
export const enum Notify {
  /** A change that nobody is notified of. */
  None = 0,
  Generic = 1,
  String = 2,
  List = 4,
  Set = 8,
  Hash = 16,
  SortedSet = 32,
  Expired = 64,
  Evicted = 128,
  New = 256,
  Stream = 512,
}

/** Hears of changed keys; wired to pub/sub. */
export interface NotificationSink {
  /** The classes somebody listens to; 0 is the rule. */
  classes: number;
  notify(notify: Notify, event: string, database: number, key: Uint8Array): void;
}

const CRLF = 0x0a0d;
const SCRATCH_BYTES = 64 * 1024;

export class Effects {
  readonly sink: RecordSink;
  readonly notifications: NotificationSink;
  /** Changes of the command being run: Redis's "dirty". */
  dirty = 0;
  /** Changes since the thread started. */
  changes = 0;
  /** Records written by the handler itself. */
  private scratch = new Uint8Array(new ArrayBuffer(SCRATCH_BYTES));
  private scratchAt = 0;
  private isReplaced = false;

  constructor(sink: RecordSink, notifications: NotificationSink) {
    this.sink = sink;
    this.notifications = notifications;
  }

  /** Does anybody want records? If not, handlers need not write replacements. */
  get isRecording(): boolean {
    return this.sink.isOn;
  }

  /** The key at word `index`, in `partition`, was changed. */
  changed(partition: Partition, args: Slices, index: number, notify: Notify, event: string): void {
    this.dirty++;
    if (partition.slab.i32[Header.Listeners] !== 0) {
      partition.keyspace.sinks.changed(
        partition,
        args.u8,
        args.startOf(index),
        args.lengthOf(index),
      );
    }
    if ((this.notifications.classes & notify) !== 0) {
      this.notifications.notify(notify, event, partition.database, args.copy(index));
    }
  }

  /** Starts a record of `count` words that stands in place of the command's own. */
  begin(count: number): void {
    this.isReplaced = true;
    this.header(0x2a, count);
  }

  /** A word of the record: text. */
  word(text: Uint8Array): void {
    this.bytes(text, 0, text.length);
  }

  /** A word of the record: argument `index` of the command. */
  arg(args: Slices, index: number): void {
    this.bytes(args.u8, args.startOf(index), args.lengthOf(index));
  }

  /** A word of the record: an int64 as text. */
  int64(low: number, high: number): void {
    this.header(0x24, digitsOfInt64(low, high));
    this.room(24);
    this.scratchAt += writeInt64(this.scratch, this.scratchAt, low, high);
    this.lineEnd();
  }

  bytes(u8: Uint8Array, start: number, length: number): void {
    this.header(0x24, length);
    this.room(length + 2);
    copyBytes(u8, start, this.scratch, this.scratchAt, length);
    this.scratchAt += length;
    this.lineEnd();
  }

  /** The command changed something, but there is nothing to record of it. */
  nothing(): void {
    this.isReplaced = true;
  }

  /**
   * Ends a command that may have changed something: takes its number and writes its record. Runs
   * under the command's locks, so that the order of records is the order of changes.
   */
  settle(database: number, args: Slices): void {
    this.changes += this.dirty;
    this.dirty = 0;
    if (this.sink.isOn) this.record(database, args);
    this.scratchAt = 0;
    this.isReplaced = false;
  }

  private record(database: number, args: Slices): void {
    if (!this.isReplaced) {
      // Nearly always: what the client sent is a RESP array already.
      if (args.rawEnd !== 0) {
        this.sink.append(database, args.u8, args.rawStart, args.rawEnd - args.rawStart);
        return;
      }
      this.begin(args.count);
      for (let index = 0; index < args.count; index++) this.arg(args, index);
    }
    if (this.scratchAt > 0) this.sink.append(database, this.scratch, 0, this.scratchAt);
    if (this.scratch.length > 16 * SCRATCH_BYTES) {
      this.scratch = new Uint8Array(new ArrayBuffer(SCRATCH_BYTES));
    }
  }

  /** A removal that no command asked for: a key expired or was evicted. */
  recordRemoval(database: number, u8: Uint8Array, start: number, length: number): void {
    this.changes++;
    if (!this.sink.isOn) return;
    // The running command may be writing its own record: this one comes before it, by itself.
    const { scratchAt, isReplaced } = this;
    this.begin(2);
    this.word(DEL);
    this.bytes(u8, start, length);
    this.sink.append(database, this.scratch, scratchAt, this.scratchAt - scratchAt);
    this.scratchAt = scratchAt;
    this.isReplaced = isReplaced;
  }

  /** A field of a hash expired, which no command asked for. */
  recordFieldRemoval(
    database: number,
    u8: Uint8Array,
    start: number,
    length: number,
    field: Text,
  ): void {
    this.changes++;
    if (!this.sink.isOn) return;
    const { scratchAt, isReplaced } = this;
    this.begin(3);
    this.word(HDEL);
    this.bytes(u8, start, length);
    this.bytes(field.u8, field.start, field.length);
    this.sink.append(database, this.scratch, scratchAt, this.scratchAt - scratchAt);
    this.scratchAt = scratchAt;
    this.isReplaced = isReplaced;
  }

  /** Notifies of what happened to a key without a command: fields of a hash have expired. */
  announce(
    partition: Partition,
    u8: Uint8Array,
    start: number,
    length: number,
    notify: Notify,
    event: string,
  ): void {
    if ((this.notifications.classes & notify) === 0) return;
    const key = new Uint8Array(u8.slice(start, start + length));
    this.notifications.notify(notify, event, partition.database, key);
  }

  private header(mark: number, value: number): void {
    this.room(24);
    this.scratch[this.scratchAt++] = mark;
    this.scratchAt += writeInteger(this.scratch, this.scratchAt, value);
    this.lineEnd();
  }

  private lineEnd(): void {
    this.scratch[this.scratchAt] = CRLF & 0xff;
    this.scratch[this.scratchAt + 1] = CRLF >> 8;
    this.scratchAt += 2;
  }

  private room(bytes: number): void {
    if (this.scratchAt + bytes <= this.scratch.length) return;
    const size = Math.max(this.scratch.length * 2, this.scratchAt + bytes);
    const grown = new Uint8Array(new ArrayBuffer(size));
    grown.set(this.scratch.subarray(0, this.scratchAt));
    this.scratch = grown;
  }
}

const DEL = Buffer.from('DEL', 'latin1');
const HDEL = Buffer.from('HDEL', 'latin1');
