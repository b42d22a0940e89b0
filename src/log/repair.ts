// How a log directory is made to end where its records still follow each other without a gap: the
// manifest in which everything is closed at the cut, and an empty generation behind it. The logs
// stay as they are: what stands behind the bounds of a closed generation counts no more. A server
// that starts does the same (keeper.ts), but for damage it asks for this first.

import { type Disk, replaceFile, writeFile } from '../base/disk.js';
import { formatFileHead } from './file-head.js';
import {
  formatManifest,
  type Generation,
  logFileName,
  MANIFEST_NAME,
  MANIFEST_TEMPORARY_NAME,
  type Manifest,
} from './manifest.js';

/** The manifest of what is left when all records behind `cut` are given up. */
export function manifestUpTo(manifest: Manifest, cut: number, newHistory: string): Manifest {
  const { base, generations, partitionCount } = manifest;
  const least = base?.number ?? -1;
  const closed = generations
    .map((each): Generation => ({ ...each, to: Math.min(each.to ?? cut, cut) }))
    // One that nothing is left of, or all of which is in the base, is dropped.
    .filter(({ from, to }) => to! >= from && to! > least);
  const generation = generations.at(-1)!.generation + 1;
  return {
    history: newHistory,
    partitionCount,
    base,
    generations: [...closed, { generation, from: cut + 1, to: null, logCount: 1 }],
  };
}

/**
 * Makes the empty log of the last generation, then the manifest that names it, durably and in this
 * order. Throws a DiskError; then the directory is what it was.
 */
export function writeRepaired(disk: Disk, directory: string, manifest: Manifest): void {
  const { generation } = manifest.generations.at(-1)!;
  const head = formatFileHead({ generation, thread: 0, history: manifest.history });
  writeFile(disk, `${directory}/${logFileName(generation, 0)}`, head);
  disk.syncDirectory(directory);
  const text = Buffer.from(formatManifest(manifest), 'latin1');
  replaceFile(disk, directory, MANIFEST_NAME, MANIFEST_TEMPORARY_NAME, text);
}
