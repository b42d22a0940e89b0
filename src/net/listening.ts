// Where the native transport listens, in words that all threads share: CONFIG SET port and bind
// open and silence sockets in the thread that was asked, so that it can say at once whether it
// worked; the acceptor takes the new ones over and closes the old ones, which it may still look at.
//
//   ┌─────────┬───────────────────────┬───────────────────────┬─ …
//   │ version │ slot 0: state │ fd    │ slot 1: state │ fd    │
//   └─────────┴───────────────────────┴───────────────────────┴─ …
//   free ──open──▶ listens ──silence──▶ leaves ──the acceptor closes──▶ free
//
// One thread at a time changes slots: whoever holds the lock of the configuration. Only the
// acceptor frees them. Loads and stores are sequentially consistent, for the version tells of the
// slots that were written before it.

import { assert } from '../base/assert.js';
import { close, isIpv6Host, listen, localName, ShutdownSide, shutdown } from '../base/libc.js';
import { hostOf, type Listener, type ListenPlan, openListener } from './listen.js';

const enum Word {
  Version = 0,
  Slots = 1,
}

const enum Slot {
  State = 0,
  Fd = 1,
  Words = 2,
}

const enum State {
  Free = 0,
  Listens = 1,
  ListensForTls = 2,
  Leaves = 3,
}

/** Sixteen addresses, twice, as they are and as they were. */
const SLOTS = 64;

export function createListening(): SharedArrayBuffer {
  return new SharedArrayBuffer((Word.Slots + SLOTS * Slot.Words) * 4);
}

export class ListeningSockets {
  private readonly words: Int32Array;

  constructor(buffer: SharedArrayBuffer) {
    this.words = new Int32Array(buffer);
  }

  get version(): number {
    return Atomics.load(this.words, Word.Version);
  }

  /** Sockets that the start has opened. */
  add(listeners: readonly Listener[]): void {
    for (const { fd, isUnix, isTls } of listeners) if (!isUnix) this.put(fd, isTls);
    Atomics.add(this.words, Word.Version, 1);
  }

  /**
   * Listens as the plans say and nowhere else. Throws where that cannot be, and then listens where
   * it did before.
   */
  change(plans: readonly ListenPlan[], backlog: number, warn: (line: string) => void): void {
    const wanted = new Map(plans.flatMap((plan) => entriesOf(plan)));
    const leaving: number[] = [];
    for (let slot = 0; slot < SLOTS; slot++) {
      if (!this.isListening(slot)) continue;
      const name = nameOf(this.stateOf(slot) === State.ListensForTls, localName(this.fdOf(slot)));
      if (!wanted.delete(name)) leaving.push(slot);
    }
    if (this.freeCount() < wanted.size) {
      throw new Error(
        'Too many changes of port and bind at once: the acceptor is behind, try again',
      );
    }
    // First: an address may be part of one that is wanted.
    for (const slot of leaving) shutdown(this.fdOf(slot), ShutdownSide.Both);
    const opened: Listener[] = [];
    try {
      for (const { entry, plan } of wanted.values()) {
        const listener = openListener(entry, plan, warn);
        if (listener !== null) opened.push(listener);
      }
    } catch (error) {
      for (const { fd } of opened) close(fd);
      for (const slot of leaving) listen(this.fdOf(slot), backlog);
      throw error;
    }
    for (const slot of leaving) this.setState(slot, State.Leaves);
    this.add(opened);
  }

  /** For the acceptor: closes what leaves, and returns what listens. */
  adopt(): Listener[] {
    const listeners: Listener[] = [];
    for (let slot = 0; slot < SLOTS; slot++) {
      const fd = this.fdOf(slot);
      if (this.stateOf(slot) === State.Leaves) {
        close(fd);
        this.setState(slot, State.Free);
      } else if (this.isListening(slot)) {
        const isTls = this.stateOf(slot) === State.ListensForTls;
        listeners.push({ fd, isUnix: false, isTls, name: localName(fd) });
      }
    }
    return listeners;
  }

  private put(fd: number, isTls: boolean): void {
    for (let slot = 0; slot < SLOTS; slot++) {
      if (this.stateOf(slot) !== State.Free) continue;
      Atomics.store(this.words, at(slot) + Slot.Fd, fd);
      this.setState(slot, isTls ? State.ListensForTls : State.Listens);
      return;
    }
    assert(false, 'there is a slot for every address that may be bound');
  }

  private freeCount(): number {
    let count = 0;
    for (let slot = 0; slot < SLOTS; slot++) if (this.stateOf(slot) === State.Free) count++;
    return count;
  }

  private isListening(slot: number): boolean {
    const state = this.stateOf(slot);
    return state === State.Listens || state === State.ListensForTls;
  }

  private stateOf(slot: number): number {
    return Atomics.load(this.words, at(slot) + Slot.State);
  }

  private setState(slot: number, state: State): void {
    Atomics.store(this.words, at(slot) + Slot.State, state);
  }

  private fdOf(slot: number): number {
    return Atomics.load(this.words, at(slot) + Slot.Fd);
  }
}

function at(slot: number): number {
  return Word.Slots + slot * Slot.Words;
}

interface Wanted {
  readonly entry: string;
  readonly plan: ListenPlan;
}

function entriesOf(plan: ListenPlan): [name: string, wanted: Wanted][] {
  if (plan.port === 0) return [];
  return plan.bind.map((entry) => {
    const host = hostOf(entry);
    const shown = isIpv6Host(host) ? `[${host}]` : host;
    return [nameOf(plan.isTls === true, `${shown}:${plan.port}`), { entry, plan }];
  });
}

function nameOf(isTls: boolean, address: string): string {
  return `${isTls ? 'tls' : 'tcp'} ${address}`;
}
