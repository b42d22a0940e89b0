// COMMAND: what commands there are, how they are called and where their keys stand. Everything
// comes from the command table.

import { matchesGlob } from '../base/glob.js';
import { Slices } from '../base/slices.js';
import { isWord, word } from '../dispatch/args.js';
import type { Command } from '../dispatch/command.js';
import type { Context } from '../dispatch/context.js';
import { type CommandSpec, Flag, type KeySpec, sessionCommand } from '../dispatch/define.js';
import { findKeys, KeyPositions } from '../dispatch/route.js';
import { Refusal, SYNTAX } from '../resp/errors.js';
import type { Reply } from '../resp/write.js';
import { helpSubcommand, sub } from './server/help.js';
import { type Argument, argumentsOf } from './syntax.js';

const FILTERBY = word('FILTERBY');

const NO_SUCH_COMMAND = new Refusal('ERR Invalid command specified');
const HAS_NO_KEYS = new Refusal('ERR The command has no key arguments');
const BAD_COUNT = new Refusal('ERR Invalid number of arguments specified for command');
const BAD_ARGUMENTS = new Refusal('ERR Invalid arguments specified for command');

/** Flags in the order in which Redis prints them. */
export const FLAG_NAMES: readonly (readonly [Flag, string])[] = [
  [Flag.Write, 'write'],
  [Flag.Read, 'readonly'],
  [Flag.DenyOom, 'denyoom'],
  [Flag.Admin, 'admin'],
  [Flag.PubSub, 'pubsub'],
  [Flag.NoScript, 'noscript'],
  [Flag.Blocking, 'blocking'],
  [Flag.Loading, 'loading'],
  [Flag.Stale, 'stale'],
  [Flag.SkipMonitor, 'skip_monitor'],
  [Flag.SkipSlowlog, 'skip_slowlog'],
  [Flag.Asking, 'asking'],
  [Flag.Fast, 'fast'],
  [Flag.NoAuth, 'no_auth'],
  [Flag.NoMandatoryKeys, 'no_mandatory_keys'],
  [Flag.NoAsyncLoading, 'no_async_loading'],
  [Flag.NoMulti, 'no_multi'],
  [Flag.MovableKeys, 'movablekeys'],
  [Flag.AllowBusy, 'allow_busy'],
];

function replyWords(reply: Reply, words: readonly string[]): void {
  reply.set(words.length);
  for (const each of words) reply.simple(each);
}

function flagsOf(command: Command): string[] {
  return FLAG_NAMES.flatMap(([flag, name]) => ((command.flags & flag) !== 0 ? [name] : []));
}

/** Commands that are no subcommands, in the order of the table. */
function topCommands(context: Context): readonly Command[] {
  return [...context.server.table.byName.values()];
}

// ---- COMMAND INFO ------------------------------------------------------------------------------

function replyInfo(reply: Reply, command: Command): void {
  const { spec } = command;
  reply.array(10);
  reply.text(command.fullName);
  reply.integer(command.arity);
  replyWords(reply, flagsOf(command));
  const [first, last, step] = legacyKeys(command);
  reply.integer(first);
  reply.integer(last);
  reply.integer(step);
  replyWords(reply, command.categories);
  reply.set(spec.tips?.length ?? 0);
  for (const tip of spec.tips ?? []) reply.text(tip);
  reply.set(spec.keys?.length ?? 0);
  for (const key of spec.keys ?? []) replyKeySpec(reply, key);
  if (command.subcommands.length === 0) {
    reply.set(0);
    return;
  }
  reply.array(command.subcommands.length);
  for (const subcommand of command.subcommands) replyInfo(reply, subcommand);
}

/** First, last and step of the keys, for clients that know no more than that. */
export function legacyKeys(command: Command): readonly [number, number, number] {
  if (command.firstKey !== 0) return [command.firstKey, command.lastKey, command.keyStep];
  let first = 0;
  let last = 0;
  let step = 0;
  for (const { begin, find } of command.spec.keys ?? []) {
    // Only ranges that follow each other without a gap make one range: RENAME's two keys.
    if (typeof begin !== 'object' || !('index' in begin)) continue;
    if (find === 'unknown' || !('lastKey' in find)) continue;
    if (first !== 0 && (last < 0 || begin.index !== last + step || find.step !== step)) continue;
    if (first === 0) first = begin.index;
    step = find.step;
    last = find.lastKey >= 0 ? begin.index + find.lastKey : find.lastKey;
  }
  return [first, last, step];
}

