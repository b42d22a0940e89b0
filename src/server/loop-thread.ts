// An executing thread that lives on Node's event loop: a worker of the node transport, or a thread
// beside the workers (edge.ts). Input comes as callbacks and runs there; what others have left for
// the thread is looked at in turns of its own, between which it sleeps at its doorbell.

import { setTimeout as sleep } from 'node:timers/promises';
import { type MessageHandlers, MessageKind } from '../mesh/post.js';
import type { Connection, Peer, Wire } from '../net/connection.js';
import { DENIED_TEXT, isLocalPeer, TOO_MANY_TEXT } from '../net/listen.js';
import { LoopServing } from '../net/loop-serving.js';
import { Serving } from '../net/serving.js';
import { Counter } from '../stats/server.js';
import { reportCrash } from './crash-report.js';
import { Executor } from './executor.js';
import type { LogFile } from './log-file.js';
import type { ProcessShape } from './shape.js';
import { Upkeep } from './upkeep.js';

/** No executing thread sleeps longer: expiry and idle clients wait for it. */
export const SLEEP_MS_MAX = 100;

export class LoopThread {
  readonly executor: Executor;
  /** Where bytes from peers are brought. */
  readonly loop: LoopServing;
  /** What is done with messages from other threads; a transport may add its own. */
  readonly handlers: MessageHandlers[number][];
  private readonly upkeep: Upkeep;
  private readonly configListeners: (() => void)[] = [];

  constructor(shape: ProcessShape, thread: number, log: LogFile, ServingKind = Serving) {
    this.executor = new Executor(shape, thread, log, ServingKind);
    this.upkeep = new Upkeep(this.executor);
    this.handlers = executorHandlers(this.executor);
    this.executor.configAdopted = () => {
      for (const listener of this.configListeners) listener();
    };
    this.loop = new LoopServing(this.executor.serving, (isFirst) => this.beforeInput(isFirst));
  }

  /** `listener` is called whenever this thread has adopted a change of configuration. */
  onConfig(listener: () => void): void {
    this.configListeners.push(listener);
  }

  private beforeInput(isFirst: boolean): void {
    const { executor } = this;
    // Receiving is nobody's command: its time goes into no statistics.
    executor.runner.readClock();
    // Once a turn, as the native transport does.
    if (!isFirst) return;
    executor.lookAround();
    // Once more, before input: what was sent before a peer heard of it comes before what the peer
    // says then (a message, before its subscriber's UNSUBSCRIBE).
    executor.post.poll(this.handlers);
  }

  /**
   * Counts a fresh connection in and returns null; or what it is told before it is closed again,
   * and then it is not counted.
   */
  admit(address: string): string | null {
    this.executor.refresh();
    const refusal = this.refusal(address);
    if (refusal !== null) return refusal;
    return this.countIn() ? null : TOO_MANY_TEXT;
  }

  /** Counts a fresh connection in, whoever it is; false, and not counted, if there are too many. */
  countIn(): boolean {
    const { control, config, shape, stats, thread } = this.executor;
    this.executor.refresh();
    if (control.connectionCount(shape.executorCount) >= config.number('maxclients')) {
      stats.add(Counter.ConnectionsRejected, 1);
      return false;
    }
    control.addConnections(thread, 1);
    return true;
  }

  /** What somebody from there is told instead of being let in: protected mode. */
  refusal(address: string): string | null {
    const { config, stats } = this.executor;
    const { accounts } = this.executor.access;
    if (!config.flag('protected-mode') || !accounts.default.isPasswordless) return null;
    const isUnix = address.startsWith('/') || address === `${config.text('unixsocket')}:0`;
    if (isUnix || isLocalPeer(address)) return null;
    stats.add(Counter.ConnectionsRejected, 1);
    return DENIED_TEXT;
  }

  /**
   * A connection for one that was admitted, with a session of its own; its bytes go by `wire`.
   * Null, and no longer counted, when there is no room for a session.
   */
  open(wire: Wire, peer: Peer): Connection | null {
    const { executor } = this;
    const session = executor.openSession(peer.fd, peer.address, peer.localAddress);
    if (session !== null) return this.loop.add(session, wire);
    executor.control.addConnections(executor.thread, -1);
    return null;
  }

  /** Serves until the process stops. */
  async run(): Promise<void> {
    const { executor, upkeep, handlers } = this;
    const { post, serving, runner, control, tracking } = executor;
    const { bell } = post;
    control.isServing();
    while (!control.isStopping) {
      runner.readClock();
      executor.lookAround();
      const upkeepMs = upkeep.step(runner.lastReadMs);
      while (executor.serveParts()) {
        // Parts are short, and somebody waits for them with locks held.
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
  }
}

/**
 * Waits until every loop knows its listening sockets and serves no more. Threads share the
 * descriptors: where one closes them while another's loop is about to watch them for the first
 * time, libuv aborts the process.
 */
async function allStopped({ control, shape }: Executor): Promise<void> {
  await nodeTurn();
  await nodeTurn();
  control.hasStopped();
  while (control.stoppedCount < shape.loopCount) await sleep(1);
}

/** What every executing thread does with messages of the others. */
export function executorHandlers(executor: Executor): MessageHandlers[number][] {
  const handlers: MessageHandlers[number][] = [];
  handlers[MessageKind.Reply] = executor.replyArrived;
  handlers[MessageKind.Publish] = executor.pubsub.arrived;
  handlers[MessageKind.Notice] = executor.pubsub.notices.arrived;
  handlers[MessageKind.Invalidate] = executor.tracking.arrived;
  handlers[MessageKind.MonitorLine] = executor.monitors.arrived;
  handlers[MessageKind.Answer] = executor.door.answerArrived;
  // Messages are taken between two turns, and input is preceded by a look at the gates: whatever
  // main has raised before it asks counts for every command from here on.
  handlers[MessageKind.Turn] = (from) => executor.post.sendInts(from, MessageKind.Turn, 0, 0, 0, 0);
  return handlers;
}

/** Announces sleep and takes the last look: what comes later rings the bell. */
export function maySleep(executor: Executor): boolean {
  const isQuiet = executor.post.prepareSleep() && executor.isIdle;
  const { board, clients, control } = executor;
  return isQuiet && !board.hasOffers() && !clients.hasWishes && !control.isStopping;
}

/** Node's own loop goes round once. */
export function nodeTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** The end of serving: replies leave, connections close. */
export function stop(executor: Executor): void {
  executor.serving.flushReplies();
  executor.migrations.end();
  // Keys may have expired since: main closes the files when all threads have ended.
  executor.endTurn();
  for (const connection of [...executor.serving.connections]) executor.serving.close(connection);
}

/** A thread's own words before it takes the process with it. */
export function reportFailure({ log }: Executor, error: unknown): void {
  reportCrash(log, error);
}
