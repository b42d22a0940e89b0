// Clients that wait to claim (XREADGROUP BLOCK … CLAIM): time alone makes entries theirs, without a
// change of any key, on whatever thread they are.

import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { printReply } from '../support/resp.js';
import { type Client, type Server, startServer } from '../support/server.js';

const SHAPES = [
  { transport: 'native', threads: 1 },
  { transport: 'native', threads: 4 },
  { transport: 'node', threads: 2 },
] as const;
const IDLE_MS = 300;

describe.each(SHAPES)('$transport transport, $threads workers', (shape) => {
  let server: Server;
  let owner: Client;
  let claimant: Client;
  beforeAll(async () => {
    server = await startServer(shape);
  });
  afterAll(() => server.stop());
  beforeEach(async () => {
    owner = await server.connect();
    claimant = await server.connect();
    await owner.command('FLUSHALL');
    await owner.command('XADD', 's', '1-0', 'a', '1');
    await owner.command('XADD', 's', '2-0', 'a', '2');
    await owner.command('XGROUP', 'CREATE', 's', 'g', '0');
    await owner.command('XGROUP', 'CREATE', 'other', 'g', '0', 'MKSTREAM');
    await owner.command('XREADGROUP', 'GROUP', 'g', 'owner', 'STREAMS', 's', '>');
    return () => {
      owner.close();
      claimant.close();
      expect(server.isRunning, server.report()).toBe(true);
    };
  });

  const wait = (client: Client, idleMs: number, ...more: string[]) =>
    client.command(
      ...['XREADGROUP', 'GROUP', 'g', 'claimant', 'BLOCK', '20000', 'CLAIM', `${idleMs}`, ...more],
      ...['STREAMS', 'other', 's', '>', '>'],
    );
  const ids = async (reply: ReturnType<typeof wait>): Promise<string[]> =>
    [...printReply(await reply).matchAll(/\d+-0/g)].map(String);
  const untilBlocked = async (count: number): Promise<void> => {
    const deadline = performance.now() + 20_000;
    for (;;) {
      const text = printReply(await owner.command('INFO', 'clients'));
      if (text.includes(`blocked_clients:${count}`)) return;
      if (performance.now() > deadline) throw new Error(`${count} clients do not block in 20 s`);
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
  };

  it('claims as soon as entries were idle for so long', async () => {
    const startMs = performance.now();
    expect(await ids(wait(claimant, IDLE_MS))).toEqual(['1-0', '2-0']);
    expect(performance.now() - startMs).toBeLessThan(10_000);
    const summary = printReply(await owner.command('XPENDING', 's', 'g'));
    expect(summary).toContain('claimant');
    expect(summary).not.toContain('owner');
  });

  it('gives each entry to one of those who wait, and the others wait on', async () => {
    const clients = await Promise.all(Array.from({ length: 6 }, () => server.connect()));
    // Long enough that nobody is idle again before there is something new for the third.
    const replies = clients.map((client) => ids(wait(client, 4 * IDLE_MS, 'COUNT', '1')));
    const told: string[] = [];
    // Those who wait on are closed in the end.
    for (const reply of replies) {
      reply.then((found) => told.push(...found)).catch(() => {});
    }
    await Promise.race(replies);
    // Whoever has claimed one keeps it for as long; new entries go to those who wait on.
    await owner.command('XADD', 'other', '3-0', 'a', '3');
    const deadline = performance.now() + 20_000;
    while (told.length < 3 && performance.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    expect(told.slice(0, 3).sort()).toEqual(['1-0', '2-0', '3-0']);
    for (const client of clients) client.close();
    await untilBlocked(0);
  });

  it('claims at once what is given back', async () => {
    const reply = ids(wait(claimant, 3_600_000));
    await untilBlocked(1);
    await owner.command('XNACK', 's', 'g', 'FAIL', 'IDS', '1', '2-0');
    expect(await reply).toEqual(['2-0']);
  });

  it('still ends with its own time, and can be ended', async () => {
    const ended = claimant.command(
      ...['XREADGROUP', 'GROUP', 'g', 'c', 'BLOCK', '60', 'CLAIM', '3600000', 'STREAMS', 's', '>'],
    );
    expect(printReply(await ended)).toBe(printReply({ type: 'nullArray', value: null }));
    const id = (await claimant.command('CLIENT', 'ID')).value;
    const reply = wait(claimant, 3_600_000);
    await untilBlocked(1);
    await owner.command('CLIENT', 'UNBLOCK', String(id));
    expect(printReply(await reply)).toBe(printReply(await ended));
  });
});
