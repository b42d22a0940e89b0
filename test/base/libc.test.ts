import { mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { getPriority, release, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import * as libc from '../../src/base/libc.js';

const isHere = libc.isLibcAvailable();

/** What the system says of a thread's turns, in ns; null where it says nothing. */
function sliceOf(tid: number): number | null {
  try {
    const found = /se\.slice\s*:\s*(\d+)/.exec(
      readFileSync(`/proc/self/task/${tid}/sched`, 'latin1'),
    );
    return found === null ? null : Number(found[1]);
  } catch {
    return null;
  }
}

describe.skipIf(!isHere)('libc', () => {
  let directory = '';
  const open: number[] = [];
  const sockets: Socket[] = [];

  const own = (fd: number): number => {
    expect(fd, libc.errnoText(fd)).toBeGreaterThanOrEqual(0);
    open.push(fd);
    return fd;
  };

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'libc-test-'));
  });

  afterEach(() => {
    for (const socket of sockets.splice(0)) socket.destroy();
    for (const fd of open.splice(0)) libc.close(fd);
    rmSync(directory, { recursive: true, force: true });
  });

  /** A listening socket of the given host, and its port. */
  function listenOn(host: string): { fd: number; port: number } {
    const fd = own(libc.socketTcp(libc.isIpv6Host(host)));
    expect(libc.setOption(fd, libc.OptionLevel.Socket, libc.Option.ReuseAddress, 1)).toBe(0);
    expect(libc.bindTcp(fd, host, 0)).toBe(0);
    expect(libc.listen(fd, 511)).toBe(0);
    const name = libc.localName(fd);
    return { fd, port: Number(name.slice(name.lastIndexOf(':') + 1)) };
  }

  /** Waits until `condition` holds, letting Node's own sockets work in between. */
  async function until(condition: () => boolean): Promise<void> {
    for (let tries = 0; tries < 500; tries++) {
      if (condition()) return;
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    throw new Error('the condition never held');
  }

  async function acceptFrom(fd: number, client: Socket): Promise<number> {
    sockets.push(client);
    let connection = -libc.Errno.Again;
    await until(() => (connection = libc.accept(fd)) !== -libc.Errno.Again);
    return own(connection);
  }

  it('exchanges bytes with a TCP client, and reports its end as 0', async () => {
    const { fd, port } = listenOn('127.0.0.1');
    expect(libc.accept(fd)).toBe(-libc.Errno.Again);
    const client = connect(port, '127.0.0.1');
    const received: Buffer[] = [];
    client.on('data', (chunk) => received.push(chunk));
    const connection = await acceptFrom(fd, client);
    const memory = new Uint8Array(new SharedArrayBuffer(1024));
    const address = libc.addressOf(memory);

    expect(libc.recv(connection, address, 1024)).toBe(-libc.Errno.Again);
    client.write('hello');
    let got = 0;
    await until(() => (got = libc.recv(connection, address + 10, 1014)) > 0);
    expect(got).toBe(5);
    expect(Buffer.from(memory.slice(10, 15)).toString()).toBe('hello');

    expect(libc.send(connection, address + 11, 4)).toBe(4);
    await until(() => Buffer.concat(received).toString() === 'ello');

    client.end();
    await until(() => (got = libc.recv(connection, address, 1024)) >= 0);
    expect(got).toBe(0);
  });

  it('answers EPIPE or ECONNRESET, without a signal, when the peer is gone', async () => {
    const { fd, port } = listenOn('127.0.0.1');
    const client = connect(port, '127.0.0.1');
    const connection = await acceptFrom(fd, client);
    client.resetAndDestroy();
    const memory = new Uint8Array(64);
    const address = libc.addressOf(memory);
    let sent = 0;
    await until(() => (sent = libc.send(connection, address, 64)) < 0);
    expect([-libc.Errno.Pipe, -libc.Errno.ConnectionReset]).toContain(sent);
    expect(libc.send(connection, address, 64)).toBe(-libc.Errno.Pipe);
  });

  it('names both ends of an IPv4 and of an IPv6 connection', async () => {
    for (const host of ['127.0.0.1', '::1']) {
      const { fd, port } = listenOn(host);
      const client = connect(port, host);
      const connection = await acceptFrom(fd, client);
      const shown = host === '::1' ? '[::1]' : host;
      expect(libc.localName(connection)).toBe(`${shown}:${port}`);
      await until(() => client.localPort !== undefined);
      expect(libc.peerName(connection)).toBe(`${shown}:${client.localPort}`);
    }
  });

  it('names a unix connection by the path that the server listens on', async () => {
    const path = join(directory, 'server.sock');
    const fd = own(libc.socketUnix());
    expect(libc.bindUnix(fd, path)).toBe(0);
    expect(libc.listen(fd, 16)).toBe(0);
    const connection = await acceptFrom(fd, connect(path));
    expect(libc.peerName(connection)).toBe(`${path}:0`);
    expect(libc.localName(connection)).toBe(`${path}:0`);
    expect(libc.bindUnix(own(libc.socketUnix()), path)).toBe(-libc.Errno.AddressInUse);
    expect(libc.bindUnix(own(libc.socketUnix()), 'x'.repeat(108))).toBe(-libc.Errno.Invalid);
  });

  it('lets IPv4 and IPv6 share a port, and refuses a port that is taken or a host name', () => {
    const { port } = listenOn('::*');
    const ipv4 = own(libc.socketTcp(false));
    expect(libc.bindTcp(ipv4, '*', port)).toBe(0);
    expect(libc.listen(ipv4, 16)).toBe(0);
    const second = own(libc.socketTcp(false));
    expect(libc.bindTcp(second, '127.0.0.1', port)).toBe(-libc.Errno.AddressInUse);
    expect(libc.bindTcp(second, 'localhost', port)).toBe(-libc.Errno.Invalid);
    expect(libc.bindTcp(second, '203.0.113.1', 0)).toBe(-libc.Errno.AddressNotAvailable);
  });

  it('delivers epoll events with both data words, and follows modify and remove', () => {
    const epfd = own(libc.epollCreate());
    const events = new libc.EpollEvents(4);
    const bells = [own(libc.eventfd()), own(libc.eventfd())];
    expect(libc.epollAdd(epfd, bells[0]!, libc.Epoll.In, bells[0]!, -7)).toBe(0);
    expect(libc.epollAdd(epfd, bells[1]!, libc.Epoll.In, bells[1]!, 0x7fffffff)).toBe(0);
    expect(libc.epollWait(epfd, events, 0)).toBe(0);

    for (const bell of bells) expect(libc.eventfdSignal(bell)).toBe(0);
    expect(libc.epollWait(epfd, events, 100)).toBe(2);
    const rows = [0, 1].map((at) => [events.eventsOf(at), events.lowOf(at), events.highOf(at)]);
    expect(rows).toContainEqual([libc.Epoll.In, bells[0], -7]);
    expect(rows).toContainEqual([libc.Epoll.In, bells[1], 0x7fffffff]);

    expect(libc.eventfdDrain(bells[0]!)).toBe(1);
    expect(libc.eventfdDrain(bells[0]!)).toBe(0);
    expect(libc.epollWait(epfd, events, 0)).toBe(1);
    expect(libc.epollModify(epfd, bells[1]!, libc.Epoll.Out, 1, 2)).toBe(0);
    expect(libc.epollWait(epfd, events, 0)).toBe(1);
    expect([events.eventsOf(0), events.lowOf(0), events.highOf(0)]).toEqual([libc.Epoll.Out, 1, 2]);
    expect(libc.epollRemove(epfd, bells[1]!)).toBe(0);
    expect(libc.epollWait(epfd, events, 0)).toBe(0);
    expect(libc.epollRemove(epfd, bells[1]!)).toBe(-libc.Errno.NoEntry);
  });

  it('accepts an edge-triggered registration', () => {
    const epfd = own(libc.epollCreate());
    const events = new libc.EpollEvents(1);
    const bell = own(libc.eventfd());
    const bits = libc.Epoll.In | libc.Epoll.EdgeTriggered;
    expect(libc.epollAdd(epfd, bell, bits, bell, 0)).toBe(0);
    libc.eventfdSignal(bell);
    expect(libc.epollWait(epfd, events, 0)).toBe(1);
    expect(libc.epollWait(epfd, events, 0)).toBe(0);
  });

  it('keeps signalling an eventfd whose counter is full', () => {
    const bell = own(libc.eventfd());
    const counter = new BigUint64Array([0xfffffffffffffffen]);
    const address = libc.addressOf(new Uint8Array(counter.buffer));
    expect(libc.write(bell, address, 8)).toBe(8);
    expect(libc.eventfdSignal(bell)).toBe(0);
    expect(libc.eventfdDrain(bell)).toBe(1);
  });

  it('writes a file and syncs it', () => {
    const path = join(directory, 'file');
    const fd = own(openSync(path, 'w'));
    const bytes = new TextEncoder().encode('flagstone');
    expect(libc.write(fd, libc.addressOf(bytes), 5)).toBe(5);
    expect(libc.fdatasync(fd)).toBe(0);
    expect(readFileSync(path, 'utf8')).toBe('flags');
    expect(libc.fdatasync(1_000_000)).toBe(-libc.Errno.BadDescriptor);
    expect(libc.syncRange(fd, 0, 3, libc.SyncRange.Begin)).toBe(0);
    expect(libc.syncRange(fd, 0, 5, libc.SyncRange.Wait)).toBe(0);
    expect(libc.syncRange(1_000_000, 0, 5, libc.SyncRange.Wait)).toBe(-libc.Errno.BadDescriptor);
  });

  it('gives pages back, which then read as zero', () => {
    const memory = new Uint8Array(new SharedArrayBuffer(1 << 20)).fill(7);
    const address = libc.addressOf(memory);
    const first = Math.ceil(address / 65536) * 65536 - address;
    expect(libc.madviseNoHugePage(address + first, 65536)).toBe(0);
    expect(libc.madviseDontNeed(address + first, 65536)).toBe(0);
    expect(memory[first]).toBe(0);
    expect(memory[first + 65535]).toBe(0);
    expect(memory[first + 65536]).toBe(7);
    expect(() => libc.madviseDontNeed(address + first + 8, 65536)).toThrow('whole pages');
  });

  it('finds one address for every view of the same byte', () => {
    const shared = new SharedArrayBuffer(64);
    const base = libc.addressOf(shared);
    expect(libc.addressOf(new Uint8Array(shared, 8))).toBe(base + 8);
    expect(libc.addressOf(new Int32Array(shared, 16))).toBe(base + 16);
    expect(() => libc.addressOf(new Uint8Array(0))).toThrow('no address');
  });

  it('refuses lengths and addresses that would be a crash', () => {
    expect(() => libc.recv(0, 0, 10)).toThrow('memory to fill');
    expect(() => libc.recv(0, 4096, 0)).toThrow('memory to fill');
    expect(() => libc.send(0, 4096, -1)).toThrow('bytes');
    expect(() => libc.write(0, 4096, Number.NaN)).toThrow('bytes');
    expect(() => new libc.EpollEvents(0)).toThrow('event buffer');
  });

  it('knows this thread, its processors and its limit of open files', () => {
    expect(libc.getTid()).toBe(process.pid);
    expect(libc.setrlimitNoFile()).toBeGreaterThan(100);
    expect(libc.schedSetAffinity(libc.getTid(), 1023)).toBe(-libc.Errno.Invalid);
  });

  it('explains an error number', () => {
    expect(libc.errnoText(-libc.Errno.AddressInUse)).toBe('EADDRINUSE: address already in use');
    expect(libc.errnoText(-100_000)).toBe('errno 100000');
  });

  it('asks for short turns for a thread, and keeps its nice value', () => {
    const tid = libc.getTid();
    expect(libc.setSlice(0, 300_000)).toBe(0);
    expect(libc.setSlice(tid, 400_000)).toBe(0);
    const facts = readFileSync(`/proc/self/task/${tid}/stat`, 'latin1').split(') ')[1]!.split(' ');
    // Word 19 of the line; two are cut off.
    expect(facts[16]).toBe(String(getPriority(0)));
    const slice = sliceOf(tid);
    const [major, minor] = release().split('.').map(Number);
    const isNew = major! > 6 || (major === 6 && minor! >= 12);
    // Older systems take the wish and keep their own turns.
    if (slice !== null && isNew) expect(slice).toBe(400_000);
    expect(libc.setSlice(2 ** 22 - 1, 400_000)).toBeLessThan(0);
  });
});
