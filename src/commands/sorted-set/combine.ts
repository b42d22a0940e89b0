// Several sorted sets as one: unions, intersections and differences. Plain sets are taken for
// sorted sets whose members all have the score 1.

import { isWord, readDouble, readInteger, readIntegerIn, word } from '../../dispatch/args.js';
import type { Context } from '../../dispatch/context.js';
import {
  type CommandSpec,
  countedKeysAt,
  crossCommand,
  Flag,
  keyAt,
} from '../../dispatch/define.js';
import { JoinKind } from '../../dispatch/parts.js';
import { Encoding, encodingOf, payloadLow, Type, typeOf } from '../../keyspace/entry.js';
import { Refusal, SYNTAX, WRONG_TYPE } from '../../resp/errors.js';
import { NONE, type Slab } from '../../slab/slab.js';
import { type MemberRef as NameRef, nameBytes, nameStart, scoreOf } from '../../structs/member.js';
import { Row, Wanted } from '../../structs/table-join.js';
import { type MemberRef, memberLength, memberStart } from '../../types/set/member.js';
import { SetValue } from '../../types/set/value.js';
import { SetWalk } from '../../types/set/walk.js';
import { SortedSet, SortedSetWalk } from '../../types/sorted-set/index.js';
import { tableOf } from '../../types/sorted-set/large.js';
import { isWorthJoining, Joined } from '../joined.js';
import { type Collected, collected } from './collected.js';

const WEIGHTS = word('WEIGHTS');
const AGGREGATE = word('AGGREGATE');
const SUM = word('SUM');
const MIN = word('MIN');
const MAX = word('MAX');
const COUNT = word('COUNT');
const WITHSCORES = word('WITHSCORES');
const LIMIT = word('LIMIT');

const WEIGHT_NOT_FLOAT = new Refusal('ERR weight value is not a float');
const LIMIT_NEGATIVE = new Refusal("ERR LIMIT can't be negative");

const enum Aggregate {
  Sum = 0,
  Min = 1,
  Max = 2,
  /** The sum of the weights alone. */
  Count = 3,
}

const enum Operation {
  Union = 0,
  Intersection = 1,
  Difference = 2,
}

/** One of the sets that go in, a missing key being an empty one. */
class Source {
  weight = 1;
  length = 0;
  /** Tells sources of the same key. */
  readonly entry: number;
  readonly slab: Slab;
  /** The score that find or next has met. */
  score = 1;
  private readonly sorted: SortedSet | null = null;
  private readonly plain: SetValue | null = null;
  private readonly sortedWalk = new SortedSetWalk();
  private readonly plainWalk = new SetWalk();
  private isStarted = false;
  u8 = new Uint8Array(0);
  start = 0;
  bytes = 0;

  constructor(context: Context, index: number) {
    const { slab } = context.at(index);
    const entry = context.at(index).find(context.args, index, Type.Any);
    this.entry = entry;
    this.slab = slab;
    if (entry === NONE) return;
    const type = typeOf(slab, entry);
    const encoding = encodingOf(slab, entry);
    if (type === Type.SortedSet) {
      this.sorted = new SortedSet().open(slab, encoding, payloadLow(slab, entry));
      this.length = this.sorted.length;
    } else if (type === Type.Set) {
      this.plain = new SetValue().open(slab, encoding, payloadLow(slab, entry));
      this.length = this.plain.count;
    } else {
      throw WRONG_TYPE;
    }
  }

  /** The word at which the table of the members' names stands; NONE where there is none. */
  get tableAt(): number {
    if (this.plain !== null) {
      return this.plain.encoding === Encoding.Table ? this.plain.root << 1 : NONE;
    }
    return this.sorted === null || this.sorted.isSmall ? NONE : tableOf(this.sorted.root);
  }

  /** What the entries of that table are. */
  get kind(): JoinKind {
    return this.plain === null ? JoinKind.SortedSets : JoinKind.Sets;
  }

  /** Can the members be met together with those of `other`? */
  canJoin(other: Source, limit: number): boolean {
    if (this.kind !== other.kind || this.tableAt === NONE || other.tableAt === NONE) return false;
    return !this.isSameAs(other) && isWorthJoining(this.length, other.length, limit);
  }

  /** To the member at a ref of that table. */
  standAt(ref: number): void {
    const { slab } = this;
    this.u8 = slab.u8 as Uint8Array<ArrayBuffer>;
    if (this.plain === null) {
      this.start = nameStart(ref as NameRef);
      this.bytes = nameBytes(slab, ref as NameRef);
      this.score = scoreOf(slab, ref as NameRef);
    } else {
      this.start = memberStart(slab, ref as MemberRef);
      this.bytes = memberLength(slab, ref as MemberRef);
    }
  }

