// src/client/commands.generated.ts, made from the command table: a typed method for every command
// that makes sense on a connection which many parts of a page share.

import { allCommands } from '../../src/commands/index.js';
import { argumentsOf } from '../../src/commands/syntax.js';
import type { Command } from '../../src/dispatch/command.js';
import { CommandTable } from '../../src/dispatch/table.js';

/** What the client does itself, or what would change the connection under everybody's feet. */
const LEFT_OUT = new Set([
  ...['subscribe', 'psubscribe', 'ssubscribe', 'unsubscribe', 'punsubscribe', 'sunsubscribe'],
  ...['multi', 'exec', 'discard', 'watch', 'unwatch', 'auth', 'hello', 'quit', 'reset', 'monitor'],
  ...['client|reply', 'client|tracking', 'restore-asking', 'sync', 'psync', 'replconf'],
]);

/** The types of replies that are more than "some value", by the names of their commands. */
const REPLIES: Readonly<Record<string, string>> = {
  string: 'type echo info client|list client|info lolwut object|encoding acl|whoami acl|genpass',
  'string | null': 'lset ltrim set mset rename psetex setex flushall flushdb select swapdb ping',
  'string | Uint8Array': 'getrange substr',
  'string | Uint8Array | null':
    'get getdel getex getset hget lindex lpop rpop lmove rpoplpush randomkey spop srandmember ' +
    'dump hrandfield incrbyfloat hincrbyfloat',
  number:
    'append bitcount bitop bitpos dbsize decr decrby del exists expire expireat expiretime hdel ' +
    'hexists hincrby hlen hset hsetnx hstrlen incr incrby linsert llen lpush lpushx lrem move ' +
    'msetnx persist pexpire pexpireat pexpiretime pfadd publish pttl renamenx rpush rpushx sadd ' +
    'scard sdiffstore setbit getbit setnx setrange sinterstore sintercard sismember smove ' +
    'spublish srem strlen sunionstore touch ttl unlink xack xdel xlen xtrim zcard zcount ' +
    'zdiffstore zinterstore zlexcount zrangestore zrem zremrangebylex zremrangebyrank ' +
    'zremrangebyscore zunionstore geoadd pfcount copy lastsave wait zintercard georadius_ro',
  'number | null': 'zscore zrank zrevrank zincrby zadd geodist memory|usage lpos',
  'readonly (string | Uint8Array)[]': 'keys smembers sdiff sinter sunion hkeys hvals lrange sort',
  'readonly (string | Uint8Array | null)[]': 'mget hmget',
  'ReadonlyMap<string, string | Uint8Array>': 'hgetall config|get',
  'readonly [string, readonly (string | Uint8Array)[]]': 'scan hscan sscan zscan',
};

/** Commands of the lists above whose replies depend on an option stay "some value". */
const DEPENDS = new Set(['lpos', 'spop', 'srandmember', 'hrandfield', 'sort', 'georadius_ro']);
const DEPENDS_TOO = new Set(['lpop', 'rpop', 'zrank', 'zrevrank', 'set', 'client|list']);

const LINE_COLUMNS_MAX = 100;

export function clientCommands(): string {
  const { all } = new CommandTable(allCommands);
  const types = replyTypes();
  const methods = all
    .filter(({ subcommands, fullName }) => subcommands.length === 0 && !LEFT_OUT.has(fullName))
    .sort((a, b) => (a.fullName < b.fullName ? -1 : 1))
    .flatMap((command) => method(command, types.get(command.fullName) ?? 'Value'));
  return [
    '// Generated from the command objects in src/commands/ by `npm run docs`; a test fails when',
    '// this file and the commands differ.',
    '',
    "import type { Value, Word } from './value.js';",
    '',
    '/** A method for every command. What stands behind the named arguments is in the notation. */',
    'export interface Commands {',
    ...methods,
    '}',
    '',
  ].join('\n');
}

function replyTypes(): Map<string, string> {
  const types = new Map<string, string>();
  for (const [type, names] of Object.entries(REPLIES)) {
    for (const name of names.split(' ')) {
      if (!DEPENDS.has(name) && !DEPENDS_TOO.has(name)) types.set(name, type);
    }
  }
  return types;
}

function method(command: Command, type: string): string[] {
  const words = command.fullName.replace('|', ' ').toUpperCase();
  const notation = `${words} ${command.spec.syntax ?? ''}`.trim().replaceAll('*/', '* /');
  const name = methodName(command.fullName);
  const head = `  ${name}(${parameters(command).join(', ')}): Promise<${type}>;`;
  const lines = [`  /** \`${notation}\` */`, head].map((line) =>
    line.length <= LINE_COLUMNS_MAX ? line : wrapped(line),
  );
  return lines;
}

/** Too long a line is broken where a comma or a space allows it. */
function wrapped(line: string): string {
  if (/^ +\/?\*/.test(line)) {
    const at = line.lastIndexOf(' ', LINE_COLUMNS_MAX - 4);
    const rest = `   * ${line.slice(at + 1)}`;
    return `${line.slice(0, at)}\n${rest.length <= LINE_COLUMNS_MAX ? rest : wrapped(rest)}`;
  }
  const [head, ...rest] = line.split(/(?<=[(])|(?=\): Promise)/);
  const inner = rest[0]!
    .split(', ')
    .map((each) => `    ${each}${each.startsWith('...') ? '' : ','}`);
  return [head, ...inner, `  ${rest.slice(1).join('')}`].join('\n');
}

function methodName(fullName: string): string {
  const [first, ...rest] = fullName.split(/[|-]/);
  return first + rest.map((word) => word[0]!.toUpperCase() + word.slice(1)).join('');
}

/** Plain words that must be there have names; behind the first that may be missing, all is rest. */
function parameters(command: Command): string[] {
  const { spec, parent } = command;
  const names: string[] = [];
  const args = argumentsOf(spec.syntax ?? '', parent === null ? 0 : 1, spec.keys ?? []);
  for (const { name, type, token, isOptional, isMultiple } of args) {
    const isPlain = !isOptional && token === undefined && !['oneof', 'block'].includes(type);
    if (!isPlain || isMultiple) {
      if (isPlain) names.push(`${unique(name, names)}: Word`);
      return [...names, '...rest: Word[]'];
    }
    names.push(`${unique(name, names)}: Word`);
  }
  return names;
}

function unique(text: string, taken: readonly string[]): string {
  const name = text.replace(/[-_ ](\w)/g, (_, letter: string) => letter.toUpperCase());
  const safe = ['function', 'delete', 'new', 'default', 'rest'].includes(name)
    ? `${name}Name`
    : name;
  return taken.includes(`${safe}: Word`) ? `${safe}${taken.length + 1}` : safe;
}
