// FEED: all changes of the data, in their order, for who follows them (docs/change-feed.md). What
// is read, and how far, is log/feed.ts's; here is what a client asks for and gets.

import { parseSafeInteger } from '../base/ascii.js';
import { matchesGlob } from '../base/glob.js';
import { Slices } from '../base/slices.js';
import { mayReadAll } from '../dispatch/access.js';
import { isWord, readIntegerIn, word } from '../dispatch/args.js';
import type { Command } from '../dispatch/command.js';
import type { Context } from '../dispatch/context.js';
import { type CommandSpec, containerCommand, Flag, Shape } from '../dispatch/define.js';
import { findKeys, KeyPositions } from '../dispatch/route.js';
import { type FeedLook, FeedState, type ServerDoor } from '../dispatch/server-door.js';
import { type FeedCursor, positionText, type TakeRecord } from '../log/feed.js';
import type { FeedBudget, FeedFile } from '../log/feed-file.js';
import { DATABASE_OUT_OF_RANGE, OUT_OF_RANGE_POSITIVE, Refusal, SYNTAX } from '../resp/errors.js';
import { Parsed, Parser } from '../resp/parse.js';
import { GrowingEdge, Reply } from '../resp/write.js';
import { helpSubcommand, sub } from './server/help.js';
import { readMillisecondsDeadline } from './timeout.js';

const FLAGS = Flag.Admin | Flag.NoScript;
const SINCE = '1.0.0';
const UNBLOCKED = 'UNBLOCKED client unblocked via CLIENT UNBLOCK';

const COUNT = word('COUNT');
const BLOCK = word('BLOCK');
const MATCH = word('MATCH');
const DB = word('DB');
const OPTIONS: readonly Uint8Array[] = [COUNT, BLOCK, MATCH, DB];

/** What one call reads at most: about a third of a millisecond. */
const READ_BYTES_MAX = 256 * 1024;
const REPLY_BYTES = 4096;
const NO_DATABASE = -1;
/** The log was written under whatever proto-max-bulk-len there was. */
const ANY_LENGTH = { bulkBytesMax: Number.POSITIVE_INFINITY };

// ---- which records -----------------------------------------------------------------------------

/** What a follower wants to see. */
interface FeedFilter {
  readonly patterns: readonly Uint8Array[];
  readonly database: number;
}

/** Commands that change another database than the selected one, too. */
const REACHING: ReadonlySet<string> = new Set(['move', 'copy', 'flushall', 'swapdb']);

/** Looks into records; one for all followers of a thread. */
class RecordLook {
  /** Of the record that was looked at last. */
  commandCount = 0;
  private readonly args = new Slices();
  private readonly parser = new Parser(this.args, ANY_LENGTH);
  private readonly positions = new KeyPositions();

  /** Is there a command in the record that the filter lets through? Counts all of them. */
  isWanted(file: FeedFile, filter: FeedFilter, server: ServerDoor): boolean {
    const { parser, args } = this;
    let { database } = file;
    let isWanted = false;
    this.commandCount = 0;
    parser.feed(file.u8, file.bodyAt, file.bodyAt + file.bodyBytes);
    while (parser.at < parser.end && parser.next() === Parsed.Command) {
      this.commandCount++;
      if (isWanted) continue;
      const command = server.table.find(args, 0);
      if (command?.spec.name === 'select') {
        database = parseSafeInteger(args.u8, args.startOf(1), args.lengthOf(1));
      } else isWanted = this.isCommandWanted(command, database, filter);
    }
    return isWanted;
  }

  private isCommandWanted(
    command: Command | null,
    database: number,
    { patterns, database: wanted }: FeedFilter,
  ): boolean {
    // Nobody knows what it does.
    if (command === null) return true;
    const isThere = wanted === NO_DATABASE || wanted === database;
    if (!isThere && !REACHING.has(command.spec.name)) return false;
    // FLUSHALL changes all keys, though it names none.
    if (patterns.length === 0 || command.shape === Shape.Every) return true;
    return this.hasKeyLike(command, patterns);
  }

  private hasKeyLike(command: Command, patterns: readonly Uint8Array[]): boolean {
    const { args, positions } = this;
    if (!findKeys(command, args, positions)) return true;
    for (let index = 0; index < positions.count; index++) {
      const at = positions.words[index]!;
      const start = args.startOf(at);
      const length = args.lengthOf(at);
      for (const pattern of patterns) {
        if (matchesGlob(pattern, 0, pattern.length, args.u8, start, length, false)) return true;
      }
    }
    return false;
  }
}

const FEED_DENIED = new Refusal('NOPERM No permissions to access a key');

const recordLook = new RecordLook();

// ---- FEED READ ---------------------------------------------------------------------------------

interface ReadOptions extends FeedFilter {
  readonly count: number;
  /** Null without BLOCK. */
  readonly deadlineMs: number | null;
}

function readOptions(context: Context): ReadOptions {
  const { args } = context;
  const patterns: Uint8Array[] = [];
  let count = Number.POSITIVE_INFINITY;
  let deadlineMs: number | null = null;
  let database = NO_DATABASE;
  for (let index = 3; index < args.count; index += 2) {
    if (index + 1 >= args.count) throw SYNTAX;
    if (isWord(args, index, COUNT)) {
      const most = Number.MAX_SAFE_INTEGER;
      count = readIntegerIn(args, index + 1, 1, most, OUT_OF_RANGE_POSITIVE);
    } else if (isWord(args, index, BLOCK)) {
      deadlineMs = readMillisecondsDeadline(context, index + 1);
    } else if (isWord(args, index, DB)) {
      const last = context.keyspace.databaseCount - 1;
      database = readIntegerIn(args, index + 1, 0, last, DATABASE_OUT_OF_RANGE);
    } else if (isWord(args, index, MATCH)) {
      patterns.push(args.copy(index + 1));
      while (index + 2 < args.count && !isOption(context, index + 2)) {
        patterns.push(args.copy(index + 2));
        index++;
      }
    } else throw SYNTAX;
  }
  return { count, deadlineMs, patterns, database };
}

