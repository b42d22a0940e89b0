// What libc's malloc keeps of memory that was freed. V8's compilers, its buffers and OpenSSL take
// theirs from there, and glibc keeps what comes back, in one arena for each thread: after a burst
// of large pipelines that is a multiple of what is in use. glibc alone has these two calls; with
// another libc nothing happens.
//
// As in base/libc.ts koffi is loaded by the first call, and nothing here takes an address.

import { createRequire } from 'node:module';

/** Names of mallopt's parameters, as malloc.h has them. */
const enum Parameter {
  TrimThreshold = -1,
  MapThreshold = -3,
}

/** Blocks of this size and more are mapped, each by itself, and go back once they are freed. */
const MAPPED_BYTES = 256 * 1024;
/** So much is kept at the end of an arena. */
const KEPT_BYTES = 1024 * 1024;

interface Calls {
  readonly trim: (kept: number) => number;
  readonly setParameter: (name: number, value: number) => number;
}

/** Undefined: not looked for. */
let calls: Calls | null | undefined;

function findCalls(): Calls | null {
  if (process.platform !== 'linux') return null;
  try {
    const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
    const library = koffi.load('libc.so.6');
    return {
      trim: library.func('int malloc_trim(size_t)') as unknown as Calls['trim'],
      setParameter: library.func('int mallopt(int, int)') as unknown as Calls['setParameter'],
    };
  } catch {
    return null;
  }
}

function found(): Calls | null {
  if (calls === undefined) calls = findCalls();
  return calls;
}

/**
 * Large blocks are to go back to the system when they are freed, for the whole process. Left to
 * itself glibc takes the size of each large block that was freed, up to 32 MiB, for one it had
 * better keep. False where there is no such setting.
 */
export function mapLargeBlocks(): boolean {
  const libc = found();
  if (libc === null) return false;
  const isMapping = libc.setParameter(Parameter.MapThreshold, MAPPED_BYTES) === 1;
  return libc.setParameter(Parameter.TrimThreshold, KEPT_BYTES) === 1 && isMapping;
}

/**
 * Gives whole free pages of all arenas back to the system: about 0.1 ms for each MiB, for which a
 * thread that wants memory of that arena waits. True if there were any.
 */
export function trimMalloc(): boolean {
  return found()?.trim(0) === 1;
}
