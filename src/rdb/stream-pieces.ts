// Streams as a snapshot writes them in pieces (pieces.ts, stream-write.ts): blocks, with their IDs
// for keys; one piece that tells what groups and consumers there are; and of each group what is
// pending, with the ID of the first record for a key. stream-assembly.ts makes a record of them.
//
//   groups: sizes are 32-bit words; what has a size stands in the file as it is here
//   ┌──────────┬───────────────┬────────────────────┬────────┬───────────
//   │ 16 zeros │ bytes │ marks │ bytes │ producers  │ groups │ group, …
//   └──────────┴───────────────┴────────────────────┴────────┴───────────
//   group                                                   consumer
//   ┌──────────────┬────────────┬───────────┬───────────┐   ┌─────┬──────────────┐
//   │ bytes │ head │ 1: pending │ consumers │ consumer… │   │ ref │ bytes │ head │
//   └──────────────┴────────────┴───────────┴───────────┘   └─────┴──────────────┘
//                                                            0: those that are nobody's
//
//   record of what is pending
//   ┌──────┬──────┬────────────┬──────────┐
//   │ ID   │ time │ deliveries │ consumer │
//   │ 16 B │ 8    │ 8          │ 4, ref   │
//   └──────┴──────┴────────────┴──────────┘

import { NONE, type Slab } from '../slab/slab.js';
import { OrderBits } from '../structs/walked.js';
import type { EntryBlock } from '../types/stream/block.js';
import { BLOCK_SECTION } from '../types/stream/block-first.js';
import {
  consumerAt,
  consumerCount,
  consumerOf,
  deliveredHigh,
  deliveredLow,
  deliveriesHigh,
  deliveriesLow,
  type GroupRef,
  groupAt,
  groupCount,
  PENDING_WORDS,
  pendingCount,
  unownedCount,
} from '../types/stream/groups.js';
import { readIdAt, StreamId } from '../types/stream/id.js';
import { leafCount, leafRecord } from '../types/stream/id-tree.js';
import { producersOf } from '../types/stream/producers.js';
import type { StreamRef } from '../types/stream/stream.js';
import { RdbType } from './rdb-type.js';
import { ByteSink } from './sink.js';
import {
  ID_BYTES,
  writeBlockBody,
  writeConsumerHead,
  writeGroupHead,
  writeMarks,
  writeProducers,
  writeRawId,
  writeReleasedHead,
} from './stream-write.js';

export const WORD_BYTES = 4;
export const PENDING_BYTES = ID_BYTES + 8 + 8 + WORD_BYTES;

const part = new ByteSink();
const id = new StreamId();

/** Writes `part`, with its size before it. */
function endPart(sink: ByteSink): void {
  sink.little(part.at, WORD_BYTES);
  sink.bytes(part.u8, 0, part.at);
  part.reset();
}

/** Writes what is known of a stream besides its blocks and what is pending, as it is now. */
export function writeGroups(
  sink: ByteSink,
  slab: Slab,
  stream: StreamRef,
  type: RdbType,
  compresses: boolean,
): void {
  for (let word = 0; word < ID_BYTES; word += WORD_BYTES) sink.little(0, WORD_BYTES);
  writeMarks(part, slab, stream);
  endPart(sink);
  if (type === RdbType.StreamProducers) {
    writeProducers(part, slab, producersOf(slab, stream), compresses);
  }
  endPart(sink);
  const groups = groupCount(slab, stream);
  const hasActiveTimes = type !== RdbType.StreamListpacks2;
  sink.little(groups, WORD_BYTES);
  for (let index = 0; index < groups; index++) {
    writeGroup(sink, slab, groupAt(slab, stream, index), hasActiveTimes, compresses);
  }
}

function writeGroup(
  sink: ByteSink,
  slab: Slab,
  group: GroupRef,
  hasActiveTimes: boolean,
  compresses: boolean,
): void {
  writeGroupHead(part, slab, group, compresses);
  endPart(sink);
  sink.little(pendingCount(slab, group) === 0 ? 0 : 1, WORD_BYTES);
  const consumers = consumerCount(slab, group);
  const released = unownedCount(slab, group);
  sink.little(released === 0 ? consumers : consumers + 1, WORD_BYTES);
  if (released !== 0) {
    sink.little(NONE, WORD_BYTES);
    writeReleasedHead(part, slab, group, released, hasActiveTimes, compresses);
    endPart(sink);
  }
  for (let index = 0; index < consumers; index++) {
    const consumer = consumerAt(slab, group, index);
    sink.little(consumer, WORD_BYTES);
    writeConsumerHead(part, slab, consumer, hasActiveTimes, compresses);
    endPart(sink);
  }
}

/** Writes a node of the section that `order` tells. */
export function writeStreamPiece(
  sink: ByteSink,
  slab: Slab,
  node: number,
  order: number,
  compresses: boolean,
): void {
  if (order >>> OrderBits.Shift === BLOCK_SECTION) {
    writeBlockBody(sink, slab, node as EntryBlock, compresses);
    return;
  }
  const count = leafCount(slab, node);
  for (let index = 0; index < count; index++) {
    const record = leafRecord(node, index, PENDING_WORDS);
    readIdAt(slab.i32, record, id);
    writeRawId(sink, id);
    sink.little(deliveredLow(slab, record), WORD_BYTES);
    sink.little(deliveredHigh(slab, record), WORD_BYTES);
    sink.little(deliveriesLow(slab, record), WORD_BYTES);
    sink.little(deliveriesHigh(slab, record), WORD_BYTES);
    sink.little(consumerOf(slab, record), WORD_BYTES);
  }
}
