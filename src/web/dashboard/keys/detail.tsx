// One key: what it is, how long it lives, how much memory it takes, its value, and what may be
// done with it.

import { useState } from 'preact/hooks';
import type { Client, Word } from '../../../client/index.js';
import { useAsked } from '../asked.js';
import { bytes, count, seconds } from '../format.js';
import { explain } from '../link.js';
import { askText, confirmAction, Empty, Failure, Loading, TypeBadge } from '../parts.js';
import { type Bytes, type KeyRow, readRow, SHAPES } from './read.js';
import { Rows } from './rows.js';
import { StringValue } from './string.js';

export interface DetailProps {
  readonly client: Client;
  readonly name: string;
  readonly bytes: Bytes;
  close(): void;
  /** The list of keys is to be read anew. */
  changed(): void;
}

interface Facts extends KeyRow {
  readonly encoding: string;
  readonly length: number | null;
}

async function readFacts(client: Client, key: Bytes): Promise<Facts> {
  const row = await readRow(client, key);
  const command = row.type === 'string' ? 'STRLEN' : SHAPES[row.type]?.lengthCommand;
  const [encoding, length] = await Promise.all([
    client.send('OBJECT', 'ENCODING', key).catch(() => null),
    command === undefined ? null : client.send(command, key),
  ]);
  return {
    ...row,
    encoding: String(encoding ?? ''),
    length: length === null ? null : Number(length),
  };
}

export function KeyDetail(props: DetailProps) {
  const { client, name, bytes: key, close } = props;
  const { value: facts, error, reload } = useAsked(() => readFacts(client, key), [client, key]);
  const [failure, setFailure] = useState<string | null>(null);
  const run = async (words: Word[]): Promise<boolean> => {
    try {
      await client.send(...words);
      setFailure(null);
      reload();
      return true;
    } catch (problem) {
      setFailure(explain(problem));
      return false;
    }
  };
  return (
    <>
      <header class="detail-head">
        <button type="button" class="quiet back" onClick={close} aria-label="Back to the keys">
          ←
        </button>
        <h2 class="mono breaks">{name}</h2>
        {facts === null || facts.type === 'none' ? null : (
          <DetailActions {...props} facts={facts} run={run} />
        )}
      </header>
      {(error ?? failure) === null ? null : <Failure error={(error ?? failure)!} retry={reload} />}
      {facts === null ? (
        error === null && <Loading what="Reading the key" />
      ) : facts.type === 'none' ? (
        <Empty title="The key does not exist">It was deleted, or it has expired.</Empty>
      ) : (
        <>
          <FactList facts={facts} />
          <DetailValue client={client} facts={facts} run={run} />
        </>
      )}
    </>
  );
}

function FactList({ facts }: { facts: Facts }) {
  const { type, ttl, size, encoding, length } = facts;
  const what = type === 'string' ? 'bytes' : (SHAPES[type]?.what ?? '');
  return (
    <dl class="facts">
      <div>
        <dt>Type</dt>
        <dd>
          <TypeBadge type={type} />
        </dd>
      </div>
      <div>
        <dt>Expires</dt>
        <dd>{ttl < 0 ? 'never' : `in ${seconds(ttl)}`}</dd>
      </div>
      <div>
        <dt>Memory</dt>
        <dd>{size === null ? '–' : bytes(size)}</dd>
      </div>
      <div>
        <dt>Length</dt>
        <dd>{length === null ? '–' : `${count(length)} ${what}`}</dd>
      </div>
      <div>
        <dt>Encoding</dt>
        <dd>{encoding || '–'}</dd>
      </div>
    </dl>
  );
}

interface ActionProps extends DetailProps {
  readonly facts: Facts;
  run(words: Word[]): Promise<boolean>;
}

function DetailActions({ name, bytes: key, facts, run, close, changed }: ActionProps) {
  const expire = async (): Promise<void> => {
    const text =
      'After so many seconds the key is deleted. Nothing in the field: it stays for ever.';
    const value = facts.ttl < 0 ? '' : String(facts.ttl);
    const given = await askText('Time to live', text, { label: 'Seconds', value, isLong: false });
    if (given === null) return;
    const words = given.trim() === '' ? ['PERSIST', key] : ['EXPIRE', key, given.trim()];
    if (await run(words)) changed();
  };
  const remove = async (): Promise<void> => {
    const text = `${name} and its value are gone for good.`;
    if (!(await confirmAction('Delete this key?', text, 'Delete'))) return;
    if (!(await run(['UNLINK', key]))) return;
    close();
    changed();
  };
  return (
    <div class="actions">
      <button type="button" onClick={expire}>
        TTL
      </button>
      <button type="button" class="danger" onClick={remove}>
        Delete
      </button>
    </div>
  );
}

type ValueProps = Pick<ActionProps, 'client' | 'facts' | 'run'>;

function DetailValue({ client, facts, run }: ValueProps) {
  const shape = SHAPES[facts.type];
  if (facts.type === 'string') return <StringValue client={client} facts={facts} run={run} />;
  if (shape === undefined) return <Empty title={`Values of type ${facts.type} are not shown`} />;
  const isRead = `${facts.name}/${facts.type}`;
  return <Rows key={isRead} client={client} facts={facts} shape={shape} run={run} />;
}
