// The server as commands see it (dispatch/server-door.ts), for one executing thread.

import { sleep } from '../base/clock.js';
import type { Asker, Change, Config } from '../config/config.js';
import type { ServerDoor, ServerFacts, ShutdownRequest } from '../dispatch/server-door.js';
import { Closing } from '../dispatch/session.js';
import type { CommandTable } from '../dispatch/table.js';
import { PauseMode } from '../mesh/control.js';
import { MessageKind } from '../mesh/post.js';
import type { Connection } from '../net/connection.js';
import type { PubSub } from '../pubsub/hub.js';
import { holderOf, labelHold, locksHeld, releaseLock, takeLock } from '../slab/lock.js';
import { Header } from '../slab/slab.js';
import { type ClientDirectory, Wish } from '../stats/clients.js';
import type { CommandStats } from '../stats/commands.js';
import type { ServerStats } from '../stats/server.js';
import type { Slowlog } from '../stats/slowlog.js';
import { type Executor, SLEEPING } from './executor.js';
import type { LogLevel } from './log-file.js';

export class Door implements ServerDoor {
  readonly config: Config;
  readonly table: CommandTable;
  readonly clients: ClientDirectory;
  readonly commandStats: CommandStats;
  readonly slowlog: Slowlog;
  readonly stats: ServerStats;
  readonly pubsub: PubSub;
  readonly facts: ServerFacts;
  readonly threadIndex: number;
  private readonly executor: Executor;

  constructor(
    executor: Executor,
    table: CommandTable,
    commandStats: CommandStats,
    slowlog: Slowlog,
  ) {
    this.executor = executor;
    this.config = executor.config;
    this.table = table;
    this.clients = executor.clients;
    this.commandStats = commandStats;
    this.slowlog = slowlog;
    this.stats = executor.stats;
    this.pubsub = executor.pubsub;
    this.facts = executor.shape.facts;
    this.threadIndex = executor.thread;
  }

  changeConfig(pairs: readonly string[], asker: Asker): Change {
    const { executor } = this;
    const change = executor.changeConfig(pairs, asker);
    for (const warning of change.warnings) executor.log.write('warning', warning);
    if (change.error !== null) return change;
    executor.lookLater();
    // Workers look before each command, so only those who sleep on a setting are told.
    for (let thread = 0; thread < executor.post.threadCount; thread++) executor.post.wake(thread);
    return change;
  }

  shutDown(request: ShutdownRequest): void {
    const { executor } = this;
    executor.post.sendInts(
      executor.shape.mainThread,
      MessageKind.Shutdown,
      request.isNow ? 1 : 0,
      request.isForced ? 1 : 0,
      0,
      0,
    );
    executor.post.flush();
  }

  closeClient(slot: number, id: number): void {
    this.wish(slot, id, Wish.Close);
  }

  unblockClient(slot: number, id: number, withError: boolean): void {
    this.wish(slot, id, withError ? Wish.UnblockError : Wish.UnblockTimeout);
  }

  private wish(slot: number, id: number, wish: Wish): void {
    const { clients, post } = this.executor;
    if (!clients.wish(slot, id, wish)) return;
    const owner = clients.threadOf(slot);
    if (owner !== this.threadIndex) post.wake(owner);
  }

  /** Does what another thread (or this one) wished for a connection of this thread. */
  grant(connection: Connection, wish: Wish): void {
    const { serving } = this.executor;
    const { session } = connection;
    if (wish === Wish.Close) {
      session.closing = Closing.Now;
      serving.wake(session);
      return;
    }
    const { wait } = session;
    // It waits no more, or for a key: whoever wished did not find it there, so that is a new wait.
    if (wait?.unblockLine === undefined) return;
    const { timedOut, unblockLine } = wait;
    if (wish === Wish.UnblockError) this.stats.errorReplied('UNBLOCKED');
    if (wish === Wish.UnblockTimeout) serving.endWait(connection, timedOut);
    else serving.endWait(connection, (reply) => reply.error(unblockLine));
  }

  pauseClients(untilMs: number, allCommands: boolean): void {
    const { control, clock } = this.executor;
    control.pause(untilMs, allCommands ? PauseMode.All : PauseMode.Writes, clock.nowMs());
    this.wakeAll();
  }

  unpauseClients(): void {
    this.executor.control.unpause();
    this.wakeAll();
  }

  private wakeAll(): void {
    const { executor } = this;
    executor.lookLater();
    for (let thread = 0; thread < this.facts.threadCount; thread++) executor.post.wake(thread);
  }

  sleepHoldingLocks(ms: number): void {
    const { executor } = this;
    const self = holderOf(this.threadIndex);
    const slabs = executor.keyspace.partitions.map((partition) => partition.slab);
    // Inside EXEC they are held, and what time it is does not change.
    if (locksHeld() !== 0) {
      for (const { i32 } of slabs) labelHold(i32, Header.Lock, SLEEPING);
      sleep(ms);
      return;
    }
    // Ascending, as every holder of several locks takes them.
    for (const { i32 } of slabs) {
      takeLock(i32, Header.Lock, self);
      labelHold(i32, Header.Lock, SLEEPING);
    }
    sleep(ms);
    for (const { i32 } of slabs.reverse()) releaseLock(i32, Header.Lock);
    executor.runner.readClock();
  }

  setActiveExpire(isOn: boolean): void {
    this.executor.control.setActiveExpire(isOn);
  }

  log(level: LogLevel, line: string): void {
    this.executor.log.write(level, line);
  }

  nowUs(): number {
    const { clock } = this.executor;
    return Math.floor(clock.wallAt(clock.monotonicMs()) * 1000);
  }

  usedMemory(): number {
    return this.executor.usedMemory();
  }
}
