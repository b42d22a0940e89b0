// Does a script touch no other keys than those it declares? Then it runs narrow: it holds the
// locks of its keys' partitions only, and everybody else goes on. Any doubt makes it wide, which
// costs time and is never wrong.
//
// A script is narrow if all of this can be read off its source:
// - Commands are called as `redis.call(…)` or `redis.pcall(…)`, or by a local that has been given
//   one of the two where it was declared. Nothing else is done with these functions: they are not
//   passed on, stored or assigned to. Of the rest of `redis` its harmless functions may be used.
// - A command's name is a literal, and so is a subcommand's. What the command does with its other
//   arguments is for the caller to judge (`Judge`), who knows the commands: every argument that
//   may be a key must be known to be one of the declared.
// - Known to be a declared key are: `KEYS[…]`, whatever the index (there may be none: nil); the
//   values of `unpack(KEYS)`; a local that got one of these where it was declared; the value that
//   `for … in ipairs(KEYS)` or `pairs(KEYS)` brings. A local counts only if no local of its name
//   is ever assigned to, anywhere in the script.
// - KEYS itself appears in these forms only, and in `#KEYS`. So it cannot be changed or passed on.
// - All other globals that are named are harmless functions and libraries: nothing that gets at
//   the globals in another way (_G, getfenv, setfenv, rawget, rawset), at metatables, or at code
//   made from text (loadstring, load, dofile, require). Globals are not assigned to.
//
// The tables of the libraries are read-only (sandbox.ts), so that these names mean what they say.
// Should all this be wrong somewhere, a command is refused that wants a partition whose lock is
// not held (dispatch/scripts.ts).

import { type Token, TokenKind, tokensOf } from './lua-tokens.js';

/** What is known of an argument of a command. */
export type StaticWord =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'key' }
  | { readonly kind: 'other' };

/** What may follow behind the arguments that are known one by one. */
export type Tail = 'nothing' | 'keys' | 'anything';

/** May a command with these words be called from a narrow script? The first is its name. */
export type Judge = (words: readonly StaticWord[], tail: Tail) => boolean;

/** What is known of an expression. */
type Value =
  | StaticWord
  /** KEYS, `redis`, or one of its two calls: not to be passed on. */
  | { readonly kind: 'keys' }
  | { readonly kind: 'redis' }
  | { readonly kind: 'caller' }
  /** A name that is no local. */
  | { readonly kind: 'global'; readonly name: string }
  /** Any number of values. */
  | { readonly kind: 'many' }
  | { readonly kind: 'manyKeys' };

const KEY = { kind: 'key' } as const;
const KEYS = { kind: 'keys' } as const;
const REDIS = { kind: 'redis' } as const;
const CALLER = { kind: 'caller' } as const;
const OTHER = { kind: 'other' } as const;
const MANY = { kind: 'many' } as const;
const MANY_KEYS = { kind: 'manyKeys' } as const;

const HARMLESS_GLOBALS: ReadonlySet<string> = new Set(
  (
    'ARGV assert bit cjson cmsgpack error ipairs math next os pairs pcall select string struct ' +
    'table tonumber tostring type unpack xpcall'
  ).split(' '),
);

const HARMLESS_OF_REDIS: ReadonlySet<string> = new Set(
  (
    'LOG_DEBUG LOG_NOTICE LOG_VERBOSE LOG_WARNING REDIS_VERSION REDIS_VERSION_NUM REPL_ALL ' +
    'REPL_AOF REPL_NONE REPL_REPLICA REPL_SLAVE breakpoint debug error_reply log ' +
    'replicate_commands set_repl setresp sha1hex status_reply'
  ).split(' '),
);

/** Lua's own limit of nested levels: deeper sources are not compiled. */
const DEPTH_MAX = 200;

/** Binary operators; their precedence changes nothing for what is asked here. */
const BINARY: ReadonlySet<string> = new Set('+ - * / % ^ .. == ~= < <= > >= and or'.split(' '));
const UNARY: ReadonlySet<string> = new Set(['-', 'not', '#']);
const BLOCK_ENDS: ReadonlySet<string> = new Set(['end', 'else', 'elseif', 'until']);

/** Thrown when the script turns out to be wide. */
const WIDE = Symbol('wide');

/** Does the script, a character per byte, keep to its declared keys? */
export function isNarrow(source: string, judge: Judge): boolean {
  const tokens = tokensOf(source);
  if (tokens === null) return false;
  try {
    // The first time only to learn which names are assigned to.
    const first = new Reading(tokens, new Set(), () => true);
    first.readAll();
    new Reading(tokens, first.assigned, judge).readAll();
    return true;
  } catch (thrown) {
    if (thrown === WIDE) return false;
    throw thrown;
  }
}

