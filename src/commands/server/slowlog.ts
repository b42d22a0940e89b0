// SLOWLOG: the commands that took longest, of all threads.

import { int64 } from '../../base/ascii.js';
import { readInt64 } from '../../dispatch/args.js';
import type { Context } from '../../dispatch/context.js';
import { containerCommand, Flag } from '../../dispatch/define.js';
import { Refusal } from '../../resp/errors.js';
import { helpSubcommand, refuseSubcommand, sub } from './help.js';

const FLAGS = Flag.Admin | Flag.Loading | Flag.Stale;
const COUNT_DEFAULT = 10;
const BAD_COUNT = new Refusal('ERR count should be greater than or equal to -1');

function get(context: Context): void {
  const { args, server, reply } = context;
  if (args.count > 3) refuseSubcommand(context);
  let count = COUNT_DEFAULT;
  if (args.count === 3) {
    readInt64(args, 2, BAD_COUNT);
    if (int64.value < -1) throw BAD_COUNT;
    count = int64.value === -1 ? Number.POSITIVE_INFINITY : int64.value;
  }

  const entries = server.slowlog.get(count);

  reply.array(entries.length);
  for (const entry of entries) {
    reply.array(6);
    reply.integer(entry.id);
    reply.integer(entry.second);
    reply.integer(entry.microseconds);
    reply.array(entry.args.length);
    for (const word of entry.args) reply.text(word);
    reply.text(entry.address);
    reply.text(entry.name);
  }
}

export const slowlog = containerCommand({
  name: 'slowlog',
  arity: -2,
  group: 'server',
  since: '2.2.12',
  summary: 'A container for commands about the log of slow commands.',
  flags: 0,
  subcommands: [
    sub({
      name: 'get',
      arity: -2,
      group: 'server',
      since: '2.2.12',
      summary: 'Tells the latest slow commands.',
      cost: 'O(N) where N is the number of entries told',
      flags: FLAGS,
      syntax: '[count]',
      tips: ['request_policy:all_nodes', 'nondeterministic_output'],
      history: [['4.0.0', "An entry tells the client's address and name."]],
      run: get,
    }),
    sub({
      name: 'len',
      arity: 2,
      group: 'server',
      since: '2.2.12',
      summary: 'Counts the entries of the log of slow commands.',
      cost: 'O(1)',
      flags: FLAGS,
      tips: ['request_policy:all_nodes', 'response_policy:agg_sum', 'nondeterministic_output'],
      run({ server, reply }) {
        reply.integer(server.slowlog.length);
      },
    }),
    sub({
      name: 'reset',
      arity: 2,
      group: 'server',
      since: '2.2.12',
      summary: 'Empties the log of slow commands.',
      cost: 'O(N) where N is the number of entries',
      flags: FLAGS,
      tips: ['request_policy:all_nodes', 'response_policy:all_succeeded'],
      run({ server, reply }) {
        server.slowlog.reset();
        reply.ok();
      },
    }),
    helpSubcommand({
      container: 'slowlog',
      group: 'server',
      since: '6.2.0',
      lines: [
        'GET [<count>]',
        '    Return top <count> entries from the slowlog (default: 10, -1 mean all).',
        '    Entries are made of:',
        '    id, timestamp, time in microseconds, arguments array, client IP and port,',
        '    client name',
        'LEN',
        '    Return the length of the slowlog.',
        'RESET',
        '    Reset the slowlog.',
      ],
    }),
  ],
});
