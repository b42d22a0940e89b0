// The part board: where a thread that runs a large multi-key command offers parts of it to the
// owners of the partitions. It is apart from the rings, because a thread that waits for a lock
// serves parts and must touch no other message.
//
//   per owner, 64 bytes:                    then its slots, 64 bytes each:
//   ┌─────────┬────────────┐                ┌───────┬─────────────┬──────┬───────┬──────┬──────┐
//   │ offered │ … unused … │                │ state │ coordinator │ kind │ first │ mask │ mask │
//   └─────────┴────────────┘                ├───────┼─────────────┼──────┼───────┼──────┼──────┘
//    a hint: parts to claim                 │ argAt │ argBytes    │ resAt│ resMax│ result bytes
//                                           └───────┴─────────────┴──────┴───────┴───────────────
//   The state of a slot:
//
//          coordinator        coordinator            owner or coordinator             claimer
//     Free ───────────▶ Filling ──────────▶ Posted ─────────────────────▶ Claimed ───────────▶ Done
//      ▲                                                                     │                  ▲ │
//      │                                        the coordinator goes to sleep└─▶ Awaited ───────┘ │
//      └──────────────────────────────── coordinator: endRound ───────────────────────────────────┘
//
// Who writes what, and what orders it
// - Every arrow is a compare-and-swap or an exchange, sequentially consistent. Only one thread wins
//   Free → Filling and Posted → Claimed, so a part is run exactly once.
// - The descriptor is written while Filling and read after the claim; the result is written while
//   Claimed and read after Done. A claimer reads nothing of a slot that it has not claimed: it may
//   be another command's by then.
// - The slot after Done is the coordinator's until endRound. Coordinators never wait for a slot: if
//   the owner's are all in use, they run the part themselves.
// - A claimed part is bounded, takes no lock and waits for nothing, so waiting for it is short. The
//   coordinator claims what nobody has claimed: a busy owner delays nobody.
//
// Arguments and results lie in the coordinator's scratch memory, which all threads see.

import { assert } from '../base/assert.js';

const enum Slot {
  State = 0,
  Coordinator = State + 1,
  Kind = Coordinator + 1,
  First = Kind + 1,
  MaskLow = First + 1,
  MaskHigh = MaskLow + 1,
  ArgAt = MaskHigh + 1,
  ArgBytes = ArgAt + 1,
  ResultAt = ArgBytes + 1,
  ResultBytesMax = ResultAt + 1,
  ResultBytes = ResultBytesMax + 1,
  Words = 16,
}

const enum Owner {
  Offered = 0,
  Words = 16,
}

const enum State {
  Free = 0,
  Filling = 1,
  Posted = 2,
  Claimed = 3,
  Awaited = 4, // claimed, and the coordinator sleeps until it is done
  Done = 5,
}

const SLOTS_PER_OWNER = 16;
const SLOTS_PER_OWNER_MAX = 1024;
const SCRATCH_BYTES = 1024 * 1024;
const SCRATCH_ALIGNMENT = 64; // results of two parts never share a cache line

// A part is bounded to about 100 µs, a sleep with its wake-up costs 20 to 50: this looks a few
// microseconds first, for the parts that are nearly done.
const SPINS = 1000;
const SLEEP_MS = 1; // the wake-up comes by notify; this only bounds what a fault could cost

/** Index of the first word of a slot; NONE is no slot. */
export type SlotRef = number & { readonly __brand: 'part slot' };
/** The owner has no free slot: the caller runs that part itself. */
export const NO_SLOT = 0 as SlotRef;

/** Everything a thread needs to use the board; plain, so that it can be sent to one. */
export interface BoardShape {
  readonly threadCount: number;
  readonly slotsPerOwner: number;
  readonly slots: SharedArrayBuffer;
  /** The memory for arguments and results of each coordinator. */
  readonly scratches: readonly SharedArrayBuffer[];
}

export interface BoardOptions {
  readonly threadCount: number;
  readonly slotsPerOwner?: number;
  readonly scratchBytes?: number;
}

