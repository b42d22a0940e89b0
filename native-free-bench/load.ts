// The load of one thread: connections that each keep one batch of commands in flight, as fast as
// the server answers. One shared read buffer, one reusable request buffer per connection, and no
// object per command.

import { connect, type Socket } from 'node:net';
import { performance } from 'node:perf_hooks';
import { Histogram, type HistogramParts } from './histogram.js';
import { createPicker, type Distribution, type KeyPicker } from './keys.js';
import type { MixEntry } from './mix.js';
import { Random } from './random.js';
import { ReplyKind, ReplyReader, ReplyTally } from './replies.js';
import { Batch, encodeWords, TemplateSet } from './requests.js';

/** Everything a load thread needs; plain values, because it travels between threads. */
export interface LoadPlan {
  readonly host: string;
  readonly port: number;
  /** Commands each connection sends first: AUTH, SELECT. */
  readonly greeting: readonly (readonly string[])[];
  readonly connections: number;
  readonly pipeline: number;
  readonly keys: number;
  readonly size: number;
  readonly distribution: Distribution;
  readonly entries: readonly MixEntry[];
  readonly seed: number;
  /** When to end: after so many commands or so many seconds, whichever is set and comes first. */
  readonly count: number | null;
  readonly seconds: number | null;
}

export interface LoadResult {
  readonly commands: number;
  readonly elapsedMs: number;
  readonly errors: number;
  readonly wrongTypes: number;
  readonly unexpected: number;
  readonly checksum: number;
  readonly errorTexts: readonly (readonly [string, number])[];
  /** Time in nanoseconds from a batch's send to its last reply. */
  readonly latency: HistogramParts;
}

/** Connections that are open and greeted, waiting for the word to go. */
export interface LoadSession {
  run(): Promise<LoadResult>;
  /** Ends a running load after the batches in flight. */
  stop(): void;
  close(): Promise<void>;
}

const READ_BYTES = 256 * 1024;
const SILENCE_MS_MAX = 30_000;
const WATCH_MS = 1000;
const OPENING_AT_ONCE = 100;
const NS_PER_MS = 1e6;

export async function openLoad(plan: LoadPlan): Promise<LoadSession> {
  const run = new LoadRun(plan);
  try {
    await run.open();
  } catch (error) {
    await run.close();
    throw error;
  }
  return run;
}

class LoadRun implements LoadSession {
  readonly tally = new ReplyTally();
  readonly latency = new Histogram();
  readonly random: Random;
  readonly picker: KeyPicker;
  private readonly connections: Connection[] = [];
  private readonly templates: TemplateSet;
  // libuv reads and calls back in one step, so that all sockets can share a buffer; not on Windows,
  // where a read is started before its bytes have come.
  private readonly sharedBuffer = Buffer.allocUnsafeSlow(READ_BYTES);
  private remaining: number;
  private deadline = Number.POSITIVE_INFINITY;
  private busyCount = 0;
  private sentCount = 0;
  private lastReplyAt = 0;
  private settle: { done(): void; failed(error: Error): void } | null = null;

  constructor(readonly plan: LoadPlan) {
    this.random = new Random(plan.seed);
    this.picker = createPicker(plan.distribution, plan.keys, this.random);
    this.templates = new TemplateSet(plan.entries, plan.size);
    this.remaining = plan.count ?? Number.POSITIVE_INFINITY;
  }

  async open(): Promise<void> {
    for (let opened = 0; opened < this.plan.connections; opened += OPENING_AT_ONCE) {
      const group: Promise<void>[] = [];
      const last = Math.min(opened + OPENING_AT_ONCE, this.plan.connections);
      for (let index = opened; index < last; index += 1) {
        const connection = new Connection(this, new Batch(this.templates, this.plan.pipeline));
        this.connections.push(connection);
        group.push(connection.open());
      }
      await Promise.all(group);
    }
  }

  readBuffer(): Buffer {
    return process.platform === 'win32' ? Buffer.allocUnsafe(16 * 1024) : this.sharedBuffer;
  }

  async run(): Promise<LoadResult> {
    const startedAt = performance.now();
    this.lastReplyAt = startedAt;
    if (this.plan.seconds !== null) this.deadline = startedAt + this.plan.seconds * 1000;
    const watch = setInterval(() => this.watchSilence(), WATCH_MS);
    try {
      await new Promise<void>((resolve, reject) => {
        this.settle = { done: resolve, failed: reject };
        this.busyCount = this.connections.length;
        for (const connection of this.connections) connection.send(performance.now());
      });
    } finally {
      clearInterval(watch);
      this.settle = null;
    }
    const { tally } = this;
    return {
      commands: this.sentCount,
      elapsedMs: performance.now() - startedAt,
      errors: tally.errors,
      wrongTypes: tally.wrongTypes,
      unexpected: tally.unexpected,
      checksum: tally.checksum >>> 0,
      errorTexts: [...tally.errorTexts],
      latency: this.latency.parts(),
    };
  }

