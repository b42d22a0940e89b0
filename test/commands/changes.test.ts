// What INFO calls rdb_changes_since_last_save, and what save points count.

import { expect, it } from 'vitest';
import { genericCommands } from '../../src/commands/generic/index.js';
import { hashCommands } from '../../src/commands/hash/index.js';
import { listCommands } from '../../src/commands/list/index.js';
import { setCommands } from '../../src/commands/set/index.js';
import { sortedSetCommands } from '../../src/commands/sorted-set/index.js';
import { streamCommands } from '../../src/commands/stream/index.js';
import { Engine } from '../support/engine.js';
import { splitWords } from '../support/pattern.js';

/** Commands with several events or keys: as many changes as Redis counts. */
const ROWS = [
  ['RPUSH list a', 1],
  ['LMOVE list other LEFT RIGHT', 1],
  ['LMOVE other other LEFT RIGHT', 1],
  ['RPOPLPUSH other list', 1],
  ['RENAME list other', 1],
  ['MOVE other 1', 1],
  ['RPUSH list a', 1],
  ['LPOP list', 1],
  ['LPOP list', 0],
  ['HSET hash f 1', 1],
  ['HDEL hash f', 1],
  ['SADD set a', 1],
  ['SMOVE set moved a', 2],
  ['SPOP moved', 1],
  ['ZADD scores 1 a', 1],
  ['ZPOPMIN scores', 1],
  ['XADD stream 1-1 f v', 1],
  ['XADD stream MAXLEN 1 2-1 f v', 1],
] as const;

it('a change counts once, also when it takes the key with it or has two keys', () => {
  const engine = new Engine({
    databases: 2,
    specs: [
      ...genericCommands,
      ...hashCommands,
      ...listCommands,
      ...setCommands,
      ...sortedSetCommands,
      ...streamCommands,
    ],
  });
  for (const [command, expected] of ROWS) {
    const before = engine.effects.changes;
    engine.run(...splitWords(command));
    expect(`${command}: ${engine.effects.changes - before}`).toBe(`${command}: ${expected}`);
  }
});
