// DEBUG POPULATE count [prefix] [size]: many keys at once, as tests want them. As on Redis no log
// takes them up: whoever wants to keep them writes a snapshot or a new base.

import { Slices } from '../../base/slices.js';
import { readIntegerIn } from '../../dispatch/args.js';
import type { Context } from '../../dispatch/context.js';
import { placeKey } from '../../dispatch/route.js';
import type { EntryRef } from '../../keyspace/entry.js';
import { putString, stringReserve } from '../../keyspace/strings.js';
import { OUT_OF_RANGE_POSITIVE, Refusal } from '../../resp/errors.js';
import { NONE } from '../../slab/slab.js';

/** Nobody has so many keys, and the command would not end. */
const COUNT_MAX = 2 ** 32;
const TOO_MANY = new Refusal('ERR OOM in dictTryExpand');
const KEY = 0;
const VALUE = 1;

export function populate(context: Context): void {
  const { args, keyspace } = context;
  const count = readSize(context, 2);
  const prefix = args.count > 3 ? args.text(3) : 'key';
  const size = args.count > 4 ? readSize(context, 4) : 0;
  if (count > COUNT_MAX) throw TOO_MANY;

  for (let index = 0; index < count; index++) {
    const words = Slices.of(`${prefix}:${index}`, textOf(index, size));
    context.visit(placeKey(keyspace, words, KEY), (partition) => {
      if (partition.standing(words, KEY) !== NONE) return;
      const length = words.lengthOf(VALUE);
      partition.reserve(stringReserve(words.lengthOf(KEY), length));
      putString(
        partition,
        words,
        KEY,
        NONE as EntryRef,
        words.u8,
        words.startOf(VALUE),
        length,
        false,
      );
    });
  }
  context.reply.ok();
}

function readSize({ args }: Context, index: number): number {
  return readIntegerIn(
    args,
    index,
    0,
    Number.MAX_SAFE_INTEGER,
    OUT_OF_RANGE_POSITIVE,
    OUT_OF_RANGE_POSITIVE,
  );
}

/** `value:<index>`, cut off or filled up with zero bytes where a size is asked for. */
function textOf(index: number, size: number): string {
  const text = `value:${index}`;
  return size === 0 ? text : text.slice(0, size).padEnd(size, '\0');
}
