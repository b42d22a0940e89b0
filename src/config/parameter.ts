// What a parameter is: a row of the tables in parameters/. The row knows how words become a value,
// how a value becomes the text of CONFIG GET and the lines of CONFIG REWRITE, and whether
// Flagstone does what the value asks for. The sentences of refusal are Redis's.

import { assert, assertNever } from '../base/assert.js';
import { formatMemory, parseInteger, parseMemory, parseOctal } from './numbers.js';
import { lowerCase, quoteWord } from './words.js';

/** Flags are booleans, all numbers bigint, texts byte text, the many-worded ones lists of words. */
export type Value = boolean | bigint | string | readonly string[];

/** A value, or the sentence that says why the words are none. */
export type Parsed = { readonly value: Value } | { readonly error: string };

/** What the meaning of some words depends on. */
export interface Surroundings {
  /** The value until now. */
  readonly previous: Value;
  /** True when an earlier line of the same configuration gave `previous`: save points add up. */
  readonly isRepeated: boolean;
  /** Absolute; relative paths start here. */
  readonly directory: string;
}

/** How a parameter with a form of its own reads and shows itself. */
export interface Form {
  readonly default: Value;
  parse(words: readonly string[], surroundings: Surroundings): Parsed;
  format(value: Value): string;
  rewrite(name: string, value: Value): RewriteLine[];
}

export interface RewriteLine {
  readonly text: string;
  /** Written even if the file never spoke of the parameter. */
  readonly isForced: boolean;
}

export type TextCheck = (text: string) => string | null;
export type NumberKind = 'integer' | 'octal' | 'memory' | 'memory-or-percent';

export interface NumberRange {
  readonly min: bigint;
  readonly max: bigint;
  /** Compared as unsigned: then -1 is too large, not too small. */
  readonly isUnsigned: boolean;
  /** Values outside are accepted and moved to the nearer end. */
  readonly clamp: readonly [bigint, bigint] | null;
  /** What the range alone cannot say. */
  readonly check: ((value: bigint) => string | null) | null;
}

export type Kind =
  | { readonly type: 'flag' }
  | ({ readonly type: NumberKind } & NumberRange)
  | { readonly type: 'choice'; readonly values: readonly string[]; readonly synonyms: Synonyms }
  | {
      readonly type: 'choices';
      readonly values: readonly string[];
      readonly check: ((names: readonly string[]) => string | null) | null;
    }
  | { readonly type: 'text'; readonly isUnsetWhenEmpty: boolean; readonly check: TextCheck | null }
  | { readonly type: 'special'; readonly form: Form };

/** A value that means the same as another is shown as that other. */
export type Synonyms = Readonly<Record<string, string>>;

/** How far Flagstone does what a value asks for. */
export type Support =
  | { readonly kind: 'ok' }
  | { readonly kind: 'inert'; readonly sentence: string }
  | { readonly kind: 'refused'; readonly sentence: string };

/** `now` does it; the others tell why not, for every value or depending on it. */
export type SupportRule =
  | { readonly rule: 'now' }
  | { readonly rule: 'inert'; readonly reason: string }
  | { readonly rule: 'refused'; readonly sentence: string }
  | { readonly rule: 'depends'; readonly judge: (value: Value) => SupportRule };

export interface Row {
  readonly name: string;
  /** The name it had before, still understood. */
  readonly alias: string | null;
  readonly kind: Kind;
  readonly default: Value;
  /** CONFIG SET may change it. */
  readonly isMutable: boolean;
  /** CONFIG SET may change it only if enable-protected-configs says so. */
  readonly isProtected: boolean;
  /** CONFIG GET shows it only by its exact name. */
  readonly isHidden: boolean;
  /** Takes any number of words. */
  readonly isMulti: boolean;
  /** Its value must not appear in logs. */
  readonly isSensitive: boolean;
  /** Setting it to what it is counts as a change: the file behind the name may be new. */
  readonly isVolatile: boolean;
  readonly isRefusedWhileLoading: boolean;
  readonly support: SupportRule;
}

/** What Flagstone says to this value. Defaults need no word, except where the rule depends. */
export function checkSupport(row: Row, value: Value): Support {
  const isDefault = isSameValue(value, row.default);
  const { support } = row;
  if (support.rule === 'depends') return verdict(row, support.judge(value));
  return isDefault ? { kind: 'ok' } : verdict(row, support);
}

function verdict(row: Row, rule: SupportRule): Support {
  switch (rule.rule) {
    case 'now':
      return { kind: 'ok' };
    case 'inert':
      return {
        kind: 'inert',
        sentence: `'${row.name}' has no effect in Flagstone because ${rule.reason}`,
      };
    case 'refused':
      return { kind: 'refused', sentence: rule.sentence };
    case 'depends':
      assert(false, `the support of '${row.name}' depends on itself`);
      return { kind: 'ok' };
    default:
      return assertNever(rule);
  }
}

