// HOTKEYS: which keys take the most processor time or the most bytes of the network, as measured
// while somebody has asked for it. All threads count; nothing is measured while nobody asks.

import { isWord, readIntegerIn, word } from '../../dispatch/args.js';
import type { Context } from '../../dispatch/context.js';
import { containerCommand, Flag } from '../../dispatch/define.js';
import { Refusal, SYNTAX } from '../../resp/errors.js';
import { HOTKEYS_COUNT_MAX, type HotKey, Metric } from '../../stats/hotkeys.js';
import { helpSubcommand, sub } from './help.js';

const METRICS = word('METRICS');
const CPU = word('CPU');
const NET = word('NET');
const COUNT = word('COUNT');
const DURATION = word('DURATION');
const SAMPLE = word('SAMPLE');
const SLOTS = word('SLOTS');

const FLAGS = Flag.Admin | Flag.NoScript;
const TIPS = ['request_policy:special'] as const;

const METRICS_MAX = 2;
const COUNT_DEFAULT = 10;
const SECONDS_MAX = 1_000_000;
const SAMPLE_MAX = 2 ** 31 - 1;
const SLOT_MAX = 16_383;

const IN_PROGRESS = new Refusal('ERR hotkey tracking session already in progress');
const STOP_FIRST = new Refusal('ERR hotkey tracking session in progress, stop tracking first');
const NO_METRICS = new Refusal('ERR METRICS parameter is required');
const BAD_METRICS = new Refusal(`ERR METRICS count must be > 0 and <= ${METRICS_MAX}`);
const CPU_TWICE = new Refusal('ERR METRICS CPU defined more than once!');
const NET_TWICE = new Refusal('ERR METRICS NET defined more than once!');
const FEW_METRICS = new Refusal('ERR METRICS count does not match number of metric types provided');
const NONE_VALID = new Refusal('ERR METRICS no valid metrics passed. Supported: CPU|NET');
const BAD_COUNT = new Refusal(`ERR COUNT must be between 1 and ${HOTKEYS_COUNT_MAX}`);
const BAD_DURATION = new Refusal(`ERR DURATION must be between 1 and ${SECONDS_MAX}`);
const BAD_SAMPLE = new Refusal('ERR SAMPLE ratio must be positive');
const NO_SLOTS = new Refusal('ERR SLOTS parameter cannot be used in non-cluster mode');

/** Reads METRICS, which comes first; returns the word behind it. */
function readMetrics({ args }: Context, plan: { metrics: number }): number {
  if (args.count < 4 || !isWord(args, 2, METRICS)) throw NO_METRICS;
  const end = 4 + readIntegerIn(args, 3, 1, METRICS_MAX, BAD_METRICS, BAD_METRICS);
  if (end > args.count) {
    // What is there is looked at first, as in Redis.
    noteMetrics(args.count);
    throw FEW_METRICS;
  }
  noteMetrics(end);
  if (plan.metrics === 0) throw NONE_VALID;
  return end;

  // Names that are not known are passed over, so that a newer client's request still works.
  function noteMetrics(until: number): void {
    for (let at = 4; at < until; at++) {
      const isCpu = isWord(args, at, CPU);
      if (!isCpu && !isWord(args, at, NET)) continue;
      const metric = isCpu ? Metric.Cpu : Metric.Net;
      if ((plan.metrics & metric) !== 0) throw isCpu ? CPU_TWICE : NET_TWICE;
      plan.metrics |= metric;
    }
  }
}

function readOptions({ args }: Context, first: number, plan: Plan): void {
  for (let at = first; at < args.count; at += 2) {
    if (at + 1 === args.count) throw SYNTAX;
    if (isWord(args, at, COUNT)) {
      plan.count = readIntegerIn(args, at + 1, 1, HOTKEYS_COUNT_MAX, BAD_COUNT, BAD_COUNT);
    } else if (isWord(args, at, DURATION)) {
      plan.durationMs =
        1000 * readIntegerIn(args, at + 1, 1, SECONDS_MAX, BAD_DURATION, BAD_DURATION);
    } else if (isWord(args, at, SAMPLE)) {
      plan.sample = readIntegerIn(args, at + 1, 1, SAMPLE_MAX, BAD_SAMPLE, BAD_SAMPLE);
    } else if (isWord(args, at, SLOTS)) {
      throw NO_SLOTS;
    } else {
      throw SYNTAX;
    }
  }
}

interface Plan {
  metrics: number;
  count: number;
  sample: number;
  durationMs: number;
}

function start(context: Context): void {
  const { server, reply } = context;
  const { hotkeys } = server;
  if (hotkeys.isActiveAt(context.nowMs)) throw IN_PROGRESS;
  const plan: Plan = { metrics: 0, count: COUNT_DEFAULT, sample: 1, durationMs: 0 };
  readOptions(context, readMetrics(context, plan), plan);

  if (!hotkeys.start(plan, context.nowMs, process.cpuUsage())) throw IN_PROGRESS;
  server.setProfiled(true);

  reply.ok();
}

