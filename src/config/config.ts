// The configuration in force. The main thread owns the one that CONFIG SET changes; the others
// hold copies, made from serialise() and brought up to date with adopt().
//
// Names and values come and go as byte text (words.ts), the typed getters give readable text.

import { assert } from '../base/assert.js';
import { readTextIfAny, replaceFile, systemSentence } from './files.js';
import type { Parsed, Row, Value } from './parameter.js';
import {
  checkSupport,
  formatValue,
  isNumberKind,
  isSameValue,
  parseValue,
  rewriteValue,
} from './parameter.js';
import { findParameter, getParameter, isOwn, PARAMETERS } from './parameters.js';
import { rewriteText, type Statement } from './rewrite.js';
import { fromByteText, lowerCase, quoteWord, splitWords, toByteText } from './words.js';

/** Does a text match a glob-like pattern? Of base/glob.ts, ignoring case. */
export type Matches = (pattern: string, text: string) => boolean;

/** Told after a change; may refuse it with a sentence, and then nothing has changed. */
export type Listener = (config: Config) => string | undefined;

/** Who asks for a change, as far as it matters for protected parameters. */
export interface Asker {
  readonly isLocal: boolean;
  readonly isServerLoading: boolean;
}

export interface Change {
  /** An error line without the leading dash, or null if all of it is done. */
  readonly error: string | null;
  /** For the log: what was accepted but does nothing. */
  readonly warnings: readonly string[];
}

const LOCAL_ASKER: Asker = { isLocal: true, isServerLoading: false };

export class Config {
  /** Grows with every change. */
  version = 1;
  /** The file it was read from, absolute; null if none. */
  file: string | null = null;
  /** Commands that got another name, or lost theirs where the new one is empty. */
  renames: (readonly [from: string, to: string])[] = [];
  /** The words of each `user` line, the name first. */
  users: string[][] = [];

  private readonly values = new Map<string, Value>();
  private readonly listeners = new Map<string, Listener[]>();

  /** All defaults. `dir` is where the process was started. */
  constructor(directory: string = process.cwd()) {
    for (const row of PARAMETERS) this.values.set(row.name, row.default);
    this.values.set('dir', toByteText(directory));
  }

  // Reading

  flag(name: string): boolean {
    const value = this.valueOf(getParameter(name));
    assert(typeof value === 'boolean', `'${name}' is no flag`);
    return value;
  }

  /** Beyond 2^53 the nearest number: only limits that mean "none" are that large. */
  number(name: string): number {
    const value = this.valueOf(getParameter(name));
    assert(typeof value === 'bigint', `'${name}' is no number`);
    return Number(value);
  }

  /** For parameters that may be a share of something: never both. */
  share(name: string): { readonly bytes: number } | { readonly percent: number } {
    const value = this.number(name);
    return value < 0 ? { percent: -value } : { bytes: value };
  }

  text(name: string): string {
    return fromByteText(this.byteText(name));
  }

  /** As text(), for what may be no UTF-8: passwords. */
  bytes(name: string): Buffer {
    return Buffer.from(this.byteText(name), 'latin1');
  }

  list(name: string): string[] {
    const value = this.valueOf(getParameter(name));
    assert(typeof value === 'object', `'${name}' is no list`);
    return value.map(fromByteText);
  }

