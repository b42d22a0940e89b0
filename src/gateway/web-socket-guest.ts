// A client on a WebSocket: what it must say first, how much it may say, what it gets. Its bytes are
// translated (flagstone.msgpack) or passed on as they are (resp3).

import type { Slices } from '../base/slices.js';
import { Gate } from '../dispatch/gates.js';
import { Closing, type Session } from '../dispatch/session.js';
import type { Reply } from '../resp/write.js';
import type { GatewayDoor, Guest, Line } from './door.js';
import type { Socket, SocketHandler } from './engine.js';
import { type ReplyFrames, ReplyState } from './frames/replies.js';
import type { RequestFrames } from './frames/requests.js';
import type { OwnCommands } from './own-commands.js';
import { Rate } from './rate.js';

/** How a WebSocket ends; docs/gateway.md tells clients what to do about each. */
export const enum CloseCode {
  Normal = 1000,
  GoingAway = 1001,
  Unsupported = 1003,
  Malformed = 1007,
  Policy = 1008,
  TooLarge = 1009,
  TryLater = 1013,
  Killed = 4000,
  Slow = 4001,
}

export type SubProtocol = 'flagstone.msgpack' | 'resp3';

/** Unsent bytes of a socket from which the server is told to keep the rest. */
const BUFFERED_BYTES_MAX = 1024 * 1024;
/** Up to here a loop compares faster than a call does. */
const LOOP_BYTES_MAX = 128;
/** Commands that one who has not logged in may say. */
const STRANGER_COMMANDS_MAX = 10;
/** So long a client has to log in. */
const STRANGER_MS_MAX = 10_000;

/** What all guests of a gateway share. */
export interface Shared {
  readonly door: GatewayDoor;
  readonly requests: RequestFrames;
  readonly replies: ReplyFrames;
  readonly own: OwnCommands;
  readonly messageBytesMax: number;
}

/** The frame that was made last for many subscribers: it is made once for all of them. */
const shared = {
  source: new Uint8Array(0),
  frame: new Uint8Array(0),
  isBinary: false,
};

export class WebSocketGuest implements Guest, SocketHandler {
  readonly isMarked: boolean;
  private line: Line | null = null;
  /** Until when its token holds; infinite without one. */
  endMs = Number.POSITIVE_INFINITY;
  private readonly shared: Shared;
  private readonly gone: (guest: WebSocketGuest) => void;
  private readonly socket: Socket;
  private readonly openedMs: number;
  private readonly state = new ReplyState();
  private readonly rate = new Rate();
  /** Ids of requests that have not run: ids[first, …). */
  private ids: number[] = [];
  private first = 0;
  private strangerCommands = 0;
  private isOver = false;
  /** Output waits because it does not read. */
  private isSlow = false;
  private code: CloseCode = CloseCode.Killed;
  private reason = '';

  /** `gone` is told when the connection is over. */
  constructor(
    shared: Shared,
    socket: Socket,
    protocol: SubProtocol,
    gone: (guest: WebSocketGuest) => void,
  ) {
    this.gone = gone;
    this.shared = shared;
    this.socket = socket;
    this.isMarked = protocol === 'flagstone.msgpack';
    this.openedMs = shared.door.nowMs();
  }

  /** Its session; null when the server has no room for one. */
  connect(line: Line | null): void {
    this.line = line;
    if (line === null) this.end(CloseCode.TryLater, 'max number of clients reached');
  }

  /** It may not come in: too many clients, or protected mode. */
  refuse(line: string): void {
    const isDenied = line.startsWith('DENIED');
    if (isDenied) this.end(CloseCode.Policy, 'protected mode: only this machine is served');
    else this.end(CloseCode.TryLater, 'max number of clients reached');
  }

  // ---- from the client --------------------------------------------------------------------------

  message(bytes: Uint8Array, isBinary: boolean): void {
    const { line, shared: all } = this;
    if (this.isOver || line === null || line.isClosed) return;
    if (bytes.length > all.messageBytesMax) {
      this.end(CloseCode.TooLarge, 'message too long');
    } else if (!this.isMarked) {
      line.received(bytes);
    } else if (!isBinary) {
      this.end(CloseCode.Unsupported, 'flagstone.msgpack has binary frames');
    } else if (!all.requests.read(bytes)) {
      this.end(CloseCode.Malformed, 'not a request in MessagePack');
    } else {
      const { requests } = all;
      this.addIds(requests.ids, requests.count);
      line.received(requests.u8.subarray(0, requests.at));
    }
  }

