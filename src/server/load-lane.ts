// One of the threads that load an RDB file together, beside main: see load-lanes.ts. It lives for
// that alone.

import { parentPort, workerData } from 'node:worker_threads';
import { SystemClock } from '../base/clock.js';
import { DiskError, Open, SystemDisk } from '../base/disk.js';
import { setHashKey } from '../base/hash.js';
import { Keyspace, Lookup } from '../keyspace/keyspace.js';
import { LaneSignals } from '../mesh/lanes.js';
import { RdbFileError } from '../rdb/file-read.js';
import { type LoadOptions, RdbLoad } from '../rdb/load.js';
import { holderOf } from '../slab/lock.js';
import { Slab } from '../slab/slab.js';
import { thresholds } from '../types/thresholds.js';
import { sourceOf } from './file-input.js';
import type { LaneOutcome, LaneStart } from './load-lanes.js';

const STEP_MS = 40;

const start = workerData as LaneStart;
const signals = new LaneSignals(start.words);
// The outcome first: who is woken by the signal finds it on the way.
parentPort!.postMessage(run(start));
signals.end();

function run({ path, shape, keyspace: like, options }: LaneStart): LaneOutcome {
  setHashKey(shape.hashKey);
  Object.assign(thresholds, like.thresholds);
  const slabs = shape.slabs.map(
    (buffer, index) => new Slab(index, buffer, shape.slabStarts[index]!),
  );
  // What is looked up here counts for nobody.
  const keyspace = new Keyspace(slabs, shape.databaseCount, new Float64Array(Lookup.Words));
  keyspace.expiresByClock = false;
  Object.assign(keyspace.frequencyScale, like.frequencyScale);
  keyspace.setStamping(like.stamping);
  const disk = new SystemDisk();
  const fd = disk.open(path, Open.Read);
  const fields: LoadOptions = {
    ...options,
    keyspace,
    clock: new SystemClock(new Float64Array(shape.clock)),
    // Nobody else has this number while data is loaded; lanes never want the same lock.
    holder: holderOf(shape.jobThread),
    // Main reads all bytes, too.
    checksums: false,
    warn() {},
  };
  let failure: LaneOutcome['failure'] = null;
  const load = new RdbLoad(sourceOf(disk, path, fd), fields);
  try {
    while (!signals.isStopped && !load.step(STEP_MS));
  } catch (error) {
    if (!(error instanceof RdbFileError || error instanceof DiskError)) throw error;
    failure = { offset: error instanceof RdbFileError ? error.offset : 0, line: error.message };
    // The others need not go on.
    signals.fail();
  } finally {
    disk.close(fd);
  }
  const { keysLoaded, keysExpired, keysEmpty } = load;
  return { keysLoaded, keysExpired, keysEmpty, failure };
}
