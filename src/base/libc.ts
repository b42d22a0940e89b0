// libc, called from TypeScript: raw sockets, epoll, eventfd, madvise and the few calls around them.
// A wrong length or address here is a crash and not an exception: every wrapper asserts both. The
// functions themselves are bound in libc-calls.ts.
//
// Conventions
// - Every call is synchronous and returns what libc returned, or -errno. errno is read at once, by
//   the next call into koffi, before anything else of this thread can reach libc.
// - Memory travels as (address, bytes), two plain numbers: `addressOf(view)` once, additions after
//   that. The backing store of an ArrayBuffer or SharedArrayBuffer never moves, and user addresses
//   are below 2^47, so a number holds them exactly. Whoever keeps an address keeps the view alive.
//   Passing typed arrays instead was measured slower: koffi looks into each of them on each call.
// - EINTR is retried, except by close (the descriptor is gone already, and a retry could close
//   another thread's) and by epollWait (it reports no events, so that the caller's deadline holds).
// - send carries MSG_NOSIGNAL: a peer that went away is EPIPE, never a signal.
// - koffi is loaded by the first call, so that other platforms, which use the `node` transport,
//   never touch it. State here belongs to one thread: each thread has its own copy of the module.

import { getSystemErrorMap } from 'node:util';
import { assert, fail } from './assert.js';
import { calls, loadCalls } from './libc-calls.js';

export { isLibcAvailable } from './libc-calls.js';

/** The error numbers that callers tell apart; the values of Linux on every ABI listed below. */
export const enum Errno {
  NotPermitted = 1,
  NoEntry = 2,
  Interrupted = 4,
  BadDescriptor = 9,
  Again = 11,
  NoMemory = 12,
  Busy = 16,
  Invalid = 22,
  TooManyFiles = 24,
  NoSpace = 28,
  Pipe = 32,
  NotSupported = 95,
  AddressInUse = 98,
  AddressNotAvailable = 99,
  ConnectionAborted = 103,
  ConnectionReset = 104,
}

/** Bits of an epoll event. */
export const enum Epoll {
  In = 0x1,
  Out = 0x4,
  Error = 0x8,
  HangUp = 0x10,
  PeerClosed = 0x2000,
  Exclusive = 0x10000000,
  OneShot = 0x40000000,
  EdgeTriggered = -0x80000000,
}

/** `level` of setOption. */
export const enum OptionLevel {
  Socket = 1,
  Tcp = 6,
  Ipv6 = 41,
}

/** `name` of setOption; the first group is of level Socket, then Tcp, then Ipv6. */
export const enum Option {
  ReuseAddress = 2,
  SendBuffer = 7,
  ReceiveBuffer = 8,
  KeepAlive = 9,
  Linger = 13,
  ReusePort = 15,
  NoDelay = 1,
  KeepIdle = 4,
  KeepInterval = 5,
  KeepCount = 6,
  UserTimeout = 18,
  OnlyIpv6 = 26,
}

/** `how` of shutdown. */
export const enum ShutdownSide {
  Read = 0,
  Write = 1,
  Both = 2,
}

/** `how` of syncRange. */
export const enum SyncRange {
  Begin = 2,
  Wait = 1 | 2 | 4,
}

const enum AddressFamily {
  Unix = 1,
  Ipv4 = 2,
  Ipv6 = 10,
}

// sockaddr_in, sockaddr_in6 and sockaddr_un. The family is native-endian, the port big-endian.
//
//   0        2      4          8               24      28
//  ┌────────┬──────┬──────────┬───────────────┬───────┐
//  │ family │ port │ IPv4     │ zero to 16    │       │
//  │        │      │ flow     │ IPv6          │ scope │
//  │        │ path, ended by NUL, at most 107 bytes … │
//  └────────┴──────┴──────────┴───────────────┴───────┘
const enum Address {
  Family = 0,
  Port = 2,
  Ipv4 = 4,
  Ipv6 = 8,
  Path = Port, // of another family than Port, so they share their place
  Ipv4Bytes = 16,
  Ipv6Bytes = 28,
  PathBytesMax = 107,
  BytesMax = 128,
}

