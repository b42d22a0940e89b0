// A selector: which commands, keys and channels it permits. A user has one of his own, its root,
// and may have more of them; each has to permit a command by itself.
//
// Commands are a bitmap by id; the rules that made it are kept in their order, as people read them
// and other threads repeat them. A rule that a later one makes void is dropped, as Redis does.

import { splitWords } from '../config/words.js';
import type { Catalog, RuledCommand } from './catalog.js';
import {
  AFTER_ALL_CHANNELS,
  AFTER_ALL_KEYS,
  ARGUMENT_OF_SUBCOMMAND,
  BAD_SYNTAX,
  type Fault,
  UNKNOWN_NAME,
} from './fault.js';
import { Pattern, Right } from './pattern.js';

/** A selector as text can carry it to another thread. */
export interface SelectorState {
  readonly allKeys: boolean;
  readonly allChannels: boolean;
  readonly isOpen: boolean;
  readonly keys: readonly (readonly [rights: number, text: string])[];
  readonly channels: readonly string[];
  readonly rules: readonly string[];
}

export class Selector {
  allKeys = false;
  allChannels: boolean;
  /** It began with +@all: commands that it does not name are permitted. */
  isOpen = false;
  /** Every command is, without a look. */
  allCommands = false;
  readonly keys: Pattern[] = [];
  readonly channels: Pattern[] = [];
  /** Rules of commands and categories since +@all or -@all, each with its sign. */
  rules: string[] = [];
  private readonly catalog: Catalog;
  private readonly allowed: Int32Array;
  /** First arguments that permit a command which is not, by its id. */
  private firstArguments: Map<number, string[]> | null = null;

  constructor(catalog: Catalog, allChannels: boolean) {
    this.catalog = catalog;
    this.allChannels = allChannels;
    this.allowed = new Int32Array(catalog.bitmapWords);
  }

  static of(catalog: Catalog, state: SelectorState): Selector {
    const selector = new Selector(catalog, state.allChannels);
    selector.allKeys = state.allKeys;
    for (const [rights, text] of state.keys) selector.keys.push(new Pattern(text, rights));
    for (const text of state.channels) selector.channels.push(new Pattern(text, Right.All));
    selector.setAll(state.isOpen);
    for (const rule of state.rules) selector.apply(rule);
    return selector;
  }

  get state(): SelectorState {
    return {
      allKeys: this.allKeys,
      allChannels: this.allChannels,
      isOpen: this.isOpen,
      keys: this.keys.map(({ rights, text }) => [rights, text]),
      channels: this.channels.map(({ text }) => text),
      rules: this.rules,
    };
  }

  // ---- what it permits --------------------------------------------------------------------------

  /** Does it permit everything there is? */
  get isUnlimited(): boolean {
    return this.allCommands && this.allKeys && this.allChannels;
  }

  permitsCommand(id: number): boolean {
    return this.allCommands || ((this.allowed[id >>> 5]! >>> (id & 31)) & 1) !== 0;
  }

  /** First arguments with which the command of this id is permitted all the same. */
  firstArgumentsOf(id: number): readonly string[] | null {
    return this.firstArguments?.get(id) ?? null;
  }

  /** `wanted` are Right bits: none if being named is all that the command does to the key. */
  permitsKey(u8: Uint8Array, start: number, length: number, wanted: number): boolean {
    return this.allKeys || this.patternFor(u8, start, length, wanted) !== null;
  }

  /** The first pattern that permits the key, where not all are permitted. */
  patternFor(u8: Uint8Array, start: number, length: number, wanted: number): Pattern | null {
    const { keys } = this;
    for (let index = 0; index < keys.length; index++) {
      const pattern = keys[index]!;
      if ((pattern.rights & wanted) === wanted && pattern.matches(u8, start, length)) {
        return pattern;
      }
    }
    return null;
  }

