// Writing one snapshot to a file: the cut, the walk through all partitions under short locks, the
// images that writers make meanwhile, and the file, which takes its name only when it is whole and
// on the disk. Runs in a job's thread from its beginning to its end; nothing stops it half-way,
// because a walk that is left would leave buckets behind that nobody has seen. A file that cannot
// be written, or is not wanted any more, makes it run on without writing, which is quick.

import { SystemClock, sleep } from '../base/clock.js';
import { type Disk, DiskError, Open, SystemDisk } from '../base/disk.js';
import type { EntryRef } from '../keyspace/entry.js';
import { Keyspace, Lookup } from '../keyspace/keyspace.js';
import { type CutCounts, walkSnapshot } from '../keyspace/snapshot.js';
import { cutKeyspace } from '../keyspace/snapshot-cut.js';
import { walkWordOf } from '../keyspace/values.js';
import { type LogsShape, SharedLogs } from '../log/logs.js';
import { Figure, Saving } from '../mesh/saving.js';
import {
  type RdbFileForm,
  RdbFileWriter,
  type RdbOutput,
  type RecordForm,
  writeRecord,
} from '../rdb/file-write.js';
import type { ImageRings } from '../rdb/image-rings.js';
import { ImageReader, type ImageTarget, imagesInto, packForm } from '../rdb/images.js';
import { PieceStore } from '../rdb/piece-store.js';
import {
  beginPieces,
  FIRST_PIECE_ORDER,
  isInPieces,
  PieceWalk,
  writeFirstPiece,
  writePiece,
} from '../rdb/pieces.js';
import { ByteSink } from '../rdb/sink.js';
import type { Spill } from '../rdb/spill.js';
import { FunctionStore, type FunctionsShape } from '../scripting/function-store.js';
import {
  configureLocks,
  type Holder,
  holderOf,
  releaseLock,
  takeLock,
  tryLock,
} from '../slab/lock.js';
import { Header, Slab } from '../slab/slab.js';
import { Counter, ServerStats } from '../stats/server.js';
import { eachInBucket } from '../structs/table.js';
import { walkKindOf } from '../structs/walked.js';

/** What a job needs of what the threads of the process share. */
export interface JobShape {
  readonly slabs: readonly SharedArrayBuffer[];
  readonly slabStarts: readonly number[];
  readonly databaseCount: number;
  readonly clock: SharedArrayBuffer;
  readonly serverStats: SharedArrayBuffer;
  readonly statThreads: number;
  readonly images: ImageRings;
  readonly saving: SharedArrayBuffer;
  readonly logs: LogsShape;
  readonly functions: FunctionsShape;
  readonly jobThread: number;
}

export interface SnapshotOrder {
  /** Where the file goes, an absolute path, and what it is called until it is whole. */
  readonly directory: string;
  readonly temporaryName: string;
  readonly name: string;
  /** It is a base of the append logs, which begin a generation at the cut. */
  readonly isBase: boolean;
  readonly form: RdbFileForm;
  /** Facts about the server for the head of the file. */
  readonly facts: readonly (readonly [name: string, value: string])[];
  /** Bytes after which what was written is synced; 0: only at the end. */
  readonly syncBytes: number;
  /** For tests: how long the walk rests for each key. */
  readonly keyDelayUs: number;
}

/** What the job's thread is sent. */
export interface SnapshotTask {
  readonly shape: JobShape;
  readonly order: SnapshotOrder;
}

export interface SnapshotOutcome {
  /** Why there is no file; null when there is. */
  readonly failure: string | null;
  /** It was not wanted any more: no failure, but no file either. */
  readonly isDiscarded: boolean;
  readonly keys: number;
  readonly fileBytes: number;
  readonly imageBytes: number;
  /** The count of changes at the cut. */
  readonly changes: number;
  /** The clock at the cut. */
  readonly cutMs: number;
  /** Of a base: it holds every change with a number up to this one. */
  readonly cutNumber: number;
}

