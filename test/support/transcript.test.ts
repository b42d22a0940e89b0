// The transcripts' own test: right dialogues pass, wrong ones fail with the line that is wrong. The
// other side is a tiny echo engine in this process, which also proves the in-process wire.

import { describe, expect, it } from 'vitest';
import { Client } from './client.js';
import { mismatch, readPatterns, splitWords } from './pattern.js';
import { decodeReply, encodeCommand } from './resp.js';
import { parseTranscript, playSection } from './transcript.js';

/** Answers FLUSHALL and HELLO with OK, and `SAY words` with the raw reply that the words spell. */
function echoClient(delivery: 'whole' | 'bytes' = 'whole'): Client {
  const client = new Client(delivery);
  let input = '';
  client.attach({
    write(bytes) {
      input += Buffer.from(bytes).toString('latin1');
      for (;;) {
        const request = /^\*\d+\r\n(?:\$\d+\r\n[^\r]*\r\n)*?(?=\*|$)/.exec(input);
        if (request === null || !isWhole(request[0])) return;
        input = input.slice(request[0].length);
        const words = [...request[0].matchAll(/\$\d+\r\n([^\r]*)\r\n/g)].map((match) => match[1]!);
        const reply = words[0] === 'SAY' ? words.slice(1).join(' ') : '+OK';
        client.events.received(Buffer.from(`${reply.replaceAll('|', '\r\n')}\r\n`, 'latin1'));
      }
    },
    settle: async () => {},
    close: () => {},
  });
  return client;
}

function isWhole(request: string): boolean {
  const count = Number(/^\*(\d+)/.exec(request)![1]);
  return [...request.matchAll(/\$(\d+)\r\n([^\r]*)\r\n/g)].length === count;
}

async function play(text: string, protocol: 2 | 3 = 2, isPipelined = false): Promise<string> {
  const [section] = parseTranscript(`new a section\n${text}`, 'test.txt').sections;
  const stage = { way: { protocol, isPipelined }, open: async () => echoClient() };
  try {
    await playSection(section!, stage, 'test.txt');
    return 'passed';
  } catch (error) {
    return (error as Error).message;
  }
}

describe('a transcript', () => {
  it('passes when every reply is as written', async () => {
    const text = '> SAY +OK\nOK\n> SAY :1\n1\n> SAY $2|ab\n"ab"\nb> SAY *1|:5\n[1..9]';
    expect(await play(text)).toBe('passed');
    expect(await play(text, 2, true)).toBe('passed');
  });

  it('names the line and both replies when one is wrong', async () => {
    const problem = await play('> SAY +OK\nOK\n> SAY :1\n2');
    expect(problem).toBe('test.txt:4: > SAY :1\n  the reply should be :2\n  but is :1');
  });

  it('fails when a reply is missing in the file or comes unexpected', async () => {
    expect(await play('> SAY +OK')).toContain('no reply is written down');
    expect(await play('> SAY :1|:2\n1')).toContain('got a reply nobody expected: :2');
  });

  it('tells the protocols apart where lines are marked', async () => {
    const text = '> SAY $-1\n2| (nil)\n3| "never"';
    expect(await play(text, 2)).toBe('passed');
    expect(await play(text, 3)).toContain('should be $"never"');
  });

  it('keeps replies by name for later commands', async () => {
    expect(await play('> SAY :77\n(as id) 1..100\n> SAY :$(id)\n77')).toBe('passed');
    expect(await play('> SAY +$(x*5)\nxxxxx')).toBe('passed');
    expect(await play('> SAY :$(unknown)\n1')).toContain('nothing is known as $(unknown)');
  });

  it('waits, and reads messages that nobody asked for', async () => {
    expect(await play('a> SAY :1|+later\n1\nwait 1ms\na< later')).toBe('passed');
  });

  it('refuses files that make no sense', () => {
    const parse = (text: string) => () => parseTranscript(text, 'test.txt');
    expect(parse('> PING\nPONG')).toThrow('test.txt:1: a file starts with `new`');
    expect(parse('new a [bogus]\n')).toThrow('there is no option bogus');
    expect(parse('new a\nOK\n')).toThrow('test.txt:2: a reply without a command');
    expect(parse('new a\n> PING\n[1, 2\n')).toThrow('] is missing');
  });
});

describe('a pattern', () => {
  const check = (pattern: string, reply: string, protocol: 2 | 3 = 3): boolean => {
    const decoded = decodeReply(Buffer.from(reply.replaceAll('|', '\r\n'), 'latin1'));
    return mismatch(readPatterns(pattern)[0]!, decoded, protocol, new Map()) === undefined;
  };

  it.each([
    ['OK', '+OK|', '+NO|'],
    ['-ERR a b', '-ERR a b|', '-ERR a c|'],
    ['"1"', '$1|1|', ':1|'],
    ['5..10', ':10|', ':11|'],
    ['~/^a+$/', '$2|aa|', '$2|ab|'],
    [':~/^1/', ':12|', '$2|12|'],
    [',1.5', ',1.5|', ',1.6|'],
    ['(nil)', '_|', '$0||'],
    ['[1, ...]', '*2|:1|:2|', '*1|:2|'],
    ['[]', '*0|', '*1|:1|'],
    ['(any order) [1, 2]', '*2|:2|:1|', '*2|:2|:2|'],
    ['~[1, 2]', '~2|:2|:1|', '*2|:1|:2|'],
    ['{"a": 1}', '%1|$1|a|:1|', '%1|$1|a|:2|'],
    ['{"b": 2, ...}', '%2|$1|a|:1|$1|b|:2|', '%1|$1|a|:1|'],
    ['[,1.5, #t]', '*2|,1.5|#t|', '*2|,1.5|#f|'],
    ['>["message", (any)]', '>2|$7|message|:1|', '*2|$7|message|:1|'],
    ['(big) 123', '(123|', ':123|'],
    ['=txt:"a"', '=5|txt:a|', '=5|mkd:a|'],
  ])('%s fits what it says and nothing else', (pattern, good, bad) => {
    expect(check(pattern, good)).toBe(true);
    expect(check(pattern, bad)).toBe(false);
  });

  it.each([
    ['{"a": #t}', '*2|$1|a|:1|'],
    [',1.5', '$3|1.5|'],
    ['~[1]', '*1|:1|'],
    ['(nil)', '$-1|'],
    ['(nil array)', '*-1|'],
    ['=txt:"a"', '$1|a|'],
    ['(big) 123', '$3|123|'],
    ['>[1]', '*1|:1|'],
  ])('%s is lowered for RESP2', (pattern, reply) => {
    expect(check(pattern, reply, 2)).toBe(true);
    expect(check(pattern, reply, 3)).toBe(false);
  });
});

describe('a command line', () => {
  it('is split as redis-cli splits it', () => {
    expect(splitWords('SET "a \\"b\\" \\x00" \'c \\\' d\' e')).toEqual([
      'SET',
      'a "b" \x00',
      "c ' d",
      'e',
    ]);
    expect(splitWords('GET ""')).toEqual(['GET', '']);
    expect(() => splitWords('SET "a')).toThrow('unbalanced quotes');
  });

  it('reaches the wire in the delivery asked for', async () => {
    const sizes: number[] = [];
    const client = new Client('bytes');
    client.attach({
      write: (bytes) => sizes.push(bytes.length),
      settle: async () => {},
      close() {},
    });
    const bytes = encodeCommand(['PING']);

    await client.send(bytes);

    expect(sizes).toEqual(new Array(bytes.length).fill(1));
  });
});
