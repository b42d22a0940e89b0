// How much address space the system gives this process, where it gives less than everything: a
// limit (ulimit -v), or strict accounting (vm.overcommit_memory=2), where what is reserved counts
// as used.

import { readFileSync } from 'node:fs';

/**
 * What the process takes beside its partitions, measured with 1 to 8 threads and rounded up: half a
 * gigabyte that V8 reserves for the code of each thread, its heap, its stack, its share of what is
 * shared; and what all threads share once: scripts, functions, and keys that clients cache.
 */
const PROCESS_BYTES = 896 * 2 ** 20;
const THREAD_BYTES = 700 * 2 ** 20;
/** Besides the workers: the acceptor, the one that syncs the logs, the one of the jobs. */
const OTHER_THREADS = 3;
/**
 * Under strict accounting reservations of heaps do not count, only what may be written: measured as
 * the mappings that the kernel accounts (`ac` in smaps), and rounded up.
 */
const PROCESS_COMMIT_BYTES = 704 * 2 ** 20;
const THREAD_COMMIT_BYTES = 144 * 2 ** 20;
/** The system's other programs share what is left: without this part none could start any more. */
const OTHERS_SHARE = 1 / 8;
const STRICT = 2;
const KB = 1024;

/**
 * Bytes that may be reserved for partitions when `threadCount` threads are still to start. `read`
 * gives the text of a file of /proc.
 */
export function affordableBytes(threadCount: number, read = readFile): number {
  const limit = limitOf(read('/proc/self/limits'));
  const taken = kilobytes(read('/proc/self/status'), 'VmSize');
  const threads = threadCount + OTHER_THREADS;
  const underLimit = limit - taken - PROCESS_BYTES - threads * THREAD_BYTES;
  if (Number(read('/proc/sys/vm/overcommit_memory')) !== STRICT) return underLimit;
  const memory = read('/proc/meminfo');
  const left = kilobytes(memory, 'CommitLimit') - kilobytes(memory, 'Committed_AS');
  const mine = left * (1 - OTHERS_SHARE);
  return Math.min(underLimit, mine - PROCESS_COMMIT_BYTES - threads * THREAD_COMMIT_BYTES);
}

/** '' where there is no such file: on other systems, and in some containers. */
function readFile(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}

function limitOf(limits: string): number {
  const soft = /^Max address space +(\d+)/m.exec(limits)?.[1];
  return soft === undefined ? Number.POSITIVE_INFINITY : Number(soft);
}

function kilobytes(text: string, name: string): number {
  return Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? 0) * KB;
}
