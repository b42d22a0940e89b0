// Which connections CLIENT LIST shows and CLIENT KILL closes: options that each name a property and
// its value. Redis has TYPE and ID for the one, and ID, TYPE, USER, ADDR, LADDR, SKIPME and MAXAGE
// for the other; the rest, and all in the negative, are those of Valkey. All must hold at once.

import { int64 } from '../base/ascii.js';
import { isWord, readInt64, word } from '../dispatch/args.js';
import type { Context } from '../dispatch/context.js';
import { Refusal, SYNTAX } from '../resp/errors.js';
import { ClientFlag, type ClientView } from '../stats/clients.js';

const ID = word('ID');
const NOT_ID = word('NOT-ID');
const SKIPME = word('SKIPME');
const YES = word('YES');
const NO = word('NO');

export const BAD_ID = new Refusal('ERR Invalid client ID');
const NOT_POSITIVE_ID = new Refusal('ERR client-id should be greater than 0');
const BAD_DATABASE = new Refusal('ERR DB is not an integer or out of range');

export type ClientType = 'normal' | 'replica' | 'pubsub' | 'master';

const TYPES: Readonly<Record<string, ClientType | undefined>> = {
  normal: 'normal',
  slave: 'replica',
  replica: 'replica',
  pubsub: 'pubsub',
  master: 'master',
  primary: 'master',
};

function typeNamed(context: Context, name: string): ClientType {
  const type = Object.hasOwn(TYPES, name.toLowerCase()) ? TYPES[name.toLowerCase()] : undefined;
  if (type === undefined) context.refuse(`ERR Unknown client type '${name}'`);
  return type;
}

export function typeOfView({ flags }: ClientView): ClientType {
  if ((flags & ClientFlag.Master) !== 0) return 'master';
  if ((flags & (ClientFlag.Replica | ClientFlag.Monitor)) === ClientFlag.Replica) return 'replica';
  return (flags & ClientFlag.PubSub) !== 0 ? 'pubsub' : 'normal';
}

// ---- flags as letters --------------------------------------------------------------------------

const FLAG_LETTERS: readonly (readonly [ClientFlag, string])[] = [
  [ClientFlag.Master, 'M'],
  [ClientFlag.PubSub, 'P'],
  [ClientFlag.Multi, 'x'],
  [ClientFlag.Blocked, 'b'],
  [ClientFlag.Tracking, 't'],
  [ClientFlag.TrackingBroken, 'R'],
  [ClientFlag.TrackingBroadcast, 'B'],
  [ClientFlag.Dirty, 'd'],
  [ClientFlag.CloseAfterReply, 'c'],
  [ClientFlag.Unblocked, 'u'],
  [ClientFlag.CloseNow, 'A'],
  [ClientFlag.UnixSocket, 'U'],
  [ClientFlag.ReadOnly, 'r'],
  [ClientFlag.NoEvict, 'e'],
  [ClientFlag.NoTouch, 'T'],
];
const ALL_LETTERS = `OSN${FLAG_LETTERS.map(([, letter]) => letter).join('')}`;

/** `flags=` of CLIENT LIST. */
export function lettersOf(flags: number): string {
  let letters = '';
  if ((flags & ClientFlag.Replica) !== 0) letters = (flags & ClientFlag.Monitor) !== 0 ? 'O' : 'S';
  for (const [flag, letter] of FLAG_LETTERS) if ((flags & flag) !== 0) letters += letter;
  return letters === '' ? 'N' : letters;
}

function checkLetters(context: Context, letters: string): void {
  const unknown = [...letters].filter((letter) => !ALL_LETTERS.includes(letter)).join('');
  if (unknown !== '') {
    context.refuse(`ERR Unknown flags found in the provided filter: ${unknown}`);
  }
}

// ---- the options -------------------------------------------------------------------------------

type Test = (view: ClientView) => boolean;

/** By the name of the option: reads the value at word `at`, and says which connections have it. */
type TestReader = (context: Context, at: number) => Test;

const TESTS: ReadonlyMap<string, TestReader> = readers({
  TYPE(context, at) {
    const type = typeNamed(context, context.args.text(at));
    return (view) => typeOfView(view) === type;
  },
  USER(context, at) {
    const name = context.args.text(at);
    if (context.server.access.accounts.find(name) === null) {
      context.refuse(`ERR No such user '${name}'`);
    }
    return (view) => view.user === name;
  },
  ADDR: textTest((view) => view.address),
  LADDR: textTest((view) => view.localAddress),
  NAME: textTest((view) => view.name),
  'LIB-NAME': textTest((view) => view.libraryName),
  'LIB-VER': textTest((view) => view.libraryVersion),
  IP: textTest(({ address }) => address.slice(0, address.lastIndexOf(':'))),
  FLAGS(context, at) {
    const letters = context.args.text(at);
    checkLetters(context, letters);
    return ({ flags }) => [...letters].every((letter) => lettersOf(flags).includes(letter));
  },
  DB(context, at) {
    readInt64(context.args, at, BAD_DATABASE);
    const database = int64.value;
    const { databaseCount } = context.keyspace;
    if (database < 0 || database >= databaseCount) {
      context.refuse(`ERR DB number should be between 0 and ${databaseCount - 1}`);
    }
    return (view) => view.database === database;
  },
});

