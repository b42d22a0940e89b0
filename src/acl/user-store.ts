// The users as all threads share them: a journal of changes. Each thread keeps users of its own
// (accounts.ts) and repeats what has come since it looked last; so a change costs every thread the
// one user it is about, however many there are. A journal that is full begins anew with all users.
//
//   words: │ lock │ version │ generation │ bytes │ last id │ default user has a password │ seen …
//
//   journal: changes in JSON, one behind the other
//   ┌────────────┬──────┬────────────┬──────┬ …
//   │ bytes, u32 │ text │ bytes, u32 │ text │
//   └────────────┴──────┴────────────┴──────┴ …
//
// Who writes what, and what orders it
// - Everything but the version is read and written under the lock, by whichever thread changes a
//   user or catches up. Nobody waits for anything else while it holds it.
// - The version counts changes. It is written last, under the lock, and read without: a thread that
//   sees the number that it knows has nothing to catch up with.
// - Whether the default user has a password is a word of its own, for threads that have no users
//   and turn strangers from other machines away: it may be a moment old there.
// - `seen` has a word for each thread, which it alone writes: the version that it has taken over,
//   with all that followed from it for its connections.

import { assert } from '../base/assert.js';
import type { UserState } from './user.js';

const enum Word {
  Lock = 0,
  Version = 1,
  Generation = 2,
  Bytes = 3,
  LastId = 4,
  HasPassword = 5,
  Seen = 16,
}

/** Only address space until it is used. */
const JOURNAL_BYTES = 64 * 1024 * 1024;
const LENGTH_BYTES = 4;
const LOCK_WAIT_MS = 10;
const THREADS_MAX = 4096;

export interface UsersShape {
  readonly words: SharedArrayBuffer;
  readonly journal: SharedArrayBuffer;
}

export type UserChange =
  | { readonly kind: 'set'; readonly user: UserState }
  | { readonly kind: 'remove'; readonly name: string }
  /** These and no others: what follows builds upon them. */
  | { readonly kind: 'all'; readonly users: readonly UserState[] };

/** Allocates the store. Called once, before the threads start. */
export function createUsers(journalBytes = JOURNAL_BYTES): UsersShape {
  return {
    words: new SharedArrayBuffer((Word.Seen + THREADS_MAX) * 4),
    journal: new SharedArrayBuffer(journalBytes),
  };
}

/** How far a thread has read. */
export interface JournalPlace {
  generation: number;
  bytes: number;
}

export class UserStore {
  private readonly words: Int32Array;
  private readonly journal: Buffer;

  constructor(shape: UsersShape) {
    this.words = new Int32Array(shape.words);
    this.journal = Buffer.from(shape.journal);
  }

  /** Changes with every change of a user. */
  get version(): number {
    // Acquire: whoever sees the version finds, under the lock, the changes that it counts.
    return Atomics.load(this.words, Word.Version);
  }

  /** Has the default user a password? Not before there is one. */
  get defaultHasPassword(): boolean {
    // Atomic only so that the load is not moved out of a loop.
    return Atomics.load(this.words, Word.HasPassword) !== 0;
  }

  set defaultHasPassword(hasPassword: boolean) {
    Atomics.store(this.words, Word.HasPassword, hasPassword ? 1 : 0);
  }

  /** The thread has taken over all changes up to this version. */
  noteSeen(thread: number, version: number): void {
    // Release: whoever sees the version finds the connections closed that it ends.
    Atomics.store(this.words, Word.Seen + thread, version);
  }

  hasSeen(thread: number, version: number): boolean {
    return ((Atomics.load(this.words, Word.Seen + thread) - version) | 0) >= 0;
  }

  /** Runs `what` alone among all threads. */
  locked<T>(what: () => T): T {
    const { words } = this;
    // Acquire and release around all that the lock is for.
    while (Atomics.compareExchange(words, Word.Lock, 0, 1) !== 0) {
      Atomics.wait(words, Word.Lock, 1, LOCK_WAIT_MS);
    }
    try {
      return what();
    } finally {
      Atomics.store(words, Word.Lock, 0);
      Atomics.notify(words, Word.Lock, 1);
    }
  }

  // ---- under the lock ---------------------------------------------------------------------------

  drawId(): number {
    const id = this.words[Word.LastId]! + 1;
    this.words[Word.LastId] = id;
    return id;
  }

  /** Appends a change. False, and nothing done, when there is no room: see restart. */
  append(change: UserChange): boolean {
    const text = Buffer.from(JSON.stringify(change), 'utf8');
    const at = this.words[Word.Bytes]!;
    if (at + LENGTH_BYTES + text.length > this.journal.length) return false;
    this.journal.writeUInt32LE(text.length, at);
    this.journal.set(text, at + LENGTH_BYTES);
    this.words[Word.Bytes] = at + LENGTH_BYTES + text.length;
    // Last: who sees the new version finds the change.
    Atomics.add(this.words, Word.Version, 1);
    return true;
  }

  /** Begins the journal anew, with all users. False, and nothing done, when they do not fit. */
  restart(users: readonly UserState[]): boolean {
    const before = this.words[Word.Bytes]!;
    this.words[Word.Bytes] = 0;
    if (!this.append({ kind: 'all', users })) {
      this.words[Word.Bytes] = before;
      return false;
    }
    this.words[Word.Generation] = this.words[Word.Generation]! + 1;
    return true;
  }

  /** The changes since `place`, which moves on. */
  read(place: JournalPlace): UserChange[] {
    const generation = this.words[Word.Generation]!;
    if (generation !== place.generation) {
      place.generation = generation;
      place.bytes = 0;
    }
    const end = this.words[Word.Bytes]!;
    const changes: UserChange[] = [];
    while (place.bytes < end) {
      const length = this.journal.readUInt32LE(place.bytes);
      const start = place.bytes + LENGTH_BYTES;
      changes.push(JSON.parse(this.journal.toString('utf8', start, start + length)) as UserChange);
      place.bytes = start + length;
    }
    assert(place.bytes === end, 'the journal is read to its end');
    return changes;
  }
}
