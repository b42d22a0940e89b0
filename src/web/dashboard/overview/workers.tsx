// The threads: how busy each is. The CPU of a thread is its share of one core.

import { count, percent } from '../format.js';
import { Empty } from '../parts.js';
import { stats } from '../stats.js';
import { useStore } from '../store.js';

export function WorkersCard() {
  const { last, samples } = useStore(stats);
  const sample = samples.at(-1);
  const workers = last?.workers ?? [];
  return (
    <section class="card">
      <header class="card-head">
        <h2>Threads</h2>
        <span class="hint">share of one core, clients, commands a second</span>
      </header>
      {workers.length === 0 ? <Empty title="No threads reported" /> : null}
      <ul class="bars">
        {workers.map(({ thread, kind, connections }, index) => {
          const cpu = Math.min(1, sample?.workerCpu[index] ?? 0);
          return (
            <li key={`${kind}${thread}`}>
              <span class="bar-name">
                {kind === 'worker' ? `thread ${thread}` : `${kind} ${thread}`}
              </span>
              <span class="bar" aria-hidden="true">
                <i style={`width: ${(cpu * 100).toFixed(1)}%`} class={cpu > 0.85 ? 'hot' : ''} />
              </span>
              <span class="bar-value">{percent(cpu)}</span>
              <span class="bar-text">
                {count(connections)} clients · {count(Math.round(sample?.workerOps[index] ?? 0))}/s
              </span>
            </li>
          );
        })}
      </ul>
    </section>
  );
}
