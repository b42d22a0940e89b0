// flagstone-export: what it writes, what it names, and what it refuses.

import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseRedisManifest } from '../../src/rdb/redis-manifest.js';
import { runExport } from '../../src/server/export-run.js';
import { emptyEngine, fillEngine, loadFile, writeFile } from '../rdb/files.js';
import type { Engine } from '../support/engine.js';
import { Random } from '../support/seed.js';
import { findProgram } from '../support/server.js';

const checker = findProgram('redis-check-rdb');
const PARTITION_BYTES = 8 * 1024 * 1024;
let directory = '';

beforeEach(() => {
  directory = mkdtempSync(path.join(os.tmpdir(), 'flagstone-export-'));
});

afterEach(() => rmSync(directory, { recursive: true, force: true }));

/** A file with the engine's keys; its path. */
function fileOf(engine: Engine): string {
  const file = path.join(directory, 'source.rdb');
  writeFileSync(file, writeFile(engine).bytes);
  return file;
}

async function run(...args: string[]): Promise<{ code: number; text: string }> {
  const lines: string[] = [];
  const code = await runExport(args, (line) => lines.push(line), PARTITION_BYTES);
  return { code, text: lines.join('\n') };
}

function exported(target: string): Engine {
  const engine = emptyEngine();
  loadFile(engine, readFileSync(path.join(target, 'dump.rdb')));
  return engine;
}

