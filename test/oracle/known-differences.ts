// Where Redis 7.0 and 7.2 answer differently, as found by running them against each other.
// Flagstone follows 7.2; when the oracle is a 7.0, these rows tell its replies from mistakes.

export interface KnownDifference {
  readonly name: string;
  readonly reason: string;
  /** Whether this row explains the printed replies of the older and the newer server. */
  explains(words: readonly string[], older: string, newer: string): boolean;
}

export const KNOWN_DIFFERENCES: readonly KnownDifference[] = [
  {
    name: 'COMMAND GETKEYS of a command without arguments',
    reason: '7.0 gave COMMAND GETKEYS an arity of at least 4, 7.2 one of at least 3',
    explains: (words, older) =>
      starts(words, 'command', 'getkeys') &&
      words.length === 3 &&
      older === "-ERR wrong number of arguments for 'command|getkeys' command",
  },
  {
    name: 'CONFIG SET of a threshold that 7.0 has not',
    reason: 'small sets of texts are listpacks since 7.2',
    explains: (words, older) =>
      starts(words, 'config', 'set') &&
      words[2]!.startsWith('set-max-listpack-') &&
      older.startsWith('-ERR Unknown option'),
  },
  {
    name: 'OBJECT ENCODING of a small set or list',
    reason: 'small sets of texts, and lists of one node, are listpacks since 7.2',
    explains: (words, older, newer) =>
      starts(words, 'object', 'encoding') &&
      newer === '$"listpack"' &&
      (older === '$"hashtable"' || older === '$"quicklist"'),
  },
  {
    name: 'DEBUG OBJECT of a list',
    reason: 'lists of one node are listpacks since 7.2',
    explains: (words) => starts(words, 'debug', 'object'),
  },
  {
    name: 'ZRANK and ZREVRANK with the score',
    reason: 'WITHSCORE is new in 7.2',
    explains: (words, older) =>
      /^z(?:rev)?rank$/i.test(words[0]!) &&
      words.length === 4 &&
      older.startsWith('-ERR wrong number of arguments'),
  },
  {
    name: 'a score or distance with all its digits',
    reason: '7.0 writes 17 digits, 7.2 as many as are needed',
    explains: (_words, older, newer) => older !== newer && rounded(older) === rounded(newer),
  },
  {
    name: 'OBJECT ENCODING of a sorted set that one command filled',
    reason: '7.2 looks at the number of arguments when it creates a sorted set',
    explains: (words, older, newer) =>
      starts(words, 'object', 'encoding') && newer === '$"skiplist"' && older === '$"listpack"',
  },
  {
    name: 'OBJECT ENCODING of a hash that one command filled',
    reason: '7.2 looks at the number of arguments, also when some name the same field',
    explains: (words, older, newer) =>
      starts(words, 'object', 'encoding') && newer === '$"hashtable"' && older === '$"listpack"',
  },
  {
    name: 'consumers that claimed nothing',
    reason: 'XCLAIM, XAUTOCLAIM and XREADGROUP create the consumer in any case since 7.2',
    explains: (words) =>
      starts(words, 'xinfo') ||
      starts(words, 'xgroup', 'createconsumer') ||
      starts(words, 'xgroup', 'delconsumer'),
  },
  {
    name: 'streams and ids that do not match',
    reason: '7.2 names the command and the sign of new entries',
    explains: (_words, older, newer) =>
      older.startsWith('-ERR Unbalanced') && newer.startsWith('-ERR Unbalanced'),
  },
];

/** With the numbers as numbers. */
function rounded(text: string): string {
  return text.replace(/-?\d+\.?\d*(?:e[+-]?\d+)?/g, (digits) => String(Number(digits)));
}

function starts(words: readonly string[], ...names: readonly string[]): boolean {
  return names.every((name, index) => words[index]?.toLowerCase() === name);
}