const enum OpenFlag {
  NonBlocking = 0x800,
  CloseOnExec = 0x80000,
}

const enum MessageFlag {
  DontWait = 0x40,
  NoSignal = 0x4000,
}

const enum EpollOperation {
  Add = 1,
  Remove = 2,
  Modify = 3,
}

const enum Advice {
  DontNeed = 4,
  NoHugePage = 15,
}

const SOCKET_STREAM = 1;
// Which kind of number setpriority takes; on Linux it is that of a thread.
const PRIORITY_PROCESS = 0;
const RESOURCE_OPEN_FILES = 7;
const BACKLOG_MAX = 1 << 20;
const AFFINITY_BYTES = 128; // 1024 processors: what glibc's cpu_set_t holds
// The smallest page of the ABIs below: where pages are larger, the kernel refuses the rest.
const PAGE_BYTES = 4096;
const RETRIES_MAX = 1000; // of a call that signals interrupt; more is a fault elsewhere

// The kernel lays out epoll_event without padding on x86-64 alone.
const EVENT_WORDS = process.arch === 'x64' ? 3 : 4;
const EVENT_DATA_WORD = process.arch === 'x64' ? 1 : 2;

// Few libcs have functions for these two.
const SYSCALL_SCHED_SETATTR = process.arch === 'x64' ? 314 : 274;
const SYSCALL_SCHED_GETATTR = process.arch === 'x64' ? 315 : 275;
// struct sched_attr in its first version, and its word for the slice.
const SCHEDULING_BYTES = 48;
const SCHEDULING_RUNTIME = 24;

// Small arguments that libc reads or writes through a pointer, one area per thread. A call uses it
// from start to end, so nothing is kept here between calls.
//
//   0         8         16                144      152     168            280
//  ┌─────────┬─────────┬─────────────────┬────────┬───────┬──────────────┐
//  │ counter │ int     │ socket address  │ length │ event │ text or mask │
//  └─────────┴─────────┴─────────────────┴────────┴───────┴──────────────┘
const enum Area {
  Counter = 0,
  Int = 8,
  Address = 16,
  Length = 144,
  Event = 152,
  Text = 168,
  TextBytes = 128,
  Bytes = 168 + 128,
}

const area = new Uint8Array(new ArrayBuffer(Area.Bytes));
const area32 = new Int32Array(area.buffer);
const area64 = new BigUint64Array(area.buffer, 0, Area.Bytes >> 3);
let areaAddress = 0;

function areaAt(offset: number): number {
  if (areaAddress === 0) areaAddress = addressOf(area);
  return areaAddress + offset;
}

/** The address of a view's first byte. Whoever uses it keeps the view (or its buffer) alive. */
export function addressOf(view: Uint8Array | Int32Array | SharedArrayBuffer): number {
  const bytes = view instanceof SharedArrayBuffer ? new Uint8Array(view, 0) : view;
  assert(bytes.byteLength > 0, 'an empty view has no address');
  // A small typed array may live inside V8's heap, which moves things, until its buffer is asked
  // for.
  assert(bytes.buffer.byteLength > 0, 'a detached view has no address');
  const address = Number((calls ?? loadCalls()).address(bytes));
  assert(Number.isSafeInteger(address) && address > 0, 'an address that a number cannot hold');
  return address;
}

// ---- bytes in and out -------------------------------------------------------------------------

/** Bytes received into memory at `address`; 0 when the peer has finished; or -errno. */
export function recv(fd: number, address: number, bytes: number): number {
  assert(fd >= 0 && address > 0 && bytes > 0, 'recv needs a descriptor and memory to fill');
  const libc = calls ?? loadCalls();
  for (let tries = 0; tries < RETRIES_MAX; tries++) {
    const got = libc.recv(fd, address, bytes, MessageFlag.DontWait);
    if (got >= 0) return got;
    const errno = libc.errno();
    if (errno !== Errno.Interrupted) return -errno;
  }
  return fail('recv was interrupted without end');
}

