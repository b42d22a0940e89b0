// A disk in memory that forgets what was not synced and fails on command, so that crash tests run
// in process by the thousand.
//
// What survives a crash: of each file the bytes of its last sync, and any part of what was written
// since (a write may have reached the disk by itself, and may be torn); of each directory the names
// at its last sync, and any of the changes since. `crashed(random)` draws one such outcome. With
// `null` nothing unsynced survives; `killed()` is what a dead process leaves: all of it.

import { type Disk, DiskError, Open } from '../../src/base/disk.js';
import type { Random } from './seed.js';

const NO_ENTRY = 2;
const NOT_A_DIRECTORY = 20;
const EXISTS_NOT = new Uint8Array(0);

interface Write {
  readonly position: number;
  /** Null: the file was cut to `position`. */
  readonly bytes: Uint8Array | null;
}

class Content {
  /** As a reader sees it now. */
  now: Uint8Array = EXISTS_NOT;
  synced: Uint8Array = EXISTS_NOT;
  /** Since the last sync. */
  writes: Write[] = [];

  apply(write: Write): void {
    this.now = applied(this.now, write);
    this.writes.push(write);
  }

  sync(): void {
    this.synced = this.now;
    this.writes = [];
  }
}

function applied(before: Uint8Array, { position, bytes }: Write): Uint8Array {
  if (bytes === null) {
    const cut = new Uint8Array(position);
    cut.set(before.subarray(0, position));
    return cut;
  }
  const after = new Uint8Array(Math.max(before.length, position + bytes.length));
  after.set(before);
  after.set(bytes, position);
  return after;
}

/** Which operation fails. */
export type Operation = 'open' | 'write' | 'sync' | 'truncate' | 'rename' | 'syncDirectory';

interface Fault {
  readonly operation: Operation;
  readonly errno: number;
  /** So many of the operation go well before. */
  after: number;
  /** Then so many fail; Infinity until `heal`. */
  times: number;
  /** A write that fails has still written so many bytes, in a call of its own. */
  readonly tornBytes: number;
  /** Only files whose path contains this. */
  readonly path: string;
}

interface NameChange {
  readonly path: string;
  readonly content: Content | null;
}

export class SimulatedDisk implements Disk {
  private readonly names = new Map<string, Content>();
  /** Names as of the last sync of their directory. */
  private readonly syncedNames = new Map<string, Content>();
  private nameChanges: NameChange[] = [];
  private readonly fds = new Map<number, { path: string; content: Content }>();
  private readonly directories = new Set<string>();
  private nextFd = 100;
  private faults: Fault[] = [];
  capacityBytes = Number.POSITIVE_INFINITY;
  /** How often each operation was called. */
  readonly counts: Record<Operation, number> = {
    open: 0,
    write: 0,
    sync: 0,
    truncate: 0,
    rename: 0,
    syncDirectory: 0,
  };
  /** Called before each operation that changes the disk: a test crashes the world here. */
  beforeChange: () => void = () => {};

  failNext(
    operation: Operation,
    errno: number,
    how: { after?: number; times?: number; tornBytes?: number; path?: string } = {},
  ): void {
    const { after = 0, times = 1, tornBytes = 0, path = '' } = how;
    this.faults.push({ operation, errno, after, times, tornBytes, path });
  }

  heal(): void {
    this.faults = [];
    this.capacityBytes = Number.POSITIVE_INFINITY;
  }

  private faultOf(operation: Operation, path: string): Fault | null {
    this.counts[operation]++;
    this.beforeChange();
    for (const fault of this.faults) {
      if (fault.operation !== operation || !path.includes(fault.path) || fault.times === 0)
        continue;
      if (fault.after-- > 0) continue;
      fault.after = 0;
      fault.times--;
      return fault;
    }
    return null;
  }

  open(path: string, how: Open): number {
    const fault = this.faultOf('open', path);
    if (fault !== null) throw new DiskError('Opening', path, fault.errno);
    let content = this.names.get(path);
    if (content === undefined) {
      if (how !== Open.Create) throw new DiskError('Opening', path, NO_ENTRY);
      content = new Content();
      this.setName(path, content);
    } else if (how === Open.Create && content.now.length > 0) {
      content.apply({ position: 0, bytes: null });
    }
    const fd = this.nextFd++;
    this.fds.set(fd, { path, content });
    return fd;
  }

  close(fd: number): void {
    if (!this.fds.delete(fd)) throw new Error(`descriptor ${fd} is not open`);
  }

  /** How many descriptors are open. */
  get openCount(): number {
    return this.fds.size;
  }

  private at(fd: number): { path: string; content: Content } {
    const found = this.fds.get(fd);
    if (found === undefined) throw new Error(`descriptor ${fd} is not open`);
    return found;
  }

  readAt(fd: number, u8: Uint8Array, start: number, length: number, position: number): number {
    const { content } = this.at(fd);
    const bytes = content.now.subarray(position, position + length);
    u8.set(bytes, start);
    return bytes.length;
  }

