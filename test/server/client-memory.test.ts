// maxmemory-clients over several threads that look at the same time: each client that has to go is
// told to once, and counted once.

import { expect, it } from 'vitest';
import type { Config } from '../../src/config/config.js';
import { ClientMemory } from '../../src/server/client-memory.js';
import type { Executor } from '../../src/server/executor.js';
import { ClientDirectory, Wish } from '../../src/stats/clients.js';

const SLOTS = 4;
const FACTS = { localAddress: '127.0.0.1:6379', fd: 9, createdMs: 1_700_000_000_123 };

it('closes and counts a client once, when another thread looks in between', () => {
  const buffer = new SharedArrayBuffer(ClientDirectory.bytesFor(2, SLOTS));
  const [own, other] = [0, 1].map((thread) => new ClientDirectory(buffer, 2, SLOTS, thread));
  for (const id of [1, 2]) own!.open({ ...FACTS, id, address: `127.0.0.1:${id}` });
  const limited = { share: () => ({ bytes: own!.totalBytes() - 1 }) } as unknown as Config;
  const told: string[] = [];
  let counted = 0;
  const memoryOf = (clients: ClientDirectory, name: string, meanwhile: () => void) => {
    const executor = {
      clients,
      serving: { connectionAt: () => null },
      door: {
        closeClient: (slot: number, id: number) => {
          told.push(`${name}: ${id}`);
          clients.wish(slot, id, Wish.Close);
        },
      },
      stats: {
        add: (_counter: number, by: number) => {
          counted += by;
        },
      },
      log: { write: meanwhile },
    } as unknown as Executor;
    return new ClientMemory(executor);
  };
  const second = memoryOf(other!, 'second', () => {});
  const first = memoryOf(own!, 'first', () => second.adopt(limited));

  first.adopt(limited);

  expect(told).toEqual(['first: 1']);
  expect(counted).toBe(1);
  expect(own!.views().map(({ id }) => id)).toEqual([2]);
});
