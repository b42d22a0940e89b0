// What a handler gets: one object per thread, reused for every command and borrowed for the call.

import type { Slices } from '../base/slices.js';
import type { Keyspace } from '../keyspace/keyspace.js';
import type { Partition } from '../keyspace/partition.js';
import { Refusal } from '../resp/errors.js';
import type { Reply } from '../resp/write.js';
import type { Attendance } from './attend.js';
import type { Blocking, BlockOrder } from './blocking.js';
import type { Command } from './command.js';
import type { Effects, Notify } from './effects.js';
import type { Parts } from './parts.js';
import type { Scripts } from './scripts.js';
import type { ServerDoor } from './server-door.js';
import { Closing, type Session, type Wait } from './session.js';
import type { Transactions } from './transactions.js';

/** Runs something under the lock of one partition, see Context.visit. */
export type Visitor = (partition: Partition) => void;

export class Context {
  readonly keyspace: Keyspace;
  readonly effects: Effects;
  readonly server: ServerDoor;
  /** For commands of very many keys; null where there is one thread. */
  readonly parts: Parts | null;
  readonly blocking: Blocking;
  readonly transactions: Transactions;
  readonly attendance: Attendance;
  readonly scripts: Scripts;
  /** Takes and releases the lock of one partition; given by run.ts. */
  private readonly visitPartition: (index: number, database: number, visitor: Visitor) => void;
  /** Runs what the session has queued, as its command EXEC; given by run.ts. */
  readonly execute: () => void;
  session: Session;
  command: Command;
  /** EXEC, while it runs `command`. */
  executing: Command | null = null;
  args: Slices;
  reply: Reply;
  /** The partition of the command's key (keyCommand), or of its first. */
  partition: Partition;

  constructor(fields: {
    keyspace: Keyspace;
    effects: Effects;
    server: ServerDoor;
    parts: Parts | null;
    blocking: Blocking;
    transactions: Transactions;
    attendance: Attendance;
    scripts: Scripts;
    execute: () => void;
    visitPartition: (index: number, database: number, visitor: Visitor) => void;
    session: Session;
    command: Command;
    args: Slices;
    reply: Reply;
  }) {
    this.keyspace = fields.keyspace;
    this.effects = fields.effects;
    this.server = fields.server;
    this.parts = fields.parts;
    this.blocking = fields.blocking;
    this.transactions = fields.transactions;
    this.attendance = fields.attendance;
    this.scripts = fields.scripts;
    this.execute = fields.execute;
    this.visitPartition = fields.visitPartition;
    this.session = fields.session;
    this.command = fields.command;
    this.args = fields.args;
    this.reply = fields.reply;
    this.partition = fields.keyspace.partitions[0]!;
  }

  /**
   * The partition of the key at word `index`; its lock is held, the session's database selected.
   */
  at(index: number): Partition {
    return this.keyspace.partitions[this.args.partitions[index]!]!;
  }

  /**
   * May the key at word `index` be looked at? Not in every run of a command that has waited: see
   * blocking.ts. Such a key is passed over.
   */
  isHere(index: number): boolean {
    return this.args.partitions[index]! >= 0;
  }

  /** Milliseconds since 1970, one value for the whole command. */
  get nowMs(): number {
    return this.keyspace.nowMs;
  }

  /** The key at word `index` was changed; `event` is its keyspace notification. */
  changed(index: number, notify: Notify, event: string): void {
    this.effects.changed(this.at(index), this.args, index, notify, event);
  }

  /** What belongs to a change that is counted already: its second event, or its other key. */
  alsoChanged(index: number, notify: Notify, event: string): void {
    this.changed(index, notify, event);
    this.effects.dirty--;
  }

  /** The client has outgrown its output limit: whatever else it is told, it will not hear. */
  get isAbandoned(): boolean {
    return this.session.closing === Closing.Now;
  }

  /** Refuses with a line made for this moment. Constant lines stand in resp/errors.ts. */
  refuse(line: string): never {
    throw new Refusal(line);
  }

  /**
   * For a session command that says so (CommandSpec.visits): runs `visitor` under the lock of
   * partition `index`, with the session's database selected. One at a time; visits do not nest.
   */
  visit(index: number, visitor: Visitor): void {
    this.visitPartition(index, this.session.database, visitor);
  }

  /** As visit, in another database than the session's. */
  visitDatabase(index: number, database: number, visitor: Visitor): void {
    this.visitPartition(index, database, visitor);
  }

  /** The reply comes later; until then no further command of this session is read. */
  wait(wait: Wait): void {
    this.session.wait = wait;
  }

  /** The command found nothing and waits for its keys; its last act, under their locks. */
  block(order: BlockOrder): void {
    this.blocking.block(this, order);
  }
}
