// Replies as redis-cli prints them. The console's connection is in binary mode: what comes as bytes
// was a bulk string and is quoted, what comes as text was a simple one and is not.

import { ReplyError, type Value } from '../../../client/index.js';

const QUOTED: Readonly<Record<string, string>> = {
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\b': '\\b',
  '\x07': '\\a',
  '"': '\\"',
  '\\': '\\\\',
};

const PROSE: ReadonlySet<string> = new Set([
  'CLIENT INFO',
  'CLIENT LIST',
  'LATENCY DOCTOR',
  'LATENCY GRAPH',
  'MEMORY DOCTOR',
  'MEMORY MALLOC-STATS',
]);

/** Bytes in quotes: text as it is, the rest as escapes. */
export function quoted(bytes: Uint8Array): string {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    text = Array.from(bytes, (byte) => String.fromCharCode(byte)).join('');
    return `"${text.replace(/[^ !#-[\]-~]/g, escaped)}"`;
  }
  // These are what is looked for.
  return `"${text.replace(/["\\\x00-\x1f\x7f]/g, escaped)}"`;
}

function escaped(letter: string): string {
  return QUOTED[letter] ?? `\\x${letter.charCodeAt(0).toString(16).padStart(2, '0')}`;
}

/** Lists of text, such as that of CLIENT LIST and INFO, are read, not quoted. */
export function isProse(words: readonly (string | Uint8Array)[]): boolean {
  const [first = '', second = ''] = words.map((word) => String(word).toUpperCase());
  if (['INFO', 'LOLWUT'].includes(first)) return true;
  return PROSE.has(`${first} ${second}`);
}

export function replyText(value: Value, indent = ''): string {
  if (value === null) return '(nil)';
  if (value instanceof Uint8Array) return quoted(value);
  if (value instanceof ReplyError) return `(error) ${value.message}`;
  if (value instanceof Map) return mapText(value, indent);
  switch (typeof value) {
    case 'boolean':
      return value ? '(true)' : '(false)';
    case 'number':
      return Number.isInteger(value) ? `(integer) ${value}` : `(double) ${doubleText(value)}`;
    case 'bigint':
      return `(integer) ${value}`;
    case 'string':
      return value;
    default:
      return listText(value as readonly Value[], indent);
  }
}

function doubleText(value: number): string {
  if (Number.isFinite(value) || Number.isNaN(value)) return String(value).toLowerCase();
  return value > 0 ? 'inf' : '-inf';
}

function listText(values: readonly Value[], indent: string): string {
  if (values.length === 0) return '(empty array)';
  const width = String(values.length).length;
  const deeper = `${indent}${' '.repeat(width + 2)}`;
  const lines = values.map((value, index) => {
    const number = String(index + 1).padStart(width);
    return `${index === 0 ? '' : indent}${number}) ${replyText(value, deeper)}`;
  });
  return lines.join('\n');
}

function mapText(map: ReadonlyMap<Value, Value>, indent: string): string {
  if (map.size === 0) return '(empty hash)';
  const width = String(map.size).length;
  const deeper = `${indent}${' '.repeat(width + 2)}`;
  const lines = [...map].map(([key, value], index) => {
    const number = String(index + 1).padStart(width);
    const isNested = typeof value === 'object' && value !== null && !(value instanceof Uint8Array);
    const gap = isNested ? `\n${deeper}   ` : ' ';
    const text = `${replyText(key, deeper)} =>${gap}${replyText(value, `${deeper}   `)}`;
    return `${index === 0 ? '' : indent}${number}# ${text}`;
  });
  return lines.join('\n');
}
