// A pipeline in passes: parse a few commands ahead, hash their keys, touch their memory (touch.ts),
// then execute them one after the other. Pipelines repeat themselves: a command of the same name
// and key as the one before it is neither looked up nor hashed again.

import { forgetHashes } from '../base/hash.js';
import { Slices } from '../base/slices.js';
import type { Keyspace } from '../keyspace/keyspace.js';
import type { Command } from './command.js';
import { Shape } from './define.js';
import { placeKey } from './route.js';
import type { CommandTable } from './table.js';
import { ElementTouch, TOUCH_KEYS, TOUCHED_FROM, Touch } from './touch.js';

/** Commands parsed ahead. */
export const BATCH_COMMANDS = TOUCH_KEYS;

/** Words of EVAL and its like: how many keys there are, and the first of them. */
const KEY_COUNT_AT = 2;
export const DECLARED_KEY = 3;
const ONE = 0x31;

/** What became of a command's one key. */
export const enum Placed {
  No = 0,
  Yes = 1,
  /** It is the key of the command before. */
  AsBefore = 2,
  /** The one key that a script declares has been: word DECLARED_KEY. */
  Declared = 3,
}

export class Batch {
  /** Words of the commands read ahead. */
  readonly args: readonly Slices[] = Array.from({ length: BATCH_COMMANDS }, () => new Slices());
  readonly commands: (Command | null)[] = new Array<Command | null>(BATCH_COMMANDS).fill(null);
  /** Where each command starts in the input. */
  readonly startsAt = new Int32Array(BATCH_COMMANDS);
  /** Has the command's one key been placed? */
  readonly placed = new Uint8Array(BATCH_COMMANDS);
  count = 0;
  /** How many of them look for an element in a collection. */
  private elementCount = 0;
  private readonly keyspace: Keyspace;
  private readonly table: CommandTable;
  private readonly touching: Touch;
  private readonly elements: ElementTouch;

  constructor(keyspace: Keyspace, table: CommandTable) {
    this.keyspace = keyspace;
    this.table = table;
    this.touching = new Touch(keyspace);
    this.elements = new ElementTouch(keyspace);
  }

  /** Takes the command that was parsed into args[count]; it starts at `start` in the input. */
  add(start: number): void {
    const index = this.count;
    const args = this.args[index]!;
    const before = index === 0 ? args : this.args[index - 1]!;
    const isRepeat = index !== 0 && isSameWord(args, before, 0);
    const command = isRepeat ? (this.commands[index - 1] ?? null) : this.table.find(args, 0);
    this.commands[index] = command;
    this.startsAt[index] = start;
    let placed = Placed.No;
    if (command !== null && command.shape === Shape.Key && args.count > command.firstKey) {
      const key = command.firstKey;
      if (isRepeat && this.placed[index - 1] !== Placed.No && isSameWord(args, before, key)) {
        args.partitions[key] = before.partitions[key]!;
        args.hashes[key] = before.hashes[key]!;
        placed = Placed.AsBefore;
      } else {
        placeKey(this.keyspace, args, key);
        placed = Placed.Yes;
      }
    } else if (command?.runsScript && declaresOneKey(args)) {
      placeKey(this.keyspace, args, DECLARED_KEY);
      placed = Placed.Declared;
    }
    this.placed[index] = placed;
    this.count = index + 1;
    if (index === 0) this.elementCount = 0;
    if (placed !== Placed.No && command!.element !== 0) this.elementCount++;
  }

  /** The touch pass, for a session in `database`. */
  touch(database: number): void {
    if (this.count < TOUCHED_FROM) return;
    this.touchKeys(database);
    if (this.elementCount >= TOUCHED_FROM) this.touchElements(database);
  }

  /** The commands have run: their input is the caller's again. */
  end(): void {
    if (this.elementCount !== 0) forgetHashes();
  }

  private touchKeys(database: number): void {
    const { touching, placed } = this;
    for (let index = 0; index < this.count; index++) {
      const how = placed[index]!;
      if (how !== Placed.Yes && how !== Placed.Declared) continue;
      const args = this.args[index]!;
      const key = how === Placed.Yes ? this.commands[index]!.firstKey : DECLARED_KEY;
      touching.add(args.partitions[key]!, database, args.hashes[key]!);
    }
    touching.run();
  }

  /** What the commands look for in the collections of their keys. */
  private touchElements(database: number): void {
    const { elements, placed } = this;
    for (let index = 0; index < this.count; index++) {
      if (placed[index] === Placed.No || placed[index] === Placed.Declared) continue;
      const args = this.args[index]!;
      const { firstKey, element } = this.commands[index]!;
      if (placed[index] === Placed.Yes) {
        elements.setKey(args.partitions[firstKey]!, database, args.hashes[firstKey]!);
      }
      if (element !== 0 && element < args.count) elements.add(args, element);
    }
    elements.run();
  }
}

/** Does the command, which runs a script, declare one key and no more? */
export function declaresOneKey(args: Slices): boolean {
  if (args.count <= DECLARED_KEY || args.lengthOf(KEY_COUNT_AT) !== 1) return false;
  return args.u8[args.startOf(KEY_COUNT_AT)] === ONE;
}

/** From the end, where keys differ. Both have words of the input. */
function isSameWord(args: Slices, before: Slices, index: number): boolean {
  const length = args.lengths[index]!;
  if (before.lengths[index] !== length || before.count <= index) return false;
  const { u8 } = args;
  const start = args.starts[index]!;
  const other = before.starts[index]!;
  // Inline commands have bytes of their own.
  if (before.u8 !== u8) return false;
  for (let at = length - 1; at >= 0; at--) {
    if (u8[start + at] !== u8[other + at]) return false;
  }
  return true;
}
