// Large commands in parts: several threads are played by one, on one board. Whoever helps, and
// whether anybody does, the answers and the counters are those of one thread alone.

import { describe, expect, it } from 'vitest';
import { genericCommands } from '../../src/commands/generic/index.js';
import { setCommands } from '../../src/commands/set/index.js';
import { sortedSetCommands } from '../../src/commands/sorted-set/index.js';
import { stringCommands } from '../../src/commands/string/index.js';
import { Config } from '../../src/config/config.js';
import { joinPartsFrom, Parts, partsFrom } from '../../src/dispatch/parts.js';
import { Keyspace, Lookup } from '../../src/keyspace/keyspace.js';
import { Board, type BoardOptions, createBoard } from '../../src/mesh/board.js';
import type { Slab } from '../../src/slab/slab.js';
import { Engine } from '../support/engine.js';
import { randomTest } from '../support/random-test.js';
import type { Random } from '../support/seed.js';

// Off by default, because two cores gain nothing by them.
partsFrom.keys = 256;
joinPartsFrom.entries = 1000;

const SPECS = [...stringCommands, ...genericCommands, ...setCommands, ...sortedSetCommands];
const PARTITIONS = 16;
const SERVER = { config: new Config('/') };
const DAY_MS = 86_400_000;

/** Who answers when the board wakes a thread; it may serve as many parts as it likes. */
type Helpfulness = (serve: () => boolean) => void;

const HELPFULNESS: Readonly<Record<string, Helpfulness>> = {
  'every thread helps at once': (serve) => {
    while (serve());
  },
  'each thread takes one part': (serve) => void serve(),
  'nobody helps': () => {},
};

class Threads {
  readonly engine: Engine;
  /** Parts that were run by others than the coordinator. */
  helped = 0;

  constructor(threadCount: number, help: Helpfulness, board: Partial<BoardOptions> = {}) {
    const makeParts = (slabs: readonly Slab[], databases: number): Parts => {
      const shape = createBoard({ threadCount, ...board });
      const threads: { readonly board: Board; readonly parts: Parts }[] = [];
      for (let self = 0; self < threadCount; self++) {
        const wake = (owner: number) => {
          const thread = threads[owner]!;
          help(() => {
            const served = thread.board.serve(thread.parts.runPart, 1);
            this.helped += served;
            return served > 0;
          });
        };
        const own = new Board(shape, self, wake);
        const keyspace = new Keyspace(slabs, databases, new Float64Array(Lookup.Words));
        threads.push({ board: own, parts: new Parts(own, threadCount, keyspace) });
      }
      return threads[0]!.parts;
    };
    this.engine = new Engine({ specs: SPECS, partitions: PARTITIONS, server: SERVER, makeParts });
  }
}

/** Two engines with the same keys: one alone, one with helpers. */
function twins(threadCount: number, help: Helpfulness, board: Partial<BoardOptions> = {}) {
  const threads = new Threads(threadCount, help, board);
  const alone = new Engine({ specs: SPECS, partitions: PARTITIONS });
  const both = (...words: string[]): string => {
    const answer = threads.engine.run(...words);
    expect(answer).toBe(alone.run(...words));
    return answer;
  };
  return { threads, alone, both };
}

function lookupsOf(engine: Engine): number[] {
  const { lookups } = engine.keyspace;
  return [lookups[Lookup.Hits]!, lookups[Lookup.Misses]!];
}

function fill(both: (...words: string[]) => string, count: number): void {
  for (let index = 0; index < count; index += 2) both('SET', `key:${index}`, `value ${index}`);
}

function keys(count: number, prefix = 'key:'): string[] {
  return Array.from({ length: count }, (_, index) => `${prefix}${index}`);
}

