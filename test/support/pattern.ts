// Expected replies as transcripts write them. A pattern is written once, in RESP3 terms, and is
// lowered when the connection speaks RESP2: a map becomes a flat array, a double a bulk, and so on.
//
//   OK            a simple string            -ERR text      an error (the rest of the line)
//   "a\x00"       a bulk string              1   -5         an integer
//   [1, "a"]      an array                   ~[…]  >[…]     a set, a push
//   {"a": 1}      a map                      ,1.5           a double
//   #t  #f        booleans                   =txt:"a"       a verbatim string
//   (nil)         nothing: null bulk, or _   (nil array)    nothing: null array, or _
//   (big) 12345   a big number               (any)          any reply
//   ~/regex/      any scalar whose text matches; $~/…/ :~/…/ -~/…/ also fix its type
//   5..10         an integer of this range
//   [1, ...]      the rest may be anything; {"a": 1, ...} further pairs may stand anywhere
//   (any order) […]   the same items in any order; also {…}
//   (as name) …   keeps the reply's text for $(name) in later commands
//
// The tags +, $, :, * and % may be written too.

import { assert } from '../../src/base/assert.js';
import { printReply, quoted, type Reply, type ReplyType, textOf } from './resp.js';

export type Protocol = 2 | 3;

export type Pattern =
  | { readonly kind: 'exact'; readonly reply: Reply }
  | { readonly kind: 'regex'; readonly type: ReplyType | null; readonly regex: RegExp }
  | { readonly kind: 'range'; readonly first: bigint; readonly last: bigint }
  | { readonly kind: 'any' }
  | { readonly kind: 'nil'; readonly isArray: boolean }
  | {
      readonly kind: 'list';
      readonly type: 'array' | 'set' | 'push';
      readonly items: readonly Pattern[];
      readonly isOpen: boolean;
      readonly isAnyOrder: boolean;
    }
  | {
      readonly kind: 'map';
      readonly pairs: readonly (readonly [Pattern, Pattern])[];
      readonly isOpen: boolean;
      readonly isAnyOrder: boolean;
    }
  | { readonly kind: 'named'; readonly name: string; readonly pattern: Pattern };

/** Texts kept by (as name), by name. */
export type Captures = Map<string, string>;

// ── Matching ─────────────────────────────────────────────────────────────────────────────────

/** Undefined when the reply fits, else a sentence that says where it does not. */
export function mismatch(
  pattern: Pattern,
  reply: Reply,
  protocol: Protocol,
  captures: Captures,
): string | undefined {
  return new Matcher(protocol, captures).compare(pattern, reply, 'the reply');
}

class Matcher {
  constructor(
    private readonly protocol: Protocol,
    private readonly captures: Captures,
  ) {}

  compare(pattern: Pattern, reply: Reply, where: string): string | undefined {
    switch (pattern.kind) {
      case 'any':
        return undefined;
      case 'named': {
        const text = textOf(reply);
        if (text !== undefined) this.captures.set(pattern.name, text);
        return this.compare(pattern.pattern, reply, where);
      }
      case 'exact': {
        const wanted = printReply(lowered(pattern.reply, this.protocol));
        return wanted === printReply(reply) ? undefined : differs(where, wanted, reply);
      }
      case 'nil': {
        const null2 = pattern.isArray ? 'nullArray' : 'nullBulk';
        const wanted = this.protocol === 3 ? 'null' : null2;
        return reply.type === wanted ? undefined : differs(where, wanted, reply);
      }
      case 'range': {
        const isInside =
          reply.type === 'integer' &&
          BigInt(reply.value) >= pattern.first &&
          BigInt(reply.value) <= pattern.last;
        return isInside ? undefined : differs(where, `${pattern.first}..${pattern.last}`, reply);
      }
      case 'regex':
        return this.compareText(pattern, reply, where);
      case 'list':
        return this.compareList(pattern, reply, where);
      case 'map':
        return this.compareMap(pattern, reply, where);
    }
  }

