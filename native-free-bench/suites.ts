// The named suites as rows: what each sends, its own defaults, and how small it is when tiny.

import { runAcl } from './acl.js';
import { runBoard, runElements, runTypes } from './collections.js';
import { runPublish, runScripts, runTransactions } from './coordination.js';
import { runDefrag } from './defrag.js';
import { runLog, runRecovery, runSnapshot, runZsetSnapshot } from './durability.js';
import { runConnections, runExpiry, runGrowth, runMemory, runStart } from './events.js';
import { runEviction } from './eviction.js';
import { runGateway } from './gateway.js';
import type { Bench } from './measure.js';
import type { GivenOptions } from './options.js';
import { runParts } from './parts.js';
import type { ResultTable } from './report.js';
import { runLoadSuite, runShape } from './throughput.js';
import { runTls } from './tls.js';

/** One line of a table. Null takes what the options say: a case for each pipeline depth. */
export interface SuiteCase {
  readonly mix: string | null;
  readonly pipeline: number | null;
}

export interface Suite {
  readonly name: string;
  readonly about: string;
  readonly cases: readonly SuiteCase[];
  readonly defaults: GivenOptions;
  readonly tiny: GivenOptions;
  /** It starts servers in its own way, so that --target makes no sense. */
  readonly isStarter: boolean;
  /** redis-benchmark makes the load where it is on the PATH and nothing else is asked for. */
  readonly prefersNative: boolean;
  run(bench: Bench, suite: Suite): Promise<ResultTable[]>;
}

const OWN_MIX: readonly SuiteCase[] = [{ mix: null, pipeline: null }];

const BARS: readonly SuiteCase[] = [
  { mix: 'GET', pipeline: 32 },
  { mix: 'SET', pipeline: 32 },
  { mix: 'INCR', pipeline: 32 },
  { mix: 'GET', pipeline: 1 },
  { mix: 'SET', pipeline: 1 },
  { mix: 'INCR', pipeline: 1 },
  { mix: 'MSET', pipeline: 16 },
  { mix: 'MGET', pipeline: 16 },
];

const PLAIN = { cases: [], defaults: {}, tiny: {}, isStarter: false, prefersNative: false };

