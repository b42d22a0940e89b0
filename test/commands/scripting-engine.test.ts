// Scripts where transcripts do not reach: what is recorded, who is served, what is announced, and
// what stops writes.

import { describe, expect, test } from 'vitest';
import { allCommands } from '../../src/commands/index.js';
import { Gate } from '../../src/dispatch/gates.js';
import { limits } from '../../src/dispatch/limits.js';
import { Engine, type EngineOptions } from '../support/engine.js';

const MISCONF = 'MISCONF Errors writing to the AOF file: No space left on device';

function makeEngine(options: Partial<EngineOptions> = {}): Engine {
  return new Engine({
    specs: allCommands,
    ...options,
    server: {
      config: { flag: () => true, text: () => 'notice', number: () => 0 } as never,
      log() {},
      nowUs: () => 1_700_000_000_000_000,
      ...options.server,
    },
  });
}

/** Each record as its database and the words of all its commands. */
function recordingEngine(records: string[]): Engine {
  return makeEngine({
    sink: {
      isOn: true,
      append(database, u8, start, length) {
        const text = Buffer.from(u8.slice(start, start + length)).toString('latin1');
        const words = text.split('\r\n').filter((line) => line !== '' && !/^[*$]\d+$/.test(line));
        records.push(`${database}: ${words.join(' ')}`);
      },
    },
  });
}

describe('what a script has changed', () => {
  test('is one record whatever it called, and none where it changed nothing', () => {
    const records: string[] = [];
    const engine = recordingEngine(records);

    engine.run('EVAL', "redis.call('set','a','1') redis.call('incr','b')", '0');
    expect(records).toEqual(['0: set a 1 incr b']);
    engine.run('EVAL', "return redis.call('set',KEYS[1],'2')", '1', 'a');
    expect(records.slice(1)).toEqual(['0: set a 2']);
    engine.run('EVAL', "redis.call('get','a') return redis.pcall('incr','a','x')", '0');
    expect(records.length).toBe(2);
  });

  test('is recorded up to its error, which undoes nothing', () => {
    const records: string[] = [];
    const engine = recordingEngine(records);

    const script = "redis.call('set','a','1') redis.call('set','b','2') error('enough')";
    expect(engine.run('EVAL', script, '0')).toContain('-ERR user_script:1: enough script:');
    expect(records).toEqual(['0: set a 1 set b 2']);
    expect(engine.run('GET', 'b')).toBe('$1\r\n2\r\n');
  });

  test('is one record with the rest of the transaction that it stands in', () => {
    const records: string[] = [];
    const engine = recordingEngine(records);

    engine.run('MULTI');
    engine.run('SET', 'a', '1');
    engine.run('EVAL', "return redis.call('set',KEYS[1],'2')", '1', 'b');
    expect(engine.run('EXEC')).toBe('*2\r\n+OK\r\n+OK\r\n');
    expect(records).toEqual(['0: SET a 1 set b 2']);
  });

  test('names the database that the script has chosen, which its caller does not keep', () => {
    const records: string[] = [];
    const engine = recordingEngine(records);

    engine.run('EVAL', "redis.call('select','3') redis.call('set','a','1')", '0');
    expect(records).toEqual(['3: set a 1']);
    expect(engine.run('GET', 'a')).toBe('$-1\r\n');
  });

  test('stays out of the log for as long as set_repl says so', () => {
    const records: string[] = [];
    const engine = recordingEngine(records);
    const script =
      "redis.set_repl(redis.REPL_NONE) redis.call('set','hidden','1') " +
      "redis.set_repl(redis.REPL_ALL) redis.call('set','shown','1')";

    engine.run('EVAL', script, '0');
    expect(records).toEqual(['0: set shown 1']);
    // It ends with the script.
    engine.run('EVAL', "redis.set_repl(redis.REPL_NONE) redis.call('set','hidden','2')", '0');
    engine.run('SET', 'after', '1');
    expect(records.slice(1)).toEqual(['0: SET after 1']);
  });
});

