// The command table: from the bytes of a name to its command. Built once at start from the specs
// that commands/ exports; it then finds each of its own names again, or refuses to start.

import { assert } from '../base/assert.js';
import type { Slices } from '../base/slices.js';
import { Refusal } from '../resp/errors.js';
import { COMMANDS_MAX } from '../stats/commands.js';
import { Command } from './command.js';
import { type CommandSpec, Flag, type KeySpec } from './define.js';
import { gatesOf } from './gates.js';

/** Power of two, several times the number of commands: chains stay short. */
const BUCKETS = 2048;
const CASE_BIT = 0x20;

/** ACL categories of a group where its name is not the category's. */
const CATEGORY_OF_GROUP: Readonly<Record<string, string | undefined>> = {
  array: '@array',
  bitmap: '@bitmap',
  connection: '@connection',
  generic: '@keyspace',
  geo: '@geo',
  hash: '@hash',
  hyperloglog: '@hyperloglog',
  list: '@list',
  scripting: '@scripting',
  set: '@set',
  'sorted-set': '@sortedset',
  stream: '@stream',
  string: '@string',
  transactions: '@transaction',
};

export class CommandTable {
  /** All commands in the order of their ids, subcommands behind their containers. */
  readonly all: readonly Command[];
  /** Commands without subcommands' entries, by name. */
  readonly byName: ReadonlyMap<string, Command>;
  private readonly buckets: readonly (readonly Command[])[];

  /** `renames`: rename-command's pairs of names, in lower case; an empty new name hides it. */
  constructor(specs: readonly CommandSpec[], renames: readonly (readonly [string, string])[] = []) {
    const all: Command[] = [];
    const byName = new Map<string, Command>();
    const buckets: Command[][] = Array.from({ length: BUCKETS }, () => []);
    for (const spec of specs) {
      const command = makeCommand(spec, all.length, null);
      assert(!byName.has(spec.name), `the command ${spec.name} is defined once`);
      byName.set(spec.name, command);
      all.push(command);
      const subcommands: Command[] = [];
      for (const subspec of spec.subcommands ?? []) {
        const subcommand = makeCommand(subspec, all.length, command);
        all.push(subcommand);
        subcommands.push(subcommand);
      }
      command.subcommands = subcommands;
    }
    for (const [from, to] of renames) rename(byName, from, to);
    for (const command of byName.values()) {
      const { nameBytes } = command;
      buckets[bucketOf(nameBytes, 0, nameBytes.length)]!.push(command);
    }
    assert(all.length <= COMMANDS_MAX, 'every command has its row of statistics');
    this.all = all;
    this.byName = byName;
    this.buckets = buckets;
    this.checkItself();
  }

  /** The command named by word `index`, subcommands aside; null when there is none. */
  find(args: Slices, index: number): Command | null {
    const { u8 } = args;
    const start = args.startOf(index);
    const length = args.lengthOf(index);
    if (length === 0) return null;
    const bucket = this.buckets[bucketOf(u8, start, length)]!;
    for (let at = 0; at < bucket.length; at++) {
      const command = bucket[at]!;
      if (isNamed(command, u8, start, length)) return command;
    }
    return null;
  }

  /** The subcommand of `container` named by word `index`, or null. */
  findSub(container: Command, args: Slices, index: number): Command | null {
    for (const command of container.subcommands) {
      if (isNamed(command, args.u8, args.startOf(index), args.lengthOf(index))) return command;
    }
    return null;
  }

  /** By full name, `get` or `config|get`, in any case. */
  named(fullName: string): Command | null {
    const [name, sub, more] = fullName.toLowerCase().split('|', 3);
    const command = this.byName.get(name!) ?? null;
    if (command === null || more !== undefined) return null;
    if (sub === undefined) return command;
    return command.subcommands.find((each) => each.spec.name === sub) ?? null;
  }

  private checkItself(): void {
    const named = new Set(this.byName.values());
    for (const command of this.all) {
      const { spec, fullName } = command;
      assert(/^[a-z][a-z0-9_-]*$/.test(spec.name), `the name ${spec.name} is lower case`);
      assert(spec.arity !== 0, `${fullName} has an arity`);
      assert(command.firstKey < Math.abs(spec.arity) + 3, `${fullName} has its first key in reach`);
      const bytes = command.nameBytes;
      // Of those with a name of their own; the configuration may have hidden some.
      if (command.parent !== null || !named.has(command)) continue;
      const bucket = this.buckets[bucketOf(bytes, 0, bytes.length)]!;
      const found = bucket.find((each) => isNamed(each, bytes, 0, bytes.length));
      assert(found === command, `the table finds ${fullName} again`);
    }
  }
}

/** As on Redis: it is found by another name only, and everything else about it stays. */
function rename(byName: Map<string, Command>, from: string, to: string): void {
  const command = byName.get(from);
  assert(command !== undefined, `there is a command ${from} to rename`);
  byName.delete(from);
  if (to === '') return;
  assert(!byName.has(to), `no other command is called ${to}`);
  command.nameBytes = Buffer.from(to, 'latin1');
  byName.set(to, command);
}

