// GET /events: messages of channels as server-sent events.

import type { Word } from '../commands-out.js';
import type { Line } from '../door.js';
import type { HttpResponse } from '../engine.js';
import { jsonOf, PushMessage, ReplyError, ReplyReader, type Value } from '../reply-values.js';
import type { Answers } from './answers.js';

export const HEARTBEAT_MS = 15_000;
const HEARTBEAT = ': heartbeat\n\n';
/** A comment that says nothing: writing it tells whether there is room again. */
const PROBE = ':\n';

/** What a query asks to hear; null when it is nothing. */
export function subscriptionsOf(query: URLSearchParams): Word[][] | null {
  const rows: [name: string, command: string][] = [
    ['channel', 'SUBSCRIBE'],
    ['pattern', 'PSUBSCRIBE'],
    ['shard', 'SSUBSCRIBE'],
  ];
  const commands: Word[][] = [];
  for (const [name, command] of rows) {
    const wanted = query.getAll(name);
    if (wanted.length > 0) commands.push([command, ...wanted]);
  }
  return commands.length === 0 ? null : commands;
}

/** What a line sends after its client has subscribed goes to the browser as events. */
export class EventStream {
  private readonly response: HttpResponse;
  private readonly answers: Answers;
  private readonly reader = new ReplyReader();
  /** Closes the line. */
  readonly end: () => void;
  private isBegun = false;
  private isBlocked = false;
  private lastMs: number;
  /** Until when the token of whoever listens holds; infinite without one. */
  private readonly endMs: number;

  constructor(fields: {
    response: HttpResponse;
    answers: Answers;
    nowMs: number;
    endMs: number;
    end: () => void;
  }) {
    this.response = fields.response;
    this.answers = fields.answers;
    this.lastMs = fields.nowMs;
    this.endMs = fields.endMs;
    this.end = fields.end;
  }

  connect(line: Line): void {
    this.response.onDrained(() => {
      if (!this.isBlocked || this.isOver) return;
      // uWebSockets.js tells that the system takes more, but sends what waits only with a write.
      this.isBlocked = !this.response.write(PROBE);
      if (!this.isBlocked) line.drained();
    });
  }

  get isOver(): boolean {
    return this.response.isOver;
  }

  /** As Guest.send. */
  send(u8: Uint8Array, start: number, end: number, nowMs: number): number {
    if (this.response.isOver) return -1;
    if (this.isBlocked) return 0;
    this.reader.add(u8, start, end);
    let text = '';
    for (;;) {
      const value = this.reader.next();
      if (value === undefined) break;
      if (value instanceof ReplyError) return this.refuse(value);
      if (value instanceof PushMessage) text += eventOf(value.items);
    }
    if (text !== '') this.write(text, nowMs);
    return end - start;
  }

  private refuse(error: ReplyError): number {
    if (this.isBegun) this.response.end();
    else this.answers.error(error);
    this.end();
    return -1;
  }

  private write(text: string, nowMs: number): void {
    if (!this.isBegun) {
      this.isBegun = true;
      this.answers.stream();
    }
    this.lastMs = nowMs;
    if (!this.response.write(text)) this.isBlocked = true;
  }

  /** The server has closed the line. */
  finish(): void {
    this.response.end();
  }

  /** Now and then: something is said when nothing else was, and nothing more without a token. */
  look(nowMs: number): void {
    if (nowMs >= this.endMs) {
      this.response.end();
      this.end();
      return;
    }
    if (!this.isBegun || this.isBlocked || nowMs - this.lastMs < HEARTBEAT_MS) return;
    this.write(HEARTBEAT, nowMs);
  }
}

function eventOf(items: readonly Value[]): string {
  const [kind = null, first = null, second = null, third = null] = items;
  if (kind === 'message' || kind === 'smessage') {
    return event(kind, `{"channel":${jsonOf(first)},"payload":${jsonOf(second)}}`);
  }
  if (kind === 'pmessage') {
    const channel = `"channel":${jsonOf(second)}`;
    return event(kind, `{"pattern":${jsonOf(first)},${channel},"payload":${jsonOf(third)}}`);
  }
  const about = `"channel":${jsonOf(first)},"count":${jsonOf(second)}`;
  return event('subscribed', `{"kind":${jsonOf(kind)},${about}}`);
}

/** JSON has no line breaks of its own, so one line of data is enough. */
function event(name: string, json: string): string {
  return `event: ${name}\ndata: ${json}\n\n`;
}
