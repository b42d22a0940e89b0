import { connect, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CANCELLED, Completion, NO_BUFFERS, probeRing, Ring } from '../../src/base/io-uring.js';
import * as libc from '../../src/base/libc.js';

const isHere = libc.isLibcAvailable() && probeRing() === 0;
const PLAN = { entries: 8, completions: 64, poolCount: 4, poolBytes: 16 };

interface Result {
  readonly low: number;
  readonly high: number;
  readonly result: number;
  readonly flags: number;
}

describe.skipIf(!isHere)('a ring', () => {
  const fds: number[] = [];
  const sockets: Socket[] = [];
  let ring: Ring;

  beforeEach(() => {
    const pool = new Uint8Array(new ArrayBuffer(PLAN.poolCount * PLAN.poolBytes));
    const opened = Ring.open(PLAN, pool);
    if (typeof opened === 'number') throw new Error(libc.errnoText(opened));
    ring = opened;
  });

  afterEach(() => {
    for (const socket of sockets.splice(0)) socket.destroy();
    for (const fd of fds.splice(0)) libc.close(fd);
    ring.end();
  });

  /** A connected socket: this end's descriptor, and the other end. */
  async function connected(): Promise<{ fd: number; peer: Socket }> {
    const listening = libc.socketTcp(false);
    libc.bindTcp(listening, '127.0.0.1', 0);
    libc.listen(listening, 16);
    const name = libc.localName(listening);
    const peer = connect(Number(name.slice(name.lastIndexOf(':') + 1)), '127.0.0.1');
    sockets.push(peer);
    peer.on('error', () => {
      // Ends that are reset are part of the tests.
    });
    await new Promise((resolve) => peer.once('connect', resolve));
    const fd = libc.accept(listening);
    expect(fd).toBeGreaterThanOrEqual(0);
    fds.push(fd);
    libc.close(listening);
    return { fd, peer };
  }

  const results = (): Result[] => {
    const found: Result[] = [];
    while (ring.next()) {
      found.push({
        low: ring.tagLow,
        high: ring.tagHigh,
        result: ring.result,
        flags: ring.flags,
      });
    }
    return found;
  };

  /** Lets Node's sockets work, until `count` results have come in all. */
  async function gather(count: number): Promise<Result[]> {
    const found = results();
    for (let tries = 0; tries < 500 && found.length < count; tries++) {
      await new Promise((resolve) => setTimeout(resolve, 2));
      ring.wait(0);
      found.push(...results());
    }
    expect(found.length).toBeGreaterThanOrEqual(count);
    return found;
  }

  const textOf = ({ flags, result }: Result): string => {
    const start = (flags >>> 16) * PLAN.poolBytes;
    return Buffer.from(ring.pool.subarray(start, start + result)).toString();
  };

  it('brings input again and again, with the tag that was given, until its end', async () => {
    const { fd, peer } = await connected();
    ring.receiveMany(fd, 17, 0x2345678);
    peer.write('one');
    const [first] = await gather(1);
    expect(first).toMatchObject({ low: 17, high: 0x2345678, result: 3 });
    expect(first!.flags & (Completion.HasBuffer | Completion.More)).toBe(3);
    expect(textOf(first!)).toBe('one');
    ring.giveBack(first!.flags >>> 16);
    peer.end('two');
    const [second, end] = await gather(2);
    expect(textOf(second!)).toBe('two');
    expect(end).toMatchObject({ low: 17, result: 0 });
    expect(end!.flags & Completion.More).toBe(0);
  });

  it('splits what is longer than a buffer, and says when the pool is empty', async () => {
    const { fd, peer } = await connected();
    peer.write('x'.repeat(PLAN.poolCount * PLAN.poolBytes + 5));
    await new Promise((resolve) => setTimeout(resolve, 50));
    ring.receiveMany(fd, 1, 2);
    const found = await gather(5);
    expect(found.map(({ result }) => result)).toEqual([16, 16, 16, 16, NO_BUFFERS]);
    expect(found[4]!.flags & Completion.More).toBe(0);
    for (const { flags } of found.slice(0, 4)) ring.giveBack(flags >>> 16);
    ring.receiveMany(fd, 1, 2);
    expect((await gather(1))[0]).toMatchObject({ result: 5 });
  });

  it('gives every buffer out again, many times over', async () => {
    const { fd, peer } = await connected();
    ring.receiveMany(fd, 1, 2);
    const ids = new Set<number>();
    for (let round = 0; round < 3 * PLAN.poolCount; round++) {
      peer.write(`round ${round}`);
      const [only] = await gather(1);
      expect(textOf(only!)).toBe(`round ${round}`);
      ids.add(only!.flags >>> 16);
      ring.giveBack(only!.flags >>> 16);
    }
    expect(ids.size).toBe(PLAN.poolCount);
  });

  it('says nothing of a send that was taken whole', async () => {
    const { fd, peer } = await connected();
    const bytes = new Uint8Array(new ArrayBuffer(8)).fill(0x61);
    ring.send(fd, libc.addressOf(bytes), 8, 5, 6);
    expect(ring.unsubmitted).toBe(1);
    const came = new Promise<Buffer>((resolve) => peer.once('data', resolve));
    ring.submit();
    expect(ring.unsubmitted).toBe(0);
    // The bytes have been copied: they are the caller's again.
    bytes.fill(0);
    expect((await came).toString()).toBe('aaaaaaaa');
    expect(results()).toEqual([]);
  });

  it('says at once how much a full socket took, and nothing it did not', async () => {
    const { fd, peer } = await connected();
    peer.pause();
    const bytes = new Uint8Array(new ArrayBuffer(32 * 1024 * 1024)).fill(0x62);
    const address = libc.addressOf(bytes);
    ring.send(fd, address, bytes.length, 7, 8);
    ring.submit();
    const [part] = results();
    expect(part).toMatchObject({ low: 7, high: 8 });
    expect(part!.result).toBeGreaterThan(0);
    expect(part!.result).toBeLessThan(bytes.length);
    await new Promise((resolve) => setTimeout(resolve, 100));
    // A pause of Node's stream reads one piece more; then nothing is taken any more.
    let taken = part!.result;
    for (let tries = 0; tries < 50; tries++) {
      ring.send(fd, address + taken, bytes.length - taken, 9, 8);
      ring.submit();
      const [next] = results();
      if (next!.result === -libc.Errno.Again) break;
      taken += next!.result;
    }
    let received = 0;
    peer.on('data', (chunk) => {
      received += chunk.length;
    });
    peer.resume();
    for (let tries = 0; tries < 500 && received < taken; tries++) {
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    expect(received).toBe(taken);
  });

  it('says that a peer is gone', async () => {
    const { fd, peer } = await connected();
    peer.destroy();
    await new Promise((resolve) => setTimeout(resolve, 20));
    const bytes = new Uint8Array(new ArrayBuffer(8));
    const failed: number[] = [];
    for (let tries = 0; tries < 50 && failed.length === 0; tries++) {
      ring.send(fd, libc.addressOf(bytes), 8, 5, 6);
      ring.submit();
      failed.push(...results().map(({ result }) => result));
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    expect([-libc.Errno.Pipe, -libc.Errno.ConnectionReset]).toContain(failed[0]);
  });

  it('takes more requests than it has entries', async () => {
    const { fd, peer } = await connected();
    const bytes = new Uint8Array(new ArrayBuffer(4 * PLAN.entries));
    for (let index = 0; index < bytes.length; index++) {
      bytes[index] = index;
      ring.send(fd, libc.addressOf(bytes) + index, 1, index, 0);
    }
    ring.submit();
    const received: number[] = [];
    peer.on('data', (chunk) => received.push(...chunk));
    for (let tries = 0; tries < 500 && received.length < bytes.length; tries++) {
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    expect(received).toEqual([...bytes]);
  });

  it('keeps every result, however few of them it has room for', async () => {
    ring.end();
    const plan = { ...PLAN, entries: 64, completions: 64 };
    const opened = Ring.open(
      plan,
      new Uint8Array(new ArrayBuffer(plan.poolCount * plan.poolBytes)),
    );
    if (typeof opened === 'number') throw new Error(libc.errnoText(opened));
    ring = opened;
    const nobody = 999_999;
    const bytes = new Uint8Array(new ArrayBuffer(8));
    const count = 1000;
    for (let at = 0; at < count; at++) ring.send(nobody, libc.addressOf(bytes), 8, at, 3);
    ring.wait(0);
    const found = results();
    expect(found.map(({ low }) => low)).toEqual(Array.from({ length: count }, (_, at) => at));
    for (const { result } of found) expect(result).toBe(-libc.Errno.BadDescriptor);
    expect(results()).toEqual([]);
    // It goes on as before.
    const { fd, peer } = await connected();
    ring.receiveMany(fd, 17, 3);
    peer.write('one');
    const [first] = await gather(1);
    expect(first).toMatchObject({ low: 17, high: 3, result: 3 });
  });

  it('hears a doorbell each time it rings', () => {
    const bell = libc.eventfd();
    fds.push(bell);
    ring.pollMany(bell, libc.Epoll.In, bell, 3);
    ring.wait(0);
    expect(results()).toEqual([]);
    for (let round = 0; round < 5; round++) {
      libc.eventfdSignal(bell);
      ring.wait(1000);
      const found = results();
      expect(found.map(({ low, high }) => [low, high])).toContainEqual([bell, 3]);
      expect(libc.eventfdDrain(bell)).toBe(1);
    }
  });

  it('tells once when there is room', async () => {
    const { fd, peer } = await connected();
    peer.pause();
    const bytes = new Uint8Array(new ArrayBuffer(16 * 1024 * 1024));
    while (libc.send(fd, libc.addressOf(bytes), bytes.length) > 0) {
      // Until the socket is full.
    }
    ring.pollOnce(fd, libc.Epoll.Out, 1, 2);
    ring.wait(0);
    expect(results()).toEqual([]);
    peer.resume();
    const found = await gather(1);
    expect(found).toHaveLength(1);
    expect(found[0]!.result & libc.Epoll.Out).not.toBe(0);
    expect(found[0]!.flags & Completion.More).toBe(0);
  });

  it('cancels a request by its tag, and says nothing of one that is not there', async () => {
    const { fd, peer } = await connected();
    ring.receiveMany(fd, 11, 0x3fffffff);
    ring.wait(0);
    ring.cancel(11, 0x3ffffffe);
    ring.wait(0);
    expect(results().filter(({ low }) => low === 11)).toEqual([]);
    ring.cancel(11, 0x3fffffff);
    const [ended] = await gather(1);
    expect(ended).toMatchObject({ low: 11, high: 0x3fffffff, result: CANCELLED });
    peer.write('later');
    ring.receiveMany(fd, 12, 1);
    expect(textOf((await gather(1))[0]!)).toBe('later');
  });

  it('waits as long as it is told and no longer', () => {
    const before = performance.now();
    ring.wait(30);
    const took = performance.now() - before;
    expect(took).toBeGreaterThanOrEqual(29);
    expect(took).toBeLessThan(5000);
    ring.wait(0);
    expect(results()).toEqual([]);
  });

  it('lets go of a socket whose input was asked for, when it is shut down and closed', async () => {
    const { fd, peer } = await connected();
    ring.receiveMany(fd, 1, 2);
    ring.wait(0);
    const ended = new Promise((resolve) => peer.once('close', resolve));
    peer.resume();
    libc.shutdown(fd, libc.ShutdownSide.Both);
    libc.close(fd);
    fds.pop();
    await ended;
    const found = await gather(1);
    expect(found[0]).toMatchObject({ low: 1, high: 2, result: 0 });
  });
});
