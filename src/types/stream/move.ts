// Moving the blocks of a stream together: root, entries and their index; groups, what is pending,
// and consumers; producers. What a walk remembers are IDs and places in lists.

import { move, moving } from '../../slab/moving.js';
import type { Slab } from '../../slab/slab.js';
import type { MovePlace } from '../kind.js';
import {
  type ConsumerRef,
  consumerCount,
  consumerMoved,
  consumersAt,
  type GroupRef,
  groupAt,
  groupCount,
  OWN_WORDS,
  ownPendingAt,
  ownPendingCount,
  PENDING_WORDS,
  pendingAt,
} from './groups.js';
import { readIdAt, StreamId, writeIdAt } from './id.js';
import { moveIdTree } from './id-tree.js';
import { moveNamed, moveNames, namedAt } from './names.js';
import { moveProducers } from './producers.js';
import { groupsAt, moveBlocks, type StreamRef } from './stream.js';

const enum Stage {
  Root = 0,
  Blocks = 1,
  Groups = 2,
  Producers = 3,
}

/** A consumer for whom more is pending stays where it is: all of that refers to it. */
const PENDING_MAX = 256;

const id = new StreamId();

/** See ValueKind.move. */
export function moveStream(slab: Slab, root: number, place: MovePlace): number {
  let stream = root as StreamRef;
  if (place.stage === Stage.Root) {
    stream = move(slab, root) as StreamRef;
    place.next(Stage.Blocks);
  }
  if (place.stage === Stage.Blocks) {
    readIdAt(place.id, 0, id);
    const isDone = moveBlocks(slab, stream, id);
    writeIdAt(place.id, 0, id);
    if (!isDone) return stream;
    place.next(Stage.Groups);
  }
  if (place.stage === Stage.Groups) {
    if (moving.units <= 0 || !moveGroups(slab, stream, place)) return stream;
    place.next(Stage.Producers);
  }
  if (moving.units > 0 && moveProducers(slab, stream, place)) place.end();
  return stream;
}

function moveGroups(slab: Slab, stream: StreamRef, place: MovePlace): boolean {
  const listAt = groupsAt(stream);
  if (place.place === 0 && place.inner === 0) moveNames(slab, listAt);
  while (place.place < groupCount(slab, stream)) {
    if (place.inner === 0) {
      const group = moveNamed(slab, listAt, place.place) as GroupRef;
      moveNames(slab, consumersAt(group));
      place.inner = 1;
    }
    if (!moveGroup(slab, groupAt(slab, stream, place.place), place)) return false;
    place.place++;
    place.inner = 0;
  }
  return true;
}

/** What is pending in the group, then its consumers: `inner` is 1, and then 2 and the consumer. */
function moveGroup(slab: Slab, group: GroupRef, place: MovePlace): boolean {
  if (place.inner === 1) {
    if (!movePending(slab, pendingAt(group), PENDING_WORDS, place)) return false;
    place.inner = 2;
  }
  const listAt = consumersAt(group);
  for (; place.inner - 2 < consumerCount(slab, group); place.inner++) {
    if (moving.units <= 0) return false;
    const index = place.inner - 2;
    const consumer = namedAt(slab, listAt, index) as ConsumerRef;
    if (ownPendingCount(slab, consumer) <= PENDING_MAX) {
      const moved = moveNamed(slab, listAt, index) as ConsumerRef;
      if (moved !== consumer) consumerMoved(slab, group, moved);
    }
    const ownAt = ownPendingAt(namedAt(slab, listAt, index) as ConsumerRef);
    if (!movePending(slab, ownAt, OWN_WORDS, place)) return false;
  }
  return true;
}

/** A tree of pending entries, from the ID of `place` on. */
function movePending(slab: Slab, treeAt: number, words: number, place: MovePlace): boolean {
  readIdAt(place.id, 0, id);
  const isDone = moveIdTree(slab, treeAt, words, id, keepRecord);
  if (isDone) place.id.fill(0);
  else writeIdAt(place.id, 0, id);
  return isDone;
}

function keepRecord(): void {
  moving.units--;
}
