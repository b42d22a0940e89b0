// The manifest of Redis's append-only directory: which files hold the dataset, in which order.
//
//   file appendonly.aof.1.base.rdb seq 1 type b
//   file appendonly.aof.1.incr.aof seq 1 type i
//
// A base (b) is an RDB file or commands; increments (i) come after it in the order of their
// numbers; files of the past (h) wait for being deleted and count no more.

export interface RedisManifest {
  /** Null in a directory that has begun without data. */
  readonly base: string | null;
  readonly increments: readonly string[];
}

/** What is wrong with a manifest, in words for whoever runs the server. */
export class RedisManifestError extends Error {
  override readonly name = 'RedisManifestError';

  constructor(line: number, sentence: string) {
    super(`Redis's append-only manifest, line ${line}: ${sentence}`);
  }
}

const WORDS_PER_FACT = 2;

export function parseRedisManifest(text: string): RedisManifest {
  let base: string | null = null;
  const increments: string[] = [];
  let lastNumber = 0;
  for (const [index, line] of text.split('\n').entries()) {
    const number = index + 1;
    const trimmed = line.trim();
    if (trimmed === '' || trimmed.startsWith('#')) continue;
    const { file, sequence, type } = readLine(trimmed, number);
    if (type === 'h') continue;
    if (type === 'b') {
      if (base !== null) throw new RedisManifestError(number, 'there is a second base');
      base = file;
      continue;
    }
    if (sequence <= lastNumber) {
      throw new RedisManifestError(number, 'the numbers of the increments do not ascend');
    }
    lastNumber = sequence;
    increments.push(file);
  }
  if (base === null && increments.length === 0) {
    throw new RedisManifestError(1, 'it names no file');
  }
  return { base, increments };
}

interface ManifestLine {
  readonly file: string;
  readonly sequence: number;
  readonly type: 'b' | 'i' | 'h';
}

function readLine(line: string, number: number): ManifestLine {
  const words = splitWords(line);
  if (words === null || words.length % WORDS_PER_FACT !== 0) {
    throw new RedisManifestError(number, 'it does not consist of names and values');
  }
  const facts = new Map<string, string>();
  for (let at = 0; at < words.length; at += WORDS_PER_FACT) {
    facts.set(words[at]!.toLowerCase(), words[at + 1]!);
  }
  const file = facts.get('file') ?? '';
  const sequence = Number(facts.get('seq'));
  const type = facts.get('type');
  if (file === '' || !(sequence > 0) || (type !== 'b' && type !== 'i' && type !== 'h')) {
    throw new RedisManifestError(number, 'it has no file, no number or no type that is known');
  }
  if (file.includes('/')) throw new RedisManifestError(number, 'a file is named without its path');
  return { file, sequence, type };
}

const ESCAPED: Readonly<Record<string, string | undefined>> = {
  n: '\n',
  r: '\r',
  t: '\t',
  b: '\b',
  a: '\x07',
};

/** Words between spaces; in double quotes with escapes, as Redis writes names that need them. */
function splitWords(line: string): string[] | null {
  const words: string[] = [];
  let at = 0;
  while (at < line.length) {
    if (line[at] === ' ') {
      at++;
    } else if (line[at] !== '"') {
      const end = line.indexOf(' ', at);
      words.push(end === -1 ? line.slice(at) : line.slice(at, end));
      at = end === -1 ? line.length : end;
    } else {
      const end = quotedEnd(line, at);
      if (end === -1) return null;
      words.push(unquoted(line.slice(at + 1, end)));
      at = end + 1;
    }
  }
  return words;
}

function quotedEnd(line: string, start: number): number {
  for (let at = start + 1; at < line.length; at++) {
    if (line[at] === '\\') at++;
    else if (line[at] === '"') return at;
  }
  return -1;
}

function unquoted(text: string): string {
  return text.replace(/\\(?:x([0-9a-fA-F]{2})|(.))/g, (_, hex?: string, letter?: string) =>
    hex === undefined
      ? (ESCAPED[letter!] ?? letter!)
      : String.fromCharCode(Number.parseInt(hex, 16)),
  );
}