  private compareText(
    pattern: Extract<Pattern, { kind: 'regex' }>,
    reply: Reply,
    where: string,
  ): string | undefined {
    const text = textOf(reply);
    const isRightType = pattern.type === null || pattern.type === reply.type;
    const fits = isRightType && text !== undefined && pattern.regex.test(text);
    return fits ? undefined : differs(where, String(pattern.regex), reply);
  }

  private compareList(
    pattern: Extract<Pattern, { kind: 'list' }>,
    reply: Reply,
    where: string,
  ): string | undefined {
    const type = this.protocol === 2 ? 'array' : pattern.type;
    const isList = reply.type === 'array' || reply.type === 'set' || reply.type === 'push';
    if (!isList || reply.type !== type) {
      return differs(where, `a reply of type ${type}`, reply);
    }
    const items = reply.value;
    // A set has no order of its own, whatever the server's tables make of it.
    if (pattern.isAnyOrder || pattern.type === 'set') {
      return this.compareBag(pattern, items, where, reply);
    }
    const isLongEnough = items.length >= pattern.items.length;
    if (!isLongEnough || (!pattern.isOpen && items.length !== pattern.items.length)) {
      return differs(where, `${pattern.items.length} items`, reply);
    }
    for (const [index, item] of pattern.items.entries()) {
      const problem = this.compare(item, items[index]!, `${where}, item ${index + 1}`);
      if (problem !== undefined) return problem;
    }
    return undefined;
  }

  /** Each pattern takes the first item left that fits, so they should exclude each other. */
  private compareBag(
    pattern: { readonly items: readonly Pattern[]; readonly isOpen: boolean },
    items: readonly Reply[],
    where: string,
    reply: Reply,
  ): string | undefined {
    const left = [...items];
    for (const [index, item] of pattern.items.entries()) {
      const found = left.findIndex((each) => this.compare(item, each, where) === undefined);
      if (found < 0) return differs(where, `expected item ${index + 1} anywhere`, reply);
      left.splice(found, 1);
    }
    if (pattern.isOpen || left.length === 0) return undefined;
    return differs(where, `no item besides the ${pattern.items.length} expected`, reply);
  }

  private compareMap(
    pattern: Extract<Pattern, { kind: 'map' }>,
    reply: Reply,
    where: string,
  ): string | undefined {
    const pairs = pairsOf(reply, this.protocol);
    if (pairs === undefined) return differs(where, 'a map', reply);
    if (!pattern.isOpen && pairs.length !== pattern.pairs.length) {
      return differs(where, `${pattern.pairs.length} pairs`, reply);
    }
    for (const [index, [key, value]] of pattern.pairs.entries()) {
      const isFree = pattern.isAnyOrder || pattern.isOpen;
      const found = isFree
        ? pairs.find((pair) => this.compare(key, pair[0], where) === undefined)
        : pairs[index];
      if (found === undefined) return differs(where, `expected key ${index + 1}`, reply);
      const keyProblem = this.compare(key, found[0], `${where}, key ${index + 1}`);
      if (keyProblem !== undefined) return keyProblem;
      const label = textOf(found[0]) ?? String(index + 1);
      const problem = this.compare(value, found[1], `${where}, value of ${quoted(label)}`);
      if (problem !== undefined) return problem;
    }
    return undefined;
  }
}

function differs(where: string, wanted: string, reply: Reply): string {
  return `${where} should be ${wanted}\n  but is ${printReply(reply)}`;
}

function pairsOf(reply: Reply, protocol: Protocol): (readonly [Reply, Reply])[] | undefined {
  if (protocol === 3) return reply.type === 'map' ? [...reply.value] : undefined;
  if (reply.type !== 'array' || reply.value.length % 2 !== 0) return undefined;
  const pairs: [Reply, Reply][] = [];
  for (let index = 0; index < reply.value.length; index += 2) {
    pairs.push([reply.value[index]!, reply.value[index + 1]!]);
  }
  return pairs;
}

/** A RESP3 scalar as RESP2 sends it. */
function lowered(reply: Reply, protocol: Protocol): Reply {
  if (protocol === 3) return reply;
  switch (reply.type) {
    case 'boolean':
      return { type: 'integer', value: reply.value ? 1 : 0 };
    case 'double':
    case 'bigNumber':
    case 'verbatim':
      return { type: 'bulk', value: reply.value };
    case 'bulkError':
      return { type: 'error', value: reply.value };
    default:
      return reply;
  }
}

