// Walks a whole slab and asserts that the allocator's pages, bins, lists of spans and counters
// agree. For tests and integrity checks: it takes as long as the slab has pages.

import { assert } from '../base/assert.js';
import {
  BIN_COUNT,
  binFacts,
  binNumber,
  CLASS_COUNT,
  type PageFacts,
  pageFacts,
  spanHead,
} from './alloc.js';
import { Header, type Slab, usedBytesOf } from './slab.js';

/** What there is in a slab. */
export interface SlabReport {
  usedBytes: number;
  usedPages: number;
  freePages: number;
  dirtyPages: number;
  /** Runs of free pages: one when nothing is used and nothing is dirty. */
  freeRuns: number;
}

const GRANULES_PER_PAGE = 512;
const GRANULE_BYTES = 8;

/** Asserts all that must hold of a slab, and says what is in it. */
export function checkSlab(slab: Slab): SlabReport {
  const { i32 } = slab;
  const pageCount = i32[Header.PageCount]!;
  const report = { usedBytes: 0, usedPages: 0, freePages: 0, dirtyPages: 0, freeRuns: 0 };
  const found = new Map<number, PageFacts>();
  let before: PageFacts | null = null;
  let page = i32[Header.FirstPage]!;
  while (page < pageCount) {
    const facts = pageFacts(slab, page);
    assert(facts.kind !== 'inside', 'what follows a run begins at its own page');
    assert(facts.pages > 0 && page + facts.pages <= pageCount, 'a run ends inside the slab');
    assert(facts.isBackedUp, 'the ends of a run say where it belongs');
    if (facts.kind === 'free' && before?.kind === 'free') {
      assert(facts.isDirty !== before.isDirty, 'free neighbours of one cleanliness are merged');
    }
    if (facts.kind === 'span') checkSpan(facts);
    add(report, facts);
    found.set(page, facts);
    before = facts;
    page += facts.pages;
  }
  assert(report.usedBytes === usedBytesOf(slab), 'the counter of used bytes is exact');
  assert(report.usedPages === i32[Header.UsedPages], 'the counter of used pages is exact');
  assert(report.dirtyPages === i32[Header.DirtyPages], 'the counter of dirty pages is exact');
  checkBins(slab, found);
  checkSpanLists(slab, found);
  return report;
}

function add(report: SlabReport, facts: PageFacts): void {
  if (facts.kind === 'free') {
    report.freeRuns++;
    report.freePages += facts.pages;
    if (facts.isDirty) report.dirtyPages += facts.pages;
    return;
  }
  report.usedPages += facts.pages;
  const granules =
    facts.kind === 'span' ? facts.usedCount * facts.blockGranules : facts.pages * GRANULES_PER_PAGE;
  report.usedBytes += granules * GRANULE_BYTES;
}

function checkSpan(facts: PageFacts): void {
  const { usedCount, blockCount, carvedCount, freed } = facts;
  assert(usedCount > 0 && usedCount <= blockCount, 'a span holds a block at the least');
  assert(carvedCount <= blockCount, 'no more blocks are carved than there are');
  assert(usedCount + freed.length === carvedCount, 'a carved block is used or on the free list');
  assert(new Set(freed).size === freed.length, 'a block is free only once');
  for (const index of freed) assert(index < carvedCount, 'a free block was carved');
}

function checkBins(slab: Slab, found: ReadonlyMap<number, PageFacts>): void {
  let listed = 0;
  for (let bin = 0; bin < BIN_COUNT; bin++) {
    const { head, tail, isMarked } = binFacts(slab, bin);
    assert(isMarked === (head !== 0), 'a bin is marked when it has a run');
    let previous = 0;
    let isDirty = true;
    for (let page = head; page !== 0; ) {
      const facts = found.get(page);
      assert(facts?.kind === 'free', 'a bin lists free runs');
      assert(isDirty || !facts.isDirty, 'clean runs stand behind dirty ones');
      isDirty = facts.isDirty;
      assert(binNumber(facts.pages) === bin, 'a free run stands in the bin of its length');
      assert(facts.previous === previous, 'a bin links back');
      previous = page;
      page = facts.next;
      listed++;
    }
    assert(previous === tail, 'a bin knows its last run');
  }
  const free = [...found.values()].filter((facts) => facts.kind === 'free');
  assert(listed === free.length, 'every free run stands in a bin');
}

function checkSpanLists(slab: Slab, found: ReadonlyMap<number, PageFacts>): void {
  let listed = checkSpanList(found, slab.i32[Header.EmptiedSpans]!, (facts) => facts.isEmptied);
  for (let sizeClass = 0; sizeClass < CLASS_COUNT; sizeClass++) {
    listed += checkSpanList(
      found,
      spanHead(slab, sizeClass),
      (facts) => facts.sizeClass === sizeClass && !facts.isEmptied,
    );
  }
  const open = [...found.values()].filter(
    (facts) => facts.kind === 'span' && facts.usedCount < facts.blockCount,
  );
  assert(listed === open.length, 'every span with room is listed');
}

/** How many spans the list has that begins at page `head`. */
function checkSpanList(
  found: ReadonlyMap<number, PageFacts>,
  head: number,
  belongs: (facts: PageFacts) => boolean,
): number {
  let listed = 0;
  let previous = 0;
  for (let page = head; page !== 0; ) {
    const facts = found.get(page);
    assert(facts?.kind === 'span', 'a list of spans lists spans');
    assert(belongs(facts), 'a span stands in the list that it belongs to');
    assert(facts.usedCount < facts.blockCount, 'a listed span has room');
    assert(facts.previous === previous, 'a list of spans links back');
    previous = page;
    page = facts.next;
    listed++;
  }
  return listed;
}
