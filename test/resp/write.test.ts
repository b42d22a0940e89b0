// Replies in both protocols, in buffers that are too small, through edges that take what is long.

import { describe, expect, it } from 'vitest';
import { Refusal } from '../../src/resp/errors.js';
import {
  GrowingEdge,
  LARGE_BYTES,
  type Protocol,
  Reply,
  type ReplyEdge,
} from '../../src/resp/write.js';

type Write = (reply: Reply) => void;

function text(write: Write, protocol: Protocol, bufferBytes = 4096): string {
  const reply = new Reply(new Uint8Array(bufferBytes), new GrowingEdge());
  reply.protocol = protocol;
  write(reply);
  return Buffer.from(reply.u8.slice(0, reply.at)).toString('latin1');
}

const bytes = (value: string) => Buffer.from(value, 'latin1');

const ROWS: readonly [name: string, write: Write, two: string, three: string][] = [
  ['OK', (reply) => reply.ok(), '+OK\r\n', '+OK\r\n'],
  ['a simple string', (reply) => reply.simple('PONG'), '+PONG\r\n', '+PONG\r\n'],
  ['an error', (reply) => reply.error('ERR a\r\nb'), '-ERR a  b\r\n', '-ERR a  b\r\n'],
  ['a refusal', (reply) => reply.refusal(new Refusal('OOM \n')), '-OOM  \r\n', '-OOM  \r\n'],
  ['0', (reply) => reply.integer(0), ':0\r\n', ':0\r\n'],
  ['9', (reply) => reply.integer(9), ':9\r\n', ':9\r\n'],
  ['-1', (reply) => reply.integer(-1), ':-1\r\n', ':-1\r\n'],
  [
    'a large integer',
    (reply) => reply.integer(-9007199254740991),
    ':-9007199254740991\r\n',
    ':-9007199254740991\r\n',
  ],
  [
    'the least int64',
    (reply) => reply.int64(0, -(2 ** 31)),
    ':-9223372036854775808\r\n',
    ':-9223372036854775808\r\n',
  ],
  ['a flag', (reply) => reply.flag(true), ':1\r\n', ':1\r\n'],
  ['true', (reply) => reply.boolean(true), ':1\r\n', '#t\r\n'],
  ['false', (reply) => reply.boolean(false), ':0\r\n', '#f\r\n'],
  ['no value', (reply) => reply.nil(), '$-1\r\n', '_\r\n'],
  ['no array', (reply) => reply.nilArray(), '*-1\r\n', '_\r\n'],
  ['a bulk', (reply) => reply.bulk(bytes('xabcx'), 1, 3), '$3\r\nabc\r\n', '$3\r\nabc\r\n'],
  ['an empty bulk', (reply) => reply.bulk(bytes(''), 0, 0), '$0\r\n\r\n', '$0\r\n\r\n'],
  ['text', (reply) => reply.text('a\r\n\xff'), '$4\r\na\r\n\xff\r\n', '$4\r\na\r\n\xff\r\n'],
  ['UTF-8', (reply) => reply.utf8('é'), '$2\r\n\xc3\xa9\r\n', '$2\r\n\xc3\xa9\r\n'],
  ['a number as bulk', (reply) => reply.bulkInteger(-42), '$3\r\n-42\r\n', '$3\r\n-42\r\n'],
  [
    'an int64 as bulk',
    (reply) => reply.bulkInt64(-1, 2 ** 31 - 1),
    '$19\r\n9223372036854775807\r\n',
    '$19\r\n9223372036854775807\r\n',
  ],
  ['an array', (reply) => reply.array(12), '*12\r\n', '*12\r\n'],
  ['a map', (reply) => reply.map(2), '*4\r\n', '%2\r\n'],
  ['a set', (reply) => reply.set(3), '*3\r\n', '~3\r\n'],
  ['a push', (reply) => reply.push(3), '*3\r\n', '>3\r\n'],
  ['a double', (reply) => reply.double(1.5), '$3\r\n1.5\r\n', ',1.5\r\n'],
  ['infinity', (reply) => reply.double(Number.NEGATIVE_INFINITY), '$4\r\n-inf\r\n', ',-inf\r\n'],
  [
    'verbatim text',
    (reply) => reply.verbatim('é', 'txt'),
    '$2\r\n\xc3\xa9\r\n',
    '=6\r\ntxt:\xc3\xa9\r\n',
  ],
  ['a big number', (reply) => reply.bigNumber('123'), '$3\r\n123\r\n', '(123\r\n'],
];

describe('a reply', () => {
  it.each(ROWS)('writes %s', (_, write, two, three) => {
    expect(text(write, 2)).toBe(two);
    expect(text(write, 3)).toBe(three);
  });

  it.each(ROWS)('writes %s where there is no room yet', (_, write, two) => {
    expect(text(write, 2, 0)).toBe(two);
  });

  it('writes bulks of every length around the large ones', () => {
    for (const length of [99, 100, 9999, LARGE_BYTES - 1, LARGE_BYTES, LARGE_BYTES + 1, 300_000]) {
      const value = 'x'.repeat(length);
      const written = text((reply) => reply.bulk(bytes(value), 0, length), 2, 64);
      expect(written === `$${length}\r\n${value}\r\n`).toBe(true);
    }
  });

  it('keeps the order where the edge takes bytes away', () => {
    const edge = new TakingEdge();
    const reply = new Reply(new Uint8Array(80_000), edge);
    let expected = '';
    for (let index = 0; index < 40; index++) {
      const value = String(index).repeat(index * 997);
      reply.bulk(bytes(value), 0, value.length);
      reply.integer(index);
      expected += `$${value.length}\r\n${value}\r\n:${index}\r\n`;
    }
    edge.takeAll(reply);
    expect(edge.taken === expected).toBe(true);
    expect(edge.largeCount).toBeGreaterThan(0);
    expect(edge.roomCount).toBeGreaterThan(0);
  });
});

/** As a connection's queue: the buffer is emptied, long values come by themselves. */
class TakingEdge implements ReplyEdge {
  taken = '';
  largeCount = 0;
  roomCount = 0;

  takeAll(reply: Reply): void {
    this.taken += Buffer.from(reply.u8.slice(0, reply.at)).toString('latin1');
    reply.at = 0;
  }

  makeRoom(reply: Reply): void {
    this.roomCount++;
    this.takeAll(reply);
  }

  writeLarge(reply: Reply, u8: Uint8Array, start: number, length: number): void {
    this.largeCount++;
    this.takeAll(reply);
    this.taken += Buffer.from(u8.slice(start, start + length)).toString('latin1');
  }
}

describe('a refusal', () => {
  it('knows the word that clients branch on', () => {
    expect(new Refusal('WRONGTYPE Operation').code).toBe('WRONGTYPE');
    expect(new Refusal('LOADING').code).toBe('LOADING');
  });
});
