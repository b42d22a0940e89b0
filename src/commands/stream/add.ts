// Adding entries, trimming, and the marks of a stream.

import { int64 } from '../../base/ascii.js';
import { isWord, readInt64, word } from '../../dispatch/args.js';
import type { Context } from '../../dispatch/context.js';
import { type CommandSpec, Flag, keyAt, keyCommand } from '../../dispatch/define.js';
import { Notify } from '../../dispatch/effects.js';
import { NO_SUCH_KEY, Refusal, SYNTAX } from '../../resp/errors.js';
import { NONE, type Slab } from '../../slab/slab.js';
import { EntryCursor, payloadBytes } from '../../types/stream/block.js';
import { compareIds, IdForm, MAX_ID, StreamId } from '../../types/stream/id.js';
import { trimReferenced } from '../../types/stream/references.js';
import {
  appendEntry,
  appendReserve,
  readLastGivenId,
  readMaxDeletedId,
  type StreamRef,
  seekEntryBack,
  setAdded,
  setLastGivenId,
  setMaxDeletedId,
  streamLength,
} from '../../types/stream/stream.js';
import {
  findFirst,
  nameByContent,
  production,
  productionReserve,
  recordProduction,
  remember,
} from './idempotence.js';
import {
  options,
  readAddOptions,
  readTrimOptions,
  recordTrim,
  trim,
  trimWords,
} from './trimming.js';
import {
  addStream,
  alsoNotify,
  editStream,
  findStream,
  idText,
  readId,
  streamReserve,
  textOf,
} from './value.js';

const ID_ZERO = new Refusal('ERR The ID specified in XADD must be greater than 0-0');
const ID_EXHAUSTED = new Refusal(
  'ERR The stream has exhausted the last possible ID, unable to add more items',
);
const ID_SMALLER = new Refusal(
  'ERR The ID specified in XADD is equal or smaller than the target stream top item',
);
const TOO_LARGE = new Refusal('ERR Elements are too large to be stored');
/** Names and values of one entry: Redis's limit. */
const PAYLOAD_BYTES_MAX = 2 ** 30;

const XADD = word('XADD');
const XTRIM = word('XTRIM');

const last = new StreamId();
const id = new StreamId();

const xadd = keyCommand({
  name: 'xadd',
  arity: -5,
  group: 'stream',
  since: '5.0.0',
  summary: 'Adds an entry to a stream, which it creates if need be; may trim the stream.',
  cost: 'O(1) for adding, O(N) for trimming N entries.',
  flags: Flag.Write | Flag.DenyOom | Flag.Fast,
  syntax:
    'key [NOMKSTREAM] [KEEPREF | DELREF | ACKED] [IDMPAUTO pid | IDMP pid iid] ' +
    '[<MAXLEN | MINID> [= | ~] threshold [LIMIT count]] <* | id> field value [field value ...]',
  keys: [keyAt(1, 'RW', 'update')],
  tips: ['nondeterministic_output'],
  history: [
    ['6.2.0', 'Takes NOMKSTREAM, MINID and LIMIT.'],
    ['7.0.0', 'Makes the sequence number of an ID that ends in -*.'],
    ['8.2.0', 'Takes KEEPREF, DELREF and ACKED.'],
    ['8.6.0', 'Takes IDMPAUTO and IDMP.'],
  ],
  run(context) {
    const { args, partition, reply } = context;
    const { slab } = partition;
    const first = readAddOptions(context) + 1;
    if (args.count - first < 2 || ((args.count - first) & 1) === 1) {
      throw context.command.wrongArity;
    }
    if (options.idForm === IdForm.Whole && options.id.isZero) throw ID_ZERO;

    let stream = editStream(partition, args, 1);
    if (stream === NONE && !options.makesStream) {
      reply.nil();
      return;
    }
    if (production.isNamed) {
      if (production.isAutomatic) nameByContent(args, first);
      if (findFirst(context, stream, id)) {
        reply.bulk(idText, 0, textOf(id));
        return;
      }
    }
    chooseId(context, slab, stream);
    const payload = payloadBytes(args, first);
    if (payload > PAYLOAD_BYTES_MAX) throw TOO_LARGE;
    const bytes = appendReserve(slab, stream, payload, (args.count - first) >>> 1);
    const more = production.isNamed ? productionReserve(slab, stream) : 0;
    partition.reserve(bytes + streamReserve(args, 1) + more);

    if (stream === NONE) stream = addStream(partition, args, 1);
    appendEntry(slab, stream, id, args, first, payload);
    if (production.isNamed) remember(context, stream, id);
    context.changed(1, Notify.Stream, 'xadd');
    let isTrimmed = false;
    if (options.trims) {
      isTrimmed = trimReferenced(slab, stream, trim, options.references) !== 0;
      if (isTrimmed) alsoNotify(context, 1, 'xtrim');
    }
    if (context.effects.isRecording) record(context, slab, stream, first, isTrimmed);

    reply.bulk(idText, 0, textOf(id));
  },
});

