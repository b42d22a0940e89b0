// MEMORY: what a key costs, and where the memory of the server is.

import { int64 } from '../../base/ascii.js';
import { isWord, readInt64, word } from '../../dispatch/args.js';
import type { Context } from '../../dispatch/context.js';
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
import { type BlockRef, capacityOf, PAGE_BYTES } from '../../slab/alloc.js';
import { counterOf, Header, NONE, type Slab, usedBytesOf } from '../../slab/slab.js';
import { helpSubcommand, sub } from './help.js';
import { diagnoseMemory } from './memory-doctor.js';
import { memoryFigures, percentOf, ratioOf } from './memory-figures.js';

const SAMPLES = word('SAMPLES');
const TIPS = [
  'nondeterministic_output',
  'request_policy:all_shards',
  'response_policy:special',
] as const;

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

function stats(context: Context): void {
  const { reply } = context;
  const figures = memoryFigures(context);
  const { used, peak, startup, allocated, active, resident, rss, databases } = figures;
  const net = Math.max(1, used - startup);
  const before: Row[] = [
    ['peak.allocated', peak],
    ['total.allocated', used],
    ['startup.allocated', startup],
    ['replication.backlog', 0],
    ['clients.slaves', 0],
    ['clients.normal', figures.clients],
    ['cluster.links', 0],
    ['aof.buffer', figures.logBuffers],
    ['lua.caches', figures.scripts],
    ['functions.caches', figures.functions],
  ];
  const after: Row[] = [
    ['overhead.total', figures.overhead],
    ['keys.count', figures.keys],
    ['keys.bytes-per-key', figures.keys === 0 ? 0 : Math.floor(net / figures.keys)],
    ['dataset.bytes', figures.dataset],
    ['dataset.percentage', { double: (figures.dataset * 100) / net }],
    ['peak.percentage', { double: percentOf(used, peak) }],
    ['allocator.allocated', allocated],
    ['allocator.active', active],
    ['allocator.resident', resident],
    ['allocator-fragmentation.ratio', { double: ratioOf(active, allocated) }],
    ['allocator-fragmentation.bytes', active - allocated],
    ['allocator-rss.ratio', { double: ratioOf(resident, active) }],
    ['allocator-rss.bytes', resident - active],
    ['rss-overhead.ratio', { double: ratioOf(rss, resident) }],
    ['rss-overhead.bytes', rss - resident],
    ['fragmentation', { double: ratioOf(rss, used) }],
    ['fragmentation.bytes', rss - used],
  ];

  reply.map(before.length + databases.length + after.length);
  replyRows(reply, before);
  for (const { database, mainBytes, expiryBytes } of databases) {
    reply.text(`db.${database}`);
    reply.map(3);
    replyRows(reply, [
      ['overhead.hashtable.main', mainBytes],
      ['overhead.hashtable.expires', expiryBytes],
      ['overhead.hashtable.slot-to-keys', 0],
    ]);
  }
  replyRows(reply, after);
}

type Row = readonly [name: string, value: number | { readonly double: number }];

function replyRows(reply: Context['reply'], rows: readonly Row[]): void {
  for (const [name, value] of rows) {
    reply.text(name);
    if (typeof value === 'number') reply.integer(value);
    else reply.double(value.double);
  }
}

/** Runs of pages that are given back under one lock: each is a call of the system. */
const RUNS_PER_VISIT = 4;

function purge(context: Context): void {
  const { keyspace, server, reply } = context;
  for (const { index } of keyspace.partitions) {
    let isMore = true;
    while (isMore) {
      context.visit(index, ({ slab }) => {
        for (let run = 0; run < RUNS_PER_VISIT && isMore; run++) isMore = server.givePages(slab);
      });
    }
  }
  server.giveHeaps();

  reply.ok();
}

/** A line for each partition that holds anything, and one for all of them. */
function describeAllocator({ keyspace }: Context): string {
  const names = ['used', 'active', 'dirty', 'given_back', 'touched'] as const;
  const totals = names.map(() => 0);
  const lines = ['___ Begin flagstone allocator statistics (bytes) ___'];
  for (const { index, slab } of keyspace.partitions) {
    const pages = (at: Header) => counterOf(slab, at) * PAGE_BYTES;
    const row = [
      usedBytesOf(slab),
      pages(Header.UsedPages),
      pages(Header.DirtyPages),
      pages(Header.PurgedPages),
      Math.max(0, pages(Header.HighPage) - pages(Header.FirstPage)),
    ];
    row.forEach((bytes, at) => {
      totals[at] = totals[at]! + bytes;
    });
    if (row[0] !== 0 || row[2] !== 0) lines.push(`partition ${index}: ${describe(row)}`);
  }
  lines.push(`all partitions: ${describe(totals)}`);
  lines.push('___ End flagstone allocator statistics ___');
  return `${lines.join('\n')}\n`;

  function describe(row: readonly number[]): string {
    return names.map((name, at) => `${name}=${row[at]}`).join(' ');
  }
}

export const memory = containerCommand({
  name: 'memory',
  arity: -2,
  group: 'server',
  since: '4.0.0',
  summary: 'A container for commands about memory.',
  flags: 0,
  subcommands: [
    sub({
      name: 'doctor',
      arity: 2,
      group: 'server',
      since: '4.0.0',
      summary: 'Tells in words what is unusual about the memory.',
      cost: 'O(1)',
      flags: 0,
      tips: TIPS,
      visits: true,
      run(context) {
        context.reply.verbatim(diagnoseMemory(context), 'txt');
      },
    }),
    sub({
      name: 'malloc-stats',
      arity: 2,
      group: 'server',
      since: '4.0.0',
      summary: 'Tells the figures of the allocator of each partition.',
      cost: 'O(1)',
      flags: 0,
      tips: TIPS,
      run(context) {
        context.reply.verbatim(describeAllocator(context), 'txt');
      },
    }),
    sub({
      name: 'purge',
      arity: 2,
      group: 'server',
      since: '4.0.0',
      summary: 'Gives free pages back to the system.',
      cost: 'O(N) where N is the number of free pages',
      flags: 0,
      tips: ['request_policy:all_shards', 'response_policy:all_succeeded'],
      visits: true,
      run: purge,
    }),
    sub({
      name: 'stats',
      arity: 2,
      group: 'server',
      since: '4.0.0',
      summary: 'Tells where the memory is.',
      cost: 'O(1)',
      flags: 0,
      tips: TIPS,
      visits: true,
      run: stats,
    }),
    usage,
    helpSubcommand({
      container: 'memory',
      group: 'server',
      since: '4.0.0',
      lines: [
        'DOCTOR',
        '    Return memory problems reports.',
        'MALLOC-STATS',
        '    Return internal statistics report from the memory allocator.',
        'PURGE',
        '    Attempt to purge dirty pages for reclamation by the allocator.',
        'STATS',
        '    Return information about the memory usage of the server.',
        'USAGE <key> [SAMPLES <count>]',
        '    Return memory in bytes used by <key> and its value. Nested values are',
        '    sampled up to <count> times (default: 5, 0 means sample all).',
      ],
    }),
  ],
});
