// What the process holds beside the data: pages that only a start needs, and memory that was freed
// but not given back. Main looks from time to time; MEMORY PURGE asks for it at once.

import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { isLibcAvailable, madviseDontNeed } from '../base/libc.js';
import { trimMalloc } from '../base/malloc.js';
import { PAGE_BYTES } from '../slab/alloc.js';
import { counterOf, Header, type Slab } from '../slab/slab.js';

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
const SETTLED_MS = 1000;

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
  private readonly slabs: readonly Slab[];
  private nextLookMs = Number.POSITIVE_INFINITY;
  private hasDropped = false;
  /** The least that was seen since memory was last given back. */
  private leastBytes = 0;
  private looksWaited = 0;
  private cpuBefore = process.cpuUsage();

  constructor(slabs: readonly Slab[]) {
    this.slabs = slabs;
  }

  /** The start is over. */
  begin(nowMs: number): void {
    if (isLibcAvailable()) this.nextLookMs = nowMs + SETTLED_MS;
  }

  /** Called often; looks now and then. */
  step(nowMs: number): void {
    if (nowMs < this.nextLookMs) return;
    this.nextLookMs = nowMs + LOOK_MS;
    const isCalm = this.isCalm();
    if (!this.hasDropped) {
      this.hasDropped = true;
      dropProgramPages();
    } else {
      const bytes = this.bytesBesideSlabs();
      this.leastBytes = Math.min(this.leastBytes, bytes);
      if (bytes < this.leastBytes + GROWTH_BYTES) return;
      if (!isCalm && ++this.looksWaited < LOOKS_WAITED_MAX) return;
    }
    trimMalloc();
    this.looksWaited = 0;
    this.leastBytes = this.bytesBesideSlabs();
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
