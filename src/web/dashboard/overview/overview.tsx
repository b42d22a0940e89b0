// The first page: how much the server does, how fast, and with what.

import { ChartCard } from '../chart.js';
import { bytes, count, micros, percent, seconds } from '../format.js';
import { Empty, Failure, Loading } from '../parts.js';
import { type Sample, type Stats, stats } from '../stats.js';
import { useStore } from '../store.js';
import { CommandsCard } from './commands.js';
import { HotKeysCard } from './hot-keys.js';
import { PartitionsCard } from './partitions.js';
import { WorkersCard } from './workers.js';

export function OverviewPage() {
  const { last, samples, error } = useStore(stats);
  if (last === null) {
    return error === null ? (
      <Loading what="Waiting for the first numbers" />
    ) : (
      <Empty title="No numbers to show">{error}</Empty>
    );
  }
  return (
    <>
      <h1 class="hidden-title">Overview</h1>
      {error === null ? null : <Failure error={error} />}
      <Tiles last={last} sample={samples.at(-1) ?? null} />
      <Charts samples={samples} last={last} />
      <div class="grid two">
        <WorkersCard />
        <PartitionsCard partitions={last.partitions} />
        <HotKeysCard />
        <CommandsCard />
      </div>
    </>
  );
}

function Tiles({ last, sample }: { last: Stats; sample: Sample | null }) {
  const known = last.hits + last.misses;
  const share = last.maxMemory === 0 ? 'no limit' : `of ${bytes(last.maxMemory)}`;
  const tiles: readonly (readonly [string, string, string])[] = [
    [
      'Commands / s',
      sample === null ? '–' : count(sample.opsPerSecond),
      `${count(last.commands)} in all`,
    ],
    ['Latency p99', sample?.p99 == null ? '–' : micros(sample.p99), 'in the last second'],
    ['Memory', bytes(last.usedMemory), share],
    ['Hit ratio', known === 0 ? '–' : percent(last.hits / known), `${count(known)} reads`],
    ['Keys', count(last.keys), `${count(last.expired)} expired, ${count(last.evicted)} evicted`],
    ['Clients', count(last.connections), `${count(last.gatewayConnections)} on the gateway`],
    ['Uptime', uptime(last.uptimeMs / 1000), `${count(last.errors)} error replies`],
  ];
  return (
    <section class="tiles" aria-label="Now">
      {tiles.map(([title, value, text]) => (
        <div class="tile" key={title} data-tile={title}>
          <span class="tile-title">{title}</span>
          <strong>{value}</strong>
          <span class="tile-text">{text}</span>
        </div>
      ))}
    </section>
  );
}

/** Seconds matter in the first minute only. */
function uptime(value: number): string {
  return seconds(value < 60 ? value : Math.floor(value / 60) * 60);
}

function Charts({ samples, last }: { samples: readonly Sample[]; last: Stats }) {
  const times = samples.map(({ time }) => time);
  const of = <K extends keyof Sample>(name: K) => samples.map((sample) => sample[name]);
  return (
    <div class="grid two">
      <ChartCard
        title="Throughput"
        label="Commands per second over time"
        times={times}
        format={count}
        least={10}
        series={[
          { label: 'commands/s', colour: 'chart-1', values: of('opsPerSecond'), isFilled: true },
        ]}
      />
      <ChartCard
        title="Latency"
        label="Latency percentiles over time"
        times={times}
        format={micros}
        series={[
          { label: 'p50', colour: 'chart-1', values: of('p50') },
          { label: 'p99', colour: 'chart-2', values: of('p99') },
          { label: 'p99.9', colour: 'chart-3', values: of('p999') },
        ]}
      />
      <ChartCard
        title="Memory"
        label="Memory over time"
        times={times}
        format={bytes}
        isBinary
        least={last.maxMemory || 1024}
        series={[
          { label: 'data', colour: 'chart-1', values: of('usedMemory'), isFilled: true },
          { label: 'process', colour: 'chart-4', values: of('residentBytes') },
        ]}
      />
      <ChartCard
        title="Hit ratio"
        label="Share of reads that found their key"
        times={times}
        format={percent}
        most={1}
        series={[{ label: 'hits', colour: 'chart-1', values: of('hitRatio'), isFilled: true }]}
      />
      <ChartCard
        title="Network"
        label="Bytes per second over time"
        times={times}
        format={bytes}
        isBinary
        least={1024}
        series={[
          { label: 'in/s', colour: 'chart-4', values: of('inputPerSecond') },
          { label: 'out/s', colour: 'chart-2', values: of('outputPerSecond') },
        ]}
      />
      <WorkerChart samples={samples} last={last} />
    </div>
  );
}

function WorkerChart({ samples, last }: { samples: readonly Sample[]; last: Stats }) {
  const times = samples.map(({ time }) => time);
  const series = last.workers.slice(0, 6).map(({ thread, kind }, index) => ({
    label: kind === 'worker' ? `thread ${thread}` : `${kind} ${thread}`,
    colour: `chart-${(index % 6) + 1}`,
    values: samples.map(({ workerOps }) => workerOps[index] ?? null),
  }));
  return (
    <ChartCard
      title="Commands per thread"
      label="Commands per second of each thread"
      times={times}
      format={count}
      least={10}
      series={series}
    />
  );
}
