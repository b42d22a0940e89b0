// The allocator of one slab. Small blocks come from spans of pages cut into one size class; larger
// ones are runs of whole pages. Free runs stand in bins by size (two levels with bitmaps, after
// Masmano et al., "TLSF", 2004), so that finding, splitting and merging runs is O(1). Everything
// here runs under the partition's lock.
//
// A page descriptor, four words, by the kind of the page: the first page of a span, of a free run
// and of a large run, and the other pages of each:
//
//    word 0: state            word 1          word 2          word 3
//   ┌────────┬───────┬──────┬───────────────┬───────────────┬──────────────────┐
//   │ kind 4 │ class │ used │ next page     │ previous page │ free head 16     │ span
//   │        │ 8     │ 16   │ with room     │ with room     │ carved 16        │
//   ├────────┼───────┴──────┼───────────────┼───────────────┼──────────────────┤
//   │ kind 4 │ dirty 1      │ next in bin   │ previous      │ pages in the run │ free run
//   ├────────┼──────────────┼───────────────┴───────────────┼──────────────────┤
//   │ kind 4 │              │                               │ pages in the run │ large run
//   ├────────┼──────────────┼───────────────────────────────┴──────────────────┤
//   │ kind 4 │              │ first page of the span or free run               │ others: word 1
//   └────────┴──────────────┴──────────────────────────────────────────────────┘
//
// Inside a span, a free block's first word is the index + 1 of the next free block of the span.
// Blocks that were never handed out are not on that list: they are carved in order.

import { assert } from '../base/assert.js';
import { DATABASE_WORDS, formatHeader, Header, NONE, type Ref, type Slab } from './slab.js';

/** Any block or run. */
export type BlockRef = Ref<'block'>;

export const PAGE_BYTES = 4096;
const PAGE_SHIFT = 12;
const PAGE_GRANULE_SHIFT = 9;
const DESCRIPTOR_WORDS = 4;

const enum Kind {
  Header = 0,
  Free = 1,
  FreeInside = 2,
  Span = 3,
  SpanInside = 4,
  Large = 5,
  LargeInside = 6,
}

const enum Page {
  State = 0,
  Next = 1,
  Previous = 2,
  Extent = 3,
}

const KIND_MASK = 0xf;
const CLASS_SHIFT = 4;
const CLASS_MASK = 0xff;
const USED_SHIFT = 16;
const USED_ONE = 1 << USED_SHIFT;
const DIRTY_BIT = 1 << 4;
/** Of a span: its blocks are being moved elsewhere, it takes no new ones. */
const EMPTIED_BIT = 1 << 12;
const CARVED_SHIFT = 16;
const FREE_MASK = 0xffff;

/** Blocks up to here come from spans; above, from runs of pages. */
export const SMALL_BYTES_MAX = 8192;

/** A node of a long list of short elements: 8 KiB as Redis counts them, less a byte for each. */
const LIST_NODE_GRANULES = 7744 / 8;

// Classes in granules: every granule to 128 bytes, then eight per doubling, so that at most an
// eighth of a block is slack.
const CLASS_GRANULES = classGranules();
const SPAN_PAGES_MAX = 20;
const SPAN_BLOCKS_MIN = 4;
const SPAN_WASTE_MAX = 0.02;
/** A span's pages by class: as few as keep the unused tail small. */
const SPAN_PAGES = CLASS_GRANULES.map((granules) => spanPages(granules));
const SPAN_BLOCKS = CLASS_GRANULES.map((granules, index) =>
  Math.floor((SPAN_PAGES[index]! << PAGE_GRANULE_SHIFT) / granules),
);
const CLASS_OF_GRANULES = classOfGranules();

const CLASS_SIZES = Int32Array.from(CLASS_GRANULES);
const CLASS_PAGES = Int32Array.from(SPAN_PAGES);
const CLASS_BLOCKS = Int32Array.from(SPAN_BLOCKS);

const LEVEL_COUNT = 20;
const BINS_PER_LEVEL = 4;
export const BIN_COUNT = LEVEL_COUNT * BINS_PER_LEVEL;

/** A run of this many pages is kept for the metadata of a change that reserve() let through. */
const RESERVE_LEVEL = 6; // 2^6 pages = 256 KiB

function classGranules(): number[] {
  const sizes: number[] = [];
  for (let granules = 2; granules <= 16; granules++) sizes.push(granules);
  for (let base = 16; base < SMALL_BYTES_MAX / 8; base *= 2) {
    for (let eighth = 1; eighth <= 8; eighth++) sizes.push(base + (base / 8) * eighth);
  }
  sizes.push(LIST_NODE_GRANULES);
  return sizes.sort((a, b) => a - b);
}

