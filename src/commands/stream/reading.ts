// What XREAD and XREADGROUP share: their options, what each key gives, and the answer.
//
// A command goes over its keys three times: it finds streams and groups, and may refuse; it decides
// what each key gives, which in a group is the change; it writes the answer, whose head says how
// many keys have something. What the second found for the third stands in `shares`.
//
// COUNT limits each key. MAXCOUNT and MAXSIZE (Redis 8.10) limit all of them together: what is left
// of those stands in `budget`. Keys that come when it is spent give nothing and are not in the
// answer; an empty history would say that nothing is pending.

import type { Slices } from '../../base/slices.js';
import { isWord, readInteger, readIntegerIn, word } from '../../dispatch/args.js';
import type { Context } from '../../dispatch/context.js';
import type { KeyPositions } from '../../dispatch/route.js';
import { Refusal, SYNTAX } from '../../resp/errors.js';
import type { EntryCursor } from '../../types/stream/block.js';
import { readMillisecondsDeadline } from '../timeout.js';
import { IdList, textOf } from './value.js';

const BLOCK = word('BLOCK');
const COUNT = word('COUNT');
const MAXCOUNT = word('MAXCOUNT');
const MAXSIZE = word('MAXSIZE');
const STREAMS = word('STREAMS');
const GROUP = word('GROUP');
const NOACK = word('NOACK');
const CLAIM = word('CLAIM');
export const NO_LIMIT = Number.MAX_SAFE_INTEGER;

const GROUP_UNSUPPORTED = onlyForGroups('GROUP');
const NOACK_UNSUPPORTED = onlyForGroups('NOACK');
const CLAIM_UNSUPPORTED = onlyForGroups('CLAIM');
const GROUP_MISSING = new Refusal('ERR Missing GROUP option for XREADGROUP');
const NOT_IDLE_TIME = new Refusal('ERR Invalid min-idle-time argument for XREADGROUP');
const MAXCOUNT_NOT_POSITIVE = new Refusal('ERR MAXCOUNT must be a positive integer');
const MAXSIZE_NOT_POSITIVE = new Refusal('ERR MAXSIZE must be a positive integer');
const MAXCOUNT_BELOW_COUNT = new Refusal('ERR MAXCOUNT must be greater than or equal to COUNT');

function onlyForGroups(option: string): Refusal {
  return new Refusal(
    `ERR The ${option} option is only supported by XREADGROUP. You called XREAD instead.`,
  );
}

/** What a key gives. */
export const enum Share {
  None = 0,
  /** Entries from an ID on; before them what was claimed. */
  Entries = 1,
  /** What is pending for the consumer, from an ID on. */
  History = 2,
}

/** The words of the running command. */
export const reading = {
  limit: 0,
  /** When waiting is over, -1 for not waiting at all. */
  deadlineMs: -1,
  isGroup: false,
  /** The words of group and consumer. */
  groupWord: 0,
  consumerWord: 0,
  acknowledges: false,
  /** How long an entry that is claimed was idle at least; -1 when none is. */
  leastIdleMs: -1,
  firstKey: 0,
  keyCount: 0,
};

/** What the keys that come may still give together. */
export const budget = {
  entries: NO_LIMIT,
  bytes: NO_LIMIT,
  /** Only then is the size of an entry asked for. */
  hasBytes: false,
  /** The first entry is given whatever its size. */
  isUntouched: true,
};

/** What each key gives, by its place among the keys. */
export const shares = {
  kinds: new Uint8Array(16),
  streams: new Int32Array(16),
  groups: new Int32Array(16),
  counts: new Float64Array(16),
  /** Where each begins: behind an ID, or in the list of what is pending. */
  starts: new IdList(),
  firsts: new Int32Array(16),
  pending: new IdList(),
};

// ── Options ──────────────────────────────────────────────────────────────────────────────────

export function readOptions(context: Context, isGroup: boolean): void {
  const { args } = context;
  reading.limit = NO_LIMIT;
  reading.deadlineMs = -1;
  reading.isGroup = isGroup;
  reading.groupWord = 0;
  reading.acknowledges = false;
  reading.leastIdleMs = -1;
  reading.firstKey = 0;
  budget.entries = NO_LIMIT;
  budget.bytes = NO_LIMIT;
  for (let index = 1; index < args.count && reading.firstKey === 0; index++) {
    index = readOption(context, index);
  }
  if (reading.firstKey === 0) throw SYNTAX;
  if (isGroup && reading.groupWord === 0) throw GROUP_MISSING;
  if (reading.limit !== NO_LIMIT && budget.entries < reading.limit) throw MAXCOUNT_BELOW_COUNT;
  budget.hasBytes = budget.bytes !== NO_LIMIT;
  budget.isUntouched = true;
}

