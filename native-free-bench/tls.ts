// GET over encrypted connections, beside real Redis where that one knows TLS: processor time for
// each command, and how throughput grows with tls-threads. The load is redis-benchmark's, because
// a load in TypeScript would spend more on TLS than the server it measures.

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findProgram } from './machine.js';
import {
  type Bench,
  type Contestant,
  fillFor,
  type LoadSpec,
  medianFigures,
  pinLoad,
  type Sample,
  serverChoices,
  specOf,
  startContestant,
  stopAll,
} from './measure.js';
import { runRedisBenchmark } from './redis-benchmark.js';
import type { ResultTable, Row } from './report.js';
import { freePort, type ServerChoice } from './servers.js';
import type { Suite } from './suites.js';
import { LOAD_COLUMNS } from './throughput.js';

const MIB = 2 ** 20;
const NS_PER_US = 1000;
/** Of Flagstone; Redis has one thread. */
const THREAD_COUNTS = [1, 2];
const TRIAL_COUNT = 20_000;
const TRIAL_COUNT_TINY = 1000;

interface TlsContestant extends Contestant {
  readonly label: string;
  readonly tlsPort: number;
}

export async function runTls(bench: Bench, suite: Suite): Promise<ResultTable[]> {
  const { options } = bench;
  const about = `GET, ${options.connections} connections, redis-benchmark --tls`;
  const table = { title: suite.name, about, columns: LOAD_COLUMNS };
  const missing = ['redis-benchmark', 'openssl'].find((name) => findProgram(name) === null);
  if (missing !== undefined) {
    return [{ ...table, about: `${missing} is not on the PATH: nothing is measured`, rows: [] }];
  }
  const folder = mkdtempSync(join(tmpdir(), 'flagstone-bench-tls-'));
  const contestants: TlsContestant[] = [];
  try {
    makeCertificate(folder);
    for (const choice of serverChoices(options)) {
      for (const threads of choice.name === 'Flagstone' ? THREAD_COUNTS : [1]) {
        const contestant = await startTls(bench, choice, threads, folder);
        if (contestant !== null) contestants.push(contestant);
      }
    }
    const rows: Row[] = [];
    for (const pipeline of options.pipelines) {
      rows.push(...(await measureAll(bench, contestants, pipeline, folder)));
    }
    return [{ ...table, rows }];
  } finally {
    await stopAll(contestants);
    rmSync(folder, { recursive: true, force: true });
  }
}

const certificateOf = (folder: string): string => join(folder, 'server.crt');
const keyOf = (folder: string): string => join(folder, 'server.key');

/** RSA, as most have it; it signs itself, so it is its own authority. */
function makeCertificate(folder: string): void {
  const words = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2'];
  words.push('-subj', '/CN=localhost', '-keyout', keyOf(folder), '-out', certificateOf(folder));
  execFileSync('openssl', words, { stdio: 'ignore' });
}

/** Null, and a note, where the server knows no TLS. */
async function startTls(
  bench: Bench,
  choice: ServerChoice,
  threads: number,
  folder: string,
): Promise<TlsContestant | null> {
  const tlsPort = await freePort();
  const extra = ['--tls-port', String(tlsPort), '--tls-auth-clients', 'no'];
  extra.push('--tls-cert-file', certificateOf(folder), '--tls-key-file', keyOf(folder));
  try {
    const contestant = await startContestant(bench, choice, threads, extra);
    const label = choice.name === 'Flagstone' ? `, ${threads} tls-threads` : '';
    return { ...contestant, label, tlsPort };
  } catch (error) {
    if (choice.name === 'Flagstone') throw error;
    bench.progress.note(`${choice.name} is left out: ${(error as Error).message}`);
    return null;
  }
}

/** Rounds alternate between the servers. */
async function measureAll(
  bench: Bench,
  contestants: readonly TlsContestant[],
  pipeline: number,
  folder: string,
): Promise<Row[]> {
  const spec = specOf(bench.options, 'GET', pipeline);
  const samples = contestants.map((): Sample[] => []);
  for (let round = 0; round < bench.options.rounds; round += 1) {
    for (const [index, contestant] of contestants.entries()) {
      if (round === 0) await fillFor(bench, contestant, spec);
      bench.progress.note(`${contestant.server.name}${contestant.label}: GET -P ${pipeline}`);
      samples[index]!.push(await measureTls(bench, contestant, spec, folder));
    }
  }
  const kind = `GET -P ${pipeline}`;
  return contestants.map(({ server, label }, index) => ({
    label: `${kind}${label}`,
    kind,
    server: server.name,
    figures: medianFigures(samples[index]!),
  }));
}

async function measureTls(
  bench: Bench,
  contestant: TlsContestant,
  spec: LoadSpec,
  folder: string,
): Promise<Sample> {
  pinLoad(contestant);
  const { server, tlsPort } = contestant;
  const { mix, pipeline, keys, connections } = spec;
  const { size, isTiny } = bench.options;
  const common = {
    ...{ host: server.address.host, port: tlsPort, authority: certificateOf(folder) },
    ...{ connections, pipeline, keys, size, mix },
  };
  let { count } = spec;
  if (count === null) {
    const trialCount = isTiny ? TRIAL_COUNT_TINY : TRIAL_COUNT;
    const trial = await runRedisBenchmark({ ...common, count: trialCount });
    count = Math.max(TRIAL_COUNT_TINY, Math.round(trial.throughput * (spec.seconds ?? 1)));
  }
  const before = await server.usage();
  const result = await runRedisBenchmark({ ...common, count });
  const after = await server.usage();
  return {
    ...result,
    cpuUs: (after.cpuNs - before.cpuNs) / NS_PER_US / result.commands,
    residentMib: after.residentBytes / MIB,
    checksum: null,
  };
}
