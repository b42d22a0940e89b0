// Sends the keys of MIGRATE to other servers while this thread serves its clients, and removes here
// what has arrived there. Redis serves nobody meanwhile; here a key may change after it was read.
// So under its lock it is read once more: if it is what was sent it goes, otherwise it is sent
// again, over what arrived before; the third time writes are paused for it. A client sees the key
// in one place or in both, never in none.

import { equalBytes } from '../base/bytes.js';
import { keySlot } from '../base/crc.js';
import { hashBytes } from '../base/hash.js';
import { Slices } from '../base/slices.js';
import { Notify } from '../dispatch/effects.js';
import type { MigratedKey, Migration } from '../dispatch/migration.js';
import type { Session } from '../dispatch/session.js';
import { type EntryRef, expiryOf, hasExpiry } from '../keyspace/entry.js';
import type { Partition } from '../keyspace/partition.js';
import { PauseMode } from '../mesh/control.js';
import { Outgoing, OutgoingError } from '../net/outgoing.js';
import { writePayload } from '../rdb/dump.js';
import { ByteSink } from '../rdb/sink.js';
import { type Form, isWritable } from '../rdb/write.js';
import { holderOf, releaseLock, takeLock } from '../slab/lock.js';
import { Header, NONE } from '../slab/slab.js';
import type { Executor } from './executor.js';

/** A connection that nobody uses is kept so long, and so many of them, as Redis does. */
const KEPT_MS = 10_000;
const KEPT_MAX = 64;
/** A key that has changed so often while it was sent is sent while nobody writes. */
const QUIET_FROM = 2;
/** One that changes even so is left where it is after so many times. */
const ROUNDS_MAX = 16;

interface Kept {
  readonly connection: Outgoing;
  /** The database that is selected there; -1 if nobody knows. */
  database: number;
  timer: NodeJS.Timeout | null;
}

/** How the keys of one round fared. */
interface Round {
  readonly arrived: readonly MigratedKey[];
  /** The line of the other server's first error. */
  readonly error: string | null;
}

export class Migrations {
  /** Migrations under way: Node's loop must turn for them. */
  active = 0;
  private readonly executor: Executor;
  private readonly kept = new Map<string, Kept[]>();
  private keptCount = 0;
  private readonly sink = new ByteSink();

  constructor(executor: Executor) {
    this.executor = executor;
  }

  /** Connections that wait to be used again. */
  get cachedCount(): number {
    return this.keptCount;
  }

  /** Begins; the session, which waits, is answered at the end. */
  start(session: Session, migration: Migration): void {
    this.active++;
    this.run(migration)
      .catch((error: unknown) => {
        if (error instanceof OutgoingError) return lineOf(error);
        throw error;
      })
      .then((line) => this.answer(session, line))
      .finally(() => {
        this.active--;
      });
  }

  private answer(session: Session, line: string | null): void {
    const { serving, stats } = this.executor;
    const connection = serving.connectionAt(session.slot);
    if (connection === null || connection.session !== session || session.wait === null) return;
    serving.endWait(connection, (reply) => {
      if (line === null) reply.ok();
      else {
        stats.errorReplied(line.slice(0, line.indexOf(' ')));
        reply.error(line);
      }
    });
  }

  /** Null when all went well, else the error to answer. */
  private async run(migration: Migration): Promise<string | null> {
    let keys = migration.keys;
    let pausedUntilMs = 0;
    try {
      for (let round = 0; ; round++) {
        if (round >= QUIET_FROM) pausedUntilMs = this.pauseWrites(migration, pausedUntilMs);
        const { arrived, error } = await this.send(migration, keys, round > 0);
        keys = migration.copies ? [] : this.remove(migration, arrived);
        if (error !== null) return `ERR Target instance replied with error: ${error}`;
        if (keys.length === 0) return null;
        if (round === ROUNDS_MAX) {
          return 'IOERR a key changed whenever it was sent: it is here, and an older value there';
        }
      }
    } finally {
      this.resumeWrites(pausedUntilMs);
    }
  }

