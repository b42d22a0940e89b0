// How the keys and the values of each type are read: always in pages, never a whole large value.

import { type Client, ReplyError, type Value, type Word } from '../../../client/index.js';
import { printable } from '../format.js';

export type Bytes = string | Uint8Array;

export interface KeyRow {
  readonly key: Bytes;
  readonly name: string;
  readonly type: string;
  /** In seconds; −1 is for ever. */
  readonly ttl: number;
  readonly size: number | null;
}

export interface KeyPage {
  readonly rows: readonly KeyRow[];
  /** `0` when all has been seen. */
  readonly cursor: string;
}

const KEYS_WANTED = 100;
const SCAN_COUNT = 100;
/** A pattern that fits next to nothing must not walk a huge keyspace in one go. */
const SCANS_MAX = 40;

export async function readKeys(
  db: Client,
  pattern: string,
  type: string,
  start: string,
): Promise<KeyPage> {
  const found: Bytes[] = [];
  let cursor = start;
  for (let scans = 0; scans < SCANS_MAX && found.length < KEYS_WANTED; scans++) {
    const words: Word[] = ['SCAN', cursor, 'MATCH', pattern === '' ? '*' : pattern];
    if (type !== '') words.push('TYPE', type);
    const reply = await db.send(...words, 'COUNT', SCAN_COUNT);
    const [next, keys] = reply as readonly [Bytes, readonly Bytes[]];
    found.push(...keys);
    cursor = printable(next);
    if (cursor === '0') break;
  }
  const rows = await Promise.all(found.map((key) => readRow(db, key).catch(unlessForeign)));
  // A key may be gone between the two questions.
  return { rows: rows.flatMap((row) => (row === null || row.type === 'none' ? [] : row)), cursor };
}

/** SCAN names keys that the user may not read: they are left out. */
function unlessForeign(error: unknown): null {
  if (error instanceof ReplyError && /^NOPERM .*access a key/.test(error.message)) return null;
  throw error;
}

/** All questions of one page travel in one frame. */
export async function readRow(db: Client, key: Bytes): Promise<KeyRow> {
  const [type, ttl, size] = await Promise.all([
    db.send('TYPE', key),
    db.send('TTL', key),
    db.send('MEMORY', 'USAGE', key).catch(() => null),
  ]);
  return {
    key,
    name: printable(key),
    type: String(type),
    ttl: Number(ttl),
    size: size === null ? null : Number(size),
  };
}

// ---- values ------------------------------------------------------------------------------------

export interface ValueRow {
  /** What identifies the row for a change: field, index, member, id. */
  readonly id: Bytes;
  readonly cells: readonly Bytes[];
}

export interface ValuePage {
  readonly rows: readonly ValueRow[];
  /** Where the next page starts; null at the end. */
  readonly next: string | null;
}

export interface Shape {
  readonly columns: readonly string[];
  readonly lengthCommand: string;
  readonly what: string;
  readonly firstPage: string;
  read(db: Client, key: Bytes, start: string): Promise<ValuePage>;
  /** The words that change the last cell of a row. */
  edit?(key: Bytes, row: ValueRow, text: string): Word[];
  /** The words that take a row out. */
  remove?(key: Bytes, row: ValueRow): Word[];
}

const PAGE = 100;

function pairsOf(flat: Value): (readonly [Bytes, Bytes])[] {
  if (flat instanceof Map) return [...flat] as [Bytes, Bytes][];
  const items = flat as readonly Value[];
  if (Array.isArray(items[0])) return items.map((each) => each as unknown as [Bytes, Bytes]);
  const pairs: [Bytes, Bytes][] = [];
  for (let at = 0; at + 1 < items.length; at += 2) {
    pairs.push([items[at] as Bytes, items[at + 1] as Bytes]);
  }
  return pairs;
}

function byCursor(command: string, toRows: (flat: Value) => ValueRow[]): Shape['read'] {
  return async (db, key, start) => {
    const reply = await db.send(command, key, start, 'COUNT', PAGE);
    const [next, flat] = reply as readonly [Bytes, Value];
    const cursor = printable(next);
    return { rows: toRows(flat), next: cursor === '0' ? null : cursor };
  };
}

