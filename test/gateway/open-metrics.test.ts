// The text of /metrics, read by a strict reader.

import { describe, expect, it } from 'vitest';
import type { Figures } from '../../src/gateway/door.js';
import { renderMetrics } from '../../src/gateway/metrics.js';
import { numberText } from '../../src/gateway/open-metrics.js';
import { parseOpenMetrics } from '../support/open-metrics.js';

const histogram = [3, 2, 1, 0, 5];
const figures: Figures = {
  time: 0,
  uptimeMs: 0,
  version: '1',
  engine: 'node',
  commands: 11,
  connections: 1,
  gatewayConnections: 0,
  inputBytes: 0,
  outputBytes: 0,
  hits: 0,
  misses: 0,
  expired: 0,
  evicted: 0,
  errors: 0,
  usedMemory: 0,
  peakMemory: 0,
  residentBytes: 0,
  maxMemory: 0,
  keys: 0,
  workers: [
    {
      thread: 0,
      kind: 'worker',
      connections: 1,
      commands: 11,
      microseconds: 5,
      cpuUserUs: 1_500_000,
      cpuSystemUs: 0,
      turns: 7,
      inputBytes: 1,
      outputBytes: 2,
    },
  ],
  partitions: [{ keys: 3, usedBytes: 4096, capacityBytes: 2 ** 31 }],
  latency: { limitsUs: [0.5, 0.7, 1, 1.4, 2], counts: histogram },
  commandStats: [
    { name: 'get', calls: 11, microseconds: 12, rejected: 1, failed: 2, histogram },
    { name: 'config|get', calls: 11, microseconds: 12, rejected: 0, failed: 0, histogram },
  ],
};

const INFO = [
  '# Server',
  'redis_version:7.2.6',
  'executable:C:\\a "b"',
  'uptime_in_seconds:12',
  'used_memory_human:1.00M',
  'used_memory_peak_perc:50.00%',
  'rdb_last_bgsave_status:ok',
  'total_commands_processed:7',
  'keyspace_hits:3',
  'cmdstat_get:calls=1,usec=2',
  'errorstat_ERR:count=4',
  'db0:keys=5,expires=1,avg_ttl=0',
  'thread_0:cpu=1,turns=2',
].join('\r\n');

describe('metrics', () => {
  it('are OpenMetrics', () => {
    const families = parseOpenMetrics(renderMetrics(INFO, figures));
    const first = (name: string, at = 0) => families.get(name)?.samples[at]?.value;

    expect(first('flagstone_uptime_in_seconds')).toBe(12);
    expect(families.get('flagstone_commands_processed')?.type).toBe('counter');
    expect(first('flagstone_commands_processed')).toBe(7);
    expect(first('flagstone_keyspace_hits')).toBe(3);
    expect(first('flagstone_used_memory_peak_perc')).toBe(0.5);
    expect(first('flagstone_rdb_last_bgsave_status')).toBe(1);
    expect(first('flagstone_error_replies')).toBe(4);
    expect(first('flagstone_database_keys')).toBe(5);
    expect(first('flagstone_partition_keys')).toBe(3);
    expect(first('flagstone_thread_cpu_seconds')).toBe(1.5);
    expect(families.has('flagstone_used_memory_human')).toBe(false);
    expect(families.get('flagstone')?.samples[0]?.labels.get('redis_version')).toBe('7.2.6');
  });

  it('have a histogram per command, of cumulated buckets', () => {
    const { samples = [] } = parseOpenMetrics(renderMetrics('', figures)).get(
      'flagstone_command_duration_seconds',
    )!;
    const buckets = samples.filter(({ labels }) => labels.get('command') === 'get');

    expect(
      buckets.map(({ name, labels, value }) => [name.slice(34), labels.get('le'), value]),
    ).toEqual([
      ['_bucket', '5e-07', 3],
      ['_bucket', '1e-06', 6],
      ['_bucket', '2e-06', 11],
      ['_bucket', '+Inf', 11],
      ['_count', undefined, 11],
      ['_sum', undefined, 1.2e-5],
    ]);
  });

  it('write numbers as others write them', () => {
    expect([1, 0, -3, 0.5, 1e-7, 1e-5, 2 ** 60, 1e300].map(numberText)).toEqual([
      '1.0',
      '0.0',
      '-3.0',
      '0.5',
      '1e-07',
      '1e-05',
      '1.152921504606847e+18',
      '1e+300',
    ]);
  });
});

describe('the strict reader', () => {
  it.each([
    ['no end', '# TYPE a gauge\na 1.0\n'],
    ['a sample without its family', 'a 1.0\n# EOF\n'],
    ['a counter without its suffix', '# TYPE a counter\na 1.0\n# EOF\n'],
    ['a family in two pieces', '# TYPE a gauge\na 1\n# TYPE b gauge\n# TYPE a gauge\n# EOF\n'],
    ['a sample twice', '# TYPE a gauge\na{b="c"} 1\na{b="c"} 2\n# EOF\n'],
    ['a quotation mark in a label', '# TYPE a gauge\na{b="c"d"} 1\n# EOF\n'],
    [
      'a histogram without its last bucket',
      '# TYPE a histogram\na_bucket{le="1"} 1\na_count 1\n# EOF\n',
    ],
    [
      'buckets that descend',
      '# TYPE a histogram\na_bucket{le="1"} 2\na_bucket{le="+Inf"} 1\n# EOF\n',
    ],
    ['an empty line', '# TYPE a gauge\n\na 1\n# EOF\n'],
  ])('refuses %s', (_, text) => {
    expect(() => parseOpenMetrics(text)).toThrow();
  });
});
