// DEBUG: what tests and the curious need. As on Redis it is refused unless the configuration allows
// it.

import { int64 } from '../../base/ascii.js';
import { fail } from '../../base/assert.js';
import { parseDouble } from '../../base/float-text.js';
import { Prng } from '../../base/prng.js';
import { readInt64 } from '../../dispatch/args.js';
import type { Context } from '../../dispatch/context.js';
import { Flag, sessionCommand } from '../../dispatch/define.js';
import { placeKey } from '../../dispatch/route.js';
import { type EntryRef, encodingOf, recencyOf } from '../../keyspace/entry.js';
import type { Partition } from '../../keyspace/partition.js';
import { stringEncodingName, stringLength } from '../../keyspace/strings.js';
import { isStructured, rootOf, structureBytes, structureName } from '../../keyspace/values.js';
import { NO_SUCH_KEY, Refusal } from '../../resp/errors.js';
import { NONE, type Slab } from '../../slab/slab.js';
import { type ChainRef, describeChain } from '../../structs/chain.js';
import { Encoding } from '../../types/kind.js';
import { populate } from './debug-populate.js';
import { loadLog, reload } from './debug-reload.js';
import { digestOfAll, hexOf } from './digest.js';
import { emptyDigest } from './digest-mixing.js';
import { mixValue } from './digest-values.js';
import { refuseSubcommand, replyHelp } from './help.js';

const NOT_ALLOWED = new Refusal(
  'ERR DEBUG command not allowed. If the enable-debug-command option is set to "local", you can ' +
    'run it from a local connection, otherwise you need to set this option in the configuration ' +
    'file, and then restart the server.',
);
const BAD_PROTOCOL_TYPE = new Refusal(
  'ERR Wrong protocol type name. Please use one of the following: string|integer|double|bignum|' +
    'null|array|set|map|attrib|push|verbatim|true|false',
);
const NOT_IN_RESP2 = new Refusal('ERR RESP2 is not supported by this command');
const BAD_THRESHOLD = new Refusal(
  'ERR argument must be a memory value bigger than 1 and smaller than 4gb',
);
const DATABASE_OUTSIDE = new Refusal('ERR Out of range database');
const NOT_A_TABLE = new Refusal(
  'ERR The value stored at the specified key is not represented using an hash table',
);

interface DebugWord {
  /** Words of the command, this one and DEBUG included. */
  readonly least: number;
  readonly most: number;
  run(context: Context): void;
}

const WORDS: Readonly<Record<string, DebugWord | undefined>> = {
  help: { least: 2, most: 2, run: (context) => replyHelp(context, HELP_LINES) },
  sleep: { least: 3, most: 3, run: sleep },
  reload: { least: 2, most: Number.POSITIVE_INFINITY, run: reload },
  loadaof: { least: 2, most: 2, run: loadLog },
  'set-disable-deny-scripts': { least: 3, most: 3, run: setScriptsFree },
  'set-active-expire': { least: 3, most: 3, run: setActiveExpire },
  object: { least: 3, most: 3, run: describeObject },
  digest: {
    least: 2,
    most: 2,
    run: (context) => context.reply.simple(hexOf(digestOfAll(context))),
  },
  'digest-value': { least: 2, most: Number.POSITIVE_INFINITY, run: digestValues },
  populate: { least: 3, most: 5, run: populate },
  'config-rewrite-force-all': { least: 2, most: 2, run: rewriteAll },
  protocol: { least: 3, most: 3, run: showType },
  'change-repl-id': { least: 2, most: 2, run: changeReplicationId },
  'quicklist-packed-threshold': { least: 3, most: 3, run: acceptThreshold },
  replybuffer: { least: 4, most: 4, run: acceptReplyBuffer },
  htstats: { least: 3, most: Number.POSITIVE_INFINITY, run: describeTables },
  'htstats-key': { least: 3, most: Number.POSITIVE_INFINITY, run: describeTableOfKey },
  error: { least: 3, most: 3, run: ({ args, reply }) => reply.error(args.text(2)) },
  log: { least: 3, most: 3, run: writeLog },
  // Without effect here: there is nothing of the kind to switch.
  'dict-resizing': { least: 3, most: 3, run: accept },
  'pause-cron': { least: 3, most: 3, run: accept },
  'aof-flush-sleep': { least: 3, most: 3, run: accept },
  'set-skip-checksum-validation': { least: 3, most: 3, run: accept },
  // They end all threads, with the report of a crash.
  segfault: { least: 2, most: 2, run: () => fail('DEBUG SEGFAULT was asked for') },
  panic: { least: 2, most: 2, run: () => fail('DEBUG PANIC was asked for') },
  assert: { least: 2, most: 2, run: () => fail('DEBUG ASSERT was asked for') },
  // They would end all threads and lose what no log has: refused whatever their arguments.
  oom: { least: 2, most: Number.POSITIVE_INFINITY, run: refuseToDie },
  restart: { least: 2, most: Number.POSITIVE_INFINITY, run: refuseToDie },
  'crash-and-recover': { least: 2, most: Number.POSITIVE_INFINITY, run: refuseToDie },
};

