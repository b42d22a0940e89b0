// All commands of the server, in the order of their ids.

import type { CommandSpec } from '../dispatch/define.js';
import { bitmapCommands } from './bitmap.js';
import { commandCommands } from './command.js';
import { connectionCommands } from './connection.js';
import { genericCommands } from './generic/index.js';
import { serverCommands } from './server/index.js';
import { serverKeyspaceCommands } from './server-keyspace.js';
import { stringCommands } from './string/index.js';

export const allCommands: readonly CommandSpec[] = [
  ...connectionCommands,
  ...bitmapCommands,
  ...genericCommands,
  ...stringCommands,
  ...serverCommands,
  ...serverKeyspaceCommands,
  ...commandCommands,
];
