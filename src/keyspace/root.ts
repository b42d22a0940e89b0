// What a database's root looks like, for the files that know: partition.ts, where the picture
// stands, detached.ts and snapshot.ts.

import { DATABASE_WORDS } from '../slab/slab.js';
import { TableRoot } from '../structs/table.js';
import { ExpiryRoot } from './expire.js';

export const enum Root {
  Table = 0,
  Expiry = TableRoot.Words,
  ShrinkMark = Expiry + ExpiryRoot.Words,
  /** The database's number at the cut of the walk that has yet to finish with it, plus 1; or 0. */
  Cut = ShrinkMark + 1,
  /** The position up to which that walk has come. */
  Walked = Cut + 1,
  Words = DATABASE_WORDS,
}