function spanPages(granules: number): number {
  let best = 1;
  let bestWaste = 1;
  for (let pages = 1; pages <= SPAN_PAGES_MAX; pages++) {
    const total = pages << PAGE_GRANULE_SHIFT;
    if (total < granules * SPAN_BLOCKS_MIN) continue;
    const waste = (total % granules) / total;
    if (waste < SPAN_WASTE_MAX) return pages;
    if (waste < bestWaste) {
      best = pages;
      bestWaste = waste;
    }
  }
  return best;
}

function classOfGranules(): Uint8Array {
  const classes = new Uint8Array(SMALL_BYTES_MAX / 8 + 1);
  let index = 0;
  for (let granules = 0; granules < classes.length; granules++) {
    while (CLASS_GRANULES[index]! < granules) index++;
    classes[granules] = index;
  }
  return classes;
}

assert(CLASS_GRANULES.length <= 64, 'size classes fit the heads in the header');

/** Prepares a fresh slab: header, descriptors, one free run of all the rest. */
export function formatSlab(slab: Slab, databaseCount: number): void {
  formatHeader(slab, databaseCount);
  const { i32 } = slab;
  const pageCount = slab.bytes >>> PAGE_SHIFT;
  const headerBytes = (Header.Databases + databaseCount * DATABASE_WORDS) * 4;
  const descriptorsAt = (Math.ceil(headerBytes / PAGE_BYTES) * PAGE_BYTES) / 4;
  const bytes = descriptorsAt * 4 + pageCount * DESCRIPTOR_WORDS * 4;
  const firstPage = Math.ceil(bytes / PAGE_BYTES);
  i32[Header.PageCount] = pageCount;
  i32[Header.DescriptorsAt] = descriptorsAt;
  i32[Header.FirstPage] = firstPage;
  i32[Header.HighPage] = firstPage;
  putRun(slab, firstPage, pageCount - firstPage, false);
}

/** Forgets every block: the slab is as formatted, but its roots and counters of history stay. */
export function resetSlab(slab: Slab): void {
  const { i32 } = slab;
  const firstPage = i32[Header.FirstPage]!;
  const pageCount = i32[Header.PageCount]!;
  const highPage = i32[Header.HighPage]!;
  i32.fill(0, Header.BinMaps, Header.ClassHeads + 64);
  i32[Header.UsedGranules] = 0;
  i32[Header.UsedPages] = 0;
  i32[Header.LevelMap] = 0;
  i32[Header.EmptiedSpans] = 0;
  // What was ever handed out may hold old bytes; beyond it the pages were never touched.
  i32[Header.DirtyPages] = 0;
  if (highPage > firstPage) putRun(slab, firstPage, highPage - firstPage, true);
  if (pageCount > highPage) putRun(slab, highPage, pageCount - highPage, false);
}

/**
 * A block of at least `bytes` bytes with undefined contents, or NONE when the slab has no room.
 * The caller has called reserve() before its first change, so that NONE cannot happen half-way.
 */
export function allocate(slab: Slab, bytes: number): BlockRef {
  if (bytes > SMALL_BYTES_MAX) return allocateLarge(slab, bytes);
  const { i32 } = slab;
  const sizeClass = CLASS_OF_GRANULES[(bytes + 7) >> 3]!;
  let page = i32[Header.ClassHeads + sizeClass]!;
  if (page === 0) {
    page = takeSpan(slab, sizeClass);
    if (page === 0) return NONE as BlockRef;
  }
  const at = i32[Header.DescriptorsAt]! + page * DESCRIPTOR_WORDS;
  const granules = CLASS_SIZES[sizeClass]!;
  const extent = i32[at + Page.Extent]!;
  const free = extent & FREE_MASK;
  const first = page << PAGE_GRANULE_SHIFT;
  let ref: number;
  if (free !== 0) {
    ref = first + (free - 1) * granules;
    i32[at + Page.Extent] = (extent & ~FREE_MASK) | i32[ref << 1]!;
  } else {
    ref = first + (extent >>> CARVED_SHIFT) * granules;
    i32[at + Page.Extent] = extent + (1 << CARVED_SHIFT);
  }
  const state = i32[at + Page.State]! + USED_ONE;
  i32[at + Page.State] = state;
  if (state >>> USED_SHIFT === CLASS_BLOCKS[sizeClass]!) {
    unlinkSpan(slab, page, at, Header.ClassHeads + sizeClass);
  }
  i32[Header.UsedGranules] = i32[Header.UsedGranules]! + granules;
  return ref as BlockRef;
}

