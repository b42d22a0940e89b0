// What SCAN, HSCAN, SSCAN and ZSCAN have in common: the cursor, the options MATCH and COUNT, and
// the reply, whose elements have to be counted before the first of them is written.

import { cursor64, parseCursor } from '../base/ascii.js';
import { matchesGlob } from '../base/glob.js';
import type { Slices } from '../base/slices.js';
import { isWord, readInteger, word } from '../dispatch/args.js';
import { INVALID_CURSOR, SYNTAX } from '../resp/errors.js';
import { GrowingEdge, Reply } from '../resp/write.js';

const STAR = 0x2a;
const COUNT_DEFAULT = 10;
/** As Redis: a sparse table costs a scan at most ten buckets for each element it was asked for. */
const STEPS_PER_COUNT = 10;
const COLLECTED_BYTES = 4096;
const COLLECTED_BYTES_KEPT = 256 * 1024;

const MATCH = word('MATCH');
const COUNT = word('COUNT');

/** Where a scan starts or goes on: the cursor in word `index`. */
export function readCursor(args: Slices, index: number): number {
  if (!parseCursor(args.u8, args.startOf(index), args.lengthOf(index))) throw INVALID_CURSOR;
  return cursor64.value;
}

/** What the running scan looks for. Reused by all scans of a thread. */
export class ScanOptions {
  /** The pattern's word, 0 where everything fits. */
  patternIndex = 0;
  /** Elements to meet before the scan stops. */
  count = COUNT_DEFAULT;

  begin(): void {
    this.patternIndex = 0;
    this.count = COUNT_DEFAULT;
  }

  /** Reads MATCH or COUNT at word `index`, with the word behind it; false for another word. */
  read(args: Slices, index: number): boolean {
    if (index + 1 >= args.count) return false;
    if (isWord(args, index, COUNT)) {
      this.count = readInteger(args, index + 1);
      if (this.count < 1) throw SYNTAX;
      return true;
    }
    if (!isWord(args, index, MATCH)) return false;
    this.readPattern(args, index + 1);
    return true;
  }

  /** Makes word `index` the pattern. */
  readPattern(args: Slices, index: number): void {
    const isAll = args.lengthOf(index) === 1 && args.u8[args.startOf(index)] === STAR;
    this.patternIndex = isAll ? 0 : index;
  }

  /** Does the pattern fit u8[start, start + length)? */
  matches(args: Slices, u8: Uint8Array, start: number, length: number): boolean {
    const { patternIndex } = this;
    if (patternIndex === 0) return true;
    return matchesGlob(
      args.u8,
      args.startOf(patternIndex),
      args.lengthOf(patternIndex),
      u8,
      start,
      length,
      false,
    );
  }

  /** Buckets that the scan may look at. */
  get stepsMax(): number {
    return this.count * STEPS_PER_COUNT;
  }
}

/** The elements that the running scan has found. */
export class Findings {
  /** Replies in `reply`. */
  count = 0;
  /** Takes the elements, one bulk string each; whoever writes one counts it. */
  readonly reply = new Reply(new Uint8Array(new ArrayBuffer(COLLECTED_BYTES)), new GrowingEdge());

  begin(): void {
    this.count = 0;
    this.reply.at = 0;
  }

  /** An element, or the first or second half of one. */
  add(u8: Uint8Array, start: number, length: number): void {
    this.reply.bulk(u8, start, length);
    this.count++;
  }

  /** Answers with the array of all elements. */
  end(target: Reply): void {
    const { reply } = this;
    target.array(this.count);
    target.raw(reply.u8.subarray(0, reply.at));
    if (reply.u8.length > COLLECTED_BYTES_KEPT) {
      reply.u8 = new Uint8Array(new ArrayBuffer(COLLECTED_BYTES));
    }
  }

  /** Answers with where to go on, 0 for nowhere, and the elements. */
  endScan(target: Reply, cursor: number): void {
    target.array(2);
    target.bulkInteger(cursor);
    this.end(target);
  }
}
