// A worker thread: its connections, its share of the partitions' upkeep. With the native transport
// it blocks in epoll_wait and gives Node's own loop a turn now and then; with the node transport it
// lives on Node's loop.

import { parentPort, workerData } from 'node:worker_threads';
import { sleep as sleepFor } from '../base/clock.js';
import { close, localName, peerName } from '../base/libc.js';
import { type MessageHandlers, MessageKind } from '../mesh/post.js';
import { createNative, type NativeTransport } from '../net/native.js';
import { NodeTransport } from '../net/node.js';
import type { NodeListener } from '../net/node-listener.js';
import { watchOver } from './crash-report.js';
import { DeferredMail } from './deferred.js';
import { Executor } from './executor.js';
import { listenPlan } from './listen-plan.js';
import { LogFile } from './log-file.js';
import {
  executorHandlers,
  LoopThread,
  maySleep,
  nodeTurn,
  reportFailure,
  SLEEP_MS_MAX,
  stop,
} from './loop-thread.js';
import type { ProcessShape } from './shape.js';
import { takeShortTurns } from './short-turns.js';
import { permitUnixSocket } from './unix-socket.js';
import { Upkeep } from './upkeep.js';

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
  const isNative = shape.facts.transport === 'native';
  const onLoop = isNative ? null : new LoopThread(shape, thread, log);
  const executor = onLoop?.executor ?? new Executor(shape, thread, log);
  watchOver(executor);
  takeShortTurns();
  try {
    if (onLoop !== null) await runNode(onLoop, listeningFds);
    else await runNative(executor, new Upkeep(executor));
  } catch (error) {
    reportFailure(executor, error);
    throw error;
  }
}

async function runNative(executor: Executor, upkeep: Upkeep): Promise<void> {
  const { post, serving, runner, control, board, tracking } = executor;
  const { bell } = post;
  const { multiplexing } = executor.shape.facts;
  const kind = multiplexing === 'io_uring' ? 'io_uring' : 'epoll';
  const transport = createNative(kind, serving, bell.eventfd, () => bell.takeSignal());
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
  // A function of its own: V8 compiles a loop that never ends as a whole, and gives that up
  // whenever a part of it meets something new.
  const turn = (isNodeBusy: boolean): void => {
    mail.deliver();
    post.poll(handlers);
    if (post.isOverLimit()) {
      holdBack(executor);
      return;
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
  };
  while (!control.isStopping) {
    // The time that the last turn ended with: a clock read less.
    const now = runner.lastReadMs;
    const isNodeBusy = executor.migrations.active !== 0;
    const isNodeDue = isNodeBusy || now - nodeTurnAt > NODE_TURN_MS;
    // Replies do not wait for what may take longer than the next turn takes to come.
    if (isNodeDue || serving.hasReady || upkeep.isDue(now)) serving.outbox?.submit();
    if (isNodeDue) {
      await nodeTurn();
      runner.readClock();
      nodeTurnAt = runner.lastReadMs;
    }
    turn(isNodeBusy);
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
  executor.serving.outbox?.submit();
  executor.post.flush();
  while (executor.serveParts()) {
    // Somebody may wait for them with locks held.
  }
  if (executor.post.isOverLimit()) sleepFor(HOLD_BACK_MS);
  executor.runner.readClock();
}

function connectionHandlers(executor: Executor, transport: NativeTransport): MessageHandlers {
  const handlers = executorHandlers(executor);
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

async function runNode(thread: LoopThread, listeningFds: readonly number[] | null): Promise<void> {
  const { config } = thread.executor;
  const transport = new NodeTransport(thread.loop, {
    admit: (address) => thread.admit(address),
    open: (wire, peer) => thread.open(wire, peer),
    isEnding: () => thread.executor.control.isStopping,
    failed: (error) =>
      thread.executor.log.write('warning', `Accepting client connection: ${error.message}`),
    keepAliveSeconds: () => config.number('tcp-keepalive'),
    unixPath: () => `${config.text('unixsocket')}:0`,
  });
  if (listeningFds !== null)
    await transport.listener.listen(listeningFds, config.number('tcp-backlog'));
  else parentPort?.postMessage(await openSockets(thread.executor, transport.listener));
  await thread.run();
  await transport.listener.end();
}

/** Opens the node transport's listening sockets, for all workers. */
async function openSockets({ config }: Executor, listener: NodeListener): Promise<Listening> {
  try {
    const fds = await listener.open(listenPlan(config));
    permitUnixSocket(config.text('unixsocket'), config.number('unixsocketperm'));
    return { fds };
  } catch (error) {
    return { failure: (error as Error).message };
  }
}

parentPort?.on('message', () => {
  // Nothing is sent this way; the listener keeps Node's loop aware of the port.
});
await main();
parentPort?.close();