/** A hold of a lock ends after so many bytes or buckets: about a tenth of a millisecond. */
const HOLD_BYTES = 16 * 1024;
/** The same of large values, whose elements lie anywhere. */
const PIECE_HOLD_BYTES = 8 * 1024;
const FIRST_HOLD_BYTES = 512;
const HOLD_BUCKETS = 32;
/** A hold and a bucket of long values. */
const SINK_BYTES = 64 * 1024;
const REST_MS = 1;
/**
 * Whoever runs for longer than its turn is stopped by the system where others want the core, with a
 * lock in its hands as like as not, and everybody waits for it through the turn of another: some
 * milliseconds. So it takes a break of its own before, without a lock. Turns have 1.4 ms and more.
 */
const RUN_MS = 1;
const BREAK_MS = 0.02;

/** The file while it is written. It throws nothing: the walk goes on without it. */
class FileOutput implements RdbOutput {
  failure: DiskError | null = null;
  bytes = 0;
  private fd = -1;
  private syncedBytes = 0;

  constructor(
    private readonly disk: Disk,
    private readonly path: string,
    private readonly syncBytes: number,
  ) {
    this.attempt(() => {
      this.fd = disk.open(path, Open.Create);
    });
  }

  write(u8: Uint8Array, length: number): void {
    this.writeAt(u8, length, this.bytes);
    this.bytes += length;
    if (this.syncBytes === 0 || this.bytes - this.syncedBytes < this.syncBytes) return;
    const bytes = this.bytes - this.syncedBytes;
    this.syncedBytes = this.bytes;
    if (this.failure !== null) return;
    // Not the whole file: writers wait for this thread when their images have filled the rings.
    this.check(this.disk.syncBehind(this.fd, this.bytes, bytes));
  }

  rewrite(u8: Uint8Array, length: number): void {
    this.writeAt(u8, length, 0);
  }

  private writeAt(u8: Uint8Array, length: number, position: number): void {
    let at = 0;
    while (at < length && this.failure === null) {
      const written = this.disk.writeAt(this.fd, u8, at, length - at, position + at);
      if (written > 0) at += written;
      else this.failure = new DiskError('Writing', this.path, -written || INPUT_OUTPUT_ERROR);
    }
  }

  private sync(): void {
    if (this.failure === null) this.check(this.disk.sync(this.fd));
  }

  private check(synced: number): void {
    if (synced < 0) this.failure = new DiskError('Syncing', this.path, -synced);
  }

  /** The file is whole: it gets its name, unless anything has failed; then it goes. */
  end(isWanted: boolean, directory: string, name: string): void {
    if (isWanted) this.sync();
    if (this.fd !== -1) this.disk.close(this.fd);
    const path = `${directory}/${name}`;
    if (isWanted && this.failure === null) this.name(path);
    if (!isWanted || this.failure !== null) this.attempt(() => this.disk.remove(this.path));
    else this.attempt(() => this.disk.syncDirectory(directory));
  }

  /** A base has its name from the start; it counts only if nobody has removed it meanwhile. */
  private name(path: string): void {
    if (path !== this.path) this.attempt(() => this.disk.rename(this.path, path));
    else if (!this.disk.exists(path)) this.failure = new DiskError('Finding', path, NOT_THERE);
  }

  /** Does something with files, unless it cannot: then there is no snapshot. */
  attempt(what: () => void): void {
    try {
      what();
    } catch (error) {
      if (!(error instanceof DiskError)) throw error;
      this.failure ??= error;
    }
  }
}

const INPUT_OUTPUT_ERROR = 5;
const NOT_THERE = 2;

/** Beside the file, what has to wait for its turn: it is made when it is needed. */
class SpillFile implements Spill {
  private fd = -1;
  private bytes = 0;

  constructor(
    private readonly disk: Disk,
    private readonly path: string,
    private readonly output: FileOutput,
  ) {}

