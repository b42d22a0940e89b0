// The slow log of all threads: a ring of entries in shared memory. Writers and readers take a tiny
// spin lock for the time of a copy; commands that are slow are rare, so nobody waits for it in
// practice.
//
//   ┌───────────────────────────────┬───────────────────────────────────────────
//   │ head: lock, next place, count │ entries of SLOWLOG_ENTRY_BYTES each …
//   │ next id (double)              │
//   └───────────────────────────────┴───────────────────────────────────────────
//   entry: id, second, microseconds (doubles), then texts: a word of length and the bytes each:
//   address, name, arguments
//
// Arguments are cut as Redis cuts them: at most 32 of 128 bytes, with a note of what is missing.

import { assert } from '../base/assert.js';
import type { Slices } from '../base/slices.js';

/** Arguments of an entry, the last of which may be the note of more. */
const ARGUMENTS_MAX = 32;
const ARGUMENT_BYTES_MAX = 128;
/** "... (4294967295 more bytes)" and the like. */
const NOTE_BYTES = 48;
const TEXT_BYTES_MAX = 128;

const enum Head {
  Lock = 0,
  Next = 1,
  Count = 2,
  LengthMax = 3,
  NextId = 4,
  Words = 16,
}

const enum Entry {
  Id = 0,
  Second = 2,
  Microseconds = 4,
  ArgumentCount = 6,
  Texts = 8,
}

const ENTRY_BYTES =
  Math.ceil(
    (Entry.Texts * 4 +
      2 * (4 + TEXT_BYTES_MAX) +
      (ARGUMENTS_MAX + 1) * (4 + ARGUMENT_BYTES_MAX + NOTE_BYTES)) /
      64,
  ) * 64;

export interface SlowlogEntry {
  readonly id: number;
  /** Seconds since 1970. */
  readonly second: number;
  readonly microseconds: number;
  readonly args: readonly string[];
  readonly address: string;
  readonly name: string;
}

/** Whose command it was. */
export interface SlowlogSession {
  readonly address: string;
  readonly name: string;
}

export class Slowlog {
  readonly buffer: SharedArrayBuffer;
  /** Entries the ring can hold. */
  readonly capacity: number;
  private readonly i32: Int32Array;
  private readonly f64: Float64Array;
  private readonly u8: Buffer;
  private readonly nowMs: () => number;
  /** Where the next text goes or comes from. */
  private textAt = 0;

  constructor(buffer: SharedArrayBuffer, nowMs: () => number) {
    this.buffer = buffer;
    this.capacity = Math.floor((buffer.byteLength - Head.Words * 4) / ENTRY_BYTES);
    assert(this.capacity > 0, 'a slow log holds an entry at least');
    this.i32 = new Int32Array(buffer);
    this.f64 = new Float64Array(buffer);
    this.u8 = Buffer.from(buffer);
    this.nowMs = nowMs;
  }

  static bytesFor(capacity: number): number {
    return Head.Words * 4 + capacity * ENTRY_BYTES;
  }

  /**
   * `slowlog-max-len`: older entries than so many are forgotten. The ring never holds more than its
   * capacity. Said once, by any thread: the length is shared.
   */
  setLengthMax(lengthMax: number): void {
    this.take();
    const most = Math.min(Math.max(lengthMax, 0), this.capacity);
    this.i32[Head.LengthMax] = most;
    if (this.i32[Head.Count]! > most) this.i32[Head.Count] = most;
    this.release();
  }

  get lengthMax(): number {
    return this.i32[Head.LengthMax]!;
  }

  /**
   * `calls` commands of one name took `microseconds` together. `args` are the words of the last of
   * them, null when they are gone: then the name stands for them.
   */
  record(
    session: SlowlogSession,
    command: { readonly fullName: string },
    args: Slices | null,
    calls: number,
    microseconds: number,
  ): void {
    const words = args === null ? command.fullName.split('|') : cutWords(command.fullName, args);
    // Short commands are timed in groups: what was slow is then the group.
    if (calls > 1) words.push(`... (${calls - 1} more calls)`);
    this.take();
    if (this.lengthMax > 0) this.write(session, words, microseconds);
    this.release();
  }

  /** The newest `count` entries, the newest first. */
  get(count: number): SlowlogEntry[] {
    this.take();
    const length = Math.min(count, this.i32[Head.Count]!);
    const entries: SlowlogEntry[] = [];
    for (let back = 1; back <= length; back++) {
      const place = (this.i32[Head.Next]! - back + this.capacity) % this.capacity;
      entries.push(this.read(place));
    }
    this.release();
    return entries;
  }

  get length(): number {
    return Atomics.load(this.i32, Head.Count);
  }

  reset(): void {
    this.take();
    this.i32[Head.Count] = 0;
    this.release();
  }

  // ---- inside, all under the lock -------------------------------------------------------------

