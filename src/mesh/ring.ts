// A byte ring between exactly two threads: one pushes messages, the other drains them.
//
//    0       4            64            128     192
//   ┌───────┬────────────┬─────────────┬───────┬─────────────────────────────────────────────┐
//   │ tail  │ … unused … │ head        │ wants │ capacity bytes of messages, a power of two  │
//   └───────┴────────────┴─────────────┴───────┴─────────────────────────────────────────────┘
//    pusher's line        drainer's line both
//
//   A message. It never wraps: a skip message fills the end of the ring where one does not fit.
//    0          4        6        8                        8 + length, rounded up to 8
//   ┌──────────┬────────┬────────┬──────────────────────┬─────────┐
//   │ length   │ kind   │ flags  │ payload              │ padding │
//   └──────────┴────────┴────────┴──────────────────────┴─────────┘
//    u32, of    u16      u16      the first fragment of a long message begins with its total
//    payload                      length (u32) and four unused bytes
//
// Who writes what, and what orders it
// - The pusher alone writes the tail and the bytes from tail to head + capacity. It stores the tail
//   after the bytes, so a drainer that sees the new tail sees the whole message.
// - The drainer alone writes the head. It stores the head after it has read the bytes, so a pusher
//   that sees the new head may overwrite them.
// - Tail and head count bytes, wrap at 2^32 and are multiples of 8. Each side keeps its last view
//   of the other's: it may be stale, and then shows less room or fewer messages than there are.
// - "Wants room" is set by a pusher that found the ring full, and taken back by the drainer, who
//   then rings the pusher's doorbell. The pusher looks at the head again after it has set the flag,
//   the drainer at the flag after it has stored the head: one of the two sees the other's store.
//   Before it sleeps, the pusher looks whether its flag still stands: a drainer that was about to
//   look at the flag anyway may take it, and ring a bell that is not yet asleep. (test/sim/ring.ts)

import { assert } from '../base/assert.js';

const enum Header {
  Tail = 0,
  Head = 64,
  Wants = 128,
  Bytes = 192,
}

const enum Message {
  Length = 0,
  Kind = 4,
  Flags = 6,
  Payload = 8,
}

const enum Flag {
  Skip = 1,
  Fragment = 2,
  First = 4, // of the fragments: its payload begins with the total length
  More = 8, // further fragments follow
}

const TOTAL_BYTES = 8;
const ALIGNMENT = 8;
const CAPACITY_MIN = 1024;
const CAPACITY_MAX = 1 << 30;

/** The longest message that fragments may carry: a gigabyte, twice what one argument may have. */
export const MESSAGE_BYTES_MAX = 1 << 30;

/** The bytes that a ring of `capacity` occupies in shared memory. */
export function ringBytes(capacity: number): number {
  assertCapacity(capacity);
  return Header.Bytes + capacity;
}

/** Borrows u8[start, start + length) until it returns, and neither pushes nor drains this ring. */
export type DrainMessage = (kind: number, u8: Uint8Array, start: number, length: number) => void;

function assertCapacity(capacity: number): void {
  const isPowerOfTwo = (capacity & (capacity - 1)) === 0;
  assert(
    isPowerOfTwo && capacity >= CAPACITY_MIN && capacity <= CAPACITY_MAX,
    'the capacity of a ring is a power of two between 1 KiB and 1 GiB',
  );
}

function rounded(length: number): number {
  return Message.Payload + ((length + ALIGNMENT - 1) & -ALIGNMENT);
}

/** The pushing side. One thread has it. */
export class RingWriter {
  /** Views of the whole shared memory, for what `reserve` returned. */
  readonly u8: Uint8Array;
  readonly i32: Int32Array;
  /** The longest payload that is sent whole; longer ones go as fragments. */
  readonly wholeBytesMax: number;
  private readonly u16: Uint16Array;
  private readonly capacity: number;
  private readonly base: number;
  private readonly tailIndex: number;
  private readonly headIndex: number;
  private readonly wantsIndex: number;
  private tail: number;
  private headSeen: number;
  /** Bytes that commit will publish: of a skip, if one was needed, and of the message. */
  private reserved = 0;

  constructor(memory: SharedArrayBuffer, start: number, capacity: number) {
    assertCapacity(capacity);
    assert(start % 64 === 0, 'a ring begins at a cache line');
    this.u8 = new Uint8Array(memory);
    this.i32 = new Int32Array(memory);
    this.u16 = new Uint16Array(memory);
    this.capacity = capacity;
    // Half the ring, so that a skip to its end and the message behind it always fit an empty ring.
    this.wholeBytesMax = (capacity >> 1) - Message.Payload;
    this.base = start + Header.Bytes;
    this.tailIndex = (start + Header.Tail) >> 2;
    this.headIndex = (start + Header.Head) >> 2;
    this.wantsIndex = (start + Header.Wants) >> 2;
    this.tail = Atomics.load(this.i32, this.tailIndex);
    this.headSeen = Atomics.load(this.i32, this.headIndex);
  }