/** Gives a block back. Its bytes may be overwritten at once. */
export function release(slab: Slab, ref: BlockRef): void {
  const { i32 } = slab;
  const descriptors = i32[Header.DescriptorsAt]!;
  let page = ref >>> PAGE_GRANULE_SHIFT;
  let at = descriptors + page * DESCRIPTOR_WORDS;
  let state = i32[at + Page.State]!;
  const kind = state & KIND_MASK;
  if (kind === Kind.Large) {
    releaseLarge(slab, page, i32[at + Page.Extent]!);
    return;
  }
  if (kind === Kind.SpanInside) {
    page = i32[at + Page.Next]!;
    at = descriptors + page * DESCRIPTOR_WORDS;
    state = i32[at + Page.State]!;
  }
  assert((state & KIND_MASK) === Kind.Span, 'a released block lies in a span or starts a run');
  const sizeClass = (state >>> CLASS_SHIFT) & CLASS_MASK;
  const granules = CLASS_SIZES[sizeClass]!;
  const extent = i32[at + Page.Extent]!;
  i32[ref << 1] = extent & FREE_MASK;
  const index = ((ref - (page << PAGE_GRANULE_SHIFT)) / granules) | 0;
  i32[at + Page.Extent] = (extent & ~FREE_MASK) | (index + 1);
  const used = state >>> USED_SHIFT;
  i32[at + Page.State] = state - USED_ONE;
  i32[Header.UsedGranules] = i32[Header.UsedGranules]! - granules;
  if (used === CLASS_BLOCKS[sizeClass]!) linkSpan(slab, page, at, Header.ClassHeads + sizeClass);
  else if (used === 1) releaseSpan(slab, page, at, sizeClass);
}

/** Bytes that the block at `ref` can hold. */
export function capacityOf(slab: Slab, ref: BlockRef): number {
  const { i32 } = slab;
  const descriptors = i32[Header.DescriptorsAt]!;
  const page = ref >>> PAGE_GRANULE_SHIFT;
  let state = i32[descriptors + page * DESCRIPTOR_WORDS + Page.State]!;
  if ((state & KIND_MASK) === Kind.Large) {
    return i32[descriptors + page * DESCRIPTOR_WORDS + Page.Extent]! << PAGE_SHIFT;
  }
  if ((state & KIND_MASK) === Kind.SpanInside) {
    const head = i32[descriptors + page * DESCRIPTOR_WORDS + Page.Next]!;
    state = i32[descriptors + head * DESCRIPTOR_WORDS + Page.State]!;
  }
  return CLASS_SIZES[(state >>> CLASS_SHIFT) & CLASS_MASK]! << 3;
}

/** What allocate(bytes) would hand out, in bytes: for accounting questions and growth decisions. */
export function roundedBytes(bytes: number): number {
  if (bytes > SMALL_BYTES_MAX) return ((bytes + PAGE_BYTES - 1) >>> PAGE_SHIFT) << PAGE_SHIFT;
  return CLASS_SIZES[CLASS_OF_GRANULES[(bytes + 7) >> 3]!]! << 3;
}

/**
 * Can a change that allocates one block of `bytes`, and besides it small blocks and metadata of at
 * most 128 KiB, go through? Call it before the first change. A slab that cannot keep a run of 256
 * KiB free counts as full.
 */
export function reserve(slab: Slab, bytes: number): boolean {
  const levels = slab.i32[Header.LevelMap]!;
  if (bytes <= SMALL_BYTES_MAX) return levels >>> RESERVE_LEVEL !== 0;
  const pages = pagesFor(bytes) + (1 << RESERVE_LEVEL);
  if (pages > slab.i32[Header.PageCount]!) return false;
  // Any run of the next level up is long enough, whatever its exact length.
  if (levels >>> (levelOf(pages) + 1) !== 0) return true;
  return findBin(slab, pages) !== 0;
}

/** Grows the large run at `ref` in place to hold `bytes`; false when what follows is taken. */
export function growInPlace(slab: Slab, ref: BlockRef, bytes: number): boolean {
  const { i32 } = slab;
  const descriptors = i32[Header.DescriptorsAt]!;
  const page = ref >>> PAGE_GRANULE_SHIFT;
  const at = descriptors + page * DESCRIPTOR_WORDS;
  if ((i32[at + Page.State]! & KIND_MASK) !== Kind.Large) return false;
  const pages = i32[at + Page.Extent]!;
  const wanted = pagesFor(bytes);
  if (wanted <= pages) return true;
  const next = page + pages;
  if (next >= i32[Header.PageCount]!) return false;
  const nextAt = descriptors + next * DESCRIPTOR_WORDS;
  if ((i32[nextAt + Page.State]! & KIND_MASK) !== Kind.Free) return false;
  const run = i32[nextAt + Page.Extent]!;
  const extra = wanted - pages;
  if (run < extra) return false;
  const isDirty = (i32[nextAt + Page.State]! & DIRTY_BIT) !== 0;
  takeRun(slab, next, run);
  markTaken(slab, next, extra);
  if (run > extra) putRun(slab, next + extra, run - extra, isDirty);
  i32[at + Page.Extent] = wanted;
  usePages(slab, next, extra);
  i32[Header.UsedGranules] = i32[Header.UsedGranules]! + (extra << PAGE_GRANULE_SHIFT);
  return true;
}

