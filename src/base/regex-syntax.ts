// Regular expressions over bytes: their grammar. POSIX extended expressions with what the TRE
// library, which Redis uses, adds to them: \w \d \s and their opposites, \< \> \b \B, \x41 and
// \x{41}, \Q…\E, lazy repetitions, (?:…), (?i) and comments. What is read becomes a tree that
// regex.ts turns into a machine. Not read, because no machine of finite states can: references
// back. Nor are approximate matches ({~2}) and the flag n of (?n).

/** What a byte may be: 256 bits. */
export type ByteSet = Uint8Array;

export const enum Assertion {
  Start = 0,
  End = 1,
  WordStart = 2,
  WordEnd = 3,
  Boundary = 4,
  NoBoundary = 5,
}

export type RegexNode =
  | { readonly kind: 'set'; readonly set: ByteSet }
  | { readonly kind: 'assertion'; readonly assertion: Assertion }
  | { readonly kind: 'sequence'; readonly parts: readonly RegexNode[] }
  | { readonly kind: 'choice'; readonly parts: readonly RegexNode[] }
  | {
      readonly kind: 'repeat';
      readonly node: RegexNode;
      readonly least: number;
      /** Infinity where there is no limit. */
      readonly most: number;
    };

/** Why an expression is refused, in TRE's words. */
export class RegexError extends Error {}

export const BACK_REFERENCES = 'back references';
const BAD_PATTERN = 'Invalid regexp';
const BAD_CLASS = 'Unknown character class name';
const BAD_ELEMENT = 'Unknown collating element';
const BAD_ESCAPE = 'Trailing backslash';
const BAD_REFERENCE = 'Invalid back reference';
const NO_BRACKET = "Missing ']'";
const NO_PARENTHESIS = "Missing ')'";
const NO_BRACE = "Missing '}'";
const BAD_BRACE = 'Invalid contents of {}';
const BAD_RANGE = 'Invalid character range';
const BAD_REPEAT = 'Invalid use of repetition operators';
const TOO_MANY = 'Maximum repetition in {} larger than 255';
export const OUT_OF_MEMORY = 'Out of memory';

const REPEATS_MAX = 255;
/** Groups in groups: the parser calls itself for each. */
const DEPTH_MAX = 250;
const BYTES = 256;
const LETTER_BIT = 0x20;

const EMPTY_SEQUENCE: RegexNode = { kind: 'sequence', parts: [] };

// ── Sets of bytes ────────────────────────────────────────────────────────────────────────────

