// V8's own threads give way to workers that share their core.

import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { isLibcAvailable } from '../../src/base/libc.js';
import { deferCompilerThreads } from '../../src/server/compiler-threads.js';

/** Fields of a stat line behind the name in parentheses. */
const NICE_FIELD = 16;

function niceOf(tid: string): number {
  const line = readFileSync(`/proc/self/task/${tid}/stat`, 'latin1');
  return Number(line.slice(line.lastIndexOf(')') + 2).split(' ')[NICE_FIELD]);
}

describe("V8's own threads", () => {
  it.skipIf(!isLibcAvailable())('get a lower priority, and the main thread keeps its own', () => {
    const before = niceOf(String(process.pid));
    deferCompilerThreads();
    const others = readdirSync('/proc/self/task').filter((tid) => Number(tid) !== process.pid);
    expect(others.length).toBeGreaterThan(0);
    expect(new Set(others.map(niceOf))).toEqual(new Set([10]));
    expect(niceOf(String(process.pid))).toBe(before);
  });
});
