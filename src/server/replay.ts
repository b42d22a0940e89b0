// Runs the commands of logs on the road that clients' commands take, with the same reading ahead,
// but for nobody: no replies, no statistics, no records, and no key expires by the clock. Whoever
// loads feeds it commands as bytes; it runs them when it has read a few.

import { assert } from '../base/assert.js';
import type { Clock } from '../base/clock.js';
import { Slices } from '../base/slices.js';
import type { Config } from '../config/config.js';
import { BATCH_COMMANDS, Batch, Placed } from '../dispatch/batch.js';
import type { Command } from '../dispatch/command.js';
import { Shape } from '../dispatch/define.js';
import { Effects, type RecordSink } from '../dispatch/effects.js';
import { findKeys, KeyPositions, placeKey } from '../dispatch/route.js';
import { Outcome, Runner } from '../dispatch/run.js';
import type { ServerDoor } from '../dispatch/server-door.js';
import { Session } from '../dispatch/session.js';
import type { CommandTable } from '../dispatch/table.js';
import { type Keyspace, Lookup } from '../keyspace/keyspace.js';
import type { WaitersShape } from '../keyspace/waiters.js';
import type { WatchersShape } from '../keyspace/watchers.js';
import type { Tracking } from '../pubsub/tracking.js';
import { Parsed, Parser } from '../resp/parse.js';
import { GrowingEdge, Reply } from '../resp/write.js';
import type { ScriptsShape } from '../scripting/registry.js';
import { holderOf } from '../slab/lock.js';
import type { LatencyMonitor } from '../stats/latency.js';

/** A command of a log that cannot be run: `command` is its name, `line` what it would answer. */
export class ReplayFault extends Error {
  readonly command: string;
  readonly line: string;

  constructor(command: string, line: string) {
    super(`'${command}' of the log was answered with: ${line}`);
    this.command = command;
    this.line = line;
  }
}

export interface ReplayFields {
  readonly keyspace: Keyspace;
  readonly table: CommandTable;
  readonly config: Config;
  readonly clock: Clock;
  readonly waiters: WaitersShape;
  readonly watchers: WatchersShape;
  /** Where libraries of functions go; by itself a replay has its own. */
  readonly scripts?: ScriptsShape;
  /** The thread that replays, as holder of locks. */
  readonly thread: number;
  /** What the server has beyond that for handlers of commands that stand in logs. */
  readonly server?: Partial<ServerDoor>;
  /** The caller holds the locks of all partitions from its first command to its last. */
  readonly areLocksHeld?: boolean;
}

/** The database stays the one of the command before. */
const SAME_DATABASE = -1;
const MINUS = 0x2d;
const REPLY_BYTES = 64 * 1024;
/** Words may be as long as whoever wrote the log allowed them to be. */
const REPLAY_LIMITS = { bulkBytesMax: Number.POSITIVE_INFINITY };

export class Replay {
  readonly keyspace: Keyspace;
  /** Commands run so far. */
  commandCount = 0;
  readonly runner: Runner;
  private readonly session: Session;
  private readonly batch: Batch;
  private readonly parser: Parser;
  private readonly reply = new Reply(
    new Uint8Array(new ArrayBuffer(REPLY_BYTES)),
    new GrowingEdge(),
  );
  /** The database that a command of the batch starts in. */
  private readonly databases = new Int32Array(BATCH_COMMANDS);
  private nextDatabase = SAME_DATABASE;
  private readonly areLocksHeld: boolean;
  private readonly positions = new KeyPositions();

  constructor(fields: ReplayFields) {
    const { keyspace, table } = fields;
    this.keyspace = keyspace;
    this.areLocksHeld = fields.areLocksHeld ?? false;
    keyspace.expiresByClock = false;
    this.session = new Session({
      id: 0,
      edge: { wake() {} },
      slot: -1,
      address: '',
      localAddress: '',
      fd: -1,
      createdMs: 0,
    });
    this.session.isAuthenticated = true;
    const args = new Slices();
    this.runner = new Runner({
      keyspace,
      table,
      effects: new Effects(NO_RECORDS, { classes: 0, notify() {} }),
      server: quietDoor(fields),
      clock: fields.clock,
      self: holderOf(fields.thread),
      parts: null,
      waiters: fields.waiters,
      watchers: fields.watchers,
      ...(fields.scripts === undefined ? {} : { scripts: fields.scripts }),
      thread: fields.thread,
      session: this.session,
      args,
      reply: this.reply,
    });
    this.runner.slowerThanUs = Number.POSITIVE_INFINITY;
    this.batch = new Batch(keyspace, table);
    this.parser = new Parser(args, REPLAY_LIMITS);
    if (this.areLocksHeld) this.enterAsScript();
  }

  /** Under locks that are held already all that is replayed runs as what one script calls. */
  private enterAsScript(): void {
    const { runner, session } = this;
    session.isDenyBlocking = true;
    runner.context.session = session;
    runner.beginScript();
    // There is no record of it to gather.
    runner.effects.endTransaction();
  }

  /** The time of what comes now; between steps, and after any wait. */
  readClock(): void {
    this.runner.readClock();
  }

  /** Takes the RESP commands in u8[start, end), the first of them in `database`: see run. */
  feed(u8: Uint8Array, start: number, end: number, database: number): void {
    assert(this.parser.at === this.parser.end, 'all that was fed before has been read');
    this.parser.feed(u8, start, end);
    this.nextDatabase = database;
  }

