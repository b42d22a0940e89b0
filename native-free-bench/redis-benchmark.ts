// The native redis-benchmark as the load: the figures that others quote, made by the tool that
// others use. Server CPU is measured around it as with our own load.

import { spawn } from 'node:child_process';
import { performance } from 'node:perf_hooks';
import type { Mix } from './mix.js';
import { expandLine } from './requests.js';

export interface NativeRun {
  readonly host: string;
  readonly port: number;
  /** A file with the certificate to trust, for encrypted connections. */
  readonly authority?: string;
  readonly user?: { readonly name: string; readonly password: string };
  readonly connections: number;
  readonly pipeline: number;
  readonly keys: number;
  readonly size: number;
  readonly count: number;
  readonly mix: Mix;
}

export interface NativeResult {
  readonly commands: number;
  readonly throughput: number;
  readonly elapsedMs: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly p999Ms: number;
  readonly maxMs: number;
}

export async function runRedisBenchmark(run: NativeRun): Promise<NativeResult> {
  const startedAt = performance.now();
  const { output, code } = await collect('redis-benchmark', nativeArguments(run));
  const result = readOutput(output, run.count);
  if (code !== 0 || result === null || /\bError from server\b|^Error:/m.test(output)) {
    throw new Error(`redis-benchmark failed (code ${code}): ${lastLines(output)}`);
  }
  return { ...result, elapsedMs: performance.now() - startedAt };
}

export function nativeArguments(run: NativeRun): string[] {
  const [entry, ...others] = run.mix.entries;
  if (entry === undefined || others.length > 0) {
    throw new Error(
      `redis-benchmark sends one command at a time, so not the mix '${run.mix.name}': ` +
        'use --benchmark-tool own',
    );
  }
  const words = expandLine(entry.command.line, run.size).map((word) =>
    word.replace(/\{(key|random)\}/g, '__rand_int__'),
  );
  const { authority, user } = run;
  return [
    ...(authority === undefined ? [] : ['--tls', '--cacert', authority]),
    ...(user === undefined ? [] : ['--user', user.name, '-a', user.password]),
    ...['-h', run.host, '-p', String(run.port), '-c', String(run.connections)],
    ...['-n', String(run.count), '-r', String(run.keys), '-P', String(run.pipeline)],
    ...['--precision', '3', ...words],
  ];
}

/** Reads the long form of the output, the only one that tells p99.9. */
export function readOutput(
  output: string,
  commands: number,
): Omit<NativeResult, 'elapsedMs'> | null {
  const throughput = /throughput summary: ([\d.]+) requests per second/.exec(output);
  const summary = /avg\s+min\s+p50\s+p95\s+p99\s+max\s+([\d.\s]+)/.exec(output);
  if (throughput === null || summary === null) return null;
  const [, , p50Ms, , p99Ms, maxMs] = summary[1]!.trim().split(/\s+/).map(Number);
  const parts = output.split('Cumulative distribution of latencies')[0]!;
  const steps = [...parts.matchAll(/([\d.]+)% <= ([\d.]+) milliseconds/g)];
  const step = steps.find((match) => Number(match[1]) >= 99.9);
  return {
    commands,
    throughput: Number(throughput[1]),
    p50Ms: p50Ms!,
    p99Ms: p99Ms!,
    p999Ms: Number(step?.[2] ?? maxMs),
    maxMs: maxMs!,
  };
}

function collect(
  program: string,
  args: string[],
): Promise<{ output: string; code: number | null }> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    const keep = (chunk: Buffer) => {
      output += chunk.toString().replaceAll('\r', '\n');
    };
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    child.once('error', reject);
    child.once('close', (code) => resolve({ output, code }));
  });
}

function lastLines(output: string): string {
  return output.trim().split('\n').slice(-3).join(' | ');
}
