// CONFIG: reading and changing the configuration while the server runs.

import { matchesGlob } from '../../base/glob.js';
import { containerCommand, Flag } from '../../dispatch/define.js';
import type { Partition } from '../../keyspace/partition.js';
import { Refusal } from '../../resp/errors.js';
import { Header } from '../../slab/slab.js';
import { helpSubcommand, sub, textsFrom } from './help.js';

const FLAGS = Flag.Admin | Flag.NoScript | Flag.Loading | Flag.Stale;
const TO_ALL = ['request_policy:all_nodes', 'response_policy:all_succeeded'];

function matches(pattern: string, text: string): boolean {
  const patternBytes = Buffer.from(pattern, 'latin1');
  const bytes = Buffer.from(text, 'latin1');
  return matchesGlob(patternBytes, 0, patternBytes.length, bytes, 0, bytes.length, true);
}

const get = sub({
  name: 'get',
  arity: -3,
  group: 'server',
  since: '2.0.0',
  summary: 'Tells the values of parameters.',
  cost: 'O(N) where N is the number of parameters asked for',
  flags: FLAGS,
  syntax: 'parameter [parameter ...]',
  history: [['7.0.0', 'Several parameters or patterns may be asked for at once.']],
  run(context) {
    const { server, reply } = context;
    const pairs = server.config.get(textsFrom(context, 2), matches);

    reply.map(pairs.length);
    for (const [name, value] of pairs) {
      reply.text(name);
      reply.text(value);
    }
  },
});

const set = sub({
  name: 'set',
  arity: -4,
  group: 'server',
  since: '2.0.0',
  summary: 'Changes parameters, all of them or none.',
  cost: 'O(N) where N is the number of parameters given',
  flags: FLAGS,
  syntax: 'parameter value [parameter value ...]',
  tips: TO_ALL,
  history: [['7.0.0', 'Several parameters may be changed at once.']],
  run(context) {
    const { session, server, reply } = context;
    const asker = { isLocal: session.isLocal, isServerLoading: server.isLoading() };

    // It changes all of it or nothing, so that it may come before the refusal.
    const change = server.changeConfig(textsFrom(context, 2), asker);
    if (change.error !== null) throw new Refusal(change.error);

    reply.ok();
  },
});

function forgetFreed({ slab }: Partition): void {
  slab.i32[Header.LazyFreed] = 0;
}

const resetstat = sub({
  name: 'resetstat',
  arity: 2,
  group: 'server',
  since: '2.0.0',
  summary: 'Sets the counts that INFO shows back to 0.',
  cost: 'O(1)',
  flags: FLAGS,
  tips: TO_ALL,
  visits: true,
  run(context) {
    const { keyspace, reply, server } = context;
    server.stats.reset(context.nowMs);
    server.commandStats.reset();
    server.saving.resetCounts();
    for (let index = 0; index < keyspace.partitions.length; index++) {
      context.visit(index, forgetFreed);
    }
    reply.ok();
  },
});

const rewrite = sub({
  name: 'rewrite',
  arity: 2,
  group: 'server',
  since: '2.8.0',
  summary: 'Writes what is in force into the configuration file.',
  cost: 'O(1)',
  flags: FLAGS,
  tips: TO_ALL,
  run({ server, reply }) {
    // With an ACL file the users stand there, and in no line of the configuration.
    const isInFile = server.config.text('aclfile') !== '';
    const users = isInFile ? [] : server.access.accounts.all;
    server.config.users = users.map((user) => [user.name, ...user.describe().split(' ')]);
    const failure = server.config.rewriteFile();
    if (failure !== null) {
      server.log('warning', `CONFIG REWRITE failed: ${failure}`);
      throw new Refusal(failure);
    }
    server.log('notice', 'CONFIG REWRITE executed with success.');
    reply.ok();
  },
});

export const config = containerCommand({
  name: 'config',
  arity: -2,
  group: 'server',
  since: '2.0.0',
  summary: 'A container for commands about the configuration.',
  flags: 0,
  subcommands: [
    get,
    set,
    resetstat,
    rewrite,
    helpSubcommand({
      container: 'config',
      group: 'server',
      since: '5.0.0',
      lines: [
        'GET <pattern>',
        '    Return parameters matching the glob-like <pattern> and their values.',
        'SET <directive> <value>',
        '    Set the configuration <directive> to <value>.',
        'RESETSTAT',
        '    Reset statistics reported by the INFO command.',
        'REWRITE',
        '    Rewrite the configuration file.',
      ],
    }),
  ],
});
