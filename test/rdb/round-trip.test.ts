// Values of all types, written and read again: against the value that was written, by all that can
// be seen of it. Both keys share an engine, so the memory of one is that of the other.

import { afterEach, describe, expect, it } from 'vitest';
import { thresholds } from '../../src/types/thresholds.js';
import { randomTest } from '../support/random-test.js';
import {
  checkEmptied,
  checkKeyspace,
  describeKey,
  dump,
  makeValue,
  startEngine,
  usedBytesOf,
} from './values.js';

const before = { ...thresholds };

afterEach(() => {
  Object.assign(thresholds, before);
});

/**
 * Without the times at which consumers last got something, for which Redis 7.0 has no place, and
 * without the number of blocks: deleted entries are left out, so there may be fewer.
 */
function comparable(key: Record<string, string>): Record<string, string> {
  const stream = key.stream!.replaceAll(/(active-time|radix-tree-\w+)\r\n:-?\d+/g, '');
  return { ...key, stream };
}

describe('a value that was dumped and restored', () => {
  randomTest('is the same, of any type and size', 60, (random) => {
    const engine = startEngine();
    const used = usedBytesOf(engine.slabs[0]!);
    const run = (...words: string[]) => engine.run(...words);
    makeValue(random, run, 'one', true);
    const bytes = dump(engine, 'one')!;

    expect(run('RESTORE', 'two', '0', bytes)).toBe('+OK\r\n');

    expect(comparable(describeKey(engine, 'two'))).toEqual(comparable(describeKey(engine, 'one')));
    checkKeyspace(engine.keyspace);
    run('DEL', 'one', 'two');
    checkEmptied(engine, used);
  });

  randomTest('is the same value when the limits of small forms changed between', 30, (random) => {
    const engine = startEngine();
    const run = (...words: string[]) => engine.run(...words);
    makeValue(random, run, 'one', true);
    const bytes = dump(engine, 'one')!;
    const digest = describeKey(engine, 'one').digest;
    const limit = random.pick([0, 1, 5, 100_000]);
    for (const name of [
      'hashMaxListpackEntries',
      'setMaxIntsetEntries',
      'setMaxListpackEntries',
      'zsetMaxListpackEntries',
    ] as const) {
      thresholds[name] = limit;
    }
    thresholds.listMaxListpackSize = random.pick([-5, -1, 1, 3]);
    thresholds.streamNodeMaxEntries = random.pick([1, 3, 1000]);

    expect(run('RESTORE', 'two', '0', bytes)).toBe('+OK\r\n');

    expect(describeKey(engine, 'two').digest).toBe(digest);
    checkKeyspace(engine.keyspace);
    Object.assign(thresholds, before);
  });

  it('keeps an empty stream with its groups', () => {
    const engine = startEngine();
    engine.run('XGROUP', 'CREATE', 'one', 'group', '$', 'MKSTREAM');

    expect(engine.run('RESTORE', 'two', '0', dump(engine, 'one')!)).toBe('+OK\r\n');

    expect(describeKey(engine, 'two')).toEqual(describeKey(engine, 'one'));
  });
});
