// Who may do what: the users of this thread (acl/) applied to its sessions and their commands. A
// session that acts as a user who may do everything pays nothing: a gate bit is raised for all
// others, and sends their commands here.
//
// Commands are looked at in place: a bit by the command's id, then its keys and channels byte by
// byte. What a command does to its keys follows from its key specifications, once per command.

import { type AccessLog, Reason, Where } from '../acl/access-log.js';
import type { Accounts } from '../acl/accounts.js';
import { Right } from '../acl/pattern.js';
import type { Selector } from '../acl/selector.js';
import type { User } from '../acl/user.js';
import type { Slices } from '../base/slices.js';
import { Kind } from '../pubsub/registry.js';
import { NO_AUTH, Refusal } from '../resp/errors.js';
import { Counter, type ServerStats } from '../stats/server.js';
import type { Command } from './command.js';
import type { Context } from './context.js';
import { Flag } from './define.js';
import { Gate } from './gates.js';
import {
  CHANNELS_OF,
  Channels,
  Keys,
  keysOf,
  NOT_A_KEY,
  rightsOf,
  variableRight,
} from './key-rights.js';
import { findKeys, KeyPositions } from './route.js';
import type { Session } from './session.js';
import type { CommandTable } from './table.js';

/** What is said of a command. The larger is said where several selectors refuse. */
export const enum Verdict {
  Allowed = 0,
  Command = 1,
  Key = 2,
  Channel = 3,
}

const NOT_LOOKED_FOR = -1;

export interface AccessFields {
  /** Which of the executing threads this is. */
  readonly thread: number;
  readonly table: CommandTable;
  readonly accounts: Accounts;
  readonly log: AccessLog;
  readonly stats: ServerStats;
  /** The sessions of this thread's connections. */
  sessions(): Iterable<Session>;
  /** The line of CLIENT LIST of the session in a slot of the directory, of any thread. */
  describe(slot: number): string;
  /** The name of the user whom it acts as. */
  userAt(slot: number): string;
  /** Ends a connection of this thread. `isActing`: it is about to get the reply of its command. */
  close(session: Session, isActing: boolean): void;
  /** The session acts as another user: for the directory of clients. */
  noted(session: Session): void;
  nowMs(): number;
}

export class Access {
  readonly accounts: Accounts;
  readonly log: AccessLog;
  private readonly fields: AccessFields;
  private readonly table: CommandTable;
  /** By the id of the command. */
  private readonly keys: Uint8Array;
  private readonly oneRight: Uint8Array;
  private readonly rights: readonly Uint8Array[];
  private readonly channels: Uint8Array;
  private readonly positions = new KeyPositions();
  private positionCount = NOT_LOOKED_FOR;
  /** The word that was refused: of a key or channel; 0 for the command itself. */
  deniedAt = 0;
  /** What has changed since the sessions were looked at. */
  private readonly changed = new Set<User>();
  private readonly suspects = new Set<User>();

  constructor(fields: AccessFields) {
    this.fields = fields;
    this.table = fields.table;
    this.accounts = fields.accounts;
    this.log = fields.log;
    const { all } = fields.table;
    this.keys = new Uint8Array(all.map(keysOf));
    this.rights = all.map(({ spec }) => new Uint8Array((spec.keys ?? []).map(rightsOf)));
    this.oneRight = new Uint8Array(this.rights.map((rights) => rights[0] ?? 0));
    this.channels = new Uint8Array(
      all.map(({ fullName }) => CHANNELS_OF[fullName] ?? Channels.None),
    );
    this.accounts.news = {
      changed: (user, mayLoseChannels) => {
        this.changed.add(user);
        if (mayLoseChannels) this.suspects.add(user);
      },
      removed: (user) => {
        this.changed.add(user);
      },
    };
  }

  // ---- who a session is -------------------------------------------------------------------------

  /** Does whoever connects have to log in? */
  get needsPassword(): boolean {
    return !this.accounts.default.isWelcoming;
  }

