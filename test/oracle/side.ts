// One of the two servers: a command line that is started here, or a port where one listens.

import net from 'node:net';
import { type Command, decodeReply, encodeCommands, ReplyFrames, textOf } from '../support/resp.js';
import { type Server, startServer } from '../support/server.js';

const REPLY_MS_MAX = 30_000;

interface Pending {
  readonly frames: Buffer[];
  readonly count: number;
  resolve(frames: Buffer[]): void;
  reject(error: Error): void;
}

export class Side {
  private server: Server | null = null;
  private socket: net.Socket | null = null;
  private parser = new ReplyFrames();
  private pending: Pending | null = null;
  private broken: Error | null = null;
  /** redis_version as INFO tells it. */
  version = '';

  constructor(
    readonly name: string,
    /** A port, or a command line. Undefined: the built Flagstone. */
    private readonly place: string | undefined,
    /** Worker threads of the built Flagstone, if not its default. */
    private readonly threads?: number,
  ) {}

  /** Starts the server if it is ours and not running, and opens a fresh connection. */
  async open(): Promise<void> {
    this.socket?.destroy();
    this.parser = new ReplyFrames();
    this.broken = null;
    this.pending = null;
    const isPort = this.place !== undefined && /^\d+$/.test(this.place);
    if (!isPort && !this.server?.isRunning) {
      const command = this.place === undefined ? {} : { command: this.place };
      const threads = this.threads === undefined ? {} : { threads: this.threads };
      this.server = await startServer({ ...command, ...threads });
    }
    const port = isPort ? Number(this.place) : this.server!.port;
    await this.connect(port);
    const [info] = await this.ask([['INFO', 'server']]);
    const text = textOf(decodeReply(info!)) ?? '';
    this.version = /redis_version:(\S+)/.exec(text)?.[1] ?? '0.0.0';
  }

  /** Sends commands together and returns their replies as bytes. */
  async ask(commands: readonly Command[]): Promise<Buffer[]> {
    return this.askEncoded(encodeCommands(commands), commands.length);
  }

  askEncoded(bytes: Buffer, count: number): Promise<Buffer[]> {
    if (this.broken !== null) return Promise.reject(this.broken);
    return new Promise<Buffer[]>((resolve, reject) => {
      const timer = setTimeout(() => this.fail(`no reply within ${REPLY_MS_MAX} ms`), REPLY_MS_MAX);
      this.pending = {
        frames: [],
        count,
        resolve: (frames) => {
          clearTimeout(timer);
          resolve(frames);
        },
        reject: (error) => {
          clearTimeout(timer);
          reject(error);
        },
      };
      this.socket!.write(bytes);
    });
  }

  /** What the server printed, for a report about its end. */
  report(): string {
    return this.server?.report() ?? '';
  }

  async close(): Promise<void> {
    this.socket?.destroy();
    await this.server?.stop();
    this.server = null;
  }

  private connect(port: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const socket = net.connect({ port, host: '127.0.0.1', noDelay: true });
      this.socket = socket;
      socket.once('connect', () => resolve());
      socket.on('data', (chunk) => {
        if (this.socket === socket) this.received(chunk);
      });
      socket.on('error', (error) => {
        reject(error);
        if (this.socket === socket) this.fail(error.message);
      });
      socket.on('close', () => {
        if (this.socket === socket) this.fail('the connection was closed');
      });
    });
  }

  private received(chunk: Buffer): void {
    this.parser.feed(chunk);
    const pending = this.pending;
    if (pending === null) {
      this.fail('a reply came that nobody asked for');
      return;
    }
    try {
      for (let frame = this.parser.next(); frame !== undefined; frame = this.parser.next()) {
        pending.frames.push(Buffer.from(frame));
      }
    } catch (error) {
      this.fail((error as Error).message);
      return;
    }
    if (pending.frames.length < pending.count) return;
    this.pending = null;
    if (pending.frames.length > pending.count) this.fail('more replies than commands came');
    pending.resolve(pending.frames);
  }

  private fail(problem: string): void {
    this.broken ??= new SideError(this, problem);
    const pending = this.pending;
    this.pending = null;
    pending?.reject(this.broken);
  }
}

/** A server that hung up, fell silent or spoke nonsense. */
export class SideError extends Error {
  override readonly name = 'SideError';

  constructor(
    readonly side: Side,
    problem: string,
  ) {
    super(`${side.name}: ${problem}`);
  }
}