describe('an export', () => {
  it('is a snapshot and an append-only directory that hold the same keys', async () => {
    const engine = emptyEngine();
    engine.run('SET', 'a', '1');
    engine.run('SADD', 'b', 'x', 'y');
    engine.run('PEXPIREAT', 'b', '1900000000000');
    const target = path.join(directory, 'out');
    const { code, text } = await run('--redis', '7.0', fileOf(engine), target);

    expect(text).toContain('2 keys were written');
    expect(code).toBe(0);
    const back = exported(target);
    expect(back.digest()).toBe(engine.digest());
    const logs = path.join(target, 'appendonlydir');
    const manifest = readFileSync(path.join(logs, 'appendonly.aof.manifest'), 'latin1');
    const { base, increments } = parseRedisManifest(manifest);
    const same = readFileSync(path.join(logs, base!));
    expect(same.equals(readFileSync(path.join(target, 'dump.rdb')))).toBe(true);
    expect(readFileSync(path.join(logs, increments[0]!)).length).toBe(0);
    if (checker !== null) {
      execFileSync(checker, [path.join(target, 'dump.rdb')]);
    }
  });

  it('has the libraries of functions, as they were loaded', async () => {
    const code = Buffer.from('#!lua name=l\nredis.register_function("f", function() end)');
    const file = path.join(directory, 'source.rdb');
    writeFileSync(file, writeFile(emptyEngine(), { functions: [code] }).bytes);
    const target = path.join(directory, 'out');

    expect((await run('--redis', '7.2', file, target)).code).toBe(0);
    const engine = emptyEngine();
    const { functions } = loadFile(engine, readFileSync(path.join(target, 'dump.rdb')));
    expect(functions.map((one) => Buffer.from(one).toString())).toEqual([code.toString()]);
  });

  it('takes a data directory with a snapshot in it', async () => {
    const engine = emptyEngine();
    engine.clock.wallMs = Date.now();
    fillEngine(engine, new Random(5), 30, false);
    const source = path.join(directory, 'data');
    mkdirSync(source);
    writeFileSync(path.join(source, 'dump.rdb'), writeFile(engine).bytes);
    const target = path.join(directory, 'out');
    const { code } = await run('--redis', '7.4', source, target);
    expect(code).toBe(0);
    expect(exported(target).digest()).toBe(engine.digest());
  });

  it('names what the version of Redis has no form for, and writes nothing then', async () => {
    const engine = emptyEngine();
    engine.run('HSET', 'h', 'f', 'v', 'g', 'w');
    engine.run('HPEXPIREAT', 'h', '1900000000000', 'FIELDS', '1', 'f');
    engine.run('ARSET', 'arr', '0', 'x');
    const source = fileOf(engine);
    const target = path.join(directory, 'out');

    const refused = await run('--redis', '7.2', source, target);

    expect(refused.code).toBe(1);
    expect(refused.text).toContain('1 keys are hashes with fields that expire');
    expect(refused.text).toContain('database 0: "h"');
    expect(refused.text).toContain('1 keys are arrays');
    expect(existsSync(path.join(target, 'dump.rdb'))).toBe(false);

    const dropped = await run('--redis', '7.2', '--drop', source, target);
    expect(dropped.code).toBe(0);
    const back = exported(target);
    expect(back.run('HPEXPIRETIME', 'h', 'FIELDS', '1', 'f')).toBe('*1\r\n:-1\r\n');
    expect(back.run('HLEN', 'h')).toBe(':2\r\n');
    expect(back.run('EXISTS', 'arr')).toBe(':0\r\n');
    const head = readFileSync(path.join(target, 'dump.rdb')).toString('latin1', 0, 9);
    expect(head).toBe('REDIS0010');
  });

  it('keeps times of fields for Redis 7.4', async () => {
    const engine = emptyEngine();
    engine.run('HSET', 'h', 'f', 'v');
    engine.run('HPEXPIREAT', 'h', '1900000000000', 'FIELDS', '1', 'f');
    const target = path.join(directory, 'out');
    expect((await run('--redis', '7.4', fileOf(engine), target)).code).toBe(0);
    const back = exported(target);
    expect(back.run('HPEXPIRETIME', 'h', 'FIELDS', '1', 'f')).toBe('*1\r\n:1900000000000\r\n');
  });

  it('takes keys of any database', async () => {
    const engine = emptyEngine();
    engine.run('SELECT', '9');
    engine.run('SET', 'deep', 'value');
    const bytes = writeFile(engine, { checksums: false }).bytes;
    // The opcode of SELECT and a length of six bits: database 9 becomes 60.
    const at = bytes.indexOf(Buffer.of(0xfe, 9));
    bytes[at + 1] = 60;
    const file = path.join(directory, 'source.rdb');
    writeFileSync(file, bytes);
    const target = path.join(directory, 'out');

    expect(await run('--redis', '7.0', file, target)).toMatchObject({ code: 0 });
    const written = readFileSync(path.join(target, 'dump.rdb'));
    expect(written.indexOf(Buffer.of(0xfe, 60))).toBeGreaterThan(0);
    expect(written.indexOf('deep')).toBeGreaterThan(0);
  });

  it('tells how it is called', async () => {
    expect(await run('--help')).toMatchObject({ code: 0 });
    expect(await run('--redis', '5.0')).toMatchObject({ code: 1 });
  });

  it('writes over nothing, and says what it wants', async () => {
    const source = fileOf(emptyEngine());
    writeFileSync(path.join(directory, 'dump.rdb'), '');
    const occupied = await run('--redis', '7.2', source, directory);
    expect(occupied).toEqual({
      code: 1,
      text: `flagstone-export: ${directory}/dump.rdb is there already`,
    });
    expect((await run('--redis', '6.0', source, directory)).text).toContain('Usage:');
    expect((await run(source, directory)).text).toContain('Usage:');
    const gone = await run('--redis', '7.2', path.join(directory, 'gone'), 'x');
    expect(gone.text).toContain('gone is not there');
    mkdirSync(path.join(directory, 'empty'));
    const empty = await run(
      '--redis',
      '7.2',
      path.join(directory, 'empty'),
      path.join(directory, 'y'),
    );
    expect(empty.text).toContain('neither a log directory nor a snapshot');
    writeFileSync(source, 'REDIS0010broken');
    const broken = await run('--redis', '7.2', source, path.join(directory, 'z'));
    expect(broken.code).toBe(1);
    expect(broken.text).toContain('RDB file, byte');
  });
});