  /** Pushes a whole message; false, and nothing done, while the ring has no room for it. */
  tryPush(kind: number, u8: Uint8Array, start: number, length: number): boolean {
    const at = this.reserve(kind, length);
    if (at < 0) return false;
    copyBytes(u8, start, length, this.u8, at);
    this.commit();
    return true;
  }

  /**
   * Where to write a payload of `length` bytes (a multiple of 8 into u8; its quarter into i32), or
   * -1 while there is no room. `commit` sends it.
   */
  reserve(kind: number, length: number): number {
    return this.reserveFlagged(kind, length, 0);
  }

  private reserveFlagged(kind: number, length: number, flags: number): number {
    assert(this.reserved === 0, 'one message at a time is reserved');
    assert(length >= 0 && length <= this.wholeBytesMax, 'a message this long goes as fragments');
    const bytes = rounded(length);
    let offset = this.tail & (this.capacity - 1);
    const toEnd = this.capacity - offset;
    const skip = bytes > toEnd ? toEnd : 0;
    if (!this.hasRoom(skip + bytes)) return -1;

    if (skip > 0) {
      this.writeHeader(this.base + offset, 0, skip - Message.Payload, Flag.Skip);
      offset = 0;
    }
    this.writeHeader(this.base + offset, kind, length, flags);
    this.reserved = skip + bytes;
    return this.base + offset + Message.Payload;
  }

  private hasRoom(bytes: number): boolean {
    if (this.capacity - ((this.tail - this.headSeen) | 0) >= bytes) return true;
    // Acquire: the drainer has read everything before the head, so it may be overwritten.
    this.headSeen = Atomics.load(this.i32, this.headIndex);
    return this.capacity - ((this.tail - this.headSeen) | 0) >= bytes;
  }

  /** How much of the ring is free, of what pushers may use. */
  get freeBytes(): number {
    // Acquire, as above.
    this.headSeen = Atomics.load(this.i32, this.headIndex);
    return this.capacity - ((this.tail - this.headSeen) | 0);
  }

  private writeHeader(at: number, kind: number, length: number, flags: number): void {
    this.i32[(at + Message.Length) >> 2] = length;
    this.u16[(at + Message.Kind) >> 1] = kind;
    this.u16[(at + Message.Flags) >> 1] = flags;
  }

  /** Sends what `reserve` made room for. */
  commit(): void {
    assert(this.reserved > 0, 'a message is reserved before it is sent');
    this.tail = (this.tail + this.reserved) | 0;
    this.reserved = 0;
    // Release: the bytes come before the tail that shows them. Sequentially consistent, because the
    // doorbell asks "is it asleep?" after this store.
    Atomics.store(this.i32, this.tailIndex, this.tail);
  }

  /**
   * Pushes what fits of a message of `total` bytes of which `sent` were pushed before; u8[start, …)
   * holds the rest. Returns how many bytes have been sent now: `total` when all have. Nothing else
   * may be pushed in between.
   */
  pushFragments(kind: number, total: number, sent: number, u8: Uint8Array, start: number): number {
    assert(total > 0 && total <= MESSAGE_BYTES_MAX, 'a fragmented message has 1 byte to 1 GiB');
    // A quarter of the ring: the drainer frees one while the pusher fills the next.
    const pieceMax = this.capacity >> 2;
    let at = start;
    while (sent < total) {
      const lead = sent === 0 ? TOTAL_BYTES : 0;
      const bytes = Math.min(total - sent, pieceMax - lead);
      const place = (lead > 0 ? Flag.First : 0) | (sent + bytes < total ? Flag.More : 0);
      const payload = this.reserveFlagged(kind, lead + bytes, Flag.Fragment | place);
      if (payload < 0) return sent;
      if (lead > 0) this.i32[payload >> 2] = total;
      copyBytes(u8, at, bytes, this.u8, payload + lead);
      this.commit();
      at += bytes;
      sent += bytes;
    }
    return sent;
  }

  /**
   * Asks the drainer to ring when there is room again. False if some came free meanwhile: push
   * again instead of waiting.
   */
  wantRoom(): boolean {
    // Store, then load, both sequentially consistent: see the top.
    Atomics.store(this.i32, this.wantsIndex, 1);
    const head = Atomics.load(this.i32, this.headIndex);
    if (head === this.headSeen) return true;
    this.headSeen = head;
    return false;
  }

  /**
   * Does the wish for room still stand, so that the drainer will ring? If not, it may have rung
   * while this thread still counted as awake: push again instead of sleeping.
   */
  willBeRung(): boolean {
    // Sequentially consistent: asked after the thread has announced that it goes to sleep. The
    // drainer takes the wish first and looks at the bell then.
    return Atomics.load(this.i32, this.wantsIndex) === 1;
  }
}

/** Copies without creating a view: messages are short, and long ones come in pieces. */
function copyBytes(
  source: Uint8Array,
  start: number,
  length: number,
  target: Uint8Array,
  at: number,
): void {
  if (length > 64) {
    target.set(source.subarray(start, start + length), at);
    return;
  }
  for (let index = 0; index < length; index++) target[at + index] = source[start + index]!;
}

