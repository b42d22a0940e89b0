// io_uring through libc: requests are written into memory that the kernel shares, and one system
// call hands over all of them, waits, and brings the results of what is done. A socket that is
// received from says so once; its input then lands in buffers of the pool, one result for each.
//
//   submissions   │ done │ written since the last call │ free …   (head is the kernel's, tail ours)
//   completions   │ read │ new results                 │ free …   (head is ours, tail the kernel's)
//   pool          │ id 0 │ id 1 │ … │   given to the kernel in turns, as they are given back
//
// The kernel works on a ring only within this thread's own calls (SINGLE_ISSUER, DEFER_TASKRUN), so
// plain loads and stores of the shared words are enough.
//
// Source of the layouts: io_uring_setup(2), io_uring_enter(2), linux/io_uring.h. It needs
// Linux 6.1, and containers often forbid it: whoever opens a ring has another way.

import { assert, fail } from './assert.js';
import { addressOf, close, Errno } from './libc.js';
import { calls, loadCalls } from './libc-calls.js';

const SYSCALL_SETUP = 425;
const SYSCALL_ENTER = 426;
const SYSCALL_REGISTER = 427;
const REGISTER_POOL = 22;

const enum SetupFlag {
  CompletionSize = 1 << 3,
  /** One bad request does not keep those behind it. */
  SubmitAll = 1 << 7,
  SingleIssuer = 1 << 12,
  DeferTaskRun = 1 << 13,
}

const enum Feature {
  NoDrop = 1 << 1,
  TimeoutArgument = 1 << 8,
  SkipSuccess = 1 << 11,
  NoIoWait = 1 << 17,
}
const FEATURES_NEEDED = Feature.NoDrop | Feature.TimeoutArgument | Feature.SkipSuccess;

const enum EnterFlag {
  GetEvents = 1,
  TimeoutArgument = 1 << 3,
  /** A thread that waits for clients does not wait for a disk. */
  NoIoWait = 1 << 7,
}

const enum Operation {
  Poll = 6,
  Cancel = 14,
  Send = 26,
  Receive = 27,
}

const enum EntryFlag {
  FromPool = 1 << 5,
  SkipSuccess = 1 << 6,
}

const POLL_MANY = 1;
const RECEIVE_MANY = 1 << 1;

/** The lower word of a tag that no request has: of a cancelling that came too late. */
const NOBODY = -1;

/** A bit of the submissions' flags: results wait in the kernel, because there was no room. */
const RESULTS_OVERFLOW = 1 << 1;

/** MSG_DONTWAIT, MSG_WAITALL, MSG_NOSIGNAL: done at once as a whole, or told how far it came. */
const SEND_FLAGS = 0x40 | 0x100 | 0x4000;

/** Bits of a result's flags. */
export const enum Completion {
  /** A buffer of the pool holds the input: its id stands in the upper half. */
  HasBuffer = 1,
  /** The request goes on. */
  More = 2,
}

/** What a result says when the pool was empty, and of a request that was cancelled. */
export const NO_BUFFERS = -105;
export const CANCELLED = -125;

/** Words of struct io_uring_params. */
const enum Param {
  SubmissionEntries = 0,
  CompletionEntries = 1,
  Flags = 2,
  Features = 5,
  SubmissionOffsets = 10,
  CompletionOffsets = 20,
  Words = 30,
}

/** Words of struct io_uring_sqe. */
const enum Entry {
  Kind = 0,
  Fd = 1,
  Address = 4,
  Length = 6,
  Detail = 7,
  TagLow = 8,
  TagHigh = 9,
  Words = 16,
}

/** The address of a time, and the time: 64 bits each. */
const enum Waiting {
  Time = 4,
  Seconds = 6,
  Nanoseconds = 8,
  Words = 10,
}

const ENTRY_BYTES = Entry.Words * 4;
const COMPLETION_WORDS = 4;
const ENTRIES_OFFSET = 0x10000000;
const POOL_ENTRY_BYTES = 16;
const PAGE_BYTES = 4096;
const SUBMIT_TRIES_MAX = 1000;
const TIMER_EXPIRED = 62;

export interface RingPlan {
  /** Requests that may be written before they are handed over; a power of two. */
  readonly entries: number;
  /** Results that wait without the kernel having to allocate; a power of two. */
  readonly completions: number;
  /** Buffers of the pool, a power of two, and the bytes of each. */
  readonly poolCount: number;
  readonly poolBytes: number;
}

