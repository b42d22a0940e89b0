// A connection to another server of the same protocol, for what this server asks of it: bytes go
// out, replies of one line come in. It lives on Node's loop, whichever transport serves clients.

import net from 'node:net';

/** The longest line of a reply that is kept; Redis keeps as much. */
const LINE_BYTES_MAX = 1024;
const LF = 0x0a;

/** What failed: the connection, or sending or getting something within its time. */
export class OutgoingError extends Error {
  override readonly name = 'OutgoingError';
  readonly action: 'connecting' | 'writing' | 'reading';
  readonly isTimeout: boolean;
  /** Nothing can have been done there yet: another connection may be tried. */
  isRetryable = true;

  constructor(action: 'connecting' | 'writing' | 'reading', isTimeout: boolean) {
    super(`error or timeout ${action}`);
    this.action = action;
    this.isTimeout = isTimeout;
  }
}

export class Outgoing {
  /** It has ended, or failed. */
  isClosed = false;
  private readonly socket: net.Socket;
  private line = '';
  private readonly lines: string[] = [];
  private wake: (() => void) | null = null;

  private constructor(socket: net.Socket) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (bytes) => this.take(bytes));
    socket.on('error', () => this.end());
    socket.on('close', () => this.end());
  }

  static connect(host: string, port: number, timeoutMs: number): Promise<Outgoing> {
    return new Promise((resolve, reject) => {
      const socket = net.connect({ host, port });
      const fail = (isTimeout: boolean) => {
        clearTimeout(timer);
        socket.destroy();
        reject(new OutgoingError('connecting', isTimeout));
      };
      const timer = setTimeout(() => fail(true), timeoutMs);
      socket.once('error', () => fail(false));
      socket.once('connect', () => {
        clearTimeout(timer);
        socket.removeAllListeners('error');
        resolve(new Outgoing(socket));
      });
    });
  }

  private take(bytes: Uint8Array): void {
    for (const byte of bytes) {
      if (byte !== LF) {
        if (this.line.length < LINE_BYTES_MAX) this.line += String.fromCharCode(byte);
        continue;
      }
      this.lines.push(this.line.endsWith('\r') ? this.line.slice(0, -1) : this.line);
      this.line = '';
    }
    this.wake?.();
  }

  private end(): void {
    this.isClosed = true;
    this.wake?.();
  }

  /** Hands bytes to the system; rejects when it does not take them in time. */
  send(bytes: Uint8Array, timeoutMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.isClosed) {
        reject(new OutgoingError('writing', false));
        return;
      }
      const timer = setTimeout(() => reject(new OutgoingError('writing', true)), timeoutMs);
      this.socket.write(bytes, (error) => {
        clearTimeout(timer);
        if (error) reject(new OutgoingError('writing', false));
        else resolve();
      });
    });
  }

  /** The next line that comes. */
  async readLine(timeoutMs: number): Promise<string> {
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      this.wake?.();
    }, timeoutMs);
    try {
      while (this.lines.length === 0) {
        if (this.isClosed || isLate) throw new OutgoingError('reading', isLate);
        await new Promise<void>((resolve) => {
          this.wake = resolve;
        });
      }
    } finally {
      clearTimeout(timer);
      this.wake = null;
    }
    return this.lines.shift()!;
  }

  close(): void {
    this.isClosed = true;
    this.socket.destroy();
  }
}
