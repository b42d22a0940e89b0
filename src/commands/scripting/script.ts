// SCRIPT: what the server knows of scripts, and how to end one that runs too long.

import { isWord, word } from '../../dispatch/args.js';
import type { Context } from '../../dispatch/context.js';
import {
  type CommandSpec,
  containerCommand,
  Flag,
  sessionCommand as sub,
} from '../../dispatch/define.js';
import { KillOutcome } from '../../mesh/control.js';
import { Refusal } from '../../resp/errors.js';
import { helpSubcommand } from '../server/help.js';

const NO = word('NO');
const YES = word('YES');
const SYNC = word('SYNC');
const ASYNC = word('ASYNC');

const BAD_FLUSH = new Refusal('ERR SCRIPT FLUSH only support SYNC|ASYNC option');
const BAD_DEBUG = new Refusal('ERR Use SCRIPT DEBUG YES/SYNC/NO');
const NO_DEBUGGER = new Refusal('ERR This server has no debugger for Lua scripts');

/** What SCRIPT KILL and FUNCTION KILL answer where they kill nothing. */
const NOT_BUSY = new Refusal('NOTBUSY No scripts in execution right now.');
const UNKILLABLE = new Refusal(
  'UNKILLABLE Sorry the script already executed write commands against the dataset. You can ' +
    'either wait the script termination or kill the server in a hard way using the SHUTDOWN ' +
    'NOSAVE command.',
);

/** SCRIPT KILL and FUNCTION KILL: ends whatever keeps the server busy, if it may be ended. */
export function killScript({ server, reply }: Context, isEval: boolean): void {
  const outcome = server.killScript(isEval);
  if (outcome === KillOutcome.NothingRuns) throw NOT_BUSY;
  if (outcome === KillOutcome.HasWritten) throw UNKILLABLE;
  if (outcome === KillOutcome.OtherKind) throw server.busyRefusal() ?? NOT_BUSY;

  reply.ok();
}

export const scriptContainer = containerCommand({
  name: 'script',
  arity: -2,
  group: 'scripting',
  since: '2.6.0',
  summary: 'A container for commands about scripts.',
  flags: 0,
  subcommands: [
    sub({
      name: 'debug',
      arity: 3,
      group: 'scripting',
      since: '3.2.0',
      summary: 'Would choose how the scripts of this connection are debugged.',
      cost: 'O(1)',
      flags: Flag.NoScript,
      syntax: '<YES | SYNC | NO>',
      run({ args, reply }) {
        if (isWord(args, 2, YES) || isWord(args, 2, SYNC)) throw NO_DEBUGGER;
        if (!isWord(args, 2, NO)) throw BAD_DEBUG;

        reply.ok();
      },
    }),
    sub({
      name: 'exists',
      arity: -3,
      group: 'scripting',
      since: '2.6.0',
      summary: 'Says which scripts the server knows.',
      cost: 'O(N) where N is the number of scripts asked about',
      flags: Flag.NoScript,
      syntax: 'sha1 [sha1 ...]',
      tips: ['request_policy:all_shards', 'response_policy:agg_logical_and'],
      run({ args, scripts, reply }) {
        reply.array(args.count - 2);
        for (let index = 2; index < args.count; index++) reply.flag(scripts.exists(args, index));
      },
    }),
    sub({
      name: 'flush',
      arity: -2,
      group: 'scripting',
      since: '2.6.0',
      summary: 'Forgets all scripts.',
      cost: 'O(N) where N is the number of scripts',
      flags: Flag.NoScript,
      syntax: '[<ASYNC | SYNC>]',
      tips: ['request_policy:all_nodes', 'response_policy:all_succeeded'],
      history: [['6.2.0', 'ASYNC and SYNC were added.']],
      run({ args, scripts, reply }) {
        // Either way it takes no longer: each thread forgets what it has compiled by itself.
        const isKnown = args.count === 3 && (isWord(args, 2, SYNC) || isWord(args, 2, ASYNC));
        if (args.count > 2 && !isKnown) throw BAD_FLUSH;

        scripts.registry.flush();

        reply.ok();
      },
    }),
    sub({
      name: 'kill',
      arity: 2,
      group: 'scripting',
      since: '2.6.0',
      summary: 'Ends a script that keeps the server busy and has not written anything.',
      cost: 'O(1)',
      flags: Flag.NoScript | Flag.AllowBusy,
      tips: ['request_policy:all_shards', 'response_policy:one_succeeded'],
      run(context) {
        killScript(context, true);
      },
    }),
    sub({
      name: 'load',
      arity: 3,
      group: 'scripting',
      since: '2.6.0',
      summary: 'Compiles and keeps a script without running it.',
      cost: 'O(N) where N is the length of the script in bytes',
      flags: Flag.NoScript | Flag.Stale,
      syntax: 'script',
      tips: ['request_policy:all_nodes', 'response_policy:all_succeeded'],
      run({ args, scripts, reply }) {
        reply.text(scripts.load(args, 2));
      },
    }),
    helpSubcommand({
      container: 'script',
      group: 'scripting',
      since: '5.0.0',
      lines: [
        'DEBUG (YES|SYNC|NO)',
        '    Set the debug mode for subsequent scripts executed.',
        'EXISTS <sha1> [<sha1> ...]',
        '    Return information about the existence of the scripts in the script cache.',
        'FLUSH [ASYNC|SYNC]',
        '    Flush the Lua scripts cache. Very dangerous on replicas.',
        '    When called without the optional mode argument, the behavior is determined by the',
        '    lazyfree-lazy-user-flush configuration directive. Valid modes are:',
        '    * ASYNC: Asynchronously flush the scripts cache.',
        '    * SYNC: Synchronously flush the scripts cache.',
        'KILL',
        '    Kill the currently executing Lua script.',
        'LOAD <script>',
        '    Load a script into the scripts cache without executing it.',
      ],
    }),
  ],
});

export const scriptCommands: readonly CommandSpec[] = [scriptContainer];