describe('others', () => {
  test('who wait for a key are served when the script is over, with what it has left', () => {
    const answers: string[] = [];
    const engine = makeEngine();
    const { blocking } = engine.runner;
    const waiting = engine.openSession(7);
    engine.runFor(waiting, 'BLPOP', 'list', '0');
    expect(waiting.wait).not.toBe(null);

    const gone = "redis.call('rpush',KEYS[1],'a') return redis.call('lpop',KEYS[1])";
    expect(engine.run('EVAL', gone, '1', 'list')).toBe('$1\r\na\r\n');
    expect(blocking.served.length).toBe(0);
    const left = "redis.call('rpush',KEYS[1],'x','y') return redis.call('llen',KEYS[1])";
    expect(engine.run('EVAL', left, '1', 'list')).toBe(':2\r\n');
    for (const { bytes } of blocking.served) answers.push(Buffer.from(bytes).toString('latin1'));
    expect(answers).toEqual(['*2\r\n$4\r\nlist\r\n$1\r\nx\r\n']);
    expect(engine.run('LRANGE', 'list', '0', '-1')).toBe('*1\r\n$1\r\ny\r\n');
  });

  test('who watch a key that it changes have their transaction refused', () => {
    const engine = makeEngine();
    const watching = engine.openSession(7);
    engine.runFor(watching, 'WATCH', 'key');

    engine.run('EVAL', "redis.call('set',KEYS[1],'1')", '1', 'key');
    engine.runFor(watching, 'MULTI');
    expect(engine.runFor(watching, 'EXEC')).toBe('*-1\r\n');
  });

  test('hear the events of its commands, in their order and database', () => {
    const heard: string[] = [];
    const engine = makeEngine();
    engine.listen((event, key, database) => void heard.push(`${database} ${event} ${key}`));

    const script =
      "redis.call('set','a','1') redis.call('select',2) redis.call('rpush','b','x') " +
      "redis.call('lpop','b')";
    engine.run('EVAL', script, '0');
    expect(heard).toEqual(['0 set a', '2 rpush b', '2 lpop b', '2 del b']);
  });
});

describe('the slow log', () => {
  test('has the script with its words, and the slow command that it called', () => {
    const entries: string[] = [];
    const slowlog = {
      record(
        _session: unknown,
        command: { fullName: string },
        args: { count: number; text(index: number): string } | null,
        calls: number,
      ) {
        const words = args === null ? '' : args.text(args.count - 1);
        entries.push(`${command.fullName} ${calls} ${words}`);
      },
    };
    const engine: Engine = makeEngine({ server: { slowlog: slowlog as never } });
    // Time passes when it is asked for: every command of the script takes some.
    const { clock } = engine;
    clock.monotonicMs = () => {
      clock.wallMs += 20;
      return clock.wallMs;
    };
    engine.runner.slowerThanUs = 10_000;
    engine.runner.slowlogUs = 10_000;

    engine.run('EVAL', "return redis.call('keys',ARGV[1])", '0', 'pattern');
    expect(entries).toEqual(['keys 1 pattern', 'eval 1 pattern']);
  });
});

describe('while what is written may not reach the disk', () => {
  const WRITES = "return redis.call('set',KEYS[1],'x')";

  function failing(gate: Gate): Engine {
    const engine = makeEngine();
    engine.run('SET', 'key', 'value');
    limits.logFailure = 'No space left on device';
    engine.runner.raised |= gate;
    return engine;
  }

  test('a script reads, and its first write is refused', () => {
    const engine = failing(Gate.LogFailed);
    expect(engine.run('EVAL', "return redis.call('get',KEYS[1])", '1', 'key')).toBe(
      '$5\r\nvalue\r\n',
    );
    expect(engine.run('EVAL', WRITES, '1', 'key')).toContain(`-${MISCONF} script:`);
    expect(engine.run('GET', 'key')).toBe('$5\r\nvalue\r\n');
  });

  test('a script that says that it writes is refused as a whole', () => {
    const engine = failing(Gate.LogFailed);
    expect(engine.run('EVAL', '#!lua\nreturn 1', '0')).toBe(`-${MISCONF}\r\n`);
    expect(engine.run('EVAL', '#!lua flags=no-writes\nreturn 1', '0')).toBe(':1\r\n');
  });

  test('a failed snapshot does the same', () => {
    const engine = failing(Gate.SavesFailed);
    expect(engine.run('EVAL', WRITES, '1', 'key')).toContain(
      '-MISCONF Redis is configured to save RDB snapshots',
    );
  });
});

describe('while writes are paused', () => {
  const READS = '#!lua flags=no-writes\nreturn redis.call("get", KEYS[1])';

  function queued(engine: Engine, ...scripts: string[]): void {
    engine.run('MULTI');
    for (const script of scripts) engine.run('EVAL', script, '1', 'key');
    engine.runner.raised |= Gate.WritesPaused;
  }

  test('EXEC of scripts that say that they only read goes on', () => {
    const engine = makeEngine();
    engine.run('SET', 'key', 'value');
    queued(engine, READS, READS);
    expect(engine.run('EXEC')).toBe('*2\r\n$5\r\nvalue\r\n$5\r\nvalue\r\n');
  });

  test('EXEC of any other script waits', () => {
    const engine = makeEngine();
    queued(engine, READS, 'return 1');
    expect(engine.run('EXEC')).toBe('');
    engine.runner.raised &= ~Gate.WritesPaused;
    expect(engine.run('EXEC')).toBe('*2\r\n$-1\r\n:1\r\n');
  });
});

