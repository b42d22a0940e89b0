import { describe, expect, test } from 'vitest';
import { parseMix } from '../../native-free-bench/mix.js';
import { renderPage } from '../../native-free-bench/page.js';
import { nativeArguments, readOutput } from '../../native-free-bench/redis-benchmark.js';
import {
  type Column,
  median,
  printTable,
  type ResultTable,
  withRatios,
} from '../../native-free-bench/report.js';

const COLUMNS: readonly Column[] = [
  { key: 'speed', title: 'ops/s', digits: 0, better: 'more', hasRatio: true, isCharted: true },
  { key: 'lag', title: 'p99 ms', digits: 2, better: 'less' },
  { key: 'sum', title: 'replies', digits: 0, better: null },
];

const TABLE: ResultTable = {
  title: 'bars',
  about: 'a <test> & more',
  columns: COLUMNS,
  rows: [
    row('GET', 'Flagstone', { speed: 150_000, lag: 0.5, sum: '00ff' }),
    row('GET', 'Redis', { speed: 100_000, lag: null, sum: null }),
  ],
};

function row(label: string, server: string, figures: Record<string, number | string | null>) {
  return { label, kind: label, server, figures };
}

describe('a table of results', () => {
  test('is printed with aligned columns and the ratio to Redis', () => {
    expect(printTable(withRatios(TABLE))).toBe(
      [
        'bars',
        'a <test> & more',
        '',
        '     server       ops/s  / Redis  p99 ms  replies',
        '─────────────────────────────────────────────────',
        'GET  Flagstone  150,000     1.50    0.50     00ff',
        '     Redis      100,000        —       —        —',
      ].join('\n'),
    );
  });

  test('has no ratios where there is nothing to compare with', () => {
    const alone = { ...TABLE, rows: TABLE.rows.slice(0, 1) };
    expect(withRatios(alone)).toBe(alone);
  });

  test('becomes a page of its own with a bar for each charted figure', () => {
    const machine = {
      ...{ processor: 'Test CPU', cores: 2, memoryGiB: 4, kernel: 'Linux', node: 'v20' },
      takenAt: 'today',
    };
    const tables = [withRatios(TABLE)];
    const page = renderPage({ command: 'npm run bench', machine, tables, failures: ['a <b>'] });
    expect(page.match(/<rect /g)?.length).toBe(2);
    expect(page).toContain('a &lt;test&gt; &amp; more');
    expect(page).toContain('a &lt;b&gt;');
    expect(page).not.toMatch(/<script|https?:|<link|@import|url\(/);
    for (const tag of ['svg', 'table', 'figure', 'text', 'rect']) {
      const opened = page.match(new RegExp(`<${tag}[ >]`, 'g'))?.length;
      expect(page.match(new RegExp(`</${tag}>`, 'g'))?.length).toBe(opened);
    }
  });

  test('takes the median of odd and even counts', () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 2, 3])).toBe(2.5);
    expect(median([])).toBeNaN();
  });
});

describe('the output of redis-benchmark', () => {
  const OUTPUT = `GET: rps=0.0\n====== GET ======
  20000 requests completed in 0.03 seconds
Latency by percentile distribution:
0.000% <= 0.039 milliseconds (cumulative count 16)
99.805% <= 1.111 milliseconds (cumulative count 19968)
99.902% <= 1.127 milliseconds (cumulative count 19984)
100.000% <= 1.159 milliseconds (cumulative count 20000)

Cumulative distribution of latencies:
99.960% <= 9.103 milliseconds (cumulative count 8432)

Summary:
  throughput summary: 645161.31 requests per second
  latency summary (msec):
          avg       min       p50       p95       p99       max
        0.167     0.032     0.111     0.343     0.447     1.159
`;

  test('is read for throughput and percentiles', () => {
    expect(readOutput(OUTPUT, 20_000)).toEqual({
      ...{ commands: 20_000, throughput: 645161.31, p50Ms: 0.111, p99Ms: 0.447 },
      ...{ p999Ms: 1.127, maxMs: 1.159 },
    });
    expect(readOutput('Could not connect', 1)).toBeNull();
  });

  test('is asked for with the words of one command, and for no mix of several', () => {
    const run = { host: 'h', port: 1, connections: 2, pipeline: 3, keys: 4, size: 3, count: 5 };
    expect(nativeArguments({ ...run, mix: parseMix('SET') }).join(' ')).toBe(
      '-h h -p 1 -c 2 -n 5 -r 4 -P 3 --precision 3 SET key:__rand_int__ x01',
    );
    const user = { name: 'ada', password: 'secret' };
    expect(nativeArguments({ ...run, user, mix: parseMix('GET') }).join(' ')).toMatch(
      /^--user ada -a secret -h h .* GET key:__rand_int__$/,
    );
    expect(() => nativeArguments({ ...run, mix: parseMix('getset') })).toThrow('--benchmark-tool');
  });
});
