// The rows of a value that has several: fields, elements, members, entries. Read in pages.

import { useEffect, useState } from 'preact/hooks';
import type { Client, Word } from '../../../client/index.js';
import { printable } from '../format.js';
import { explain } from '../link.js';
import { askText, confirmAction, Failure, Loading } from '../parts.js';
import { type KeyRow, readPlaces, type Shape, type ValueRow } from './read.js';

interface RowsProps {
  readonly client: Client;
  readonly facts: KeyRow;
  readonly shape: Shape;
  run(words: Word[]): Promise<boolean>;
}

const TEXT_MAX = 2_000;

function cellText(cell: ValueRow['cells'][number]): string {
  const text = printable(cell);
  return text.length <= TEXT_MAX ? text : `${text.slice(0, TEXT_MAX)} …`;
}

export function Rows(props: RowsProps) {
  const { client, facts, shape } = props;
  const [rows, setRows] = useState<readonly ValueRow[]>([]);
  const [next, setNext] = useState<string | null>(shape.firstPage);
  const [error, setError] = useState<string | null>(null);
  const [isLoading, setLoading] = useState(false);
  const [places, setPlaces] = useState<readonly string[] | null>(null);
  const read = async (from: string, kept: readonly ValueRow[]): Promise<void> => {
    setLoading(true);
    try {
      const page = await shape.read(client, facts.key, from);
      setRows([...kept, ...page.rows]);
      setNext(page.next);
      setPlaces(null);
      setError(null);
    } catch (failure) {
      setError(explain(failure));
    }
    setLoading(false);
  };
  // Facts are new after every change.
  useEffect(() => {
    read(shape.firstPage, []);
  }, [facts]);
  const showPlaces = async (): Promise<void> => {
    setPlaces(places === null ? await readPlaces(client, facts.key, rows).catch(() => null) : null);
  };
  return (
    <>
      {error === null ? null : <Failure error={error} retry={() => read(shape.firstPage, [])} />}
      {rows.length === 0 && isLoading ? <Loading what="Reading the value" /> : null}
      {rows.length === 0 ? null : <RowTable {...props} rows={rows} places={places} />}
      <footer class="list-end">
        <span>
          {rows.length} shown{next === null ? '' : ', and there is more'}
        </span>
        {facts.type === 'zset' && rows.length > 0 ? (
          <button type="button" aria-pressed={places !== null} onClick={showPlaces}>
            As places
          </button>
        ) : null}
        {next === null ? null : (
          <button type="button" disabled={isLoading} onClick={() => read(next, rows)}>
            More
          </button>
        )}
      </footer>
    </>
  );
}

interface RowTableProps extends RowsProps {
  readonly rows: readonly ValueRow[];
  readonly places: readonly string[] | null;
}

function RowTable({ facts, shape, run, rows, places }: RowTableProps) {
  const edit = async (row: ValueRow): Promise<void> => {
    const name = shape.columns.at(-1)!;
    const label = `${name} of ${printable(row.id)}`;
    const value = printable(row.cells.at(-1)!);
    const field = { label, value, isLong: facts.type !== 'zset' };
    const given = await askText(`Edit the ${name.toLowerCase()}`, 'Saving replaces it.', field);
    if (given !== null) await run(shape.edit!(facts.key, row, given));
  };
  const remove = async (row: ValueRow): Promise<void> => {
    const text = `It is taken out of ${facts.name}.`;
    const isSure = await confirmAction(`Remove ${printable(row.id).slice(0, 60)}?`, text, 'Remove');
    if (isSure) await run(shape.remove!(facts.key, row));
  };
  return (
    <div class="table-frame values">
      <table>
        <thead>
          <tr>
            {shape.columns.map((title) => (
              <th key={title}>{title}</th>
            ))}
            {places === null ? null : <th>Longitude, latitude</th>}
            <th>
              <span class="hidden-title">Actions</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {rows.map((row, index) => (
            <tr key={printable(row.id)}>
              {row.cells.map((cell, column) => (
                // Columns do not move.
                <td key={column} class="mono breaks">
                  {cellText(cell)}
                </td>
              ))}
              {places === null ? null : <td class="mono nowrap">{places[index]}</td>}
              <td class="row-actions">
                {shape.edit !== undefined && row.cells.every((cell) => typeof cell === 'string') ? (
                  <button type="button" class="small" onClick={() => edit(row)}>
                    Edit
                  </button>
                ) : null}
                {shape.remove === undefined ? null : (
                  <button type="button" class="small" onClick={() => remove(row)}>
                    Remove
                  </button>
                )}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