/** Gives the tail of the large run at `ref` back so that it keeps room for `bytes`. */
export function shrinkInPlace(slab: Slab, ref: BlockRef, bytes: number): void {
  const { i32 } = slab;
  const page = ref >>> PAGE_GRANULE_SHIFT;
  const at = i32[Header.DescriptorsAt]! + page * DESCRIPTOR_WORDS;
  assert((i32[at + Page.State]! & KIND_MASK) === Kind.Large, 'only large runs shrink in place');
  const pages = i32[at + Page.Extent]!;
  const wanted = Math.max(1, pagesFor(bytes));
  if (wanted >= pages) return;
  i32[at + Page.Extent] = wanted;
  if (wanted > 1) i32[at + (wanted - 1) * DESCRIPTOR_WORDS + Page.State] = Kind.LargeInside;
  i32[Header.UsedGranules] = i32[Header.UsedGranules]! - ((pages - wanted) << PAGE_GRANULE_SHIFT);
  releasePages(slab, page + wanted, pages - wanted);
}

function pagesFor(bytes: number): number {
  return Math.ceil(bytes / PAGE_BYTES);
}

function allocateLarge(slab: Slab, bytes: number): BlockRef {
  const { i32 } = slab;
  const pages = pagesFor(bytes);
  const page = takePages(slab, pages);
  if (page === 0) return NONE as BlockRef;
  const at = i32[Header.DescriptorsAt]! + page * DESCRIPTOR_WORDS;
  i32[at + Page.State] = Kind.Large;
  i32[at + Page.Extent] = pages;
  i32[Header.UsedGranules] = i32[Header.UsedGranules]! + (pages << PAGE_GRANULE_SHIFT);
  return (page << PAGE_GRANULE_SHIFT) as BlockRef;
}

function releaseLarge(slab: Slab, page: number, pages: number): void {
  const { i32 } = slab;
  i32[Header.UsedGranules] = i32[Header.UsedGranules]! - (pages << PAGE_GRANULE_SHIFT);
  releasePages(slab, page, pages);
}

function takeSpan(slab: Slab, sizeClass: number): number {
  const { i32 } = slab;
  const pages = CLASS_PAGES[sizeClass]!;
  const page = takePages(slab, pages);
  if (page === 0) return 0;
  const at = i32[Header.DescriptorsAt]! + page * DESCRIPTOR_WORDS;
  i32[at + Page.State] = Kind.Span | (sizeClass << CLASS_SHIFT);
  i32[at + Page.Extent] = 0;
  for (let inside = 1; inside < pages; inside++) {
    i32[at + inside * DESCRIPTOR_WORDS + Page.State] = Kind.SpanInside;
    i32[at + inside * DESCRIPTOR_WORDS + Page.Next] = page;
  }
  linkSpan(slab, page, at, Header.ClassHeads + sizeClass);
  return page;
}

function releaseSpan(slab: Slab, page: number, at: number, sizeClass: number): void {
  const isEmptied = (slab.i32[at + Page.State]! & EMPTIED_BIT) !== 0;
  unlinkSpan(slab, page, at, isEmptied ? Header.EmptiedSpans : Header.ClassHeads + sizeClass);
  releasePages(slab, page, CLASS_PAGES[sizeClass]!);
}

/** Puts a span at the head of a list of spans: of a class with room, or of those being emptied. */
function linkSpan(slab: Slab, page: number, at: number, headAt: number): void {
  const { i32 } = slab;
  const head = i32[headAt]!;
  i32[at + Page.Next] = head;
  i32[at + Page.Previous] = 0;
  if (head !== 0) {
    i32[i32[Header.DescriptorsAt]! + head * DESCRIPTOR_WORDS + Page.Previous] = page;
  }
  i32[headAt] = page;
}

function unlinkSpan(slab: Slab, page: number, at: number, headAt: number): void {
  const { i32 } = slab;
  const descriptors = i32[Header.DescriptorsAt]!;
  const next = i32[at + Page.Next]!;
  const previous = i32[at + Page.Previous]!;
  if (next !== 0) i32[descriptors + next * DESCRIPTOR_WORDS + Page.Previous] = previous;
  if (previous !== 0) i32[descriptors + previous * DESCRIPTOR_WORDS + Page.Next] = next;
  else {
    assert(i32[headAt] === page, 'a span without predecessor heads its list');
    i32[headAt] = next;
  }
}

