// The view in the terminal: what it draws of two samples, and what it takes as options.

import { describe, expect, it } from 'vitest';
import { readFigures, type Sample } from '../../src/top/sample.js';
import { bytes, count, draw, duration } from '../../src/top/screen.js';
import { readTopOptions, runTop } from '../../src/top/top.js';

function sampleOf(at: number, threads: number): Sample {
  const info = new Map(
    Object.entries({
      flagstone_version: '0.1.0',
      redis_version: '7.2.6',
      uptime_in_seconds: '90',
      role: 'master',
      total_commands_processed: String(at * 1000),
      keyspace_hits: String(at * 30),
      keyspace_misses: String(at * 10),
      used_memory: String(3 * 2 ** 20),
      maxmemory: String(12 * 2 ** 20),
      db0: 'keys=1500,expires=0,avg_ttl=0',
      partitions: '64',
    }),
  );
  return {
    atMs: at * 1000,
    info,
    workers: Array.from({ length: threads }, (_, index) => ({
      name: `worker ${index}`,
      figures: readFigures(`clients=3,commands=${at * 500},cpu_user_us=${at * 250_000}`),
    })),
    partitions: Array.from({ length: 64 }, (_, index) =>
      readFigures(`keys=${index},used=4096,visits=${at * index}`),
    ),
    slow: Array.from({ length: 8 }, (_, index) => ({
      second: 0,
      microseconds: 12_000 + index,
      words: ['SET', '\x1b[2Jkey\r\n', 'x'.repeat(200)],
    })),
    hot: {
      isActive: true,
      sample: 10,
      byCpu: [{ key: 'hot\x1b[H', amount: 1500 }],
      byNet: [{ key: 'k'.repeat(300), amount: 2048 }],
    },
    largest: new Map([
      ['addr', '127.0.0.1:5'],
      ['tot-mem', '2048'],
      ['cmd', 'get'],
    ]),
  };
}

describe('the view of flagstone top', () => {
  it('fits a terminal of 80 columns and 24 rows, with any number of threads', () => {
    for (const threads of [1, 2, 3, 4, 16]) {
      const size = { columns: 80, rows: 24 };
      const lines = draw(sampleOf(1, threads), sampleOf(3, threads), size, 'host:6379');
      expect(lines.length).toBeLessThanOrEqual(24);
      for (const line of lines) expect(line.length).toBeLessThanOrEqual(80);
      expect(lines.some((line) => line.startsWith('SLOW COMMANDS'))).toBe(true);
    }
  });

  it('shows what was gained between two samples, a second', () => {
    const size = { columns: 100, rows: 40 };
    const text = draw(sampleOf(1, 2), sampleOf(3, 2), size, 'host:6379').join('\n');
    expect(text).toContain('1.00k ops/s');
    expect(text).toContain('hits 75.0 %');
    expect(text).toContain('3.00M of 12.0M (25.0 %)');
    expect(text).toContain('keys 1.50k');
    expect(text).toMatch(/worker 0 +25 % +500 +3/);
    // The busiest partition comes first.
    expect(text.indexOf('partition 63')).toBeLessThan(text.indexOf('partition 62'));
    expect(text).toMatch(/HOT KEYS by time, 1 of 10 +by bytes/);
    expect(text).toContain('1.5 ms');
  });

  it('lets no key or word move the cursor', () => {
    const lines = draw(sampleOf(1, 2), sampleOf(2, 2), { columns: 80, rows: 24 }, 'host:6379');
    expect(lines.join('')).toMatch(/^[ -~]*$/);
  });

  it('scales its figures', () => {
    expect([999, 1000, 12_345, 5e9].map(count)).toEqual(['999', '1.00k', '12.3k', '5.00G']);
    expect([1023, 1024, 5 * 2 ** 30].map(bytes)).toEqual(['1023B', '1.00K', '5.00G']);
    expect([59, 60, 7200, 90_000].map(duration)).toEqual(['59 s', '1 min', '2 h', '1 d']);
  });
});

describe('the options of flagstone top', () => {
  it('are those of redis-cli, and its own', () => {
    const words = '-h ::1 -p 7000 -a secret --user me --interval 0.5 --once --hotkeys'.split(' ');
    expect(readTopOptions(words, {})).toEqual({
      host: '::1',
      port: 7000,
      user: 'me',
      password: 'secret',
      intervalMs: 500,
      measures: true,
      isOnce: true,
    });
    expect(readTopOptions([], { REDISCLI_AUTH: 'word' })?.password).toBe('word');
  });

  it('are explained when they make no sense', async () => {
    for (const words of [['-p'], ['-p', 'x'], ['--interval', '0'], ['--nonsense', '1']]) {
      let said = '';
      const terminal = {
        isTerminal: false,
        size: () => ({ columns: 80, rows: 24 }),
        write: (text: string) => {
          said += text;
        },
        listen: () => () => {},
      };
      expect(await runTop(words, {}, terminal)).toBe(1);
      expect(said).toMatch(/^Usage: flagstone top/);
    }
  });
});
