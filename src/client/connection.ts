// One connection that outlives its sockets: it sends what is asked in one task as one frame, waits
// for the replies, and when the socket is lost opens another one, later and later.

import { decode, type Encodable, encode } from './msgpack.js';
import { PROTOCOL, type Received, type Socket, type SocketClass, socketClass } from './socket.js';
import { ConnectionError, ReplyError, TimeoutError, type Value, type Word } from './value.js';

/**
 * `connecting`: a socket opens. `ready`: commands are answered. `waiting`: the socket was lost, the
 * next one comes after a pause. `refused`: the server does not take the user, so there is no next
 * one. `closed`: by close().
 */
export type State = 'connecting' | 'ready' | 'waiting' | 'refused' | 'closed';

export interface Options {
  /** The user of the ACL; `default` where only a password is given. */
  readonly user?: string;
  readonly password?: string;
  /** A signed token instead of user and password. A function is asked anew for each connection. */
  readonly token?: string | (() => string | Promise<string>);
  /** How long a reply may take; 0 is for ever. Default: 10 seconds. */
  readonly timeoutMs?: number;
  /** The pause before the first new try, and the longest one. Default: 100 ms, 5 s. */
  readonly retryMs?: number;
  readonly retryMsMax?: number;
  /** How many commands may wait for a connection. Default: 10,000. */
  readonly waitingMax?: number;
  /** After how long without a word the server is asked whether it is there. Default: 20 s. */
  readonly idleMs?: number;
  /** The class of the sockets, where there is no global one (Node.js 20). */
  readonly WebSocket?: SocketClass;
  readonly onState?: (state: State, reason: string) => void;
}

/** What the connection tells its owner. */
export interface Owner {
  /** Commands for a new socket, before those that wait: subscriptions, tracking. */
  greeting(): readonly (readonly Word[])[];
  pushed(kind: string, values: readonly Value[]): void;
  stateChanged(state: State, reason: string): void;
}

interface Request {
  readonly words: readonly Word[];
  readonly deadlineMs: number;
  resolve(value: Value): void;
  reject(error: Error): void;
}

const TIMEOUT_MS = 10_000;
const RETRY_MS = 100;
const RETRY_MS_MAX = 5_000;
const WAITING_MAX = 10_000;
const IDLE_MS = 20_000;
const SWEEP_MS = 250;
const LOADING = 'LOADING';
/** The gateway takes 1 MB in one frame unless told otherwise: batches keep well below. */
const FRAME_BYTES_MAX = 1 << 18;

export class Connection {
  state: State = 'connecting';
  private socket: Socket | null = null;
  private readonly socketClass: SocketClass;
  private lastId = 0;
  private tries = 0;
  private heardMs = Date.now();
  private isFlushing = false;
  /** Asked for, and not sent yet. */
  private waiting: Request[] = [];
  /** Sent, and not answered yet, in the order of their ids. */
  private readonly pending = new Map<number, Request>();
  private retryTimer: ReturnType<typeof setTimeout> | undefined;
  private readonly sweepTimer: ReturnType<typeof setInterval>;

  constructor(
    private readonly url: string,
    private readonly options: Options,
    private readonly owner: Owner,
  ) {
    this.socketClass = socketClass(options.WebSocket);
    this.sweepTimer = setInterval(() => this.sweep(), SWEEP_MS);
    this.open();
  }

  request(
    words: readonly Word[],
    timeoutMs = this.options.timeoutMs ?? TIMEOUT_MS,
  ): Promise<Value> {
    return new Promise((resolve, reject) => {
      const deadlineMs = timeoutMs === 0 ? Number.POSITIVE_INFINITY : Date.now() + timeoutMs;
      const objection = this.objection();
      if (objection !== null) {
        reject(new ConnectionError(objection));
        return;
      }
      this.waiting.push({ words, deadlineMs, resolve, reject });
      if (this.state === 'ready') this.flushSoon();
    });
  }

  close(): void {
    if (this.state === 'closed') return;
    clearInterval(this.sweepTimer);
    clearTimeout(this.retryTimer);
    this.enter('closed', 'closed by close()');
    this.drop('the connection was closed');
    this.failWaiting('the connection was closed');
  }

