// Lists.

import type { CommandSpec } from '../../dispatch/define.js';
import { elementCommands } from './elements.js';
import { endCommands } from './ends.js';
import { moveCommands } from './move.js';
import { rangeCommands } from './range.js';

export const listCommands: readonly CommandSpec[] = [
  ...endCommands,
  ...elementCommands,
  ...rangeCommands,
  ...moveCommands,
];
