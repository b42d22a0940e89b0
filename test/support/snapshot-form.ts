// What tests of walks through a keyspace have in common.

import type { RecordForm } from '../../src/rdb/file-write.js';

/** Records as they are compared: nothing of them depends on when they were written. */
export const SNAPSHOT_FORM: RecordForm = {
  compresses: false,
  isExact: true,
  nowMs: -1,
  recency: 'none',
  recencyNow: 0,
};

/** Commands that want a server around the engine. */
export const FOREIGN_COMMANDS: ReadonlySet<string> = new Set(
  'CONFIG OBJECT MEMORY COMMAND TIME DEBUG SCAN'.split(' '),
);