function isOption({ args }: Context, index: number): boolean {
  return OPTIONS.some((option) => isWord(args, index, option));
}

/** One FEED READ, until it is answered. */
class FeedReading implements FeedLook {
  private readonly server: ServerDoor;
  private readonly cursor: FeedCursor;
  private readonly options: ReadOptions;
  private readonly entries = new Reply(
    new Uint8Array(new ArrayBuffer(REPLY_BYTES)),
    new GrowingEdge(),
  );
  private entryCount = 0;
  private readonly budget: FeedBudget = { bytes: 0 };

  constructor(server: ServerDoor, cursor: FeedCursor, options: ReadOptions) {
    this.server = server;
    this.cursor = cursor;
    this.options = options;
  }

  read(limit: number): FeedState {
    const { server, cursor, budget } = this;
    const before = cursor.number;
    budget.bytes = READ_BYTES_MAX;
    const isAtEnd = server.feed.read(cursor, limit, budget, this.take);
    if (this.entryCount > 0) return FeedState.Ready;
    const isBlocking = this.options.deadlineMs !== null;
    if (isAtEnd) return isBlocking ? FeedState.Waiting : FeedState.Ready;
    // Whoever does not wait goes on from where this call has come to; but it must come further.
    return !isBlocking && cursor.number > before ? FeedState.Ready : FeedState.Reading;
  }

  private readonly take: TakeRecord = (file) => {
    const { entries, options, server } = this;
    if (!recordLook.isWanted(file, options, server)) return true;
    entries.array(3);
    entries.integer(file.number);
    entries.integer(file.database);
    // A log's commands are what an array of arrays of strings looks like on the wire.
    entries.array(recordLook.commandCount);
    entries.raw(file.u8.subarray(file.bodyAt, file.bodyAt + file.bodyBytes));
    this.entryCount++;
    return this.entryCount < options.count;
  };

  answer(reply: Reply): void {
    const { entries } = this;
    reply.array(2);
    reply.text(positionText(this.cursor));
    reply.array(this.entryCount);
    reply.raw(entries.u8.subarray(0, entries.at));
  }
}

const read = sub({
  name: 'read',
  arity: -3,
  group: 'server',
  since: SINCE,
  summary: 'Returns the changes of the data behind a position, or waits for them.',
  cost: 'O(N) with N being the bytes of the log that are read, at most about 256 kilobytes.',
  flags: FLAGS | Flag.Blocking | Flag.NoMulti,
  syntax: 'position [COUNT count] [BLOCK milliseconds] [MATCH pattern [pattern ...]] [DB index]',
  tips: ['nondeterministic_output'],
  run(context) {
    const { args, server, session, reply } = context;
    // The feed has all keys, whoever changed them.
    if (!mayReadAll(context)) throw FEED_DENIED;
    const options = readOptions(context);

    const cursor = server.feed.follow(session.id, args.text(2));
    const reading = new FeedReading(server, cursor, options);

    const state = reading.read(server.feed.limit());
    if (state === FeedState.Ready || session.isDenyBlocking) reading.answer(reply);
    else {
      context.wait({
        deadlineMs: options.deadlineMs ?? Number.POSITIVE_INFINITY,
        timedOut: (late) => reading.answer(late),
        unblockLine: UNBLOCKED,
      });
      server.waitForFeed(session, reading);
    }
  },
});

// ---- FEED INFO ---------------------------------------------------------------------------------

const info = sub({
  name: 'info',
  arity: 2,
  group: 'server',
  since: SINCE,
  summary: 'Tells which positions of the change feed there are, and how large its logs are.',
  cost: 'O(N) with N being the number of log files.',
  flags: FLAGS,
  tips: ['nondeterministic_output'],
  run({ server, reply }) {
    const { history, oldest, newest, bytes, pastBytes } = server.feed.summary();

    reply.map(5);
    reply.text('history');
    reply.text(history);
    reply.text('oldest-position');
    reply.text(positionText({ history, number: oldest }));
    reply.text('newest-position');
    reply.text(positionText({ history, number: newest }));
    reply.text('bytes');
    reply.integer(bytes);
    reply.text('history-bytes');
    reply.integer(pastBytes);
  },
});

export const feedCommands: readonly CommandSpec[] = [
  containerCommand({
    name: 'feed',
    arity: -2,
    group: 'server',
    since: SINCE,
    summary: 'A container for commands of the change feed.',
    flags: 0,
    subcommands: [
      read,
      info,
      helpSubcommand({
        container: 'feed',
        group: 'server',
        since: SINCE,
        lines: [
          'INFO',
          '    Return which positions there are.',
          'READ <position> [COUNT <count>] [BLOCK <milliseconds>] [MATCH <pattern> ...] [DB <n>]',
          '    Return the changes behind <position>: 0 for the oldest that are kept, $ for those',
          '    to come, or what the last reply has given.',
        ],
      }),
    ],
  }),
];
