// Every form of every type that Redis has written, from 2.x to 7.4: read, and compared with a value
// that commands have made.

import { describe, expect, it } from 'vitest';
import { FORMS, LARGE_FORMS } from './forms.js';
import { checkKeyspace, describeKey, startEngine } from './values.js';

/** Without the times of a group's consumers, and without how many blocks there are. */
function comparable(key: Record<string, string>): Record<string, string> {
  const stream = key.stream!.replaceAll(/(active-time|seen-time|radix-tree-\w+)\r\n:-?\d+/g, '');
  return { ...key, stream, encoding: '' };
}

describe('RESTORE reads', () => {
  it.each([...FORMS, ...LARGE_FORMS])('$name', ({ bytes, commands, encoding }) => {
    const engine = startEngine();
    for (const words of commands) expect(engine.run(...words)).not.toMatch(/^-/);
    const made = describeKey(engine, 'key');

    expect(engine.run('RESTORE', 'key', '0', bytes, 'REPLACE')).toBe('+OK\r\n');

    const restored = describeKey(engine, 'key');
    expect(comparable(restored)).toEqual(comparable(made));
    expect(restored.encoding).toBe(encoding);
    checkKeyspace(engine.keyspace);
  });
});
