// Entries and the groups that refer to them: by default an entry goes whether or not a group still
// has it pending (KEEPREF); it may also take what is pending along (DELREF), or stay until all
// groups have acknowledged it (ACKED).

import type { Slab } from '../../slab/slab.js';
import { NONE } from '../../slab/slab.js';
import { type EntryBlock, EntryCursor, liveOf } from './block.js';
import { findPending, groupAt, groupCount, readDeliveredId, removePending } from './groups.js';
import { compareIds, StreamId, ZERO_ID } from './id.js';
import {
  deleteEntry,
  firstBlock,
  isOlder,
  type Leaving,
  type StreamRef,
  seekEntry,
  settleFirstId,
  streamLength,
  type Trim,
  trimStream,
} from './stream.js';

/** What becomes of references to an entry that goes. */
export const enum References {
  Keep = 0,
  Delete = 1,
  /** The entry goes only if there are none. */
  Acknowledged = 2,
}

const delivered = new StreamId();

/** Has a group not read the entry yet, or not acknowledged it? Without groups nobody has. */
export function isReferenced(slab: Slab, stream: StreamRef, id: StreamId): boolean {
  const count = groupCount(slab, stream);
  for (let index = 0; index < count; index++) {
    const group = groupAt(slab, stream, index);
    readDeliveredId(slab, group, delivered);
    if (compareIds(delivered, id) < 0 || findPending(slab, group, id) !== 0) return true;
  }
  return count === 0;
}

/** The entry is pending in no group any more. Returns in how many it was. */
export function removeReferences(slab: Slab, stream: StreamRef, id: StreamId): number {
  let removed = 0;
  for (let index = 0; index < groupCount(slab, stream); index++) {
    if (removePending(slab, groupAt(slab, stream, index), id)) removed++;
  }
  return removed;
}

const forget: Leaving = (slab, stream, id) => {
  removeReferences(slab, stream, id);
};

/** As trimStream, with a view to references; returns how many entries went. */
export function trimReferenced(
  slab: Slab,
  stream: StreamRef,
  trim: Trim,
  references: References,
): number {
  if (references === References.Acknowledged) return trimAcknowledged(slab, stream, trim);
  const hasGroups = groupCount(slab, stream) !== 0;
  return trimStream(slab, stream, trim, hasGroups && references !== 0 ? forget : null);
}

const cursor = new EntryCursor();
const id = new StreamId();

/** Passes over what is still referred to. Whole blocks must be free of it. */
function trimAcknowledged(slab: Slab, stream: StreamRef, trim: Trim): number {
  const before = streamLength(slab, stream);
  // Nobody acknowledges where there are no groups.
  if (groupCount(slab, stream) === 0) return 0;
  if (trim.isApproximate) {
    while (isFreeBlock(slab, stream, trim, before)) deleteBlock(slab, stream);
  } else {
    let isThere = seekEntry(slab, stream, cursor, ZERO_ID);
    while (isThere && isBeyond(slab, stream, trim)) isThere = passEntry(slab, stream);
  }
  const deleted = before - streamLength(slab, stream);
  if (deleted !== 0) settleFirstId(slab, stream);
  return deleted;
}

/** Is the cursor's entry one that should go, references aside? */
function isBeyond(slab: Slab, stream: StreamRef, trim: Trim): boolean {
  if (trim.isByLength) return streamLength(slab, stream) > trim.length;
  return compareIds(cursor.id, trim.id) < 0;
}

/** Deletes the cursor's entry unless it is referred to, and goes to the next one. */
function passEntry(slab: Slab, stream: StreamRef): boolean {
  id.copyFrom(cursor.id);
  if (isReferenced(slab, stream, id)) return cursor.next();
  return deleteEntry(slab, stream, cursor) ? seekEntry(slab, stream, cursor, id) : cursor.next();
}

/** May the first block go as a whole? */
function isFreeBlock(slab: Slab, stream: StreamRef, trim: Trim, before: number): boolean {
  const block: EntryBlock = firstBlock(slab, stream);
  const length = streamLength(slab, stream);
  if (block === NONE || (trim.isByLength && length <= trim.length)) return false;
  const live = liveOf(slab, block);
  if (trim.limit !== 0 && before - length + live > trim.limit) return false;
  if (!isOlder(slab, block, length - live, trim)) return false;
  if (!cursor.seekFrom(slab, block, ZERO_ID)) return false;
  do {
    id.copyFrom(cursor.id);
    if (isReferenced(slab, stream, id)) return false;
  } while (cursor.next() && cursor.block === block);
  return true;
}

function deleteBlock(slab: Slab, stream: StreamRef): void {
  cursor.seekFrom(slab, firstBlock(slab, stream), ZERO_ID);
  while (!deleteEntry(slab, stream, cursor)) cursor.next();
}
