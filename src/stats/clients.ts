// The directory of all connections of all threads, in shared memory: CLIENT LIST, INFO and KILL
// work on any thread without asking the others.
//
// Each thread has a region of slots that it alone opens, closes and writes, with plain stores.
// Readers elsewhere may see a moment ago. What is written at once (opening, a new name) stands
// between two steps of the slot's sequence word, odd while it is being written: a reader that
// finds it odd, or changed afterwards, reads again. The fields of every turn are written without
// it; each is a word by itself and may be newer than its neighbours.
//
// One word goes the other way: anybody may leave a wish (close this connection, end its wait) in a
// slot, by compare-and-swap and with the low bits of the connection's id, so that a wish that comes
// too late does not meet the next connection in the slot. The thread's line counts wishes left; its
// owner looks at that one word when its doorbell rings.
//
//   ┌──────────────────────┬─────────────────────────┬──────────────────────────────────────────
//   │ head: next id (i64)  │ a line for each thread: │ slots of thread 0 │ slots of thread 1 …
//   │                      │ wishes, open slots, and │
//   │                      │ the bytes of all        │
//   └──────────────────────┴─────────────────────────┴──────────────────────────────────────────
//   slot: words (Word), doubles (Double), then texts with a word of length before each

import { assert } from '../base/assert.js';

/** What CLIENT LIST shows in `flags=`, as bits. */
export const enum ClientFlag {
  Replica = 1 << 0,
  Monitor = 1 << 1,
  Master = 1 << 2,
  PubSub = 1 << 3,
  Multi = 1 << 4,
  Blocked = 1 << 5,
  Tracking = 1 << 6,
  TrackingBroken = 1 << 7,
  TrackingBroadcast = 1 << 8,
  Dirty = 1 << 9,
  CloseAfterReply = 1 << 10,
  Unblocked = 1 << 11,
  CloseNow = 1 << 12,
  UnixSocket = 1 << 13,
  ReadOnly = 1 << 14,
  NoEvict = 1 << 15,
  NoTouch = 1 << 16,
}

/** What another thread may ask of the owner of a connection. */
export const enum Wish {
  None = 0,
  Close = 1,
  UnblockTimeout = 2,
  UnblockError = 3,
}

/** What became of a wish: it is there, a wish to close was there before, or nobody is. */
const enum Left {
  Now,
  Before,
  ToNobody,
}

/** Longest name, bytes: queue libraries make long ones. */
export const CLIENT_NAME_BYTES_MAX = 256;
/** Longest library name and library version, bytes. */
export const CLIENT_TEXT_BYTES_MAX = 64;
/** Longest name of a user, bytes. */
export const CLIENT_USER_BYTES_MAX = 256;
/** Longest address: a unix socket's path has up to 108 bytes. */
export const CLIENT_ADDRESS_BYTES_MAX = 124;

/** What does not change while a connection is open. */
export interface ClientFacts {
  readonly id: number;
  readonly address: string;
  readonly localAddress: string;
  readonly fd: number;
  readonly createdMs: number;
}

/** One connection as it was a moment ago. */
export interface ClientView extends ClientFacts {
  readonly slot: number;
  readonly name: string;
  readonly libraryName: string;
  readonly libraryVersion: string;
  readonly user: string;
  /** Second of the last command. */
  readonly lastSeconds: number;
  readonly flags: number;
  readonly database: number;
  readonly protocol: number;
  readonly subscriptions: number;
  readonly patternSubscriptions: number;
  readonly shardSubscriptions: number;
  /** Commands queued by MULTI; -1 outside of it. */
  readonly queuedCommands: number;
  readonly watchedKeys: number;
  /** Id of the last command; -1 before the first. */
  readonly commandId: number;
  readonly inputBytes: number;
  readonly inputFreeBytes: number;
  readonly argumentBytes: number;
  readonly queuedBytes: number;
  readonly outputBytes: number;
  readonly outputChunks: number;
  /** All that it takes. */
  readonly totalBytes: number;
  /** The session that gets its invalidations; 0 for itself, -1 while nothing is tracked. */
  readonly redirect: number;
}

