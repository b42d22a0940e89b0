// FUNCTION: libraries of functions, which stay on the server like data does.

import { isWord, word } from '../../dispatch/args.js';
import type { Context } from '../../dispatch/context.js';
import {
  type CommandSpec,
  containerCommand,
  everyCommand as everySub,
  Flag,
  sessionCommand as sub,
} from '../../dispatch/define.js';
import type { Library, LibraryFunction, RestorePolicy } from '../../dispatch/functions.js';
import { ByteSink } from '../../rdb/sink.js';
import { Refusal } from '../../resp/errors.js';
import { SCRIPT_FLAGS } from '../../scripting/shebang.js';
import { helpSubcommand, refuseSubcommand } from '../server/help.js';
import { killScript } from './script.js';

const REPLACE = word('REPLACE');
const SYNC = word('SYNC');
const ASYNC = word('ASYNC');
const WITH_CODE = word('WITHCODE');
const LIBRARY_NAME = word('LIBRARYNAME');

const NO_CODE = new Refusal('ERR Function code is missing');
const NO_NAME = new Refusal('ERR library name argument was not given');
const BAD_FLUSH = new Refusal('ERR FUNCTION FLUSH only supports SYNC|ASYNC option');
const BAD_POLICY = new Refusal(
  'ERR Wrong restore policy given, value should be either FLUSH, APPEND or REPLACE.',
);

const ALL_SHARDS = ['request_policy:all_shards', 'response_policy:all_succeeded'];

const remove = everySub({
  name: 'delete',
  arity: 3,
  group: 'scripting',
  since: '7.0.0',
  summary: 'Removes a library and its functions.',
  cost: 'O(1)',
  flags: Flag.Write | Flag.NoScript,
  syntax: 'library-name',
  tips: ALL_SHARDS,
  run({ args, effects, reply, scripts }) {
    scripts.functions.remove(args, 2);
    effects.dirty++;

    reply.ok();
  },
});

const sink = new ByteSink();

const dump = sub({
  name: 'dump',
  arity: 2,
  group: 'scripting',
  since: '7.0.0',
  summary: 'Answers all libraries as bytes that FUNCTION RESTORE takes.',
  cost: 'O(N) where N is the number of functions',
  flags: Flag.NoScript,
  run({ reply, scripts, server }) {
    sink.reset();
    scripts.functions.dump(sink, server.config.flag('rdbcompression'));

    reply.bulk(sink.u8, 0, sink.at);
    sink.reset();
  },
});

const flush = everySub({
  name: 'flush',
  arity: -2,
  group: 'scripting',
  since: '7.0.0',
  summary: 'Removes all libraries.',
  cost: 'O(N) where N is the number of functions',
  flags: Flag.Write | Flag.NoScript,
  syntax: '[<ASYNC | SYNC>]',
  tips: ALL_SHARDS,
  run(context) {
    const { args, effects, reply, scripts } = context;
    if (args.count > 3) refuseSubcommand(context);
    // Either way it takes no longer: each thread forgets what it has compiled by itself.
    const isKnown = args.count === 2 || isWord(args, 2, SYNC) || isWord(args, 2, ASYNC);
    if (!isKnown) throw BAD_FLUSH;

    scripts.functions.flush();
    effects.dirty++;

    reply.ok();
  },
});

const kill = sub({
  name: 'kill',
  arity: 2,
  group: 'scripting',
  since: '7.0.0',
  summary: 'Ends a function that keeps the server busy and has not written anything.',
  cost: 'O(1)',
  flags: Flag.NoScript | Flag.AllowBusy,
  tips: ['request_policy:all_shards', 'response_policy:one_succeeded'],
  run(context) {
    killScript(context, false);
  },
});

const list = sub({
  name: 'list',
  arity: -2,
  group: 'scripting',
  since: '7.0.0',
  summary: 'Describes the libraries and their functions.',
  cost: 'O(N) where N is the number of functions',
  flags: Flag.NoScript,
  syntax: '[LIBRARYNAME library-name-pattern] [WITHCODE]',
  tips: ['nondeterministic_output_order'],
  run(context) {
    const { args, scripts } = context;
    let patternAt = 0;
    let hasCode = false;
    for (let index = 2; index < args.count; index++) {
      if (!hasCode && isWord(args, index, WITH_CODE)) hasCode = true;
      else if (patternAt === 0 && isWord(args, index, LIBRARY_NAME)) {
        if (index + 1 === args.count) throw NO_NAME;
        patternAt = ++index;
      } else context.refuse(`ERR Unknown argument ${args.text(index)}`);
    }

    const libraries = scripts.functions.matching(args, patternAt);

    context.reply.array(libraries.length);
    for (const library of libraries) replyLibrary(context, library, hasCode);
  },
});

function replyLibrary({ reply }: Context, library: Library, hasCode: boolean): void {
  const { name, code, functions } = library;
  reply.map(hasCode ? 4 : 3);
  reply.text('library_name');
  reply.text(name);
  reply.text('engine');
  reply.text('LUA');
  reply.text('functions');
  reply.array(functions.length);
  for (const one of functions) {
    reply.map(3);
    reply.text('name');
    reply.text(one.name);
    reply.text('description');
    if (one.description === null) reply.nil();
    else {
      const bytes = Buffer.from(one.description, 'latin1');
      reply.bulk(bytes, 0, bytes.length);
    }
    reply.text('flags');
    const names = flagNames(one);
    reply.set(names.length);
    for (const flag of names) reply.simple(flag);
  }
  if (!hasCode) return;
  reply.text('library_code');
  reply.bulk(code, 0, code.length);
}

function flagNames({ flags }: LibraryFunction): string[] {
  return [...SCRIPT_FLAGS].filter(([, flag]) => (flags & flag) !== 0).map(([name]) => name);
}

