// What the process holds beside the data: pages that only a start needs, and memory that was freed
// but not given back. Main looks from time to time; MEMORY PURGE asks for it at once.

import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { isLibcAvailable, madviseDontNeed } from '../base/libc.js';
import { trimMalloc } from '../base/malloc.js';
import { ControlBlock } from '../mesh/control.js';
import { PAGE_BYTES } from '../slab/alloc.js';
import { counterOf, Header, type Slab } from '../slab/slab.js';
import { ServerStats } from '../stats/server.js';
import { collectGarbage } from './garbage.js';
import { attachSlabs, type ProcessShape, statThreads } from './shape.js';

const MIB = 2 ** 20;
const LOOK_MS = 10_000;
/**
 * Pages that are given back and wanted again are cleared anew, and whoever wants memory of an arena
 * meanwhile waits: so when there is little to do, or after a minute.
 */
const CALM_SHARE = 0.5;
const LOOKS_WAITED_MAX = 6;
/** What heaps gain and lose all the time is not worth a look at every free block. */
const GROWTH_BYTES = 8 * MIB;
/** Modules that are wanted after the start have come by then, and first commands their code. */
const SETTLED_MS = 500;
/** After MEMORY PURGE: by then all threads have collected their garbage. */
const COLLECTED_MS = 2000;

/** Part of a file in memory: a line of /proc/self/maps. */
export interface Mapping {
  readonly start: number;
  readonly end: number;
  readonly isWritable: boolean;
  readonly path: string;
}

const MAPS_LINE = /^([0-9a-f]+)-([0-9a-f]+) (\S{4}) [0-9a-f]+ \S+ \d+ +(\/.*)$/;

/**
 * The mappings of Node's program in memory that are as they stand in its file, from the text of
 * /proc/self/maps. A program's parts lie in one sequence, from its first byte to what can be
 * written. What lies directly before that was written while it was linked; copies elsewhere, which
 * V8 makes for each of its threads, go with their threads.
 */
export function programMappings(maps: string, program: string): Mapping[] {
  const own: Mapping[] = [];
  for (const line of maps.split('\n')) {
    const found = MAPS_LINE.exec(line);
    if (found === null) continue;
    const [, start, end, rights, path] = found;
    if (path !== program && !basename(path!).startsWith('libnode.so')) continue;
    own.push({
      start: Number.parseInt(start!, 16),
      end: Number.parseInt(end!, 16),
      isWritable: rights!.includes('w'),
      path: path!,
    });
  }
  return own.filter((mapping, index) => {
    const rest = own.slice(index + 1).filter(({ path }) => path === mapping.path);
    if (mapping.isWritable || !rest.some(({ isWritable }) => isWritable)) return false;
    return !(rest[0]!.isWritable && rest[0]!.start === mapping.end);
  });
}

/**
 * Lets go of the pages of Node's own program. A start reads most of it once: 40 MiB of code and
 * tables, of which serving needs a third. The system keeps the file in its cache and maps a page
 * again when it is wanted.
 */
function dropProgramPages(): void {
  try {
    const maps = readFileSync('/proc/self/maps', 'latin1');
    for (const { start, end } of programMappings(maps, process.execPath)) {
      madviseDontNeed(start, end - start);
    }
  } catch {
    // A system without /proc: things are as they were.
  }
}

/** Main's look at what the process holds beside the slabs. */
export class Resident {
  private readonly control: ControlBlock;
  private readonly stats: ServerStats;
  private readonly slabs: readonly Slab[];
  private nextLookMs = Number.POSITIVE_INFINITY;
  /** When it is given back for a reason, whatever a look would say. */
  private dueMs = Number.POSITIVE_INFINITY;
  private lastGivenMs = Number.NEGATIVE_INFINITY;
  /** The least that was seen since memory was last given back. */
  private leastBytes = 0;
  private looksWaited = 0;
  private cpuBefore = process.cpuUsage();
  private purgesSeen: number;
  private wasDefragmenting = false;

  constructor(shape: ProcessShape) {
    this.control = new ControlBlock(shape.control);
    this.stats = new ServerStats(shape.serverStats, statThreads(shape), 0);
    this.slabs = attachSlabs(shape.slabs, shape.slabStarts);
    this.purgesSeen = this.control.purges;
  }

  /** The start is over. */
  begin(nowMs: number): void {
    if (!isLibcAvailable()) return;
    this.nextLookMs = nowMs + LOOK_MS;
    this.dueMs = nowMs + SETTLED_MS;
  }

  /** Called often; looks now and then. */
  step(nowMs: number): void {
    this.hear(nowMs);
    if (nowMs < this.nextLookMs && nowMs < this.dueMs) return;
    if (nowMs < this.dueMs) {
      this.nextLookMs = nowMs + LOOK_MS;
      if (!this.isWorthwhile()) return;
    }
    this.dueMs = Number.POSITIVE_INFINITY;
    this.lastGivenMs = nowMs;
    this.looksWaited = 0;
    trimMalloc();
    dropProgramPages();
    this.leastBytes = this.bytesBesideSlabs();
  }

  /** MEMORY PURGE was said, or a walk of the active defragmentation has come to its end. */
  private hear(nowMs: number): void {
    if (this.nextLookMs === Number.POSITIVE_INFINITY) return;
    const { purges } = this.control;
    if (purges !== this.purgesSeen) {
      this.purgesSeen = purges;
      collectGarbage();
      this.dueMs = Math.min(this.dueMs, nowMs + COLLECTED_MS);
    }
    const isDefragmenting = this.stats.isDefragmenting;
    if (this.wasDefragmenting && !isDefragmenting) {
      this.dueMs = Math.min(this.dueMs, Math.max(nowMs, this.lastGivenMs + LOOK_MS));
    }
    this.wasDefragmenting = isDefragmenting;
  }

  /** Has it grown, and is this a good moment? */
  private isWorthwhile(): boolean {
    const isCalm = this.isCalm();
    const bytes = this.bytesBesideSlabs();
    this.leastBytes = Math.min(this.leastBytes, bytes);
    if (bytes < this.leastBytes + GROWTH_BYTES) return false;
    return isCalm || ++this.looksWaited >= LOOKS_WAITED_MAX;
  }

  /** Were all threads together busy for less than a part of a core since the last look? */
  private isCalm(): boolean {
    const { user, system } = process.cpuUsage(this.cpuBefore);
    this.cpuBefore = process.cpuUsage();
    return (user + system) / 1000 < CALM_SHARE * LOOK_MS;
  }

  private bytesBesideSlabs(): number {
    let pages = 0;
    for (const slab of this.slabs) {
      pages += counterOf(slab, Header.UsedPages) + counterOf(slab, Header.DirtyPages);
    }
    return process.memoryUsage.rss() - pages * PAGE_BYTES;
  }
}
