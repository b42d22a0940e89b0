// Regular expressions over bytes: does a text contain a match? The expression (regex-syntax.ts)
// becomes a machine of instructions, of which many may be tried at once (Ken Thompson, "Regular
// expression search algorithm", 1968). Which ones are alive behind a byte is remembered as a state
// with its way out for every byte, so that a text costs a look per byte once its states are known.
// However an expression is made, the work is at most its size for each byte of the text.

import {
  Assertion,
  type ByteSet,
  OUT_OF_MEMORY,
  parseRegex,
  RegexError,
  type RegexNode,
  WORD_SET,
} from './regex-syntax.js';

/** Repetitions of repetitions multiply: an expression of a few bytes may ask for millions. */
const INSTRUCTIONS_MAX = 8192;
/** When states take more words than this, those known so far are forgotten. */
const STATE_WORDS_MAX = 1 << 20;
const BYTES = 256;

const enum Op {
  /** Takes a byte of set `x`. */
  Take = 0,
  /** Goes on at `x` and at `y`. */
  Fork = 1,
  /** Goes on if assertion `x` holds. */
  Assert = 2,
  Match = 3,
}

/** What is before a place in the text. */
const enum Before {
  Nothing = 0,
  Other = 1,
  Word = 2,
}

// A way out of a state that is no state.
const UNKNOWN = -1;
const FOUND = -2;
const NOT_FOUND = -3;

interface State {
  /** Instructions that are alive, before those that take no byte are followed. */
  readonly alive: Int32Array;
  readonly before: Before;
  /** By class of the next byte; behind the classes, the end of the text. */
  readonly ways: Int32Array;
}

export class Regex {
  private readonly ops: number[] = [];
  private readonly xs: number[] = [];
  private readonly ys: number[] = [];
  private readonly sets: ByteSet[] = [];
  private readonly indexes = new Map<ByteSet, number>();
  private hasWordAssertions = false;

  /** The class of each byte: no set of the expression tells bytes of a class apart. */
  private readonly classOf = new Uint8Array(BYTES);
  private readonly byteOfClass: number[] = [];

  private states: State[] = [];
  private stateOf = new Map<string, number>();
  private stateWords = 0;

  // The instructions reached in the step that is being made, and a stack of those to follow.
  private readonly marks: Int32Array;
  private step = 0;
  private readonly stack: Int32Array;
  private readonly taking: Int32Array;
  private takingCount = 0;

  /** `text` is latin1. Throws a RegexError that says what is wrong. */
  constructor(text: string, isFolded: boolean) {
    this.write(parseRegex(text, isFolded));
    this.add(Op.Match, 0, 0);
    this.findClasses();
    const size = this.ops.length;
    this.marks = new Int32Array(size);
    this.stack = new Int32Array(size + 1);
    this.taking = new Int32Array(size);
  }

  /** Is there a match anywhere in u8[start, start + length)? */
  matches(u8: Uint8Array, start: number, length: number): boolean {
    const { classOf } = this;
    let state = this.stateFor([], 0, Before.Nothing);
    const end = start + length;
    for (let at = start; at < end; at++) {
      const byteClass = classOf[u8[at]!]!;
      let next = this.states[state]!.ways[byteClass]!;
      if (next < 0) {
        if (next === UNKNOWN) next = this.findWay(state, byteClass);
        if (next === FOUND) return true;
      }
      state = next;
    }
    const byteClass = this.byteOfClass.length;
    let last = this.states[state]!.ways[byteClass]!;
    if (last === UNKNOWN) last = this.findWay(state, byteClass);
    return last === FOUND;
  }

  // ── Making the machine ─────────────────────────────────────────────────────────────────────

  private add(op: Op, x: number, y: number): number {
    if (this.ops.length === INSTRUCTIONS_MAX) throw new RegexError(OUT_OF_MEMORY);
    this.ops.push(op);
    this.xs.push(x);
    this.ys.push(y);
    return this.ops.length - 1;
  }

  private get size(): number {
    return this.ops.length;
  }

  /** Appends the instructions of a node; whoever gets through goes on behind them. */
  private write(node: RegexNode): void {
    switch (node.kind) {
      case 'set':
        this.add(Op.Take, this.indexOfSet(node.set), 0);
        return;
      case 'assertion':
        if (node.assertion > Assertion.End) this.hasWordAssertions = true;
        this.add(Op.Assert, node.assertion, 0);
        return;
      case 'sequence':
        for (const part of node.parts) this.write(part);
        return;
      case 'choice':
        this.writeChoice(node.parts);
        return;
      case 'repeat':
        this.writeRepeat(node);
    }
  }

  private indexOfSet(set: ByteSet): number {
    let index = this.indexes.get(set);
    if (index === undefined) {
      index = this.sets.push(set) - 1;
      this.indexes.set(set, index);
    }
    return index;
  }

  private writeChoice(parts: readonly RegexNode[]): void {
    const ends: number[] = [];
    parts.forEach((part, index) => {
      const isLast = index === parts.length - 1;
      const fork = isLast ? -1 : this.add(Op.Fork, this.size + 1, 0);
      this.write(part);
      if (isLast) return;
      ends.push(this.add(Op.Fork, 0, 0));
      this.ys[fork] = this.size;
    });
    for (const end of ends) {
      this.xs[end] = this.size;
      this.ys[end] = this.size;
    }
  }