/** Takes `pages` adjacent free pages; 0 when there is no such run. */
function takePages(slab: Slab, pages: number): number {
  const page = findBin(slab, pages);
  if (page === 0) return 0;
  const { i32 } = slab;
  const at = i32[Header.DescriptorsAt]! + page * DESCRIPTOR_WORDS;
  const run = i32[at + Page.Extent]!;
  const isDirty = (i32[at + Page.State]! & DIRTY_BIT) !== 0;
  takeRun(slab, page, run);
  markTaken(slab, page, pages);
  if (run > pages) putRun(slab, page + pages, run - pages, isDirty);
  usePages(slab, page, pages);
  return page;
}

/**
 * Makes the ends of taken pages look taken: they are what a neighbour looks at before it merges.
 * The pages between keep what they were; nobody looks at them.
 */
function markTaken(slab: Slab, page: number, pages: number): void {
  const { i32 } = slab;
  const at = i32[Header.DescriptorsAt]! + page * DESCRIPTOR_WORDS;
  i32[at + Page.State] = Kind.LargeInside;
  i32[at + (pages - 1) * DESCRIPTOR_WORDS + Page.State] = Kind.LargeInside;
}

function usePages(slab: Slab, page: number, pages: number): void {
  const { i32 } = slab;
  i32[Header.UsedPages] = i32[Header.UsedPages]! + pages;
  if (page + pages > i32[Header.HighPage]!) i32[Header.HighPage] = page + pages;
}

function releasePages(slab: Slab, page: number, pages: number): void {
  const { i32 } = slab;
  i32[Header.UsedPages] = i32[Header.UsedPages]! - pages;
  putRun(slab, page, pages, true);
}

/** Level and bin of a run of `pages` pages: a level per doubling, four bins in each. */
function levelOf(pages: number): number {
  return 31 - Math.clz32(pages);
}

function binOf(pages: number, level: number): number {
  return level < 2 ? 0 : (pages >>> (level - 2)) & (BINS_PER_LEVEL - 1);
}

/** The first page of a free run of at least `pages` pages, or 0. */
function findBin(slab: Slab, pages: number): number {
  const { i32 } = slab;
  const level = levelOf(pages);
  const bin = binOf(pages, level);
  // The run's own bin may hold shorter ones: look through it, but only a little.
  let page = i32[Header.Bins + level * BINS_PER_LEVEL + bin]!;
  const descriptors = i32[Header.DescriptorsAt]!;
  for (let looked = 0; page !== 0 && looked < 16; looked++) {
    const at = descriptors + page * DESCRIPTOR_WORDS;
    if (i32[at + Page.Extent]! >= pages) return page;
    page = i32[at + Page.Next]!;
  }
  const inLevel = i32[Header.BinMaps + level]! & (-2 << bin);
  if (inLevel !== 0) return headOf(slab, level, inLevel);
  const above = i32[Header.LevelMap]! & (-2 << level);
  if (above === 0) return 0;
  const next = 31 - Math.clz32(above & -above);
  return headOf(slab, next, i32[Header.BinMaps + next]!);
}

function headOf(slab: Slab, level: number, bins: number): number {
  const bin = 31 - Math.clz32(bins & -bins);
  return slab.i32[Header.Bins + level * BINS_PER_LEVEL + bin]!;
}

/** Puts a run of free pages into its bin, merged with its free neighbours. */
function putRun(slab: Slab, page: number, pages: number, isDirty: boolean): void {
  const { i32 } = slab;
  const descriptors = i32[Header.DescriptorsAt]!;
  // Runs merge only with runs of the same cleanliness: a page that was given back to the system
  // must not be counted as held. The owner's purge brings the others together.
  if (isDirty) i32[Header.DirtyPages] = i32[Header.DirtyPages]! + pages;
  if (page > i32[Header.FirstPage]!) {
    const beforeAt = descriptors + (page - 1) * DESCRIPTOR_WORDS;
    const kind = i32[beforeAt + Page.State]! & KIND_MASK;
    if (kind === Kind.Free || kind === Kind.FreeInside) {
      const head = kind === Kind.Free ? page - 1 : i32[beforeAt + Page.Next]!;
      const headAt = descriptors + head * DESCRIPTOR_WORDS;
      if (((i32[headAt + Page.State]! & DIRTY_BIT) !== 0) === isDirty) {
        const before = i32[headAt + Page.Extent]!;
        takeRun(slab, head, before, false);
        page = head;
        pages += before;
      }
    }
  }
  const next = page + pages;
  if (next < i32[Header.PageCount]!) {
    const nextAt = descriptors + next * DESCRIPTOR_WORDS;
    const state = i32[nextAt + Page.State]!;
    if ((state & KIND_MASK) === Kind.Free && ((state & DIRTY_BIT) !== 0) === isDirty) {
      const after = i32[nextAt + Page.Extent]!;
      takeRun(slab, next, after, false);
      pages += after;
    }
  }
  linkRun(slab, page, pages, isDirty);
}

