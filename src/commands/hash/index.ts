// Hashes: fields with values under one key, and times at which single fields expire.

import type { CommandSpec } from '../../dispatch/define.js';
import { counterCommands } from './counter.js';
import { expiryCommands } from './expiry.js';
import { randomCommands } from './random.js';
import { readCommands } from './read.js';
import { scanCommands } from './scan.js';
import { timedCommands } from './timed.js';
import { writeCommands } from './write.js';

export const hashCommands: readonly CommandSpec[] = [
  ...writeCommands,
  ...readCommands,
  ...counterCommands,
  ...randomCommands,
  ...scanCommands,
  ...expiryCommands,
  ...timedCommands,
];