/** Bytes that the socket took, perhaps fewer than given; or -errno. */
export function send(fd: number, address: number, bytes: number): number {
  assert(fd >= 0 && address > 0 && bytes > 0, 'send needs a descriptor and bytes');
  const libc = calls ?? loadCalls();
  for (let tries = 0; tries < RETRIES_MAX; tries++) {
    const sent = libc.send(fd, address, bytes, MessageFlag.DontWait | MessageFlag.NoSignal);
    if (sent >= 0) return sent;
    const errno = libc.errno();
    if (errno !== Errno.Interrupted) return -errno;
  }
  return fail('send was interrupted without end');
}

/** Bytes written to a file, perhaps fewer than given; or -errno. */
export function write(fd: number, address: number, bytes: number): number {
  assert(fd >= 0 && address > 0 && bytes > 0, 'write needs a descriptor and bytes');
  const libc = calls ?? loadCalls();
  for (let tries = 0; tries < RETRIES_MAX; tries++) {
    const written = libc.write(fd, address, bytes);
    if (written >= 0) return written;
    const errno = libc.errno();
    if (errno !== Errno.Interrupted) return -errno;
  }
  return fail('write was interrupted without end');
}

/** As write, to the file's bytes from `position` on, wherever its offset stands; or -errno. */
export function writeAt(fd: number, address: number, bytes: number, position: number): number {
  assert(fd >= 0 && address > 0 && bytes > 0, 'pwrite needs a descriptor and bytes');
  assert(Number.isSafeInteger(position) && position >= 0, 'pwrite needs a place in the file');
  const libc = calls ?? loadCalls();
  for (let tries = 0; tries < RETRIES_MAX; tries++) {
    const written = libc.writeAt(fd, address, bytes, position);
    if (written >= 0) return written;
    const errno = libc.errno();
    if (errno !== Errno.Interrupted) return -errno;
  }
  return fail('pwrite was interrupted without end');
}

/** Returns when the file's bytes are on the disk: 0, or -errno (and then they may be lost). */
export function fdatasync(fd: number): number {
  assert(fd >= 0, 'fdatasync needs a descriptor');
  const libc = calls ?? loadCalls();
  for (let tries = 0; tries < RETRIES_MAX; tries++) {
    if (libc.fdatasync(fd) === 0) return 0;
    const errno = libc.errno();
    if (errno !== Errno.Interrupted) return -errno;
  }
  return fail('fdatasync was interrupted without end');
}

/**
 * Has the system begin to write the file's bytes from `position` on to the disk (SyncRange.Begin),
 * or also wait until they are written: 0, or -errno. Nothing survives the machine by this alone.
 */
export function syncRange(fd: number, position: number, bytes: number, how: SyncRange): number {
  assert(fd >= 0 && position >= 0 && bytes > 0, 'sync_file_range needs a part of a file');
  const libc = calls ?? loadCalls();
  for (let tries = 0; tries < RETRIES_MAX; tries++) {
    if (libc.syncRange(fd, position, bytes, how) === 0) return 0;
    const errno = libc.errno();
    if (errno !== Errno.Interrupted) return -errno;
  }
  return fail('sync_file_range was interrupted without end');
}

// ---- epoll ------------------------------------------------------------------------------------

/** The memory that epollWait fills, and its accessors: valid until the next wait. */
export class EpollEvents {
  readonly capacity: number;
  readonly address: number;
  private readonly words: Int32Array;

  constructor(capacity: number) {
    assert(capacity > 0 && capacity <= 65536, 'an event buffer holds 1 to 65536 events');
    this.capacity = capacity;
    this.words = new Int32Array(new ArrayBuffer(capacity * EVENT_WORDS * 4));
    this.address = addressOf(this.words);
  }

