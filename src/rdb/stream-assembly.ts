// Makes the record of a stream from its pieces (stream-pieces.ts). What is pending is written once
// for its group and once for its consumer, whose share waits until the group's is complete.

import { assert } from '../base/assert.js';
import { GROUPS_SECTION } from '../types/stream/pending-first.js';
import type { Assembly } from './assembly.js';
import { writeLength, writeWide } from './length.js';
import { ByteSink } from './sink.js';
import type { Spill } from './spill.js';
import { PENDING_BYTES, WORD_BYTES } from './stream-pieces.js';
import { ID_BYTES } from './stream-write.js';

/** What the consumers of one group may have in memory together; more waits on the disk. */
const MEMORY_BYTES_MAX = 4 * 1024 * 1024;
const COPY_BYTES = 64 * 1024;
/** A buffer begins small: there may be very many consumers. */
const SHARE_BYTES = 64;

/** Places in a record of what is pending. */
const enum Pending {
  Time = ID_BYTES,
  Deliveries = Time + 8,
  Consumer = Deliveries + 8,
}

/** What is pending for one consumer, until its turn comes. */
class Share {
  readonly ids = new ByteSink(null, SHARE_BYTES);
  /** Places and lengths in the spill. */
  readonly parts: number[] = [];

  constructor(readonly head: Uint8Array) {}
}

export class StreamAssembly implements Assembly {
  /** What the piece about groups says, and where in it is the next thing to write. */
  private groups: Uint8Array = new Uint8Array(0);
  private groupsLeft = 0;
  private at = 0;
  private producers: Uint8Array = new Uint8Array(0);
  /** Of the running group, in the order in which they are written; and by their refs. */
  private shares: Share[] = [];
  private readonly byRef = new Map<number, Share>();
  private heldBytes = 0;
  /** The section of the running group; that of blocks and of groups before the first. */
  private section = GROUPS_SECTION;
  /** Has a group begun whose consumers are not written yet? */
  private isOpen = false;

  constructor(
    head: Uint8Array,
    private readonly sink: ByteSink,
    private readonly spill: Spill,
  ) {
    sink.bytes(head, 0, head.length);
  }

  take(section: number, u8: Uint8Array, start: number, length: number): void {
    if (section < GROUPS_SECTION) {
      writeLength(this.sink, ID_BYTES);
      this.sink.bytes(u8, start, length);
    } else if (section === GROUPS_SECTION) {
      this.beginGroups(u8.slice(start, start + length));
    } else {
      for (; this.section < section; this.section++) this.nextGroup(true);
      for (let at = start; at < start + length; at += PENDING_BYTES) this.takePending(u8, at);
    }
  }

  end(): void {
    while (this.groupsLeft > 0) this.nextGroup(false);
    this.endShares();
    this.sink.bytes(this.producers, 0, this.producers.length);
  }

  private word(): number {
    const { groups, at } = this;
    this.at += WORD_BYTES;
    return groups[at]! | (groups[at + 1]! << 8) | (groups[at + 2]! << 16) | (groups[at + 3]! << 24);
  }

  private part(): Uint8Array {
    const length = this.word();
    const start = this.at;
    this.at += length;
    return this.groups.subarray(start, this.at);
  }

  private beginGroups(groups: Uint8Array): void {
    this.groups = groups;
    this.at = ID_BYTES;
    const marks = this.part();
    this.sink.bytes(marks, 0, marks.length);
    this.producers = this.part();
    this.groupsLeft = this.word();
  }

  /** Ends the running group and begins the next, or with `hasPending` the next that has any. */
  private nextGroup(hasPending: boolean): void {
    for (;;) {
      this.endShares();
      assert(this.groupsLeft-- > 0, 'what is pending belongs to a group of the cut');
      const head = this.part();
      this.sink.bytes(head, 0, head.length);
      const isPending = this.word() === 1;
      for (let left = this.word(); left > 0; left--) {
        const ref = this.word();
        const share = new Share(this.part());
        this.shares.push(share);
        this.byRef.set(ref, share);
      }
      this.isOpen = true;
      if (isPending || !hasPending) return;
    }
  }

  private takePending(u8: Uint8Array, at: number): void {
    const { sink } = this;
    const view = new DataView(u8.buffer, u8.byteOffset + at, PENDING_BYTES);
    sink.bytes(u8, at, Pending.Deliveries);
    const high = view.getInt32(Pending.Deliveries + WORD_BYTES, true);
    writeWide(sink, view.getInt32(Pending.Deliveries, true), high);
    const share = this.byRef.get(view.getInt32(Pending.Consumer, true));
    assert(share !== undefined, 'what is pending is so for a consumer of the cut');
    share.ids.bytes(u8, at, ID_BYTES);
    this.heldBytes += ID_BYTES;
    if (this.heldBytes > MEMORY_BYTES_MAX) this.spillShares();
  }

  private spillShares(): void {
    for (const { ids, parts } of this.shares) {
      if (ids.at === 0) continue;
      parts.push(this.spill.write(ids.u8, ids.at), ids.at);
      ids.reset();
    }
    this.heldBytes = 0;
  }

  /** Writes the consumers of the running group, if there is one. */
  private endShares(): void {
    const { sink, shares } = this;
    if (!this.isOpen) return;
    this.isOpen = false;
    writeLength(sink, shares.length);
    for (const { head, ids, parts } of shares) {
      sink.bytes(head, 0, head.length);
      for (let part = 0; part < parts.length; part += 2) {
        this.copy(parts[part]!, parts[part + 1]!);
      }
      sink.bytes(ids.u8, 0, ids.at);
    }
    this.shares = [];
    this.byRef.clear();
    this.heldBytes = 0;
  }

  private copy(start: number, length: number): void {
    const scratch = new Uint8Array(new ArrayBuffer(COPY_BYTES));
    for (let done = 0; done < length; ) {
      const bytes = Math.min(COPY_BYTES, length - done);
      this.spill.read(scratch, bytes, start + done);
      this.sink.bytes(scratch, 0, bytes);
      done += bytes;
    }
  }
}