class Reading {
  /** Names that are assigned to, apart from where they are declared. */
  readonly assigned = new Set<string>();
  private readonly tokens: readonly Token[];
  private readonly changing: ReadonlySet<string>;
  private readonly judge: Judge;
  private at = 0;
  private depth = 0;
  private readonly scopes: Map<string, Value>[] = [];

  constructor(tokens: readonly Token[], changing: ReadonlySet<string>, judge: Judge) {
    this.tokens = tokens;
    this.changing = changing;
    this.judge = judge;
  }

  readAll(): void {
    this.block();
    if (this.token.kind !== TokenKind.End) throw WIDE;
  }

  // ---- tokens ---------------------------------------------------------------------------------

  private get token(): Token {
    return this.tokens[this.at]!;
  }

  /** Is this the next word or symbol? */
  private is(text: string): boolean {
    const { kind } = this.token;
    return (kind === TokenKind.Keyword || kind === TokenKind.Symbol) && this.token.text === text;
  }

  private accept(text: string): boolean {
    if (!this.is(text)) return false;
    this.at++;
    return true;
  }

  private expect(text: string): void {
    if (!this.accept(text)) throw WIDE;
  }

  private name(): string {
    if (this.token.kind !== TokenKind.Name) throw WIDE;
    return this.tokens[this.at++]!.text;
  }

  private enter(): void {
    if (++this.depth > DEPTH_MAX) throw WIDE;
  }

  private leave(): void {
    this.depth--;
  }

  // ---- names ----------------------------------------------------------------------------------

  private declare(name: string, value: Value): void {
    const isKept = (value === KEY || value === CALLER) && !this.changing.has(name);
    this.scopes[this.scopes.length - 1]!.set(name, isKept ? value : OTHER);
  }

  private valueOf(name: string): Value {
    for (let scope = this.scopes.length - 1; scope >= 0; scope--) {
      const value = this.scopes[scope]!.get(name);
      if (value !== undefined) return value;
    }
    if (name === 'KEYS') return KEYS;
    if (name === 'redis') return REDIS;
    if (HARMLESS_GLOBALS.has(name)) return { kind: 'global', name };
    throw WIDE;
  }

  /** A value is used in a way that could pass it on. */
  private use(value: Value): void {
    if (value === KEYS || value === REDIS || value === CALLER) throw WIDE;
  }

  // ---- statements -----------------------------------------------------------------------------

  private block(declareFirst: (() => void) | null = null): void {
    this.enter();
    this.scopes.push(new Map());
    declareFirst?.();
    while (this.token.kind !== TokenKind.End && !this.isBlockEnd()) {
      const isLast = this.statement();
      this.accept(';');
      if (isLast) break;
    }
    this.scopes.pop();
    this.leave();
  }

  private isBlockEnd(): boolean {
    return this.token.kind === TokenKind.Keyword && BLOCK_ENDS.has(this.token.text);
  }

  /** Reads a statement; true if it must be the last of its block. */
  private statement(): boolean {
    if (this.accept('break')) return true;
    if (this.accept('return')) {
      const isEmpty = this.isBlockEnd() || this.is(';') || this.token.kind === TokenKind.End;
      if (!isEmpty) this.useAll(this.expressions());
      return true;
    }
    if (this.accept('if')) this.ifStatement();
    else if (this.accept('while')) {
      this.use(this.expression());
      this.expect('do');
      this.blockToEnd();
    } else if (this.accept('do')) this.blockToEnd();
    else if (this.accept('for')) this.forStatement();
    else if (this.accept('repeat')) this.repeatStatement();
    else if (this.accept('function')) this.functionStatement();
    else if (this.accept('local')) this.localStatement();
    else this.expressionStatement();
    return false;
  }

  private blockToEnd(declareFirst: (() => void) | null = null): void {
    this.block(declareFirst);
    this.expect('end');
  }

  private ifStatement(): void {
    do {
      this.use(this.expression());
      this.expect('then');
      this.block();
    } while (this.accept('elseif'));
    if (this.accept('else')) this.block();
    this.expect('end');
  }

  private repeatStatement(): void {
    // Not by `block`, because the condition sees the locals of the block.
    this.enter();
    this.scopes.push(new Map());
    while (this.token.kind !== TokenKind.End && !this.isBlockEnd()) {
      const isLast = this.statement();
      this.accept(';');
      if (isLast) break;
    }
    this.expect('until');
    this.use(this.expression());
    this.scopes.pop();
    this.leave();
  }

