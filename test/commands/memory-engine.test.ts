// MEMORY in process: figures that agree with each other and with the slabs, and what the doctor
// finds.

import { describe, expect, it } from 'vitest';
import { serverCommands } from '../../src/commands/server/index.js';
import { stringCommands } from '../../src/commands/string/index.js';
import { usedBytesOf } from '../../src/slab/slab.js';
import { type Door, openDoor } from '../stats/door.js';

const SPECS = [...serverCommands, ...stringCommands];

/** The numbers behind the names of MEMORY STATS; databases have their own names in between. */
function statsOf({ engine }: Door): Map<string, number> {
  const lines = engine.run('MEMORY', 'STATS').split('\r\n');
  const values = lines.filter((line) => line !== '' && !/^[$*]/.test(line));
  const stats = new Map<string, number>();
  for (let at = 0; at < values.length; ) {
    const name = values[at]!;
    const isDatabase = name.startsWith('db.');
    if (!isDatabase) stats.set(name, Number(values[at + 1]!.replace(':', '')));
    at += isDatabase ? 1 : 2;
  }
  return stats;
}

describe('MEMORY STATS', () => {
  it('tells what the slabs hold, and takes the tables for overhead', () => {
    const door = openDoor(SPECS);
    for (let index = 0; index < 5000; index++) {
      door.engine.run('SET', `key:${index}`, 'value', ...(index < 1000 ? ['EX', '100'] : []));
    }
    const stats = statsOf(door);
    const used = door.engine.slabs.reduce((sum, slab) => sum + usedBytesOf(slab), 0);
    expect(stats.get('allocator.allocated')).toBe(used);
    expect(stats.get('allocator.active')).toBeGreaterThan(used);
    expect(stats.get('allocator.resident')).toBeGreaterThanOrEqual(stats.get('allocator.active')!);
    expect(stats.get('keys.count')).toBe(5000);
    // Buckets of 64 bytes hold twelve keys at the most.
    expect(stats.get('overhead.hashtable.main')).toBeGreaterThan((5000 / 12) * 64);
    expect(stats.get('overhead.hashtable.main')).toBeLessThan(5000 * 32);
    expect(stats.get('overhead.hashtable.expires')).toBeGreaterThan(1000 * 4);
    const sum = stats.get('overhead.total')! + stats.get('dataset.bytes')!;
    expect(sum).toBe(stats.get('total.allocated'));
    expect(stats.get('allocator-fragmentation.bytes')).toBe(
      stats.get('allocator.active')! - stats.get('allocator.allocated')!,
    );
    const report = door.engine.run('MEMORY', 'MALLOC-STATS');
    expect(report).toContain(
      `all partitions: used=${used} active=${stats.get('allocator.active')}`,
    );
  });
});

describe('MEMORY PURGE', () => {
  it('asks all threads for what they hold beside the partitions', () => {
    const door = openDoor(SPECS);
    expect(door.engine.run('MEMORY', 'PURGE')).toBe('+OK\r\n');
    expect(door.asked).toEqual(['giveHeaps']);
  });
});

describe('MEMORY DOCTOR', () => {
  it('finds nothing where there is next to nothing, then a full partition and a peak', () => {
    let used = 1_000_000;
    const door = openDoor(SPECS, {}, { usedMemory: () => used });
    expect(door.engine.run('MEMORY', 'DOCTOR')).toContain('too little data');
    door.engine.run('SETRANGE', 'one', '56000000', 'x');
    used = 56_000_000;
    expect(door.engine.run('MEMORY', 'DOCTOR')).toMatch(/Partition \d is nearly full \(53\.4\dM\)/);
    used = 120_000_000;
    door.engine.run('MEMORY', 'STATS');
    used = 56_000_000;
    expect(door.engine.run('MEMORY', 'DOCTOR')).toContain('Peak: at some time 114.44M were in use');
  });
});