const load = everySub({
  name: 'load',
  arity: -3,
  group: 'scripting',
  since: '7.0.0',
  summary: 'Compiles and keeps a library of functions.',
  cost: 'O(1), considering that compiling takes a time of its own.',
  flags: Flag.Write | Flag.DenyOom | Flag.NoScript,
  syntax: '[REPLACE] function-code',
  tips: ALL_SHARDS,
  run(context) {
    const { args, effects, keyspace, reply, scripts } = context;
    let isReplacing = false;
    let index = 2;
    for (; index < args.count - 1; index++) {
      if (!isWord(args, index, REPLACE)) {
        context.refuse(`ERR Unknown option given: ${args.text(index)}`);
      }
      isReplacing = true;
    }
    if (index >= args.count) throw NO_CODE;

    // What comes from the log was loaded once: it is not asked how long it takes.
    const hasLimit = keyspace.expiresByClock;
    const name = scripts.functions.load(args.copy(index), isReplacing, hasLimit);
    effects.dirty++;

    reply.text(name);
  },
});

const restore = everySub({
  name: 'restore',
  arity: -3,
  group: 'scripting',
  since: '7.0.0',
  summary: 'Brings libraries back from the bytes that FUNCTION DUMP gave.',
  cost: 'O(N) where N is the number of functions in the bytes',
  flags: Flag.Write | Flag.DenyOom | Flag.NoScript,
  syntax: 'serialized-value [<FLUSH | APPEND | REPLACE>]',
  tips: ALL_SHARDS,
  run(context) {
    const { args, effects, reply, scripts } = context;
    if (args.count > 4) refuseSubcommand(context);
    const policy = args.count === 4 ? policyOf(args.text(3).toLowerCase()) : 'append';

    scripts.functions.restore(args.u8, args.startOf(2), args.lengthOf(2), policy);
    effects.dirty++;

    reply.ok();
  },
});

function policyOf(name: string): RestorePolicy {
  if (name === 'flush' || name === 'append' || name === 'replace') return name;
  throw BAD_POLICY;
}

const stats = sub({
  name: 'stats',
  arity: 2,
  group: 'scripting',
  since: '7.0.0',
  summary: 'Tells which function keeps the server busy, and how many functions there are.',
  cost: 'O(1)',
  flags: Flag.NoScript | Flag.AllowBusy,
  tips: ['nondeterministic_output', 'request_policy:all_shards', 'response_policy:special'],
  run({ reply, scripts, server }) {
    const running = scripts.runningFunction();
    const refusal = server.busyRefusal();
    // What keeps the server busy is a script of EVAL: about those this command says nothing.
    if (running === null && refusal !== null) throw refusal;

    reply.map(2);
    reply.text('running_script');
    if (running === null) reply.nil();
    else {
      reply.map(3);
      reply.text('name');
      reply.text(running.name);
      reply.text('command');
      reply.array(running.words.length);
      for (const bytes of running.words) reply.bulk(bytes, 0, bytes.length);
      reply.text('duration_ms');
      reply.integer(running.durationMs);
    }
    reply.text('engines');
    reply.map(1);
    reply.text('LUA');
    reply.map(2);
    reply.text('libraries_count');
    reply.integer(scripts.functions.all.length);
    reply.text('functions_count');
    reply.integer(scripts.functions.functionCount);
  },
});

const help = helpSubcommand({
  container: 'function',
  group: 'scripting',
  since: '7.0.0',
  lines: [
    'LOAD [REPLACE] <FUNCTION CODE>',
    '    Create a new library with the given library name and code.',
    'DELETE <LIBRARY NAME>',
    '    Delete the given library.',
    'LIST [LIBRARYNAME PATTERN] [WITHCODE]',
    '    Return general information on all the libraries:',
    '    * Library name',
    '    * The engine used to run the Library',
    '    * Library description',
    '    * Functions list',
    '    * Library code (if WITHCODE is given)',
    '    It also possible to get only function that matches a pattern using LIBRARYNAME argument.',
    'STATS',
    '    Return information about the current function running:',
    '    * Function name',
    '    * Command used to run the function',
    '    * Duration in MS that the function is running',
    '    If no function is running, return nil',
    '    In addition, returns a list of available engines.',
    'KILL',
    '    Kill the current running function.',
    'FLUSH [ASYNC|SYNC]',
    '    Delete all the libraries.',
    '    When called without the optional mode argument, the behavior is determined by the',
    '    lazyfree-lazy-user-flush configuration directive. Valid modes are:',
    '    * ASYNC: Asynchronously flush the libraries.',
    '    * SYNC: Synchronously flush the libraries.',
    'DUMP',
    '    Return a serialized payload representing the current libraries, can be restored using ' +
      'FUNCTION RESTORE command',
    'RESTORE <PAYLOAD> [FLUSH|APPEND|REPLACE]',
    '    Restore the libraries represented by the given payload, it is possible to give a ' +
      'restore policy to',
    '    control how to handle existing libraries (default APPEND):',
    '    * FLUSH: delete all existing libraries.',
    '    * APPEND: appends the restored libraries to the existing libraries. On collision, abort.',
    '    * REPLACE: appends the restored libraries to the existing libraries, On collision, ' +
      'replace the old',
    '      libraries with the new libraries (notice that even on this option there is a chance ' +
      'of failure',
    '      in case of functions name collision with another library).',
  ],
});

export const functionContainer = containerCommand({
  name: 'function',
  arity: -2,
  group: 'scripting',
  since: '7.0.0',
  summary: 'A container for commands about functions.',
  flags: 0,
  subcommands: [remove, dump, flush, help, kill, list, load, restore, stats],
});

export const functionCommands: readonly CommandSpec[] = [functionContainer];
