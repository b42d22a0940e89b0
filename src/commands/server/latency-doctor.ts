// LATENCY DOCTOR: what has taken long, in words, and what to look at. Redis's doctor says much of
// it in other words.

import type { Context } from '../../dispatch/context.js';
import type { LatencySeries } from '../../stats/latency.js';

const DISABLED =
  'Nothing was measured: the latency monitor is off. Switch it on with ' +
  '"CONFIG SET latency-monitor-threshold <milliseconds>".\n';
const NOTHING =
  'Nothing took longer than the threshold since it was set, or since the last reset.\n';

const DISK =
  'Writing to the disk was slow: look for other processes that use the same disk, use a local ' +
  'disk rather than a remote one, and an SSD.';

/** What to look at when there are samples of an event. */
const ADVICE: Readonly<Record<string, string>> = {
  command:
    'Commands were slow: SLOWLOG GET shows which. Large values are slow to delete, to read as a ' +
    'whole and to combine; several smaller ones are not.',
  'fast-command':
    'Even commands of constant cost were slow: the machine did not give the server its time. ' +
    'Lower the load of the machine, give the server fewer threads than it has cores, and look ' +
    'for noisy neighbours on a virtual machine.',
  'expire-cycle':
    'Removing expired keys took long: large values expire at once. Split them into smaller ones, ' +
    'or set lazyfree-lazy-expire.',
  'aof-write': DISK,
  'aof-write-alone': DISK,
  'aof-write-pending-fsync': DISK,
  'aof-write-active-child': DISK,
  'aof-rename': DISK,
  'aof-fsync-always':
    'Each write waits for the disk, as appendfsync always asks for. With everysec at most one ' +
    'second is lost when the machine fails, and nothing when the process does.',
  'eviction-cycle':
    'Much had to be evicted at once: after maxmemory was lowered, or for a very large value.',
  'eviction-del': 'Large values were evicted. Split them into smaller ones.',
};

export function diagnose(context: Context): string {
  const { latency, config } = context.server;
  const series = latency.all();
  if (series.length === 0) {
    return config.number('latency-monitor-threshold') === 0 ? DISABLED : NOTHING;
  }
  const nowSeconds = Math.floor(context.nowMs / 1000);
  const facts = series.map((each, index) => `${index + 1}. ${describe(each, nowSeconds)}\n`);
  const advice = new Set(series.flatMap(({ name }) => ADVICE[name] ?? []));
  if (series.some(({ name }) => name === 'command')) {
    const hint = slowlogHint(context);
    if (hint !== null) advice.add(hint);
  }
  const hints = [...advice].map((hint) => `- ${hint}\n`);
  const report = ['These events took longer than the threshold:\n', facts.join('')];
  return [...report, `What to look at:\n\n${hints.join('')}`].join('\n');
}

function describe({ name, worstMs, samples }: LatencySeries, nowSeconds: number): string {
  const times = samples.map(({ ms }) => ms);
  const count = times.length;
  const average = Math.floor(times.reduce((sum, ms) => sum + ms, 0) / count);
  const deviation = Math.floor(times.reduce((sum, ms) => sum + Math.abs(average - ms), 0) / count);
  const oldest = samples.reduce((least, { second }) => Math.min(least, second), nowSeconds);
  const period = Math.max(1, nowSeconds - oldest) / count;
  return (
    `${name}: ${count} latency spikes (average ${average}ms, mean deviation ${deviation}ms, ` +
    `period ${period.toFixed(2)} sec). Worst all time event ${worstMs}ms.`
  );
}

/** The slow log does not show what the monitor measures. */
function slowlogHint({ server: { config } }: Context): string | null {
  const slowerThan = config.number('slowlog-log-slower-than');
  const wanted = config.number('latency-monitor-threshold') * 1000;
  if (slowerThan >= 0 && slowerThan <= wanted) return null;
  return `The slow log does not see them all: "CONFIG SET slowlog-log-slower-than ${wanted}".`;
}