/** Allocates the board. Called once, before the threads start. */
export function createBoard(options: BoardOptions): BoardShape {
  const { threadCount } = options;
  const slotsPerOwner = options.slotsPerOwner ?? SLOTS_PER_OWNER;
  const scratchBytes = options.scratchBytes ?? SCRATCH_BYTES;
  assert(threadCount > 0, 'a board has threads');
  assert(slotsPerOwner > 0 && slotsPerOwner <= SLOTS_PER_OWNER_MAX, 'an owner has 1 to 1024 slots');
  assert(
    scratchBytes > 0 && scratchBytes % SCRATCH_ALIGNMENT === 0,
    'scratch memory is whole cache lines',
  );
  const wordsPerOwner = Owner.Words + slotsPerOwner * Slot.Words;
  return {
    threadCount,
    slotsPerOwner,
    slots: new SharedArrayBuffer(threadCount * wordsPerOwner * 4),
    scratches: Array.from({ length: threadCount }, () => new SharedArrayBuffer(scratchBytes)),
  };
}

/** The memory of one coordinator, seen from any thread. */
export interface Scratch {
  readonly u8: Uint8Array;
  readonly i32: Int32Array;
  readonly f64: Float64Array;
}

/** What to do: filled by the coordinator before `post`. */
export interface PartOrder {
  /** What the part is; a number of the floors above. */
  kind: number;
  /** The first partition, or whatever the kind makes of it. */
  first: number;
  /** Which partitions from `first` on, one bit each. */
  maskLow: number;
  maskHigh: number;
  argAt: number;
  argBytes: number;
  resultAt: number;
  resultBytesMax: number;
}

/** The part that is being run. Borrowed: one object per thread, valid until runPart returns. */
export class Part implements PartOrder {
  kind = 0;
  first = 0;
  maskLow = 0;
  maskHigh = 0;
  argAt = 0;
  argBytes = 0;
  resultAt = 0;
  resultBytesMax = 0;
  coordinator = 0;
  /** The coordinator's memory, in which arguments and result lie. */
  scratch: Scratch;

  constructor(scratch: Scratch) {
    this.scratch = scratch;
  }
}

/**
 * Runs a part and returns the bytes of its result. It takes no lock, waits for nothing, touches no
 * session and nothing that belongs to this thread alone, and ends within about 100 µs.
 */
export type RunPart = (part: Part) => number;

export class Board {
  readonly self: number;
  /** This thread's own scratch memory; places in it come from `allocate`. */
  readonly scratch: Scratch;
  private readonly words: Int32Array;
  private readonly threadCount: number;
  private readonly slotsPerOwner: number;
  private readonly scratches: readonly Scratch[];
  private readonly wake: (owner: number) => void;
  private readonly part: Part;
  private isRunning = false;
  private scratchUsed = 0;
  /** Slots of this round, in the order in which they were posted. */
  private readonly round: Int32Array;
  private roundCount = 0;

  /** `wake` rings the doorbell of an owner; it is called under locks, so it never waits. */
  constructor(shape: BoardShape, self: number, wake: (owner: number) => void) {
    assert(self >= 0 && self < shape.threadCount, 'a thread of the board has a number on it');
    this.self = self;
    this.words = new Int32Array(shape.slots);
    this.threadCount = shape.threadCount;
    this.slotsPerOwner = shape.slotsPerOwner;
    this.scratches = shape.scratches.map((memory) => ({
      u8: new Uint8Array(memory),
      i32: new Int32Array(memory),
      f64: new Float64Array(memory),
    }));
    this.scratch = this.scratches[self]!;
    this.wake = wake;
    this.part = new Part(this.scratch);
    this.round = new Int32Array(shape.threadCount * shape.slotsPerOwner);
  }

  // ---- the coordinator ------------------------------------------------------------------------

  /** A place of `bytes` in this thread's scratch memory, valid until endRound; -1 if it is full. */
  allocate(bytes: number): number {
    assert(bytes >= 0, 'a place in scratch memory has a size');
    const at = this.scratchUsed;
    const end = at + Math.ceil(bytes / SCRATCH_ALIGNMENT) * SCRATCH_ALIGNMENT;
    if (end > this.scratch.u8.length) return -1;
    this.scratchUsed = end;
    return at;
  }

