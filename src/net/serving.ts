// What a thread does with its connections, whatever carries their bytes: parse, run, reply. Replies
// of a turn stand in one arena and leave at the end of the turn, one send per connection, after the
// log has what they promise (beforeReplies).
//
// Output has three tiers: the arena, a send, and what the peer does not take is queued. A queue
// over its limit closes the connection (client-output-buffer-limit); without a limit the
// connection's commands wait until the peer has read. Nobody else notices either.
//
// Input is read as long as the connection lives. What may not run yet (the session waits, clients
// are paused, the peer is held back) is kept, up to client-query-buffer-limit: so the peer's
// leaving is noticed, and a peer that sends all its commands before it reads is not stuck.

import { assert } from '../base/assert.js';
import { withView } from '../base/bytes.js';
import { Slices } from '../base/slices.js';
import { BATCH_COMMANDS, Batch, Placed } from '../dispatch/batch.js';
import type { Command } from '../dispatch/command.js';
import { Gate } from '../dispatch/gates.js';
import { Outcome, type Runner } from '../dispatch/run.js';
import { Closing, ReplyMode, type Session } from '../dispatch/session.js';
import { NO_WATCH } from '../keyspace/watchers.js';
import { Parsed, Parser, type ParserLimits } from '../resp/parse.js';
import { Reply, type ReplyEdge } from '../resp/write.js';
import { ClientFlag } from '../stats/clients.js';
import { Counter } from '../stats/server.js';
import { type Connection, KEPT_BYTES_MAX, LargeInput, type Outbox } from './connection.js';
import { Endings } from './endings.js';
import { type ServingHooks, UNCOUNTED_BYTES } from './hooks.js';
import { OutputLimits } from './output-limits.js';
import { Pushes } from './pushes.js';
import { mayWaitForEver, Waits } from './waits.js';

const ARENA_BYTES = 1024 * 1024;
/** A connection's turn starts with at least so much room in the arena. */
const ARENA_ROOM_BYTES = 256 * 1024;
/** Queued output from which a send is tried between two commands of a pipeline. */
const EAGER_SEND_BYTES = 1024 * 1024;
/** Queued output from which a connection without an output limit is not read any more. */
const HOLD_BACK_BYTES = 16 * 1024 * 1024;
/** The clock is read after so many commands that are run one by one. */
const COMMANDS_PER_LOOK = 16;
/** No command of the batch is left, and more may follow. */
const ALL_RAN = -1;

/** Waiting input is served in helpings of about so much, so that others get their turn. */
export const HELPING_BYTES = 256 * 1024;
/** Offsets into input are small integers. */
const INPUT_BYTES_MAX = 2 ** 30 + 2 ** 29;

export class Serving implements ReplyEdge {
  readonly runner: Runner;
  readonly limits: ParserLimits;
  readonly reply: Reply;
  readonly outputLimits = new OutputLimits(this);
  /** Messages for connections, outside of their own commands. */
  readonly pushes: Pushes;
  /** Waits that are over, told in serveReady. */
  readonly endings: Endings;
  /**
   * Set by a transport that serves several connections one right after the other: quick commands
   * that come one at a time are then timed together (dispatch/run.ts), until it closes the group.
   */
  sharesGroups = false;
  /** So long one connection's commands run before others get their turn. */
  turnMs = 1;
  /** client-query-buffer-limit, bytes. */
  private inputBytesMax = 1024 * 1024 * 1024;
  /** Set by a transport whose sends leave together. */
  outbox: Outbox | null = null;
  readonly arena: Uint8Array<ArrayBuffer>;
  readonly connections = new Set<Connection>();
  /** Bytes in and out, reads and writes, for INFO; the transport adds them up. */
  inputBytes = 0;
  outputBytes = 0;
  readCount = 0;
  writeCount = 0;
  protected readonly hooks: ServingHooks;
  private readonly parser: Parser;
  private readonly batch: Batch;
  /** toFlush[0, toFlushCount): counted, because setting an array's length is a slow call. */
  private readonly toFlush: (Connection | null)[] = [];
  private toFlushCount = 0;
  private readonly bySlot = new Map<number, Connection>();
  private readonly waits = new Waits();
  private readonly postponed = new Set<Connection>();
  /** Connections whose kept input can go on without more of it. */
  protected readonly ready = new Set<Connection>();
  private current: Connection | null = null;

