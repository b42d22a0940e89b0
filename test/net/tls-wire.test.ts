// Encrypted sockets, below their streams and as streams, with a loop that only notes what it hears.

import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import tls from 'node:tls';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Connection, Wire } from '../../src/net/connection.js';
import type { LoopServing } from '../../src/net/loop-serving.js';
import { attach, SocketWire } from '../../src/net/sockets.js';
import { attachDirect, handleOf, TlsWire } from '../../src/net/tls-wire.js';
import { type Certificates, certificates } from '../support/certificates.js';

const WAIT_MS_MAX = 15_000;
const LONG_BYTES = 3 * 1024 * 1024;

let files: Certificates;
const servers: tls.Server[] = [];

beforeAll(async () => {
  files = await certificates();
});
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

/** Both ends of an encrypted connection. */
async function pair(): Promise<{ near: tls.TLSSocket; far: tls.TLSSocket }> {
  const { cert, key } = files.server;
  const server = tls.createServer({ cert: readFileSync(cert), key: readFileSync(key) });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const accepted = new Promise<tls.TLSSocket>((resolve) =>
    server.once('secureConnection', resolve),
  );
  const far = tls.connect({ port, host: '127.0.0.1', rejectUnauthorized: false });
  far.on('error', () => {});
  const near = await accepted;
  near.on('error', () => {});
  return { near, far };
}

type Way = 'below' | 'stream';

class Served {
  readonly wire: Wire;
  readonly connection = {} as Connection;
  heard = Buffer.alloc(0);
  drainedCount = 0;
  isGone = false;
  onDrained = (): void => {};
  onHeard = (): void => {};

  constructor(near: tls.TLSSocket, way: Way) {
    const heard = {
      serving: { writeCount: 0 },
      received: (_: Connection, u8: Uint8Array, bytes: number) => {
        this.heard = Buffer.concat([this.heard, u8.subarray(0, bytes)]);
        this.onHeard();
      },
      drained: () => {
        this.drainedCount++;
        this.onDrained();
      },
      ended: () => {},
      gone: () => {
        this.isGone = true;
      },
    };
    const loop = heard as unknown as LoopServing;
    this.wire = way === 'below' ? new TlsWire() : new SocketWire();
    if (way === 'below') attachDirect(loop, this.connection, near, handleOf(near)!);
    else attach(loop, this.connection, near);
  }

  /** Says all of it as the peer takes it, in pieces of odd sizes, then closes in order. */
  sayAndClose(bytes: Uint8Array): void {
    let at = 0;
    let isClosed = false;
    const go = (): void => {
      for (let step = 1; at < bytes.length; step = (step * 7) % 50_021) {
        const sent = this.wire.send(this.connection, bytes, at, Math.min(bytes.length, at + step));
        if (sent <= 0) return;
        at += sent;
      }
      if (!isClosed) this.wire.close(this.connection, true);
      isClosed = true;
    };
    this.onDrained = go;
    go();
  }
}

async function until(what: string, isSo: () => boolean): Promise<void> {
  const deadline = Date.now() + WAIT_MS_MAX;
  while (!isSo()) {
    if (Date.now() > deadline) throw new Error(`not within ${WAIT_MS_MAX} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

function pattern(bytes: number): Buffer {
  const made = Buffer.alloc(bytes);
  for (let at = 0; at < bytes; at++) made[at] = (at * 31 + (at >> 8)) & 0xff;
  return made;
}

describe.each(['below', 'stream'] as const)('Encrypted sockets (%s)', (way) => {
  it('what the peer says comes whole and in order, on several sockets at once', async () => {
    const pairs = await Promise.all([pair(), pair(), pair()]);
    const words = pairs.map((_, index) => pattern(200_000 + index).reverse());
    const all = pairs.map(({ near }) => new Served(near, way));
    for (const [index, { far }] of pairs.entries()) far.write(words[index]!);
    for (const [index, served] of all.entries()) {
      const word = words[index]!;
      await until('all has come', () => served.heard.length >= word.length);
      expect(served.heard.equals(word)).toBe(true);
    }
    for (const { far } of pairs) far.destroy();
    await until('all are gone', () => all.every(({ isGone }) => isGone));
  });

  it('a peer that reads late gets all that was said before an orderly close', async () => {
    const { near, far } = await pair();
    const served = new Served(near, way);
    const long = pattern(LONG_BYTES);
    served.sayAndClose(long);
    await new Promise((resolve) => setTimeout(resolve, 50));
    const got: Buffer[] = [];
    let isEnded = false;
    far.on('data', (bytes: Buffer) => got.push(bytes));
    far.on('end', () => {
      isEnded = true;
    });
    await until('the end', () => isEnded);
    expect(Buffer.concat(got).equals(long)).toBe(true);
    await until('it is gone', () => served.isGone);
    expect(served.drainedCount).toBeGreaterThan(1);
  });

  it('a peer that does not read is held back, and one that has left is told nothing', async () => {
    const { near, far } = await pair();
    const served = new Served(near, way);
    far.pause();
    const piece = pattern(64 * 1024);
    let total = 0;
    let sent = 0;
    do {
      sent = served.wire.send(served.connection, piece, 0, piece.length);
      total += sent;
    } while (sent > 0);
    // In flight and waiting together.
    expect(total).toBe(256 * 1024);
    far.destroy();
    await until('it is gone', () => served.isGone);
    expect(served.wire.send(served.connection, piece, 0, piece.length)).toBe(-1);
  });

  it('paused reading goes on where it was', async () => {
    const { near, far } = await pair();
    const served = new Served(near, way);
    served.onHeard = () => served.wire.want(served.connection, false, false);
    far.write('one');
    await until('the first word', () => served.heard.length > 0);
    far.write('two');
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(served.heard.toString()).toBe('one');
    served.wire.want(served.connection, true, false);
    await until('the second word', () => served.heard.length > 3);
    expect(served.heard.toString()).toBe('onetwo');
    far.destroy();
  });
});

describe('The way below the streams of encrypted sockets', () => {
  it('this version of Node has it', async () => {
    const { near, far } = await pair();
    expect(handleOf(near)).not.toBeNull();
    far.destroy();
  });

  it('the stream writes once in a thread, at the most', async () => {
    const { near, far } = await pair();
    let writes = 0;
    const { write } = near;
    near.write = ((...words: Parameters<typeof write>) => {
      writes++;
      return write.apply(near, words);
    }) as typeof write;
    const served = new Served(near, 'below');
    far.resume();
    served.sayAndClose(pattern(LONG_BYTES));
    await until('it is gone', () => served.isGone);
    expect(writes).toBeLessThanOrEqual(1);
    expect(served.drainedCount).toBeGreaterThan(2);
  });

  it('a socket that was read as a stream is served as one', async () => {
    const { near, far } = await pair();
    far.write('early');
    await until('something was read', () => near.readableLength > 0 || near.read(0) !== null);
    expect(handleOf(near)).toBeNull();
    far.destroy();
  });
});
