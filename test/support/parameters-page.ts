// The table of configuration parameters in docs/compatibility.md, made from src/config/parameters.

import type { Row, SupportRule, Value } from '../../src/config/parameter.js';
import { PARAMETERS } from '../../src/config/parameters.js';

const START = '<!-- parameters: generated from src/config -->';
const END = '<!-- /parameters -->';

/** The page with the text between its two marks made anew. */
export function fillParameters(page: string): string {
  const from = page.indexOf(START);
  const to = page.indexOf(END);
  if (from === -1 || to === -1)
    throw new Error(`docs/compatibility.md has no '${START}' … '${END}'`);
  return `${page.slice(0, from + START.length)}\n\n${table()}\n${page.slice(to)}`;
}

function table(): string {
  const rows = [...PARAMETERS].sort((a, b) => (a.name < b.name ? -1 : 1)).map(describe);
  return ['| parameter | in Flagstone |', '| --- | --- |', ...rows, ''].join('\n');
}

function describe(row: Row): string {
  return `| \`${row.name}\` | ${meaning(row)} |`;
}

/** What happens with a value other than the default. */
function meaning(row: Row): string {
  const { support } = row;
  switch (support.rule) {
    case 'now':
      return row.isMutable ? 'works' : 'works, at start only';
    case 'inert':
      return `accepted with a warning: ${support.reason}`;
    case 'refused':
      return `refused: ${support.sentence}`;
    case 'depends':
      return dependent(support.judge);
  }
}

/** Asks the rule about a few values of each form and says what it says to them. */
function dependent(judge: (value: Value) => SupportRule): string {
  const heard = new Map<string, string>();
  for (const value of [true, false, 0n, 1n, '', 'yes', ['x']] as const) {
    try {
      const rule = judge(value as Value);
      if (rule.rule === 'inert') heard.set('inert', `accepted with a warning: ${rule.reason}`);
      if (rule.rule === 'refused') heard.set('refused', `refused: ${rule.sentence}`);
    } catch {
      // A value of another form than the rule expects.
    }
  }
  return heard.size === 0
    ? 'works'
    : `some values work, others are ${[...heard.values()].join('; ')}`;
}