  /**
   * Offers a part to `owner` and wakes it. The caller holds the locks of the partitions involved.
   * With NO_SLOT nothing was posted: the caller runs that part itself.
   */
  post(owner: number, order: PartOrder): SlotRef {
    assert(owner >= 0 && owner < this.threadCount, 'a part is offered to a thread of the board');
    const { u8 } = this.scratch;
    assert(
      order.argAt >= 0 && order.argAt + order.argBytes <= u8.length,
      'arguments are in scratch',
    );
    assert(
      order.resultAt >= 0 && order.resultAt + order.resultBytesMax <= u8.length,
      'a result is in scratch',
    );
    const slot = this.findFree(owner);
    if (slot === NO_SLOT) return NO_SLOT;
    const { words } = this;
    words[slot + Slot.Coordinator] = this.self;
    words[slot + Slot.Kind] = order.kind;
    words[slot + Slot.First] = order.first;
    words[slot + Slot.MaskLow] = order.maskLow;
    words[slot + Slot.MaskHigh] = order.maskHigh;
    words[slot + Slot.ArgAt] = order.argAt;
    words[slot + Slot.ArgBytes] = order.argBytes;
    words[slot + Slot.ResultAt] = order.resultAt;
    words[slot + Slot.ResultBytesMax] = order.resultBytesMax;
    words[slot + Slot.ResultBytes] = 0;
    this.round[this.roundCount++] = slot;
    // The hint first: whoever sees the part then never counts it below zero.
    Atomics.add(words, this.ownerAt(owner) + Owner.Offered, 1);
    // Release: the descriptor and the arguments come before the state that offers them.
    // Sequentially consistent, because the doorbell asks "is it asleep?" after it.
    Atomics.store(words, slot + Slot.State, State.Posted);
    if (owner !== this.self) this.wake(owner);
    return slot;
  }

  private findFree(owner: number): SlotRef {
    const first = this.ownerAt(owner) + Owner.Words;
    for (let index = 0; index < this.slotsPerOwner; index++) {
      const slot = first + index * Slot.Words;
      // A look first, because most slots of a busy owner are taken.
      if (Atomics.load(this.words, slot + Slot.State) !== State.Free) continue;
      // Acquire: one of several coordinators gets the slot.
      if (this.swap(slot, State.Free, State.Filling)) return slot as SlotRef;
    }
    return NO_SLOT;
  }

  /** Takes back a part of this round, to run it here. False if its owner has claimed it. */
  claimOwn(slot: SlotRef): boolean {
    assert(this.words[slot + Slot.Coordinator] === this.self, 'a part is taken back by its poster');
    return this.claim(slot);
  }

  /** Runs the parts of this round that nobody has claimed, then waits for the others. */
  awaitAll(runPart: RunPart): void {
    // Backwards: an owner serves its slots forwards.
    for (let index = this.roundCount - 1; index >= 0; index--) {
      const slot = this.round[index]! as SlotRef;
      if (this.claimOwn(slot)) this.run(slot, runPart);
    }
    for (let index = 0; index < this.roundCount; index++) {
      this.awaitDone(this.round[index]! as SlotRef);
    }
  }

  private awaitDone(slot: SlotRef): void {
    const at = slot + Slot.State;
    for (let spins = 0; spins < SPINS; spins++) {
      // Acquire: the result was written before Done.
      if (Atomics.load(this.words, at) === State.Done) return;
    }
    // Announced by a swap, so that the claimer either sees it when it finishes, and notifies, or
    // has finished already, and the swap fails.
    this.swap(slot, State.Claimed, State.Awaited);
    while (Atomics.load(this.words, at) !== State.Done) {
      Atomics.wait(this.words, at, State.Awaited, SLEEP_MS);
    }
  }

  /** How many bytes of result a part of this round has, once awaitAll has returned. */
  resultBytesOf(slot: SlotRef): number {
    assert(
      Atomics.load(this.words, slot + Slot.State) === State.Done,
      'a result is read when done',
    );
    return this.words[slot + Slot.ResultBytes]!;
  }

