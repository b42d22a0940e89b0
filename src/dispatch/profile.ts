// What HOTKEYS notes of a command: the time that its handler took and the bytes of its words and of
// its reply, shared out evenly among its keys. A raised gate sends commands here (attend.ts) while
// a session of HOTKEYS is on; else nothing is measured.
//
// As in Redis the commands of a transaction are noted one by one, and a script as a whole. Bytes of
// the reply that leave for the edge while it is being written are counted by an edge of this file
// that stands before the real one.

import { hashBytes } from '../base/hash.js';
import type { Slices } from '../base/slices.js';
import type { Reply, ReplyEdge } from '../resp/write.js';
import type { Command } from './command.js';
import type { Context } from './context.js';
import { findKeys, KeyPositions } from './route.js';
import type { ServerDoor } from './server-door.js';

/** `$`, `\r\n` and `\r\n` around a word. */
const WORD_FRAME_BYTES = 5;
/** `*` and `\r\n` before all of them. */
const COMMAND_FRAME_BYTES = 3;

class CountingEdge implements ReplyEdge {
  inner: ReplyEdge | null = null;
  /** Bytes that were written and stand before the reply's place no more. */
  gone = 0;

  makeRoom(reply: Reply, bytes: number): void {
    const before = reply.at;
    this.inner!.makeRoom(reply, bytes);
    this.gone += before - reply.at;
  }

  writeLarge(reply: Reply, u8: Uint8Array, start: number, length: number): void {
    const before = reply.at;
    this.inner!.writeLarge(reply, u8, start, length);
    this.gone += before + length - reply.at;
  }
}

export class Profile {
  private readonly server: ServerDoor;
  private readonly positions = new KeyPositions();
  private readonly edge = new CountingEdge();
  private startUs = 0;
  private reply: Reply | null = null;
  private replyFrom = 0;
  private isOn = false;
  private hasNoted = false;

  constructor(server: ServerDoor) {
    this.server = server;
  }

  /** Before the handler runs. False: nothing is noted, and `end` is not called. */
  begin({ reply }: Context, nowMs: number): boolean {
    const { hotkeys } = this.server;
    // What a command runs in turn is part of it.
    if (this.isOn) return false;
    if (!hotkeys.isActiveAt(nowMs)) {
      this.stopNoting(nowMs);
      return false;
    }
    this.isOn = true;
    this.hasNoted = true;
    this.reply = reply;
    this.edge.inner = reply.edge;
    this.edge.gone = 0;
    reply.edge = this.edge;
    this.replyFrom = reply.at;
    this.startUs = this.server.nowUs();
    return true;
  }

  /** The time of the session is over: from the next turn on nobody comes here for it. */
  private stopNoting(nowMs: number): void {
    if (!this.hasNoted) return;
    this.hasNoted = false;
    this.server.setProfiled(false);
    // Somebody may have begun another in between.
    if (this.server.hotkeys.isActiveAt(nowMs)) this.server.setProfiled(true);
  }

  /** The handler of `command` has run, or has refused. */
  end({ args }: Context, command: Command): void {
    const { positions, edge } = this;
    const reply = this.reply!;
    const us = Math.max(0, this.server.nowUs() - this.startUs);
    const replied = reply.at - this.replyFrom + edge.gone;
    reply.edge = edge.inner!;
    this.isOn = false;
    if (!findKeys(command, args, positions) || positions.count === 0) return;
    const bytes = wordBytes(args) + Math.max(0, replied);
    const { hotkeys } = this.server;
    const { count } = positions;
    if (hotkeys.begin(us, bytes)) {
      for (let at = 0; at < count; at++) {
        const word = positions.words[at]!;
        const start = args.startOf(word);
        const length = args.lengthOf(word);
        const hash = hashBytes(args.u8, start, length);
        hotkeys.note(hash, args.u8, start, length, us / count, bytes / count);
      }
    }
    hotkeys.end();
  }
}

/** The command as a client sends it. */
function wordBytes(args: Slices): number {
  if (args.rawEnd !== 0) return args.rawEnd - args.rawStart;
  let bytes = COMMAND_FRAME_BYTES + digits(args.count);
  for (let index = 0; index < args.count; index++) {
    const length = args.lengthOf(index);
    bytes += WORD_FRAME_BYTES + digits(length) + length;
  }
  return bytes;
}

function digits(value: number): number {
  let count = 1;
  for (let rest = value; rest >= 10; rest = Math.floor(rest / 10)) count++;
  return count;
}
