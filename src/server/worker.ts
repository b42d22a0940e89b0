// A worker thread: its connections, its share of the partitions' upkeep. With the native transport
// it blocks in epoll_wait and gives Node's own loop a turn now and then; with the node transport it
// lives on Node's loop.

import { setTimeout as sleep } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { sleep as sleepFor } from '../base/clock.js';
import { close, localName, peerName } from '../base/libc.js';
import { type MessageHandlers, MessageKind } from '../mesh/post.js';
import { isLocalPeer } from '../net/listen.js';
import { NativeTransport } from '../net/native.js';
import { NodeTransport } from '../net/node.js';
import { Counter } from '../stats/server.js';
import { DeferredMail } from './deferred.js';
import { Executor } from './executor.js';
import { listenPlan } from './listen-plan.js';
import { LogFile } from './log-file.js';
import type { ProcessShape } from './shape.js';
import { permitUnixSocket } from './unix-socket.js';
import { Upkeep } from './upkeep.js';

/** A worker never sleeps longer: expiry and idle clients wait for it. */
const SLEEP_MS_MAX = 100;
/** So long a thread that sends faster than others take waits until it looks again. */
const HOLD_BACK_MS = 0.2;
/** Node's loop gets a turn at least so often: its timers, its messages, its garbage collector. */
const NODE_TURN_MS = 50;

export interface WorkerStart {
  readonly shape: ProcessShape;
  readonly thread: number;
  /** Node transport: descriptors to listen on; null for the first worker, which opens them. */
  readonly listeningFds: readonly number[] | null;
}

/** What the first worker of the node transport tells the main thread. */
export type Listening = { readonly fds: readonly number[] } | { readonly failure: string };

async function main(): Promise<void> {
  const { shape, thread, listeningFds } = workerData as WorkerStart;
  const log = new LogFile();
  const executor = new Executor(shape, thread, log);
  const upkeep = new Upkeep(executor);
  try {
    if (shape.facts.transport === 'native') await runNative(executor, upkeep);
    else await runNode(executor, upkeep, listeningFds);
  } catch (error) {
    const { command } = executor.runner.context;
    const stack = error instanceof Error ? error.stack : String(error);
    log.write('warning', `Thread ${thread} failed while it ran '${command.fullName}': ${stack}`);
    throw error;
  }
}

