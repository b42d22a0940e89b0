// The page of the counters: once a second it asks for what it shows, all in one frame.

import 'uplot/dist/uPlot.min.css';
import './style.css';
import uPlot from 'uplot';
import { type Client, connect, type Value } from '../../../client/index.js';

const SECONDS = 120;
const POLL_MS = 1_000;
const KINDS = ['view', 'click', 'cart', 'order'];
const COLOURS = ['#0d9488', '#4f6bd8', '#d97706', '#be3a5f'];
const HEIGHT = 240;

type Counts = ReadonlyMap<string, number>;

/** Seconds that have been over for a while do not change any more: they are read once. */
const SETTLED_SECONDS = 4;
const past = new Map<number, Counts>();
let lastTotal: { readonly count: number; readonly ms: number } | null = null;

function show(id: string, value: number): void {
  document.getElementById(id)!.textContent = Math.round(value).toLocaleString('en');
}

function countsOf(value: Value): Counts {
  const map = value as ReadonlyMap<string, string>;
  return new Map([...map].map(([name, count]) => [name, Number(count)]));
}

function showBars(id: string, counts: readonly (readonly [string, number])[]): void {
  const sorted = [...counts].sort((a, b) => b[1] - a[1]);
  const most = Math.max(1, sorted[0]?.[1] ?? 1);
  const rows = sorted.map(([name, count]) => {
    const row = document.createElement('li');
    row.style.setProperty('--share', `${((count / most) * 100).toFixed(1)}%`);
    const title = document.createElement('span');
    title.textContent = name;
    const number = document.createElement('b');
    number.textContent = count.toLocaleString('en');
    row.append(title, number);
    return row;
  });
  document.getElementById(id)!.replaceChildren(...rows);
}

function makeChart(): uPlot {
  const place = document.getElementById('chart')!;
  const muted = getComputedStyle(document.documentElement).getPropertyValue('--muted');
  const axis = { stroke: '#8a857c', grid: { stroke: '#8a857c2e' }, ticks: { show: false } };
  const options: uPlot.Options = {
    width: place.clientWidth,
    height: HEIGHT,
    legend: { live: false },
    cursor: { drag: { x: false, y: false } },
    axes: [
      { ...axis, stroke: muted || axis.stroke, grid: { show: false } },
      { ...axis, size: 60 },
    ],
    series: [
      {},
      ...KINDS.map((label, index) => ({
        label,
        stroke: COLOURS[index]!,
        width: 2,
        points: { show: false },
      })),
    ],
  };
  const chart = new uPlot(
    options,
    [[], ...KINDS.map(() => [])] as unknown as uPlot.AlignedData,
    place,
  );
  new ResizeObserver(() => chart.setSize({ width: place.clientWidth, height: HEIGHT })).observe(
    place,
  );
  return chart;
}

async function refresh(db: Client, chart: uPlot): Promise<void> {
  const now = Math.floor(Date.now() / 1000);
  const seconds = Array.from({ length: SECONDS }, (_, index) => now - SECONDS + index);
  const isSettled = (second: number) => past.has(second) && second < now - SETTLED_SECONDS;
  const missing = seconds.filter((second) => !isSettled(second));
  const [visitors, pages, countries, ...read] = await Promise.all([
    db.pfcount('analytics:visitors'),
    db.zrange('analytics:pages', 0, -1, 'WITHSCORES'),
    db.hgetall('analytics:countries'),
    ...missing.map((second) => db.hgetall(`analytics:second:${second}`)),
  ]);
  for (const [index, second] of missing.entries()) past.set(second, countsOf(read[index]!));
  for (const second of past.keys()) if (second < now - SECONDS) past.delete(second);
  const lines = KINDS.map((kind) => seconds.map((second) => past.get(second)?.get(kind) ?? 0));
  chart.setData([seconds, ...lines]);
  const scores = pages as unknown as readonly (readonly [string, number])[];
  showBars('pages', scores);
  showBars('countries', [...countsOf(countries)]);
  show('visitors', visitors);
  show(
    'orders',
    lines[3]!.slice(-60).reduce((sum, count) => sum + count, 0),
  );
  showTotal(scores.reduce((sum, [, count]) => sum + count, 0));
}

function showTotal(count: number): void {
  const ms = performance.now();
  show('total', count);
  if (lastTotal !== null)
    show('rate-now', ((count - lastTotal.count) * 1000) / (ms - lastTotal.ms));
  lastTotal = { count, ms };
}

async function start(): Promise<void> {
  const gateway = (await (await fetch('./gateway.json')).json()) as { url: string };
  const db = connect(gateway.url, {
    onState: (state) => {
      document.getElementById('state')!.textContent = state === 'ready' ? 'live' : state;
    },
  });
  const chart = makeChart();
  // What a poll misses, the next one shows.
  const poll = (): unknown => refresh(db, chart).catch(() => {});
  poll();
  setInterval(poll, POLL_MS);
  const rate = document.getElementById('rate') as HTMLInputElement;
  rate.addEventListener('input', () => {
    document.getElementById('asked')!.textContent = Number(rate.value).toLocaleString('en');
    db.publish('analytics:rate', rate.value).catch(() => {});
  });
}

start();