  private write(session: SlowlogSession, words: readonly string[], microseconds: number): void {
    const { i32, f64 } = this;
    const place = i32[Head.Next]!;
    const at = this.entryAt(place);
    const idAt = Head.NextId >> 1;
    f64[(at + Entry.Id) >> 1] = f64[idAt]!;
    f64[(at + Entry.Second) >> 1] = Math.floor(this.nowMs() / 1000);
    f64[(at + Entry.Microseconds) >> 1] = Math.floor(microseconds);
    i32[at + Entry.ArgumentCount] = words.length;
    this.textAt = (at + Entry.Texts) * 4;
    this.writeText(session.address);
    this.writeText(session.name);
    for (const word of words) this.writeText(word);
    f64[idAt] = f64[idAt]! + 1;
    i32[Head.Next] = (place + 1) % this.capacity;
    i32[Head.Count] = Math.min(i32[Head.Count]! + 1, this.lengthMax);
  }

  private read(place: number): SlowlogEntry {
    const { i32, f64 } = this;
    const at = this.entryAt(place);
    this.textAt = (at + Entry.Texts) * 4;
    const address = this.readText();
    const name = this.readText();
    const args: string[] = [];
    for (let index = 0; index < i32[at + Entry.ArgumentCount]!; index++) args.push(this.readText());
    return {
      id: f64[(at + Entry.Id) >> 1]!,
      second: f64[(at + Entry.Second) >> 1]!,
      microseconds: f64[(at + Entry.Microseconds) >> 1]!,
      args,
      address,
      name,
    };
  }

  private entryAt(place: number): number {
    return Head.Words + place * (ENTRY_BYTES >> 2);
  }

  private writeText(text: string): void {
    const written = this.u8.write(
      text.slice(0, ARGUMENT_BYTES_MAX + NOTE_BYTES - 4),
      this.textAt + 4,
      'latin1',
    );
    this.i32[this.textAt >> 2] = written;
    this.textAt += 4 + ((written + 3) & ~3);
  }

  private readText(): string {
    const length = this.i32[this.textAt >> 2]!;
    const text = this.u8.toString('latin1', this.textAt + 4, this.textAt + 4 + length);
    this.textAt += 4 + ((length + 3) & ~3);
    return text;
  }

  private take(): void {
    // A spin, because it is held for the time of a copy of at most a few kilobytes an entry.
    while (Atomics.compareExchange(this.i32, Head.Lock, 0, 1) !== 0);
  }

  private release(): void {
    Atomics.store(this.i32, Head.Lock, 0);
  }
}

/** The words of a command as Redis cuts them, secrets left out. */
function cutWords(fullName: string, args: Slices): string[] {
  const secrets = secretsOf(fullName, args);
  const words: string[] = [];
  const shown = Math.min(args.count, ARGUMENTS_MAX);
  for (let index = 0; index < shown; index++) {
    if (args.count > ARGUMENTS_MAX && index === ARGUMENTS_MAX - 1) {
      words.push(`... (${args.count - ARGUMENTS_MAX + 1} more arguments)`);
    } else if (secrets.has(index)) {
      words.push('(redacted)');
    } else {
      words.push(cutWord(args, index));
    }
  }
  return words;
}

/** Words of a command that nobody may read, who looks on at it or reads the log. */
export function secretsOf(fullName: string, args: Slices): ReadonlySet<number> {
  return SECRETS[fullName]?.(args) ?? NO_SECRETS;
}

function cutWord(args: Slices, index: number): string {
  const length = args.lengthOf(index);
  if (length <= ARGUMENT_BYTES_MAX) return args.text(index);
  const start = args.startOf(index);
  const shown = Buffer.from(args.u8.slice(start, start + ARGUMENT_BYTES_MAX)).toString('latin1');
  return `${shown}... (${length - ARGUMENT_BYTES_MAX} more bytes)`;
}

const NO_SECRETS: ReadonlySet<number> = new Set();

const SECRET_PARAMETERS: ReadonlySet<string> = new Set([
  'gateway-token-secret',
  'masterauth',
  'masteruser',
  'requirepass',
  'tls-client-key-file-pass',
  'tls-key-file-pass',
]);

/** Words that must not be shown to whoever reads the log, by the full name of the command. */
const SECRETS: Readonly<Record<string, ((args: Slices) => ReadonlySet<number>) | undefined>> = {
  migrate(args) {
    const found = new Set<number>();
    for (let index = 6; index < args.count; index++) {
      const option = args.text(index).toLowerCase();
      if (option === 'keys') break;
      const count = option === 'auth' ? 1 : option === 'auth2' ? 2 : 0;
      for (let at = 1; at <= count; at++) found.add(index + at);
      index += count;
    }
    return found;
  },
  auth: (args) => new Set(Array.from({ length: args.count - 1 }, (_, index) => index + 1)),
  hello(args) {
    const secrets = new Set<number>();
    for (let index = 2; index < args.count; index++) {
      if (args.text(index).toLowerCase() !== 'auth') continue;
      secrets.add(index + 1).add(index + 2);
    }
    return secrets;
  },
  'acl|setuser': (args) => new Set(Array.from({ length: args.count - 2 }, (_, index) => index + 2)),
  'config|set'(args) {
    const secrets = new Set<number>();
    for (let index = 2; index + 1 < args.count; index += 2) {
      if (SECRET_PARAMETERS.has(args.text(index).toLowerCase())) secrets.add(index + 1);
    }
    return secrets;
  },
};
