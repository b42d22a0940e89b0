// BullMQ: its queues, workers, schedulers and flows, on the hundred scripts that it brings along.
// They build the names of most of their keys themselves, so these keys are on any partition.

import {
  FlowProducer,
  type Job,
  type Processor,
  Queue,
  QueueEvents,
  UnrecoverableError,
  Worker,
  type WorkerOptions,
} from 'bullmq';
import { createClient } from 'redis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Server } from '../support/server.js';
import { DEADLINE_MS, SERVERS, sleep, until } from './servers.js';

interface Closes {
  close(force?: boolean): Promise<unknown>;
}

describe.each(SERVERS)('BullMQ on $name', (choice) => {
  let server: Server;
  let connection: { host: string; port: number; maxRetriesPerRequest: null };
  let queue: Queue;
  let events: QueueEvents;
  /** All that has a connection, closed after each test. */
  const open: Closes[] = [];

  function opened<Thing extends Closes>(thing: Thing): Thing {
    open.push(thing);
    return thing;
  }

  function worker(processor: Processor, options: Partial<WorkerOptions> = {}): Worker {
    return opened(new Worker(queue.name, processor, { connection, ...options }));
  }

  /** The result of the job, as its events tell it. */
  async function resultOf(job: Job): Promise<unknown> {
    return job.waitUntilFinished(events, DEADLINE_MS);
  }

  function addAll(count: number): Promise<Job[]> {
    const jobs = Array.from({ length: count }, (_, index) => ({ name: 'job', data: { index } }));
    return queue.addBulk(jobs);
  }

  beforeAll(async () => {
    server = await choice.start();
    connection = { host: '127.0.0.1', port: server.port, maxRetriesPerRequest: null };
  });
  afterAll(() => server.stop());

  let queueCount = 0;
  beforeEach(async () => {
    queue = opened(new Queue(`queue-${queueCount++}`, { connection }));
    // From the first event on, however late it begins to read.
    events = opened(new QueueEvents(queue.name, { connection, lastEventId: '0' }));
    // Every job that is waited for listens.
    queue.setMaxListeners(0);
    await Promise.all([queue.waitUntilReady(), events.waitUntilReady()]);
  });
  afterEach(async () => {
    await Promise.all(open.splice(0).map((thing) => thing.close()));
  });

  it('hands jobs to a worker and tells their results', async () => {
    worker(async (job) => `${job.name} of ${job.data.user}`);
    const job = await queue.add('mail', { user: 'ann' });
    expect(await resultOf(job)).toBe('mail of ann');
    expect(await queue.getJobCounts('completed', 'waiting', 'active', 'failed')).toEqual({
      completed: 1,
      waiting: 0,
      active: 0,
      failed: 0,
    });
    const stored = await queue.getJob(job.id!);
    expect(stored?.returnvalue).toBe('mail of ann');
    expect(await stored?.isCompleted()).toBe(true);
  });

  it('runs each of 300 jobs once, on workers of several connections', async () => {
    const runs = new Map<string, number>();
    const process = async (job: Job): Promise<number> => {
      runs.set(job.id!, (runs.get(job.id!) ?? 0) + 1);
      return job.data.index * 2;
    };
    for (let count = 0; count < 4; count++) worker(process, { concurrency: 8 });
    const jobs = await addAll(300);
    await until(
      () => queue.getCompletedCount(),
      (completed) => completed === 300,
    );
    expect(runs.size).toBe(300);
    expect([...runs.values()].every((count) => count === 1)).toBe(true);
    const stored = await Promise.all(jobs.map((job) => queue.getJob(job.id!)));
    expect(stored.map((job) => job?.returnvalue)).toEqual(jobs.map((_, index) => index * 2));
  });

  it('tells of added, active, progressing, completed and failed jobs', async () => {
    const heard: string[] = [];
    events.on('added', () => heard.push('added'));
    events.on('active', () => heard.push('active'));
    events.on('progress', ({ data }) => heard.push(`progress ${JSON.stringify(data)}`));
    events.on('completed', ({ returnvalue }) => heard.push(`completed ${returnvalue}`));
    events.on('failed', ({ failedReason }) => heard.push(`failed ${failedReason}`));
    worker(async (job) => {
      await job.updateProgress({ done: 50 });
      await job.log('half way');
      if (job.name === 'bad') throw new Error('no');
      return 'yes';
    });
    const good = await queue.add('good', {});
    await resultOf(good);
    const bad = await queue.add('bad', {});
    await expect(resultOf(bad)).rejects.toThrow('no');
    const one = ['added', 'active', 'progress {"done":50}'];
    await until(
      () => heard,
      ({ length }) => length >= 8,
    );
    expect(heard).toEqual([...one, 'completed yes', ...one, 'failed no']);
    expect((await queue.getJobLogs(good.id!)).logs).toEqual(['half way']);
  });

  it('keeps delayed jobs back until their time', async () => {
    const started: string[] = [];
    worker(async (job) => {
      started.push(job.name);
      return Date.now() - job.timestamp;
    });
    const late = await queue.add('late', {}, { delay: 400 });
    const soon = await queue.add('soon', {}, { delay: 150 });
    const never = await queue.add('never', {}, { delay: 1_000_000 });
    expect(await resultOf(soon)).toBeGreaterThanOrEqual(150);
    expect(await resultOf(late)).toBeGreaterThanOrEqual(400);
    expect(started).toHaveLength(2);
    expect(await queue.getDelayedCount()).toBe(1);
    await never.promote();
    await resultOf(never);
    expect(started[2]).toBe('never');
  });

  it('tries failed jobs again, each time later, and gives up in the end', async () => {
    const tries: number[] = [];
    worker(async (job) => {
      tries.push(Date.now());
      if (job.attemptsMade < 2) throw new Error(`try ${job.attemptsMade}`);
      return 'done';
    });
    const backoff = { type: 'exponential', delay: 60 };
    const job = await queue.add('flaky', {}, { attempts: 3, backoff });
    expect(await resultOf(job)).toBe('done');
    expect(tries.length).toBe(3);
    // The clock of the server and the timers here may disagree about a millisecond.
    expect(tries[1]! - tries[0]!).toBeGreaterThanOrEqual(58);
    expect(tries[2]! - tries[1]!).toBeGreaterThanOrEqual(118);

    const hopeless = await queue.add('flaky', {}, { attempts: 2, backoff: 10 });
    await expect(resultOf(hopeless)).rejects.toThrow('try 1');
    const failed = await queue.getJob(hopeless.id!);
    expect(failed?.attemptsMade).toBe(2);
    expect(failed?.stacktrace).toHaveLength(2);
    await failed?.retry();
    expect(await resultOf(failed!)).toBe('done');
  });

  it('does not try again what cannot be recovered', async () => {
    worker(async () => {
      throw new UnrecoverableError('over');
    });
    const job = await queue.add('hopeless', {}, { attempts: 5 });
    await expect(resultOf(job)).rejects.toThrow('over');
    expect((await queue.getJob(job.id!))?.attemptsMade).toBe(1);
  });

  it('takes jobs of higher priority first, and those of equal priority in order', async () => {
    const order: string[] = [];
    for (const [name, priority] of Object.entries({ c: 5, a: 1, d: 5, b: 2 })) {
      await queue.add(name, {}, { priority });
    }
    await queue.add('first', {});
    const last = await queue.add('last', {}, { priority: 1_000 });
    expect(await queue.getCountsPerPriority([1, 2, 5])).toEqual({ 1: 1, 2: 1, 5: 2 });
    worker(async (job) => order.push(job.name), { concurrency: 1 });
    await resultOf(last);
    expect(order).toEqual(['first', 'a', 'b', 'c', 'd', 'last']);
  });

  it('takes the newest job first with lifo, and a job of the same id once', async () => {
    const order: string[] = [];
    const jobs = [
      await queue.add('a', {}, { lifo: true, jobId: 'one' }),
      await queue.add('a', {}, { lifo: true, jobId: 'one' }),
      await queue.add('b', {}, { lifo: true }),
      await queue.add('c', {}, { lifo: true }),
    ];
    worker(async (job) => order.push(job.name), { concurrency: 1 });
    await Promise.all(jobs.map(resultOf));
    expect(order).toEqual(['c', 'b', 'a']);
  });

  it('makes jobs by schedule until the schedule is removed', async () => {
    let runs = 0;
    worker(async () => ++runs);
    const template = { name: 'tick', data: { every: 60 } };
    await queue.upsertJobScheduler('often', { every: 60 }, template);
    await queue.upsertJobScheduler('nightly', { pattern: '0 30 3 * * *', tz: 'UTC' }, template);
    await until(
      () => runs,
      (count) => count >= 4,
    );
    const schedulers = await queue.getJobSchedulers();
    expect(schedulers.map(({ key }) => key).sort()).toEqual(['nightly', 'often']);
    const nightly = await queue.getJobScheduler('nightly');
    expect(new Date(nightly!.next!).toISOString()).toMatch(/T03:30:00/);

    expect(await queue.removeJobScheduler('often')).toBe(true);
    await until(
      () => queue.getJobCounts('waiting', 'prioritized', 'active', 'delayed'),
      // The nightly one remains.
      ({ waiting, prioritized, active, delayed }) =>
        waiting === 0 && prioritized === 0 && active === 0 && delayed === 1,
    );
    const runsBefore = runs;
    await sleep(200);
    expect(runs).toBe(runsBefore);
  });

  it('runs a schedule no more often than its limit', async () => {
    let runs = 0;
    worker(async () => ++runs);
    await queue.upsertJobScheduler('thrice', { every: 30, limit: 3 });
    await until(
      () => queue.getCompletedCount(),
      (count) => count === 3,
    );
    await sleep(200);
    expect(runs).toBe(3);
    expect(await queue.getDelayedCount()).toBe(0);
  });

  it('runs the parent of a flow after all of its children, with their results', async () => {
    const flows = opened(new FlowProducer({ connection }));
    const order: string[] = [];
    worker(
      async (job) => {
        order.push(job.name);
        const values = Object.values(await job.getChildrenValues<number>());
        return values.reduce((sum, value) => sum + value, job.data.own);
      },
      { concurrency: 4 },
    );
    const leaf = (own: number) => ({ name: 'leaf', queueName: queue.name, data: { own } });
    const flow = await flows.add({
      name: 'root',
      queueName: queue.name,
      data: { own: 1 },
      children: [
        { ...leaf(10), name: 'branch', children: [leaf(100), leaf(200), leaf(300)] },
        leaf(1_000),
      ],
    });
    expect(await resultOf(flow.job)).toBe(1_611);
    expect(order.at(-1)).toBe('root');
    expect(order.indexOf('branch')).toBeGreaterThan(2);
    const root = await queue.getJob(flow.job.id!);
    expect(Object.keys((await root!.getDependencies()).processed!)).toHaveLength(2);
  });

  it('fails the parent of a flow with its child where told to', async () => {
    const flows = opened(new FlowProducer({ connection }));
    worker(async (job) => {
      if (job.name === 'child') throw new Error('lost');
    });
    const flow = await flows.add({
      name: 'parent',
      queueName: queue.name,
      children: [
        { name: 'child', queueName: queue.name, opts: { failParentOnFailure: true } },
        { name: 'other', queueName: queue.name },
      ],
    });
    await expect(resultOf(flow.job)).rejects.toThrow(/child .* failed/);
  });

  it('starts no more jobs in a span than the limit allows', async () => {
    const started: number[] = [];
    const begun = Date.now();
    const limiter = { max: 4, duration: 250 };
    for (let count = 0; count < 2; count++) {
      worker(async () => started.push(Date.now()), { limiter, concurrency: 4 });
    }
    const jobs = await addAll(12);
    await Promise.all(jobs.map(resultOf));
    started.sort((a, b) => a - b);
    // The third span begins when two have passed at the least.
    expect(started[8]! - begun).toBeGreaterThanOrEqual(498);
  });

  it('gives the jobs of a worker that vanished to another one', async () => {
    const stalled: string[] = [];
    events.on('stalled', ({ jobId }) => stalled.push(jobId));
    let taken = 0;
    const vanishing = new Worker(queue.name, () => new Promise(() => taken++), {
      connection,
      concurrency: 3,
      lockDuration: 200,
      skipLockRenewal: true,
      skipStalledCheck: true,
    });
    const jobs = await addAll(3);
    await until(
      () => taken,
      (count) => count === 3,
    );
    await vanishing.close(true);
    worker(async (job) => `saved ${job.data.index}`, { stalledInterval: 100 });
    expect(await Promise.all(jobs.map(resultOf))).toEqual(['saved 0', 'saved 1', 'saved 2']);
    await until(
      () => stalled.length,
      (count) => count === 3,
    );
    expect(stalled.sort()).toEqual(jobs.map((job) => job.id).sort());
  });

  it('pauses, resumes, drains, cleans and obliterates', async () => {
    let runs = 0;
    await queue.pause();
    worker(async () => ++runs);
    await addAll(5);
    await queue.add('later', {}, { delay: 1_000_000 });
    expect(await queue.isPaused()).toBe(true);
    expect(await queue.getJobCounts('waiting', 'delayed')).toEqual({ waiting: 5, delayed: 1 });
    expect(runs).toBe(0);
    await queue.resume();
    await until(
      () => queue.getCompletedCount(),
      (count) => count === 5,
    );
    await queue.drain(true);
    expect(await queue.getDelayedCount()).toBe(0);
    expect(await queue.clean(0, 3, 'completed')).toHaveLength(3);
    expect(await queue.getCompletedCount()).toBe(2);
    await queue.obliterate({ force: true });
    const client = await server.connect();
    const left = await client.command('KEYS', `bull:${queue.name}:*`);
    // What the events of the queue and its meta data leave is not of jobs.
    expect(JSON.stringify(left)).not.toContain(':completed');
    client.close();
  });

  it('forgets finished jobs as told, and adds a job once in a while only', async () => {
    worker(async () => 'x');
    const first = await queue.add('gone', {}, { removeOnComplete: true });
    await resultOf(first);
    expect(await queue.getJob(first.id!)).toBeUndefined();

    const deduplication = { id: 'hourly', ttl: 1_000_000 };
    const once = await queue.add('once', {}, { deduplication });
    const again = await queue.add('once', {}, { deduplication });
    expect(again.id).toBe(once.id);
    await resultOf(once);
    for (let index = 0; index < 6; index++) {
      await resultOf(await queue.add('kept', {}, { removeOnComplete: { count: 2 } }));
    }
    expect(await queue.getCompletedCount()).toBe(2);
  });

  it('works through node-redis as through ioredis', async () => {
    const client = createClient({ url: `redis://127.0.0.1:${server.port}` });
    client.on('error', () => {});
    await client.connect();
    const ours = new Queue('node-redis', { connection: client });
    ours.setMaxListeners(0);
    // From the first event on: it may not listen yet when the first job is done.
    const hears = new QueueEvents('node-redis', { connection: client, lastEventId: '0' });
    const works = new Worker('node-redis', async (job) => job.data.index + 1, {
      connection: client,
    });
    await hears.waitUntilReady();
    const jobs = await ours.addBulk(
      Array.from({ length: 20 }, (_, index) => ({ name: 'job', data: { index } })),
    );
    const results = await Promise.all(jobs.map((job) => job.waitUntilFinished(hears, DEADLINE_MS)));
    expect(results).toEqual(jobs.map((_, index) => index + 1));
    await Promise.all([works.close(), hears.close(), ours.close()]);
    if (client.isOpen) client.destroy();
  });
});
