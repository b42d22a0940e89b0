// The request parser: vectors whole and byte by byte, with Redis's limits and its words for what is
// wrong.

import { describe, expect, it } from 'vitest';
import { Slices } from '../../src/base/slices.js';
import { Parsed, Parser } from '../../src/resp/parse.js';

const BULK_BYTES_MAX = 512 * 1024 * 1024;

interface Reading {
  readonly commands: string[][];
  readonly error?: string;
}

interface Limits {
  readonly bulkBytesMax?: number;
  readonly isStranger?: boolean;
}

function parserFor({ bulkBytesMax = BULK_BYTES_MAX, isStranger = false }: Limits): Parser {
  const parser = new Parser(new Slices(), { bulkBytesMax });
  parser.isStranger = isStranger;
  return parser;
}

function wordsOf({ args }: Parser): string[] {
  return Array.from({ length: args.count }, (_, index) => args.text(index));
}

function take(parser: Parser, commands: string[][]): string | undefined {
  for (;;) {
    const parsed = parser.next();
    if (parsed === Parsed.Incomplete) return undefined;
    if (parsed === Parsed.Error) return parser.error;
    if (parsed === Parsed.Command) commands.push(wordsOf(parser));
    parser.commandAt = parser.at;
  }
}

function result(commands: string[][], error: string | undefined): Reading {
  return error === undefined ? { commands } : { commands, error };
}

function whole(text: string, limits: Limits): Reading {
  const parser = parserFor(limits);
  const bytes = Buffer.from(text, 'latin1');
  parser.feed(bytes, 0, bytes.length);
  const commands: string[][] = [];
  return result(commands, take(parser, commands));
}

/** Each byte is fed with what is unfinished before it. */
function byteByByte(text: string, limits: Limits): Reading {
  const parser = parserFor(limits);
  const bytes = Buffer.from(text, 'latin1');
  const commands: string[][] = [];
  let from = 0;
  for (let end = 1; end <= bytes.length; end++) {
    parser.feed(bytes, from, end);
    const error = take(parser, commands);
    if (error !== undefined) return result(commands, error);
    from = parser.commandAt;
  }
  return result(commands, undefined);
}

/** Each byte is added where the parser stands. */
function growing(text: string, limits: Limits): Reading {
  const parser = parserFor(limits);
  const bytes = Buffer.from(text, 'latin1');
  const commands: string[][] = [];
  parser.feed(bytes, 0, 0);
  for (let end = 1; end <= bytes.length; end++) {
    parser.extend(bytes, 0, end);
    const error = take(parser, commands);
    if (error !== undefined) return result(commands, error);
  }
  return result(commands, undefined);
}

const DELIVERIES = { whole, 'byte by byte': byteByByte, 'in a growing buffer': growing };

