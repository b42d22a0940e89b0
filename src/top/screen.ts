// The view in the terminal as lines of text: what two samples say, in a given width and height. It
// fits 80 columns and 24 rows; more rows show more partitions, keys and commands.

import type { Figures, HotKey, Sample } from './sample.js';

export interface ScreenSize {
  readonly columns: number;
  readonly rows: number;
}

const ROWS_MIN = 24;
/** Rows that are there whatever there is to show: heads, totals, empty rows. */
const FIXED_ROWS = 14;
const WORKERS_MAX = 8;

export function draw(before: Sample, after: Sample, size: ScreenSize, target: string): string[] {
  const seconds = Math.max(0.001, (after.atMs - before.atMs) / 1000);
  const spare = Math.max(ROWS_MIN, size.rows) - FIXED_ROWS;
  const workerRows = Math.min(after.workers.length, WORKERS_MAX, Math.max(2, spare - 7));
  const rest = spare - workerRows;
  const partitionRows = Math.max(2, Math.floor(rest / 3));
  const keyRows = Math.max(3, Math.floor((rest - partitionRows) / 2));
  const slowRows = Math.max(2, rest - partitionRows - keyRows);
  const lines = [
    ...drawHead(before, after, seconds, target),
    '',
    ...drawWorkers(before, after, seconds, workerRows),
    '',
    ...drawPartitions(before, after, seconds, partitionRows),
    '',
    ...drawKeys(after, keyRows, size.columns),
    '',
    ...drawSlow(after, slowRows),
  ];
  return lines.slice(0, Math.max(ROWS_MIN, size.rows)).map((line) => cut(line, size.columns));
}

// ---- the parts ---------------------------------------------------------------------------------

function drawHead(before: Sample, after: Sample, seconds: number, target: string): string[] {
  const { info } = after;
  const text = (name: string) => info.get(name) ?? '?';
  const number = (name: string) => Number(info.get(name) ?? 0);
  const rate = (name: string) =>
    Math.max(0, number(name) - Number(before.info.get(name) ?? 0)) / seconds;
  const hits = rate('keyspace_hits');
  const looks = hits + rate('keyspace_misses');
  const limit = number('maxmemory');
  const used = number('used_memory');
  const ofLimit = limit === 0 ? '' : ` of ${bytes(limit)} (${percent(used, limit)})`;
  const hitText = looks === 0 ? '-' : percent(hits, looks);
  const [inRate, outRate] = [rate('total_net_input_bytes'), rate('total_net_output_bytes')];
  const traffic = `in ${bytes(inRate)}/s   out ${bytes(outRate)}/s`;
  const log = number('aof_enabled') === 1 ? text('aof_last_write_status') : 'off';
  const unsaved = count(number('rdb_changes_since_last_save'));
  const [expired, evicted] = [count(rate('expired_keys')), count(rate('evicted_keys'))];
  const waiting = `blocked ${count(number('blocked_clients'))}`;
  return [
    `flagstone top  ${target}  ${text('flagstone_version')} (Redis ${text('redis_version')})  ` +
      `up ${duration(number('uptime_in_seconds'))}  ${text('role')}`,
    `${count(rate('total_commands_processed'))} ops/s   ${traffic}   hits ${hitText}   ` +
      `errors ${count(rate('total_error_replies'))}/s`,
    `memory ${bytes(used)}${ofLimit}   resident ${bytes(number('used_memory_rss'))}   ` +
      `peak ${bytes(number('used_memory_peak'))}   frag. ${text('allocator_frag_ratio')}`,
    `keys ${count(keysOf(info))}   expired ${expired}/s   evicted ${evicted}/s   ` +
      `unsaved ${unsaved}   log ${log}`,
    `clients ${count(number('connected_clients'))}   ${waiting}   ` +
      `subscribers ${count(number('pubsub_clients'))}   ${largestText(after)}`,
  ];
}

function largestText({ largest }: Sample): string {
  if (largest === null) return '';
  const memory = bytes(Number(largest.get('tot-mem') ?? 0));
  return `largest ${largest.get('addr') ?? '?'} ${memory} ${largest.get('cmd') ?? ''}`;
}

function keysOf(info: ReadonlyMap<string, string>): number {
  let keys = 0;
  for (const [name, value] of info) {
    if (/^db\d+$/.test(name)) keys += Number(/keys=(\d+)/.exec(value)?.[1] ?? 0);
  }
  return keys;
}

function drawWorkers(before: Sample, after: Sample, seconds: number, rows: number): string[] {
  const lines = after.workers.slice(0, rows).map(({ name, figures }, index) => {
    const earlier = before.workers[index]?.figures ?? figures;
    const rate = (field: string) => gained(earlier, figures, field) / seconds;
    const cpu = (rate('cpu_user_us') + rate('cpu_sys_us')) / 10_000;
    return row(
      [name, `${cpu.toFixed(0)} %`, count(rate('commands')), count(of(figures, 'clients'))],
      [bytes(rate('input_bytes')), bytes(rate('output_bytes')), count(rate('turns'))],
    );
  });
  const more = after.workers.length - lines.length;
  const title = more > 0 ? `THREAD (${more} more)` : 'THREAD';
  return [row([title, 'load', 'ops/s', 'clients'], ['in/s', 'out/s', 'turns/s']), ...lines];
}

