// The commands of the geo group: places in sorted sets, and what lies near them.

import type { CommandSpec } from '../../dispatch/define.js';
import { placeCommands } from './places.js';
import { searchCommands } from './search.js';

export const geoCommands: readonly CommandSpec[] = [...placeCommands, ...searchCommands];
