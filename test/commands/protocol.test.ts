// The protocol below the commands: inline lines, empty requests, broken requests, and how they are
// cut into pieces. Raw bytes, because no encoder would produce them.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Delivery } from '../support/client.js';
import { printReply } from '../support/resp.js';
import { type Server, startServer } from '../support/server.js';

interface Row {
  readonly title: string;
  readonly bytes: string;
  /** Printed replies in order. */
  readonly replies: readonly string[];
  readonly isClosed?: true;
}

const rows: readonly Row[] = [
  { title: 'an inline command is a line of words', bytes: 'PING\r\n', replies: ['+PONG'] },
  {
    title: 'an inline line may end in LF alone',
    bytes: 'PING\nPING\n',
    replies: ['+PONG', '+PONG'],
  },
  {
    title: 'inline words may be quoted and escaped',
    bytes: 'SET "a key" "\\x41\\n\\"" \r\nGET \'a key\'\r\n',
    replies: ['+OK', '$"A\\n\\""'],
  },
  { title: 'an empty line is no command', bytes: '\r\n\r\nPING\r\n', replies: ['+PONG'] },
  { title: 'a line of blanks is no command', bytes: '   \r\nPING\r\n', replies: ['+PONG'] },
  {
    title: 'an empty multibulk request is no command',
    bytes: '*0\r\n*-1\r\nPING\r\n',
    replies: ['+PONG'],
  },
  {
    title: 'inline and multibulk requests may follow each other',
    bytes: 'PING\r\n*1\r\n$4\r\nPING\r\nECHO hello\r\n*2\r\n$4\r\nECHO\r\n$0\r\n\r\n',
    replies: ['+PONG', '+PONG', '$"hello"', '$""'],
  },
  {
    title: 'a bulk may hold any bytes',
    bytes: '*2\r\n$4\r\nECHO\r\n$6\r\n\r\n*1\r\n\r\n',
    replies: ['$"\\r\\n*1\\r\\n"'],
  },
  {
    title: 'unbalanced quotes end the connection',
    bytes: 'SET "a b\r\n',
    replies: ['-ERR Protocol error: unbalanced quotes in request'],
    isClosed: true,
  },
  {
    title: 'a quoted word must be followed by a blank',
    bytes: 'SET "a"b c\r\n',
    replies: ['-ERR Protocol error: unbalanced quotes in request'],
    isClosed: true,
  },
  {
    title: 'a count of words that is no number ends the connection',
    bytes: '*abc\r\n',
    replies: ['-ERR Protocol error: invalid multibulk length'],
    isClosed: true,
  },
  {
    title: 'a count of words beyond 32 bits ends the connection',
    bytes: '*3000000000\r\n',
    replies: ['-ERR Protocol error: invalid multibulk length'],
    isClosed: true,
  },
  {
    title: 'a word must start with a dollar',
    bytes: '*1\r\n:4\r\nPING\r\n',
    replies: ["-ERR Protocol error: expected '$', got ':'"],
    isClosed: true,
  },
  {
    title: 'a negative length of a word ends the connection',
    bytes: '*1\r\n$-1\r\n',
    replies: ['-ERR Protocol error: invalid bulk length'],
    isClosed: true,
  },
  {
    title: 'a length of a word beyond 512 MB ends the connection',
    bytes: '*1\r\n$536870913\r\n',
    replies: ['-ERR Protocol error: invalid bulk length'],
    isClosed: true,
  },
  {
    title: 'what stands before a broken request is answered first',
    bytes: '*1\r\n$4\r\nPING\r\n*1\r\n$x\r\n',
    replies: ['+PONG', '-ERR Protocol error: invalid bulk length'],
    isClosed: true,
  },
  {
    title: 'an inline line may not grow for ever',
    bytes: `${'x'.repeat(70_000)}`,
    replies: ['-ERR Protocol error: too big inline request'],
    isClosed: true,
  },
  {
    title: 'the line of a count may not grow for ever',
    bytes: `*${'1'.repeat(70_000)}`,
    replies: ['-ERR Protocol error: too big mbulk count string'],
    isClosed: true,
  },
  {
    title: 'the line of a length may not grow for ever',
    bytes: `*1\r\n$${'1'.repeat(70_000)}`,
    replies: ['-ERR Protocol error: too big bulk count string'],
    isClosed: true,
  },
];

const CLOSE_MS_MAX = 30_000;
const CHUNK_SEED = 7;
/** Rows longer than this are sent whole only: byte by byte they would take seconds. */
const PIECEMEAL_BYTES_MAX = 1_000;

let server: Server;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.stop());

const deliveries: readonly (readonly [string, Delivery])[] = [
  ['whole', 'whole'],
  ['byte by byte', 'bytes'],
  ['in random pieces', { chunkSeed: CHUNK_SEED }],
];

describe.each(deliveries)('a request sent %s', (_, delivery) => {
  const shortEnough = rows.filter(
    (row) => delivery === 'whole' || row.bytes.length <= PIECEMEAL_BYTES_MAX,
  );
  it.each(shortEnough)('$title', async ({ bytes, replies, isClosed }) => {
    const client = await server.connect({ delivery });

    await client.send(Buffer.from(bytes, 'latin1'));
    const seen: string[] = [];
    for (let index = 0; index < replies.length; index++) {
      seen.push(printReply(await client.read()));
    }

    expect(seen).toEqual(replies);
    if (isClosed) expect(await client.closedWithin(CLOSE_MS_MAX)).toBe(true);
    else expect(printReply(await client.command('PING'))).toBe('+PONG');
    client.close();
  });
});
