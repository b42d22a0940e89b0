// A worker thread: its connections, its share of the partitions' upkeep. With the native transport it
// blocks in epoll_wait and gives Node's own loop a turn now and then; with the node transport it lives
// on Node's loop.

import { setTimeout as sleep } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { peerName, localName, close } from '../base/libc.js';
import { MessageKind, type MessageHandlers } from '../mesh/post.js';
import { isLocalPeer } from '../net/listen.js';
import { NativeTransport } from '../net/native.js';
import { NodeTransport } from '../net/node.js';
import { Executor } from './executor.js';
import { LogFile } from './log-file.js';
import type { ProcessShape } from './shape.js';
import { Upkeep } from './upkeep.js';

/** A worker never sleeps longer: expiry and idle clients wait for it. */
const SLEEP_MS_MAX = 100;
/** Node's loop gets a turn at least so often: its timers, its messages, its garbage collector. */
const NODE_TURN_MS = 50;

export interface WorkerStart {
  readonly shape: ProcessShape;
  readonly thread: number;
}

async function main(): Promise<void> {
  const { shape, thread } = workerData as WorkerStart;
  const log = new LogFile();
  const executor = new Executor(shape, thread, log);
  const upkeep = new Upkeep(executor);
  try {
    if (shape.facts.transport === 'native') await runNative(executor, upkeep);
    else await runNode(executor, upkeep);
  } catch (error) {
    const { command } = executor.runner.context;
    const stack = error instanceof Error ? error.stack : String(error);
    log.write('warning', `Thread ${thread} failed while it ran '${command.fullName}': ${stack}`);
    throw error;
  }
}

async function runNative(executor: Executor, upkeep: Upkeep): Promise<void> {
  const { post, serving, runner, control, board, clock } = executor;
  const { bell } = post;
  const transport = new NativeTransport(serving, bell.eventfd, () => bell.takeSignal());
  const handlers = connectionHandlers(executor, transport);
  control.isServing();
  let nodeTurnAt = clock.monotonicMs();
  const afterWait = () => {
    post.woke();
    runner.readClock();
    executor.lookAround();
  };
  while (!control.isStopping) {
    const now = clock.monotonicMs();
    if (now - nodeTurnAt > NODE_TURN_MS) {
      await nodeTurn();
      nodeTurnAt = clock.monotonicMs();
      runner.readClock();
    }
    post.poll(handlers);
    const upkeepMs = upkeep.step();
    const waitMs = serving.endWaits(runner.keyspace.nowMs) - runner.keyspace.nowMs;
    serving.flushReplies();
    const timeoutMs = maySleep(executor) ? Math.min(SLEEP_MS_MAX, upkeepMs, waitMs) : 0;
    transport.turn(Math.max(0, Math.ceil(timeoutMs)), afterWait);
    while (board.hasOffers() && executor.serveParts()) {
      // Parts are short, and somebody waits for them with locks held.
    }
    serving.flushReplies();
    executor.count();
  }
  stop(executor);
  transport.end();
}

/** Announces sleep and takes the last look: what comes later rings the bell. */
function maySleep(executor: Executor): boolean {
  const isQuiet = executor.post.prepareSleep();
  const { board, clients, control } = executor;
  return isQuiet && !board.hasOffers() && !clients.hasWishes && !control.isStopping;
}

function connectionHandlers(executor: Executor, transport: NativeTransport): MessageHandlers {
  const handlers: MessageHandlers[number][] = [];
  handlers[MessageKind.Connection] = (_from, u8, start) => {
    const words = new Int32Array(u8.buffer, u8.byteOffset + start, 4);
    const fd = words[0]!;
    const isUnix = words[1] === 1;
    const address = isUnix ? `${executor.config.text('unixsocket')}:0` : peerName(fd);
    const local = isUnix ? address : localName(fd);
    const session = executor.openSession(fd, address, local);
    if (session === null || transport.open(fd, session, executor.keyspace.nowMs) === null) {
      if (session === null) close(fd);
      else executor.clients.close(session.slot);
      executor.control.addConnections(executor.thread, -1);
    }
  };
  return handlers;
}

async function runNode(executor: Executor, upkeep: Upkeep): Promise<void> {
  const { post, serving, runner, control } = executor;
  const { bell } = post;
  const transport = new NodeTransport(executor.serving, {
    open: (address, local, fd) => executor.openSession(fd, address, local),
    beforeInput: () => {
      runner.readClock();
      executor.lookAround();
    },
    isRefused: (address) => refusalFor(executor, address),
    counted: (change) => control.addConnections(executor.thread, change),
    keepAliveSeconds: () => executor.config.number('tcp-keepalive'),
    unixPath: () => `${executor.config.text('unixsocket')}:0`,
  });
  await transport.listen(executor.shape.listeningFds);
  control.isServing();
  while (!control.isStopping) {
    runner.readClock();
    executor.lookAround();
    const { nowMs } = runner.keyspace;
    const timeoutMs = Math.min(SLEEP_MS_MAX, upkeep.step(), serving.endWaits(nowMs) - nowMs);
    while (executor.serveParts()) {
      // As in runNative.
    }
    serving.flushReplies();
    executor.count();
    post.poll([]);
    if (!maySleep(executor) || timeoutMs <= 0) await nodeTurn();
    else await Promise.race([bell.waitAsync(timeoutMs), sleep(timeoutMs)]);
    post.woke();
  }
  stop(executor);
  await transport.end();
}

/** What a fresh connection is told before it is closed again; null lets it in. */
function refusalFor(executor: Executor, address: string): 'full' | 'protected' | null {
  const { control, config, shape } = executor;
  if (control.connectionCount(shape.facts.threadCount) > config.number('maxclients')) return 'full';
  const isProtected = config.flag('protected-mode') && config.bytes('requirepass').length === 0;
  return isProtected && address.includes(':') && !isLocalPeer(address) ? 'protected' : null;
}

function nodeTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function stop(executor: Executor): void {
  executor.serving.flushReplies();
  for (const connection of [...executor.serving.connections]) executor.serving.close(connection);
}

parentPort?.on('message', () => {
  // Nothing is sent this way; the listener keeps Node's loop aware of the port.
});
await main();
parentPort?.close();
