// Everything the threads of a process share, as one plain object that is sent to each at its start.

import { createAccessLog } from '../acl/access-log.js';
import { createUsers, type UsersShape } from '../acl/user-store.js';
import { CLOCK_DOUBLES } from '../base/clock.js';
import { drawHashKey } from '../base/hash.js';
import { randomHex } from '../base/prng.js';
import type { ServerFacts } from '../dispatch/server-door.js';
import { Lookup } from '../keyspace/keyspace.js';
import { createWaiters, type WaitersShape } from '../keyspace/waiters.js';
import { createWatchers, type WatchersShape } from '../keyspace/watchers.js';
import { createLogs, type LogsShape } from '../log/logs.js';
import { type BoardShape, createBoard } from '../mesh/board.js';
import { createControl } from '../mesh/control.js';
import type { SleepKind } from '../mesh/doorbell.js';
import { createMesh, type MeshShape } from '../mesh/post.js';
import { createSaving } from '../mesh/saving.js';
import { createListening } from '../net/listening.js';
import type { PubSubShape } from '../pubsub/hub.js';
import { createNotices } from '../pubsub/notices.js';
import { createRegistry } from '../pubsub/registry.js';
import { createTracking, type TrackingShape } from '../pubsub/tracking.js';
import { createImageRings, type ImageRings } from '../rdb/image-rings.js';
import { createScripts, type ScriptsShape } from '../scripting/registry.js';
import { formatSlab, PAGE_BYTES } from '../slab/alloc.js';
import { DATABASE_WORDS, Slab } from '../slab/slab.js';
import { ClientDirectory } from '../stats/clients.js';
import { COMMANDS_MAX, CommandStats } from '../stats/commands.js';
import { Hotkeys } from '../stats/hotkeys.js';
import { LatencyMonitor } from '../stats/latency.js';
import { ServerStats } from '../stats/server.js';
import { Slowlog } from '../stats/slowlog.js';
import { affordableBytes } from './address-space.js';

export interface ProcessShape {
  readonly facts: ServerFacts;
  readonly slabs: readonly SharedArrayBuffer[];
  /** Where in its buffer each slab begins. */
  readonly slabStarts: readonly number[];
  readonly databaseCount: number;
  readonly hashKey: readonly [number, number];
  readonly clock: SharedArrayBuffer;
  /** Lookup words of each executing thread. */
  readonly lookups: SharedArrayBuffer;
  readonly commandStats: SharedArrayBuffer;
  readonly serverStats: SharedArrayBuffer;
  readonly slowlog: SharedArrayBuffer;
  readonly latency: SharedArrayBuffer;
  readonly hotkeys: SharedArrayBuffer;
  readonly clients: SharedArrayBuffer;
  readonly control: SharedArrayBuffer;
  /** Where the native transport listens (net/listening.ts). */
  readonly listening: SharedArrayBuffer;
  /** The append logs: one per executing thread, and main's behind them. */
  readonly logs: LogsShape;
  readonly mesh: MeshShape;
  readonly board: BoardShape;
  readonly waiters: WaitersShape;
  readonly watchers: WatchersShape;
  readonly scripts: ScriptsShape;
  readonly users: UsersShape;
  readonly accessLog: SharedArrayBuffer;
  readonly pubsub: PubSubShape;
  /** What goes on with snapshots, and the images that writers make for the one that walks. */
  readonly saving: SharedArrayBuffer;
  readonly images: ImageRings;
  readonly tracking: TrackingShape;
  /** What encrypts the tickets with which TLS clients come back: any thread knows them. */
  readonly ticketKeys: Uint8Array;
  /** The most that maxclients may be set to. */
  readonly clientsMax: number;
  /** Slots of each thread in the client directory. */
  readonly clientsPerThread: number;
  /**
   * Threads that execute commands, and their numbers everywhere: workers are 0 to threadCount − 1,
   * behind them come the edges (edge.ts).
   */
  readonly executorCount: number;
  /** How many of them live on Node's loop. */
  readonly loopCount: number;
  readonly acceptorThread: number;
  readonly mainThread: number;
  /** The job that runs, as a holder of locks; there is one at a time. It has no ring. */
  readonly jobThread: number;
}

/** As node:tls wants them. */
const TICKET_KEY_BYTES = 48;

/** Threads of the mesh that execute no commands: the acceptor and main. */
const OTHER_THREADS = 2;

/** Blocks of statistics: one for each executing thread, and the acceptor's behind them. */
export function statThreads(shape: { readonly executorCount: number }): number {
  return shape.executorCount + 1;
}

export interface ShapePlan {
  readonly facts: ServerFacts;
  readonly slabs: readonly SharedArrayBuffer[];
  readonly slabStarts: readonly number[];
  readonly databaseCount: number;
  readonly clientsMax: number;
}