export const SUITES: readonly Suite[] = [
  {
    ...PLAIN,
    name: 'load',
    about: 'One mix at each pipeline depth, beside real Redis. The default.',
    cases: OWN_MIX,
    run: runLoadSuite,
  },
  {
    ...PLAIN,
    name: 'bars',
    about: 'The commands that others quote: GET, SET, INCR, MSET and MGET of ten keys.',
    cases: BARS,
    prefersNative: true,
    run: runLoadSuite,
  },
  {
    ...PLAIN,
    name: 'game',
    about: 'A game server: positions, scores, sessions.',
    cases: OWN_MIX,
    defaults: { mix: 'game' },
    run: runLoadSuite,
  },
  {
    ...PLAIN,
    name: 'counters',
    about: 'Analytics counters under a zipf distribution.',
    cases: OWN_MIX,
    defaults: { mix: 'counters', distribution: 'zipf:0.99' },
    run: runLoadSuite,
  },
  {
    ...PLAIN,
    name: 'shape',
    about: 'One to eight workers: uniform keys, zipf keys, and one hot counter that must add up.',
    isStarter: true,
    defaults: { pipelines: [32], rounds: 3 },
    run: runShape,
  },
  {
    ...PLAIN,
    name: 'memory',
    about: 'Bytes for each key: 16-byte keys with 16-byte values, with and without a TTL.',
    isStarter: true,
    defaults: { keys: 1_000_000, size: 16 },
    run: runMemory,
  },
  {
    ...PLAIN,
    name: 'types',
    about: "redis-benchmark's tests of lists, sets, hashes, sorted sets and streams.",
    defaults: { pipelines: [16] },
    prefersNative: true,
    run: runTypes,
  },
  {
    ...PLAIN,
    name: 'board',
    about: 'A sorted set of a million members: writes, ranks and ranges.',
    defaults: { pipelines: [16], keys: 1_000_000 },
    run: runBoard,
  },
  {
    ...PLAIN,
    name: 'elements',
    about: 'Bytes for each element of a million in every type.',
    isStarter: true,
    defaults: { keys: 1_000_000, connections: 1 },
    tiny: { keys: 5000 },
    run: runElements,
  },
  {
    ...PLAIN,
    name: 'leaderboard',
    about: 'A board in play: 60 % ZINCRBY, 30 % ZREVRANK, 10 % the top ten.',
    cases: OWN_MIX,
    defaults: { mix: 'leaderboard', pipelines: [16], keys: 1_000_000 },
    run: runLoadSuite,
  },
  {
    ...PLAIN,
    name: 'growth',
    about: 'From no key to five million: how long the slowest single command takes.',
    isStarter: true,
    defaults: { keys: 5_000_000, pipelines: [16], rounds: 2 },
    tiny: { keys: 5000 },
    run: runGrowth,
  },
  {
    ...PLAIN,
    name: 'expiry',
    about: 'A million keys expire in the same second while other keys are read.',
    isStarter: true,
    defaults: { keys: 1_000_000, pipelines: [1], rounds: 2 },
    tiny: { keys: 2000 },
    run: runExpiry,
  },
  {
    ...PLAIN,
    name: 'connections',
    about: 'Ten thousand idle connections beside a hundred active ones.',
    isStarter: true,
    defaults: { connections: 100, pipelines: [1] },
    run: runConnections,
  },
  {
    ...PLAIN,
    name: 'parts',
    about: 'MGET of 64 to 4096 keys, its work spread over the workers and not.',
    isStarter: true,
    defaults: { keys: 100_000 },
    run: runParts,
  },
  {
    ...PLAIN,
    name: 'transactions',
    about: 'MULTI, ten INCR and EXEC, beside real Redis.',
    isStarter: true,
    run: runTransactions,
  },
  {
    ...PLAIN,
    name: 'publish',
    about: 'Messages to 1, 10 and 100 subscribers.',
    isStarter: true,
    run: runPublish,
  },
  {
    ...PLAIN,
    name: 'scripts',
    about: 'EVALSHA of one GET and of a hundred INCR, with one worker and with two.',
    isStarter: true,
    defaults: { pipelines: [16] },
    run: runScripts,
  },
  {
    ...PLAIN,
    name: 'acl',
    about: 'GET by users with key patterns and selectors, everything watched, and by nobody else.',
    isStarter: true,
    defaults: { pipelines: [32] },
    prefersNative: true,
    run: runAcl,
  },
  {
    ...PLAIN,
    name: 'tls',
    about: 'GET over encrypted connections, with one and two tls-threads, beside real Redis.',
    isStarter: true,
    defaults: { rounds: 3 },
    run: runTls,
  },
  {
    ...PLAIN,
    name: 'gateway',
    about: 'WebSockets beside RESP, delivery to 5000 of them, a flood, a scrape of /metrics.',
    isStarter: true,
    run: runGateway,
  },
  {
    ...PLAIN,
    name: 'log',
    about: 'SET without a log, with one that is synced each second, and with one always synced.',
    isStarter: true,
    prefersNative: true,
    run: runLog,
  },
  {
    ...PLAIN,
    name: 'snapshot',
    about: 'BGSAVE of five million keys while clients write.',
    isStarter: true,
    defaults: { keys: 5_000_000, pipelines: [1], mix: 'SET:50,GET:50' },
    tiny: { keys: 5000 },
    run: runSnapshot,
  },
  {
    ...PLAIN,
    name: 'zset-snapshot',
    about: 'BGSAVE of a sorted set of five million members while their scores change.',
    isStarter: true,
    // The threads of the server are to find the cores as they do where nothing is pinned.
    defaults: { keys: 5_000_000, pipelines: [1], mix: 'ZINCRBY', isPinned: false },
    tiny: { keys: 5000 },
    run: runZsetSnapshot,
  },
  {
    ...PLAIN,
    name: 'eviction',
    about: 'A cache of a quarter of its data, each policy: the limit, RSS, hits.',
    isStarter: true,
    defaults: { keys: 1_048_576, size: 1024, distribution: 'zipf:0.99', pipelines: [16] },
    tiny: { keys: 12_000 },
    run: runEviction,
  },
  {
    ...PLAIN,
    name: 'defrag',
    about:
      'Mixed sizes and types, 80 % deleted at random: RSS, time and latency of moving the rest.',
    isStarter: true,
    defaults: { keys: 400_000, connections: 10, pipelines: [1] },
    tiny: { keys: 2000 },
    run: runDefrag,
  },
  {
    ...PLAIN,
    name: 'recovery',
    about: 'From the start on a full folder until all of it is loaded: snapshot and log.',
    isStarter: true,
    defaults: { keys: 5_000_000 },
    tiny: { keys: 5000 },
    run: runRecovery,
  },
  {
    ...PLAIN,
    name: 'start',
    about: 'From the start of the process to the first PONG, and memory when idle.',
    isStarter: true,
    run: runStart,
  },
];

export function findSuite(name: string): Suite {
  const suite = SUITES.find((row) => row.name === name);
  if (suite !== undefined) return suite;
  const names = SUITES.map((row) => row.name).join(', ');
  throw new Error(`there is no benchmark '${name}'; there are ${names} and floors`);
}

export function describeSuites(): string {
  return SUITES.map((suite) => `  ${suite.name.padEnd(13)} ${suite.about}`).join('\n');
}
