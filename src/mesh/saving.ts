// What all threads share about snapshots: which are wanted, which runs and how far it is, how the
// last one ended, and how writers make images of buckets for the one that runs.
//
// Who writes what: the activity and the wishes any thread that runs a command, by compare-and-swap
// or a store, and main, which fulfils them; the form and the discard word the job, before its cut
// and with all locks held, so that whoever holds a lock sees them as plain words; figures of the
// running walk the job; waits each writer by itself, in its own block; all that outlasts a walk
// main. Readers of figures (INFO) may see them a moment old.
//
//   words │ Word … │ doubles │ Figure … │ waits per thread, two doubles each │

import { assert } from '../base/assert.js';

const enum Word {
  Activity = 0,
  SaveScheduled = 1,
  RewriteScheduled = 2,
  /** How images are made: bits of the floors above. */
  Form = 3,
  /** What is walked comes to nothing: images need not be made any more. */
  Discards = 4,
  HasFailed = 5,
  RewriteHasFailed = 6,
  /** Databases were emptied: see wishAfterFlush. */
  Flushed = 7,
  Ending = 8,
  /** The append log holds the data: its first base is there, or it was read at the start. */
  HasWholeLog = 9,
  Words = 16,
}

/** What goes on, or is about to: bits. */
export const enum Activity {
  /** A snapshot in the background: BGSAVE, save points. */
  Background = 1,
  /** A new base for the append log. */
  Rewrite = 2,
}

/** Figures, as doubles. */
export const enum Figure {
  KeysTotal = 0,
  KeysWritten = 1,
  /** Bytes of images that writers made for the walk that runs, or for the last one. */
  ImageBytes = 2,
  /** Seconds since 1970, as LASTSAVE tells them. */
  LastSavedAt = 3,
  LastTriedAt = 4,
  /** The count of changes at the cut of the last snapshot that succeeded. */
  ChangesSaved = 5,
  /** Milliseconds since 1970; 0 while none runs. */
  BackgroundSince = 6,
  RewriteSince = 7,
  /** Seconds that the last one took; -1 before there was one. */
  BackgroundTook = 8,
  RewriteTook = 9,
  Saves = 10,
  Rewrites = 11,
  RewriteFailures = 12,
  BackgroundImageBytes = 13,
  RewriteImageBytes = 14,
  Count = 16,
}

const FIGURES_AT = Word.Words * 4;
const WAITS_AT = FIGURES_AT + Figure.Count * 8;
const WAIT_DOUBLES = 2;

/** How SHUTDOWN stands. */
export const enum Ending {
  Nothing = 0,
  /** Writes wait, and a last snapshot may be on its way. */
  Begun = 1,
  /** SHUTDOWN ABORT. */
  Aborted = 2,
  /** Nothing stops it any more. */
  Final = 3,
}

/** `startedAt`, in seconds since 1970, counts as the moment of the last snapshot. */
export function createSaving(threadCount: number, startedAt: number): SharedArrayBuffer {
  const buffer = new SharedArrayBuffer(WAITS_AT + threadCount * WAIT_DOUBLES * 8);
  const saving = new Saving(buffer);
  saving.put(Figure.LastSavedAt, startedAt);
  saving.put(Figure.BackgroundTook, -1);
  saving.put(Figure.RewriteTook, -1);
  return buffer;
}

export class Saving {
  private readonly words: Int32Array;
  private readonly figures: Float64Array;
  private readonly waits: Float64Array;

  constructor(buffer: SharedArrayBuffer) {
    this.words = new Int32Array(buffer, 0, Word.Words);
    this.figures = new Float64Array(buffer, FIGURES_AT, Figure.Count);
    this.waits = new Float64Array(buffer, WAITS_AT);
  }

  // All loads and stores of words are sequentially consistent, unless said otherwise: each word is
  // a message by itself, and whoever sees it must see what its writer did before.

  // ---- what is wanted -------------------------------------------------------------------------

  get activity(): number {
    return Atomics.load(this.words, Word.Activity);
  }

  /** Starts `activity` unless one of `excluded` is on: 0 if it did, else what was on. */
  claim(activity: Activity, excluded: number): number {
    for (;;) {
      const before = Atomics.load(this.words, Word.Activity);
      if ((before & excluded) !== 0) return before;
      const after = before | activity;
      if (Atomics.compareExchange(this.words, Word.Activity, before, after) === before) return 0;
    }
  }

  /** Main has ended what was claimed. */
  ended(activity: Activity): void {
    Atomics.and(this.words, Word.Activity, ~activity);
  }

