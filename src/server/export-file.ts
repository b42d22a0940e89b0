// The way out: the dataset as files that a Redis of some version loads, and what of it that version
// has no form for.

import { type Disk, DiskError, Open, writeFile } from '../base/disk.js';
import { type EntryRef, encodingOf, keyBytesOf, keyStartOf, typeOf } from '../keyspace/entry.js';
import type { Keyspace } from '../keyspace/keyspace.js';
import { eachEntry } from '../keyspace/scan.js';
import { rootOf } from '../keyspace/values.js';
import { RdbFileWriter } from '../rdb/file-write.js';
import { hashTypeFor } from '../rdb/hash.js';
import { RdbType } from '../rdb/rdb-type.js';
import { NONE, type Slab } from '../slab/slab.js';
import { Type } from '../types/kind.js';
import { groupAt, groupCount, unownedCount } from '../types/stream/groups.js';
import { producersOf } from '../types/stream/producers.js';
import type { StreamRef } from '../types/stream/stream.js';

/** Versions of Redis that are written for, and the version of the file that each one loads. */
export const EXPORT_VERSIONS: Readonly<Record<string, number | undefined>> = {
  '7.0': 10,
  '7.2': 11,
  '7.4': 12,
};
/** From here on hashes have fields that expire. */
const TIMES_VERSION = 12;
/** From here on consumers have the time at which they last got something. */
const ACTIVE_TIMES_VERSION = 11;

/** What the target has no form for, and what --drop makes of it. */
export const LOSSES = {
  array: 'arrays, which no Redis of that version has: with --drop their keys are left out',
  fieldTimes: 'hashes with fields that expire: with --drop all their fields stay and do not expire',
  producers: 'streams that know what their producers added (XADD IDMP): with --drop they forget it',
  unowned:
    'streams with entries that XNACK gave back: they become those of a consumer without a name',
} as const;

export type Loss = keyof typeof LOSSES;

/** Keys that lose something, by what they lose: how many, and the first of them. */
export interface Losses {
  readonly keys: Map<Loss, number>;
  readonly examples: Map<Loss, string[]>;
}

const EXAMPLES_MAX = 10;
const EXAMPLE_BYTES_MAX = 100;
const NO_TIMES = -1;

/** What of the dataset the version of the format cannot hold. */
export function findLosses(keyspace: Keyspace, version: number): Losses {
  const losses: Losses = { keys: new Map(), examples: new Map() };
  eachKey(keyspace, (slab, entry, database) => {
    const loss = lossOf(slab, entry, version);
    if (loss === null) return;
    losses.keys.set(loss, (losses.keys.get(loss) ?? 0) + 1);
    const examples = losses.examples.get(loss) ?? [];
    losses.examples.set(loss, examples);
    if (examples.length < EXAMPLES_MAX) examples.push(`${database}: ${keyText(slab, entry)}`);
  });
  return losses;
}

/** A consumer without a name is a consumer: that loss keeps nobody from exporting. */
export function isSerious(loss: Loss): boolean {
  return loss !== 'unowned';
}

function lossOf(slab: Slab, entry: EntryRef, version: number): Loss | null {
  switch (typeOf(slab, entry)) {
    case Type.Array:
      return 'array';
    case Type.Hash: {
      if (version >= TIMES_VERSION) return null;
      const form = { compresses: false, nowMs: NO_TIMES };
      const type = hashTypeFor(slab, encodingOf(slab, entry), rootOf(slab, entry), form);
      return type === RdbType.HashTimed ? 'fieldTimes' : null;
    }
    case Type.Stream:
      return lossOfStream(slab, rootOf(slab, entry) as StreamRef);
    default:
      return null;
  }
}

/** The more serious of the two. */
function lossOfStream(slab: Slab, stream: StreamRef): Loss | null {
  if (producersOf(slab, stream) !== NONE) return 'producers';
  return hasUnowned(slab, stream) ? 'unowned' : null;
}

function hasUnowned(slab: Slab, stream: StreamRef): boolean {
  const groups = groupCount(slab, stream);
  for (let index = 0; index < groups; index++) {
    if (unownedCount(slab, groupAt(slab, stream, index)) > 0) return true;
  }
  return false;
}

function keyText(slab: Slab, entry: EntryRef): string {
  const start = keyStartOf(slab, entry);
  const bytes = Math.min(keyBytesOf(slab, entry), EXAMPLE_BYTES_MAX);
  return JSON.stringify(Buffer.from(slab.u8.slice(start, start + bytes)).toString('latin1'));
}

function eachKey(
  keyspace: Keyspace,
  visit: (slab: Slab, entry: EntryRef, database: number) => void,
): void {
  for (let database = 0; database < keyspace.databaseCount; database++) {
    for (const partition of keyspace.partitions) {
      partition.select(database);
      eachEntry(partition, (slab, ref) => visit(slab, ref as EntryRef, database));
    }
  }
}

