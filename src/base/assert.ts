// Broken invariants. A failed assert means that a partition may be torn, so nobody carries on: the
// thread reports it and the process ends (server/lifecycle.ts).

export class AssertionFailure extends Error {
  override readonly name = 'AssertionFailure';
}

/** Ends the process with a report unless `condition` holds. Always on: use it at doors. */
export function assert(condition: boolean, sentence: string): asserts condition {
  if (!condition) fail(sentence);
}

export function fail(sentence: string): never {
  throw new AssertionFailure(sentence);
}

/** The end of a switch over a closed set. */
export function assertNever(value: never): never {
  fail(`a value outside its closed set: ${String(value)}`);
}
