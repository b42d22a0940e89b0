// Several executing threads, played by one: they share slabs and waiters, and each has a road of
// its own. What one owes another's session is handed over at once, or when a test says so.

import { ManualClock } from '../../src/base/clock.js';
import { setHashKey } from '../../src/base/hash.js';
import { Slices } from '../../src/base/slices.js';
import type { CommandSpec } from '../../src/dispatch/define.js';
import { Effects, type RecordSink } from '../../src/dispatch/effects.js';
import { Runner } from '../../src/dispatch/run.js';
import type { ServerDoor } from '../../src/dispatch/server-door.js';
import { Session } from '../../src/dispatch/session.js';
import { CommandTable } from '../../src/dispatch/table.js';
import { Keyspace, Lookup } from '../../src/keyspace/keyspace.js';
import { createWaiters, type WaiterPlace } from '../../src/keyspace/waiters.js';
import { createWatchers } from '../../src/keyspace/watchers.js';
import { GrowingEdge, Reply } from '../../src/resp/write.js';
import { formatSlab } from '../../src/slab/alloc.js';
import { holderOf } from '../../src/slab/lock.js';
import { Header, Slab } from '../../src/slab/slab.js';
import { HASH_KEY } from './engine.js';

const SLAB_BYTES = 16 * 1024 * 1024;
const WAITER_BYTES = 4 * 1024 * 1024;
const DATABASES = 4;
const SESSIONS_MAX = 256;

/** A client of one of the threads. */
export class Client {
  readonly session: Session;
  readonly thread: number;
  /** What it has been told, since it was last asked. */
  told = '';

  constructor(session: Session, thread: number) {
    this.session = session;
    this.thread = thread;
  }

  get isWaiting(): boolean {
    return this.session.wait !== null;
  }

  /** What it has been told; forgets it. */
  hear(): string {
    const { told } = this;
    this.told = '';
    return told;
  }
}

export class Threads {
  readonly clock = new ManualClock(1_700_000_000_000);
  readonly slabs: readonly Slab[];
  readonly runners: readonly Runner[];
  readonly records: string[] = [];
  /** Calls by name of command, as the statistics have them. */
  readonly calls: string[] = [];
  private readonly clients: Client[] = [];
  private readonly reply = new Reply(new Uint8Array(new ArrayBuffer(4096)), new GrowingEdge());

  constructor(specs: readonly CommandSpec[], threadCount: number, partitions: number) {
    setHashKey(HASH_KEY);
    this.slabs = Array.from({ length: partitions }, (_, index) => {
      const slab = new Slab(index, new SharedArrayBuffer(SLAB_BYTES));
      formatSlab(slab, DATABASES);
      return slab;
    });
    const waiters = createWaiters(threadCount, partitions, WAITER_BYTES);
    const watchers = createWatchers(threadCount, partitions, SESSIONS_MAX);
    const table = new CommandTable(specs);
    const server = this.door(table);
    this.runners = Array.from({ length: threadCount }, (_, thread) => {
      const keyspace = new Keyspace(this.slabs, DATABASES, new Float64Array(Lookup.Words));
      const sink: RecordSink = {
        isOn: true,
        append: (_database, u8, start, length) => {
          const text = Buffer.from(u8.slice(start, start + length)).toString('latin1');
          this.records.push(
            text
              .replace(/[*$]\d+\r\n/g, '')
              .trim()
              .replaceAll('\r\n', ' '),
          );
        },
      };
      const runner = new Runner({
        keyspace,
        table,
        effects: new Effects(sink, { classes: 0, notify() {} }),
        server,
        clock: this.clock,
        self: holderOf(thread),
        waiters,
        watchers,
        thread,
        session: this.makeSession(0),
        args: new Slices(),
        reply: this.reply,
      });
      return runner;
    });
  }

