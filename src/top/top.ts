// flagstone top: a server's load, memory, hot keys and slow commands in the terminal, drawn anew in
// place. It reads what any client may ask (sample.ts) over a connection of its own.

import { setTimeout as sleep } from 'node:timers/promises';
import { systemDate } from '../base/clock.js';
import { ErrorReply, Link } from './link.js';
import { type Sample, takeSample } from './sample.js';
import { draw } from './screen.js';

export const TOP_HELP = `Usage: flagstone top [options]

  -h, --host <host>      the server (default 127.0.0.1)
  -p, --port <port>      its port (default 6379)
  -a, --pass <password>  its password; or the variable REDISCLI_AUTH
      --user <name>      the user of the password
      --interval <s>     seconds between two looks (default 1)
      --hotkeys          measure hot keys while it runs (one command of ten)
      --once             print one view, and end

Keys: q ends it.
`;

export interface TopOptions {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly intervalMs: number;
  readonly measures: boolean;
  readonly isOnce: boolean;
}

/** Where it draws, and what it hears. */
export interface Terminal {
  readonly isTerminal: boolean;
  size(): { columns: number; rows: number };
  write(text: string): void;
  /** Calls `heard` with each key, until the function that it returns is called. */
  listen(heard: (key: string) => void): () => void;
}

const COLUMNS = 80;
const ROWS = 24;
const HOTKEYS_START = ['HOTKEYS', 'START', 'METRICS', '2', 'CPU', 'NET', 'SAMPLE', '10'];

// Of the terminal: its other screen without a cursor, and back; to the top; the rest of a line, the
// rest of the screen.
const ENTER = '\x1b[?1049h\x1b[?25l';
const LEAVE = '\x1b[?25h\x1b[?1049l';
const HOME = '\x1b[H';
const CLEAR_LINE = '\x1b[K';
const CLEAR_REST = '\x1b[J';

const NUMBER_MAX = 65_535;

/** Null: what was asked for makes no sense, or is the help. */
export function readTopOptions(
  words: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
): TopOptions | null {
  const options = {
    host: '127.0.0.1',
    port: 6379,
    user: '',
    password: environment.REDISCLI_AUTH ?? '',
    intervalMs: 1000,
    measures: false,
    isOnce: false,
  };
  const values: Readonly<Record<string, ((value: string) => void) | undefined>> = {
    '-h': (value) => {
      options.host = value;
    },
    '-p': (value) => {
      options.port = Number(value);
    },
    '-a': (value) => {
      options.password = value;
    },
    '--user': (value) => {
      options.user = value;
    },
    '--interval': (value) => {
      options.intervalMs = Number(value) * 1000;
    },
  };
  const names: Readonly<Record<string, string | undefined>> = {
    '--host': '-h',
    '--port': '-p',
    '--pass': '-a',
  };
  for (let at = 0; at < words.length; at++) {
    const word = words[at]!;
    if (word === '--once') options.isOnce = true;
    else if (word === '--hotkeys') options.measures = true;
    else {
      const take = values[names[word] ?? word];
      const value = words[++at];
      if (take === undefined || value === undefined) return null;
      take(value);
    }
  }
  const isPort = Number.isInteger(options.port) && options.port > 0 && options.port <= NUMBER_MAX;
  return isPort && options.intervalMs > 0 ? options : null;
}

/** The whole program; returns its exit code. */
export async function runTop(
  words: readonly string[],
  environment: Readonly<Record<string, string | undefined>>,
  terminal: Terminal,
): Promise<number> {
  const options = readTopOptions(words, environment);
  if (options === null) {
    terminal.write(TOP_HELP);
    return words.length === 1 && words[0] === '--help' ? 0 : 1;
  }
  try {
    await watch(options, terminal);
    return 0;
  } catch (error) {
    terminal.write(`flagstone top: ${(error as Error).message}\n`);
    return 1;
  }
}

async function watch(options: TopOptions, terminal: Terminal): Promise<void> {
  const link = await Link.open(options.host, options.port);
  try {
    await enter(link, options);
    // Somebody else's measurement is left alone.
    const isOurs = options.measures && (await link.send(...HOTKEYS_START)) === 'OK';
    try {
      await (options.isOnce ? showOnce(link, options, terminal) : show(link, options, terminal));
    } finally {
      if (isOurs) {
        await link.send('HOTKEYS', 'STOP');
        await link.send('HOTKEYS', 'RESET');
      }
    }
  } finally {
    link.close();
  }
}

async function enter(link: Link, { user, password }: TopOptions): Promise<void> {
  if (password !== '') {
    const words = user === '' ? [password] : [user, password];
    const answer = await link.send('AUTH', ...words);
    if (answer instanceof ErrorReply) throw new Error(answer.text);
  }
  await link.send('CLIENT', 'SETNAME', 'flagstone-top');
}

const now = () => systemDate().getTime();

async function showOnce(link: Link, options: TopOptions, terminal: Terminal): Promise<void> {
  const before = await takeSample(link, now);
  await sleep(options.intervalMs);
  const after = await takeSample(link, now);
  const lines = draw(before, after, { columns: COLUMNS, rows: ROWS }, targetOf(options));
  terminal.write(`${lines.join('\n')}\n`);
}

async function show(link: Link, options: TopOptions, terminal: Terminal): Promise<void> {
  if (!terminal.isTerminal) throw new Error('this is no terminal: use --once');
  const ended = new AbortController();
  const unlisten = terminal.listen((key) => {
    // Control-C comes as a key, too.
    if (key === 'q' || key === 'Q' || key === '\x03') ended.abort();
  });
  terminal.write(ENTER);
  try {
    let before: Sample = await takeSample(link, now);
    while (!ended.signal.aborted) {
      await sleep(options.intervalMs, undefined, { signal: ended.signal }).catch(() => {});
      if (ended.signal.aborted) break;
      const after = await takeSample(link, now);
      const lines = draw(before, after, terminal.size(), targetOf(options));
      const text = lines.map((line) => `${line}${CLEAR_LINE}`).join('\r\n');
      terminal.write(`${HOME}${text}${CLEAR_REST}`);
      before = after;
    }
  } finally {
    terminal.write(LEAVE);
    unlisten();
  }
}

function targetOf({ host, port }: TopOptions): string {
  return `${host}:${port}`;
}
