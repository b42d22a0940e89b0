// The commands that are called most, in the last second or since the start.

import { useState } from 'preact/hooks';
import { count, micros } from '../format.js';
import { Empty } from '../parts.js';
import { type CommandStats, difference, percentile, stats } from '../stats.js';
import { useStore } from '../store.js';

const ROWS_MAX = 12;

interface Row {
  readonly name: string;
  readonly calls: number;
  readonly mean: number;
  readonly p99: number | null;
  readonly failed: number;
}

export function CommandsCard() {
  const { last, before } = useStore(stats);
  const [isLive, setLive] = useState(true);
  const since = isLive ? (before?.commandStats ?? []) : [];
  const limits = last?.latency.limitsUs ?? [];
  const rows = rowsOf(since, last?.commandStats ?? [], limits);
  return (
    <section class="card">
      <header class="card-head">
        <h2>Commands</h2>
        <fieldset class="segments" aria-label="Since">
          <button type="button" aria-pressed={isLive} onClick={() => setLive(true)}>
            Last second
          </button>
          <button type="button" aria-pressed={!isLive} onClick={() => setLive(false)}>
            All time
          </button>
        </fieldset>
      </header>
      {rows.length === 0 ? <Empty title="Nothing was called" /> : <CommandTable rows={rows} />}
    </section>
  );
}

function CommandTable({ rows }: { rows: readonly Row[] }) {
  return (
    <div class="table-frame">
      <table>
        <thead>
          <tr>
            <th>Command</th>
            <th class="number">Calls</th>
            <th class="number">Mean</th>
            <th class="number">p99</th>
            <th class="number">Failed</th>
          </tr>
        </thead>
        <tbody>
          {rows.map(({ name, calls, mean, p99, failed }) => (
            <tr key={name}>
              <td class="mono">{name.replace('|', ' ').toUpperCase()}</td>
              <td class="number">{count(calls)}</td>
              <td class="number">{micros(mean)}</td>
              <td class="number">{p99 === null ? '–' : micros(p99)}</td>
              <td class="number">{failed === 0 ? '–' : count(failed)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function rowsOf(
  before: readonly CommandStats[],
  after: readonly CommandStats[],
  limits: readonly number[],
): Row[] {
  const earlier = new Map(before.map((each) => [each.name, each]));
  const rows = after.map((each) => {
    const from = earlier.get(each.name);
    const calls = each.calls - (from?.calls ?? 0);
    const counts = difference(from?.histogram ?? [], each.histogram);
    return {
      name: each.name,
      calls,
      mean: calls === 0 ? 0 : (each.microseconds - (from?.microseconds ?? 0)) / calls,
      p99: percentile(limits, counts, 0.99),
      failed: each.failed + each.rejected - (from === undefined ? 0 : from.failed + from.rejected),
    };
  });
  const called = rows.filter(({ calls }) => calls > 0);
  return called.sort((a, b) => b.calls - a.calls).slice(0, ROWS_MAX);
}