  private objection(): string | null {
    if (this.state === 'closed') return 'the connection is closed';
    if (this.state === 'refused') return 'the server has refused the user';
    const waitingMax = this.options.waitingMax ?? WAITING_MAX;
    return this.waiting.length < waitingMax ? null : `${waitingMax} commands wait already`;
  }

  private enter(state: State, reason: string): void {
    this.state = state;
    this.owner.stateChanged(state, reason);
  }

  // ---- sockets ---------------------------------------------------------------------------------

  private open(): void {
    this.enter('connecting', '');
    const socket = new this.socketClass(this.url, PROTOCOL);
    this.socket = socket;
    socket.binaryType = 'arraybuffer';
    socket.onopen = () => {
      if (this.socket === socket) this.greet(socket);
    };
    socket.onmessage = (event: Received) => {
      if (this.socket === socket) this.received(event.data);
    };
    // What went wrong is in no error event of a browser: the close that follows is all there is.
    socket.onerror = () => {};
    socket.onclose = (event: { readonly code?: number; readonly reason?: string }) => {
      if (this.socket === socket) this.lost(event.reason || `closed with code ${event.code ?? 0}`);
    };
  }

  private greet(socket: Socket): void {
    this.heardMs = Date.now();
    this.signIn()
      .then(() => this.awaitData())
      .then(() => {
        if (this.socket !== socket) return;
        this.tries = 0;
        const greeting = this.owner.greeting();
        // Whether it worked shows in what follows; a refused one must not end the program.
        for (const words of greeting) this.sendNow(words).catch(() => {});
        this.enter('ready', '');
        this.flush();
      })
      .catch((error: Error) => {
        if (this.socket !== socket) return;
        const isRefused = error instanceof ReplyError && error.code !== LOADING;
        if (isRefused) this.refuse(error.message);
        else this.lost(error.message);
      });
  }

  private async signIn(): Promise<void> {
    const { user, password, token } = this.options;
    if (token !== undefined) {
      const text = typeof token === 'string' ? token : await token();
      await this.sendNow(['GATEWAY', 'TOKEN', text]);
    } else if (password !== undefined) {
      await this.sendNow(['AUTH', user ?? 'default', password]);
    }
  }

  /** A server that has just started may still read its data: then it is asked again later. */
  private async awaitData(): Promise<void> {
    try {
      await this.sendNow(['PING']);
    } catch (error) {
      // Any other refusal, of a user who may not say PING, is an answer too.
      if (!(error instanceof ReplyError) || error.code === LOADING) throw error;
    }
  }

  private refuse(reason: string): void {
    this.enter('refused', reason);
    this.drop(reason);
    this.failWaiting(reason);
  }

  private lost(reason: string): void {
    this.drop(reason);
    const { retryMs = RETRY_MS, retryMsMax = RETRY_MS_MAX } = this.options;
    const pauseMs = Math.min(retryMsMax, retryMs * 2 ** this.tries++);
    // Half of the pause is by chance: a thousand pages must not come back in the same moment.
    this.retryTimer = setTimeout(() => this.open(), pauseMs * (0.5 + Math.random() / 2));
    this.enter('waiting', reason);
  }

  /** Leaves the socket. What was sent on it fails: nobody knows whether it ran. */
  private drop(reason: string): void {
    const { socket } = this;
    this.socket = null;
    if (socket !== null) {
      socket.onopen = socket.onmessage = socket.onclose = null;
      try {
        socket.close();
      } catch {
        // A socket that never opened may object; it is gone all the same.
      }
    }
    const sent = [...this.pending.values()];
    this.pending.clear();
    for (const request of sent) request.reject(new ConnectionError(reason));
  }

  private failWaiting(reason: string): void {
    const waiting = this.waiting;
    this.waiting = [];
    for (const request of waiting) request.reject(new ConnectionError(reason));
  }

  // ---- out -------------------------------------------------------------------------------------