describe.each(Object.entries(HELPFULNESS))('a large command, when %s', (_, help) => {
  it.each([2, 3, 8])('answers with %i threads as one thread does', (threadCount) => {
    const { both, threads, alone } = twins(threadCount, help);
    fill(both, 6000);
    both('SET', 'number', '42');

    for (const count of [1, 255, 256, 257, 1023, 1024, 1025, 5000]) {
      both('MGET', ...keys(count), 'number');
      both('EXISTS', ...keys(count), 'key:0');
      both('TOUCH', ...keys(count));
    }

    expect(lookupsOf(threads.engine)).toEqual(lookupsOf(alone));
  });

  it('leaves long values to the coordinator', () => {
    const { both } = twins(2, help);
    both('SET', 'key:1', 'x'.repeat(300_000));
    both('SET', 'key:700', 'y'.repeat(40_000));
    both('SET', 'key:701', 'z'.repeat(40_000));
    fill(both, 1000);

    const answer = both('MGET', ...keys(1000));

    expect(answer).toContain('x'.repeat(300_000));
  });

  it('does not see what has expired, and leaves it where it is', () => {
    const { both, threads } = twins(2, help);
    fill(both, 1000);
    for (const key of keys(300)) both('PEXPIRE', key, '50');

    threads.engine.clock.wallMs += 100;

    expect(threads.engine.run('EXISTS', ...keys(1000))).toBe(':350\r\n');
    expect(threads.engine.run('MGET', ...keys(1000)).split('\r\n$-1')).toHaveLength(651);
    expect(threads.engine.run('DEL', ...keys(1000))).toBe(':350\r\n');
  });

  it('looks into the database of its session', () => {
    const { both } = twins(3, help);
    fill(both, 600);
    both('MOVE', 'key:0', '3');
    both('MOVE', 'key:4', '3');
    const sessions = twins(3, help);
    sessions.threads.engine.session.database = 3;
    sessions.alone.session.database = 3;
    sessions.both('SET', 'key:8', 'in three');

    expect(sessions.both('EXISTS', ...keys(600))).toBe(':1\r\n');
    expect(both('EXISTS', ...keys(600))).toBe(':298\r\n');
  });

  it('stamps keys as used where the command does so', () => {
    const { threads } = twins(2, help);
    const { engine } = threads;
    for (const key of keys(300)) engine.run('SET', key, 'v');
    const idleAfter = (...words: string[]): string => {
      engine.clock.wallMs += DAY_MS;
      engine.run(...words);
      return engine.run('OBJECT', 'IDLETIME', 'key:7');
    };

    expect(idleAfter('EXISTS', ...keys(300))).toBe(':86400\r\n');
    expect(idleAfter('TOUCH', ...keys(300))).toBe(':0\r\n');
    expect(idleAfter('MGET', ...keys(300))).toBe(':0\r\n');
    engine.session.isNoTouch = true;
    expect(idleAfter('MGET', ...keys(300))).toBe(':86400\r\n');
    expect(idleAfter('TOUCH', ...keys(300))).toBe(':0\r\n');
  });

  it('does the work itself where board or memory have no room', () => {
    for (const board of [{ slotsPerOwner: 1 }, { scratchBytes: 4096 }, { scratchBytes: 65_536 }]) {
      const { both, threads, alone } = twins(2, help, board);
      fill(both, 2000);
      both('MGET', ...keys(2000));
      both('EXISTS', ...keys(2000));
      both('EXISTS', ...keys(300, 'k'.repeat(9000)));
      expect(lookupsOf(threads.engine)).toEqual(lookupsOf(alone));
    }
  });
});

describe('parts', () => {
  it('are run by the threads that own their keys', () => {
    const { threads } = twins(4, HELPFULNESS['every thread helps at once']!);

    threads.engine.run('MGET', ...keys(1000));

    expect(threads.helped).toBeGreaterThanOrEqual(3);
  });

  it('are not made of small commands', () => {
    const { threads } = twins(4, HELPFULNESS['every thread helps at once']!);

    threads.engine.run('MGET', ...keys(255));

    expect(threads.helped).toBe(0);
  });

  randomTest('answer as one thread does, whatever is asked', 5, (random: Random) => {
    const help: Helpfulness = (serve) => {
      while (random.chance(0.6) && serve());
    };
    const { both, threads, alone } = twins(random.between(2, 6), help);
    for (let step = 0; step < 60; step++) {
      const named = Array.from({ length: random.below(2000) }, () => `key:${random.below(3000)}`);
      const key = `key:${random.below(3000)}`;
      const choice = random.below(6);
      if (choice === 0) both('SET', key, random.bytes(random.below(2000)));
      else if (choice === 1) both('MSET', ...named.flatMap((name) => [name, String(named.length)]));
      else if (choice === 2) both('DEL', key, ...named.slice(0, 20));
      else both(random.pick(['MGET', 'EXISTS', 'TOUCH']), key, ...named);
    }
    expect(lookupsOf(threads.engine)).toEqual(lookupsOf(alone));
  });
});