const enum Head {
  NextId = 0,
  Bytes = 64,
}

const enum Line {
  Wishes = 0,
  Open = 1,
  /** What the thread's connections take, bytes: a double. */
  Bytes = 2,
  Words = 16,
}

const enum Word {
  Sequence = 0,
  Wish = 1,
  IsOpen = 2,
  Fd = 3,
  LastSeconds = 4,
  Flags = 5,
  Database = 6,
  Protocol = 7,
  Subscriptions = 8,
  Patterns = 9,
  Shards = 10,
  Queued = 11,
  Watched = 12,
  Command = 13,
  OutputChunks = 14,
  Prefixes = 15,
  /** Doubles start at an even word. */
  Doubles = 16,
}

const enum Double {
  Id = 0,
  CreatedMs = 1,
  InputBytes = 2,
  InputFreeBytes = 3,
  ArgumentBytes = 4,
  QueuedBytes = 5,
  OutputBytes = 6,
  Redirect = 7,
  Count = 8,
}

const enum Text {
  Length = 0,
  Bytes = 4,
}

// Texts: a word of length and the bytes, one behind the other.
const TEXTS_AT = (Word.Doubles + Double.Count * 2) * 4;
const ADDRESS_AT = TEXTS_AT;
const LOCAL_ADDRESS_AT = ADDRESS_AT + Text.Bytes + CLIENT_ADDRESS_BYTES_MAX;
const NAME_AT = LOCAL_ADDRESS_AT + Text.Bytes + CLIENT_ADDRESS_BYTES_MAX;
const LIBRARY_NAME_AT = NAME_AT + Text.Bytes + CLIENT_NAME_BYTES_MAX;
const LIBRARY_VERSION_AT = LIBRARY_NAME_AT + Text.Bytes + CLIENT_TEXT_BYTES_MAX;
const USER_AT = LIBRARY_VERSION_AT + Text.Bytes + CLIENT_TEXT_BYTES_MAX;
const SLOT_BYTES = Math.ceil((USER_AT + Text.Bytes + CLIENT_USER_BYTES_MAX) / 64) * 64;

/** What a connection takes by itself, and with each thing that is noted for it: about. */
const CLIENT_BYTES = 2048;
const WATCHED_KEY_BYTES = 64;
const SUBSCRIPTION_BYTES = 96;
const PREFIX_BYTES = 96;

/** A wish is its kind and the low bits of the id it is meant for. */
const WISH_KIND_BITS = 2;
const WISH_ID_MASK = 2 ** 29 - 1;
/** A torn read is tried again; the writer is never longer than a few stores. */
const READ_TRIES = 1000;

/** No slot is free. */
export const NO_SLOT = -1;

export class ClientDirectory {
  readonly buffer: SharedArrayBuffer;
  readonly slotsPerThread: number;
  private readonly threadCount: number;
  private readonly thread: number;
  private readonly i32: Int32Array;
  private readonly f64: Float64Array;
  private readonly u8: Buffer;
  private readonly ids: BigInt64Array;
  private readonly slotsAt: number;
  /** Closed slots of this thread, to be used again; the highest never used one. */
  private readonly free: number[] = [];
  private unused = 0;

  constructor(
    buffer: SharedArrayBuffer,
    threadCount: number,
    slotsPerThread: number,
    thread: number,
  ) {
    const bytes = ClientDirectory.bytesFor(threadCount, slotsPerThread);
    assert(buffer.byteLength >= bytes, 'the buffer holds all slots of all threads');
    this.buffer = buffer;
    this.threadCount = threadCount;
    this.slotsPerThread = slotsPerThread;
    this.thread = thread;
    this.i32 = new Int32Array(buffer);
    this.f64 = new Float64Array(buffer);
    this.u8 = Buffer.from(buffer);
    this.ids = new BigInt64Array(buffer, 0, 1);
    this.slotsAt = Head.Bytes + threadCount * Line.Words * 4;
  }

