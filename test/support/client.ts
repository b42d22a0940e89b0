// A raw client: what goes over the wire is exactly what the test says, in pieces of its choosing.

import net from 'node:net';
import tls from 'node:tls';
import { type Command, encodeCommands, type Reply, ReplyDecoder, type Word } from './resp.js';
import { Random } from './seed.js';

/** How bytes travel: at once, one by one, or in random pieces from a seed. */
export type Delivery = 'whole' | 'bytes' | { readonly chunkSeed: number };

/** What a client talks through: a socket, or an engine in this process. */
export interface Wire {
  write(bytes: Uint8Array): void;
  /** Lets what was written travel before more is written. */
  settle(): Promise<void>;
  close(): void;
}

export interface WireEvents {
  received(bytes: Uint8Array): void;
  closed(reason: string): void;
}

/** How long a reply may take before the test says so, instead of hanging until its own limit. */
const REPLY_MS_MAX = 15_000;
const CHUNK_BYTES_MAX = 16;

interface Reader {
  resolve(reply: Reply): void;
  reject(error: Error): void;
}

export class Client {
  /** The protocol that the replies are expected in. Whoever sends HELLO or RESET keeps it true. */
  protocol: 2 | 3 = 2;
  private readonly decoder = new ReplyDecoder();
  private readonly arrived: Reply[] = [];
  private readonly readers: Reader[] = [];
  private readonly random: Random;
  private wire: Wire | null = null;
  private ended: string | null = null;
  private readonly endListeners: (() => void)[] = [];

  constructor(private readonly delivery: Delivery = 'whole') {
    this.random = new Random(typeof delivery === 'object' ? delivery.chunkSeed : 0);
  }

  /** Gives the client its wire; the wire speaks to the events returned by `events`. */
  attach(wire: Wire): void {
    this.wire = wire;
  }

  readonly events: WireEvents = {
    received: (bytes) => this.received(bytes),
    closed: (reason) => this.wireClosed(reason),
  };

  /** Sends bytes as they are, cut by the delivery mode. */
  async send(bytes: Uint8Array): Promise<void> {
    const wire = this.wire;
    if (wire === null || this.ended !== null) return;
    if (this.delivery === 'whole') {
      wire.write(bytes);
      return;
    }
    let at = 0;
    while (at < bytes.length) {
      const length = this.delivery === 'bytes' ? 1 : this.random.between(1, CHUNK_BYTES_MAX);
      wire.write(bytes.subarray(at, at + length));
      at += length;
      await wire.settle();
    }
  }

  /** Sends one command and reads one reply. */
  async command(...words: Word[]): Promise<Reply> {
    await this.send(encodeCommands([words]));
    return this.read();
  }

  /** Sends all commands before it reads their replies. */
  async pipeline(commands: readonly Command[]): Promise<Reply[]> {
    await this.send(encodeCommands(commands));
    const replies: Reply[] = [];
    for (let index = 0; index < commands.length; index++) replies.push(await this.read());
    return replies;
  }

  /** The next reply; fails when the connection ends or nothing comes for 15 s. */
  read(replyMsMax = REPLY_MS_MAX): Promise<Reply> {
    const reply = this.arrived.shift();
    if (reply !== undefined) return Promise.resolve(reply);
    if (this.ended !== null) return Promise.reject(new Error(this.ended));
    return new Promise<Reply>((resolve, reject) => {
      const reader: Reader = {
        resolve: (value) => {
          clearTimeout(timer);
          resolve(value);
        },
        reject: (error) => {
          clearTimeout(timer);
          reject(error);
        },
      };
      const timer = setTimeout(() => {
        this.readers.splice(this.readers.indexOf(reader), 1);
        reject(new Error(`no reply within ${replyMsMax} ms`));
      }, replyMsMax);
      this.readers.push(reader);
    });
  }

  /** Replies that arrived and nobody read. */
  get unread(): readonly Reply[] {
    return this.arrived;
  }

  get isClosed(): boolean {
    return this.ended !== null;
  }

  /** Waits until the other side closes. False when it has not after `msMax`. */
  async closedWithin(msMax: number): Promise<boolean> {
    if (this.ended !== null) return true;
    return new Promise<boolean>((resolve) => {
      const timer = setTimeout(() => resolve(false), msMax);
      this.endListeners.push(() => {
        clearTimeout(timer);
        resolve(true);
      });
    });
  }

  close(): void {
    this.wire?.close();
    this.wireClosed('this client closed the connection');
  }

  private received(bytes: Uint8Array): void {
    try {
      this.decoder.feed(bytes);
      for (let reply = this.decoder.next(); reply !== undefined; reply = this.decoder.next()) {
        const reader = this.readers.shift();
        if (reader === undefined) this.arrived.push(reply);
        else reader.resolve(reply);
      }
    } catch (error) {
      this.wire?.close();
      this.wireClosed(String(error));
    }
  }

  private wireClosed(reason: string): void {
    if (this.ended !== null) return;
    this.ended = reason;
    for (const reader of this.readers.splice(0)) reader.reject(new Error(reason));
    for (const listener of this.endListeners.splice(0)) listener();
  }
}

export interface ConnectOptions {
  readonly delivery?: Delivery;
  readonly host?: string;
  /** Encrypted, with these options. */
  readonly tls?: tls.ConnectionOptions;
}

/** Opens a raw client to a port of this machine, or to a unix socket's path. */
export function connect(port: number | string, options: ConnectOptions = {}): Promise<Client> {
  const client = new Client(options.delivery);
  const socket = socketTo(port, options);
  client.attach({
    write: (bytes) => socket.write(bytes),
    settle: () => new Promise((resolve) => setImmediate(resolve)),
    close: () => socket.destroy(),
  });
  return new Promise<Client>((resolve, reject) => {
    socket.once(options.tls === undefined ? 'connect' : 'secureConnect', () => resolve(client));
    socket.on('data', (chunk) => client.events.received(chunk));
    socket.on('close', () => client.events.closed('the server closed the connection'));
    socket.on('error', (error) => {
      client.events.closed(`the connection broke: ${error.message}`);
      reject(error);
    });
  });
}

function socketTo(port: number | string, options: ConnectOptions): net.Socket {
  if (typeof port === 'string') return net.connect({ path: port });
  const where = { port, host: options.host ?? '127.0.0.1', noDelay: true };
  if (options.tls === undefined) return net.connect(where);
  return tls.connect({ ...where, servername: 'localhost', ...options.tls });
}
