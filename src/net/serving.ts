// What a thread does with its connections, whatever carries their bytes: parse, run, reply. Replies of
// a turn stand in one arena and leave at the end of the turn, one send per connection, after the log
// has what they promise (beforeReplies).
//
// Output has three tiers: the arena, a send, and what the peer does not take is queued. A queue over
// its limit closes the connection (client-output-buffer-limit); without a limit the connection's input
// waits until the peer has read: nobody else notices either.

import { assert } from '../base/assert.js';
import { Slices } from '../base/slices.js';
import { Batch, BATCH_COMMANDS } from '../dispatch/batch.js';
import type { Command } from '../dispatch/command.js';
import { Outcome, type Runner } from '../dispatch/run.js';
import { Closing, ReplyMode, type Session } from '../dispatch/session.js';
import { Parsed, Parser, type ParserLimits } from '../resp/parse.js';
import { Reply, type ReplyEdge } from '../resp/write.js';
import { type Connection, KEPT_BYTES_MAX, LargeInput } from './connection.js';

const ARENA_BYTES = 1024 * 1024;
/** A connection's turn starts with at least so much room in the arena. */
const ARENA_ROOM_BYTES = 256 * 1024;
/** Queued output from which a send is tried between two commands of a pipeline. */
const EAGER_SEND_BYTES = 1024 * 1024;
/** Queued output from which a connection without an output limit is not read any more. */
const HOLD_BACK_BYTES = 16 * 1024 * 1024;

/** client-output-buffer-limit of a class; 0 is no limit. */
export interface OutputLimit {
  hardBytes: number;
  softBytes: number;
  softSeconds: number;
}

export interface ServingHooks {
  /** Called before replies leave: the log writes (and syncs) what they acknowledge. */
  readonly beforeReplies: () => void;
  /** The connection is closed and forgotten. */
  readonly closed: (connection: Connection) => void;
  readonly log: (level: 'notice' | 'warning' | 'verbose', line: string) => void;
  /** The shared client directory's cheap per-turn note. */
  readonly touched: (connection: Connection) => void;
}

export class Serving implements ReplyEdge {
  readonly runner: Runner;
  readonly limits: ParserLimits;
  readonly reply: Reply;
  readonly outputLimit: OutputLimit = { hardBytes: 0, softBytes: 0, softSeconds: 0 };
  /** client-query-buffer-limit, bytes. */
  inputBytesMax = 1024 * 1024 * 1024;
  readonly arena: Uint8Array<ArrayBuffer>;
  readonly connections = new Set<Connection>();
  /** Bytes in and out and commands, for INFO; the transport adds them up. */
  inputBytes = 0;
  outputBytes = 0;
  private readonly hooks: ServingHooks;
  private readonly parser: Parser;
  private readonly batch: Batch;
  /** toFlush[0, toFlushCount): counted, because setting an array's length is a slow call. */
  private readonly toFlush: (Connection | null)[] = [];
  private toFlushCount = 0;
  private readonly bySession = new Map<Session, Connection>();
  /** Connections whose session waits, for deadlines. */
  private readonly waiting = new Set<Connection>();
  private readonly postponed = new Set<Connection>();
  private current: Connection | null = null;

  constructor(runner: Runner, limits: ParserLimits, hooks: ServingHooks) {
    this.runner = runner;
    this.limits = limits;
    this.hooks = hooks;
    this.parser = new Parser(new Slices(), limits);
    this.batch = new Batch(runner.keyspace, runner.table);
    this.arena = new Uint8Array(new ArrayBuffer(ARENA_BYTES));
    this.reply = new Reply(this.arena, this);
  }

  add(connection: Connection): void {
    this.connections.add(connection);
    this.bySession.set(connection.session, connection);
  }

  connectionOf(session: Session): Connection | null {
    return this.bySession.get(session) ?? null;
  }

  // ---- input ----------------------------------------------------------------------------------

  /** Input u8[start, end) has arrived; the bytes are the caller's again when this returns. */
  received(connection: Connection, u8: Uint8Array, start: number, end: number): void {
    assert(connection.large === null, 'large input is read into its own buffer');
    this.enter(connection);
    const { parser } = this;
    parser.isStranger = !connection.session.isAuthenticated;
    parser.feed(u8, start, end);
    this.serve(connection, parser);
    this.leave(connection);
    if (connection.isClosed) return;
    this.keepRest(connection, u8, parser.commandAt, end, parser.neededBytes);
  }

