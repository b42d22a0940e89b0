// A pipeline in passes: parse a few commands ahead, hash their keys, load their buckets, load their
// likely entries, then execute. Between the passes nothing depends on the load before, so the misses
// of different commands overlap instead of adding up. The loads are hints, made without locks: what
// they read is read again inside. Measured with 100,000 keys at 32 commands per read: see
// docs/performance.md, "The touch pass".

import { Slices } from '../base/slices.js';
import type { Keyspace } from '../keyspace/keyspace.js';
import type { Command } from './command.js';
import { Shape } from './define.js';
import { placeKey } from './route.js';
import type { CommandTable } from './table.js';
import type { Slab } from '../slab/slab.js';
import { likelyRef } from '../structs/table.js';

/** Commands parsed ahead: as many misses as a core has in flight, more would fall out of its cache. */
export const BATCH_COMMANDS = 16;
/** Below this many there is too little to overlap. */
const TOUCHED_FROM = 3;
const SECOND_LINE_WORDS = 8;

/** Word index of the likely entry for `hash`, kept within the slab. */
function touchRef(slab: Slab, bucket: number, hash: number): number {
  return (likelyRef(slab, bucket, hash, slab.wordMask) << 1) & slab.wordMask;
}

export class Batch {
  /** Words of the commands read ahead. */
  readonly args: readonly Slices[] = Array.from({ length: BATCH_COMMANDS }, () => new Slices());
  readonly commands: (Command | null)[] = new Array<Command | null>(BATCH_COMMANDS).fill(null);
  /** Where each command starts in the input. */
  readonly startsAt = new Int32Array(BATCH_COMMANDS);
  readonly isPlaced = new Uint8Array(BATCH_COMMANDS);
  count = 0;
  /** What the loads gave, kept so that they cannot be left out. */
  touched = 0;
  private readonly keyspace: Keyspace;
  private readonly table: CommandTable;
  private readonly hashes = new Int32Array(BATCH_COMMANDS);
  private readonly buckets = new Int32Array(BATCH_COMMANDS);
  private readonly refs = new Int32Array(BATCH_COMMANDS);
  private readonly slabs: Slab[];
  private readonly views: Int32Array[];

  constructor(keyspace: Keyspace, table: CommandTable) {
    this.keyspace = keyspace;
    this.table = table;
    const first = keyspace.partitions[0]!.slab;
    this.slabs = new Array<Slab>(BATCH_COMMANDS).fill(first);
    this.views = new Array<Int32Array>(BATCH_COMMANDS).fill(first.i32);
  }

  /** Takes the command that was parsed into args[count]; it starts at `start` in the input. */
  add(start: number): void {
    const index = this.count;
    const args = this.args[index]!;
    const command = this.table.find(args, 0);
    this.commands[index] = command;
    this.startsAt[index] = start;
    this.isPlaced[index] = 0;
    if (command !== null && command.shape === Shape.Key && args.count > command.firstKey) {
      placeKey(this.keyspace, args, command.firstKey);
      this.isPlaced[index] = 1;
    }
    this.count = index + 1;
  }

  /**
   * The touch passes, for a session in `database`. Three short loops instead of one: a core overlaps
   * the misses only of what fits its window of some three hundred instructions, so the loops that
   * miss do nothing else.
   */
  touch(database: number): void {
    const { count, buckets, isPlaced, views, refs } = this;
    if (count < TOUCHED_FROM) return;
    const { partitions } = this.keyspace;
    // All slabs have one size.
    const { wordMask } = partitions[0]!.slab;
    let placed = 0;
    for (let index = 0; index < count; index++) {
      if (isPlaced[index] === 0) continue;
      const args = this.args[index]!;
      const key = this.commands[index]!.firstKey;
      const partition = partitions[args.partitions[key]!]!;
      const hash = args.hashes[key]!;
      this.hashes[placed] = hash;
      this.slabs[placed] = partition.slab;
      views[placed] = partition.slab.i32;
      buckets[placed] = partition.touchBucket(database, hash);
      placed++;
    }
    let touched = 0;
    for (let index = 0; index < placed; index++) touched ^= views[index]![buckets[index]!]!;
    for (let index = 0; index < placed; index++) {
      refs[index] = touchRef(this.slabs[index]!, buckets[index]!, this.hashes[index]!);
    }
    // Two lines of each: entries of 40 to 56 bytes seldom lie in one.
    for (let index = 0; index < placed; index++) {
      const view = views[index]!;
      const at = refs[index]!;
      touched ^= view[at]! ^ view[(at + SECOND_LINE_WORDS) & wordMask]!;
    }
    this.touched = touched;
  }
}
