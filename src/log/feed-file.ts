// One log as the change feed reads it, while its owner writes on. What makes that safe is a number,
// the limit: every record up to it has been written before the reading began (feed.ts). So a frame
// whose first record is not above the limit stands there whole; of anything else the reader looks
// at no more than the first number, and forgets it: it may be in the making, and a write that
// failed is cut off and written anew.

import { withView } from '../base/bytes.js';
import { crc32 } from '../base/crc.js';
import type { Disk } from '../base/disk.js';
import {
  bodyBytesAt,
  FRAME_HEAD_BYTES,
  frameChecksumAt,
  frameEndAt,
  RECORD_HEAD_BYTES,
  recordBytes,
  recordDatabaseAt,
  recordNumberAt,
} from './record.js';

export const enum Stand {
  /** The reader stands on a record. */
  Record = 0,
  /** There is none up to the limit. */
  Nothing = 1,
  /** The budget is spent: there may be one. */
  Later = 2,
}

/** How many bytes may still be read in this turn; a frame that was begun is read to its end. */
export interface FeedBudget {
  bytes: number;
}

/** A log does not hold what it must: a sentence. */
export class FeedDamage extends Error {}

const BLOCK_BYTES = 64 * 1024;
/** As much of a frame as tells its length and its first number. */
const PEEK_BYTES: number = FRAME_HEAD_BYTES + RECORD_HEAD_BYTES;
const NO_BYTES = new Uint8Array(new ArrayBuffer(0));
const NO_VIEW = new DataView(NO_BYTES.buffer);

export class FeedFile {
  /** The record that the reader stands on: its commands are u8[bodyAt, bodyAt + bodyBytes). */
  u8: Uint8Array<ArrayBuffer> = NO_BYTES;
  number = 0;
  database = 0;
  bodyAt = 0;
  bodyBytes = 0;
  private readonly disk: Disk;
  private readonly fd: number;
  readonly name: string;
  private view = NO_VIEW;
  /** File offset of u8's first byte. */
  private origin: number;
  private filled = 0;
  /** The next record, and the end of its frame. */
  private at = 0;
  private frameEnd = 0;

  /** `offset` is where a frame begins in the file. */
  constructor(disk: Disk, fd: number, name: string, offset: number) {
    this.disk = disk;
    this.fd = fd;
    this.name = name;
    this.origin = offset;
  }

  /** Forgets what was not known to be whole: before each reading, for the limit has moved. */
  refresh(): void {
    const { frameEnd } = this;
    this.filled = frameEnd;
    if (this.at < frameEnd) return;
    this.origin += frameEnd;
    this.at = 0;
    this.frameEnd = 0;
    this.filled = 0;
  }

  /** A follower that waits keeps no memory. */
  rest(): void {
    this.refresh();
    if (this.filled > 0) return;
    this.u8 = NO_BYTES;
    this.view = NO_VIEW;
  }

  /** Moves to the first record with a number above `past`. */
  seek(past: number, limit: number, budget: FeedBudget): Stand {
    for (;;) {
      while (this.at < this.frameEnd) {
        if (this.look() > past) return Stand.Record;
        this.at += recordBytes(this.bodyBytes);
      }
      if (budget.bytes <= 0) return Stand.Later;
      if (!this.enterFrame(limit)) return Stand.Nothing;
      budget.bytes -= this.frameEnd - this.at;
    }
  }

  /** Reads the head of the record at `at`; returns its number. */
  private look(): number {
    const { view, at } = this;
    const left = this.frameEnd - at - RECORD_HEAD_BYTES;
    const bytes = left < 0 ? 0 : bodyBytesAt(view, at);
    if (left < 0 || bytes > left) this.fail(at);
    this.bodyAt = at + RECORD_HEAD_BYTES;
    this.bodyBytes = bytes;
    this.number = recordNumberAt(view, at);
    this.database = recordDatabaseAt(view, at);
    return this.number;
  }

  /** Goes to the frame behind this one, if its records are up to the limit. */
  private enterFrame(limit: number): boolean {
    if (!this.fill(PEEK_BYTES)) return false;
    const { view, at } = this;
    const bytes = frameEndAt(view, at) - at;
    // Zeros: the file grows before its bytes come.
    if (bytes < PEEK_BYTES) return false;
    if (recordNumberAt(view, at + FRAME_HEAD_BYTES) > limit) return false;
    if (!this.fill(bytes)) this.fail(this.at);
    const start = this.at + FRAME_HEAD_BYTES;
    const length = bytes - FRAME_HEAD_BYTES;
    if (crc32(this.u8, start, length) !== frameChecksumAt(this.view, this.at)) this.fail(this.at);
    this.at = start;
    this.frameEnd = start + length;
    return true;
  }

  /** Sees to it that `bytes` from `at` on are here; false when the file is shorter. */
  private fill(bytes: number): boolean {
    const { at } = this;
    if (this.filled - at >= bytes) return true;
    const capacity = Math.max(BLOCK_BYTES, bytes);
    if (this.u8.length < capacity || this.u8.length > 2 * capacity) {
      const grown = withView(new Uint8Array(new ArrayBuffer(capacity)));
      grown.set(this.u8.subarray(at, this.filled));
      this.u8 = grown;
      this.view = new DataView(grown.buffer);
    } else {
      this.u8.copyWithin(0, at, this.filled);
    }
    this.origin += at;
    this.filled -= at;
    this.at = 0;
    this.frameEnd = 0;
    while (this.filled < bytes) {
      const { filled } = this;
      const room = this.u8.length - filled;
      const count = this.disk.readAt(this.fd, this.u8, filled, room, this.origin + filled);
      if (count < 0) throw new FeedDamage(`${this.name} cannot be read.`);
      if (count === 0) return false;
      this.filled += count;
    }
    return true;
  }

  private fail(at: number): never {
    throw new FeedDamage(`${this.name} is damaged at offset ${this.origin + at}.`);
  }
}