function replyKeySpec(reply: Reply, { flags, begin, find, notes }: KeySpec): void {
  reply.map(notes === undefined ? 3 : 4);
  if (notes !== undefined) {
    reply.text('notes');
    reply.text(notes);
  }
  reply.text('flags');
  replyWords(reply, flags);
  reply.text('begin_search');
  if (begin === 'unknown') replyRow(reply, 'unknown', []);
  else if ('index' in begin) replyRow(reply, 'index', [['index', begin.index]]);
  else {
    const { keyword, startFrom } = begin;
    replyRow(reply, 'keyword', [
      ['keyword', keyword],
      ['startfrom', startFrom],
    ]);
  }
  reply.text('find_keys');
  if (find === 'unknown') replyRow(reply, 'unknown', []);
  else if ('lastKey' in find) {
    const { lastKey, step, limit } = find;
    replyRow(reply, 'range', [
      ['lastkey', lastKey],
      ['keystep', step],
      ['limit', limit],
    ]);
  } else {
    const { keyCountAt, firstKey, step } = find;
    replyRow(reply, 'keynum', [
      ['keynumidx', keyCountAt],
      ['firstkey', firstKey],
      ['keystep', step],
    ]);
  }
}

function replyRow(
  reply: Reply,
  type: string,
  spec: readonly (readonly [string, string | number])[],
): void {
  reply.map(2);
  reply.text('type');
  reply.text(type);
  reply.text('spec');
  reply.map(spec.length);
  for (const [name, value] of spec) {
    reply.text(name);
    if (typeof value === 'number') reply.integer(value);
    else reply.text(value);
  }
}

// ---- COMMAND DOCS ------------------------------------------------------------------------------

function replyDocs(reply: Reply, command: Command): void {
  const { spec } = command;
  const args = argumentsOf(spec.syntax ?? '', command.parent === null ? 0 : 1, spec.keys ?? []);
  const texts: [string, string][] = [
    ['summary', spec.summary],
    ['since', spec.since],
    ['group', spec.group],
    ['complexity', spec.cost],
  ];
  const isDeprecated = spec.deprecatedSince !== undefined;
  const extra = [
    isDeprecated,
    isDeprecated,
    spec.replacedBy !== undefined,
    spec.history !== undefined,
    args.length > 0,
    command.subcommands.length > 0,
  ];
  reply.map(texts.length + extra.filter(Boolean).length);
  for (const [name, text] of texts) {
    reply.text(name);
    reply.utf8(text);
  }
  if (spec.deprecatedSince !== undefined) {
    reply.text('doc_flags');
    replyWords(reply, ['deprecated']);
    reply.text('deprecated_since');
    reply.text(spec.deprecatedSince);
  }
  if (spec.replacedBy !== undefined) {
    reply.text('replaced_by');
    reply.utf8(spec.replacedBy);
  }
  if (spec.history !== undefined) replyHistory(reply, spec.history);
  if (args.length > 0) {
    reply.text('arguments');
    replyArguments(reply, args);
  }
  if (command.subcommands.length === 0) return;
  reply.text('subcommands');
  replyAllDocs(reply, command.subcommands);
}

function replyHistory(reply: Reply, history: NonNullable<CommandSpec['history']>): void {
  reply.text('history');
  reply.set(history.length);
  for (const [version, change] of history) {
    reply.array(2);
    reply.text(version);
    reply.utf8(change);
  }
}

function replyAllDocs(reply: Reply, commands: readonly Command[]): void {
  reply.map(commands.length);
  for (const command of commands) {
    reply.text(command.fullName);
    replyDocs(reply, command);
  }
}

function replyArguments(reply: Reply, args: readonly Argument[]): void {
  reply.array(args.length);
  for (const each of args) replyArgument(reply, each);
}

function replyArgument(reply: Reply, argument: Argument): void {
  const { name, type, token, keySpec, parts } = argument;
  const hasParts = type === 'oneof' || type === 'block';
  const flags = [
    ...(argument.isOptional ? ['optional'] : []),
    ...(argument.isMultiple ? ['multiple'] : []),
    ...(argument.isTokenMultiple ? ['multiple_token'] : []),
  ];
  const extra = [keySpec !== undefined, token !== undefined, flags.length > 0];
  reply.map(3 + extra.filter(Boolean).length);
  reply.text('name');
  reply.text(name);
  reply.text('type');
  reply.text(type);
  if (!hasParts) {
    reply.text('display_text');
    reply.text(name);
  }
  if (keySpec !== undefined) {
    reply.text('key_spec_index');
    reply.integer(keySpec);
  }
  if (token !== undefined) {
    reply.text('token');
    reply.text(token);
  }
  if (flags.length > 0) {
    reply.text('flags');
    replyWords(reply, flags);
  }
  if (!hasParts) return;
  reply.text('arguments');
  replyArguments(reply, parts);
}