  /** Bytes have arrived in the connection's own large buffer. */
  receivedLarge(connection: Connection): void {
    const large = connection.large!;
    this.enter(connection);
    large.parser.isStranger = !connection.session.isAuthenticated;
    this.serve(connection, large.parser);
    this.leave(connection);
    if (connection.isClosed) return;
    const rest = large.end - large.parser.commandAt;
    if (rest > this.inputBytesMax) {
      this.closeForInput(connection, rest);
    } else if (rest <= KEPT_BYTES_MAX || !this.isRunnable(connection)) {
      // The large command is done with: what follows it is read as usual.
      connection.large = null;
      connection.keep(large.u8, large.parser.commandAt, large.end);
    }
  }

  private keepRest(
    connection: Connection,
    u8: Uint8Array,
    start: number,
    end: number,
    neededBytes: number,
  ): void {
    const bytes = end - start;
    if (bytes > this.inputBytesMax) {
      this.closeForInput(connection, bytes);
      return;
    }
    const isLarge = bytes > KEPT_BYTES_MAX || neededBytes > KEPT_BYTES_MAX * 2;
    if (isLarge && this.isRunnable(connection)) {
      connection.kept = null;
      connection.large = new LargeInput(u8, start, end, this.limits);
      // Reads over what is there once more: from here on progress is kept.
      this.receivedLarge(connection);
      return;
    }
    connection.keep(u8, start, end);
  }

  private closeForInput(connection: Connection, bytes: number): void {
    this.hooks.log(
      'warning',
      `Closing client that reached max query buffer length: id=${connection.session.id} ` +
        `addr=${connection.session.address} qbuf=${bytes}`,
    );
    this.close(connection);
  }

  private isRunnable(connection: Connection): boolean {
    const { session } = connection;
    return (
      session.closing === Closing.No &&
      session.wait === null &&
      !connection.isPostponed &&
      !connection.isHeldBack
    );
  }

  private enter(connection: Connection): void {
    assert(this.current === null, 'one connection is served at a time');
    if (this.reply.at > ARENA_BYTES - ARENA_ROOM_BYTES) this.flushReplies();
    this.current = connection;
    const { reply } = this;
    if (!connection.isToFlush || connection.replyFrom === connection.replyTo) {
      connection.replyFrom = reply.at;
    } else if (connection.replyTo !== reply.at) {
      // Served twice in a turn with others in between: its first replies go before, in order.
      connection.enqueue(this.arena, connection.replyFrom, connection.replyTo);
      connection.replyFrom = reply.at;
    }
    reply.protocol = connection.session.protocol;
  }

  private leave(connection: Connection): void {
    const { reply, runner } = this;
    runner.closeGroup(null);
    this.current = null;
    connection.replyTo = reply.at;
    this.hooks.touched(connection);
    if (!connection.isToFlush) {
      connection.isToFlush = true;
      this.planFlush(connection);
    }
    if (connection.session.wait !== null) this.waiting.add(connection);
  }

  /** Runs commands until input, room or permission ends; `parser.commandAt` is what comes next. */
  private serve(connection: Connection, parser: Parser): void {
    const { session } = connection;
    if (session.isAuthenticated && connection.large === null) {
      this.serveBatches(connection, parser);
      return;
    }
    // One by one: a stranger's limits end with its AUTH, and large input keeps its parser's progress.
    const { args } = parser;
    while (session.closing === Closing.No && session.wait === null) {
      const parsed = parser.next();
      if (parsed === Parsed.Command) {
        const command = this.runner.table.find(args, 0);
        if (!this.execute(connection, command, args, false)) {
          if (connection.isPostponed) parser.forget();
          else parser.commandAt = parser.at;
          return;
        }
        parser.isStranger = !session.isAuthenticated;
      } else if (parsed === Parsed.Incomplete) {
        return;
      } else if (parsed === Parsed.Error) {
        this.failProtocol(connection, parser);
      }
      parser.commandAt = parser.at;
    }
    parser.commandAt = parser.at;
  }

  /** As serve, reading some commands ahead so that their memory can be brought near. */
  private serveBatches(connection: Connection, parser: Parser): void {
    const { session } = connection;
    const { batch } = this;
    let parsed = Parsed.Nothing as Parsed;
    while (session.closing === Closing.No && session.wait === null) {
      batch.count = 0;
      while (batch.count < BATCH_COMMANDS) {
        parser.args = batch.args[batch.count]!;
        parsed = parser.next();
        if (parsed === Parsed.Command) batch.add(parser.commandAt);
        else if (parsed !== Parsed.Nothing) break;
      }
      batch.touch(session.database);
      for (let index = 0; index < batch.count; index++) {
        const args = batch.args[index]!;
        const isPlaced = batch.isPlaced[index] !== 0;
        if (this.execute(connection, batch.commands[index]!, args, isPlaced)) continue;
        // What was read ahead and not run is input again.
        const next = connection.isPostponed ? index : index + 1;
        if (next < batch.count) parser.rewind(batch.startsAt[next]!);
        else if (parsed === Parsed.Command) parser.commandAt = parser.at;
        return;
      }
      if (parsed === Parsed.Incomplete) return;
      if (parsed === Parsed.Error) this.failProtocol(connection, parser);
      parser.commandAt = parser.at;
    }
  }

