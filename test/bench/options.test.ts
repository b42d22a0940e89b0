import { describe, expect, test } from 'vitest';
import { parseAddress } from '../../native-free-bench/control.js';
import { planCores } from '../../native-free-bench/machine.js';
import {
  describeOptions,
  parseCommandLine,
  resolveOptions,
} from '../../native-free-bench/options.js';
import { findSuite, SUITES } from '../../native-free-bench/suites.js';

describe('the command line', () => {
  test('without words leaves every default', () => {
    const options = resolveOptions(parseCommandLine([]).given, {}, {});
    expect(options).toMatchObject({
      ...{ connections: 50, pipelines: [1, 32], size: 32, keys: 100_000, rounds: 5 },
      ...{ distribution: 'uniform', mix: 'getset', loadThreads: 1, isTiny: false },
    });
  });

  test('is read option by option', () => {
    const text =
      'bars --target one=redis://h:1 --target redis://h:2 --connections 7 --pipeline 1,4,16 ' +
      '--size 8 --keys 10 --distribution zipf:0.9 --mix GET:9,SET:1 --count 100 --rounds 2 ' +
      '--threads 4 --load-threads 2 --seed 3 --benchmark-tool own --no-redis --no-pin --tiny ' +
      '--json a.json --html a.html --flagstone-command server --redis-command other';
    const { words, given } = parseCommandLine(text.split(' '));
    expect(words).toEqual(['bars']);
    expect(given).toEqual({
      ...{ targets: ['one=redis://h:1', 'redis://h:2'], connections: 7, pipelines: [1, 4, 16] },
      ...{ size: 8, keys: 10, distribution: 'zipf:0.9', mix: 'GET:9,SET:1', count: 100 },
      ...{ rounds: 2, threads: 4, loadThreads: 2, seed: 3, tool: 'own', isRedisWanted: false },
      ...{ isPinned: false, isTiny: true, json: 'a.json', html: 'a.html' },
      ...{ flagstoneCommand: 'server', redisCommand: 'other' },
    });
  });

  test.each([
    ['--connections', '0', 'whole number from 1'],
    ['--connections', '1.5', 'whole number from 1'],
    ['--pipeline', '1,x', 'whole number from 1'],
    ['--seconds', '-1', 'argument'],
    ['--seconds', '0', 'number above 0'],
    ['--distribution', 'gauss', 'no distribution'],
    ['--mix', 'NOPE', 'no mix or command'],
    ['--benchmark-tool', 'wrk', 'own or redis-benchmark'],
    ['--unknown', '1', 'nknown option'],
  ])('refuses %s %s in a sentence', (name, value, sentence) => {
    expect(() => parseCommandLine([name, value])).toThrow(sentence);
  });

  test('puts given values over those of a tiny run, and these over a suite’s', () => {
    const suite = { keys: 5_000_000, rounds: 3 };
    const given = { isTiny: true, connections: 9 };
    expect(resolveOptions(given, suite, { keys: 50 })).toMatchObject({
      ...{ keys: 50, rounds: 1, connections: 9 },
    });
    expect(resolveOptions({}, suite, { keys: 50 })).toMatchObject({ keys: 5_000_000, rounds: 3 });
  });

  test('is described option by option', () => {
    expect(describeOptions()).toContain('--distribution uniform|zipf:0.99');
  });
});

describe('suites', () => {
  test('have names of their own and are found by them', () => {
    const names = SUITES.map((suite) => suite.name);
    expect(new Set(names).size).toBe(names.length);
    for (const name of names) expect(findSuite(name).name).toBe(name);
    expect(() => findSuite('speed')).toThrow("there is no benchmark 'speed'");
  });
});

describe('an address', () => {
  test('is read with user, password and database', () => {
    expect(parseAddress('redis://h:7000')).toEqual({ host: 'h', port: 7000, greeting: [] });
    expect(parseAddress('redis://:pass%20word@h/2')).toEqual({
      ...{ host: 'h', port: 6379 },
      greeting: [
        ['AUTH', 'pass word'],
        ['SELECT', '2'],
      ],
    });
    expect(parseAddress('redis://me:secret@[::1]:1')).toEqual({
      ...{ host: '::1', port: 1, greeting: [['AUTH', 'me', 'secret']] },
    });
    expect(() => parseAddress('http://h')).toThrow('only redis://');
    expect(() => parseAddress('h:1:2')).toThrow();
  });
});

describe('cores', () => {
  test('are shared out so that load never runs where the server does', () => {
    expect(planCores(2, 1, true)).toEqual({ server: '0', load: '1' });
    expect(planCores(8, 4, true)).toEqual({ server: '0-3', load: '4-7' });
    expect(planCores(2, 2, true)).toEqual({ server: null, load: null });
    expect(planCores(1, 1, true)).toEqual({ server: null, load: null });
    expect(planCores(8, 1, false)).toEqual({ server: null, load: null });
  });
});
