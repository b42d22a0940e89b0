// HOTKEYS: which keys take the time and the network. Counting is switched on for a while only.

import { useEffect, useState } from 'preact/hooks';
import { ReplyError, type Value } from '../../../client/index.js';
import { bytes, micros, printable } from '../format.js';
import { db, explain } from '../link.js';
import { Empty, Failure } from '../parts.js';

const SECONDS = 60;
const POLL_MS = 2_000;
const ROWS = 10;

interface HotKeys {
  readonly isActive: boolean;
  readonly byTime: readonly HotKey[];
  readonly byBytes: readonly HotKey[];
}

interface HotKey {
  readonly name: string;
  readonly amount: number;
}

type State = 'unknown' | 'missing' | 'idle' | HotKeys;

/** RESP3 gives a map, RESP2 a flat array, and some versions an array around either. */
function fieldsOf(reply: Value): ReadonlyMap<string, Value> {
  const inner = Array.isArray(reply) && reply.length === 1 ? (reply[0] as Value) : reply;
  if (inner instanceof Map) return inner as ReadonlyMap<string, Value>;
  const words = Array.isArray(inner) ? (inner as readonly Value[]) : [];
  const fields = new Map<string, Value>();
  for (let at = 0; at + 1 < words.length; at += 2) fields.set(String(words[at]), words[at + 1]!);
  return fields;
}

function rowsOf(value: Value | undefined): HotKey[] {
  const flat =
    value instanceof Map ? [...value].flat() : ((value ?? []) as readonly Value[]).flat();
  const rows: HotKey[] = [];
  for (let at = 0; at + 1 < flat.length; at += 2) {
    rows.push({ name: printable(flat[at] as string), amount: Number(flat[at + 1]) });
  }
  return rows;
}

async function readHotKeys(): Promise<State> {
  try {
    const reply = await db().send('HOTKEYS', 'GET');
    if (reply === null) return 'idle';
    const fields = fieldsOf(reply);
    const isActive = Number(fields.get('tracking-active') ?? 0) === 1;
    const byTime = rowsOf(fields.get('by-cpu-time-us'));
    const byBytes = rowsOf(fields.get('by-net-bytes'));
    return fields.size === 0 ? 'idle' : { isActive, byTime, byBytes };
  } catch (error) {
    const isMissing = error instanceof ReplyError && error.message.includes('unknown command');
    if (isMissing) return 'missing';
    throw error;
  }
}

export function HotKeysCard() {
  const [state, setState] = useState<State>('unknown');
  const [error, setError] = useState<string | null>(null);
  const read = async (): Promise<void> => {
    try {
      setState(await readHotKeys());
      setError(null);
    } catch (failure) {
      setError(explain(failure));
    }
  };
  // One timer for the life of the card.
  useEffect(() => {
    read();
    const timer = setInterval(() => document.hidden || read(), POLL_MS);
    return () => clearInterval(timer);
  }, []);
  const run = async (...words: (string | number)[]): Promise<void> => {
    try {
      await db().send('HOTKEYS', ...words);
      await read();
    } catch (failure) {
      setError(explain(failure));
    }
  };
  const start = async (): Promise<void> => {
    if (typeof state === 'object') await run('RESET');
    await run('START', 'METRICS', 2, 'CPU', 'NET', 'COUNT', ROWS, 'DURATION', SECONDS);
  };
  const isActive = typeof state === 'object' && state.isActive;
  return (
    <section class="card">
      <header class="card-head">
        <h2>Hot keys</h2>
        {state === 'missing' || state === 'unknown' ? null : (
          <button type="button" onClick={() => (isActive ? run('STOP') : start())}>
            {isActive ? 'Stop' : `Watch for ${SECONDS} s`}
          </button>
        )}
      </header>
      {error === null ? null : <Failure error={error} />}
      <HotKeysBody state={state} />
    </section>
  );
}

function HotKeysBody({ state }: { state: State }) {
  if (state === 'missing') {
    return <Empty title="Not on this server">It has no HOTKEYS command.</Empty>;
  }
  if (typeof state === 'string') {
    return (
      <Empty title="Not being watched">
        Watching counts the time and the bytes of each key, for a minute.
      </Empty>
    );
  }
  if (state.byTime.length + state.byBytes.length === 0) {
    return <Empty title={state.isActive ? 'Watching …' : 'No key was used'} />;
  }
  return (
    <div class="grid two tight">
      <HotTable title="By time" rows={state.byTime} format={micros} />
      <HotTable title="By network" rows={state.byBytes} format={bytes} />
    </div>
  );
}

interface HotTableProps {
  readonly title: string;
  readonly rows: readonly HotKey[];
  readonly format: (value: number) => string;
}

function HotTable({ title, rows, format }: HotTableProps) {
  const most = Math.max(1, ...rows.map(({ amount }) => amount));
  return (
    <div>
      <h3>{title}</h3>
      <ul class="hot-list">
        {rows.map(({ name, amount }) => (
          <li key={name} style={`--share: ${((amount / most) * 100).toFixed(1)}%`}>
            <a class="mono" href={`#keys/${encodeURIComponent(name)}`} title={name}>
              {name}
            </a>
            <span>{format(amount)}</span>
          </li>
        ))}
      </ul>
    </div>
  );
}