  /** The Epoll bits of event `index`. */
  eventsOf(index: number): number {
    return this.words[index * EVENT_WORDS]!;
  }

  /** The low word given to epollAdd: the descriptor, by convention. */
  lowOf(index: number): number {
    return this.words[index * EVENT_WORDS + EVENT_DATA_WORD]!;
  }

  /** The high word given to epollAdd: the generation of the connection, by convention. */
  highOf(index: number): number {
    return this.words[index * EVENT_WORDS + EVENT_DATA_WORD + 1]!;
  }
}

/** A new epoll descriptor, or -errno. */
export function epollCreate(): number {
  return checked((calls ?? loadCalls()).epollCreate(OpenFlag.CloseOnExec));
}

export function epollAdd(
  epfd: number,
  fd: number,
  events: number,
  dataLow: number,
  dataHigh: number,
): number {
  return epollControl(EpollOperation.Add, epfd, fd, events, dataLow, dataHigh);
}

export function epollModify(
  epfd: number,
  fd: number,
  events: number,
  dataLow: number,
  dataHigh: number,
): number {
  return epollControl(EpollOperation.Modify, epfd, fd, events, dataLow, dataHigh);
}

export function epollRemove(epfd: number, fd: number): number {
  return epollControl(EpollOperation.Remove, epfd, fd, 0, 0, 0);
}

function epollControl(
  operation: EpollOperation,
  epfd: number,
  fd: number,
  events: number,
  dataLow: number,
  dataHigh: number,
): number {
  assert(epfd >= 0 && fd >= 0, 'epoll_ctl needs two descriptors');
  const first = Area.Event >> 2;
  area32[first] = events;
  area32[first + EVENT_DATA_WORD] = dataLow;
  area32[first + EVENT_DATA_WORD + 1] = dataHigh;
  const libc = calls ?? loadCalls();
  return checked(libc.epollControl(epfd, operation, fd, areaAt(Area.Event)));
}

/**
 * How many events arrived, 0 after `timeoutMs` without any, or -errno. 0 ms looks and returns, -1
 * waits for ever. A signal ends the wait early with 0, so that no deadline of the caller is missed.
 */
export function epollWait(epfd: number, events: EpollEvents, timeoutMs: number): number {
  assert(epfd >= 0 && timeoutMs >= -1, 'epoll_wait needs a descriptor and a timeout');
  const libc = calls ?? loadCalls();
  const count = libc.epollWait(epfd, events.address, events.capacity, timeoutMs);
  if (count >= 0) return count;
  const errno = libc.errno();
  return errno === Errno.Interrupted ? 0 : -errno;
}

// ---- sockets ----------------------------------------------------------------------------------

/** A TCP socket that does not block, or -errno. */
export function socketTcp(ipv6: boolean): number {
  return socket(ipv6 ? AddressFamily.Ipv6 : AddressFamily.Ipv4);
}

/** A unix stream socket that does not block, or -errno. */
export function socketUnix(): number {
  return socket(AddressFamily.Unix);
}

function socket(family: AddressFamily): number {
  const kind = SOCKET_STREAM | OpenFlag.NonBlocking | OpenFlag.CloseOnExec;
  return checked((calls ?? loadCalls()).socket(family, kind, 0));
}

/** Sets a socket option that is an int. */
export function setOption(fd: number, level: number, name: number, value: number): number {
  assert(fd >= 0 && Number.isInteger(value), 'setsockopt needs a descriptor and an integer');
  area32[Area.Int >> 2] = value;
  return checked((calls ?? loadCalls()).setOption(fd, level, name, areaAt(Area.Int), 4));
}

/** Does this host text need an IPv6 socket? */
export function isIpv6Host(host: string): boolean {
  return host.includes(':');
}

/**
 * Binds to an address literal, to every IPv4 address ('*') or to every IPv6 address ('::*'). Names
 * are not resolved: -EINVAL. An IPv6 socket takes IPv6 only, so that both can share a port.
 */
