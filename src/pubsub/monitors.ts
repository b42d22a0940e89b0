// MONITOR, for one thread: the commands of all threads as lines, for whoever wants to read along.
//
//   a command has run ─▶ feed ─▶ outbox ─▶ settle ─▶ this thread's monitors
//                                                 └─▶ Post ─▶ arrived ─▶ those of other threads
//
// Every thread knows how many monitors each other has, by messages: a monitor's +OK leaves after
// they were sent, and a thread looks for messages before it looks for input. So a command that
// comes after the +OK is seen, and while there are no monitors nobody asks for them: what sends
// commands here is a gate (dispatch/attend.ts).
//
// A message: │ kind │ count, or line bytes │ the line │

import { MessageKind } from '../mesh/post.js';
import { type Outlet, PUSH_BYTES_MAX } from './delivery.js';
import type { Sender } from './hub.js';
import type { Subscriber } from './local.js';

const enum Word {
  Kind = 0,
  Value = 1,
  Words = 2,
}

const enum Kind {
  /** The sender's thread has so many monitors now. */
  Count = 0,
  Line = 1,
}

const HEAD_BYTES: number = Word.Words * 4;

export class Monitors {
  private readonly own = new Set<Subscriber>();
  private readonly thread: number;
  private readonly post: Sender;
  private readonly counts: Int32Array;
  private readonly changed: (isAnybody: boolean) => void;
  private outlet: Outlet | null = null;
  private lines: Uint8Array[] = [];
  private isCountDue = false;

  /** `changed` is told whether there are monitors on any thread. */
  constructor(
    thread: number,
    threadCount: number,
    post: Sender,
    changed: (isAnybody: boolean) => void,
  ) {
    this.thread = thread;
    this.post = post;
    this.counts = new Int32Array(threadCount);
    this.changed = changed;
  }

  connect(outlet: Outlet): void {
    this.outlet = outlet;
  }

  add(session: Subscriber): void {
    this.own.add(session);
    this.ownChanged();
  }

  /** The session reads along no more, or is closed. */
  remove(session: Subscriber): void {
    if (this.own.delete(session)) this.ownChanged();
  }

  private ownChanged(): void {
    this.counts[this.thread] = this.own.size;
    this.isCountDue = true;
    this.changed(this.isAnybody);
  }

  private get isAnybody(): boolean {
    return this.counts.some((count) => count > 0);
  }

  /** A command has run: its line in protocol. Locks may be held. */
  feed(line: Uint8Array): void {
    this.lines.push(line);
  }

  get hasNews(): boolean {
    return this.lines.length !== 0 || this.isCountDue;
  }

  /** No lock is held any more: sends what has waited for that. */
  settle(): void {
    const { lines, counts, thread, post } = this;
    if (this.isCountDue) {
      this.isCountDue = false;
      for (let to = 0; to < counts.length; to++) {
        if (to === thread) continue;
        post.sendInts(to, MessageKind.MonitorLine, Kind.Count, this.own.size, 0, 0);
      }
    }
    this.lines = [];
    for (const line of lines) {
      for (let to = 0; to < counts.length; to++) {
        if (to !== thread && counts[to] !== 0) this.send(to, line);
      }
      this.deliver(line);
    }
    post.flush();
  }

  private send(to: number, line: Uint8Array): void {
    const bytes = new Uint8Array(new ArrayBuffer(HEAD_BYTES + ((line.length + 3) & ~3)));
    const words = new Int32Array(bytes.buffer, 0, Word.Words);
    words[Word.Kind] = Kind.Line;
    words[Word.Value] = line.length;
    bytes.set(line, HEAD_BYTES);
    this.post.send(to, MessageKind.MonitorLine, bytes, 0, HEAD_BYTES + line.length);
  }

  /** MessageKind.MonitorLine: a line, or a count, of another thread. */
  readonly arrived = (from: number, u8: Uint8Array, start: number): void => {
    const words = new Int32Array(u8.buffer, u8.byteOffset + start, Word.Words);
    const value = words[Word.Value]!;
    if (words[Word.Kind] === Kind.Count) {
      this.counts[from] = value;
      this.changed(this.isAnybody);
      return;
    }
    const at = start + HEAD_BYTES;
    this.deliver(u8.subarray(at, at + value));
  };

  private deliver(line: Uint8Array): void {
    const { outlet, own } = this;
    if (outlet === null || own.size === 0) return;
    const { length } = line;
    if (length > PUSH_BYTES_MAX) {
      const long = new Uint8Array(line.slice());
      for (const session of own) outlet.pushLong(session, long);
      return;
    }
    outlet.prepare(length);
    const start = outlet.pushAt;
    outlet.pushes.set(line, start);
    outlet.pushAt = start + length;
    for (const session of own) outlet.push(session, start, start + length);
  }
}
