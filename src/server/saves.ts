// Snapshots and new bases of the logs, in the main thread: what was asked for, what the save points
// ask for, one after the other, each in a job; and what they leave behind: the time of the last
// one, whether it failed, the gate that refuses writes then. The rules are Redis's.

import type { Clock } from '../base/clock.js';
import { SystemDisk } from '../base/disk.js';
import type { Config } from '../config/config.js';
import { Gate } from '../dispatch/gates.js';
import { REDIS_VERSION, SaveAnswer, type ShutdownRequest } from '../dispatch/server-door.js';
import type { JobPool } from '../jobs/pool.js';
import type { SnapshotOrder, SnapshotOutcome } from '../jobs/snapshot.js';
import { type ControlBlock, PauseMode } from '../mesh/control.js';
import { type MessageHandler, type MessageHandlers, MessageKind, type Post } from '../mesh/post.js';
import { Activity, Ending, Figure, Saving } from '../mesh/saving.js';
import type { Recency } from '../rdb/file-write.js';
import { Counter, type ServerStats } from '../stats/server.js';
import { unpackEnding } from './ending.js';
import type { LogFile } from './log-file.js';
import { type ProcessShape, statThreads } from './shape.js';

/** The append logs' side of a rewrite: see log/keeper.ts. */
export interface LogRewrites {
  readonly isOn: boolean;
  /** What they hold is whole: their first base is there. */
  readonly isWhole: boolean;
  /** The logs cannot begin, or go on, without a new base. */
  readonly needsBase: boolean;
  /** Writes are refused until there is a new base. */
  readonly hasEnded: boolean;
  /** False for a moment after appendonly was set to yes: not all threads have heard of it. */
  readonly mayRewrite: boolean;
  readonly sizes: { readonly currentBytes: number; readonly baseBytes: number };
  prepareRewrite(): { readonly baseFile: string; readonly directory: string };
  abandonRewrite(): void;
  finishRewrite(number: number, baseFileBytes: number): void;
  setQuiet(isQuiet: boolean): void;
}

export interface SavesPlan {
  readonly shape: ProcessShape;
  readonly control: ControlBlock;
  readonly config: Config;
  readonly log: LogFile;
  readonly clock: Clock;
  readonly post: Post;
  readonly stats: ServerStats;
  readonly pool: JobPool;
  readonly usedMemory: () => number;
  /** null where there are none. */
  readonly logs: LogRewrites | null;
  /** A job's thread has died. */
  readonly crash: (error: unknown) => void;
}

/** A session that waits for an answer of main's. */
interface Asker {
  readonly thread: number;
  readonly slot: number;
  readonly low: number;
  readonly high: number;
}

/** After a failure, the save points are left alone for so long; and a base that is waited for. */
const RETRY_SECONDS = 5;
/** What is written is synced in pieces of this size (rdb-save-incremental-fsync). */
const SYNC_BYTES = 4 * 1024 * 1024;
const POLL_MS = 2;
const ABANDON_MS = 2000;

export class Saves {
  readonly saving: Saving;
  private readonly plan: SavesPlan;
  /** What is being done now; null for nothing. */
  private running: Promise<void> | null = null;
  /** Sessions that wait for SAVE. */
  private waiting: Asker[] = [];
  /** Sessions that wait for SHUTDOWN. */
  private ending: Asker[] = [];
  /** Workers that main has asked for a turn, and that have not had it yet. */
  private turnsLeft = 0;
  private configVersion = -1;

  constructor(plan: SavesPlan) {
    this.plan = plan;
    this.saving = new Saving(plan.shape.saving);
    this.loaded();
  }

  /** Adds what main hears from workers about saving. */
  listen(handlers: MessageHandlers[number][], shutDown: (request: ShutdownRequest) => void): void {
    handlers[MessageKind.Save] = (from, u8, start) => {
      this.waiting.push(askerOf(from, u8, start));
      this.step();
    };
    const shutdownArrived: MessageHandler = (from, u8, start) => {
      this.ending.push(askerOf(from, u8, start));
      shutDown(unpackEnding(u8[start + ENDING_AT]!));
    };
    handlers[MessageKind.Shutdown] = shutdownArrived;
    handlers[MessageKind.Turn] = () => {
      this.turnsLeft--;
    };
  }

  /** What was loaded is no change since the last snapshot. */
  loaded(): void {
    this.saving.put(Figure.ChangesSaved, this.plan.stats.total(Counter.Changes));
  }

  private seconds(): number {
    return Math.floor(this.plan.clock.nowMs() / 1000);
  }

