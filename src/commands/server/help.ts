// What containers have in common: subcommands that list the others, and the errors Redis has for
// them.

import type { Context } from '../../dispatch/context.js';
import { type CommandSpec, Flag, type Group, sessionCommand } from '../../dispatch/define.js';
import { Refusal } from '../../resp/errors.js';

/** A subcommand: named apart from commands, because subcommands share names freely. */
export const sub = sessionCommand;

/** HELP of a container: `lines` are what Redis prints between the first line and HELP itself. */
export function helpSubcommand(fields: {
  readonly container: string;
  readonly group: Group;
  readonly since: string;
  readonly lines: readonly string[];
}): CommandSpec {
  return sub({
    name: 'help',
    arity: 2,
    group: fields.group,
    since: fields.since,
    summary: `Describes the subcommands of ${fields.container.toUpperCase()}.`,
    cost: 'O(1)',
    flags: Flag.Loading | Flag.Stale,
    run(context) {
      replyHelp(context, fields.lines);
    },
  });
}

export function replyHelp(context: Context, lines: readonly string[]): void {
  const { args, reply } = context;
  const name = args.text(0).toUpperCase();
  reply.array(lines.length + 3);
  reply.simple(`${name} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:`);
  for (const line of lines) reply.simple(line);
  reply.simple('HELP');
  reply.simple('    Print this help.');
}

const NAME_BYTES_MAX = 128;

/** The arguments of a known subcommand make no sense, or it does not exist. */
export function refuseSubcommand(context: Context): never {
  const { args } = context;
  const name = args.text(1).slice(0, NAME_BYTES_MAX);
  throw new Refusal(
    `ERR unknown subcommand or wrong number of arguments for '${name}'. ` +
      `Try ${args.text(0).toUpperCase()} HELP.`,
  );
}

/** Words of the command from `first` on, as text. */
export function textsFrom(context: Context, first: number): string[] {
  const { args } = context;
  const texts: string[] = [];
  for (let index = first; index < args.count; index++) texts.push(args.text(index));
  return texts;
}
