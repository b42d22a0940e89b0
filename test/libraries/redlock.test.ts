// redlock: locks with a time to live, of one resource and of several, on one server and on three.

import type { EventEmitter } from 'node:events';
import { createRequire } from 'node:module';
import { Redis } from 'ioredis';
import {
  afterAll,
  afterEach,
  beforeAll,
  beforeEach,
  describe,
  expect,
  it,
  onTestFinished,
} from 'vitest';
import type { Server } from '../support/server.js';
import { SERVERS, sleep, until } from './servers.js';

const LONG_MS = 100_000;

interface Lock {
  readonly value: string;
  extend(milliseconds: number): Promise<Lock>;
  unlock(): Promise<void>;
}

interface Locks extends EventEmitter {
  lock(resource: string | readonly string[], milliseconds: number): Promise<Lock>;
}

interface Options {
  readonly retryCount: number;
  readonly retryDelay?: number;
  readonly retryJitter?: number;
}

/** As much of the package as is used here: it comes without types. */
interface Package {
  new (clients: readonly Redis[], options: Options): Locks;
  readonly LockError: new () => Error;
}

const Redlock: Package = createRequire(import.meta.url)('redlock');

describe.each(SERVERS)('redlock on $name', (choice) => {
  let server: Server;
  let redis: Redis;
  beforeAll(async () => {
    server = await choice.start();
  });
  afterAll(() => server.stop());
  beforeEach(async () => {
    redis = new Redis(server.port, '127.0.0.1');
    await redis.flushall();
  });
  afterEach(() => redis.disconnect());

  it('locks, refuses others, and lets them in after the release', async () => {
    const locks = new Redlock([redis], { retryCount: 0 });
    const lock = await locks.lock('door', LONG_MS);
    expect(await redis.get('door')).toBe(lock.value);
    expect(await redis.pttl('door')).toBeGreaterThan(LONG_MS / 2);
    await expect(locks.lock('door', LONG_MS)).rejects.toThrow(Redlock.LockError);
    await lock.unlock();
    expect(await redis.exists('door')).toBe(0);
    const second = await locks.lock('door', LONG_MS);
    expect(second.value).not.toBe(lock.value);
    await expect(lock.unlock()).rejects.toThrow(/Unable to fully release the lock/);
    await second.unlock();
  });

  it('extends a lock that is held, and none that is lost', async () => {
    const locks = new Redlock([redis], { retryCount: 0 });
    const lock = await locks.lock('door', LONG_MS);
    await lock.extend(3 * LONG_MS);
    expect(await redis.pttl('door')).toBeGreaterThan(2 * LONG_MS);
    await redis.set('door', 'of somebody else');
    await expect(lock.extend(LONG_MS)).rejects.toThrow(Redlock.LockError);
    expect(await redis.get('door')).toBe('of somebody else');
  });

  it('lets a lock run out', async () => {
    // A busy machine may need several attempts to have it in time.
    const locks = new Redlock([redis], { retryCount: 50, retryDelay: 20 });
    await locks.lock('door', 300);
    await until(
      () => redis.exists('door'),
      (count) => count === 0,
    );
    await (await locks.lock('door', LONG_MS)).unlock();
  });

  it('takes several resources at once or none of them', async () => {
    const locks = new Redlock([redis], { retryCount: 0 });
    const names = Array.from({ length: 20 }, (_, index) => `door:${index}`);
    const lock = await locks.lock(names, LONG_MS);
    expect(new Set(await redis.mget(names))).toEqual(new Set([lock.value]));
    await expect(locks.lock(['free', 'door:7'], LONG_MS)).rejects.toThrow(Redlock.LockError);
    expect(await redis.exists('free')).toBe(0);
    await lock.unlock();
    expect(await redis.dbsize()).toBe(0);
  });

  it('lets many contenders in one after another', async () => {
    const clients = Array.from({ length: 8 }, () => new Redis(server.port, '127.0.0.1'));
    let inside = 0;
    let most = 0;
    let turns = 0;
    const options = { retryCount: 10_000, retryDelay: 4, retryJitter: 8 };
    const contend = async (client: Redis): Promise<void> => {
      const locks = new Redlock([client], options);
      for (let turn = 0; turn < 10; turn++) {
        const lock = await locks.lock('door', LONG_MS);
        most = Math.max(most, ++inside);
        // Not atomic but for the lock: what is read here is written a while later.
        const read = Number(await client.get('turns'));
        await sleep(1);
        await client.set('turns', read + 1);
        turns++;
        inside--;
        await lock.unlock();
      }
    };
    await Promise.all(clients.map(contend));
    expect(most).toBe(1);
    expect(turns).toBe(80);
    expect(await redis.get('turns')).toBe('80');
    for (const client of clients) client.disconnect();
  });

  it('locks by the majority of three servers when one of them is gone', async () => {
    const others = await Promise.all([choice.start(), choice.start()]);
    onTestFinished(async () => void (await Promise.all(others.map((other) => other.stop()))));
    // Without a queue: a client whose server is gone says so at once.
    const options = { enableOfflineQueue: false };
    const clients = [server, ...others].map(({ port }) => new Redis(port, '127.0.0.1', options));
    for (const client of clients) client.on('error', () => {});
    await until(
      () => clients.map(({ status }) => status),
      (statuses) => statuses.every((status) => status === 'ready'),
    );
    const locks = new Redlock(clients, { retryCount: 3, retryDelay: 10 });
    const errors: unknown[] = [];
    locks.on('clientError', (error) => errors.push(error));
    const lock = await locks.lock('door', LONG_MS);
    expect(await clients[2]!.get('door')).toBe(lock.value);
    await lock.unlock();
    expect(errors).toEqual([]);

    await others[1]!.stop();
    const majority = await locks.lock('door', LONG_MS);
    expect(await clients[1]!.get('door')).toBe(majority.value);
    await majority.unlock();
    expect(errors.length).toBeGreaterThan(0);

    await others[0]!.stop();
    await expect(locks.lock('door', LONG_MS)).rejects.toThrow(Redlock.LockError);
    for (const client of clients) client.disconnect();
  });
});
