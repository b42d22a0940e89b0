// Files of the data directory as what RDB files are read from.

import { type Disk, DiskError } from '../base/disk.js';
import { FileSource } from '../rdb/file-source.js';

/** The open file from its first byte on. */
export function sourceOf(disk: Disk, path: string, fd: number): FileSource {
  let position = 0;
  return new FileSource({
    bytesTotal: disk.sizeOf(fd),
    read(u8, start, length) {
      const count = disk.readAt(fd, u8, start, length, position);
      if (count < 0) throw new DiskError('Reading', path, -count);
      position += count;
      return count;
    },
  });
}