const COMMANDS: readonly [text: string, commands: string[][]][] = [
  ['*1\r\n$4\r\nPING\r\n', [['PING']]],
  ['*2\r\n$3\r\nGET\r\n$0\r\n\r\n', [['GET', '']]],
  ['*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$4\r\n\r\n\0\xff\r\n', [['SET', 'k', '\r\n\0\xff']]],
  ['*2\r\n$4\r\nECHO\r\n$12\r\n$3\r\nGET\r\n*1\r\r\n', [['ECHO', '$3\r\nGET\r\n*1\r']]],
  [`*2\r\n$4\r\nECHO\r\n$100\r\n${'x'.repeat(100)}\r\n`, [['ECHO', 'x'.repeat(100)]]],
  [`*12\r\n${'$1\r\na\r\n'.repeat(12)}`, [Array(12).fill('a')]],
  ['*1\r\n$4\r\nPING\r\n*1\r\n$4\r\nQUIT\r\n', [['PING'], ['QUIT']]],
  ['PING\r\n', [['PING']]],
  ['PING\n', [['PING']]],
  [
    '  SET\tk  v \r\nGET k\r\n',
    [
      ['SET', 'k', 'v'],
      ['GET', 'k'],
    ],
  ],
  ['\r\n\n  \r\nPING\r\n', [['PING']]],
  ['*0\r\n*-1\r\n*-10\r\nPING\r\n', [['PING']]],
  ['SET k "a b\\n\\r\\t\\a\\b\\x41\\"\\\\\\q"\r\n', [['SET', 'k', 'a b\n\r\t\x07\bA"\\q']]],
  ["SET k 'a\\n\\'b\"'\r\n", [['SET', 'k', 'a\\n\'b"']]],
  ['SET "" \'\'\r\n', [['SET', '', '']]],
  ['SET "\\xZZ\\x4"\r\n', [['SET', 'xZZx4']]],
  // What stands behind a zero byte is not seen, as in a C string.
  ['GET a\0b c\r\n', [['GET', 'a']]],
  ['GET a"b c"\r\n', [['GET', 'ab c']]],
  ['*1\r\n$4\r\nPING\r\nPING\r\n*1\r\n$4\r\nPING\r\n', [['PING'], ['PING'], ['PING']]],
  // Unfinished: nothing comes yet.
  ['*2\r\n$3\r\nGET\r\n$3\r\nke', []],
  ['*2\r\n$3\r\nGET\r\n$3\r\nkey\r', []],
  ['*2\r', []],
  ['PING', []],
];

const ERRORS: readonly [text: string, error: string][] = [
  ['*x\r\n', 'invalid multibulk length'],
  ['*\r\n', 'invalid multibulk length'],
  ['*1x\r\n', 'invalid multibulk length'],
  ['*01\r\n', 'invalid multibulk length'],
  ['*+1\r\n', 'invalid multibulk length'],
  ['*2147483648\r\n', 'invalid multibulk length'],
  ['*99999999999999999999\r\n', 'invalid multibulk length'],
  ['*1\r\nPING\r\n', "expected '$', got 'P'"],
  ['*1\r\n:4\r\n', "expected '$', got ':'"],
  ['*1\r\n$x\r\n', 'invalid bulk length'],
  ['*1\r\n$\r\n', 'invalid bulk length'],
  ['*1\r\n$-1\r\n', 'invalid bulk length'],
  ['*1\r\n$007\r\n', 'invalid bulk length'],
  ['*1\r\n$536870913\r\n', 'invalid bulk length'],
  ['*1\r\n$9223372036854775808\r\n', 'invalid bulk length'],
  ['GET "a\r\n', 'unbalanced quotes in request'],
  ["GET 'a\r\n", 'unbalanced quotes in request'],
  ['GET "a"b\r\n', 'unbalanced quotes in request'],
  ["GET 'a'b\r\n", 'unbalanced quotes in request'],
  ['GET "a\\\r\n', 'unbalanced quotes in request'],
];

const STRANGER_ERRORS: readonly [text: string, error: string][] = [
  ['*11\r\n', 'unauthenticated multibulk length'],
  ['*1\r\n$16385\r\n', 'unauthenticated bulk length'],
];

describe.each(Object.entries(DELIVERIES))('the parser, input arriving %s', (_, read) => {
  it.each(COMMANDS)('reads %j', (text, commands) => {
    expect(read(text, {})).toEqual({ commands });
  });

  it.each(ERRORS)('refuses %j: %s', (text, error) => {
    const before = '*1\r\n$4\r\nPING\r\n';
    const commands = [['PING']];
    expect(read(before + text, {})).toEqual({ commands, error: `ERR Protocol error: ${error}` });
  });

  it.each(STRANGER_ERRORS)('refuses %j of a stranger: %s', (text, error) => {
    expect(read(text, { isStranger: true }).error).toBe(`ERR Protocol error: ${error}`);
    expect(read(text, {})).toEqual({ commands: [] });
  });

  it('takes the most that a stranger may send', () => {
    const most = `*10\r\n${'$1\r\na\r\n'.repeat(9)}$16384\r\n${'x'.repeat(16_384)}\r\n`;
    expect(read(most, { isStranger: true }).commands[0]).toHaveLength(10);
  });

  it('keeps the limit of bulk strings that the configuration sets', () => {
    const text = `*1\r\n$1000\r\n${'x'.repeat(1000)}\r\n`;
    expect(read(text, { bulkBytesMax: 1000 })).toEqual({ commands: [['x'.repeat(1000)]] });
    expect(read(text, { bulkBytesMax: 999 }).error).toBe('ERR Protocol error: invalid bulk length');
  });
});

