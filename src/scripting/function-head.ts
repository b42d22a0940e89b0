// The first line of a library of functions, `#!lua name=mylib`: its engine and its name.

import { splitWords } from '../config/words.js';

export interface LibraryHead {
  readonly name: string;
  /** Bytes of the line without its end: the line break stays, so that line numbers are right. */
  readonly bytes: number;
}

const NAME = /^[A-Za-z0-9_]+$/;

export const BAD_NAME =
  'Library names can only contain letters, numbers, or underscores(_) and must be at least one ' +
  'character long';

/** Is it a name that libraries and functions may have? */
export function isFunctionName(name: string): boolean {
  return NAME.test(name);
}

/** Reads the first line of a library, a character per byte; a sentence says what is wrong. */
export function readLibraryHead(source: string): LibraryHead | string {
  if (!source.startsWith('#!')) return 'Missing library metadata';
  const end = source.indexOf('\n');
  if (end === -1) return 'Invalid library metadata';
  const words = splitWords(source.slice(0, end));
  if (words === null || words.length === 0) return 'Invalid library metadata';
  let name: string | null = null;
  for (const word of words.slice(1)) {
    if (!/^name=/i.test(word)) return `Invalid metadata value given: ${word}`;
    if (name !== null) {
      return 'Invalid metadata value, name argument was given multiple times';
    }
    name = word.slice('name='.length);
  }
  if (name === null) return 'Library name was not given';
  if (!isFunctionName(name)) return BAD_NAME;
  const engine = words[0]!.slice(2);
  return /^lua$/i.test(engine) ? { name, bytes: end } : `Engine '${engine}' not found`;
}
