// What a thread does for its other connections while a script of its own runs for too long: it
// reads what they say in the script's pauses, and refuses nearly all of it. Only what may be said
// then is run: most of all SCRIPT KILL.
//
// It happens in the middle of a command, with locks held. So nothing is run that takes a lock, no
// connection is closed, and nothing goes through the buffers of the turn, which the script's
// connection is using: what cannot be done now is kept for the end of the script.

import { withView } from '../base/bytes.js';
import { Slices } from '../base/slices.js';
import { Placed } from '../dispatch/batch.js';
import type { Command } from '../dispatch/command.js';
import { Flag } from '../dispatch/define.js';
import { Gate } from '../dispatch/gates.js';
import { Outcome } from '../dispatch/run.js';
import { Closing } from '../dispatch/session.js';
import { NO_WATCH } from '../keyspace/watchers.js';
import { Parsed, Parser } from '../resp/parse.js';
import { GrowingEdge, Reply } from '../resp/write.js';
import type { Connection } from './connection.js';
import type { Serving } from './serving.js';

const REPLY_BYTES = 16 * 1024;

/** Of the commands that may be said to a busy server those that take no lock. */
const RUN_NOW: ReadonlySet<string> = new Set([
  'auth',
  'discard',
  'function',
  'hello',
  'multi',
  'quit',
  'script',
  'shutdown',
]);

export class BusyServing {
  /** SHUTDOWN NOSAVE was said: the script is to end, so that it can be done. */
  isEndWanted = false;
  private readonly serving: Serving;
  private readonly parser: Parser;
  private readonly reply = new Reply(
    withView(new Uint8Array(new ArrayBuffer(REPLY_BYTES))),
    new GrowingEdge(),
  );

  constructor(serving: Serving) {
    this.serving = serving;
    this.parser = new Parser(new Slices(), serving.limits);
  }

  /** May the connection be read and answered now? */
  mayServe(connection: Connection): boolean {
    const { session } = connection;
    return (
      !this.serving.isServed(connection) &&
      this.serving.isRunnable(connection) &&
      session.watch === NO_WATCH &&
      connection.large === null &&
      connection.output.length === 0 &&
      !connection.isToFlush &&
      !connection.isInputEnded &&
      connection.wantsReads
    );
  }

  /** The connection says u8[start, end), which begins with a command. */
  answer(connection: Connection, u8: Uint8Array, start: number, end: number): void {
    const { serving, parser, reply } = this;
    const { session } = connection;
    parser.isStranger = (session.raised & Gate.Stranger) !== 0;
    parser.feed(u8, start, end);
    reply.at = 0;
    reply.protocol = session.protocol;
    while (session.closing === Closing.No && session.wait === null) {
      const parsed = parser.next();
      if (parsed === Parsed.Incomplete) break;
      if (parsed === Parsed.Error) {
        reply.error(parser.error);
        session.closing = Closing.AfterReply;
      } else if (parsed === Parsed.Command && !this.run(connection)) {
        serving.postpone(connection);
        break;
      }
      parser.commandAt = parser.at;
    }
    // What is long goes on after the script.
    if (!connection.keepRest(u8, parser.commandAt, end, serving.limits)) {
      serving.closeForMemory(connection);
      return;
    }
    if (reply.at > 0) this.send(connection);
    if (session.closing !== Closing.No) serving.toBeFlushed(connection);
  }

  /** Runs one command; false when it has to wait for the end of the script. */
  private run(connection: Connection): boolean {
    const { serving, parser, reply } = this;
    const { runner } = serving;
    const { args } = parser;
    const command = runner.table.find(args, 0);
    if (command !== null && this.mustWait(command, args)) return false;
    const { session } = connection;
    const outcome = runner.runFound(session, command, args, reply, Placed.No);
    connection.commandId = command === null ? -1 : runner.context.command.id;
    return outcome === Outcome.Done;
  }

  private mustWait(command: Command, args: Slices): boolean {
    const { name } = command.spec;
    if (name === 'shutdown' && this.isWithoutSaving(args)) {
      this.isEndWanted = true;
      return true;
    }
    // Containers say of each subcommand by itself whether it may be said now.
    return (command.flags & Flag.AllowBusy) !== 0 && !RUN_NOW.has(name);
  }

  private isWithoutSaving(args: Slices): boolean {
    for (let index = 1; index < args.count; index++) {
      if (args.text(index).toLowerCase() === 'nosave') return true;
    }
    return false;
  }

  private send(connection: Connection): void {
    const { serving, reply } = this;
    const sent = connection.wire.send(connection, reply.u8, 0, reply.at);
    // Whoever is gone is noticed when the script is over.
    if (sent < 0) return;
    serving.outputBytes += sent;
    if (sent === reply.at) return;
    serving.enqueue(connection, reply.u8, sent, reply.at);
    serving.toBeFlushed(connection);
  }
}
