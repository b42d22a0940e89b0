// Where the memory is: the figures that INFO memory, MEMORY STATS and MEMORY DOCTOR share.

import type { Context } from '../../dispatch/context.js';
import { expiryBytes } from '../../keyspace/expire.js';
import { heldBytesOf, PAGE_BYTES } from '../../slab/alloc.js';
import { counterOf, Header, type Slab, usedBytesOf } from '../../slab/slab.js';
import { tableFrameBytes } from '../../structs/table-walk.js';

/** What the tables of one database take, beside its keys. */
export interface DatabaseOverhead {
  readonly database: number;
  readonly keys: number;
  readonly mainBytes: number;
  readonly expiryBytes: number;
}

export interface MemoryFigures {
  readonly used: number;
  readonly peak: number;
  /** What was in use before the first key: slabs start empty. */
  readonly startup: number;
  readonly clients: number;
  readonly logBuffers: number;
  readonly scripts: number;
  readonly functions: number;
  readonly databases: readonly DatabaseOverhead[];
  readonly overhead: number;
  readonly dataset: number;
  readonly keys: number;
  /** Of the slabs: blocks in use, pages they stand in, pages that may be resident. */
  readonly allocated: number;
  readonly active: number;
  readonly resident: number;
  /** Of the process. */
  readonly rss: number;
}

/** Visits the partitions one after the other. */
export function memoryFigures(context: Context): MemoryFigures {
  const { server, scripts } = context;
  const slabs = context.keyspace.partitions.map((partition) => partition.slab);
  const sum = (bytesOf: (slab: Slab) => number) =>
    slabs.reduce((total, slab) => total + bytesOf(slab), 0);
  const used = server.usedMemory();
  server.stats.notePeak(used, context.nowMs);
  const databases = databaseOverheads(context);
  const scriptBytes = scripts.registry.bytes;
  const functionBytes = scripts.functions.store.bytes;
  const tables = databases.reduce((total, each) => total + each.mainBytes + each.expiryBytes, 0);
  // Beside the slabs stand scripts, functions and what connections hold.
  const allocated = sum(usedBytesOf);
  const overhead = Math.min(used, tables + Math.max(0, used - allocated));
  return {
    used,
    peak: server.stats.peakBytes,
    startup: 0,
    clients: server.clients.totalBytes(),
    logBuffers: server.config.flag('appendonly') ? server.logs.pendingBytes() : 0,
    scripts: scriptBytes,
    functions: functionBytes,
    databases,
    overhead,
    dataset: used - overhead,
    keys: databases.reduce((total, each) => total + each.keys, 0),
    allocated,
    active: sum((slab) => counterOf(slab, Header.UsedPages)) * PAGE_BYTES,
    resident: sum(heldBytesOf),
    rss: process.memoryUsage.rss(),
  };
}

function databaseOverheads(context: Context): DatabaseOverhead[] {
  const found: DatabaseOverhead[] = [];
  for (let database = 0; database < context.keyspace.databaseCount; database++) {
    let keys = 0;
    let mainBytes = 0;
    let expiries = 0;
    for (const partition of context.keyspace.partitions) {
      const count = partition.countOf(database);
      if (count === 0) continue;
      keys += count;
      expiries += expiryBytes(partition.volatileCountOf(database));
      context.visitDatabase(partition.index, database, ({ slab, tableRoot }) => {
        mainBytes += tableFrameBytes(slab, tableRoot);
      });
    }
    if (keys !== 0) found.push({ database, keys, mainBytes, expiryBytes: expiries });
  }
  return found;
}

/** 1 where there is nothing to compare with. */
export function ratioOf(part: number, whole: number): number {
  return whole === 0 ? 1 : part / whole;
}

/** 0 where there is nothing to compare with. */
export function percentOf(part: number, whole: number): number {
  return whole === 0 ? 0 : (part * 100) / whole;
}

const UNITS = ['K', 'M', 'G', 'T', 'P'];

/** Bytes as Redis shows them to people: 512B, 1.50M. */
export function humanBytes(bytes: number): string {
  if (bytes < 1024) return `${bytes}B`;
  let value = bytes;
  let unit = -1;
  while (value >= 1024 && unit + 1 < UNITS.length) {
    value /= 1024;
    unit++;
  }
  return `${value.toFixed(2)}${UNITS[unit]}`;
}