  write(u8: Uint8Array, length: number): number {
    const start = this.bytes;
    this.output.attempt(() => {
      if (this.fd === -1) this.create();
      for (let at = 0; at < length; ) {
        const written = this.disk.writeAt(this.fd, u8, at, length - at, start + at);
        if (written <= 0) throw new DiskError('Writing', this.path, -written || INPUT_OUTPUT_ERROR);
        at += written;
      }
    });
    this.bytes += length;
    return start;
  }

  /** It has no name any more as soon as it is there: nothing of it outlives the process. */
  private create(): void {
    this.fd = this.disk.open(this.path, Open.Create);
    this.disk.remove(this.path);
  }

  read(u8: Uint8Array, length: number, start: number): void {
    this.output.attempt(() => {
      for (let at = 0; at < length; ) {
        const read = this.disk.readAt(this.fd, u8, at, length - at, start + at);
        if (read <= 0) throw new DiskError('Reading', this.path, -read || INPUT_OUTPUT_ERROR);
        at += read;
      }
    });
  }

  end(): void {
    if (this.fd !== -1) this.disk.close(this.fd);
  }
}

/** Writes a snapshot. `disk` is another in tests. */
export function writeSnapshot(
  shape: JobShape,
  order: SnapshotOrder,
  disk: Disk = new SystemDisk(),
): SnapshotOutcome {
  return new SnapshotWriter(shape, order, disk).run();
}

class SnapshotWriter {
  private readonly shape: JobShape;
  private readonly order: SnapshotOrder;
  private readonly keyspace: Keyspace;
  private readonly clock: SystemClock;
  /** When it last took a break. */
  private brokenOffMs = 0;
  private readonly saving: Saving;
  private readonly images: ImageReader;
  private readonly output: FileOutput;
  private readonly file: RdbFileWriter;
  private readonly self: Holder;
  private readonly form: RecordForm;
  private counts: CutCounts;
  private target: ImageTarget;
  private readonly sink: ByteSink;
  private readonly headSink = new ByteSink();
  private readonly pieceSink = new ByteSink();
  private readonly spill: SpillFile;
  private readonly pieces: PieceStore;
  private keys = 0;
  private version = 0;
  private readonly takeBound = (slab: Slab, bucket: number, database: number) =>
    this.takeBucket(slab, bucket, database);
  private readonly writeBound = (slab: Slab, ref: number) => {
    if (isInPieces(slab, ref as EntryRef)) {
      this.beginLarge(slab, ref as EntryRef);
      return;
    }
    const version = writeRecord(this.sink, slab, ref as EntryRef, this.form);
    if (version === 0) return;
    this.keys++;
    this.version = Math.max(this.version, version);
  };

  constructor(shape: JobShape, order: SnapshotOrder, disk: Disk) {
    this.shape = shape;
    this.order = order;
    const { slabs, slabStarts, databaseCount } = shape;
    this.keyspace = new Keyspace(
      slabs.map((buffer, index) => new Slab(index, buffer, slabStarts[index]!)),
      databaseCount,
      new Float64Array(Lookup.Words),
    );
    this.clock = new SystemClock(new Float64Array(shape.clock));
    this.saving = new Saving(shape.saving);
    this.images = new ImageReader(shape.images);
    this.self = holderOf(shape.jobThread);
    const path = `${order.directory}/${order.temporaryName}`;
    this.output = new FileOutput(disk, path, order.syncBytes);
    this.form = order.form;
    this.file = new RdbFileWriter(this.output, order.form);
    this.counts = { keys: new Float64Array(0), volatileKeys: new Float64Array(0) };
    this.spill = new SpillFile(disk, `${path}.large`, this.output);
    this.pieces = new PieceStore(this.spill);
    this.target = this.nowhere();
    // It grows rather than being handed on: that may mean writing to the disk, under a lock.
    this.sink = new ByteSink(null, SINK_BYTES);
  }

