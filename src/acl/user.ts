// A user: whether he may log in, by which passwords, and what he may do. Passwords are kept as
// their SHA-256 only.

import { sha256Hex } from '../base/sha256.js';
import type { Catalog } from './catalog.js';
import { BAD_HASH, type Fault, NO_SUCH_PASSWORD } from './fault.js';
import type { Pattern } from './pattern.js';
import { readSelector, Selector, type SelectorState } from './selector.js';

export const DEFAULT_USER = 'default';

const NO_COMMAND = -1;

/** A user as text can carry him to another thread. */
export interface UserState {
  readonly name: string;
  /** No other user has or had it: one of the same name that is made later is another. */
  readonly id: number;
  readonly isEnabled: boolean;
  readonly isPasswordless: boolean;
  readonly skipsSanitizing: boolean;
  readonly passwords: readonly string[];
  readonly selectors: readonly SelectorState[];
}

export class User {
  readonly name: string;
  id = 0;
  isEnabled = false;
  isPasswordless = false;
  skipsSanitizing = false;
  /** SHA-256 in hex. */
  passwords: string[] = [];
  /** The root first. */
  selectors: Selector[];
  /** He was deleted: nobody may act as him any more. */
  isGone = false;
  /** He may do everything: nothing is checked. */
  isUnlimited = false;
  /**
   * The command that was permitted last because its key fits a pattern, and that pattern: the next
   * one is like it, as a rule.
   */
  lastCommand = NO_COMMAND;
  lastPattern: Pattern | null = null;
  private readonly catalog: Catalog;

  constructor(catalog: Catalog, name: string, allChannels: boolean) {
    this.catalog = catalog;
    this.name = name;
    this.selectors = [new Selector(catalog, allChannels)];
  }

  static of(catalog: Catalog, state: UserState): User {
    const user = new User(catalog, state.name, false);
    user.become(state);
    return user;
  }

  /** Takes over all but the name. */
  become(state: UserState): void {
    this.forgetLast();
    this.id = state.id;
    this.isEnabled = state.isEnabled;
    this.isPasswordless = state.isPasswordless;
    this.skipsSanitizing = state.skipsSanitizing;
    this.passwords = [...state.passwords];
    this.selectors = state.selectors.map((each) => Selector.of(this.catalog, each));
    this.isUnlimited = this.selectors.some(({ isUnlimited }) => isUnlimited);
  }

  /** Who may do what has changed. */
  private forgetLast(): void {
    this.lastCommand = NO_COMMAND;
    this.lastPattern = null;
  }

  get state(): UserState {
    const { name, id, isEnabled, isPasswordless, skipsSanitizing, passwords } = this;
    const selectors = this.selectors.map(({ state }) => state);
    return { name, id, isEnabled, isPasswordless, skipsSanitizing, passwords, selectors };
  }

  get root(): Selector {
    return this.selectors[0]!;
  }

  // ---- rules ------------------------------------------------------------------------------------

  /**
   * Applies one rule, as byte text; `allChannels`: acl-pubsub-default. What is wrong with it, or
   * null.
   */
  apply(rule: string, allChannels: boolean): Fault | null {
    if (rule === '') return null;
    this.forgetLast();
    switch ((rule.split('\0', 1)[0] ?? '').toLowerCase()) {
      case 'on':
        this.isEnabled = true;
        return null;
      case 'off':
        this.isEnabled = false;
        return null;
      case 'skip-sanitize-payload':
        this.skipsSanitizing = true;
        return null;
      case 'sanitize-payload':
        this.skipsSanitizing = false;
        return null;
      case 'nopass':
        this.isPasswordless = true;
        this.passwords = [];
        return null;
      case 'resetpass':
        this.isPasswordless = false;
        this.passwords = [];
        return null;
      case 'clearselectors':
        this.selectors.length = 1;
        return null;
      case 'reset':
        this.reset(allChannels);
        return null;
      default:
        return this.applyNamed(rule, allChannels);
    }
  }

  private applyNamed(rule: string, allChannels: boolean): Fault | null {
    const sign = rule[0]!;
    if (sign === '>' || sign === '#') return this.addPassword(rule);
    if (sign === '<' || sign === '!') return this.removePassword(rule);
    if (sign === '(' && rule.endsWith(')')) {
      const selector = readSelector(this.catalog, rule, allChannels);
      if (!(selector instanceof Selector)) return selector;
      this.selectors.push(selector);
      return null;
    }
    return this.root.apply(rule);
  }

  private addPassword(rule: string): Fault | null {
    const hash = hashOf(rule, '>');
    if (hash === null) return BAD_HASH;
    if (!this.passwords.includes(hash)) this.passwords = [...this.passwords, hash];
    this.isPasswordless = false;
    return null;
  }

  private removePassword(rule: string): Fault | null {
    const hash = hashOf(rule, '<');
    if (hash === null) return BAD_HASH;
    if (!this.passwords.includes(hash)) return NO_SUCH_PASSWORD;
    this.passwords = this.passwords.filter((each) => each !== hash);
    return null;
  }

  private reset(allChannels: boolean): void {
    this.isPasswordless = false;
    this.passwords = [];
    this.isEnabled = false;
    this.skipsSanitizing = false;
    this.selectors = [new Selector(this.catalog, allChannels)];
  }

  // ---- logging in -------------------------------------------------------------------------------

  /** May somebody with this password act as him? */
  accepts(password: Uint8Array): boolean {
    if (!this.isEnabled) return false;
    if (this.isPasswordless) return true;
    const hash = sha256Hex(password);
    let isFound = false;
    // All of them, each to its end: the time says nothing about any.
    for (const each of this.passwords) isFound = areSame(hash, each) || isFound;
    return isFound;
  }

  /** As a default user: does he let in whoever connects? */
  get isWelcoming(): boolean {
    return this.isPasswordless && this.isEnabled;
  }

  // ---- as text ----------------------------------------------------------------------------------

  /** What ACL GETUSER calls flags. */
  get flags(): string[] {
    const flags = [this.isEnabled ? 'on' : 'off'];
    if (this.isPasswordless) flags.push('nopass');
    flags.push(this.skipsSanitizing ? 'skip-sanitize-payload' : 'sanitize-payload');
    return flags;
  }

  /** All but the name, as rules that make him again. */
  describe(): string {
    const parts = [...this.flags, ...this.passwords.map((hash) => `#${hash}`)];
    for (const selector of this.selectors) {
      const text = selector.describe();
      parts.push(selector === this.root ? text : `(${text})`);
    }
    return parts.join(' ');
  }
}

/** The hash that a rule names, or that of the password it has behind the sign `plain`. */
function hashOf(rule: string, plain: string): string | null {
  const text = rule.slice(1);
  if (rule.startsWith(plain)) return sha256Hex(Buffer.from(text, 'latin1'));
  return /^[0-9a-f]{64}$/.test(text) ? text : null;
}

function areSame(one: string, other: string): boolean {
  let difference = one.length ^ other.length;
  for (let index = 0; index < one.length; index++) {
    difference |= one.charCodeAt(index) ^ other.charCodeAt(index);
  }
  return difference === 0;
}
