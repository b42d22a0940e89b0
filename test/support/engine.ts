// One executing thread without a server around it: slabs, keyspace, table and runner in this
// process, commands in, reply bytes out. For tests of commands and for fuzzers.

import { AccessLog, createAccessLog } from '../../src/acl/access-log.js';
import { Accounts } from '../../src/acl/accounts.js';
import { Catalog } from '../../src/acl/catalog.js';
import { createUsers } from '../../src/acl/user-store.js';
import { ManualClock } from '../../src/base/clock.js';
import { drawHashKey, hashBytes, setHashKey } from '../../src/base/hash.js';
import { Slices } from '../../src/base/slices.js';
import { digestOfAll, hexOf } from '../../src/commands/server/digest.js';
import { Access } from '../../src/dispatch/access.js';
import type { Command } from '../../src/dispatch/command.js';
import type { CommandSpec } from '../../src/dispatch/define.js';
import { Effects, Notify, type RecordSink } from '../../src/dispatch/effects.js';
import { Gate } from '../../src/dispatch/gates.js';
import type { Parts } from '../../src/dispatch/parts.js';
import { Runner } from '../../src/dispatch/run.js';
import type { ServerDoor } from '../../src/dispatch/server-door.js';
import { Closing, Session } from '../../src/dispatch/session.js';
import { CommandTable } from '../../src/dispatch/table.js';
import { Keyspace, Lookup } from '../../src/keyspace/keyspace.js';
import type { Partition } from '../../src/keyspace/partition.js';
import { createWaiters } from '../../src/keyspace/waiters.js';
import { createWatchers } from '../../src/keyspace/watchers.js';
import { createLogs, SharedLogs } from '../../src/log/logs.js';
import { createSaving, Saving } from '../../src/mesh/saving.js';
import { Monitors } from '../../src/pubsub/monitors.js';
import { createTracking, Tracking } from '../../src/pubsub/tracking.js';
import { GrowingEdge, Reply } from '../../src/resp/write.js';
import { formatSlab } from '../../src/slab/alloc.js';
import { holderOf, releaseLock, takeLock } from '../../src/slab/lock.js';
import { Header, Slab } from '../../src/slab/slab.js';
import { Hotkeys } from '../../src/stats/hotkeys.js';

/** One for the process, because the hash has one: engines that live side by side share it. */
export const HASH_KEY = drawHashKey();

/** There are no other threads. */
const NO_POST = { send() {}, sendInts() {}, flush() {} };

/** Users of an engine are few. */
const USER_BYTES = 256 * 1024;

/** Records go to the sink that a test gives: nothing is appended. */
const LOG_BYTES = 64;
const WAITER_BYTES = 4 * 1024 * 1024;
const SESSIONS_MAX = 1024;

export interface EngineOptions {
  readonly specs: readonly CommandSpec[];
  /** A table of these, for tests that make many engines. */
  readonly table?: CommandTable;
  readonly partitions?: number;
  readonly partitionBytes?: number;
  readonly databases?: number;
  readonly sink?: RecordSink;
  /** Memory for watched keys. */
  readonly watchBytes?: number;
  /** What handlers may ask of the server; everything else throws. */
  readonly server?: Partial<ServerDoor>;
  /** The parts of large commands, as of a server with several threads. */
  makeParts?(slabs: readonly Slab[], databases: number): Parts;
}

export class Engine {
  readonly clock = new ManualClock(1_700_000_000_000);
  readonly slabs: readonly Slab[];
  readonly keyspace: Keyspace;
  readonly runner: Runner;
  readonly session: Session;
  readonly effects: Effects;
  readonly tracking: Tracking;
  readonly monitors: Monitors;
  /** By slot. */
  private readonly sessions = new Map<number, Session>();
  private readonly reply: Reply;
  private accessMade: Access | null = null;

  constructor(options: EngineOptions) {
    const partitions = options.partitions ?? 4;
    const databases = options.databases ?? 16;
    setHashKey(HASH_KEY);
    this.slabs = Array.from({ length: partitions }, (_, index) => {
      const bytes = options.partitionBytes ?? 64 * 1024 * 1024;
      const slab = new Slab(index, new SharedArrayBuffer(bytes));
      formatSlab(slab, databases);
      return slab;
    });
    this.keyspace = new Keyspace(this.slabs, databases, new Float64Array(Lookup.Words));
    const table = options.table ?? new CommandTable(options.specs);
    const noSink: RecordSink = { isOn: false, append() {} };
    this.effects = new Effects(options.sink ?? noSink, { classes: 0, notify() {} });
    this.keyspace.sinks.expired = (_partition, database, u8, start, length) =>
      this.effects.recordRemoval(database, u8, start, length);
    this.keyspace.sinks.fieldExpired = (partition, u8, start, length, field) =>
      this.effects.recordFieldRemoval(partition.database, u8, start, length, field);
    this.keyspace.sinks.fieldsExpired = (partition, u8, start, length, isGone) => {
      this.effects.announce(partition, u8, start, length, Notify.Hash, 'hexpired');
      if (isGone) this.effects.announce(partition, u8, start, length, Notify.Generic, 'del');
    };
    this.tracking = this.makeTracking(partitions);
    this.monitors = new Monitors(0, 1, NO_POST, (isAnybody) => {
      if (isAnybody) this.runner.raised |= Gate.Monitored;
      else this.runner.raised &= ~Gate.Monitored;
      this.runner.attendance.setMonitored(isAnybody);
    });
    this.session = this.openSession(1);
    this.reply = new Reply(new Uint8Array(new ArrayBuffer(4096)), new GrowingEdge());
    this.runner = new Runner({
      keyspace: this.keyspace,
      table,
      effects: this.effects,
      server: serverDoor(
        table,
        {
          tracking: this.tracking,
          monitors: this.monitors,
          ...options.server,
        },
        () => this.access,
      ),
      clock: this.clock,
      self: holderOf(0),
      parts: options.makeParts?.(this.slabs, databases) ?? null,
      waiters: createWaiters(1, partitions, WAITER_BYTES),
      watchers: createWatchers(1, partitions, SESSIONS_MAX, options.watchBytes),
      tracking: this.tracking,
      monitors: this.monitors,
      thread: 0,
      session: this.session,
      args: new Slices(),
      reply: this.reply,
    });
  }