async function runNative(executor: Executor, upkeep: Upkeep): Promise<void> {
  const { post, serving, runner, control, board, tracking } = executor;
  const { bell } = post;
  const transport = new NativeTransport(serving, bell.eventfd, () => bell.takeSignal());
  const handlers = connectionHandlers(executor, transport);
  const mail = new DeferredMail(handlers);
  executor.isEndWanted = () => transport.busy.isEndWanted;
  executor.forgetEndWish = () => {
    transport.busy.isEndWanted = false;
  };
  executor.serveBusy = () => {
    post.poll(mail.handlers);
    transport.busyTurn();
  };
  control.isServing();
  let nodeTurnAt = runner.lastReadMs;
  const afterWait = () => {
    post.woke();
    runner.readClock();
    executor.lookAround();
    // Once more, before input: what was sent before a peer heard of it comes before what the peer
    // says then (a message, before its subscriber's UNSUBSCRIBE).
    post.poll(handlers);
  };
  while (!control.isStopping) {
    // The time that the last turn ended with: a clock read less.
    const now = runner.lastReadMs;
    const isNodeBusy = executor.migrations.active !== 0;
    if (isNodeBusy || now - nodeTurnAt > NODE_TURN_MS) {
      await nodeTurn();
      runner.readClock();
      nodeTurnAt = runner.lastReadMs;
    }
    mail.deliver();
    post.poll(handlers);
    if (post.isOverLimit()) {
      holdBack(executor);
      continue;
    }
    const upkeepMs = upkeep.step(runner.lastReadMs);
    serving.endWaits(runner.keyspace.nowMs);
    serving.serveReady();
    tracking.receiveLate();
    serving.flushReplies();
    const waitMs = serving.nextDeadline - runner.keyspace.nowMs;
    const sleepMs = Math.min(SLEEP_MS_MAX, upkeepMs, waitMs, executor.pauseLeftMs);
    const timeoutMs = maySleep(executor) ? Math.min(sleepMs, isNodeBusy ? 1 : sleepMs) : 0;
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

/**
 * Too much waits for room in others' rings: this thread takes no input until they have caught up,
 * but goes on emptying its own rings, on which they may wait in turn.
 */
function holdBack(executor: Executor): void {
  executor.serving.flushReplies();
  executor.post.flush();
  while (executor.serveParts()) {
    // Somebody may wait for them with locks held.
  }
  if (executor.post.isOverLimit()) sleepFor(HOLD_BACK_MS);
  executor.runner.readClock();
}

/** Announces sleep and takes the last look: what comes later rings the bell. */
function maySleep(executor: Executor): boolean {
  const isQuiet = executor.post.prepareSleep() && executor.isIdle;
  const { board, clients, control } = executor;
  return isQuiet && !board.hasOffers() && !clients.hasWishes && !control.isStopping;
}

function hearMain(executor: Executor, handlers: MessageHandlers[number][]): void {
  handlers[MessageKind.Answer] = executor.door.answerArrived;
  // Messages are taken between two turns, and input is preceded by a look at the gates: whatever
  // main has raised before it asks counts for every command from here on.
  handlers[MessageKind.Turn] = (from) => executor.post.sendInts(from, MessageKind.Turn, 0, 0, 0, 0);
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
  handlers[MessageKind.Reply] = executor.replyArrived;
  handlers[MessageKind.Publish] = executor.pubsub.arrived;
  handlers[MessageKind.Notice] = executor.pubsub.notices.arrived;
  handlers[MessageKind.Invalidate] = executor.tracking.arrived;
  handlers[MessageKind.MonitorLine] = executor.monitors.arrived;
  hearMain(executor, handlers);
  return handlers;
}

async function runNode(
  executor: Executor,
  upkeep: Upkeep,
  listeningFds: readonly number[] | null,
): Promise<void> {
  const { post, serving, runner, control, config, tracking } = executor;
  const { bell } = post;
  const handlers: MessageHandlers[number][] = [];
  handlers[MessageKind.Reply] = executor.replyArrived;
  handlers[MessageKind.Publish] = executor.pubsub.arrived;
  handlers[MessageKind.Notice] = executor.pubsub.notices.arrived;
  handlers[MessageKind.Invalidate] = executor.tracking.arrived;
  handlers[MessageKind.MonitorLine] = executor.monitors.arrived;
  hearMain(executor, handlers);
  const transport = new NodeTransport(executor.serving, {
    open: (address, local, fd) => executor.openSession(fd, address, local),
    beforeInput: () => {
      runner.readClock();
      executor.lookAround();
      // As in runNative.
      post.poll(handlers);
    },
    isRefused: (address) => {
      executor.refresh();
      return refusalFor(executor, address);
    },
    failed: (error) =>
      executor.log.write('warning', `Accepting client connection: ${error.message}`),
    counted: (change) => control.addConnections(executor.thread, change),
    keepAliveSeconds: () => executor.config.number('tcp-keepalive'),
    unixPath: () => `${executor.config.text('unixsocket')}:0`,
  });
  if (listeningFds !== null) await transport.listen(listeningFds, config.number('tcp-backlog'));
  else parentPort?.postMessage(await openSockets(executor, transport));
  control.isServing();
  while (!control.isStopping) {
    runner.readClock();
    executor.lookAround();
    const upkeepMs = upkeep.step(runner.lastReadMs);
    while (executor.serveParts()) {
      // As in runNative.
    }
    post.poll(handlers);
    serving.endWaits(runner.keyspace.nowMs);
    serving.serveReady();
    tracking.receiveLate();
    serving.flushReplies();
    executor.count();
    const waitMs = serving.nextDeadline - runner.keyspace.nowMs;
    const timeoutMs = Math.min(SLEEP_MS_MAX, upkeepMs, waitMs, executor.pauseLeftMs);
    if (!maySleep(executor) || timeoutMs <= 0) await nodeTurn();
    else await Promise.race([bell.waitAsync(timeoutMs), sleep(timeoutMs)]);
    post.woke();
  }
  stop(executor);
  await allStopped(executor);
  await transport.end();
}

/**
 * Waits until every worker's loop knows its listening sockets and serves no more. The workers share
 * the descriptors: where one closes them while another's loop is about to watch them for the first
 * time, libuv aborts the process.
 */
async function allStopped({ control, shape }: Executor): Promise<void> {
  await nodeTurn();
  await nodeTurn();
  control.hasStopped();
  while (control.stoppedCount < shape.facts.threadCount) await sleep(1);
}

/** Opens the node transport's listening sockets, for all workers. */
async function openSockets({ config }: Executor, transport: NodeTransport): Promise<Listening> {
  try {
    const fds = await transport.open(listenPlan(config));
    permitUnixSocket(config.text('unixsocket'), config.number('unixsocketperm'));
    return { fds };
  } catch (error) {
    return { failure: (error as Error).message };
  }
}

/** What a fresh connection is told before it is closed again; null lets it in. */
function refusalFor(executor: Executor, address: string): 'full' | 'protected' | null {
  const { control, config, shape } = executor;
  const isFull = control.connectionCount(shape.facts.threadCount) > config.number('maxclients');
  const isOpen = !config.flag('protected-mode') || config.bytes('requirepass').length > 0;
  const isUnix = address.startsWith('/') || address === `${config.text('unixsocket')}:0`;
  const isDenied = !isOpen && !isUnix && !isLocalPeer(address);
  if (!isFull && !isDenied) return null;
  executor.stats.add(Counter.ConnectionsRejected, 1);
  return isFull ? 'full' : 'protected';
}

function nodeTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function stop(executor: Executor): void {
  executor.serving.flushReplies();
  executor.migrations.end();
  // Keys may have expired since: main closes the files when all workers have ended.
  executor.endTurn();
  for (const connection of [...executor.serving.connections]) executor.serving.close(connection);
}

parentPort?.on('message', () => {
  // Nothing is sent this way; the listener keeps Node's loop aware of the port.
});
await main();
parentPort?.close();
