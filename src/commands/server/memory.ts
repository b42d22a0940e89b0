// MEMORY: what a key costs.

import { int64 } from '../../base/ascii.js';
import { isWord, readInt64, word } from '../../dispatch/args.js';
import { containerCommand, Flag, keyAt, keyCommand } from '../../dispatch/define.js';
import {
  Encoding,
  type EntryRef,
  encodingOf,
  payloadLow,
  roomOfEntry,
} from '../../keyspace/entry.js';
import { isStructured, structureBytes } from '../../keyspace/values.js';
import { SYNTAX } from '../../resp/errors.js';
import { type BlockRef, capacityOf } from '../../slab/alloc.js';
import { NONE, type Slab } from '../../slab/slab.js';
import { helpSubcommand } from './help.js';

const SAMPLES = word('SAMPLES');

/** Bytes of the blocks that hold a key and its value, slack included. */
export function bytesOfKey(slab: Slab, entry: EntryRef): number {
  const bytes = roomOfEntry(slab, entry);
  if (isStructured(slab, entry)) return bytes + structureBytes(slab, entry);
  if (encodingOf(slab, entry) !== Encoding.Blob) return bytes;
  return bytes + capacityOf(slab, payloadLow(slab, entry) as BlockRef);
}

const subOfKey = keyCommand;

const usage = subOfKey({
  name: 'usage',
  arity: -3,
  group: 'server',
  since: '4.0.0',
  summary: 'Tells how much memory a key and its value take.',
  cost: 'O(N) where N is the number of samples',
  flags: Flag.Read,
  syntax: 'key [SAMPLES count]',
  keys: [keyAt(2, 'RO')],
  run({ args, partition, reply }) {
    for (let index = 3; index < args.count; index += 2) {
      if (!isWord(args, index, SAMPLES) || index + 1 === args.count) throw SYNTAX;
      readInt64(args, index + 1);
      if (int64.value < 0) throw SYNTAX;
    }

    const entry = partition.peek(args, 2);

    if (entry === NONE) reply.nil();
    else reply.integer(bytesOfKey(partition.slab, entry));
  },
});

export const memory = containerCommand({
  name: 'memory',
  arity: -2,
  group: 'server',
  since: '4.0.0',
  summary: 'A container for commands about memory.',
  flags: 0,
  subcommands: [
    usage,
    helpSubcommand({
      container: 'memory',
      group: 'server',
      since: '4.0.0',
      lines: [
        'USAGE <key> [SAMPLES <count>]',
        '    Return memory in bytes used by <key> and its value. Nested values are',
        '    sampled up to <count> times (default: 5, 0 means sample all).',
      ],
    }),
  ],
});
