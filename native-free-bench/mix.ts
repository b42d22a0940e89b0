// Mixes of commands: what the load generator sends, what fills the server first, and which reply
// types are right. A command is a line of words with {key} (12 digits by the distribution),
// {random} (12 uniform digits) and {value} (--size bytes) in it.

import { ReplyKind } from './replies.js';

export interface CommandRow {
  readonly name: string;
  readonly line: string;
  readonly replies: number;
  /** Sent once per key before the measurement, so that reads find something. */
  readonly fill: string | null;
  /** The sum over all replies does not depend on the order in which connections are served. */
  readonly isOrderFree: boolean;
}

export interface MixEntry {
  readonly command: CommandRow;
  readonly weight: number;
}

export interface Mix {
  readonly name: string;
  readonly entries: readonly MixEntry[];
}

const { Status, Integer, Bulk, Null, Aggregate, Any } = ReplyKind;
const TEN_KEYS = Array(10).fill('key:{key}').join(' ');
const TEN_PAIRS = Array(10).fill('key:{key} {value}').join(' ');

const FILL_STRING = 'SET key:{key} {value}';
const FILL_HASH = 'HSET hash:{key} field {value} score 0';
const FILL_ZSET = 'ZADD board {random} member:{key}';

function row(
  name: string,
  line: string,
  replies: number,
  fill: string | null,
  isOrderFree: boolean,
): CommandRow {
  return { name, line, replies, fill, isOrderFree };
}

// Each type has key names of its own, so that no mix makes a server answer WRONGTYPE.
const COMMANDS: readonly CommandRow[] = [
  row('PING', 'PING', Status, null, true),
  row('GET', 'GET key:{key}', Bulk | Null, FILL_STRING, true),
  row('SET', 'SET key:{key} {value}', Status, FILL_STRING, true),
  row('SETEX', 'SET key:{key} {value} EX 3600', Status, FILL_STRING, true),
  row('STRLEN', 'STRLEN key:{key}', Integer, FILL_STRING, true),
  row('EXISTS', 'EXISTS key:{key}', Integer, FILL_STRING, true),
  row('EXPIRE', 'EXPIRE key:{key} 3600', Integer, FILL_STRING, true),
  row('DEL', 'DEL key:{key}', Integer, FILL_STRING, true),
  row('MGET', `MGET ${TEN_KEYS}`, Aggregate, FILL_STRING, true),
  row('MSET', `MSET ${TEN_PAIRS}`, Status, FILL_STRING, true),
  row('INCR', 'INCR counter:{key}', Integer, null, true),
  row('DECR', 'DECR counter:{key}', Integer, null, true),
  row('HOTINCR', 'INCR counter:hot', Integer, null, true),
  row('COUNT', 'GET counter:{key}', Bulk | Null, null, false),
  row('HSET', 'HSET hash:{key} field {value}', Integer, FILL_HASH, true),
  row('HGET', 'HGET hash:{key} field', Bulk | Null, FILL_HASH, true),
  row('HMGET', 'HMGET hash:{key} field score', Aggregate, FILL_HASH, false),
  row('HINCRBY', 'HINCRBY hash:{key} score 1', Integer, FILL_HASH, true),
  row('LPUSH', 'LPUSH list:{key} {value}', Integer, null, true),
  row('RPUSH', 'RPUSH list:{key} {value}', Integer, null, true),
  row('LPOP', 'LPOP list:{key}', Bulk | Null, 'RPUSH list:{key} {value}', false),
  row('RPOP', 'RPOP list:{key}', Bulk | Null, 'RPUSH list:{key} {value}', false),
  row('LRANGE', 'LRANGE list:{key} 0 9', Aggregate, 'RPUSH list:{key} {value}', false),
  row('LTRIM', 'LTRIM list:{key} 0 99', Status, 'RPUSH list:{key} {value}', true),
  row('SADD', 'SADD set:{key} {random}', Integer, null, true),
  row('SCARD', 'SCARD set:{key}', Integer, 'SADD set:{key} {random}', false),
  row('ZADD', 'ZADD board {random} member:{key}', Integer, FILL_ZSET, true),
  row('ZINCRBY', 'ZINCRBY board 1 member:{key}', Bulk, FILL_ZSET, false),
  row('ZSCORE', 'ZSCORE board member:{key}', Bulk | Null, FILL_ZSET, false),
  row('ZREVRANK', 'ZREVRANK board member:{key}', Integer | Null, FILL_ZSET, false),
  row('ZREVRANGE', 'ZREVRANGE board 0 9 WITHSCORES', Aggregate, FILL_ZSET, false),
];

const NAMED: ReadonlyMap<string, string> = new Map([
  ['getset', 'GET:80,SET:20'],
  ['counters', 'INCR:70,DECR:10,HOTINCR:5,COUNT:15'],
  // A tick of a game: positions written and read, alone and ten at a time, the state of things in
  // hashes, a board of scores, sessions.
  [
    'game',
    'SET:15,MGET:10,INCR:10,GET:15,HSET:10,HGET:10,ZINCRBY:10,ZREVRANGE:5,SETEX:10,EXPIRE:5',
  ],
  ['leaderboard', 'ZINCRBY:60,ZREVRANK:30,ZREVRANGE:10'],
  ['mget', 'MGET'],
  ['mset', 'MSET'],
]);

export function mixNames(): string[] {
  return [...NAMED.keys()];
}

/** Reads a mix's name or a list such as GET:80,SET:20 or "HSET h:{key} f {value}:3,PING". */
export function parseMix(text: string): Mix {
  const list = NAMED.get(text.toLowerCase()) ?? text;
  const entries = list
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
    .map(parseEntry);
  if (entries.length === 0) throw new Error(`the mix '${text}' names no command`);
  return { name: text, entries };
}

/** The lines that fill a server for this mix, each once. */
export function fillLines(mix: Mix): string[] {
  const lines = mix.entries.map((entry) => entry.command.fill);
  return [...new Set(lines.filter((line) => line !== null))];
}

function parseEntry(text: string): MixEntry {
  const match = /^(.*?)(?::(\d+))?$/.exec(text);
  const name = match?.[1] ?? text;
  const weight = Number(match?.[2] ?? 1);
  if (weight < 1) throw new Error(`'${text}': a weight is a whole number of at least 1`);
  return { command: findCommand(name), weight };
}

function findCommand(name: string): CommandRow {
  const known = COMMANDS.find((command) => command.name === name.toUpperCase());
  if (known !== undefined) return known;
  if (name.includes(' ')) return row(name.split(' ')[0]!, name, Any, null, false);
  const names = COMMANDS.map((command) => command.name).join(' ');
  throw new Error(
    `no mix or command '${name}'. Mixes: ${mixNames().join(' ')}. Commands: ${names}. ` +
      `Or a whole line such as "SADD s:{key} {random}"`,
  );
}
