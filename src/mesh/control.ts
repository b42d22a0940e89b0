// A block of shared words that all threads of the process look at: the stop flag, gates raised for
// everybody, pauses, the shared configuration's version and text, counts of connections.
//
// Who writes what: `Stop` and `Ready` main; `PauseUntil`, gates and configuration whichever thread
// runs the command that changes them, the configuration under its own lock word; counts (`Serving`
// and `Stopped` too) by Atomics from anywhere. Everything is read once per turn, so a change is
// seen by every command that arrives after the reply to the command that made it: the reply leaves
// after the store.
//
//   words │ Control … │ connections per thread │ doubles: pause ends │ configuration text │

import { assert } from '../base/assert.js';

const enum Control {
  Stop = 0,
  ConfigLock = 1,
  ConfigVersion = 2,
  ConfigBytes = 3,
  PauseMode = 5,
  ActiveExpire = 6,
  Serving = 7,
  Stopped = 8,
  Connections = 16,
}

const THREADS_MAX = 4096;
const DOUBLES_AT = (Control.Connections + THREADS_MAX) * 4;
const PAUSE_UNTIL = 0;
const CONFIG_TEXT_AT = DOUBLES_AT + 64;
/** Far more than all parameters with the longest values take. */
const CONFIG_TEXT_BYTES = 4 * 1024 * 1024;

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
    this.words = new Int32Array(buffer, 0, Control.Connections + THREADS_MAX);
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

  setActiveExpire(isOn: boolean): void {
    Atomics.store(this.words, Control.ActiveExpire, isOn ? 0 : 1);
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

  /** The published text; call it inside changeConfig. */
  readConfig(): string {
    return Buffer.from(this.bytes.slice(0, this.words[Control.ConfigBytes])).toString('utf8');
  }
}