  private forStatement(): void {
    const names = [this.name()];
    while (this.accept(',')) names.push(this.name());
    if (names.length === 1 && this.accept('=')) {
      this.useAll(this.expressions());
      this.expect('do');
      this.blockToEnd(() => this.declare(names[0]!, OTHER));
      return;
    }
    this.expect('in');
    const isOverKeys = this.acceptOverKeys();
    if (!isOverKeys) this.useAll(this.expressions());
    this.expect('do');
    this.blockToEnd(() => {
      for (let index = 0; index < names.length; index++) {
        this.declare(names[index]!, isOverKeys && index === 1 ? KEY : OTHER);
      }
    });
  }

  /** `ipairs(KEYS)` or `pairs(KEYS)`, and nothing else up to `do`. */
  private acceptOverKeys(): boolean {
    const { at, tokens } = this;
    const [walker, opening, keys, closing, end] = tokens.slice(at, at + 5);
    if (walker?.kind !== TokenKind.Name || keys?.kind !== TokenKind.Name) return false;
    if (opening?.text !== '(' || closing?.text !== ')' || end?.text !== 'do') return false;
    if (opening.kind !== TokenKind.Symbol || closing.kind !== TokenKind.Symbol) return false;
    if (walker.text !== 'ipairs' && walker.text !== 'pairs') return false;
    if (this.valueOf(walker.text).kind !== 'global' || keys.text !== 'KEYS') return false;
    if (this.valueOf('KEYS') !== KEYS) return false;
    this.at += 4;
    return true;
  }

  private functionStatement(): void {
    const name = this.name();
    // Whatever it is a part of must not be a global, which would be changed.
    const base = this.valueOf(name);
    this.use(base);
    if (base.kind === 'global') throw WIDE;
    let isPart = false;
    let isMethod = false;
    while (!isMethod && (this.is('.') || this.is(':'))) {
      isMethod = this.is(':');
      this.at++;
      this.name();
      isPart = true;
    }
    if (!isPart) this.assigned.add(name);
    this.functionBody(isMethod);
  }

  private localStatement(): void {
    if (this.accept('function')) {
      // Visible in its own body.
      this.declare(this.name(), OTHER);
      this.functionBody(false);
      return;
    }
    const names = [this.name()];
    while (this.accept(',')) names.push(this.name());
    const values = this.accept('=') ? this.expressions() : [];
    for (const value of values) if (value === KEYS || value === REDIS) throw WIDE;
    // More values than names: nobody gets the rest.
    for (let index = names.length; index < values.length; index++) this.use(values[index]!);
    for (let index = 0; index < names.length; index++) {
      const last = values[values.length - 1];
      let value = values[index] ?? last ?? OTHER;
      if (value === MANY_KEYS) value = KEY;
      if (value === CALLER && this.changing.has(names[index]!)) throw WIDE;
      this.declare(names[index]!, value);
    }
  }

  private expressionStatement(): void {
    const startAt = this.at;
    const first = this.suffixed();
    if (!this.is('=') && !this.is(',')) {
      // A call, or nothing that Lua would take.
      if (first !== MANY && first !== MANY_KEYS) throw WIDE;
      return;
    }
    this.target(first, startAt);
    while (this.accept(',')) {
      const at = this.at;
      this.target(this.suffixed(), at);
    }
    this.expect('=');
    this.useAll(this.expressions());
  }

  /** `value`, of the tokens from `startAt` on, is assigned to. */
  private target(value: Value, startAt: number): void {
    this.use(value);
    if (value.kind === 'global' || value.kind === 'manyKeys') throw WIDE;
    const isName = this.at === startAt + 1;
    if (isName) this.assigned.add(this.tokens[startAt]!.text);
    else if (value.kind === 'key') throw WIDE;
  }

  // ---- expressions ----------------------------------------------------------------------------

  private expressions(): Value[] {
    const values = [this.expression()];
    while (this.accept(',')) values.push(this.expression());
    // Of all but the last, only the first value counts.
    for (let index = 0; index < values.length - 1; index++) values[index] = one(values[index]!);
    return values;
  }

  private useAll(values: readonly Value[]): void {
    for (const value of values) this.use(value);
  }

  private expression(): Value {
    this.enter();
    let value = this.operand();
    while (this.isOperator(BINARY)) {
      this.at++;
      this.use(value);
      this.use(this.operand());
      value = OTHER;
    }
    this.leave();
    return value;
  }

  private isOperator(operators: ReadonlySet<string>): boolean {
    const { kind, text } = this.token;
    return (kind === TokenKind.Symbol || kind === TokenKind.Keyword) && operators.has(text);
  }

  private operand(): Value {
    let isApplied = false;
    let isLength = false;
    while (this.isOperator(UNARY)) {
      isApplied = true;
      isLength = this.token.text === '#';
      this.at++;
    }
    const value = this.simple();
    if (!isApplied) return value;
    if (!(isLength && value === KEYS)) this.use(value);
    return OTHER;
  }

