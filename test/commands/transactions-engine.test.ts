// Transactions on several threads, in steps of whole commands: what makes a watched key dirty and
// what does not, what is recorded and counted, and what memory is used. What happens within a
// command is checked in test/sim/watch.ts and test/live.

import { beforeEach, describe, expect, it } from 'vitest';
import { blockingCommands } from '../../src/commands/blocking/index.js';
import { connectionCommands } from '../../src/commands/connection.js';
import { genericCommands } from '../../src/commands/generic/index.js';
import { listCommands } from '../../src/commands/list/index.js';
import { serverKeyspaceCommands } from '../../src/commands/server-keyspace.js';
import { setCommands } from '../../src/commands/set/index.js';
import { sortCommands } from '../../src/commands/sort/index.js';
import { stringCommands } from '../../src/commands/string/index.js';
import { transactionCommands } from '../../src/commands/transactions.js';
import { Gate } from '../../src/dispatch/gates.js';
import { limits } from '../../src/dispatch/limits.js';
import { Closing } from '../../src/dispatch/session.js';
import { Engine } from '../support/engine.js';
import { randomTest } from '../support/random-test.js';
import type { Random } from '../support/seed.js';
import { type Client, Threads } from '../support/threads.js';

const SPECS = [
  ...blockingCommands,
  ...connectionCommands,
  ...genericCommands,
  ...listCommands,
  ...setCommands,
  ...sortCommands,
  ...stringCommands,
  ...serverKeyspaceCommands,
  ...transactionCommands,
];
const PARTITIONS = 16;
const OK = '+OK\r\n';
const QUEUED = '+QUEUED\r\n';
const BROKEN = '*-1\r\n';
const RAN = '*1\r\n+PONG\r\n';

