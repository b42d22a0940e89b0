// Redis's append-only directory, put together by hand: what is loaded, and what is refused.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseRedisManifest } from '../../src/rdb/redis-manifest.js';
import { emptyEngine, writeFile } from '../rdb/files.js';
import { checkKeyspace } from '../rdb/values.js';
import type { Engine } from '../support/engine.js';
import { loadRedisLog } from './redis-logs.js';

let directory = '';
let engine: Engine;

beforeEach(() => {
  directory = mkdtempSync(path.join(os.tmpdir(), 'flagstone-aof-'));
  mkdirSync(path.join(directory, 'appendonlydir'));
  engine = emptyEngine();
});

afterEach(() => {
  checkKeyspace(engine.keyspace);
  rmSync(directory, { recursive: true, force: true });
});

function commands(...lines: readonly string[]): string {
  return lines
    .map((line) => {
      if (line.startsWith('#')) return `${line}\r\n`;
      const words = line.split(' ');
      const bulks = words.map((word) => `$${word.length}\r\n${word}\r\n`);
      return `*${words.length}\r\n${bulks.join('')}`;
    })
    .join('');
}

function put(name: string, content: string | Uint8Array): void {
  writeFileSync(path.join(directory, name), content, 'latin1');
}

/** A manifest of these increments, and a base if there is one. */
function putLog(base: string | Uint8Array | null, ...increments: readonly string[]): void {
  const lines: string[] = [];
  if (base !== null) {
    lines.push('file appendonly.aof.1.base.rdb seq 1 type b');
    put('appendonlydir/appendonly.aof.1.base.rdb', base);
  }
  for (const [index, increment] of increments.entries()) {
    const name = `appendonly.aof.${index + 1}.incr.aof`;
    lines.push(`file ${name} seq ${index + 1} type i`);
    put(`appendonlydir/${name}`, increment);
  }
  put('appendonlydir/appendonly.aof.manifest', `${lines.join('\n')}\n`);
}

describe('the append-only directory of Redis', () => {
  it('is a base and increments, which are loaded in their order', () => {
    const source = emptyEngine();
    source.run('SET', 'a', 'from the base');
    source.run('RPUSH', 'list', '1', '2');
    putLog(
      writeFile(source).bytes,
      commands('SELECT 0', '#TS:1700000000', 'RPUSH list 3', 'SELECT 3', 'SET b 1'),
      commands('SET a again', 'MULTI', 'SET c 1', 'INCR c', 'EXEC'),
    );

    const loaded = loadRedisLog(engine, directory);

    expect(loaded.warnings).toEqual([]);
    expect(engine.run('GET', 'a')).toContain('again');
    expect(engine.run('LRANGE', 'list', '0', '-1')).toContain('$1\r\n3');
    expect(engine.run('GET', 'c')).toContain('2');
    engine.run('SELECT', '3');
    expect(engine.run('GET', 'b')).toContain('1');
  });

  it('may begin with commands, or with nothing but an empty increment', () => {
    putLog(commands('SET a 1'), '');
    loadRedisLog(engine, directory);
    expect(engine.run('GET', 'a')).toContain('1');
  });

  it('has keys that expire only when a command says so', () => {
    const expired = '1000000000000';
    putLog(null, commands(`SET a 1 PXAT ${expired}`, 'INCR a', 'APPEND a 0', 'PERSIST a'));
    loadRedisLog(engine, directory);
    expect(engine.run('GET', 'a')).toContain('20');
  });

  it('may be the one file of Redis before 7.0, with or without an RDB part', () => {
    const source = emptyEngine();
    source.run('SET', 'a', '1');
    const text = Buffer.from(commands('SELECT 0', 'INCR a'), 'latin1');
    put('appendonly.aof', Buffer.concat([writeFile(source).bytes, text]));
    loadRedisLog(engine, directory);
    expect(engine.run('GET', 'a')).toContain('2');
  });

  it('is loaded in steps', () => {
    const lines = Array.from({ length: 2000 }, (_, index) => `SET key:${index} ${index}`);
    putLog(null, commands(...lines), commands('MULTI', ...lines, 'EXEC'));
    const loaded = loadRedisLog(engine, directory, { budgetMs: -1 });
    expect(loaded.steps).toBeGreaterThan(10);
    expect(loaded.bytesRead).toBe(loaded.bytesTotal);
    expect(engine.run('GET', 'key:1999')).toContain('1999');
  });

  it('gives the code of functions in its base', () => {
    putLog(Buffer.concat([Buffer.from('REDIS0004\xf5\x05#!lua\xff', 'latin1')]));
    expect(loadRedisLog(engine, directory).functions.map(String)).toEqual(['#!lua']);
  });
});

