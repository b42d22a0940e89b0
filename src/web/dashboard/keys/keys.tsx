// The keyspace browser: keys by pattern in pages on one side, the chosen key on the other. It has a
// connection of its own, since its database may be another one.

import { useEffect, useState } from 'preact/hooks';
import type { Client } from '../../../client/index.js';
import { bytes, seconds } from '../format.js';
import { explain, link, openClient } from '../link.js';
import { Empty, Failure, Loading, TypeBadge } from '../parts.js';
import { useStore } from '../store.js';
import { KeyDetail } from './detail.js';
import { type KeyRow, readKeys } from './read.js';

const TYPES = ['string', 'hash', 'list', 'set', 'zset', 'stream', 'array'];
const DATABASES = 16;
const TYPING_MS = 250;

interface Search {
  readonly pattern: string;
  readonly type: string;
  readonly database: number;
}

function keyFromHash(): string | null {
  const at = location.hash.indexOf('/');
  if (at === -1) return null;
  const name = location.hash.slice(at + 1);
  try {
    return decodeURIComponent(name);
  } catch {
    // Typed by hand, with a percent sign of its own.
    return name;
  }
}

function useClient(database: number): Client | null {
  const [client, setClient] = useState<Client | null>(null);
  useEffect(() => {
    const opened = openClient({ db: database });
    // A function in a setter of state is called: the client must not be.
    setClient(() => opened);
    return () => opened.close();
  }, [database]);
  return client;
}

export function KeysPage() {
  const [search, setSearch] = useState<Search>({ pattern: '*', type: '', database: 0 });
  const client = useClient(search.database);
  return (
    <>
      <h1 class="hidden-title">Keys</h1>
      {client === null ? (
        <Loading what="Connecting" />
      ) : (
        <Browser key={search.database} client={client} search={search} setSearch={setSearch} />
      )}
    </>
  );
}

interface BrowserProps {
  readonly client: Client;
  readonly search: Search;
  setSearch(search: Search): void;
}

function Browser({ client, search, setSearch }: BrowserProps) {
  const keys = useKeys(client, search);
  const [picked, setPicked] = useState<string | null>(keyFromHash);
  useEffect(() => {
    const changed = (): void => setPicked(keyFromHash());
    window.addEventListener('hashchange', changed);
    return () => window.removeEventListener('hashchange', changed);
  }, []);
  const row = keys.rows.find(({ name }) => name === picked);
  const close = (): void => {
    location.hash = '#keys';
  };
  return (
    <div class={`browser ${picked === null ? '' : 'has-picked'}`}>
      <section class="card key-list">
        <SearchForm search={search} setSearch={setSearch} />
        {keys.error === null ? null : <Failure error={keys.error} retry={keys.reload} />}
        <KeyList rows={keys.rows} picked={picked} />
        <KeyListEnd keys={keys} />
      </section>
      <section class="card key-detail">
        {picked === null ? (
          <Empty title="No key chosen">Choose one to see its value, its TTL and its memory.</Empty>
        ) : (
          <KeyDetail
            key={picked}
            client={client}
            name={picked}
            bytes={row?.key ?? picked}
            close={close}
            changed={keys.reload}
          />
        )}
      </section>
    </div>
  );
}

interface Keys {
  readonly rows: readonly KeyRow[];
  readonly cursor: string;
  readonly error: string | null;
  readonly isLoading: boolean;
  more(): void;
  reload(): void;
}

function useKeys(client: Client, { pattern, type }: Search): Keys {
  const [state, setState] = useState({ rows: [] as readonly KeyRow[], cursor: '0' });
  const [error, setError] = useState<string | null>(null);
  const [isLoading, setLoading] = useState(true);
  const [round, setRound] = useState(0);
  const isReady = useStore(link).state === 'ready';
  const read = async (from: string, kept: readonly KeyRow[], isCurrent: () => boolean) => {
    setLoading(true);
    try {
      const page = await readKeys(client, pattern, type, from);
      if (!isCurrent()) return;
      // SCAN may give a key twice.
      const known = new Set(kept.map(({ name }) => name));
      const fresh = page.rows.filter(({ name }) => !known.has(name) && known.add(name));
      setState({ rows: [...kept, ...fresh], cursor: page.cursor });
      setError(null);
    } catch (failure) {
      if (isCurrent()) setError(explain(failure));
    }
    if (isCurrent()) setLoading(false);
  };
  // The search says what is read.
  useEffect(() => {
    let isCurrent = true;
    const timer = setTimeout(() => read('0', [], () => isCurrent), round === 0 ? TYPING_MS : 0);
    return () => {
      isCurrent = false;
      clearTimeout(timer);
    };
  }, [client, pattern, type, round, isReady]);
  return {
    ...state,
    error,
    isLoading,
    more: () => read(state.cursor, state.rows, () => true),
    reload: () => setRound((before) => before + 1),
  };
}

function SearchForm({ search, setSearch }: Omit<BrowserProps, 'client'>) {
  return (
    <form class="search" onSubmit={(event) => event.preventDefault()}>
      <input
        type="search"
        name="pattern"
        value={search.pattern}
        placeholder="Pattern, such as user:*"
        aria-label="Pattern"
        spellcheck={false}
        autocapitalize="off"
        onInput={(event) => setSearch({ ...search, pattern: event.currentTarget.value })}
      />
      <select
        aria-label="Type"
        value={search.type}
        onChange={(event) => setSearch({ ...search, type: event.currentTarget.value })}
      >
        <option value="">all types</option>
        {TYPES.map((type) => (
          <option key={type}>{type}</option>
        ))}
      </select>
      <select
        aria-label="Database"
        value={String(search.database)}
        onChange={(event) => setSearch({ ...search, database: Number(event.currentTarget.value) })}
      >
        {Array.from({ length: DATABASES }, (_, index) => String(index)).map((index) => (
          <option key={index} value={index}>
            db {index}
          </option>
        ))}
      </select>
    </form>
  );
}

function KeyList({ rows, picked }: { rows: readonly KeyRow[]; picked: string | null }) {
  return (
    <ul class="keys">
      {rows.map(({ name, type, ttl, size }) => (
        <li key={name}>
          <a
            href={`#keys/${encodeURIComponent(name)}`}
            aria-current={name === picked ? 'true' : undefined}
          >
            <TypeBadge type={type} />
            <span class="key-name mono">{name}</span>
            <span class="key-facts">
              {ttl < 0 ? null : <span title="expires in">{seconds(ttl)}</span>}
              {size === null ? null : <span title="memory">{bytes(size)}</span>}
            </span>
          </a>
        </li>
      ))}
    </ul>
  );
}

function KeyListEnd({ keys }: { keys: Keys }) {
  const { rows, cursor, isLoading, error } = keys;
  if (isLoading && rows.length === 0) return <Loading what="Looking for keys" />;
  const isAll = cursor === '0';
  if (rows.length === 0 && isAll) {
    return error === null ? <Empty title="No key fits">Try another pattern or type.</Empty> : null;
  }
  return (
    <footer class="list-end">
      <span>
        {rows.length} keys{isAll ? '' : ', and there may be more'}
      </span>
      {isAll ? null : (
        <button type="button" onClick={keys.more} disabled={isLoading}>
          {isLoading ? 'Looking …' : 'Look on'}
        </button>
      )}
    </footer>
  );
}