  writeAt(fd: number, u8: Uint8Array, start: number, length: number, position: number): number {
    const { path, content } = this.at(fd);
    const fault = this.faultOf('write', path);
    const room = this.capacityBytes - this.usedBytes();
    const grows = Math.max(0, position + length - content.now.length);
    if (fault === null && grows > room) {
      const fits = length - (grows - room);
      if (fits <= 0) return -28;
      content.apply({ position, bytes: u8.slice(start, start + fits) });
      return fits;
    }
    if (fault !== null) {
      if (fault.tornBytes === 0) return -fault.errno;
      const torn = Math.min(fault.tornBytes, length);
      content.apply({ position, bytes: u8.slice(start, start + torn) });
      // As the kernel does it: what went is answered first, the next call gets the error.
      this.faults.unshift({ ...fault, after: 0, times: 1, tornBytes: 0 });
      return torn;
    }
    content.apply({ position, bytes: u8.slice(start, start + length) });
    return length;
  }

  private usedBytes(): number {
    let sum = 0;
    for (const content of this.names.values()) sum += content.now.length;
    return sum;
  }

  sync(fd: number): number {
    const { path, content } = this.at(fd);
    const fault = this.faultOf('sync', path);
    if (fault !== null) {
      // What the kernel could not write it forgets, and says so only once.
      content.writes = [];
      return -fault.errno;
    }
    content.sync();
    return 0;
  }

  /** Of the pieces that were begun nobody knows which have come to the disk. */
  syncBehind(fd: number): number {
    const { path } = this.at(fd);
    const fault = this.faultOf('sync', path);
    return fault === null ? 0 : -fault.errno;
  }

  truncate(fd: number, bytes: number): number {
    const { path, content } = this.at(fd);
    const fault = this.faultOf('truncate', path);
    if (fault !== null) return -fault.errno;
    content.apply({ position: bytes, bytes: null });
    return 0;
  }

  sizeOf(fd: number): number {
    return this.at(fd).content.now.length;
  }

  exists(path: string): boolean {
    return this.names.has(path) || this.directories.has(path);
  }

  rename(from: string, to: string): void {
    const fault = this.faultOf('rename', from);
    if (fault !== null) throw new DiskError('Renaming', from, fault.errno);
    const content = this.names.get(from);
    if (content === undefined) throw new DiskError('Renaming', from, NO_ENTRY);
    this.setName(to, content);
    this.setName(from, null);
  }

  syncDirectory(path: string): void {
    const fault = this.faultOf('syncDirectory', path);
    if (fault !== null) throw new DiskError('Syncing the directory', path, fault.errno);
    for (const change of this.nameChanges) {
      if (directoryOf(change.path) === path) settle(this.syncedNames, change);
    }
    this.nameChanges = this.nameChanges.filter((change) => directoryOf(change.path) !== path);
  }

  remove(path: string): void {
    this.beforeChange();
    if (this.names.has(path)) this.setName(path, null);
  }

  makeDirectory(path: string): void {
    this.directories.add(path);
  }

  list(path: string): string[] {
    if (this.names.has(path)) throw new DiskError('Listing', path, NOT_A_DIRECTORY);
    const inside = [...this.names.keys()].filter((name) => directoryOf(name) === path);
    return inside.map((name) => name.slice(path.length + 1)).sort();
  }

  freeBytes(): number {
    return Math.max(0, this.capacityBytes - this.usedBytes());
  }

  private setName(path: string, content: Content | null): void {
    const change = { path, content };
    settle(this.names, change);
    this.nameChanges.push(change);
  }

  /** The disk after the machine went down. A random one keeps any part of what was not synced. */
  crashed(random: Random | null): SimulatedDisk {
    const names = new Map(this.syncedNames);
    for (const change of this.nameChanges) {
      if (random !== null && random.below(2) === 0) settle(names, change);
    }
    return this.copyOf(names, (content) => survivorOf(content, random));
  }

  /** The disk after the process died: the system still has all that was written. */
  killed(): SimulatedDisk {
    return this.copyOf(this.names, (content) => content.now);
  }

  private copyOf(
    names: ReadonlyMap<string, Content>,
    bytesOf: (content: Content) => Uint8Array,
  ): SimulatedDisk {
    const disk = new SimulatedDisk();
    for (const directory of this.directories) disk.directories.add(directory);
    for (const [path, content] of names) {
      const copy = new Content();
      copy.now = bytesOf(content);
      copy.sync();
      disk.names.set(path, copy);
      disk.syncedNames.set(path, copy);
    }
    return disk;
  }

  /** What a reader sees of the file; null when there is none. */
  contentOf(path: string): Uint8Array | null {
    return this.names.get(path)?.now ?? null;
  }
}

/** Writes reach the disk in any order, and each as a whole, in part, or not at all. */
function survivorOf(content: Content, random: Random | null): Uint8Array {
  let bytes = content.synced;
  if (random === null) return bytes;
  for (const write of content.writes) {
    const fate = random.below(3);
    if (fate === 0) continue;
    if (fate === 1 || write.bytes === null || write.bytes.length === 0) {
      bytes = applied(bytes, write);
    } else {
      const torn = write.bytes.subarray(0, random.below(write.bytes.length));
      bytes = applied(bytes, { position: write.position, bytes: torn });
    }
  }
  return bytes;
}

function settle(names: Map<string, Content>, { path, content }: NameChange): void {
  if (content === null) names.delete(path);
  else names.set(path, content);
}

function directoryOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')));
}
