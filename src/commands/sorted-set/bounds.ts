// Which members a command means: from one rank to another, from one score to another, or from one
// name to another. All become ranks: a range of ranks is counted, walked and removed alike.

import { parseDouble } from '../../base/float-text.js';
import type { Slices } from '../../base/slices.js';
import { readInteger } from '../../dispatch/args.js';
import { Refusal } from '../../resp/errors.js';
import type { SortedSet } from '../../types/sorted-set/index.js';

const NOT_FLOATS = new Refusal('ERR min or max is not a float');
const NOT_NAMES = new Refusal('ERR min or max not valid string range item');

export const enum By {
  Rank = 0,
  Score = 1,
  Name = 2,
}

const OPEN = 0x28;
const CLOSED = 0x5b;
const PLUS = 0x2b;
const MINUS = 0x2d;
const SPACE = 0x20;
const TAB = 0x09;
const CARRIAGE_RETURN = 0x0d;

/** One end of a range of scores or names. */
class Bound {
  score = Number.NaN;
  /** Is the bound itself outside? */
  isOpen = false;
  /** Of names: before all (-1), behind all (1), or at the name (0) at `start`. */
  side = 0;
  start = 0;
  length = 0;

  readScore(args: Slices, index: number): void {
    const { u8 } = args;
    let start = args.startOf(index);
    let length = args.lengthOf(index);
    this.isOpen = length > 0 && u8[start] === OPEN;
    if (this.isOpen) {
      start++;
      length--;
    }
    const score = parseDouble(u8, start, length);
    this.score = Number.isNaN(score) ? readScoreSlowly(u8, start, length) : score;
  }

  readName(args: Slices, index: number): void {
    const { u8 } = args;
    const start = args.startOf(index);
    const length = args.lengthOf(index);
    const first = length === 0 ? 0 : u8[start];
    const isAlone = length === 1 || u8[start + 1] === 0;
    this.side = 0;
    if (first === OPEN || first === CLOSED) {
      this.isOpen = first === OPEN;
      this.start = start + 1;
      this.length = length - 1;
    } else if (first === PLUS && isAlone) {
      this.side = 1;
    } else if (first === MINUS && isAlone) {
      this.side = -1;
    } else {
      throw NOT_NAMES;
    }
  }
}

const DECIMAL = /^[ \t-\r]*([+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)$/i;

/** What strtod takes and a score may not be: nothing, spaces before it, too large, too small. */
function readScoreSlowly(u8: Uint8Array, start: number, length: number): number {
  let end = start;
  // A text ends at its first NUL there.
  while (end < start + length && u8[end] !== 0) end++;
  if (end === start) return 0;
  let at = start;
  while (at < end && (u8[at] === SPACE || (u8[at]! >= TAB && u8[at]! <= CARRIAGE_RETURN))) at++;
  const score = parseDouble(u8, at, end - at);
  if (!Number.isNaN(score)) return score;
  const match = DECIMAL.exec(Buffer.from(u8.slice(at, end)).toString('latin1'));
  if (match === null) throw NOT_FLOATS;
  return Number(match[1]);
}

/** The range that the running command asks for. */
export class Range {
  by: By = By.Rank;
  /** Once resolved: the first rank in the range and the one behind the last. */
  from = 0;
  end = 0;
  private first = 0;
  private last = 0;
  private readonly min = new Bound();
  private readonly max = new Bound();

  /** Reads the ends from their words. */
  read(args: Slices, by: By, minIndex: number, maxIndex: number): void {
    this.by = by;
    if (by === By.Rank) {
      this.first = readInteger(args, minIndex);
      this.last = readInteger(args, maxIndex);
    } else if (by === By.Score) {
      this.min.readScore(args, minIndex);
      this.max.readScore(args, maxIndex);
    } else {
      this.min.readName(args, minIndex);
      this.max.readName(args, maxIndex);
    }
  }

  /** Finds the ranks; `u8` is where the words lie. Returns how many there are. */
  resolve(set: SortedSet, u8: Uint8Array): number {
    const { min, max } = this;
    if (this.by === By.Rank) this.resolveRanks(set.length);
    else if (this.by === By.Score) {
      this.from = set.rankOfScore(min.score, min.isOpen);
      this.end = set.rankOfScore(max.score, !max.isOpen);
    } else {
      const { length } = set;
      if (min.side !== 0) this.from = min.side < 0 ? 0 : length;
      else this.from = set.rankOfName(u8, min.start, min.length, min.isOpen);
      if (max.side !== 0) this.end = max.side < 0 ? 0 : length;
      else this.end = set.rankOfName(u8, max.start, max.length, !max.isOpen);
    }
    if (this.end < this.from) this.end = this.from;
    return this.end - this.from;
  }

  private resolveRanks(length: number): void {
    const { first, last } = this;
    this.from = Math.min(length, first < 0 ? Math.max(0, length + first) : first);
    this.end = Math.min(length, (last < 0 ? length + last : last) + 1);
  }

  /** Turns a range of ranks counted from the end into one counted from the beginning. */
  turn(length: number): void {
    const { from } = this;
    this.from = length - this.end;
    this.end = length - from;
  }

  /** Keeps `limit` (all, when negative) behind the first `offset`, seen from the other end too. */
  cut(offset: number, limit: number, isReversed: boolean): void {
    const count = this.end - this.from;
    if (offset < 0 || offset >= count) {
      this.end = this.from;
      return;
    }
    const kept = limit < 0 ? count - offset : Math.min(limit, count - offset);
    if (isReversed) {
      this.end -= offset;
      this.from = this.end - kept;
    } else {
      this.from += offset;
      this.end = this.from + kept;
    }
  }
}