/** What has no opposite. */
const AGES: ReadonlyMap<string, TestReader> = readers({
  MAXAGE(context, at) {
    const seconds = readSeconds(context, at, 'maxage');
    const now = Math.floor(context.nowMs / 1000);
    return ({ createdMs }) => now - Math.floor(createdMs / 1000) >= seconds;
  },
  IDLE(context, at) {
    const seconds = readSeconds(context, at, 'idle');
    const now = Math.floor(context.nowMs / 1000);
    return ({ lastSeconds }) => now - lastSeconds >= seconds;
  },
});

function readers(rows: Readonly<Record<string, TestReader>>): ReadonlyMap<string, TestReader> {
  return new Map(Object.entries(rows));
}

function textTest(textOf: (view: ClientView) => string): TestReader {
  return ({ args }, at) => {
    const text = args.text(at);
    return (view) => textOf(view) === text;
  };
}

function readSeconds({ args }: Context, at: number, name: string): number {
  readInt64(args, at, new Refusal(`ERR ${name} is not an integer or out of range`));
  if (int64.value < 1) throw new Refusal(`ERR ${name} should be greater than 0`);
  return int64.value;
}

const NOT = 'NOT-';

/** The reader of an option's value; null where there is no such option. */
function testNamed(name: string): TestReader | null {
  const upper = name.toUpperCase();
  const known = TESTS.get(upper) ?? AGES.get(upper);
  if (known !== undefined) return known;
  const reader = upper.startsWith(NOT) ? TESTS.get(upper.slice(NOT.length)) : undefined;
  if (reader === undefined) return null;
  return (context, at) => {
    const test = reader(context, at);
    return (view) => !test(view);
  };
}

/** Is this the name of an option, and not a value of the one before? */
export function isFilterName(name: string): boolean {
  return /^(?:NOT-)?ID$/i.test(name) || testNamed(name) !== null;
}

export class ClientFilter {
  /** SKIPME: is the session that asks left out? */
  skipsSelf = true;
  private readonly tests: Test[] = [];

  /** Reads options from word `first` on. `isKill`: SKIPME is one, and ids are positive. */
  static read(context: Context, first: number, isKill: boolean): ClientFilter {
    const { args } = context;
    const filter = new ClientFilter();
    for (let at = first; at < args.count; ) {
      if (at + 1 === args.count) throw SYNTAX;
      if (isWord(args, at, ID) || isWord(args, at, NOT_ID)) {
        at = filter.readIds(context, at, isKill ? NOT_POSITIVE_ID : BAD_ID);
        continue;
      }
      if (isKill && isWord(args, at, SKIPME)) {
        if (isWord(args, at + 1, YES)) filter.skipsSelf = true;
        else if (isWord(args, at + 1, NO)) filter.skipsSelf = false;
        else throw SYNTAX;
      } else {
        const reader = testNamed(args.text(at));
        if (reader === null) throw SYNTAX;
        filter.tests.push(reader(context, at + 1));
      }
      at += 2;
    }
    return filter;
  }

  /** The old form of CLIENT KILL: an address, and one may close oneself with it. */
  static ofAddress(address: string): ClientFilter {
    const filter = new ClientFilter();
    filter.skipsSelf = false;
    filter.tests.push((view) => view.address === address);
    return filter;
  }

  /** Ids behind the option at word `at`: returns where they end. */
  private readIds(context: Context, at: number, refusal: Refusal): number {
    const { args } = context;
    const isNegative = isWord(args, at, NOT_ID);
    const ids = new Set<number>();
    let next = at + 1;
    for (; next < args.count; next++) {
      if (ids.size !== 0 && !/^[+-]?\d+$/.test(args.text(next))) break;
      readInt64(args, next, refusal);
      if (refusal === NOT_POSITIVE_ID && int64.value < 1) throw refusal;
      ids.add(int64.value);
    }
    this.tests.push(({ id }) => ids.has(id) !== isNegative);
    return next;
  }

  accepts(view: ClientView): boolean {
    return this.tests.every((test) => test(view));
  }
}