  static bytesFor(threadCount: number, slotsPerThread: number): number {
    return Head.Bytes + threadCount * Line.Words * 4 + threadCount * slotsPerThread * SLOT_BYTES;
  }

  /** The next id of a connection: unique in the process, counting from 1. */
  drawId(): number {
    // An atomic add, because all threads draw; ids are made once per connection.
    return Number(Atomics.add(this.ids, Head.NextId, 1n)) + 1;
  }

  // ---- the owner's side -----------------------------------------------------------------------

  /** Takes a slot of this thread for a connection; NO_SLOT when all are taken. */
  open(facts: ClientFacts): number {
    const local = this.free.pop() ?? this.unused++;
    if (local >= this.slotsPerThread) {
      this.unused = this.slotsPerThread;
      return NO_SLOT;
    }
    const slot = this.thread * this.slotsPerThread + local;
    const at = this.wordOf(slot);
    const { i32, f64 } = this;
    this.startWriting(at);
    i32.fill(0, at + Word.Wish, at + Word.Doubles);
    f64.fill(0, (at + Word.Doubles) >> 1, ((at + Word.Doubles) >> 1) + Double.Count);
    i32[at + Word.Fd] = facts.fd;
    i32[at + Word.LastSeconds] = Math.floor(facts.createdMs / 1000);
    i32[at + Word.Protocol] = 2;
    i32[at + Word.Queued] = -1;
    i32[at + Word.Command] = -1;
    f64[this.doubleOf(at, Double.Id)] = facts.id;
    f64[this.doubleOf(at, Double.CreatedMs)] = facts.createdMs;
    f64[this.doubleOf(at, Double.Redirect)] = -1;
    this.writeText(at, ADDRESS_AT, facts.address, CLIENT_ADDRESS_BYTES_MAX);
    this.writeText(at, LOCAL_ADDRESS_AT, facts.localAddress, CLIENT_ADDRESS_BYTES_MAX);
    this.writeText(at, NAME_AT, '', CLIENT_NAME_BYTES_MAX);
    this.writeText(at, LIBRARY_NAME_AT, '', CLIENT_TEXT_BYTES_MAX);
    this.writeText(at, LIBRARY_VERSION_AT, '', CLIENT_TEXT_BYTES_MAX);
    this.writeText(at, USER_AT, 'default', CLIENT_USER_BYTES_MAX);
    i32[at + Word.IsOpen] = 1;
    this.endWriting(at);
    const line = this.lineOf(this.thread);
    i32[line + Line.Open] = i32[line + Line.Open]! + 1;
    this.grew(this.bytesAt(at));
    return slot;
  }

  close(slot: number): void {
    const at = this.ownWordOf(slot);
    this.grew(-this.bytesAt(at));
    this.startWriting(at);
    this.i32[at + Word.IsOpen] = 0;
    this.i32[at + Word.Wish] = 0;
    this.endWriting(at);
    const line = this.lineOf(this.thread);
    this.i32[line + Line.Open] = this.i32[line + Line.Open]! - 1;
    this.free.push(slot - this.thread * this.slotsPerThread);
  }

  /** What a turn changes; plain stores. */
  touch(
    slot: number,
    nowSeconds: number,
    commandId: number,
    database: number,
    flags: number,
    inputBytes: number,
    outputBytes: number,
    argumentBytes = 0,
  ): void {
    const { i32, f64 } = this;
    const at = this.wordOf(slot);
    const doubles = (at + Word.Doubles) >> 1;
    i32[at + Word.LastSeconds] = nowSeconds;
    i32[at + Word.Command] = commandId;
    i32[at + Word.Database] = database;
    i32[at + Word.Flags] = flags;
    const before =
      f64[doubles + Double.InputBytes]! +
      f64[doubles + Double.OutputBytes]! +
      f64[doubles + Double.ArgumentBytes]!;
    const grown = inputBytes + outputBytes + argumentBytes - before;
    f64[doubles + Double.InputBytes] = inputBytes;
    f64[doubles + Double.OutputBytes] = outputBytes;
    f64[doubles + Double.ArgumentBytes] = argumentBytes;
    if (grown !== 0) this.grew(grown);
  }

