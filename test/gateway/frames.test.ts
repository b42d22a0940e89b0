// The gateway's frames: MessagePack requests to RESP, RESP3 replies to MessagePack. msgpackr is the
// other opinion.

import { Packr, Unpackr } from 'msgpackr';
import { describe, expect, it } from 'vitest';
import { markReply, ReplyFrames, ReplyState } from '../../src/gateway/frames/replies.js';
import { RequestFrames } from '../../src/gateway/frames/requests.js';
import { GrowingEdge, Reply } from '../../src/resp/write.js';

const packr = new Packr({ useRecords: false, variableMapSize: true });
const unpackr = new Unpackr({ useRecords: false, mapsAsObjects: false });

function respOf(value: unknown): string {
  const frames = new RequestFrames();
  if (!frames.read(packr.pack(value))) return 'refused';
  const ids = frames.ids.slice(0, frames.count).join(' ');
  return `${ids} ${Buffer.from(frames.u8.subarray(0, frames.at)).toString('latin1')}`;
}

describe('requests', () => {
  it('become the bytes a RESP client would send', () => {
    expect(respOf([7, 'SET', 'k', 'v'])).toBe('7 *3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n');
    expect(
      respOf([
        [1, 'PING'],
        [4294967295, 'GET', Buffer.from([0xff, 0x0d])],
      ]),
    ).toBe('1 4294967295 *1\r\n$4\r\nPING\r\n*2\r\n$3\r\nGET\r\n$2\r\n\xff\r\r\n');
  });

  it.each([
    ['int8', [0xd0, 7], '7'],
    ['int16', [0xd1, 0x01, 0x00], '256'],
    ['int32', [0xd2, 0x00, 0x01, 0x00, 0x00], '65536'],
    ['int64', [0xd3, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff], '4294967295'],
    ['a negative int8', [0xd0, 0xff], 'refused'],
    ['a negative int16', [0xd1, 0x80, 0x00], 'refused'],
    ['a negative int32', [0xd2, 0x80, 0, 0, 0], 'refused'],
    ['a negative int64', [0xd3, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], 'refused'],
  ])('have an id in any form of a positive integer: %s', (_, id, said) => {
    const frames = new RequestFrames();
    const isRead = frames.read(Buffer.from([0x92, ...id, 0xa4, ...Buffer.from('PING')]));
    expect(isRead ? String(frames.ids[0]) : 'refused').toBe(said);
  });

  it('write numbers as their shortest text, and 64 bits exactly', () => {
    const words = [0, 9, 10, -1, -33, 300, -40_000, 2 ** 31, 1.5, 0.1, 2 ** 63, true, false];
    const said = respOf([1, 'X', ...words]).split('\r\n');
    const texts = said.slice(4).filter((_, at) => at % 2 === 0);
    expect(texts.slice(0, words.length)).toEqual(
      words.map((word) => (typeof word === 'boolean' ? String(Number(word)) : String(word))),
    );
    expect(respOf([1, 9_223_372_036_854_775_807n])).toContain('9223372036854775807');
    expect(respOf([1, -9_223_372_036_854_775_808n])).toContain('-9223372036854775808');
    expect(respOf([1, Number.POSITIVE_INFINITY])).toContain('\r\ninf\r\n');
  });

  it('of any length go through', () => {
    const value = 'x'.repeat(300_000);
    const words = Array.from({ length: 70_000 }, (_, at) => String(at));
    expect(respOf([1, 'SET', value])).toBe(`1 *2\r\n$3\r\nSET\r\n$300000\r\n${value}\r\n`);
    expect(respOf([1, ...words])).toMatch(/^1 \*70000\r\n/);
  });

  it.each([
    ['a string', 'PING'],
    ['an empty array', []],
    ['a request without a command', [1]],
    ['an id that is a string', ['1', 'PING']],
    ['an id beyond 32 bits', [2 ** 32, 'PING']],
    ['a negative id', [-1, 'PING']],
    ['a null word', [1, 'GET', null]],
    ['a map as a word', [1, 'GET', { a: 1 }]],
    ['an array as a word', [1, 'GET', [1]]],
    ['a batch with something else in it', [[1, 'PING'], 'PING']],
    ['a batch in a batch', [[[1, 'PING']]]],
  ])('refuse %s', (_, value) => {
    expect(respOf(value)).toBe('refused');
  });

  it('refuse every frame that was cut, and what follows a frame', () => {
    const whole = packr.pack([
      [1, 'SET', 'key', Buffer.alloc(300)],
      [2, 'GET', 1.5, 70_000],
    ]);
    for (let end = 0; end < whole.length; end++) {
      expect(new RequestFrames().read(whole.subarray(0, end))).toBe(false);
    }
    expect(new RequestFrames().read(whole)).toBe(true);
    expect(new RequestFrames().read(Buffer.concat([whole, Buffer.of(0)]))).toBe(false);
  });

  it('never promise memory for a count alone', () => {
    expect(new RequestFrames().read(Buffer.of(0xdd, 0xff, 0xff, 0xff, 0xff, 1))).toBe(false);
    expect(new RequestFrames().read(Buffer.of(0x92, 1, 0xdb, 0xff, 0xff, 0xff, 0xff))).toBe(false);
  });
});

/** Frames that RESP3 bytes become, when they come in pieces of so many bytes. */
function framesOf(bytes: Buffer, pieceBytes = bytes.length, isBinary = false): unknown[] {
  const frames = new ReplyFrames();
  const state = new ReplyState();
  state.isBinary = isBinary;
  const seen: unknown[] = [];
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    const end = Math.min(bytes.length, at + pieceBytes);
    frames.translate(state, bytes, at, end, (frame) => seen.push(unpackr.unpack(frame)));
  }
  expect(state.keptBytes).toBe(0);
  return seen;
}