/** Leaves the ID of the new entry in `id`, or refuses. */
function chooseId(context: Context, slab: Slab, stream: StreamRef): void {
  if (stream === NONE) last.set(0, 0, 0, 0);
  else readLastGivenId(slab, stream, last);
  if (last.isMax) throw ID_EXHAUSTED;
  if (options.idForm === IdForm.None) {
    id.setMs(context.nowMs);
    if (id.msLow === last.msLow && id.msHigh === last.msHigh) id.copyFrom(last);
    else if (compareIds(id, last) > 0) return;
    else id.copyFrom(last);
    id.increment();
    return;
  }
  id.copyFrom(options.id);
  if (options.idForm === IdForm.Open && id.msLow === last.msLow && id.msHigh === last.msHigh) {
    if ((last.seqHigh & last.seqLow) === -1) throw ID_SMALLER;
    id.copyFrom(last);
    id.increment();
    return;
  }
  if (compareIds(id, last) <= 0) throw ID_SMALLER;
}

/** The record has the ID that was made, and an exact trimming in place of an approximate one. */
function record(
  context: Context,
  slab: Slab,
  stream: StreamRef,
  first: number,
  isTrimmed: boolean,
): void {
  const { args, effects } = context;
  if (production.isNamed) {
    recordNamed(context, slab, stream, first, isTrimmed);
    return;
  }
  const isExact = options.trims && !trim.isApproximate;
  // What came is what happened.
  if (options.idForm === IdForm.Whole && (isExact || !options.trims)) return;
  // The words between key and ID: as they came, or what they have come to.
  const between = isExact ? first - 3 : isTrimmed ? trimWords() : 0;
  effects.begin(3 + between + args.count - first);
  effects.word(XADD);
  effects.arg(args, 1);
  if (isExact) for (let index = 2; index < first - 1; index++) effects.arg(args, index);
  else if (isTrimmed) recordTrim(context, slab, stream);
  effects.bytes(idText, 0, textOf(id));
  for (let index = first; index < args.count; index++) effects.arg(args, index);
}

/** As record: the entry, who added it, and then what was trimmed, which may be the entry. */
function recordNamed(
  context: Context,
  slab: Slab,
  stream: StreamRef,
  first: number,
  isTrimmed: boolean,
): void {
  const { args, effects } = context;
  effects.begin(3 + args.count - first);
  effects.word(XADD);
  effects.arg(args, 1);
  effects.bytes(idText, 0, textOf(id));
  for (let index = first; index < args.count; index++) effects.arg(args, index);
  recordProduction(context, id);
  if (!isTrimmed) return;
  effects.begin(2 + trimWords());
  effects.word(XTRIM);
  effects.arg(args, 1);
  recordTrim(context, slab, stream);
}

const xtrim = keyCommand({
  name: 'xtrim',
  arity: -4,
  group: 'stream',
  since: '5.0.0',
  summary: 'Removes the oldest entries of a stream, down to a length or up to an ID.',
  cost: 'O(N) for N entries that go; whole blocks of them go at once.',
  flags: Flag.Write,
  syntax: 'key <MAXLEN | MINID> [= | ~] threshold [LIMIT count] [KEEPREF | DELREF | ACKED]',
  keys: [keyAt(1, 'RW', 'delete')],
  tips: ['nondeterministic_output'],
  history: [
    ['6.2.0', 'Takes MINID and LIMIT.'],
    ['8.2.0', 'Takes KEEPREF, DELREF and ACKED.'],
  ],
  run(context) {
    const { args, effects, partition, reply } = context;
    const { slab } = partition;
    readTrimOptions(context);

    const stream = editStream(partition, args, 1);
    if (stream === NONE) {
      reply.integer(0);
      return;
    }

    const deleted = trimReferenced(slab, stream, trim, options.references);
    if (deleted !== 0) {
      context.changed(1, Notify.Stream, 'xtrim');
      effects.dirty += deleted - 1;
    }
    if (deleted !== 0 && trim.isApproximate && effects.isRecording) {
      effects.begin(2 + trimWords());
      effects.word(XTRIM);
      effects.arg(args, 1);
      recordTrim(context, slab, stream);
    }

    reply.integer(deleted);
  },
});

