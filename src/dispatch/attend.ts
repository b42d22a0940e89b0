// Commands that somebody looks on at: those of sessions whose reads are remembered (CLIENT
// TRACKING), and all commands while there is a MONITOR or a session of HOTKEYS. A raised gate sends
// them here; all others pay nothing for it.
//
// Each command has an attended twin: the same, but once it has run, and while its locks are still
// held, what it has read is remembered and its words are told. EXEC and scripts take the commands
// that they run from `commands`, by id: while they are attended themselves, those are the twins.

import type { Keyspace } from '../keyspace/keyspace.js';
import type { Monitors } from '../pubsub/monitors.js';
import type { Tracking } from '../pubsub/tracking.js';
import { secretsOf } from '../stats/slowlog.js';
import { Command } from './command.js';
import type { Context } from './context.js';
import { type CommandSpec, Flag, InMulti, Shape } from './define.js';
import { Profile } from './profile.js';
import { findKeys, KeyPositions, placeKey } from './route.js';
import type { ServerDoor } from './server-door.js';
import type { Session } from './session.js';
import type { CommandTable } from './table.js';

const US_PER_SECOND = 1_000_000;

export class Attendance {
  /** What runs for the command of each id. */
  commands: readonly Command[];
  /** A script runs: its commands are told as those of lua. Set by who runs it. */
  isInScript = false;
  private readonly table: CommandTable;
  private readonly keyspace: Keyspace;
  private readonly server: ServerDoor;
  private readonly tracking: Tracking | null;
  private readonly monitors: Monitors | null;
  private twins: readonly Command[] = [];
  private isMonitored = false;
  private readonly positions = new KeyPositions();
  private readonly profile: Profile;

  constructor(fields: {
    table: CommandTable;
    keyspace: Keyspace;
    server: ServerDoor;
    tracking: Tracking | null;
    monitors: Monitors | null;
  }) {
    this.table = fields.table;
    this.keyspace = fields.keyspace;
    this.server = fields.server;
    this.tracking = fields.tracking;
    this.monitors = fields.monitors;
    this.commands = fields.table.all;
    this.profile = new Profile(fields.server);
  }

  /** Is there a MONITOR on any thread? */
  setMonitored(isMonitored: boolean): void {
    this.isMonitored = isMonitored;
  }

  /** The twin that runs in place of a command of the session. */
  enter(command: Command, session: Session): Command {
    const { tracked } = session;
    if (tracked !== null) {
      tracked.isRemembering = tracked.wantsKeys;
      // CLIENT CACHING is for one command, or for one transaction as a whole.
      const isKept =
        command.parent?.spec.name === 'client' ||
        command.inMulti === InMulti.Answers ||
        (session.queue !== null && command.inMulti === InMulti.IsQueued);
      if (!isKept) tracked.isCachingSaid = false;
    }
    return this.twinsOfAll()[command.id]!;
  }

  /**
   * In the middle of a transaction its session is tracked, or its mode has an exception: what
   * follows is attended accordingly.
   */
  changed({ tracked }: Session): void {
    this.commands = this.twinsOfAll();
    if (tracked !== null) tracked.isRemembering = tracked.wantsKeys;
  }

  private twinsOfAll(): readonly Command[] {
    if (this.twins.length === 0) {
      this.twins = this.table.all.map((command) => this.twinOf(command));
    }
    return this.twins;
  }

  private twinOf(command: Command): Command {
    const spec: CommandSpec = {
      ...command.spec,
      run: (context) => this.attend(context, command),
    };
    const twin = new Command({ ...command, spec });
    twin.subcommands = command.subcommands;
    return twin;
  }

  private attend(context: Context, command: Command): void {
    const { commands } = this;
    const { flags } = command;
    const isTold = this.isMonitored && (flags & (Flag.SkipMonitor | Flag.Admin)) === 0;
    // A script comes before the commands that it runs.
    if (this.isMonitored && runsScript(command)) this.feed(context);
    this.commands = this.twins;
    // EXEC is none of it: its commands are noted one by one.
    const isNoted =
      !this.isInScript &&
      command.inMulti !== InMulti.Executes &&
      this.profile.begin(context, this.keyspace.nowMs);
    try {
      command.run(context);
    } finally {
      this.commands = commands;
      if (isNoted) this.profile.end(context, command);
      const { tracked, slot, id } = context.session;
      if (tracked !== null) {
        if (tracked.isRemembering) this.remember(context, command, slot, id);
        if (command.inMulti === InMulti.Executes) tracked.isCachingSaid = false;
      }
      if (isTold) this.feed(context);
    }
  }

  // ---- tracking ---------------------------------------------------------------------------------

  /**
   * The session in `slot` has read the keys of the command in `context`; their locks are held.
   * Nothing is remembered of what is no read: who changes a key hears of the next change only once
   * it has read it.
   */
  remember(context: Context, command: Command, slot: number, id: number): void {
    const { tracking, positions, keyspace } = this;
    const { args } = context;
    if (tracking === null || !reads(command) || !findKeys(command, args, positions)) return;
    for (let at = 0; at < positions.count; at++) {
      const word = positions.words[at]!;
      const start = args.startOf(word);
      const length = args.lengthOf(word);
      if (command.shape === Shape.Session) {
        // It has looked under a lock that it has given back.
        const index = placeKey(keyspace, args, word);
        context.visit(index, (partition) =>
          tracking.remember(partition, args.hashes[word]!, args.u8, start, length, slot, id),
        );
        continue;
      }
      const index = args.partitions[word]!;
      // Not locked, so not looked at: see blocking.ts.
      if (index < 0) continue;
      const hash = args.hashes[word]!;
      tracking.remember(keyspace.partitions[index]!, hash, args.u8, start, length, slot, id);
    }
  }

  // ---- MONITOR ----------------------------------------------------------------------------------

  /** Tells the running command to all monitors. */
  private feed({ session, command, args }: Context): void {
    const { monitors, server } = this;
    if (monitors === null) return;
    const nowUs = server.nowUs();
    const seconds = Math.floor(nowUs / US_PER_SECOND);
    const microseconds = String(nowUs % US_PER_SECOND).padStart(6, '0');
    let line = `+${seconds}.${microseconds} [${session.database} ${this.originOf(session)}]`;
    const secrets = secretsOf(command.fullName, args);
    for (let word = 0; word < args.count; word++) {
      line += secrets.has(word) ? ' "(redacted)"' : ` "${escaped(args.text(word))}"`;
    }
    monitors.feed(Buffer.from(`${line}\r\n`, 'latin1'));
  }

  private originOf(session: Session): string {
    if (this.isInScript) return 'lua';
    const { address } = session;
    return address.startsWith('/') ? `unix:${address.slice(0, address.lastIndexOf(':'))}` : address;
  }
}

/** Does it read keys, so that who caches wants to hear of their changes? */
function reads({ flags, spec }: Command): boolean {
  return (flags & Flag.Read) !== 0 && (flags & Flag.PubSub) === 0 && spec.group !== 'scripting';
}

function runsScript({ flags, spec }: Command): boolean {
  return spec.group === 'scripting' && (flags & Flag.SkipMonitor) !== 0;
}

const ESCAPES: Readonly<Record<string, string>> = {
  '\\': '\\\\',
  '"': '\\"',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\x07': '\\a',
  '\b': '\\b',
};

/** Latin1 text as Redis prints strings that may hold any byte. */
function escaped(text: string): string {
  return text.replace(/[^ !#-[\]-~]/g, (letter) => {
    const known = ESCAPES[letter];
    return known ?? `\\x${letter.charCodeAt(0).toString(16).padStart(2, '0')}`;
  });
}