  private failProtocol(connection: Connection, parser: Parser): void {
    this.reply.error(parser.error);
    this.runner.server.stats.errorReplied('ERR');
    connection.session.closing = Closing.AfterReply;
  }

  /** Runs one command. False when no further one may run now. */
  private execute(
    connection: Connection,
    command: Command | null,
    args: Slices,
    isPlaced: boolean,
  ): boolean {
    const { session } = connection;
    const outcome = this.runner.runFound(session, command, args, this.reply, isPlaced);
    if (outcome === Outcome.Postponed) {
      connection.isPostponed = true;
      this.postponed.add(connection);
      return false;
    }
    if (connection.outputBytes > EAGER_SEND_BYTES && !this.relieve(connection)) return false;
    return session.closing === Closing.No && session.wait === null;
  }

  /** Sends queued output between two commands; false when the connection must stop for now. */
  private relieve(connection: Connection): boolean {
    const { reply } = this;
    this.hooks.beforeReplies();
    connection.enqueue(this.arena, connection.replyFrom, reply.at);
    reply.at = connection.replyFrom;
    if (!connection.drain()) {
      connection.session.closing = Closing.Now;
      return false;
    }
    const hasLimit = this.outputLimit.hardBytes > 0 || this.outputLimit.softBytes > 0;
    if (connection.outputBytes > HOLD_BACK_BYTES && !hasLimit) {
      connection.isHeldBack = true;
      return false;
    }
    return true;
  }

  // ---- replies --------------------------------------------------------------------------------

  /** ReplyEdge: moves the connection's replies so far out of the arena. */
  makeRoom(reply: Reply, bytes: number): void {
    const connection = this.current;
    assert(connection !== null, 'replies are written for the connection being served');
    this.moveOut(connection);
    assert(reply.at + bytes <= ARENA_BYTES, 'a reply is written in pieces that the arena holds');
  }

  /** ReplyEdge: a long value goes into the queue as it is. */
  writeLarge(_reply: Reply, u8: Uint8Array, start: number, length: number): void {
    const connection = this.current;
    assert(connection !== null, 'replies are written for the connection being served');
    this.moveOut(connection);
    if (isMuted(connection.session)) return;
    connection.enqueue(u8, start, start + length);
    this.checkOutputLimit(connection);
  }

  private moveOut(connection: Connection): void {
    const { reply } = this;
    if (!isMuted(connection.session)) {
      connection.enqueue(this.arena, connection.replyFrom, reply.at);
      this.checkOutputLimit(connection);
    }
    reply.at = connection.replyFrom;
    // A client that will be closed for its output gets no more of it into memory.
    if (connection.session.closing === Closing.Now) connection.output.length = 0;
  }

  /** Sends what the turn has written: one send per connection. Ends every turn. */
  flushReplies(): void {
    const { toFlush, reply } = this;
    if (this.toFlushCount === 0) return;
    this.hooks.beforeReplies();
    for (let index = 0; index < this.toFlushCount; index++) {
      this.flush(toFlush[index]!);
      toFlush[index] = null;
    }
    this.toFlushCount = 0;
    reply.at = 0;
  }

  private planFlush(connection: Connection): void {
    const at = this.toFlushCount++;
    if (at < this.toFlush.length) this.toFlush[at] = connection;
    else this.toFlush.push(connection);
  }

  private flush(connection: Connection): void {
    connection.isToFlush = false;
    if (connection.isClosed) return;
    const { replyFrom, replyTo, session } = connection;
    connection.replyFrom = 0;
    connection.replyTo = 0;
    if (session.closing === Closing.Now) {
      this.close(connection);
      return;
    }
    if (replyTo > replyFrom) {
      let sent = 0;
      if (connection.output.length === 0) {
        sent = connection.wire.send(connection, this.arena, replyFrom, replyTo);
        if (sent < 0) {
          this.close(connection);
          return;
        }
      }
      this.outputBytes += replyTo - replyFrom;
      if (sent < replyTo - replyFrom) connection.enqueue(this.arena, replyFrom + sent, replyTo);
    }
    if (connection.output.length > 0) this.pushOutput(connection);
    else if (session.closing === Closing.AfterReply) this.close(connection);
    else this.adjustInterest(connection);
  }

