// LATENCY GRAPH: a series of samples as a drawing of four rows of characters, eighty columns wide,
// with the age of each sample below it, read downwards.

import type { LatencySample, LatencySeries } from '../../stats/latency.js';

const COLUMNS = 80;
const ROWS = 4;
/** From low to high within a row; what is higher than the row fills it. */
const STEPS = ['_', 'o', '#'];
const FULL = '|';

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

export function drawGraph({ name, worstMs, samples }: LatencySeries, nowSeconds: number): string {
  const values = samples.map(({ ms }) => ms);
  const high = values.reduce((most, ms) => Math.max(most, ms), 0);
  const low = values.reduce((least, ms) => Math.min(least, ms), high);
  let graph = `${name} - high ${high} ms, low ${low} ms (all time high ${worstMs} ms)\n`;
  graph += `${'-'.repeat(COLUMNS)}\n`;
  for (let from = 0; from < samples.length; from += COLUMNS) {
    if (from !== 0) graph += '\n';
    graph += drawPart(samples.slice(from, from + COLUMNS), low, high, nowSeconds);
  }
  return graph;
}

function drawPart(
  samples: readonly LatencySample[],
  low: number,
  high: number,
  nowSeconds: number,
): string {
  const steps = STEPS.length * ROWS;
  const range = high === low ? 1 : high - low;
  const heights = samples.map(({ ms }) =>
    Math.min(steps - 1, Math.max(0, Math.floor(((ms - low) * steps) / range))),
  );
  let part = '';
  for (let row = 0; row < ROWS; row++) {
    const floor = (ROWS - row - 1) * STEPS.length;
    part += `${heights.map((height) => stepAt(height - floor)).join('')}\n`;
  }
  part += `${' '.repeat(samples.length)}\n`;
  const labels = samples.map(({ second }) => ageOf(nowSeconds - second));
  const depth = labels.reduce((most, label) => Math.max(most, label.length), 0);
  for (let row = 0; row < depth; row++) {
    part += `${labels.map((label) => label[row] ?? ' ').join('')}\n`;
  }
  return part;
}

function stepAt(height: number): string {
  if (height < 0) return ' ';
  return STEPS[height] ?? FULL;
}

function ageOf(seconds: number): string {
  if (seconds < MINUTE) return `${seconds}s`;
  if (seconds < HOUR) return `${Math.floor(seconds / MINUTE)}m`;
  if (seconds < DAY) return `${Math.floor(seconds / HOUR)}h`;
  return `${Math.floor(seconds / DAY)}d`;
}
