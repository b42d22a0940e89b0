import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { programMappings } from '../../src/server/resident.js';

const NODE = '/usr/bin/node';
const line = (range: string, rights: string, path: string) =>
  `${range} ${rights} 00000000 fd:00 12345                      ${path}`;
const rangesOf = (lines: readonly string[]) =>
  programMappings(`${lines.join('\n')}\n`, NODE).map(({ start, end }) => [
    start.toString(16),
    end.toString(16),
  ]);

describe('the mappings of the program', () => {
  it('are those before what can be written, without what was written while it was linked', () => {
    expect(
      rangesOf([
        line('400000-b6f000', 'r--p', NODE),
        line('b72000-25fe000', 'r-xp', NODE),
        line('2601000-563a000', 'r--p', NODE),
        line('563b000-5660000', 'r--p', NODE),
        line('5660000-5680000', 'rw-p', NODE),
        '5680000-56a0000 rw-p 00000000 00:00 0 ',
        '12352000-12721000 rw-p 00000000 00:00 0                          [heap]',
        line('7fa31be40000-7fa31bfd2000', 'r-xp', NODE),
        line('7fc3c9164000-7fc3c92ba000', 'r-xp', '/usr/lib/libc.so.6'),
      ]),
    ).toEqual([
      ['400000', 'b6f000'],
      ['b72000', '25fe000'],
      ['2601000', '563a000'],
    ]);
  });

  it('leave out tables that the system has made one with what was written', () => {
    expect(
      rangesOf([
        line('400000-b6f000', 'r-xp', NODE),
        line('b6f000-5660000', 'r--p', NODE),
        line('5660000-5680000', 'rw-p', NODE),
      ]),
    ).toEqual([['400000', 'b6f000']]);
  });

  it('are found in a library, where Node is one', () => {
    const library = '/usr/lib/x86_64-linux-gnu/libnode.so.115';
    expect(
      rangesOf([
        line('400000-401000', 'r-xp', NODE),
        line('7f0000000000-7f0001000000', 'r-xp', library),
        line('7f0001000000-7f0001100000', 'r--p', library),
        line('7f0001100000-7f0001200000', 'rw-p', library),
      ]),
    ).toEqual([['7f0000000000', '7f0001000000']]);
  });

  it.skipIf(process.platform !== 'linux')('hold code and tables of this process', () => {
    const maps = readFileSync('/proc/self/maps', 'latin1');
    const found = programMappings(maps, process.execPath);
    const bytes = found.reduce((sum, { start, end }) => sum + end - start, 0);
    expect(bytes).toBeGreaterThan(10 * 2 ** 20);
    // Nothing of it has been written: the system says how much of a mapping is a copy.
    const smaps = readFileSync('/proc/self/smaps', 'latin1').split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m);
    for (const { start, end } of found) {
      const head = `${start.toString(16).padStart(8, '0')}-${end.toString(16).padStart(8, '0')} `;
      const entry = smaps.find((text) => text.startsWith(head));
      expect(entry, head).toMatch(/^Anonymous:\s+0 kB/m);
    }
  });
});
