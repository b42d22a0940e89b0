// The report of a crash, of a thread that holds locks: it tells which, takes none, and is written
// once.

import { describe, expect, it } from 'vitest';
import { createControl } from '../../src/mesh/control.js';
import { reportCrash, setReporter } from '../../src/server/crash-report.js';
import type { LogFile } from '../../src/server/log-file.js';
import type { ProcessShape } from '../../src/server/shape.js';
import { formatSlab } from '../../src/slab/alloc.js';
import { holderOf, labelHold, releaseLock, takeLock } from '../../src/slab/lock.js';
import { Header, Slab } from '../../src/slab/slab.js';
import { ServerStats } from '../../src/stats/server.js';

const SLAB_BYTES = 4 * 2 ** 20;

describe('reportCrash', () => {
  it('tells whose locks are held, without waiting for them, and only once', () => {
    const slabs = [0, 1, 2].map((index) => new Slab(index, new SharedArrayBuffer(SLAB_BYTES)));
    for (const slab of slabs) formatSlab(slab, 16);
    const shape = {
      slabs: slabs.map(({ buffer }) => buffer),
      slabStarts: [0, 0, 0],
      control: createControl(),
      serverStats: new SharedArrayBuffer(ServerStats.bytesFor(3)),
      executorCount: 2,
      facts: { processId: 42, startedMs: 0, threadCount: 2, edges: [], transport: 'native' },
    } as unknown as ProcessShape;
    const lines: string[] = [];
    const log = {
      write: (level: string, text: string) => lines.push(`${level} ${text}`),
      writeLines: (more: readonly string[]) => lines.push(...more),
    } as unknown as LogFile;
    takeLock(slabs[0]!.i32, Header.Lock, holderOf(0));
    labelHold(slabs[0]!.i32, Header.Lock, 8);
    takeLock(slabs[2]!.i32, Header.Lock, holderOf(1));

    setReporter({ shape, name: 'worker 1', holder: 1, describe: () => ['command: get'] });
    reportCrash(log, new TypeError('torn'));
    const first = lines.length;
    reportCrash(log, new Error('what follows from it'));
    for (const index of [0, 2]) releaseLock(slabs[index]!.i32, Header.Lock);

    expect(lines).toHaveLength(first);
    expect(lines[0]).toMatch(/^warning === FLAGSTONE BUG REPORT START/);
    expect(lines.at(-1)).toBe('warning === FLAGSTONE BUG REPORT END ===');
    expect(lines).toEqual(
      expect.arrayContaining([
        'warning crashed by TypeError: torn',
        'worker 1',
        'command: get',
        'partition 0: held by thread 0, for command 7',
        'partition 2: held by this thread',
        'process_id:42',
      ]),
    );
    expect(lines.some((line) => line.startsWith('partition 1:'))).toBe(false);
  });
});
