// What lies in an area: GEOSEARCH and GEOSEARCHSTORE, and the older GEORADIUS family. They are one
// command with different words: options are read in Redis's order, so that of several mistakes the
// same one is told.

import { int64, int64FromNumber } from '../../base/ascii.js';
import type { Slices } from '../../base/slices.js';
import { isWord, readInteger, word } from '../../dispatch/args.js';
import type { Context } from '../../dispatch/context.js';
import {
  type CommandSpec,
  crossCommand,
  Flag,
  type KeySpec,
  keyAt,
  keyCommand,
} from '../../dispatch/define.js';
import type { KeyPositions } from '../../dispatch/route.js';
import { Refusal, SYNTAX } from '../../resp/errors.js';
import type { Reply } from '../../resp/write.js';
import { Area, Cover, position, readScore } from '../../types/geo.js';
import { collected } from '../sorted-set/collected.js';
import { findSet, set, walk } from '../sorted-set/window.js';
import {
  readPosition,
  readRadius,
  readSides,
  readUnit,
  replyCoordinate,
  replyDistance,
  sides,
} from './arguments.js';
import { Found } from './found.js';

const WITHCOORD = word('WITHCOORD');
const WITHDIST = word('WITHDIST');
const WITHHASH = word('WITHHASH');
const ANY = word('ANY');
const ASC = word('ASC');
const DESC = word('DESC');
const COUNT = word('COUNT');
const STORE = word('STORE');
const STOREDIST = word('STOREDIST');
const FROMMEMBER = word('FROMMEMBER');
const FROMLONLAT = word('FROMLONLAT');
const BYRADIUS = word('BYRADIUS');
const BYBOX = word('BYBOX');

const NO_MEMBER = new Refusal('ERR could not decode requested zset member');
const COUNT_TOO_LOW = new Refusal('ERR COUNT must be > 0');
const ANY_WITHOUT_COUNT = new Refusal('ERR the ANY argument requires COUNT argument');
const SHOWS_AND_STORES = ' is not compatible with WITHDIST, WITHHASH and WITHCOORD options';
const RADIUS_SHOWS = new Refusal(`ERR STORE option in GEORADIUS${SHOWS_AND_STORES}`);
const SEARCH_SHOWS = new Refusal(`ERR GEOSEARCHSTORE${SHOWS_AND_STORES}`);

/** How the words of a command are to be read. */
const enum Grammar {
  /** GEORADIUS: position, radius and unit stand in front. */
  Position = 0,
  /** GEORADIUSBYMEMBER. */
  Member = 1,
  /** GEOSEARCH: everything is an option. */
  Options = 2,
}

const enum Order {
  Unsorted = 0,
  Ascending = 1,
  Descending = 2,
}

/** What a search was asked for. */
class Wish {
  readonly area = new Area();
  order = Order.Unsorted;
  /** At most so many places; 0: all. */
  count = 0;
  isAny = false;
  showsDistance = false;
  showsHash = false;
  showsPosition = false;
  /** The word of the key that takes the result; 0: it is answered. */
  storeAt = 0;
  storesDistance = false;
  hasCenter = false;
  isFromMember = false;
  hasRadius = false;
  hasBox = false;

  clear(): void {
    this.order = Order.Unsorted;
    this.count = 0;
    this.isAny = false;
    this.showsDistance = false;
    this.showsHash = false;
    this.showsPosition = false;
    this.storeAt = 0;
    this.storesDistance = false;
    this.hasCenter = false;
    this.isFromMember = false;
    this.hasRadius = false;
    this.hasBox = false;
  }

  get showsMore(): boolean {
    return this.showsDistance || this.showsHash || this.showsPosition;
  }
}

const wish = new Wish();
const cover = new Cover();
const found = new Found();

// ── Reading ──────────────────────────────────────────────────────────────────────────────────

/** The centre is the member in word `index` of the open set. */
function readMember(args: Slices, index: number): void {
  if (!set.find(args.u8, args.startOf(index), args.lengthOf(index))) throw NO_MEMBER;
  readScore(set.score);
  placeCenter();
}

function placeCenter(): void {
  wish.area.longitude = position.longitude;
  wish.area.latitude = position.latitude;
}

function readCircle(args: Slices, index: number): void {
  const { area } = wish;
  area.isCircle = true;
  area.radius = readRadius(args, index);
  area.unit = readUnit(args, index + 1);
}