export function createShape(plan: ShapePlan): ProcessShape {
  const { facts } = plan;
  const { threadCount, edges } = facts;
  const executorCount = threadCount + edges.length;
  const ownSleep: SleepKind = facts.transport === 'native' ? 'epoll' : 'loop';
  const sleeps: SleepKind[] = Array.from({ length: threadCount }, () => ownSleep);
  for (const _edge of edges) sleeps.push('loop');
  // The acceptor, main.
  sleeps.push(ownSleep, 'loop');
  // The acceptor spreads connections evenly, but closings need not be: any worker may hold most.
  const clientsPerThread = plan.clientsMax + 32;
  for (const slab of attachSlabs(plan.slabs, plan.slabStarts)) {
    requireRoom(slab, plan.databaseCount);
    formatSlab(slab, plan.databaseCount);
  }
  return {
    facts,
    slabs: plan.slabs,
    slabStarts: plan.slabStarts,
    databaseCount: plan.databaseCount,
    hashKey: drawHashKey(),
    clock: new SharedArrayBuffer(CLOCK_DOUBLES * 8),
    lookups: new SharedArrayBuffer(executorCount * Lookup.Words * 8),
    commandStats: new SharedArrayBuffer(CommandStats.bytesFor(COMMANDS_MAX, executorCount)),
    serverStats: new SharedArrayBuffer(ServerStats.bytesFor(executorCount + 1)),
    slowlog: new SharedArrayBuffer(Slowlog.bytesFor(SLOWLOG_ENTRIES_MAX)),
    latency: new SharedArrayBuffer(LatencyMonitor.bytes),
    hotkeys: new SharedArrayBuffer(Hotkeys.bytesFor(executorCount)),
    clients: new SharedArrayBuffer(ClientDirectory.bytesFor(executorCount, clientsPerThread)),
    control: createControl(),
    listening: createListening(),
    logs: createLogs(executorCount + 1),
    mesh: createMesh({ sleeps }),
    board: createBoard({ threadCount: executorCount }),
    waiters: createWaiters(executorCount, plan.slabs.length),
    watchers: createWatchers(executorCount, plan.slabs.length, executorCount * clientsPerThread),
    scripts: createScripts(),
    users: createUsers(),
    accessLog: createAccessLog(),
    pubsub: {
      registry: createRegistry(executorCount),
      notices: createNotices(plan.slabs.length),
    },
    saving: createSaving(executorCount + OTHER_THREADS, Math.floor(facts.startedMs / 1000)),
    images: createImageRings(executorCount + OTHER_THREADS),
    tracking: createTracking(executorCount, plan.slabs.length),
    ticketKeys: Uint8Array.from(Buffer.from(randomHex(TICKET_KEY_BYTES), 'hex')),
    clientsMax: plan.clientsMax,
    clientsPerThread,
    executorCount,
    loopCount: facts.transport === 'native' ? edges.length : executorCount,
    acceptorThread: executorCount,
    mainThread: executorCount + 1,
    jobThread: executorCount + OTHER_THREADS,
  };
}

/** The roots of all databases stand in the header of each partition: half of it is for keys. */
function requireRoom(slab: Slab, databaseCount: number): void {
  const most = Math.floor(slab.bytes / 2 / (DATABASE_WORDS * 4));
  if (databaseCount <= most) return;
  throw new Error(
    `A partition of ${slab.bytes} bytes has room for ${most} databases, and not for ` +
      `${databaseCount}: give fewer --databases.`,
  );
}

/** This thread's views of all slabs. */
export function attachSlabs(
  buffers: readonly SharedArrayBuffer[],
  starts: readonly number[],
): Slab[] {
  return buffers.map((buffer, index) => new Slab(index, buffer, starts[index]!));
}

/** The slow log never holds more, whatever slowlog-max-len says: 1024 entries of 5 KB. */
const SLOWLOG_ENTRIES_MAX = 1024;

/** Below this much a partition is of no use to anybody. */
const PARTITION_BYTES_MIN = 2 ** 20;

/**
 * Reserves `count` slabs of `bytes` each, or of less where the machine does not give so much
 * address space beside what `threadCount` threads will take. Throws when not even a megabyte each
 * is had.
 */
export function reserveSlabs(
  count: number,
  bytes: number,
  threadCount: number,
  warn: (line: string) => void,
): SharedArrayBuffer[] {
  const affordable = Math.min(bytes, affordableBytes(threadCount) / count - PAGE_BYTES);
  for (
    let size = wholePages(affordable);
    size >= PARTITION_BYTES_MIN;
    size = wholePages(size / 2)
  ) {
    const slabs = tryReserve(count, size);
    if (slabs === null) continue;
    if (size < wholePages(bytes)) {
      warn(
        `The system does not reserve ${count} partitions of ${bytes} bytes; each has ${size} ` +
          'bytes instead. Raise "ulimit -v" or set vm.overcommit_memory to 0 or 1, or give ' +
          '--partition-size and --partitions to choose yourself.',
      );
    }
    return slabs;
  }
  throw new Error(
    `The system does not reserve ${count} partitions of even ${PARTITION_BYTES_MIN} bytes each. ` +
      'Raise "ulimit -v", set vm.overcommit_memory to 0 or 1, or give fewer --threads.',
  );
}

function wholePages(bytes: number): number {
  return Math.floor(bytes / PAGE_BYTES) * PAGE_BYTES;
}

function tryReserve(count: number, bytes: number): SharedArrayBuffer[] | null {
  const slabs: SharedArrayBuffer[] = [];
  try {
    // A page more than asked for, so that the slab can begin at a page boundary.
    for (let index = 0; index < count; index++) {
      slabs.push(new SharedArrayBuffer(bytes + PAGE_BYTES));
    }
    return slabs;
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}