  private writeRepeat({ node, least, most }: Extract<RegexNode, { kind: 'repeat' }>): void {
    for (let count = 0; count < least; count++) this.write(node);
    if (most === Number.POSITIVE_INFINITY) {
      const fork = this.add(Op.Fork, this.size + 1, 0);
      this.write(node);
      this.add(Op.Fork, fork, fork);
      this.ys[fork] = this.size;
      return;
    }
    const forks: number[] = [];
    for (let count = least; count < most; count++) {
      forks.push(this.add(Op.Fork, this.size + 1, 0));
      this.write(node);
    }
    for (const fork of forks) this.ys[fork] = this.size;
  }

  /** Splits one class of all bytes by each set in turn. */
  private findClasses(): void {
    const { classOf } = this;
    const sets = this.hasWordAssertions ? [...this.sets, WORD_SET] : this.sets;
    for (const set of sets) {
      const renamed = new Map<number, number>();
      for (let byte = 0; byte < BYTES; byte++) {
        const key = classOf[byte]! * 2 + set[byte]!;
        let byteClass = renamed.get(key);
        if (byteClass === undefined) {
          byteClass = renamed.size;
          renamed.set(key, byteClass);
        }
        classOf[byte] = byteClass;
      }
    }
    for (let byte = 0; byte < BYTES; byte++) {
      if (classOf[byte] === this.byteOfClass.length) this.byteOfClass.push(byte);
    }
  }

  // ── Running it ─────────────────────────────────────────────────────────────────────────────

  private stateFor(alive: ArrayLike<number>, count: number, before: Before): number {
    const list = Int32Array.from({ length: count }, (_, index) => alive[index]!).sort();
    const key = `${before}:${list.join(',')}`;
    const known = this.stateOf.get(key);
    if (known !== undefined) return known;
    const ways = new Int32Array(this.byteOfClass.length + 1).fill(UNKNOWN);
    const index = this.states.push({ alive: list, before, ways }) - 1;
    this.stateOf.set(key, index);
    // The key takes about as much again as the list.
    this.stateWords += list.length * 3 + ways.length;
    return index;
  }

  /** The state behind a byte of the class; FOUND when a match ends before it. */
  private findWay(state: number, byteClass: number): number {
    const { alive, before, ways } = this.states[state]!;
    const isEnd = byteClass === this.byteOfClass.length;
    const byte = isEnd ? 0 : this.byteOfClass[byteClass]!;
    const isWordNext = !isEnd && WORD_SET[byte] === 1;
    if (this.follow(alive, before, isWordNext, isEnd)) {
      ways[byteClass] = FOUND;
      return FOUND;
    }
    if (isEnd) {
      ways[byteClass] = NOT_FOUND;
      return NOT_FOUND;
    }
    let count = 0;
    for (let index = 0; index < this.takingCount; index++) {
      const instruction = this.taking[index]!;
      if (this.sets[this.xs[instruction]!]![byte] === 1) this.stack[count++] = instruction + 1;
    }
    const isWordBefore = this.hasWordAssertions && isWordNext;
    if (this.stateWords > STATE_WORDS_MAX) {
      this.states = [];
      this.stateOf = new Map();
      this.stateWords = 0;
      return this.stateFor(this.stack, count, isWordBefore ? Before.Word : Before.Other);
    }
    const next = this.stateFor(this.stack, count, isWordBefore ? Before.Word : Before.Other);
    ways[byteClass] = next;
    return next;
  }

  /**
   * Follows the instructions that take no byte, from those alive and from the first one: a match
   * may begin anywhere. True when it gets to the end of the machine; else `taking` are those that
   * wait for a byte.
   */
  private follow(alive: Int32Array, before: Before, isWordNext: boolean, isEnd: boolean): boolean {
    const { ops, xs, ys, stack, marks } = this;
    this.step++;
    this.takingCount = 0;
    for (let index = -1; index < alive.length; index++) {
      let depth = 0;
      stack[depth++] = index < 0 ? 0 : alive[index]!;
      while (depth > 0) {
        const at = stack[--depth]!;
        if (marks[at] === this.step) continue;
        marks[at] = this.step;
        const op = ops[at]!;
        if (op === Op.Match) return true;
        if (op === Op.Take) this.taking[this.takingCount++] = at;
        else if (op === Op.Fork) {
          // At most one more on the stack for each that is marked.
          stack[depth++] = ys[at]!;
          stack[depth++] = xs[at]!;
        } else if (holds(xs[at]! as Assertion, before, isWordNext, isEnd)) stack[depth++] = at + 1;
      }
    }
    return false;
  }
}

function holds(assertion: Assertion, before: Before, isWordNext: boolean, isEnd: boolean): boolean {
  const isWordBefore = before === Before.Word;
  switch (assertion) {
    case Assertion.Start:
      return before === Before.Nothing;
    case Assertion.End:
      return isEnd;
    case Assertion.WordStart:
      return !isWordBefore && isWordNext;
    case Assertion.WordEnd:
      return isWordBefore && !isWordNext;
    case Assertion.Boundary:
      return isWordBefore !== isWordNext;
    case Assertion.NoBoundary:
      return isWordBefore === isWordNext;
  }
}
