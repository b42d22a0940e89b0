// INFO: the server's description of itself, in Redis's sections and order and with its field
// names, so that monitoring finds them. Fields of what this server does not do say 0. The
// sections' figures stand in report-figures.ts and report-counts.ts.

import type { Context } from '../../dispatch/context.js';
import { Flag, sessionCommand } from '../../dispatch/define.js';
import {
  commandStats,
  errorStats,
  flagstone,
  keyspaceCounts,
  latencyStats,
  partitionRows,
  workers,
} from './report-counts.js';
import {
  clients,
  cluster,
  cpu,
  memory,
  modules,
  persistence,
  replication,
  server,
  stats,
} from './report-figures.js';

/** A line `name:value`, or several in one text where names are made at run time. */
export type InfoField = readonly [name: string, value: string | number];

interface Section {
  readonly name: string;
  readonly title: string;
  /** Part of INFO without arguments. */
  readonly isDefault: boolean;
  /** Shown only when it is asked for by name: another section has its fields too. */
  readonly isPart?: boolean;
  fields(context: Context): readonly InfoField[];
}

const SECTIONS: readonly Section[] = [
  { name: 'server', title: 'Server', isDefault: true, fields: server },
  { name: 'clients', title: 'Clients', isDefault: true, fields: clients },
  { name: 'memory', title: 'Memory', isDefault: true, fields: memory },
  { name: 'persistence', title: 'Persistence', isDefault: true, fields: persistence },
  { name: 'stats', title: 'Stats', isDefault: true, fields: stats },
  { name: 'replication', title: 'Replication', isDefault: true, fields: replication },
  { name: 'cpu', title: 'CPU', isDefault: true, fields: cpu },
  { name: 'modules', title: 'Modules', isDefault: true, fields: modules },
  { name: 'commandstats', title: 'Commandstats', isDefault: false, fields: commandStats },
  { name: 'errorstats', title: 'Errorstats', isDefault: true, fields: errorStats },
  { name: 'latencystats', title: 'Latencystats', isDefault: false, fields: latencyStats },
  { name: 'cluster', title: 'Cluster', isDefault: true, fields: cluster },
  { name: 'keyspace', title: 'Keyspace', isDefault: true, fields: keyspaceCounts },
  { name: 'flagstone', title: 'Flagstone', isDefault: false, fields: flagstone },
  { name: 'workers', title: 'Workers', isDefault: false, isPart: true, fields: workers },
  {
    name: 'partitions',
    title: 'Partitions',
    isDefault: false,
    isPart: true,
    fields: partitionRows,
  },
];

const ALIASES: Readonly<Record<string, string | undefined>> = { module_list: 'modules' };

/** The sections that the words ask for, in the order in which they are always shown. */
function chosenSections(words: readonly string[]): readonly Section[] {
  const asked = new Set(words.map((name) => name.toLowerCase()));
  if (asked.has('all') || asked.has('everything'))
    return SECTIONS.filter(({ name, isPart }) => isPart !== true || asked.has(name));
  if (asked.size === 0) asked.add('default');
  for (const name of [...asked]) {
    const section = ALIASES[name];
    if (section !== undefined) asked.add(section);
  }
  const hasDefault = asked.has('default');
  return SECTIONS.filter(({ name, isDefault }) => (hasDefault && isDefault) || asked.has(name));
}

export const info = sessionCommand({
  name: 'info',
  arity: -1,
  group: 'server',
  since: '1.0.0',
  summary: 'Describes the server and tells its figures.',
  cost: 'O(1)',
  flags: Flag.Loading | Flag.Stale,
  categories: ['@dangerous'],
  syntax: '[section [section ...]]',
  tips: ['nondeterministic_output', 'request_policy:all_shards', 'response_policy:special'],
  history: [['7.0.0', 'Several sections may be asked for at once.']],
  visits: true,
  run(context) {
    const { args, reply } = context;
    const words: string[] = [];
    for (let index = 1; index < args.count; index++) words.push(args.text(index));

    const texts = chosenSections(words).map(({ title, fields }) => {
      const lines = fields(context).map(([name, value]) => `${name}:${value}\r\n`);
      return `# ${title}\r\n${lines.join('')}`;
    });

    reply.verbatim(texts.join('\r\n'), 'txt');
  },
});
