// What the threads of the multi-thread tests do. Each job is plain data, given as workerData, and
// answers with a list of numbers.

import { performance } from 'node:perf_hooks';
import { isMainThread, parentPort, workerData } from 'node:worker_threads';
import * as libc from '../../src/base/libc.js';
import { Board, type BoardShape, NO_SLOT, type Part, type SlotRef } from '../../src/mesh/board.js';
import { type MeshShape, type MessageHandler, MessageKind, Post } from '../../src/mesh/post.js';
import {
  configureLocks,
  holderOf,
  locksHeld,
  releaseLock,
  releaseLocks,
  takeLock,
  takeLocks,
} from '../../src/slab/lock.js';
import { Random } from '../support/seed.js';

/** Adds to a counter, plainly, under a lock. Answers [p50, p99.9, max] of taking it, in µs. */
export interface CountJob {
  readonly job: 'count';
  readonly thread: number;
  readonly words: SharedArrayBuffer;
  readonly lockAt: number;
  readonly counterAt: number;
  readonly durationMs: number;
  /** How long a visit and the pause after it last, in turns of an empty loop. */
  readonly visitTurns: number;
  readonly pauseTurns: number;
}

/** Moves amounts between accounts, each under a lock of its own; checks the sum under all locks. */
export interface TransferJob {
  readonly job: 'transfer';
  readonly thread: number;
  /** Per account: a lock's words, then the balance. */
  readonly words: SharedArrayBuffer;
  readonly accounts: number;
  readonly stride: number;
  readonly rounds: number;
  readonly seed: number;
}

/** Exchanges numbered messages of many lengths with all other threads, and checks all it gets. */
export interface MeshJob {
  readonly job: 'mesh';
  readonly shape: MeshShape;
  readonly thread: number;
  readonly messages: number;
  readonly lengthMax: number;
  readonly seed: number;
}

/** Coordinates rounds of parts and serves those of others; each part adds to its own counter. */
export interface BoardJob {
  readonly job: 'board';
  readonly mesh: MeshShape;
  readonly board: BoardShape;
  readonly thread: number;
  readonly rounds: number;
  readonly partsPerRound: number;
  readonly counters: SharedArrayBuffer;
  readonly finished: SharedArrayBuffer;
  readonly seed: number;
}

export type Job = CountJob | TransferJob | MeshJob | BoardJob;

function spin(turns: number): void {
  let sum = 0;
  for (let turn = 0; turn < turns; turn++) sum = (sum + turn) | 0;
  if (sum === -1) throw new Error('unreachable, but the loop must stay');
}

// ---- locks ------------------------------------------------------------------------------------

function count(job: CountJob): number[] {
  const words = new Int32Array(job.words);
  const self = holderOf(job.thread);
  let takes = 0;
  const endMs = performance.now() + job.durationMs;
  while (performance.now() < endMs) {
    takeLock(words, job.lockAt, self);
    const before = words[job.counterAt]!;
    spin(job.visitTurns);
    words[job.counterAt] = before + 1;
    releaseLock(words, job.lockAt);
    takes++;
    spin(job.pauseTurns);
  }
  return [takes];
}

function transfer(job: TransferJob): number[] {
  const words = new Int32Array(job.words);
  const self = holderOf(job.thread);
  const random = new Random(job.seed);
  const { accounts, stride } = job;
  const places = {
    words: Array.from({ length: accounts }, () => words),
    ats: Int32Array.from({ length: accounts }, (_, account) => account * stride),
  };
  const balanceAt = (account: number) => account * stride + stride - 1;
  const all = Int32Array.from({ length: accounts }, (_, account) => account);
  const pair = new Int32Array(2);
  let wrongSums = 0;
  for (let round = 0; round < job.rounds; round++) {
    if (random.below(10) === 0) {
      takeLocks(places, all, accounts, self);
      let sum = 0;
      for (let account = 0; account < accounts; account++) sum += words[balanceAt(account)]!;
      if (sum !== 0) wrongSums++;
      releaseLocks(places, all, accounts);
      continue;
    }
    const source = random.below(accounts);
    const target = (source + 1 + random.below(accounts - 1)) % accounts;
    pair[0] = Math.min(source, target);
    pair[1] = Math.max(source, target);
    takeLocks(places, pair, 2, self);
    words[balanceAt(source)] = words[balanceAt(source)]! - 1;
    spin(50);
    words[balanceAt(target)] = words[balanceAt(target)]! + 1;
    releaseLocks(places, pair, 2);
  }
  return [wrongSums];
}

// ---- mesh -------------------------------------------------------------------------------------

const SLEEP_MS = 5000; // far longer than the test should take: a lost wake-up shows as a pause

