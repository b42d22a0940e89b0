// Glob patterns as Redis matches them (KEYS, SCAN, PSUBSCRIBE, CONFIG GET, ACL): * ? [class] and \,
// over bytes. Clients rely on its oddities, so they are kept:
//   · no pattern but the empty one matches the empty text, not even *;
//   · a class that is not closed ends with the pattern; [^ alone matches any byte;
//   · in a class, the ends of a range may stand in either order; bytes from 0x80 on count as
//     negative there; \ makes the next byte plain, folded or not;
//   · more than 1000 stars in use match nothing.
//
// Redis recurses at each star and gives up for good when the text after the last star it reached
// fits nowhere. That is the same as going back to the last star only, so this is a loop, and the
// worst case is pattern length times text length.

import { lowerOf } from './ascii.js';

const STAR = 0x2a;
const QUESTION = 0x3f;
const OPEN = 0x5b;
const CLOSE = 0x5d;
const CARET = 0x5e;
const ESCAPE = 0x5c;
const DASH = 0x2d;

const STARS_MAX = 1000;
const NO_STAR = -1;

/** Does the text u8[start, start + length) match the pattern? Folded: letters of either case do. */
export function matchesGlob(
  pattern: Uint8Array,
  patternStart: number,
  patternLength: number,
  u8: Uint8Array,
  start: number,
  length: number,
  isFolded: boolean,
): boolean {
  const patternEnd = patternStart + patternLength;
  const end = start + length;
  let at = start;
  let patternAt = patternStart;
  // Where to go on after a mismatch: behind the last star, with the text one byte further.
  let retryAt = NO_STAR;
  let textRetryAt = 0;
  let stars = 0;

  while (at < end && patternAt < patternEnd) {
    const wanted = pattern[patternAt]!;
    if (wanted === STAR) {
      patternAt = skipStars(pattern, patternAt, patternEnd);
      if (patternAt === patternEnd) return true;
      stars++;
      if (stars > STARS_MAX) return false;
      retryAt = patternAt;
      textRetryAt = at;
      continue;
    }
    let isMatch: boolean;
    if (wanted === QUESTION) {
      isMatch = true;
      patternAt++;
    } else if (wanted === OPEN) {
      isMatch = isInClass(pattern, patternAt + 1, patternEnd, u8[at]!, isFolded);
      if (isMatch) patternAt = classEnd(pattern, patternAt + 1, patternEnd);
    } else {
      if (wanted === ESCAPE && patternAt + 1 < patternEnd) patternAt++;
      isMatch = isSame(pattern[patternAt]!, u8[at]!, isFolded);
      patternAt++;
    }
    at++;
    if (isMatch && at === end) patternAt = skipStars(pattern, patternAt, patternEnd);
    if (isMatch && at < end === patternAt < patternEnd) continue;
    // A byte that does not fit, or one of pattern and text has ended before the other.
    if (retryAt === NO_STAR) return false;
    textRetryAt++;
    if (textRetryAt === end) return false;
    at = textRetryAt;
    patternAt = retryAt;
  }
  return at === end && patternAt === patternEnd;
}

function skipStars(pattern: Uint8Array, at: number, end: number): number {
  while (at < end && pattern[at] === STAR) at++;
  return at;
}

function isSame(wanted: number, byte: number, isFolded: boolean): boolean {
  return wanted === byte || (isFolded && lowerOf(wanted) === lowerOf(byte));
}

/** Is the byte in the class whose text, without the opening bracket, starts at `at`? */
function isInClass(
  pattern: Uint8Array,
  at: number,
  end: number,
  byte: number,
  isFolded: boolean,
): boolean {
  const isNegated = at < end && pattern[at] === CARET;
  if (isNegated) at++;
  let isFound = false;
  while (at < end && pattern[at] !== CLOSE) {
    const left = end - at;
    if (pattern[at] === ESCAPE && left >= 2) {
      at++;
      if (pattern[at] === byte) isFound = true;
    } else if (left >= 3 && pattern[at + 1] === DASH) {
      const first = pattern[at]!;
      at += 2;
      if (isInRange(first, pattern[at]!, byte, isFolded)) isFound = true;
    } else if (isSame(pattern[at]!, byte, isFolded)) {
      isFound = true;
    }
    at++;
  }
  return isFound !== isNegated;
}

/** The place behind the class: behind its closing bracket, or the end when it has none. */
function classEnd(pattern: Uint8Array, at: number, end: number): number {
  if (at < end && pattern[at] === CARET) at++;
  while (at < end && pattern[at] !== CLOSE) {
    const left = end - at;
    if (pattern[at] === ESCAPE && left >= 2) at += 2;
    else if (left >= 3 && pattern[at + 1] === DASH) at += 3;
    else at++;
  }
  return at < end ? at + 1 : end;
}

function isInRange(first: number, last: number, byte: number, isFolded: boolean): boolean {
  const a = signed(first);
  const b = signed(last);
  const low = Math.min(a, b);
  const high = Math.max(a, b);
  if (!isFolded) return signed(byte) >= low && signed(byte) <= high;
  const folded = foldedOrder(signed(byte));
  return folded >= foldedOrder(low) && folded <= foldedOrder(high);
}

/** The byte as C's char is on x86: from 0x80 on negative. */
function signed(byte: number): number {
  return (byte << 24) >> 24;
}

/** C's tolower of a char on x86: negative ones come back as they would be unsigned, but for -1. */
function foldedOrder(char: number): number {
  return char >= -1 ? lowerOf(char) : char + 256;
}