  /** The peer can take more, or something was queued: sends what it takes. */
  pushOutput(connection: Connection): void {
    if (!connection.drain()) {
      this.close(connection);
      return;
    }
    if (connection.output.length === 0) {
      connection.softLimitSinceMs = 0;
      if (connection.session.closing !== Closing.No) {
        this.close(connection);
        return;
      }
      if (connection.isHeldBack) {
        connection.isHeldBack = false;
        this.resume(connection);
        return;
      }
    } else {
      this.checkOutputLimit(connection);
      if (connection.session.closing === Closing.Now) {
        this.close(connection);
        return;
      }
    }
    this.adjustInterest(connection);
  }

  private adjustInterest(connection: Connection): void {
    const writes = connection.output.length > 0;
    const reads = this.isRunnable(connection);
    if (writes !== connection.wantsWrites || reads !== connection.wantsReads) {
      connection.wantsReads = reads;
      connection.wantsWrites = writes;
      connection.wire.want(connection, reads, writes);
    }
  }

  private checkOutputLimit(connection: Connection): void {
    const { hardBytes, softBytes, softSeconds } = this.outputLimit;
    const bytes = connection.outputBytes;
    let isOver = hardBytes > 0 && bytes >= hardBytes;
    if (softBytes > 0 && bytes >= softBytes) {
      const now = this.runner.keyspace.nowMs;
      if (connection.softLimitSinceMs === 0) connection.softLimitSinceMs = now;
      else if (now - connection.softLimitSinceMs > softSeconds * 1000) isOver = true;
    } else {
      connection.softLimitSinceMs = 0;
    }
    if (!isOver || connection.session.closing === Closing.Now) return;
    this.hooks.log(
      'warning',
      `Client id=${connection.session.id} addr=${connection.session.address} omem=${bytes} ` +
        'scheduled to be closed ASAP for overcoming of output buffer limits.',
    );
    connection.session.closing = Closing.Now;
  }

  // ---- waits, pauses and endings --------------------------------------------------------------

  /** Serves input that was kept while the session could not run commands. */
  resume(connection: Connection): void {
    connection.isPostponed = false;
    this.postponed.delete(connection);
    if (connection.isClosed) return;
    const { kept } = connection;
    connection.kept = null;
    if (kept !== null) this.received(connection, kept, 0, kept.length);
    else if (connection.large !== null) this.receivedLarge(connection);
    if (!connection.isClosed) this.adjustInterest(connection);
  }

  /** Lets postponed connections try again. */
  resumePostponed(): void {
    for (const connection of [...this.postponed]) this.resume(connection);
  }

  get hasPostponed(): boolean {
    return this.postponed.size > 0;
  }

  /** Ends the waits whose deadline has come. Returns the next deadline, Infinity for none. */
  endWaits(nowMs: number): number {
    let next = Number.POSITIVE_INFINITY;
    for (const connection of this.waiting) {
      const { wait } = connection.session;
      if (wait === null || connection.isClosed) this.waiting.delete(connection);
      else if (wait.deadlineMs <= nowMs) this.endWait(connection, wait.timedOut);
      else if (wait.deadlineMs < next) next = wait.deadlineMs;
    }
    return next;
  }

  /** Ends a session's wait with what `answer` writes. */
  endWait(connection: Connection, answer: (reply: Reply) => void): void {
    connection.session.wait = null;
    this.waiting.delete(connection);
    this.enter(connection);
    answer(this.reply);
    this.leave(connection);
    this.resume(connection);
  }

  /** Something of the session was changed from outside: see SessionEdge. */
  wake(session: Session): void {
    const connection = this.connectionOf(session);
    if (connection === null || connection.isClosed || connection === this.current) return;
    if (session.closing !== Closing.No && !connection.isToFlush) {
      connection.isToFlush = true;
      this.planFlush(connection);
    }
  }

  close(connection: Connection): void {
    if (connection.isClosed) return;
    connection.isClosed = true;
    connection.session.closing = Closing.Now;
    connection.output = [];
    connection.kept = null;
    connection.large = null;
    this.connections.delete(connection);
    this.bySession.delete(connection.session);
    this.waiting.delete(connection);
    this.postponed.delete(connection);
    connection.wire.close(connection);
    this.hooks.closed(connection);
  }
}

function isMuted(session: Session): boolean {
  return session.replyMode === ReplyMode.Off || session.replyMode === ReplyMode.Skip;
}
