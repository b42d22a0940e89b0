// The change feed as an async iterator: every change of the keys, without a gap, also across lost
// connections. It waits on a connection of its own, for one that waits does nothing else.

import { ConnectionError, TimeoutError, type Value, type Word } from './value.js';

export interface ChangesOptions {
  /** Where to begin: a position of an earlier change, `0` for the oldest, `$` (default) for now. */
  readonly from?: string;
  /** Only changes of keys that fit one of these patterns. */
  readonly match?: readonly string[];
  readonly db?: number;
}

/** One atomic change: the commands that make it, and the position to go on from behind it. */
export interface Change {
  readonly position: string;
  readonly number: number | bigint;
  readonly db: number;
  readonly commands: readonly (readonly (string | Uint8Array)[])[];
}

const BLOCK_MS = 5_000;
const SLACK_MS = 10_000;
const PAUSE_MS = 200;

type Call = (words: readonly Word[], timeoutMs: number) => Promise<Value>;

export async function* readChanges(call: Call, options: ChangesOptions): AsyncGenerator<Change> {
  const match = (options.match ?? []).flatMap((pattern) => ['MATCH', pattern]);
  const db = options.db === undefined ? [] : ['DB', options.db];
  let position = options.from ?? '$';
  for (;;) {
    const reply = await readOnce(call, [
      'FEED',
      'READ',
      position,
      'BLOCK',
      BLOCK_MS,
      ...match,
      ...db,
    ]);
    if (reply === null) continue;
    const [next, entries] = reply as [string, [number | bigint, number, Change['commands']][]];
    const history = next.slice(0, next.lastIndexOf('-'));
    for (const [number, entryDb, commands] of entries) {
      yield { position: `${history}-${number}`, number, db: entryDb, commands };
    }
    position = next;
  }
}

/** Null where the connection was lost: the feed is read once more from the same place. */
async function readOnce(call: Call, words: readonly Word[]): Promise<Value> {
  try {
    return await call(words, BLOCK_MS + SLACK_MS);
  } catch (error) {
    const isPassing = error instanceof TimeoutError || error instanceof ConnectionError;
    if (!isPassing || /closed|refused/.test(error.message)) throw error;
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    return null;
  }
}
