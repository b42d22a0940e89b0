// GET /api/key/<key>: what stands under a key, whatever its type.

import type { Word } from '../commands-out.js';
import { ReplyError, type Value } from '../reply-values.js';
import type { Answers } from './answers.js';
import type { Conversation } from './conversation.js';

const ELEMENTS = 1000;
/** The key was deleted and made anew with another type in between: so often is enough. */
const TRIES = 3;

/** How a type is read: the command, and what becomes of its reply. */
interface Reading {
  readonly command: (key: Word, query: URLSearchParams) => Word[];
  readonly shape?: (value: Value) => Value;
}

/** `rev=0` is none. */
function isReversed(query: URLSearchParams): boolean {
  return query.has('rev') && query.get('rev') !== '0';
}

const READINGS: Readonly<Record<string, Reading>> = {
  string: { command: (key) => ['GET', key] },
  hash: { command: (key) => ['HGETALL', key] },
  list: { command: (key, query) => ['LRANGE', key, ...rangeOf(query)] },
  set: { command: (key) => ['SMEMBERS', key] },
  zset: {
    command: (key, query) => [
      'ZRANGE',
      key,
      ...rangeOf(query),
      ...(isReversed(query) ? ['REV'] : []),
      'WITHSCORES',
    ],
  },
  stream: {
    command: (key, query) => {
      const from = query.get('from') ?? '-';
      const to = query.get('to') ?? '+';
      const count = query.get('count') ?? String(ELEMENTS);
      return isReversed(query)
        ? ['XREVRANGE', key, to, from, 'COUNT', count]
        : ['XRANGE', key, from, to, 'COUNT', count];
    },
  },
  array: {
    command: (key, query) => ['ARSCAN', key, ...rangeOf(query)],
    shape: pairsOf,
  },
};

function rangeOf(query: URLSearchParams): Word[] {
  return [query.get('start') ?? '0', query.get('stop') ?? String(ELEMENTS - 1)];
}

/** [index, value, index, value] as pairs, if it is flat. */
function pairsOf(value: Value): Value {
  if (!Array.isArray(value) || Array.isArray(value[0])) return value;
  const flat = value as readonly Value[];
  const pairs: Value[] = [];
  for (let at = 0; at + 1 < flat.length; at += 2) pairs.push([flat[at]!, flat[at + 1]!]);
  return pairs;
}

/** The key that a path names; null when its percent signs are wrong. */
export function keyOf(path: string): Uint8Array | null {
  const bytes: number[] = [];
  const raw = Buffer.from(path, 'utf8');
  for (let at = 0; at < raw.length; at++) {
    if (raw[at] !== PERCENT) {
      bytes.push(raw[at]!);
      continue;
    }
    const digits = raw.toString('latin1', at + 1, at + 3);
    if (!/^[0-9a-fA-F]{2}$/.test(digits)) return null;
    bytes.push(Number.parseInt(digits, 16));
    at += 2;
  }
  return Uint8Array.from(bytes);
}

const PERCENT = 0x25;

export async function answerKey(
  key: Uint8Array,
  query: URLSearchParams,
  conversation: Conversation,
  answers: Answers,
): Promise<void> {
  const database = query.get('db');
  if (database !== null) {
    const [selected] = await conversation.say([['SELECT', database]]);
    if (selected instanceof ReplyError) return answers.error(selected);
  }
  for (let tries = 1; ; tries++) {
    const [type = null, ttl = null] = await conversation.say([
      ['TYPE', key],
      ['PTTL', key],
    ]);
    if (type instanceof ReplyError) return answers.error(type);
    if (ttl instanceof ReplyError) return answers.error(ttl);
    if (type === 'none') return answers.refuse(404, 'ERR no such key');
    const reading = READINGS[String(type)];
    if (reading === undefined) return answers.refuse(400, `ERR keys of type ${type} are not read`);
    const [value = null] = await conversation.say([reading.command(key, query)]);
    if (value instanceof ReplyError) {
      if (value.code === 'WRONGTYPE' && tries < TRIES) continue;
      return answers.error(value);
    }
    if (answers.wantsBytes && answers.bytes(value)) return;
    const name = Buffer.from(key);
    const shaped = reading.shape?.(value) ?? value;
    return answers.document(200, { key: textOrBytes(name), type, ttl, value: shaped });
  }
}

function textOrBytes(bytes: Buffer): Value {
  const text = bytes.toString('utf8');
  return Buffer.from(text, 'utf8').equals(bytes) ? text : bytes;
}