  /** The part of `touch` that a command may know by itself, in the middle of a turn. */
  note(slot: number, nowSeconds: number, commandId: number, database: number, flags: number): void {
    const { i32 } = this;
    const at = this.wordOf(slot);
    i32[at + Word.LastSeconds] = nowSeconds;
    i32[at + Word.Command] = commandId;
    i32[at + Word.Database] = database;
    i32[at + Word.Flags] = flags;
  }

  /** Sizes that only CLIENT LIST looks at, as they are now. */
  setSizes(
    slot: number,
    sizes: { inputFreeBytes: number; argumentBytes: number; outputChunks: number },
  ): void {
    const at = this.ownWordOf(slot);
    const before = this.bytesAt(at);
    this.f64[this.doubleOf(at, Double.InputFreeBytes)] = sizes.inputFreeBytes;
    this.f64[this.doubleOf(at, Double.ArgumentBytes)] = sizes.argumentBytes;
    this.i32[at + Word.OutputChunks] = sizes.outputChunks;
    this.grew(this.bytesAt(at) - before);
  }

  /** Input that is held, or the command that runs: what CLIENT LIST shows its own session of. */
  setInput(slot: number, bytes: number): void {
    const at = this.doubleOf(this.ownWordOf(slot), Double.InputBytes);
    this.grew(bytes - this.f64[at]!);
    this.f64[at] = bytes;
  }

  setProtocol(slot: number, protocol: number): void {
    this.i32[this.ownWordOf(slot) + Word.Protocol] = protocol;
  }

  setSubscriptions(slot: number, channels: number, patterns: number, shards: number): void {
    const at = this.ownWordOf(slot);
    const before = this.bytesAt(at);
    this.i32[at + Word.Subscriptions] = channels;
    this.i32[at + Word.Patterns] = patterns;
    this.i32[at + Word.Shards] = shards;
    this.grew(this.bytesAt(at) - before);
  }

  /** MULTI: commands queued (-1 outside of it), their bytes, and keys watched. */
  setTransaction(slot: number, queued: number, queuedBytes: number, watched: number): void {
    const at = this.ownWordOf(slot);
    const before = this.bytesAt(at);
    this.i32[at + Word.Queued] = queued;
    this.i32[at + Word.Watched] = watched;
    this.f64[this.doubleOf(at, Double.QueuedBytes)] = queuedBytes;
    this.grew(this.bytesAt(at) - before);
  }

  /** CLIENT TRACKING: prefixes of broadcast mode. */
  setPrefixes(slot: number, count: number): void {
    const at = this.ownWordOf(slot);
    const before = this.bytesAt(at);
    this.i32[at + Word.Prefixes] = count;
    this.grew(this.bytesAt(at) - before);
  }

  /** CLIENT TRACKING: who gets its invalidations (0 for itself), -1 when it is off. */
  setRedirect(slot: number, redirect: number): void {
    this.f64[this.doubleOf(this.ownWordOf(slot), Double.Redirect)] = redirect;
  }

  /** Texts are latin1 and fit their limits: who sets longer ones is refused before. */
  setName(slot: number, name: string): void {
    this.setText(slot, NAME_AT, name, CLIENT_NAME_BYTES_MAX);
  }

  setLibraryName(slot: number, name: string): void {
    this.setText(slot, LIBRARY_NAME_AT, name);
  }

  setLibraryVersion(slot: number, version: string): void {
    this.setText(slot, LIBRARY_VERSION_AT, version);
  }

  setUser(slot: number, user: string): void {
    this.setText(slot, USER_AT, user, CLIENT_USER_BYTES_MAX);
  }