  run(): SnapshotOutcome {
    const { shape, saving, order, file, output } = this;
    const { clock } = this;
    const stats = new ServerStats(shape.serverStats, shape.statThreads, 0);
    configureLocks({
      // Whoever holds the lock may be waiting for room for its image.
      serveParts: () => this.images.drain(this.target),
      reportLongHold: () => {},
      longHoldMs: 0,
      reasonToGiveUp: () => null,
    });
    file.begin(order.facts);
    let libraries: readonly Uint8Array[] = [];
    let changes = 0;
    let cutMs = 0;
    let cutNumber = 0;
    // With all locks in its hands it is stopped least of all at the beginning of a turn.
    sleep(BREAK_MS);
    this.counts = cutKeyspace(this.keyspace, this.self, () => {
      saving.beginWalk(packForm(order.form));
      changes = stats.total(Counter.Changes);
      cutMs = clock.nowMs();
      // Whoever changes them holds all locks: a change is either in here or in the logs behind.
      libraries = new FunctionStore(shape.functions).read();
      if (order.isBase) cutNumber = this.cutLogs();
    });
    // Before any key: up to here no image went to the file.
    for (const code of libraries) file.functions(code);
    this.target = imagesInto(file, (database) => this.sizeOf(database), this.pieces);
    saving.put(Figure.KeysTotal, sum(this.counts.keys));
    this.walk();
    // Every image was made under a lock that this thread has held since: all of them are here.
    while (this.images.drain(this.target));
    // All large values have been met by now. While one is written no other record is.
    for (let value = this.pieces.next(); value !== null; value = this.pieces.next()) {
      this.writeLarge(value.partition, value.walkAt, value.database, value.version);
      this.tell();
    }
    this.spill.end();
    if (!this.isInVain()) file.end();
    const isDiscarded = output.failure === null && saving.isDiscarding;
    output.end(!isDiscarded && output.failure === null, order.directory, order.name);
    return {
      failure: output.failure?.message ?? null,
      isDiscarded,
      keys: file.keys,
      fileBytes: output.bytes,
      imageBytes: this.images.bytes,
      changes,
      cutMs,
      cutNumber,
    };
  }

  /** From here on records belong to the generation that is ready for it. */
  private cutLogs(): number {
    return new SharedLogs(this.shape.logs).cut();
  }

  /**
   * Goes on in whichever partition is free, and waits for one only when none is: on a busy machine
   * the holder of a lock may not be running, and each sleep would last longer than a hold.
   */
  private walk(): void {
    const unfinished = [...this.keyspace.partitions];
    let busyCount = 0;
    for (let at = 0; unfinished.length > 0; ) {
      at %= unfinished.length;
      const partition = unfinished[at]!;
      const words = partition.slab.i32;
      this.images.drain(this.target);
      this.takeBreak();
      if (!tryLock(words, Header.Lock, this.self)) {
        if (++busyCount < unfinished.length) {
          at++;
          continue;
        }
        takeLock(words, Header.Lock, this.self);
      }
      busyCount = 0;
      const isDone = walkSnapshot(partition, HOLD_BUCKETS, this.takeBound);
      releaseLock(words, Header.Lock);
      if (isDone) unfinished.splice(at, 1);
      this.handOn();
      this.tell();
      if (this.order.keyDelayUs > 0) this.rest();
    }
  }

  /** Before a hold of a lock, so that nothing stops this thread while it has one. */
  private takeBreak(): void {
    if (this.clock.monotonicMs() - this.brokenOffMs < RUN_MS) return;
    sleep(BREAK_MS);
    this.brokenOffMs = this.clock.monotonicMs();
  }

  /** Slows the walk down, but neither writers nor whoever does not want the file any more. */
  private rest(): void {
    const keys = this.file.keys - this.restedKeys;
    this.restedKeys = this.file.keys;
    let leftMs = (keys * this.order.keyDelayUs) / 1000;
    for (; leftMs > 0 && !this.isInVain(); leftMs -= REST_MS) {
      this.images.drain(this.target);
      sleep(Math.min(leftMs, REST_MS));
    }
  }

  private restedKeys = 0;

