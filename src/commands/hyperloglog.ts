// The commands of the hyperloglog group: adding elements, counting them, and joining several
// HyperLogLogs. What their bytes mean is the business of types/hyperloglog.ts.

import { copyBytes } from '../base/bytes.js';
import { Prng } from '../base/prng.js';
import { isWord, word } from '../dispatch/args.js';
import type { Context } from '../dispatch/context.js';
import {
  type CommandSpec,
  crossCommand,
  Flag,
  keyAt,
  keyCommand,
  keysFrom,
  sessionCommand,
} from '../dispatch/define.js';
import { Notify } from '../dispatch/effects.js';
import { type EntryRef, Type } from '../keyspace/entry.js';
import type { Partition } from '../keyspace/partition.js';
import {
  Edited,
  editReserve,
  editString,
  putText,
  readString,
  StringBytes,
  stringLength,
} from '../keyspace/strings.js';
import { Refusal } from '../resp/errors.js';
import { NONE } from '../slab/slab.js';
import {
  Change,
  cardinality,
  countAll,
  countRegisters,
  denseRegister,
  describeRuns,
  forgetCached,
  hashElement,
  isDense,
  isHyperLogLog,
  mergeInto,
  place,
  REGISTERS,
  Registers,
  raiseDense,
  readCached,
  Sketch,
  writeCached,
} from '../types/hyperloglog.js';

const NOT_VALID = new Refusal('WRONGTYPE Key is not a valid HyperLogLog string value.');
const CORRUPT = new Refusal('INVALIDOBJ Corrupted HLL object detected');

const bytes = new StringBytes();
const edited = new Edited();
const sketch = new Sketch();
/** The highest rank of each register over several HyperLogLogs. */
const registers = new Registers();

/** Reads the string of an entry, in `bytes`, and refuses what is no HyperLogLog. */
function readSketch(partition: Partition, entry: EntryRef): void {
  readString(partition.slab, entry, bytes);
  if (!isHyperLogLog(bytes.u8, bytes.start, bytes.length)) throw NOT_VALID;
}

/** Makes `sketch` the string at key word `index`. May refuse for want of memory. */
function storeSketch(partition: Partition, context: Context, index: number, entry: EntryRef): void {
  const { args } = context;
  const { slab } = partition;
  const { u8, length } = sketch;
  partition.reserve(editReserve(args.lengthOf(index), length));
  if (entry !== NONE && length < stringLength(slab, entry)) {
    // Runs were joined; strings are only ever edited to be longer.
    partition.markRaw(putText(partition, args, index, entry, u8, 0, length, true), true);
    return;
  }
  editString(partition, args, index, entry, length, edited);
  copyBytes(u8, 0, slab.u8, edited.start, length);
}

// ── PFADD ────────────────────────────────────────────────────────────────────────────────────

/** Adds all elements to the dense HyperLogLog in `bytes`, in its place in the slab. */
function addToDense(context: Context): boolean {
  const { args } = context;
  const { u8, start } = bytes;
  let isChanged = false;
  for (let index = 2; index < args.count; index++) {
    hashElement(args.u8, args.startOf(index), args.lengthOf(index));
    if (raiseDense(u8, start, place.register, place.rank)) isChanged = true;
  }
  if (isChanged) forgetCached(u8, start);
  return isChanged;
}

/** Adds all elements to `sketch`. */
function addToSketch(context: Context): boolean {
  const { args } = context;
  let isChanged = false;
  for (let index = 2; index < args.count; index++) {
    const change = sketch.add(args.u8, args.startOf(index), args.lengthOf(index));
    if (change === Change.Corrupt) throw CORRUPT;
    if (change === Change.Made) isChanged = true;
  }
  return isChanged;
}

const pfadd = keyCommand({
  name: 'pfadd',
  arity: -2,
  group: 'hyperloglog',
  since: '2.8.9',
  summary: 'Adds elements to a HyperLogLog; a missing key starts as an empty one.',
  cost: 'O(1) for each element.',
  flags: Flag.Write | Flag.DenyOom | Flag.Fast,
  syntax: 'key [element [element ...]]',
  keys: [keyAt(1, 'RW', 'insert')],
  run(context) {
    const { args, partition, reply } = context;
    const entry = partition.edit(args, 1, Type.String);
    let isChanged: boolean;
    if (entry === NONE) {
      sketch.createEmpty();
      addToSketch(context);
      sketch.forgetCount();
      storeSketch(partition, context, 1, entry);
      isChanged = true;
    } else {
      readSketch(partition, entry);
      if (isDense(bytes.u8, bytes.start)) {
        isChanged = addToDense(context);
        partition.markRaw(entry, true);
      } else {
        sketch.load(bytes.u8, bytes.start, bytes.length);
        isChanged = addToSketch(context);
        if (isChanged) {
          sketch.forgetCount();
          storeSketch(partition, context, 1, entry);
        } else partition.markRaw(entry, true);
      }
    }
    if (isChanged) context.changed(1, Notify.String, 'pfadd');

    reply.flag(isChanged);
  },
});