  private answer(askers: readonly Asker[], answer: SaveAnswer): void {
    const { post } = this.plan;
    for (const { thread, slot, low, high } of askers) {
      const place = new Int32Array([slot, low, high, answer]);
      const u8 = new Uint8Array(place.buffer);
      post.send(thread, MessageKind.Answer, u8, 0, u8.length);
    }
    post.flush();
  }

  // ---- what is next ---------------------------------------------------------------------------

  /** Ten times a second, and whenever main is woken: begins what is due. */
  step(): void {
    const { saving, plan } = this;
    this.adoptConfig();
    if (saving.takeFlush()) this.saveAfterFlush();
    if (this.running !== null || saving.ending !== Ending.Nothing) return;
    if ((plan.control.gates & Gate.Loading) !== 0) return;
    if (this.waiting.length > 0) this.start(() => this.saveForWaiting());
    else if ((saving.activity & Activity.Background) !== 0) this.start(() => this.saveBehind());
    else if ((saving.activity & Activity.Rewrite) !== 0) {
      if (plan.logs?.mayRewrite !== false) this.start(() => this.rewrite());
    } else if (this.claimNext()) this.step();
  }

  /** The configuration that other threads have published since. */
  private adoptConfig(): void {
    const { control, config } = this.plan;
    if (control.configVersion === this.configVersion) return;
    control.changeConfig(() => {
      this.configVersion = control.configVersion;
      config.adopt(control.readConfig());
    });
    this.adjustGate();
  }

  private start(job: () => Promise<void>): void {
    const { crash } = this.plan;
    const running = job().then(
      () => {
        this.running = null;
        this.step();
      },
      (error: unknown) => crash(error),
    );
    this.running = running;
  }

  /** Something scheduled, or what save points and the growth of the log ask for. */
  private claimNext(): boolean {
    const { saving } = this;
    for (const activity of [Activity.Rewrite, Activity.Background] as const) {
      if (saving.isScheduled(activity) && saving.claim(activity, ALL) === 0) {
        saving.takeSchedule(activity);
        return true;
      }
    }
    return this.claimForBase() || this.claimForSavePoint() || this.claimForGrowth();
  }

  private claimForBase(): boolean {
    const { saving, plan } = this;
    if (plan.logs === null || !plan.logs.needsBase || this.isRewriteLimited()) return false;
    return saving.claim(Activity.Rewrite, ALL) === 0;
  }

  private claimForSavePoint(): boolean {
    const { saving, plan } = this;
    const now = this.seconds();
    const changes = plan.stats.total(Counter.Changes) - saving.figure(Figure.ChangesSaved);
    const sinceSaved = now - saving.figure(Figure.LastSavedAt);
    const sinceTried = now - saving.figure(Figure.LastTriedAt);
    if (saving.hasFailed && sinceTried <= RETRY_SECONDS) return false;
    for (const [seconds, changesMin] of this.savePoints()) {
      if (changes < changesMin || sinceSaved <= seconds) continue;
      if (saving.claim(Activity.Background, ALL) !== 0) return false;
      plan.log.write('notice', `${changesMin} changes in ${seconds} seconds. Saving...`);
      return true;
    }
    return false;
  }

  private savePoints(): [seconds: number, changes: number][] {
    const words = this.plan.config.list('save').map(Number);
    const points: [number, number][] = [];
    for (let at = 0; at + 1 < words.length; at += 2) points.push([words[at]!, words[at + 1]!]);
    return points;
  }

  private claimForGrowth(): boolean {
    const { saving, plan } = this;
    const { config, logs } = plan;
    const percentage = config.number('auto-aof-rewrite-percentage');
    if (logs === null || !logs.isOn || percentage === 0 || this.isRewriteLimited()) return false;
    const { currentBytes, baseBytes } = logs.sizes;
    if (currentBytes <= config.number('auto-aof-rewrite-min-size')) return false;
    const growth = Math.floor((currentBytes * 100) / Math.max(1, baseBytes)) - 100;
    if (growth < percentage || saving.claim(Activity.Rewrite, ALL) !== 0) return false;
    plan.log.write('notice', `Starting automatic rewriting of AOF on ${growth}% growth`);
    return true;
  }

  private isRewriteLimited(): boolean {
    const failures = this.saving.figure(Figure.RewriteFailures);
    const seconds = rewriteRestSeconds(failures, this.plan.logs?.hasEnded === true);
    return this.seconds() < this.rewriteEndedAt + seconds;
  }

  private rewriteEndedAt = 0;