export function bindTcp(fd: number, host: string, port: number): number {
  assert(fd >= 0, 'bind needs a descriptor');
  assert(Number.isInteger(port) && port >= 0 && port <= 65535, 'a port is 0 to 65535');
  const isIpv6 = isIpv6Host(host);
  const literal = host === '*' ? '0.0.0.0' : host === '::*' ? '::' : host;
  const family = isIpv6 ? AddressFamily.Ipv6 : AddressFamily.Ipv4;
  const bytes = isIpv6 ? Address.Ipv6Bytes : Address.Ipv4Bytes;

  area.fill(0, Area.Address, Area.Address + Address.BytesMax);
  area[Area.Address + Address.Family] = family;
  area[Area.Address + Address.Port] = port >> 8;
  area[Area.Address + Address.Port + 1] = port & 0xff;
  if (!writeText(literal)) return -Errno.Invalid;
  const libc = calls ?? loadCalls();
  const host4or6 = areaAt(Area.Address + (isIpv6 ? Address.Ipv6 : Address.Ipv4));
  if (libc.addressOfText(family, areaAt(Area.Text), host4or6) !== 1) return -Errno.Invalid;

  if (isIpv6) {
    const result = setOption(fd, OptionLevel.Ipv6, Option.OnlyIpv6, 1);
    if (result < 0) return result;
  }
  return checked(libc.bind(fd, areaAt(Area.Address), bytes));
}

/** Binds to a path in the file system, which must not exist yet. */
export function bindUnix(fd: number, path: string): number {
  assert(fd >= 0, 'bind needs a descriptor');
  const bytes = Buffer.from(path, 'utf8');
  if (bytes.length === 0 || bytes.length > Address.PathBytesMax) return -Errno.Invalid;
  area.fill(0, Area.Address, Area.Address + Address.BytesMax);
  area[Area.Address + Address.Family] = AddressFamily.Unix;
  area.set(bytes, Area.Address + Address.Path);
  const length = Address.Path + bytes.length + 1;
  return checked((calls ?? loadCalls()).bind(fd, areaAt(Area.Address), length));
}

export function listen(fd: number, backlog: number): number {
  assert(
    fd >= 0 && backlog > 0 && backlog <= BACKLOG_MAX,
    'listen needs a descriptor and a backlog',
  );
  return checked((calls ?? loadCalls()).listen(fd, backlog));
}

/** The next connection, which does not block; -EAGAIN when none waits; or another -errno. */
export function accept(fd: number): number {
  assert(fd >= 0, 'accept needs a descriptor');
  const libc = calls ?? loadCalls();
  for (let tries = 0; tries < RETRIES_MAX; tries++) {
    const connection = libc.accept(fd, 0, 0, OpenFlag.NonBlocking | OpenFlag.CloseOnExec);
    if (connection >= 0) return connection;
    const errno = libc.errno();
    if (errno !== Errno.Interrupted) return -errno;
  }
  return fail('accept was interrupted without end');
}

/**
 * The other end as CLIENT LIST prints it: 'ip:port', '[ip]:port', or 'path:0' with the path that
 * the server listens on; '?:0' once the peer is gone.
 */
export function peerName(fd: number): string {
  return nameOf(fd, 'peer');
}

/** This end as CLIENT LIST prints it, in the forms of peerName. */
export function localName(fd: number): string {
  return nameOf(fd, 'local');
}

function nameOf(fd: number, end: 'peer' | 'local'): string {
  assert(fd >= 0, 'a name needs a descriptor');
  if (!readAddress(fd, end)) return '?:0';
  if (area[Area.Address + Address.Family] !== AddressFamily.Unix) return inetName();
  // A client's unix socket has no name. Redis prints the path of the server's end for both.
  const path = unixPath();
  if (path !== '' || end === 'local') return `${path}:0`;
  return readAddress(fd, 'local') ? `${unixPath()}:0` : '?:0';
}

