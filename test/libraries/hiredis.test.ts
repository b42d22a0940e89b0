// hiredis, the client library for C that clients in many languages stand on, called through koffi.
// Skipped where the machine has no shared hiredis (Debian's libhiredis0.14).

import koffi from 'koffi';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Server } from '../support/server.js';
import { SERVERS } from './servers.js';

const LIBRARIES = ['libhiredis.so.0.14', 'libhiredis.so.1.1.0', 'libhiredis.so'];
const PIPELINED = 1_000;

/** The kinds of replies, as hiredis numbers them. */
const enum Kind {
  String = 1,
  Array = 2,
  Integer = 3,
  Nil = 4,
  Status = 5,
  Error = 6,
}

type Reply = string | bigint | null | Error | readonly Reply[];

const hiredis = load();

interface Words {
  readonly type: number;
  readonly integer: bigint | number;
  readonly len: bigint | number;
  readonly str: unknown;
  readonly elements: bigint | number;
  readonly element: unknown;
}

function load() {
  const library = LIBRARIES.map(opened).find((each) => each !== null);
  if (library === undefined) return null;
  // The beginning of redisReply; releases from 1.0 on put a double before the length.
  const words = koffi.struct('redisReply', {
    type: 'int',
    integer: 'int64_t',
    ...(library.name.endsWith('0.14') ? {} : { dval: 'double' }),
    len: 'size_t',
    str: 'void *',
    ...(library.name.endsWith('0.14') ? {} : { vtype: koffi.array('char', 4) }),
    elements: 'size_t',
    element: 'void *',
  });
  const bind = (declaration: string) => library.functions.func(declaration);
  return {
    words,
    connect: bind('void *redisConnect(const char *ip, int port)'),
    append: bind(
      'int redisAppendCommandArgv(void *context, int count, const char **words, ' +
        'const size_t *lengths)',
    ),
    reply: bind('int redisGetReply(void *context, _Out_ void **reply)'),
    freeReply: bind('void freeReplyObject(void *reply)'),
    free: bind('void redisFree(void *context)'),
  };
}

function opened(name: string) {
  try {
    return { name, functions: koffi.load(name) };
  } catch {
    return null;
  }
}

function append(context: unknown, ...words: string[]): void {
  const lengths = words.map((word) => Buffer.byteLength(word));
  expect(hiredis!.append(context, words.length, words, lengths)).toBe(0);
}

function nextReply(context: unknown): Reply {
  const pointer: unknown[] = [null];
  expect(hiredis!.reply(context, pointer)).toBe(0);
  const reply = decoded(pointer[0]);
  hiredis!.freeReply(pointer[0]);
  return reply;
}

function decoded(pointer: unknown): Reply {
  const reply = koffi.decode(pointer, hiredis!.words) as Words;
  if (reply.type === Kind.Nil) return null;
  if (reply.type === Kind.Integer) return BigInt(reply.integer);
  if (reply.type === Kind.Array) {
    if (Number(reply.elements) === 0) return [];
    const elements = koffi.decode(reply.element, koffi.array('void *', Number(reply.elements)));
    return (elements as unknown[]).map(decoded);
  }
  const bytes = koffi.decode(reply.str, koffi.array('uint8_t', Number(reply.len)));
  const text = Buffer.from(bytes as Uint8Array).toString('utf8');
  return reply.type === Kind.Error ? new Error(text) : text;
}

describe.skipIf(hiredis === null).each(SERVERS)('hiredis on $name', (choice) => {
  let server: Server;
  let context: unknown;
  beforeAll(async () => {
    server = await choice.start();
  });
  afterAll(() => server.stop());
  beforeEach(() => {
    context = hiredis!.connect('127.0.0.1', server.port);
    expect(say('FLUSHALL')).toBe('OK');
  });
  afterEach(() => hiredis!.free(context));

  function say(...words: string[]): Reply {
    append(context, ...words);
    return nextReply(context);
  }

  it('reads every kind of reply', () => {
    expect(say('SET', 'key', 'grün\r\n')).toBe('OK');
    expect(say('GET', 'key')).toBe('grün\r\n');
    expect(say('GET', 'missing')).toBeNull();
    expect(say('INCRBY', 'n', '9223372036854775807')).toBe(9223372036854775807n);
    expect(say('INCR', 'key')).toEqual(new Error('ERR value is not an integer or out of range'));
    expect(say('KEYS', 'none*')).toEqual([]);
  });

  it('reads replies within replies', () => {
    expect(say('XADD', 'events', '1-1', 'name', 'ada')).toBe('1-1');
    expect(say('XRANGE', 'events', '-', '+')).toEqual([['1-1', ['name', 'ada']]]);
    expect(say('MULTI')).toBe('OK');
    expect([say('INCR', 'n'), say('LPUSH', 'n', 'x'), say('SCAN', '0')]).toEqual(
      Array(3).fill('QUEUED'),
    );
    const [one, wrong, page] = say('EXEC') as Reply[];
    expect([one, page]).toEqual([1n, ['0', expect.arrayContaining(['events', 'n'])]]);
    expect(String(wrong)).toContain('WRONGTYPE');
  });

  it('pipelines', () => {
    for (let index = 0; index < PIPELINED; index++) append(context, 'INCR', 'counter');
    for (let index = 1; index <= PIPELINED; index++) {
      expect(nextReply(context)).toBe(BigInt(index));
    }
  });

  it('subscribes', () => {
    expect(say('SUBSCRIBE', 'news')).toEqual(['subscribe', 'news', 1n]);
    const other = hiredis!.connect('127.0.0.1', server.port);
    append(other, 'PUBLISH', 'news', 'hello');
    expect(nextReply(other)).toBe(1n);
    hiredis!.free(other);
    expect(nextReply(context)).toEqual(['message', 'news', 'hello']);
  });
});
