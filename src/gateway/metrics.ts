// GET /metrics: everything that INFO says, and per command, thread and partition what the server
// counts, as OpenMetrics.

import type { CommandFigures, Figures } from './door.js';
import { type Labels, OpenMetrics } from './open-metrics.js';

const PREFIX = 'flagstone_';

/** Figures of INFO that only ever grow, beside those whose name begins with `total_`. */
const COUNTERS: ReadonlySet<string> = new Set([
  'acl_access_denied_auth',
  'acl_access_denied_channel',
  'acl_access_denied_cmd',
  'acl_access_denied_key',
  'aof_rewrites',
  'client_output_buffer_limit_disconnections',
  'client_query_buffer_limit_disconnections',
  'eventloop_cycles',
  'eventloop_duration_sum',
  'evicted_clients',
  'evicted_keys',
  'evicted_scripts',
  'expire_cycle_cpu_milliseconds',
  'expired_keys',
  'expired_subkeys',
  'expired_time_cap_reached_count',
  'keyspace_hits',
  'keyspace_misses',
  'lazyfreed_objects',
  'rdb_saves',
  'rejected_connections',
  'snapshot_writer_wait_ms',
  'snapshot_writer_waits',
  'sync_full',
  'sync_partial_err',
  'sync_partial_ok',
  'unexpected_error_replies',
  'used_cpu_sys',
  'used_cpu_sys_children',
  'used_cpu_sys_main_thread',
  'used_cpu_user',
  'used_cpu_user_children',
  'used_cpu_user_main_thread',
]);

/** Words that stand for a number. */
const STATES: Readonly<Record<string, number>> = { ok: 1, err: 0, yes: 1, no: 0 };
/** They change with every scrape, or are said better by figures of their own. */
const LEFT_OUT = /_human$|^cmdstat_|^latency_percentiles_|^server_time_usec$|^lru_clock$/;
const US_PER_SECOND = 1_000_000;
/** Of the histogram's half doublings every second one is a bucket here. */
const STRIDE = 2;

/** Figures with a name and labels of their own, gathered until their family is whole. */
interface Rows {
  readonly help: string;
  readonly isCounter: boolean;
  readonly samples: { readonly labels: Labels; readonly value: number }[];
}

export function renderMetrics(info: string, figures: Figures): string {
  const out = new OpenMetrics();
  writeInfo(out, info);
  writeCommands(out, figures);
  writeThreads(out, figures);
  writePartitions(out, figures);
  return out.end();
}

function writeInfo(out: OpenMetrics, info: string): void {
  const families = new Map<string, Rows>();
  const texts: Record<string, string> = {};
  for (const line of info.split(/\r?\n/)) {
    const colon = line.indexOf(':');
    if (line.startsWith('#') || colon <= 0) continue;
    const field = line.slice(0, colon);
    const value = line.slice(colon + 1);
    if (!LEFT_OUT.test(field)) gather(families, texts, field, value);
  }
  for (const [name, { help, isCounter, samples }] of families) {
    if (!out.family(name, isCounter ? 'counter' : 'gauge', help)) continue;
    for (const { labels, value } of samples) out.sample(value, labels);
  }
  if (out.family('flagstone', 'info', 'What INFO says in words.')) out.sample(1, texts);
}

function gather(
  families: Map<string, Rows>,
  texts: Record<string, string>,
  field: string,
  value: string,
): void {
  const database = /^db(\d+)$/.exec(field);
  if (database !== null) {
    gatherPairs(families, 'database', value, { database: database[1]! });
  } else if (field.startsWith('errorstat_')) {
    const code = field.slice('errorstat_'.length);
    const count = Number(value.replace('count=', ''));
    add(families, 'error_replies', 'Errors by code.', true, { code }, count);
  } else if (/^\w+=/.test(value)) {
    gatherPairs(families, safeName(field), value, {});
  } else {
    const number = numberOf(value);
    if (number === null) texts[safeName(field)] = value;
    else {
      const isCounter = field.startsWith('total_') || COUNTERS.has(field);
      const name = safeName(isCounter ? field.replace(/^total_/, '') : field);
      add(families, name, `INFO's ${field}.`, isCounter, {}, number);
    }
  }
}

function gatherPairs(
  families: Map<string, Rows>,
  name: string,
  value: string,
  labels: Labels,
): void {
  for (const pair of value.split(',')) {
    const [key = '', text = ''] = pair.split('=');
    const number = numberOf(text);
    if (number === null || key === '') continue;
    add(families, `${name}_${safeName(key)}`, `INFO's ${key} of ${name}.`, false, labels, number);
  }
}