function readAddress(fd: number, end: 'peer' | 'local'): boolean {
  const libc = calls ?? loadCalls();
  area.fill(0, Area.Address, Area.Address + Address.BytesMax);
  area32[Area.Length >> 2] = Address.BytesMax;
  const call = end === 'peer' ? libc.peerAddress : libc.localAddress;
  return call(fd, areaAt(Area.Address), areaAt(Area.Length)) === 0;
}

function unixPath(): string {
  const start = Area.Address + Address.Path;
  const end = area.indexOf(0, start);
  return Buffer.from(area.buffer, start, end - start).toString('utf8');
}

function inetName(): string {
  const isIpv6 = area[Area.Address + Address.Family] === AddressFamily.Ipv6;
  const family = isIpv6 ? AddressFamily.Ipv6 : AddressFamily.Ipv4;
  const host4or6 = areaAt(Area.Address + (isIpv6 ? Address.Ipv6 : Address.Ipv4));
  const port = (area[Area.Address + Address.Port]! << 8) | area[Area.Address + Address.Port + 1]!;
  const libc = calls ?? loadCalls();
  const text = libc.textOfAddress(family, host4or6, areaAt(Area.Text), Area.TextBytes);
  if (Number(text) === 0) return `?:${port}`;
  const host = readText();
  return isIpv6Host(host) ? `[${host}]:${port}` : `${host}:${port}`;
}

function writeText(text: string): boolean {
  const bytes = Buffer.from(text, 'latin1');
  if (bytes.length + 1 > Area.TextBytes) return false;
  area.set(bytes, Area.Text);
  area[Area.Text + bytes.length] = 0;
  return true;
}

function readText(): string {
  const end = area.indexOf(0, Area.Text);
  return Buffer.from(area.buffer, Area.Text, end - Area.Text).toString('latin1');
}

/** Ends one or both directions of a connection; the descriptor stays open. */
export function shutdown(fd: number, how: ShutdownSide): number {
  assert(fd >= 0, 'shutdown needs a descriptor');
  return checked((calls ?? loadCalls()).shutdown(fd, how));
}

/** Gives the descriptor back. Never retried: after EINTR it is closed, and may be in use again. */
export function close(fd: number): number {
  assert(fd >= 0, 'close needs a descriptor');
  const libc = calls ?? loadCalls();
  if (libc.close(fd) === 0) return 0;
  const errno = libc.errno();
  return errno === Errno.Interrupted ? 0 : -errno;
}

// ---- eventfd ----------------------------------------------------------------------------------

/** A counter that epoll can watch, or -errno. */
export function eventfd(): number {
  const flags = OpenFlag.NonBlocking | OpenFlag.CloseOnExec;
  return checked((calls ?? loadCalls()).eventfd(0, flags));
}

/** Makes the counter readable. A full counter (EAGAIN) is readable already, so that is success. */
export function eventfdSignal(fd: number): number {
  assert(fd >= 0, 'an eventfd needs a descriptor');
  area64[Area.Counter >> 3] = 1n;
  const written = write(fd, areaAt(Area.Counter), 8);
  return written === 8 || written === -Errno.Again ? 0 : written;
}

/** Takes the counter back to zero: 1 if it had been signalled, 0 if not, or -errno. */
export function eventfdDrain(fd: number): number {
  assert(fd >= 0, 'an eventfd needs a descriptor');
  const libc = calls ?? loadCalls();
  for (let tries = 0; tries < RETRIES_MAX; tries++) {
    const got = libc.read(fd, areaAt(Area.Counter), 8);
    if (got === 8) return 1;
    const errno = libc.errno();
    if (errno === Errno.Again) return 0;
    if (errno !== Errno.Interrupted) return -errno;
  }
  return fail('an eventfd was interrupted without end');
}

// ---- memory -----------------------------------------------------------------------------------

/** Gives whole pages back to the system; they read as zero afterwards. */
export function madviseDontNeed(address: number, bytes: number): number {
  return madvise(address, bytes, Advice.DontNeed);
}

