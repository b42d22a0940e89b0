// The commands about keys of any type.

import type { CommandSpec } from '../../dispatch/define.js';
import { dumpCommands } from './dump.js';
import { expiryCommands } from './expiry.js';
import { keyCommands } from './keys.js';
import { migrateCommands } from './migrate.js';
import { objectCommands } from './object.js';
import { scanCommands } from './scan.js';
import { waitCommands } from './wait.js';

export const genericCommands: readonly CommandSpec[] = [
  ...keyCommands,
  ...expiryCommands,
  ...dumpCommands,
  ...migrateCommands,
  ...scanCommands,
  ...objectCommands,
  ...waitCommands,
];
