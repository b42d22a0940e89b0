// What the commands about single fields have in common: FIELDS with a number and the fields behind
// it, times, and the record of those fields that were changed.

import type { Slices } from '../../base/slices.js';
import { isWord, readInteger, word } from '../../dispatch/args.js';
import type { Context } from '../../dispatch/context.js';
import { Refusal } from '../../resp/errors.js';
import { hash } from './open.js';

/** Times must stay below; Redis keeps two of 48 bits to itself. */
export const TIME_MS_MAX = 2 ** 46 - 1;

const FIELDS = word('FIELDS');
const HDEL = word('HDEL');
const HPEXPIREAT = word('HPEXPIREAT');
const HPERSIST = word('HPERSIST');

const NO_FIELDS = new Refusal(
  'ERR Mandatory argument FIELDS is missing or not at the right position',
);
const OTHER_COUNT = new Refusal('ERR The `numfields` parameter must match the number of arguments');
const NEGATIVE_TIME = new Refusal('ERR invalid expire time, must be >= 0');
export const NOT_POSITIVE = new Refusal('ERR Number of fields must be a positive integer');

/** FIELDS stands at word `index`, and the number of all words behind; where the fields begin. */
export function readFields(args: Slices, index: number, notPositive: Refusal): number {
  if (!isWord(args, index, FIELDS)) throw NO_FIELDS;
  if (index + 1 >= args.count) throw OTHER_COUNT;
  const count = readInteger(args, index + 1, notPositive);
  if (count < 1) throw notPositive;
  if (count !== args.count - index - 2) throw OTHER_COUNT;
  return index + 2;
}

/** The time in word `index`, in ms since 1970; `baseMs` is now for times from now on. */
export function readTimeMs(
  args: Slices,
  index: number,
  unitMs: number,
  baseMs: number,
  invalid: Refusal,
): number {
  const time = readInteger(args, index);
  if (time < 0) throw NEGATIVE_TIME;
  if (time > Math.floor(TIME_MS_MAX / unitMs)) throw invalid;
  if (time * unitMs > TIME_MS_MAX - baseMs) throw invalid;
  return time * unitMs + baseMs;
}

/** Has the time come? Never while nothing expires by the clock. */
export function isPast(context: Context, timeMs: number): boolean {
  return timeMs <= context.nowMs && context.keyspace.expiresByClock;
}

/** Makes the field of word `index` the pair. */
export function findField(args: Slices, index: number): boolean {
  return hash.find(args.u8, args.startOf(index), args.lengthOf(index));
}

/** Bytes of the fields in words from `first` on, for Hash.reserveTimes. */
export function timedBytesOf(args: Slices, first: number): number {
  let bytes = 0;
  if (!hash.isLarge) return bytes;
  for (let index = first; index < args.count; index++) {
    if (findField(args, index)) bytes += hash.timedBytes;
  }
  return bytes;
}

const INDEXES_AT_START = 64;

/** The words of the fields that the running command has changed. */
class Changed {
  private indexes = new Int32Array(INDEXES_AT_START);
  count = 0;

  begin(): void {
    this.count = 0;
  }

  add(index: number): void {
    if (this.count === this.indexes.length) {
      const indexes = new Int32Array(this.count * 2);
      indexes.set(this.indexes);
      this.indexes = indexes;
    }
    this.indexes[this.count++] = index;
  }

  /** Records that the fields were removed, whatever the command was. */
  recordRemoval({ args, effects }: Context): void {
    if (!effects.isRecording) return;
    effects.begin(2 + this.count);
    effects.word(HDEL);
    effects.arg(args, 1);
    this.recordWords(args, effects);
  }

  /** Records the time that the fields have now. */
  recordTime({ args, effects }: Context, timeMs: number): void {
    if (!effects.isRecording) return;
    effects.begin(5 + this.count);
    effects.word(HPEXPIREAT);
    effects.arg(args, 1);
    effects.int64(timeMs | 0, Math.floor(timeMs / 2 ** 32));
    effects.word(FIELDS);
    effects.int64(this.count, 0);
    this.recordWords(args, effects);
  }

  /** Records that the fields have no time any more. */
  recordPersistence({ args, effects }: Context): void {
    if (!effects.isRecording) return;
    effects.begin(4 + this.count);
    effects.word(HPERSIST);
    effects.arg(args, 1);
    effects.word(FIELDS);
    effects.int64(this.count, 0);
    this.recordWords(args, effects);
  }

  private recordWords(args: Slices, effects: Context['effects']): void {
    for (let index = 0; index < this.count; index++) effects.arg(args, this.indexes[index]!);
  }
}

export const changed = new Changed();