/** Sleeps the way this thread's bell wants it. */
class Sleeper {
  private readonly post: Post;
  private readonly epfd: number;
  private readonly events: libc.EpollEvents | null;

  constructor(post: Post) {
    this.post = post;
    const { kind, eventfd } = post.bell;
    this.epfd = kind === 'epoll' ? libc.epollCreate() : -1;
    this.events = kind === 'epoll' ? new libc.EpollEvents(4) : null;
    if (kind === 'epoll') libc.epollAdd(this.epfd, eventfd, libc.Epoll.In, eventfd, 0);
  }

  /** Sleeps until something is there, and counts sleeps that nobody ended. */
  async sleep(isThereMore: () => boolean): Promise<number> {
    let isLate = 0;
    if (this.post.prepareSleep() && !isThereMore()) {
      const startMs = performance.now();
      await this.sleepNow();
      isLate = performance.now() - startMs >= SLEEP_MS - 1 ? 1 : 0;
    }
    this.post.woke();
    return isLate;
  }

  private async sleepNow(): Promise<void> {
    const { bell } = this.post;
    if (this.events !== null) {
      if (libc.epollWait(this.epfd, this.events, SLEEP_MS) > 0) bell.takeSignal();
    } else if (bell.kind === 'blocking') {
      bell.wait(SLEEP_MS);
    } else {
      const alive = setTimeout(() => {}, SLEEP_MS);
      await bell.waitAsync(SLEEP_MS);
      clearTimeout(alive);
    }
  }

  close(): void {
    if (this.epfd >= 0) libc.close(this.epfd);
  }
}

const NUMBER_BYTES = 4;

/** The messages of one sender to one target: both sides can compute lengths and bytes. */
class MessageStream {
  private readonly random: Random;
  private readonly lengthMax: number;
  index = 0;

  constructor(seed: number, from: number, to: number, lengthMax: number) {
    this.random = new Random(seed * 10_007 + from * 101 + to);
    this.lengthMax = lengthMax;
  }

  /** Length of the next message: mostly short, now and then very long. */
  nextLength(): number {
    this.index++;
    const isLong = this.random.below(100) === 0;
    const length = this.random.below(isLong ? this.lengthMax : 200);
    return NUMBER_BYTES + length;
  }
}

function byteOf(index: number, at: number): number {
  return (index * 31 + at) & 0xff;
}

function fillMessage(u8: Uint8Array, index: number, length: number): void {
  for (let at = NUMBER_BYTES; at < length; at++) u8[at] = byteOf(index, at);
  new DataView(u8.buffer, u8.byteOffset).setInt32(0, index, true);
}

function isMessage(u8: Uint8Array, start: number, length: number, index: number): boolean {
  const number = new DataView(u8.buffer, u8.byteOffset + start).getInt32(0, true);
  if (number !== index) return false;
  for (let at = NUMBER_BYTES; at < length; at++) {
    if (u8[start + at] !== byteOf(index, at)) return false;
  }
  return true;
}

/** One thread of a mesh test: sends its streams, and checks those it gets. */
class Walker {
  readonly post: Post;
  readonly sleeper: Sleeper;
  readonly got: number[];
  wrong = 0;
  late = 0;
  private readonly job: MeshJob;
  private readonly out: MessageStream[];
  private readonly handlers: (MessageHandler | undefined)[] = [];
  private readonly buffer: Uint8Array;

  constructor(job: MeshJob) {
    this.job = job;
    this.post = new Post(job.shape, job.thread, locksHeld);
    this.sleeper = new Sleeper(this.post);
    const threads = Array.from({ length: job.shape.threadCount }, (_, thread) => thread);
    const streamOf = (from: number, to: number) =>
      new MessageStream(job.seed, from, to, job.lengthMax);
    this.out = threads.map((to) => streamOf(job.thread, to));
    this.got = threads.map(() => 0);
    const expected = threads.map((from) => streamOf(from, job.thread));
    this.buffer = new Uint8Array(NUMBER_BYTES + Math.max(200, job.lengthMax));
    this.handlers[MessageKind.Custom] = (from, u8, start, length) => {
      const stream = expected[from]!;
      const isRight = length === stream.nextLength() && isMessage(u8, start, length, stream.index);
      if (!isRight) this.wrong++;
      this.got[from] = this.got[from]! + 1;
    };
  }

  poll(): number {
    return this.post.poll(this.handlers);
  }

  /** Sends one message to everybody, unless the outbox says that others must read first. */
  sendRound(): void {
    for (const [to, stream] of this.out.entries()) {
      if (to === this.job.thread) continue;
      const length = stream.nextLength();
      fillMessage(this.buffer, stream.index, length);
      this.post.send(to, MessageKind.Custom, this.buffer, 0, length);
    }
  }