/** Reads the option at word `index`; returns its last word. */
function readOption(context: Context, index: number): number {
  const { args } = context;
  const more = args.count - 1 - index;
  if (more >= 1 && isWord(args, index, COUNT)) {
    const count = readInteger(args, index + 1);
    reading.limit = count <= 0 ? NO_LIMIT : count;
    return index + 1;
  }
  if (more >= 1 && isWord(args, index, STREAMS)) {
    readKeyCount(context, more);
    reading.firstKey = index + 1;
    return index;
  }
  if (more >= 1 && isWord(args, index, BLOCK)) {
    if (context.scripts.isRunning) {
      context.refuse(`ERR ${args.text(0)} command is not allowed with BLOCK option from scripts`);
    }
    reading.deadlineMs = readMillisecondsDeadline(context, index + 1);
    return index + 1;
  }
  if (more >= 1 && (isWord(args, index, MAXCOUNT) || isWord(args, index, MAXSIZE))) {
    return readBudget(context, index);
  }
  return readGroupOption(context, index, more);
}

function readBudget({ args }: Context, index: number): number {
  if (isWord(args, index, MAXCOUNT)) {
    const refusal = MAXCOUNT_NOT_POSITIVE;
    budget.entries = readIntegerIn(args, index + 1, 1, Infinity, refusal, refusal);
  } else {
    const refusal = MAXSIZE_NOT_POSITIVE;
    budget.bytes = readIntegerIn(args, index + 1, 1, Infinity, refusal, refusal);
  }
  return index + 1;
}

/** As readOption, for what only groups have. */
function readGroupOption({ args }: Context, index: number, more: number): number {
  if (more >= 2 && isWord(args, index, GROUP)) {
    if (!reading.isGroup) throw GROUP_UNSUPPORTED;
    reading.groupWord = index + 1;
    reading.consumerWord = index + 2;
    return index + 2;
  }
  if (more >= 1 && isWord(args, index, CLAIM)) {
    if (!reading.isGroup) throw CLAIM_UNSUPPORTED;
    const refusal = NOT_IDLE_TIME;
    reading.leastIdleMs = readIntegerIn(args, index + 1, 0, Infinity, refusal, refusal);
    return index + 1;
  }
  if (!isWord(args, index, NOACK)) throw SYNTAX;
  if (!reading.isGroup) throw NOACK_UNSUPPORTED;
  reading.acknowledges = true;
  return index;
}

/**
 * Where the keys of XREADGROUP are. A group or a consumer may be called STREAMS, so the first such
 * word need not be the option: this goes over the words as readOption does.
 */
export function findGroupKeys(args: Slices, out: KeyPositions): boolean {
  for (let index = 1; index < args.count - 1; index++) {
    if (isWord(args, index, STREAMS)) {
      const last = index + ((args.count - 1 - index) >>> 1);
      for (let key = index + 1; key <= last; key++) out.add(key, 0);
      return true;
    }
    if (isWord(args, index, GROUP)) index += 2;
    // All others have a number behind them.
    else if (!isWord(args, index, NOACK)) index += 1;
  }
  return false;
}

function readKeyCount({ command }: Context, words: number): void {
  if ((words & 1) === 1) {
    const symbol = reading.isGroup ? '>' : '$';
    throw new Refusal(
      `ERR Unbalanced '${command.fullName}' list of streams: ` +
        `for each stream key an ID or '${symbol}' must be specified.`,
    );
  }
  reading.keyCount = words >>> 1;
  if (reading.keyCount <= shares.kinds.length) return;
  const capacity = words;
  shares.kinds = new Uint8Array(capacity);
  shares.streams = new Int32Array(capacity);
  shares.groups = new Int32Array(capacity);
  shares.counts = new Float64Array(capacity);
  shares.firsts = new Int32Array(capacity);
}

// ── The budget ───────────────────────────────────────────────────────────────────────────────

/** How many entries the next key may give. */
export function limitOfKey(): number {
  return Math.min(reading.limit, budget.entries);
}

/**
 * Is there room for the entry that the cursor stands on? Then it is taken. The cursor may have read
 * the entry's fields afterwards.
 */
export function takeRoom(cursor: EntryCursor): boolean {
  if (budget.entries <= 0) return false;
  if (budget.hasBytes) {
    const bytes = entryBytes(cursor);
    if (bytes > budget.bytes && !budget.isUntouched) return false;
    budget.bytes -= bytes;
  }
  budget.entries--;
  budget.isUntouched = false;
  return true;
}

/** What a bulk string takes besides its bytes and their number: `$`, and twice CRLF. */
const BULK_BYTES = 5;
/** Heads of an entry and of its fields. */
const HEADS_BYTES = 8;

function bulkBytes(length: number): number {
  let digits = 1;
  for (let rest = length; rest >= 10; rest = Math.floor(rest / 10)) digits++;
  return BULK_BYTES + digits + length;
}

/** An entry as it is sent. */
function entryBytes(cursor: EntryCursor): number {
  let bytes = HEADS_BYTES + bulkBytes(textOf(cursor.id));
  for (let field = cursor.fieldCount; field > 0; field--) {
    cursor.nextField();
    bytes += bulkBytes(cursor.nameBytes) + bulkBytes(cursor.valueBytes);
  }
  return bytes;
}