  /**
   * FLUSHALL: what a snapshot in the background would still bring to the disk is not wanted, and
   * where there are save points the empty keyspace is saved at once.
   */
  private saveAfterFlush(): void {
    const { saving } = this;
    if ((saving.activity & Activity.Background) !== 0 && this.running !== null) saving.discard();
    if (this.savePoints().length > 0) saving.schedule(Activity.Background);
  }

  // ---- snapshots ------------------------------------------------------------------------------

  private async saveBehind(): Promise<void> {
    const { saving, plan } = this;
    const startMs = plan.clock.nowMs();
    saving.put(Figure.BackgroundSince, startMs);
    saving.put(Figure.LastTriedAt, this.seconds());
    saving.add(Figure.Saves, 1);
    plan.log.write('notice', `Background saving started by pid ${process.pid}`);
    const outcome = await this.write(this.snapshotOrder());
    saving.put(Figure.BackgroundTook, Math.floor((plan.clock.nowMs() - startMs) / 1000));
    saving.put(Figure.BackgroundSince, 0);
    saving.put(Figure.BackgroundImageBytes, outcome.imageBytes);
    if (outcome.failure !== null) {
      plan.log.write('warning', 'Background saving error');
      saving.hasFailed = true;
    } else if (outcome.isDiscarded) {
      plan.log.write('warning', 'Background saving was ended before its file was whole');
    } else {
      plan.log.write('notice', 'Background saving terminated with success');
    }
    this.adjustGate();
    saving.ended(Activity.Background);
  }

  private async saveForWaiting(): Promise<void> {
    const askers = this.waiting;
    this.waiting = [];
    this.saving.add(Figure.Saves, askers.length);
    const outcome = await this.write(this.snapshotOrder());
    this.adjustGate();
    const isDone = outcome.failure === null && !outcome.isDiscarded;
    this.answer(askers, isDone ? SaveAnswer.Done : SaveAnswer.Failed);
  }

  /** Writes a file, and notes what came of it. */
  private async write(order: SnapshotOrder): Promise<SnapshotOutcome> {
    const { saving, plan } = this;
    const { shape, logs, config } = plan;
    if (config.flag('no-appendfsync-on-rewrite')) logs?.setQuiet(true);
    const outcome = await plan.pool.writeSnapshot({
      // Only what the job needs: the thread gets a copy of it.
      shape: {
        slabs: shape.slabs,
        slabStarts: shape.slabStarts,
        databaseCount: shape.databaseCount,
        clock: shape.clock,
        serverStats: shape.serverStats,
        statThreads: statThreads(shape),
        images: shape.images,
        saving: shape.saving,
        logs: shape.logs,
        functions: shape.scripts.functions,
        jobThread: shape.jobThread,
      },
      order,
    });
    logs?.setQuiet(false);
    saving.put(Figure.KeysTotal, 0);
    saving.put(Figure.KeysWritten, 0);
    if (outcome.failure !== null) {
      plan.log.write('warning', `Write error while saving DB to the disk: ${outcome.failure}`);
    } else if (!outcome.isDiscarded && !order.isBase) {
      plan.log.write('notice', 'DB saved on disk');
      saving.put(Figure.LastSavedAt, this.seconds());
      saving.put(Figure.ChangesSaved, outcome.changes);
      saving.hasFailed = false;
    }
    return outcome;
  }

  private snapshotOrder(): SnapshotOrder {
    return {
      directory: this.plan.config.text('dir'),
      temporaryName: `temp-${process.pid}.rdb`,
      name: this.plan.config.text('dbfilename'),
      isBase: false,
      ...this.content(false),
    };
  }

  private content(
    isBase: boolean,
  ): Pick<SnapshotOrder, 'form' | 'facts' | 'syncBytes' | 'keyDelayUs'> {
    const { config, clock, usedMemory } = this.plan;
    const policy = config.text('maxmemory-policy');
    let recency: Recency = 'none';
    if (policy.endsWith('lru') || policy.endsWith('lrm')) recency = 'lru';
    else if (policy.endsWith('lfu')) recency = 'lfu';
    const incremental = isBase ? 'aof-rewrite-incremental-fsync' : 'rdb-save-incremental-fsync';
    return {
      form: {
        compresses: config.flag('rdbcompression'),
        checksums: config.flag('rdbchecksum'),
        isExact: true,
        nowMs: -1,
        recency,
        recencyNow: this.seconds() & 0xffffff,
      },
      facts: [
        ['redis-ver', REDIS_VERSION],
        ['redis-bits', '64'],
        ['ctime', String(Math.floor(clock.nowMs() / 1000))],
        ['used-mem', String(usedMemory())],
        ['aof-base', isBase ? '1' : '0'],
      ],
      syncBytes: config.flag(incremental) ? SYNC_BYTES : 0,
      keyDelayUs: delayOf(config.number('rdb-key-save-delay')),
    };
  }

