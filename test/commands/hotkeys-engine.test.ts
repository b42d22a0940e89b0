// HOTKEYS in process: what commands, transactions and scripts leave, and what is refused.

import { describe, expect, it } from 'vitest';
import { connectionCommands } from '../../src/commands/connection.js';
import { scriptingCommands } from '../../src/commands/scripting/index.js';
import { serverCommands } from '../../src/commands/server/index.js';
import { stringCommands } from '../../src/commands/string/index.js';
import { transactionCommands } from '../../src/commands/transactions.js';
import { Gate } from '../../src/dispatch/gates.js';
import { Hotkeys } from '../../src/stats/hotkeys.js';
import { Engine } from '../support/engine.js';
import { encodeCommands } from '../support/resp.js';

const SPECS = [
  ...connectionCommands,
  ...scriptingCommands,
  ...serverCommands,
  ...stringCommands,
  ...transactionCommands,
];

function open(): { engine: Engine; run: (...words: string[]) => string } {
  let nowUs = 1_700_000_000_000_000;
  const engine: Engine = new Engine({
    specs: SPECS,
    server: {
      hotkeys: new Hotkeys(new SharedArrayBuffer(Hotkeys.bytesFor(1)), 1, 0),
      setProfiled(isProfiled) {
        if (isProfiled) engine.runner.raised |= Gate.Profiled;
        else engine.runner.raised &= ~Gate.Profiled;
      },
      // Each look at the clock is ten microseconds later.
      nowUs: () => (nowUs += 10),
    },
  });
  return { engine, run: (...words) => engine.run(...words) };
}

/** The fields of HOTKEYS GET in RESP2, texts and numbers as they stand in the protocol. */
function fieldsOf(reply: string): string[] {
  return reply.split('\r\n').filter((line) => line !== '' && !/^[$*]/.test(line));
}

/** The keys behind a field, with their amounts. */
function keysOf(reply: string, field: string): Map<string, number> {
  const lines = reply.split('\r\n');
  const at = lines.indexOf(field) + 1;
  const count = Number(lines[at]!.slice(1));
  const keys = new Map<string, number>();
  const values = lines.slice(at + 1).filter((line) => line !== '' && !/^[$*]/.test(line));
  for (let index = 0; index < count; index += 2) {
    keys.set(values[index]!, Number(values[index + 1]!.slice(1)));
  }
  return keys;
}

const CPU_TIME = 'by-cpu-time-us';
const NET_BYTES = 'by-net-bytes';

