// Reads one log from its head to its end, record by record, in blocks: as much memory as a block,
// or as its largest frame. A frame is used once its checksum has been found right, so what comes
// out of here was written by a Flagstone, whole.
//
// Where frames end there are three cases, and recovery treats them differently:
//
//   whole    the file ends behind a frame.
//   torn     the rest of the file is no frame, and there is none in it either: the process or the
//            machine stopped while it was written. Nothing in it was acknowledged before its write
//            was complete (or synced, as appendfsync says).
//   broken   behind bytes that are no frame, more frames follow: somebody or something has changed
//            the file. What follows was acknowledged, so nobody may drop it without being asked.
//
// A machine that loses its power may have written later blocks of a file and not earlier ones: then
// frames follow behind a hole of zeros, where nothing was synced yet. Such a hole counts as torn if
// it lies near the end, where what was not synced can lie.

import { withView } from '../base/bytes.js';
import { crc32 } from '../base/crc.js';
import { FILE_HEAD_BYTES } from './file-head.js';
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

/** The bytes of a file, wherever they come from. */
export interface LogBytes {
  /** How long the file is. */
  readonly size: number;
  /** Reads up to `length` bytes from `position` into u8[at, at + length). Returns how many. */
  read(u8: Uint8Array, at: number, length: number, position: number): number;
}

export const enum Found {
  /** The reader stands on a record. */
  Record = 0,
  /** Call refill and ask again; until then the bytes of all records so far stay where they are. */
  NeedsBytes = 1,
  /** There is no further record; `ending` says why. */
  End = 2,
}

export const enum Ending {
  No = 0,
  Whole = 1,
  Torn = 2,
  Broken = 3,
}

const BLOCK_BYTES = 512 * 1024;
/** What is read first, and doubled until it is a block: many logs may be open, and short. */
const FIRST_BLOCK_BYTES = 32 * 1024;
/** A frame from here on is checked before memory is taken for it: its length may be wrong. */
const LARGE_FRAME_BYTES = 64 * 1024 * 1024;
const NO_BYTES = new Uint8Array(new ArrayBuffer(0));
const NO_VIEW = new DataView(NO_BYTES.buffer);
/** A frame begins at a multiple of this: heads, records and file head are whole words. */
const ALIGNMENT = 4;
const STAR = 0x2a;
/** As much as may be waiting for a sync: a second of a fast disk. */
const UNSYNCED_BYTES_MAX = 64 * 1024 * 1024;
/** The least that a disk writes or does not. */
const SECTOR_BYTES = 512;
/** Numbers are below 2^53; far beyond the last one there is none. */
const NUMBER_STEP_MAX = 2 ** 48;

export class LogReader {
  readonly name: string;
  /** The record that the reader stands on: its commands are u8[bodyAt, bodyAt + bodyBytes). */
  u8: Uint8Array<ArrayBuffer> = NO_BYTES;
  number = -1;
  database = 0;
  bodyAt = 0;
  bodyBytes = 0;
  ending: Ending = Ending.No;
  /** Where in the file whole frames end, once there is an ending. */
  endsAt = 0;
  /** Where the next frame begins in a broken file. */
  resumesAt = 0;
  private readonly source: LogBytes;
  private view = NO_VIEW;
  /** File offset of u8's first byte. */
  private origin = FILE_HEAD_BYTES;
  private filled = 0;
  /** The next record, and the end of its frame. */
  private at = 0;
  private frameEnd = 0;
  private blockBytes = FIRST_BLOCK_BYTES;

  constructor(name: string, source: LogBytes) {
    this.name = name;
    this.source = source;
  }

  get bytes(): number {
    return this.source.size;
  }

  /** File offset up to which it has been read. */
  get position(): number {
    return this.origin + this.at;
  }

  /** Moves to the next record. */
  advance(): Found {
    const { at } = this;
    if (at === this.frameEnd) return this.enterFrame();
    const { view } = this;
    const left = this.frameEnd - at;
    if (left < RECORD_HEAD_BYTES) return this.finish(Ending.Broken, this.position);
    const bodyBytes = bodyBytesAt(view, at);
    const number = recordNumberAt(view, at);
    // The checksum was right, so this was written wrong: never by this program.
    if (bodyBytes > left - RECORD_HEAD_BYTES || number <= this.number) {
      return this.finish(Ending.Broken, this.position);
    }
    const bytes = recordBytes(bodyBytes);
    this.number = number;
    this.database = recordDatabaseAt(view, at);
    this.bodyAt = at + RECORD_HEAD_BYTES;
    this.bodyBytes = bodyBytes;
    this.at = at + bytes;
    return Found.Record;
  }

  /** Looks at the frame at `at`, which follows the last one, and moves to its first record. */
  private enterFrame(): Found {
    if (this.ending !== Ending.No) return Found.End;
    const { at } = this;
    const left = this.source.size - this.position;
    if (left === 0) return this.finish(Ending.Whole, this.position);
    if (left < FRAME_HEAD_BYTES) return this.finish(Ending.Torn, this.position);
    if (at + FRAME_HEAD_BYTES > this.filled) return Found.NeedsBytes;
    const end = frameEndAt(this.view, at);
    const bytes = end - at;
    if (!isFrameLength(bytes - FRAME_HEAD_BYTES) || bytes > left) return this.conclude();
    if (end > this.filled) {
      if (bytes > LARGE_FRAME_BYTES && !this.isIntact(this.position, bytes)) return this.conclude();
      return Found.NeedsBytes;
    }
    const start = at + FRAME_HEAD_BYTES;
    if (crc32(this.u8, start, end - start) !== frameChecksumAt(this.view, at)) {
      return this.conclude();
    }
    this.at = start;
    this.frameEnd = end;
    return this.advance();
  }