  /** A session begins, or begins anew (RESET): as the default user. */
  begin(session: Session): void {
    const user = this.accounts.default;
    session.rights = user;
    session.user = user.name;
    session.isAuthenticated = user.isWelcoming;
    this.updateGates(session);
  }

  /**
   * Logs a session in with a user's name and password, on any thread and over any transport: from
   * the next command on it acts as that user. False, and noted in ACL LOG as what `object` tried,
   * when they are wrong or the user is disabled; the session stays who it was.
   */
  authenticate(session: Session, name: string, password: Uint8Array, object = 'AUTH'): boolean {
    const user = this.accounts.find(name);
    if (user?.accepts(password) !== true) {
      this.note(session.slot, Reason.Auth, whereOf(session), object, name);
      return false;
    }
    this.actAs(session, user);
    return true;
  }

  /**
   * As authenticate, for who has shown in another way that it is the user (a signed token, a
   * certificate). False when there is no such user, or it is disabled.
   */
  authenticateAs(session: Session, name: string): boolean {
    const user = this.accounts.find(name);
    if (user === null || !user.isEnabled) return false;
    this.actAs(session, user);
    return true;
  }

  private actAs(session: Session, user: User): void {
    session.rights = user;
    session.user = user.name;
    session.isAuthenticated = true;
    this.updateGates(session);
    this.fields.noted(session);
  }

  private updateGates(session: Session): void {
    const { rights } = session;
    if (rights === null || rights.isUnlimited) session.raised &= ~Gate.Restricted;
    else session.raised |= Gate.Restricted;
    if (this.needsPassword && !session.isAuthenticated) session.raised |= Gate.Stranger;
    else session.raised &= ~Gate.Stranger;
  }

  // ---- changes of users -------------------------------------------------------------------------

  /** Takes over what any thread has changed: one load when that is nothing. */
  catchUp(acting: Session | null = null): void {
    const { accounts } = this;
    if (accounts.isBehind) accounts.catchUp();
    if (this.changed.size === 0) return;
    this.settle(acting);
    accounts.store.noteSeen(this.fields.thread, accounts.version);
  }

  /** Whoever acts as a user that was changed may do less or more from now on; or nothing. */
  private settle(acting: Session | null): void {
    const { changed, suspects, fields } = this;
    for (const session of fields.sessions()) {
      const { rights } = session;
      if (rights !== null && changed.has(rights)) {
        if (rights.isGone) this.expel(session, acting);
        else if (suspects.has(rights) && !this.mayStaySubscribed(session, rights)) {
          fields.close(session, session === acting);
        }
      }
      // The default user decides about all who have not logged in.
      this.updateGates(session);
    }
    changed.clear();
    suspects.clear();
  }

  private expel(session: Session, acting: Session | null): void {
    session.rights = this.accounts.default;
    session.user = session.rights.name;
    session.isAuthenticated = false;
    this.fields.close(session, session === acting);
  }

  private mayStaySubscribed({ subscriptions }: Session, user: User): boolean {
    if (subscriptions === null) return true;
    return subscriptions.byKind.every((names, kind) =>
      [...names.values()].every(({ group: { name } }) =>
        user.selectors.some((selector) =>
          selector.permitsChannel(name, 0, name.length, kind === Kind.Pattern),
        ),
      ),
    );
  }

  // ---- commands ---------------------------------------------------------------------------------

  /** Why the command of a session whose gate is raised may not run (now, or in its queue). */
  refusalOf({ session, command, args }: Context): Refusal | null {
    const user = session.rights!;
    const verdict = this.check(user, command, args);
    if (verdict === Verdict.Allowed) return null;
    const object = this.objectOf(command, args);
    this.note(session.slot, reasonOf(verdict), whereOf(session), object, user.name);
    return new Refusal(`NOPERM ${shortly(verdict, user, command)}`);
  }