  stop(): void {
    this.deadline = 0;
  }

  async close(): Promise<void> {
    await Promise.all(this.connections.map((connection) => connection.close()));
  }

  /** How many commands the next batch has; 0 where the run is over. */
  takeShare(now: number): number {
    if (now >= this.deadline) return 0;
    const share = Math.min(this.plan.pipeline, this.remaining);
    this.remaining -= share;
    this.sentCount += share;
    return share;
  }

  noteBatch(sentAt: number, now: number): void {
    this.latency.record((now - sentAt) * NS_PER_MS);
    this.lastReplyAt = now;
  }

  noteFinished(): void {
    this.busyCount -= 1;
    if (this.busyCount === 0) this.settle?.done();
  }

  fail(error: Error): void {
    this.settle?.failed(error);
  }

  private watchSilence(): void {
    if (performance.now() - this.lastReplyAt < SILENCE_MS_MAX) return;
    this.fail(new Error(`${place(this.plan)} has not answered for ${SILENCE_MS_MAX / 1000} s`));
  }
}

class Connection {
  private readonly reader: ReplyReader;
  private socket: Socket | null = null;
  private inFlight = 0;
  private sentAt = 0;
  private isClosing = false;
  private greeted: ((error: Error | null) => void) | null = null;

  constructor(
    private readonly run: LoadRun,
    private readonly batch: Batch,
  ) {
    this.reader = new ReplyReader(run.tally);
  }

  open(): Promise<void> {
    const { host, port, greeting } = this.run.plan;
    return new Promise((resolve, reject) => {
      this.greeted = (error) => {
        this.greeted = null;
        if (error === null) resolve();
        else reject(error);
      };
      const buffer = this.run.readBuffer();
      const onread = { buffer, callback: (length: number) => this.read(buffer, length) };
      const socket = connect({ host, port, noDelay: true, onread }, () => {
        if (greeting.length === 0) {
          this.greeted?.(null);
          return;
        }
        this.inFlight = greeting.length;
        this.reader.expect(new Uint8Array(greeting.length).fill(ReplyKind.Status), this.inFlight);
        socket.write(greeting.map(encodeWords).join(''));
      });
      socket.on('error', (error) => this.fail(error.message));
      socket.on('close', () => this.fail('the server closed the connection'));
      this.socket = socket;
    });
  }

  send(now: number): void {
    const { run } = this;
    const count = run.takeShare(now);
    this.inFlight = count;
    if (count === 0) {
      run.noteFinished();
      return;
    }
    const bytes = this.batch.fill(count, run.picker, run.random);
    this.reader.expect(this.batch.expected, count);
    this.sentAt = performance.now();
    this.socket!.write(bytes);
  }

  close(): Promise<void> {
    this.isClosing = true;
    const { socket } = this;
    if (socket === null || socket.destroyed) return Promise.resolve();
    return new Promise((resolve) => {
      socket.once('close', () => resolve());
      socket.destroy();
    });
  }

  private read(buffer: Buffer, length: number): boolean {
    try {
      this.reader.read(buffer, length);
    } catch (error) {
      this.fail((error as Error).message);
      return false;
    }
    if (this.inFlight === 0 || this.reader.position < this.inFlight) return true;
    if (this.greeted !== null) {
      this.finishGreeting();
      return true;
    }
    const now = performance.now();
    this.run.noteBatch(this.sentAt, now);
    this.send(now);
    return true;
  }

  private finishGreeting(): void {
    const { tally } = this.run;
    this.inFlight = 0;
    const refusal = [...tally.errorTexts.keys()][0];
    this.greeted?.(refusal === undefined ? null : new Error(`${place(this.run.plan)}: ${refusal}`));
    tally.replies = 0;
    tally.checksum = 0;
  }

  private fail(why: string): void {
    if (this.isClosing) return;
    const error = new Error(`${place(this.run.plan)}: ${why}`);
    if (this.greeted !== null) this.greeted(error);
    else this.run.fail(error);
  }
}

function place(plan: LoadPlan): string {
  return `${plan.host}:${plan.port}`;
}