  /** Reads on. What the reader has given out before is overwritten. */
  refill(): void {
    const { at, source } = this;
    const left = this.filled - at;
    const isHeadHere = left >= FRAME_HEAD_BYTES;
    const needed = isHeadHere ? frameEndAt(this.view, at) - at : FRAME_HEAD_BYTES;
    const capacity = Math.max(this.blockBytes, needed);
    this.blockBytes = Math.min(2 * this.blockBytes, BLOCK_BYTES);
    if (this.u8.length < capacity || this.u8.length > 2 * capacity) {
      const grown = withView(new Uint8Array(new ArrayBuffer(capacity)));
      grown.set(this.u8.subarray(at, this.filled));
      this.u8 = grown;
      this.view = new DataView(grown.buffer);
    } else {
      this.u8.copyWithin(0, at, this.filled);
    }
    this.origin += at;
    this.at = 0;
    this.frameEnd = 0;
    this.filled = left;
    const wanted = Math.min(this.u8.length, source.size - this.origin);
    while (this.filled < wanted) {
      const from = this.origin + this.filled;
      const count = source.read(this.u8, this.filled, wanted - this.filled, from);
      if (count === 0) throw new Error(`${this.name} has become shorter while it was read.`);
      this.filled += count;
    }
  }

  /** Nothing more is read, although there may be more. */
  retire(): void {
    if (this.ending === Ending.No) this.finish(Ending.Whole, this.position);
  }

  private finish(ending: Ending, endsAt: number): Found {
    this.ending = ending;
    this.endsAt = endsAt;
    this.at = 0;
    this.frameEnd = 0;
    this.filled = 0;
    this.origin = endsAt;
    this.u8 = NO_BYTES;
    this.view = NO_VIEW;
    return Found.End;
  }

  /** What stands at `position` is no frame. */
  private conclude(): Found {
    const { position } = this;
    this.resumesAt = this.findFrame(position + ALIGNMENT);
    const isTorn = this.resumesAt === -1 || this.isHole(position, this.resumesAt);
    return this.finish(isTorn ? Ending.Torn : Ending.Broken, position);
  }

  /** Was something between these two never written, so that there are zeros? */
  private isHole(from: number, to: number): boolean {
    if (this.source.size - from > UNSYNCED_BYTES_MAX) return false;
    const u8 = new Uint8Array(new ArrayBuffer(to - from));
    this.readAt(u8, u8.length, from);
    // A frame ends with the end of a line: its last word is never zero.
    if (u8.subarray(-ALIGNMENT).every((byte) => byte === 0)) return true;
    let at = Math.ceil(from / SECTOR_BYTES) * SECTOR_BYTES - from;
    for (; at + SECTOR_BYTES <= u8.length; at += SECTOR_BYTES) {
      if (u8.subarray(at, at + SECTOR_BYTES).every((byte) => byte === 0)) return true;
    }
    return false;
  }

  /** Does the frame of `bytes` at `position` in the file agree with its checksum? */
  private isIntact(position: number, bytes: number): boolean {
    const block = new Uint8Array(new ArrayBuffer(Math.min(BLOCK_BYTES, bytes)));
    this.readAt(block, FRAME_HEAD_BYTES, position);
    const expected = frameChecksumAt(new DataView(block.buffer), 0);
    let checksum = 0;
    for (let at = FRAME_HEAD_BYTES; at < bytes; at += block.length) {
      const length = Math.min(block.length, bytes - at);
      this.readAt(block, length, position + at);
      checksum = crc32(block, 0, length, checksum);
    }
    return checksum === expected;
  }

  private readAt(u8: Uint8Array, length: number, position: number): void {
    let done = 0;
    while (done < length) {
      const count = this.source.read(u8, done, length - done, position + done);
      if (count === 0) throw new Error(`${this.name} has become shorter while it was read.`);
      done += count;
    }
  }

  /**
   * The first place from `from` on where a whole frame stands, with a number above the last; −1 if
   * there is none. Nearly every place is ruled out by its first record, without a checksum.
   */
  private findFrame(from: number): number {
    const { size } = this.source;
    const least = FRAME_HEAD_BYTES + RECORD_HEAD_BYTES + 1;
    if (size - from < least) return -1;
    const block = new Uint8Array(new ArrayBuffer(Math.min(BLOCK_BYTES, size - from)));
    const view = new DataView(block.buffer);
    for (let blockAt = from; size - blockAt >= least; ) {
      const length = Math.min(BLOCK_BYTES, size - blockAt);
      this.readAt(block, length, blockAt);
      let at = 0;
      for (; at + least <= length; at += ALIGNMENT) {
        const bytes = frameEndAt(view, at) - at;
        if (!isFrameLength(bytes - FRAME_HEAD_BYTES) || bytes > size - blockAt - at) continue;
        if (!this.mayBeRecord(block, view, at + FRAME_HEAD_BYTES, bytes)) continue;
        if (this.isIntact(blockAt + at, bytes)) return blockAt + at;
      }
      blockAt += at;
    }
    return -1;
  }

  private mayBeRecord(u8: Uint8Array, view: DataView, at: number, frameBytes: number): boolean {
    if (u8[at + RECORD_HEAD_BYTES] !== STAR) return false;
    const bytes = bodyBytesAt(view, at);
    if (bytes === 0 || FRAME_HEAD_BYTES + recordBytes(bytes) > frameBytes) return false;
    const step = recordNumberAt(view, at) - this.number;
    return step > 0 && step < NUMBER_STEP_MAX;
  }
}

/** Zeros are no frame, although their checksum would be right: files grow by zeros. */
function isFrameLength(bytes: number): boolean {
  return bytes > RECORD_HEAD_BYTES && bytes % ALIGNMENT === 0;
}
