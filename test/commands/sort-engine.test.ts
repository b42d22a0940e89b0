// SORT on one engine in this process: against JavaScript's sort, over all encodings, with weights
// in all partitions.

import { describe, expect, it } from 'vitest';
import { genericCommands } from '../../src/commands/generic/index.js';
import { hashCommands } from '../../src/commands/hash/index.js';
import { listCommands } from '../../src/commands/list/index.js';
import { setCommands } from '../../src/commands/set/index.js';
import { sortCommands } from '../../src/commands/sort/index.js';
import { sortedSetCommands } from '../../src/commands/sorted-set/index.js';
import { stringCommands } from '../../src/commands/string/index.js';
import { checkKeyspace } from '../support/check-keyspace.js';
import { Engine, type EngineOptions } from '../support/engine.js';
import { randomTest } from '../support/random-test.js';
import type { Random } from '../support/seed.js';

const specs = [
  ...sortCommands,
  ...listCommands,
  ...setCommands,
  ...sortedSetCommands,
  ...hashCommands,
  ...stringCommands,
  ...genericCommands,
];

function start(options: Partial<EngineOptions> = {}): Engine {
  return new Engine({ specs, partitions: 8, ...options });
}

/** The words of an array reply. */
function texts(reply: string): string[] {
  const [head, ...rest] = reply.split('\r\n');
  const found = rest.filter((_, index) => index % 2 === 1);
  expect(found.length, reply.slice(0, 200)).toBe(Number(head!.slice(1)));
  return found;
}

function shuffled(random: Random, count: number): string[] {
  const numbers = Array.from({ length: count }, (_, index) => String(index * 3 - count));
  for (let index = count - 1; index > 0; index--) {
    const other = random.below(index + 1);
    [numbers[index], numbers[other]] = [numbers[other]!, numbers[index]!];
  }
  return numbers;
}

/** Fills a key with these elements as a value of one of the types that can be sorted. */
function fill(engine: Engine, random: Random, key: string, elements: readonly string[]): void {
  const kind = random.below(3);
  if (kind === 0) engine.run('RPUSH', key, ...elements);
  else if (kind === 1) engine.run('SADD', key, ...elements);
  else {
    const pairs = elements.flatMap((element) => [String(random.below(100)), element]);
    engine.run('ZADD', key, ...pairs);
  }
}

describe('SORT', () => {
  randomTest('sorts every type and encoding as JavaScript does', 20, (random) => {
    const engine = start();
    const elements = shuffled(random, random.pick([1, 7, 200, 1500]));
    fill(engine, random, 'key', elements);
    const byNumber = [...elements].sort((a, b) => Number(a) - Number(b));
    const byText = [...elements].sort((a, b) => (a < b ? -1 : 1));
    expect(texts(engine.run('SORT', 'key'))).toEqual(byNumber);
    expect(texts(engine.run('SORT_RO', 'key', 'DESC', 'LIMIT', '1', '5'))).toEqual(
      [...byNumber].reverse().slice(1, 6),
    );
    expect(texts(engine.run('SORT', 'key', 'ALPHA'))).toEqual(byText);
    expect(engine.run('SORT', 'key', 'STORE', 'target')).toBe(`:${elements.length}\r\n`);
    expect(texts(engine.run('LRANGE', 'target', '0', '-1'))).toEqual(byNumber);
    checkKeyspace(engine.keyspace);
  });

  randomTest('finds weights and answers in all partitions', 10, (random) => {
    const engine = start();
    const elements = shuffled(random, 60);
    fill(engine, random, 'key', elements);
    for (const [weight, element] of elements.entries()) {
      if (weight % 2 === 0) engine.run('SET', `w_${element}`, String(weight));
      else engine.run('HSET', `h_${element}`, 'weight', String(weight), 'name', `n${weight}`);
    }
    // Those without a weight count as 0, and of the same weight the lower text comes first.
    const weightOf = (element: string): number => {
      const weight = elements.indexOf(element);
      return weight % 2 === 0 ? weight : 0;
    };
    const expected = [...elements].sort((a, b) => weightOf(a) - weightOf(b) || (a < b ? -1 : 1));
    expect(texts(engine.run('SORT', 'key', 'BY', 'w_*'))).toEqual(expected);
    engine.run('SORT', 'key', 'BY', 'w_*', 'GET', 'h_*->name', 'GET', '#', 'STORE', 'target');
    const stored = texts(engine.run('LRANGE', 'target', '0', '-1'));
    expect(stored).toEqual(
      expected.flatMap((element) => {
        const weight = elements.indexOf(element);
        return [weight % 2 === 0 ? '' : `n${weight}`, element];
      }),
    );
  });

  it('does not see weights that have expired', () => {
    const engine = start();
    engine.run('RPUSH', 'key', 'a', 'b');
    engine.run('SET', 'w_a', '2', 'PX', '100');
    engine.run('SET', 'w_b', '1');
    expect(texts(engine.run('SORT', 'key', 'BY', 'w_*'))).toEqual(['b', 'a']);
    engine.clock.wallMs += 200;
    expect(texts(engine.run('SORT', 'key', 'BY', 'w_*'))).toEqual(['a', 'b']);
  });

  it('that is refused for want of memory leaves the target as it was', () => {
    const engine = start({ partitions: 1, partitionBytes: 4 * 1024 * 1024 });
    engine.run('SET', 'target', 'text');
    const elements = Array.from({ length: 5000 }, (_, index) => String(index).padStart(60, '0'));
    expect(engine.run('RPUSH', 'key', ...elements)).toBe(':5000\r\n');
    let filled = 0;
    while (engine.run('SET', `fill ${filled}`, 'x'.repeat(4000)) === '+OK\r\n') filled++;
    expect(engine.run('SORT', 'key', 'ALPHA', 'STORE', 'target')).toMatch(/^-OOM/);
    expect(engine.run('GET', 'target')).toBe('$4\r\ntext\r\n');
    checkKeyspace(engine.keyspace);
  });
});