export interface ExportOrder {
  readonly keyspace: Keyspace;
  readonly disk: Disk;
  /** Where dump.rdb and appendonlydir go; neither is there yet. */
  readonly directory: string;
  readonly version: number;
  readonly nowMs: number;
  readonly facts: readonly (readonly [name: string, value: string])[];
  readonly functions: readonly Uint8Array[];
}

const SNAPSHOT_NAME = 'dump.rdb';
const LOG_DIRECTORY = 'appendonlydir';
const BASE_NAME = 'appendonly.aof.1.base.rdb';
const INCREMENT_NAME = 'appendonly.aof.1.incr.aof';
const MANIFEST_NAME = 'appendonly.aof.manifest';
const MANIFEST = `file ${BASE_NAME} seq 1 type b\nfile ${INCREMENT_NAME} seq 1 type i\n`;

/** The first of the files to be written that is there already. */
export function occupiedBy(disk: Disk, directory: string): string | null {
  const names = [SNAPSHOT_NAME, LOG_DIRECTORY].map((name) => `${directory}/${name}`);
  return names.find((name) => disk.exists(name)) ?? null;
}

/**
 * Writes the dataset twice: as a snapshot, and as an append-only directory, so that Redis loads it
 * with appendonly no and yes. Returns how many keys were written.
 */
export function writeExport(order: ExportOrder): number {
  const { disk, directory } = order;
  const logDirectory = `${directory}/${LOG_DIRECTORY}`;
  disk.makeDirectory(logDirectory);
  const files = [`${directory}/${SNAPSHOT_NAME}`, `${logDirectory}/${BASE_NAME}`].map(
    (path) => new ExportedFile(disk, path),
  );
  let keys: number;
  try {
    keys = writeDataset(order, files);
    for (const file of files) file.sync();
  } finally {
    for (const file of files) file.close();
  }
  writeFile(disk, `${logDirectory}/${INCREMENT_NAME}`, new Uint8Array(0));
  writeFile(disk, `${logDirectory}/${MANIFEST_NAME}`, Buffer.from(MANIFEST, 'latin1'));
  disk.syncDirectory(logDirectory);
  disk.syncDirectory(directory);
  return keys;
}

function writeDataset(order: ExportOrder, files: readonly ExportedFile[]): number {
  const { keyspace, version, nowMs } = order;
  const writer = new RdbFileWriter(
    {
      write(u8, length) {
        for (const file of files) file.append(u8, length);
      },
      rewrite(u8, length) {
        for (const file of files) file.writeAt(u8, length, 0);
      },
    },
    {
      compresses: true,
      checksums: true,
      isExact: version >= ACTIVE_TIMES_VERSION,
      nowMs,
      dropsFieldTimes: version < TIMES_VERSION,
      dropsProducers: true,
      recency: 'none',
      recencyNow: 0,
    },
  );
  writer.begin(order.facts);
  for (const code of order.functions) writer.functions(code);
  for (let database = 0; database < keyspace.databaseCount; database++) {
    writeDatabase(writer, keyspace, database);
  }
  writer.end();
  if (writer.version > version) throw new Error(`the file became one of version ${writer.version}`);
  return writer.keys;
}

function writeDatabase(writer: RdbFileWriter, keyspace: Keyspace, database: number): void {
  let keys = 0;
  let volatileKeys = 0;
  for (const partition of keyspace.partitions) {
    keys += partition.countOf(database);
    volatileKeys += partition.volatileCountOf(database);
  }
  if (keys === 0) return;
  writer.select(database, keys, volatileKeys);
  for (const partition of keyspace.partitions) {
    partition.select(database);
    eachEntry(partition, (slab, ref) => {
      const entry = ref as EntryRef;
      if (typeOf(slab, entry) !== Type.Array) writer.entry(slab, entry);
    });
  }
}

class ExportedFile {
  private readonly fd: number;
  private bytes = 0;

  constructor(
    private readonly disk: Disk,
    private readonly path: string,
  ) {
    this.fd = disk.open(path, Open.Create);
  }

  append(u8: Uint8Array, length: number): void {
    this.writeAt(u8, length, this.bytes);
    this.bytes += length;
  }

  writeAt(u8: Uint8Array, length: number, position: number): void {
    for (let at = 0; at < length; ) {
      const count = this.disk.writeAt(this.fd, u8, at, length - at, position + at);
      if (count <= 0) throw new DiskError('Writing', this.path, -count);
      at += count;
    }
  }

  sync(): void {
    const synced = this.disk.sync(this.fd);
    if (synced < 0) throw new DiskError('Syncing', this.path, -synced);
  }

  close(): void {
    this.disk.close(this.fd);
  }
}
