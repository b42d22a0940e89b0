// Commands as RESP bytes: what an HTTP request asks for, said the way a RESP client says it.

import { numberText } from './frames/requests.js';

/** A word of a command, as JSON or MessagePack has it. */
export type Word = string | number | bigint | boolean | Uint8Array;

/** A word of a request's document; undefined when it is none. */
export function wordOf(value: unknown): Word | undefined {
  switch (typeof value) {
    case 'string':
    case 'number':
    case 'bigint':
    case 'boolean':
      return value;
    case 'object':
      return bytesOf(value);
    default:
      return undefined;
  }
}

function bytesOf(value: object | null): Uint8Array | undefined {
  if (value === null || value instanceof Uint8Array) return value ?? undefined;
  const keys = Object.keys(value);
  const { base64 } = value as { readonly base64?: unknown };
  if (keys.length !== 1 || typeof base64 !== 'string') return undefined;
  const bytes = Buffer.from(base64, 'base64');
  // Node reads over what is no base64: whoever sends such does not mean that.
  const isExact = bytes.toString('base64').replace(/=+$/, '') === base64.replace(/=+$/, '');
  return isExact ? bytes : undefined;
}

/** The bytes that say all the commands. */
export function encodeCommands(commands: readonly (readonly Word[])[]): Uint8Array {
  const pieces: Uint8Array[] = [];
  for (const words of commands) {
    pieces.push(Buffer.from(`*${words.length}\r\n`, 'latin1'));
    for (const word of words) {
      const bytes = word instanceof Uint8Array ? word : Buffer.from(wordText(word), 'utf8');
      pieces.push(Buffer.from(`$${bytes.length}\r\n`, 'latin1'), bytes, LINE_END);
    }
  }
  return Buffer.concat(pieces);
}

const LINE_END = Buffer.from('\r\n', 'latin1');

function wordText(word: Exclude<Word, Uint8Array>): string {
  if (typeof word === 'boolean') return word ? '1' : '0';
  return typeof word === 'number' ? numberText(word) : String(word);
}