/** Length and the case-folded first, middle and last bytes. */
function bucketOf(u8: Uint8Array, start: number, length: number): number {
  const first = u8[start]! | CASE_BIT;
  const middle = u8[start + (length >> 1)]! | CASE_BIT;
  const last = u8[start + length - 1]! | CASE_BIT;
  return (
    (Math.imul(first, 31) ^ Math.imul(middle, 1031) ^ Math.imul(last, 7) ^ (length << 7)) &
    (BUCKETS - 1)
  );
}

function isNamed(command: Command, u8: Uint8Array, start: number, length: number): boolean {
  const name = command.nameBytes;
  if (name.length !== length) return false;
  for (let index = 0; index < length; index++) {
    let byte = u8[start + index]!;
    if (byte >= 0x41 && byte <= 0x5a) byte |= CASE_BIT;
    if (byte !== name[index]) return false;
  }
  return true;
}

function makeCommand(spec: CommandSpec, id: number, parent: Command | null): Command {
  const fullName = parent === null ? spec.name : `${parent.spec.name}|${spec.name}`;
  const keys = spec.keys ?? [];
  const isPlain = keys.length === 1 && isPlainSpec(keys[0]!);
  const [firstKey, lastKey, keyStep] = legacyRange(keys);
  return new Command({
    spec,
    id,
    fullName,
    nameBytes: Buffer.from(spec.name, 'latin1'),
    isFast: (spec.flags & Flag.Fast) !== 0,
    isWrite: (spec.flags & Flag.Write) !== 0,
    subjectTo: gatesOf(spec),
    firstKey,
    lastKey,
    keyStep,
    hasPlainKeys: keys.length === 0 || isPlain,
    wrongArity: new Refusal(`ERR wrong number of arguments for '${fullName}' command`),
    categories: categoriesOf(spec),
    parent,
  });
}

/** First, last and step as COMMAND INFO tells them: one range, or ranges that follow each other. */
function legacyRange(keys: readonly KeySpec[]): readonly [number, number, number] {
  let first = 0;
  let last = 0;
  let step = 0;
  for (const spec of keys) {
    if (!isPlainSpec(spec)) return keys.length === 1 ? [0, 0, 0] : [first, last, step];
    const { index } = spec.begin as { index: number };
    const find = spec.find as { lastKey: number; step: number };
    // Only single steps can be joined, and only where no gap is between.
    if (first !== 0 && (find.step !== 1 || step !== 1 || last !== index - 1)) break;
    if (first === 0) first = index;
    last = find.lastKey >= 0 ? index + find.lastKey : find.lastKey;
    step = find.step;
  }
  return [first, last, step];
}

function isPlainSpec(spec: KeySpec): boolean {
  if (typeof spec.begin !== 'object' || !('index' in spec.begin)) return false;
  return typeof spec.find === 'object' && 'lastKey' in spec.find && spec.find.limit === 0;
}

/** The order in which Redis names categories. */
const CATEGORY_ORDER: readonly string[] = [
  '@keyspace',
  '@read',
  '@write',
  '@set',
  '@sortedset',
  '@list',
  '@hash',
  '@string',
  '@bitmap',
  '@hyperloglog',
  '@geo',
  '@stream',
  '@array',
  '@pubsub',
  '@admin',
  '@fast',
  '@slow',
  '@blocking',
  '@dangerous',
  '@connection',
  '@transaction',
  '@scripting',
];

/** Redis derives most categories from flags and group (server.c: setImplicitACLCategories). */
function categoriesOf(spec: CommandSpec): readonly string[] {
  const named = spec.categories ?? [];
  const categories = new Set<string>(named);
  const { flags } = spec;
  if ((flags & Flag.Write) !== 0) categories.add('@write');
  // Whoever is only told about keys does not read the dataset.
  if ((flags & Flag.Read) !== 0 && !categories.has('@scripting')) categories.add('@read');
  if ((flags & Flag.Admin) !== 0) {
    categories.add('@admin');
    categories.add('@dangerous');
  }
  if ((flags & Flag.PubSub) !== 0) categories.add('@pubsub');
  if ((flags & Flag.Fast) !== 0) categories.add('@fast');
  if ((flags & Flag.Blocking) !== 0) categories.add('@blocking');
  if (!categories.has('@fast')) categories.add('@slow');
  // A group's category is for commands that name none themselves; containers have none.
  const ofGroup = CATEGORY_OF_GROUP[spec.group];
  const isOwn = ofGroup !== undefined && spec.subcommands === undefined;
  if (isOwn && !named.some((each) => GROUP_CATEGORIES.has(each))) categories.add(ofGroup);
  return CATEGORY_ORDER.filter((category) => categories.has(category));
}

const GROUP_CATEGORIES: ReadonlySet<string> = new Set(
  Object.values(CATEGORY_OF_GROUP).filter((category) => category !== undefined),
);
