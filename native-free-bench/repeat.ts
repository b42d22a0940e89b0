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

/** A connection that counts lines, and tells when there are enough. */
export class LineCounter {
  lines = 0;
  private wanted = Number.POSITIVE_INFINITY;
  private reached: (() => void) | null = null;
  private failed: ((error: Error) => void) | null = null;

  private constructor(private readonly socket: Socket) {
    const fail = (error: Error) => this.failed?.(error);
    socket.on('error', fail);
    socket.on('close', () => fail(new Error('the server closed the connection')));
  }

  static open({ host, port }: Address): Promise<LineCounter> {
    return new Promise((resolve, reject) => {
      const buffer = Buffer.allocUnsafeSlow(READ_BYTES);
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

  /** Until so many lines have come since the connection was opened. */
  until(lines: number): Promise<void> {
    if (this.lines >= lines) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`no reply for ${SILENCE_MS_MAX / 1000} s`)),
        SILENCE_MS_MAX,
      );
      this.wanted = lines;
      this.failed = reject;
      this.reached = () => {
        clearTimeout(timer);
        this.wanted = Number.POSITIVE_INFINITY;
        resolve();
      };
    });
  }

  close(): void {
    this.failed = null;
    this.socket.destroy();
  }

  private read(bytes: Buffer, length: number): void {
    for (let at = bytes.indexOf(LF); at !== -1 && at < length; at = bytes.indexOf(LF, at + 1)) {
      this.lines++;
    }
    if (this.lines >= this.wanted) this.reached?.();
  }
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
  let left = plan.batchCount;
  try {
    await Promise.all(
      counters.map(async (counter, index) => {
        for (let sent = 0; left > 0; sent++) {
          left--;
          counter.send(plan.batches[(index + sent) % plan.batches.length]!);
          await counter.until((sent + 1) * plan.linesPerBatch);
        }
      }),
    );
  } finally {
    for (const counter of counters) counter.close();
  }
}
