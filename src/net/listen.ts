// Listening sockets of the native transport, and what a fresh connection is told before it becomes
// one: too many of them, or protected mode.

import { lookup } from 'node:dns/promises';
import { connect, isIP } from 'node:net';
import {
  accept,
  addressOf,
  bindTcp,
  bindUnix,
  close,
  Errno,
  errnoText,
  isIpv6Host,
  listen,
  Option,
  OptionLevel,
  peerName,
  send,
  setOption,
  socketTcp,
  socketUnix,
} from '../base/libc.js';

/** A listening socket. */
export interface Listener {
  readonly fd: number;
  readonly isUnix: boolean;
  /** Its connections are for the threads that know TLS. */
  readonly isTls: boolean;
  /** '127.0.0.1:6379' or the path. */
  readonly name: string;
}

export interface ListenPlan {
  readonly port: number;
  /** Addresses; one that starts with '-' may be missing on this machine. */
  readonly bind: readonly string[];
  readonly backlog: number;
  /** A path where nothing is; '' for none. */
  readonly unixSocket: string;
  readonly isTls?: boolean;
}

/** The plan with addresses for names: what binds knows addresses only. */
export async function resolvePlan(plan: ListenPlan): Promise<ListenPlan> {
  return { ...plan, bind: await Promise.all(plan.bind.map(resolveEntry)) };
}

async function resolveEntry(entry: string): Promise<string> {
  const mark = entry.startsWith('-') ? '-' : '';
  const name = entry.slice(mark.length);
  if (name === '*' || name === '::*' || isIP(name) !== 0) return entry;
  try {
    const { address } = await lookup(name, { family: 4 });
    return mark + address;
  } catch {
    // Binding tells which entry it was.
    return entry;
  }
}

/**
 * Does somebody answer at this unix socket? Otherwise it was left behind by a server that is
 * gone.
 */
export function isAnswered(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path });
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}

/** Opens all listening sockets, or throws with the reason and leaves none open. */
export function openListeners(plan: ListenPlan, warn: (line: string) => void): Listener[] {
  const listeners: Listener[] = [];
  try {
    if (plan.port !== 0) {
      for (const host of plan.bind) {
        const listener = openListener(host, plan, warn);
        if (listener !== null) listeners.push(listener);
      }
      if (listeners.length === 0 && plan.bind.length > 0) {
        throw new Error(`Failed listening on port ${plan.port} (tcp), aborting.`);
      }
    }
    if (plan.unixSocket !== '') listeners.push(openUnix(plan));
    return listeners;
  } catch (error) {
    for (const listener of listeners) close(listener.fd);
    throw error;
  }
}

/** The address that an entry of `bind` means. */
export function hostOf(entry: string): string {
  const named = entry.startsWith('-') ? entry.slice(1) : entry;
  return named === '*' ? '0.0.0.0' : named === '::*' ? '::' : named;
}

/** Listens at one entry of `bind`; null where the machine lacks an address that may be missing. */
export function openListener(
  entry: string,
  plan: ListenPlan,
  warn: (line: string) => void,
): Listener | null {
  const isOptional = entry.startsWith('-');
  const host = hostOf(entry);
  const name = `${host}:${plan.port}`;
  const fd = socketTcp(isIpv6Host(host));
  let result = fd;
  if (fd >= 0) {
    setOption(fd, OptionLevel.Socket, Option.ReuseAddress, 1);
    result = bindTcp(fd, host, plan.port);
    if (result >= 0) result = listen(fd, backlogOf(plan));
  }
  if (result >= 0) return { fd, isUnix: false, isTls: plan.isTls === true, name };
  if (fd >= 0) close(fd);
  warn(`Could not create server TCP listening socket ${name}: ${errnoText(result)}`);
  const isAbsent = result === -Errno.AddressNotAvailable || result === -NO_SUCH_FAMILY;
  if (isOptional && isAbsent) return null;
  throw new Error(`Failed listening on port ${plan.port} (tcp), aborting.`);
}

/** EAFNOSUPPORT: a kernel without IPv6. */
const NO_SUCH_FAMILY = 97;
/** More than any kernel queues; the system cuts it to its own limit anyhow. */
const BACKLOG_MAX = 65_535;

function backlogOf({ backlog }: ListenPlan): number {
  return Math.min(Math.max(backlog, 1), BACKLOG_MAX);
}

function openUnix(plan: ListenPlan): Listener {
  const path = plan.unixSocket;
  const fd = socketUnix();
  let result = fd;
  if (fd >= 0) result = bindUnix(fd, path);
  if (result >= 0) result = listen(fd, backlogOf(plan));
  if (result < 0) {
    if (fd >= 0) close(fd);
    throw new Error(`Failed opening Unix socket: ${path}: ${errnoText(result)}`);
  }
  return { fd, isUnix: true, isTls: false, name: path };
}

export const DENIED_TEXT =
  '-DENIED Flagstone is running in protected mode because protected mode is enabled and no ' +
  'password is set for the default user. In this mode connections are only accepted from the ' +
  'loopback interface. If you want to connect from external computers, set a password ' +
  "(requirepass), or disable protected mode with 'CONFIG SET protected-mode no' from the " +
  'loopback interface if the server is not reachable from the internet.\r\n';
export const TOO_MANY_TEXT = '-ERR max number of clients reached\r\n';

/** Is this peer, as peerName prints it, on this machine? */
export function isLocalPeer(peer: string): boolean {
  return peer.startsWith('127.') || peer.startsWith('[::1]') || peer.startsWith('::1:');
}

/** Sends a line, if there is one, and closes, without waiting for a peer that does not read. */
export function turnAway(fd: number, text: string): void {
  if (text === '') {
    close(fd);
    return;
  }
  const bytes = Buffer.from(text, 'latin1');
  const owned = new Uint8Array(new ArrayBuffer(bytes.length));
  owned.set(bytes);
  send(fd, addressOf(owned), owned.length);
  close(fd);
}

/**
 * Accepts one connection: its descriptor with the options of a client set, −1 when nobody waits (or
 * the peer has left again), or another negative errno.
 */
export function acceptOne(listener: Listener, keepAliveSeconds: number): number {
  const fd = accept(listener.fd);
  if (fd < 0) return fd === -Errno.Again || fd === -Errno.ConnectionAborted ? -1 : fd;
  if (!listener.isUnix) {
    setOption(fd, OptionLevel.Tcp, Option.NoDelay, 1);
    if (keepAliveSeconds > 0) setKeepAlive(fd, keepAliveSeconds);
  }
  return fd;
}

/** As Redis: probes after so many seconds, then three at a third of that. */
function setKeepAlive(fd: number, seconds: number): void {
  const interval = Math.max(1, Math.floor(seconds / 3));
  setOption(fd, OptionLevel.Socket, Option.KeepAlive, 1);
  setOption(fd, OptionLevel.Tcp, Option.KeepIdle, seconds);
  setOption(fd, OptionLevel.Tcp, Option.KeepInterval, interval);
  setOption(fd, OptionLevel.Tcp, Option.KeepCount, 3);
}

export { peerName };