describe('a script that names the same key again', () => {
  test('finds what became of it in the meantime', () => {
    const engine = makeEngine();
    const script = `
      local key, seen = KEYS[1], {}
      local function see() seen[#seen + 1] = redis.call('get', key) or 'none' end
      see() redis.call('set', key, 'a') see()
      redis.call('append', key, string.rep('b', 100)) seen[#seen + 1] = redis.call('strlen', key)
      redis.call('del', key) see() redis.call('set', key, '1') redis.call('incr', key) see()
      redis.call('rename', key, KEYS[2]) see() redis.call('set', KEYS[2], 'other')
      redis.call('set', key, 'again') see() redis.call('copy', KEYS[2], key, 'replace') see()
      redis.call('select', '5') see() redis.call('select', '0') see()
      redis.call('flushdb') see() redis.call('expire', key, '-1') redis.call('hset', key, 'f', 'v')
      seen[#seen + 1] = redis.call('hget', key, 'f') redis.call('hdel', key, 'f') see()
      return table.concat(seen, ' ')`;

    // In one partition and in others.
    for (const keys of [
      ['{k}', '{k}2'],
      ['k', 'l'],
    ]) {
      const reply = engine.run('EVAL', script, '2', ...keys);
      expect(reply).toContain('none a 101 none 2 none again other none other none v none');
    }
  });

  test('places keys as long as any, and of equal length, apart', () => {
    const engine = makeEngine();
    const long = 'x'.repeat(200);
    const script = `
      for i, key in ipairs(KEYS) do redis.call('set', key, i) redis.call('incr', key) end
      local all = {}
      for i, key in ipairs(KEYS) do all[i] = redis.call('get', key) end
      return table.concat(all, ' ')`;
    const reply = engine.run('EVAL', script, '5', 'aa', 'ab', `${long}1`, `${long}2`, '');
    expect(reply).toBe('$9\r\n2 3 4 5 6\r\n');
    expect(engine.run('GET', `${long}2`)).toBe('$1\r\n5\r\n');
  });
});

describe('KEYS', () => {
  const narrow = "return {#KEYS, redis.call('set', KEYS[1], ARGV[1]), KEYS[2]}";
  const ok = '+OK\r\n';

  test('is that of the run, whichever script had it before', () => {
    const engine = makeEngine();
    const wide = "KEYS[1] = 'changed' KEYS[3] = 'more' return redis.call('set', KEYS[1], ARGV[1])";
    expect(engine.run('EVAL', narrow, '2', 'a', 'b', '1')).toBe(`*3\r\n:2\r\n${ok}$1\r\nb\r\n`);
    expect(engine.run('EVAL', wide, '2', 'x', 'y', '2')).toBe(ok);
    expect(engine.run('EVAL', narrow, '2', 'c', 'd', '3')).toBe(`*3\r\n:2\r\n${ok}$1\r\nd\r\n`);
    expect(engine.run('EVAL', narrow, '1', 'e', '4')).toBe(`*2\r\n:1\r\n${ok}`);
    expect(engine.run('EVAL', "return #KEYS + #redis.call('keys', '*')", '0')).toBe(':4\r\n');
    expect(engine.run('EVAL', narrow, '2', 'f', 'g', '5')).toBe(`*3\r\n:2\r\n${ok}$1\r\ng\r\n`);
    expect(engine.run('GET', 'changed')).toBe('$1\r\n2\r\n');
    expect(engine.run('GET', 'f')).toBe('$1\r\n5\r\n');
  });

  test('is kept by nobody who could change it later', () => {
    const engine = makeEngine();
    const keeping = 'local t = {KEYS} return #t[1]';
    const seen =
      "local n = 0 for _ in pairs(KEYS) do n = n + 1 end return n + #redis.call('keys','*')";
    expect(engine.run('EVAL', keeping, '1', 'a')).toBe(':1\r\n');
    expect(engine.run('EVAL', seen, '3', 'a', 'b', 'c')).toBe(':3\r\n');
    expect(engine.run('EVAL', narrow, '1', 'q', '1')).toBe(`*2\r\n:1\r\n${ok}`);
  });
});
