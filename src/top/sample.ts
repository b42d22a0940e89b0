// What the view in the terminal reads of a server, at one moment: INFO, the slow log, hot keys and
// connections. Nothing else is asked, so whoever may see these may use the view.

import { ErrorReply, type Link, type Value } from './link.js';

/** The values of a line like `clients=1,commands=5`. */
export type Figures = ReadonlyMap<string, number>;

export interface SlowCommand {
  readonly second: number;
  readonly microseconds: number;
  readonly words: readonly string[];
}

export interface HotKey {
  readonly key: string;
  readonly amount: number;
}

export interface HotKeys {
  readonly isActive: boolean;
  readonly sample: number;
  readonly byCpu: readonly HotKey[];
  readonly byNet: readonly HotKey[];
}

export interface Sample {
  /** When it was taken, milliseconds. */
  readonly atMs: number;
  readonly info: ReadonlyMap<string, string>;
  /** A row for each thread that executes commands: its name and its figures. */
  readonly workers: readonly { readonly name: string; readonly figures: Figures }[];
  readonly partitions: readonly Figures[];
  readonly slow: readonly SlowCommand[];
  /** Null where the server has none of it. */
  readonly hot: HotKeys | null;
  /** The connection that takes most memory, as CLIENT LIST shows it; null if there is none. */
  readonly largest: ReadonlyMap<string, string> | null;
}

const SLOW_COUNT = 8;

export async function takeSample(link: Link, nowMs: () => number): Promise<Sample> {
  const [info, own, slow, hot, clients] = await Promise.all([
    link.send('INFO'),
    link.send('INFO', 'flagstone'),
    link.send('SLOWLOG', 'GET', String(SLOW_COUNT)),
    link.send('HOTKEYS', 'GET'),
    link.send('CLIENT', 'LIST'),
  ]);
  const fields = readInfo(textOf(info));
  for (const [name, value] of readInfo(textOf(own))) fields.set(name, value);
  return {
    atMs: nowMs(),
    info: fields,
    workers: rowsOf(fields, 'thread').map((text, index) => ({
      name: `${/(?:^|,)kind=(\w+)/.exec(text)?.[1] ?? 'worker'} ${index}`,
      figures: readFigures(text),
    })),
    partitions: rowsOf(fields, 'partition').map(readFigures),
    slow: readSlow(slow),
    hot: readHot(hot),
    largest: largestOf(clients),
  };
}

/** What the server answered; its refusals end the program, with its words. */
function textOf(value: Value): string {
  if (value instanceof ErrorReply) throw new Error(value.text);
  return typeof value === 'string' ? value : '';
}

function readInfo(text: string): Map<string, string> {
  const fields = new Map<string, string>();
  for (const line of text.split('\r\n')) {
    const colon = line.indexOf(':');
    if (colon > 0 && !line.startsWith('#')) fields.set(line.slice(0, colon), line.slice(colon + 1));
  }
  return fields;
}

/** name0, name1 … as long as there are any. */
function rowsOf(fields: ReadonlyMap<string, string>, name: string): string[] {
  const rows: string[] = [];
  for (let index = 0; ; index++) {
    const row = fields.get(`${name}${index}`);
    if (row === undefined) return rows;
    rows.push(row);
  }
}

export function readFigures(text: string): Figures {
  const pairs = text.split(',').map((part): [string, number] => {
    const at = part.indexOf('=');
    return [part.slice(0, at), Number(part.slice(at + 1))];
  });
  return new Map(pairs.filter(([, value]) => Number.isFinite(value)));
}

function listOf(value: Value | undefined): readonly Value[] {
  return Array.isArray(value) ? (value as readonly Value[]) : [];
}

function readSlow(value: Value): SlowCommand[] {
  return listOf(value).map((entry) => {
    const [, second, microseconds, words] = listOf(entry);
    return {
      second: Number(second),
      microseconds: Number(microseconds),
      words: listOf(words).map(String),
    };
  });
}

function readHot(value: Value): HotKeys | null {
  const fields = new Map<string, Value>();
  const [map] = listOf(value);
  const flat = listOf(map);
  for (let at = 0; at + 1 < flat.length; at += 2) fields.set(String(flat[at]), flat[at + 1]!);
  if (fields.size === 0) return null;
  const keysOf = (name: string): HotKey[] => {
    const list = listOf(fields.get(name));
    const keys: HotKey[] = [];
    for (let at = 0; at + 1 < list.length; at += 2) {
      keys.push({ key: String(list[at]), amount: Number(list[at + 1]) });
    }
    return keys;
  };
  return {
    isActive: fields.get('tracking-active') === 1,
    sample: Number(fields.get('sample-ratio') ?? 1),
    byCpu: keysOf('by-cpu-time-us'),
    byNet: keysOf('by-net-bytes'),
  };
}

function largestOf(value: Value): ReadonlyMap<string, string> | null {
  let largest: ReadonlyMap<string, string> | null = null;
  for (const line of typeof value === 'string' ? value.split('\n') : []) {
    if (line === '') continue;
    const fields = new Map(
      line.split(' ').map((part): [string, string] => {
        const at = part.indexOf('=');
        return [part.slice(0, at), part.slice(at + 1)];
      }),
    );
    const bytes = (each: ReadonlyMap<string, string>) => Number(each.get('tot-mem') ?? 0);
    if (largest === null || bytes(fields) > bytes(largest)) largest = fields;
  }
  return largest;
}
