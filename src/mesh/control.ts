// A block of shared words that all threads of the process look at: the stop flag, gates raised for
// everybody, pauses, the shared configuration's version and text, counts of connections.
//
// Who writes what: `Stop` and `Ready` main; `PauseUntil`, gates and configuration whichever thread
// runs the command that changes them, the configuration under its own lock word; counts (`Serving`
// and `Stopped` too) by Atomics from anywhere. Everything is read once per turn, so a change is
// seen by every command that arrives after the reply to the command that made it: the reply leaves
// after the store.
//
//   words │ Control … │ connections per thread │ scripts per thread │ doubles: pause ends │
//         │ configuration text │

import { assert } from '../base/assert.js';

const enum Control {
  Stop = 0,
  ConfigLock = 1,
  ConfigVersion = 2,
  ConfigBytes = 3,
  Gates = 4,
  PauseMode = 5,
  ActiveExpire = 6,
  Serving = 7,
  Stopped = 8,
  ScriptsFree = 9,
  TlsVersion = 10,
  Crashed = 11,
  Purges = 12,
  Connections = 16,
}

const THREADS_MAX = 4096;
const SCRIPTS_AT = Control.Connections + THREADS_MAX;
const DOUBLES_AT = (SCRIPTS_AT + THREADS_MAX) * 4;
const PAUSE_UNTIL = 0;
const CONFIG_TEXT_AT = DOUBLES_AT + 64;
/** Far more than all parameters with the longest values take. */
const CONFIG_TEXT_BYTES = 4 * 1024 * 1024;

/** A script that keeps the server busy, in the word of its thread: 0 while there is none. */
const enum Script {
  IsBusy = 1,
  /** It is a function, of FCALL. */
  IsFunction = 2,
  /** It has written: nobody may end it. */
  HasWritten = 4,
  IsKilled = 8,
}

/** In the word of the gates: how many threads have a busy script, from this bit on. */
const BUSY_ONE = 1 << 20;

/** What became of the wish to end busy scripts. */
export const enum KillOutcome {
  Killed = 0,
  NothingRuns = 1,
  HasWritten = 2,
  OtherKind = 3,
}

/** What CLIENT PAUSE stops. */
export const enum PauseMode {
  Nothing = 0,
  Writes = 1,
  All = 2,
}

export function createControl(): SharedArrayBuffer {
  return new SharedArrayBuffer(CONFIG_TEXT_AT + CONFIG_TEXT_BYTES);
}

export class ControlBlock {
  private readonly words: Int32Array;
  private readonly doubles: Float64Array;
  private readonly bytes: Uint8Array;

  constructor(buffer: SharedArrayBuffer) {
    this.words = new Int32Array(buffer, 0, SCRIPTS_AT + THREADS_MAX);
    this.doubles = new Float64Array(buffer, DOUBLES_AT, 8);
    this.bytes = new Uint8Array(buffer, CONFIG_TEXT_AT, CONFIG_TEXT_BYTES);
  }

  // All loads and stores below are sequentially consistent Atomics because each word is a message
  // by itself: whoever sees it must see what its writer did before.

  get isStopping(): boolean {
    return Atomics.load(this.words, Control.Stop) !== 0;
  }

  stop(): void {
    Atomics.store(this.words, Control.Stop, 1);
  }

  /** Threads that have attached and serve. */
  get servingCount(): number {
    return Atomics.load(this.words, Control.Serving);
  }

  isServing(): void {
    Atomics.add(this.words, Control.Serving, 1);
  }

  /** Workers that serve no more, but still hold their listening sockets. */
  get stoppedCount(): number {
    return Atomics.load(this.words, Control.Stopped);
  }

  hasStopped(): void {
    Atomics.add(this.words, Control.Stopped, 1);
  }

  get activeExpire(): boolean {
    return Atomics.load(this.words, Control.ActiveExpire) === 0;
  }

  /** A thread is about to report a crash: true for the first one, which is the one that does. */
  noteCrash(): boolean {
    return Atomics.exchange(this.words, Control.Crashed, 1) === 0;
  }

  setActiveExpire(isOn: boolean): void {
    Atomics.store(this.words, Control.ActiveExpire, isOn ? 0 : 1);
  }

  /** How often memory was asked for that the threads hold beside the data. */
  get purges(): number {
    return Atomics.load(this.words, Control.Purges);
  }

  wantPurge(): void {
    Atomics.add(this.words, Control.Purges, 1);
  }

  // ---- gates ----------------------------------------------------------------------------------

  /** Bits of the gates that are up for everybody (dispatch/gates.ts). */
  get gates(): number {
    return Atomics.load(this.words, Control.Gates);
  }

  raiseGate(bit: number): void {
    Atomics.or(this.words, Control.Gates, bit);
  }

  lowerGate(bit: number): void {
    Atomics.and(this.words, Control.Gates, ~bit);
  }

  /** May scripts call commands that are not for them? */
  get areScriptsFree(): boolean {
    return Atomics.load(this.words, Control.ScriptsFree) !== 0;
  }

  setScriptsFree(isFree: boolean): void {
    Atomics.store(this.words, Control.ScriptsFree, isFree ? 1 : 0);
  }

  // ---- busy scripts ---------------------------------------------------------------------------

  /** The script of `thread` takes long: from now on all commands are looked at. */
  scriptIsBusy(thread: number, isEval: boolean, hasWritten: boolean): void {
    const kind = isEval ? 0 : Script.IsFunction;
    const state = Script.IsBusy | kind | (hasWritten ? Script.HasWritten : 0);
    Atomics.store(this.words, SCRIPTS_AT + thread, state);
    Atomics.add(this.words, Control.Gates, BUSY_ONE);
  }

