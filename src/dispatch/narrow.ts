// The judge of scripting/analysis.ts: may a script that holds the locks of its declared keys only
// call this command? Only if every word that the command could take for a key is one of them.

import { Slices } from '../base/slices.js';
import type { StaticWord, Tail } from '../scripting/analysis.js';
import type { Command } from './command.js';
import { Shape } from './define.js';
import { findKeys, KeyPositions } from './route.js';
import type { CommandTable } from './table.js';

const positions = new KeyPositions();

/** Stands for a key whose text is not known; no option or number is spelt so. */
const ANY_KEY = '\0key';

export function keepsToKeys(
  table: CommandTable,
  words: readonly StaticWord[],
  tail: Tail,
): boolean {
  const command = commandOf(table, words, tail);
  if (command === 'unknown') return false;
  // What does not exist is refused before it looks for keys.
  if (command === null) return true;
  if (command.shape === Shape.Every || command.visits) return false;
  if (command.shape === Shape.Session) return true;
  if (!command.hasPlainKeys || command.spec.findKeys !== undefined) {
    return tail === 'nothing' && areFoundKeys(command, words);
  }
  return arePlainKeys(command, words, tail);
}

function commandOf(
  table: CommandTable,
  words: readonly StaticWord[],
  tail: Tail,
): Command | null | 'unknown' {
  const [name, subname] = words;
  if (name === undefined) return tail === 'nothing' ? null : 'unknown';
  if (name.kind !== 'text') return 'unknown';
  const command = table.find(Slices.of(name.text), 0);
  if (command === null || command.subcommands.length === 0) return command;
  if (subname === undefined) return tail === 'nothing' ? command : 'unknown';
  if (subname.kind !== 'text') return 'unknown';
  return table.findSub(command, Slices.of(subname.text), 0);
}

/** Keys from the first to the last, at equal steps. */
function arePlainKeys(command: Command, words: readonly StaticWord[], tail: Tail): boolean {
  const { firstKey, lastKey, keyStep } = command;
  if (firstKey === 0) return true;
  if (lastKey >= 0) {
    for (let index = firstKey; index <= lastKey; index += keyStep) {
      const word = words[index];
      if (word === undefined ? tail === 'anything' : word.kind !== 'key') return false;
    }
    return true;
  }
  if (tail === 'anything') return false;
  // What unpack(KEYS) gives is keys only: nothing may stand among them.
  const isOpen = tail === 'keys';
  if (isOpen && keyStep !== 1) return false;
  const last = isOpen ? words.length - 1 : words.length + lastKey;
  for (let index = firstKey; index <= last; index += keyStep) {
    if (words[index]!.kind !== 'key') return false;
  }
  return true;
}

/** Keys where the command finds them by its other words, which must all be known. */
function areFoundKeys(command: Command, words: readonly StaticWord[]): boolean {
  if (words.some(({ kind }) => kind === 'other')) return false;
  const args = Slices.of(...words.map((word) => (word.kind === 'text' ? word.text : ANY_KEY)));
  if (!findKeys(command, args, positions) || positions.isEvery) return false;
  const found = new Set<number>();
  for (let at = 0; at < positions.count; at++) found.add(positions.words[at]!);
  // A key in another place than a key's could turn out to be an option.
  return words.every(({ kind }, index) => (kind === 'key') === found.has(index));
}
