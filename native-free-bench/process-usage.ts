// What a server process used: processor time of all its threads, and resident memory.

import { readdirSync, readFileSync } from 'node:fs';
import type { Control } from './control.js';

export interface Usage {
  /** User and system time in nanoseconds. */
  readonly cpuNs: number;
  readonly residentBytes: number;
}

const TICK_NS = 1e7; // Linux counts times in /proc/PID/stat in hundredths of a second

/** Reads /proc where the process is ours and the system has it, else asks the server. */
export async function readUsage(pid: number | null, control: Control): Promise<Usage> {
  const cpuNs = pid === null ? null : (readScheduledNs(pid) ?? readTickedNs(pid));
  const residentBytes = pid === null ? null : readResidentBytes(pid);
  if (cpuNs !== null && residentBytes !== null) return { cpuNs, residentBytes };
  const cpu = await control.info('cpu');
  const memory = await control.info('memory');
  const seconds = Number(cpu.get('used_cpu_user')) + Number(cpu.get('used_cpu_sys'));
  return { cpuNs: seconds * 1e9, residentBytes: Number(memory.get('used_memory_rss')) };
}

/**
 * The time of each thread in nanoseconds from the scheduler, summed. A thread that ended is missing
 * from the sum, so this fits servers whose threads live as long as the process.
 */
export function readScheduledNs(pid: number): number | null {
  let total = 0;
  try {
    for (const thread of readdirSync(`/proc/${pid}/task`)) {
      const text = readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8');
      total += Number(text.split(' ')[0]);
    }
  } catch {
    return null;
  }
  return total > 0 ? total : null; // a kernel without schedstats shows zeroes
}

export function readTickedNs(pid: number): number | null {
  try {
    // The name in parentheses may hold spaces; utime and stime are the 12th and 13th field after
    // it.
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').pop()!.split(' ');
    return (Number(fields[11]) + Number(fields[12])) * TICK_NS;
  } catch {
    return null;
  }
}

export function readResidentBytes(pid: number): number | null {
  try {
    const match = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
    return match === null ? null : Number(match[1]) * 1024;
  } catch {
    return null;
  }
}
