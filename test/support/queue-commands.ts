// Commands for tests of waiting that need no type of their own: a string of elements, each ended by
// a comma, is a queue.

import { readInteger } from '../../src/dispatch/args.js';
import type { Context } from '../../src/dispatch/context.js';
import {
  type CommandSpec,
  crossCommand,
  Flag,
  keyAt,
  keyCommand,
  keysFrom,
  splitCommand,
} from '../../src/dispatch/define.js';
import { Notify } from '../../src/dispatch/effects.js';
import { Type } from '../../src/keyspace/entry.js';
import { putText, readString, StringBytes, stringReserve } from '../../src/keyspace/strings.js';
import { Refusal } from '../../src/resp/errors.js';
import { NONE } from '../../src/slab/slab.js';

const COMMON = { group: 'string', since: '1.0.0', summary: 'S.', cost: 'O(N)' } as const;
const value = new StringBytes();

/** The elements at word `index`. */
function elementsAt(context: Context, index: number): string[] {
  const partition = context.at(index);
  const entry = partition.find(context.args, index, Type.String);
  if (entry === NONE) return [];
  readString(partition.slab, entry, value);
  const text = Buffer.from(value.u8.slice(value.start, value.start + value.length)).toString();
  return text.split(',').slice(0, -1);
}

function putElements(context: Context, index: number, elements: readonly string[]): void {
  const { args } = context;
  const partition = context.at(index);
  const entry = partition.edit(args, index, Type.Any);
  if (elements.length === 0) {
    if (entry !== NONE) partition.remove(args, index, entry);
  } else {
    const bytes = Buffer.from(elements.map((element) => `${element},`).join(''), 'latin1');
    partition.reserve(stringReserve(args.lengthOf(index), bytes.length));
    putText(partition, args, index, entry, bytes, 0, bytes.length, false);
  }
  context.changed(index, Notify.String, 'queue');
}

function recordAs(context: Context, name: string, words: readonly number[]): void {
  if (!context.effects.isRecording) return;
  context.effects.begin(words.length + 1);
  context.effects.word(Buffer.from(name, 'latin1'));
  for (const word of words) context.effects.arg(context.args, word);
}

function deadlineAt(context: Context, index: number): number {
  const ms = readInteger(context.args, index);
  return ms === 0 ? Number.POSITIVE_INFINITY : context.nowMs + ms;
}

/** PUSH key element [element ...]: adds at the end, answers the length. */
const push = keyCommand({
  ...COMMON,
  name: 'push',
  arity: -3,
  flags: Flag.Write,
  keys: [keyAt(1, 'RW')],
  run(context) {
    const elements = elementsAt(context, 1);
    for (let index = 2; index < context.args.count; index++) {
      elements.push(context.args.text(index));
    }
    putElements(context, 1, elements);
    context.reply.integer(elements.length);
  },
});

/** PUSHES key element [key element ...]: as PUSH, for several keys in one step. */
const pushes = splitCommand({
  ...COMMON,
  name: 'pushes',
  arity: -3,
  flags: Flag.Write,
  keys: [keysFrom(1, -1, 2, 'RW')],
  run(context) {
    for (let index = 1; index < context.args.count; index += 2) {
      putElements(context, index, [...elementsAt(context, index), context.args.text(index + 1)]);
    }
    context.reply.ok();
  },
});

/** SIZE key: how many elements. */
const size = keyCommand({
  ...COMMON,
  name: 'size',
  arity: 2,
  flags: Flag.Read,
  keys: [keyAt(1, 'RO')],
  run: (context) => context.reply.integer(elementsAt(context, 1).length),
});

/** TAKE key [key ...] ms: the first element of the first key that has any, waiting for one. */
const take = crossCommand({
  ...COMMON,
  name: 'take',
  arity: -3,
  flags: Flag.Write | Flag.Blocking,
  keys: [keysFrom(1, -2, 1, 'RW')],
  run(context) {
    const { args, reply } = context;
    const last = args.count - 1;
    const deadlineMs = deadlineAt(context, last);
    for (let index = 1; index < last; index++) {
      if (!context.isHere(index)) continue;
      const elements = elementsAt(context, index);
      if (elements.length === 0) continue;
      const element = elements.shift()!;
      putElements(context, index, elements);
      recordAs(context, 'TAKE1', [index]);
      reply.array(2);
      reply.bulk(args.u8, args.startOf(index), args.lengthOf(index));
      reply.text(element);
      return;
    }
    context.block({ type: Type.String, firstKey: 1, keyCount: last - 1, deadlineMs });
  },
});

/** SHIFT source target ms: moves an element from queue to queue, waiting for one. */
const shift = crossCommand({
  ...COMMON,
  name: 'shift',
  arity: 4,
  flags: Flag.Write | Flag.Blocking,
  keys: [keyAt(1, 'RW'), keyAt(2, 'RW')],
  run(context) {
    const deadlineMs = deadlineAt(context, 3);
    const source = elementsAt(context, 1);
    if (source.length === 0) {
      const type = Type.String;
      context.block({ type, firstKey: 1, keyCount: 1, deadlineMs, target: 2, deniedAs: 'value' });
      return;
    }
    const target = elementsAt(context, 2);
    const element = source.shift()!;
    putElements(context, 1, source);
    const isSame = context.args.text(1) === context.args.text(2);
    putElements(context, 2, isSame ? [...source, element] : [...target, element]);
    recordAs(context, 'SHIFT', [1, 2]);
    context.reply.text(element);
  },
});

/** PEEK key [key ...] least ms: the sizes of keys with at least so many elements; takes nothing. */
const peek = crossCommand({
  ...COMMON,
  name: 'peek',
  arity: -4,
  flags: Flag.Read | Flag.Blocking,
  keys: [keysFrom(1, -3, 1, 'RO')],
  run(context) {
    const { args, reply } = context;
    const end = args.count - 2;
    const least = readInteger(args, end);
    const deadlineMs = deadlineAt(context, end + 1);
    let found = '';
    for (let index = 1; index < end; index++) {
      if (!context.isHere(index)) continue;
      const { length } = elementsAt(context, index);
      if (length >= least) found += `${args.text(index)}=${length} `;
    }
    if (found !== '') reply.text(found.trim());
    else context.block({ type: Type.String, firstKey: 1, keyCount: end - 1, deadlineMs });
  },
});

const GONE = new Refusal('GONE the key is no more');

/** ATTEND key least ms: as PEEK of a key that exists; refuses once it is gone. */
const attend = crossCommand({
  ...COMMON,
  name: 'attend',
  arity: 4,
  flags: Flag.Read | Flag.Blocking,
  keys: [keyAt(1, 'RO')],
  run(context) {
    const { args } = context;
    const { length } = elementsAt(context, 1);
    const deadlineMs = deadlineAt(context, 3);
    if (length === 0) throw GONE;
    if (length >= readInteger(args, 2)) context.reply.integer(length);
    else
      context.block({ type: Type.String, firstKey: 1, keyCount: 1, deadlineMs, isKeyless: true });
  },
});

export const queueCommands: readonly CommandSpec[] = [
  push,
  pushes,
  size,
  take,
  shift,
  peek,
  attend,
];