  /** Nobody writes for as long as a round may take; returns until when that is, 0 if by others. */
  private pauseWrites({ timeoutMs }: Migration, pausedUntilMs: number): number {
    const { control, clock, door } = this.executor;
    const nowMs = clock.nowMs();
    if (control.pausedAt(nowMs) !== PauseMode.Nothing) return pausedUntilMs;
    const untilMs = nowMs + timeoutMs;
    door.pauseClients(untilMs, false);
    return untilMs;
  }

  /** Ends the pause, unless somebody has asked for another one meanwhile. */
  private resumeWrites(pausedUntilMs: number): void {
    const { control, door } = this.executor;
    if (pausedUntilMs !== 0 && control.pausedUntilMs === pausedUntilMs) door.unpauseClients();
  }

  private async send(
    migration: Migration,
    keys: readonly MigratedKey[],
    isAgain: boolean,
  ): Promise<Round> {
    const first = await this.connect(migration);
    try {
      return await this.exchange(first, migration, keys, isAgain);
    } catch (error) {
      this.drop(first);
      // A connection that was kept may have been closed there meanwhile: nothing was done then.
      const mayRetry = error instanceof OutgoingError && error.isRetryable && !error.isTimeout;
      if (!mayRetry) throw error;
    }
    const second = await this.connect(migration);
    try {
      return await this.exchange(second, migration, keys, isAgain);
    } catch (error) {
      this.drop(second);
      throw error;
    }
  }

  private async exchange(
    kept: Kept,
    migration: Migration,
    keys: readonly MigratedKey[],
    isAgain: boolean,
  ): Promise<Round> {
    const { connection } = kept;
    const { secrets, targetDatabase, timeoutMs } = migration;
    const replaces = migration.replaces || isAgain;
    const parts: Uint8Array[] = [];
    const selects = kept.database !== targetDatabase;
    if (secrets.length > 0) put(parts, 'AUTH', ...secrets);
    if (selects) put(parts, 'SELECT', String(targetDatabase));
    const nowMs = this.executor.clock.nowMs();
    for (const { key, payload, expiryMs } of keys) {
      const option = replaces ? ['REPLACE'] : [];
      const ttlMs = Number.isFinite(expiryMs) ? Math.max(1, expiryMs - nowMs) : 0;
      put(parts, 'RESTORE', key, String(ttlMs), payload, ...option);
    }
    await connection.send(Buffer.concat(parts), timeoutMs);
    let error: string | null = null;
    const hear = async (): Promise<boolean> => {
      const line = await connection.readLine(timeoutMs);
      if (line.startsWith('-')) error ??= line.slice(1);
      return !line.startsWith('-');
    };
    let isReady = true;
    if (secrets.length > 0) isReady = await hear();
    if (selects) isReady = (await hear()) && isReady;
    const arrived: MigratedKey[] = [];
    for (const [index, key] of keys.entries()) {
      try {
        if ((await hear()) && isReady) arrived.push(key);
      } catch (failure) {
        // What has arrived is not to be in two places because of what has not.
        if (index > 0 && !migration.copies) this.remove(migration, arrived);
        if (index > 0 && failure instanceof OutgoingError) failure.isRetryable = false;
        throw failure;
      }
    }
    kept.database = error === null ? targetDatabase : -1;
    this.keep(migration, kept);
    return { arrived, error };
  }

  // ---- connections ----------------------------------------------------------------------------

  private async connect({ host, port, timeoutMs }: Migration): Promise<Kept> {
    const name = `${host}:${port}`;
    const idle = this.kept.get(name) ?? [];
    while (idle.length > 0) {
      const kept = idle.pop()!;
      this.keptCount--;
      if (kept.timer !== null) clearTimeout(kept.timer);
      if (!kept.connection.isClosed) return kept;
    }
    const connection = await Outgoing.connect(host, port, timeoutMs);
    return { connection, database: -1, timer: null };
  }

  private keep({ host, port }: Migration, kept: Kept): void {
    const name = `${host}:${port}`;
    if (this.keptCount >= KEPT_MAX) {
      this.drop(kept);
      return;
    }
    const idle = this.kept.get(name) ?? [];
    this.kept.set(name, idle);
    idle.push(kept);
    this.keptCount++;
    kept.timer = setTimeout(() => {
      const at = idle.indexOf(kept);
      if (at === -1) return;
      idle.splice(at, 1);
      this.keptCount--;
      if (idle.length === 0) this.kept.delete(name);
      this.drop(kept);
    }, KEPT_MS);
    kept.timer.unref();
  }