  isSameAs(other: Source): boolean {
    return this.entry === other.entry && this.slab === other.slab;
  }

  find(u8: Uint8Array, start: number, length: number): boolean {
    if (this.plain !== null) return this.plain.has(u8, start, length);
    if (this.sorted === null || !this.sorted.find(u8, start, length)) return false;
    this.score = this.sorted.score;
    return true;
  }

  /** To the first or the next member. */
  next(): boolean {
    if (this.length === 0) return false;
    if (this.plain !== null) return this.nextPlain(this.plain);
    const { sortedWalk } = this;
    if (!this.isStarted) sortedWalk.seek(this.sorted!, 0);
    else if (!sortedWalk.next()) return false;
    this.isStarted = true;
    this.u8 = sortedWalk.u8 as Uint8Array<ArrayBuffer>;
    this.start = sortedWalk.start;
    this.bytes = sortedWalk.length;
    sortedWalk.readScore();
    this.score = sortedWalk.score;
    return true;
  }

  private nextPlain(plain: SetValue): boolean {
    const { plainWalk } = this;
    if (!this.isStarted) plainWalk.open(plain);
    this.isStarted = true;
    if (!plainWalk.next()) return false;
    plainWalk.asText();
    this.u8 = plainWalk.u8 as Uint8Array<ArrayBuffer>;
    this.start = plainWalk.start;
    this.bytes = plainWalk.length;
    return true;
  }
}

const joined = new Joined();

/** What the running command asks for. */
const wanted = { aggregate: Aggregate.Sum as Aggregate, withScores: false, limit: 0 };

/** Reads the sources: their number is word `countIndex`, their keys follow. */
function readSources(context: Context, countIndex: number): Source[] {
  const { args, command } = context;
  const count = readInteger(args, countIndex);
  if (count < 1) {
    context.refuse(`ERR at least 1 input key is needed for '${command.spec.name}' command`);
  }
  if (count > args.count - countIndex - 1) throw SYNTAX;
  const sources: Source[] = [];
  for (let index = 0; index < count; index++) {
    sources.push(new Source(context, countIndex + 1 + index));
  }
  return sources;
}

const enum Takes {
  Nothing = 0,
  /** WEIGHTS and AGGREGATE. */
  Weights = 1,
  Scores = 2,
  Limit = 4,
}

function readOptions(context: Context, first: number, sources: readonly Source[], takes: number) {
  const { args } = context;
  wanted.aggregate = Aggregate.Sum;
  wanted.withScores = false;
  wanted.limit = 0;
  for (let index = first; index < args.count; index++) {
    const left = args.count - index;
    const takesWeights = (takes & Takes.Weights) !== 0;
    if (takesWeights && left >= sources.length + 1 && isWord(args, index, WEIGHTS)) {
      for (const source of sources) source.weight = readDouble(args, ++index, WEIGHT_NOT_FLOAT);
    } else if (takesWeights && left >= 2 && isWord(args, index, AGGREGATE)) {
      wanted.aggregate = readAggregate(context, ++index);
    } else if ((takes & Takes.Scores) !== 0 && isWord(args, index, WITHSCORES)) {
      wanted.withScores = true;
    } else if ((takes & Takes.Limit) !== 0 && left >= 2 && isWord(args, index, LIMIT)) {
      wanted.limit = readIntegerIn(args, ++index, 0, Infinity, LIMIT_NEGATIVE, LIMIT_NEGATIVE);
    } else {
      throw SYNTAX;
    }
  }
}

function readAggregate(context: Context, index: number): Aggregate {
  const { args } = context;
  if (isWord(args, index, SUM)) return Aggregate.Sum;
  if (isWord(args, index, MIN)) return Aggregate.Min;
  if (isWord(args, index, MAX)) return Aggregate.Max;
  if (isWord(args, index, COUNT)) return Aggregate.Count;
  throw SYNTAX;
}

/** What a source gives to the score of the member it stands on. */
function shareOf(source: Source, score: number): number {
  return wanted.aggregate === Aggregate.Count ? source.weight : source.weight * score;
}

function aggregate(score: number, share: number): number {
  if (wanted.aggregate === Aggregate.Min) return share < score ? share : score;
  if (wanted.aggregate === Aggregate.Max) return share > score ? share : score;
  const sum = score + share;
  // The sum of opposite infinities.
  return Number.isNaN(sum) ? 0 : sum;
}

function notNaN(score: number): number {
  return Number.isNaN(score) ? 0 : score;
}

function unite(sources: readonly Source[], into: Collected): void {
  for (const source of sources) {
    while (source.next()) {
      const { bytes, start, u8 } = source;
      const share = notNaN(shareOf(source, source.score));
      const index = into.find(u8, start, bytes);
      if (index === -1) into.add(u8, start, bytes, share);
      else into.scores[index] = aggregate(into.scores[index]!, share);
    }
  }
}

