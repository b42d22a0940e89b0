// What Redis does not have.

import { GB, INT32_MAX, MB } from '../numbers.js';
import type { Row } from '../parameter.js';
import { isPowerOfTwo } from './checks.js';
import { choice, integer, memory } from './rows.js';

/** One for each core of the largest machines. Each takes some 30 MB, and more would only wait. */
export const THREADS_MAX = 256;

export const OWN_PARAMETERS: readonly Row[] = [
  // 0 is one per core.
  integer('threads', { default: 0, min: 0, max: THREADS_MAX, isMutable: false }),
  // Threads that serve encrypted connections, where there is a tls-port; 0 is as many as threads.
  integer('tls-threads', { default: 0, min: 0, max: THREADS_MAX, isMutable: false }),
  integer('partitions', { default: 64, min: 1, max: 1024, check: isPowerOfTwo, isMutable: false }),
  // A byte offset within a partition must stay a small integer of V8, hence 2 GiB at most.
  memory('partition-size', { default: 2 * GB, min: MB, max: 2 * GB, isMutable: false }),
  // Native is io_uring where the system has it, and epoll elsewhere.
  choice('transport', {
    values: ['native', 'io_uring', 'epoll', 'node', 'auto'],
    default: 'auto',
    isMutable: false,
  }),
  // Whole generations of logs that the data needs no more; 0 keeps none.
  memory('feed-history-bytes', { default: 64 * MB, min: 0, max: Number.MAX_SAFE_INTEGER }),
  // 0 turns the watchdog off.
  integer('watchdog-lock-ms', { default: 1000, min: 0, max: INT32_MAX }),
];
