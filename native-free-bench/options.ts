// The command line: one row per option, read into plain values. A suite's own defaults lie under
// what the user gave, and --tiny under both.

import { parseArgs } from 'node:util';
import { parseDistribution } from './keys.js';
import { parseMix } from './mix.js';

export type Tool = 'own' | 'redis-benchmark';

export interface Options {
  readonly targets: readonly string[];
  readonly connections: number;
  readonly pipelines: readonly number[];
  readonly size: number;
  readonly keys: number;
  readonly distribution: string;
  readonly mix: string;
  /** Length of a round; ignored where `count` is set. */
  readonly seconds: number;
  readonly count: number | null;
  readonly rounds: number;
  readonly threads: number;
  readonly loadThreads: number;
  readonly seed: number;
  readonly tool: Tool | null;
  readonly flagstoneCommand: string | null;
  readonly redisCommand: string | null;
  readonly isRedisWanted: boolean;
  readonly isPinned: boolean;
  readonly isTiny: boolean;
  readonly json: string | null;
  readonly html: string | null;
}

export type GivenOptions = Partial<Options>;

export interface CommandLine {
  readonly words: readonly string[];
  readonly isHelp: boolean;
  readonly given: GivenOptions;
}

const DEFAULTS: Options = {
  targets: [],
  connections: 50,
  pipelines: [1, 32],
  size: 32,
  keys: 100_000,
  distribution: 'uniform',
  mix: 'getset',
  seconds: 2,
  count: null,
  rounds: 5,
  threads: 1,
  loadThreads: 1,
  seed: 1,
  tool: null,
  flagstoneCommand: null,
  redisCommand: null,
  isRedisWanted: true,
  isPinned: true,
  isTiny: false,
  json: null,
  html: null,
};

/** Small enough that every benchmark ends within seconds, so that it can run as a test. */
const TINY: GivenOptions = { connections: 4, keys: 1000, seconds: 0.1, rounds: 1 };

interface OptionRow {
  readonly name: string;
  readonly value: string | null;
  readonly about: string;
  read(text: string, name: string): GivenOptions;
}

const KEYS_MAX = 2 ** 31 - 1; // the digits of a key are written as an int32