export const debug = sessionCommand({
  name: 'debug',
  arity: -2,
  group: 'server',
  since: '1.0.0',
  summary: 'A container for commands that help with tests.',
  cost: 'Depends on subcommand.',
  flags: Flag.Admin | Flag.NoScript | Flag.Loading | Flag.Stale,
  visits: true,
  run(context) {
    const { args, session, server } = context;
    const rule = server.config.text('enable-debug-command');
    if (rule === 'no' || (rule === 'local' && !session.isLocal)) throw NOT_ALLOWED;
    const name = args.text(1).toLowerCase();
    const found = Object.hasOwn(WORDS, name) ? WORDS[name] : undefined;
    if (found === undefined || args.count < found.least || args.count > found.most) {
      refuseSubcommand(context);
    }
    found.run(context);
  },
});

function accept({ reply }: Context): void {
  reply.ok();
}

function refuseToDie(context: Context): never {
  const name = context.args.text(1).toUpperCase();
  context.refuse(`ERR DEBUG ${name} is not offered: it would end all threads of this server`);
}

/** As C's strtod: what is no number counts as 0. */
function readSeconds({ args }: Context): number {
  const text = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?/i.exec(args.text(2))?.[0] ?? '0';
  const bytes = Buffer.from(text, 'latin1');
  const seconds = parseDouble(bytes, 0, bytes.length);
  return Number.isFinite(seconds) ? seconds : 0;
}

function sleep(context: Context): void {
  const seconds = readSeconds(context);
  if (seconds > 0) context.server.sleepHoldingLocks(seconds * 1000);
  context.reply.ok();
}

function setActiveExpire(context: Context): void {
  context.server.setActiveExpire(readSeconds(context) !== 0);
  context.reply.ok();
}

function setScriptsFree(context: Context): void {
  context.server.setScriptsFree(readSeconds(context) !== 0);
  context.reply.ok();
}

/** Runs `look` under the lock of the key at word `index`, with its entry or NONE. */
function lookAt(
  context: Context,
  index: number,
  look: (partition: Partition, entry: EntryRef) => void,
): void {
  const { args, keyspace } = context;
  context.visit(placeKey(keyspace, args, index), (partition) => {
    look(partition, partition.peek(args, index));
  });
}

function describeObject(context: Context): void {
  const { args, keyspace } = context;
  const seconds = Math.floor(context.nowMs / 1000) & 0xffffff;
  context.visit(placeKey(keyspace, args, 2), (partition) => {
    const { slab, index } = partition;
    // Also one whose time is over: tests ask whether it still stands.
    const entry = partition.standing(args, 2);
    if (entry === NONE) throw NO_SUCH_KEY;
    const recency = recencyOf(slab, entry);
    const idle = (seconds - recency) & 0xffffff;
    // The place is the partition and the ref, in the form of an address.
    const place = (index * 2 ** 32 + entry).toString(16);
    const [encoding, saved] = describeValue(slab, entry);
    context.reply.simple(
      `Value at:0x${place} refcount:1 encoding:${encoding} serializedlength:${saved} ` +
        `lru:${recency} lru_seconds_idle:${idle}${describeNodes(slab, entry)}`,
    );
  });
}

/** The encoding of a value, and about how many bytes it would take in a file. */
function describeValue(slab: Slab, entry: EntryRef): readonly [encoding: string, saved: number] {
  if (isStructured(slab, entry)) return [structureName(slab, entry), structureBytes(slab, entry)];
  const encoding = stringEncodingName(slab, entry);
  return [encoding, savedLength(encoding, stringLength(slab, entry))];
}

