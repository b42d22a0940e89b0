// Scripts and functions: EVAL and its like, SCRIPT; FCALL, FUNCTION.

import type { CommandSpec } from '../../dispatch/define.js';
import { evalCommands } from './eval.js';
import { fcallCommands } from './fcall.js';
import { functionCommands } from './function.js';
import { scriptCommands } from './script.js';

export const scriptingCommands: readonly CommandSpec[] = [
  ...evalCommands,
  ...fcallCommands,
  ...functionCommands,
  ...scriptCommands,
];