// ---- COMMAND LIST ------------------------------------------------------------------------------

function readFilter(context: Context): (command: Command) => boolean {
  const { args } = context;
  if (args.count === 2) return () => true;
  if (args.count !== 5 || !isWord(args, 2, FILTERBY)) throw SYNTAX;
  const filter = args.text(4).toLowerCase();
  switch (args.text(3).toLowerCase()) {
    case 'module':
      return () => false;
    case 'aclcat':
      return (command) => command.categories.includes(`@${filter}`);
    case 'pattern':
      return (command) => matches(args.copy(4), command.fullName);
    default:
      throw SYNTAX;
  }
}

function matches(pattern: Uint8Array, name: string): boolean {
  const bytes = Buffer.from(name, 'latin1');
  return matchesGlob(pattern, 0, pattern.length, bytes, 0, bytes.length, true);
}

// ---- COMMAND GETKEYS ---------------------------------------------------------------------------

/** The words behind COMMAND GETKEYS, as a command of their own. */
function innerWords(context: Context): Slices {
  const { args } = context;
  const words: Uint8Array[] = [];
  for (let index = 2; index < args.count; index++) words.push(args.copy(index));
  return Slices.of(...words);
}

function replyKeys(context: Context, withFlags: boolean): void {
  const { server, reply } = context;
  const words = innerWords(context);
  let command = server.table.find(words, 0);
  if (command === null) throw NO_SUCH_COMMAND;
  if (command.subcommands.length > 0 && words.count > 1) {
    command = server.table.findSub(command, words, 1);
    if (command === null) throw NO_SUCH_COMMAND;
  }
  if ((command.spec.keys ?? []).length === 0) throw HAS_NO_KEYS;
  if (!command.accepts(words.count)) throw BAD_COUNT;
  const positions = new KeyPositions();
  const isFound = findKeys(command, words, positions) && positions.count > 0;
  const needsKeys = (command.flags & Flag.NoMandatoryKeys) === 0;
  if (!isFound && needsKeys) throw BAD_ARGUMENTS;

  reply.array(isFound ? positions.count : 0);
  for (let at = 0; isFound && at < positions.count; at++) {
    const index = positions.words[at]!;
    if (withFlags) reply.array(2);
    reply.bulk(words.u8, words.startOf(index), words.lengthOf(index));
    if (withFlags) replyWords(reply, keyFlags(command, positions.specs[at]!, words));
  }
}

/** A key's flags may depend on the options: SET only reads when it is asked to GET. */
function keyFlags(command: Command, specIndex: number, words: Slices): readonly string[] {
  const { flags } = command.spec.keys![specIndex]!;
  if (!flags.includes('variable_flags')) return flags;
  const options = new Set<string>();
  // Behind the key and, of SET, the value.
  const first = command.fullName === 'set' ? 3 : 2;
  for (let at = first; at < words.count; at++) options.add(words.text(at).toLowerCase());
  const rule = VARIABLE_FLAGS[command.fullName];
  return rule === undefined ? flags : rule(options);
}

const READS_AND_WRITES = ['RW', 'access', 'update'];

const VARIABLE_FLAGS: Readonly<
  Record<string, ((options: ReadonlySet<string>) => readonly string[]) | undefined>
> = {
  set: (options) => (options.has('get') ? READS_AND_WRITES : ['OW', 'update']),
  bitfield: (options) =>
    options.has('set') || options.has('incrby') ? READS_AND_WRITES : ['RO', 'access'],
};

// ---- the container -----------------------------------------------------------------------------

const FLAGS = Flag.Loading | Flag.Stale;
const CONNECTION = ['@connection'];
const UNORDERED = ['nondeterministic_output_order'];

function replyAllInfo(context: Context): void {
  const commands = topCommands(context);
  context.reply.array(commands.length);
  for (const command of commands) replyInfo(context.reply, command);
}

