// LATENCY: what took longer than latency-monitor-threshold, and how long commands take in general.

import type { Context } from '../../dispatch/context.js';
import { containerCommand, Flag } from '../../dispatch/define.js';
import { bucketLimit, HISTOGRAM_BUCKETS } from '../../stats/commands.js';
import type { LatencySample } from '../../stats/latency.js';
import { helpSubcommand, sub } from './help.js';
import { diagnose } from './latency-doctor.js';
import { drawGraph } from './latency-graph.js';

const FLAGS = Flag.Admin | Flag.NoScript | Flag.Loading | Flag.Stale;
const TIPS = [
  'nondeterministic_output',
  'request_policy:all_nodes',
  'response_policy:special',
] as const;

function latest({ server, reply }: Context): void {
  const series = server.latency.all();

  reply.array(series.length);
  for (const { name, worstMs, samples } of series) {
    const last = samples.at(-1)!;
    reply.array(4);
    reply.text(name);
    reply.integer(last.second);
    reply.integer(last.ms);
    reply.integer(worstMs);
  }
}

function history({ args, server, reply }: Context): void {
  const samples: readonly LatencySample[] = server.latency.named(args.text(2))?.samples ?? [];

  reply.array(samples.length);
  for (const { second, ms } of samples) {
    reply.array(2);
    reply.integer(second);
    reply.integer(ms);
  }
}

function graph(context: Context): void {
  const { args, server, reply } = context;
  const name = args.text(2);
  const series = server.latency.named(name);
  if (series === null) context.refuse(`ERR No samples available for event '${name}'`);

  reply.verbatim(drawGraph(series, Math.floor(context.nowMs / 1000)), 'txt');
}

function reset({ args, server, reply }: Context): void {
  let count = 0;
  if (args.count === 2) count = server.latency.reset(null);
  for (let index = 2; index < args.count; index++) count += server.latency.reset(args.text(index));

  reply.integer(count);
}

// ---- histograms --------------------------------------------------------------------------------

/** A command and how many of its calls took at most so many microseconds. */
interface Distribution {
  readonly name: string;
  readonly calls: number;
  readonly steps: readonly (readonly [number, number])[];
}

/** Redis's names for its steps: powers of two of 1.024 µs, as its histogram rounds them. */
const STEP_NAMES: readonly number[] = Array.from({ length: 21 }, (_, power) =>
  Math.floor((1024 * 2 ** power * (1 + 1 / 128) - 1) / 1000),
);

function distributionOf({ server }: Context, id: number): Distribution | null {
  const { histogram } = server.commandStats.totals(id);
  const calls = histogram.reduce((sum, count) => sum + count, 0);
  if (calls === 0) return null;
  const steps: [number, number][] = [];
  let bucket = 0;
  let seen = 0;
  let told = 0;
  for (const [power, name] of STEP_NAMES.entries()) {
    const isLast = power === STEP_NAMES.length - 1;
    while (bucket < HISTOGRAM_BUCKETS && (isLast || bucketLimit(bucket) <= 2 ** power)) {
      seen += histogram[bucket++]!;
    }
    if (seen > told) steps.push([name, seen]);
    told = seen;
  }
  return { name: server.table.all[id]!.fullName, calls, steps };
}

/** Ids of the commands that are asked for, with their subcommands. */
function askedFor({ args, server }: Context): number[] {
  const { table } = server;
  if (args.count === 2) return table.all.map(({ id }) => id);
  const ids: number[] = [];
  for (let index = 2; index < args.count; index++) {
    const command = table.named(args.text(index));
    if (command === null) continue;
    ids.push(command.id, ...command.subcommands.map(({ id }) => id));
  }
  return ids;
}

function histogram(context: Context): void {
  const { reply } = context;
  const found = askedFor(context).flatMap((id) => distributionOf(context, id) ?? []);

  reply.map(found.length);
  for (const { name, calls, steps } of found) {
    reply.text(name);
    reply.map(2);
    reply.text('calls');
    reply.integer(calls);
    reply.text('histogram_usec');
    reply.map(steps.length);
    for (const [microseconds, count] of steps) {
      reply.integer(microseconds);
      reply.integer(count);
    }
  }
}

// ---- the container -----------------------------------------------------------------------------

export const latency = containerCommand({
  name: 'latency',
  arity: -2,
  group: 'server',
  since: '2.8.13',
  summary: 'A container for commands about what takes long.',
  flags: 0,
  subcommands: [
    sub({
      name: 'doctor',
      arity: 2,
      group: 'server',
      since: '2.8.13',
      summary: 'Explains in words what has taken long.',
      cost: 'O(1)',
      flags: FLAGS,
      tips: TIPS,
      run(context) {
        context.reply.verbatim(diagnose(context), 'txt');
      },
    }),
    sub({
      name: 'graph',
      arity: 3,
      group: 'server',
      since: '2.8.13',
      summary: 'Draws the samples of an event.',
      cost: 'O(1)',
      flags: FLAGS,
      syntax: 'event',
      tips: TIPS,
      run: graph,
    }),
    sub({
      name: 'histogram',
      arity: -2,
      group: 'server',
      since: '7.0.0',
      summary: 'Tells how long commands take, as cumulative distributions.',
      cost: 'O(N) where N is the number of commands told about',
      flags: FLAGS,
      syntax: '[command [command ...]]',
      tips: TIPS,
      run: histogram,
    }),
    sub({
      name: 'history',
      arity: 3,
      group: 'server',
      since: '2.8.13',
      summary: 'Tells the samples of an event.',
      cost: 'O(1)',
      flags: FLAGS,
      syntax: 'event',
      tips: TIPS,
      run: history,
    }),
    sub({
      name: 'latest',
      arity: 2,
      group: 'server',
      since: '2.8.13',
      summary: 'Tells the latest sample of each event.',
      cost: 'O(1)',
      flags: FLAGS,
      tips: TIPS,
      run: latest,
    }),
    sub({
      name: 'reset',
      arity: -2,
      group: 'server',
      since: '2.8.13',
      summary: 'Forgets the samples of events.',
      cost: 'O(1)',
      flags: FLAGS,
      syntax: '[event [event ...]]',
      tips: ['request_policy:all_nodes', 'response_policy:agg_sum'],
      run: reset,
    }),
    helpSubcommand({
      container: 'latency',
      group: 'server',
      since: '2.8.13',
      lines: [
        'DOCTOR',
        '    Return a human readable latency analysis report.',
        'GRAPH <event>',
        '    Return an ASCII latency graph for the <event> class.',
        'HISTORY <event>',
        '    Return time-latency samples for the <event> class.',
        'LATEST',
        '    Return the latest latency samples for all events.',
        'RESET [<event> ...]',
        '    Reset latency data of one or more <event> classes.',
        '    (default: reset all data for all event classes)',
        'HISTOGRAM [COMMAND ...]',
        '    Return a cumulative distribution of latencies in the format of a histogram for the ' +
          'specified command names.',
        '    If no commands are specified then all histograms are replied.',
      ],
    }),
  ],
});
