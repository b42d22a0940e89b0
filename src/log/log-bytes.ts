// The files of a log directory as what the merge reads: opened by name, closed together.

import { type Disk, DiskError, Open } from '../base/disk.js';
import type { LogBytes } from './log-reader.js';

export class LogOpener {
  private readonly disk: Disk;
  private readonly directory: string;
  private readonly isForRecovery: boolean;
  private readonly files: { readonly fd: number; readonly path: string }[] = [];

  constructor(disk: Disk, directory: string, use: 'recovery' | 'look') {
    this.disk = disk;
    this.directory = directory;
    this.isForRecovery = use === 'recovery';
  }

  /** Null when there is no such file. */
  open(name: string): LogBytes | null {
    const { disk } = this;
    const path = `${this.directory}/${name}`;
    if (!disk.exists(path)) return null;
    // Not every system syncs what cannot be written.
    const fd = disk.open(path, this.isForRecovery ? Open.Edit : Open.Read);
    this.files.push({ fd, path });
    return {
      size: disk.sizeOf(fd),
      read(u8, at, length, position) {
        const count = disk.readAt(fd, u8, at, length, position);
        if (count < 0) throw new DiskError('Reading', path, -count);
        return count;
      },
    };
  }

  /**
   * What was read is on the disk from here on: the process that wrote it may have died before its
   * next sync, and a manifest that says how far it counts must not outlive it.
   */
  sync(): void {
    for (const { fd, path } of this.files) {
      const result = this.disk.sync(fd);
      if (result < 0) throw new DiskError('Syncing', path, -result);
    }
  }

  close(): void {
    for (const { fd } of this.files) this.disk.close(fd);
    this.files.length = 0;
  }
}