  /** Has somebody left a wish since takeWishes? One load. */
  get hasWishes(): boolean {
    // Atomic, so that the load is not moved out of the owner's loop.
    return Atomics.load(this.i32, this.lineOf(this.thread) + Line.Wishes) !== 0;
  }

  /** Gives every wish for a connection of this thread to `grant`, once. */
  takeWishes(grant: (slot: number, id: number, wish: Wish) => void): void {
    // Taken back first: a wish left while the slots are walked raises it again.
    Atomics.store(this.i32, this.lineOf(this.thread) + Line.Wishes, 0);
    for (let local = 0; local < this.unused; local++) {
      const slot = this.thread * this.slotsPerThread + local;
      const at = this.wordOf(slot);
      if (this.i32[at + Word.Wish] === 0) continue;
      const wish = this.takeWish(at);
      const id = this.f64[this.doubleOf(at, Double.Id)]!;
      const isMeant = this.i32[at + Word.IsOpen] === 1 && wish >>> WISH_KIND_BITS === lowBits(id);
      if (isMeant) grant(slot, id, (wish & (2 ** WISH_KIND_BITS - 1)) as Wish);
    }
  }

  /** The wish in a slot. One to be closed stays there until `close`: see `isEnding`. */
  private takeWish(at: number): number {
    for (;;) {
      const wish = Atomics.load(this.i32, at + Word.Wish);
      if (wish !== 0 && wish === this.closeWishOf(at)) return wish;
      // By compare-and-swap, because the wisher may replace a wish by another at this moment.
      if (Atomics.compareExchange(this.i32, at + Word.Wish, wish, 0) === wish) return wish;
    }
  }

  // ---- everybody's side -----------------------------------------------------------------------

  /** The thread whose connection has this slot. */
  threadOf(slot: number): number {
    return Math.floor(slot / this.slotsPerThread);
  }

  /** Leaves a wish for connection `id` in `slot`; its thread must be woken. False: it is gone. */
  wish(slot: number, id: number, wish: Wish): boolean {
    return this.leave(slot, id, wish) !== Left.ToNobody;
  }

  /** As the wish to close it; true for the one thread that is the first to have it. */
  claimClosing(slot: number, id: number): boolean {
    return this.leave(slot, id, Wish.Close) === Left.Now;
  }

  private leave(slot: number, id: number, wish: Wish): Left {
    const at = this.wordOf(slot);
    const word = (lowBits(id) << WISH_KIND_BITS) | wish;
    for (;;) {
      const before = Atomics.load(this.i32, at + Word.Wish);
      const isOpen = this.i32[at + Word.IsOpen] === 1;
      if (!isOpen || this.f64[this.doubleOf(at, Double.Id)] !== id) return Left.ToNobody;
      // To be closed is more than to be woken.
      if (before === this.closeWishOf(at)) return Left.Before;
      // By compare-and-swap: two threads may wish at once, and neither wish may be lost unseen.
      if (Atomics.compareExchange(this.i32, at + Word.Wish, before, word) === before) break;
    }
    Atomics.store(this.i32, this.lineOf(this.threadOf(slot)) + Line.Wishes, 1);
    return Left.Now;
  }

  /** Open connections of all threads, or of one. */
  count(thread?: number): number {
    if (thread !== undefined) return Atomics.load(this.i32, this.lineOf(thread) + Line.Open);
    let sum = 0;
    for (let each = 0; each < this.threadCount; each++) sum += this.count(each);
    return sum;
  }

  /** What the connections of all threads take, bytes. */
  totalBytes(): number {
    let sum = 0;
    for (let each = 0; each < this.threadCount; each++) sum += this.f64[this.bytesLineOf(each)]!;
    return sum;
  }