/** Of a list of nodes: how many there are, and what they may be. */
function describeNodes(slab: Slab, entry: EntryRef): string {
  if (encodingOf(slab, entry) !== Encoding.Chain) return '';
  return ` ${describeChain(slab, rootOf(slab, entry) as ChainRef)}`;
}

/** Bytes of a string in an RDB file, uncompressed: its length and itself, small integers packed. */
function savedLength(encoding: string, length: number): number {
  if (encoding === 'int' && length <= 11) return length <= 3 ? 2 : length <= 5 ? 3 : 5;
  if (length < 64) return length + 1;
  return length < 16_384 ? length + 2 : length + 5;
}

function digestValues(context: Context): void {
  const { args, reply } = context;
  reply.array(args.count - 2);
  for (let index = 2; index < args.count; index++) {
    const digest = emptyDigest();
    lookAt(context, index, ({ slab }, entry) => {
      if (entry !== NONE) mixValue(digest, slab, entry);
    });
    reply.simple(hexOf(digest));
  }
}

function changeReplicationId({ server, reply }: Context): void {
  const prng = Prng.fromEntropy();
  let digits = '';
  while (digits.length < 40) digits += prng.nextUint32().toString(16).padStart(8, '0');
  server.stats.replicationId = digits;
  reply.ok();
}

/** A memory value, checked as Redis checks it; lists have their own thresholds here. */
function acceptThreshold({ args, reply }: Context): void {
  const found = /^(\d+)(b|k|kb|m|mb|g|gb)?$/i.exec(args.text(2));
  if (found === null) throw BAD_THRESHOLD;
  const unit = (found[2] ?? 'b').toLowerCase();
  const base = unit.endsWith('b') ? 1024 : 1000;
  const power = 'bkmg'.indexOf(unit[0]!);
  if (Number(found[1]) * base ** power > 2 ** 32) throw BAD_THRESHOLD;
  reply.ok();
}

function acceptReplyBuffer(context: Context): void {
  const { args, reply } = context;
  const option = args.text(2).toLowerCase();
  const setting = args.text(3).toLowerCase();
  if (option === 'peak-reset-time') {
    if (setting !== 'never' && setting !== 'reset') readInt64(args, 3);
  } else if (option !== 'resizing') {
    refuseSubcommand(context);
  }
  reply.ok();
}

function writeLog({ args, server, reply }: Context): void {
  server.log('warning', `DEBUG LOG: ${args.text(2)}`);
  reply.ok();
}

function describeTables(context: Context): void {
  const { args, keyspace, reply } = context;
  readInt64(args, 2);
  const database = int64.value;
  if (database < 0 || database >= keyspace.databaseCount) throw DATABASE_OUTSIDE;
  const keys = keyspace.partitions.map((partition) => partition.countOf(database));
  const volatileKeys = keyspace.partitions.map((each) => each.volatileCountOf(database));
  reply.verbatim(
    `[Dictionary HT]\n${spreadText(keys)}[Expires HT]\n${spreadText(volatileKeys)}`,
    'txt',
  );
}

function spreadText(counts: readonly number[]): string {
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (total === 0) return 'No stats available for empty dictionaries\n';
  return (
    'Hash table 0 stats (main hash table):\n' +
    ` number of elements: ${total}\n` +
    ` partitions: ${counts.length}\n` +
    ` fewest elements of a partition: ${Math.min(...counts)}\n` +
    ` most elements of a partition: ${Math.max(...counts)}\n`
  );
}

function describeTableOfKey(context: Context): void {
  lookAt(context, 2, (_, entry) => {
    throw entry === NONE ? NO_SUCH_KEY : NOT_A_TABLE;
  });
}

const ATTRIBUTE = Buffer.from('|1\r\n$14\r\nkey-popularity\r\n*2\r\n$7\r\nkey:123\r\n:90\r\n');

