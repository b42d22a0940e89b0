// The machine under the benchmark, and how its cores are shared out between server and load.

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cpus, release, totalmem, type } from 'node:os';
import { delimiter, join } from 'node:path';

export interface Machine {
  readonly processor: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly kernel: string;
  readonly node: string;
  readonly takenAt: string;
}

export interface CorePlan {
  /** Lists as taskset takes them; null where nothing is pinned. */
  readonly server: string | null;
  readonly load: string | null;
}

export function describeMachine(): Machine {
  return {
    processor: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: `${type()} ${release()}`,
    node: process.version,
    takenAt: new Date().toISOString(),
  };
}

/** The full path of a program on the PATH, or null. */
export function findProgram(name: string): string | null {
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    const path = join(folder, name);
    if (folder !== '' && existsSync(path)) return path;
  }
  return null;
}

/**
 * The server gets the first cores and the load the others. Where a server with many threads leaves
 * no core over, both run wherever the system puts them.
 */
export function planCores(cores: number, serverThreads: number, canPin: boolean): CorePlan {
  if (!canPin || cores <= serverThreads) return { server: null, load: null };
  return { server: coreList(0, serverThreads), load: coreList(serverThreads, cores) };
}

/** Pins all threads of this process, and so those it will start, to the given cores. */
export function pinThisProcess(list: string | null): void {
  if (findProgram('taskset') === null) return;
  const target = list ?? coreList(0, cpus().length);
  spawnSync('taskset', ['-a', '-c', '-p', target, String(process.pid)], { stdio: 'ignore' });
}

function coreList(first: number, end: number): string {
  return end - first === 1 ? String(first) : `${first}-${end - 1}`;
}
