// docs/commands.md, made from the command table: one row per command, grouped as in the manual.

import { allCommands } from '../../src/commands/index.js';
import type { Command } from '../../src/dispatch/command.js';
import { CommandTable } from '../../src/dispatch/table.js';

const GROUP_TITLES: Readonly<Record<string, string>> = {
  string: 'Strings',
  bitmap: 'Bitmaps',
  generic: 'Keys',
  connection: 'Connections',
  server: 'Server',
  scripting: 'Scripts and functions',
  cluster: 'Cluster',
};

export function commandsPage(): string {
  const { all } = new CommandTable(allCommands);
  const groups = new Map<string, Command[]>();
  for (const command of all) {
    // A container without own words is its subcommands' row header in COMMAND, nothing to call.
    if (command.subcommands.length > 0 && command.spec.syntax === undefined) continue;
    const rows = groups.get(command.spec.group) ?? [];
    rows.push(command);
    groups.set(command.spec.group, rows);
  }
  const order = Object.keys(GROUP_TITLES);
  const sections = [...groups]
    .sort(([a], [b]) => order.indexOf(a) - order.indexOf(b))
    .map(([group, commands]) => section(GROUP_TITLES[group] ?? group, commands));
  return [
    '# Commands',
    '',
    'Generated from the command objects in `src/commands/` by `npm run docs`; a test fails when',
    'this page and the code differ. "Since" is the Redis version that brought the command; what is',
    'kept different on purpose stands in [compatibility.md](compatibility.md).',
    '',
    ...sections,
  ].join('\n');
}

function section(title: string, commands: readonly Command[]): string {
  const rows = [...commands]
    .sort((a, b) => (a.fullName < b.fullName ? -1 : 1))
    .map((command) => {
      const name = command.fullName.replace('|', ' ').toUpperCase();
      const syntax = (command.spec.syntax ?? '').replaceAll('|', '\\|');
      const words = syntax === '' ? name : `${name} ${syntax}`;
      const { summary, cost, since } = command.spec;
      return `| \`${words}\` | ${summary.replaceAll('|', '\\|')} | ${cost} | ${since} |`;
    });
  return [
    `## ${title}`,
    '',
    '| command | what it does | cost | since |',
    '| --- | --- | --- | --- |',
    ...rows,
    '',
  ].join('\n');
}