/** By rank or index, with the number of the next page's first row as its start. */
function byIndex(command: string, more: readonly string[]): Shape['read'] {
  return async (db, key, start) => {
    const first = Number(start);
    const reply = await db.send(command, key, first, first + PAGE - 1, ...more);
    const items = reply as readonly Value[];
    const isScored = more.includes('WITHSCORES');
    const rows = isScored
      ? pairsOf(items).map(([member, score]) => ({ id: member, cells: [member, String(score)] }))
      : items.map((value, index) => ({
          id: String(first + index),
          cells: [String(first + index), value as Bytes],
        }));
    return { rows, next: rows.length < PAGE ? null : String(first + PAGE) };
  };
}

async function readStream(db: Client, key: Bytes, start: string): Promise<ValuePage> {
  const reply = await db.send('XREVRANGE', key, start, '-', 'COUNT', PAGE);
  const rows = (reply as readonly (readonly [Bytes, Value])[]).map(([id, flat]) => {
    const fields = pairsOf(flat).map(([name, value]) => `${printable(name)}: ${printable(value)}`);
    return { id, cells: [id, fields.join('\n')] };
  });
  const last = rows.at(-1);
  const isAll = rows.length < PAGE || last === undefined;
  return { rows, next: isAll ? null : `(${printable(last.id)}` };
}

async function readArray(db: Client, key: Bytes, start: string): Promise<ValuePage> {
  const reply = await db.send('ARSCAN', key, start, '18446744073709551614', 'LIMIT', PAGE);
  const rows = pairsOf(reply).map(([index, value]) => {
    const text = String(index);
    return { id: text, cells: [text, value] };
  });
  const last = rows.at(-1);
  const isAll = rows.length < PAGE || last === undefined;
  return { rows, next: isAll ? null : String(BigInt(printable(last.id)) + 1n) };
}

export const SHAPES: Readonly<Record<string, Shape | undefined>> = {
  hash: {
    columns: ['Field', 'Value'],
    lengthCommand: 'HLEN',
    what: 'fields',
    firstPage: '0',
    read: byCursor('HSCAN', (flat) =>
      pairsOf(flat).map(([field, value]) => ({ id: field, cells: [field, value] })),
    ),
    edit: (key, row, text) => ['HSET', key, row.id, text],
    remove: (key, row) => ['HDEL', key, row.id],
  },
  list: {
    columns: ['Index', 'Value'],
    lengthCommand: 'LLEN',
    what: 'elements',
    firstPage: '0',
    read: byIndex('LRANGE', []),
    edit: (key, row, text) => ['LSET', key, row.id, text],
  },
  set: {
    columns: ['Member'],
    lengthCommand: 'SCARD',
    what: 'members',
    firstPage: '0',
    read: byCursor('SSCAN', (flat) =>
      (flat as readonly Bytes[]).map((member) => ({ id: member, cells: [member] })),
    ),
    remove: (key, row) => ['SREM', key, row.id],
  },
  zset: {
    columns: ['Member', 'Score'],
    lengthCommand: 'ZCARD',
    what: 'members, lowest score first',
    firstPage: '0',
    read: byIndex('ZRANGE', ['WITHSCORES']),
    edit: (key, row, text) => ['ZADD', key, 'XX', text, row.id],
    remove: (key, row) => ['ZREM', key, row.id],
  },
  stream: {
    columns: ['Id', 'Fields'],
    lengthCommand: 'XLEN',
    what: 'entries, newest first',
    firstPage: '+',
    read: readStream,
    remove: (key, row) => ['XDEL', key, row.id],
  },
  array: {
    columns: ['Index', 'Value'],
    lengthCommand: 'ARCOUNT',
    what: 'elements',
    firstPage: '0',
    read: readArray,
    edit: (key, row, text) => ['ARSET', key, row.id, text],
    remove: (key, row) => ['ARDEL', key, row.id],
  },
};

/** Members of a sorted set as places on the globe, where its scores are geohashes. */
export async function readPlaces(
  db: Client,
  key: Bytes,
  rows: readonly ValueRow[],
): Promise<readonly string[]> {
  if (rows.length === 0) return [];
  const reply = await db.send('GEOPOS', key, ...rows.map(({ id }) => id));
  return (reply as readonly (readonly Value[] | null)[]).map((place) =>
    place === null ? '–' : place.map((each) => Number(each).toFixed(5)).join(', '),
  );
}
