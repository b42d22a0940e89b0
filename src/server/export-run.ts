// flagstone-export: a data directory, a log directory or an RDB file of Flagstone, as files for
// Redis. The server need not run and should not: what it writes meanwhile is missing.

import path from 'node:path';
import { SystemClock } from '../base/clock.js';
import { SystemDisk } from '../base/disk.js';
import { drawHashKey, setHashKey } from '../base/hash.js';
import { randomHex } from '../base/prng.js';
import { allCommands } from '../commands/index.js';
import { Config } from '../config/config.js';
import { limits } from '../dispatch/limits.js';
import { CommandTable } from '../dispatch/table.js';
import { Keyspace } from '../keyspace/keyspace.js';
import { createWaiters } from '../keyspace/waiters.js';
import { createWatchers } from '../keyspace/watchers.js';
import { MANIFEST_NAME } from '../log/manifest.js';
import { formatSlab } from '../slab/alloc.js';
import { holderOf } from '../slab/lock.js';
import { adoptThresholds } from './executor.js';
import {
  EXPORT_VERSIONS,
  findLosses,
  isSerious,
  LOSSES,
  type Loss,
  occupiedBy,
  writeExport,
} from './export-file.js';
import { recover } from './recovery.js';
import { Replay, uncountedLookups } from './replay.js';
import { attachSlabs, reserveSlabs } from './shape.js';
import { REDIS_VERSION } from './version.js';

const USAGE = `flagstone-export: a dataset as files that Redis loads

Usage: flagstone-export --redis 7.0|7.2|7.4 [--drop] SOURCE TARGETDIR

SOURCE     a data directory of Flagstone, its log directory, or an RDB file
TARGETDIR  where dump.rdb and appendonlydir are written; made if it is not there

What that version of Redis has no form for is named, and nothing is written,
unless --drop says to leave it out. Stop the server first.
`;

const HELP: readonly string[] = ['-h', '--help'];
const PARTITIONS = 64;
const PARTITION_BYTES = 2 ** 31;
/** More than anybody has: SELECT of a log must not fail for want of databases. They cost 64 MB. */
const DATABASES_MAX = 16_384;
const WAITER_BYTES = 1024 * 1024;
const SESSIONS_MAX = 16;
const HISTORY_BYTES = 20;

interface Request {
  readonly version: number;
  readonly drops: boolean;
  readonly source: string;
  readonly target: string;
}

/** The process's exit code: 0 when everything was written. */
export async function runExport(
  args: readonly string[],
  say: (line: string) => void,
  partitionBytes = PARTITION_BYTES,
): Promise<number> {
  if (args.length === 1 && HELP.includes(args[0]!)) {
    say(USAGE);
    return 0;
  }
  const request = readRequest(args);
  if (typeof request === 'string') {
    say(request);
    return 1;
  }
  const disk = new SystemDisk();
  try {
    return await exportDataset({ ...request, partitionBytes }, disk, say);
  } catch (error) {
    say(`flagstone-export: ${(error as Error).message}`);
    return 1;
  }
}

function readRequest(args: readonly string[]): Request | string {
  let version: number | undefined;
  let drops = false;
  const paths: string[] = [];
  for (let index = 0; index < args.length; index++) {
    const word = args[index]!;
    if (word === '--redis') version = EXPORT_VERSIONS[args[++index] ?? ''];
    else if (word === '--drop') drops = true;
    else if (word.startsWith('-')) return USAGE;
    else paths.push(word);
  }
  const [source, target] = paths;
  if (version === undefined || source === undefined || target === undefined || paths.length > 2) {
    return USAGE;
  }
  return { version, drops, source, target };
}