  /**
   * Why the command of a session of any thread that has waited for a key may not run now; null if
   * it may. Nearly always there is nobody who may not do everything.
   */
  waiterRefusalOf(slot: number, command: Command, args: Slices): Refusal | null {
    const { accounts, fields } = this;
    if (!accounts.hasRestricted) return null;
    const user = accounts.find(fields.userAt(slot));
    // Its connection is about to be closed.
    if (user === null) return NO_AUTH;
    if (user.isUnlimited) return null;
    const verdict = this.check(user, command, args);
    if (verdict === Verdict.Allowed) return null;
    const object = this.objectOf(command, args);
    this.note(slot, reasonOf(verdict), Where.Toplevel, object, user.name);
    return new Refusal(`NOPERM ${shortly(verdict, user, command)}`);
  }

  /** Refuses a queued command that its user may not run any more. */
  checkQueued({ session, command, args }: Context): void {
    const user = session.rights!;
    const verdict = this.check(user, command, args);
    if (verdict === Verdict.Allowed) return;
    const object = this.objectOf(command, args);
    this.note(session.slot, reasonOf(verdict), Where.Multi, object, user.name);
    throw new Refusal(
      'NOPERM ACLs rules changed between the moment the transaction was accumulated and the EXEC ' +
        'call. This command is no longer allowed for the following reason: ' +
        CHANGED_REASONS[verdict]!,
    );
  }

  /** Why a script may not call the command for its session; null if it may. */
  scriptRefusalOf(session: Session, command: Command, args: Slices): string | null {
    const user = session.rights!;
    const verdict = this.check(user, command, args);
    if (verdict === Verdict.Allowed) return null;
    const object = this.objectOf(command, args);
    this.note(session.slot, reasonOf(verdict), Where.Lua, object, user.name);
    return `ACL failure in script: ${shortly(verdict, user, command)}`;
  }

  /** See mayReadAll, of a session whose gate is raised. */
  permitsReadingAll({ session, command, args }: Context): boolean {
    this.positionCount = NOT_LOOKED_FOR;
    return session.rights!.selectors.some(
      (selector) =>
        selector.permitsEveryKey(Right.Read) &&
        this.checkBy(selector, command, args) === Verdict.Allowed,
    );
  }

  /** What the user may not do of the command `args`; `deniedAt` is the word that is refused. */
  check(user: User, command: Command, args: Slices): Verdict {
    const { selectors } = user;
    let verdict = Verdict.Command;
    let wordAt = 0;
    this.positionCount = NOT_LOOKED_FOR;
    for (let index = 0; index < selectors.length; index++) {
      const said = this.checkBy(selectors[index]!, command, args);
      if (said === Verdict.Allowed) return said;
      if (said > verdict || (said === verdict && this.deniedAt > wordAt)) {
        verdict = said;
        wordAt = this.deniedAt;
      }
    }
    this.deniedAt = wordAt;
    return verdict;
  }

  private checkBy(selector: Selector, command: Command, args: Slices): Verdict {
    const { id } = command;
    if (!selector.permitsCommand(id) && !permitsArgument(selector, command, args)) {
      this.deniedAt = 0;
      return Verdict.Command;
    }
    if (!selector.allKeys && this.keys[id] !== Keys.None) {
      if (this.keys[id] === Keys.One) {
        const at = command.firstKey;
        const right = this.oneRight[id]!;
        if (!selector.permitsKey(args.u8, args.startOf(at), args.lengthOf(at), right)) {
          this.deniedAt = at;
          return Verdict.Key;
        }
      } else if (!this.permitsKeys(selector, command, args)) return Verdict.Key;
    }
    if (!selector.allChannels && this.channels[id] !== Channels.None) {
      if (!this.permitsChannels(selector, this.channels[id]!, args)) return Verdict.Channel;
    }
    return Verdict.Allowed;
  }

