// Commands about features that this server does not have, answered truthfully: nobody follows it,
// it follows nobody, it is no cluster, it has no modules. Clients ask for
// these when they connect, and test suites when they clean up.

import { isWord, readIntegerIn, word } from '../../dispatch/args.js';
import type { Context } from '../../dispatch/context.js';
import { type CommandSpec, containerCommand, Flag, sessionCommand } from '../../dispatch/define.js';
import { Refusal } from '../../resp/errors.js';
import { helpSubcommand, sub } from './help.js';

const NO = word('NO');
const ONE = word('ONE');

const NO_CLUSTER = new Refusal('ERR This instance has cluster support disabled');
const BAD_PORT = new Refusal('ERR Invalid master port');
const NO_REPLICATION = new Refusal('ERR This server cannot replicate another yet');

const PORT_MAX = 65_535;

// ---- replication -------------------------------------------------------------------------------

const role = sessionCommand({
  name: 'role',
  arity: 1,
  group: 'server',
  since: '2.8.12',
  summary: "Tells the server's part in replication.",
  cost: 'O(1)',
  flags: Flag.NoScript | Flag.Loading | Flag.Stale | Flag.Fast,
  categories: ['@admin', '@dangerous'],
  run({ reply }) {
    reply.array(3);
    reply.text('master');
    reply.integer(0);
    reply.array(0);
  },
});

function follow({ args, reply }: Context): void {
  if (!isWord(args, 1, NO) || !isWord(args, 2, ONE)) {
    readIntegerIn(args, 2, 0, PORT_MAX, BAD_PORT, BAD_PORT);
    throw NO_REPLICATION;
  }
  reply.ok();
}

const FOLLOWING = Flag.Admin | Flag.NoScript | Flag.Stale | Flag.NoAsyncLoading;

const replicaof = sessionCommand({
  name: 'replicaof',
  arity: 3,
  group: 'server',
  since: '5.0.0',
  summary: 'Makes the server a replica of another, or a primary.',
  cost: 'O(1)',
  flags: FOLLOWING,
  syntax: '<host port | NO ONE>',
  run: follow,
});

const slaveof = sessionCommand({
  name: 'slaveof',
  arity: 3,
  group: 'server',
  since: '1.0.0',
  summary: 'Makes the server a replica of another, or a primary.',
  cost: 'O(1)',
  flags: FOLLOWING,
  syntax: '<host port | NO ONE>',
  deprecatedSince: '5.0.0',
  replacedBy: '`REPLICAOF`',
  run: follow,
});

// ---- cluster -----------------------------------------------------------------------------------

function refuseCluster(): never {
  throw NO_CLUSTER;
}

const asking = sessionCommand({
  name: 'asking',
  arity: 1,
  group: 'cluster',
  since: '3.0.0',
  summary: 'Says that a redirection is being followed.',
  cost: 'O(1)',
  flags: Flag.Fast,
  categories: ['@connection'],
  run: refuseCluster,
});

const READING = Flag.Loading | Flag.Stale | Flag.Fast;

const readonly = sessionCommand({
  name: 'readonly',
  arity: 1,
  group: 'cluster',
  since: '3.0.0',
  summary: 'Lets this connection read from a replica of a cluster.',
  cost: 'O(1)',
  flags: READING,
  categories: ['@connection'],
  run: refuseCluster,
});

const readwrite = sessionCommand({
  name: 'readwrite',
  arity: 1,
  group: 'cluster',
  since: '3.0.0',
  summary: 'Ends what READONLY began.',
  cost: 'O(1)',
  flags: READING,
  categories: ['@connection'],
  run: refuseCluster,
});

const LOOK = Flag.Loading | Flag.Stale;
const CHANGE = Flag.Admin | Flag.Stale | Flag.NoAsyncLoading;
const ADMIN_LOOK = Flag.Admin | Flag.Loading | Flag.Stale;
const ANYTHING = ['nondeterministic_output'];

interface ClusterRow {
  readonly name: string;
  readonly arity: number;
  readonly since?: string;
  readonly flags: number;
  readonly syntax?: string;
  readonly cost?: string;
  readonly tips?: readonly string[];
  readonly summary: string;
  readonly deprecatedSince?: string;
}

