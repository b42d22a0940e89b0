// The slow log: commands that took longer than slowlog-log-slower-than.

import type { Value } from '../../client/index.js';
import { useAsked } from './asked.js';
import { clockTime, micros, printable } from './format.js';
import { db } from './link.js';
import { confirmAction, Empty, Failure, Loading } from './parts.js';

const ENTRIES = 128;
const POLL_MS = 5_000;

interface Entry {
  readonly id: number;
  readonly time: number;
  readonly micros: number;
  readonly words: readonly string[];
  readonly address: string;
  readonly name: string;
}

function entryOf(row: Value): Entry {
  const [id, time, took, words, address, name] = row as readonly Value[];
  return {
    id: Number(id),
    time: Number(time) * 1000,
    micros: Number(took),
    words: (words as readonly (string | Uint8Array)[]).map(printable),
    address: String(address ?? ''),
    name: String(name ?? ''),
  };
}

async function readEntries(): Promise<{ entries: readonly Entry[]; limit: string }> {
  const [rows, limit] = await Promise.all([
    db().send('SLOWLOG', 'GET', ENTRIES),
    // A user who may read the log need not be one who may read the configuration.
    db()
      .configGet('slowlog-log-slower-than')
      .then((map) => String([...map.values()][0] ?? ''))
      .catch(() => ''),
  ]);
  return { entries: (rows as readonly Value[]).map(entryOf), limit };
}

export function SlowLogPage() {
  const { value, error, reload } = useAsked(readEntries, [], POLL_MS);
  const clear = async (): Promise<void> => {
    const text = 'All entries of the slow log are removed, for everybody.';
    if (!(await confirmAction('Clear the slow log?', text, 'Clear'))) return;
    await db()
      .send('SLOWLOG', 'RESET')
      .catch(() => {});
    reload();
  };
  const limit = Number(value?.limit ?? '');
  return (
    <section class="card">
      <header class="card-head">
        <h1>Slow log</h1>
        <span class="hint">{limit > 0 ? `what took longer than ${micros(limit)}` : ''}</span>
        <span class="spring" />
        <button type="button" onClick={clear} disabled={!value?.entries.length}>
          Clear
        </button>
      </header>
      {error === null ? null : <Failure error={error} retry={reload} />}
      {value === null && error === null ? <Loading what="Reading the slow log" /> : null}
      {value?.entries.length === 0 ? (
        <Empty title="No slow command">Nothing took long enough to be remembered.</Empty>
      ) : null}
      {value === null || value.entries.length === 0 ? null : <SlowTable entries={value.entries} />}
    </section>
  );
}

function SlowTable({ entries }: { entries: readonly Entry[] }) {
  return (
    <div class="table-frame">
      <table>
        <thead>
          <tr>
            <th>When</th>
            <th class="number">Took</th>
            <th>Command</th>
            <th>Client</th>
          </tr>
        </thead>
        <tbody>
          {entries.map(({ id, time, micros: took, words, address, name }) => (
            <tr key={id}>
              <td class="nowrap">{clockTime(time)}</td>
              <td class="number">{micros(took)}</td>
              <td class="mono breaks">{words.join(' ')}</td>
              <td class="nowrap">{name === '' ? address : `${name} (${address})`}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
