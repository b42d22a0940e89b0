// The fenced blocks of a page, and what a redis-cli session or a Node.js example in one of them
// says will be printed.

import { quoted, type Reply } from '../support/resp.js';

/** The insides of all fenced blocks in a language, in order. */
export function fencedBlocks(page: string, language: string): string[] {
  const blocks: string[] = [];
  let open: string[] | null = null;
  let isWanted = false;
  for (const line of page.split('\n')) {
    const fence = /^```(\S*)\s*$/.exec(line);
    if (fence === null) {
      open?.push(line);
    } else if (open === null) {
      open = [];
      isWanted = fence[1] === language;
    } else {
      if (isWanted) blocks.push(open.join('\n'));
      open = null;
    }
  }
  return blocks;
}

export interface Exchange {
  /** What is typed after the prompt. */
  readonly command: string;
  /** What is printed, possibly in several lines. */
  readonly printed: string;
}

const PROMPT = /^[\d.]+:\d+(?:\[\d+\])?> (.*)$/;

/** The exchanges of a session with redis-cli. */
export function sessionOf(block: string): Exchange[] {
  const exchanges: { command: string; printed: string }[] = [];
  for (const line of block.split('\n')) {
    const command = PROMPT.exec(line)?.[1];
    const last = exchanges.at(-1);
    if (command !== undefined) exchanges.push({ command, printed: '' });
    else if (last === undefined) throw new Error(`a session begins with a prompt, not: ${line}`);
    else last.printed += last.printed === '' ? line : `\n${line}`;
  }
  return exchanges;
}

/** What `console.log(…); // text` lines of an example say they print, in their order. */
export function expectedPrints(example: string): string[] {
  return example
    .split('\n')
    .flatMap((line) => /console\.log\(.*\); \/\/ (.*)$/.exec(line)?.[1] ?? []);
}

/** A reply as redis-cli prints it to a terminal. Only what a session in a page shows. */
export function printLikeCli(reply: Reply, indent = ''): string {
  switch (reply.type) {
    case 'simple':
      return reply.value;
    case 'bulk':
      return quoted(reply.value);
    case 'error':
      return `(error) ${reply.value}`;
    case 'integer':
      return `(integer) ${reply.value}`;
    case 'null':
    case 'nullBulk':
    case 'nullArray':
      return '(nil)';
    case 'array':
      return printArray(reply.value, indent);
    default:
      throw new Error(`redis-cli's form of a ${reply.type} reply is not known here`);
  }
}

/** Elements are numbered from 1, the numbers as wide as the last one. */
function printArray(elements: readonly Reply[], indent: string): string {
  if (elements.length === 0) return '(empty array)';
  const width = String(elements.length).length;
  return elements
    .map((element, index) => {
      const label = `${String(index + 1).padStart(width)}) `;
      const inner = printLikeCli(element, indent + ' '.repeat(label.length));
      return `${index === 0 ? '' : indent}${label}${inner}`;
    })
    .join('\n');
}