  /**
   * Calls `visit` for each open connection that nobody has told to close, with what it takes. Cheap
   * beside views(): no texts are read.
   */
  eachSize(visit: (slot: number, id: number, bytes: number, flags: number) => void): void {
    for (let thread = 0; thread < this.threadCount; thread++) {
      let left = this.count(thread);
      const first = thread * this.slotsPerThread;
      for (let local = 0; local < this.slotsPerThread && left > 0; local++) {
        const at = this.wordOf(first + local);
        if (this.i32[at + Word.IsOpen] !== 1) continue;
        left--;
        if (this.isEnding(at)) continue;
        const id = this.f64[this.doubleOf(at, Double.Id)]!;
        visit(first + local, id, this.bytesAt(at), this.i32[at + Word.Flags]!);
      }
    }
  }

  /** The connection in a slot; null when there is none, or none but one that was told to close. */
  view(slot: number): ClientView | null {
    const at = this.wordOf(slot);
    for (let attempt = 0; attempt < READ_TRIES; attempt++) {
      const sequence = Atomics.load(this.i32, at + Word.Sequence);
      if ((sequence & 1) !== 0) continue;
      if (this.i32[at + Word.IsOpen] === 0 || this.isEnding(at)) return null;
      const view = this.read(slot, at);
      // The same number again: nobody wrote while we read.
      if (Atomics.load(this.i32, at + Word.Sequence) === sequence) return view;
    }
    return null;
  }

  /** Is connection `id` open in this slot, and not about to be closed? */
  isOpen(slot: number, id: number): boolean {
    const at = this.wordOf(slot);
    // Ids are not used again: one that is read whole while its slot is open is that connection's.
    const isSame = this.f64[this.doubleOf(at, Double.Id)] === id;
    return isSame && this.i32[at + Word.IsOpen] === 1 && !this.isEnding(at);
  }

  /** All open connections, by id. */
  views(): ClientView[] {
    const views: ClientView[] = [];
    for (let thread = 0; thread < this.threadCount; thread++) {
      let left = this.count(thread);
      const first = thread * this.slotsPerThread;
      for (let local = 0; local < this.slotsPerThread && left > 0; local++) {
        const view = this.view(first + local);
        if (view === null) continue;
        views.push(view);
        left--;
      }
    }
    return views.sort((a, b) => a.id - b.id);
  }

  /** The user as whom the session in a slot acts; one that is being set may be torn. */
  userOf(slot: number): string {
    return this.readText(this.wordOf(slot), USER_AT);
  }

  find(id: number): ClientView | null {
    return this.views().find((view) => view.id === id) ?? null;
  }

  // ---- inside ---------------------------------------------------------------------------------

  /**
   * Has somebody asked that the connection in this slot be closed? For everybody else it is gone
   * from then on, whenever its owner gets there: CLIENT KILL twice kills once.
   */
  private isEnding(at: number): boolean {
    return this.i32[at + Word.IsOpen] === 1 && this.i32[at + Word.Wish] === this.closeWishOf(at);
  }

  /** The wish to close the connection that is in the slot now. */
  private closeWishOf(at: number): number {
    const id = this.f64[this.doubleOf(at, Double.Id)]!;
    return (lowBits(id) << WISH_KIND_BITS) | Wish.Close;
  }

  private read(slot: number, at: number): ClientView {
    const { i32, f64 } = this;
    const doubles = (at + Word.Doubles) >> 1;
    return {
      slot,
      id: f64[doubles + Double.Id]!,
      address: this.readText(at, ADDRESS_AT),
      localAddress: this.readText(at, LOCAL_ADDRESS_AT),
      fd: i32[at + Word.Fd]!,
      createdMs: f64[doubles + Double.CreatedMs]!,
      name: this.readText(at, NAME_AT),
      libraryName: this.readText(at, LIBRARY_NAME_AT),
      libraryVersion: this.readText(at, LIBRARY_VERSION_AT),
      user: this.readText(at, USER_AT),
      lastSeconds: i32[at + Word.LastSeconds]! >>> 0,
      flags: i32[at + Word.Flags]!,
      database: i32[at + Word.Database]!,
      protocol: i32[at + Word.Protocol]!,
      subscriptions: i32[at + Word.Subscriptions]!,
      patternSubscriptions: i32[at + Word.Patterns]!,
      shardSubscriptions: i32[at + Word.Shards]!,
      queuedCommands: i32[at + Word.Queued]!,
      watchedKeys: i32[at + Word.Watched]!,
      commandId: i32[at + Word.Command]!,
      inputBytes: f64[doubles + Double.InputBytes]!,
      inputFreeBytes: f64[doubles + Double.InputFreeBytes]!,
      argumentBytes: f64[doubles + Double.ArgumentBytes]!,
      queuedBytes: f64[doubles + Double.QueuedBytes]!,
      outputBytes: f64[doubles + Double.OutputBytes]!,
      outputChunks: i32[at + Word.OutputChunks]!,
      totalBytes: this.bytesAt(at),
      redirect: f64[doubles + Double.Redirect]!,
    };
  }

