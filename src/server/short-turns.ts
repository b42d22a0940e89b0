// A thread that serves clients asks the system for short turns. Linux lets whoever runs finish its
// turn, some milliseconds, before a thread that has woken up gets the core, unless that thread's
// own turns are shorter (6.12 and newer). So a worker that wakes up for a command goes before the
// job of a snapshot, V8's compilers, the gateway and whatever else keeps a core busy, and takes
// no more of the core than before.

import { isLibcAvailable, setSlice } from '../base/libc.js';

/** Long enough for a few hundred commands, so that a busy worker is not stopped all the time. */
const TURN_NS = 200_000;

/** Of the thread that calls it. */
export function takeShortTurns(): void {
  // Where the system refuses, things are as they were.
  if (isLibcAvailable()) setSlice(0, TURN_NS);
}
