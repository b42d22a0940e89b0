// Commands of streams.

import type { CommandSpec } from '../../dispatch/define.js';
import { addCommands } from './add.js';
import { claimCommands } from './claim.js';
import { groupCommands } from './group.js';
import { idempotenceCommands } from './idempotence.js';
import { inspectCommands } from './inspect.js';
import { nackCommands } from './nack.js';
import { pendingCommands } from './pending.js';
import { rangeCommands } from './range.js';
import { readCommands } from './read.js';
import { removeCommands } from './remove.js';

export const streamCommands: readonly CommandSpec[] = [
  ...addCommands,
  ...rangeCommands,
  ...removeCommands,
  ...readCommands,
  ...groupCommands,
  ...pendingCommands,
  ...claimCommands,
  ...nackCommands,
  ...idempotenceCommands,
  ...inspectCommands,
];