  /** All that one task asks for goes in one frame. */
  private flushSoon(): void {
    if (this.isFlushing) return;
    this.isFlushing = true;
    queueMicrotask(() => {
      this.isFlushing = false;
      if (this.state === 'ready') this.flush();
    });
  }

  private flush(): void {
    const requests = this.waiting;
    this.waiting = [];
    let start = 0;
    let bytes = 0;
    for (const [index, { words }] of requests.entries()) {
      const more = words.reduce<number>((sum, word) => sum + byteCountMost(word), 0);
      if (bytes + more > FRAME_BYTES_MAX && index > start) {
        this.sendFrame(requests.slice(start, index));
        start = index;
        bytes = 0;
      }
      bytes += more;
    }
    if (start < requests.length) this.sendFrame(requests.slice(start));
  }

  private sendFrame(requests: readonly Request[]): void {
    const frame: Encodable[] = [];
    for (const request of requests) {
      const id = this.nextId();
      this.pending.set(id, request);
      frame.push([id, ...request.words.map(wireWord)]);
    }
    this.socket?.send(encode(frame.length === 1 ? frame[0]! : frame));
  }

  private sendNow(words: readonly Word[]): Promise<Value> {
    return new Promise((resolve, reject) => {
      const deadlineMs = Date.now() + (this.options.timeoutMs || TIMEOUT_MS);
      this.sendFrame([{ words, deadlineMs, resolve, reject }]);
    });
  }

  private nextId(): number {
    this.lastId = this.lastId === 0x7fffffff ? 1 : this.lastId + 1;
    return this.lastId;
  }

  // ---- in --------------------------------------------------------------------------------------

  private received(data: unknown): void {
    this.heardMs = Date.now();
    let frame: Value;
    try {
      if (!(data instanceof ArrayBuffer)) throw new TypeError('a frame is not binary');
      frame = decode(new Uint8Array(data));
    } catch (error) {
      this.lost(String(error));
      return;
    }
    if (!Array.isArray(frame)) return;
    if (Array.isArray(frame[0])) for (const each of frame) this.message(each);
    else this.message(frame);
  }

  private message(message: readonly Value[]): void {
    const [id, error, value] = message;
    if (typeof id !== 'number') {
      this.owner.pushed(String(error), message.slice(2));
      return;
    }
    const request = this.pending.get(id);
    if (request === undefined) return;
    this.pending.delete(id);
    if (error === null || error === undefined) request.resolve(value ?? null);
    else request.reject(new ReplyError(String(error)));
  }

  /** Ends what took too long, and asks a silent server for a sign of life. */
  private sweep(): void {
    const nowMs = Date.now();
    for (const [id, request] of this.pending) {
      if (request.deadlineMs > nowMs) continue;
      this.pending.delete(id);
      request.reject(new TimeoutError('no reply in time'));
    }
    if (this.waiting.some(({ deadlineMs }) => deadlineMs <= nowMs)) {
      const late = this.waiting.filter(({ deadlineMs }) => deadlineMs <= nowMs);
      this.waiting = this.waiting.filter(({ deadlineMs }) => deadlineMs > nowMs);
      for (const request of late) request.reject(new TimeoutError('no connection in time'));
    }
    const idleMs = this.options.idleMs ?? IDLE_MS;
    if (this.state !== 'ready' || nowMs - this.heardMs < idleMs) return;
    this.heardMs = nowMs;
    const { socket } = this;
    this.sendNow(['GATEWAY', 'PING']).catch((error: Error) => {
      // A server that refuses is there.
      if (error instanceof TimeoutError && this.socket === socket)
        this.lost('the server is silent');
    });
  }
}

/** At most what a word takes in a frame: three bytes for each of its letters, and its head. */
function byteCountMost(word: Word): number {
  return 5 + (typeof word === 'string' ? word.length * 3 : wordLength(word));
}

function wordLength(word: Exclude<Word, string>): number {
  return word instanceof Uint8Array ? word.length : String(word).length;
}

function wireWord(word: Word): Encodable {
  return typeof word === 'string' || word instanceof Uint8Array ? word : String(word);
}