describe('a transaction', () => {
  let threads: Threads;
  let client: Client;
  let other: Client;
  beforeEach(() => {
    threads = new Threads(SPECS, 2, PARTITIONS);
    client = threads.connect(0);
    other = threads.connect(1);
    return () => {
      for (const each of [client, other]) threads.close(each);
      expect(threads.check()).toBe(0);
      expect(threads.recordBytes).toBe(0);
    };
  });

  const run = (text: string) => threads.run(client, ...text.split(' '));
  const by = (text: string) => threads.run(other, ...text.split(' '));
  const pass = (ms: number) => {
    threads.clock.wallMs += ms;
  };
  /** Whether a transaction that does nothing runs now. */
  const exec = () => {
    run('MULTI');
    run('PING');
    return run('EXEC');
  };

  it('is one record with one number, which selects other databases in between', () => {
    for (const text of ['MULTI', 'SET a 1', 'GET a', 'SELECT 2', 'SADD s x', 'SPOP s']) run(text);
    for (const text of ['DEL nothing', 'SELECT 0', 'LPUSH a x', 'EXPIREAT a 1700000100']) run(text);
    expect(run('EXEC')).toContain('WRONGTYPE');
    expect(threads.records).toEqual([
      'SET a 1 SELECT 2 SADD s x SREM s x SELECT 0 PEXPIREAT a 1700000100000',
    ]);
  });

  it('leaves no record when it changes nothing', () => {
    for (const text of ['MULTI', 'GET a', 'DEL a', 'PING', 'EXEC']) run(text);
    run('MULTI');
    run('EXEC');
    expect(threads.records).toEqual([]);
  });

  it('records what was inline like what came as an array', () => {
    run('MULTI');
    run('SET k some');
    run('APPEND k thing');
    run('EXEC');
    expect(threads.records).toEqual(['SET k some APPEND k thing']);
  });

  it('serves those who wait once, when all of it is done, and records that behind it', () => {
    threads.run(other, 'BLPOP', 'l', '0');
    for (const text of ['MULTI', 'RPUSH l a', 'LPUSH l b', 'LLEN l']) run(text);
    expect(run('EXEC')).toBe('*3\r\n:1\r\n:2\r\n:2\r\n');
    expect(other.hear()).toBe('*2\r\n$1\r\nl\r\n$1\r\nb\r\n');
    expect(threads.records).toEqual(['RPUSH l a LPUSH l b', 'LPOP l']);
  });

  it('serves nobody for what is pushed and gone within it', () => {
    threads.run(other, 'BLPOP', 'l', '0');
    for (const text of ['MULTI', 'RPUSH l a', 'DEL l', 'EXEC']) run(text);
    expect(other.isWaiting).toBe(true);
    threads.timeOut(other);
  });

  it('takes all locks when somebody who waits needs another partition', () => {
    // The targets are in other partitions than what is pushed, as a rule.
    const movers = Array.from({ length: 8 }, () => threads.connect(1));
    for (const [index, mover] of movers.entries()) {
      threads.run(mover, 'BLMOVE', `from${index}`, `to${index}`, 'LEFT', 'RIGHT', '0');
    }
    run('MULTI');
    for (const index of movers.keys()) run(`RPUSH from${index} x`);
    run('EXEC');
    expect(movers.map((mover) => mover.hear())).toEqual(movers.map(() => '$1\r\nx\r\n'));
    for (const index of movers.keys()) expect(run(`LLEN to${index}`)).toBe(':1\r\n');
  });

  it('counts its commands, and itself once', () => {
    run('MULTI');
    for (let count = 0; count < 3; count++) run('INCR n');
    run('PING');
    run('EXEC');
    run('PING');
    expect(threads.calls).toEqual(['multi', 'incr', 'incr', 'incr', 'ping', 'exec', 'ping']);
  });

  it('has one time for all its commands', () => {
    const { keyspace } = threads.runners[0]!;
    run('MULTI');
    run('SET k v PX 5');
    for (let count = 0; count < 100; count++) run('PTTL k');
    run('EXEC');
    const { nowMs } = keyspace;
    pass(3);
    expect(run('PTTL k')).toBe(':2\r\n');
    expect(keyspace.nowMs).toBe(nowMs + 3);
  });

  it('runs hundreds of commands of any size, again and again', () => {
    const long = 'x'.repeat(5000);
    for (let round = 0; round < 3; round++) {
      run('MULTI');
      for (let count = 0; count < 300; count++) {
        expect(threads.run(client, 'APPEND', `k${count % 7}`, long)).toBe(QUEUED);
      }
      expect(run('EXEC')).toMatch(/^\*300\r\n/);
    }
    expect(run('STRLEN k0')).toBe(`:${43 * 5000 * 3}\r\n`);
    run('MULTI');
    run('GET none');
    expect(run('EXEC')).toBe('*1\r\n$-1\r\n');
  });

  it('is closed for a queue that is longer than unread input may be', () => {
    const before = limits.queuedBytesMax;
    const engine = new Engine({
      specs: SPECS,
      server: {
        log() {},
        stats: { add() {}, errorReplied() {} } as never,
      },
    });
    limits.queuedBytesMax = 1000;
    try {
      engine.run('MULTI');
      for (let count = 0; count < 10; count++) engine.run('SET', 'k', 'x'.repeat(70));
      expect(engine.session.closing).toBe(Closing.No);
      engine.run('SET', 'k', 'x'.repeat(70));
      expect(engine.session.closing).toBe(Closing.Now);
    } finally {
      limits.queuedBytesMax = before;
    }
  });

  it('is refused as Redis does when memory is at its limit', () => {
    const runner = threads.runners[0]!;
    const oom = "OOM command not allowed when used memory > 'maxmemory'.";
    run('MULTI');
    run('SET k v');
    runner.raised |= Gate.OutOfMemory;
    expect(run('EXEC')).toBe(`-EXECABORT Transaction discarded because of: ${oom}\r\n`);
    expect(run('EXEC')).toBe('-ERR EXEC without MULTI\r\n');
    expect(run('MULTI')).toBe(OK);
    expect(run('GET k')).toBe(`-${oom}\r\n`);
    expect(run('MULTI')).toBe(`-${oom}\r\n`);
    expect(run('DISCARD')).toBe(OK);
    expect(run('GET k')).toBe('$-1\r\n');
    runner.raised &= ~Gate.OutOfMemory;
    run('MULTI');
    run('GET k');
    runner.raised |= Gate.OutOfMemory;
    expect(run('EXEC')).toBe('*1\r\n$-1\r\n');
  });

  it('waits for the end of a pause of writers only if it writes', () => {
    const runner = threads.runners[0]!;
    run('MULTI');
    run('SET k v');
    runner.raised |= Gate.WritesPaused;
    expect(run('EXEC')).toBe('');
    expect(run('SET k w')).toBe('');
    expect(run('GET k')).toBe(QUEUED);
    runner.raised &= ~Gate.WritesPaused;
    expect(run('EXEC')).toBe('*2\r\n+OK\r\n$1\r\nv\r\n');
    run('MULTI');
    run('GET k');
    runner.raised |= Gate.WritesPaused;
    expect(run('EXEC')).toBe('*1\r\n$1\r\nv\r\n');
  });

  it('is not slow in the slow log, but its commands are', () => {
    const names: string[] = [];
    const engine = new Engine({
      specs: SPECS,
      server: {
        slowlog: {
          record: (_session: unknown, command: { fullName: string }) =>
            void names.push(command.fullName),
        } as never,
      },
    });
    engine.runner.slowerThanUs = 0;
    for (const name of ['MULTI', 'PING', 'PING', 'EXEC']) engine.run(name);
    expect(names).toEqual(['multi', 'ping', 'ping']);
  });

  describe('and watched keys', () => {
    it.each([
      ['SET k new', true],
      ['SET k v', true],
      ['GET k', false],
      ['SET k w NX', false],
      ['GETSET k w', true],
      ['DEL k', true],
      ['UNLINK k', true],
      ['DEL missing', false],
      ['EXPIRE k 100', true],
      ['PERSIST k', false],
      ['RENAME k m', true],
      ['RENAME other k', true],
      ['RENAMENX other k', false],
      ['COPY other k', false],
      ['COPY other k REPLACE', true],
      ['COPY k m', false],
      ['MOVE k 1', true],
      ['SORT list STORE k', true],
      ['SORT nothing STORE k', true],
      ['MSET a 1 k 2', true],
      ['MSETNX a 1 k 2', false],
      ['FLUSHDB', true],
      ['FLUSHALL', true],
      ['FLUSHALL ASYNC', true],
      ['SWAPDB 0 1', true],
      ['SWAPDB 1 2', false],
      ['SINTERSTORE k nothing', true],
      ['TOUCH k', false],
      ['SET other 1', false],
    ])('are dirty after %s: %s', (command, isDirty) => {
      by('MSET k v other o');
      by('RPUSH list 3 1 2');
      run('WATCH k missing');
      by(command);
      expect(exec()).toBe(isDirty ? BROKEN : RAN);
      // The next transaction depends on nothing.
      by('SET k again');
      expect(exec()).toBe(RAN);
    });

    it('are dirty when an element is taken by who waited', () => {
      const third = threads.connect(1);
      run('WATCH l');
      threads.run(third, 'BLPOP', 'l', '0');
      by('RPUSH l x');
      expect(third.hear()).toContain('x');
      expect(exec()).toBe(BROKEN);
    });

    it('are dirty when their time comes before EXEC, whoever notices', () => {
      for (const notice of [() => {}, () => by('GET k'), () => by('SET k w')]) {
        by('SET k v PX 10');
        run('WATCH k');
        pass(20);
        notice();
        expect(exec()).toBe(BROKEN);
      }
      by('SET k v PX 10');
      run('WATCH k');
      pass(5);
      expect(exec()).toBe(RAN);
    });

    it('are not dirty when their time was over before WATCH', () => {
      for (const notice of [() => {}, () => by('GET k'), () => by('FLUSHALL')]) {
        by('SET k v PX 10');
        pass(20);
        run('WATCH k');
        notice();
        expect(exec()).toBe(RAN);
      }
    });

    it('are not dirty when databases swap keys whose time is over', () => {
      by('SET k v PX 10');
      pass(20);
      run('SELECT 1');
      run('WATCH k');
      by('SWAPDB 0 1');
      expect(exec()).toBe(RAN);
      // A stale key comes in the place of a stale one, and goes.
      by('SELECT 2');
      by('SET k v PX 10');
      pass(20);
      run('SELECT 3');
      run('WATCH k');
      by('SWAPDB 2 3');
      by('SWAPDB 3 1');
      by('FLUSHALL');
      expect(exec()).toBe(RAN);
      by('SET k v PX 10');
      run('SELECT 2');
      run('WATCH k');
      pass(20);
      by('SWAPDB 2 0');
      expect(exec()).toBe(BROKEN);
    });

    it('are dirty when a stale key that was swapped in is written', () => {
      by('SET k v PX 10');
      pass(20);
      run('SELECT 1');
      run('WATCH k');
      by('SWAPDB 0 1');
      by('SELECT 1');
      by('SET k w');
      expect(exec()).toBe(BROKEN);
    });

    it('are forgotten by UNWATCH, EXEC, DISCARD, RESET and the end of the connection', () => {
      run('WATCH a b c a');
      expect(threads.check()).toBe(3);
      run('UNWATCH');
      expect(threads.check()).toBe(0);
      run('WATCH a');
      run('MULTI');
      expect(threads.check()).toBe(1);
      run('DISCARD');
      expect(threads.check()).toBe(0);
      run('WATCH a b');
      exec();
      expect(threads.check()).toBe(0);
      const third = threads.connect(1);
      threads.run(third, 'WATCH', 'a', 'b');
      threads.run(third, 'MULTI');
      threads.close(third);
      expect(threads.check()).toBe(0);
    });

    it('are held by many sessions, and each of them hears of a change once', () => {
      const watching = Array.from({ length: 40 }, (_, index) => threads.connect(index % 2));
      for (const each of watching) threads.run(each, 'WATCH', 'hot', 'cold');
      expect(threads.check()).toBe(80);
      by('SET hot 1');
      expect(threads.check()).toBe(40);
      by('SET hot 2');
      for (const each of watching) {
        threads.run(each, 'MULTI');
        expect(threads.run(each, 'EXEC')).toBe(BROKEN);
      }
    });

    it('may be thousands', () => {
      const keys = Array.from({ length: 5000 }, (_, index) => `key:${index}`);
      threads.run(client, 'WATCH', ...keys);
      threads.run(client, 'WATCH', ...keys);
      expect(threads.check()).toBe(5000);
      expect(client.session.watchCount).toBe(5000);
      expect(exec()).toBe(RAN);
      threads.run(client, 'WATCH', ...keys);
      by('SET key:4711 x');
      expect(exec()).toBe(BROKEN);
    });
  });
});

