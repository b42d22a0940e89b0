// The options of XADD and XTRIM, which share a grammar, and what trimming leaves in the log.

import type { Slices } from '../../base/slices.js';
import { isWord, readInteger, word } from '../../dispatch/args.js';
import type { Context } from '../../dispatch/context.js';
import { Refusal, SYNTAX } from '../../resp/errors.js';
import type { Slab } from '../../slab/slab.js';
import { IdForm, IdRule, parseId, StreamId } from '../../types/stream/id.js';
import { References } from '../../types/stream/references.js';
import { readFirstId, type StreamRef, streamLength, Trim } from '../../types/stream/stream.js';
import { thresholds } from '../../types/thresholds.js';
import { ID_GIVEN, production, readProduction } from './idempotence.js';
import { INVALID_ID, idText, isByte, readId, textOf } from './value.js';

const MAXLEN = word('MAXLEN');
const MINID = word('MINID');
const LIMIT = word('LIMIT');
const NOMKSTREAM = word('NOMKSTREAM');
const KEEPREF = word('KEEPREF');
const DELREF = word('DELREF');
const ACKED = word('ACKED');
const EQUALS = word('=');

const STAR = 0x2a;
const TILDE = 0x7e;
const EQUALS_SIGN = 0x3d;

const TWO_STRATEGIES = new Refusal(
  'ERR syntax error, MAXLEN and MINID options at the same time are not compatible',
);
const LENGTH_NEGATIVE = new Refusal('ERR The MAXLEN argument must be >= 0.');
const LIMIT_NEGATIVE = new Refusal('ERR The LIMIT argument must be >= 0.');
const LIMIT_ALONE = new Refusal(
  'ERR syntax error, LIMIT cannot be used without specifying a trimming strategy',
);
const LIMIT_EXACT = new Refusal(
  'ERR syntax error, LIMIT cannot be used without the special ~ option',
);
const NO_STRATEGY = new Refusal('ERR syntax error, XTRIM must be called with a trimming strategy');

/** Blocks that one approximate trimming takes away at the most, and the bounds of that. */
const BLOCKS_PER_TRIM = 100;
const LIMIT_DEFAULT = 10_000;
const LIMIT_MAX = 1_000_000;

/** What the words of the command ask for; trimming itself is in `trim`. */
export const options = {
  idForm: IdForm.None as IdForm,
  /** The ID of XADD, as far as it was given. */
  id: new StreamId(),
  makesStream: true,
  trims: false,
  references: References.Keep as References,
};

export const trim = new Trim();

/** XADD: reads what stands before the fields; returns the word of the ID. */
export function readAddOptions(context: Context): number {
  const { args } = context;
  reset();
  // Nearly always there is nothing but an ID to be made.
  if (isByte(args, 2, STAR)) return 2;
  return readOptions(args, true);
}

/** XTRIM: reads all words behind the key. */
export function readTrimOptions(context: Context): void {
  reset();
  readOptions(context.args, false);
}

function reset(): void {
  options.idForm = IdForm.None;
  options.makesStream = true;
  options.trims = false;
  options.references = References.Keep;
  production.isNamed = false;
  trim.isApproximate = false;
  trim.limit = 0;
}

function readOptions(args: Slices, isAdd: boolean): number {
  let limitAt = 0;
  let hasReferences = false;
  let index = 2;
  for (; index < args.count; index++) {
    const hasMore = index + 1 < args.count;
    if (isAdd && isByte(args, index, STAR)) break;
    if (isAdd) {
      const end = readProduction(args, index);
      if (end >= index) {
        index = end;
        continue;
      }
    }
    if (hasMore && (isWord(args, index, MAXLEN) || isWord(args, index, MINID))) {
      index = readThreshold(args, index);
    } else if (hasMore && isWord(args, index, LIMIT)) {
      limitAt = ++index;
      trim.limit = readInteger(args, index);
      if (trim.limit < 0) throw LIMIT_NEGATIVE;
    } else if (isReferences(args, index)) {
      if (hasReferences) throw SYNTAX;
      hasReferences = true;
    } else if (isAdd && isWord(args, index, NOMKSTREAM)) {
      options.makesStream = false;
    } else if (isAdd) {
      readNewId(args, index);
      break;
    } else throw SYNTAX;
  }
  if (trim.limit !== 0 && !options.trims) throw LIMIT_ALONE;
  if (production.isNamed && options.idForm !== IdForm.None) throw ID_GIVEN;
  if (!isAdd && !options.trims) throw NO_STRATEGY;
  if (limitAt !== 0 && !trim.isApproximate) throw LIMIT_EXACT;
  if (limitAt === 0 && trim.isApproximate) trim.limit = defaultLimit();
  return index;
}

/** MAXLEN or MINID, `~` or `=`, and the threshold: returns the word of the last. */
function readThreshold(args: Slices, index: number): number {
  if (options.trims) throw TWO_STRATEGIES;
  trim.isByLength = isWord(args, index, MAXLEN);
  let at = index + 1;
  if (at + 1 < args.count) {
    trim.isApproximate = isByte(args, at, TILDE);
    if (trim.isApproximate || isByte(args, at, EQUALS_SIGN)) at++;
  }
  if (trim.isByLength) {
    trim.length = readInteger(args, at);
    if (trim.length < 0) throw LENGTH_NEGATIVE;
  } else readId(args, at, trim.id);
  options.trims = true;
  return at;
}

/** KEEPREF, DELREF or ACKED: left in `options`. */
export function isReferences(args: Slices, index: number): boolean {
  if (isWord(args, index, KEEPREF)) options.references = References.Keep;
  else if (isWord(args, index, DELREF)) options.references = References.Delete;
  else if (isWord(args, index, ACKED)) options.references = References.Acknowledged;
  else return false;
  return true;
}

function readNewId(args: Slices, index: number): void {
  const start = args.startOf(index);
  const length = args.lengthOf(index);
  options.idForm = parseId(args.u8, start, length, 0, IdRule.Star, options.id);
  if (options.idForm === IdForm.None) throw INVALID_ID;
}

/** Without LIMIT an approximate trimming stops after so many entries. */
function defaultLimit(): number {
  const limit = BLOCKS_PER_TRIM * thresholds.streamNodeMaxEntries;
  return limit <= 0 ? LIMIT_DEFAULT : Math.min(limit, LIMIT_MAX);
}

/** How many words recordTrim writes. */
export function trimWords(): number {
  return options.references === References.Keep ? 3 : 4;
}

/**
 * Records what an approximate trimming has come to as an exact one, so that all who apply it come
 * to the same.
 */
export function recordTrim(context: Context, slab: Slab, stream: StreamRef): void {
  const { effects } = context;
  if (options.references === References.Delete) effects.word(DELREF);
  else if (options.references === References.Acknowledged) effects.word(ACKED);
  const length = streamLength(slab, stream);
  // Of an empty stream there is no first ID to name.
  const isByLength = trim.isByLength || length === 0;
  effects.word(isByLength ? MAXLEN : MINID);
  effects.word(EQUALS);
  if (isByLength) {
    effects.int64(length, 0);
    return;
  }
  readFirstId(slab, stream, first);
  effects.bytes(idText, 0, textOf(first));
}

const first = new StreamId();
