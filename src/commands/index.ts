// All commands of the server, in the order of their ids.

import type { CommandSpec } from '../dispatch/define.js';
import { aclCommands } from './acl.js';
import { arrayCommands } from './array/index.js';
import { bitmapCommands } from './bitmap.js';
import { blockingCommands } from './blocking/index.js';
import { commandCommands } from './command.js';
import { connectionCommands } from './connection.js';
import { feedCommands } from './feed.js';
import { genericCommands } from './generic/index.js';
import { geoCommands } from './geo/index.js';
import { hashCommands } from './hash/index.js';
import { hyperloglogCommands } from './hyperloglog.js';
import { listCommands } from './list/index.js';
import { pubsubCommands } from './pubsub.js';
import { scriptingCommands } from './scripting/index.js';
import { serverCommands } from './server/index.js';
import { serverKeyspaceCommands } from './server-keyspace.js';
import { setCommands } from './set/index.js';
import { sortCommands } from './sort/index.js';
import { sortedSetCommands } from './sorted-set/index.js';
import { streamCommands } from './stream/index.js';
import { stringCommands } from './string/index.js';
import { transactionCommands } from './transactions.js';

export const allCommands: readonly CommandSpec[] = [
  ...connectionCommands,
  ...aclCommands,
  ...arrayCommands,
  ...bitmapCommands,
  ...blockingCommands,
  ...genericCommands,
  ...geoCommands,
  ...hyperloglogCommands,
  ...setCommands,
  ...sortCommands,
  ...sortedSetCommands,
  ...streamCommands,
  ...stringCommands,
  ...listCommands,
  ...pubsubCommands,
  ...hashCommands,
  ...feedCommands,
  ...scriptingCommands,
  ...serverCommands,
  ...serverKeyspaceCommands,
  ...transactionCommands,
  ...commandCommands,
];