describe('the memory of watched keys', () => {
  it('ends in a refusal that watches none of the keys', () => {
    const engine = new Engine({ specs: SPECS, partitions: 4, watchBytes: 2 ** 17 });
    const { watchers } = engine.runner.transactions;
    const watches = () =>
      engine.keyspace.partitions.reduce((sum, each) => sum + watchers.check(each), 0);
    const keys = (name: string, count: number) =>
      Array.from({ length: count }, (_, index) => `${name}:${index}:${'k'.repeat(100)}`);
    expect(engine.run('WATCH', ...keys('few', 10))).toBe(OK);
    expect(engine.run('WATCH', ...keys('many', 2000))).toMatch(/^-OOM /);
    expect(watches()).toBe(10);
    expect(engine.session.watchCount).toBe(10);
    expect(engine.run('WATCH', ...keys('more', 10))).toBe(OK);
    expect(watches()).toBe(20);
    engine.run('UNWATCH');
    expect(watchers.usedBytes).toBe(0);
  });
});

// ---- random runs against a model ---------------------------------------------------------------

const KEYS = ['a', 'b', 'c', 'd', 'e'];
const CLIENTS = 5;

/** What Redis says of watched keys, told with maps. */
class Model {
  readonly databases = [new Map<string, string>(), new Map<string, string>()];
  readonly watched: Set<string>[] = Array.from({ length: CLIENTS }, () => new Set());
  readonly isDirty: boolean[] = new Array<boolean>(CLIENTS).fill(false);

