// Sets: one file for each kind of command.

import type { CommandSpec } from '../../dispatch/define.js';
import { setAlgebraCommands } from './algebra.js';
import { memberCommands } from './members.js';
import { randomCommands } from './random.js';
import { setScanCommands } from './scan.js';

export const setCommands: readonly CommandSpec[] = [
  ...memberCommands,
  ...randomCommands,
  ...setAlgebraCommands,
  ...setScanCommands,
];
