// DUMP and RESTORE inside one engine: the order of what they refuse, times, what they leave in the
// log, whom they tell and wake.

import { describe, expect, it } from 'vitest';
import { allCommands } from '../../src/commands/index.js';
import { Config } from '../../src/config/config.js';
import { Notify } from '../../src/dispatch/effects.js';
import { Stamping } from '../../src/keyspace/recency.js';
import { Engine } from '../support/engine.js';

class Recording {
  readonly records: string[] = [];
  readonly events: string[] = [];
  readonly config = new Config();
  readonly engine: Engine;
  /** The payload of the string "value". */
  readonly payload: string;

  constructor() {
    this.engine = new Engine({
      specs: allCommands,
      partitionBytes: 8 * 1024 * 1024,
      server: { config: this.config },
      sink: {
        isOn: true,
        append: (_database, u8, start, length) => {
          const text = Buffer.from(u8.slice(start, start + length)).toString('latin1');
          const words = text.split('\r\n').filter((line) => !/^[*$]\d+$/.test(line) && line !== '');
          this.records.push(words.join(' ').replaceAll(this.payload, 'PAYLOAD'));
        },
      },
    });
    const { notifications } = this.engine.effects;
    notifications.classes = Notify.Generic;
    notifications.notify = (_partition, event, _database, u8, start, length) => {
      const key = Buffer.from(u8.slice(start, start + length)).toString('latin1');
      this.events.push(`${event} ${key}`);
    };
    this.payload = '';
    this.run('SET', 'source', 'value');
    this.payload = this.run('DUMP', 'source').slice('$18\r\n'.length, -2);
    this.records.length = 0;
    this.events.length = 0;
  }

  run(...words: string[]): string {
    return this.engine.run(...words);
  }

  restore(key: string, ttl: string, ...options: string[]): string {
    return this.run('RESTORE', key, ttl, this.payload, ...options);
  }
}

const NOW = 1_700_000_000_000;

describe('DUMP', () => {
  it.each([[[]], [['']], [['', '\0', 'named']], [['\0\0', '\0', '']], [['\0']]])(
    'keeps entries that are pending for nobody, beside consumers %j',
    (names) => {
      const { engine } = new Recording();
      engine.run('XADD', 's', '1-1', 'f', 'v');
      engine.run('XADD', 's', '2-1', 'f', 'v');
      engine.run('XGROUP', 'CREATE', 's', 'g', '0');
      for (const name of names) engine.run('XGROUP', 'CREATECONSUMER', 's', 'g', name);
      engine.run('XREADGROUP', 'GROUP', 'g', 'c', 'STREAMS', 's', '>');
      expect(engine.run('XNACK', 's', 'g', 'FAIL', 'IDS', '1', '1-1')).toBe(':1\r\n');
      const reply = engine.run('DUMP', 's');
      const payload = Buffer.from(reply.slice(reply.indexOf('\n') + 1, -2), 'latin1');

      expect(engine.run('RESTORE', 't', '0', payload)).toBe('+OK\r\n');
      expect(engine.run('XPENDING', 't', 'g')).toBe(engine.run('XPENDING', 's', 'g'));
      expect(engine.run('XINFO', 'GROUPS', 't')).toBe(engine.run('XINFO', 'GROUPS', 's'));
    },
  );

  it('answers nil for a key that is not there, or has expired', () => {
    const { engine } = new Recording();
    engine.run('SET', 'gone', 'value', 'PX', '10');
    engine.clock.wallMs += 11;

    expect(engine.run('DUMP', 'missing')).toBe('$-1\r\n');
    expect(engine.run('DUMP', 'gone')).toBe('$-1\r\n');
  });

  it('leaves out fields that have expired, and a hash that has no others', () => {
    const { engine } = new Recording();
    engine.run('HSET', 'hash', 'stays', '1', 'goes', '2');
    engine.run('HPEXPIRE', 'hash', '10', 'FIELDS', '1', 'goes');
    engine.clock.wallMs += 11;
    const head = engine.run('DUMP', 'hash');
    engine.run('HSET', 'all', 'goes', '2');
    engine.run('HPEXPIRE', 'all', '10', 'FIELDS', '1', 'goes');
    engine.clock.wallMs += 11;

    expect(head).toContain('stays');
    expect(head).not.toContain('goes');
    expect(engine.run('DUMP', 'all')).toBe('$-1\r\n');
  });

  it('compresses unless rdbcompression says no', () => {
    const recording = new Recording();
    recording.run('SET', 'long', 'x'.repeat(1000));
    const compressed = recording.run('DUMP', 'long');
    recording.config.change(['rdbcompression', 'no']);

    expect(compressed.length).toBeLessThan(100);
    expect(recording.run('DUMP', 'long').length).toBeGreaterThan(1000);
  });

  it('records nothing, and tells nobody', () => {
    const recording = new Recording();
    recording.run('DUMP', 'source');

    expect(recording.records).toEqual([]);
    expect(recording.events).toEqual([]);
  });
});