  change(database: number, key: string): void {
    for (const [index, keys] of this.watched.entries()) {
      if (keys.has(`${database}/${key}`)) this.isDirty[index] = true;
    }
  }

  put(database: number, key: string, value: string): void {
    this.databases[database]!.set(key, value);
    this.change(database, key);
  }

  remove(database: number, key: string): void {
    if (this.databases[database]!.delete(key)) this.change(database, key);
  }

  flush(database: number): void {
    for (const key of [...this.databases[database]!.keys()]) this.remove(database, key);
  }

  swap(): void {
    const [first, second] = this.databases as [Map<string, string>, Map<string, string>];
    for (const key of new Set([...first.keys(), ...second.keys()])) {
      this.change(0, key);
      this.change(1, key);
    }
    this.databases[0] = second;
    this.databases[1] = first;
  }

  unwatch(index: number): boolean {
    const wasDirty = this.isDirty[index]!;
    this.watched[index]!.clear();
    this.isDirty[index] = false;
    return wasDirty;
  }
}

class RandomRun {
  private readonly threads = new Threads(SPECS, 3, 4);
  private readonly model = new Model();
  private readonly clients = Array.from({ length: CLIENTS }, (_, index) =>
    this.threads.connect(index % 3),
  );
  private readonly random: Random;