  /** All keys, whatever they are called? */
  permitsEveryKey(wanted: number): boolean {
    if (this.allKeys) return true;
    return this.keys.some(({ rights, text }) => (rights & wanted) === wanted && text === '*');
  }

  /** A pattern to subscribe to is permitted only as it stands. */
  permitsChannel(u8: Uint8Array, start: number, length: number, isPattern: boolean): boolean {
    if (this.allChannels) return true;
    for (const pattern of this.channels) {
      const isMeant = isPattern
        ? pattern.equals(u8, start, length)
        : pattern.matches(u8, start, length);
      if (isMeant) return true;
    }
    return false;
  }

  // ---- rules ------------------------------------------------------------------------------------

  /** Applies one rule, as byte text. What is wrong with it, or null. */
  apply(rule: string): Fault | null {
    // What C compares ends at a NUL.
    const word = (rule.split('\0', 1)[0] ?? '').toLowerCase();
    switch (word) {
      case 'allkeys':
      case '~*':
        this.allKeys = true;
        this.keys.length = 0;
        return null;
      case 'resetkeys':
        this.allKeys = false;
        this.keys.length = 0;
        return null;
      case 'allchannels':
      case '&*':
        this.allChannels = true;
        this.channels.length = 0;
        return null;
      case 'resetchannels':
        this.allChannels = false;
        this.channels.length = 0;
        return null;
      case 'allcommands':
      case '+@all':
        this.setAll(true);
        return null;
      case 'nocommands':
      case '-@all':
        this.setAll(false);
        return null;
      default:
        return this.applyNamed(rule, word);
    }
  }

  private applyNamed(rule: string, word: string): Fault | null {
    if (rule.startsWith('~') || rule.startsWith('%')) return this.addKeys(rule);
    if (rule.startsWith('&')) return this.addChannels(rule.slice(1));
    const isPermitting = word.startsWith('+');
    if (!isPermitting && !word.startsWith('-')) return BAD_SYNTAX;
    const name = word.slice(1);
    if (name.startsWith('@')) return this.setCategory(name, isPermitting);
    if (isPermitting && name.includes('|')) return this.permitPart(name);
    const command = this.catalog.find(name);
    if (command === null) return UNKNOWN_NAME;
    this.setCommand(command, isPermitting);
    this.note(command.fullName, isPermitting);
    return null;
  }

  private setAll(isOpen: boolean): void {
    this.isOpen = isOpen;
    this.allowed.fill(isOpen ? -1 : 0);
    this.rules = [];
    this.firstArguments = null;
    this.allCommands = isOpen;
  }

  private addKeys(rule: string): Fault | null {
    if (this.allKeys) return AFTER_ALL_KEYS;
    let rights = 0;
    let at = 1;
    if (rule.startsWith('%')) {
      for (; at < rule.length; at++) {
        const letter = rule[at]!.toUpperCase();
        if (letter === 'R' && (rights & Right.Read) === 0) rights |= Right.Read;
        else if (letter === 'W' && (rights & Right.Write) === 0) rights |= Right.Write;
        else if (letter === '~' && rights !== 0) break;
        else return BAD_SYNTAX;
      }
      if (rights === 0) return BAD_SYNTAX;
      at++;
    } else rights = Right.All;
    const text = rule.slice(at);
    if (hasBlanks(text)) return BAD_SYNTAX;
    const known = this.keys.find((pattern) => pattern.text === text);
    if (known === undefined) this.keys.push(new Pattern(text, rights));
    else known.rights |= rights;
    return null;
  }

  private addChannels(text: string): Fault | null {
    if (this.allChannels) return AFTER_ALL_CHANNELS;
    if (hasBlanks(text)) return BAD_SYNTAX;
    if (!this.channels.some((pattern) => pattern.text === text)) {
      this.channels.push(new Pattern(text, Right.All));
    }
    return null;
  }