  constructor(runner: Runner, limits: ParserLimits, hooks: ServingHooks) {
    this.runner = runner;
    this.limits = limits;
    this.hooks = hooks;
    this.parser = new Parser(new Slices(), limits);
    this.batch = new Batch(runner.keyspace, runner.table);
    this.arena = withView(new Uint8Array(new ArrayBuffer(ARENA_BYTES)));
    this.reply = new Reply(this.arena, this);
    this.pushes = new Pushes(this);
    this.endings = new Endings(this, hooks.answered);
  }

  get log(): ServingHooks['log'] {
    return this.hooks.log;
  }

  add(connection: Connection): void {
    this.connections.add(connection);
    this.bySlot.set(connection.session.slot, connection);
    connection.session.outlet = connection;
  }

  /** client-query-buffer-limit. */
  setInputLimit(bytes: number): void {
    this.inputBytesMax = Math.min(bytes, INPUT_BYTES_MAX);
  }

  /** The connection in a slot of the client directory. */
  connectionAt(slot: number): Connection | null {
    return this.bySlot.get(slot) ?? null;
  }

  // ---- input ----------------------------------------------------------------------------------

  /** May its next command run now? */
  isRunnable(connection: Connection): boolean {
    const { session } = connection;
    return (
      session.closing === Closing.No &&
      session.wait === null &&
      !connection.isPostponed &&
      !connection.isHeldBack
    );
  }

  /** Input u8[start, end) has arrived; the bytes are the caller's again when this returns. */
  received(connection: Connection, u8: Uint8Array, start: number, end: number): void {
    assert(connection.large === null, 'large input is read into its own buffer');
    this.hooks.beforeCommands();
    this.enter(connection);
    const { parser } = this;
    parser.isStranger = isStranger(connection.session);
    parser.feed(u8, start, end);
    this.serve(connection, parser);
    this.leave(connection);
    if (connection.isClosed) return;
    this.keepRest(connection, u8, parser.commandAt, end, parser.neededBytes);
    if (connection.kept !== null) this.hooks.touched(connection);
  }

  /**
   * Where more input goes when the connection has a large buffer, or may not run commands; with
   * room for `least` bytes. Null when there is no memory, and the connection closed.
   */
  largeInputOf(connection: Connection, least: number): LargeInput | null {
    const { kept } = connection;
    let { large } = connection;
    if (large === null) {
      large = LargeInput.create(kept ?? NO_BYTES, 0, kept?.length ?? 0, this.limits);
      connection.kept = null;
      connection.large = large;
    }
    if (large !== null && large.makeRoom(least) >= least) return large;
    this.closeForMemory(connection);
    return null;
  }

  /** Bytes have arrived in the connection's own large buffer. */
  receivedLarge(connection: Connection): void {
    const large = connection.large!;
    // It may be too much, and run no more: see server/client-memory.ts.
    this.hooks.touched(connection);
    if (this.isRunnable(connection) && !this.ready.has(connection)) {
      this.hooks.beforeCommands();
      this.enter(connection);
      large.parser.isStranger = isStranger(connection.session);
      this.serve(connection, large.parser);
      this.leave(connection);
      if (connection.isClosed) return;
    }
    const rest = large.end - large.parser.commandAt;
    if (connection.session.closing !== Closing.No) {
      connection.large = null;
    } else if (rest > this.inputBytesMax) {
      this.closeForInput(connection, rest);
    } else if (rest <= KEPT_BYTES_MAX && !this.ready.has(connection)) {
      // The large command is done with: what follows it is read as usual.
      connection.large = null;
      connection.keep(large.u8, large.parser.commandAt, large.end);
    }
    if (!connection.isClosed) this.hooks.touched(connection);
  }

  private keepRest(
    connection: Connection,
    u8: Uint8Array,
    start: number,
    end: number,
    neededBytes: number,
  ): void {
    const bytes = end - start;
    connection.kept = null;
    if (connection.session.closing !== Closing.No) return;
    if (bytes > this.inputBytesMax) {
      this.closeForInput(connection, bytes);
      return;
    }
    if (!connection.keepRest(u8, start, end, this.limits, neededBytes)) {
      this.closeForMemory(connection);
      return;
    }
    // Reads over what is there once more: from here on progress is kept.
    if (connection.large !== null && this.isRunnable(connection)) this.receivedLarge(connection);
  }

