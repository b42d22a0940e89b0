// MIGRATE: keys for another server. They are read here, all under their locks; the server sends
// them and removes what has arrived (server/migrations.ts), while this session waits.

import type { Slices } from '../../base/slices.js';
import { isWord, readInteger, word } from '../../dispatch/args.js';
import type { Context } from '../../dispatch/context.js';
import { type CommandSpec, crossCommand, Flag } from '../../dispatch/define.js';
import type { MigratedKey } from '../../dispatch/migration.js';
import type { KeyPositions } from '../../dispatch/route.js';
import { type EntryRef, expiryOf, hasExpiry, Type } from '../../keyspace/entry.js';
import type { Partition } from '../../keyspace/partition.js';
import { writePayload } from '../../rdb/dump.js';
import { ByteSink } from '../../rdb/sink.js';
import { isWritable } from '../../rdb/write.js';
import { Refusal, SYNTAX } from '../../resp/errors.js';
import { NONE } from '../../slab/slab.js';

const COPY = word('COPY');
const REPLACE = word('REPLACE');
const AUTH = word('AUTH');
const AUTH2 = word('AUTH2');
const KEYS = word('KEYS');

const KEY_WITH_KEYS = new Refusal(
  'ERR When using MIGRATE KEYS option, the key argument must be set to the empty string',
);
const CANNOT_WAIT = new Refusal(
  'ERR MIGRATE is not offered inside MULTI and scripts: it waits for another server',
);

const KEY_AT = 3;
const DATABASE_AT = 4;
const TIMEOUT_AT = 5;
const FIRST_OPTION = 6;
const TIMEOUT_MS = 1000;

interface Options {
  copies: boolean;
  replaces: boolean;
  secrets: Uint8Array<ArrayBuffer>[];
  firstKey: number;
  keyCount: number;
}

function readOptions({ args }: Context): Options {
  const options: Options = {
    copies: false,
    replaces: false,
    secrets: [],
    firstKey: KEY_AT,
    keyCount: 1,
  };
  for (let index = FIRST_OPTION; index < args.count; index++) {
    if (isWord(args, index, COPY)) options.copies = true;
    else if (isWord(args, index, REPLACE)) options.replaces = true;
    else if (isWord(args, index, AUTH) || isWord(args, index, AUTH2)) {
      const count = isWord(args, index, AUTH) ? 1 : 2;
      if (index + count >= args.count) throw SYNTAX;
      options.secrets = Array.from({ length: count }, (_, at) => args.copy(index + 1 + at));
      index += count;
    } else if (isWord(args, index, KEYS)) {
      if (args.lengthOf(KEY_AT) !== 0) throw KEY_WITH_KEYS;
      options.firstKey = index + 1;
      options.keyCount = args.count - index - 1;
      break;
    } else throw SYNTAX;
  }
  return options;
}

/** The keys are one word, or all behind KEYS: a password may be called KEYS, too. */
function findMigrated(args: Slices, out: KeyPositions): boolean {
  let first = KEY_AT;
  let count = 1;
  for (let index = FIRST_OPTION; index < args.count; index++) {
    if (isWord(args, index, AUTH)) index++;
    else if (isWord(args, index, AUTH2)) index += 2;
    else if (isWord(args, index, KEYS)) {
      if (args.lengthOf(KEY_AT) === 0) {
        first = index + 1;
        count = args.count - first;
      }
      break;
    }
  }
  for (let at = 0; at < count; at++) out.add(first + at, first === KEY_AT ? 0 : 1);
  return true;
}

const sink = new ByteSink();

function readKeys(context: Context, options: Options): MigratedKey[] {
  const { args } = context;
  const keys: MigratedKey[] = [];
  for (let at = 0; at < options.keyCount; at++) {
    const index = options.firstKey + at;
    const partition = context.at(index);
    const entry = partition.find(args, index, Type.Any);
    if (entry === NONE) continue;
    const key = readKey(context, partition, entry, index);
    if (key !== null) keys.push(key);
  }
  return keys;
}

function readKey(
  context: Context,
  partition: Partition,
  entry: EntryRef,
  index: number,
): MigratedKey | null {
  const { slab } = partition;
  const form = context.server.migrationForm(context.nowMs);
  if (!isWritable(slab, entry, form)) return null;
  const expiryMs = hasExpiry(slab, entry) ? expiryOf(slab, entry) : Number.POSITIVE_INFINITY;
  sink.reset();
  writePayload(sink, slab, entry, form);
  const payload = sink.u8.slice(0, sink.at);
  sink.reset();
  return { key: context.args.copy(index), payload, expiryMs };
}

const migrate = crossCommand({
  name: 'migrate',
  arity: -6,
  group: 'generic',
  since: '2.6.0',
  summary: 'Moves keys to another server, or copies them.',
  cost: 'O(N) for N elements or bytes of the values: those of DUMP, RESTORE and DEL.',
  flags: Flag.Write | Flag.MovableKeys,
  syntax:
    'host port <key | > destination-db timeout [COPY] [REPLACE] ' +
    '[<AUTH auth | AUTH2 username password>] [KEYS keys [keys ...]]',
  keys: [
    {
      flags: ['RW', 'access', 'delete'],
      begin: { index: KEY_AT },
      find: { lastKey: 0, step: 1, limit: 0 },
    },
    {
      flags: ['RW', 'access', 'delete', 'incomplete'],
      begin: { keyword: 'KEYS', startFrom: -2 },
      find: { lastKey: -1, step: 1, limit: 0 },
    },
  ],
  findKeys: findMigrated,
  categories: ['@keyspace', '@dangerous'],
  tips: ['nondeterministic_output'],
  history: [
    ['3.0.0', 'COPY and REPLACE.'],
    ['3.0.6', 'KEYS.'],
    ['4.0.7', 'AUTH.'],
    ['6.0.0', 'AUTH2.'],
  ],
  run(context) {
    const { args, server, session, reply } = context;
    const options = readOptions(context);
    const timeoutMs = readInteger(args, TIMEOUT_AT);
    const targetDatabase = readInteger(args, DATABASE_AT);
    const host = args.text(1);
    const port = Number.parseInt(args.text(2), 10) || 0;
    if (session.isDenyBlocking) throw CANNOT_WAIT;

    const keys = readKeys(context, options);
    if (keys.length === 0) {
      reply.simple('NOKEY');
      return;
    }

    server.migrate(session, {
      host,
      port,
      sourceDatabase: session.database,
      targetDatabase,
      timeoutMs: timeoutMs <= 0 ? TIMEOUT_MS : timeoutMs,
      copies: options.copies,
      replaces: options.replaces,
      secrets: options.secrets,
      keys,
    });
    context.wait({ deadlineMs: Number.POSITIVE_INFINITY, timedOut() {} });
  },
});

export const migrateCommands: readonly CommandSpec[] = [migrate];
