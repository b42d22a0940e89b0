// rate-limiter-flexible: points per span through ioredis and node-redis, blocks, bursts, and the
// limiter in memory that stands in while the server is away.

import { Redis } from 'ioredis';
import {
  BurstyRateLimiter,
  type IRateLimiterRedisOptions,
  RateLimiterMemory,
  RateLimiterQueue,
  RateLimiterRedis,
  RateLimiterRes,
} from 'rate-limiter-flexible';
import { createClient } from 'redis';
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
import { DEADLINE_MS, SERVERS, until } from './servers.js';

const CLIENTS = ['ioredis', 'node-redis'] as const;
const CASES = SERVERS.flatMap((choice) => CLIENTS.map((client) => ({ ...choice, client })));

interface Connection {
  readonly options: Pick<IRateLimiterRedisOptions, 'storeClient' | 'useRedisPackage'>;
  close(): void;
}

async function connectIoredis(port: number): Promise<Connection> {
  const redis = new Redis(port, '127.0.0.1', { maxRetriesPerRequest: 0 });
  redis.on('error', () => {});
  await redis.ping();
  return { options: { storeClient: redis }, close: () => redis.disconnect() };
}

async function connectNodeRedis(port: number): Promise<Connection> {
  const url = `redis://127.0.0.1:${port}`;
  const redis = createClient({ url, disableOfflineQueue: true });
  redis.on('error', () => {});
  await redis.connect();
  return {
    options: { storeClient: redis, useRedisPackage: true },
    close: () => redis.destroy(),
  };
}

/** 'yes', or how long to wait. */
async function attempt(ask: Promise<RateLimiterRes>): Promise<'yes' | number> {
  try {
    await ask;
    return 'yes';
  } catch (refusal) {
    if (refusal instanceof RateLimiterRes) return refusal.msBeforeNext;
    throw refusal;
  }
}

describe.each(CASES)('rate-limiter-flexible with $client on $name', (choice) => {
  let server: Server;
  let connection: Connection;
  let limiterCount = 0;

  function connectTo(port: number): Promise<Connection> {
    return choice.client === 'ioredis' ? connectIoredis(port) : connectNodeRedis(port);
  }

  function limiter(options: Omit<IRateLimiterRedisOptions, 'storeClient'>): RateLimiterRedis {
    const keyPrefix = `limit${limiterCount++}`;
    return new RateLimiterRedis({ ...connection.options, keyPrefix, ...options });
  }

  beforeAll(async () => {
    server = await choice.start();
  });
  afterAll(() => server.stop());
  beforeEach(async () => {
    connection = await connectTo(server.port);
  });
  afterEach(() => connection.close());

  it('gives points until they are used up, and again after the span', async () => {
    const limit = limiter({ points: 3, duration: 1_000 });
    const first = await limit.consume('ann');
    expect(first).toMatchObject({ consumedPoints: 1, remainingPoints: 2, isFirstInDuration: true });
    expect(first.msBeforeNext).toBeGreaterThan(900_000);
    expect(first.msBeforeNext).toBeLessThanOrEqual(1_000_000);
    expect((await limit.get('ann'))?.consumedPoints).toBe(1);
    expect(await attempt(limit.consume('bob', 3))).toBe('yes');
    expect(await attempt(limit.consume('bob'))).toBeTypeOf('number');

    const short = limiter({ points: 3, duration: 1 });
    await short.consume('bob', 3);
    await until(
      () => short.get('bob'),
      (state) => state === null,
    );
    expect(await attempt(short.consume('bob', 3))).toBe('yes');
  });

  it('gives no point twice, however many ask at once', async () => {
    const limit = limiter({ points: 50, duration: 1_000 });
    const others = await Promise.all([1, 2, 3].map(() => connectTo(server.port)));
    const { keyPrefix } = limit;
    const limits = others.map(
      ({ options }) => new RateLimiterRedis({ ...options, keyPrefix, points: 50, duration: 1_000 }),
    );
    const asks = Array.from({ length: 200 }, (_, index) => limits[index % 3]!.consume('all'));
    const answers = await Promise.all(asks.map(attempt));
    expect(answers.filter((answer) => answer === 'yes')).toHaveLength(50);
    expect((await limit.get('all'))?.consumedPoints).toBe(200);
    for (const other of others) other.close();
  });

  it('takes penalties, rewards, sets and deletes', async () => {
    const limit = limiter({ points: 10, duration: 1_000 });
    await limit.consume('ann', 2);
    expect((await limit.penalty('ann', 5)).consumedPoints).toBe(7);
    expect((await limit.reward('ann', 4)).consumedPoints).toBe(3);
    await limit.set('ann', 9, 500);
    const state = await limit.get('ann');
    expect(state).toMatchObject({ consumedPoints: 9, remainingPoints: 1 });
    expect(state?.msBeforeNext).toBeGreaterThan(400_000);
    expect(state?.msBeforeNext).toBeLessThanOrEqual(500_000);
    expect(await limit.delete('ann')).toBe(true);
    expect(await limit.delete('ann')).toBe(false);
    expect(await limit.get('ann')).toBeNull();
  });

  it('blocks for longer than the span, and keeps points without end', async () => {
    const blocking = limiter({ points: 1, duration: 100, blockDuration: 900 });
    await blocking.consume('ann');
    expect(await attempt(blocking.consume('ann'))).toBeGreaterThan(800_000);
    expect((await blocking.get('ann'))?.msBeforeNext).toBeGreaterThan(800_000);
    await blocking.block('bob', 700);
    expect(await attempt(blocking.consume('bob'))).toBeGreaterThan(600_000);

    const endless = limiter({ points: 2, duration: 0 });
    await endless.consume('ann', 2);
    expect(await attempt(endless.consume('ann'))).toBe(-1);
  });

  it('allows a burst beyond the even rate', async () => {
    const even = limiter({ points: 2, duration: 1_000 });
    const burst = limiter({ points: 3, duration: 1_000 });
    const both = new BurstyRateLimiter(even, burst);
    const answers = [];
    for (let count = 0; count < 7; count++) answers.push(await attempt(both.consume('ann')));
    expect(answers.slice(0, 5)).toEqual(Array(5).fill('yes'));
    expect(answers.slice(5)).not.toContain('yes');
  });

  it('lets a queue of requests through as points come', async () => {
    const queue = new RateLimiterQueue(limiter({ points: 2, duration: 1 }));
    const started = Date.now();
    await Promise.all([1, 2, 3].map(() => queue.removeTokens(1)));
    expect(Date.now() - started).toBeGreaterThan(500);
  });

  it('limits in memory while the server is away', { timeout: 2 * DEADLINE_MS }, async () => {
    const leaving = await choice.start();
    onTestFinished(async () => void (await leaving.stop()));
    const other = await connectTo(leaving.port);
    const insuranceLimiter = new RateLimiterMemory({ points: 1, duration: 1_000 });
    const options = { ...other.options, points: 3, duration: 1_000, rejectIfRedisNotReady: true };
    const limit = new RateLimiterRedis({ ...options, insuranceLimiter });
    expect((await limit.consume('ann')).remainingPoints).toBe(2);
    await leaving.stop();
    expect((await limit.consume('ann')).remainingPoints).toBe(0);
    expect(await attempt(limit.consume('ann'))).toBeTypeOf('number');
    const bare = new RateLimiterRedis(options);
    await expect(bare.consume('ann')).rejects.toThrow();
    other.close();
  });
});