/** All subcommands of a real cluster's CLUSTER: each is known, and says that there is none. */
const CLUSTER_ROWS: readonly ClusterRow[] = [
  {
    name: 'addslots',
    arity: -3,
    flags: CHANGE,
    syntax: 'slot [slot ...]',
    summary: 'Takes slots.',
  },
  {
    name: 'addslotsrange',
    arity: -4,
    since: '7.0.0',
    flags: CHANGE,
    syntax: 'start-slot end-slot [start-slot end-slot ...]',
    summary: 'Takes ranges of slots.',
  },
  { name: 'bumpepoch', arity: 2, flags: CHANGE, tips: ANYTHING, summary: 'Raises the epoch.' },
  {
    name: 'count-failure-reports',
    arity: 3,
    flags: ADMIN_LOOK,
    tips: ANYTHING,
    syntax: 'node-id',
    summary: 'Counts reports that a node failed.',
  },
  {
    name: 'countkeysinslot',
    arity: 3,
    flags: Flag.Stale,
    syntax: 'slot',
    summary: 'Counts the keys of a slot.',
  },
  {
    name: 'delslots',
    arity: -3,
    flags: CHANGE,
    syntax: 'slot [slot ...]',
    summary: 'Gives slots up.',
  },
  {
    name: 'delslotsrange',
    arity: -4,
    since: '7.0.0',
    flags: CHANGE,
    syntax: 'start-slot end-slot [start-slot end-slot ...]',
    summary: 'Gives ranges of slots up.',
  },
  {
    name: 'failover',
    arity: -2,
    flags: CHANGE,
    syntax: '[<FORCE | TAKEOVER>]',
    summary: 'Makes a replica the primary.',
  },
  { name: 'flushslots', arity: 2, flags: CHANGE, summary: 'Gives all slots up.' },
  { name: 'forget', arity: 3, flags: CHANGE, syntax: 'node-id', summary: 'Forgets a node.' },
  {
    name: 'getkeysinslot',
    arity: 4,
    flags: Flag.Stale,
    tips: ANYTHING,
    syntax: 'slot count',
    summary: 'Lists keys of a slot.',
  },
  { name: 'info', arity: 2, flags: LOOK, tips: ANYTHING, summary: 'Describes the cluster.' },
  { name: 'keyslot', arity: 3, flags: LOOK, syntax: 'key', summary: 'Tells the slot of a key.' },
  {
    name: 'links',
    arity: 2,
    since: '7.0.0',
    flags: LOOK,
    tips: ANYTHING,
    summary: 'Lists the links to other nodes.',
  },
  {
    name: 'meet',
    arity: -4,
    flags: CHANGE,
    syntax: 'ip port [cluster-bus-port]',
    summary: 'Joins a node.',
  },
  { name: 'myid', arity: 2, flags: LOOK, summary: "Tells this node's id." },
  {
    name: 'myshardid',
    arity: 2,
    since: '7.2.0',
    flags: LOOK,
    tips: ANYTHING,
    summary: "Tells this shard's id.",
  },
  { name: 'nodes', arity: 2, flags: LOOK, tips: ANYTHING, summary: 'Lists the nodes.' },
  {
    name: 'replicas',
    arity: 3,
    since: '5.0.0',
    flags: ADMIN_LOOK,
    tips: ANYTHING,
    syntax: 'node-id',
    summary: 'Lists the replicas of a node.',
  },
  {
    name: 'replicate',
    arity: 3,
    flags: CHANGE,
    syntax: 'node-id',
    summary: 'Makes this node a replica.',
  },
  {
    name: 'reset',
    arity: -2,
    flags: Flag.Admin | Flag.NoScript | Flag.Stale,
    syntax: '[<HARD | SOFT>]',
    summary: 'Starts the node anew.',
  },
  { name: 'saveconfig', arity: 2, flags: CHANGE, summary: "Writes the cluster's file." },
  {
    name: 'set-config-epoch',
    arity: 3,
    flags: CHANGE,
    syntax: 'config-epoch',
    summary: 'Sets the epoch of a new node.',
  },
  {
    name: 'setslot',
    arity: -4,
    flags: CHANGE,
    syntax: 'slot <IMPORTING node-id | MIGRATING node-id | NODE node-id | STABLE>',
    summary: 'Says whose a slot is.',
  },
  {
    name: 'shards',
    arity: 2,
    since: '7.0.0',
    flags: LOOK,
    tips: ANYTHING,
    summary: 'Lists slots and nodes by shard.',
  },
  {
    name: 'slaves',
    arity: 3,
    flags: ADMIN_LOOK,
    tips: ANYTHING,
    syntax: 'node-id',
    summary: 'Lists the replicas of a node.',
    deprecatedSince: '5.0.0',
  },
  {
    name: 'slots',
    arity: 2,
    flags: LOOK,
    tips: ANYTHING,
    summary: 'Lists who has which slots.',
    deprecatedSince: '7.0.0',
  },
];

const REPLACEMENTS: Readonly<Record<string, string | undefined>> = {
  slaves: '`CLUSTER REPLICAS`',
  slots: '`CLUSTER SHARDS`',
};

const cluster = containerCommand({
  name: 'cluster',
  arity: -2,
  group: 'cluster',
  since: '3.0.0',
  summary: 'A container for commands about the cluster.',
  flags: 0,
  subcommands: [
    ...CLUSTER_ROWS.map((row): CommandSpec => {
      const replacedBy = REPLACEMENTS[row.name];
      return sub({
        ...row,
        group: 'cluster',
        since: row.since ?? '3.0.0',
        cost: 'O(1)',
        ...(replacedBy === undefined ? {} : { replacedBy }),
        run: refuseCluster,
      });
    }),
    sub({
      name: 'help',
      arity: 2,
      group: 'cluster',
      since: '5.0.0',
      summary: 'Describes the subcommands of CLUSTER.',
      cost: 'O(1)',
      flags: LOOK,
      run: refuseCluster,
    }),
  ],
});

// ---- modules ------------------------------------------------------------------------------------

const module = containerCommand({
  name: 'module',
  arity: -2,
  group: 'server',
  since: '4.0.0',
  summary: 'A container for commands about modules.',
  flags: 0,
  subcommands: [
    sub({
      name: 'list',
      arity: 2,
      group: 'server',
      since: '4.0.0',
      summary: 'Lists the modules: there are none.',
      cost: 'O(1)',
      flags: Flag.Admin | Flag.NoScript,
      tips: ['nondeterministic_output_order'],
      run({ reply }) {
        reply.array(0);
      },
    }),
    helpSubcommand({
      container: 'module',
      group: 'server',
      since: '5.0.0',
      lines: ['LIST', '    Return a list of loaded modules.'],
    }),
  ],
});

export const absentFeatures: readonly CommandSpec[] = [
  asking,
  cluster,
  module,
  readonly,
  readwrite,
  replicaof,
  role,
  slaveof,
];