  private door(table: CommandTable): ServerDoor {
    const base: Partial<ServerDoor> = {
      table,
      threadIndex: 0,
      commandStats: {
        called: (id: number, count: number) => {
          for (let call = 0; call < count; call++) this.calls.push(table.all[id]!.fullName);
        },
        rejected() {},
        failed() {},
      } as unknown as ServerDoor['commandStats'],
      slowlog: { record() {} } as unknown as ServerDoor['slowlog'],
      latency: { sample() {} } as unknown as ServerDoor['latency'],
      saving: { wishAfterFlush() {} } as unknown as ServerDoor['saving'],
      wakeMain() {},
      tracking: { beginFlush() {}, endFlush() {} } as unknown as ServerDoor['tracking'],
      stats: { errorReplied() {} } as unknown as ServerDoor['stats'],
      config: { flag: () => false } as unknown as ServerDoor['config'],
      clients: { setTransaction() {} } as unknown as ServerDoor['clients'],
    };
    return base as ServerDoor;
  }

  private makeSession(id: number): Session {
    const edge = { wake() {} };
    const address = '127.0.0.1:1';
    const createdMs = this.clock.nowMs();
    return new Session({ id, edge, slot: id, address, localAddress: address, fd: -1, createdMs });
  }

  /** A client of thread `thread`. */
  connect(thread: number): Client {
    const client = new Client(this.makeSession(this.clients.length + 1), thread);
    this.clients.push(client);
    return client;
  }

  /** Runs a command, and hands over what it owes; what the client is told at once. */
  run(client: Client, ...words: readonly string[]): string {
    const told = this.runOnly(client, ...words);
    this.handOver(client.thread);
    return told;
  }

  /** As run, and keeps what is owed. */
  runOnly(client: Client, ...words: readonly string[]): string {
    const { reply } = this;
    const runner = this.runners[client.thread]!;
    reply.at = 0;
    reply.protocol = client.session.protocol;
    runner.readClock();
    runner.run(client.session, Slices.of(...words), reply);
    return Buffer.from(reply.u8.slice(0, reply.at)).toString('latin1');
  }

  /** Gives the replies that a thread has finished to the sessions that wait for them. */
  handOver(thread: number): void {
    const { served } = this.runners[thread]!.blocking;
    for (const { waiter, bytes } of served.splice(0)) this.arrive(waiter, bytes);
  }

  private arrive(waiter: WaiterPlace, bytes: Uint8Array): void {
    const { waiters } = this.runners[0]!.blocking;
    const owner = this.runners[waiters.ownerOf(waiter)]!;
    const slot = waiters.slotOf(waiter);
    owner.blocking.leave(waiter);
    const client = this.clients.find(({ session }) => session.id === slot)!;
    if (client.session.wait?.place !== waiter) return;
    client.session.wait = null;
    client.told += Buffer.from(bytes).toString('latin1');
  }

  /** The client's time is over. False: somebody has it in hand. */
  timeOut(client: Client): boolean {
    const { wait } = client.session;
    if (wait?.withdraw?.() === false) return false;
    const { reply } = this;
    reply.at = 0;
    reply.protocol = client.session.protocol;
    wait?.timedOut(reply);
    client.session.wait = null;
    client.told += Buffer.from(reply.u8.slice(0, reply.at)).toString('latin1');
    return true;
  }

  close(client: Client): void {
    client.session.wait?.abandon?.();
    client.session.wait = null;
    this.runners[client.thread]!.transactions.closed(client.session);
  }

  /** Checks all queues and buckets. How many stands and watches there are. */
  check(): number {
    const { keyspace, blocking, transactions } = this.runners[0]!;
    let stands = 0;
    for (const partition of keyspace.partitions) {
      const count = blocking.waiters.check(partition) + transactions.watchers.check(partition);
      if (partition.slab.i32[Header.Listeners] !== count) {
        throw new Error('the listeners of a partition are those who stand in it');
      }
      stands += count;
    }
    return stands;
  }

  /** Bytes of records that are not freed. */
  get recordBytes(): number {
    return this.runners.reduce(
      (sum, { blocking, transactions }) =>
        sum + blocking.waiters.usedBytes + transactions.watchers.usedBytes,
      0,
    );
  }
}