function readBox(args: Slices, index: number): void {
  const { area } = wish;
  readSides(args, index);
  area.isCircle = false;
  area.width = sides.width;
  area.height = sides.height;
  area.unit = readUnit(args, index + 2);
}

function readCount(args: Slices, index: number): void {
  wish.count = readInteger(args, index);
  if (wish.count <= 0) throw COUNT_TOO_LOW;
}

/** Reads the option at word `index`; returns the last word of it. */
function readOption(
  args: Slices,
  index: number,
  grammar: Grammar,
  mayStore: boolean,
  isThere: boolean,
): number {
  const behind = args.count - 1 - index;
  if (isWord(args, index, WITHDIST)) wish.showsDistance = true;
  else if (isWord(args, index, WITHHASH)) wish.showsHash = true;
  else if (isWord(args, index, WITHCOORD)) wish.showsPosition = true;
  else if (isWord(args, index, ANY)) wish.isAny = true;
  else if (isWord(args, index, ASC)) wish.order = Order.Ascending;
  else if (isWord(args, index, DESC)) wish.order = Order.Descending;
  else if (isWord(args, index, COUNT) && behind >= 1) {
    readCount(args, index + 1);
    return index + 1;
  } else if (grammar === Grammar.Options) {
    return readSearchOption(args, index, mayStore, isThere);
  } else {
    if (!mayStore || behind < 1) throw SYNTAX;
    wish.storesDistance = isWord(args, index, STOREDIST);
    if (!wish.storesDistance && !isWord(args, index, STORE)) throw SYNTAX;
    wish.storeAt = index + 1;
    return index + 1;
  }
  return index;
}

/** As readOption, for those of GEOSEARCH alone. */
function readSearchOption(
  args: Slices,
  index: number,
  mayStore: boolean,
  isThere: boolean,
): number {
  const behind = args.count - 1 - index;
  if (mayStore && isWord(args, index, STOREDIST)) {
    wish.storesDistance = true;
    return index;
  }
  if (isWord(args, index, FROMMEMBER) && behind >= 1 && !wish.hasCenter) {
    if (isThere) readMember(args, index + 1);
    wish.isFromMember = true;
    return index + 1;
  }
  if (isWord(args, index, FROMLONLAT) && behind >= 2 && !wish.isFromMember) {
    readPosition(args, index + 1);
    placeCenter();
    wish.hasCenter = true;
    return index + 2;
  }
  if (isWord(args, index, BYRADIUS) && behind >= 2 && !wish.hasBox) {
    readCircle(args, index + 1);
    wish.hasRadius = true;
    return index + 2;
  }
  if (isWord(args, index, BYBOX) && behind >= 3 && !wish.hasRadius) {
    readBox(args, index + 1);
    wish.hasBox = true;
    return index + 3;
  }
  throw SYNTAX;
}

/** Reads all words behind the source's key at word `source`, whose set is open if `isThere`. */
function readWish(
  context: Context,
  source: number,
  grammar: Grammar,
  mayStore: boolean,
  isThere: boolean,
): void {
  const { args } = context;
  wish.clear();
  let index = source + 1;
  if (grammar === Grammar.Position) {
    readPosition(args, index);
    placeCenter();
    readCircle(args, index + 2);
    index += 4;
  } else if (grammar === Grammar.Member) {
    if (isThere) {
      readMember(args, index);
      readCircle(args, index + 1);
    }
    index += 3;
  } else if (mayStore) {
    wish.storeAt = 1;
  }
  for (; index < args.count; index++) {
    index = readOption(args, index, grammar, mayStore, isThere);
  }
  refuseWish(context, grammar);
}

function refuseWish(context: Context, grammar: Grammar): void {
  const isSearch = grammar === Grammar.Options;
  if (wish.storeAt !== 0 && wish.showsMore) throw isSearch ? SEARCH_SHOWS : RADIUS_SHOWS;
  if (isSearch && !(wish.isFromMember || wish.hasCenter)) {
    const name = context.args.text(0);
    context.refuse(`ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for ${name}`);
  }
  if (isSearch && !(wish.hasRadius || wish.hasBox)) {
    const name = context.args.text(0);
    context.refuse(`ERR exactly one of BYRADIUS and BYBOX can be specified for ${name}`);
  }
  if (wish.isAny && wish.count === 0) throw ANY_WITHOUT_COUNT;
}

// ── Searching ────────────────────────────────────────────────────────────────────────────────