describe('a torn tail of the last file', () => {
  const whole = commands('SET a 1', 'MULTI', 'SET b 1', 'SET c 1', 'EXEC', 'SET d 1');

  it('is left out wherever it is torn, and a transaction is there wholly or not at all', () => {
    for (let bytes = 0; bytes < whole.length; bytes++) {
      const torn = emptyEngine(1, 1024 * 1024);
      putLog(null, whole.slice(0, bytes));
      const loaded = loadRedisLog(torn, directory);
      const values = torn.run('MGET', 'a', 'b', 'c', 'd');
      const rest = values.replaceAll('$1\r\n1\r\n', '1').replaceAll('$-1\r\n', '0');
      expect(rest, `cut at byte ${bytes}`).toMatch(/^\*4\r\n(0000|1000|1110)$/);
      if (loaded.warnings.length > 0) expect(loaded.warnings[0]).toContain('are left out');
    }
  });

  it('is refused where aof-load-truncated says so, and in any file but the last', () => {
    putLog(null, whole.slice(0, -3));
    expect(() => loadRedisLog(engine, directory, { mayBeTorn: false })).toThrow(
      /ends in the middle of what begins at byte \d+: make a copy/,
    );
    engine = emptyEngine();
    putLog(null, whole.slice(0, -3), commands('SET e 1'));
    expect(() => loadRedisLog(engine, directory)).toThrow('is not the last file');
  });
});

describe('a damaged append-only file is refused', () => {
  it.each([
    ['that has something else in it', 'SET a 1\r\n', 'byte 0: what stands there is no command'],
    ['with words of a wrong length', '*1\r\n$3\r\nPINGxy', 'byte 0: what stands there'],
    ['with a transaction in another', commands('MULTI', 'MULTI'), 'begins within another'],
    ['with the end of no transaction', commands('EXEC'), 'ends that has not begun'],
    ['with an unknown command', commands('SET a 1', 'NOSUCH a'), "'NOSUCH' cannot be run again"],
    ['with a command that fails', commands('SET a x', 'INCR a'), "'INCR' cannot be run again"],
  ])('%s', (_, content, message) => {
    putLog(null, content);
    expect(() => loadRedisLog(engine, directory)).toThrow(message);
  });

  it('or is not there', () => {
    put('appendonlydir/appendonly.aof.manifest', 'file gone.aof seq 1 type i\n');
    expect(() => loadRedisLog(engine, directory)).toThrow('gone.aof, which is not there');
  });
});

describe('a manifest', () => {
  it('has comments, quoted names and files of the past', () => {
    const text =
      '# made by Redis\n\nfile "a b\\"\\x41.rdb" seq 2 type b\n' +
      'file old seq 1 type h\nfile x seq 3 type i\nfile y seq 5 type i startoffset 10\n';
    expect(parseRedisManifest(text)).toEqual({ base: 'a b"A.rdb', increments: ['x', 'y'] });
  });

  it.each([
    ['file a seq 1 type b\nfile b seq 2 type b\n', 'line 2: there is a second base'],
    ['file a seq 2 type i\nfile b seq 2 type i\n', 'line 2: the numbers of the increments'],
    ['file a seq 1\n', 'line 1: it has no file'],
    ['file a seq 1 type x\n', 'line 1: it has no file'],
    ['file a/b seq 1 type i\n', 'a file is named without its path'],
    ['file a seq\n', 'does not consist of names and values'],
    ['file "a seq 1 type i\n', 'does not consist of names and values'],
    ['', 'it names no file'],
  ])('%j is refused', (text, message) => {
    expect(() => parseRedisManifest(text)).toThrow(message);
  });
});