  /** CONFIG GET: pairs of name and value, each name once, however many patterns match it. */
  get(patterns: readonly string[], matches: Matches): [name: string, value: string][] {
    const found = new Map<string, [string, string]>();
    const add = (name: string, row: Row) => {
      const key = lowerCase(name);
      if (!found.has(key)) found.set(key, [name, formatValue(row, this.valueOf(row))]);
    };
    for (const pattern of patterns) {
      if (/[*?[]/.test(pattern)) {
        for (const [name, row] of shownNames()) if (matches(pattern, name)) add(name, row);
      } else {
        const row = findParameter(pattern);
        if (row !== null) add(pattern, row);
      }
    }
    return [...found.values()];
  }

  /** What is accepted but does nothing, for the log at the start. */
  warnings(): string[] {
    return PARAMETERS.flatMap((row) => {
      const support = checkSupport(row, this.valueOf(row));
      return support.kind === 'inert' ? [support.sentence] : [];
    });
  }

  /** The first parameter whose value Flagstone does not start with, and why. */
  findRefusal(): { readonly name: string; readonly sentence: string } | null {
    for (const row of PARAMETERS) {
      const support = checkSupport(row, this.valueOf(row));
      if (support.kind === 'refused') return { name: row.name, sentence: support.sentence };
    }
    return null;
  }

  // Changing

  /**
   * One directive, as a line of a file gives it; `isRepeated` if an earlier line of the same
   * configuration gave one too. Returns why it cannot be, or null. Tells no listener.
   */
  set(name: string, words: readonly string[], isRepeated = false): string | null {
    const row = findParameter(name);
    if (row === null) return 'Bad directive or wrong number of arguments';
    if (!row.isMulti && words.length !== 1) return 'wrong number of arguments';

    // Several words may come as one quoted word.
    const isOneWord = row.isMulti && words.length === 1 && words[0] !== '';
    const parsed = this.parse(
      row,
      isOneWord ? (splitWords(words[0] ?? '') ?? []) : words,
      isRepeated,
    );
    if ('error' in parsed) return parsed.error;
    this.values.set(row.name, parsed.value);
    this.version++;
    return null;
  }

  /** CONFIG SET name value [name value ...]: all of it or nothing. */
  change(pairs: readonly string[], asker: Asker = LOCAL_ASKER): Change {
    const unwelcome = this.checkPairs(pairs, asker);
    if (unwelcome !== null) return { error: unwelcome, warnings: [] };

    const before = new Map(this.values);
    const rows: Row[] = [];
    const warnings: string[] = [];
    for (const [name, text] of paired(pairs)) {
      const row = getParameter(name);
      const parsed = this.parse(row, wordsOfText(row, text), false);
      const refusal = 'error' in parsed ? parsed.error : this.accept(row, parsed.value, warnings);
      if (refusal !== null) {
        this.restore(before);
        return { error: changeFailed(lowerCase(name), refusal), warnings: [] };
      }
      rows.push(row);
    }

    const changed = rows.filter((row) => row.isVolatile || !this.isAsIn(before, row));
    const failed = this.tell(changed);
    if (failed !== null) {
      this.restore(before);
      this.tell(changed);
      return { error: failed, warnings: [] };
    }
    this.version++;
    return { error: null, warnings };
  }

  /** Calls back after a change of one of the names, with the new values in place. */
  onChange(names: string | readonly string[], listener: Listener): void {
    for (const name of typeof names === 'string' ? [names] : names) {
      const row = getParameter(name);
      this.listeners.set(row.name, [...(this.listeners.get(row.name) ?? []), listener]);
    }
  }

  // Writing

  /** The text of a configuration file made to say what is in force. */
  rewrite(oldText: string, isWhole = false): string {
    const statements: Statement[] = PARAMETERS.map((row) => {
      const lines = rewriteValue(row, this.valueOf(row));
      const written = isWhole ? lines.map(({ text }) => ({ text, isForced: true })) : lines;
      return { name: row.name, lines: written };
    });
    const users = this.users.map((words) => ({
      text: `user ${words.map(quoteIfNeeded).join(' ')}`,
      isForced: true,
    }));
    return rewriteText(oldText, [...statements, { name: 'user', lines: users }]);
  }

  /**
   * CONFIG REWRITE; `isWhole`: what is as by default is written as well. Returns an error line
   * without the leading dash, or null.
   */
  rewriteFile(isWhole = false): string | null {
    if (this.file === null) return 'ERR The server is running without a config file';
    try {
      replaceFile(this.file, this.rewrite(readTextIfAny(this.file) ?? '', isWhole));
      return null;
    } catch (error) {
      return `ERR Rewriting config file: ${systemSentence(error)}`;
    }
  }

  /** All of it as one string, for another thread of the same process. */
  serialise(): string {
    const values = [...this.values].map(([name, value]) => [
      name,
      typeof value === 'bigint' ? String(value) : value,
    ]);
    const { version, file, renames, users } = this;
    return JSON.stringify({ version, file, renames, users, values });
  }

  static deserialise(text: string): Config {
    const config = new Config();
    config.adopt(text);
    return config;
  }

  /** Takes over what serialise() gave and tells the listeners what changed. */
  adopt(text: string): void {
    const copy = JSON.parse(text) as Copy;
    const before = new Map(this.values);
    for (const [name, value] of copy.values) {
      const isNumber = isNumberKind(getParameter(name).kind.type);
      this.values.set(name, isNumber ? BigInt(value as string) : value);
    }
    this.version = copy.version;
    this.file = copy.file;
    this.renames = copy.renames;
    this.users = copy.users;
    const refusal = this.tell(PARAMETERS.filter((row) => !this.isAsIn(before, row)));
    assert(refusal === null, `a configuration already in force was refused: ${refusal}`);
  }

  // Inside

  private valueOf(row: Row): Value {
    const value = this.values.get(row.name);
    assert(value !== undefined, `'${row.name}' has no value`);
    return value;
  }

  private byteText(name: string): string {
    const value = this.valueOf(getParameter(name));
    assert(typeof value === 'string', `'${name}' is no text`);
    return value;
  }

  private parse(row: Row, words: readonly string[], isRepeated: boolean): Parsed {
    const directory = this.byteText('dir');
    return parseValue(row, words, { previous: this.valueOf(row), isRepeated, directory });
  }

  /** What speaks against a CONFIG SET before any value is looked at. */
  private checkPairs(pairs: readonly string[], asker: Asker): string | null {
    if (pairs.length % 2 === 1) return 'ERR syntax error';
    const seen = new Set<string>();
    for (const [name, text] of paired(pairs)) {
      const row = findParameter(name);
      if (row === null) {
        return `ERR Unknown option or number of arguments for CONFIG SET - '${name}'`;
      }
      if (!row.isMutable && !this.isOwnAsItIs(row, text))
        return changeFailed(name, "can't set immutable config");
      if (row.isProtected && !this.isAllowed(asker)) {
        return changeFailed(name, "can't set protected config");
      }
      if (row.isRefusedWhileLoading && asker.isServerLoading) {
        return 'LOADING Redis is loading the dataset in memory';
      }
      // Two names of one parameter are two parameters here, the last one wins: as in Redis.
      if (seen.has(lowerCase(name))) return changeFailed(name, 'duplicate parameter');
      seen.add(lowerCase(name));
    }
    return null;
  }

  /** Tools that know all of Redis's immutable parameters set every other one to what it is. */
  private isOwnAsItIs(row: Row, text: string): boolean {
    return isOwn(row) && formatValue(row, this.valueOf(row)) === text;
  }

  private isAllowed(asker: Asker): boolean {
    const answer = this.text('enable-protected-configs');
    return answer === 'yes' || (answer === 'local' && asker.isLocal);
  }

  private accept(row: Row, value: Value, warnings: string[]): string | null {
    const support = checkSupport(row, value);
    if (support.kind === 'refused') return support.sentence;
    if (support.kind === 'inert') warnings.push(support.sentence);
    this.values.set(row.name, value);
    return null;
  }

  /** Each listener once, however many of its names changed. Returns the first refusal. */
  private tell(rows: readonly Row[]): string | null {
    const told = new Set<Listener>();
    for (const row of rows) {
      for (const listener of this.listeners.get(row.name) ?? []) {
        if (told.has(listener)) continue;
        told.add(listener);
        const refusal = listener(this);
        if (refusal !== undefined) return changeFailed(row.name, refusal);
      }
    }
    return null;
  }

  private isAsIn(values: ReadonlyMap<string, Value>, row: Row): boolean {
    const earlier = values.get(row.name);
    return earlier !== undefined && isSameValue(earlier, this.valueOf(row));
  }

  private restore(values: ReadonlyMap<string, Value>): void {
    for (const [name, value] of values) this.values.set(name, value);
  }
}

interface Copy {
  readonly version: number;
  readonly file: string | null;
  readonly renames: (readonly [string, string])[];
  readonly users: string[][];
  readonly values: [name: string, value: Exclude<Value, bigint>][];
}

/** Every name CONFIG GET may show for a pattern, aliases included. */
function* shownNames(): Generator<[name: string, row: Row]> {
  for (const row of PARAMETERS) {
    if (row.isHidden) continue;
    yield [row.name, row];
    if (row.alias !== null) yield [row.alias, row];
  }
}

/** CONFIG SET parts words at single spaces and knows no quotes. */
function wordsOfText(row: Row, text: string): string[] {
  if (!row.isMulti) return [text];
  return text === '' ? [] : text.split(' ');
}

function quoteIfNeeded(word: string): string {
  return /^[^"'\s\0\x80-\xff]+$/.test(word) ? word : quoteWord(word);
}

function* paired(pairs: readonly string[]): Generator<[name: string, value: string]> {
  for (let at = 0; at + 1 < pairs.length; at += 2) yield [pairs[at] ?? '', pairs[at + 1] ?? ''];
}

function changeFailed(name: string, sentence: string): string {
  return `ERR CONFIG SET failed (possibly related to argument '${name}') - ${sentence}`;
}
