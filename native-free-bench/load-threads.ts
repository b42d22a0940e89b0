// A load spread over worker threads: each gets its share of connections and commands, all start on
// one word, and their results are summed. Threads stay for the next load, so that only the first
// one is made by code that has yet to be compiled.

import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { Histogram } from './histogram.js';
import type { Distribution } from './keys.js';
import { type LoadPlan, type LoadResult, type LoadSession, openLoad } from './load.js';

/** To a load thread; each but `stop` is answered by one report. */
export type LoadOrder =
  | { readonly kind: 'open'; readonly plan: LoadPlan }
  | { readonly kind: 'go' }
  | { readonly kind: 'stop' }
  | { readonly kind: 'close' };

/** From a load thread. */
export type LoadReport =
  | { readonly kind: 'ready' }
  | { readonly kind: 'done'; readonly result: LoadResult }
  | { readonly kind: 'closed' }
  | { readonly kind: 'failed'; readonly why: string };

export class LoadCrew {
  private readonly idle: LoadThread[] = [];
  private readonly all: LoadThread[] = [];

  /** Threads for each load; 0 makes it in the calling thread. */
  constructor(private readonly threads: number) {}

  async open(plan: LoadPlan): Promise<LoadSession> {
    if (this.threads === 0) return openLoad(plan);
    const parts = splitPlan(plan, this.threads);
    const members = parts.map(() => this.take());
    const session = new ThreadedLoad(members, () => this.idle.push(...members));
    const openings = members.map((member, index) =>
      member.ask({ kind: 'open', plan: parts[index]! }),
    );
    const outcomes = await Promise.allSettled(openings);
    const failure = outcomes.find((outcome) => outcome.status === 'rejected');
    if (failure === undefined) return session;
    await session.close();
    throw failure.reason;
  }

  /** Opens, runs and closes a load. */
  async run(plan: LoadPlan): Promise<LoadResult> {
    const session = await this.open(plan);
    try {
      return await session.run();
    } finally {
      await session.close();
    }
  }

  /** Ends all threads, and with them what connections they still have. */
  async end(): Promise<void> {
    await Promise.all(this.all.map((thread) => thread.end()));
  }

  private take(): LoadThread {
    const waiting = this.idle.pop();
    if (waiting !== undefined) return waiting;
    const thread = new LoadThread();
    this.all.push(thread);
    return thread;
  }
}

/** One plan per thread; connections and commands are shared out without a remainder lost. */
export function splitPlan(plan: LoadPlan, threads: number): LoadPlan[] {
  const used = Math.min(threads, plan.connections);
  return Array.from({ length: used }, (_, index) => ({
    ...plan,
    connections: shareOf(plan.connections, used, index),
    count: plan.count === null ? null : shareOf(plan.count, used, index),
    distribution: splitDistribution(plan.distribution, used, index),
    seed: plan.seed + index * 7919, // a prime apart, so that nearby seeds do not share threads
  }));
}

export function mergeResults(results: readonly LoadResult[]): LoadResult {
  const latency = new Histogram();
  const texts = new Map<string, number>();
  for (const result of results) {
    latency.merge(result.latency);
    for (const [text, count] of result.errorTexts) texts.set(text, (texts.get(text) ?? 0) + count);
  }
  const sum = (pick: (result: LoadResult) => number) =>
    results.reduce((total, result) => total + pick(result), 0);
  return {
    commands: sum((result) => result.commands),
    elapsedMs: Math.max(...results.map((result) => result.elapsedMs)),
    errors: sum((result) => result.errors),
    wrongTypes: sum((result) => result.wrongTypes),
    unexpected: sum((result) => result.unexpected),
    checksum: sum((result) => result.checksum) % 2 ** 32,
    errorTexts: [...texts],
    latency: latency.parts(),
  };
}

class ThreadedLoad implements LoadSession {
  private isClosed = false;

  constructor(
    private readonly members: readonly LoadThread[],
    private readonly giveBack: () => void,
  ) {}

  async run(): Promise<LoadResult> {
    const reports = await Promise.all(this.members.map((member) => member.ask({ kind: 'go' })));
    return mergeResults(
      reports.map((report) => {
        if (report.kind === 'done') return report.result;
        throw new Error(`a load thread answered '${report.kind}' to 'go'`);
      }),
    );
  }

  stop(): void {
    for (const member of this.members) member.tell({ kind: 'stop' });
  }

  async close(): Promise<void> {
    if (this.isClosed) return;
    this.isClosed = true;
    await Promise.all(this.members.map((member) => member.ask({ kind: 'close' })));
    this.giveBack();
  }
}

class LoadThread {
  private readonly worker: Worker;
  // Reports come in the order of the orders that they answer.
  private readonly waiting: { done(report: LoadReport): void; failed(error: Error): void }[] = [];

  constructor() {
    this.worker = new Worker(workerPath());
    this.worker.on('message', (report: LoadReport) => {
      const first = this.waiting.shift();
      if (report.kind === 'failed') first?.failed(new Error(report.why));
      else first?.done(report);
    });
    this.worker.on('error', (error) => this.failAll(error as Error));
    this.worker.on('exit', () => this.failAll(new Error('a load thread ended too early')));
  }

  ask(order: LoadOrder): Promise<LoadReport> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ done: resolve, failed: reject });
      this.worker.postMessage(order);
    });
  }

  tell(order: LoadOrder): void {
    this.worker.postMessage(order);
  }

  async end(): Promise<void> {
    await this.worker.terminate();
  }

  private failAll(error: Error): void {
    for (const one of this.waiting.splice(0)) one.failed(error);
  }
}

/** Worker threads run compiled code; a test that runs the sources uses what was built. */
function workerPath(): string {
  const isSource = import.meta.url.endsWith('.ts');
  const path = isSource ? '../dist/native-free-bench/load-worker.js' : './load-worker.js';
  return fileURLToPath(new URL(path, import.meta.url));
}

function shareOf(total: number, parts: number, index: number): number {
  return Math.floor((total + parts - 1 - index) / parts);
}

function splitDistribution(whole: Distribution, parts: number, index: number): Distribution {
  if (whole.kind !== 'sequential') return whole;
  const { first, step } = whole;
  return { kind: 'sequential', first: first + index * step, step: step * parts };
}