describe('RESTORE refuses', () => {
  it.each([
    ['a word that is no option', ['k', '0', 'PAYLOAD', 'NOPE'], '-ERR syntax error'],
    ['IDLETIME without its number', ['k', '0', 'PAYLOAD', 'IDLETIME'], '-ERR syntax error'],
    [
      'IDLETIME with FREQ',
      ['k', '0', 'PAYLOAD', 'IDLETIME', '1', 'FREQ', '1'],
      '-ERR syntax error',
    ],
    [
      'FREQ with IDLETIME',
      ['k', '0', 'PAYLOAD', 'FREQ', '1', 'IDLETIME', '1'],
      '-ERR syntax error',
    ],
    [
      'a negative idle time',
      ['k', '0', 'PAYLOAD', 'IDLETIME', '-1'],
      '-ERR Invalid IDLETIME value, must be >= 0',
    ],
    [
      'a frequency that is none',
      ['k', '0', 'PAYLOAD', 'FREQ', '256'],
      '-ERR Invalid FREQ value, must be >= 0 and <= 255',
    ],
    [
      'a number that is none',
      ['k', '0', 'PAYLOAD', 'FREQ', 'x'],
      '-ERR value is not an integer or out of range',
    ],
    ['an option before a busy key', ['source', '0', 'PAYLOAD', 'NOPE'], '-ERR syntax error'],
    [
      'a busy key before a time',
      ['source', 'x', 'PAYLOAD'],
      '-BUSYKEY Target key name already exists.',
    ],
    [
      'a time that is none before a payload',
      ['k', 'x', 'junk'],
      '-ERR value is not an integer or out of range',
    ],
    [
      'a negative time before a payload',
      ['k', '-1', 'junk'],
      '-ERR Invalid TTL value, must be >= 0',
    ],
    ['a payload', ['k', '0', 'junk'], '-ERR DUMP payload version or checksum are wrong'],
    ['too few words', ['k', '0'], "-ERR wrong number of arguments for 'restore' command"],
  ])('%s', (_, words, line) => {
    const recording = new Recording();
    const given = words.map((word) => (word === 'PAYLOAD' ? recording.payload : word));

    expect(recording.run('RESTORE', ...given)).toBe(`${line}\r\n`);

    expect(recording.run('EXISTS', 'k')).toBe(':0\r\n');
    expect(recording.run('GET', 'source')).toBe('$5\r\nvalue\r\n');
    expect(recording.records).toEqual([]);
  });
});