async function exportDataset(
  request: Request & { readonly partitionBytes: number },
  disk: SystemDisk,
  say: (line: string) => void,
): Promise<number> {
  const { version, drops, source, target } = request;
  const occupied = occupiedBy(disk, target);
  if (occupied !== null) throw new Error(`${occupied} is there already`);
  const { keyspace, functions, nowMs } = await loadSource(
    disk,
    source,
    request.partitionBytes,
    say,
  );
  const { keys, examples } = findLosses(keyspace, version);
  for (const [loss, count] of keys) {
    say(`${count} keys are ${LOSSES[loss]}.`);
    for (const example of examples.get(loss) ?? []) say(`  database ${example}`);
  }
  const serious = [...keys.keys()].filter((loss: Loss) => isSerious(loss));
  if (serious.length > 0 && !drops) {
    say('Nothing was written. With --drop it is, without these.');
    return 1;
  }
  const written = writeExport({
    keyspace,
    disk,
    directory: target,
    version,
    nowMs,
    facts: [
      ['redis-ver', REDIS_VERSION],
      ['redis-bits', '64'],
      ['ctime', String(Math.floor(nowMs / 1000))],
    ],
    functions,
  });
  say(`${written} keys were written to ${target}.`);
  return 0;
}

interface Loaded {
  readonly keyspace: Keyspace;
  readonly functions: readonly Uint8Array[];
  readonly nowMs: number;
}

async function loadSource(
  disk: SystemDisk,
  source: string,
  partitionBytes: number,
  say: (line: string) => void,
): Promise<Loaded> {
  const table = new CommandTable(allCommands);
  const config = configFor(disk, source);
  setHashKey(drawHashKey());
  adoptThresholds(config);
  limits.bulkBytesMax = Number.POSITIVE_INFINITY;
  const clock = new SystemClock(new Float64Array(1));
  const buffers = reserveSlabs(PARTITIONS, partitionBytes, 1, say);
  const slabs = attachSlabs(buffers, new Array<number>(PARTITIONS).fill(0));
  for (const slab of slabs) formatSlab(slab, DATABASES_MAX);
  const keyspace = new Keyspace(slabs, DATABASES_MAX, uncountedLookups());
  const replay = new Replay({
    keyspace,
    table,
    config,
    clock,
    waiters: createWaiters(1, PARTITIONS, WAITER_BYTES),
    watchers: createWatchers(1, PARTITIONS, SESSIONS_MAX),
    thread: 0,
  });
  await recover({
    disk,
    directory: config.text('dir'),
    config,
    clock,
    replay,
    holder: holderOf(0),
    log: (level, line) => {
      if (level === 'warning') say(line);
    },
    newHistory: () => randomHex(HISTORY_BYTES),
    noteKeys() {},
    turn: () => Promise.resolve(),
    isStopping: () => false,
    publish() {},
    say() {},
  });
  const functions = replay.runner.scripts.functions.store.read();
  return { keyspace, functions, nowMs: clock.nowMs() };
}

/** The configuration of a server that would load just the source. */
function configFor(disk: SystemDisk, source: string): Config {
  const full = path.resolve(source);
  if (!disk.exists(full)) throw new Error(`${source} is not there`);
  const parent = path.dirname(full);
  const name = path.basename(full);
  if (disk.exists(`${full}/${MANIFEST_NAME}`)) {
    return configOf(parent, { appendonly: 'yes', appenddirname: name });
  }
  if (!disk.exists(`${full}/.`)) return configOf(parent, { appendonly: 'no', dbfilename: name });
  const config = new Config(full);
  if (disk.exists(`${full}/${config.text('appenddirname')}/${MANIFEST_NAME}`)) {
    return configOf(full, { appendonly: 'yes' });
  }
  if (disk.exists(`${full}/${config.text('dbfilename')}`)) {
    return configOf(full, { appendonly: 'no' });
  }
  throw new Error(`${source} has neither a log directory nor a snapshot in it`);
}

function configOf(directory: string, values: Readonly<Record<string, string>>): Config {
  const config = new Config(directory);
  for (const [name, value] of Object.entries(values)) {
    const refusal = config.set(name, [value]);
    if (refusal !== null) throw new Error(`${name} ${value}: ${refusal}`);
  }
  return config;
}
