// What two large sets of the same kind have in common, or one of them alone: their tables are
// joined (structs/table-join.ts), in parts on several threads where that is wanted.

import type { Context } from '../dispatch/context.js';
import { JoinKind, type Parts } from '../dispatch/parts.js';
import type { Slab } from '../slab/slab.js';
import { areNamesakes } from '../structs/member.js';
import { TableJoin, type Wanted } from '../structs/table-join.js';
import { areSameMembers } from '../types/set/member.js';

/** With a lower limit the first few members are found sooner one by one. */
const LIMIT_MIN = 256;
/**
 * How many times as many entries as the table that is walked the other may have: a join meets the
 * tags of both. Then looking the few up, at the price of hashing them, is as fast.
 */
const RATIO_MAX = 16;

/** Is it worth while to join a table of `count` entries with one of `otherCount`? */
export function isWorthJoining(count: number, otherCount: number, limit: number): boolean {
  return limit >= LIMIT_MIN && otherCount <= count * RATIO_MAX;
}

/** Reused. Both partitions are locked, and the tables do not change meanwhile. */
export class Joined {
  /** Rows of the last step: see Row, from word `rowsAt` of `rows` on. */
  rows = new Int32Array(0);
  rowsAt = 0;
  rowCount = 0;
  private readonly join = new TableJoin();
  private parts: Parts | null = null;

  /** Begins to join the table of `count` entries at word `rootAt` with the other. */
  open(
    context: Context,
    slab: Slab,
    rootAt: number,
    count: number,
    other: Slab,
    otherAt: number,
    kind: JoinKind,
    wanted: Wanted,
  ): void {
    const { parts } = context;
    const isSpread = parts?.openJoin(slab, rootAt, count, other, otherAt, kind, wanted) ?? false;
    this.parts = isSpread ? parts : null;
    if (isSpread) return;
    const isSame = kind === JoinKind.Sets ? areSameMembers : areNamesakes;
    this.join.open(slab, rootAt, other, otherAt, isSame, wanted);
  }

  /** To the next rows; false when there are no more. There may be none in a step. */
  next(): boolean {
    const { join, parts } = this;
    if (parts === null) {
      if (!join.next()) return false;
      this.rows = join.rows;
      this.rowsAt = 0;
      this.rowCount = join.rowCount;
      return true;
    }
    if (!parts.nextRows()) return false;
    this.rows = parts.rows as Int32Array<ArrayBuffer>;
    this.rowsAt = parts.rowsAt;
    this.rowCount = parts.rowCount;
    return true;
  }

  /** For whoever stops before the last rows. */
  close(): void {
    this.parts?.closeJoin();
  }
}
