// A pipeline in passes: parse a few commands ahead, hash their keys, touch their memory (touch.ts),
// then execute them one after the other.

import { Slices } from '../base/slices.js';
import type { Keyspace } from '../keyspace/keyspace.js';
import type { Command } from './command.js';
import { Shape } from './define.js';
import { placeKey } from './route.js';
import type { CommandTable } from './table.js';
import { TOUCH_KEYS, TOUCHED_FROM, Touch } from './touch.js';

/** Commands parsed ahead. */
export const BATCH_COMMANDS = TOUCH_KEYS;

export class Batch {
  /** Words of the commands read ahead. */
  readonly args: readonly Slices[] = Array.from({ length: BATCH_COMMANDS }, () => new Slices());
  readonly commands: (Command | null)[] = new Array<Command | null>(BATCH_COMMANDS).fill(null);
  /** Where each command starts in the input. */
  readonly startsAt = new Int32Array(BATCH_COMMANDS);
  /** 1 where the command's one key has been placed. */
  readonly isPlaced = new Uint8Array(BATCH_COMMANDS);
  count = 0;
  private readonly keyspace: Keyspace;
  private readonly table: CommandTable;
  private readonly touching: Touch;

  constructor(keyspace: Keyspace, table: CommandTable) {
    this.keyspace = keyspace;
    this.table = table;
    this.touching = new Touch(keyspace);
  }

  /** Takes the command that was parsed into args[count]; it starts at `start` in the input. */
  add(start: number): void {
    const index = this.count;
    const args = this.args[index]!;
    const command = this.table.find(args, 0);
    this.commands[index] = command;
    this.startsAt[index] = start;
    this.isPlaced[index] = 0;
    if (command !== null && command.shape === Shape.Key && args.count > command.firstKey) {
      placeKey(this.keyspace, args, command.firstKey);
      this.isPlaced[index] = 1;
    }
    this.count = index + 1;
  }

  /** The touch pass, for a session in `database`. */
  touch(database: number): void {
    const { touching, isPlaced } = this;
    if (this.count < TOUCHED_FROM) return;
    for (let index = 0; index < this.count; index++) {
      if (isPlaced[index] === 0) continue;
      const args = this.args[index]!;
      const key = this.commands[index]!.firstKey;
      touching.add(args.partitions[key]!, database, args.hashes[key]!);
    }
    touching.run();
  }
}
