// ACL LOG: what was refused lately, and to whom, of all threads. Newest first; what happens again
// within a minute is counted in its entry, and comes to the front.
//
//   ┌─────────────────────────────────┬──────────────────────┬──────────────────────────────
//   │ head: lock, count, length limit │ order: places of the │ entries of ENTRY_BYTES each …
//   │ next id (double)                │ entries, newest first│
//   └─────────────────────────────────┴──────────────────────┴──────────────────────────────
//   entry: words (Entry), doubles, then texts: a word of length and the bytes each: object, user,
//   client
//
// All of it is read and written under the lock, which is held for the time of a copy. The places in
// `order` behind `count` are those that are free.

import { assert } from '../base/assert.js';

export const enum Reason {
  Command = 0,
  Key = 1,
  Channel = 2,
  Auth = 3,
}

export const enum Where {
  Toplevel = 0,
  Multi = 1,
  Lua = 2,
}

export interface LogEntry {
  readonly count: number;
  readonly reason: Reason;
  readonly where: Where;
  /** The command, key, channel, or the command that wanted to log in. */
  readonly object: string;
  readonly user: string;
  /** The line of CLIENT LIST of whoever did it last. */
  readonly client: string;
  readonly id: number;
  readonly createdMs: number;
  readonly updatedMs: number;
}

const enum Head {
  Lock = 0,
  Count = 1,
  LengthMax = 2,
  IsMade = 3,
  NextId = 4,
  Order = 16,
}

const enum Entry {
  Count = 0,
  Reason = 1,
  Where = 2,
  Id = 4,
  CreatedMs = 6,
  UpdatedMs = 8,
  Texts = 10,
}

/** Entries that there may ever be, whatever acllog-max-len says; address space only. */
const ENTRIES_MAX = 4096;
const OBJECT_BYTES_MAX = 4096;
const USER_BYTES_MAX = 1024;
const CLIENT_BYTES_MAX = 2040;
const ENTRY_WORDS =
  Math.ceil((Entry.Texts * 4 + 12 + OBJECT_BYTES_MAX + USER_BYTES_MAX + CLIENT_BYTES_MAX) / 8) * 2;
const ENTRIES_AT = Head.Order + ENTRIES_MAX;
/** As Redis: entries that are looked through for one of the same kind, and how old it may be. */
const LOOKED_THROUGH = 10;
const SAME_WITHIN_MS = 60_000;
const LOCK_WAIT_MS = 10;

export function createAccessLog(): SharedArrayBuffer {
  return new SharedArrayBuffer((ENTRIES_AT + ENTRIES_MAX * ENTRY_WORDS) * 4);
}

export class AccessLog {
  private readonly i32: Int32Array;
  private readonly f64: Float64Array;
  private readonly u8: Buffer;

  constructor(buffer: SharedArrayBuffer) {
    this.i32 = new Int32Array(buffer);
    this.f64 = new Float64Array(buffer);
    this.u8 = Buffer.from(buffer);
    this.locked(() => {
      const { i32 } = this;
      if (i32[Head.IsMade] !== 0) return;
      for (let place = 0; place < ENTRIES_MAX; place++) i32[Head.Order + place] = place;
      i32[Head.LengthMax] = ENTRIES_MAX;
      i32[Head.IsMade] = 1;
    });
  }

  /** `acllog-max-len`. As in Redis, what is there already goes with the next entry. */
  setLengthMax(lengthMax: number): void {
    this.locked(() => {
      this.i32[Head.LengthMax] = Math.min(lengthMax, ENTRIES_MAX);
    });
  }

  add(entry: Omit<LogEntry, 'id' | 'count' | 'createdMs' | 'updatedMs'>, nowMs: number): void {
    this.locked(() => {
      const { i32 } = this;
      const count = i32[Head.Count]!;
      let index = this.findSame(entry, nowMs);
      if (index === -1) {
        if (i32[Head.LengthMax] === 0) {
          i32[Head.Count] = 0;
          this.drawId();
          return;
        }
        // The oldest gives its place when there is no other.
        index = Math.min(count, i32[Head.LengthMax]! - 1);
        this.begin(this.entryAt(index), entry, nowMs);
        i32[Head.Count] = index + 1;
      }
      const at = this.entryAt(index);
      i32[at + Entry.Count] = i32[at + Entry.Count]! + 1;
      this.f64[(at + Entry.UpdatedMs) >> 1] = nowMs;
      this.writeText(at, Text.Client, entry.client);
      this.moveToFront(index);
    });
  }

  /** The newest entries, `most` of them. */
  entries(most: number): LogEntry[] {
    return this.locked(() => {
      const count = Math.min(most, this.i32[Head.Count]!);
      return Array.from({ length: count }, (_, index) => this.read(this.entryAt(index)));
    });
  }

