// Commands about the server in process: settings, figures, the digest, the end.

import { describe, expect, it } from 'vitest';
import { AssertionFailure } from '../../src/base/assert.js';
import { connectionCommands } from '../../src/commands/connection.js';
import { serverCommands } from '../../src/commands/server/index.js';
import { stringCommands } from '../../src/commands/string/index.js';
import { type Slab, usedBytesOf } from '../../src/slab/slab.js';
import { Counter } from '../../src/stats/server.js';
import { openDoor } from '../stats/door.js';

const SPECS = [...connectionCommands, ...serverCommands, ...stringCommands];
const DEBUG_ON = { 'enable-debug-command': 'yes' };

const usedOf = (slabs: readonly Slab[]) => slabs.reduce((sum, slab) => sum + usedBytesOf(slab), 0);

/** The fields of INFO's reply by name. */
function fieldsOf(reply: string): Map<string, string> {
  const lines = reply.split('\r\n').filter((line) => line.includes(':'));
  return new Map(
    lines.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)]),
  );
}

describe('CONFIG', () => {
  it('SET changes all parameters or none, and tells the other threads', () => {
    const door = openDoor(SPECS);
    const { engine } = door;
    expect(engine.run('CONFIG', 'SET', 'hz', '50', 'maxmemory', 'much')).toMatch(
      /^-ERR CONFIG SET/,
    );
    expect(door.asked).toEqual([]);
    expect(engine.run('CONFIG', 'GET', 'hz')).toBe('*2\r\n$2\r\nhz\r\n$2\r\n10\r\n');
    expect(engine.run('CONFIG', 'SET', 'hz', '50', 'maxmemory', '1mb')).toBe('+OK\r\n');
    expect(door.asked[0]).toBe('publishConfig');
    expect(door.asked.slice(1)).toEqual([expect.stringMatching(/'hz' has no effect/)]);
    expect(engine.run('CONFIG', 'GET', 'HZ', 'maxmem?ry')).toBe(
      '*4\r\n$2\r\nHZ\r\n$2\r\n50\r\n$9\r\nmaxmemory\r\n$7\r\n1048576\r\n',
    );
  });

  it('RESETSTAT forgets the counts', () => {
    const door = openDoor(SPECS);
    door.engine.run('GET');
    door.stats.add(Counter.InputBytes, 5);
    expect(door.engine.run('CONFIG', 'RESETSTAT')).toBe('+OK\r\n');
    expect(door.stats.total(Counter.InputBytes)).toBe(0);
    expect(door.stats.errors()).toEqual([]);
  });

  it('REWRITE without a file says so, and the log too', () => {
    const door = openDoor(SPECS);
    expect(door.engine.run('CONFIG', 'REWRITE')).toBe(
      '-ERR The server is running without a config file\r\n',
    );
    expect(door.asked).toHaveLength(1);
  });
});