const getkeys = sub({
  name: 'getkeys',
  arity: -3,
  group: 'server',
  since: '2.8.13',
  summary: 'Tells which words of a command are keys.',
  cost: 'O(N) where N is the number of words',
  flags: FLAGS,
  categories: CONNECTION,
  syntax: 'command [arg [arg ...]]',
  run: (context) => replyKeys(context, false),
});

const getkeysandflags = sub({
  name: 'getkeysandflags',
  arity: -3,
  group: 'server',
  since: '7.0.0',
  summary: 'Tells which words of a command are keys, and what is done with them.',
  cost: 'O(N) where N is the number of words',
  flags: FLAGS,
  categories: CONNECTION,
  syntax: 'command [arg [arg ...]]',
  run: (context) => replyKeys(context, true),
});

const count = sub({
  name: 'count',
  arity: 2,
  group: 'server',
  since: '2.8.13',
  summary: 'Counts the commands.',
  cost: 'O(1)',
  flags: FLAGS,
  categories: CONNECTION,
  run(context) {
    context.reply.integer(topCommands(context).length);
  },
});

const info = sub({
  name: 'info',
  arity: -2,
  group: 'server',
  since: '2.8.13',
  summary: 'Describes commands.',
  cost: 'O(N) where N is the number of commands asked about',
  flags: FLAGS,
  categories: CONNECTION,
  syntax: '[command-name [command-name ...]]',
  tips: UNORDERED,
  history: [['7.0.0', 'Subcommands may be asked about, in the form container|subcommand.']],
  run(context) {
    const { args, server, reply } = context;
    if (args.count === 2) {
      replyAllInfo(context);
      return;
    }
    reply.array(args.count - 2);
    for (let index = 2; index < args.count; index++) {
      const command = server.table.named(args.text(index));
      if (command === null) reply.nil();
      else replyInfo(reply, command);
    }
  },
});

const docs = sub({
  name: 'docs',
  arity: -2,
  group: 'server',
  since: '7.0.0',
  summary: 'Tells what commands are for and how they are called.',
  cost: 'O(N) where N is the number of commands asked about',
  flags: FLAGS,
  categories: CONNECTION,
  syntax: '[command-name [command-name ...]]',
  tips: UNORDERED,
  run(context) {
    const { args, server, reply } = context;
    if (args.count === 2) {
      replyAllDocs(reply, topCommands(context));
      return;
    }
    const asked: Command[] = [];
    for (let index = 2; index < args.count; index++) {
      const command = server.table.named(args.text(index));
      if (command !== null) asked.push(command);
    }
    replyAllDocs(reply, asked);
  },
});

const list = sub({
  name: 'list',
  arity: -2,
  group: 'server',
  since: '7.0.0',
  summary: 'Lists the names of commands.',
  cost: 'O(N) where N is the number of commands',
  flags: FLAGS,
  categories: CONNECTION,
  syntax: '[FILTERBY <MODULE module-name | ACLCAT category | PATTERN pattern>]',
  tips: UNORDERED,
  run(context) {
    const { server, reply } = context;
    const listed = server.table.all.filter(readFilter(context));
    reply.array(listed.length);
    for (const command of listed) reply.text(command.fullName);
  },
});

const help = helpSubcommand({
  container: 'command',
  group: 'server',
  since: '5.0.0',
  lines: [
    '(no subcommand)',
    '    Return details about all Redis commands.',
    'COUNT',
    '    Return the total number of commands in this Redis server.',
    'LIST',
    '    Return a list of all commands in this Redis server.',
    'INFO [<command-name> ...]',
    '    Return details about multiple Redis commands.',
    '    If no command names are given, documentation details for all',
    '    commands are returned.',
    'DOCS [<command-name> ...]',
    '    Return documentation details about multiple Redis commands.',
    '    If no command names are given, documentation details for all',
    '    commands are returned.',
    'GETKEYS <full-command>',
    '    Return the keys from a full Redis command.',
    'GETKEYSANDFLAGS <full-command>',
    '    Return the keys and the access flags from a full Redis command.',
  ],
});

const command = sessionCommand({
  name: 'command',
  arity: -1,
  group: 'server',
  since: '2.8.13',
  summary: 'Describes all commands.',
  cost: 'O(N) where N is the number of commands',
  flags: FLAGS,
  categories: CONNECTION,
  tips: UNORDERED,
  subcommands: [
    count,
    docs,
    getkeys,
    getkeysandflags,
    { ...help, categories: CONNECTION },
    info,
    list,
  ],
  run: replyAllInfo,
});

export const commandCommands: readonly CommandSpec[] = [command];