/** What the words mean for this parameter. */
export function parseValue(row: Row, words: readonly string[], around: Surroundings): Parsed {
  const { kind } = row;
  const word = words[0] ?? '';
  switch (kind.type) {
    case 'flag':
      return parseFlag(word);
    case 'choice':
      return parseChoice(kind.values, kind.synonyms, words);
    case 'choices':
      return parseChoices(kind.values, kind.check, words);
    case 'text':
      return withCheck(word, kind.check?.(word) ?? null);
    case 'special':
      return kind.form.parse(words, around);
    default:
      return parseNumber(kind.type, kind, word);
  }
}

/** The value as CONFIG GET shows it. */
export function formatValue(row: Row, value: Value): string {
  const { kind } = row;
  if (kind.type === 'special') return kind.form.format(value);
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  if (typeof value === 'bigint') return formatNumber(kind.type, value);
  return typeof value === 'string' ? value : value.join(' ');
}

/** The lines CONFIG REWRITE writes; none if the parameter should not stand in the file. */
export function rewriteValue(row: Row, value: Value): RewriteLine[] {
  const { kind } = row;
  if (kind.type === 'special') return kind.form.rewrite(row.name, value);
  if (kind.type === 'text' && kind.isUnsetWhenEmpty && value === '') return [];

  let shown = formatValue(row, value);
  if (kind.type === 'text') shown = quoteWord(shown);
  const isBytes = kind.type === 'memory' || kind.type === 'memory-or-percent';
  if (isBytes && typeof value === 'bigint' && value >= 0n) shown = formatMemory(value);
  return [{ text: `${row.name} ${shown}`, isForced: !isSameValue(value, row.default) }];
}

export function isNumberKind(type: Kind['type']): type is NumberKind {
  return (
    type === 'integer' || type === 'octal' || type === 'memory' || type === 'memory-or-percent'
  );
}

export function isSameValue(left: Value, right: Value): boolean {
  if (typeof left !== 'object' || typeof right !== 'object') return left === right;
  return left.length === right.length && left.every((word, index) => word === right[index]);
}

function parseFlag(word: string): Parsed {
  const answer = lowerCase(word);
  if (answer === 'yes') return { value: true };
  if (answer === 'no') return { value: false };
  return { error: "argument must be 'yes' or 'no'" };
}

function parseChoice(
  values: readonly string[],
  synonyms: Synonyms,
  words: readonly string[],
): Parsed {
  const name = lowerCase(words[0] ?? '');
  if (words.length !== 1 || !values.includes(name)) return { error: oneOf(values) };
  return { value: synonyms[name] ?? name };
}

/** Several names at once. The first value of the table means none of the others. */
function parseChoices(
  values: readonly string[],
  check: ((names: readonly string[]) => string | null) | null,
  words: readonly string[],
): Parsed {
  const names = words.map(lowerCase);
  const isKnown = names.length > 0 && names.every((name) => values.includes(name));
  if (!isKnown) return { error: oneOf(values) };

  const chosen = values.slice(1).filter((name) => names.includes(name));
  return withCheck(chosen.length > 0 ? chosen : values.slice(0, 1), check?.(chosen) ?? null);
}

function oneOf(values: readonly string[]): string {
  return `argument(s) must be one of the following: ${values.join(', ')}`;
}

function withCheck(value: Value, error: string | null): Parsed {
  return error === null ? { value } : { error };
}

function parseNumber(type: NumberKind, range: NumberRange, word: string): Parsed {
  const bits = readBits(type, word);
  if (bits === null) return { error: NO_NUMBER[type] };

  const outside = checkRange(type, range, bits);
  if (outside !== null) return { error: outside };

  let value = range.isUnsigned ? BigInt.asUintN(64, bits) : bits;
  if (range.clamp !== null) {
    const [low, high] = range.clamp;
    value = value < low ? low : value > high ? high : value;
  }
  return withCheck(value, range.check?.(value) ?? null);
}

const NO_NUMBER: Readonly<Record<NumberKind, string>> = {
  integer: "argument couldn't be parsed into an integer",
  octal: "argument couldn't be parsed as an octal number",
  memory: 'argument must be a memory value',
  'memory-or-percent': 'argument must be a memory or percent value',
};

/** The word as 64 signed bits. A percentage is held as a negative number. */
function readBits(type: NumberKind, word: string): bigint | null {
  if (type === 'integer') return parseInteger(word);
  if (type === 'octal') return parseOctal(word);

  const bytes = parseMemory(word);
  if (bytes !== null) return BigInt.asIntN(64, bytes);
  if (type !== 'memory-or-percent' || !word.endsWith('%')) return null;
  const percent = parseInteger(word.slice(0, -1));
  return percent !== null && percent >= 0n ? -percent : null;
}

function checkRange(type: NumberKind, range: NumberRange, bits: bigint): string | null {
  const { min, max } = range;
  if (type === 'memory-or-percent' && bits < 0n) {
    return bits < min ? `percentage argument must be less or equal to ${-min}` : null;
  }
  const value = range.isUnsigned ? BigInt.asUintN(64, bits) : bits;
  if (value >= min && value <= max) return null;
  const base = type === 'octal' ? 8 : 10;
  return `argument must be between ${min.toString(base)} and ${max.toString(base)} inclusive`;
}

function formatNumber(type: Kind['type'], value: bigint): string {
  if (type === 'octal') return value.toString(8);
  return type === 'memory-or-percent' && value < 0n ? `${-value}%` : String(value);
}
