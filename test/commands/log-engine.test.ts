// What the state of the append log means for commands: MISCONF while it cannot be written, and
// WAITAOF.

import { describe, expect, it } from 'vitest';
import { allCommands } from '../../src/commands/index.js';
import { Config } from '../../src/config/config.js';
import { Gate } from '../../src/dispatch/gates.js';
import { limits } from '../../src/dispatch/limits.js';
import type { Session } from '../../src/dispatch/session.js';
import { Engine } from '../support/engine.js';
import { LogWorld } from '../support/logs.js';

const MISCONF = '-MISCONF Errors writing to the AOF file: No space left on device\r\n';

describe('while the log cannot be written', () => {
  it('writes and PING are refused with the reason, reads and EXEC of reads are not', () => {
    const stats = { errorReplied() {} };
    const engine = new Engine({ specs: allCommands, server: { stats } as never });
    engine.run('SET', 'key', 'value');
    engine.runner.raised |= Gate.LogFailed;
    limits.logFailure = 'No space left on device';
    for (const words of [['SET', 'key', 'x'], ['DEL', 'key'], ['PING'], ['LPUSH', 'list', 'a']]) {
      expect(engine.run(...(words as [string, ...string[]]))).toBe(MISCONF);
    }
    expect(engine.run('GET', 'key')).toBe('$5\r\nvalue\r\n');
    expect(engine.run('MULTI')).toBe('+OK\r\n');
    expect(engine.run('GET', 'key')).toBe('+QUEUED\r\n');
    expect(engine.run('EXEC')).toBe('*1\r\n$5\r\nvalue\r\n');
    engine.run('MULTI');
    expect(engine.run('SET', 'key', 'x')).toBe(MISCONF);
    expect(engine.run('EXEC')).toMatch(/^-EXECABORT /);
    engine.runner.raised &= ~Gate.LogFailed;
    engine.run('MULTI');
    engine.run('SET', 'key', 'x');
    engine.runner.raised |= Gate.LogFailed;
    expect(engine.run('EXEC')).toBe(
      '-EXECABORT Transaction discarded because of: MISCONF Errors writing to the AOF file: ' +
        'No space left on device\r\n',
    );
    expect(engine.run('GET', 'key')).toBe('$5\r\nvalue\r\n');
  });
});

describe('WAITAOF with a log', () => {
  function start() {
    const world = new LogWorld(2);
    const config = new Config();
    config.set('appendonly', ['yes']);
    const waits: { session: Session; low: number }[] = [];
    const server = {
      config,
      logs: world.keeper.logs,
      lastOwnNumber: () => world.logs[0]!.lastOwnLow,
      waitForLog: (session: Session, low: number) => void waits.push({ session, low }),
    };
    return { world, waits, engine: new Engine({ specs: allCommands, server }) };
  }

  it('answers at once when all is synced that this thread has written', () => {
    const { world, waits, engine } = start();
    expect(engine.run('WAITAOF', '1', '0', '0')).toBe('*2\r\n:1\r\n:0\r\n');
    world.append(0, 'one');
    world.logs[0]!.endTurn();
    expect(engine.run('WAITAOF', '0', '0', '0')).toBe('*2\r\n:0\r\n:0\r\n');
    world.sync.pass();
    expect(engine.run('WAITAOF', '1', '0', '0')).toBe('*2\r\n:1\r\n:0\r\n');
    // What another thread has written is another client's.
    world.append(1, 'two');
    expect(engine.run('WAITAOF', '1', '0', '0')).toBe('*2\r\n:1\r\n:0\r\n');
    expect(waits).toEqual([]);
  });

  it('waits for the sync, and tells at its deadline what is there', () => {
    const { world, waits, engine } = start();
    world.append(0, 'one');
    world.logs[0]!.endTurn();
    expect(engine.run('WAITAOF', '1', '0', '100')).toBe('');
    expect(waits).toEqual([{ session: engine.session, low: 1 }]);
    expect(engine.session.wait!.deadlineMs).toBe(engine.clock.nowMs() + 100);
    engine.session.wait = null;
    // For replicas nobody but the clock ends the wait.
    expect(engine.run('WAITAOF', '1', '1', '100')).toBe('');
    expect(waits).toHaveLength(1);
  });
});