export class Ring {
  private readonly fd: number;
  private readonly shared: Int32Array;
  private readonly entries: Int32Array;
  private readonly submissionHead: number;
  private readonly submissionTail: number;
  private readonly submissionMask: number;
  private readonly submissionFlags: number;
  private readonly completionHead: number;
  private readonly completionTail: number;
  private readonly completionMask: number;
  private readonly completionsAt: number;
  private readonly enterFlags: number;
  /** Requests written so far, and results read. */
  private tail = 0;
  private head = 0;
  /** Words of struct io_uring_getevents_arg, and behind it of struct __kernel_timespec. */
  private readonly waiting = new Int32Array(new ArrayBuffer(Waiting.Words * 4));
  private readonly waitingAddress: number;
  private readonly timeAddress: number;
  /** The pool: buffer `id` begins at id × poolBytes. */
  readonly pool: Uint8Array<ArrayBuffer>;
  readonly poolBytes: number;
  private readonly poolAddress: number;
  private readonly poolRing: DataView;
  private readonly poolMask: number;
  private poolTail = 0;
  /** The result that `next` has read. */
  tagLow = 0;
  tagHigh = 0;
  result = 0;
  flags = 0;

  /** A ring, or -errno where the system has none that is good enough. */
  static open(plan: RingPlan, pool: Uint8Array<ArrayBuffer>): Ring | number {
    const params = new Int32Array(new ArrayBuffer(Param.Words * 4));
    params[Param.Flags] =
      SetupFlag.CompletionSize |
      SetupFlag.SubmitAll |
      SetupFlag.SingleIssuer |
      SetupFlag.DeferTaskRun;
    params[Param.CompletionEntries] = plan.completions;
    const libc = calls ?? loadCalls();
    const fd = libc.ringSetup(SYSCALL_SETUP, plan.entries, addressOf(params));
    if (fd < 0) return -libc.errno();
    if ((params[Param.Features]! & FEATURES_NEEDED) !== FEATURES_NEEDED) {
      close(fd);
      return -Errno.Invalid;
    }
    const submissions = params[Param.SubmissionOffsets + 6]! + plan.entries * 4;
    const completions =
      params[Param.CompletionOffsets + 5]! + plan.completions * COMPLETION_WORDS * 4;
    const bytes = Math.max(submissions, completions);
    const shared = libc.mapShared(fd, bytes, 0);
    const entries = libc.mapShared(fd, plan.entries * ENTRY_BYTES, ENTRIES_OFFSET);
    if (shared === null || entries === null) {
      close(fd);
      return -Errno.NoMemory;
    }
    const ring = new Ring(fd, params, shared, entries, plan, pool);
    const registered = ring.registerPool(plan.poolCount);
    if (registered >= 0) return ring;
    close(fd);
    return registered;
  }

  private constructor(
    fd: number,
    params: Int32Array,
    shared: ArrayBuffer,
    entries: ArrayBuffer,
    plan: RingPlan,
    pool: Uint8Array<ArrayBuffer>,
  ) {
    assert(pool.length === plan.poolCount * plan.poolBytes, 'the pool holds its buffers');
    const submissionWord = (index: number) => params[Param.SubmissionOffsets + index]! >> 2;
    const completionWord = (index: number) => params[Param.CompletionOffsets + index]! >> 2;
    this.fd = fd;
    this.shared = new Int32Array(shared, 0, shared.byteLength >> 2);
    this.entries = new Int32Array(entries);
    this.submissionHead = submissionWord(0);
    this.submissionTail = submissionWord(1);
    this.submissionMask = this.shared[submissionWord(2)]!;
    this.submissionFlags = submissionWord(4);
    this.completionHead = completionWord(0);
    this.completionTail = completionWord(1);
    this.completionMask = this.shared[completionWord(2)]!;
    this.completionsAt = completionWord(5);
    // Requests stand in the order of their entries, always.
    const order = submissionWord(6);
    for (let index = 0; index <= this.submissionMask; index++) this.shared[order + index] = index;
    const hasNoIoWait = (params[Param.Features]! & Feature.NoIoWait) !== 0;
    this.enterFlags =
      EnterFlag.GetEvents | EnterFlag.TimeoutArgument | (hasNoIoWait ? EnterFlag.NoIoWait : 0);
    this.waitingAddress = addressOf(this.waiting);
    this.timeAddress = this.waitingAddress + Waiting.Seconds * 4;
    this.pool = pool;
    this.poolBytes = plan.poolBytes;
    this.poolAddress = addressOf(pool);
    this.poolMask = plan.poolCount - 1;
    const memory = new ArrayBuffer(plan.poolCount * POOL_ENTRY_BYTES + PAGE_BYTES);
    const start = (PAGE_BYTES - (addressOf(new Uint8Array(memory)) % PAGE_BYTES)) % PAGE_BYTES;
    this.poolRing = new DataView(memory, start, plan.poolCount * POOL_ENTRY_BYTES);
  }

