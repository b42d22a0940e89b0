// The options that SET, GETEX and MSETEX share, and what times and conditions among them mean.
// Redis checks all words for syntax before it looks at any value, and so do the readers here. A
// word may be given twice; the last one counts.

import {
  bigIntOfSlowly,
  int64,
  int64FromBigIntSlowly,
  parseSafeInteger,
} from '../../base/ascii.js';
import type { Slices } from '../../base/slices.js';
import { isWord, readInt64, word } from '../../dispatch/args.js';
import { Refusal, SYNTAX } from '../../resp/errors.js';

export const enum Option {
  Nx = 1 << 0,
  Xx = 1 << 1,
  Get = 1 << 2,
  KeepTtl = 1 << 3,
  Persist = 1 << 4,
  Ex = 1 << 5,
  Px = 1 << 6,
  ExAt = 1 << 7,
  PxAt = 1 << 8,
  IfEq = 1 << 9,
  IfNe = 1 << 10,
  IfDeq = 1 << 11,
  IfDne = 1 << 12,
  /** Times: one of them at most. */
  Times = Ex | Px | ExAt | PxAt,
  Conditions = IfEq | IfNe | IfDeq | IfDne,
  WithValue = Times | Conditions,
}

const NX = word('NX');
const XX = word('XX');
const GET = word('GET');
const KEEPTTL = word('KEEPTTL');
const PERSIST = word('PERSIST');
const EX = word('EX');
const PX = word('PX');
const EXAT = word('EXAT');
const PXAT = word('PXAT');
const IFEQ = word('IFEQ');
const IFNE = word('IFNE');
const IFDEQ = word('IFDEQ');
const IFDNE = word('IFDNE');

/** Where the last readOptions found the values of options: word indexes, 0 for none. */
export const found = { timeAt: 0, conditionAt: 0 };

/** The options from word `first` on, all of them in `allowed`; their values' places in `found`. */
export function readOptions(args: Slices, first: number, allowed: number): number {
  let options = 0;
  found.timeAt = 0;
  found.conditionAt = 0;
  for (let index = first; index < args.count; index++) {
    const option = optionAt(args, index);
    if ((option & allowed) === 0 || (options & opponentsOf(option)) !== 0) throw SYNTAX;
    options |= option;
    if ((option & Option.WithValue) !== 0) {
      if (++index === args.count) throw SYNTAX;
      if ((option & Option.Times) !== 0) found.timeAt = index;
      else found.conditionAt = index;
    }
  }
  return options;
}

/** The option that a word names, 0 for none. */
function optionAt(args: Slices, index: number): number {
  switch (args.lengthOf(index)) {
    case 2:
      if (isWord(args, index, EX)) return Option.Ex;
      if (isWord(args, index, PX)) return Option.Px;
      if (isWord(args, index, NX)) return Option.Nx;
      return isWord(args, index, XX) ? Option.Xx : 0;
    case 3:
      return isWord(args, index, GET) ? Option.Get : 0;
    case 7:
      if (isWord(args, index, KEEPTTL)) return Option.KeepTtl;
      return isWord(args, index, PERSIST) ? Option.Persist : 0;
    default:
      return timeOptionAt(args, index) | conditionAt(args, index);
  }
}

/** EX, PX, EXAT or PXAT, 0 for another word. */
export function timeOptionAt(args: Slices, index: number): number {
  if (isWord(args, index, EX)) return Option.Ex;
  if (isWord(args, index, PX)) return Option.Px;
  if (isWord(args, index, EXAT)) return Option.ExAt;
  return isWord(args, index, PXAT) ? Option.PxAt : 0;
}

/** IFEQ, IFNE, IFDEQ or IFDNE, 0 for another word. */
export function conditionAt(args: Slices, index: number): number {
  if (isWord(args, index, IFEQ)) return Option.IfEq;
  if (isWord(args, index, IFNE)) return Option.IfNe;
  if (isWord(args, index, IFDEQ)) return Option.IfDeq;
  return isWord(args, index, IFDNE) ? Option.IfDne : 0;
}

/** The options that may not stand beside one. */
function opponentsOf(option: number): number {
  if ((option & Option.Times) !== 0) {
    return (Option.Times & ~option) | Option.KeepTtl | Option.Persist;
  }
  if ((option & Option.Conditions) !== 0) {
    return (Option.Conditions & ~option) | Option.Nx | Option.Xx;
  }
  switch (option) {
    case Option.Nx:
      return Option.Xx | Option.Conditions;
    case Option.Xx:
      return Option.Nx | Option.Conditions;
    case Option.KeepTtl:
      return Option.Times | Option.Persist;
    case Option.Persist:
      return Option.Times | Option.KeepTtl;
    default:
      return 0;
  }
}

// ── Times ────────────────────────────────────────────────────────────────────────────────────

/** What readUntil has read: ms since 1970 as an int64, and as the nearest double. */
export const until = { low: 0, high: 0, ms: Number.NaN };

const TWO_32 = 2 ** 32;
const INT64_MAX = 2n ** 63n - 1n;

/** The refusal of a time that a command cannot take. */
export function invalidTimeOf(command: string): Refusal {
  return new Refusal(`ERR invalid expire time in '${command}' command`);
}

/** The time in word `index`, given with the option `unit`, as an absolute one in `until`. */
export function readUntil(
  args: Slices,
  index: number,
  unit: number,
  nowMs: number,
  invalid: Refusal,
): void {
  const value = parseSafeInteger(args.u8, args.startOf(index), args.lengthOf(index));
  if (value <= 0) throw invalid;
  const span = (unit & (Option.Ex | Option.ExAt)) !== 0 ? value * 1000 : value;
  const ms = (unit & (Option.Ex | Option.Px)) !== 0 ? span + nowMs : span;
  // Not so for NaN: no integer, or one beyond 2^53.
  if (ms <= Number.MAX_SAFE_INTEGER) {
    until.low = ms | 0;
    until.high = Math.floor(ms / TWO_32);
    until.ms = ms;
    return;
  }
  readUntilSlowly(args, index, unit, nowMs, invalid);
}

function readUntilSlowly(
  args: Slices,
  index: number,
  unit: number,
  nowMs: number,
  invalid: Refusal,
): void {
  readInt64(args, index);
  let ms = bigIntOfSlowly(int64.lo, int64.hi);
  if (ms <= 0n) throw invalid;
  if ((unit & (Option.Ex | Option.ExAt)) !== 0) {
    if (ms > INT64_MAX / 1000n) throw invalid;
    ms *= 1000n;
  }
  if ((unit & (Option.Ex | Option.Px)) !== 0) ms += BigInt(nowMs);
  if (!int64FromBigIntSlowly(ms)) throw invalid;
  until.low = int64.lo;
  until.high = int64.hi;
  until.ms = int64.value;
}
