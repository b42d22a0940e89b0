// The report as one page: no scripts, no fonts or libraries from elsewhere, charts as inline SVG.

import {
  type Column,
  printMachine,
  type Report,
  type ResultTable,
  type Row,
  showFigure,
} from './report.js';

const STYLE = `
:root { color-scheme: light dark; --ink: #1d2330; --faint: #667085; --line: #d8dde6; --paper: #fff;
  --one: #c2571a; --two: #3a6ea5; --three: #5b8c5a; --four: #8a5a9e; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ef; --faint: #98a2b3; --line: #333b49;
  --paper: #14181f; --one: #ee8a4a; --two: #76a9dd; --three: #8fc08d; --four: #c090d4; } }
body { margin: 2rem auto; max-width: 72rem; padding: 0 1rem; background: var(--paper);
  color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; margin-bottom: 0; } h2 { font-size: 1.15rem; margin: 2.2rem 0 0; }
h3 { font-size: .95rem; margin: 0 0 .3rem; }
p { margin: .2rem 0 1rem; color: var(--faint); } .failure { color: var(--one); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .9rem; }
th, td { padding: .25rem .7rem; text-align: right; border-bottom: 1px solid var(--line);
  white-space: nowrap; }
th:nth-child(-n+2), td:nth-child(-n+2) { text-align: left; }
.charts { display: flex; flex-wrap: wrap; gap: 1.5rem; margin: 1.2rem 0; }
svg { display: block; } text { fill: currentColor; font: 12px system-ui, sans-serif; }
.axis { stroke: var(--line); }
`;

const COLOURS = ['var(--one)', 'var(--two)', 'var(--three)', 'var(--four)'];
const CHART_WIDTH = 520;
const NAMES_WIDTH = 130;
const VALUES_WIDTH = 150;
const BAR_HEIGHT = 15;
const GROUP_GAP = 9;

export function renderPage(report: Report): string {
  const failures = report.failures
    .map((line) => `<p class="failure">${escapeHtml(line)}</p>`)
    .join('\n');
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Flagstone benchmark</title>
<style>${STYLE}</style>
</head>
<body>
<h1>Flagstone benchmark</h1>
<p>${escapeHtml(printMachine(report.machine))}<br>${escapeHtml(report.machine.takenAt)} ·
<code>${escapeHtml(report.command)}</code></p>
${failures}
${report.tables.map(renderTable).join('\n')}
</body>
</html>
`;
}

function renderTable(table: ResultTable): string {
  const heads = ['', 'server', ...table.columns.map((column) => column.title)];
  const rows = table.rows.map((row) => {
    const cells = [
      row.label,
      row.server,
      ...table.columns.map((column) => showFigure(row, column)),
    ];
    return `<tr>${cells.map((cell) => `<td>${escapeHtml(cell)}</td>`).join('')}</tr>`;
  });
  const charts = table.columns
    .filter((column) => column.isCharted === true)
    .map((column) => renderChart(table, column));
  return `<h2>${escapeHtml(table.title)}</h2>
<p>${escapeHtml(table.about)}</p>
<div class="charts">${charts.join('\n')}</div>
<div class="wide"><table>
<tr>${heads.map((head) => `<th>${escapeHtml(head)}</th>`).join('')}</tr>
${rows.join('\n')}
</table></div>`;
}

/** Horizontal bars in groups of one label, one colour per server. */
function renderChart(table: ResultTable, column: Column): string {
  const shown = table.rows.filter((row) => typeof row.figures[column.key] === 'number');
  const largest = Math.max(...shown.map((row) => row.figures[column.key] as number));
  if (shown.length === 0 || !(largest > 0)) return '';
  const servers = [...new Set(table.rows.map((row) => row.server))];
  const room = CHART_WIDTH - NAMES_WIDTH - VALUES_WIDTH;
  let y = 0;
  let lastLabel = '';
  const parts: string[] = [];
  for (const row of shown) {
    if (row.label !== lastLabel) y += lastLabel === '' ? 0 : GROUP_GAP;
    const width = Math.max(1, ((row.figures[column.key] as number) / largest) * room);
    parts.push(renderBar(row, column, { y, width, lastLabel, servers }));
    lastLabel = row.label;
    y += BAR_HEIGHT;
  }
  const direction = column.better === null ? '' : ` — ${column.better} is better`;
  const title = `${column.title}${direction}`;
  return `<figure style="margin:0"><h3>${escapeHtml(title)}</h3>
<svg width="${CHART_WIDTH}" height="${y}" viewBox="0 0 ${CHART_WIDTH} ${y}" role="img"
 aria-label="${escapeHtml(title)}">
<line class="axis" x1="${NAMES_WIDTH}" x2="${NAMES_WIDTH}" y1="0" y2="${y}"/>
${parts.join('\n')}
</svg></figure>`;
}

interface BarPlace {
  readonly y: number;
  readonly width: number;
  readonly lastLabel: string;
  readonly servers: readonly string[];
}

function renderBar(row: Row, column: Column, place: BarPlace): string {
  const { y, width } = place;
  const colour = COLOURS[place.servers.indexOf(row.server) % COLOURS.length]!;
  const base = y + BAR_HEIGHT - 4;
  const label =
    row.label === place.lastLabel ? '' : `<text x="0" y="${base}">${escapeHtml(row.label)}</text>`;
  const value = `${showFigure(row, column)} ${row.server}`;
  return `${label}<rect x="${NAMES_WIDTH}" y="${y + 1}" height="${BAR_HEIGHT - 2}"
 width="${width.toFixed(1)}" fill="${colour}"><title>${escapeHtml(value)}</title></rect>
<text x="${(NAMES_WIDTH + width + 5).toFixed(1)}" y="${base}">${escapeHtml(value)}</text>`;
}

function escapeHtml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;');
}
