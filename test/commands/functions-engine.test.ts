// Functions where transcripts do not reach: payloads, the log, and machines that break.

import { describe, expect, test } from 'vitest';
import { evalCommands } from '../../src/commands/scripting/eval.js';
import { fcallCommands } from '../../src/commands/scripting/fcall.js';
import { functionCommands } from '../../src/commands/scripting/function.js';
import { stringCommands } from '../../src/commands/string/index.js';
import { Engine } from '../support/engine.js';

const LIBRARY = `#!lua name=lib
redis.register_function('put', function(keys, args) return redis.call('set', keys[1], args[1]) end)
redis.register_function('deep', function()
  return ('a'):rep(400000):find(('a?'):rep(200000) .. 'b')
end)
redis.register_function('bomb', function()
  local t = {} for i = 1, 1e9 do t[i] = ('x'):rep(1000000) .. i end
end)`;

function makeEngine(records: string[] = []): Engine {
  return new Engine({
    specs: [...evalCommands, ...fcallCommands, ...functionCommands, ...stringCommands],
    server: {
      config: { flag: () => true, text: () => 'notice' } as never,
      log() {},
      busyRefusal: () => null,
    },
    sink: {
      isOn: true,
      append: (_database, u8, start, length) =>
        records.push(Buffer.from(u8.slice(start, start + length)).toString('latin1')),
    },
  });
}

describe('libraries', () => {
  test('come back from a payload, and a payload that is damaged changes nothing', () => {
    const engine = makeEngine();
    engine.run('FUNCTION', 'LOAD', LIBRARY);
    const reply = engine.run('FUNCTION', 'DUMP');
    const payload = Buffer.from(reply.slice(reply.indexOf('\n') + 1, -2), 'latin1');

    expect(engine.run('FUNCTION', 'RESTORE', payload)).toBe('-ERR Library lib already exists\r\n');
    expect(engine.run('FUNCTION', 'RESTORE', payload, 'REPLACE')).toBe('+OK\r\n');
    payload[5]! ^= 1;
    expect(engine.run('FUNCTION', 'RESTORE', payload, 'FLUSH')).toContain('-ERR DUMP payload');
    expect(engine.run('FCALL', 'put', '1', 'key', 'value')).toBe('+OK\r\n');
    payload[5]! ^= 1;
    engine.run('FUNCTION', 'FLUSH');
    expect(engine.run('FUNCTION', 'RESTORE', payload, 'FLUSH')).toBe('+OK\r\n');
    expect(engine.run('FCALL', 'put', '1', 'key', 'value')).toBe('+OK\r\n');
  });

  test('are recorded as they came, and calls as what they wrote', () => {
    const records: string[] = [];
    const engine = makeEngine(records);
    engine.run('FUNCTION', 'LOAD', LIBRARY);
    engine.run('FCALL', 'put', '1', 'key', 'value');
    engine.run('FUNCTION', 'DELETE', 'lib');

    expect(records[0]).toContain('FUNCTION\r\n$4\r\nLOAD\r\n');
    expect(records[1]).toContain('set\r\n$3\r\nkey\r\n$5\r\nvalue');
    expect(records[1]).not.toContain('FCALL');
    expect(records[2]).toContain('DELETE\r\n$3\r\nlib');
    expect(records.length).toBe(3);
  });

  test('survive a machine that breaks: the call fails, the next one has a new machine', () => {
    const engine = makeEngine();
    engine.run('FUNCTION', 'LOAD', LIBRARY);

    expect(engine.run('FCALL', 'deep', '0')).toContain('-ERR Error running script deep');
    expect(engine.run('FCALL', 'put', '1', 'key', 'value')).toBe('+OK\r\n');
    expect(engine.run('GET', 'key')).toBe('$5\r\nvalue\r\n');
  });

  test('that use up their memory fail, and give it back', () => {
    const engine = makeEngine();
    engine.run('FUNCTION', 'LOAD', LIBRARY);

    expect(engine.run('FCALL', 'bomb', '0')).toContain('not enough memory');
    expect(engine.run('FCALL', 'put', '1', 'key', 'value')).toBe('+OK\r\n');
    expect(engine.runner.scripts.machineBytes).toBeLessThan(64 * 1024 * 1024);
  });
});
