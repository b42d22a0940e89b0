// Whole files for tests: an engine's keys as a file, and a file's keys in an engine.

import { connectionCommands } from '../../src/commands/connection.js';
import { serverKeyspaceCommands } from '../../src/commands/server-keyspace.js';
import { Config } from '../../src/config/config.js';
import { type EntryRef, keyBytesOf, keyStartOf } from '../../src/keyspace/entry.js';
import { eachEntry } from '../../src/keyspace/scan.js';
import { FileSource } from '../../src/rdb/file-source.js';
import { RdbFileWriter, type Recency } from '../../src/rdb/file-write.js';
import { type LoadOptions, RdbLoad } from '../../src/rdb/load.js';
import { Engine } from '../support/engine.js';
import type { Random } from '../support/seed.js';
import { makeValue, specs } from './values.js';

/** An engine of all types with nothing in it. */
export function emptyEngine(partitions = 4, partitionBytes = 32 * 1024 * 1024): Engine {
  const engine = new Engine({
    specs: [...specs, ...connectionCommands, ...serverKeyspaceCommands],
    partitions,
    partitionBytes,
    databases: 16,
    server: { config: new Config() },
  });
  return engine;
}

/** Random keys of all types in some databases, some of which expire. */
export function fillEngine(engine: Engine, random: Random, keys: number, isOwn = true): void {
  for (let index = 0; index < keys; index++) {
    if (random.chance(0.1)) engine.run('SELECT', String(random.below(16)));
    const key = random.chance(0.2) ? String(index) : `key:${index}:${random.bytes(3)}`;
    makeValue(random, (...words) => engine.run(...words), key, isOwn);
    if (random.chance(0.3)) engine.run('PEXPIRE', key, String(random.between(1, 2 ** 40)));
  }
  engine.run('SELECT', '0');
}

export interface WrittenFile {
  readonly bytes: Buffer;
  readonly keys: number;
  readonly version: number;
}

export function writeFile(
  engine: Engine,
  form: {
    compresses?: boolean;
    checksums?: boolean;
    recency?: Recency;
    version?: number;
    isExact?: boolean;
    /** It goes where nothing can be written again. */
    isStream?: boolean;
    /** Libraries of functions. */
    functions?: readonly Uint8Array[];
  } = {},
): WrittenFile {
  const parts: Buffer[] = [];
  const write = (u8: Uint8Array, length: number) => {
    parts.push(Buffer.from(u8.slice(0, length)));
  };
  let head: Buffer | null = null;
  const rewrite = (u8: Uint8Array, length: number) => {
    head = Buffer.from(u8.slice(0, length));
  };
  const { keyspace } = engine;
  const writer = new RdbFileWriter(form.isStream === true ? { write } : { write, rewrite }, {
    compresses: form.compresses ?? true,
    checksums: form.checksums ?? true,
    isExact: form.isExact ?? true,
    nowMs: -1,
    recency: form.recency ?? 'none',
    recencyNow: keyspace.recency,
    ...(form.version === undefined ? {} : { version: form.version }),
  });
  writer.begin([['redis-ver', '7.2.6']]);
  for (const code of form.functions ?? []) writer.functions(code);
  for (let database = 0; database < keyspace.databaseCount; database++) {
    for (const partition of keyspace.partitions) {
      partition.select(database);
      if (partition.countOf(database) === 0) continue;
      writer.select(database, partition.countOf(database), partition.volatileCountOf(database));
      eachEntry(partition, (slab, ref) => {
        writer.entry(slab, ref as EntryRef);
      });
    }
  }
  writer.end();
  const bytes = Buffer.concat(parts);
  if (head !== null) bytes.set(head, 0);
  return { bytes, keys: writer.keys, version: writer.version };
}

export interface LoadedFile
  extends Pick<
    RdbLoad,
    'facts' | 'functions' | 'keysLoaded' | 'keysExpired' | 'keysEmpty' | 'bytesRead'
  > {
  readonly steps: number;
  readonly warnings: readonly string[];
}

export function loadFile(
  engine: Engine,
  bytes: Uint8Array,
  how: Partial<LoadOptions> & {
    budgetMs?: number;
    pieceBytes?: number;
    /** How long it is, nobody says. */
    isEndless?: boolean;
  } = {},
): LoadedFile {
  const warnings: string[] = [];
  let at = 0;
  const source = new FileSource({
    bytesTotal: how.isEndless === true ? Number.POSITIVE_INFINITY : bytes.length,
    read(u8, start, length) {
      const count = Math.min(length, bytes.length - at, how.pieceBytes ?? length);
      u8.set(bytes.subarray(at, at + count), start);
      at += count;
      return count;
    },
  });
  const load = new RdbLoad(source, {
    keyspace: engine.keyspace,
    clock: engine.clock,
    holder: null,
    expired: 'skip',
    duplicates: 'refuse',
    checksums: true,
    isLfu: false,
    warn: (line) => warnings.push(line),
    ...how,
  });
  let steps = 1;
  while (!load.step(how.budgetMs ?? 50)) steps++;
  const { facts, functions, keysLoaded, keysExpired, keysEmpty, bytesRead } = load;
  return { facts, functions, keysLoaded, keysExpired, keysEmpty, bytesRead, steps, warnings };
}

/** What the first keys of a database need stays when they go. */
export function warmUp(engine: Engine): void {
  for (let database = 0; database < 16; database++) {
    engine.run('SELECT', String(database));
    engine.run('HSET', 'first', 'field', 'value');
    engine.run('HPEXPIRE', 'first', '1000', 'FIELDS', '1', 'field');
    engine.run('PEXPIRE', 'first', '1000');
    engine.run('DEL', 'first');
  }
}

/** Of an engine with one partition. */
export function deleteAll(engine: Engine): void {
  for (let database = 0; database < 16; database++) {
    engine.run('SELECT', String(database));
    const partition = engine.keyspace.partitions[0]!;
    const keys: Uint8Array[] = [];
    partition.select(database);
    eachEntry(partition, (slab, ref) => {
      const start = keyStartOf(slab, ref as EntryRef);
      keys.push(slab.u8.slice(start, start + keyBytesOf(slab, ref as EntryRef)));
    });
    for (const key of keys) engine.run('DEL', key);
  }
}