  /** struct io_uring_buf_reg: the address of the pool's ring, its entries, its group (0). */
  private registerPool(count: number): number {
    const words = new BigUint64Array(new ArrayBuffer(40));
    words[0] = BigInt(addressOf(new Uint8Array(this.poolRing.buffer)) + this.poolRing.byteOffset);
    words[1] = BigInt(count);
    const libc = calls ?? loadCalls();
    const address = addressOf(new Uint8Array(words.buffer));
    const result = libc.ringRegister(SYSCALL_REGISTER, this.fd, REGISTER_POOL, address, 1);
    if (result < 0) return -libc.errno();
    for (let id = 0; id < count; id++) this.giveBack(id);
    return 0;
  }

  // ---- requests: each has a tag of two words that its results carry -----------------------------

  /** Whatever comes on the socket, until its end or an empty pool. */
  receiveMany(fd: number, tagLow: number, tagHigh: number): void {
    const kind = Operation.Receive | (EntryFlag.FromPool << 8) | (RECEIVE_MANY << 16);
    this.write(kind, fd, 0, 0, 0, tagLow, tagHigh);
  }

  /**
   * Sends without waiting, while it is handed over: a result comes only if less than all was taken.
   * The bytes must stand until then.
   */
  send(fd: number, address: number, bytes: number, tagLow: number, tagHigh: number): void {
    const kind = Operation.Send | (EntryFlag.SkipSuccess << 8);
    this.write(kind, fd, address, bytes, SEND_FLAGS, tagLow, tagHigh);
  }

  /** Tells once of the events (bits as of epoll). */
  pollOnce(fd: number, events: number, tagLow: number, tagHigh: number): void {
    this.write(Operation.Poll, fd, 0, 0, events, tagLow, tagHigh);
  }

  /** Tells again and again. */
  pollMany(fd: number, events: number, tagLow: number, tagHigh: number): void {
    this.write(Operation.Poll, fd, 0, POLL_MANY, events, tagLow, tagHigh);
  }

  /** Ends the request with that tag, which says so itself; for the cancelling nothing is said. */
  cancel(tagLow: number, tagHigh: number): void {
    const kind = Operation.Cancel | (EntryFlag.SkipSuccess << 8);
    this.write(kind, -1, 0, 0, 0, NOBODY, 0);
    // No number holds such a tag.
    const at = ((this.tail - 1) & this.submissionMask) * Entry.Words;
    this.entries[at + Entry.Address] = tagLow;
    this.entries[at + Entry.Address + 1] = tagHigh;
  }

  private write(
    kind: number,
    fd: number,
    address: number,
    length: number,
    detail: number,
    tagLow: number,
    tagHigh: number,
  ): void {
    if (this.unsubmitted > this.submissionMask) this.submit();
    const { entries } = this;
    const at = (this.tail & this.submissionMask) * Entry.Words;
    entries[at + Entry.Kind] = kind;
    entries[at + Entry.Fd] = fd;
    // Stores of a number take it modulo 2^32.
    entries[at + Entry.Address] = address;
    entries[at + Entry.Address + 1] = address / 0x100000000;
    entries[at + Entry.Length] = length;
    entries[at + Entry.Detail] = detail;
    entries[at + Entry.TagLow] = tagLow;
    entries[at + Entry.TagHigh] = tagHigh;
    this.tail = (this.tail + 1) | 0;
  }

  /** Requests that the kernel does not know yet. */
  get unsubmitted(): number {
    return (this.tail - this.shared[this.submissionHead]!) | 0;
  }

