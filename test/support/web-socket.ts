// A client of the gateway's WebSocket for tests: requests by id, pushes in a list, how it ended.

import { addExtension, Packr, unpackMultiple } from 'msgpackr';
import { type ClientOptions, WebSocket } from 'ws';

const WAIT_MS_MAX = 15_000;
const packr = new Packr({ useRecords: false, variableMapSize: true });

/** An error inside of a reply. */
export class InnerError {
  constructor(readonly line: string) {}
}
addExtension({
  Class: InnerError,
  type: 1,
  pack: ({ line }: InnerError) => Buffer.from(line),
  unpack: (bytes: Buffer) => new InnerError(Buffer.from(bytes).toString()),
});

export type Message = readonly unknown[];

export interface Ending {
  readonly code: number;
  readonly reason: string;
}

export class WebClient {
  readonly socket: WebSocket;
  readonly pushes: Message[] = [];
  /** Raw frames, for those who want to see them. */
  readonly frames: unknown[] = [];
  readonly ended: Promise<Ending>;
  private readonly waiting = new Map<number, (reply: Message) => void>();
  private nextId = 1;

  private constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on('message', (data: Buffer) => this.take(data));
    socket.on('error', () => {});
    this.ended = new Promise((resolve) => {
      socket.on('close', (code, reason) => resolve({ code, reason: reason.toString() }));
    });
  }

  /** Opens a connection; throws `Unexpected server response: 403` and the like. */
  static async open(
    url: string,
    protocols: string | string[] = 'flagstone.msgpack',
    options: ClientOptions = {},
  ): Promise<WebClient> {
    const socket = new WebSocket(url, protocols, { perMessageDeflate: false, ...options });
    const client = new WebClient(socket);
    await new Promise<void>((resolve, reject) => {
      socket.once('open', resolve);
      socket.once('error', reject);
    });
    return client;
  }

  private take(data: Buffer): void {
    if (this.socket.protocol === 'resp3') {
      this.frames.push(data.toString('latin1'));
      return;
    }
    const [frame, ...others] = unpackMultiple(data) as unknown[][];
    if (frame === undefined || others.length > 0) throw new Error('a frame is one value');
    this.frames.push(frame);
    const messages = Array.isArray(frame[0]) ? (frame as Message[]) : [frame as Message];
    for (const message of messages) this.hear(message);
  }

  private hear(message: Message): void {
    const [id] = message;
    if (id === null) this.pushes.push(message);
    else {
      const resolve = this.waiting.get(id as number);
      this.waiting.delete(id as number);
      resolve?.(message);
    }
  }

  /** Says a command: its value, or throws its error. */
  async say(...words: unknown[]): Promise<unknown> {
    const [[, error, value]] = (await this.sayAll([words])) as [Message];
    if (error !== null) throw new Error(error as string);
    return value;
  }

  /** Says several in one frame: their replies as they came. */
  sayAll(commands: readonly (readonly unknown[])[]): Promise<Message[]> {
    const requests = commands.map((words) => [this.nextId++, ...words]);
    const replies = requests.map(
      ([id]) =>
        new Promise<Message>((resolve, reject) => {
          const timer = setTimeout(() => reject(new Error('no reply')), WAIT_MS_MAX);
          this.waiting.set(id as number, (reply) => {
            clearTimeout(timer);
            resolve(reply);
          });
        }),
    );
    this.send(requests.length === 1 ? requests[0] : requests);
    return Promise.all(replies);
  }

  send(value: unknown): void {
    this.socket.send(packr.pack(value));
  }

  /** Waits until so many pushes have come. */
  async untilPushes(count: number): Promise<Message[]> {
    const until = Date.now() + WAIT_MS_MAX;
    while (this.pushes.length < count) {
      if (Date.now() > until) {
        throw new Error(`${this.pushes.length} of ${count} pushes: ${JSON.stringify(this.pushes)}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    return this.pushes;
  }

  close(): void {
    this.socket.terminate();
  }
}
