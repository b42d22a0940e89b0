// What a command is: one object in one file. Everything else about it is derived from the object:
// lookup, arity check, routing, gates, COMMAND and its subcommands, ACL categories,
// docs/commands.md.

import type { Slices } from '../base/slices.js';
import type { Context } from './context.js';
import type { KeyPositions } from './route.js';

/** How a command meets partitions; the router takes the locks accordingly. */
export const enum Shape {
  /** One key, one partition, in place: the fast road. */
  Key = 0,
  /** Many keys, each on its own: all locks in order, large ones split into parts. */
  Split = 1,
  /** Several keys as one. */
  Cross = 2,
  /** The whole keyspace, all locks held. */
  Every = 3,
  /** No partition, or partitions that the handler visits one by one (Context.visit). */
  Session = 4,
}

/** COMMAND INFO's flags, and how the server treats the command. */
export const enum Flag {
  Write = 1 << 0,
  Read = 1 << 1,
  DenyOom = 1 << 2,
  Admin = 1 << 3,
  PubSub = 1 << 4,
  NoScript = 1 << 5,
  Blocking = 1 << 6,
  Loading = 1 << 7,
  Stale = 1 << 8,
  SkipMonitor = 1 << 9,
  SkipSlowlog = 1 << 10,
  Asking = 1 << 11,
  Fast = 1 << 12,
  NoAuth = 1 << 13,
  MayReplicate = 1 << 14,
  NoMulti = 1 << 15,
  NoAsyncLoading = 1 << 16,
  AllowBusy = 1 << 17,
  MovableKeys = 1 << 18,
  NoMandatoryKeys = 1 << 19,
  /** Not shown: may change the dataset, so replicas and logs care, but touches no key by itself. */
  SentinelOnly = 1 << 20,
}

/** How key positions are found in the arguments; the form of COMMAND's key specifications. */
export interface KeySpec {
  /** As COMMAND prints them: 'RW', 'access', 'update' … */
  readonly flags: readonly string[];
  readonly begin:
    | { readonly index: number }
    | { readonly keyword: string; readonly startFrom: number }
    | 'unknown';
  readonly find:
    | { readonly lastKey: number; readonly step: number; readonly limit: number }
    | { readonly keyCountAt: number; readonly firstKey: number; readonly step: number }
    | 'unknown';
  readonly notes?: string;
}

/** What becomes of a command that comes inside MULTI. Nearly all are queued. */
export const enum InMulti {
  IsQueued = 0,
  /** It is answered at once: MULTI, WATCH. */
  Answers = 1,
  /** It is answered at once and may end the transaction: DISCARD, QUIT, RESET. */
  Ends = 2,
  /** EXEC: whether it may run depends on what is queued. */
  Executes = 3,
}

export type Group =
  | 'array'
  | 'bitmap'
  | 'cluster'
  | 'connection'
  | 'generic'
  | 'geo'
  | 'hash'
  | 'hyperloglog'
  | 'list'
  | 'pubsub'
  | 'scripting'
  | 'server'
  | 'set'
  | 'sorted-set'
  | 'stream'
  | 'string'
  | 'transactions';

/** What a file in commands/ writes down. */
export interface CommandSpec {
  /** Lower case; of a subcommand, its own word only. */
  readonly name: string;
  /** Words including the name; negative: at least so many. */
  readonly arity: number;
  readonly group: Group;
  readonly since: string;
  /** One sentence, as COMMAND DOCS and docs/commands.md show it. */
  readonly summary: string;
  /** Time complexity. */
  readonly cost: string;
  readonly flags: number;
  /** Arguments behind the name, in the manual's notation: `key value [NX | XX]`. */
  readonly syntax?: string;
  readonly keys?: readonly KeySpec[];
  /**
   * Finds the keys of a command whose `keys` do not say exactly where they are, with the index of
   * the specification each belongs to; for the result see findKeys in route.ts.
   */
  readonly findKeys?: (args: Slices, out: KeyPositions) => boolean;
  /** ACL categories that do not follow from flags and group (see table.ts). */
  readonly categories?: readonly string[];
  readonly tips?: readonly string[];
  /** Versions with a change of behaviour: [version, what]. */
  readonly history?: readonly (readonly [string, string])[];
  readonly deprecatedSince?: string;
  readonly replacedBy?: string;
  readonly subcommands?: readonly CommandSpec[];
  readonly shape: Shape;
  /** Of a session command: it visits partitions (Context.visit). EXEC takes all locks for it. */
  readonly visits?: true;
  /**
   * The word with the first name that is looked for in the hash, set or sorted set of the key: a
   * pipeline has it brought near before the command runs (touch.ts).
   */
  readonly element?: number;
  readonly inMulti?: InMulti;
  /** It runs the script that its first argument is, or is the SHA-1 or the name of (scripts.ts). */
  readonly script?: 'source' | 'sha' | 'function';
  /** A subscriber of RESP2, which may say hardly anything, may say it. */
  readonly isForSubscribers?: true;
  run(context: Context): void;
}

type Definition = Omit<CommandSpec, 'shape'>;

/** A command of one key. */
export function keyCommand(definition: Definition): CommandSpec {
  return { ...definition, shape: Shape.Key };
}

/** A command of many keys that do not depend on each other. */
export function splitCommand(definition: Definition): CommandSpec {
  return { ...definition, shape: Shape.Split };
}

/** A command of several keys that are read and changed as one. */
export function crossCommand(definition: Definition): CommandSpec {
  return { ...definition, shape: Shape.Cross };
}

/** A command over all keys of all partitions. */
export function everyCommand(definition: Definition): CommandSpec {
  return { ...definition, shape: Shape.Every };
}

/** A command that takes no locks, or takes them itself, one partition at a time. */
export function sessionCommand(definition: Definition): CommandSpec {
  return { ...definition, shape: Shape.Session };
}

/** A command that consists of its subcommands; without one it has the wrong arity. */
export function containerCommand(
  definition: Omit<Definition, 'run' | 'cost'> & { subcommands: readonly CommandSpec[] },
): CommandSpec {
  return {
    ...definition,
    cost: 'Depends on subcommand.',
    shape: Shape.Session,
    run(context) {
      context.refuse(`ERR wrong number of arguments for '${definition.name}' command`);
    },
  };
}

/** One key at word `index`. */
export function keyAt(index: number, ...flags: string[]): KeySpec {
  return { flags, begin: { index }, find: { lastKey: 0, step: 1, limit: 0 } };
}

/** Keys from word `index` to the last word (or so many before it), every `step` words. */
export function keysFrom(
  index: number,
  lastKey: number,
  step: number,
  ...flags: string[]
): KeySpec {
  return { flags, begin: { index }, find: { lastKey, step, limit: 0 } };
}

/** A number at word `index`, and so many keys `step` words apart behind it. */
export function countedKeysAt(index: number, step: number, ...flags: string[]): KeySpec {
  return { flags, begin: { index }, find: { keyCountAt: 0, firstKey: 1, step } };
}