const xlen = keyCommand({
  name: 'xlen',
  arity: 2,
  group: 'stream',
  since: '5.0.0',
  summary: 'Counts the entries of a stream.',
  cost: 'O(1)',
  flags: Flag.Read | Flag.Fast,
  syntax: 'key',
  keys: [keyAt(1, 'RO')],
  run({ args, partition, reply }) {
    const stream = findStream(partition, args, 1);

    reply.integer(stream === NONE ? 0 : streamLength(partition.slab, stream));
  },
});

// ── XSETID ───────────────────────────────────────────────────────────────────────────────────

const ENTRIESADDED = word('ENTRIESADDED');
const MAXDELETEDID = word('MAXDELETEDID');
const ADDED_NEGATIVE = new Refusal('ERR entries_added must be positive');
const BELOW_GIVEN_DELETED = new Refusal(
  'ERR The ID specified in XSETID is smaller than the provided max_deleted_entry_id',
);
const BELOW_DELETED = new Refusal(
  'ERR The ID specified in XSETID is smaller than current max_deleted_entry_id',
);
const BELOW_TOP = new Refusal(
  'ERR The ID specified in XSETID is smaller than the target stream top item',
);
const ADDED_BELOW_LENGTH = new Refusal(
  'ERR The entries_added specified in XSETID is smaller than the target stream length',
);

const marks = { deleted: new StreamId(), hasAdded: false, addedLow: 0, addedHigh: 0, added: 0 };
const top = new EntryCursor();

function readMarks(context: Context): void {
  const { args } = context;
  readId(args, 2, id);
  marks.deleted.set(0, 0, 0, 0);
  marks.hasAdded = false;
  for (let index = 3; index < args.count; index += 2) {
    if (index + 1 === args.count) throw SYNTAX;
    if (isWord(args, index, ENTRIESADDED)) {
      readInt64(args, index + 1);
      if (int64.hi < 0) throw ADDED_NEGATIVE;
      marks.hasAdded = true;
      marks.addedLow = int64.lo;
      marks.addedHigh = int64.hi;
      marks.added = int64.value;
    } else if (isWord(args, index, MAXDELETEDID)) {
      readId(args, index + 1, marks.deleted);
      if (compareIds(id, marks.deleted) < 0) throw BELOW_GIVEN_DELETED;
    } else throw SYNTAX;
  }
}

const xsetid = keyCommand({
  name: 'xsetid',
  arity: -3,
  group: 'stream',
  since: '5.0.0',
  summary: 'Sets what a stream takes for its last ID; for logs and replicas.',
  cost: 'O(1)',
  flags: Flag.Write | Flag.DenyOom | Flag.Fast,
  syntax: 'key last-id [ENTRIESADDED entries-added] [MAXDELETEDID max-deleted-id]',
  keys: [keyAt(1, 'RW', 'update')],
  history: [['7.0.0', 'Takes ENTRIESADDED and MAXDELETEDID.']],
  run(context) {
    const { args, partition, reply } = context;
    const { slab } = partition;
    readMarks(context);

    const stream = editStream(partition, args, 1);
    if (stream === NONE) throw NO_SUCH_KEY;
    readMaxDeletedId(slab, stream, last);
    if (compareIds(id, last) < 0) throw BELOW_DELETED;
    if (seekEntryBack(slab, stream, top, MAX_ID)) {
      if (compareIds(id, top.id) < 0) throw BELOW_TOP;
      if (marks.hasAdded && streamLength(slab, stream) > marks.added) throw ADDED_BELOW_LENGTH;
    }

    setLastGivenId(slab, stream, id);
    if (marks.hasAdded) setAdded(slab, stream, marks.addedLow, marks.addedHigh);
    if (!marks.deleted.isZero) setMaxDeletedId(slab, stream, marks.deleted);
    context.changed(1, Notify.Stream, 'xsetid');

    reply.ok();
  },
});

export const addCommands: readonly CommandSpec[] = [xadd, xtrim, xlen, xsetid];