describe('INFO', () => {
  it('shows the sections that were asked for, in its own order', () => {
    const { engine } = openDoor(SPECS);
    const titles = (...words: string[]) =>
      [...engine.run('INFO', ...words).matchAll(/# (\w+)/g)].map((m) => m[1]);
    expect(titles()).toEqual([
      'Server',
      'Clients',
      'Memory',
      'Persistence',
      'Stats',
      'Replication',
      'CPU',
      'Modules',
      'Errorstats',
      'Cluster',
      'Keyspace',
    ]);
    expect(titles('keyspace', 'SERVER', 'bogus')).toEqual(['Server', 'Keyspace']);
    expect(titles('bogus')).toEqual([]);
    expect(titles('all')).toEqual(
      expect.arrayContaining(['Commandstats', 'Latencystats', 'Flagstone']),
    );
    expect(titles('default', 'commandstats')).toContain('Commandstats');
  });

  it('tells true figures', () => {
    const door = openDoor(SPECS);
    const { engine } = door;
    door.open(1);
    engine.run('SET', 'a', '1');
    engine.run('SETEX', 'b', '100', '1');
    engine.run('SELECT', '2');
    engine.run('SET', 'c', '1');
    engine.run('GET');
    engine.run('SET', 'c');
    const fields = fieldsOf(engine.run('INFO', 'everything'));

    expect(fields.get('redis_version')).toBe('7.2.6');
    expect(fields.get('flagstone_version')).toBe('0.1.0');
    expect(fields.get('uptime_in_days')).toBe('1');
    expect(fields.get('connected_clients')).toBe('1');
    expect(fields.get('used_memory_human')).toBe('1.43M');
    expect(fields.get('db0')).toBe('keys=2,expires=1,avg_ttl=100000');
    expect(fields.get('db2')).toBe('keys=1,expires=0,avg_ttl=0');
    expect(fields.get('cmdstat_set')).toMatch(
      /^calls=2,usec=\d+,.*,rejected_calls=1,failed_calls=0$/,
    );
    expect(fields.get('errorstat_ERR')).toBe('count=2');
    expect(fields.get('total_error_replies')).toBe('2');
    expect(fields.get('latency_percentiles_usec_set')).toMatch(
      /^p50=[\d.]+,p99=[\d.]+,p99.9=[\d.]+$/,
    );
    expect(fields.get('used_cpu_user_main_thread')).toBe('1.500000');
    expect(fields.get('listener0')).toBe('name=tcp,bind=*,bind=-::*,port=6379');
    expect(fields.get('allocator_allocated')).toBe(String(usedOf(engine.slabs)));
    expect(Number(fields.get('allocator_active'))).toBeGreaterThan(usedOf(engine.slabs));
    expect(Number(fields.get('used_memory_overhead'))).toBeGreaterThan(0);
    expect(fields.get('partitions')).toBe('4');
    expect(fields.get('thread0')).toMatch(/^clients=1,/);
    const keys = [0, 1, 2, 3].map((index) =>
      Number(/^keys=(\d+)/.exec(fields.get(`partition${index}`)!)![1]),
    );
    expect(keys.reduce((sum, count) => sum + count)).toBe(3);
  });
});

describe('DEBUG', () => {
  it('is refused unless the configuration allows it', () => {
    const refused = openDoor(SPECS);
    expect(refused.engine.run('DEBUG', 'SLEEP', '0')).toMatch(
      /^-ERR DEBUG command not allowed\. If/,
    );
    const local = openDoor(SPECS, { 'enable-debug-command': 'local' });
    expect(local.engine.runFor(local.open(1), 'DEBUG', 'SLEEP', '0')).toBe('+OK\r\n');
    expect(local.engine.runFor(local.open(2, '/tmp/s:0'), 'DEBUG', 'SLEEP', '0')).toBe('+OK\r\n');
    const far = local.open(3, '10.0.0.1:5');
    expect(local.engine.runFor(far, 'DEBUG', 'SLEEP', '0')).toMatch(/^-ERR DEBUG command not/);
  });

  it('DIGEST gives what Redis 7.2 gives for the same keys', () => {
    const { engine } = openDoor(SPECS, DEBUG_ON);
    expect(engine.run('DEBUG', 'DIGEST')).toBe(`+${'0'.repeat(40)}\r\n`);
    engine.run('SET', 'a', '1');
    expect(engine.run('DEBUG', 'DIGEST')).toBe('+943d800368fb9c0e951138f1bc0e313ac769d91f\r\n');
    engine.run('SET', 'b', 'hello');
    engine.run('SET', 'c', '12345678901234567890');
    engine.run('SETEX', 'd', '1000', 'foo');
    expect(engine.run('DEBUG', 'DIGEST')).toBe('+7e0dbad317cd905781e38d513e59ca2ab5890cc2\r\n');
  });

  it('DIGEST depends on neither order nor encoding, but on the database', () => {
    const one = openDoor(SPECS, DEBUG_ON).engine;
    const two = openDoor(SPECS, DEBUG_ON).engine;
    one.run('SET', 'k', 'ab');
    one.run('SET', 'l', 'x'.repeat(5000));
    two.run('APPEND', 'l', 'x'.repeat(4999));
    two.run('APPEND', 'l', 'x');
    two.run('APPEND', 'k', 'a');
    two.run('APPEND', 'k', 'b');
    expect(one.run('DEBUG', 'DIGEST')).toBe(two.run('DEBUG', 'DIGEST'));
    two.run('SELECT', '1');
    two.run('SET', 'm', '1');
    const before = two.run('DEBUG', 'DIGEST');
    two.run('GETDEL', 'm');
    two.run('SELECT', '2');
    two.run('SET', 'm', '1');
    expect(two.run('DEBUG', 'DIGEST')).not.toBe(before);
  });

  it('asks the server to sleep, to expire or not, and to write to its log', () => {
    const door = openDoor(SPECS, DEBUG_ON);
    door.engine.run('DEBUG', 'SLEEP', '0.5');
    door.engine.run('DEBUG', 'SET-ACTIVE-EXPIRE', '0');
    door.engine.run('DEBUG', 'LOG', 'hello');
    expect(door.asked).toEqual(['sleep 500', 'setActiveExpire false', 'warning: DEBUG LOG: hello']);
  });

  it('does not start the process anew', () => {
    const { engine } = openDoor(SPECS, DEBUG_ON);
    for (const name of ['OOM', 'RESTART', 'CRASH-AND-RECOVER']) {
      expect(engine.run('DEBUG', name)).toMatch(/^-ERR DEBUG [\w-]+ is not offered/);
    }
  });

  it('breaks an invariant when it is asked to, which no handler answers', () => {
    const { engine } = openDoor(SPECS, DEBUG_ON);
    for (const name of ['SEGFAULT', 'PANIC', 'ASSERT']) {
      expect(() => engine.run('DEBUG', name)).toThrow(AssertionFailure);
    }
  });

  it('CHANGE-REPL-ID draws a new id for INFO', () => {
    const { engine } = openDoor(SPECS, DEBUG_ON);
    engine.run('DEBUG', 'CHANGE-REPL-ID');
    const first = fieldsOf(engine.run('INFO', 'replication')).get('master_replid');
    engine.run('DEBUG', 'CHANGE-REPL-ID');
    expect(first).toMatch(/^[0-9a-f]{40}$/);
    expect(fieldsOf(engine.run('INFO', 'replication')).get('master_replid')).not.toBe(first);
  });
});

describe('MEMORY USAGE', () => {
  it('counts the blocks of a key with their slack', () => {
    const { engine } = openDoor(SPECS);
    engine.run('SET', 'k'.repeat(16), 'v'.repeat(16));
    expect(engine.run('MEMORY', 'USAGE', 'k'.repeat(16))).toBe(':40\r\n');
    engine.run('SET', 'big', 'v'.repeat(100_000));
    const bytes = Number(engine.run('MEMORY', 'USAGE', 'big').slice(1));
    expect(bytes).toBeGreaterThan(100_000);
    expect(bytes).toBeLessThan(110_000);
    expect(engine.run('MEMORY', 'USAGE', 'none', 'SAMPLES', '0')).toBe('$-1\r\n');
  });
});

describe('SLOWLOG', () => {
  it('GET tells six fields of each entry, newest first, ten by default', () => {
    const door = openDoor(SPECS);
    const session = { address: '1.2.3.4:5', name: 'me' };
    for (let index = 0; index < 12; index++) {
      door.slowlog.record(session, { fullName: 'get' }, null, 1, 1000 + index);
    }
    expect(door.engine.run('SLOWLOG', 'GET', '1')).toBe(
      '*1\r\n*6\r\n:11\r\n:1700000000\r\n:1011\r\n*1\r\n$3\r\nget\r\n' +
        '$9\r\n1.2.3.4:5\r\n$2\r\nme\r\n',
    );
    expect(door.engine.run('SLOWLOG', 'LEN')).toBe(':8\r\n');
    expect(door.engine.run('SLOWLOG', 'RESET')).toBe('+OK\r\n');
    expect(door.engine.run('SLOWLOG', 'GET', '-1')).toBe('*0\r\n');
  });
});

describe('SHUTDOWN', () => {
  it('hands over its words and answers nothing', () => {
    const door = openDoor(SPECS);
    const session = door.open(1);
    expect(door.engine.runFor(session, 'SHUTDOWN', 'nosave', 'now', 'force')).toBe('');
    expect(door.asked).toEqual(['shutDown {"isSaving":false,"isNow":true,"isForced":true}']);
    expect(session.wait?.deadlineMs).toBe(Number.POSITIVE_INFINITY);
  });

  it('refuses what contradicts itself', () => {
    const door = openDoor(SPECS);
    expect(door.engine.run('SHUTDOWN', 'SAVE', 'NOSAVE')).toBe('-ERR syntax error\r\n');
    expect(door.engine.run('SHUTDOWN', 'ABORT', 'NOW')).toBe('-ERR syntax error\r\n');
    expect(door.engine.run('SHUTDOWN', 'ABORT')).toBe('-ERR No shutdown in progress.\r\n');
    expect(door.asked).toEqual([]);
  });
});

describe('SAVE, BGSAVE and BGREWRITEAOF', () => {
  it('answer by what is going on', () => {
    const door = openDoor(SPECS);
    const { engine } = door;
    expect(engine.run('BGSAVE')).toBe('+Background saving started\r\n');
    const already = '-ERR Background save already in progress\r\n';
    expect(engine.run('BGSAVE')).toBe(already);
    expect(engine.run('BGSAVE', 'SCHEDULE')).toBe(already);
    expect(engine.run('SAVE')).toBe(already);
    expect(engine.run('BGSAVE', 'SOON')).toBe('-ERR syntax error\r\n');
    expect(engine.run('BGSAVE', 'SCHEDULE', 'SCHEDULE')).toBe('-ERR syntax error\r\n');
    expect(engine.run('INFO', 'persistence')).toContain('rdb_bgsave_in_progress:1\r\n');
    expect(door.asked).toEqual(['wakeMain']);
  });

  it('let one activity wait for the other', () => {
    const { engine, config } = openDoor(SPECS);
    config.set('appendonly', ['yes']);
    const append = 'Background append only file rewriting';
    expect(engine.run('BGREWRITEAOF')).toBe(`+${append} started\r\n`);
    expect(engine.run('BGREWRITEAOF')).toBe(`-ERR ${append} already in progress\r\n`);
    expect(engine.run('BGSAVE')).toBe(
      "-ERR Another child process is active (AOF?): can't BGSAVE right now. Use BGSAVE SCHEDULE " +
        'in order to schedule a BGSAVE whenever possible.\r\n',
    );
    expect(engine.run('BGSAVE', 'SCHEDULE')).toBe('+Background saving scheduled\r\n');
  });

  it('lets the client of SAVE wait', () => {
    const door = openDoor(SPECS);
    const session = door.open(1);
    expect(door.engine.runFor(session, 'SAVE')).toBe('');
    expect(door.asked).toEqual(['save 1']);
    expect(session.wait?.deadlineMs).toBe(Number.POSITIVE_INFINITY);
  });
});

describe('what this server does not have', () => {
  it('is answered truthfully', () => {
    const { engine } = openDoor(SPECS);
    const noCluster = '-ERR This instance has cluster support disabled\r\n';
    expect(engine.run('ROLE')).toBe('*3\r\n$6\r\nmaster\r\n:0\r\n*0\r\n');
    expect(engine.run('CLUSTER', 'INFO')).toBe(noCluster);
    expect(engine.run('READONLY')).toBe(noCluster);
    expect(engine.run('MODULE', 'LIST')).toBe('*0\r\n');
    expect(engine.run('REPLICAOF', 'NO', 'ONE')).toBe('+OK\r\n');
    expect(engine.run('REPLICAOF', 'host', '6379')).toBe(
      '-ERR This server cannot replicate another yet\r\n',
    );
  });
});

describe('TIME and LOLWUT', () => {
  it('tell the time and the version', () => {
    const { engine } = openDoor(SPECS);
    expect(engine.run('TIME')).toBe('*2\r\n$10\r\n1700000000\r\n$1\r\n0\r\n');
    expect(engine.run('LOLWUT')).toContain('Redis ver. 7.2.6 (Flagstone 0.1.0)\n');
    expect(engine.run('LOLWUT', 'VERSION', '5')).toBe(engine.run('LOLWUT', 'VERSION', '5'));
  });
});
