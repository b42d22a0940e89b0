// Results as rows of figures, and their three forms: text for the terminal, JSON, and a page.

import type { Machine } from './machine.js';

export type Figure = number | string | null;

export interface Column {
  readonly key: string;
  readonly title: string;
  readonly digits: number;
  /** Which way is good; null for columns that are only told. */
  readonly better: 'more' | 'less' | null;
  /** A further column shows this one divided by the base server's. */
  readonly hasRatio?: boolean;
  readonly isCharted?: boolean;
}

export interface Row {
  readonly label: string;
  /** Rows of the same kind are compared, even where their labels differ. */
  readonly kind: string;
  readonly server: string;
  readonly figures: Readonly<Record<string, Figure>>;
}

export interface ResultTable {
  readonly title: string;
  readonly about: string;
  readonly columns: readonly Column[];
  readonly rows: readonly Row[];
}

export interface Report {
  readonly command: string;
  readonly machine: Machine;
  readonly tables: readonly ResultTable[];
  /** Whole sentences: error replies, wrong types, wrong totals. */
  readonly failures: readonly string[];
}

/** The server that the others are compared with. */
export const BASE_SERVER = 'Redis';

/** The table with a column `x / Redis` after each column that asks for it. */
export function withRatios(table: ResultTable): ResultTable {
  const hasBase = table.rows.some((row) => row.server === BASE_SERVER);
  if (!hasBase || table.rows.every((row) => row.server === BASE_SERVER)) return table;
  const columns = table.columns.flatMap((column): Column[] => {
    if (column.hasRatio !== true) return [column];
    const title = `/ ${BASE_SERVER}`;
    return [column, { key: ratioKey(column), title, digits: 2, better: column.better }];
  });
  const rows = table.rows.map((row) => {
    const base = table.rows.find(
      (other) => other.server === BASE_SERVER && other.kind === row.kind,
    );
    const ratios = table.columns
      .filter((column) => column.hasRatio === true)
      .map((column) => [ratioKey(column), ratioOf(row, base, column.key)] as const);
    return { ...row, figures: { ...row.figures, ...Object.fromEntries(ratios) } };
  });
  return { ...table, columns, rows };
}

export function printTable(table: ResultTable): string {
  const heads = ['', 'server', ...table.columns.map((column) => column.title)];
  let lastLabel = '';
  const lines = table.rows.map((row) => {
    const label = row.label === lastLabel ? '' : row.label;
    lastLabel = row.label;
    return [label, row.server, ...table.columns.map((column) => showFigure(row, column))];
  });
  const widths = heads.map((head, index) =>
    Math.max(head.length, ...lines.map((line) => line[index]!.length)),
  );
  const show = (cells: readonly string[]) =>
    cells
      .map((cell, index) =>
        index < 2 ? cell.padEnd(widths[index]!) : cell.padStart(widths[index]!),
      )
      .join('  ')
      .trimEnd();
  const rule = widths.map((width) => '─'.repeat(width)).join('──');
  return [table.title, table.about, '', show(heads), rule, ...lines.map(show)].join('\n');
}

export function printMachine(machine: Machine): string {
  return (
    `${machine.processor}, ${machine.cores} cores, ${machine.memoryGiB} GiB, ` +
    `${machine.kernel}, Node ${machine.node}`
  );
}

export function showFigure(row: Row, column: Column): string {
  const figure = row.figures[column.key] ?? null;
  if (figure === null) return '—';
  if (typeof figure === 'string') return figure;
  if (!Number.isFinite(figure)) return '—';
  return figure.toLocaleString('en-US', {
    minimumFractionDigits: column.digits,
    maximumFractionDigits: column.digits,
  });
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  if (sorted.length % 2 === 1) return sorted[middle]!;
  return sorted.length === 0 ? Number.NaN : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

function ratioKey(column: Column): string {
  return `${column.key}Ratio`;
}

function ratioOf(row: Row, base: Row | undefined, key: string): Figure {
  const mine = row.figures[key];
  const theirs = base?.figures[key];
  if (base === row || typeof mine !== 'number' || typeof theirs !== 'number') return null;
  return theirs === 0 ? null : mine / theirs;
}
