// The transport over io_uring with sockets of this process: nobody waits for a turn that has
// nothing else to begin for.

import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { probeRing } from '../../src/base/io-uring.js';
import * as libc from '../../src/base/libc.js';
import type { Connection } from '../../src/net/connection.js';
import { UringTransport } from '../../src/net/uring.js';
import { InProcessServer } from '../support/in-process.js';

const isHere = libc.isLibcAvailable() && probeRing() === 0;
const MIB = 1024 * 1024;
/** A turn that waits for nothing takes less; one that does waits so long. */
const WAIT_MS = 4000;
const TURN_MS_MAX = 2000;

describe.skipIf(!isHere)('the transport over io_uring', () => {
  const sockets: Socket[] = [];
  let close = () => {};
  afterEach(() => {
    for (const socket of sockets.splice(0)) socket.destroy();
    close();
  });

  interface Served {
    readonly transport: UringTransport;
    readonly turn: (waitMs: number) => number;
    readonly open: () => Promise<{ connection: Connection; peer: Socket }>;
    readonly serving: InProcessServer['executor']['serving'];
  }

  function start(): Served {
    const server = new InProcessServer({ partitionBytes: 16 * MIB });
    const { executor } = server;
    const { serving } = executor;
    const bell = libc.eventfd();
    const opened = UringTransport.open(serving, bell, () => libc.eventfdDrain(bell));
    if (typeof opened === 'number') throw new Error(libc.errnoText(opened));
    const listening = libc.socketTcp(false);
    libc.bindTcp(listening, '127.0.0.1', 0);
    libc.listen(listening, 1024);
    const name = libc.localName(listening);
    const port = Number(name.slice(name.lastIndexOf(':') + 1));
    close = () => {
      for (const connection of [...serving.connections]) serving.close(connection);
      opened.end();
      libc.close(listening);
      libc.close(bell);
    };
    return {
      transport: opened,
      serving,
      turn: (waitMs) => {
        const startMs = performance.now();
        opened.turn(waitMs, () => {});
        serving.flushReplies();
        return performance.now() - startMs;
      },
      open: async () => {
        const peer = connect(port, '127.0.0.1');
        sockets.push(peer);
        await new Promise((resolve) => peer.once('connect', resolve));
        const fd = libc.accept(listening);
        const session = executor.openSession(fd, libc.peerName(fd), '');
        executor.control.addConnections(0, 1);
        return { connection: opened.open(fd, session!, 0), peer };
      },
    };
  }

  it('hears at once of room that came while something else was handed over', async () => {
    const { transport, turn, open, serving } = start();
    const { connection, peer } = await open();
    peer.pause();
    const bytes = new Uint8Array(new ArrayBuffer(8 * MIB));
    serving.enqueue(connection, bytes, 0, bytes.length);
    serving.toBeFlushed(connection);
    serving.flushReplies();
    expect(connection.wantsWrites).toBe(true);
    let got = 0;
    peer.on('data', (piece) => {
      got += piece.length;
    });
    peer.resume();
    const sent = bytes.length - connection.outputBytes;
    await expect.poll(() => got).toBe(sent);

    transport.sendAll();

    expect(turn(WAIT_MS)).toBeLessThan(TURN_MS_MAX);
    expect(connection.outputBytes).toBeLessThan(bytes.length - sent);
  });
});
