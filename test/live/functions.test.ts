// Functions on a running server that keep it busy, beside scripts that do.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { printReply } from '../support/resp.js';
import { type Client, type Server, startServer } from '../support/server.js';

const DEADLINE_MS = 20_000;
const CLIENTS = 8;
const BUSY_AFTER_MS = 300;
const LIBRARY = `#!lua name=lib
redis.register_function('spin', function() while true do end end)`;
const BUSY_FUNCTION = /^-"?BUSY Redis is busy running a script\. You can only call FUNCTION KILL/;
const BUSY = /^-"?BUSY /;
const KILLED = /^-"?ERR Script killed by user/;
const OK_OR_BUSY = /^\+?"?OK|^-"?(NOT)?BUSY/;

async function say(client: Client, ...words: string[]): Promise<string> {
  return printReply(await client.command(...words), 'short');
}

/** Asks until the answer is as wanted. */
async function until(ask: () => Promise<string>, wanted: RegExp): Promise<string> {
  const deadline = Date.now() + DEADLINE_MS;
  for (;;) {
    const answer = await ask();
    if (wanted.test(answer)) return answer;
    if (Date.now() > deadline) throw new Error(`never ${wanted}, but ${answer}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

describe.each([1, 2])('%i workers', (threads) => {
  let server: Server;
  const clients: Client[] = [];
  beforeAll(async () => {
    server = await startServer({ threads, args: ['--busy-reply-threshold', `${BUSY_AFTER_MS}`] });
    for (let count = 0; count < CLIENTS; count++) clients.push(await server.connect());
    expect(await say(clients[0]!, 'FUNCTION', 'LOAD', LIBRARY)).toBe('"lib"');
  });
  afterAll(async () => {
    for (const client of clients) client.close();
    await server.stop();
  });

  it('FUNCTION STATS tells of one that spins, and FUNCTION KILL alone ends it', async () => {
    for (const [index, client] of clients.entries()) {
      const others = clients.filter((other) => other !== client);
      const spinning = say(client, 'FCALL', 'spin', '1', `key${index}`);
      await until(() => say(others[0]!, 'PING'), BUSY_FUNCTION);
      for (const other of others) {
        expect(await say(other, 'SCRIPT', 'KILL')).toMatch(BUSY_FUNCTION);
        const stats = await say(other, 'FUNCTION', 'STATS');
        expect(stats).toContain('"spin"');
        expect(stats).toContain(`"key${index}"`);
      }
      expect(await say(others[index % others.length]!, 'FUNCTION', 'KILL')).toBe('OK');
      expect(await spinning).toMatch(KILLED);
      expect(await say(others[0]!, 'FUNCTION', 'STATS')).toContain('"running_script", (nil)');
    }
  }, 60_000);

  it('INFO and the slow log tell of them', async () => {
    const [first] = clients;
    const info = await say(first!, 'INFO', 'memory');
    expect(info).toMatch(/number_of_libraries:1\D/);
    expect(info).toMatch(/number_of_functions:1\D/);
    expect(info).toContain(`used_memory_functions:${Buffer.byteLength(LIBRARY) + 4}`);
    expect(info).toMatch(/used_memory_vm_functions:[1-9]/);
    // What was said while one was busy took no longer than it did: less than any that was busy.
    const slow = await say(first!, 'SLOWLOG', 'GET', '-1');
    expect(slow).toContain('"spin"');
    for (const [, us] of slow.matchAll(/, (\d+), \["(?:SCRIPT|FUNCTION)", "KILL"\]/g)) {
      expect(Number(us)).toBeLessThan(BUSY_AFTER_MS * 1000);
    }
  });

  it('a script that ends beside it leaves the word about a function that spins', async () => {
    // One worker runs one of them at a time.
    if (threads === 1) return;
    const [asks, ...pairs] = clients;
    let seen = 0;
    for (let at = 0; at + 1 < pairs.length; at++) {
      // Without keys it needs no locks, so it runs beside the function if another worker has it.
      const script = say(pairs[at]!, 'EVAL', 'while true do end', '0');
      let isOver = false;
      const called = say(pairs[at + 1]!, 'FCALL', 'spin', '0').finally(() => {
        isOver = true;
      });
      await until(() => say(asks!, 'PING'), BUSY);
      if ((await say(asks!, 'SCRIPT', 'KILL')) === 'OK') {
        expect(await script).toMatch(KILLED);
        // It may have come when the script was busy already, and be refused.
        const ask = async () => (isOver ? 'over' : say(asks!, 'FUNCTION', 'STATS'));
        if ((await until(ask, /"spin"|^over/)) !== 'over') seen++;
      }
      // Whichever is left, which may only become busy in a while.
      let isLeft = true;
      const ended = Promise.all([script, called]).finally(() => {
        isLeft = false;
      });
      while (isLeft) {
        await until(() => say(asks!, 'FUNCTION', 'KILL'), OK_OR_BUSY);
        await until(() => say(asks!, 'SCRIPT', 'KILL'), OK_OR_BUSY);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      await ended;
    }
    expect(seen).toBeGreaterThan(0);
  }, 60_000);
});
