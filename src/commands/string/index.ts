// The commands of the string group.

import type { CommandSpec } from '../../dispatch/define.js';
import { counterCommands } from './counter.js';
import { increxCommands } from './increx.js';
import { lcsCommands } from './lcs.js';
import { rangeCommands } from './range.js';
import { severalCommands } from './several.js';
import { valueCommands } from './value.js';

export const stringCommands: readonly CommandSpec[] = [
  ...valueCommands,
  ...rangeCommands,
  ...counterCommands,
  ...increxCommands,
  ...severalCommands,
  ...lcsCommands,
];