  private simple(): Value {
    const { kind, text } = this.token;
    if (kind === TokenKind.Text) {
      this.at++;
      return { kind: 'text', text };
    }
    if (kind === TokenKind.Number) {
      this.at++;
      return /^\d+$/.test(text) && text.length < 16 ? { kind: 'text', text: `${+text}` } : OTHER;
    }
    if (this.accept('nil') || this.accept('true') || this.accept('false')) return OTHER;
    if (this.accept('...')) return MANY;
    if (this.is('{')) {
      this.tableConstructor();
      return OTHER;
    }
    if (this.accept('function')) {
      this.functionBody(false);
      return OTHER;
    }
    return this.suffixed();
  }

  private suffixed(): Value {
    let value: Value;
    if (this.accept('(')) {
      value = one(this.expression());
      this.use(value);
      this.expect(')');
      // In parentheses it is no target, and neither a name.
      if (value.kind === 'global') value = OTHER;
    } else value = this.valueOf(this.name());
    for (;;) {
      if (this.accept('.')) value = this.field(value, this.name());
      else if (this.accept('[')) {
        this.use(this.expression());
        this.expect(']');
        value = this.element(value);
      } else if (this.accept(':')) {
        this.use(value);
        this.name();
        this.useAll(this.callArguments());
        value = MANY;
      } else if (this.is('(') || this.is('{') || this.token.kind === TokenKind.Text) {
        value = this.call(value);
      } else return value;
    }
  }

  private field(value: Value, name: string): Value {
    if (value === REDIS) {
      if (name === 'call' || name === 'pcall') return CALLER;
      if (HARMLESS_OF_REDIS.has(name)) return OTHER;
      throw WIDE;
    }
    this.use(value);
    return OTHER;
  }

  private element(value: Value): Value {
    if (value === KEYS) return KEY;
    this.use(value);
    return OTHER;
  }

  private call(called: Value): Value {
    if (called === CALLER) {
      this.command(this.callArguments());
      return MANY;
    }
    this.use(called);
    const values = this.callArguments();
    if (called.kind === 'global' && called.name === 'unpack' && values[0] === KEYS) {
      this.useAll(values.slice(1));
      return MANY_KEYS;
    }
    this.useAll(values);
    return MANY;
  }

  private command(values: readonly Value[]): void {
    this.useAll(values);
    const last = values[values.length - 1];
    let tail: Tail = 'nothing';
    if (last === MANY) tail = 'anything';
    else if (last === MANY_KEYS) tail = 'keys';
    const known = tail === 'nothing' ? values : values.slice(0, -1);
    const words = known.map((value) => {
      return value.kind === 'text' || value.kind === 'key' ? value : OTHER;
    });
    if (!this.judge(words, tail)) throw WIDE;
  }

  private callArguments(): Value[] {
    const { kind, text } = this.token;
    if (kind === TokenKind.Text) {
      this.at++;
      return [{ kind: 'text', text }];
    }
    if (this.is('{')) {
      this.tableConstructor();
      return [OTHER];
    }
    this.expect('(');
    if (this.accept(')')) return [];
    const values = this.expressions();
    this.expect(')');
    return values;
  }

  private tableConstructor(): void {
    this.expect('{');
    while (!this.accept('}')) {
      if (this.accept('[')) {
        this.use(this.expression());
        this.expect(']');
        this.expect('=');
      } else if (this.token.kind === TokenKind.Name && this.isAssignedField()) {
        this.at += 2;
      }
      this.use(this.expression());
      if (!this.accept(',') && !this.accept(';') && !this.is('}')) throw WIDE;
    }
  }

  private isAssignedField(): boolean {
    const next = this.tokens[this.at + 1]!;
    return next.kind === TokenKind.Symbol && next.text === '=';
  }

  private functionBody(isMethod: boolean): void {
    this.expect('(');
    const names = isMethod ? ['self'] : [];
    let isVariadic = false;
    while (!this.accept(')')) {
      if (this.accept('...')) isVariadic = true;
      else names.push(this.name());
      if (!this.accept(',') && !this.is(')')) throw WIDE;
    }
    this.blockToEnd(() => {
      for (const name of names) this.declare(name, OTHER);
      // Lua 5.1 gives such functions a local of this name.
      if (isVariadic) this.declare('arg', OTHER);
    });
  }
}

/** What is left of a value where exactly one is wanted. */
function one(value: Value): Value {
  if (value === MANY) return OTHER;
  // The first of the keys, or nothing.
  return value === MANY_KEYS ? KEY : value;
}
