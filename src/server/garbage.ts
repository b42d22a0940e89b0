// Garbage on request. V8 collects when something is made: a thread whose clients have gone keeps
// their buffers, up to 64 MiB that it does not count as its own, until it has clients again.

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

let collect: (() => void) | null = null;

/** Collects all garbage of this thread: some ten milliseconds, for which it does nothing else. */
export function collectGarbage(): void {
  if (collect === null) {
    // Node has no other way to it but an option of the command line.
    setFlagsFromString('--expose-gc');
    collect = runInNewContext('gc') as () => void;
  }
  collect();
}
