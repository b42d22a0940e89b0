// One connection for questions: INFO, DBSIZE, CONFIG. Builds whole replies; not for load.

import { connect, type Socket } from 'node:net';
import { encodeWords } from './requests.js';

export type Reply = string | number | null | Reply[];

export interface Address {
  readonly host: string;
  readonly port: number;
  /** AUTH and SELECT, where the address asks for them. */
  readonly greeting: readonly (readonly string[])[];
}

interface Asked {
  resolve(reply: Reply): void;
  reject(error: Error): void;
}

/** redis://[[user]:password@]host[:port][/database] */
export function parseAddress(text: string): Address {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw new Error(`'${text}' is no address: write redis://host:port`);
  }
  if (url.protocol !== 'redis:') throw new Error(`'${text}': only redis:// can be measured`);
  const greeting: string[][] = [];
  const user = decodeURIComponent(url.username);
  const password = decodeURIComponent(url.password);
  if (password !== '') greeting.push(user === '' ? ['AUTH', password] : ['AUTH', user, password]);
  const database = url.pathname.replace(/^\//, '');
  if (database !== '') greeting.push(['SELECT', database]);
  const host = url.hostname === '' ? '127.0.0.1' : url.hostname.replace(/^\[|\]$/g, '');
  return { host, port: url.port === '' ? 6379 : Number(url.port), greeting };
}

export class Control {
  private readonly asked: Asked[] = [];
  private rest: Buffer = Buffer.alloc(0);
  private ending: Error | null = null;

  private constructor(private readonly socket: Socket) {
    socket.on('data', (chunk: Buffer) => this.receive(chunk));
    socket.on('error', (error) => this.end(error));
    socket.on('close', () => this.end(new Error('the server closed the control connection')));
  }

  static async open(address: Address): Promise<Control> {
    const socket = await new Promise<Socket>((resolve, reject) => {
      const opening = connect({ host: address.host, port: address.port, noDelay: true }, () => {
        opening.off('error', reject);
        resolve(opening);
      });
      opening.once('error', reject);
    });
    const control = new Control(socket);
    try {
      for (const words of address.greeting) await control.ask(...words);
    } catch (error) {
      control.close();
      throw error;
    }
    return control;
  }

  ask(...words: string[]): Promise<Reply> {
    return new Promise((resolve, reject) => {
      if (this.ending !== null) return reject(this.ending);
      this.asked.push({ resolve, reject });
      this.socket.write(encodeWords(words));
    });
  }

  async askNumber(...words: string[]): Promise<number> {
    const reply = Number(await this.ask(...words));
    if (Number.isNaN(reply)) throw new Error(`${words.join(' ')} answered no number`);
    return reply;
  }

  /** The fields of an INFO section. */
  async info(section: string): Promise<ReadonlyMap<string, string>> {
    const text = String(await this.ask('INFO', section));
    const pairs = [...text.matchAll(/^([^#:\r\n]+):([^\r\n]*)/gm)];
    return new Map(pairs.map((pair) => [pair[1]!, pair[2]!]));
  }

  close(): void {
    this.ending = new Error('the control connection is closed');
    this.socket.destroy();
  }

  private receive(chunk: Buffer): void {
    this.rest = this.rest.length === 0 ? chunk : Buffer.concat([this.rest, chunk]);
    for (;;) {
      const read = readReply(this.rest, 0);
      if (read === null) return;
      this.rest = this.rest.subarray(read.end);
      const asked = this.asked.shift();
      if (read.value instanceof Error) asked?.reject(read.value);
      else asked?.resolve(read.value);
    }
  }

  private end(error: Error): void {
    this.ending ??= error;
    for (const asked of this.asked.splice(0)) asked.reject(error);
  }
}

/** The reply at `at`, or null where its end has not come. Nested errors stand as their text. */
function readReply(bytes: Buffer, at: number): { value: Reply | Error; end: number } | null {
  const lineEnd = bytes.indexOf('\r\n', at);
  if (lineEnd < 0) return null;
  const line = bytes.toString('utf8', at + 1, lineEnd);
  const next = lineEnd + 2;
  switch (String.fromCharCode(bytes[at]!)) {
    case '+':
      return { value: line, end: next };
    case ':':
      return { value: Number(line), end: next };
    case '-':
      return { value: new Error(line), end: next };
    case '$': {
      const length = Number(line);
      if (length < 0) return { value: null, end: next };
      if (bytes.length < next + length + 2) return null;
      return { value: bytes.toString('utf8', next, next + length), end: next + length + 2 };
    }
    case '*':
      return readElements(bytes, next, Number(line));
    default:
      throw new Error(`the control connection got a reply that is no RESP2: ${line}`);
  }
}

function readElements(bytes: Buffer, at: number, count: number): ReturnType<typeof readReply> {
  if (count < 0) return { value: null, end: at };
  const value: Reply[] = [];
  let end = at;
  for (let index = 0; index < count; index += 1) {
    const element = readReply(bytes, end);
    if (element === null) return null;
    value.push(element.value instanceof Error ? element.value.message : element.value);
    end = element.end;
  }
  return { value, end };
}
