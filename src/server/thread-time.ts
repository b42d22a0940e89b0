// Processor time of a single thread, for INFO. Node 20 tells that of the process only.

import { readFileSync } from 'node:fs';

/** Linux counts it in hundredths of a second for everybody who asks this way. */
const US_PER_TICK = 10_000;
/** Fields of a stat line behind the name in parentheses: utime and stime. */
const USER_FIELD = 11;
const SYSTEM_FIELD = 12;

/** Microseconds that thread `tid` of this process has used; null where the system does not tell. */
export function threadTime(tid: number): { userUs: number; systemUs: number } | null {
  try {
    const line = readFileSync(`/proc/self/task/${tid}/stat`, 'latin1');
    const fields = line.slice(line.lastIndexOf(')') + 2).split(' ');
    return {
      userUs: Number(fields[USER_FIELD]) * US_PER_TICK,
      systemUs: Number(fields[SYSTEM_FIELD]) * US_PER_TICK,
    };
  } catch {
    return null;
  }
}
