// The first line of a script, `#!lua flags=no-writes,allow-oom`: what the script says of itself.

import { splitWords } from '../config/words.js';

export const enum ScriptFlag {
  NoWrites = 1 << 0,
  AllowOom = 1 << 1,
  AllowStale = 1 << 2,
  NoCluster = 1 << 3,
  AllowCrossSlotKeys = 1 << 4,
  /** It has no such line: an old script, which may do everything. */
  IsPlain = 1 << 5,
}

/** By the names that scripts and functions use. */
export const SCRIPT_FLAGS: ReadonlyMap<string, ScriptFlag> = new Map([
  ['no-writes', ScriptFlag.NoWrites],
  ['allow-oom', ScriptFlag.AllowOom],
  ['allow-stale', ScriptFlag.AllowStale],
  ['no-cluster', ScriptFlag.NoCluster],
  ['allow-cross-slot-keys', ScriptFlag.AllowCrossSlotKeys],
]);

export interface Shebang {
  readonly flags: number;
  /** Bytes of the line without its end: the line break stays, so that line numbers are right. */
  readonly bytes: number;
}

const PREFIX = 'flags=';

/** Reads the first line of a script, a character per byte; a sentence says what is wrong. */
export function readShebang(source: string): Shebang | string {
  if (!source.startsWith('#!')) return { flags: ScriptFlag.IsPlain, bytes: 0 };
  const end = source.indexOf('\n');
  if (end === -1) return 'Invalid script shebang';
  const words = splitWords(source.slice(0, end));
  if (words === null || words.length === 0) return 'Invalid engine in script shebang';
  if (words[0] !== '#!lua') return `Unexpected engine in script shebang: ${words[0]}`;
  let flags = 0;
  for (const word of words.slice(1)) {
    if (!word.startsWith(PREFIX)) return `Unknown lua shebang option: ${word}`;
    const names = word.slice(PREFIX.length);
    for (const name of names === '' ? [] : names.split(',')) {
      const flag = SCRIPT_FLAGS.get(name);
      if (flag === undefined) return `Unexpected flag in script shebang: ${name}`;
      flags |= flag;
    }
  }
  return { flags, bytes: end };
}
