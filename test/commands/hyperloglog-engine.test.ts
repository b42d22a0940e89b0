// HyperLogLog commands on one engine in this process: keys in several partitions, what refusals
// leave behind, and what is recorded.

import { describe, expect, it } from 'vitest';
import { genericCommands } from '../../src/commands/generic/index.js';
import { hyperloglogCommands } from '../../src/commands/hyperloglog.js';
import { stringCommands } from '../../src/commands/string/index.js';
import { checkKeyspace } from '../support/check-keyspace.js';
import { Engine, type EngineOptions } from '../support/engine.js';

const specs = [...hyperloglogCommands, ...stringCommands, ...genericCommands];

function start(options: Partial<EngineOptions> = {}): Engine {
  return new Engine({ specs, partitions: 8, ...options });
}

function elements(first: number, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `element ${first + index}`);
}

/** Records of one engine: the first word of each. */
class Log {
  readonly isOn = true;
  readonly names: string[] = [];

  append(_database: number, u8: Uint8Array, start: number, length: number): void {
    const text = Buffer.from(u8.slice(start, start + length)).toString('latin1');
    this.names.push(text.split('\r\n')[2]!);
  }
}

describe('HyperLogLogs in several partitions', () => {
  it('are counted and merged as one', () => {
    const engine = start();
    const keys = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];
    for (const [index, key] of keys.entries()) {
      engine.run('PFADD', key, ...elements(index * 50, 100));
    }
    const counted = engine.run('PFCOUNT', ...keys);
    expect(Math.abs(Number(counted.slice(1)) - 450)).toBeLessThan(15);
    expect(engine.run('PFMERGE', 'all', ...keys)).toBe('+OK\r\n');
    expect(engine.run('PFCOUNT', 'all')).toBe(counted);
    checkKeyspace(engine.keyspace);
  });

  it('leave no bytes behind, whatever they grew to', () => {
    const engine = start({ partitions: 1 });
    const key = 'key';
    for (let count = 0; count < 3000; count += 100) {
      engine.run('PFADD', key, ...elements(count, 100));
      engine.run('PFMERGE', `copy ${count % 500}`, key);
    }
    expect(engine.run('STRLEN', key)).toBe(':12304\r\n');
    expect(Math.abs(Number(engine.run('PFCOUNT', key).slice(1)) - 3000)).toBeLessThan(80);
    checkKeyspace(engine.keyspace);
    engine.run('DEL', key, ...[0, 100, 200, 300, 400].map((count) => `copy ${count}`));
    checkKeyspace(engine.keyspace);
  });
});

describe('a refusal', () => {
  it('of a corrupt string leaves it as it was, even when some elements had a place', () => {
    const engine = start();
    // Runs of 16384 zeros, but for the last 100.
    const corrupt = Buffer.from('HYLL\x01'.padEnd(16, '\0') + '\x7f\x9b', 'latin1');
    engine.run('SET', 'key', corrupt);
    const many = elements(0, 2000);
    expect(engine.run('PFADD', 'key', ...many)).toBe(
      '-INVALIDOBJ Corrupted HLL object detected\r\n',
    );
    expect(engine.run('GET', 'key')).toBe(`$18\r\n${corrupt.toString('latin1')}\r\n`);
    expect(engine.run('PFMERGE', 'target', 'key')).toMatch(/^-INVALIDOBJ/);
    expect(engine.run('EXISTS', 'target')).toBe(':0\r\n');
  });

  it('for want of memory leaves the string as it was', () => {
    const engine = start({ partitions: 1, partitionBytes: 1024 * 1024 });
    engine.run('PFADD', 'key', 'a');
    let filled = 0;
    while (engine.run('SET', `fill ${filled}`, 'x'.repeat(4000)) === '+OK\r\n') filled++;
    while (engine.run('SET', `small ${filled}`, 'x'.repeat(40)) === '+OK\r\n') filled++;
    const before = engine.run('GET', 'key');
    const reply = engine.run('PFADD', 'key', ...elements(0, 5000));
    expect(reply).toMatch(/^-OOM/);
    expect(engine.run('GET', 'key')).toBe(before);
    checkKeyspace(engine.keyspace);
  });
});

describe('records', () => {
  it('are kept of what changes bytes: of a count that was put into its place, too', () => {
    const sink = new Log();
    const engine = start({ sink });
    engine.run('PFADD', 'key', 'a');
    engine.run('PFADD', 'key', 'a');
    engine.run('PFCOUNT', 'key');
    engine.run('PFCOUNT', 'key');
    engine.run('PFDEBUG', 'ENCODING', 'key');
    engine.run('PFDEBUG', 'TODENSE', 'key');
    engine.run('PFMERGE', 'key');
    expect(sink.names).toEqual(['PFADD', 'PFCOUNT', 'PFDEBUG', 'PFMERGE']);
  });
});

describe('PFSELFTEST', () => {
  it('finds nothing wrong', () => {
    expect(start().run('PFSELFTEST')).toBe('+OK\r\n');
  });
});