/** Collects the members of the open set that lie in the area: with ANY as many as asked for. */
function search(): void {
  const { area, isAny } = wish;
  const enough = isAny ? wish.count : Number.POSITIVE_INFINITY;
  found.begin();
  cover.open(area);
  while (found.count < enough && cover.advance()) searchCell(enough);
  if (wish.order !== Order.Unsorted) found.sort(wish.order === Order.Descending);
  // A count without an order asks for the nearest.
  else if (wish.count !== 0 && !isAny) found.sort(false);
  if (wish.count !== 0) found.keep(wish.count);
}

function searchCell(enough: number): void {
  const { area } = wish;
  const { scoreEnd } = cover;
  const rank = set.rankOfScore(cover.scoreMin, false);
  if (rank === set.length) return;
  walk.seek(set, rank);
  do {
    walk.readScore();
    const { score } = walk;
    if (!(score < scoreEnd)) return;
    readScore(score);
    if (!area.holds()) continue;
    found.add(walk.u8, walk.start, walk.length, score, area.distance);
  } while (found.count < enough && walk.next());
}

// ── Answering ────────────────────────────────────────────────────────────────────────────────

/** Scores of places are integers; those of other members may be anything. */
function replyScore(reply: Reply, score: number): void {
  if (int64FromNumber(Math.trunc(score))) reply.int64(int64.lo, int64.hi);
  else reply.int64(0, 0x80000000 | 0);
}

function answer(reply: Reply): void {
  const { area, showsMore, showsDistance, showsHash, showsPosition } = wish;
  const parts = 1 + Number(showsDistance) + Number(showsHash) + Number(showsPosition);
  reply.array(found.count);
  for (let place = 0; place < found.count; place++) {
    const index = found.order[place]!;
    if (showsMore) reply.array(parts);
    reply.bulk(found.u8, found.starts[index]!, found.lengths[index]!);
    const score = found.scores[index]!;
    if (showsDistance) replyDistance(reply, found.distances[index]! / area.unit);
    if (showsHash) replyScore(reply, score);
    if (!showsPosition) continue;
    readScore(score);
    reply.array(2);
    replyCoordinate(reply, position.longitude);
    replyCoordinate(reply, position.latitude);
  }
}

function store(context: Context, event: string): void {
  const { area, storesDistance, storeAt } = wish;
  collected.begin();
  for (let place = 0; place < found.count; place++) {
    const index = found.order[place]!;
    const start = found.starts[index]!;
    const length = found.lengths[index]!;
    // Large cells may overlap around the edges of the map.
    if (collected.find(found.u8, start, length) !== -1) continue;
    const score = storesDistance ? found.distances[index]! / area.unit : found.scores[index]!;
    collected.add(found.u8, start, length, score);
  }
  collected.store(context, storeAt, event);
}

function runSearch(context: Context, source: number, grammar: Grammar, mayStore: boolean): void {
  const isThere = findSet(context, source);
  readWish(context, source, grammar, mayStore, isThere);

  found.begin();
  if (isThere) search();

  if (wish.storeAt === 0) answer(context.reply);
  else store(context, grammar === Grammar.Options ? 'geosearchstore' : 'georadiusstore');
}

// ── The commands ─────────────────────────────────────────────────────────────────────────────

const COST =
  'O(N+log(M)), N members in the cells around the area, M the members of the sorted set.';
const SHOWING = '[WITHCOORD] [WITHDIST] [WITHHASH] [COUNT count [ANY]] [ASC | DESC]';
const STORING = '[STORE storekey | STOREDIST storedistkey]';
const UNIT = 'M | KM | FT | MI';
const FROM = 'FROMMEMBER member | FROMLONLAT longitude latitude';
const SHAPE = `BYRADIUS radius <${UNIT}> | BYBOX width height <${UNIT}>`;
const SOURCE = [keyAt(1, 'RO', 'access')];
const HISTORY = [
  ['6.2.0', 'Takes the option ANY of COUNT.'],
  ['7.0.0', 'Units may be written in upper case.'],
] as const;

/** The word behind the first STORE or STOREDIST from word `startFrom` on. */
function storeKey(keyword: string, startFrom: number): KeySpec {
  return {
    flags: ['OW', 'update', 'incomplete'],
    begin: { keyword, startFrom },
    find: { lastKey: 0, step: 1, limit: 0 },
  };
}