/** Asks for small pages only, so that touching one byte does not make 2 MiB resident. */
export function madviseNoHugePage(address: number, bytes: number): number {
  return madvise(address, bytes, Advice.NoHugePage);
}

function madvise(address: number, bytes: number, advice: Advice): number {
  assert(address > 0 && bytes > 0, 'madvise needs memory');
  assert(address % PAGE_BYTES === 0, 'madvise needs whole pages: the address is inside one');
  assert(bytes % PAGE_BYTES === 0, 'madvise needs whole pages: the end is inside one');
  return checked((calls ?? loadCalls()).madvise(address, bytes, advice));
}

// ---- process and thread -----------------------------------------------------------------------

/** Raises the soft limit of open files to the hard one, and returns the limit now in force. */
export function setrlimitNoFile(): number {
  const libc = calls ?? loadCalls();
  const soft = Area.Address >> 3;
  const hard = soft + 1;
  const address = areaAt(Area.Address);
  assert(libc.getLimit(RESOURCE_OPEN_FILES, address) === 0, 'the limit of open files is readable');
  const before = area64[soft]!;
  area64[soft] = area64[hard]!;
  const isRaised = libc.setLimit(RESOURCE_OPEN_FILES, address) === 0;
  const limit = isRaised ? area64[hard]! : before;
  return limit > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : Number(limit);
}

/** Sets the nice value of the thread `tid`: Linux has one for each thread. 0, or -errno. */
export function setNice(tid: number, nice: number): number {
  assert(tid > 0, 'a thread has a number above 0');
  return checked((calls ?? loadCalls()).setPriority(PRIORITY_PROCESS, tid, nice));
}

/**
 * Asks for turns of `ns` nanoseconds (0.1 to 100 ms) for the thread `tid` (0: this one). Linux from
 * 6.12 lets a thread that wakes up go before one whose turns are longer; older ones take the wish
 * and do nothing. 0, or -errno.
 */
export function setSlice(tid: number, ns: number): number {
  assert(tid >= 0 && ns > 0, 'a thread has a number, and a turn takes time');
  const { systemCall } = calls ?? loadCalls();
  const address = areaAt(Area.Text);
  area.fill(0, Area.Text, Area.Text + SCHEDULING_BYTES);
  const found = checked(systemCall(SYSCALL_SCHED_GETATTR, tid, address, SCHEDULING_BYTES, 0));
  if (found < 0) return found;
  area64[(Area.Text + SCHEDULING_RUNTIME) >> 3] = BigInt(ns);
  return checked(systemCall(SYSCALL_SCHED_SETATTR, tid, address, 0, 0));
}

/** Binds the thread `tid` (0: this one) to one processor. */
export function schedSetAffinity(tid: number, cpu: number): number {
  assert(tid >= 0 && cpu >= 0 && cpu < AFFINITY_BYTES * 8, 'there is no such processor');
  area.fill(0, Area.Text, Area.Text + AFFINITY_BYTES);
  area[Area.Text + (cpu >> 3)] = 1 << (cpu & 7);
  const libc = calls ?? loadCalls();
  return checked(libc.setAffinity(tid, AFFINITY_BYTES, areaAt(Area.Text)));
}

/** The kernel's id of this thread. */
export function getTid(): number {
  return (calls ?? loadCalls()).getTid();
}

// ---- errors -----------------------------------------------------------------------------------

/** A result below zero as words: 'EADDRINUSE: address already in use'. */
export function errnoText(result: number): string {
  const row = getSystemErrorMap().get(-Math.abs(result));
  return row === undefined ? `errno ${Math.abs(result)}` : `${row[0]}: ${row[1]}`;
}

/** errno stands right behind the call that set it: nothing in between enters libc. */
function checked(result: number): number {
  return result >= 0 ? result : -calls!.errno();
}

assert(Area.Address % 8 === 0 && Area.Event % 8 === 0, 'what libc reads is aligned');
assert(Area.TextBytes >= AFFINITY_BYTES, 'a processor mask fits where text does');
