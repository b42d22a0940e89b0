// Sets with sets when they are large, against JavaScript's sets and maps: tables are joined there,
// and results are sorted and built at once.

import { describe, expect, it } from 'vitest';
import { setCommands } from '../../src/commands/set/index.js';
import { sortedSetCommands } from '../../src/commands/sorted-set/index.js';
import { encodingOf, payloadLow, Type, typeOf } from '../../src/keyspace/entry.js';
import { eachEntry } from '../../src/keyspace/scan.js';
import { checkSlab } from '../../src/slab/check.js';
import { checkSet } from '../../src/types/set/kind.js';
import { sortedSetKind } from '../../src/types/sorted-set/index.js';
import { Engine } from '../support/engine.js';
import { randomTest } from '../support/random-test.js';
import type { Random } from '../support/seed.js';

const WORDS_PER_COMMAND = 600;
const RUNS = 3;
const SETS = 4;

function start(): Engine {
  const specs = [...setCommands, ...sortedSetCommands];
  return new Engine({ specs, partitions: 4, partitionBytes: 16 * 1024 * 1024 });
}

/** The bulk strings of a reply. */
function texts(reply: string): string[] {
  return reply.split('\r\n').filter((_, index) => index > 0 && index % 2 === 0);
}

function check(engine: Engine): void {
  for (const partition of engine.keyspace.partitions) {
    partition.select(0);
    eachEntry(partition, (slab, ref) => {
      const entry = ref as Parameters<typeof encodingOf>[1];
      const root = payloadLow(slab, entry);
      if (typeOf(slab, entry) === Type.Set) checkSet(slab, encodingOf(slab, entry), root);
      else sortedSetKind.check(slab, encodingOf(slab, entry), root);
    });
    checkSlab(partition.slab);
  }
}

/** Members that differ in length and beginning; some are numbers. */
function memberOf(number: number): string {
  if (number % 5 === 0) return `${number}`;
  return number % 7 === 0 ? `${'long '.repeat(60)}${number}` : `member:${number}`;
}

function addAll(engine: Engine, name: string, key: string, words: readonly string[]): void {
  for (let first = 0; first < words.length; first += WORDS_PER_COMMAND) {
    engine.run(name, key, ...words.slice(first, first + WORDS_PER_COMMAND));
  }
}

function draw(random: Random): Set<string> {
  const count = random.pick([0, 40, 600, 2000, 5000]);
  const below = random.pick([500, 4000, 12_000]);
  const from = random.below(3000);
  const members = new Set<string>();
  for (let step = 0; step < count; step++) members.add(memberOf(from + random.below(below)));
  return members;
}

describe('large sets', () => {
  randomTest('are intersected, united and subtracted as by hand', RUNS, (random) => {
    const engine = start();
    const sets = Array.from({ length: SETS }, () => draw(random));
    sets.forEach((set, index) => {
      addAll(engine, 'SADD', `s${index}`, [...set]);
    });
    for (let step = 0; step < 5; step++) {
      const chosen = Array.from({ length: random.between(1, 4) }, () => random.below(SETS));
      const keys = chosen.map((index) => `s${index}`);
      const [first, ...others] = chosen.map((index) => sets[index]!);
      const expected: Record<string, Set<string>> = {
        SINTER: new Set([...first!].filter((member) => others.every((set) => set.has(member)))),
        SUNION: new Set([...first!, ...others.flatMap((set) => [...set])]),
        SDIFF: new Set([...first!].filter((member) => !others.some((set) => set.has(member)))),
      };
      for (const [name, members] of Object.entries(expected)) {
        const sorted = [...members].sort();
        expect(texts(engine.run(name, ...keys)).sort()).toEqual(sorted);
        expect(engine.run(`${name}STORE`, 'target', ...keys)).toBe(`:${members.size}\r\n`);
        expect(texts(engine.run('SMEMBERS', 'target')).sort()).toEqual(sorted);
        const limit = random.pick([0, 3, 400, 100_000]);
        const counted = engine.run(`${name}CARD`, `${keys.length}`, ...keys, 'LIMIT', `${limit}`);
        expect(counted).toBe(`:${limit === 0 ? members.size : Math.min(limit, members.size)}\r\n`);
      }
      check(engine);
    }
  });
});