/** The source and all targets: the last of STORE and STOREDIST counts. */
function findRadiusKeys(args: Slices, out: KeyPositions): boolean {
  out.add(1, 0);
  for (let index = 5; index < args.count - 1; index++) {
    const isStore = isWord(args, index, STORE);
    if (!isStore && !isWord(args, index, STOREDIST)) continue;
    out.add(++index, isStore ? 1 : 2);
  }
  return true;
}

const georadius = crossCommand({
  name: 'georadius',
  arity: -6,
  group: 'geo',
  since: '3.2.0',
  summary: 'Returns or stores the places within a distance of a position.',
  cost: COST,
  flags: Flag.Write | Flag.DenyOom | Flag.MovableKeys,
  syntax: `key longitude latitude radius <${UNIT}> ${SHOWING} ${STORING}`,
  keys: [...SOURCE, storeKey('STORE', 6), storeKey('STOREDIST', 6)],
  findKeys: findRadiusKeys,
  history: HISTORY,
  deprecatedSince: '6.2.0',
  replacedBy: '`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` argument',
  run: (context) => runSearch(context, 1, Grammar.Position, true),
});

const georadiusRo = keyCommand({
  name: 'georadius_ro',
  arity: -6,
  group: 'geo',
  since: '3.2.10',
  summary: 'Returns the places within a distance of a position.',
  cost: COST,
  flags: Flag.Read,
  syntax: `key longitude latitude radius <${UNIT}> ${SHOWING}`,
  keys: SOURCE,
  history: HISTORY,
  deprecatedSince: '6.2.0',
  replacedBy: '`GEOSEARCH` with the `BYRADIUS` argument',
  run: (context) => runSearch(context, 1, Grammar.Position, false),
});

const georadiusbymember = crossCommand({
  name: 'georadiusbymember',
  arity: -5,
  group: 'geo',
  since: '3.2.0',
  summary: 'Returns or stores the places within a distance of another place.',
  cost: COST,
  flags: Flag.Write | Flag.DenyOom | Flag.MovableKeys,
  syntax: `key member radius <${UNIT}> ${SHOWING} ${STORING}`,
  keys: [...SOURCE, storeKey('STORE', 5), storeKey('STOREDIST', 5)],
  findKeys: findRadiusKeys,
  history: HISTORY,
  deprecatedSince: '6.2.0',
  replacedBy: '`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` and `FROMMEMBER` arguments',
  run: (context) => runSearch(context, 1, Grammar.Member, true),
});

const georadiusbymemberRo = keyCommand({
  name: 'georadiusbymember_ro',
  arity: -5,
  group: 'geo',
  since: '3.2.10',
  summary: 'Returns the places within a distance of another place.',
  cost: COST,
  flags: Flag.Read,
  syntax: `key member radius <${UNIT}> ${SHOWING}`,
  keys: SOURCE,
  history: HISTORY,
  deprecatedSince: '6.2.0',
  replacedBy: '`GEOSEARCH` with the `BYRADIUS` and `FROMMEMBER` arguments',
  run: (context) => runSearch(context, 1, Grammar.Member, false),
});

const geosearch = keyCommand({
  name: 'geosearch',
  arity: -7,
  group: 'geo',
  since: '6.2.0',
  summary: 'Returns the places in a circle or a rectangle.',
  cost: COST,
  flags: Flag.Read,
  syntax:
    `key <${FROM}> <${SHAPE}> [ASC | DESC] [COUNT count [ANY]] ` +
    '[WITHCOORD] [WITHDIST] [WITHHASH]',
  keys: SOURCE,
  history: [['7.0.0', 'Units may be written in upper case.']],
  run: (context) => runSearch(context, 1, Grammar.Options, false),
});

const geosearchstore = crossCommand({
  name: 'geosearchstore',
  arity: -8,
  group: 'geo',
  since: '6.2.0',
  summary: 'Stores the places in a circle or a rectangle as a sorted set.',
  cost: COST,
  flags: Flag.Write | Flag.DenyOom,
  syntax: `destination source <${FROM}> <${SHAPE}> [ASC | DESC] [COUNT count [ANY]] [STOREDIST]`,
  keys: [keyAt(1, 'OW', 'update'), keyAt(2, 'RO', 'access')],
  history: [['7.0.0', 'Units may be written in upper case.']],
  run: (context) => runSearch(context, 2, Grammar.Options, true),
});

export const searchCommands: readonly CommandSpec[] = [
  georadius,
  georadiusRo,
  georadiusbymember,
  georadiusbymemberRo,
  geosearch,
  geosearchstore,
];