  /**
   * The peer has sent its last byte: it leaves when it has what it has asked for. As on Redis that
   * is not what a blocked command may bring it, nor what has to wait for the end of a pause.
   */
  inputEnded(connection: Connection): void {
    const { session } = connection;
    const isAnswered = connection.output.length > 0 || connection.replyTo > connection.replyFrom;
    const isBlocked = mayWaitForEver(session) || connection.isPostponed;
    const goesOn = connection.isHeldBack || this.ready.has(connection) || session.wait !== null;
    if (!isAnswered && (isBlocked || !goesOn)) {
      this.close(connection);
      return;
    }
    if (isBlocked) session.closing = Closing.AfterReply;
    connection.isInputEnded = true;
    this.adjustInterest(connection);
  }

  closeForMemory(connection: Connection): void {
    const { id, address } = connection.session;
    this.hooks.log('warning', `Closing client without memory for it: id=${id} addr=${address}`);
    this.close(connection);
  }

  private closeForInput(connection: Connection, bytes: number): void {
    this.hooks.log(
      'warning',
      `Closing client that reached max query buffer length: id=${connection.session.id} ` +
        `addr=${connection.session.address} qbuf=${bytes}`,
    );
    this.runner.server.stats.add(Counter.InputLimitDisconnections, 1);
    this.close(connection);
  }

  private enter(connection: Connection): void {
    assert(this.current === null, 'one connection is served at a time');
    if (connection.isLeaving) this.outbox!.submit();
    if (this.reply.at > ARENA_BYTES - ARENA_ROOM_BYTES) {
      this.flushReplies();
      this.outbox?.submit();
      this.clearArenas();
    }
    this.current = connection;
    const { reply } = this;
    if (!connection.isToFlush || connection.replyFrom === connection.replyTo) {
      connection.replyFrom = reply.at;
    } else if (connection.holdsPushes) {
      this.pushes.queueHeld(connection);
      connection.replyFrom = reply.at;
    } else if (connection.replyTo !== reply.at) {
      // Served twice in a turn with others in between: its first replies go before, in order.
      this.enqueue(connection, this.arena, connection.replyFrom, connection.replyTo);
      connection.replyFrom = reply.at;
    }
    reply.protocol = connection.session.protocol;
  }

  private leave(connection: Connection): void {
    const { reply } = this;
    if (!this.sharesGroups) this.runner.closeGroup(null);
    this.current = null;
    connection.replyTo = reply.at;
    // By `enter`, which had to send its earlier replies.
    if (connection.isClosed) return;
    this.hooks.touched(connection);
    this.toBeFlushed(connection);
    const { session } = connection;
    if (session.wait === null) return;
    // Nobody would notice that the peer leaves: see inputEnded.
    if (connection.isInputEnded && mayWaitForEver(session)) session.closing = Closing.AfterReply;
    if (this.waits.add(connection, session.wait)) this.hooks.deadlineMoved();
  }

  /** Runs commands until input, room or permission ends; `parser.commandAt` is what comes next. */
  protected serve(connection: Connection, parser: Parser): void {
    const { session } = connection;
    if (!parser.isStranger && connection.large === null && !session.isTold) {
      this.serveBatches(connection, parser);
      return;
    }
    // One by one: a stranger's limits end with its AUTH, large input keeps its parser's progress,
    // and what a subscriber's command tells itself comes before its next reply.
    const { runner } = this;
    const { args } = parser;
    const helpingEnd = parser.at + HELPING_BYTES;
    const endMs = runner.lastReadMs + this.turnMs;
    let count = 0;
    while (session.closing === Closing.No && session.wait === null) {
      const isFull = parser.at > helpingEnd && connection.large !== null;
      if ((isFull || runner.lastReadMs > endMs) && this.leavesRest(connection, parser)) break;
      const parsed = parser.next();
      if (parsed === Parsed.Command) {
        const command = runner.table.find(args, 0);
        const mayGoOn = this.execute(connection, command, args, Placed.No);
        if (++count % COMMANDS_PER_LOOK === 0) runner.closeGroup(runner.context.args);
        if (session.isTold) this.hooks.commandEnded();
        if (!mayGoOn) {
          if (connection.isPostponed) parser.forget();
          else parser.commandAt = parser.at;
          return;
        }
        parser.isStranger = isStranger(session);
      } else if (parsed === Parsed.Incomplete) {
        return;
      } else if (parsed === Parsed.Error) {
        this.failProtocol(connection, parser);
      }
      parser.commandAt = parser.at;
    }
    parser.commandAt = parser.at;
  }