/** Messages, however they were put into frames. */
function messagesOf(frames: readonly unknown[]): unknown[] {
  return frames.flatMap((frame) =>
    Array.isArray((frame as unknown[])[0]) ? (frame as unknown[]) : [frame],
  );
}

function marked(...replies: readonly (readonly [id: number, resp: string])[]): Buffer {
  const reply = new Reply(new Uint8Array(new ArrayBuffer(64)), new GrowingEdge());
  for (const [id, resp] of replies) {
    if (id >= 0) markReply(reply, id);
    reply.raw(Buffer.from(resp, 'utf8'));
  }
  return Buffer.from(reply.u8.subarray(0, reply.at));
}

const REPLIES: readonly (readonly [resp: string, value: unknown])[] = [
  ['+OK\r\n', 'OK'],
  ['$5\r\nhallo\r\n', 'hallo'],
  ['$0\r\n\r\n', ''],
  ['$7\r\nh\u00e4ll\u00f6\r\n', 'h\u00e4ll\u00f6'],
  [':0\r\n', 0],
  [':-7\r\n', -7],
  [':-33\r\n', -33],
  [':70000\r\n', 70_000],
  [':-70000\r\n', -70_000],
  [':9007199254740993\r\n', 9_007_199_254_740_993n],
  [':-9223372036854775808\r\n', -9_223_372_036_854_775_808n],
  [',1.5\r\n', 1.5],
  [',inf\r\n', Number.POSITIVE_INFINITY],
  [',-inf\r\n', Number.NEGATIVE_INFINITY],
  [',nan\r\n', Number.NaN],
  ['_\r\n', null],
  ['$-1\r\n', null],
  ['*-1\r\n', null],
  ['#t\r\n', true],
  ['#f\r\n', false],
  ['(123456789012345678901234567890\r\n', '123456789012345678901234567890'],
  ['=8\r\ntxt:text\r\n', 'text'],
  ['*0\r\n', []],
  ['*2\r\n:1\r\n*1\r\n$1\r\na\r\n', [1, ['a']]],
  ['~2\r\n:1\r\n:2\r\n', [1, 2]],
  ['%1\r\n+a\r\n%1\r\n:1\r\n_\r\n', new Map([['a', new Map([[1, null]])]])],
  ['|1\r\n+ttl\r\n:3\r\n$1\r\nv\r\n', 'v'],
];

describe('replies', () => {
  it.each(REPLIES)('write %j as the value it is', (resp, value) => {
    expect(framesOf(marked([5, resp]))).toEqual([[5, null, value]]);
  });

  it('are the same in whatever pieces they come', () => {
    const bytes = marked(...REPLIES.map(([resp], at) => [at * 1000, resp] as const));
    const whole = messagesOf(framesOf(bytes));
    expect(whole).toHaveLength(REPLIES.length);
    for (const pieceBytes of [1, 2, 3, 7, 64]) {
      expect(messagesOf(framesOf(bytes, pieceBytes))).toEqual(whole);
    }
  });

  it('of one turn stand in one frame', () => {
    const bytes = marked([1, '+OK\r\n'], [2, ':1\r\n'], [3, '-ERR no\r\n']);
    expect(framesOf(bytes)).toEqual([
      [
        [1, null, 'OK'],
        [2, null, 1],
        [3, 'ERR no', null],
      ],
    ]);
  });

  it('tell errors inside of replies as an extension', () => {
    const frames = new ReplyFrames();
    let frame = Buffer.alloc(0);
    const bytes = marked([1, '*1\r\n-ERR no\r\n']);
    frames.translate(new ReplyState(), bytes, 0, bytes.length, (each) => {
      frame = Buffer.from(each);
    });
    expect(frame.subarray(3).toString('latin1')).toBe('\x91\xc7\x06\x01ERR no');
  });

  it('have bytes that are no text as bin, and all of them if that was asked for', () => {
    const reply = new Reply(new Uint8Array(new ArrayBuffer(64)), new GrowingEdge());
    markReply(reply, 1);
    reply.bulk(Buffer.of(0xc3, 0x28), 0, 2);
    const bytes = Buffer.from(reply.u8.subarray(0, reply.at));

    expect(framesOf(bytes)).toEqual([[1, null, Uint8Array.of(0xc3, 0x28)]]);
    expect(framesOf(marked([1, '$1\r\na\r\n']), 100, true)).toEqual([
      [1, null, Uint8Array.of(0x61)],
    ]);
  });

  it('let pushes through between them, without an id', () => {
    const push = '>3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\np\r\n';
    const bytes = marked([-1, push], [1, push], [-1, '+OK\r\n'], [-1, push]);
    const message = [null, 'message', 'c', 'p'];
    expect(framesOf(bytes)).toEqual([[message, message, [1, null, 'OK'], message]]);
  });

  it('that nobody asked for are lines of a monitor', () => {
    expect(framesOf(marked([-1, '+0.1 [0 a] "GET"\r\n']))).toEqual([
      [null, 'monitor', '0.1 [0 a] "GET"'],
    ]);
  });

  it('of many megabytes in small pieces are read once', () => {
    const count = 200_000;
    const bytes = marked([1, `*${count}\r\n${'$4\r\nabcd\r\n'.repeat(count)}`]);
    const began = performance.now();
    const frames = framesOf(bytes, 4096);
    expect((frames[0] as unknown[])[2]).toHaveLength(count);
    expect(performance.now() - began).toBeLessThan(5000);
  });
});