  /** Hands over what was written, and waits for nothing. */
  submit(): void {
    const libc = calls ?? loadCalls();
    this.shared[this.submissionTail] = this.tail;
    for (let tries = 0; tries < SUBMIT_TRIES_MAX; tries++) {
      const count = this.unsubmitted;
      if (count === 0) return;
      const result = libc.ringEnter(SYSCALL_ENTER, this.fd, count, 0, 0, 0, 0);
      if (result < 0) this.checkErrno(libc.errno());
    }
    fail('the kernel takes no requests');
  }

  /** Hands over what was written, and waits up to `timeoutMs` for a result; −1: for ever. */
  wait(timeoutMs: number): void {
    const libc = calls ?? loadCalls();
    this.shared[this.submissionTail] = this.tail;
    const { waiting } = this;
    const time = timeoutMs > 0 ? this.timeAddress : 0;
    waiting[Waiting.Time] = time;
    waiting[Waiting.Time + 1] = time / 0x100000000;
    waiting[Waiting.Seconds] = timeoutMs / 1000;
    waiting[Waiting.Nanoseconds] = (timeoutMs % 1000) * 1_000_000;
    const result = libc.ringEnter(
      SYSCALL_ENTER,
      this.fd,
      this.unsubmitted,
      timeoutMs === 0 ? 0 : 1,
      this.enterFlags,
      this.waitingAddress,
      Waiting.Seconds * 4,
    );
    if (result < 0) this.checkErrno(libc.errno());
    // Without memory for a request the kernel stops before it.
    if (this.unsubmitted !== 0) this.submit();
  }

  private checkErrno(errno: number): void {
    const isPassing =
      errno === Errno.Interrupted ||
      errno === Errno.Again ||
      errno === Errno.Busy ||
      errno === TIMER_EXPIRED;
    assert(isPassing, `io_uring_enter failed: errno ${errno}`);
  }

  // ---- results ----------------------------------------------------------------------------------

  /** Reads the next result into tagLow, tagHigh, result and flags; false if there is none. */
  next(): boolean {
    const { shared, head } = this;
    if (head === shared[this.completionTail] && !this.fetchOverflow()) return false;
    const at = this.completionsAt + (head & this.completionMask) * COMPLETION_WORDS;
    this.tagLow = shared[at]!;
    this.tagHigh = shared[at + 1]!;
    this.result = shared[at + 2]!;
    this.flags = shared[at + 3]!;
    this.head = (head + 1) | 0;
    shared[this.completionHead] = this.head;
    return true;
  }

  /** All results are read: brings those that found no room; false if there are none. */
  private fetchOverflow(): boolean {
    const { shared } = this;
    if ((shared[this.submissionFlags]! & RESULTS_OVERFLOW) === 0) return false;
    const libc = calls ?? loadCalls();
    const result = libc.ringEnter(SYSCALL_ENTER, this.fd, 0, 0, EnterFlag.GetEvents, 0, 0);
    if (result < 0) this.checkErrno(libc.errno());
    return this.head !== shared[this.completionTail];
  }

  /** Buffer `id` of the pool has been read. */
  giveBack(id: number): void {
    assert(id >= 0 && id <= this.poolMask, 'the pool has such a buffer');
    const { poolRing } = this;
    const at = (this.poolTail & this.poolMask) * POOL_ENTRY_BYTES;
    const address = this.poolAddress + id * this.poolBytes;
    poolRing.setUint32(at, address, true);
    poolRing.setUint32(at + 4, address / 0x100000000, true);
    poolRing.setUint32(at + 8, this.poolBytes, true);
    poolRing.setUint16(at + 12, id, true);
    this.poolTail = (this.poolTail + 1) & 0xffff;
    // The tail stands in the first entry, in a field that no entry uses.
    poolRing.setUint16(14, this.poolTail, true);
  }

  end(): void {
    close(this.fd);
  }
}

/** Can this process have a ring? 0, or -errno. */
export function probeRing(): number {
  const plan: RingPlan = { entries: 1, completions: 2, poolCount: 1, poolBytes: PAGE_BYTES };
  const ring = Ring.open(plan, new Uint8Array(new ArrayBuffer(PAGE_BYTES)));
  if (typeof ring === 'number') return ring;
  ring.end();
  return 0;
}