  reset(): void {
    this.locked(() => {
      this.i32[Head.Count] = 0;
    });
  }

  // ---- under the lock ---------------------------------------------------------------------------

  private findSame(
    entry: Pick<LogEntry, 'reason' | 'where' | 'object' | 'user'>,
    nowMs: number,
  ): number {
    const { i32, f64 } = this;
    const last = Math.min(LOOKED_THROUGH, i32[Head.Count]!);
    for (let index = 0; index < last; index++) {
      const at = this.entryAt(index);
      if (i32[at + Entry.Reason] !== entry.reason || i32[at + Entry.Where] !== entry.where)
        continue;
      if (Math.abs(nowMs - f64[(at + Entry.UpdatedMs) >> 1]!) > SAME_WITHIN_MS) continue;
      const isSame =
        this.readText(at, Text.Object) === entry.object.slice(0, OBJECT_BYTES_MAX) &&
        this.readText(at, Text.User) === entry.user.slice(0, USER_BYTES_MAX);
      if (isSame) return index;
    }
    return -1;
  }

  private begin(
    at: number,
    entry: Pick<LogEntry, 'reason' | 'where' | 'object' | 'user'>,
    nowMs: number,
  ): void {
    const { i32, f64 } = this;
    i32[at + Entry.Count] = 0;
    i32[at + Entry.Reason] = entry.reason;
    i32[at + Entry.Where] = entry.where;
    f64[(at + Entry.Id) >> 1] = this.drawId();
    f64[(at + Entry.CreatedMs) >> 1] = nowMs;
    this.writeText(at, Text.Object, entry.object);
    this.writeText(at, Text.User, entry.user);
  }

  private drawId(): number {
    const id = this.f64[Head.NextId >> 1]!;
    this.f64[Head.NextId >> 1] = id + 1;
    return id;
  }

  private moveToFront(index: number): void {
    const { i32 } = this;
    const place = i32[Head.Order + index]!;
    i32.copyWithin(Head.Order + 1, Head.Order, Head.Order + index);
    i32[Head.Order] = place;
  }

  private entryAt(index: number): number {
    return ENTRIES_AT + this.i32[Head.Order + index]! * ENTRY_WORDS;
  }

  private read(at: number): LogEntry {
    const { i32, f64 } = this;
    return {
      count: i32[at + Entry.Count]!,
      reason: i32[at + Entry.Reason]! as Reason,
      where: i32[at + Entry.Where]! as Where,
      object: this.readText(at, Text.Object),
      user: this.readText(at, Text.User),
      client: this.readText(at, Text.Client),
      id: f64[(at + Entry.Id) >> 1]!,
      createdMs: f64[(at + Entry.CreatedMs) >> 1]!,
      updatedMs: f64[(at + Entry.UpdatedMs) >> 1]!,
    };
  }

  /** Byte text; what does not fit is left out. */
  private writeText(at: number, { textAt, bytesMax }: Text, text: string): void {
    const cut = text.slice(0, bytesMax);
    const byteAt = at * 4 + textAt;
    this.u8.writeUInt32LE(cut.length, byteAt);
    this.u8.write(cut, byteAt + 4, 'latin1');
  }

  private readText(at: number, { textAt, bytesMax }: Text): string {
    const byteAt = at * 4 + textAt;
    const length = this.u8.readUInt32LE(byteAt);
    assert(length <= bytesMax, 'a text of the log fits its place');
    return this.u8.toString('latin1', byteAt + 4, byteAt + 4 + length);
  }

  private locked<T>(what: () => T): T {
    const { i32 } = this;
    // Acquire and release around all that the lock is for.
    while (Atomics.compareExchange(i32, Head.Lock, 0, 1) !== 0) {
      Atomics.wait(i32, Head.Lock, 1, LOCK_WAIT_MS);
    }
    try {
      return what();
    } finally {
      Atomics.store(i32, Head.Lock, 0);
      Atomics.notify(i32, Head.Lock, 1);
    }
  }
}

/** Where a text stands in an entry, in bytes from its beginning. */
interface Text {
  readonly textAt: number;
  readonly bytesMax: number;
}

const Text = {
  Object: { textAt: Entry.Texts * 4, bytesMax: OBJECT_BYTES_MAX },
  User: { textAt: Entry.Texts * 4 + 4 + OBJECT_BYTES_MAX, bytesMax: USER_BYTES_MAX },
  Client: {
    textAt: Entry.Texts * 4 + 8 + OBJECT_BYTES_MAX + USER_BYTES_MAX,
    bytesMax: CLIENT_BYTES_MAX,
  },
} as const;
