// The predicates of ARGREP: equal to a text, with a text in it, like a glob pattern, with a match
// of a regular expression. None takes more than a time that grows with value and pattern.

import { lowerOf } from '../../base/ascii.js';
import { equalBytes } from '../../base/bytes.js';
import { matchesGlob } from '../../base/glob.js';
import { Regex } from '../../base/regex.js';
import { BACK_REFERENCES, RegexError } from '../../base/regex-syntax.js';
import type { Slices } from '../../base/slices.js';
import { isWord, word } from '../../dispatch/args.js';
import { Refusal, SYNTAX } from '../../resp/errors.js';
import type { Slab } from '../../slab/slab.js';
import { EMPTY, inlineWord, isBlock, readSlot, SlotText } from '../../types/array/slot.js';

const PREDICATES_MAX = 250;
const REGEX_BYTES_MAX = 2048;
const TOO_MANY = new Refusal(`ERR too many predicates, maximum is ${PREDICATES_MAX}`);
const TOO_LONG = new Refusal(
  `ERR regular expression is too long, maximum is ${REGEX_BYTES_MAX} bytes`,
);
const IS_EMPTY = new Refusal('ERR regular expression is empty');
const REFERS_BACK = new Refusal('ERR regular expression backreferences are not supported');

const enum Kind {
  Exact = 0,
  Match = 1,
  Glob = 2,
  Regex = 3,
}
const KEYWORDS: readonly Uint8Array[] = [word('EXACT'), word('MATCH'), word('GLOB'), word('RE')];

/** Is a value this text? */
export class Exact {
  private u8: Uint8Array = new Uint8Array(0);
  private start = 0;
  private length = 0;
  private word = EMPTY;
  private readonly text = new SlotText();

  /** Borrows the text u8[start, start + length). */
  begin(u8: Uint8Array, start: number, length: number): this {
    this.u8 = u8;
    this.start = start;
    this.length = length;
    this.word = inlineWord(u8, start, length);
    return this;
  }

  holds(slab: Slab, slot: number): boolean {
    // A text has one form: those that fit into a slot are equal when their slots are.
    if (this.word !== EMPTY || !isBlock(slot)) return slot === this.word;
    const { text } = this;
    readSlot(slab, slot, text);
    if (text.length !== this.length) return false;
    return equalBytes(text.u8, text.start, this.u8, this.start, this.length);
  }
}

/** What a predicate asks of the bytes of a value. */
interface Test {
  holds(text: SlotText): boolean;
}

class Folded implements Test {
  private readonly u8: Uint8Array;

  constructor(u8: Uint8Array) {
    this.u8 = u8.map(lowerOf);
  }

  holds({ u8, start, length }: SlotText): boolean {
    if (length !== this.u8.length) return false;
    for (let index = 0; index < length; index++) {
      if (lowerOf(u8[start + index]!) !== this.u8[index]) return false;
    }
    return true;
  }
}

class Plain implements Test {
  private readonly u8: Uint8Array;

  constructor(u8: Uint8Array) {
    this.u8 = u8;
  }

  holds({ u8, start, length }: SlotText): boolean {
    return length === this.u8.length && equalBytes(u8, start, this.u8, 0, length);
  }
}

/**
 * Looks for a text in others without ever going back in them (Knuth, Morris and Pratt, "Fast
 * pattern matching in strings", 1977).
 */
class Contained implements Test {
  private readonly u8: Uint8Array;
  private readonly isFolded: boolean;
  /** How much of the text's beginning ends at each of its bytes, the whole up to there aside. */
  private readonly borders: Int32Array;

  constructor(u8: Uint8Array, isFolded: boolean) {
    this.u8 = isFolded ? u8.map(lowerOf) : u8;
    this.isFolded = isFolded;
    this.borders = new Int32Array(u8.length);
    let matched = 0;
    for (let at = 1; at < u8.length; at++) {
      while (matched > 0 && this.u8[at] !== this.u8[matched]) matched = this.borders[matched - 1]!;
      if (this.u8[at] === this.u8[matched]) matched++;
      this.borders[at] = matched;
    }
  }

