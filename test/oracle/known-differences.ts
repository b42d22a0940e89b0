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
];

function starts(words: readonly string[], ...names: readonly string[]): boolean {
  return names.every((name, index) => words[index]?.toLowerCase() === name);
}