function stop({ server, reply, nowMs }: Context): void {
  const { hotkeys } = server;
  const isActive = hotkeys.isActiveAt(nowMs) && hotkeys.stop(nowMs);
  server.setProfiled(hotkeys.isActiveAt(nowMs));

  if (isActive) reply.ok();
  else reply.nil();
}

function reset({ server, reply, nowMs }: Context): void {
  const { hotkeys } = server;
  if (!hotkeys.reset(nowMs)) throw STOP_FIRST;
  server.setProfiled(hotkeys.isActiveAt(nowMs));

  reply.ok();
}

function get({ server, reply, nowMs }: Context): void {
  const report = server.hotkeys.report(nowMs);
  if (report === null) {
    reply.nil();
    return;
  }
  const hasCpu = (report.metrics & Metric.Cpu) !== 0;
  const hasNet = (report.metrics & Metric.Net) !== 0;
  const cpu = process.cpuUsage();
  const rows: [string, number | readonly HotKey[] | 'slots'][] = [
    ['tracking-active', report.isActive ? 1 : 0],
    ['sample-ratio', report.sample],
    ['selected-slots', 'slots'],
    ['all-commands-all-slots-us', Math.round(report.allUs)],
    ['net-bytes-all-commands-all-slots', Math.round(report.allBytes)],
    ['collection-start-time-unix-ms', report.startMs],
    ['collection-duration-ms', report.tookMs],
  ];
  if (hasCpu) {
    rows.push(['total-cpu-time-user-ms', Math.floor((cpu.user - report.startUserUs) / 1000)]);
    rows.push(['total-cpu-time-sys-ms', Math.floor((cpu.system - report.startSystemUs) / 1000)]);
  }
  if (hasNet) rows.push(['total-net-bytes', Math.round(report.netTotal)]);
  if (hasCpu) rows.push(['by-cpu-time-us', report.byCpu]);
  if (hasNet) rows.push(['by-net-bytes', report.byNet]);

  // One map in an array: whoever asks several nodes puts the arrays together.
  reply.array(1);
  reply.map(rows.length);
  for (const [name, value] of rows) {
    reply.text(name);
    if (typeof value === 'number') reply.integer(value);
    else if (value === 'slots') replyAllSlots(reply);
    else replyKeys(reply, value);
  }
}

/** All slots, as one range of them. */
function replyAllSlots(reply: Context['reply']): void {
  reply.array(1);
  reply.array(2);
  reply.integer(0);
  reply.integer(SLOT_MAX);
}

function replyKeys(reply: Context['reply'], keys: readonly HotKey[]): void {
  reply.array(keys.length * 2);
  for (const { key, amount } of keys) {
    reply.text(key);
    reply.integer(amount);
  }
}

export const hotkeys = containerCommand({
  name: 'hotkeys',
  arity: -2,
  group: 'server',
  since: '8.6.0',
  summary: 'A container for commands that find the keys that take most.',
  flags: 0,
  subcommands: [
    sub({
      name: 'get',
      arity: 2,
      group: 'server',
      since: '8.6.0',
      summary: 'Tells which keys took the most time and the most bytes.',
      cost: 'O(K) where K is the number of keys told',
      flags: FLAGS,
      tips: ['nondeterministic_output', 'request_policy:special', 'response_policy:special'],
      run: get,
    }),
    sub({
      name: 'reset',
      arity: 2,
      group: 'server',
      since: '8.6.0',
      summary: 'Forgets what was measured.',
      cost: 'O(1)',
      flags: FLAGS,
      tips: TIPS,
      run: reset,
    }),
    sub({
      name: 'start',
      arity: -2,
      group: 'server',
      since: '8.6.0',
      summary: 'Begins to measure what keys take.',
      cost: 'O(1)',
      flags: FLAGS,
      syntax:
        'METRICS count [CPU] [NET] [COUNT k] [DURATION seconds] [SAMPLE ratio] ' +
        '[SLOTS count slot [slot ...]]',
      tips: TIPS,
      run: start,
    }),
    sub({
      name: 'stop',
      arity: 2,
      group: 'server',
      since: '8.6.0',
      summary: 'Ends the measurement; its results stay.',
      cost: 'O(1)',
      flags: FLAGS,
      tips: TIPS,
      run: stop,
    }),
    helpSubcommand({
      container: 'hotkeys',
      group: 'server',
      since: '8.6.1',
      lines: [
        'START METRICS <count> [CPU] [NET] [COUNT <k>] [DURATION <seconds>] [SAMPLE <ratio>]',
        '    Measure what keys take: processor time (CPU), bytes of the network (NET).',
        '    COUNT is how many keys are told (default: 10), DURATION when it ends by itself;',
        '    of SAMPLE commands one is noted (default: 1).',
        'STOP',
        '    End the measurement. Its results stay.',
        'GET',
        '    Return what was measured.',
        'RESET',
        '    Forget what was measured. The measurement must have ended.',
      ],
    }),
  ],
});
