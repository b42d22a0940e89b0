// The session of one HTTP request: commands in, values out. It lives as long as the request.

import type { Slices } from '../../base/slices.js';
import type { Session } from '../../dispatch/session.js';
import type { Reply } from '../../resp/write.js';
import { encodeCommands, type Word } from '../commands-out.js';
import type { GatewayDoor, Guest, Line, Peer } from '../door.js';
import type { OwnCommands } from '../own-commands.js';
import { ReplyError, ReplyReader, type Value } from '../reply-values.js';
import { verifyToken } from '../token.js';
import { isStranger } from '../web-socket-guest.js';
import type { EventStream } from './events.js';

/** Who an HTTP request says it is. */
export type Credentials =
  | { readonly kind: 'none' }
  | { readonly kind: 'password'; readonly user: string; readonly password: string }
  | { readonly kind: 'token'; readonly token: string }
  | { readonly kind: 'broken' };

export function readCredentials(authorization: string): Credentials {
  if (authorization === '') return { kind: 'none' };
  const [scheme = '', rest = ''] = authorization.trim().split(/\s+/);
  if (scheme.toLowerCase() === 'bearer') return { kind: 'token', token: rest };
  if (scheme.toLowerCase() !== 'basic') return { kind: 'broken' };
  const text = Buffer.from(rest, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  if (colon === -1) return { kind: 'broken' };
  return { kind: 'password', user: text.slice(0, colon), password: text.slice(colon + 1) };
}

/** An answer is collected before it is sent, and no text of JavaScript is longer. */
const ANSWER_BYTES_MAX = 512 * 1024 * 1024;

/** The server has ended the session before it had answered. */
export class ConversationOver extends Error {}

export const WRONG_PASSWORD = new ReplyError(
  'WRONGPASS invalid username-password pair or user is disabled.',
);
export const NO_PASSWORD = new ReplyError('NOAUTH Authentication required.');

export class Conversation implements Guest {
  readonly isMarked = false;
  readonly nextId = 0;
  private readonly door: GatewayDoor;
  private readonly own: OwnCommands;
  private readonly reader = new ReplyReader();
  private line: Line | null = null;
  private values: Value[] = [];
  private wanted = 0;
  private resolve: (values: Value[]) => void = () => {};
  private reject: (error: Error) => void = () => {};
  private stream: EventStream | null = null;
  private ended: () => void = () => {};
  private isClosed = false;
  /** Of the answer that is under way. */
  private answerBytes = 0;
  /** Until when its token holds; infinite without one. */
  endMs = Number.POSITIVE_INFINITY;

  constructor(door: GatewayDoor, own: OwnCommands) {
    this.door = door;
    this.own = own;
  }

  /** Opens the session; the error that refuses it, or null. */
  open(peer: Peer): ReplyError | null {
    const refusal = this.door.admit(peer.address);
    if (refusal !== null) return new ReplyError(refusal);
    this.line = this.door.open(this, peer);
    if (this.line === null) return new ReplyError('ERR max number of clients reached');
    this.door.speakRespThree(this.line.session);
    return null;
  }

  /** The error that refuses the credentials, or null. */
  async logIn(credentials: Credentials): Promise<ReplyError | null> {
    const { session } = this.line!;
    if (credentials.kind === 'broken') return WRONG_PASSWORD;
    if (credentials.kind === 'none') return isStranger(session) ? NO_PASSWORD : null;
    if (credentials.kind === 'token') {
      const secret = this.door.text('gateway-token-secret');
      const token = verifyToken(secret, credentials.token, this.door.nowMs());
      if (token === null || !this.door.authenticateAs(session, token.user)) return WRONG_PASSWORD;
      this.endMs = token.endMs;
      return null;
    }
    const { user, password } = credentials;
    const words = user === '' ? ['AUTH', password] : ['AUTH', user, password];
    const [value] = await this.say([words]);
    return value instanceof ReplyError ? value : null;
  }

  /** Has it shown who it is, by a token or by a password? A user may be one that takes any. */
  get isProven(): boolean {
    return Number.isFinite(this.endMs) || this.line?.session.rights?.isPasswordless === false;
  }

  /** Says commands, each of which has one reply. */
  say(commands: readonly (readonly Word[])[]): Promise<Value[]> {
    return new Promise((resolve, reject) => {
      if (this.isClosed || this.line === null) {
        reject(new ConversationOver());
        return;
      }
      this.values = [];
      this.answerBytes = 0;
      this.wanted = commands.length;
      this.resolve = resolve;
      this.reject = reject;
      this.line.received(encodeCommands(commands));
    });
  }

  /** Says commands that subscribe, and leads what comes of it to the stream until it ends. */
  listen(commands: readonly (readonly Word[])[], stream: EventStream): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.isClosed || this.line === null) {
        reject(new ConversationOver());
        return;
      }
      this.stream = stream;
      this.ended = resolve;
      stream.connect(this.line);
      this.line.received(encodeCommands(commands));
    });
  }

  /** The request is answered, or its client has gone: nothing is kept. */
  end(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.line?.gone();
    this.ended();
  }

  // ---- as the server sees it --------------------------------------------------------------------

  ranNext(): void {}

  refusalOf(): string | null {
    return null;
  }

  ownCommand(args: Slices, session: Session, reply: Reply): boolean {
    return this.own.run(args, session, reply, {
      endMs: Number.POSITIVE_INFINITY,
      setBinary: () => false,
    });
  }

  ran(): void {}

  send(u8: Uint8Array, start: number, end: number): number {
    if (this.isClosed) return -1;
    if (this.stream !== null) return this.stream.send(u8, start, end, this.door.nowMs());
    this.answerBytes += end - start;
    if (this.answerBytes > ANSWER_BYTES_MAX) {
      this.close();
      return -1;
    }
    this.reader.add(u8, start, end);
    for (;;) {
      const value = this.reader.next();
      if (value === undefined) break;
      this.values.push(value);
    }
    if (this.wanted > 0 && this.values.length >= this.wanted) {
      this.wanted = 0;
      this.resolve(this.values);
    }
    return end - start;
  }

  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.stream?.finish();
    this.ended();
    this.reject(new ConversationOver());
  }
}