/**
 * Puts a free run into its bin: dirty ones at the head, clean ones at the end. So pages that are
 * still resident are taken first, and the purge finds what it looks for at the heads.
 */
function linkRun(slab: Slab, page: number, pages: number, isDirty: boolean): void {
  const { i32 } = slab;
  const descriptors = i32[Header.DescriptorsAt]!;
  const level = levelOf(pages);
  const bin = binOf(pages, level);
  const headAt = Header.Bins + level * BINS_PER_LEVEL + bin;
  const tailAt = headAt + BIN_COUNT;
  const at = descriptors + page * DESCRIPTOR_WORDS;
  // The last page first: in a run of one page it is also the head.
  i32[at + (pages - 1) * DESCRIPTOR_WORDS + Page.State] = Kind.FreeInside;
  i32[at + (pages - 1) * DESCRIPTOR_WORDS + Page.Next] = page;
  i32[at + Page.State] = Kind.Free | (isDirty ? DIRTY_BIT : 0);
  i32[at + Page.Extent] = pages;
  const next = isDirty ? i32[headAt]! : 0;
  const previous = isDirty ? 0 : i32[tailAt]!;
  i32[at + Page.Next] = next;
  i32[at + Page.Previous] = previous;
  if (next !== 0) i32[descriptors + next * DESCRIPTOR_WORDS + Page.Previous] = page;
  else i32[tailAt] = page;
  if (previous !== 0) i32[descriptors + previous * DESCRIPTOR_WORDS + Page.Next] = page;
  else i32[headAt] = page;
  i32[Header.BinMaps + level] = i32[Header.BinMaps + level]! | (1 << bin);
  i32[Header.LevelMap] = i32[Header.LevelMap]! | (1 << level);
}

/** Unlinks a free run from its bin. `isLeaving`: its pages stop being free (accounting). */
function takeRun(slab: Slab, page: number, pages: number, isLeaving = true): void {
  const { i32 } = slab;
  const descriptors = i32[Header.DescriptorsAt]!;
  const at = descriptors + page * DESCRIPTOR_WORDS;
  if (isLeaving && (i32[at + Page.State]! & DIRTY_BIT) !== 0) {
    i32[Header.DirtyPages] = i32[Header.DirtyPages]! - pages;
    // The caller puts an unused rest back as dirty, which counts it again.
  }
  const next = i32[at + Page.Next]!;
  const previous = i32[at + Page.Previous]!;
  const level = levelOf(pages);
  const bin = binOf(pages, level);
  const headAt = Header.Bins + level * BINS_PER_LEVEL + bin;
  if (next !== 0) i32[descriptors + next * DESCRIPTOR_WORDS + Page.Previous] = previous;
  else i32[headAt + BIN_COUNT] = previous;
  if (previous !== 0) {
    i32[descriptors + previous * DESCRIPTOR_WORDS + Page.Next] = next;
    return;
  }
  i32[headAt] = next;
  if (next !== 0) return;
  const bins = i32[Header.BinMaps + level]! & ~(1 << bin);
  i32[Header.BinMaps + level] = bins;
  if (bins === 0) i32[Header.LevelMap] = i32[Header.LevelMap]! & ~(1 << level);
}

/**
 * Finds a dirty free run of at least `pagesMin` pages, or of nearly so many, marks up to `pagesMax`
 * of its pages clean and gives exactly those back to the system, under the same lock:
 * `give(byteOffset, bytes)`. False when there is none.
 */
export function purge(
  slab: Slab,
  pagesMin: number,
  pagesMax: number,
  give: (byteOffset: number, bytes: number) => void,
): boolean {
  const { i32 } = slab;
  const descriptors = i32[Header.DescriptorsAt]!;
  for (let bin = BIN_COUNT - 1; bin >= levelOf(pagesMin) * BINS_PER_LEVEL; bin--) {
    const page = i32[Header.Bins + bin]!;
    if (page === 0) continue;
    const at = descriptors + page * DESCRIPTOR_WORDS;
    if ((i32[at + Page.State]! & DIRTY_BIT) === 0) continue;
    const pages = i32[at + Page.Extent]!;
    const cleaned = Math.min(pages, pagesMax);
    takeRun(slab, page, pages);
    markTaken(slab, page, cleaned);
    if (pages > cleaned) putRun(slab, page + cleaned, pages - cleaned, true);
    give(page * PAGE_BYTES, cleaned * PAGE_BYTES);
    putRun(slab, page, cleaned, false);
    i32[Header.PurgedPages] = i32[Header.PurgedPages]! + cleaned;
    return true;
  }
  return false;
}

