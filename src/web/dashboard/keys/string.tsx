// A string: as text, as JSON where it is some, or byte by byte. Text can be edited.

import { useState } from 'preact/hooks';
import type { Client, Word } from '../../../client/index.js';
import { useAsked } from '../asked.js';
import { bytes, hexDump } from '../format.js';
import { askText, Failure, Loading } from '../parts.js';
import type { Bytes, KeyRow } from './read.js';

/** More of a string than this is not shown: nobody reads it, and pages get slow. */
const SHOWN_BYTES = 64 * 1024;

type View = 'text' | 'json' | 'hex';

interface StringProps {
  readonly client: Client;
  readonly facts: KeyRow & { readonly length: number | null };
  run(words: Word[]): Promise<boolean>;
}

function jsonOf(value: Bytes): string | null {
  if (typeof value !== 'string' || !/^\s*[[{]/.test(value)) return null;
  try {
    return JSON.stringify(JSON.parse(value), null, 2);
  } catch {
    return null;
  }
}

function shownAs(value: Bytes, view: View): string {
  if (view === 'json') return jsonOf(value) ?? '';
  if (view === 'text' && typeof value === 'string') return value;
  return hexDump(typeof value === 'string' ? new TextEncoder().encode(value) : value);
}

export function StringValue({ client, facts, run }: StringProps) {
  const { key, length } = facts;
  const read = () => client.send('GETRANGE', key, 0, SHOWN_BYTES - 1);
  const { value, error, reload } = useAsked(read, [client, facts]);
  const [chosen, setChosen] = useState<View | null>(null);
  if (error !== null) return <Failure error={error} retry={reload} />;
  if (value === null) return <Loading what="Reading the value" />;
  const text = value as Bytes;
  const isText = typeof text === 'string';
  const isJson = jsonOf(text) !== null;
  const views: View[] = [
    ...(isJson ? (['json'] as const) : []),
    ...(isText ? (['text'] as const) : []),
    'hex',
  ];
  const view = chosen !== null && views.includes(chosen) ? chosen : views[0]!;
  const isWhole = (length ?? 0) <= SHOWN_BYTES;
  const edit = async (): Promise<void> => {
    const field = { label: 'Value', value: isText ? text : '', isLong: true };
    const given = await askText('Edit the value', 'Saving replaces it; the TTL stays.', field);
    if (given !== null) await run(['SET', key, given, 'XX', 'KEEPTTL']);
  };
  return (
    <>
      <div class="value-head">
        <fieldset class="segments" aria-label="Shown as">
          {views.map((name) => (
            <button
              type="button"
              key={name}
              aria-pressed={name === view}
              onClick={() => setChosen(name)}
            >
              {name}
            </button>
          ))}
        </fieldset>
        <span class="spring" />
        {isText && isWhole ? (
          <button type="button" onClick={edit}>
            Edit
          </button>
        ) : null}
      </div>
      <pre class="value" data-view={view}>
        {shownAs(text, view)}
      </pre>
      {isWhole ? null : <p class="hint">The first {bytes(SHOWN_BYTES)} are shown.</p>}
    </>
  );
}
