// OBJECT: what a key is made of and when it was used.

import { compareInt64 } from '../../base/ascii.js';
import type { Context } from '../../dispatch/context.js';
import {
  type CommandSpec,
  containerCommand,
  Flag,
  keyAt,
  keyCommand,
  sessionCommand,
} from '../../dispatch/define.js';
import {
  Encoding,
  type EntryRef,
  encodingOf,
  payloadHigh,
  payloadLow,
  recencyOf,
} from '../../keyspace/entry.js';
import { frequencyOf, idleSeconds } from '../../keyspace/recency.js';
import { stringEncodingName } from '../../keyspace/strings.js';
import { isStructured, structureName } from '../../keyspace/values.js';
import { Refusal } from '../../resp/errors.js';
import { NONE } from '../../slab/slab.js';

const SWITCHING =
  'Please note that when switching between policies at runtime LRU and LFU data will take some ' +
  'time to adjust.';
const NO_FREQUENCY = new Refusal(
  `ERR An LFU maxmemory policy is not selected, access frequency not tracked. ${SWITCHING}`,
);
const NO_IDLE_TIME = new Refusal(
  `ERR An LFU maxmemory policy is selected, idle time not tracked. ${SWITCHING}`,
);

/** Redis keeps one object for each of the first integers, with a count that says so: INT_MAX. */
const SHARED_INTEGERS = 10_000;
const SHARED_COUNT = 2 ** 31 - 1;

function isLfu(context: Context): boolean {
  return context.server.config.text('maxmemory-policy').endsWith('-lfu');
}

/** Runs `answer` for key 2, or answers nil. */
function ask(context: Context, answer: (context: Context, entry: EntryRef) => void): void {
  const entry = context.partition.lookQuietly(context.args, 2);
  if (entry === NONE) context.reply.nil();
  else answer(context, entry);
}

function replyEncoding(context: Context, entry: EntryRef): void {
  const { slab } = context.partition;
  context.reply.text(
    isStructured(slab, entry) ? structureName(slab, entry) : stringEncodingName(slab, entry),
  );
}

function replyIdleTime(context: Context, entry: EntryRef): void {
  if (isLfu(context)) throw NO_IDLE_TIME;
  const { keyspace, partition, reply } = context;
  reply.integer(idleSeconds(recencyOf(partition.slab, entry), keyspace.recency));
}

/** The counter as it is now. */
function replyFrequency(context: Context, entry: EntryRef): void {
  if (!isLfu(context)) throw NO_FREQUENCY;
  const { keyspace, partition, reply } = context;
  const recency = recencyOf(partition.slab, entry);
  reply.integer(frequencyOf(recency, keyspace.recency, keyspace.frequencyScale));
}

/** Where each key has a time or a count of its own, integers are not shared either. */
function sharesIntegers({ server: { config } }: Context): boolean {
  return config.number('maxmemory') === 0 || !/-l[rf][um]$/.test(config.text('maxmemory-policy'));
}

function replyReferences(context: Context, entry: EntryRef): void {
  const { slab } = context.partition;
  const isShared =
    sharesIntegers(context) &&
    encodingOf(slab, entry) === Encoding.Integer &&
    compareInt64(payloadLow(slab, entry), payloadHigh(slab, entry), 0, 0) >= 0 &&
    compareInt64(payloadLow(slab, entry), payloadHigh(slab, entry), SHARED_INTEGERS, 0) < 0;
  context.reply.integer(isShared ? SHARED_COUNT : 1);
}

function question(
  name: string,
  since: string,
  summary: string,
  answer: (context: Context, entry: EntryRef) => void,
): CommandSpec {
  return keyCommand({
    name,
    arity: 3,
    group: 'generic',
    since,
    summary,
    cost: 'O(1)',
    flags: Flag.Read,
    syntax: 'key',
    keys: [keyAt(2, 'RO')],
    tips: ['nondeterministic_output'],
    run: (context) => ask(context, answer),
  });
}

const HELP_LINES = [
  'OBJECT <subcommand> [<arg> [value] [opt] ...]. Subcommands are:',
  'ENCODING <key>',
  '    Return the kind of internal representation used in order to store the value',
  '    associated with a <key>.',
  'FREQ <key>',
  '    Return the access frequency index of the <key>. The returned integer is',
  '    proportional to the logarithm of the recent access frequency of the key.',
  'IDLETIME <key>',
  '    Return the idle time of the <key>, that is the approximated number of',
  '    seconds elapsed since the last access to the key.',
  'REFCOUNT <key>',
  '    Return the number of references of the value associated with the specified',
  '    <key>.',
  'HELP',
  '    Print this help.',
];

const help = sessionCommand({
  name: 'help',
  arity: 2,
  group: 'generic',
  since: '6.2.0',
  summary: 'Lists the subcommands of OBJECT.',
  cost: 'O(1)',
  flags: Flag.Loading | Flag.Stale,
  run({ reply }) {
    reply.array(HELP_LINES.length);
    for (const line of HELP_LINES) reply.simple(line);
  },
});

const object = containerCommand({
  name: 'object',
  arity: -2,
  group: 'generic',
  since: '2.2.3',
  summary: 'Tells what a key is made of.',
  flags: 0,
  subcommands: [
    question('encoding', '2.2.3', 'Names the form in which a value is kept.', replyEncoding),
    question(
      'freq',
      '4.0.0',
      'Answers how often a key is used, on a scale to 255.',
      replyFrequency,
    ),
    help,
    question(
      'idletime',
      '2.2.3',
      'Answers for how many seconds a key was not used.',
      replyIdleTime,
    ),
    question('refcount', '2.2.3', 'Answers how many references a value has.', replyReferences),
  ],
});

export const objectCommands: readonly CommandSpec[] = [object];