// ── Moving blocks together, for moving.ts ────────────────────────────────────────────────────

/**
 * Moves the block at `ref` out of a span that has fewer blocks than `limits` says for its class,
 * and returns where its bytes now are: the caller changes whatever refers to it. `ref` itself where
 * the block stays. The span takes no new blocks from now on, so that it becomes empty.
 */
export function moveBlock(slab: Slab, ref: BlockRef, limits: Int32Array): BlockRef {
  const { i32 } = slab;
  const descriptors = i32[Header.DescriptorsAt]!;
  let page = ref >>> PAGE_GRANULE_SHIFT;
  let at = descriptors + page * DESCRIPTOR_WORDS;
  let state = i32[at + Page.State]!;
  if ((state & KIND_MASK) === Kind.SpanInside) {
    page = i32[at + Page.Next]!;
    at = descriptors + page * DESCRIPTOR_WORDS;
    state = i32[at + Page.State]!;
  }
  // Runs are whole pages: nothing is won by moving one.
  if ((state & KIND_MASK) !== Kind.Span) return ref;
  const sizeClass = (state >>> CLASS_SHIFT) & CLASS_MASK;
  if ((state & EMPTIED_BIT) === 0) {
    if (state >>> USED_SHIFT >= limits[sizeClass]!) return ref;
    // The first one of the list is what others are moved to.
    if (page === i32[Header.ClassHeads + sizeClass]) return ref;
    unlinkSpan(slab, page, at, Header.ClassHeads + sizeClass);
    linkSpan(slab, page, at, Header.EmptiedSpans);
    i32[at + Page.State] = state | EMPTIED_BIT;
  }
  // What commands may have been promised is not used up.
  const granules = CLASS_SIZES[sizeClass]!;
  if (!reserve(slab, granules << 3)) return ref;
  const moved = allocate(slab, granules << 3);
  i32.copyWithin(moved << 1, ref << 1, (ref + granules) << 1);
  release(slab, ref);
  return moved;
}

/**
 * Counts up to `most` spans of a class that have room into `counts`, by how many of their blocks
 * are in use in parts of `counts.length`. Returns their blocks.
 */
export function countSpans(
  slab: Slab,
  sizeClass: number,
  most: number,
  counts: Int32Array,
): number {
  const { i32 } = slab;
  const descriptors = i32[Header.DescriptorsAt]!;
  const blocks = CLASS_BLOCKS[sizeClass]!;
  let page = i32[Header.ClassHeads + sizeClass]!;
  let used = 0;
  for (let left = most; page !== 0 && left > 0; left--) {
    const at = descriptors + page * DESCRIPTOR_WORDS;
    const here = i32[at + Page.State]! >>> USED_SHIFT;
    const part = Math.floor((here * counts.length) / blocks);
    counts[part] = counts[part]! + 1;
    used += here;
    page = i32[at + Page.Next]!;
  }
  return used;
}

/** Blocks of a span of the class. */
export function blocksOfClass(sizeClass: number): number {
  return CLASS_BLOCKS[sizeClass]!;
}

/** Pages of a span of the class. */
export function pagesOfClass(sizeClass: number): number {
  return CLASS_PAGES[sizeClass]!;
}

/** Lets up to `budget` spans that are not empty yet take blocks again. True when all do. */
export function endEmptying(slab: Slab, budget: number): boolean {
  const { i32 } = slab;
  for (let left = budget; left > 0; left--) {
    const page = i32[Header.EmptiedSpans]!;
    if (page === 0) return true;
    const at = i32[Header.DescriptorsAt]! + page * DESCRIPTOR_WORDS;
    const state = i32[at + Page.State]!;
    unlinkSpan(slab, page, at, Header.EmptiedSpans);
    i32[at + Page.State] = state & ~EMPTIED_BIT;
    linkSpan(slab, page, at, Header.ClassHeads + ((state >>> CLASS_SHIFT) & CLASS_MASK));
  }
  return i32[Header.EmptiedSpans] === 0;
}

/** Pages held by spans and runs, and free ones that may still be resident, in bytes. */
export function heldBytesOf(slab: Slab): number {
  // Single counters, loaded atomically for readers without the lock.
  const pages =
    Atomics.load(slab.i32, Header.UsedPages) + Atomics.load(slab.i32, Header.DirtyPages);
  return pages * PAGE_BYTES;
}

export function freePagesOf(slab: Slab): number {
  const { i32 } = slab;
  return i32[Header.PageCount]! - i32[Header.FirstPage]! - Atomics.load(i32, Header.UsedPages);
}

