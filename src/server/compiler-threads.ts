// V8's own threads (compilers, collector) serve all threads of the process. On a single core four
// compilers and a worker share the time evenly, so that clients saw stops of 20 ms and more while
// new code was compiled. There they get a lower priority: what the worker leaves, and a part.
//
// Not on several cores: a collection waits for the compilers' next safe point, and one that waits
// for a busy core at low priority held a worker up for 40 ms. On one core it runs at once then,
// because the worker sleeps.

import { readdirSync } from 'node:fs';
import { setNice } from '../base/libc.js';

/** A tenth of the weight of a normal thread, as Linux counts it. */
const COMPILER_NICE = 10;

/** Lowers the priority of all threads but the main one: called before any other is started. */
export function deferCompilerThreads(): void {
  for (const tid of tasksOf('/proc/self/task')) {
    // Refused only where it does no harm to go on.
    if (tid !== process.pid) setNice(tid, COMPILER_NICE);
  }
}

function tasksOf(directory: string): number[] {
  try {
    return readdirSync(directory).map(Number);
  } catch {
    return [];
  }
}
