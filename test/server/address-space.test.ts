// How much address space the server takes where the system gives less than everything.

import { describe, expect, it } from 'vitest';
import { affordableBytes } from '../../src/server/address-space.js';

const GB = 2 ** 30;
const KB_PER_GB = 2 ** 20;

interface System {
  readonly limit: string;
  readonly overcommit: number;
  readonly commitLimitGb: number;
  readonly committedGb: number;
}

const PLENTY: System = { limit: 'unlimited', overcommit: 0, commitLimitGb: 4, committedGb: 3 };

function affordable(threads: number, system: Partial<System>): number {
  const { limit, overcommit, commitLimitGb, committedGb } = { ...PLENTY, ...system };
  const files: Record<string, string> = {
    '/proc/self/limits': `Max files 1024 4096 files\nMax address space  ${limit}  ${limit} bytes\n`,
    '/proc/self/status': `VmPeak:  2097152 kB\nVmSize:\t ${KB_PER_GB} kB\n`,
    '/proc/sys/vm/overcommit_memory': `${overcommit}\n`,
    '/proc/meminfo':
      `CommitLimit:    ${commitLimitGb * KB_PER_GB} kB\n` +
      `Committed_AS:   ${committedGb * KB_PER_GB} kB\n`,
  };
  return affordableBytes(threads, (path) => files[path] ?? '');
}

describe('address space for partitions', () => {
  it('has no bound where there is no limit and no strict accounting', () => {
    expect(affordable(8, {})).toBe(Number.POSITIVE_INFINITY);
    expect(affordable(8, { overcommit: 1 })).toBe(Number.POSITIVE_INFINITY);
    expect(affordableBytes(2, () => '')).toBe(Number.POSITIVE_INFINITY);
  });

  it('leaves room under a limit for the process and each of its threads', () => {
    const one = affordable(1, { limit: String(16 * GB) });
    const two = affordable(2, { limit: String(16 * GB) });
    expect(one).toBeLessThan(12 * GB);
    expect(one).toBeGreaterThan(11 * GB);
    expect(one - two).toBeGreaterThan(GB / 2);
  });

  it('leaves room under strict accounting for its threads, and for other programs', () => {
    const one = affordable(1, { overcommit: 2, commitLimitGb: 12, committedGb: 4 });
    const two = affordable(2, { overcommit: 2, commitLimitGb: 12, committedGb: 4 });
    // A server of one thread has 1.2 GB that count beside its partitions.
    expect(one).toBeLessThan((8 - 1 - 1.2) * GB);
    expect(one).toBeGreaterThan(5 * GB);
    expect(one - two).toBeGreaterThan(GB / 8);
    expect(affordable(2, { overcommit: 2, commitLimitGb: 2, committedGb: 4 })).toBeLessThan(0);
  });
});
