// How a thread that may be asleep learns that somebody left something for it: a message in a ring,
// a part on the board, a stop flag.
//
// A thread sleeps in one of three ways, and says so at the start:
//   epoll      in epoll_wait: an eventfd in its epoll set wakes it (native transport, Linux)
//   blocking   in Atomics.wait on the state word (acceptor without epoll, sync thread)
//   loop       in Node's own event loop: Atomics.waitAsync on the state word (gateway, tls, main)
//
//   The state word of a bell (64 bytes apart, so that no two threads share a cache line):
//
//            owner: announce                ringer: ring, one system call
//   Awake ───────────────────────▶ Asleep ───────────────────────────────▶ Rung
//     ▲                               │                                      │
//     └───────────────────────────────┴──────────── owner: silence ──────────┘
//
// Why no wake-up is lost. The owner stores Asleep and then looks at its rings; the ringer stores
// its message and then looks at the state. All four are sequentially consistent Atomics, so they
// stand in one order, and at least one of the two sees the other's store: either the owner finds
// the message and does not sleep, or the ringer finds Asleep and rings. Release and acquire alone
// would allow both to read the old value. (test/sim/doorbell.ts: take away either half and a thread
// sleeps for ever.)
//
// Why it is cheap. Only the ringer whose swap turns Asleep into Rung makes the system call; a bell
// of a thread that is awake costs one load.

import { assert } from '../base/assert.js';
import * as libc from '../base/libc.js';

const enum State {
  Awake = 0,
  Asleep = 1,
  Rung = 2,
}

const BELL_BYTES = 64;

export type SleepKind = 'epoll' | 'blocking' | 'loop';

/** All bells of a mesh; plain, so that it can be sent to a thread. */
export interface DoorbellsShape {
  readonly words: SharedArrayBuffer;
  readonly kinds: readonly SleepKind[];
  /** The eventfd of each epoll bell; -1 for the others. Descriptors are valid in all threads. */
  readonly eventfds: readonly number[];
}

/** Makes the bells of threads that sleep like this. Called once, before the threads start. */
export function createDoorbells(kinds: readonly SleepKind[]): DoorbellsShape {
  assert(kinds.length > 0, 'a mesh has threads');
  const eventfds = kinds.map((kind) => (kind === 'epoll' ? openEventfd() : -1));
  return { words: new SharedArrayBuffer(kinds.length * BELL_BYTES), kinds: [...kinds], eventfds };
}

function openEventfd(): number {
  const fd = libc.eventfd();
  if (fd < 0) throw new Error(`No eventfd for a thread's doorbell: ${libc.errnoText(fd)}`);
  return fd;
}

/** Gives the eventfds back, once all threads have ended. */
export function closeDoorbells(shape: DoorbellsShape): void {
  for (const fd of shape.eventfds) {
    if (fd >= 0) libc.close(fd);
  }
}

/** One thread's bell. Every thread may ring it; the rest is for the thread that it wakes. */
export class Doorbell {
  readonly kind: SleepKind;
  /** To be watched by the owner's epoll set (Epoll.In, level-triggered); -1 for the other kinds. */
  readonly eventfd: number;
  private readonly words: Int32Array;
  private readonly at: number;

  constructor(shape: DoorbellsShape, thread: number) {
    const kind = shape.kinds[thread];
    assert(kind !== undefined, 'a bell belongs to a thread of the mesh');
    this.kind = kind;
    this.eventfd = shape.eventfds[thread]!;
    this.words = new Int32Array(shape.words);
    this.at = (thread * BELL_BYTES) >> 2;
  }

  /** Wakes the thread if it sleeps. To be called after what it shall find has been stored. */
  ring(): void {
    // The load stands after the caller's store in the one order of Atomics; it spares a thread that
    // is awake the cache line.
    if (Atomics.load(this.words, this.at) !== State.Asleep) return;
    // Only one of several ringers wins, and makes the system call.
    const before = Atomics.compareExchange(this.words, this.at, State.Asleep, State.Rung);
    if (before !== State.Asleep) return;
    if (this.eventfd >= 0) libc.eventfdSignal(this.eventfd);
    else Atomics.notify(this.words, this.at);
  }

  /**
   * First half of going to sleep. The owner then looks once more at everything that others may have
   * left for it; if there is something it calls `silence` and goes on, otherwise it sleeps.
   */
  announce(): void {
    // Sequentially consistent: stands before the loads of that last look.
    Atomics.store(this.words, this.at, State.Asleep);
  }

  /**
   * Second half, for the kind `blocking`: sleeps until somebody rings or the time is over. Returns
   * at once if somebody rang since `announce`. (`epoll` sleeps in epollWait.)
   */
  wait(timeoutMs: number): void {
    assert(this.kind === 'blocking', 'only a blocking thread waits at its bell');
    // The comparison inside is what makes a ring between announce and here count.
    Atomics.wait(this.words, this.at, State.Asleep, timeoutMs);
  }

  /**
   * Second half, for the kind `loop`: resolves when somebody rings or the time is over. Node does
   * not count this as work: a thread with nothing else to do would end.
   */
  async waitAsync(timeoutMs: number): Promise<void> {
    assert(this.kind === 'loop', 'only a thread on the event loop waits for its bell that way');
    await Atomics.waitAsync(this.words, this.at, State.Asleep, timeoutMs).value;
  }

  /** Awake again: later rings cost nothing until the next `announce`. */
  silence(): void {
    // Sequentially consistent: the looks at rings and board that follow see all that was stored
    // before a ring that this swallows.
    Atomics.store(this.words, this.at, State.Awake);
  }

  /**
   * Epoll reported the eventfd: takes the signal. Apart from `silence`, because the signal of a
   * ring may come a moment after the owner has woken by itself, and is then reported by the next
   * wait. Only between `silence` and the next `announce`: later it could take the signal of a new
   * ring.
   */
  takeSignal(): void {
    assert(this.eventfd >= 0, 'only an epoll thread has a signal to take');
    libc.eventfdDrain(this.eventfd);
  }
}