  schedule(activity: Activity): void {
    Atomics.store(this.words, scheduleOf(activity), 1);
  }

  isScheduled(activity: Activity): boolean {
    return Atomics.load(this.words, scheduleOf(activity)) === 1;
  }

  /** Was it scheduled? It is not any more. */
  takeSchedule(activity: Activity): boolean {
    return Atomics.exchange(this.words, scheduleOf(activity), 0) === 1;
  }

  /**
   * All keys were removed on purpose: no snapshot of before may come to the disk, and where there
   * are save points one of now should, so that the keys do not come back at the next start.
   */
  wishAfterFlush(): void {
    Atomics.store(this.words, Word.Flushed, 1);
  }

  takeFlush(): boolean {
    return Atomics.exchange(this.words, Word.Flushed, 0) === 1;
  }

  // ---- the walk that runs ---------------------------------------------------------------------

  /** Under all locks, before the cut. */
  beginWalk(form: number): void {
    this.words[Word.Form] = form;
    Atomics.store(this.words, Word.Discards, 0);
  }

  /** Under a partition's lock, while a walk is on. Plain: the cut was under that lock, too. */
  get form(): number {
    return this.words[Word.Form]!;
  }

  discard(): void {
    Atomics.store(this.words, Word.Discards, 1);
  }

  get isDiscarding(): boolean {
    return Atomics.load(this.words, Word.Discards) === 1;
  }

  /** A writer of `thread` had to wait for room for its image. */
  waited(thread: number, ms: number): void {
    const at = thread * WAIT_DOUBLES;
    const { waits } = this;
    assert(at + 1 < waits.length, 'a thread that writes has a place for its waits');
    waits[at] = waits[at]! + 1;
    waits[at + 1] = waits[at + 1]! + ms;
  }

  /** Waits of all writers since the start, and how long they took together. */
  get waitCount(): number {
    return this.sumWaits(0);
  }

  get waitedMs(): number {
    return this.sumWaits(1);
  }

  private sumWaits(part: number): number {
    let sum = 0;
    for (let at = part; at < this.waits.length; at += WAIT_DOUBLES) sum += this.waits[at]!;
    return sum;
  }

  // ---- what is known --------------------------------------------------------------------------

  figure(figure: Figure): number {
    return this.figures[figure]!;
  }

  put(figure: Figure, value: number): void {
    this.figures[figure] = value;
  }

  add(figure: Figure, amount: number): void {
    this.figures[figure] = this.figures[figure]! + amount;
  }

  /** CONFIG RESETSTAT. */
  resetCounts(): void {
    for (const figure of [Figure.Saves, Figure.Rewrites, Figure.RewriteFailures]) {
      this.put(figure, 0);
    }
  }

  get hasFailed(): boolean {
    return Atomics.load(this.words, Word.HasFailed) === 1;
  }

  set hasFailed(hasFailed: boolean) {
    Atomics.store(this.words, Word.HasFailed, hasFailed ? 1 : 0);
  }

  get rewriteHasFailed(): boolean {
    return Atomics.load(this.words, Word.RewriteHasFailed) === 1;
  }

  set rewriteHasFailed(hasFailed: boolean) {
    Atomics.store(this.words, Word.RewriteHasFailed, hasFailed ? 1 : 0);
  }

  /** False for as long as appendonly yes promises nothing yet. Main says so. */
  get hasWholeLog(): boolean {
    return Atomics.load(this.words, Word.HasWholeLog) === 1;
  }

  set hasWholeLog(isWhole: boolean) {
    Atomics.store(this.words, Word.HasWholeLog, isWhole ? 1 : 0);
  }

  // ---- the end of the server ------------------------------------------------------------------

  get ending(): Ending {
    return Atomics.load(this.words, Word.Ending) as Ending;
  }

  set ending(ending: Ending) {
    Atomics.store(this.words, Word.Ending, ending);
  }

  /** All that comes before the end is done: false if it was aborted meanwhile. */
  finishEnding(): boolean {
    const before = Atomics.compareExchange(this.words, Word.Ending, Ending.Begun, Ending.Final);
    return before === Ending.Begun;
  }

  /** SHUTDOWN ABORT: false when nothing had begun, or it cannot be stopped any more. */
  abortEnding(): boolean {
    const before = Atomics.compareExchange(this.words, Word.Ending, Ending.Begun, Ending.Aborted);
    return before === Ending.Begun;
  }
}

function scheduleOf(activity: Activity): number {
  return activity === Activity.Background ? Word.SaveScheduled : Word.RewriteScheduled;
}