// ── PFCOUNT and PFMERGE ──────────────────────────────────────────────────────────────────────

/** One key: the count stands in its head, or is put there. */
function countOne(context: Context): void {
  const { args } = context;
  const partition = context.at(1);
  const entry = partition.find(args, 1, Type.String);
  if (entry === NONE) {
    cardinality.low = 0;
    cardinality.high = 0;
    return;
  }
  readSketch(partition, entry);
  const { u8, start, length } = bytes;
  // As in Redis, which takes the string out of the entry before it looks.
  partition.markRaw(entry, true);
  if (readCached(u8, start)) return;
  if (!countAll(u8, start, length)) throw CORRUPT;

  // The count is kept: a change for a snapshot, for replicas and for whoever watches the key.
  partition.edit(args, 1, Type.String);
  writeCached(u8, start);
  context.changed(1, Notify.None, '');
}

/** Merges the HyperLogLogs of all keys into `registers`; says whether one of them is dense. */
function mergeAll(context: Context): boolean {
  const { args } = context;
  registers.clear();
  let hasDense = false;
  for (let index = 1; index < args.count; index++) {
    const partition = context.at(index);
    const entry = partition.find(args, index, Type.String);
    if (entry === NONE) continue;
    readSketch(partition, entry);
    if (isDense(bytes.u8, bytes.start)) hasDense = true;
    if (!mergeInto(registers, bytes.u8, bytes.start, bytes.length)) throw CORRUPT;
  }
  return hasDense;
}

const pfcount = crossCommand({
  name: 'pfcount',
  arity: -2,
  group: 'hyperloglog',
  since: '2.8.9',
  summary: 'Estimates how many different elements one or several HyperLogLogs have been given.',
  cost:
    'O(1) for one key whose count is cached; O(N) for N keys, with a large constant, as all ' +
    'registers are read.',
  flags: Flag.Read | Flag.MayReplicate,
  syntax: 'key [key ...]',
  keys: [keysFrom(1, -1, 1, 'RW', 'access')],
  run(context) {
    if (context.args.count === 2) {
      countOne(context);
    } else {
      mergeAll(context);
      countRegisters(registers);
    }

    context.reply.int64(cardinality.low, cardinality.high);
  },
});

const pfmerge = crossCommand({
  name: 'pfmerge',
  arity: -2,
  group: 'hyperloglog',
  since: '2.8.9',
  summary: 'Joins HyperLogLogs, and what the destination holds, in the destination.',
  cost: 'O(N) for N keys, with a large constant, as all registers are read.',
  flags: Flag.Write | Flag.DenyOom,
  syntax: 'destkey [sourcekey [sourcekey ...]]',
  keys: [keyAt(1, 'RW', 'access', 'insert'), keysFrom(2, -1, 1, 'RO', 'access')],
  run(context) {
    const { args, reply } = context;
    const hasDense = mergeAll(context);

    const partition = context.at(1);
    const entry = partition.edit(args, 1, Type.String);
    if (entry === NONE) {
      sketch.createEmpty();
    } else {
      readSketch(partition, entry);
      sketch.load(bytes.u8, bytes.start, bytes.length);
    }
    // It is one of those merged: its runs are known to be whole.
    if (hasDense) sketch.becomeDense();
    sketch.addRegisters(registers);
    sketch.forgetCount();

    storeSketch(partition, context, 1, entry);
    context.changed(1, Notify.String, 'pfadd');

    reply.ok();
  },
});

// ── For tests ────────────────────────────────────────────────────────────────────────────────

const NO_KEY = new Refusal('ERR The specified key does not exist');
const NOT_SPARSE = new Refusal('ERR HLL encoding is not sparse');

const GETREG = word('GETREG');
const DECODE = word('DECODE');
const ENCODING = word('ENCODING');
const TODENSE = word('TODENSE');

/** Makes the HyperLogLog in `bytes` dense, and says whether it was not. */
function makeDense(context: Context, entry: EntryRef): boolean {
  if (isDense(bytes.u8, bytes.start)) return false;
  sketch.load(bytes.u8, bytes.start, bytes.length);
  if (!sketch.becomeDense()) throw CORRUPT;

  storeSketch(context.partition, context, 2, entry);
  context.changed(2, Notify.None, '');
  return true;
}

