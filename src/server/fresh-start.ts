// The start with an empty data directory, the commonest one: nothing is to be loaded, so main needs
// none of what loads (recovery.ts), which is most of the program.

import { existsSync } from 'node:fs';
import { randomHex } from '../base/prng.js';
import type { Config } from '../config/config.js';
import { emptyLog } from '../log/keeper.js';
import type { RecoveryResult } from './recovery.js';

const HISTORY_BYTES = 20;

/** Names a history of changes that nobody has begun before. */
export function newHistory(): string {
  return randomHex(HISTORY_BYTES);
}

/**
 * What recovery would find, where nothing is there that it would look at; null where something is.
 */
export function freshStart(directory: string, config: Config): RecoveryResult | null {
  const names = ['dbfilename', 'appenddirname', 'appendfilename'];
  if (names.some((name) => existsSync(`${directory}/${config.text(name)}`))) return null;
  return {
    recovered: config.flag('appendonly') ? emptyLog(newHistory()) : null,
    needsBase: false,
  };
}
