// Users at an executing thread: its access control, wired to its connections.

import { AccessLog } from '../acl/access-log.js';
import { Accounts } from '../acl/accounts.js';
import { Catalog } from '../acl/catalog.js';
import { describeClient } from '../commands/client.js';
import { Access } from '../dispatch/access.js';
import { Closing, type Session } from '../dispatch/session.js';
import type { CommandTable } from '../dispatch/table.js';
import { Wish } from '../stats/clients.js';
import type { Executor } from './executor.js';

export function makeAccess(executor: Executor, table: CommandTable): Access {
  const { shape, stats, clients, config } = executor;
  // Where main has not made the users, the first thread does.
  const password = config.bytes('requirepass').toString('latin1');
  return new Access({
    thread: executor.thread,
    table,
    accounts: new Accounts(new Catalog(table.all), shape.users, password),
    log: new AccessLog(shape.accessLog),
    stats,
    sessions: () => sessionsOf(executor),
    describe: (slot) => describeClient(executor.runner.context, slot),
    userAt: (slot) => clients.userOf(slot),
    close(session, isActing) {
      session.closing = isActing ? Closing.AfterReply : Closing.Now;
      if (isActing) return;
      executor.serving.wake(session);
      // For everybody else it is gone from now on.
      clients.wish(session.slot, session.id, Wish.Close);
    },
    noted: (session) => clients.setUser(session.slot, session.user),
    nowMs: () => executor.keyspace.nowMs,
  });
}

function* sessionsOf({ serving }: Executor): Generator<Session> {
  for (const { session } of serving.connections) yield session;
}