  /** Is there more input? It is left for the next turn. */
  private leavesRest(connection: Connection, parser: Parser): boolean {
    if (parser.at === parser.end) return false;
    this.ready.add(connection);
    return true;
  }

  /** As serve, reading some commands ahead so that their memory can be brought near. */
  private serveBatches(connection: Connection, parser: Parser): void {
    const { session } = connection;
    const { batch, runner } = this;
    const endMs = runner.lastReadMs + this.turnMs;
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
      const next = this.executeBatch(connection);
      if (next !== ALL_RAN) {
        // What was read ahead and not run is input again.
        if (next < batch.count) parser.rewind(batch.startsAt[next]!);
        else if (parsed === Parsed.Command) parser.commandAt = parser.at;
        return;
      }
      if (parsed === Parsed.Incomplete) return;
      if (parsed === Parsed.Error) this.failProtocol(connection, parser);
      parser.commandAt = parser.at;
      // Each batch ends with a look at the clock.
      if (runner.lastReadMs > endMs && this.leavesRest(connection, parser)) return;
    }
  }

  /** Runs what was read ahead: ALL_RAN, or which command is next when no other may run now. */
  private executeBatch(connection: Connection): number {
    const { batch, runner } = this;
    let next = ALL_RAN;
    runner.keepsLock = true;
    for (let index = 0; index < batch.count; index++) {
      const placed = batch.placed[index]!;
      const mayGoOn = this.execute(connection, batch.commands[index]!, batch.args[index]!, placed);
      // It may just have become a subscriber, who gets its own messages before its next reply.
      if (connection.session.isTold) {
        runner.giveBack();
        this.hooks.commandEnded();
      }
      if (mayGoOn) continue;
      next = connection.isPostponed ? index : index + 1;
      break;
    }
    runner.keepsLock = false;
    if (batch.count === 1 && this.sharesGroups) runner.giveBack();
    else runner.closeGroup(runner.context.args);
    batch.end();
    return next;
  }

  protected failProtocol(connection: Connection, parser: Parser): void {
    this.reply.error(parser.error);
    this.runner.server.stats.errorReplied('ERR');
    connection.session.closing = Closing.AfterReply;
  }

  /** Runs one command. False when no further one may run now. */
  protected execute(
    connection: Connection,
    command: Command | null,
    args: Slices,
    placed: Placed,
  ): boolean {
    const { session } = connection;
    const { runner } = this;
    const outcome = runner.runFound(session, command, args, this.reply, placed);
    connection.commandId = command === null ? -1 : runner.context.command.id;
    if (outcome === Outcome.Postponed) {
      connection.isPostponed = true;
      session.shownFlags |= ClientFlag.Blocked;
      this.postponed.add(connection);
      return false;
    }
    if (connection.outputBytes > EAGER_SEND_BYTES && !this.relieve(connection)) return false;
    return session.closing === Closing.No && session.wait === null;
  }

  /** Sends queued output between two commands; false when the connection must stop for now. */
  private relieve(connection: Connection): boolean {
    const { reply } = this;
    // Nothing is sent while a lock is held.
    this.runner.giveBack();
    this.hooks.beforeReplies();
    if (connection.session.closing === Closing.Now) return false;
    this.enqueue(connection, this.arena, connection.replyFrom, reply.at);
    reply.at = connection.replyFrom;
    if (!this.drain(connection)) {
      connection.session.closing = Closing.Now;
      return false;
    }
    this.outputLimits.check(connection);
    const isUnlimited = this.outputLimits.isUnlimited(connection);
    if (connection.outputBytes > HOLD_BACK_BYTES && isUnlimited) {
      connection.isHeldBack = true;
      return false;
    }
    return connection.session.closing === Closing.No;
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
    if (connection.session.isMuted) return;
    this.enqueue(connection, u8, start, start + length);
    this.outputLimits.check(connection);
  }

  private moveOut(connection: Connection): void {
    const { reply } = this;
    // Of a muted session only what it was told before this command.
    const end = connection.session.isMuted ? reply.commandAt : reply.at;
    this.enqueue(connection, this.arena, connection.replyFrom, end);
    this.outputLimits.check(connection);
    reply.at = connection.replyFrom;
    reply.commandAt = connection.replyFrom;
  }

  // ---- messages: what pushes.ts needs ----------------------------------------------------------

  /** Does one of its commands run? */
  isServed(connection: Connection): boolean {
    return connection === this.current;
  }

  /** A message for the connection whose command runs: behind what that has answered so far. */
  appendPush(bytes: Uint8Array): void {
    const { reply } = this;
    const { session } = this.current!;
    const mode = session.replyMode;
    // Messages are no replies: CLIENT REPLY does not silence them.
    if (session.isMuted) reply.at = reply.commandAt;
    session.replyMode = ReplyMode.On;
    reply.raw(bytes);
    reply.commandAt = reply.at;
    session.replyMode = mode;
  }

  /** More was queued for a connection that takes nothing at the moment. */
  outputGrew(connection: Connection): void {
    this.hooks.touched(connection);
    this.outputLimits.check(connection);
    if (connection.session.closing === Closing.Now) this.close(connection);
  }

  /** Sends what the connection holds; returns how many bytes the peer took, −1 if it is gone. */
  sendNow(connection: Connection, source: Uint8Array): number {
    const { replyFrom, replyTo } = connection;
    const sent = connection.wire.send(connection, source, replyFrom, replyTo);
    if (sent > 0) this.outputBytes += sent;
    return sent;
  }

  /** A client that will be closed for its output gets no more of it into memory. */
  enqueue(connection: Connection, u8: Uint8Array, start: number, end: number): void {
    const { session } = connection;
    if (session.closing === Closing.Now || connection.enqueue(u8, start, end)) return;
    this.hooks.log(
      'warning',
      `No memory for the output of client id=${session.id} addr=${session.address}: it is closed.`,
    );
    session.closing = Closing.Now;
    connection.dropOutput();
  }

  /** Sends queued output. False when the peer is gone. */
  private drain(connection: Connection): boolean {
    const sent = connection.drain();
    if (sent < 0) return false;
    this.outputBytes += sent;
    if (sent > 0) connection.lastActiveMs = this.runner.keyspace.nowMs;
    return true;
  }

  /** Sends what the turn has written: one send per connection. Ends every turn. */
  flushReplies(): void {
    const { toFlush, pushes } = this;
    if (this.toFlushCount === 0 && pushes.count === 0) return;
    this.hooks.beforeReplies();
    for (let index = 0; index < this.toFlushCount; index++) {
      this.flush(toFlush[index]!, this.arena);
      toFlush[index] = null;
    }
    this.toFlushCount = 0;
    if (pushes.count > 0) pushes.flush();
    if (this.outbox === null || this.outbox.count === 0) this.clearArenas();
  }

  /** Nothing that leaves stands in the arenas any more, unless it was written in between. */
  clearArenas(): void {
    if (this.current === null && this.toFlushCount === 0) this.reply.at = 0;
    if (this.pushes.count === 0) this.pushes.pushAt = 0;
  }

  /** Of a send from the outbox the peer took `sent` bytes only; −1: it is gone. */
  sentLess(connection: Connection, u8: Uint8Array, start: number, end: number, sent: number): void {
    if (connection.isClosed) return;
    this.outputBytes -= end - start - Math.max(0, sent);
    // Not closed from here: this may be in the middle of something. The end of the turn does.
    if (sent < 0) connection.session.closing = Closing.Now;
    else this.enqueue(connection, u8, start + sent, end);
    this.toBeFlushed(connection);
  }

  /**
   * Replies of this turn must not leave: whoever has some is closed. A reader that stands beside
   * the writers pays with them; this happens once, when a disk fails.
   */
  closeUnanswered(): void {
    if (this.current !== null) this.current.session.closing = Closing.Now;
    for (let index = 0; index < this.toFlushCount; index++) {
      const connection = this.toFlush[index]!;
      // Also who has had replies of this turn queued.
      const isAnswered = connection.replyTo > connection.replyFrom || connection.output.length > 0;
      if (isAnswered) connection.session.closing = Closing.Now;
    }
  }

  /**
   * In the middle of a command that takes long: what others were answered in this turn leaves. Who
   * would need a lock to be closed is left for later.
   */
  flushOthers(): void {
    const { toFlush } = this;
    let keptCount = 0;
    for (let index = 0; index < this.toFlushCount; index++) {
      const connection = toFlush[index]!;
      const { session } = connection;
      toFlush[index] = null;
      const isBound = session.watch !== NO_WATCH || session.wait !== null;
      const isLeft = connection === this.current || isBound || session.closing !== Closing.No;
      if (isLeft) toFlush[keptCount++] = connection;
      else this.flush(connection, this.arena);
    }
    this.toFlushCount = keptCount;
    this.outbox?.submit();
  }

  private planFlush(connection: Connection): void {
    const at = this.toFlushCount++;
    if (at < this.toFlush.length) this.toFlush[at] = connection;
    else this.toFlush.push(connection);
  }

  /** Ends the connection's turn; what it holds stands in `source`. */
  flush(connection: Connection, source: Uint8Array): void {
    connection.isToFlush = false;
    if (connection.isClosed) return;
    const { replyFrom, replyTo, session } = connection;
    connection.replyFrom = 0;
    connection.replyTo = 0;
    const bytes = replyTo - replyFrom;
    if (bytes > UNCOUNTED_BYTES) this.outputLimits.check(connection, bytes);
    if (session.closing === Closing.Now) {
      this.close(connection);
      return;
    }
    if (replyTo > replyFrom) {
      let sent = 0;
      if (connection.output.length === 0) {
        if (this.outbox !== null && connection.isUndisturbed) {
          this.outbox.add(connection, source, replyFrom, replyTo);
          this.outputBytes += bytes;
          return;
        }
        sent = connection.wire.send(connection, source, replyFrom, replyTo);
        if (sent < 0) {
          this.close(connection);
          return;
        }
      }
      this.outputBytes += sent;
      if (sent < bytes) {
        this.enqueue(connection, source, replyFrom + sent, replyTo);
      }
    }
    if (connection.output.length > 0) this.pushOutput(connection);
    else this.outputGone(connection);
  }

  /** The peer can take more. What is queued for it may promise what this turn has recorded. */
  roomCame(connection: Connection): void {
    this.hooks.beforeReplies();
    if (connection.session.closing === Closing.Now) this.close(connection);
    else this.pushOutput(connection);
  }

  /** Something was queued: sends what the peer takes. */
  private pushOutput(connection: Connection): void {
    if (!this.drain(connection)) {
      this.close(connection);
      return;
    }
    this.hooks.touched(connection);
    if (connection.output.length === 0) {
      connection.softLimitSinceMs = 0;
      this.outputGone(connection);
      return;
    }
    this.outputLimits.check(connection);
    if (connection.session.closing === Closing.Now) this.close(connection);
    else this.adjustInterest(connection);
  }

  /** The peer has taken everything: the end of the connection, or of what held it back. */
  private outputGone(connection: Connection): void {
    if (connection.isHeldBack) {
      connection.isHeldBack = false;
      // Not from here: this may be in the middle of a flush.
      this.ready.add(connection);
    }
    const isServed =
      connection.isInputEnded && this.isRunnable(connection) && !this.ready.has(connection);
    const isOver = connection.session.closing !== Closing.No || isServed;
    // Replies of this turn may still stand in the arena: the end of the turn closes it.
    if (isOver && !connection.isToFlush) this.close(connection);
    else this.adjustInterest(connection);
  }

  private adjustInterest(connection: Connection): void {
    const writes = connection.output.length > 0;
    const reads = connection.session.closing === Closing.No && !connection.isInputEnded;
    if (writes !== connection.wantsWrites || reads !== connection.wantsReads) {
      connection.wantsReads = reads;
      connection.wantsWrites = writes;
      connection.wire.want(connection, reads, writes);
    }
  }

  // ---- waits, pauses and endings --------------------------------------------------------------

  /** Serves input that was kept while the session could not run commands. */
  resume(connection: Connection): void {
    connection.isPostponed = false;
    connection.session.shownFlags &= ~ClientFlag.Blocked;
    this.postponed.delete(connection);
    this.ready.delete(connection);
    if (connection.isClosed || !this.isRunnable(connection)) return;
    const { kept } = connection;
    connection.kept = null;
    if (kept !== null) this.received(connection, kept, 0, kept.length);
    else if (connection.large !== null) this.receivedLarge(connection);
    // Whoever has sent its last byte is closed when its replies have left.
    if (!connection.isClosed) this.toBeFlushed(connection);
  }

  /** The connection's next command is to be run when others let it. */
  postpone(connection: Connection): void {
    connection.isPostponed = true;
    this.postponed.add(connection);
  }

  /** Lets postponed connections try again. */
  resumePostponed(): void {
    for (const connection of [...this.postponed]) this.resume(connection);
  }

  get hasPostponed(): boolean {
    return this.postponed.size > 0;
  }

  /** Goes on with input that is here already: once a turn. */
  serveReady(): void {
    if (this.endings.count !== 0) this.endings.give();
    if (this.ready.size === 0) return;
    for (const connection of [...this.ready]) this.resume(connection);
  }

  /** Is the rest of its input left for the next turn? */
  isReady(connection: Connection): boolean {
    return this.ready.size !== 0 && this.ready.has(connection);
  }

  get hasReady(): boolean {
    return this.ready.size > 0 || this.endings.count !== 0;
  }

  /** Ends the waits whose deadline has come. Returns the next deadline, Infinity for none. */
  endWaits(nowMs: number): number {
    const { waits } = this;
    if (nowMs < waits.nextMs) return waits.nextMs;
    const hasLooked = waits.tend(nowMs, (connection, wait) =>
      this.endWait(connection, wait.timedOut),
    );
    // Who was served is answered by his own thread, which may be this one.
    if (hasLooked) this.hooks.beforeReplies();
    return waits.nextMs;
  }

  /** No wait ends before this moment; Infinity for none. */
  get nextDeadline(): number {
    return this.waits.nextMs;
  }

  /** Ends a session's wait with what `answer` writes. */
  endWait(connection: Connection, answer: (reply: Reply) => void): void {
    const { session } = connection;
    session.wait = null;
    this.waits.delete(connection);
    this.enter(connection);
    const mark = this.reply.at;
    this.reply.commandAt = mark;
    answer(this.reply);
    this.runner.applyReplyMode(session, this.reply);
    this.leave(connection);
    this.resume(connection);
  }

  toBeFlushed(connection: Connection): void {
    if (connection.isToFlush) return;
    connection.isToFlush = true;
    this.planFlush(connection);
  }

  /** Something of the session was changed from outside: see SessionEdge. */
  wake(session: Session): void {
    const connection = this.connectionAt(session.slot);
    if (connection === null || connection.session !== session) return;
    if (connection.isClosed || connection === this.current) return;
    if (session.closing !== Closing.No) this.toBeFlushed(connection);
  }

  close(connection: Connection): void {
    if (connection.isClosed) return;
    connection.isClosed = true;
    const { session } = connection;
    const isOrderly = session.closing === Closing.AfterReply || connection.isInputEnded;
    session.closing = Closing.Now;
    session.wait?.abandon?.();
    session.wait = null;
    connection.dropOutput();
    connection.kept = null;
    connection.large = null;
    this.connections.delete(connection);
    this.bySlot.delete(session.slot);
    this.waits.delete(connection);
    this.postponed.delete(connection);
    this.ready.delete(connection);
    // Forgotten first: once the peer sees the end, nobody lists it any more.
    this.hooks.closed(connection);
    connection.wire.close(connection, isOrderly);
  }
}

/** Someone who has not said the password yet, and needs to. */
export function isStranger(session: Session): boolean {
  return (session.raised & Gate.Stranger) !== 0;
}

const NO_BYTES = new Uint8Array(new ArrayBuffer(0));
