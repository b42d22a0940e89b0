// A plain connection to a server, for the view in the terminal: commands out, RESP2 replies in, one
// after the other. Texts are latin1, so that any byte survives until it is shown.

import { connect, type Socket } from 'node:net';

export type Value = string | number | null | readonly Value[] | ErrorReply;

/** An error that the server answered. */
export class ErrorReply {
  constructor(readonly text: string) {}
}

interface Waiting {
  resolve(value: Value): void;
  reject(error: Error): void;
}

export class Link {
  private readonly socket: Socket;
  private input = '';
  private at = 0;
  private readonly waiting: Waiting[] = [];
  private failure: Error | null = null;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.setNoDelay(true);
    socket.setEncoding('latin1');
    socket.on('data', (text: string) => this.received(text));
    socket.on('error', (error) => this.fail(error));
    socket.on('close', () => this.fail(new Error('the server closed the connection')));
  }

  static open(host: string, port: number): Promise<Link> {
    return new Promise((resolve, reject) => {
      const socket = connect({ host, port });
      socket.once('error', reject);
      socket.once('connect', () => {
        socket.off('error', reject);
        resolve(new Link(socket));
      });
    });
  }

  send(...words: string[]): Promise<Value> {
    if (this.failure !== null) return Promise.reject(this.failure);
    const parts = words.map((word) => `$${Buffer.byteLength(word, 'latin1')}\r\n${word}\r\n`);
    this.socket.write(`*${words.length}\r\n${parts.join('')}`, 'latin1');
    return new Promise((resolve, reject) => this.waiting.push({ resolve, reject }));
  }

  close(): void {
    this.socket.destroy();
  }

  private fail(error: Error): void {
    this.failure ??= error;
    for (const { reject } of this.waiting.splice(0)) reject(this.failure);
  }

  private received(text: string): void {
    this.input += text;
    while (this.waiting.length > 0) {
      this.at = 0;
      const value = this.read();
      if (value === undefined) return;
      this.input = this.input.slice(this.at);
      this.waiting.shift()!.resolve(value);
    }
  }

  /** The value at `at`; undefined when it is not there as a whole. */
  private read(): Value | undefined {
    const end = this.input.indexOf('\r\n', this.at);
    if (end === -1) return undefined;
    const mark = this.input[this.at]!;
    const line = this.input.slice(this.at + 1, end);
    this.at = end + 2;
    if (mark === '+') return line;
    if (mark === '-') return new ErrorReply(line);
    if (mark === ':') return Number(line);
    if (mark === '$') return this.readBulk(Number(line));
    if (mark !== '*') throw new Error(`a reply begins with '${mark}'`);
    if (line === '-1') return null;
    const values: Value[] = [];
    for (let index = 0; index < Number(line); index++) {
      const value = this.read();
      if (value === undefined) return undefined;
      values.push(value);
    }
    return values;
  }

  private readBulk(length: number): Value | undefined {
    if (length === -1) return null;
    const end = this.at + length;
    if (this.input.length < end + 2) return undefined;
    const text = this.input.slice(this.at, end);
    this.at = end + 2;
    return text;
  }
}
