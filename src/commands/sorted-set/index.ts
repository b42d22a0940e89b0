// Sorted sets: members in the order of their scores.

import type { CommandSpec } from '../../dispatch/define.js';
import { addCommands } from './add.js';
import { combineCommands } from './combine.js';
import { popCommands } from './pop.js';
import { rangeCommands } from './range.js';
import { readCommands } from './read.js';
import { removeCommands } from './remove.js';
import { scanCommands } from './scan.js';

export const sortedSetCommands: readonly CommandSpec[] = [
  ...addCommands,
  ...removeCommands,
  ...popCommands,
  ...readCommands,
  ...rangeCommands,
  ...combineCommands,
  ...scanCommands,
];