// ── Reading ──────────────────────────────────────────────────────────────────────────────────

export class PatternError extends Error {
  override readonly name = 'PatternError';
}

const TYPE_OF_TAG: Readonly<Record<string, ReplyType>> = {
  $: 'bulk',
  ':': 'integer',
  '-': 'error',
  '+': 'simple',
  ',': 'double',
  '=': 'verbatim',
};

/** Reads one pattern at the start of `text`; returns it and what is left. */
export function readPattern(text: string): { pattern: Pattern; rest: string } {
  const reader = new PatternReader(text);
  const pattern = reader.value(true);
  return { pattern, rest: text.slice(reader.at) };
}

/** Reads all patterns of a text: each starts on a line of its own. */
export function readPatterns(text: string): Pattern[] {
  const patterns: Pattern[] = [];
  let rest = text.trim();
  while (rest !== '') {
    const read = readPattern(rest);
    patterns.push(read.pattern);
    rest = read.rest.trim();
  }
  return patterns;
}

class PatternReader {
  at = 0;
  constructor(private readonly text: string) {}

  /** At the top level a simple string or an error runs to the end of its line. */
  value(isTop: boolean): Pattern {
    this.skipSpace();
    if (this.take('(any order)')) return this.unordered();
    if (this.take('(any)')) return { kind: 'any' };
    if (this.take('(nil array)')) return { kind: 'nil', isArray: true };
    if (this.take('(nil)')) return { kind: 'nil', isArray: false };
    if (this.take('(big)')) {
      return exact({ type: 'bigNumber', value: this.match(/\s*-?\d+/y).trim() });
    }
    const name = this.tryMatch(/\(as (\w+)\)/y);
    if (name !== undefined) {
      return { kind: 'named', name: name.slice(4, -1), pattern: this.value(isTop) };
    }
    return this.regex() ?? this.aggregate() ?? this.scalar(isTop);
  }

  private unordered(): Pattern {
    const pattern = this.value(false);
    assert(
      pattern.kind === 'list' || pattern.kind === 'map',
      '(any order) stands before a list or a map',
    );
    return { ...pattern, isAnyOrder: true };
  }

  private regex(): Pattern | undefined {
    const source = this.tryMatch(/[$:+,=-]?~\/(?:[^/\\]|\\.)*\/[a-z]*/y);
    if (source === undefined) return undefined;
    const start = source.indexOf('~/');
    const end = source.lastIndexOf('/');
    const type = start === 0 ? null : TYPE_OF_TAG[source[0]!]!;
    return {
      kind: 'regex',
      type,
      regex: new RegExp(source.slice(start + 2, end), source.slice(end + 1)),
    };
  }

  private aggregate(): Pattern | undefined {
    if (this.take('[') || this.take('*[')) return this.list('array');
    if (this.take('~[')) return this.list('set');
    if (this.take('>[')) return this.list('push');
    if (this.take('{') || this.take('%{')) return this.map();
    return undefined;
  }

  private list(type: 'array' | 'set' | 'push'): Pattern {
    const items: Pattern[] = [];
    let isOpen = false;
    while (!this.closes(']', items.length > 0)) {
      if (this.take('...')) isOpen = true;
      else items.push(this.value(false));
    }
    return { kind: 'list', type, items, isOpen, isAnyOrder: false };
  }

  private map(): Pattern {
    const pairs: [Pattern, Pattern][] = [];
    let isOpen = false;
    while (!this.closes('}', pairs.length > 0)) {
      if (this.take('...')) {
        isOpen = true;
        continue;
      }
      const key = this.value(false);
      this.skipSpace();
      if (!this.take(':')) this.fail('a colon should stand between key and value');
      pairs.push([key, this.value(false)]);
    }
    return { kind: 'map', pairs, isOpen, isAnyOrder: false };
  }