/** What begins at a page, for checks and describers: slow. */
export interface PageFacts {
  readonly kind: 'free' | 'span' | 'large' | 'inside';
  readonly pages: number;
  readonly isDirty: boolean;
  /** Neighbours in the bin or in the list of spans with room, 0 for none. */
  readonly next: number;
  readonly previous: number;
  readonly sizeClass: number;
  readonly blockGranules: number;
  readonly blockCount: number;
  readonly usedCount: number;
  /** Indexes of the span's freed blocks, in the order of their list. */
  readonly freed: readonly number[];
  /** Blocks that were handed out at least once. */
  readonly carvedCount: number;
  /** Of a span: it takes no new blocks, see slab/moving.ts. */
  readonly isEmptied: boolean;
  /** Does every inner page that somebody may look at lead to this one? */
  readonly isBackedUp: boolean;
}

export function pageFacts(slab: Slab, page: number): PageFacts {
  const { i32 } = slab;
  const at = i32[Header.DescriptorsAt]! + page * DESCRIPTOR_WORDS;
  const state = i32[at + Page.State]!;
  const kind = state & KIND_MASK;
  const isSpan = kind === Kind.Span;
  const isListed = isSpan || kind === Kind.Free;
  const sizeClass = isSpan ? (state >>> CLASS_SHIFT) & CLASS_MASK : 0;
  const extent = i32[at + Page.Extent]!;
  const pages = isSpan ? CLASS_PAGES[sizeClass]! : extent;
  const lastAt = at + (pages - 1) * DESCRIPTOR_WORDS;
  let isBackedUp = true;
  if (kind === Kind.Free && pages > 1) {
    isBackedUp = i32[lastAt] === Kind.FreeInside && i32[lastAt + Page.Next] === page;
  } else if (kind === Kind.Large && pages > 1) {
    isBackedUp = (i32[lastAt]! & KIND_MASK) === Kind.LargeInside;
  }
  for (let inside = 1; isSpan && inside < pages; inside++) {
    const insideAt = at + inside * DESCRIPTOR_WORDS;
    const isRight = i32[insideAt] === Kind.SpanInside && i32[insideAt + Page.Next] === page;
    isBackedUp = isBackedUp && isRight;
  }
  return {
    kind: isSpan ? 'span' : kind === Kind.Free ? 'free' : kind === Kind.Large ? 'large' : 'inside',
    pages,
    isDirty: kind === Kind.Free && (state & DIRTY_BIT) !== 0,
    next: isListed ? i32[at + Page.Next]! : 0,
    previous: isListed ? i32[at + Page.Previous]! : 0,
    sizeClass,
    blockGranules: isSpan ? CLASS_SIZES[sizeClass]! : 0,
    blockCount: isSpan ? CLASS_BLOCKS[sizeClass]! : 0,
    usedCount: isSpan ? state >>> USED_SHIFT : 0,
    freed: isSpan ? freedBlocks(slab, page, extent & FREE_MASK, CLASS_SIZES[sizeClass]!) : [],
    carvedCount: isSpan ? extent >>> CARVED_SHIFT : 0,
    isEmptied: isSpan && (state & EMPTIED_BIT) !== 0,
    isBackedUp,
  };
}

function freedBlocks(slab: Slab, page: number, head: number, granules: number): number[] {
  const freed: number[] = [];
  const first = page << PAGE_GRANULE_SHIFT;
  // A list that loops would be longer than a page has granules.
  for (let next = head; next !== 0 && freed.length <= PAGE_BYTES; ) {
    freed.push(next - 1);
    next = slab.i32[(first + (next - 1) * granules) << 1]!;
  }
  return freed;
}

/** Number of the bin that a free run of `pages` pages belongs to, below BIN_COUNT. */
export function binNumber(pages: number): number {
  const level = levelOf(pages);
  return level * BINS_PER_LEVEL + binOf(pages, level);
}

export const CLASS_COUNT = CLASS_GRANULES.length;

/** The first and the last page of a bin's list; `isMarked` is what the bitmaps say of it. */
export function binFacts(
  slab: Slab,
  bin: number,
): { head: number; tail: number; isMarked: boolean } {
  const { i32 } = slab;
  const level = Math.floor(bin / BINS_PER_LEVEL);
  const bits = i32[Header.BinMaps + level]!;
  const isLevelMarked = (i32[Header.LevelMap]! & (1 << level)) !== 0;
  const isMarked = (bits & (1 << (bin % BINS_PER_LEVEL))) !== 0;
  assert(isLevelMarked === (bits !== 0), 'a level is marked when one of its bins is');
  return { head: i32[Header.Bins + bin]!, tail: i32[Header.BinTails + bin]!, isMarked };
}

/** The first page of the list of spans with room, 0 for none. */
export function spanHead(slab: Slab, sizeClass: number): number {
  return slab.i32[Header.ClassHeads + sizeClass]!;
}