  private setCategory(name: string, isPermitting: boolean): Fault | null {
    const commands = this.catalog.inCategory(name.slice(1));
    if (commands === null) return UNKNOWN_NAME;
    for (const command of commands) this.setCommand(command, isPermitting);
    this.note(name, isPermitting);
    return null;
  }

  /** `+config|get`, or `+select|0`: a subcommand, or a command with a first argument only. */
  private permitPart(name: string): Fault | null {
    const splitAt = name.lastIndexOf('|');
    const command = this.catalog.find(name.slice(0, splitAt));
    const part = name.slice(splitAt + 1);
    if (command === null) return UNKNOWN_NAME;
    if (command.parent !== null) return ARGUMENT_OF_SUBCOMMAND;
    // Blanks would part the rule in two where it is read again.
    if (part === '' || hasBlanks(part)) return BAD_SYNTAX;
    if (command.subcommands.length > 0) {
      const subcommand = this.catalog.find(name);
      if (subcommand === null) return UNKNOWN_NAME;
      this.setCommand(subcommand, true);
    } else this.permitFirstArgument(command, part);
    this.note(name, true);
    return null;
  }

  private permitFirstArgument({ id }: RuledCommand, argument: string): void {
    this.firstArguments ??= new Map();
    const known = this.firstArguments.get(id) ?? [];
    if (!known.includes(argument)) this.firstArguments.set(id, [...known, argument]);
  }

  /** A container stands for its subcommands. */
  private setCommand(command: RuledCommand, isPermitting: boolean): void {
    this.setBit(command.id, isPermitting);
    this.firstArguments?.delete(command.id);
    for (const { id } of command.subcommands) this.setBit(id, isPermitting);
  }

  private setBit(id: number, isPermitting: boolean): void {
    const bit = 1 << (id & 31);
    if (isPermitting) this.allowed[id >>> 5]! |= bit;
    else this.allowed[id >>> 5]! &= ~bit;
  }

  /** Keeps the rule, in place of those about the same command, category or its subcommands. */
  private note(name: string, isPermitting: boolean): void {
    this.rules = this.rules.filter((rule) => {
      const earlier = rule.slice(1);
      return earlier !== name && !earlier.startsWith(`${name}|`);
    });
    this.rules.push(`${isPermitting ? '+' : '-'}${name}`);
    this.allCommands = this.isOpen && this.rules.every((rule) => rule.startsWith('+'));
  }

  // ---- as text ----------------------------------------------------------------------------------

  get commandRules(): string {
    return [this.isOpen ? '+@all' : '-@all', ...this.rules].join(' ');
  }

  get keyRules(): string {
    return this.allKeys ? '~*' : this.keys.map(({ keyRule }) => keyRule).join(' ');
  }

  get channelRules(): string {
    return this.allChannels ? '&*' : this.channels.map(({ text }) => `&${text}`).join(' ');
  }

  /** All of it, as rules that make it again. */
  describe(): string {
    const parts: string[] = [];
    if (this.allKeys || this.keys.length > 0) parts.push(this.keyRules);
    if (!this.allChannels) parts.push('resetchannels');
    if (this.allChannels || this.channels.length > 0) parts.push(this.channelRules);
    parts.push(this.commandRules);
    return parts.join(' ');
  }
}

/** The selector that `(rules)` make, or what is wrong with them. */
export function readSelector(
  catalog: Catalog,
  text: string,
  allChannels: boolean,
): Selector | Fault {
  const selector = new Selector(catalog, allChannels);
  for (const rule of splitWords(text.slice(1, -1)) ?? []) {
    const fault = selector.apply(rule);
    if (fault !== null) return fault;
  }
  return selector;
}

/** The room that the client directory has for a name (stats/clients.ts). */
export const USER_NAME_BYTES_MAX = 256;

/** Would blanks (or a NUL) make the text another one where rules are read from a line? */
export function hasBlanks(text: string): boolean {
  // The blanks of C: JavaScript counts 0xa0 among them, too.
  return /[ \t\n\v\f\r\0]/.test(text);
}