const SHOWN: Readonly<Record<string, ((context: Context) => void) | undefined>> = {
  string: ({ reply }) => reply.text('Hello World'),
  integer: ({ reply }) => reply.integer(12345),
  // Redis's figure, which only resembles pi.
  double: ({ reply }) => reply.double(3141 / 1000),
  bignum: ({ reply }) => reply.bigNumber('1234567999999999999999999999999999999'),
  null: ({ reply }) => reply.nil(),
  array({ reply }) {
    reply.array(3);
    for (let index = 0; index < 3; index++) reply.integer(index);
  },
  set({ reply }) {
    reply.set(3);
    for (let index = 0; index < 3; index++) reply.integer(index);
  },
  map({ reply }) {
    reply.map(3);
    for (let index = 0; index < 3; index++) {
      reply.integer(index);
      reply.boolean(index === 1);
    }
  },
  attrib({ reply }) {
    if (reply.protocol === 3) reply.raw(ATTRIBUTE);
    reply.text('Some real reply following the attribute');
  },
  push({ reply }) {
    if (reply.protocol === 2) throw NOT_IN_RESP2;
    // As Redis sends it: pushes leave behind the reply of the command that caused them.
    reply.text('Some real reply following the push reply');
    reply.push(2);
    reply.text('server-cpu-usage');
    reply.integer(42);
  },
  verbatim: ({ reply }) => reply.verbatim('This is a verbatim\nstring', 'txt'),
  true: ({ reply }) => reply.boolean(true),
  false: ({ reply }) => reply.boolean(false),
};

/** CONFIG REWRITE that leaves nothing out, what is as by default included. */
function rewriteAll({ server, reply }: Context): void {
  const failure = server.config.rewriteFile(true);
  if (failure !== null) throw new Refusal(failure);
  reply.ok();
}

function showType(context: Context): void {
  const name = context.args.text(2).toLowerCase();
  const show = Object.hasOwn(SHOWN, name) ? SHOWN[name] : undefined;
  if (show === undefined) throw BAD_PROTOCOL_TYPE;
  show(context);
}

const HELP_LINES = [
  'CHANGE-REPL-ID',
  '    Change the replication IDs of the instance.',
  '    Dangerous: should be used only for testing the replication subsystem.',
  'CONFIG-REWRITE-FORCE-ALL',
  '    Like CONFIG REWRITE but writes all configuration options, including',
  '    keywords not listed in original configuration file or default values.',
  'DIGEST',
  '    Output a hex signature representing the current DB content.',
  'DIGEST-VALUE <key> [<key> ...]',
  '    Output a hex signature of the values of all the specified keys.',
  'ERROR <string>',
  '    Return a Redis protocol error with <string> as message. Useful for clients',
  '    unit tests to simulate Redis errors.',
  'LOG <message>',
  '    Write <message> to the server log.',
  'HTSTATS <dbid> [full]',
  '    Return hash table statistics of the specified Redis database.',
  'HTSTATS-KEY <key> [full]',
  "    Like HTSTATS but for the hash table stored at <key>'s value.",
  'LOADAOF',
  '    Flush the AOF buffers on disk and reload the AOF in memory.',
  'OBJECT <key>',
  '    Show low level info about `key` and associated value.',
  'PROTOCOL <type>',
  '    Reply with a test value of the specified type. <type> can be: string,',
  '    integer, double, bignum, null, array, set, map, attrib, push, verbatim,',
  '    true, false.',
  'RELOAD [option ...]',
  '    Save the RDB on disk and reload it back to memory. Valid <option> values:',
  '    * MERGE: conflicting keys will be loaded from RDB.',
  '    * NOFLUSH: the existing database will not be removed before load, but',
  '      conflicting keys will generate an exception and kill the server.',
  '    * NOSAVE: the database will be loaded from an existing RDB file.',
  '    Examples:',
  '    * DEBUG RELOAD: verify that the server is able to persist, flush and reload',
  '      the database.',
  '    * DEBUG RELOAD NOSAVE: replace the current database with the contents of an',
  '      existing RDB file.',
  '    * DEBUG RELOAD NOSAVE NOFLUSH MERGE: add the contents of an existing RDB',
  '      file to the database.',
  'SET-ACTIVE-EXPIRE <0|1>',
  '    Setting it to 0 disables expiring keys in background when they are not',
  '    accessed (otherwise the Redis behavior). Setting it to 1 reenables back the',
  '    default.',
  'SET-DISABLE-DENY-SCRIPTS <0|1>',
  '    Allow scripts to call commands that are not allowed from scripts.',
  'QUICKLIST-PACKED-THRESHOLD <size>',
  '    Accepted, without effect.',
  'SLEEP <seconds>',
  '    Stop the server for <seconds>. Decimals allowed.',
  'REPLYBUFFER PEAK-RESET-TIME <NEVER||RESET|time>',
  '    Accepted, without effect.',
  'REPLYBUFFER RESIZING <0|1>',
  '    Accepted, without effect.',
];
