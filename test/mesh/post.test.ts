import { afterEach, describe, expect, it } from 'vitest';
import { isLibcAvailable } from '../../src/base/libc.js';
import { closeDoorbells, type SleepKind } from '../../src/mesh/doorbell.js';
import {
  createMesh,
  type MeshOptions,
  type MeshShape,
  type MessageHandler,
  MessageKind,
  Post,
} from '../../src/mesh/post.js';
import { seedOf } from '../support/seed.js';
import { runJobs } from './workers.js';

const seed = seedOf('MESH_SEED');
const repeat = `repeat with: MESH_SEED=${seed} npx vitest run test/mesh/post`;

const shapes: MeshShape[] = [];
function meshOf(options: MeshOptions): MeshShape {
  const shape = createMesh(options);
  shapes.push(shape);
  return shape;
}

/** Handlers that write down what comes as [from, kind, text]. */
function recorder(got: unknown[]): (MessageHandler | undefined)[] {
  return Array.from({ length: MessageKind.Count }, (_, kind) => (from, u8, start, length) => {
    got.push([from, kind, Buffer.from(u8.slice(start, start + length)).toString()]);
  });
}

const bytes = (text: string) => Uint8Array.from(Buffer.from(text));

afterEach(() => {
  for (const shape of shapes.splice(0)) closeDoorbells(shape.bells);
});

describe('the post of a thread', () => {
  it('delivers messages of all kinds with their sender', () => {
    const shape = meshOf({ sleeps: ['blocking', 'blocking', 'loop'] });
    const posts = [0, 1, 2].map((self) => new Post(shape, self, () => 0));
    posts[0]!.send(2, MessageKind.Publish, bytes('hello'), 1, 3);
    posts[1]!.send(2, MessageKind.Reply, bytes('you'), 0, 3);
    posts[1]!.send(0, MessageKind.Custom, bytes(''), 0, 0);
    expect(posts[2]!.hasMail()).toBe(true);
    const got: unknown[] = [];
    expect(posts[2]!.poll(recorder(got))).toBe(2);
    expect(got).toEqual([
      [0, MessageKind.Publish, 'ell'],
      [1, MessageKind.Reply, 'you'],
    ]);
    expect(posts[2]!.hasMail()).toBe(false);
    expect(posts[0]!.poll(recorder(got))).toBe(1);
    expect(posts[1]!.poll(recorder(got))).toBe(0);
  });

  it('delivers four integers as they are', () => {
    const shape = meshOf({ sleeps: ['blocking', 'blocking'] });
    const [first, second] = [0, 1].map((self) => new Post(shape, self, () => 0));
    first!.sendInts(1, MessageKind.Connection, 1, -2, 0x7fffffff, 0);
    const handlers: MessageHandler[] = [];
    let got: number[] = [];
    handlers[MessageKind.Connection] = (_, u8, start) => {
      got = [...new Int32Array(u8.buffer, start, 4)];
    };
    second!.poll(handlers);
    expect(got).toEqual([1, -2, 0x7fffffff, 0]);
  });

  it('refuses to send while a lock is held, to itself, or a kind without a handler', () => {
    const shape = meshOf({ sleeps: ['blocking', 'blocking'] });
    let locks = 1;
    const first = new Post(shape, 0, () => locks);
    const second = new Post(shape, 1, () => 0);
    expect(() => first.send(1, MessageKind.Custom, bytes('x'), 0, 1)).toThrow('lock is held');
    expect(() => first.sendInts(1, MessageKind.Custom, 0, 0, 0, 0)).toThrow('lock is held');
    first.wake(1);
    locks = 0;
    expect(() => first.send(0, MessageKind.Custom, bytes('x'), 0, 1)).toThrow('another thread');
    first.send(1, MessageKind.Wake, bytes(''), 0, 0);
    expect(second.poll([])).toBe(1);
    first.send(1, MessageKind.Custom, bytes(''), 0, 0);
    expect(() => second.poll([])).toThrow('have a handler');
  });

  it('keeps what finds a full ring, in order, and says when that is too much', () => {
    const shape = meshOf({
      sleeps: ['blocking', 'blocking'],
      ringCapacity: 1024,
      outboxBytesMax: 2000,
    });
    const [first, second] = [0, 1].map((self) => new Post(shape, self, () => 0));
    const texts: string[] = [];
    const send = (text: string) => {
      texts.push(text);
      first!.send(1, MessageKind.Custom, bytes(text), 0, text.length);
    };
    for (let index = 0; !first!.isOverLimit(); index++) send(`message ${index}`);
    expect(first!.outboxCount()).toBeGreaterThan(10);
    send('long '.repeat(1000));
    first!.sendInts(1, MessageKind.Custom, 0x20202020, 0x20202020, 0x20202020, 0x20202020);
    texts.push(' '.repeat(16));
    send('last');
    const got: [number, number, string][] = [];
    for (let turns = 0; first!.outboxCount() > 0 || second!.hasMail(); turns++) {
      expect(turns).toBeLessThan(100);
      first!.flush();
      second!.poll(recorder(got));
    }
    expect(got.map(([, , text]) => text)).toEqual(texts);
    expect(first!.isOverLimit()).toBe(false);
  });

  it('does not sleep over mail, or over room that a full ring has got', () => {
    const shape = meshOf({ sleeps: ['blocking', 'blocking'], ringCapacity: 1024 });
    const [first, second] = [0, 1].map((self) => new Post(shape, self, () => 0));
    expect(first!.prepareSleep()).toBe(true);
    second!.send(0, MessageKind.Custom, bytes('x'), 0, 1);
    second!.flush();
    const startMs = performance.now();
    first!.bell.wait(60_000);
    expect(performance.now() - startMs).toBeLessThan(30_000);
    first!.woke();
    expect(first!.prepareSleep()).toBe(false);
    first!.woke();
    first!.poll(recorder([]));

    while (first!.outboxCount() === 0)
      first!.send(1, MessageKind.Custom, new Uint8Array(100), 0, 100);
    expect(first!.prepareSleep()).toBe(true);
    second!.poll(recorder([]));
    first!.bell.wait(60_000);
    expect(performance.now() - startMs).toBeLessThan(30_000);
    first!.woke();
    first!.flush();
    expect(first!.outboxCount()).toBe(0);
  });
});

describe('a mesh of threads', () => {
  const native: SleepKind = isLibcAvailable() ? 'epoll' : 'blocking';
  const cases: [string, SleepKind[], number][] = [
    ['blocking threads', ['blocking', 'blocking', 'blocking'], 200],
    ['epoll threads', [native, native], 200],
    [
      'threads of all kinds and messages far longer than the ring',
      [native, 'blocking', 'loop'],
      20_000,
    ],
  ];
  for (const [name, sleeps, lengthMax] of cases) {
    it(`delivers everything in order, and never sleeps through it: ${name}`, async () => {
      const shape = meshOf({ sleeps, ringCapacity: 4096, outboxBytesMax: 8192 });
      const messages = 3000;
      const jobs = sleeps.map((_, thread) => ({
        job: 'mesh' as const,
        shape,
        thread,
        messages,
        lengthMax,
        seed,
      }));
      const results = await runJobs(jobs);
      for (const [wrong, late, , got] of results) {
        const all = `${repeat}; ${JSON.stringify(results)}`;
        expect(wrong, all).toBe(0);
        expect(late, all).toBe(0);
        expect(got, all).toBe(messages * (sleeps.length - 1));
      }
    });
  }
});