  /** stop-writes-on-bgsave-error. */
  private adjustGate(): void {
    const { control, config } = this.plan;
    const isClosed =
      this.saving.hasFailed &&
      config.flag('stop-writes-on-bgsave-error') &&
      this.savePoints().length > 0;
    if (isClosed) control.raiseGate(Gate.SavesFailed);
    else control.lowerGate(Gate.SavesFailed);
  }

  // ---- the logs -------------------------------------------------------------------------------

  private async rewrite(): Promise<void> {
    const { saving, plan } = this;
    const { logs, clock } = plan;
    const startMs = clock.nowMs();
    saving.put(Figure.RewriteSince, startMs);
    saving.add(Figure.Rewrites, 1);
    const failure = logs === null ? 'there are no logs' : await this.writeBase(logs);
    if (failure === null) {
      plan.log.write('notice', 'Background AOF rewrite terminated with success');
      saving.put(Figure.RewriteFailures, 0);
    } else {
      plan.log.write('warning', `Background AOF rewrite terminated with error: ${failure}`);
      saving.add(Figure.RewriteFailures, 1);
    }
    saving.rewriteHasFailed = failure !== null;
    saving.put(Figure.RewriteTook, Math.floor((clock.nowMs() - startMs) / 1000));
    saving.put(Figure.RewriteSince, 0);
    this.rewriteEndedAt = this.seconds();
    saving.ended(Activity.Rewrite);
  }

  /** Before anybody is served: the logs begin with what was loaded from elsewhere. */
  async beginLogs(logs: LogRewrites): Promise<void> {
    const failure = await this.writeBase(logs);
    if (failure !== null) throw new Error(`The logs cannot begin: ${failure}`);
  }

  /** Returns why it failed, or null. */
  private async writeBase(logs: LogRewrites): Promise<string | null> {
    const { log } = this.plan;
    try {
      const { baseFile, directory } = logs.prepareRewrite();
      log.write('notice', 'Background append only file rewriting started');
      const outcome = await this.write({
        directory,
        temporaryName: baseFile,
        name: baseFile,
        isBase: true,
        ...this.content(true),
      });
      this.saving.put(Figure.RewriteImageBytes, outcome.imageBytes);
      if (outcome.failure === null && !outcome.isDiscarded) {
        logs.finishRewrite(outcome.cutNumber, outcome.fileBytes);
        return null;
      }
      logs.abandonRewrite();
      return outcome.failure ?? 'it was ended before its file was whole';
    } catch (error) {
      logs.abandonRewrite();
      return (error as Error).message;
    }
  }

  // ---- the end of the server ------------------------------------------------------------------

  /**
   * Does what comes before the end: ends what is being written, and writes a last snapshot if one
   * is wanted, while writes wait. False: the server goes on, and whoever asked was told so.
   */
  async prepareEnd(request: ShutdownRequest): Promise<boolean> {
    const { saving, plan } = this;
    // One end is on its way already: its outcome is for all who asked.
    if (saving.ending !== Ending.Nothing) return false;
    if (this.isFirstBaseMissed(request)) return false;
    saving.ending = Ending.Begun;
    if (this.running !== null) {
      const isRewriting = (saving.activity & Activity.Rewrite) !== 0;
      plan.log.write(
        'warning',
        isRewriting
          ? 'There is a child rewriting the AOF. Killing it!'
          : 'There is a child saving an .rdb. Killing it!',
      );
      // Again and again, because a walk that begins takes it back. A walk whose cut waits for a
      // script without end is not waited for by whoever wants nothing saved.
      const limitMs = request.isSaving === false ? ABANDON_MS : Number.POSITIVE_INFINITY;
      const startMs = plan.clock.monotonicMs();
      while (this.running !== null && plan.clock.monotonicMs() - startMs < limitMs) {
        saving.discard();
        await pause();
      }
    }
    if (this.running !== null) this.removeTemporaryFile();
    const isLoading = (plan.control.gates & Gate.Loading) !== 0;
    const isSaving = !isLoading && (request.isSaving ?? this.savePoints().length > 0);
    const isDone = !isSaving || (await this.saveLast(request.isForced));
    if (isDone && saving.finishEnding()) return true;
    saving.ending = Ending.Nothing;
    const askers = this.ending;
    this.ending = [];
    this.answer(askers, SaveAnswer.NotEnded);
    if (!isDone) {
      plan.log.write(
        'warning',
        'Errors trying to shut down the server. Check the logs for more information.',
      );
    } else plan.log.write('notice', 'Shutdown manually aborted.');
    this.step();
    return false;
  }

