// What is answered to commands that do not exist.

import type { Slices } from '../base/slices.js';
import { Refusal } from '../resp/errors.js';
import type { Command } from './command.js';

const UNKNOWN_ARGS_BYTES = 128;

export function unknownCommand(args: Slices): Refusal {
  // Redis quotes the arguments it has got, up to 128 bytes of them.
  let quoted = '';
  for (let index = 1; index < args.count && quoted.length < UNKNOWN_ARGS_BYTES; index++) {
    quoted += `'${textBeforeZero(args, index, UNKNOWN_ARGS_BYTES - quoted.length)}' `;
  }
  const name = textBeforeZero(args, 0, UNKNOWN_ARGS_BYTES);
  return new Refusal(`ERR unknown command '${name}', with args beginning with: ${quoted}`);
}

export function unknownSubcommand(command: Command, args: Slices): Refusal {
  const name = textBeforeZero(args, 1, UNKNOWN_ARGS_BYTES);
  const container = command.spec.name.toUpperCase();
  return new Refusal(`ERR unknown subcommand '${name}'. Try ${container} HELP.`);
}

/** A word as Redis quotes it, which prints it as a C string: a zero byte ends it. */
function textBeforeZero(args: Slices, index: number, bytesMax: number): string {
  const text = args.text(index).slice(0, bytesMax);
  const zeroAt = text.indexOf('\0');
  return zeroAt === -1 ? text : text.slice(0, zeroAt);
}
