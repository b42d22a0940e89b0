// MEMORY DOCTOR: what is unusual about the memory, in words, and what helps. It looks at what
// Redis's doctor looks at, and at what only this server has: partitions that are full or uneven.

import type { Context } from '../../dispatch/context.js';
import { usedBytesOf } from '../../slab/slab.js';
import { humanBytes, type MemoryFigures, memoryFigures, ratioOf } from './memory-figures.js';

/** Below, no figure says much. */
const TOO_LITTLE_BYTES = 5 * 2 ** 20;
const NOTABLE_BYTES = 10 * 2 ** 20;
const PEAK_RATIO = 1.5;
const RSS_RATIO = 1.4;
const ALLOCATOR_RATIO = 1.1;
const CLIENT_BYTES = 200 * 1024;
const SCRIPTS = 1000;
/** A partition is nearly full, or holds so much more than the mean. */
const FILL = 0.8;
const SKEW = 4;

const EMPTY =
  'There is too little data to say anything about its memory. Ask again when there are some ' +
  'megabytes.\n';
const HEALTHY = 'Nothing is unusual about the memory.\n';

export function diagnoseMemory(context: Context): string {
  const figures = memoryFigures(context);
  if (figures.used < TOO_LITTLE_BYTES) return EMPTY;
  const findings = [...memoryFindings(figures), ...otherFindings(context, figures)];
  if (findings.length === 0) return HEALTHY;
  const list = findings.map((finding) => ` * ${finding}\n\n`).join('');
  return `What is unusual about the memory:\n\n${list}`;
}

function memoryFindings(figures: MemoryFigures): string[] {
  const { used, peak, allocated, active, resident, rss } = figures;
  const findings: string[] = [];
  if (peak / used > PEAK_RATIO) {
    findings.push(
      `Peak: at some time ${humanBytes(peak)} were in use, now ${humanBytes(used)} are. Free ` +
        'pages go back to the system by themselves; MEMORY PURGE gives back the rest at once.',
    );
  }
  if (isNotable(rss, used, RSS_RATIO)) {
    findings.push(
      `Resident memory: the process has ${humanBytes(rss)} for ${humanBytes(used)} of data. A ` +
        'part of it is the runtime of each thread; fewer threads take less.',
    );
  }
  if (isNotable(active, allocated, ALLOCATOR_RATIO)) {
    findings.push(
      `Fragmentation: ${humanBytes(allocated)} of data stand in pages of ${humanBytes(active)}. ` +
        'That is the trace of many deletions between keys that stay; new data fills the gaps. ' +
        'CONFIG SET activedefrag yes closes them.',
    );
  }
  if (isNotable(resident, active, ALLOCATOR_RATIO)) {
    findings.push(
      `Free pages: ${humanBytes(resident - active)} are free and may still be resident. MEMORY ` +
        'PURGE gives them back.',
    );
  }
  return findings;
}

function otherFindings(context: Context, { clients }: MemoryFigures): string[] {
  const { server, scripts, keyspace } = context;
  const findings: string[] = [];
  const count = Math.max(1, server.clients.count());
  if (clients / count > CLIENT_BYTES) {
    findings.push(
      `Clients: they hold ${humanBytes(clients / count)} each on average. CLIENT LIST shows ` +
        'which: look for omem (a client that does not read) and qbuf (very large commands).',
    );
  }
  if (scripts.registry.count > SCRIPTS) {
    findings.push(
      `Scripts: ${scripts.registry.count} are cached. A program that puts values into the text ` +
        'of its scripts makes a new one each time: KEYS and ARGV are for values.',
    );
  }
  const sizes = keyspace.partitions.map(({ slab }) => usedBytesOf(slab));
  const most = sizes.reduce((largest, bytes) => Math.max(largest, bytes), 0);
  const mean = sizes.reduce((sum, bytes) => sum + bytes, 0) / sizes.length;
  const index = sizes.indexOf(most);
  if (most > FILL * server.facts.partitionBytes) {
    findings.push(
      `Partition ${index} is nearly full (${humanBytes(most)}): writes to it will be refused. ` +
        'More partitions, or smaller groups of keys with one {tag}, spread the data.',
    );
  } else if (isNotable(most, mean, SKEW)) {
    findings.push(
      `Partition ${index} holds ${humanBytes(most)}, ${ratioOf(most, mean).toFixed(1)} times the ` +
        'mean: one very large key, or many keys with one {tag}.',
    );
  }
  return findings;
}

function isNotable(more: number, less: number, ratio: number): boolean {
  return ratioOf(more, less) > ratio && more - less > NOTABLE_BYTES;
}