  /** It is about to write: false if it has been ended before. */
  scriptMayWrite(thread: number): boolean {
    // Or and And are one step each: either the kill sees the write, or the write the kill.
    const before = Atomics.or(this.words, SCRIPTS_AT + thread, Script.HasWritten);
    return (before & Script.IsKilled) === 0;
  }

  scriptEnded(thread: number): void {
    Atomics.store(this.words, SCRIPTS_AT + thread, 0);
    Atomics.sub(this.words, Control.Gates, BUSY_ONE);
  }

  get isAnyScriptBusy(): boolean {
    return this.gates >= BUSY_ONE;
  }

  isScriptKilled(thread: number): boolean {
    return (Atomics.load(this.words, SCRIPTS_AT + thread) & Script.IsKilled) !== 0;
  }

  /** Is what keeps the server busy a script of EVAL? Of several, one of EVAL counts. */
  isEvalBusy(threadCount: number): boolean {
    for (let thread = 0; thread < threadCount; thread++) {
      const state = Atomics.load(this.words, SCRIPTS_AT + thread);
      if (state !== 0 && (state & Script.IsFunction) === 0) return true;
    }
    return false;
  }

  /** Ends all busy scripts of EVAL, or all busy functions, that have not written. */
  killScripts(threadCount: number, isEval: boolean): KillOutcome {
    let outcome = KillOutcome.NothingRuns;
    for (let thread = 0; thread < threadCount; thread++) {
      const one = this.killScript(thread, isEval);
      if (one === KillOutcome.Killed || outcome === KillOutcome.NothingRuns) outcome = one;
      if (one === KillOutcome.HasWritten && outcome === KillOutcome.OtherKind) outcome = one;
    }
    return outcome;
  }

  private killScript(thread: number, isEval: boolean): KillOutcome {
    for (;;) {
      const state = Atomics.load(this.words, SCRIPTS_AT + thread);
      if (state === 0) return KillOutcome.NothingRuns;
      if ((state & Script.HasWritten) !== 0) return KillOutcome.HasWritten;
      if (isEval === ((state & Script.IsFunction) !== 0)) return KillOutcome.OtherKind;
      // It may end or begin to write at any moment: then what was read does not hold any more.
      const killed = state | Script.IsKilled;
      const at = SCRIPTS_AT + thread;
      if (Atomics.compareExchange(this.words, at, state, killed) === state) {
        return KillOutcome.Killed;
      }
    }
  }

  // ---- connections ----------------------------------------------------------------------------

  connectionsOf(thread: number): number {
    return Atomics.load(this.words, Control.Connections + thread);
  }

  addConnections(thread: number, count: number): void {
    Atomics.add(this.words, Control.Connections + thread, count);
  }

  connectionCount(threadCount: number): number {
    let sum = 0;
    for (let thread = 0; thread < threadCount; thread++) sum += this.connectionsOf(thread);
    return sum;
  }

  // ---- pause ----------------------------------------------------------------------------------

  /** What is paused at `nowMs`. */
  pausedAt(nowMs: number): PauseMode {
    const mode = Atomics.load(this.words, Control.PauseMode) as PauseMode;
    return mode !== PauseMode.Nothing && nowMs < this.doubles[PAUSE_UNTIL]!
      ? mode
      : PauseMode.Nothing;
  }

  get pausedUntilMs(): number {
    return this.doubles[PAUSE_UNTIL]!;
  }

  /** A pause is never shortened or weakened by another one, only by unpause. */
  pause(untilMs: number, mode: PauseMode, nowMs: number): void {
    const current = this.pausedAt(nowMs);
    if (current === PauseMode.Nothing || untilMs > this.doubles[PAUSE_UNTIL]!) {
      this.doubles[PAUSE_UNTIL] = untilMs;
    }
    Atomics.store(this.words, Control.PauseMode, Math.max(current, mode));
  }

  unpause(): void {
    Atomics.store(this.words, Control.PauseMode, PauseMode.Nothing);
  }

  // ---- configuration --------------------------------------------------------------------------

  get configVersion(): number {
    return Atomics.load(this.words, Control.ConfigVersion);
  }

  /** Runs `change` alone among all threads: configuration is read, changed and published in it. */
  changeConfig<T>(change: () => T): T {
    while (Atomics.compareExchange(this.words, Control.ConfigLock, 0, 1) !== 0) {
      Atomics.wait(this.words, Control.ConfigLock, 1, 10);
    }
    try {
      return change();
    } finally {
      Atomics.store(this.words, Control.ConfigLock, 0);
      Atomics.notify(this.words, Control.ConfigLock, 1);
    }
  }

  /** Publishes the text; call it inside changeConfig. */
  writeConfig(text: string): void {
    const bytes = Buffer.from(text, 'utf8');
    assert(bytes.length <= CONFIG_TEXT_BYTES, 'the configuration fits its shared text');
    this.bytes.set(bytes);
    this.words[Control.ConfigBytes] = bytes.length;
    // The version last: who sees it sees the text.
    Atomics.add(this.words, Control.ConfigVersion, 1);
  }

  /**
   * Grows when certificates and keys are to be read again, also from files of the same names; read
   * it inside changeConfig, with the configuration that it belongs to.
   */
  get tlsVersion(): number {
    return Atomics.load(this.words, Control.TlsVersion);
  }

  /** Before the configuration is published: who adopts it sees this too. */
  renewTls(): void {
    Atomics.add(this.words, Control.TlsVersion, 1);
  }

  /** The published text; call it inside changeConfig. */
  readConfig(): string {
    return Buffer.from(this.bytes.slice(0, this.words[Control.ConfigBytes])).toString('utf8');
  }
}
