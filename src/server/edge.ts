// A thread beside the workers that executes commands in place: TLS, the gateway. It is an executing
// thread like any other (its number follows the workers', it has a log, statistics, rings to all),
// owns no partitions, and lives on Node's loop. Where neither is configured, none is started.
//
//   bytes from a peer ─▶ Edge ─▶ loop.received ─▶ serving ─▶ the road of every command
//   bytes for a peer  ◀─ Wire.send ◀─ once at the end of the loop's turn
//
// A kind of edge is a file edge-<kind>.ts, which main starts as a thread, and which does
//
//   await runEdge((thread) => new ItsEdge(thread));
//
// To let a peer in, an edge asks `thread.admit(address)` (maxclients, protected mode), then calls
// `thread.open(wire, peer)` for a connection with a session of its own, and brings what the peer
// says to `thread.loop`: received, drained, ended, gone. `wire` (net/connection.ts) carries replies
// and messages away. Whatever else clients live by (limits, CLIENT KILL, pauses, messages, waits)
// comes of itself.

import { parentPort, workerData } from 'node:worker_threads';
import { Serving } from '../net/serving.js';
import { watchOver } from './crash-report.js';
import { LogFile } from './log-file.js';
import { LoopThread, reportFailure } from './loop-thread.js';
import type { ProcessShape } from './shape.js';
import type { Listening } from './worker.js';

export interface EdgeStart {
  readonly shape: ProcessShape;
  readonly thread: number;
  /** Descriptors to listen on, opened by the first edge of the kind; null for that one. */
  readonly listeningFds: readonly number[] | null;
}

export interface Edge {
  /**
   * Begins to take connections. Returns the descriptors it listens on, for other threads of its
   * kind to share. What it throws is why the server does not start.
   */
  start(listeningFds: readonly number[] | null): Promise<readonly number[]>;
  /** All connections are closed: gives back what it listened with. */
  end(): Promise<void>;
}

export type EdgeThread = LoopThread;

/** The life of the thread that this is called on; `ServingKind` is what runs its commands. */
export async function runEdge(
  create: (thread: EdgeThread) => Edge,
  ServingKind = Serving,
): Promise<void> {
  const { shape, thread: number, listeningFds } = workerData as EdgeStart;
  const thread = new LoopThread(shape, number, new LogFile(), ServingKind);
  watchOver(thread.executor);
  parentPort?.on('message', () => {
    // Nothing is sent this way; the listener keeps Node's loop aware of the port.
  });
  try {
    const edge = create(thread);
    parentPort?.postMessage(await startOf(edge, listeningFds));
    await thread.run();
    await edge.end();
  } catch (error) {
    reportFailure(thread.executor, error);
    throw error;
  }
  parentPort?.close();
}

async function startOf(edge: Edge, fds: readonly number[] | null): Promise<Listening> {
  try {
    return { fds: await edge.start(fds) };
  } catch (error) {
    return { failure: (error as Error).message };
  }
}