  /** What a connection takes. */
  private bytesAt(at: number): number {
    const { i32, f64 } = this;
    const doubles = (at + Word.Doubles) >> 1;
    const names = i32[at + Word.Subscriptions]! + i32[at + Word.Patterns]! + i32[at + Word.Shards]!;
    return (
      CLIENT_BYTES +
      f64[doubles + Double.InputBytes]! +
      f64[doubles + Double.InputFreeBytes]! +
      f64[doubles + Double.ArgumentBytes]! +
      f64[doubles + Double.QueuedBytes]! +
      f64[doubles + Double.OutputBytes]! +
      i32[at + Word.Watched]! * WATCHED_KEY_BYTES +
      names * SUBSCRIPTION_BYTES +
      i32[at + Word.Prefixes]! * PREFIX_BYTES
    );
  }

  /** Own connections take `bytes` more. */
  private grew(bytes: number): void {
    const at = this.bytesLineOf(this.thread);
    this.f64[at] = this.f64[at]! + bytes;
  }

  private bytesLineOf(thread: number): number {
    return (this.lineOf(thread) + Line.Bytes) >> 1;
  }

  private lineOf(thread: number): number {
    return (Head.Bytes >> 2) + thread * Line.Words;
  }

  private wordOf(slot: number): number {
    return (this.slotsAt + slot * SLOT_BYTES) >>> 2;
  }

  private ownWordOf(slot: number): number {
    assert(this.threadOf(slot) === this.thread, 'a thread writes its own slots only');
    return this.wordOf(slot);
  }

  private doubleOf(at: number, field: Double): number {
    return ((at + Word.Doubles) >> 1) + field;
  }

  private startWriting(at: number): void {
    // Atomic stores around: no plain store moves out from between them.
    Atomics.store(this.i32, at + Word.Sequence, this.i32[at + Word.Sequence]! + 1);
  }

  private endWriting(at: number): void {
    Atomics.store(this.i32, at + Word.Sequence, this.i32[at + Word.Sequence]! + 1);
  }

  private setText(
    slot: number,
    textAt: number,
    text: string,
    bytesMax = CLIENT_TEXT_BYTES_MAX,
  ): void {
    assert(text.length <= bytesMax, 'a text fits its place in the slot');
    const at = this.ownWordOf(slot);
    this.startWriting(at);
    this.writeText(at, textAt, text, bytesMax);
    this.endWriting(at);
  }

  private writeText(at: number, textAt: number, text: string, bytesMax: number): void {
    const byteAt = at * 4 + textAt;
    const length = Math.min(text.length, bytesMax);
    this.i32[(byteAt + Text.Length) >> 2] = length;
    this.u8.write(text.slice(0, length), byteAt + Text.Bytes, 'latin1');
  }

  private readText(at: number, textAt: number): string {
    const byteAt = at * 4 + textAt;
    const length = Math.min(this.i32[(byteAt + Text.Length) >> 2]!, CLIENT_NAME_BYTES_MAX);
    const start = byteAt + Text.Bytes;
    return this.u8.toString('latin1', start, start + length);
  }
}

function lowBits(id: number): number {
  return id % (WISH_ID_MASK + 1);
}
