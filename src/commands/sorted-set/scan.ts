// Members in no order that means anything: in pieces, and by chance.

import { int64 } from '../../base/ascii.js';
import { DOUBLE_TEXT_BYTES_MAX, writeDouble, writeDouble17 } from '../../base/float-text.js';
import { Prng } from '../../base/prng.js';
import { isWord, readInt64, readInteger, word } from '../../dispatch/args.js';
import type { Context } from '../../dispatch/context.js';
import { type CommandSpec, Flag, keyAt, keyCommand } from '../../dispatch/define.js';
import { OUT_OF_RANGE, Refusal, SYNTAX } from '../../resp/errors.js';
import type { Slab } from '../../slab/slab.js';
import { type MemberRef, nameBytes, nameStart, scoreOf } from '../../structs/member.js';
import { SCAN_END } from '../../structs/table.js';
import { Findings, readCursor, ScanOptions } from '../scan-options.js';
import { findSet, set, walk } from './window.js';

const READ_KEYS = [keyAt(1, 'RO', 'access')];

// ── ZSCAN ────────────────────────────────────────────────────────────────────────────────────

const options = new ScanOptions();
const findings = new Findings();
const met = { members: 0 };
const scoreText = new Uint8Array(DOUBLE_TEXT_BYTES_MAX);

const zscan = keyCommand({
  name: 'zscan',
  arity: -3,
  group: 'sorted-set',
  since: '2.8.0',
  summary: 'Lists some members with their scores, and where to go on.',
  cost: 'O(1) for a call, O(N) for all calls that it takes to meet N members.',
  flags: Flag.Read,
  syntax: 'key cursor [MATCH pattern] [COUNT count]',
  keys: READ_KEYS,
  tips: ['nondeterministic_output'],
  run(context) {
    const { args, reply } = context;
    const cursor = readCursor(args, 2);

    findings.begin();
    const isThere = findSet(context, 1);
    if (isThere) readScanOptions(context);

    let behind = 0;
    if (isThere && set.isSmall) scanSmall(context);
    else if (isThere) behind = scanLarge(context, cursor % SCAN_END);

    findings.endScan(reply, behind);
  },
});

function readScanOptions(context: Context): void {
  const { args } = context;
  options.begin();
  for (let index = 3; index < args.count; index += 2) {
    if (!options.read(args, index)) throw SYNTAX;
  }
}

/** All members: there are few. */
function scanSmall(context: Context): void {
  walk.seek(set, 0);
  do {
    if (!options.matches(context.args, walk.u8, walk.start, walk.length)) continue;
    findings.add(walk.u8, walk.start, walk.length);
    walk.readScore();
    findings.add(scoreText, 0, writeDouble(scoreText, 0, walk.score));
  } while (walk.next());
}

/** The members from this position on, until there are enough; returns where to go on. */
function scanLarge(context: Context, position: number): number {
  const { args } = context;
  met.members = 0;
  const visit = (slab: Slab, ref: number): void => {
    const member = ref as MemberRef;
    met.members++;
    const start = nameStart(member);
    const length = nameBytes(slab, member);
    if (!options.matches(args, slab.u8, start, length)) return;
    findings.add(slab.u8, start, length);
    // Here, and here only, Redis answers with all 17 digits.
    findings.add(scoreText, 0, writeDouble17(scoreText, 0, scoreOf(slab, member)));
  };
  for (let steps = options.stepsMax; steps >= 0 && met.members < options.count; steps--) {
    set.eachAt(position, visit);
    position = set.positionBehind(position);
    if (position >= SCAN_END) return 0;
  }
  return position;
}

// ── ZRANDMEMBER ──────────────────────────────────────────────────────────────────────────────

const WITHSCORES = word('WITHSCORES');
const INT64_MIN_HIGH = 0x80000000 | 0;
const HALF_OF_INT64_MAX = 2 ** 62;
const OUT_OF_INT64 = new Refusal(
  'ERR value is out of range, value must between -9223372036854775807 and 9223372036854775807',
);

/** A set of which more than a third is asked for is walked, not drawn from. */
const WALK_PART = 3;

const chance = Prng.fromEntropy();

const zrandmember = keyCommand({
  name: 'zrandmember',
  arity: -2,
  group: 'sorted-set',
  since: '6.2.0',
  summary: 'Names members that are drawn by chance.',
  cost: 'O(N) for N members that are drawn.',
  flags: Flag.Read,
  syntax: 'key [count [WITHSCORES]]',
  keys: READ_KEYS,
  tips: ['nondeterministic_output'],
  run(context) {
    const { args, reply } = context;
    if (args.count > 2) {
      drawSeveral(context);
      return;
    }

    if (!findSet(context, 1)) {
      reply.nil();
      return;
    }
    walk.seek(set, chance.below(set.length));
    reply.bulk(walk.u8, walk.start, walk.length);
  },
});

function drawSeveral(context: Context): void {
  const { args, reply } = context;
  readInt64(args, 2);
  if (int64.hi === INT64_MIN_HIGH && int64.lo === 0) throw OUT_OF_INT64;
  const wanted = readInteger(args, 2);
  const withScores = args.count === 4 && isWord(args, 3, WITHSCORES);
  if (args.count > 3 && !withScores) throw SYNTAX;
  if (withScores && (wanted < -HALF_OF_INT64_MAX || wanted >= HALF_OF_INT64_MAX)) {
    throw OUT_OF_RANGE;
  }

  if (!findSet(context, 1) || wanted === 0) {
    reply.array(0);
    return;
  }
  const { length } = set;
  const count = wanted < 0 ? -wanted : Math.min(wanted, length);

  reply.array(withScores && reply.protocol === 2 ? count * 2 : count);
  if (wanted < 0) {
    for (let drawn = 0; drawn < count && !context.isAbandoned; drawn++) {
      answerRank(context, chance.below(length), withScores);
    }
  } else if (count * WALK_PART > length) {
    pickFromWalk(context, count, withScores);
  } else {
    drawDistinct(context, count, withScores);
  }
}

function answerRank(context: Context, rank: number, withScores: boolean): void {
  walk.seek(set, rank);
  answerMember(context, withScores);
}

function answerMember(context: Context, withScores: boolean): void {
  const { reply } = context;
  if (withScores && reply.protocol === 3) reply.array(2);
  reply.bulk(walk.u8, walk.start, walk.length);
  if (!withScores) return;
  walk.readScore();
  reply.double(walk.score);
}

/** Walks the whole set and takes each member with the chance that leaves `count` in the end. */
function pickFromWalk(context: Context, count: number, withScores: boolean): void {
  let left = set.length;
  let missing = count;
  walk.seek(set, 0);
  do {
    if (chance.below(left) < missing) {
      answerMember(context, withScores);
      missing--;
    }
    left--;
  } while (missing > 0 && walk.next());
}

/** Draws `count` different ranks out of many. */
function drawDistinct(context: Context, count: number, withScores: boolean): void {
  const { length } = set;
  const drawn = new Set<number>();
  while (drawn.size < count) {
    const rank = chance.below(length);
    if (drawn.has(rank)) continue;
    drawn.add(rank);
    answerRank(context, rank, withScores);
  }
}

export const scanCommands: readonly CommandSpec[] = [zscan, zrandmember];