/** The draining side. One thread has it. */
export class RingReader {
  private readonly u8: Uint8Array;
  private readonly i32: Int32Array;
  private readonly u16: Uint16Array;
  private readonly capacity: number;
  private readonly base: number;
  private readonly tailIndex: number;
  private readonly headIndex: number;
  private readonly wantsIndex: number;
  private head: number;
  private isDraining = false;
  /** A long message of which some fragments have come; null between messages. */
  private assembly: Uint8Array | null = null;
  private assembledBytes = 0;

  constructor(memory: SharedArrayBuffer, start: number, capacity: number) {
    assertCapacity(capacity);
    assert(start % 64 === 0, 'a ring begins at a cache line');
    this.u8 = new Uint8Array(memory);
    this.i32 = new Int32Array(memory);
    this.u16 = new Uint16Array(memory);
    this.capacity = capacity;
    this.base = start + Header.Bytes;
    this.tailIndex = (start + Header.Tail) >> 2;
    this.headIndex = (start + Header.Head) >> 2;
    this.wantsIndex = (start + Header.Wants) >> 2;
    this.head = Atomics.load(this.i32, this.headIndex);
  }

  isEmpty(): boolean {
    // Sequentially consistent: a thread asks this after it has announced that it goes to sleep.
    return Atomics.load(this.i32, this.tailIndex) === this.head;
  }

  /** Hands over the messages that are there now, and returns how many; later ones wait. */
  drain(take: DrainMessage): number {
    // Acquire: all bytes before this tail are written.
    const tail = Atomics.load(this.i32, this.tailIndex);
    if (tail === this.head) return 0;
    assert(!this.isDraining, 'a ring is not drained from within its own drain');
    this.isDraining = true;
    let count = 0;
    let published = this.head;
    while (this.head !== tail) {
      if (this.takeOne(take)) count++;
      // Room is given back in steps: each store takes the cache line from the pusher.
      if (((this.head - published) | 0) >= this.capacity >> 2) {
        published = this.head;
        // Release: the bytes have been read before the head lets them go.
        Atomics.store(this.i32, this.headIndex, published);
      }
    }
    // Release, as above. Sequentially consistent, because takeWish loads the wish after it.
    if (published !== this.head) Atomics.store(this.i32, this.headIndex, this.head);
    this.isDraining = false;
    return count;
  }

  /** Does the pusher wait for room? Asked after drain; the answer takes the wish back. */
  takeWish(): boolean {
    // A load first: the swap would pull the line each time. Whoever set it after this load looked
    // at the head after that, and saw the room.
    if (Atomics.load(this.i32, this.wantsIndex) === 0) return false;
    return Atomics.exchange(this.i32, this.wantsIndex, 0) === 1;
  }

  /** Takes one message off; true if it was handed over (no skip, no fragment but the last). */
  private takeOne(take: DrainMessage): boolean {
    const at = this.base + (this.head & (this.capacity - 1));
    const length = this.i32[(at + Message.Length) >> 2]!;
    const kind = this.u16[(at + Message.Kind) >> 1]!;
    const flags = this.u16[(at + Message.Flags) >> 1]!;
    const bytes = rounded(length);
    assert(length >= 0 && bytes <= this.capacity, 'a message is shorter than its ring');
    const payload = at + Message.Payload;
    let isHandedOver = false;
    if (flags === 0) {
      assert(this.assembly === null, 'no message stands between fragments');
      take(kind, this.u8, payload, length);
      isHandedOver = true;
    } else if (flags !== Flag.Skip) {
      isHandedOver = this.takeFragment(take, kind, payload, length, flags);
    }
    this.head = (this.head + bytes) | 0;
    return isHandedOver;
  }

  private takeFragment(
    take: DrainMessage,
    kind: number,
    payload: number,
    length: number,
    flags: number,
  ): boolean {
    const lead = (flags & Flag.First) !== 0 ? TOTAL_BYTES : 0;
    if (lead > 0) {
      const total = this.i32[payload >> 2]!;
      assert(total > 0 && total <= MESSAGE_BYTES_MAX, 'a fragmented message has 1 byte to 1 GiB');
      assert(this.assembly === null, 'a fragmented message ends before the next begins');
      this.assembly = new Uint8Array(total);
      this.assembledBytes = 0;
    }
    const assembly = this.assembly;
    assert(assembly !== null, 'a fragment follows the first of its message');
    const bytes = length - lead;
    assert(this.assembledBytes + bytes <= assembly.length, 'fragments fit their message');
    copyBytes(this.u8, payload + lead, bytes, assembly, this.assembledBytes);
    this.assembledBytes += bytes;
    if ((flags & Flag.More) !== 0) return false;

    assert(this.assembledBytes === assembly.length, 'fragments fill their message');
    this.assembly = null;
    take(kind, assembly, 0, assembly.length);
    return true;
  }
}
