// Whoever waits for a key, watches it or caches it hears of its changes, in the same visit.

import { hashBytes } from '../base/hash.js';
import type { Tracking } from '../pubsub/tracking.js';
import type { Runner } from './run.js';

/** Connects a runner's keyspace with all that listen to its changes on this thread. */
export function hearOfChanges(runner: Runner, tracking: Tracking | null): void {
  const { blocking, transactions, context, keyspace, clock } = runner;
  const { sinks } = keyspace;
  const { watchers } = transactions;
  sinks.changed = (partition, u8, start, length) => {
    const hash = hashBytes(u8, start, length);
    blocking.keyChanged(partition, hash, u8, start, length);
    watchers.touch(partition, hash, u8, start, length);
    if (tracking === null) return;
    // One that waited changes for itself what is changed while it is served.
    const { isServing } = blocking;
    const { slot, id } = isServing ? blocking.servedFor : context.session;
    tracking.changed(partition, hash, u8, start, length, slot, id, isServing);
  };
  sinks.swapping = (partition, first, second) => watchers.swapping(partition, first, second);
  sinks.swapped = (partition, u8, start, length) =>
    blocking.keyChanged(partition, hashBytes(u8, start, length), u8, start, length);
  blocking.readClock = () => clock.monotonicMs();
}