type Scores = Map<string, number>;

/** By score, then by name: latin1 strings compare as their bytes. */
function inOrder(scores: Scores): string[] {
  const rows = [...scores].sort(([a, x], [b, y]) => (x !== y ? x - y : a < b ? -1 : 1));
  return rows.flatMap(([member, score]) => [member, `${score}`]);
}

describe('large sorted sets', () => {
  randomTest('are intersected, united and subtracted as by hand', RUNS, (random) => {
    const engine = start();
    const range = random.pick([1, 10, 100_000]);
    const sets: Scores[] = Array.from({ length: SETS }, () => {
      const scores = [...draw(random)].map((member) => [member, random.below(range)] as const);
      return new Map(scores);
    });
    sets.forEach((scores, index) => {
      // Some sources are plain sets.
      const isPlain = random.chance(0.2);
      if (isPlain) for (const member of scores.keys()) scores.set(member, 1);
      const words = [...scores].flatMap(([member, score]) =>
        isPlain ? [member] : [`${score}`, member],
      );
      addAll(engine, isPlain ? 'SADD' : 'ZADD', `z${index}`, words);
    });
    for (let step = 0; step < 4; step++) {
      const chosen = Array.from({ length: random.between(1, 4) }, () => random.below(SETS));
      const keys = [`${chosen.length}`, ...chosen.map((index) => `z${index}`)];
      const sources = chosen.map((index) => sets[index]!);
      const [first, ...others] = sources;
      const sum = (member: string) =>
        sources.reduce((total, scores) => total + (scores.get(member) ?? 0), 0);
      const common = [...first!.keys()].filter((m) => others.every((scores) => scores.has(m)));
      const all = new Set(sources.flatMap((scores) => [...scores.keys()]));
      const alone = [...first!].filter(([m]) => !others.some((scores) => scores.has(m)));
      const expected: Record<string, Scores> = {
        ZINTER: new Map(common.map((member) => [member, sum(member)])),
        ZUNION: new Map([...all].map((member) => [member, sum(member)])),
        ZDIFF: new Map(alone),
      };
      for (const [name, scores] of Object.entries(expected)) {
        const rows = inOrder(scores);
        expect(texts(engine.run(name, ...keys, 'WITHSCORES'))).toEqual(rows);
        expect(engine.run(`${name}STORE`, 'target', ...keys)).toBe(`:${scores.size}\r\n`);
        expect(texts(engine.run('ZRANGE', 'target', '0', '-1', 'WITHSCORES'))).toEqual(rows);
        expect(engine.run('ZRANGESTORE', 'again', 'target', '0', '-1')).toBe(`:${scores.size}\r\n`);
        expect(texts(engine.run('ZRANGE', 'again', '0', '-1', 'WITHSCORES'))).toEqual(rows);
      }
      check(engine);
      expect(engine.run('ZINTERCARD', ...keys)).toBe(`:${common.length}\r\n`);
    }
  });

  it('take new members and lose them after they were stored', () => {
    const engine = start();
    const words = Array.from({ length: 3000 }, (_, index) => [`${index}`, memberOf(index)]).flat();
    addAll(engine, 'ZADD', 'z0', words);
    engine.run('ZRANGESTORE', 'copy', 'z0', '0', '-1');

    engine.run('ZADD', 'copy', '-1', 'first', '1500.5', 'middle', '9999', 'last');
    engine.run('ZREMRANGEBYRANK', 'copy', '10', '2500');

    expect(engine.run('ZCARD', 'copy')).toBe(':512\r\n');
    expect(engine.run('ZRANK', 'copy', 'last')).toBe(':511\r\n');
    check(engine);
  });
});
