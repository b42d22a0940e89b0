// What commands do to their keys and channels, as users have a right to it or not: derived once per
// command from its key specifications.

import { Right } from '../acl/pattern.js';
import type { Slices } from '../base/slices.js';
import { isWord, word } from './args.js';
import { type CommandSpec, Flag, type KeySpec } from './define.js';

/** How the keys of a command are found. */
export const enum Keys {
  None = 0,
  /** One, at the command's first key, with the same rights always. */
  One = 1,
  Several = 2,
  /** What is done to them depends on the options. */
  Variable = 3,
}

/** Which words of a command are channels. */
export const enum Channels {
  None = 0,
  First = 1,
  AllFromFirst = 2,
  PatternsFromFirst = 3,
}

export const CHANNELS_OF: Readonly<Record<string, Channels | undefined>> = {
  publish: Channels.First,
  spublish: Channels.First,
  subscribe: Channels.AllFromFirst,
  ssubscribe: Channels.AllFromFirst,
  psubscribe: Channels.PatternsFromFirst,
};

/** Of a word that COMMAND calls a key although it is none. */
export const NOT_A_KEY = 0xff;

const GET = word('GET');
const OVERFLOW = word('OVERFLOW');

/** What of a command says where its keys are. */
interface KeyedCommand {
  readonly spec: CommandSpec;
  readonly fullName: string;
  readonly hasPlainKeys: boolean;
  readonly firstKey: number;
  readonly lastKey: number;
}

/** Of commands that name nothing, and of those that have to be looked at closely. */
export const enum QuickRight {
  /** Others than these two: Right bits that the one key at the command's first key needs. */
  Nothing = 4,
  LookCloser = 8,
}

/** For the quick look at a command, which most commands pass: see access.ts. */
export function quickRightOf(command: KeyedCommand): number {
  if (CHANNELS_OF[command.fullName] !== undefined) return QuickRight.LookCloser;
  if ((command.spec.flags & Flag.NoAuth) !== 0) return QuickRight.LookCloser;
  const keys = keysOf(command);
  if (keys === Keys.None) return QuickRight.Nothing;
  return keys === Keys.One ? rightsOf(command.spec.keys![0]!) : QuickRight.LookCloser;
}

export function rightsOf({ flags }: KeySpec): number {
  if (flags.includes('not_key')) return NOT_A_KEY;
  let rights = 0;
  for (const flag of flags) {
    if (flag === 'access') rights |= Right.Read;
    if (flag === 'insert' || flag === 'delete' || flag === 'update') rights |= Right.Write;
  }
  return rights;
}

export function keysOf({ spec, hasPlainKeys, firstKey, lastKey }: KeyedCommand): Keys {
  const { keys = [] } = spec;
  if (keys.every(({ flags }) => flags.includes('not_key'))) return Keys.None;
  if (keys.some(({ flags }) => flags.includes('variable_flags'))) return Keys.Variable;
  const isOne = hasPlainKeys && firstKey === lastKey;
  return isOne && firstKey > 0 ? Keys.One : Keys.Several;
}

/** What is done to the key of a command that options decide about. */
export function variableRight(fullName: string, args: Slices): number {
  switch (fullName) {
    case 'set':
      for (let index = 3; index < args.count; index++) {
        if (isWord(args, index, GET)) return Right.All;
      }
      return Right.Write;
    case 'delex':
      // With a condition it tells what the value is not.
      return args.count > 2 ? Right.All : Right.Write;
    case 'bitfield':
      return readsOnly(args) ? Right.Read : Right.All;
    default:
      return Right.All;
  }
}

/** BITFIELD: is there nothing but GET? What is no subcommand counts as a change. */
function readsOnly(args: Slices): boolean {
  for (let index = 2; index < args.count; index++) {
    const behind = args.count - 1 - index;
    if (isWord(args, index, GET) && behind >= 2) index += 2;
    else if (isWord(args, index, OVERFLOW) && behind >= 1) index += 1;
    else return false;
  }
  return true;
}
