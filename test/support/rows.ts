// Commands and replies as rows of a table, for tests of one engine in this process.

import { expect } from 'vitest';
import type { Engine } from './engine.js';
import { splitWords } from './pattern.js';

/** The reply to the words of a line, on one line: CRLF is a space. */
export function answer(engine: Engine, line: string): string {
  return engine
    .run(...splitWords(line))
    .replaceAll('\r\n', ' ')
    .trimEnd();
}

export type Row = readonly [command: string, reply: string];

export function play(engine: Engine, rows: readonly Row[]): void {
  for (const [command, reply] of rows) {
    expect(`${command} → ${answer(engine, command)}`).toBe(`${command} → ${reply}`);
  }
}