/** Hands each member of all sources to `visit` until that says it is enough. */
function intersect(
  context: Context,
  sources: readonly Source[],
  visit: (source: Source, score: number) => boolean,
): void {
  const first = sources[0]!;
  const second = sources[1];
  if (second !== undefined && first.canJoin(second, limitOf())) {
    intersectJoined(context, sources, second, visit);
    return;
  }
  while (first.next()) {
    const score = scoreInAll(sources, 1, notNaN(shareOf(first, first.score)));
    if (!Number.isNaN(score) && visit(first, score)) return;
  }
}

function limitOf(): number {
  return wanted.limit === 0 ? Infinity : wanted.limit;
}

/** As intersect, for two tables first. */
function intersectJoined(
  context: Context,
  sources: readonly Source[],
  second: Source,
  visit: (source: Source, score: number) => boolean,
): void {
  const first = sources[0]!;
  openJoin(context, first, second, Wanted.Common);
  while (joined.next()) {
    const { rowCount, rows, rowsAt } = joined;
    for (let row = 0; row < rowCount; row++) {
      const at = rowsAt + row * Row.Words;
      first.standAt(rows[at + Row.Ref]!);
      second.standAt(rows[at + Row.Match]!);
      const own = notNaN(shareOf(first, first.score));
      const score = scoreInAll(sources, 2, aggregate(own, shareOf(second, second.score)));
      if (Number.isNaN(score) || !visit(first, score)) continue;
      joined.close();
      return;
    }
  }
}

function openJoin(context: Context, first: Source, second: Source, wantedRows: Wanted): void {
  const { kind, length, slab, tableAt } = first;
  joined.open(context, slab, tableAt, length, second.slab, second.tableAt, kind, wantedRows);
}

/** `score` and what the sources from `next` on add to it; NaN when one has not the member. */
function scoreInAll(sources: readonly Source[], next: number, score: number): number {
  const first = sources[0]!;
  for (let index = next; index < sources.length; index++) {
    const source = sources[index]!;
    if (source.isSameAs(first)) score = aggregate(score, shareOf(source, first.score));
    else if (!source.find(first.u8, first.start, first.bytes)) return Number.NaN;
    else score = aggregate(score, shareOf(source, source.score));
  }
  return score;
}

function subtract(context: Context, sources: Source[], into: Collected): void {
  const first = sources[0]!;
  for (const source of sources) if (source !== first && source.isSameAs(first)) return;
  const others = sources.slice(1).sort((a, b) => b.length - a.length);
  const largest = others[0];
  if (largest === undefined || !first.canJoin(largest, Infinity)) {
    while (first.next()) {
      if (!isInAny(others, 0, first)) into.append(first.u8, first.start, first.bytes, first.score);
    }
    return;
  }
  openJoin(context, first, largest, Wanted.Alone);
  while (joined.next()) {
    const { rowCount, rows, rowsAt } = joined;
    for (let row = 0; row < rowCount; row++) {
      first.standAt(rows[rowsAt + row * Row.Words + Row.Ref]!);
      if (!isInAny(others, 1, first)) into.append(first.u8, first.start, first.bytes, first.score);
    }
  }
}

/** Is the member on which `source` stands in any of `others` from `next` on? */
function isInAny(others: readonly Source[], next: number, source: Source): boolean {
  for (let index = next; index < others.length; index++) {
    if (others[index]!.find(source.u8, source.start, source.bytes)) return true;
  }
  return false;
}

/** Reads the command from word `countIndex` on and leaves its result in `collected`. */
function combine(context: Context, operation: Operation, countIndex: number, takes: number): void {
  const sources = readSources(context, countIndex);
  readOptions(context, countIndex + 1 + sources.length, sources, takes);
  collected.begin();
  if (operation === Operation.Difference) {
    subtract(context, sources, collected);
    return;
  }
  // As Redis: the sum of floats depends on the order in which they are added.
  sources.sort((a, b) => a.length - b.length);
  if (operation === Operation.Union) unite(sources, collected);
  else {
    intersect(context, sources, (source, score) => {
      collected.append(source.u8, source.start, source.bytes, score);
      return false;
    });
  }
}

function answerCombined(context: Context, operation: Operation, takes: number): void {
  combine(context, operation, 1, takes | Takes.Scores);

  collected.answer(context.reply, wanted.withScores);
}

const READ_FLAGS = Flag.Read | Flag.MovableKeys;
const STORE_FLAGS = Flag.Write | Flag.DenyOom | Flag.MovableKeys;
const READ_KEYS = [countedKeysAt(1, 1, 'RO', 'access')];
const STORE_KEYS = [keyAt(1, 'OW', 'update'), countedKeysAt(2, 1, 'RO', 'access')];
const WEIGHTED = '[WEIGHTS weight [weight ...]] [AGGREGATE SUM | MIN | MAX | COUNT]';
const COUNT_ADDED = [['8.8.0', 'Takes COUNT to aggregate with.']] as const;