  private drop({ connection }: Kept): void {
    connection.close();
  }

  /** The thread ends. */
  end(): void {
    for (const idle of this.kept.values()) for (const kept of idle) this.drop(kept);
    this.kept.clear();
    this.keptCount = 0;
  }

  // ---- keys -----------------------------------------------------------------------------------

  /** Removes the keys that are what was sent; the others, as they are now. */
  private remove(migration: Migration, keys: readonly MigratedKey[]): MigratedKey[] {
    const { executor } = this;
    executor.runner.readClock();
    const changed: MigratedKey[] = [];
    for (const key of keys) {
      const now = this.removeOne(migration.sourceDatabase, key);
      if (now !== null) changed.push(now);
    }
    executor.endTurn();
    return changed;
  }

  private removeOne(database: number, sent: MigratedKey): MigratedKey | null {
    const { keyspace, runner, thread } = this.executor;
    const { key } = sent;
    const args = new Slices(key);
    args.push(0, key.length);
    args.hashes[0] = hashBytes(key, 0, key.length);
    const index = keySlot(key, 0, key.length) & keyspace.mask;
    const partition = keyspace.partitions[index]!;
    const words = partition.slab.i32;
    takeLock(words, Header.Lock, holderOf(thread));
    partition.forget();
    partition.select(database);
    const entry = partition.peek(args, 0);
    let changed: MigratedKey | null = null;
    if (entry !== NONE) {
      changed = this.compare(partition, entry, sent);
      if (changed === null) this.removeEntry(partition, args, entry, database);
    }
    if (runner.blocking.hasReady) runner.serveWaiting(index);
    releaseLock(words, Header.Lock);
    return changed;
  }

  /** Null when the key is what was sent, else what it is now. */
  private compare(partition: Partition, entry: EntryRef, sent: MigratedKey): MigratedKey | null {
    const { sink } = this;
    const { slab, keyspace } = partition;
    const form = this.form(keyspace.nowMs);
    // Of a hash whose last fields have just expired nothing is left to be sent.
    if (!isWritable(slab, entry, form)) return null;
    sink.reset();
    writePayload(sink, slab, entry, form);
    const { payload } = sent;
    const isSame = sink.at === payload.length && equalBytes(sink.u8, 0, payload, 0, payload.length);
    const expiryMs = hasExpiry(slab, entry) ? expiryOf(slab, entry) : Number.POSITIVE_INFINITY;
    if (isSame && expiryMs === sent.expiryMs) return null;
    return { key: sent.key, payload: sink.u8.slice(0, sink.at), expiryMs };
  }

  private removeEntry(partition: Partition, args: Slices, entry: EntryRef, database: number): void {
    const { effects } = this.executor.runner;
    const { keyspace, slab } = partition;
    const length = args.lengthOf(0);
    partition.remove(args, 0, entry);
    if (slab.i32[Header.Listeners] !== 0) keyspace.sinks.changed(partition, args.u8, 0, length);
    effects.recordRemoval(database, args.u8, 0, length);
    effects.announce(partition, args.u8, 0, length, Notify.Generic, 'del');
  }

  form(nowMs: number): Form {
    const compresses = this.executor.config.flag('rdbcompression');
    return { compresses, isExact: false, nowMs };
  }
}

function lineOf(error: OutgoingError): string {
  if (error.action === 'connecting') return 'IOERR error or timeout connecting to the client';
  return `IOERR error or timeout ${error.action} to target instance`;
}

function put(parts: Uint8Array[], ...words: readonly (string | Uint8Array)[]): void {
  parts.push(Buffer.from(`*${words.length}\r\n`, 'latin1'));
  for (const word of words) {
    const bytes = typeof word === 'string' ? Buffer.from(word, 'latin1') : word;
    parts.push(Buffer.from(`$${bytes.length}\r\n`, 'latin1'), bytes, CRLF);
  }
}

const CRLF = Buffer.from('\r\n', 'latin1');