const ROWS: readonly OptionRow[] = [
  {
    name: 'target',
    value: 'redis://host:port',
    about: 'measure a server that runs already, named as name=redis://… (may be given again)',
    read: (text) => ({ targets: [text] }),
  },
  {
    name: 'connections',
    value: 'n',
    about: 'how many connections, each with one batch in flight (50)',
    read: (text, name) => ({ connections: whole(text, name, 1, 100_000) }),
  },
  {
    name: 'pipeline',
    value: 'n,n',
    about: 'commands in a batch; each value is a measurement of its own (1,32)',
    read: (text, name) => ({
      pipelines: text.split(',').map((part) => whole(part, name, 1, 10_000)),
    }),
  },
  {
    name: 'size',
    value: 'bytes',
    about: 'bytes of a value (32)',
    read: (text, name) => ({ size: whole(text, name, 1, 1 << 20) }),
  },
  {
    name: 'keys',
    value: 'n',
    about: 'how many different keys (100000)',
    read: (text, name) => ({ keys: whole(text, name, 1, KEYS_MAX) }),
  },
  {
    name: 'distribution',
    value: 'uniform|zipf:0.99',
    about: 'how often each key is used (uniform)',
    read: (text) => {
      parseDistribution(text);
      return { distribution: text };
    },
  },
  {
    name: 'mix',
    value: 'getset|counters|game|leaderboard|mget|mset|GET:80,SET:20',
    about: 'what is sent (getset)',
    read: (text) => {
      parseMix(text);
      return { mix: text };
    },
  },
  {
    name: 'seconds',
    value: 'n',
    about: 'length of a round (2)',
    read: (text, name) => ({ seconds: positive(text, name) }),
  },
  {
    name: 'count',
    value: 'n',
    about: 'commands of a round, instead of --seconds; replies can then be compared',
    read: (text, name) => ({ count: whole(text, name, 1, 1e12) }),
  },
  {
    name: 'rounds',
    value: 'n',
    about: 'rounds, alternating between servers; the table shows medians (5)',
    read: (text, name) => ({ rounds: whole(text, name, 1, 1000) }),
  },
  {
    name: 'threads',
    value: 'n',
    about: "Flagstone's worker threads (1)",
    read: (text, name) => ({ threads: whole(text, name, 1, 256) }),
  },
  {
    name: 'load-threads',
    value: 'n',
    about: 'threads that make load (1); 0 makes it in the main thread',
    read: (text, name) => ({ loadThreads: whole(text, name, 0, 256) }),
  },
  {
    name: 'seed',
    value: 'n',
    about: 'seed of keys and choices (1)',
    read: (text, name) => ({ seed: whole(text, name, 0, KEYS_MAX) }),
  },
  {
    name: 'benchmark-tool',
    value: 'own|redis-benchmark',
    about: 'who makes the load; redis-benchmark must be on the PATH',
    read: (text, name) => {
      if (text !== 'own' && text !== 'redis-benchmark') {
        throw new Error(`--${name} is own or redis-benchmark, not '${text}'`);
      }
      return { tool: text };
    },
  },
  {
    name: 'flagstone-command',
    value: 'command',
    about: 'start this instead of the Flagstone built here; {port} and {threads} are filled in',
    read: (text) => ({ flagstoneCommand: text }),
  },
  {
    name: 'redis-command',
    value: 'command',
    about: 'start this as the server to compare with instead of redis-server',
    read: (text) => ({ redisCommand: text }),
  },
  {
    name: 'no-redis',
    value: null,
    about: 'measure Flagstone alone',
    read: () => ({ isRedisWanted: false }),
  },
  {
    name: 'no-pin',
    value: null,
    about: 'leave server and load on any core',
    read: () => ({ isPinned: false }),
  },
  {
    name: 'tiny',
    value: null,
    about: 'the smallest run that still does everything',
    read: () => ({ isTiny: true }),
  },
  {
    name: 'json',
    value: 'file',
    about: 'write all results as JSON',
    read: (text) => ({ json: text }),
  },
  {
    name: 'html',
    value: 'file',
    about: 'write a page with tables and charts',
    read: (text) => ({ html: text }),
  },
];

export function parseCommandLine(args: readonly string[]): CommandLine {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      help: { type: 'boolean', short: 'h' },
      ...Object.fromEntries(
        ROWS.map((row) => [
          row.name,
          { type: row.value === null ? 'boolean' : 'string', multiple: true } as const,
        ]),
      ),
    },
  });
  let given: GivenOptions = {};
  for (const row of ROWS) {
    const texts = (values as Record<string, readonly (string | boolean)[] | undefined>)[row.name];
    for (const text of texts ?? []) {
      const read = row.read(String(text), row.name);
      const targets = [...(given.targets ?? []), ...(read.targets ?? [])];
      given = { ...given, ...read, ...(targets.length > 0 ? { targets } : {}) };
    }
  }
  return { words: positionals, isHelp: values.help === true, given };
}

/** Defaults, then the suite's, then those of a tiny run, then what was given. */
export function resolveOptions(
  given: GivenOptions,
  suite: GivenOptions,
  suiteTiny: GivenOptions,
): Options {
  const tiny = given.isTiny === true ? { ...TINY, ...suiteTiny } : {};
  return { ...DEFAULTS, ...suite, ...tiny, ...given };
}

export function describeOptions(): string {
  return ROWS.map((row) => {
    const head = `  --${row.name}${row.value === null ? '' : ` ${row.value}`}`;
    return `${head}\n      ${row.about}`;
  }).join('\n');
}

function whole(text: string, name: string, least: number, most: number): number {
  const value = /^\d+$/.test(text.trim()) ? Number(text) : Number.NaN;
  if (value >= least && value <= most) return value;
  throw new Error(`--${name} is a whole number from ${least} to ${most}, not '${text}'`);
}

function positive(text: string, name: string): number {
  const value = Number(text);
  if (value > 0 && value <= 86_400) return value;
  throw new Error(`--${name} is a number above 0, not '${text}'`);
}