  /** As on Redis, whoever has just switched the log on keeps the server until it holds the data. */
  private isFirstBaseMissed({ isForced }: ShutdownRequest): boolean {
    const { saving, plan } = this;
    const isRewriting = this.running !== null && (saving.activity & Activity.Rewrite) !== 0;
    if (!isRewriting || plan.logs === null || plan.logs.isWhole) return false;
    const outlook = isForced ? '. Exit anyway.' : ", can't exit.";
    plan.log.write('warning', `Writing initial AOF${outlook}`);
    if (isForced) return false;
    saving.ending = Ending.Nothing;
    const askers = this.ending;
    this.ending = [];
    this.answer(askers, SaveAnswer.NotEnded);
    return true;
  }

  /** Of a snapshot that is given up with its thread. */
  removeTemporaryFile(): void {
    const { directory, temporaryName } = this.snapshotOrder();
    try {
      new SystemDisk().remove(`${directory}/${temporaryName}`);
    } catch (error) {
      this.plan.log.write('warning', (error as Error).message);
    }
  }

  /** Writes wait from the cut on, so that no reply to one is lost. */
  private async saveLast(isForced: boolean): Promise<boolean> {
    const { saving, plan } = this;
    const { control, clock, log } = plan;
    log.write('notice', 'Saving the final RDB snapshot before exiting.');
    const before = control.pausedAt(clock.nowMs());
    const beforeUntilMs = control.pausedUntilMs;
    control.pause(Number.POSITIVE_INFINITY, PauseMode.Writes, clock.nowMs());
    await this.untilAllHaveTurned();
    const writing = this.write(this.snapshotOrder());
    let isWriting = true;
    const done = writing.finally(() => {
      isWriting = false;
    });
    while (isWriting) {
      if ((saving.ending as Ending) === Ending.Aborted) saving.discard();
      await pause();
    }
    const outcome = await done;
    const isSaved = outcome.failure === null && !outcome.isDiscarded;
    if (!isSaved && isForced) {
      log.write('warning', 'Error trying to save the DB. Exit anyway.');
    } else if (outcome.failure !== null) {
      log.write('warning', "Error trying to save the DB, can't exit.");
    }
    const goesOn = (!isSaved && !isForced) || (saving.ending as Ending) === Ending.Aborted;
    if (goesOn) {
      control.unpause();
      if (before !== PauseMode.Nothing) control.pause(beforeUntilMs, before, clock.nowMs());
      this.wakeWorkers();
    }
    return outcome.failure === null || isForced;
  }

  /** Until no thread is in the middle of commands that began before the pause. */
  private async untilAllHaveTurned(): Promise<void> {
    const { shape, post } = this.plan;
    this.turnsLeft = shape.executorCount;
    for (let thread = 0; thread < shape.executorCount; thread++) {
      post.sendInts(thread, MessageKind.Turn, 0, 0, 0, 0);
    }
    post.flush();
    while (this.turnsLeft > 0 && (this.saving.ending as Ending) === Ending.Begun) await pause();
  }

  private wakeWorkers(): void {
    const { shape, post } = this.plan;
    for (let thread = 0; thread < shape.executorCount; thread++) post.wake(thread);
  }
}

const ALL = Activity.Background | Activity.Rewrite;
const REWRITE_FAILURES_MAX = 3;
/** Where the fourth word of a message begins: how SHUTDOWN is meant, see ending.ts. */
const ENDING_AT = 12;

/**
 * How long rewrites are left alone after so many failures in a row: from the third on one minute,
 * then two, four … an hour at the most, as in Redis. While writes are refused for want of a base it
 * is some seconds, or they would be refused long after the disk is well again.
 */
export function rewriteRestSeconds(failures: number, isAwaited: boolean): number {
  if (failures < REWRITE_FAILURES_MAX) return 0;
  if (isAwaited) return RETRY_SECONDS;
  return Math.min(60, 2 ** (failures - REWRITE_FAILURES_MAX)) * 60;
}

/** rdb-key-save-delay, in microseconds for each key; below 0 so many keys share one. */
function delayOf(delay: number): number {
  return delay < 0 ? -1 / delay : delay;
}

function askerOf(thread: number, u8: Uint8Array, start: number): Asker {
  const [slot = 0, low = 0, high = 0] = new Int32Array(u8.buffer, u8.byteOffset + start, 3);
  return { thread, slot, low, high };
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, POLL_MS));
}
