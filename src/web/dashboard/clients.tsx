// CLIENT LIST as a table, and a way to end a client.

import { useState } from 'preact/hooks';
import { useAsked } from './asked.js';
import { bytes, seconds } from './format.js';
import { db, explain } from './link.js';
import { confirmAction, Empty, Failure, Loading } from './parts.js';

const POLL_MS = 2_000;
const ROWS_MAX = 200;

type ClientRow = Readonly<Record<string, string>>;

/** Lines of `name=value` pairs. */
async function readClients(): Promise<readonly ClientRow[]> {
  const text = String(await db().send('CLIENT', 'LIST'));
  const lines = text.split('\n').filter((line) => line !== '');
  return lines.map((line) =>
    Object.fromEntries(
      line.split(' ').map((pair) => {
        const at = pair.indexOf('=');
        return [pair.slice(0, at), pair.slice(at + 1)];
      }),
    ),
  );
}

export function ClientsPage() {
  const { value, error, reload } = useAsked(readClients, [], POLL_MS);
  const [filter, setFilter] = useState('');
  const [failure, setFailure] = useState<string | null>(null);
  const fits = (row: ClientRow): boolean =>
    Object.values(row).some((each) => each.includes(filter));
  const rows = (value ?? []).filter(fits);
  const end = async (row: ClientRow): Promise<void> => {
    const text = `The connection of ${row.addr} is closed. Its program may connect anew.`;
    if (!(await confirmAction(`End client ${row.id}?`, text, 'End'))) return;
    setFailure(
      await db()
        .send('CLIENT', 'KILL', 'ID', row.id!)
        .then(() => null)
        .catch(explain),
    );
    reload();
  };
  return (
    <section class="card">
      <header class="card-head">
        <h1>Clients</h1>
        <span class="hint">{value === null ? '' : `${rows.length} of ${value.length}`}</span>
        <span class="spring" />
        <input
          class="filter"
          placeholder="Filter"
          aria-label="Filter clients"
          value={filter}
          onInput={(event) => setFilter(event.currentTarget.value)}
        />
      </header>
      {(error ?? failure) === null ? null : <Failure error={(error ?? failure)!} retry={reload} />}
      {value === null && error === null ? <Loading what="Reading the clients" /> : null}
      {value !== null && rows.length === 0 ? <Empty title="No client fits" /> : null}
      {rows.length === 0 ? null : <ClientTable rows={rows.slice(0, ROWS_MAX)} end={end} />}
      {rows.length > ROWS_MAX ? <p class="hint">The first {ROWS_MAX} are shown.</p> : null}
    </section>
  );
}

interface ClientTableProps {
  readonly rows: readonly ClientRow[];
  end(row: ClientRow): void;
}

function ClientTable({ rows, end }: ClientTableProps) {
  return (
    <div class="table-frame">
      <table>
        <thead>
          <tr>
            <th class="number">Id</th>
            <th>Address</th>
            <th>Name</th>
            <th>User</th>
            <th>Last command</th>
            <th class="number">Idle</th>
            <th class="number">Age</th>
            <th class="number">Memory</th>
            <th>
              <span class="hidden-title">Actions</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr key={row.id}>
              <td class="number">{row.id}</td>
              <td class="mono nowrap">{row.addr}</td>
              <td>{row.name || row['lib-name'] || '–'}</td>
              <td>{row.user}</td>
              <td class="mono">{row.cmd?.replace('|', ' ')}</td>
              <td class="number nowrap">{seconds(Number(row.idle))}</td>
              <td class="number nowrap">{seconds(Number(row.age))}</td>
              <td class="number nowrap">{bytes(Number(row['tot-mem'] ?? 0))}</td>
              <td class="number">
                <button type="button" class="small" onClick={() => end(row)}>
                  End
                </button>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
