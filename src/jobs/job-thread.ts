// What a job's thread runs: one function per kind of job, by its name.

import { type SnapshotOutcome, type SnapshotTask, writeSnapshot } from './snapshot.js';

export function writeTask({ shape, order }: SnapshotTask): SnapshotOutcome {
  return writeSnapshot(shape, order);
}