describe('RESTORE', () => {
  it('makes a key, once', () => {
    const recording = new Recording();

    expect(recording.restore('k', '0')).toBe('+OK\r\n');
    expect(recording.run('GET', 'k')).toBe('$5\r\nvalue\r\n');
    expect(recording.run('PTTL', 'k')).toBe(':-1\r\n');
    expect(recording.restore('k', '0')).toMatch(/^-BUSYKEY/);
  });

  it('replaces a value of any type, with its time', () => {
    const recording = new Recording();
    recording.run('RPUSH', 'k', 'a');
    recording.run('EXPIRE', 'k', '100');

    expect(recording.restore('k', '0', 'REPLACE')).toBe('+OK\r\n');

    expect(recording.run('GET', 'k')).toBe('$5\r\nvalue\r\n');
    expect(recording.run('TTL', 'k')).toBe(':-1\r\n');
  });

  it('takes the place of a key that has expired', () => {
    const recording = new Recording();
    recording.run('SET', 'k', 'old', 'PX', '5');
    recording.engine.clock.wallMs += 6;

    expect(recording.restore('k', '0')).toBe('+OK\r\n');
  });

  it('counts a time from now, or since 1970, and records it since 1970', () => {
    const recording = new Recording();
    recording.restore('from', '500');
    recording.restore('since', String(NOW + 700), 'absttl');

    expect(recording.run('PTTL', 'from')).toBe(':500\r\n');
    expect(recording.run('PTTL', 'since')).toBe(':700\r\n');
    expect(recording.records).toEqual([
      `RESTORE from ${NOW + 500} PAYLOAD ABSTTL`,
      `RESTORE since ${NOW + 700} PAYLOAD absttl`,
    ]);
  });

  it('gives a structure its time, too', () => {
    const recording = new Recording();
    recording.run('RPUSH', 'list', 'a', 'b');
    const list = recording
      .run('DUMP', 'list')
      .replace(/^\$\d+\r\n/, '')
      .slice(0, -2);

    expect(recording.run('RESTORE', 'copy', '500', list)).toBe('+OK\r\n');

    expect(recording.run('PTTL', 'copy')).toBe(':500\r\n');
    recording.engine.clock.wallMs += 501;
    expect(recording.run('EXISTS', 'copy')).toBe(':0\r\n');
  });

  it('keeps nothing that has expired already', () => {
    const recording = new Recording();

    expect(recording.restore('k', String(NOW), 'ABSTTL')).toBe('+OK\r\n');
    expect(recording.restore('k', '9223372036854775807')).toBe('+OK\r\n');

    expect(recording.run('EXISTS', 'k')).toBe(':0\r\n');
    expect(recording.records).toEqual([]);
    expect(recording.events).toEqual([]);
  });

  it('removes the key that something expired replaces', () => {
    const recording = new Recording();
    recording.run('SET', 'k', 'old');
    recording.records.length = 0;

    expect(recording.restore('k', '1', 'ABSTTL', 'REPLACE')).toBe('+OK\r\n');

    expect(recording.run('EXISTS', 'k')).toBe(':0\r\n');
    expect(recording.records).toEqual(['DEL k']);
    expect(recording.events).toEqual(['del k']);
  });

  it('tells of one event, also when it replaces', () => {
    const recording = new Recording();
    recording.restore('k', '0');
    recording.restore('k', '0', 'REPLACE');

    expect(recording.events).toEqual(['restore k', 'restore k']);
    expect(recording.records).toEqual(['RESTORE k 0 PAYLOAD', 'RESTORE k 0 PAYLOAD REPLACE']);
  });

  it('sets how long a key was not used', () => {
    const recording = new Recording();
    recording.restore('k', '0', 'IDLETIME', '1000', 'REPLACE');

    expect(recording.run('OBJECT', 'IDLETIME', 'k')).toBe(':1000\r\n');
    recording.restore('k', '0', 'FREQ', '7', 'REPLACE');
    expect(recording.run('OBJECT', 'IDLETIME', 'k')).toBe(':0\r\n');
  });

  it('sets how often a key was used, where that is tracked', () => {
    const recording = new Recording();
    recording.config.change(['maxmemory-policy', 'allkeys-lfu']);
    recording.engine.keyspace.setStamping(Stamping.Counts);
    recording.restore('k', '0', 'FREQ', '100');

    expect(recording.run('OBJECT', 'FREQ', 'k')).toBe(':100\r\n');
  });

  it('wakes who waits for a list', () => {
    const recording = new Recording();
    recording.run('RPUSH', 'list', 'a', 'b');
    const list = recording
      .run('DUMP', 'list')
      .replace(/^\$\d+\r\n/, '')
      .slice(0, -2);
    const waiting = recording.engine.openSession(2);
    recording.engine.runFor(waiting, 'BLPOP', 'wanted', '0');

    expect(recording.run('RESTORE', 'wanted', '0', list)).toBe('+OK\r\n');

    expect(recording.run('LRANGE', 'wanted', '0', '-1')).toBe('*1\r\n$1\r\nb\r\n');
  });

  it('is what RESTORE-ASKING does', () => {
    const recording = new Recording();

    expect(recording.run('RESTORE-ASKING', 'k', '0', recording.payload)).toBe('+OK\r\n');
    expect(recording.run('GET', 'k')).toBe('$5\r\nvalue\r\n');
  });
});
