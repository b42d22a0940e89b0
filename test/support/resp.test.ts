// The decoder that judges the server: every type, every cut.

import { describe, expect, it } from 'vitest';
import {
  encodeCommand,
  encodeCommands,
  ProtocolError,
  printCommand,
  printReply,
  type Reply,
  ReplyDecoder,
} from './resp.js';
import { Random } from './seed.js';

const rows: readonly (readonly [string, string, string])[] = [
  ['a simple string', '+OK\r\n', '+OK'],
  ['an empty simple string', '+\r\n', '+""'],
  ['an error', '-ERR no such key\r\n', '-ERR no such key'],
  ['an integer', ':-42\r\n', ':-42'],
  ['an integer beyond 53 bits', ':9223372036854775807\r\n', ':9223372036854775807'],
  ['a bulk with any bytes', '$6\r\na\x00\xff\r\n"\r\n', '$"a\\x00\\xff\\r\\n\\""'],
  ['an empty bulk', '$0\r\n\r\n', '$""'],
  ['a null bulk', '$-1\r\n', '(nil)'],
  ['a null array', '*-1\r\n', '(nil array)'],
  ['a RESP3 null', '_\r\n', '(nil3)'],
  ['an empty array', '*0\r\n', '*[]'],
  ['an array in an array', '*2\r\n*1\r\n:1\r\n$-1\r\n', '*[*[:1], (nil)]'],
  ['a map', '%2\r\n+a\r\n:1\r\n$1\r\nb\r\n*0\r\n', '%{+"a": :1, $"b": *[]}'],
  ['an empty map', '%0\r\n', '%{}'],
  ['a set', '~2\r\n:1\r\n:2\r\n', '~[:1, :2]'],
  ['a push', '>2\r\n$1\r\na\r\n_\r\n', '>[$"a", (nil3)]'],
  ['a double', ',1.5\r\n', ',1.5'],
  ['an infinite double', ',-inf\r\n', ',-inf'],
  ['booleans', '*2\r\n#t\r\n#f\r\n', '*[#t, #f]'],
  ['a big number', '(12345678901234567890123\r\n', '(big) 12345678901234567890123'],
  ['a verbatim string', '=7\r\ntxt:a\nb\r\n', '=txt:"a\\nb"'],
  ['a bulk error', '!5\r\nERR a\r\n', '!"ERR a"'],
  ['an error in an array', '*1\r\n-ERR a, b\r\n', '*[-"ERR a, b"]'],
  ['attributes', '|1\r\n+ttl\r\n:3\r\n$1\r\nx\r\n', '(with %{+"ttl": :3}) $"x"'],
];

function decodeAll(bytes: Buffer, cut: (left: number) => number): string[] {
  const decoder = new ReplyDecoder();
  const replies: Reply[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = cut(bytes.length - at);
    decoder.feed(bytes.subarray(at, at + length));
    at += length;
    for (let reply = decoder.next(); reply !== undefined; reply = decoder.next()) {
      replies.push(reply);
    }
  }
  expect(decoder.pendingBytes).toBe(0);
  return replies.map((reply) => printReply(reply));
}

describe('the decoder reads', () => {
  it.each(rows)('%s', (_, bytes, printed) => {
    expect(decodeAll(Buffer.from(bytes, 'latin1'), (left) => left)).toEqual([printed]);
  });

  const all = Buffer.from(rows.map(([, bytes]) => bytes).join(''), 'latin1');
  const printedAll = rows.map(([, , printed]) => printed);

  it('replies that come byte by byte', () => {
    expect(decodeAll(all, () => 1)).toEqual(printedAll);
  });

  it('replies cut anywhere', () => {
    const random = new Random(1);
    for (let round = 0; round < 200; round++) {
      expect(decodeAll(all, () => random.between(1, 30))).toEqual(printedAll);
    }
  });

  it('a long reply in many chunks', () => {
    const body = 'x'.repeat(1_000_000);
    const bytes = Buffer.from(`$${body.length}\r\n${body}\r\n:1\r\n`, 'latin1');

    expect(decodeAll(bytes, () => 4_096)).toEqual([`$"${body}"`, ':1']);
  });
});

describe('the decoder refuses', () => {
  it.each([
    ['an unknown kind', 'OK\r\n'],
    ['a length that is no number', '$x\r\n'],
    ['an integer that is none', ':1x\r\n'],
    ['a bulk of another length', '$1\r\nab\r\n'],
    ['a boolean that is none', '#x\r\n'],
    ['nesting without end', '*1\r\n'.repeat(100).concat(':1\r\n')],
  ])('%s', (_, bytes) => {
    const decoder = new ReplyDecoder();
    decoder.feed(Buffer.from(bytes, 'latin1'));
    expect(() => decoder.next()).toThrow(ProtocolError);
  });
});

describe('the encoder', () => {
  it('writes words of every kind as bulks', () => {
    const bytes = encodeCommand(['SET', 'k\xff', 12, 5n, Buffer.from([0, 255])]);
    expect(bytes.toString('latin1')).toBe(
      '*5\r\n$3\r\nSET\r\n$2\r\nk\xff\r\n$2\r\n12\r\n$1\r\n5\r\n$2\r\n\x00\xff\r\n',
    );
    expect(encodeCommands([['A'], ['B']]).toString()).toBe('*1\r\n$1\r\nA\r\n*1\r\n$1\r\nB\r\n');
  });

  it('prints commands as one would type them', () => {
    expect(printCommand(['SET', 'a key', '', '\x00'])).toBe('SET "a key" "" "\\x00"');
  });
});
