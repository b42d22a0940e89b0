// The libraries of functions that the server has, as source, shared by all threads; each compiles
// them for itself when it sees that they have changed. And the function that keeps the server busy,
// for FUNCTION STATS on other threads.
//
//   words: │ version │ bytes of code │ version of running │ bytes of running │
//
//   code and running: texts, one behind the other
//   ┌────────────┬───────┬────────────┬───────┬ …
//   │ bytes, u32 │ text  │ bytes, u32 │ text  │
//   └────────────┴───────┴────────────┴───────┴ …
//
// Who writes what, and what orders it
// - Code is written by whoever holds the locks of all partitions, running by the thread whose
//   function runs: each has one writer at a time.
// - A version is odd while its area is written, and counts on. A reader copies the area and takes
//   the copy only if the version was even before and is the same after: it never waits for a lock,
//   and main and jobs, which hold none, may read as well.

import { assert } from '../base/assert.js';

const enum Word {
  Version = 0,
  Bytes = Version + 1,
  RunningVersion = Bytes + 1,
  RunningBytes = RunningVersion + 1,
  Words = RunningBytes + 1,
}

/** Room for the source of all libraries; only address space until it is used. */
const CODE_BYTES = 64 * 1024 * 1024;
const RUNNING_BYTES = 1024 * 1024;
const LENGTH_BYTES = 4;

/** Everything that a thread needs to use the store; plain, so that it can be sent to one. */
export interface FunctionsShape {
  readonly words: SharedArrayBuffer;
  readonly code: SharedArrayBuffer;
  readonly running: SharedArrayBuffer;
}

/** Allocates the store. Called once, before the threads start. */
export function createFunctions(codeBytes = CODE_BYTES): FunctionsShape {
  return {
    words: new SharedArrayBuffer(Word.Words * 4),
    code: new SharedArrayBuffer(codeBytes),
    running: new SharedArrayBuffer(RUNNING_BYTES),
  };
}

export class FunctionStore {
  private readonly words: Int32Array;
  private readonly code: Uint8Array;
  private readonly running: Uint8Array;

  constructor(shape: FunctionsShape) {
    this.words = new Int32Array(shape.words);
    this.code = new Uint8Array(shape.code);
    this.running = new Uint8Array(shape.running);
  }

  /** Changes with every change of the libraries. */
  get version(): number {
    // Acquire: whoever sees the version finds the code that it counts.
    return Atomics.load(this.words, Word.Version);
  }

  /** Bytes of all libraries' sources; a hint. */
  get bytes(): number {
    return this.words[Word.Bytes]!;
  }

  /** A copy of each library's source, in the order in which they came. */
  read(): Uint8Array[] {
    return this.readTexts(Word.Version, this.code);
  }

  /** Replaces all libraries. False, and nothing changed, when there is no room for them. */
  write(sources: readonly Uint8Array[]): boolean {
    return this.writeTexts(Word.Version, this.code, sources);
  }

  /** What keeps the server busy: the name of the function, and the words of its command. */
  readRunning(): Uint8Array[] {
    return this.readTexts(Word.RunningVersion, this.running);
  }

  /** Says what runs; nothing when it has ended. Words that do not fit are left out. */
  writeRunning(words: readonly Uint8Array[]): void {
    const fitting: Uint8Array[] = [];
    let bytes = 0;
    for (const word of words) {
      bytes += LENGTH_BYTES + word.length;
      if (bytes > this.running.length) break;
      fitting.push(word);
    }
    this.writeTexts(Word.RunningVersion, this.running, fitting);
  }

  private writeTexts(at: Word, area: Uint8Array, texts: readonly Uint8Array[]): boolean {
    const { words } = this;
    const bytes = texts.reduce((sum, text) => sum + LENGTH_BYTES + text.length, 0);
    if (bytes > area.length) return false;
    // The version goes first, so that a reader of what follows sees that it is being written.
    const before = Atomics.add(words, at, 1);
    assert((before & 1) === 0, 'the area has one writer');
    const view = new DataView(area.buffer);
    let to = 0;
    for (const text of texts) {
      view.setUint32(to, text.length, true);
      area.set(text, to + LENGTH_BYTES);
      to += LENGTH_BYTES + text.length;
    }
    words[at + 1] = bytes;
    // Release: whoever sees the even version sees all of the above.
    Atomics.add(words, at, 1);
    return true;
  }

  private readTexts(at: Word, area: Uint8Array): Uint8Array[] {
    const { words } = this;
    for (;;) {
      // Acquire, before and after: between two equal even versions nobody wrote.
      const version = Atomics.load(words, at);
      const copy = area.slice(0, words[at + 1]!);
      const isWhole = (version & 1) === 0 && Atomics.load(words, at) === version;
      if (isWhole) return textsIn(copy);
    }
  }
}

function textsIn(bytes: Uint8Array): Uint8Array[] {
  // A copy of shared memory by slice() is shared memory: texts leave in memory of their own.
  const own = new Uint8Array(new ArrayBuffer(bytes.length));
  own.set(bytes);
  const view = new DataView(own.buffer);
  const texts: Uint8Array[] = [];
  for (let at = 0; at < own.length; ) {
    const length = view.getUint32(at, true);
    texts.push(own.slice(at + LENGTH_BYTES, at + LENGTH_BYTES + length));
    at += LENGTH_BYTES + length;
  }
  return texts;
}