describe('the parser', () => {
  it('gives up on lines that do not end within 64 KB', () => {
    const long = 'x'.repeat(64 * 1024);
    const unended: [string, string][] = [
      [`GET ${long}`, 'too big inline request'],
      [`*${'1'.repeat(64 * 1024)}`, 'too big mbulk count string'],
      [`*1\r\n$${'1'.repeat(64 * 1024)}`, 'too big bulk count string'],
    ];
    for (const [text, error] of unended) {
      expect(whole(text, {})).toEqual({ commands: [], error: `ERR Protocol error: ${error}` });
      expect(whole(text.slice(0, 64 * 1024), {})).toEqual({ commands: [] });
    }
  });

  it('does not look beyond the end of its input', () => {
    const parser = parserFor({});
    const bytes = Buffer.from('PING\r\n*1\r\n$4\r\nPING\r\n', 'latin1');
    for (let end = 1; end < bytes.length; end++) {
      parser.feed(bytes, 0, end);
      const commands: string[][] = [];
      expect(take(parser, commands)).toBeUndefined();
      expect(commands).toEqual(end < 6 ? [] : [['PING']]);
    }
  });

  it('says how much the unfinished command needs', () => {
    const parser = parserFor({});
    const bytes = Buffer.from('*2\r\n$4\r\nECHO\r\n$1000\r\nabc', 'latin1');
    parser.feed(bytes, 0, bytes.length);
    expect(parser.next()).toBe(Parsed.Incomplete);
    expect(parser.neededBytes).toBe('*2\r\n$4\r\nECHO\r\n$1000\r\n'.length + 1000 + 2);
  });

  it('goes on in a buffer that has moved', () => {
    const parser = parserFor({});
    const text = '*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$5\r\nvalue\r\n';
    const early = Buffer.from(`PING\r\n${text.slice(0, 20)}`, 'latin1');
    parser.feed(early, 0, early.length);
    const commands: string[][] = [];
    take(parser, commands);
    const moved = Buffer.from(`....${text}`, 'latin1');
    parser.extend(moved, 4 - parser.commandAt, moved.length);
    take(parser, commands);
    expect(commands).toEqual([['PING'], ['SET', 'key', 'value']]);
  });

  it('reads a command again after it was sent back to it', () => {
    const parser = parserFor({});
    const bytes = Buffer.from('PING "a\\x41"\r\n*1\r\n$4\r\nQUIT\r\n', 'latin1');
    parser.feed(bytes, 0, bytes.length);
    for (let round = 0; round < 3; round++) {
      expect(parser.next()).toBe(Parsed.Command);
      expect(wordsOf(parser)).toEqual(['PING', 'aA']);
      expect(parser.next()).toBe(Parsed.Command);
      expect(wordsOf(parser)).toEqual(['QUIT']);
      parser.rewind(0);
    }
    // The words were unescaped elsewhere: the input is what it was.
    expect(bytes.toString('latin1')).toContain('"a\\x41"');
  });

  it('makes no room for words that are only announced', () => {
    const parser = parserFor({});
    const bytes = Buffer.from('*1000000\r\n$1\r\na\r\n', 'latin1');
    parser.feed(bytes, 0, bytes.length);
    expect(parser.next()).toBe(Parsed.Incomplete);
    expect(parser.args.starts.length).toBeLessThanOrEqual(1024);
  });
});