const zunion = crossCommand({
  name: 'zunion',
  arity: -3,
  group: 'sorted-set',
  since: '6.2.0',
  summary: 'Lists the members of any of several sorted sets.',
  cost: 'O(N)+O(M*log(M)) for N members in all the sets and M in the result.',
  flags: READ_FLAGS,
  syntax: `numkeys key [key ...] ${WEIGHTED} [WITHSCORES]`,
  keys: READ_KEYS,
  history: COUNT_ADDED,
  run: (context) => answerCombined(context, Operation.Union, Takes.Weights),
});

const zinter = crossCommand({
  name: 'zinter',
  arity: -3,
  group: 'sorted-set',
  since: '6.2.0',
  summary: 'Lists the members that are in each of several sorted sets.',
  cost: 'O(N*K)+O(M*log(M)) for N members in the smallest of K sets and M in the result.',
  flags: READ_FLAGS,
  syntax: `numkeys key [key ...] ${WEIGHTED} [WITHSCORES]`,
  keys: READ_KEYS,
  history: COUNT_ADDED,
  run: (context) => answerCombined(context, Operation.Intersection, Takes.Weights),
});

const zdiff = crossCommand({
  name: 'zdiff',
  arity: -3,
  group: 'sorted-set',
  since: '6.2.0',
  summary: 'Lists the members of the first sorted set that are in none of the others.',
  cost: 'O(N*K)+O(M*log(M)) for N members in the first of K sets and M in the result.',
  flags: READ_FLAGS,
  syntax: 'numkeys key [key ...] [WITHSCORES]',
  keys: READ_KEYS,
  run: (context) => answerCombined(context, Operation.Difference, Takes.Nothing),
});

const zunionstore = crossCommand({
  name: 'zunionstore',
  arity: -4,
  group: 'sorted-set',
  since: '2.0.0',
  summary: 'Stores the members of any of several sorted sets under another key.',
  cost: 'O(N)+O(M*log(M)) for N members in all the sets and M in the result.',
  flags: STORE_FLAGS,
  syntax: `destination numkeys key [key ...] ${WEIGHTED}`,
  keys: STORE_KEYS,
  history: COUNT_ADDED,
  run(context) {
    combine(context, Operation.Union, 2, Takes.Weights);

    collected.store(context, 1, 'zunionstore');
  },
});

const zinterstore = crossCommand({
  name: 'zinterstore',
  arity: -4,
  group: 'sorted-set',
  since: '2.0.0',
  summary: 'Stores the members that are in each of several sorted sets under another key.',
  cost: 'O(N*K)+O(M*log(M)) for N members in the smallest of K sets and M in the result.',
  flags: STORE_FLAGS,
  syntax: `destination numkeys key [key ...] ${WEIGHTED}`,
  keys: STORE_KEYS,
  history: COUNT_ADDED,
  run(context) {
    combine(context, Operation.Intersection, 2, Takes.Weights);

    collected.store(context, 1, 'zinterstore');
  },
});

const zdiffstore = crossCommand({
  name: 'zdiffstore',
  arity: -4,
  group: 'sorted-set',
  since: '6.2.0',
  summary: 'Stores the members of the first sorted set that are in none of the others.',
  cost: 'O(N*K)+O(M*log(M)) for N members in the first of K sets and M in the result.',
  flags: STORE_FLAGS,
  syntax: 'destination numkeys key [key ...]',
  keys: STORE_KEYS,
  run(context) {
    combine(context, Operation.Difference, 2, Takes.Nothing);

    collected.store(context, 1, 'zdiffstore');
  },
});

const zintercard = crossCommand({
  name: 'zintercard',
  arity: -3,
  group: 'sorted-set',
  since: '7.0.0',
  summary: 'Counts the members that are in each of several sorted sets.',
  cost: 'O(N*K) for N members in the smallest of K sets.',
  flags: READ_FLAGS,
  syntax: 'numkeys key [key ...] [LIMIT limit]',
  keys: READ_KEYS,
  run(context) {
    const sources = readSources(context, 1);
    readOptions(context, 2 + sources.length, sources, Takes.Limit);

    sources.sort((a, b) => a.length - b.length);
    let count = 0;
    intersect(context, sources, () => ++count === wanted.limit);

    context.reply.integer(count);
  },
});

export const combineCommands: readonly CommandSpec[] = [
  zunion,
  zinter,
  zdiff,
  zunionstore,
  zinterstore,
  zdiffstore,
  zintercard,
];