/** What the classes hold in the C locale, as characters that a JavaScript class understands. */
const CLASSES: Readonly<Record<string, RegExp>> = {
  alnum: /[A-Za-z0-9]/,
  alpha: /[A-Za-z]/,
  blank: /[ \t]/,
  cntrl: /[\x00-\x1f\x7f]/,
  digit: /[0-9]/,
  graph: /[!-~]/,
  lower: /[a-z]/,
  print: /[ -~]/,
  punct: /[!-/:-@[-`{-~]/,
  space: /[ \t-\r]/,
  upper: /[A-Z]/,
  word: /[A-Za-z0-9_]/,
  xdigit: /[0-9A-Fa-f]/,
};

function setOf(pattern: RegExp): ByteSet {
  const set = new Uint8Array(BYTES);
  for (let byte = 0; byte < BYTES; byte++) {
    if (pattern.test(String.fromCharCode(byte))) set[byte] = 1;
  }
  return set;
}

function opposite(set: ByteSet): ByteSet {
  return set.map((bit) => 1 - bit);
}

/** The set, and the other case of every letter in it. */
function folded(set: ByteSet): ByteSet {
  const both = set.slice();
  for (let byte = 0x41; byte <= 0x5a; byte++) {
    const bit = set[byte]! | set[byte | LETTER_BIT]!;
    both[byte] = bit;
    both[byte | LETTER_BIT] = bit;
  }
  return both;
}

export const WORD_SET = setOf(CLASSES.word!);

const ESCAPED_SETS: Readonly<Record<string, ByteSet>> = {
  w: WORD_SET,
  W: opposite(WORD_SET),
  d: setOf(CLASSES.digit!),
  D: opposite(setOf(CLASSES.digit!)),
  s: setOf(CLASSES.space!),
  S: opposite(setOf(CLASSES.space!)),
};
const ESCAPED_BYTES: Readonly<Record<string, number>> = { a: 7, e: 27, f: 12, n: 10, r: 13, t: 9 };
const ESCAPED_ASSERTIONS: Readonly<Record<string, Assertion>> = {
  '<': Assertion.WordStart,
  '>': Assertion.WordEnd,
  b: Assertion.Boundary,
  B: Assertion.NoBoundary,
};

// ── The parser ───────────────────────────────────────────────────────────────────────────────

/** Reads an expression, given as latin1 text; throws a RegexError that says what is wrong. */
export function parseRegex(text: string, isFolded: boolean): RegexNode {
  return new Parser(text, isFolded).whole();
}

class Parser {
  private readonly text: string;
  private at = 0;
  private isFolded: boolean;
  private isLiteral = false;
  private depth = 0;
  private groups = 0;
  private greatestReference = 0;
  /** One set for each byte that stands for itself, folded ones from BYTES on. */
  private readonly singles = new Map<number, ByteSet>();

  constructor(text: string, isFolded: boolean) {
    this.text = text;
    this.isFolded = isFolded;
  }

  whole(): RegexNode {
    const node = this.choice();
    if (this.at < this.text.length) throw new RegexError(NO_PARENTHESIS);
    if (this.greatestReference > this.groups) throw new RegexError(BAD_REFERENCE);
    if (this.greatestReference > 0) throw new RegexError(BACK_REFERENCES);
    return node;
  }

  /** Branches, up to a closing parenthesis or the end. */
  private choice(): RegexNode {
    const parts = [this.branch()];
    while (this.peek() === '|') {
      this.at++;
      parts.push(this.branch());
    }
    return parts.length === 1 ? parts[0]! : { kind: 'choice', parts };
  }

  private branch(): RegexNode {
    const parts: RegexNode[] = [];
    for (;;) {
      const next = this.peek();
      if (next === undefined) break;
      if (!this.isLiteral && (next === '|' || next === ')')) break;
      const part = this.repeated(this.atom());
      if (part !== EMPTY_SEQUENCE) parts.push(part);
    }
    if (parts.length === 0) return EMPTY_SEQUENCE;
    return parts.length === 1 ? parts[0]! : { kind: 'sequence', parts };
  }

  private peek(): string | undefined {
    return this.text[this.at];
  }

  private atom(): RegexNode {
    const next = this.text[this.at++]!;
    if (this.isLiteral) return this.quoted(next);
    switch (next) {
      case '(':
        return this.group();
      case '[':
        return this.bracket();
      case '.':
        return { kind: 'set', set: new Uint8Array(BYTES).fill(1) };
      case '^':
        return { kind: 'assertion', assertion: Assertion.Start };
      case '$':
        return { kind: 'assertion', assertion: Assertion.End };
      case '\\':
        return this.escape();
      case '*':
      case '+':
      case '?':
        throw new RegexError(BAD_REPEAT);
      default:
        return this.single(next.charCodeAt(0));
    }
  }

  /** Between \Q and \E every byte is itself. */
  private quoted(next: string): RegexNode {
    if (next === '\\' && this.peek() === 'E') {
      this.at++;
      this.isLiteral = false;
      return EMPTY_SEQUENCE;
    }
    return this.single(next.charCodeAt(0));
  }

  private single(byte: number): RegexNode {
    const key = this.isFolded ? BYTES + byte : byte;
    let set = this.singles.get(key);
    if (set === undefined) {
      const plain = new Uint8Array(BYTES);
      plain[byte] = 1;
      set = this.isFolded ? folded(plain) : plain;
      this.singles.set(key, set);
    }
    return { kind: 'set', set };
  }

  private ofSet(set: ByteSet): RegexNode {
    return { kind: 'set', set: this.isFolded ? folded(set) : set };
  }

  // ── Repetitions ────────────────────────────────────────────────────────────────────────────

  private repeated(atom: RegexNode): RegexNode {
    let node = atom;
    for (;;) {
      const next = this.isLiteral ? undefined : this.peek();
      if (next === '*' || next === '+' || next === '?') {
        this.at++;
        const least = next === '+' ? 1 : 0;
        const most = next === '?' ? 1 : Number.POSITIVE_INFINITY;
        node = { kind: 'repeat', node, least, most };
      } else if (next === '{') {
        node = this.bound(node);
      } else {
        return node;
      }
      this.lazy();
    }
  }

  /** Lazy or not, the same texts match. Doubled operators are kept for later by TRE. */
  private lazy(): void {
    if (this.peek() === '?') this.at++;
    else if (this.peek() === '*' || this.peek() === '+') throw new RegexError(BAD_REPEAT);
  }

  private bound(node: RegexNode): RegexNode {
    const close = this.text.indexOf('}', this.at);
    if (close === -1) throw new RegexError(NO_BRACE);
    const match = /^([0-9]*)(,?)([0-9]*)$/.exec(this.text.slice(this.at + 1, close));
    if (match === null || match[0] === '') throw new RegexError(BAD_BRACE);
    this.at = close + 1;
    const least = Number(match[1]);
    let most = least;
    if (match[2] !== '') most = match[3] === '' ? Number.POSITIVE_INFINITY : Number(match[3]);
    if (least > REPEATS_MAX || (most > REPEATS_MAX && most !== Number.POSITIVE_INFINITY)) {
      throw new RegexError(TOO_MANY);
    }
    if (least > most) throw new RegexError(BAD_BRACE);
    return { kind: 'repeat', node, least, most };
  }

  // ── Groups ─────────────────────────────────────────────────────────────────────────────────

  private group(): RegexNode {
    if (this.peek() === '?') return this.flags();
    this.groups++;
    return this.inGroup();
  }

  private inGroup(): RegexNode {
    if (this.depth === DEPTH_MAX) throw new RegexError(OUT_OF_MEMORY);
    const { isFolded } = this;
    this.depth++;
    const node = this.choice();
    this.depth--;
    if (this.peek() !== ')') throw new RegexError(NO_PARENTHESIS);
    this.at++;
    this.isFolded = isFolded;
    return node;
  }

  /** `(?i)`, `(?i:…)`, `(?:…)` and `(?#…)`; r and U do not change what matches. */
  private flags(): RegexNode {
    if (this.text[this.at + 1] === '#') {
      const close = this.text.indexOf(')', this.at);
      if (close === -1) throw new RegexError(BAD_PATTERN);
      this.at = close + 1;
      return EMPTY_SEQUENCE;
    }
    const match = /^\?([irU]*)(?:-([irU]*))?([:)])/.exec(this.text.slice(this.at));
    if (match === null) throw new RegexError(BAD_PATTERN);
    this.at += match[0].length;
    const before = this.isFolded;
    if (match[1]!.includes('i')) this.isFolded = true;
    if (match[2]?.includes('i')) this.isFolded = false;
    if (match[3] === ')') return EMPTY_SEQUENCE;
    const node = this.inGroup();
    this.isFolded = before;
    return node;
  }

  // ── Escapes ────────────────────────────────────────────────────────────────────────────────

  private escape(): RegexNode {
    const next = this.text[this.at++];
    if (next === undefined) throw new RegexError(BAD_ESCAPE);
    if (next === 'Q') {
      this.isLiteral = true;
      return EMPTY_SEQUENCE;
    }
    if (next === 'x') return this.single(this.hexadecimal());
    if (next >= '1' && next <= '9') {
      this.greatestReference = Math.max(this.greatestReference, Number(next));
      return EMPTY_SEQUENCE;
    }
    const set = ESCAPED_SETS[next];
    if (set !== undefined) return this.ofSet(set);
    const assertion = ESCAPED_ASSERTIONS[next];
    if (assertion !== undefined) return { kind: 'assertion', assertion };
    return this.single(ESCAPED_BYTES[next] ?? next.charCodeAt(0));
  }

  private hexadecimal(): number {
    if (this.peek() !== '{') {
      const digits = /^[0-9a-f]{0,2}/i.exec(this.text.slice(this.at))![0];
      this.at += digits.length;
      return digits === '' ? 0 : Number.parseInt(digits, 16);
    }
    const close = this.text.indexOf('}', this.at);
    if (close === -1) throw new RegexError(NO_BRACE);
    const digits = this.text.slice(this.at + 1, close);
    this.at = close + 1;
    const value = digits === '' ? 0 : Number.parseInt(digits, 16);
    // Texts are bytes here: a wide character is none.
    if (!/^[0-9a-f]*$/i.test(digits) || value >= BYTES) throw new RegexError(BAD_BRACE);
    return value;
  }

  // ── Brackets ───────────────────────────────────────────────────────────────────────────────

  private bracket(): RegexNode {
    const set = new Uint8Array(BYTES);
    const isNegated = this.peek() === '^';
    if (isNegated) this.at++;
    const start = this.at;
    for (;;) {
      const next = this.peek();
      if (next === undefined) throw new RegexError(NO_BRACKET);
      if (next === ']' && this.at > start) break;
      this.item(set);
    }
    this.at++;
    const whole = this.isFolded ? folded(set) : set;
    return { kind: 'set', set: isNegated ? opposite(whole) : whole };
  }

  /** A class, a range or a byte. */
  private item(set: ByteSet): void {
    const first = this.text[this.at]!;
    const second = this.text[this.at + 1];
    if (first === '[' && second === ':') {
      this.bracketClass(set);
      return;
    }
    if (first === '[' && (second === '.' || second === '=')) throw new RegexError(BAD_ELEMENT);
    const last = this.text[this.at + 2];
    if (second === '-' && last !== ']' && last !== undefined) {
      if (last < first) throw new RegexError(BAD_RANGE);
      set.fill(1, first.charCodeAt(0), last.charCodeAt(0) + 1);
      this.at += 3;
      return;
    }
    set[first.charCodeAt(0)] = 1;
    this.at++;
  }

  private bracketClass(set: ByteSet): void {
    const end = this.text.indexOf(':]', this.at + 2);
    if (end === -1) throw new RegexError(BAD_CLASS);
    const name = this.text.slice(this.at + 2, end);
    const pattern = name === 'word' ? undefined : CLASSES[name];
    if (pattern === undefined) throw new RegexError(BAD_CLASS);
    setOf(pattern).forEach((bit, byte) => {
      set[byte] = set[byte]! | bit;
    });
    this.at = end + 2;
  }
}