  private permitsKeys(selector: Selector, command: Command, args: Slices): boolean {
    const { positions } = this;
    if (this.positionCount === NOT_LOOKED_FOR) {
      // Where keys cannot be found the handler refuses before it looks for any.
      this.positionCount = findKeys(command, args, positions) ? positions.count : 0;
    }
    const rights = this.rights[command.id]!;
    const isVariable = this.keys[command.id] === Keys.Variable;
    for (let index = 0; index < this.positionCount; index++) {
      const at = positions.words[index]!;
      const right = isVariable
        ? variableRight(command.fullName, args)
        : rights[positions.specs[index]!]!;
      if (right === NOT_A_KEY) continue;
      if (!selector.permitsKey(args.u8, args.startOf(at), args.lengthOf(at), right)) {
        this.deniedAt = at;
        return false;
      }
    }
    return true;
  }

  private permitsChannels(selector: Selector, channels: Channels, args: Slices): boolean {
    const last = channels === Channels.First ? 1 : args.count - 1;
    const isPattern = channels === Channels.PatternsFromFirst;
    for (let at = 1; at <= last; at++) {
      if (!selector.permitsChannel(args.u8, args.startOf(at), args.lengthOf(at), isPattern)) {
        this.deniedAt = at;
        return false;
      }
    }
    return true;
  }

  // ---- refusals ---------------------------------------------------------------------------------

  /** ACL DRYRUN: what the user is told, in full; null when the command is permitted. */
  explain(user: User, command: Command, args: Slices): string | null {
    const verdict = this.check(user, command, args);
    if (verdict === Verdict.Allowed) return null;
    if (verdict === Verdict.Command) return shortly(verdict, user, command);
    const kind = verdict === Verdict.Key ? 'key' : 'channel';
    const name = args.text(this.deniedAt);
    return `User ${user.name} has no permissions to access the '${name}' ${kind}`;
  }

  private objectOf(command: Command, args: Slices): string {
    return this.deniedAt === 0 ? command.fullName : args.text(this.deniedAt);
  }

  private note(slot: number, reason: Reason, where: Where, object: string, user: string): void {
    const { fields } = this;
    fields.stats.add(COUNTERS[reason]!, 1);
    const client = fields.describe(slot);
    this.log.add({ reason, where, object, user, client }, fields.nowMs());
  }
}

/**
 * May the session of the command, by one selector that permits the command, read all keys there
 * are? Asked by what reads keys that its words do not name.
 */
export function mayReadAll(context: Context): boolean {
  if ((context.session.raised & Gate.Restricted) === 0) return true;
  return context.server.access.permitsReadingAll(context);
}

const COUNTERS: readonly Counter[] = [
  Counter.AclCommandDenied,
  Counter.AclKeyDenied,
  Counter.AclChannelDenied,
  Counter.AclDenied,
];

/** By verdict. */
const CHANGED_REASONS: readonly string[] = [
  '',
  'no permission to execute the command or subcommand',
  'no permission to touch the specified keys',
  'no permission to access one of the channels used as arguments',
];

function reasonOf(verdict: Verdict): Reason {
  if (verdict === Verdict.Command) return Reason.Command;
  return verdict === Verdict.Key ? Reason.Key : Reason.Channel;
}

function whereOf({ queue }: Session): Where {
  return queue === null ? Where.Toplevel : Where.Multi;
}

/** What the user himself is told: nothing of names that he may not know. */
function shortly(verdict: Verdict, user: User, { fullName }: Command): string {
  if (verdict === Verdict.Command) {
    return `User ${user.name} has no permissions to run the '${fullName}' command`;
  }
  return `No permissions to access a ${verdict === Verdict.Key ? 'key' : 'channel'}`;
}

/** Commands of strangers are for everybody; others may be permitted with one first argument. */
function permitsArgument(selector: Selector, command: Command, args: Slices): boolean {
  if ((command.flags & Flag.NoAuth) !== 0) return true;
  const known = selector.firstArgumentsOf(command.id);
  if (known === null || args.count < 2) return false;
  const argument = args.text(command.parent === null ? 1 : 2).toLowerCase();
  return known.includes(argument);
}
