// The append logs in the main thread: their keeper, the thread that syncs, and what CONFIG SET asks
// for at run time. Bases are written by jobs (saves.ts), which this one tells that it needs one.

import { Worker } from 'node:worker_threads';
import { SystemDisk } from '../base/disk.js';
import { randomHex } from '../base/prng.js';
import type { Config } from '../config/config.js';
import { LogKeeper, type Recovered } from '../log/keeper.js';
import { ringSyncBell } from '../log/sync.js';
import { Saving } from '../mesh/saving.js';
import type { LogFile } from './log-file.js';
import type { LogSyncStart } from './log-sync.js';
import type { LogRewrites } from './saves.js';
import type { ProcessShape } from './shape.js';

const HISTORY_BYTES = 20;
/** Each start adds a generation, and files: so many starts without a rewrite ask for one. */
const GENERATIONS_MAX = 32;

export interface LogKeepingPlan {
  readonly shape: ProcessShape;
  readonly config: Config;
  readonly log: LogFile;
  /** The thread that syncs has died. */
  readonly crash: (error: unknown) => void;
}

export class LogKeeping implements LogRewrites {
  private readonly plan: LogKeepingPlan;
  private readonly keeper: LogKeeper;
  private readonly saving: Saving;
  private syncThread: Worker | null = null;
  /** What was there is loaded: from here on logs may begin. */
  private isLoaded = false;
  /** Clients may write. */
  private isServing = false;
  private isEnding = false;

  constructor(plan: LogKeepingPlan) {
    this.plan = plan;
    const { shape, config, log } = plan;
    this.saving = new Saving(shape.saving);
    this.keeper = new LogKeeper({
      shape: shape.logs,
      disk: new SystemDisk(),
      // CONFIG SET dir moves snapshots; the logs stay where they were begun.
      directory: `${process.cwd()}/${config.text('appenddirname')}`,
      partitionCount: shape.slabs.length,
      drawHistory: () => randomHex(HISTORY_BYTES),
      pastBytesMax: () => config.number('feed-history-bytes'),
      log: (level, line) => log.write(level, line),
    });
  }

  /** The data is there, and nobody has changed it yet. `recovered` says where the logs go on. */
  begin(recovered: Recovered | null): void {
    if (recovered !== null) {
      this.keeper.begin(recovered);
      this.saving.hasWholeLog = true;
      this.startSyncThread();
    }
    this.isLoaded = true;
  }

  /**
   * Before clients may write. Whoever has heard of another appendonly while data was loaded does
   * not record: then the log ends here, and begins with a new base if it is wanted again.
   */
  serve(): void {
    this.isServing = true;
    if (this.keeper.isHeld && !this.isArmed) this.switchOff();
  }

  // ---- for saves.ts ---------------------------------------------------------------------------

  get isOn(): boolean {
    return this.keeper.isOn;
  }

  get isWhole(): boolean {
    return this.keeper.isOn && !this.keeper.isWithoutBase;
  }

  get needsBase(): boolean {
    const { keeper } = this;
    if (!this.isLoaded || this.isEnding || !this.isWanted) return false;
    const { isOn, isWithoutBase, hasEnded, generationCount } = keeper;
    if (isOn) return isWithoutBase || hasEnded || generationCount > GENERATIONS_MAX;
    return this.isArmed;
  }

  get hasEnded(): boolean {
    return this.keeper.hasEnded;
  }

  /** Not while some threads record and others do not. */
  get mayRewrite(): boolean {
    return this.keeper.isOn || !this.isWanted || this.isArmed;
  }

  private get isWanted(): boolean {
    return this.plan.config.flag('appendonly');
  }

  /** Has every executing thread heard of appendonly yes? */
  private get isArmed(): boolean {
    const { executorCount } = this.plan.shape;
    return this.keeper.isArmed(Array.from({ length: executorCount }, (_, thread) => thread));
  }

  get sizes(): LogKeeper['sizes'] {
    return this.keeper.sizes;
  }

  prepareRewrite(): ReturnType<LogKeeper['prepareRewrite']> {
    const { keeper } = this;
    keeper.hold();
    // Asked again now that nobody ceases any more.
    if (this.isServing && !keeper.isOn && !(this.isWanted && this.isArmed)) {
      throw new Error('The append log is switched off.');
    }
    this.startSyncThread();
    return keeper.prepareRewrite();
  }

  abandonRewrite(): void {
    this.keeper.abandonRewrite();
  }

  finishRewrite(number: number, baseFileBytes: number): void {
    this.keeper.finishRewrite(number, baseFileBytes);
    this.saving.hasWholeLog = true;
  }

  setQuiet(isQuiet: boolean): void {
    this.keeper.setQuiet(isQuiet);
  }

  // ---- while it runs --------------------------------------------------------------------------

  /** Ten times a second or so; the configuration is that of now. */
  step(): void {
    const { keeper } = this;
    keeper.tick();
    // Not under a rewrite, whose cut may come at any moment: it is ended first, by its own.
    if (keeper.isHeld && !this.isWanted && !keeper.isRewriting) this.switchOff();
  }

  private switchOff(): void {
    // First: whoever switches it on again meanwhile is to see that another base is needed.
    this.saving.hasWholeLog = false;
    if (!this.keeper.stop()) this.plan.log.write('warning', 'The log may miss its last records.');
    this.plan.log.write('notice', 'The append log is switched off; its files stay.');
  }

  // ---- ending ---------------------------------------------------------------------------------

  /** All threads that append have ended. */
  async end(): Promise<void> {
    this.isEnding = true;
    await this.stopSyncThread();
    if (!this.keeper.stop()) {
      this.plan.log.write('warning', 'The log could not be written to its end.');
    }
  }

  /** Before the logs begin; without them there is nothing to sync, and a thread costs megabytes. */
  private startSyncThread(): void {
    if (this.syncThread !== null) return;
    const workerData: LogSyncStart = {
      logs: this.plan.shape.logs,
      stop: this.stopWord.buffer as SharedArrayBuffer,
    };
    const thread = new Worker(new URL('./log-sync.js', import.meta.url), {
      workerData,
      name: 'log sync',
    });
    thread.once('error', (error) => this.plan.crash(error));
    thread.once('exit', (code) => {
      if (!this.isEnding) this.plan.crash(new Error(`The sync thread ended with code ${code}.`));
    });
    this.syncThread = thread;
  }

  private async stopSyncThread(): Promise<void> {
    const thread = this.syncThread;
    if (thread === null) return;
    const exit = new Promise((resolve) => thread.once('exit', resolve));
    this.stopWord[0] = 1;
    ringSyncBell(this.keeper.logs);
    await exit;
    this.syncThread = null;
  }

  /** Plain: the bell that is rung behind it orders it. */
  private readonly stopWord = new Int32Array(new SharedArrayBuffer(4));
}