  private scalar(isTop: boolean): Pattern {
    const range = this.tryMatch(/:?-?\d+\.\.-?\d+/y);
    if (range !== undefined) {
      const [first, last] = range.replace(':', '').split('..');
      return { kind: 'range', first: BigInt(first!), last: BigInt(last!) };
    }
    const integer = this.tryMatch(/:?-?\d+(?![\w.])/y);
    if (integer !== undefined) return exact(integerReply(integer.replace(':', '')));
    if (this.peeks('"') || this.peeks('$"')) {
      this.take('$');
      return exact({ type: 'bulk', value: this.string() });
    }
    if (this.take('#t')) return exact({ type: 'boolean', value: true });
    if (this.take('#f')) return exact({ type: 'boolean', value: false });
    if (this.take(',')) return exact({ type: 'double', value: this.match(/[-+\w.]+/y) });
    if (this.take('!')) return exact({ type: 'bulkError', value: this.string() });
    if (this.take('=')) {
      const format = this.match(/[a-z]{3}:/y).slice(0, 3);
      return exact({ type: 'verbatim', format, value: this.string() });
    }
    if (this.take('-')) return exact({ type: 'error', value: this.words(isTop) });
    this.take('+');
    return exact({ type: 'simple', value: this.words(isTop) });
  }

  private words(isTop: boolean): string {
    if (this.peeks('"')) return this.string();
    return isTop ? this.match(/[^\n]+/y).trimEnd() : this.match(/\w+/y);
  }

  private string(): string {
    const source = this.match(/"(?:[^"\\]|\\.)*"/sy);
    return unquoted(source);
  }

  /** Past a comma only where an item stands before it: `[,1.5]` starts with a double. */
  private closes(bracket: string, hasItems: boolean): boolean {
    this.skipSpace();
    if (hasItems) this.take(',');
    this.skipSpace();
    if (this.at >= this.text.length) this.fail(`${bracket} is missing`);
    return this.take(bracket);
  }

  private skipSpace(): void {
    this.tryMatch(/\s+/y);
  }

  private peeks(text: string): boolean {
    return this.text.startsWith(text, this.at);
  }

  private take(text: string): boolean {
    if (!this.peeks(text)) return false;
    this.at += text.length;
    return true;
  }

  private tryMatch(sticky: RegExp): string | undefined {
    sticky.lastIndex = this.at;
    const found = sticky.exec(this.text);
    if (found === null) return undefined;
    this.at += found[0].length;
    return found[0];
  }

  private match(sticky: RegExp): string {
    return this.tryMatch(sticky) ?? this.fail('no pattern of a reply');
  }

  private fail(problem: string): never {
    throw new PatternError(`${problem}: ${this.text.slice(this.at, this.at + 60)}`);
  }
}

function exact(reply: Reply): Pattern {
  return { kind: 'exact', reply };
}

function integerReply(text: string): Reply {
  const value = Number(text);
  return { type: 'integer', value: Number.isSafeInteger(value) ? value : BigInt(text) };
}

const UNESCAPED: Readonly<Record<string, string>> = {
  n: '\n',
  r: '\r',
  t: '\t',
  b: '\b',
  a: '\x07',
};

/** The byte string of a text in double quotes with redis-cli's escapes. */
export function unquoted(source: string): string {
  return source
    .slice(1, -1)
    .replace(/\\x([0-9a-fA-F]{2})|\\(.)/gs, (_, hex: string | undefined, letter: string) =>
      hex === undefined
        ? (UNESCAPED[letter] ?? letter)
        : String.fromCharCode(Number.parseInt(hex, 16)),
    );
}

/** Splits a command line as redis-cli does. */
export function splitWords(line: string): string[] {
  const words: string[] = [];
  const word = /\s*(?:"((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'|([^\s"']\S*))(?=\s|$)/gsy;
  let at = 0;
  while (line.slice(at).trim() !== '') {
    word.lastIndex = at;
    const found = word.exec(line);
    if (found === null) throw new PatternError(`unbalanced quotes: ${line}`);
    const [whole, double, single, bare] = found;
    if (double !== undefined) words.push(unquoted(`"${double}"`));
    else if (single !== undefined) words.push(single.replace(/\\'/g, "'"));
    else words.push(bare!);
    at += whole.length;
  }
  return words;
}