function replyRegisters(context: Context, entry: EntryRef): void {
  const { reply } = context;
  // Without a change `sketch` is not loaded yet.
  if (!makeDense(context, entry)) sketch.load(bytes.u8, bytes.start, bytes.length);
  reply.array(REGISTERS);
  for (let index = 0; index < REGISTERS; index++) reply.integer(denseRegister(sketch.u8, 0, index));
}

const pfdebug = keyCommand({
  name: 'pfdebug',
  arity: 3,
  group: 'hyperloglog',
  since: '2.8.9',
  summary: 'Shows the registers or the representation of a HyperLogLog, for tests of the server.',
  cost: 'O(1)',
  flags: Flag.Write | Flag.DenyOom | Flag.Admin,
  syntax: 'subcommand key',
  keys: [keyAt(2, 'RW', 'access')],
  run(context) {
    const { args, partition, reply } = context;
    const entry = partition.edit(args, 2, Type.String);
    if (entry === NONE) throw NO_KEY;
    readSketch(partition, entry);
    partition.markRaw(entry, true);

    if (isWord(args, 1, GETREG)) {
      replyRegisters(context, entry);
    } else if (isWord(args, 1, DECODE)) {
      if (isDense(bytes.u8, bytes.start)) throw NOT_SPARSE;
      reply.text(describeRuns(bytes.u8, bytes.start, bytes.length));
    } else if (isWord(args, 1, ENCODING)) {
      reply.simple(isDense(bytes.u8, bytes.start) ? 'dense' : 'sparse');
    } else if (isWord(args, 1, TODENSE)) {
      reply.flag(makeDense(context, entry));
    } else {
      context.refuse(`ERR Unknown PFDEBUG subcommand '${args.text(1)}'`);
    }
  },
});

/** Redis writes all registers a thousand times and adds ten million elements: ten times as many. */
const TEST_CYCLES = 100;
const TEST_ELEMENTS = 1_000_000;
/** The standard error of an estimate is this part of it. */
const STANDARD_ERROR = 1.04 / Math.sqrt(REGISTERS);

/** Dense registers keep what is written to them; null, or what went wrong. */
function testRegisters(chance: Prng): string | null {
  const expected = new Uint8Array(REGISTERS);
  const dense = new Sketch();
  for (let cycle = 0; cycle < TEST_CYCLES; cycle++) {
    dense.createEmpty();
    dense.becomeDense();
    for (let index = 0; index < REGISTERS; index++) {
      expected[index] = chance.nextUint32() & 0x3f;
      raiseDense(dense.u8, 0, index, expected[index]!);
    }
    for (let index = 0; index < REGISTERS; index++) {
      const found = denseRegister(dense.u8, 0, index);
      if (found === expected[index]) continue;
      return `Register ${index} should be ${expected[index]} but is ${found}`;
    }
  }
  return null;
}

/** Dense and sparse estimates agree and are near the truth; null, or what went wrong. */
function testEstimates(chance: Prng): string | null {
  const dense = new Sketch();
  const either = new Sketch();
  dense.createEmpty();
  dense.becomeDense();
  either.createEmpty();
  const element = new Uint8Array(8);
  const words = new Uint32Array(element.buffer);
  const seed = chance.nextUint32();
  words[1] = chance.nextUint32();
  let checkpoint = 1;
  for (let count = 1; count <= TEST_ELEMENTS; count++) {
    words[0] = count ^ seed;
    dense.add(element, 0, element.length);
    either.add(element, 0, element.length);
    if (count !== checkpoint) continue;
    countAll(either.u8, 0, either.length);
    const estimated = cardinality.low;
    countAll(dense.u8, 0, dense.length);
    if (cardinality.low !== estimated) return 'dense/sparse disagree';
    const difference = Math.abs(count - estimated);
    // Of ten elements two may well meet in one register.
    const allowed = count === 10 ? 1 : Math.ceil(STANDARD_ERROR * 6 * count);
    if (difference > allowed) return `Too big error. card:${count} abserr:${difference}`;
    checkpoint *= 10;
  }
  return null;
}

const pfselftest = sessionCommand({
  name: 'pfselftest',
  arity: 1,
  group: 'hyperloglog',
  since: '2.8.9',
  summary: 'Tests the arithmetic of HyperLogLogs.',
  cost: 'About a second.',
  flags: Flag.Admin,
  run(context) {
    const chance = Prng.fromEntropy();
    const failure = testRegisters(chance) ?? testEstimates(chance);
    if (failure !== null) context.refuse(`TESTFAILED ${failure}`);

    context.reply.ok();
  },
});

export const hyperloglogCommands: readonly CommandSpec[] = [
  pfadd,
  pfcount,
  pfmerge,
  pfdebug,
  pfselftest,
];
