// Commands that wait for a key: see dispatch/blocking.ts.

import type { CommandSpec } from '../../dispatch/define.js';
import { listBlockingCommands } from './list.js';
import { sortedSetBlockingCommands } from './sorted-set.js';

export const blockingCommands: readonly CommandSpec[] = [
  ...listBlockingCommands,
  ...sortedSetBlockingCommands,
];
