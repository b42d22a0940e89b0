// A large RDB file is loaded by several threads: main, and one more for each core. Each reads the
// whole file, and builds the keys of its share of the partitions (Lane in rdb/load.ts). Reading is
// an eighth of the work, so cheap to do again; to hand over what was read would cost as much.
//
// Main's lane is the first: it alone looks at the checksum, and keeps what the file says besides
// keys. Whoever fails says so, and all others give up at their next step.

import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { Keyspace } from '../keyspace/keyspace.js';
import { LaneSignals } from '../mesh/lanes.js';
import type { Lane, LoadOptions } from '../rdb/load.js';
import { thresholds } from '../types/thresholds.js';
import type { ProcessShape } from './shape.js';

/** A thread takes some 50 ms to start: as long as so many bytes of small keys. */
const BYTES_MIN = 8 * 1024 * 1024;
/** With four each reads an eighth of the work and builds a fifth: more would mostly read. */
const LANES_MAX = 4;
const YOUNG_GENERATION_MB = 16;

type LaneShape = Pick<
  ProcessShape,
  'slabs' | 'slabStarts' | 'databaseCount' | 'clock' | 'hashKey' | 'jobThread'
>;

export interface LaneStart {
  readonly path: string;
  readonly words: Int32Array;
  readonly shape: LaneShape;
  /** What new entries are like. */
  readonly keyspace: Pick<Keyspace, 'frequencyScale'> & {
    readonly stamping: Keyspace['policyStamping'];
    readonly thresholds: typeof thresholds;
  };
  readonly options: LaneOptions;
}

export type LaneOptions = Pick<LoadOptions, 'expired' | 'duplicates' | 'isLfu' | 'lane'>;

export interface LaneOutcome {
  readonly keysLoaded: number;
  readonly keysExpired: number;
  readonly keysEmpty: number;
  /** What is wrong with the file, and where. */
  readonly failure: { readonly offset: number; readonly line: string } | null;
}

export interface LanesPlan {
  readonly path: string;
  readonly shape: LaneShape;
  readonly keyspace: Keyspace;
  readonly options: Omit<LaneOptions, 'lane'>;
}

/** How many threads are to load a file of so many bytes into so many partitions. */
export function laneCountFor(bytes: number, partitions: number): number {
  if (bytes < BYTES_MIN) return 1;
  return Math.min(availableParallelism(), LANES_MAX, partitions);
}

export class LoadLanes {
  /** Main's. */
  readonly own: Lane;
  private readonly signals = new LaneSignals();
  private readonly others: readonly Promise<LaneOutcome>[];
  private hasDied = false;

  constructor(plan: LanesPlan, count: number) {
    this.own = { index: 0, count };
    this.others = Array.from({ length: count - 1 }, (_, before) =>
      this.start(plan, { index: before + 1, count }),
    );
    // Who waits for the outcomes hears of failures; until then nobody does.
    for (const other of this.others) other.catch(() => {});
  }

  private start(plan: LanesPlan, lane: Lane): Promise<LaneOutcome> {
    const { path, keyspace } = plan;
    const { slabs, slabStarts, databaseCount, clock, hashKey, jobThread } = plan.shape;
    const workerData: LaneStart = {
      path,
      words: this.signals.words,
      shape: { slabs, slabStarts, databaseCount, clock, hashKey, jobThread },
      keyspace: {
        frequencyScale: keyspace.frequencyScale,
        stamping: keyspace.policyStamping,
        thresholds,
      },
      options: { ...plan.options, lane },
    };
    const worker = new Worker(new URL('./load-lane.js', import.meta.url), {
      workerData,
      name: `load ${lane.index}`,
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB },
    });
    return new Promise((resolve, reject) => {
      let outcome: LaneOutcome | null = null;
      worker.once('message', (message: LaneOutcome) => {
        outcome = message;
      });
      worker.once('error', (error) => {
        this.hasDied = true;
        reject(error);
      });
      // Not before: its memory is to be gone when the server serves.
      worker.once('exit', (code) => {
        if (outcome !== null) resolve(outcome);
        this.hasDied ||= outcome === null;
        reject(new Error(`A thread that loads ended with code ${code}.`));
      });
    });
  }

  /** Are all through, or can no more come of it? Sleeps for up to `msMax` to see. */
  areThrough(msMax: number): boolean {
    return this.hasFailed || this.signals.haveEnded(this.others.length, msMax);
  }

  /** There is no need to go on: a lane has met what it cannot load, or died. */
  get hasFailed(): boolean {
    return this.hasDied || this.signals.hasFailed;
  }

  /** Main has failed, or the server is to end: no lane takes another step. */
  async stop(): Promise<void> {
    this.signals.stop();
    await Promise.allSettled(this.others);
  }

  /** What the others came to. Those that would go on are stopped if one has failed. */
  async outcomes(): Promise<readonly LaneOutcome[]> {
    if (this.hasFailed) await this.stop();
    return Promise.all(this.others);
  }
}