  private addIds(ids: readonly number[], count: number): void {
    if (this.first === this.ids.length && this.first > 0) {
      this.ids.length = 0;
      this.first = 0;
    }
    for (let index = 0; index < count; index++) this.ids.push(ids[index]!);
  }

  drained(): void {
    if (this.isOver || !this.isSlow) return;
    if (this.socket.bufferedBytes > BUFFERED_BYTES_MAX) return;
    this.isSlow = false;
    this.line?.drained();
  }

  closed(): void {
    this.isOver = true;
    this.gone(this);
    this.line?.gone();
  }

  /** Once a second: whoever has not logged in, or may not stay. */
  look(nowMs: number): void {
    const { line } = this;
    if (line === null || this.isOver) return;
    if (nowMs >= this.endMs) this.end(CloseCode.Policy, 'token expired');
    else if (isStranger(line.session) && nowMs - this.openedMs > STRANGER_MS_MAX) {
      this.end(CloseCode.Policy, 'authentication required');
    }
  }

  private end(code: CloseCode, reason: string): void {
    if (this.isOver) return;
    this.isOver = true;
    this.socket.end(code, reason);
    this.line?.gone();
  }

  // ---- from the server --------------------------------------------------------------------------

  get nextId(): number {
    return this.ids[this.first]!;
  }

  ranNext(): void {
    this.first++;
  }

  refusalOf(nowMs: number): string | null {
    const perSecond = this.shared.own.rate;
    if (perSecond === 0 || this.rate.take(perSecond, nowMs)) return null;
    return `RATELIMIT This connection may say ${perSecond} commands a second`;
  }

  ownCommand(args: Slices, session: Session, reply: Reply): boolean {
    return this.shared.own.run(args, session, reply, this);
  }

  /** GATEWAY BINARY; false when the protocol has no two ways. */
  setBinary(isBinary: boolean): boolean {
    this.state.isBinary = isBinary;
    return this.isMarked;
  }

  ran(session: Session): void {
    if (!isStranger(session) || ++this.strangerCommands < STRANGER_COMMANDS_MAX) return;
    this.code = CloseCode.Policy;
    this.reason = 'authentication required';
    session.closing = Closing.AfterReply;
  }

  send(u8: Uint8Array, start: number, end: number, isPush: boolean): number {
    if (this.isOver) return -1;
    const { socket } = this;
    if (socket.bufferedBytes > BUFFERED_BYTES_MAX) {
      this.isSlow = true;
      return 0;
    }
    if (!this.isMarked) socket.send(u8.subarray(start, end));
    else if (isPush && this.state.keptBytes === 0) this.sendPush(u8, start, end);
    else this.shared.replies.translate(this.state, u8, start, end, this.sendFrame);
    return end - start;
  }

  private readonly sendFrame = (frame: Uint8Array): void => {
    if (!this.isOver) this.socket.send(frame);
  };

  /** Subscribers of one channel get the same bytes one after the other. */
  private sendPush(u8: Uint8Array, start: number, end: number): void {
    const { state } = this;
    const isSame =
      shared.isBinary === state.isBinary &&
      shared.source.length === end - start &&
      isEqual(shared.source, u8, start);
    if (isSame) {
      this.socket.send(shared.frame);
      return;
    }
    let frames = 0;
    this.shared.replies.translate(state, u8, start, end, (frame) => {
      frames++;
      shared.frame = frame.slice();
      this.sendFrame(frame);
    });
    const isWhole = frames === 1 && state.keptBytes === 0;
    shared.source = isWhole ? u8.slice(start, end) : new Uint8Array(0);
    shared.isBinary = state.isBinary;
  }

  close(isOrderly: boolean): void {
    if (this.isOver) return;
    this.isOver = true;
    const { door } = this.shared;
    if (this.reason !== '') this.socket.end(this.code, this.reason);
    else if (door.isStopping) this.socket.end(CloseCode.GoingAway, 'the server ends');
    else if (isOrderly) this.socket.end(CloseCode.Normal, '');
    else if (this.isSlow) this.socket.end(CloseCode.Slow, 'output limit');
    else this.socket.end(CloseCode.Killed, 'closed by the server');
  }
}

export function isStranger(session: Session): boolean {
  return (session.raised & Gate.Stranger) !== 0;
}

function isEqual(known: Uint8Array, u8: Uint8Array, start: number): boolean {
  if (known.length > LOOP_BYTES_MAX) {
    return Buffer.compare(known, u8.subarray(start, start + known.length)) === 0;
  }
  for (let at = 0; at < known.length; at++) {
    if (known[at] !== u8[start + at]) return false;
  }
  return true;
}