  /** Is there nothing left to write for? Then the walk only ends what it has begun. */
  private isInVain(): boolean {
    if (this.output.failure !== null && !this.saving.isDiscarding) this.saving.discard();
    return this.saving.isDiscarding;
  }

  private takeBucket(slab: Slab, bucket: number, database: number): boolean {
    if (this.isInVain()) {
      this.target = this.nowhere();
      return true;
    }
    if (database !== this.database) {
      // What is in the sink belongs to the database before.
      this.handOn();
      this.database = database;
    }
    eachInBucket(slab, bucket, this.writeBound);
    return this.sink.at < HOLD_BYTES;
  }

  private database = 0;

  /** For what nobody wants any more; but large values have to be walked through. */
  private nowhere(): ImageTarget {
    return { select() {}, take() {}, pieces: this.pieces };
  }

  private beginLarge(slab: Slab, entry: EntryRef): void {
    const { headSink } = this;
    headSink.reset();
    const version = beginPieces(headSink, slab, entry, this.form);
    const walkAt = walkWordOf(slab, entry);
    const { index } = slab;
    const kind = walkKindOf(slab, walkAt);
    this.pieces.begin(index, walkAt, kind, this.database, version, headSink.u8, 0, headSink.at);
    headSink.reset();
    if (!writeFirstPiece(headSink, slab, entry, this.form)) return;
    this.pieces.node(index, walkAt, headSink.u8, 0, headSink.at, FIRST_PIECE_ORDER, true);
  }

  /** Writes the record of a large value: what is there of it, and what its walk has yet to see. */
  private writeLarge(partition: number, walkAt: number, database: number, version: number): void {
    const { pieces, images, file, pieceSink } = this;
    const { slab } = this.keyspace.partitions[partition]!;
    const { compresses } = this.form;
    this.target.select(database);
    const record = file.record(version);
    pieces.start({ partition, walkAt }, record);
    const walk = new PieceWalk(slab, walkAt);
    // The first holds are short: code that never ran before takes many times as long.
    let holdBytes = FIRST_HOLD_BYTES;
    const isEnough = () => pieceSink.at >= holdBytes;
    // Orders of the nodes of a hold, and where each ends in pieceSink.
    const taken: number[] = [];
    const write = (_slab: Slab, _walkAt: number, node: number, order: number) => {
      if (this.saving.isDiscarding) return;
      writePiece(pieceSink, slab, walkAt, node, order, compresses);
      taken.push(order, pieceSink.at);
    };
    for (let isDone = false; !isDone; ) {
      images.drain(this.target);
      this.takeBreak();
      takeLock(slab.i32, Header.Lock, this.self);
      isDone = walk.step(write, isEnough);
      if (isDone) walk.end();
      releaseLock(slab.i32, Header.Lock);
      // What writers handed over before is here now, and what they did since knows its place.
      images.drain(this.target);
      let start = 0;
      for (let index = 0; index < taken.length; index += 2) {
        const end = taken[index + 1]!;
        pieces.walked(taken[index]!, pieceSink.u8, start, end - start);
        start = end;
      }
      taken.length = 0;
      holdBytes = Math.min(PIECE_HOLD_BYTES, 2 * holdBytes);
      pieceSink.reset();
      this.isInVain();
    }
    pieces.finish(!this.isInVain());
  }

  private handOn(): void {
    const { target, sink } = this;
    if (sink.at === 0) return;
    target.select(this.database);
    target.take(sink.u8, 0, sink.at, this.keys, this.version);
    this.keys = 0;
    sink.reset();
  }

  private tell(): void {
    const { saving, file, images } = this;
    saving.put(Figure.KeysWritten, file.keys);
    saving.put(Figure.ImageBytes, images.bytes);
  }

  private sizeOf(database: number): readonly [number, number] {
    return [this.counts.keys[database]!, this.counts.volatileKeys[database]!];
  }
}

function sum(numbers: Float64Array): number {
  return numbers.reduce((total, number) => total + number, 0);
}
