// A load that sends the same bytes again and again and counts the lines of the replies: for what a
// mix cannot say, such as transactions, scripts and messages. Values hold no line feeds.

import { connect, type Socket } from 'node:net';
import type { Address } from './control.js';
import { encodeWords } from './requests.js';

const LF = 0x0a;
const READ_BYTES = 256 * 1024;
const SILENCE_MS_MAX = 30_000;

/** The words of several commands as RESP. */
export function encodeAll(commands: readonly (readonly string[])[]): Buffer {
  return Buffer.from(commands.map(encodeWords).join(''));
}

// libuv reads and calls back in one step, so that all sockets can share a buffer; not on Windows,
// where a read is started before its bytes have come. One for each of them would be read into
// memory that no cache has, and take the caches from a server that shares them.
const sharedBuffer = Buffer.allocUnsafeSlow(READ_BYTES);

function readBuffer(): Buffer {
  return process.platform === 'win32' ? Buffer.allocUnsafe(16 * 1024) : sharedBuffer;
}

/** A connection that counts lines, and tells when there are enough. */
export class LineCounter {
  lines = 0;
  private wanted = Number.POSITIVE_INFINITY;
  private reached: () => void = () => {};
  private failed: ((error: Error) => void) | null = null;

  private constructor(private readonly socket: Socket) {
    const fail = (error: Error) => this.failed?.(error);
    socket.on('error', fail);
    socket.on('close', () => fail(new Error('the server closed the connection')));
  }

  static open({ host, port }: Address): Promise<LineCounter> {
    return new Promise((resolve, reject) => {
      const buffer = readBuffer();
      let counter: LineCounter | null = null;
      const callback = (length: number): boolean => {
        counter?.read(buffer, length);
        return true;
      };
      const socket = connect({ host, port, noDelay: true, onread: { buffer, callback } }, () => {
        counter = new LineCounter(socket);
        resolve(counter);
      });
      socket.once('error', reject);
    });
  }

  send(bytes: Uint8Array): void {
    this.socket.write(bytes);
  }

  /** Calls `reached` once when so many lines have come since the connection was opened. */
  whenAt(lines: number, reached: () => void, failed: (error: Error) => void): void {
    this.wanted = lines;
    this.reached = reached;
    this.failed = failed;
  }

  /** Until so many lines have come since the connection was opened. */
  until(lines: number): Promise<void> {
    if (this.lines >= lines) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const timer = watchSilence(() => this.lines, reject);
      const reached = () => {
        clearInterval(timer);
        resolve();
      };
      const failed = (error: Error) => {
        clearInterval(timer);
        reject(error);
      };
      this.whenAt(lines, reached, failed);
    });
  }

  close(): void {
    this.failed = null;
    this.socket.destroy();
  }

  /** A loop of our own: one that looks for the next line feed would look behind `length`, too. */
  private read(bytes: Buffer, length: number): void {
    let lines = 0;
    for (let at = 0; at < length; at++) if (bytes[at] === LF) lines++;
    this.lines += lines;
    if (this.lines < this.wanted) return;
    this.wanted = Number.POSITIVE_INFINITY;
    this.reached();
  }
}

/** Gives up once `lines` has stood still for too long. */
function watchSilence(lines: () => number, fail: (error: Error) => void): NodeJS.Timeout {
  let before = lines();
  return setInterval(() => {
    const now = lines();
    if (now === before) fail(new Error(`no reply for ${SILENCE_MS_MAX / 1000} s`));
    before = now;
  }, SILENCE_MS_MAX);
}

export interface Repeated {
  readonly address: Address;
  /** What each connection sends: one of them after the other, round and round. */
  readonly batches: readonly Uint8Array[];
  readonly linesPerBatch: number;
  readonly batchCount: number;
  readonly connections: number;
}

/** Sends so many batches in all, each connection one at a time. */
export async function repeat(plan: Repeated): Promise<void> {
  const counters = await Promise.all(
    Array.from({ length: plan.connections }, () => LineCounter.open(plan.address)),
  );
  const lines = () => counters.reduce((sum, counter) => sum + counter.lines, 0);
  let timer: NodeJS.Timeout | null = null;
  try {
    await new Promise<void>((resolve, reject) => {
      timer = watchSilence(lines, reject);
      sendAll(plan, counters, resolve, reject);
    });
  } finally {
    if (timer !== null) clearInterval(timer);
    for (const counter of counters) counter.close();
  }
}

/** Without a promise or a timer for each batch: on few cores the load takes from the server. */
function sendAll(
  plan: Repeated,
  counters: readonly LineCounter[],
  done: () => void,
  failed: (error: Error) => void,
): void {
  const { batches, linesPerBatch } = plan;
  let left = plan.batchCount;
  let busy = counters.length;
  for (const [index, counter] of counters.entries()) {
    let sent = 0;
    const next = () => {
      if (left === 0) {
        busy--;
        if (busy === 0) done();
        return;
      }
      left--;
      const batch = batches[(index + sent) % batches.length]!;
      sent++;
      counter.whenAt(sent * linesPerBatch, next, failed);
      counter.send(batch);
    };
    next();
  }
}
