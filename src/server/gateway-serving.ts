// Commands of the gateway's clients take the same road as all others, with two things added: each
// reply of a MessagePack client is preceded by the id of its request, and commands about the
// gateway itself are answered here. So this serves them one by one.

import type { Slices } from '../base/slices.js';
import { Placed } from '../dispatch/batch.js';
import type { Command } from '../dispatch/command.js';
import { Closing, type Session } from '../dispatch/session.js';
import type { Guest } from '../gateway/door.js';
import { MARK_BYTES, markReply } from '../gateway/frames/replies.js';
import type { Connection } from '../net/connection.js';
import { HELPING_BYTES, isStranger, Serving } from '../net/serving.js';
import { Parsed, type Parser } from '../resp/parse.js';

const PUSH = 0x3e;
const NULL = Buffer.from('_\r\n', 'latin1');
const ONLY_RESP3 = 'NOPROTO flagstone.msgpack has the types of RESP3 alone';
const NO_SILENCE = 'ERR CLIENT REPLY has no meaning here: replies are told apart by their ids';

/** They are answered with messages, whose number nobody needs to know here: a reply follows. */
const CONFIRMED: readonly string[] = [
  'subscribe',
  'unsubscribe',
  'psubscribe',
  'punsubscribe',
  'ssubscribe',
  'sunsubscribe',
];

export class GatewayServing extends Serving {
  private readonly confirmed = new Set<Command>();
  private hello: Command | null = null;
  private client: Command | null = null;

  /** Looks up the commands that are special here: once, when there is a table. */
  private findCommands(): void {
    // By their own names, whatever rename-command calls them.
    for (const command of this.runner.table.all) {
      if (CONFIRMED.includes(command.fullName)) this.confirmed.add(command);
      if (command.fullName === 'hello') this.hello = command;
      if (command.fullName === 'client') this.client = command;
    }
  }

  protected override serve(connection: Connection, parser: Parser): void {
    if (this.hello === null) this.findCommands();
    const guest = connection.socket as Guest;
    const { session } = connection;
    let helpingEnd = parser.at + HELPING_BYTES;
    this.runner.keepsLock = true;
    while (session.closing === Closing.No && session.wait === null) {
      if (parser.at > helpingEnd && connection.large !== null) {
        helpingEnd = Number.POSITIVE_INFINITY;
        if (parser.at < parser.end) {
          this.ready.add(connection);
          break;
        }
      }
      const parsed = parser.next();
      if (parsed === Parsed.Command) {
        const mayGoOn = this.serveOne(connection, guest, parser.args);
        if (session.isTold) {
          this.runner.giveBack();
          this.hooks.commandEnded();
        }
        if (!mayGoOn) {
          if (connection.isPostponed) parser.forget();
          else parser.commandAt = parser.at;
          this.giveBack();
          return;
        }
        parser.isStranger = isStranger(session);
      } else if (parsed === Parsed.Incomplete) {
        this.giveBack();
        return;
      } else if (parsed === Parsed.Error) {
        this.failProtocol(connection, parser);
      }
      parser.commandAt = parser.at;
    }
    parser.commandAt = parser.at;
    this.giveBack();
  }

  private giveBack(): void {
    this.runner.keepsLock = false;
    this.runner.giveBack();
  }

  /** Runs one command; false when no further one may run now. */
  private serveOne(connection: Connection, guest: Guest, args: Slices): boolean {
    const { session } = connection;
    const { reply, runner } = this;
    const command = runner.table.find(args, 0);
    if (guest.isMarked) markReply(reply, guest.nextId);
    const replyAt = reply.at;
    reply.commandAt = replyAt;
    const refusal =
      guest.refusalOf(runner.keyspace.nowMs) ??
      (guest.isMarked && command !== null ? this.refusalOf(command, args) : null);
    if (refusal !== null) {
      reply.error(refusal);
      // As whatever else is refused inside of MULTI: EXEC does not run the rest without it.
      if (session.queue !== null) session.queue.isAborted = true;
      runner.server.stats.errorReplied(refusal.slice(0, refusal.indexOf(' ')));
      guest.ranNext();
      return true;
    }
    if (command === null && guest.ownCommand(args, session, reply)) {
      guest.ranNext();
      if (isStranger(session)) guest.ran(session);
      return session.closing === Closing.No;
    }
    const mayGoOn = this.execute(connection, command, args, Placed.No);
    if (connection.isPostponed) {
      reply.at = replyAt - (guest.isMarked ? MARK_BYTES : 0);
      return false;
    }
    guest.ranNext();
    if (guest.isMarked) this.finish(session, command, replyAt);
    if (isStranger(session)) {
      guest.ran(session);
      return session.closing === Closing.No && mayGoOn;
    }
    return mayGoOn;
  }

  /** What makes no sense where replies have ids. */
  private refusalOf(command: Command, args: Slices): string | null {
    if (command === this.hello) {
      return args.count > 1 && args.text(1) !== '3' ? ONLY_RESP3 : null;
    }
    if (command !== this.client || args.count < 2) return null;
    return args.text(1).toLowerCase() === 'reply' ? NO_SILENCE : null;
  }

  /** A command of a MessagePack client has run: it keeps RESP3, and is answered. */
  private finish(session: Session, command: Command | null, replyAt: number): void {
    const { reply } = this;
    if (session.protocol !== 3) {
      session.protocol = 3;
      reply.protocol = 3;
      this.runner.server.clients.setProtocol(session.slot, 3);
    }
    if (command === null || !this.confirmed.has(command)) return;
    // Refused or queued it has been answered; what has left the arena already were messages.
    if (reply.at < replyAt || reply.u8[replyAt] === PUSH) reply.raw(NULL);
  }
}