/** Sets and sorted sets of thousands of members, each with some of the others'. */
function fillSets(both: (...words: string[]) => string, counts: readonly number[]): void {
  counts.forEach((count, set) => {
    const step = 3 + set;
    for (let first = 0; first < count; first += 500) {
      const numbers = Array.from({ length: 500 }, (_, index) => (first + index) * step);
      both('SADD', `set:${set}`, ...numbers.map((number) => `member ${number}`));
      both('ZADD', `sorted:${set}`, ...numbers.flatMap((n) => [`${n % 97}`, `member ${n}`]));
    }
  });
}

const TARGETS = ['SINTERSTORE', 'SUNIONSTORE', 'SDIFFSTORE'];

function askAll(both: (...words: string[]) => string, sets: readonly string[]): void {
  for (const name of ['SINTER', 'SUNION', 'SDIFF']) both(name, ...sets);
  for (const name of ['SINTERCARD', 'SUNIONCARD', 'SDIFFCARD']) {
    for (const limit of ['0', '5', '700']) both(name, `${sets.length}`, ...sets, 'LIMIT', limit);
  }
  for (const name of TARGETS) {
    both(name, 'target', ...sets);
    both('SMEMBERS', 'target');
  }
  // The target is a source.
  both('SINTERSTORE', 'target', 'target', sets[0]!);
  const sorted = sets.map((set) => set.replace('set', 'sorted'));
  const count = `${sorted.length}`;
  for (const name of ['ZINTER', 'ZUNION', 'ZDIFF']) both(name, count, ...sorted, 'WITHSCORES');
  both('ZINTERCARD', count, ...sorted);
  both('ZINTERCARD', count, ...sorted, 'LIMIT', '400');
  both('ZINTERSTORE', 'ztarget', count, ...sorted);
  both('ZDIFFSTORE', 'zother', count, ...sorted);
  both('ZRANGE', 'ztarget', '0', '-1', 'WITHSCORES');
  // A set for a sorted set whose members have the score 1.
  both('ZINTERCARD', '2', sets[0]!, sorted[1]!);
  both('ZINTER', '2', sets[0]!, sets[1]!, 'WEIGHTS', '2', '3', 'WITHSCORES');
}

describe.each(Object.entries(HELPFULNESS))('sets with sets, when %s', (_, help) => {
  it.each([2, 3])('give with %i threads what they give with one', (threadCount) => {
    const { both, threads } = twins(threadCount, help);
    fillSets(both, [2500, 4500, 1500, 500]);

    askAll(both, ['set:0', 'set:1']);
    askAll(both, ['set:1', 'set:0']);
    askAll(both, ['set:2', 'set:0', 'set:1']);
    askAll(both, ['set:1', 'set:3', 'nothing']);
    askAll(both, ['set:1', 'set:1']);
    askAll(both, ['set:0', 'set:1', 'set:2', 'set:3']);

    expect(threads.helped > 0).toBe(help !== HELPFULNESS['nobody helps']);
  });

  it('give the same where board, memory or the room of a part are too small', () => {
    const { rowsMax } = joinPartsFrom;
    try {
      for (const rows of [rowsMax, 300]) {
        joinPartsFrom.rowsMax = rows;
        for (const scratchBytes of [64, 64 * 1024]) {
          const { both } = twins(3, help, { scratchBytes, slotsPerOwner: 2 });
          fillSets(both, [1500, 1500]);
          askAll(both, ['set:0', 'set:1']);
        }
      }
    } finally {
      joinPartsFrom.rowsMax = rowsMax;
    }
  });
});
