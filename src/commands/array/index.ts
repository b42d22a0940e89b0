// All commands of arrays.

import type { CommandSpec } from '../../dispatch/define.js';
import { insertCommands } from './insert.js';
import { inspectCommands } from './inspect.js';
import { readCommands } from './read.js';
import { searchCommands } from './search.js';
import { writeCommands } from './write.js';

export const arrayCommands: readonly CommandSpec[] = [
  ...readCommands,
  ...writeCommands,
  ...insertCommands,
  ...searchCommands,
  ...inspectCommands,
];