  /**
   * Reads what was fed. True when all of it was read, though the last commands may not have run yet
   * (flush): their bytes must stay where they are. False after each batch that has run: there is
   * more.
   */
  run(): boolean {
    const { parser, batch } = this;
    while (parser.at < parser.end) {
      parser.args = batch.args[batch.count]!;
      const parsed = parser.next();
      if (parsed === Parsed.Nothing) continue;
      if (parsed !== Parsed.Command) this.failToParse(parsed);
      this.databases[batch.count] = this.nextDatabase;
      this.nextDatabase = SAME_DATABASE;
      batch.add(parser.commandAt);
      if (batch.count === BATCH_COMMANDS) {
        this.flush();
        return parser.at === parser.end;
      }
    }
    return true;
  }

  /** Runs what was read: the bytes that were fed are no longer needed, and no lock is held. */
  flush(): void {
    const { batch, session, databases, runner } = this;
    if (batch.count === 0) return;
    batch.touch(session.database);
    runner.keepsLock = true;
    for (let index = 0; index < batch.count; index++) {
      let placed = batch.placed[index]! as Placed;
      const database = databases[index]!;
      if (database !== SAME_DATABASE && database !== session.database) {
        session.database = database;
        // The key of the command before, but of another database.
        if (placed === Placed.AsBefore) placed = Placed.Yes;
      }
      this.execute(index, placed);
    }
    runner.keepsLock = false;
    runner.closeGroup(null);
    batch.end();
    this.commandCount += batch.count;
    batch.count = 0;
  }

  private execute(index: number, placed: Placed): void {
    const { batch, reply, session } = this;
    reply.at = 0;
    const args = batch.args[index]!;
    if (this.areLocksHeld) {
      this.executeHeld(batch.commands[index]!, args);
      return;
    }
    const outcome = this.runner.runFound(session, batch.commands[index]!, args, reply, placed);
    assert(outcome === Outcome.Done && session.wait === null, 'what a log holds runs at once');
    if (reply.u8[0] === MINUS && reply.at > 0) this.failToRun(args);
  }

  private executeHeld(found: Command | null, args: Slices): void {
    const { reply, runner } = this;
    let command = found;
    if (command !== null && command.subcommands.length !== 0 && args.count > 1) {
      command = runner.table.findSub(command, args, 1);
    }
    reply.commandAt = 0;
    if (command?.accepts(args.count)) {
      this.place(command, args);
      runner.runInScript(command, args, reply);
    } else reply.error(command === null ? 'ERR unknown command' : command.wrongArity.line);
    if (reply.u8[0] === MINUS && reply.at > 0) this.failToRun(args);
  }

  /** Places the keys, and selects the database in all partitions that the command may touch. */
  private place(command: Command, args: Slices): void {
    const { runner, keyspace, session, positions } = this;
    const { partitions } = keyspace;
    if (command.shape === Shape.Key) {
      const partition = partitions[placeKey(keyspace, args, command.firstKey)]!;
      partition.select(session.database);
      runner.context.partition = partition;
      return;
    }
    for (const partition of partitions) partition.select(session.database);
    runner.context.partition = partitions[0]!;
    if (!findKeys(command, args, positions)) return;
    for (let at = positions.count - 1; at >= 0; at--) {
      const index = placeKey(keyspace, args, positions.words[at]!);
      runner.context.partition = partitions[index]!;
    }
  }

  private failToRun(args: Slices): never {
    const { reply, runner } = this;
    runner.keepsLock = false;
    runner.giveBack();
    const line = Buffer.from(reply.u8.subarray(1, reply.at)).toString('latin1').trimEnd();
    throw new ReplayFault(args.text(0).slice(0, NAME_CHARS_MAX), line);
  }

  private failToParse(parsed: Parsed): never {
    const line = parsed === Parsed.Error ? this.parser.error : 'ERR Protocol error: cut off';
    throw new ReplayFault('a command', line);
  }
}

/** A command's name is never that long, but anything may stand in its place. */
const NAME_CHARS_MAX = 64;

const NO_RECORDS: RecordSink = { isOn: false, append() {} };

/** Look-ups of a replay count for nobody. */
export function uncountedLookups(): Float64Array {
  return new Float64Array(Lookup.Words);
}

/** The server as commands of a log see it: nothing they do is counted. */
function quietDoor({ table, config, server, thread, clock }: ReplayFields): ServerDoor {
  const door: Partial<ServerDoor> = {
    table,
    config,
    threadIndex: thread,
    commandStats: { called() {}, rejected() {}, failed() {} } as unknown as CommandStats,
    slowlog: { record() {} } as unknown as Slowlog,
    latency: { sample() {} } as unknown as LatencyMonitor,
    tracking: { beginFlush() {}, endFlush() {} } as unknown as Tracking,
    stats: { errorReplied() {}, add() {} } as unknown as ServerStats,
    clients: { setTransaction() {} } as unknown as ClientDirectory,
    saving: { wishAfterFlush() {} } as unknown as ServerDoor['saving'],
    wakeMain() {},
    log() {},
    nowUs: () => Math.floor(clock.wallAt(clock.monotonicMs()) * 1000),
    ...server,
  };
  return door as ServerDoor;
}

type CommandStats = ServerDoor['commandStats'];
type Slowlog = ServerDoor['slowlog'];
type ServerStats = ServerDoor['stats'];
type ClientDirectory = ServerDoor['clients'];