function row(first: readonly string[], second: readonly string[]): string {
  const [name, ...figures] = first;
  return name!.padEnd(16) + [...figures, ...second].map((text) => text.padStart(10)).join('');
}

/** The partitions that were visited most since the last sample. */
function drawPartitions(before: Sample, after: Sample, seconds: number, rows: number): string[] {
  const { info, partitions } = after;
  const rated = partitions.map((figures, index) => {
    const earlier = before.partitions[index] ?? figures;
    const rate = (field: string) => gained(earlier, figures, field) / seconds;
    return {
      index,
      figures,
      visits: rate('visits'),
      waits: rate('contentions'),
      waitedMs: rate('lock_waited_ms'),
    };
  });
  const busiest = [...rated].sort((a, b) => b.visits - a.visits || a.index - b.index);
  const lines = busiest
    .slice(0, rows)
    .map(({ index, figures, visits, waits, waitedMs }) =>
      row(
        [`partition ${index}`, count(visits), count(waits), `${waitedMs.toFixed(1)} ms`],
        [count(of(figures, 'keys')), bytes(of(figures, 'used')), bytes(of(figures, 'held'))],
      ),
    );
  const title = `OF ${info.get('partitions') ?? partitions.length}`;
  return [
    row([title, 'visits/s', 'waits/s', 'waited/s'], ['keys', 'used', 'held']),
    ...lines,
    `fill ${info.get('partition_fill_mean_perc') ?? '?'} % on average, ` +
      `${info.get('partition_fill_max_perc') ?? '?'} % at most, ` +
      `skew ${info.get('partition_skew') ?? '?'}`,
  ];
}

const NO_KEYS = 'HOT KEYS  nobody measures: HOTKEYS START METRICS 2 CPU NET, or --hotkeys';

function drawKeys({ hot }: Sample, rows: number, columns: number): string[] {
  if (hot === null) return [NO_KEYS, ...Array.from({ length: rows }, () => '')];
  const half = Math.floor(columns / 2);
  const state = hot.isActive ? '' : ', measured before';
  const ratio = hot.sample > 1 ? `, 1 of ${hot.sample}` : '';
  const cell = (key: HotKey | undefined, unit: (amount: number) => string) =>
    key === undefined
      ? ''
      : `${printable(key.key)
          .slice(0, half - 14)
          .padEnd(half - 13)}${unit(key.amount).padStart(10)}`;
  const lines = Array.from({ length: rows }, (_, index) => {
    const left = cell(hot.byCpu[index], microseconds);
    const right = cell(hot.byNet[index], bytes);
    return `${left.padEnd(half)}${right}`.trimEnd();
  });
  return [`${`HOT KEYS by time${ratio}${state}`.padEnd(half)}by bytes`, ...lines];
}

function drawSlow({ slow, atMs }: Sample, rows: number): string[] {
  const lines = slow.slice(0, rows).map(({ second, microseconds, words }) => {
    const ago = duration(Math.max(0, Math.floor(atMs / 1000) - second));
    const took = `${(microseconds / 1000).toFixed(1)} ms`;
    return `${took.padStart(12)} ${ago.padStart(9)} ago  ${printable(words.join(' '))}`;
  });
  return ['SLOW COMMANDS', ...lines];
}

// ---- figures as text ---------------------------------------------------------------------------

function of(figures: Figures, name: string): number {
  return figures.get(name) ?? 0;
}

/** A count that was reset, or wrapped, has gained nothing. */
function gained(before: Figures, after: Figures, name: string): number {
  return Math.max(0, of(after, name) - of(before, name));
}

const COUNT_UNITS = ['', 'k', 'M', 'G', 'T'];

export function count(value: number): string {
  return scaled(value, 1000, COUNT_UNITS);
}

const BYTE_UNITS = ['B', 'K', 'M', 'G', 'T'];

export function bytes(value: number): string {
  return scaled(value, 1024, BYTE_UNITS);
}

function scaled(value: number, step: number, units: readonly string[]): string {
  let unit = 0;
  let rest = value;
  while (rest >= step && unit + 1 < units.length) {
    rest /= step;
    unit++;
  }
  return `${unit === 0 ? Math.round(rest) : rest.toFixed(rest < 10 ? 2 : 1)}${units[unit]}`;
}

function percent(part: number, whole: number): string {
  return `${((part * 100) / whole).toFixed(1)} %`;
}

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

export function duration(seconds: number): string {
  if (seconds < MINUTE) return `${seconds} s`;
  if (seconds < HOUR) return `${Math.floor(seconds / MINUTE)} min`;
  if (seconds < DAY) return `${Math.floor(seconds / HOUR)} h`;
  return `${Math.floor(seconds / DAY)} d`;
}

/** Keys and words may hold anything: what would move the cursor is shown as a dot. */
function printable(text: string): string {
  return text.replace(/[^ -~]/g, '.');
}

function cut(line: string, columns: number): string {
  return line.length <= columns ? line : `${line.slice(0, columns - 1)}>`;
}

function microseconds(us: number): string {
  return us < 1000 ? `${us} us` : `${(us / 1000).toFixed(1)} ms`;
}