describe('HOTKEYS', () => {
  it('refuses what makes no sense, and then nothing has begun', () => {
    const { run } = open();
    const refusals: [string, string][] = [
      ['', 'METRICS parameter is required'],
      ['COUNT 5', 'METRICS parameter is required'],
      ['METRICS 0 CPU', 'METRICS count must be > 0 and <= 2'],
      ['METRICS 3 CPU', 'METRICS count must be > 0 and <= 2'],
      ['METRICS 2 CPU', 'METRICS count does not match number of metric types provided'],
      ['METRICS 2 CPU CPU', 'METRICS CPU defined more than once!'],
      ['METRICS 2 NET NET', 'METRICS NET defined more than once!'],
      ['METRICS 1 GPU', 'METRICS no valid metrics passed. Supported: CPU|NET'],
      ['METRICS 1 CPU NET', 'syntax error'],
      ['METRICS 1 CPU COUNT', 'syntax error'],
      ['METRICS 1 CPU COUNT 0', 'COUNT must be between 1 and 64'],
      ['METRICS 1 CPU COUNT 65', 'COUNT must be between 1 and 64'],
      ['METRICS 1 CPU DURATION 0', 'DURATION must be between 1 and 1000000'],
      ['METRICS 1 CPU SAMPLE 0', 'SAMPLE ratio must be positive'],
      ['METRICS 1 CPU SLOTS 1 0', 'SLOTS parameter cannot be used in non-cluster mode'],
    ];
    for (const [words, text] of refusals) {
      const args = words === '' ? [] : words.split(' ');
      expect(run('HOTKEYS', 'START', ...args), words).toBe(`-ERR ${text}\r\n`);
    }
    expect(run('HOTKEYS', 'GET')).toBe('$-1\r\n');
    expect(run('HOTKEYS', 'STOP')).toBe('$-1\r\n');
    expect(run('HOTKEYS', 'RESET')).toBe('+OK\r\n');
  });

  it('tells the fields of the metrics that were asked for', () => {
    const { run } = open();
    expect(run('HOTKEYS', 'START', 'METRICS', '2', 'GPU', 'CPU')).toBe('+OK\r\n');
    expect(run('HOTKEYS', 'START', 'METRICS', '1', 'NET')).toMatch(/session already in progress/);
    expect(run('HOTKEYS', 'RESET')).toMatch(/session in progress, stop tracking first/);
    const ofCpu = fieldsOf(run('HOTKEYS', 'GET'));
    expect(ofCpu).toEqual(expect.arrayContaining([CPU_TIME, 'total-cpu-time-user-ms']));
    expect(ofCpu).not.toContain(NET_BYTES);
    expect(ofCpu.slice(0, 2)).toEqual(['tracking-active', ':1']);
    expect(run('HOTKEYS', 'STOP')).toBe('+OK\r\n');
    run('HOTKEYS', 'START', 'METRICS', '1', 'NET', 'SAMPLE', '5');
    const ofNet = fieldsOf(run('HOTKEYS', 'GET'));
    expect(ofNet).toEqual(expect.arrayContaining([NET_BYTES, 'total-net-bytes']));
    expect(ofNet).not.toContain(CPU_TIME);
    expect(ofNet.slice(2, 4)).toEqual(['sample-ratio', ':5']);
  });

  it('notes time and bytes of each key, also of those inside a transaction and of scripts', () => {
    const { run } = open();
    run('SET', 'before', '1');
    run('HOTKEYS', 'START', 'METRICS', '2', 'CPU', 'NET');
    run('SET', 'a', 'x'.repeat(100));
    run('GET', 'a');
    run('MSET', 'b', '1', 'c', '1');
    run('MULTI');
    run('SET', 'd', '1');
    run('GET', 'd');
    run('EXEC');
    run('EVAL', "redis.call('set', KEYS[1], 'x'); return redis.call('get', KEYS[1])", '1', 'e');
    run('PING');
    run('HOTKEYS', 'STOP');
    run('GET', 'a');

    const report = run('HOTKEYS', 'GET');
    // Ten microseconds a command, here: those of MSET are shared out.
    expect(keysOf(report, CPU_TIME)).toEqual(
      new Map([
        ['a', 20],
        ['d', 20],
        ['e', 10],
        ['b', 5],
        ['c', 5],
      ]),
    );
    const bytes = keysOf(report, NET_BYTES);
    const value = 'x'.repeat(100);
    const sent = encodeCommands([
      ['SET', 'a', value],
      ['GET', 'a'],
    ]);
    expect(bytes.get('a')).toBe(sent.length + '+OK\r\n'.length + `$100\r\n${value}\r\n`.length);
    expect(bytes.has('before')).toBe(false);
  });

  it('counts replies that are larger than the buffer of replies', () => {
    const { run } = open();
    const bytes = 200_000;
    run('SET', 'large', 'x'.repeat(bytes));
    run('HOTKEYS', 'START', 'METRICS', '1', 'NET');
    run('GET', 'large');
    const counted = keysOf(run('HOTKEYS', 'GET'), NET_BYTES).get('large')!;
    expect(counted).toBeGreaterThan(bytes);
    expect(counted).toBeLessThan(bytes + 100);
  });

  it('ends by itself after its duration, and the gate goes down with the next command', () => {
    const { engine, run } = open();
    run('HOTKEYS', 'START', 'METRICS', '1', 'CPU', 'DURATION', '2');
    run('SET', 'a', '1');
    expect(engine.runner.raised & Gate.Profiled).not.toBe(0);
    engine.clock.wallMs += 2001;
    engine.runner.readClock();
    run('SET', 'b', '1');
    expect(engine.runner.raised & Gate.Profiled).toBe(0);
    const report = run('HOTKEYS', 'GET');
    expect(fieldsOf(report).slice(0, 2)).toEqual(['tracking-active', ':0']);
    expect([...keysOf(report, CPU_TIME).keys()]).toEqual(['a']);
  });
});
