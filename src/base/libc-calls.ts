// The functions of libc that libc.ts and io-uring.ts call, bound once per thread. This is the only
// file that loads koffi, because a wrong length or address is a crash and not an exception: whoever
// calls one of these asserts both.

import { createRequire } from 'node:module';
import { endianness } from 'node:os';

// The ABIs whose constants are the generic ones above.
const ARCHITECTURES: readonly string[] = ['x64', 'arm64', 'riscv64', 'loong64'];
const SYSCALL_GETTID = process.arch === 'x64' ? 186 : 178;

export type Integers = (...values: number[]) => number;

export interface Calls {
  readonly errno: () => number;
  readonly address: (view: unknown) => bigint;
  readonly recv: (fd: number, address: number, bytes: number, flags: number) => number;
  readonly send: (fd: number, address: number, bytes: number, flags: number) => number;
  readonly write: (fd: number, address: number, bytes: number) => number;
  readonly writeAt: (fd: number, address: number, bytes: number, position: number) => number;
  readonly read: (fd: number, address: number, bytes: number) => number;
  readonly epollWait: (epfd: number, address: number, count: number, timeoutMs: number) => number;
  readonly epollCreate: Integers;
  readonly epollControl: Integers;
  readonly socket: Integers;
  readonly setOption: Integers;
  readonly bind: Integers;
  readonly listen: Integers;
  readonly accept: Integers;
  readonly peerAddress: Integers;
  readonly localAddress: Integers;
  readonly textOfAddress: Integers;
  readonly addressOfText: Integers;
  readonly shutdown: Integers;
  readonly close: Integers;
  readonly eventfd: Integers;
  readonly madvise: Integers;
  readonly fdatasync: Integers;
  readonly syncRange: Integers;
  readonly getLimit: Integers;
  readonly setLimit: Integers;
  readonly setAffinity: Integers;
  readonly setPriority: Integers;
  readonly getTid: () => number;
  readonly systemCall: Integers;
  readonly ringSetup: Integers;
  readonly ringEnter: Integers;
  readonly ringRegister: Integers;
  /** The shared memory of a descriptor, from an offset on; null where the system has none. */
  readonly mapShared: (fd: number, bytes: number, offset: number) => ArrayBuffer | null;
}

/** Null before the first call. Read as `calls ?? loadCalls()`. */
export let calls: Calls | null = null;

/** May the rest of this file be used here? Loads koffi to know. */
export function isLibcAvailable(): boolean {
  if (calls !== null) return true;
  try {
    loadCalls();
    return true;
  } catch {
    return false;
  }
}

export function loadCalls(): Calls {
  if (process.platform !== 'linux') {
    throw new Error(
      `Raw sockets need Linux; this is ${process.platform}. Use the node transport here.`,
    );
  }
  if (!ARCHITECTURES.includes(process.arch) || endianness() !== 'LE') {
    throw new Error(
      `Raw sockets are not known to work on ${process.arch}. Use the node transport.`,
    );
  }
  const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
  const library = openLibrary(koffi);
  const bind = (definition: string) => library.func(definition) as unknown as Integers;
  calls = {
    errno: koffi.errno,
    address: koffi.address,
    recv: bind('int recv(int, uintptr_t, int, int)'),
    send: bind('int send(int, uintptr_t, int, int)'),
    write: bind('long write(int, uintptr_t, size_t)'),
    writeAt: bind('long pwrite(int, uintptr_t, size_t, int64_t)'),
    read: bind('long read(int, uintptr_t, size_t)'),
    epollWait: bind('int epoll_wait(int, uintptr_t, int, int)'),
    epollCreate: bind('int epoll_create1(int)'),
    epollControl: bind('int epoll_ctl(int, int, int, uintptr_t)'),
    socket: bind('int socket(int, int, int)'),
    setOption: bind('int setsockopt(int, int, int, uintptr_t, uint32_t)'),
    bind: bind('int bind(int, uintptr_t, uint32_t)'),
    listen: bind('int listen(int, int)'),
    accept: bind('int accept4(int, uintptr_t, uintptr_t, int)'),
    peerAddress: bind('int getpeername(int, uintptr_t, uintptr_t)'),
    localAddress: bind('int getsockname(int, uintptr_t, uintptr_t)'),
    textOfAddress: bind('uintptr_t inet_ntop(int, uintptr_t, uintptr_t, uint32_t)'),
    addressOfText: bind('int inet_pton(int, uintptr_t, uintptr_t)'),
    shutdown: bind('int shutdown(int, int)'),
    close: bind('int close(int)'),
    eventfd: bind('int eventfd(uint32_t, int)'),
    madvise: bind('int madvise(uintptr_t, size_t, int)'),
    fdatasync: bind('int fdatasync(int)'),
    syncRange: bind('int sync_file_range(int, int64_t, int64_t, uint32_t)'),
    getLimit: bind('int getrlimit(int, uintptr_t)'),
    setLimit: bind('int setrlimit(int, uintptr_t)'),
    setAffinity: bind('int sched_setaffinity(int, size_t, uintptr_t)'),
    setPriority: bind('int setpriority(int, uint32_t, int)'),
    getTid: bindGetTid(bind),
    systemCall: bind('long syscall(long, long, uintptr_t, long, long)'),
    ringSetup: bind('int syscall(long, uint32_t, uintptr_t)'),
    ringEnter: bind('int syscall(long, int, uint32_t, uint32_t, uint32_t, uintptr_t, size_t)'),
    ringRegister: bind('int syscall(long, int, uint32_t, uintptr_t, uint32_t)'),
    mapShared: bindMap(koffi, library),
  };
  return calls;
}

/** glibc by its name, or (musl) the libc that Node itself is linked with. */
function openLibrary(koffi: typeof import('koffi')): import('koffi').LibraryHandle {
  try {
    return koffi.load('libc.so.6');
  } catch {
    return koffi.load(null);
  }
}

/** glibc has gettid since 2.30; Node 20 also runs on 2.28. */
function bindGetTid(bind: (definition: string) => Integers): () => number {
  try {
    return bind('int gettid()');
  } catch {
    const syscall = bind('long syscall(long)');
    return () => syscall(SYSCALL_GETTID);
  }
}

const PROTECTION_READ_WRITE = 3;
/** MAP_SHARED and MAP_POPULATE. */
const MAP_FLAGS = 0x8001;
const MAP_FAILED = 2n ** 64n - 1n;

function bindMap(
  koffi: typeof import('koffi'),
  library: import('koffi').LibraryHandle,
): Calls['mapShared'] {
  const map = library.func('void *mmap(uintptr_t, size_t, int, int, int, int64_t)');
  return (fd, bytes, offset) => {
    const pointer: unknown = map(0, bytes, PROTECTION_READ_WRITE, MAP_FLAGS, fd, offset);
    if (pointer === null || koffi.address(pointer) === MAP_FAILED) return null;
    return koffi.view(pointer, bytes) as ArrayBuffer;
  };
}