function add(
  families: Map<string, Rows>,
  name: string,
  help: string,
  isCounter: boolean,
  labels: Labels,
  value: number,
): void {
  const full = `${PREFIX}${name}`;
  let rows = families.get(full);
  if (rows === undefined) {
    rows = { help, isCounter, samples: [] };
    families.set(full, rows);
  }
  rows.samples.push({ labels, value });
}

function safeName(text: string): string {
  return text.toLowerCase().replace(/[^a-z0-9_]/g, '_');
}

function numberOf(text: string): number | null {
  const state = STATES[text];
  if (state !== undefined) return state;
  if (/^-?\d+(\.\d+)?$/.test(text)) return Number(text);
  return /^-?\d+(\.\d+)?%$/.test(text) ? Number(text.slice(0, -1)) / 100 : null;
}

function writeCommands(out: OpenMetrics, { commandStats, latency }: Figures): void {
  const limits: number[] = [];
  for (let at = 0; at < latency.limitsUs.length; at += STRIDE) {
    limits.push(latency.limitsUs[at]! / US_PER_SECOND);
  }
  out.family(`${PREFIX}command_duration_seconds`, 'histogram', 'Time of calls, by command.');
  for (const { name, microseconds, histogram } of commandStats) {
    const counts = mergeBuckets(histogram);
    out.histogram({ command: name }, limits, counts, microseconds / US_PER_SECOND);
  }
  const rows: [name: string, help: string, of: (command: CommandFigures) => number][] = [
    ['command_calls', 'Calls, by command.', ({ calls }) => calls],
    ['command_rejected', 'Calls refused before they ran, by command.', (each) => each.rejected],
    ['command_failed', 'Calls that ended with an error, by command.', ({ failed }) => failed],
  ];
  for (const [name, help, of] of rows) {
    out.family(PREFIX + name, 'counter', help);
    for (const command of commandStats) out.sample(of(command), { command: command.name });
  }
}

/** Counts of pairs of buckets: the first of a pair has the limit that stays, and is its last. */
function mergeBuckets(histogram: readonly number[]): number[] {
  const counts = [histogram[0] ?? 0];
  for (let at = 1; at < histogram.length; at += STRIDE) {
    counts.push(histogram[at]! + (histogram[at + 1] ?? 0));
  }
  return counts;
}

function writeThreads(out: OpenMetrics, { workers }: Figures): void {
  const labelsOf = (at: number): Labels => {
    const { thread, kind } = workers[at]!;
    return { thread: String(thread), kind };
  };
  const rows: [
    name: string,
    help: string,
    type: 'counter' | 'gauge',
    of: (at: number) => number,
  ][] = [
    ['thread_connections', 'Open connections.', 'gauge', (at) => workers[at]!.connections],
    ['thread_commands', 'Commands run.', 'counter', (at) => workers[at]!.commands],
    [
      'thread_command_seconds',
      'Time in commands.',
      'counter',
      (at) => workers[at]!.microseconds / US_PER_SECOND,
    ],
    ['thread_turns', 'Turns of the loop.', 'counter', (at) => workers[at]!.turns],
    ['thread_input_bytes', 'Bytes received.', 'counter', (at) => workers[at]!.inputBytes],
    ['thread_output_bytes', 'Bytes sent.', 'counter', (at) => workers[at]!.outputBytes],
  ];
  for (const [name, help, type, of] of rows) {
    out.family(PREFIX + name, type, `${help.slice(0, -1)}, by thread.`);
    for (let at = 0; at < workers.length; at++) out.sample(of(at), labelsOf(at));
  }
  out.family(`${PREFIX}thread_cpu_seconds`, 'counter', 'Processor time, by thread.');
  for (let at = 0; at < workers.length; at++) {
    const { cpuUserUs, cpuSystemUs } = workers[at]!;
    out.sample(cpuUserUs / US_PER_SECOND, { ...labelsOf(at), mode: 'user' });
    out.sample(cpuSystemUs / US_PER_SECOND, { ...labelsOf(at), mode: 'system' });
  }
}

function writePartitions(out: OpenMetrics, { partitions }: Figures): void {
  const rows: [name: string, help: string, of: (at: number) => number][] = [
    ['partition_keys', 'Keys, by partition.', (at) => partitions[at]!.keys],
    ['partition_used_bytes', 'Memory used, by partition.', (at) => partitions[at]!.usedBytes],
    [
      'partition_capacity_bytes',
      'The most a partition holds.',
      (at) => partitions[at]!.capacityBytes,
    ],
  ];
  for (const [name, help, of] of rows) {
    out.family(PREFIX + name, 'gauge', help);
    for (let at = 0; at < partitions.length; at++) out.sample(of(at), { partition: String(at) });
  }
}
