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
  Miss = 1024,
  Array = 2048,
}

/** The classes that letters of `notify-keyspace-events` name; K and E are forms, not classes. */
export function notifyClassesOf(letters: string): number {
  let classes = 0;
  for (const letter of letters) classes |= CLASS_OF_LETTER[letter] ?? 0;
  return classes;
}

// Events of modules, d, are accepted like Redis accepts them: there are none.
const CLASS_OF_LETTER: Readonly<Record<string, Notify | undefined>> = {
  g: Notify.Generic,
  $: Notify.String,
  l: Notify.List,
  s: Notify.Set,
  h: Notify.Hash,
  z: Notify.SortedSet,
  x: Notify.Expired,
  e: Notify.Evicted,
  n: Notify.New,
  t: Notify.Stream,
  m: Notify.Miss,
  a: Notify.Array,
};

/** Hears of changed keys under their partitions' locks; wired to pub/sub. */
export interface NotificationSink {
  /** The classes that notify-keyspace-events selects; 0 is the rule. */
  classes: number;
  /** Borrows the key u8[start, start + length). `event` is ASCII. */
  notify(
    partition: number,
    event: string,
    database: number,
    u8: Uint8Array,
    start: number,
    length: number,
  ): void;
}

const CRLF = 0x0a0d;
const SCRATCH_BYTES = 64 * 1024;

/**
 * The records of a transaction, one behind the other: they become one record, with one number. Each
 * database but the first is selected in between, see log/record.ts.
 */
class Gathering implements RecordSink {
  isOn = false;
  private readonly sink: RecordSink;
  private u8 = new Uint8Array(new ArrayBuffer(SCRATCH_BYTES));
  private at = 0;
  private firstDatabase = 0;
  private database = 0;

  constructor(sink: RecordSink) {
    this.sink = sink;
  }

  begin(): void {
    this.isOn = this.sink.isOn;
  }

  append(database: number, u8: Uint8Array, start: number, length: number): void {
    if (this.at === 0) this.firstDatabase = database;
    else if (database !== this.database) this.select(database);
    this.database = database;
    this.write(u8, start, length);
  }

  private select(database: number): void {
    const index = String(database);
    const words = `*2\r\n$6\r\nSELECT\r\n$${index.length}\r\n${index}\r\n`;
    const bytes = Buffer.from(words, 'latin1');
    this.write(bytes, 0, bytes.length);
  }

  private write(u8: Uint8Array, start: number, length: number): void {
    if (this.at + length > this.u8.length) {
      const size = Math.max(this.u8.length * 2, this.at + length);
      const grown = new Uint8Array(new ArrayBuffer(size));
      grown.set(this.u8.subarray(0, this.at));
      this.u8 = grown;
    }
    copyBytes(u8, start, this.u8, this.at, length);
    this.at += length;
  }

  /** Forgets what there is. */
  drop(): void {
    this.at = 0;
  }

  /** Hands over what there is. Returns where records go from now on. */
  end(): RecordSink {
    if (this.at > 0) this.sink.append(this.firstDatabase, this.u8, 0, this.at);
    this.at = 0;
    if (this.u8.length > 16 * SCRATCH_BYTES) {
      this.u8 = new Uint8Array(new ArrayBuffer(SCRATCH_BYTES));
    }
    return this.sink;
  }
}

const NOBODY: RecordSink = { isOn: false, append() {} };

export class Effects {
  /** Where records go; inside a transaction, what gathers them. */
  sink: RecordSink;
  private readonly gathering: Gathering;
  /** Where records went before nobody wanted them. */
  private heard: RecordSink = NOBODY;
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
    this.gathering = new Gathering(sink);
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
      const start = args.startOf(index);
      const length = args.lengthOf(index);
      const { notifications } = this;
      notifications.notify(partition.index, event, partition.database, args.u8, start, length);
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

  /** What follows is one change: its records become one. */
  beginTransaction(): void {
    this.gathering.begin();
    this.sink = this.gathering;
  }

  endTransaction(): void {
    this.sink = this.gathering.end();
  }

  /** Nothing of the transaction is recorded: the server ends in its middle. */
  dropTransaction(): void {
    this.gathering.drop();
  }

  /** A script does not want its changes recorded, or wants it again (redis.set_repl). */
  setMuted(isMuted: boolean): void {
    if (isMuted === (this.sink === NOBODY)) return;
    if (isMuted) {
      this.heard = this.sink;
      this.sink = NOBODY;
    } else this.sink = this.heard;
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

  /** Notifies of what happened to a key without its change by a command: it expired, it is new. */
  announce(
    partition: Partition,
    u8: Uint8Array,
    start: number,
    length: number,
    notify: Notify,
    event: string,
  ): void {
    if ((this.notifications.classes & notify) === 0) return;
    this.notifications.notify(partition.index, event, partition.database, u8, start, length);
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
