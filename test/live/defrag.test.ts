// Active defragmentation in a running server: what was deleted between what stays comes free, and
// every value is what it was.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { textOf } from '../support/resp.js';
import { type Client, type Server, startServer } from '../support/server.js';

const KEYS = 20_000;
const BATCH = 500;
const DEADLINE_MS = 60_000;
/** Which keys stay is scattered over the order in which they came. */
const PRIME = 7919;
const KEPT_PERCENT = 20;

describe('active defragmentation', () => {
  let server: Server;
  let client: Client;
  beforeAll(async () => {
    server = await startServer({
      threads: 2,
      partitions: 2,
      args: ['--enable-debug-command', 'yes'],
    });
    client = await server.connect();
  });
  afterAll(async () => {
    client.close();
    await server.stop();
  });

  async function figures(): Promise<Map<string, number>> {
    const text = textOf(await client.command('INFO', 'memory', 'stats'))!;
    const lines = text.split('\r\n').map((line) => line.split(':') as [string, string]);
    return new Map(lines.map(([name, value]) => [name, Number(value)]));
  }

  async function waitFor(isReached: (now: Map<string, number>) => boolean): Promise<void> {
    const untilMs = Date.now() + DEADLINE_MS;
    for (;;) {
      const now = await figures();
      if (isReached(now)) return;
      if (Date.now() > untilMs) throw new Error(`still ${JSON.stringify([...now])}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  it('moves what is left of the data together, and tells what it did', async () => {
    const words = (index: number): string[] => {
      const key = `key:${index}`;
      const text = 'x'.repeat(index % 300);
      if (index % 10 === 0) return ['HSET', key, 'a', text, 'b', '1'];
      if (index % 10 === 1) return ['RPUSH', key, text, 'b'];
      if (index % 10 === 2) return ['ZADD', 'board', String(index), key];
      return ['SET', key, text, 'PX', '90000000'];
    };
    for (let first = 0; first < KEYS; first += BATCH) {
      const indexes = Array.from({ length: BATCH }, (_, index) => first + index);
      await client.pipeline(indexes.map(words));
    }
    for (let first = 0; first < KEYS; first += BATCH) {
      const indexes = Array.from({ length: BATCH }, (_, index) => first + index);
      const deleted = indexes.filter((index) => (index * PRIME) % 100 >= KEPT_PERCENT);
      await client.pipeline(
        deleted.map((index) =>
          index % 10 === 2 ? ['ZREM', 'board', `key:${index}`] : ['DEL', `key:${index}`],
        ),
      );
    }
    const digest = textOf(await client.command('DEBUG', 'DIGEST'));
    const before = await figures();
    expect(before.get('active_defrag_running')).toBe(0);
    const settings = ['active-defrag-ignore-bytes', '1', 'active-defrag-threshold-lower', '1'];
    await client.command('CONFIG', 'SET', ...settings, 'active-defrag-max-scan-fields', '100');
    await client.command('CONFIG', 'SET', 'activedefrag', 'yes');
    await waitFor((now) => now.get('active_defrag_hits')! > 0);
    await waitFor((now) => now.get('active_defrag_running') === 0);
    const after = await figures();
    expect(textOf(await client.command('DEBUG', 'DIGEST'))).toBe(digest);
    expect(after.get('allocator_active')).toBeLessThan(before.get('allocator_active')!);
    expect(after.get('active_defrag_key_hits')).toBeGreaterThan(0);
    expect(after.get('total_active_defrag_time')).toBeGreaterThan(0);
    await client.command('CONFIG', 'SET', 'activedefrag', 'no');
    await client.command('CONFIG', 'RESETSTAT');
    // A walk that was begun meanwhile is over soon.
    await waitFor((now) => now.get('active_defrag_running') === 0);
  });
});
