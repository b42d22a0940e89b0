// An engine whose server is real where commands look at it: configuration, client directory, slow
// log and counters, for one thread. What the server would do to others is written down instead.

import { Config } from '../../src/config/config.js';
import type { CommandSpec } from '../../src/dispatch/define.js';
import type { ServerDoor } from '../../src/dispatch/server-door.js';
import { Session } from '../../src/dispatch/session.js';
import { CommandTable } from '../../src/dispatch/table.js';
import { createLogs, SharedLogs } from '../../src/log/logs.js';
import { createRegistry, Registry } from '../../src/pubsub/registry.js';
import { ClientDirectory } from '../../src/stats/clients.js';
import { CommandStats } from '../../src/stats/commands.js';
import { ServerStats } from '../../src/stats/server.js';
import { Slowlog } from '../../src/stats/slowlog.js';
import { Engine } from '../support/engine.js';

const SLOTS = 16;
const SLOWLOG_ENTRIES = 8;

export interface Door {
  readonly engine: Engine;
  readonly config: Config;
  readonly clients: ClientDirectory;
  readonly slowlog: Slowlog;
  readonly stats: ServerStats;
  readonly commandStats: CommandStats;
  /** What the server was asked for, one line each. */
  readonly asked: string[];
  /** Opens a session with a slot in the directory. */
  open(id: number, address?: string): Session;
}

export function openDoor(
  specs: readonly CommandSpec[],
  settings: Record<string, string> = {},
  given: Partial<ServerDoor> = {},
): Door {
  const config = new Config('/');
  for (const [name, value] of Object.entries(settings)) {
    const refusal = config.set(name, [value]);
    if (refusal !== null) throw new Error(`${name} ${value}: ${refusal}`);
  }
  const { length } = new CommandTable(specs).all;
  const clients = new ClientDirectory(
    new SharedArrayBuffer(ClientDirectory.bytesFor(1, SLOTS)),
    1,
    SLOTS,
    0,
  );
  const commandStats = new CommandStats(
    new SharedArrayBuffer(CommandStats.bytesFor(length, 1)),
    length,
    1,
    0,
  );
  const stats = new ServerStats(new SharedArrayBuffer(ServerStats.bytesFor(1)), 1, 0);
  const clock = { nowMs: () => 1_700_000_000_000 };
  const slowlog = new Slowlog(new SharedArrayBuffer(Slowlog.bytesFor(SLOWLOG_ENTRIES)), () =>
    clock.nowMs(),
  );
  slowlog.setLengthMax(SLOWLOG_ENTRIES);
  const asked: string[] = [];
  const registry = new Registry(createRegistry(1), 0);
  const pubsub = { registry } as unknown as ServerDoor['pubsub'];
  const logs = new SharedLogs(createLogs(1));
  const shared = { config, clients, slowlog, stats, commandStats, pubsub, logs };
  const server: Partial<ServerDoor> = { ...shared, ...FACTS, ...listener(asked, config), ...given };
  const engine = new Engine({ specs, server });
  const password = config.bytes('requirepass').toString('latin1');
  if (password !== '') engine.access.accounts.setDefaultPassword(password);
  const open = (id: number, address = `127.0.0.1:${5000 + id}`): Session => {
    const facts = {
      id,
      address,
      localAddress: '127.0.0.1:6379',
      fd: 10 + id,
      createdMs: engine.clock.nowMs(),
    };
    const session = new Session({ ...facts, edge: { wake() {} }, slot: clients.open(facts) });
    session.isAuthenticated = config.bytes('requirepass').length === 0;
    return session;
  };
  return { engine, config, clients, slowlog, stats, commandStats, asked, open };
}

const FACTS: Pick<ServerDoor, 'threadIndex' | 'facts'> = {
  threadIndex: 0,
  facts: {
    runId: 'f'.repeat(40),
    version: '0.1.0',
    startedMs: 1_700_000_000_000 - 90_000_000,
    configFile: '',
    executable: '/usr/bin/node',
    processId: 42,
    port: 6379,
    threadCount: 1,
    edges: [],
    transport: 'native',
    multiplexing: 'epoll',
    partitionBytes: 64 * 1024 * 1024,
  },
};

/** A server that only writes down what it is asked for. */
function listener(asked: string[], config: Config): Partial<ServerDoor> {
  return {
    changeConfig: (pairs, asker) => {
      const change = config.change(pairs, asker);
      if (change.error === null) asked.push('publishConfig');
      for (const warning of change.warnings) asked.push(`warning: ${warning}`);
      return change;
    },
    isLoading: () => false,
    shutDown: (_session, request) => asked.push(`shutDown ${JSON.stringify(request)}`),
    save: (session) => asked.push(`save ${session.id}`),
    wakeMain: () => asked.push('wakeMain'),
    closeClient: (slot, id) => asked.push(`closeClient ${slot} ${id}`),
    unblockClient: (slot, id, withError) => asked.push(`unblockClient ${slot} ${id} ${withError}`),
    pauseClients: (untilMs, all) => asked.push(`pauseClients ${untilMs} ${all}`),
    unpauseClients: () => asked.push('unpauseClients'),
    sleepHoldingLocks: (ms) => asked.push(`sleep ${ms}`),
    setActiveExpire: (isOn) => asked.push(`setActiveExpire ${isOn}`),
    log: (level, line) => asked.push(`${level}: ${line}`),
    usedMemory: () => 1_500_000,
    nowUs: () => 1_700_000_000_000_000,
    mainThreadTime: () => ({ userUs: 1_500_000, systemUs: 250_000 }),
    givePages: () => false,
    giveHeaps: () => asked.push('giveHeaps'),
  };
}