  /** Made when somebody asks for it: most engines have no users. */
  get access(): Access {
    this.accessMade ??= new Access({
      thread: 0,
      table: this.runner.table,
      accounts: new Accounts(new Catalog(this.runner.table.all), createUsers(USER_BYTES)),
      log: new AccessLog(createAccessLog()),
      stats: this.runner.server.stats,
      sessions: () => this.sessions.values(),
      describe: (slot) => `id=${this.sessions.get(slot)?.id}`,
      userAt: (slot) => this.sessions.get(slot)?.user ?? '',
      close(session) {
        session.closing = Closing.Now;
      },
      noted() {},
      nowMs: () => this.keyspace.nowMs,
    });
    return this.accessMade;
  }

  private makeTracking(partitions: number): Tracking {
    const visit = (index: number, visitor: (partition: Partition) => void): void => {
      const partition = this.keyspace.partitions[index]!;
      takeLock(partition.slab.i32, Header.Lock, holderOf(0));
      visitor(partition);
      releaseLock(partition.slab.i32, Header.Lock);
    };
    return new Tracking({
      shape: createTracking(1, partitions),
      thread: 0,
      partitions: this.keyspace.partitions,
      post: NO_POST,
      eachPartition: (visitor) => {
        for (let index = 0; index < partitions; index++) visit(index, () => visitor(index));
      },
      visit,
      hashOf: hashBytes,
      random: (below) => below - 1,
      threadOf: () => 0,
      isConnected: (slot, id) => this.sessions.get(slot)?.id === id,
      sessionAt: (slot) => this.sessions.get(slot) ?? null,
      noted() {},
    });
  }

  /** Calls `heard` for every keyspace event from now on. */
  listen(heard: (event: string, key: string, database: number) => void, classes = -1): void {
    const { notifications } = this.effects;
    notifications.classes = classes;
    notifications.notify = (_partition, event, database, u8, start, length) =>
      heard(event, Buffer.from(u8.slice(start, start + length)).toString('latin1'), database);
  }

  /** What DEBUG DIGEST tells, in engines without that command. */
  digest(): string {
    const { context } = this.runner;
    const { command } = context;
    // Only commands that say so may visit partitions.
    context.command = Object.create(command, { visits: { value: true } }) as Command;
    const digest = hexOf(digestOfAll(context));
    context.command = command;
    return digest;
  }

  openSession(id: number): Session {
    const session = new Session({
      id,
      edge: { wake() {} },
      slot: id,
      address: '127.0.0.1:1',
      localAddress: '127.0.0.1:2',
      fd: -1,
      createdMs: this.clock.nowMs(),
    });
    this.sessions.set(session.slot, session);
    return session;
  }

  /** Runs one command; its reply as latin1 text of the protocol's bytes. */
  run(...words: readonly (string | Uint8Array)[]): string {
    return this.runFor(this.session, ...words);
  }

  runFor(session: Session, ...words: readonly (string | Uint8Array)[]): string {
    this.reply.at = 0;
    this.reply.protocol = session.protocol;
    this.runner.readClock();
    this.runner.run(session, Slices.of(...words), this.reply);
    return Buffer.from(this.reply.u8.slice(0, this.reply.at)).toString('latin1');
  }
}

function serverDoor(
  table: CommandTable,
  given: Partial<ServerDoor>,
  access: () => Access,
): ServerDoor {
  const base: Partial<ServerDoor> = {
    table,
    get access() {
      return access();
    },
    usersChanged() {},
    closeClientsOf() {},
    threadIndex: 0,
    commandStats: {
      called() {},
      rejected() {},
      failed() {},
    } as unknown as ServerDoor['commandStats'],
    slowlog: { record() {} } as unknown as ServerDoor['slowlog'],
    latency: { sample() {} } as unknown as ServerDoor['latency'],
    stats: { add() {}, errorReplied() {} } as unknown as ServerDoor['stats'],
    clients: { setTransaction() {} } as unknown as ServerDoor['clients'],
    busyRefusal: () => null,
    areScriptsFree: () => false,
    saving: new Saving(createSaving(1, 1_700_000_000)),
    logs: new SharedLogs(createLogs(1, LOG_BYTES)),
    wakeMain() {},
    hotkeys: new Hotkeys(new SharedArrayBuffer(Hotkeys.bytesFor(1)), 1, 0),
    ...given,
  };
  return new Proxy(base as ServerDoor, {
    get(target, name) {
      const value = target[name as keyof ServerDoor];
      if (value === undefined) throw new Error(`this engine has no server.${String(name)}`);
      return value;
    },
  });
}