  holds({ u8, start, length }: SlotText): boolean {
    const wanted = this.u8;
    if (wanted.length === 0) return true;
    if (wanted.length > length) return false;
    let matched = 0;
    for (let at = start; at < start + length; at++) {
      const byte = this.isFolded ? lowerOf(u8[at]!) : u8[at]!;
      while (matched > 0 && byte !== wanted[matched]) matched = this.borders[matched - 1]!;
      if (byte === wanted[matched]) matched++;
      if (matched === wanted.length) return true;
    }
    return false;
  }
}

class Glob implements Test {
  private readonly u8: Uint8Array;
  private readonly isFolded: boolean;

  constructor(u8: Uint8Array, isFolded: boolean) {
    this.u8 = u8;
    this.isFolded = isFolded;
  }

  holds({ u8, start, length }: SlotText): boolean {
    return matchesGlob(this.u8, 0, this.u8.length, u8, start, length, this.isFolded);
  }
}

class Expression implements Test {
  private readonly regex: Regex;

  constructor(text: string, isFolded: boolean) {
    this.regex = compiled(text, isFolded);
  }

  holds({ u8, start, length }: SlotText): boolean {
    return this.regex.matches(u8, start, length);
  }
}

function compiled(text: string, isFolded: boolean): Regex {
  if (text === '') throw IS_EMPTY;
  try {
    return new Regex(text, isFolded);
  } catch (error) {
    if (!(error instanceof RegexError)) throw error;
    if (error.message === BACK_REFERENCES) throw REFERS_BACK;
    throw new Refusal(`ERR invalid regular expression: ${error.message}`);
  }
}

/** All predicates of a command. */
export class Predicates {
  isFolded = false;
  /** All have to hold, not just one. */
  wantsAll = false;
  private readonly kinds: Kind[] = [];
  private readonly words: number[] = [];
  private tests: Test[] = [];
  private readonly text = new SlotText();

  begin(): void {
    this.isFolded = false;
    this.wantsAll = false;
    this.kinds.length = 0;
    this.words.length = 0;
    this.tests = [];
  }

  /** Is word `index` the name of a predicate? */
  isKeyword(args: Slices, index: number): boolean {
    return KEYWORDS.some((keyword) => isWord(args, index, keyword));
  }

  /** The predicate at word `index`, with its pattern behind it. */
  add(args: Slices, index: number): void {
    if (this.kinds.length === PREDICATES_MAX) throw TOO_MANY;
    const kind: Kind = KEYWORDS.findIndex((keyword) => isWord(args, index, keyword));
    if (kind === Kind.Regex && args.lengthOf(index + 1) > REGEX_BYTES_MAX) throw TOO_LONG;
    this.kinds.push(kind);
    this.words.push(index + 1);
  }

  /** Makes the tests, now that all options are known. */
  prepare(args: Slices): void {
    if (this.kinds.length === 0) throw SYNTAX;
    this.tests = this.kinds.map((kind, index) => this.testOf(kind, args, this.words[index]!));
  }

  private testOf(kind: Kind, args: Slices, index: number): Test {
    const { isFolded } = this;
    switch (kind) {
      case Kind.Exact:
        return isFolded ? new Folded(args.copy(index)) : new Plain(args.copy(index));
      case Kind.Match:
        return new Contained(args.copy(index), isFolded);
      case Kind.Glob:
        return new Glob(args.copy(index), isFolded);
      case Kind.Regex:
        return new Expression(args.text(index), isFolded);
    }
  }

  /** Do they hold for the value of a slot? */
  hold(slab: Slab, slot: number): boolean {
    const { tests, text, wantsAll } = this;
    readSlot(slab, slot, text);
    for (let index = 0; index < tests.length; index++) {
      if (tests[index]!.holds(text) !== wantsAll) return !wantsAll;
    }
    return wantsAll;
  }
}