  /** Gives back the slots and the scratch memory of this round. */
  endRound(): void {
    for (let index = 0; index < this.roundCount; index++) {
      const at = this.round[index]! + Slot.State;
      // Release: the result has been read before the next coordinator takes the slot.
      const before = Atomics.exchange(this.words, at, State.Free);
      assert(before === State.Done, 'a round ends when its parts are done');
    }
    this.roundCount = 0;
    this.scratchUsed = 0;
  }

  // ---- the owner ------------------------------------------------------------------------------

  /** May there be parts for this thread? One load; asked every turn, and before going to sleep. */
  hasOffers(): boolean {
    // Sequentially consistent: a thread asks this after it has announced that it goes to sleep.
    return Atomics.load(this.words, this.ownerAt(this.self) + Owner.Offered) > 0;
  }

  /** Claims and runs parts offered to this thread, at most `limit`; returns how many. */
  serve(runPart: RunPart, limit: number): number {
    // A part never serves parts: it ends soon.
    if (this.isRunning || !this.hasOffers()) return 0;
    let count = 0;
    const first = this.ownerAt(this.self) + Owner.Words;
    for (let index = 0; index < this.slotsPerOwner && count < limit; index++) {
      const slot = (first + index * Slot.Words) as SlotRef;
      // A look first: it leaves the cache line of slots in other states where it is.
      if (Atomics.load(this.words, slot + Slot.State) !== State.Posted) continue;
      if (!this.claim(slot)) continue;
      this.run(slot, runPart);
      count++;
    }
    return count;
  }

  // ---- both -----------------------------------------------------------------------------------

  private claim(slot: SlotRef): boolean {
    // Acquire: the descriptor was written before Posted. One of owner and coordinator wins.
    if (!this.swap(slot, State.Posted, State.Claimed)) return false;
    Atomics.sub(this.words, this.offeredAtOf(slot), 1);
    return true;
  }

  private run(slot: SlotRef, runPart: RunPart): void {
    assert(!this.isRunning, 'a part runs no other part');
    this.isRunning = true;
    const { words, part } = this;
    part.coordinator = words[slot + Slot.Coordinator]!;
    part.kind = words[slot + Slot.Kind]!;
    part.first = words[slot + Slot.First]!;
    part.maskLow = words[slot + Slot.MaskLow]!;
    part.maskHigh = words[slot + Slot.MaskHigh]!;
    part.argAt = words[slot + Slot.ArgAt]!;
    part.argBytes = words[slot + Slot.ArgBytes]!;
    part.resultAt = words[slot + Slot.ResultAt]!;
    part.resultBytesMax = words[slot + Slot.ResultBytesMax]!;
    part.scratch = this.scratches[part.coordinator]!;
    const resultBytes = runPart(part);
    // If runPart throws, the slot stays claimed: a failed part ends the process, it is not
    // repeated.
    this.isRunning = false;
    this.finish(slot, resultBytes);
  }

  /** The part's result is written. Only its claimer says so. */
  private finish(slot: SlotRef, resultBytes: number): void {
    const { words } = this;
    assert(
      resultBytes >= 0 && resultBytes <= words[slot + Slot.ResultBytesMax]!,
      'a result fits the place that was made for it',
    );
    words[slot + Slot.ResultBytes] = resultBytes;
    // Release: the result comes before Done. The old state tells whether the coordinator sleeps.
    const before = Atomics.exchange(words, slot + Slot.State, State.Done);
    assert(before === State.Claimed || before === State.Awaited, 'a part is finished once');
    if (before === State.Awaited) Atomics.notify(words, slot + Slot.State);
  }

  private swap(slot: number, from: State, to: State): boolean {
    return Atomics.compareExchange(this.words, slot + Slot.State, from, to) === from;
  }

  private ownerAt(owner: number): number {
    return owner * (Owner.Words + this.slotsPerOwner * Slot.Words);
  }

  /** The hint of the owner whose slot this is. */
  private offeredAtOf(slot: SlotRef): number {
    const wordsPerOwner = Owner.Words + this.slotsPerOwner * Slot.Words;
    return slot - (slot % wordsPerOwner) + Owner.Offered;
  }
}

assert(Slot.ResultBytes < Slot.Words, 'a part fits its cache line');
