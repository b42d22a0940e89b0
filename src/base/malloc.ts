// What libc's malloc keeps of memory that was freed. V8's compilers and buffers, and OpenSSL, take
// theirs from there, and glibc keeps what comes back, in an arena for each thread or two: after a
// burst of large pipelines that is a multiple of what is in use. glibc alone has this call; with
// another libc nothing happens.
//
// The alternative, to have large blocks mapped each by itself (mallopt), gives them back at once,
// and a buffer of 300 kB that is wanted again cost six times as much, because the system clears its
// pages anew.
//
// As in base/libc.ts koffi is loaded by the first call. No address is passed here.

import { createRequire } from 'node:module';

type Trim = (bytesKept: number) => number;

/** Undefined: not looked for yet. */
let call: Trim | null | undefined;

function findTrim(): Trim | null {
  if (process.platform !== 'linux') return null;
  try {
    const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
    return koffi.load('libc.so.6').func('int malloc_trim(size_t)') as unknown as Trim;
  } catch {
    return null;
  }
}

/**
 * Gives the whole free pages of all arenas back to the system. A thread that wants memory of an
 * arena waits while that one is looked through. True if there were any.
 */
export function trimMalloc(): boolean {
  if (call === undefined) call = findTrim();
  return call !== null && call(0) === 1;
}