  isDone(): boolean {
    const { thread, messages } = this.job;
    const isMissing = this.got.some((count, from) => from !== thread && count < messages);
    return !isMissing && this.post.outboxCount() === 0;
  }
}

async function mesh(job: MeshJob): Promise<number[]> {
  const walker = new Walker(job);
  const endMs = performance.now() + 30_000;
  let rounds = 0;
  let overLimit = 0;
  while (rounds < job.messages || !walker.isDone()) {
    if (performance.now() > endMs) return [-1, walker.late, ...walker.got];
    const polled = walker.poll();
    const mayPush = rounds < job.messages && !walker.post.isOverLimit();
    if (rounds < job.messages && !mayPush) overLimit++;
    if (mayPush) {
      walker.sendRound();
      rounds++;
      walker.post.flush();
    } else if (polled === 0) {
      walker.late += await walker.sleeper.sleep(() => false);
    }
  }
  walker.post.flush();
  walker.sleeper.close();
  return [walker.wrong, walker.late, overLimit, walker.got.reduce((sum, one) => sum + one, 0)];
}

// ---- board ------------------------------------------------------------------------------------

/** A part of the tests: counts itself, and answers with the square of its argument. */
function runPart(counters: Int32Array, part: Part): number {
  const { i32 } = part.scratch;
  const argument = i32[part.argAt >> 2]!;
  // Plain, because each part has a counter of its own: a part that runs twice shows.
  counters[part.first] = counters[part.first]! + 1;
  spin(argument & 0xff);
  i32[part.resultAt >> 2] = argument * argument;
  return 4;
}

async function board(job: BoardJob): Promise<number[]> {
  const post = new Post(job.mesh, job.thread, locksHeld);
  const parts = new Board(job.board, job.thread, (owner) => post.wake(owner));
  const sleeper = new Sleeper(post);
  const counters = new Int32Array(job.counters);
  const finished = new Int32Array(job.finished);
  const run = (part: Part) => runPart(counters, part);
  const random = new Random(job.seed + job.thread);
  const threads = job.mesh.threadCount;
  const order = { kind: 1, first: 0, maskLow: 0, maskHigh: 0, argAt: 0, argBytes: 4 };
  configureLocks({
    serveParts: () => parts.serve(run, 1) > 0,
    reportLongHold: () => {},
    longHoldMs: 0,
  });
  let [served, wrong, noSlot, late] = [0, 0, 0, 0];
  for (let round = 0; round < job.rounds; round++) {
    const slots: [SlotRef, number][] = [];
    for (let index = 0; index < job.partsPerRound; index++) {
      const argAt = parts.allocate(4);
      const resultAt = parts.allocate(4);
      const argument = random.below(2000);
      parts.scratch.i32[argAt >> 2] = argument;
      const first = (job.thread * job.rounds + round) * job.partsPerRound + index;
      const whole = { ...order, first, argAt, resultAt, resultBytesMax: 4 };
      const slot = parts.post(random.below(threads), whole);
      if (slot === NO_SLOT) {
        noSlot++;
        counters[first] = counters[first]! + 1;
      } else {
        slots.push([slot, resultAt]);
        if (random.below(4) === 0) served += parts.serve(run, 1);
      }
    }
    parts.awaitAll(run);
    for (const [slot, resultAt] of slots) {
      const argument = parts.scratch.i32[(resultAt >> 2) - 16]!;
      const isRight = parts.scratch.i32[resultAt >> 2] === argument * argument;
      if (!isRight || parts.resultBytesOf(slot) !== 4) wrong++;
    }
    parts.endRound();
    served += parts.serve(run, 4);
  }
  // All serve until all have finished; the last one wakes the others.
  if (Atomics.add(finished, 0, 1) + 1 === threads) {
    for (let to = 0; to < threads; to++) post.wake(to);
  }
  while (Atomics.load(finished, 0) < threads) {
    served += parts.serve(run, 16);
    const isThereMore = () => parts.hasOffers() || Atomics.load(finished, 0) === threads;
    late += await sleeper.sleep(isThereMore);
  }
  sleeper.close();
  return [wrong, served, noSlot, late];
}

async function answer(job: Job): Promise<number[]> {
  switch (job.job) {
    case 'count':
      return count(job);
    case 'transfer':
      return transfer(job);
    case 'mesh':
      return mesh(job);
    case 'board':
      return board(job);
  }
}

if (!isMainThread && parentPort !== null && workerData?.job !== undefined) {
  parentPort.postMessage(await answer(workerData as Job));
}