  constructor(random: Random) {
    this.random = random;
  }

  private send(index: number, ...words: string[]): string {
    return this.threads.run(this.clients[index]!, ...words);
  }

  step(round: number): void {
    const { random } = this;
    const index = random.below(CLIENTS);
    const database = this.clients[index]!.session.database;
    const key = random.pick(KEYS);
    const choice = random.below(12);
    if (choice < 3) this.write(index, database, key, String(round));
    else if (choice < 6) this.watch(index, database);
    else if (choice < 9) this.exec(index, key, String(round));
    else this.rest(choice, index, database);
  }

  private write(index: number, database: number, key: string, value: string): void {
    const { model, random } = this;
    const choice = random.below(8);
    if (choice < 3) {
      this.send(index, 'DEL', key);
      model.remove(database, key);
    } else if (choice < 5) {
      const target = random.pick(KEYS.filter((each) => each !== key));
      const kept = model.databases[database]!.get(key);
      this.send(index, 'RENAME', key, target);
      if (kept === undefined) return;
      model.remove(database, key);
      model.put(database, target, kept);
    } else {
      this.send(index, 'SET', key, value);
      model.put(database, key, value);
    }
  }

  private watch(index: number, database: number): void {
    const { model, random } = this;
    const keys = KEYS.filter(() => random.below(3) === 0);
    if (keys.length === 0) return;
    this.send(index, 'WATCH', ...keys);
    if (model.isDirty[index]) return;
    for (const key of keys) model.watched[index]!.add(`${database}/${key}`);
  }

  private exec(index: number, key: string, value: string): void {
    const { model, random } = this;
    this.send(index, 'MULTI');
    const database = random.below(2);
    this.send(index, 'SELECT', String(database));
    this.send(index, 'SET', key, value);
    if (random.below(6) === 0) {
      expect(this.send(index, 'DISCARD')).toBe(OK);
      model.unwatch(index);
      return;
    }
    const isBroken = model.unwatch(index);
    expect(this.send(index, 'EXEC')).toBe(isBroken ? BROKEN : '*2\r\n+OK\r\n+OK\r\n');
    if (!isBroken) model.put(database, key, value);
  }

  private rest(choice: number, index: number, database: number): void {
    const { model, random } = this;
    if (choice === 9) {
      this.send(index, 'SELECT', String(1 - database));
    } else if (choice === 10) {
      this.send(index, 'UNWATCH');
      model.unwatch(index);
    } else if (random.below(3) === 0) {
      this.send(index, 'SWAPDB', '0', '1');
      model.swap();
    } else if (random.below(2) === 0) {
      this.send(index, 'FLUSHDB');
      model.flush(database);
    } else {
      this.send(index, 'FLUSHALL');
      model.flush(0);
      model.flush(1);
    }
  }

  end(): void {
    for (const [database, keys] of this.model.databases.entries()) {
      this.send(0, 'SELECT', String(database));
      expect(this.send(0, 'DBSIZE')).toBe(`:${keys.size}\r\n`);
      for (const [key, value] of keys) {
        expect(this.send(0, 'GET', key)).toBe(`$${value.length}\r\n${value}\r\n`);
      }
    }
    this.threads.check();
    for (const client of this.clients) this.threads.close(client);
    expect(this.threads.check()).toBe(0);
    expect(this.threads.recordBytes).toBe(0);
  }
}

describe('sessions that watch and change keys at random', () => {
  randomTest('agree with a model', 8, (random) => {
    const run = new RandomRun(random);
    for (let round = 0; round < 300; round++) run.step(round);
    run.end();
  });
});
