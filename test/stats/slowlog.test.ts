import { describe, expect, it } from 'vitest';
import { Slices } from '../../src/base/slices.js';
import { Slowlog } from '../../src/stats/slowlog.js';

const WHO = { address: '127.0.0.1:5', name: 'me' };

function openSlowlog(capacity: number): Slowlog {
  const slowlog = new Slowlog(
    new SharedArrayBuffer(Slowlog.bytesFor(capacity)),
    () => 1_700_000_000_900,
  );
  slowlog.setLengthMax(capacity);
  return slowlog;
}

function record(slowlog: Slowlog, ...words: string[]): void {
  slowlog.record(WHO, { fullName: words[0]!.toLowerCase() }, Slices.of(...words), 1, 12_345.6);
}

describe('the slow log', () => {
  it('keeps time, words and client of a command, the newest first', () => {
    const slowlog = openSlowlog(4);
    record(slowlog, 'GET', 'a');
    record(slowlog, 'SET', 'a', 'b');

    expect(slowlog.get(1)).toEqual([
      {
        id: 1,
        second: 1_700_000_000,
        microseconds: 12_345,
        args: ['SET', 'a', 'b'],
        address: '127.0.0.1:5',
        name: 'me',
      },
    ]);
    expect(slowlog.get(10).map(({ id }) => id)).toEqual([1, 0]);
  });

  it('forgets the oldest entries, and never the count of ids', () => {
    const slowlog = openSlowlog(3);
    for (let index = 0; index < 10; index++) record(slowlog, 'GET', String(index));
    expect(slowlog.length).toBe(3);
    expect(slowlog.get(10).map(({ id }) => id)).toEqual([9, 8, 7]);

    slowlog.reset();
    expect(slowlog.get(10)).toEqual([]);
    record(slowlog, 'GET', 'x');
    expect(slowlog.get(10).map(({ id, args }) => [id, args[1]])).toEqual([[10, 'x']]);
  });

  it('keeps no more than it was told to, and nothing at 0', () => {
    const slowlog = openSlowlog(4);
    for (let index = 0; index < 4; index++) record(slowlog, 'GET', String(index));
    slowlog.setLengthMax(2);
    expect(slowlog.get(10).map(({ id }) => id)).toEqual([3, 2]);
    slowlog.setLengthMax(0);
    record(slowlog, 'GET', 'x');
    expect(slowlog.length).toBe(0);
    slowlog.setLengthMax(1000);
    expect(slowlog.lengthMax).toBe(4);
  });

  it('cuts arguments as Redis does: 32 of them, 128 bytes each', () => {
    const slowlog = openSlowlog(2);
    record(slowlog, 'SET', 'key', 'x'.repeat(200));
    expect(slowlog.get(1)[0]!.args[2]).toBe(`${'x'.repeat(128)}... (72 more bytes)`);

    record(slowlog, 'DEL', ...Array.from({ length: 34 }, (_, index) => `k${index}`));
    const { args } = slowlog.get(1)[0]!;
    expect(args).toHaveLength(32);
    expect(args.at(-1)).toBe('... (4 more arguments)');
  });

  it('holds the longest entry there can be', () => {
    const slowlog = openSlowlog(2);
    const words = Array.from({ length: 40 }, () => 'y'.repeat(100_000));
    record(slowlog, ...words);
    record(slowlog, ...words);
    expect(slowlog.get(2).map(({ args }) => args.length)).toEqual([32, 32]);
    expect(slowlog.get(2).map(({ name }) => name)).toEqual(['me', 'me']);
  });

  it('says of a group how many calls it timed, and its name when the words are gone', () => {
    const slowlog = openSlowlog(2);
    slowlog.record(WHO, { fullName: 'client|id' }, null, 32, 50_000);
    expect(slowlog.get(1)[0]!.args).toEqual(['client', 'id', '... (31 more calls)']);
  });

  it('shows no passwords', () => {
    const slowlog = openSlowlog(4);
    record(slowlog, 'AUTH', 'user', 'secret');
    expect(slowlog.get(1)[0]!.args).toEqual(['AUTH', '(redacted)', '(redacted)']);
    record(slowlog, 'HELLO', '3', 'AUTH', 'default', 'secret', 'SETNAME', 'me');
    expect(slowlog.get(1)[0]!.args.join(' ')).toBe('HELLO 3 AUTH (redacted) (redacted) SETNAME me');
    slowlog.record(
      WHO,
      { fullName: 'config|set' },
      Slices.of('CONFIG', 'SET', 'hz', '10', 'REQUIREPASS', 'secret'),
      1,
      1,
    );
    expect(slowlog.get(1)[0]!.args.join(' ')).toBe('CONFIG SET hz 10 REQUIREPASS (redacted)');
    const words = Slices.of('CONFIG', 'SET', 'gateway-token-secret', 'secret');
    slowlog.record(WHO, { fullName: 'config|set' }, words, 1, 1);
    expect(slowlog.get(1)[0]!.args.at(-1)).toBe('(redacted)');
  });
});
