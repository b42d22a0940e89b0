// The unix socket's place in the file system.

import { chmodSync, lstatSync, type Stats, unlinkSync } from 'node:fs';
import { isAnswered } from '../net/listen.js';

/**
 * Makes room at `path`: removes what a killed server left, and refuses what is not ours to
 * remove.
 */
export async function clearUnixSocket(path: string): Promise<void> {
  if (path === '') return;
  let found: Stats;
  try {
    found = lstatSync(path);
  } catch {
    // Nothing is there; whatever else is wrong with the path, binding will say.
    return;
  }
  if (!found.isSocket()) {
    throw new Error(`Failed opening Unix socket: ${path} exists and is not a socket.`);
  }
  if (await isAnswered(path)) {
    throw new Error(`Failed opening Unix socket: another server listens at ${path}.`);
  }
  removeFile(path);
}

/** `unixsocketperm`; 0 leaves it as the system made it. */
export function permitUnixSocket(path: string, mode: number): void {
  if (path !== '' && mode !== 0) chmodSync(path, mode);
}

export function removeFile(path: string): void {
  try {
    unlinkSync(path);
  } catch {
    // It is gone, which is what was wanted.
  }
}
