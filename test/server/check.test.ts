// flagstone-check on a simulated disk: what it tells, what it fixes, and that a server then starts.

import { describe, expect, it } from 'vitest';
import { Open, writeFile } from '../../src/base/disk.js';
import { formatManifest, MANIFEST_NAME } from '../../src/log/manifest.js';
import { CheckCode } from '../../src/server/check-fields.js';
import { runCheck } from '../../src/server/check-run.js';
import { emptyEngine, writeFile as rdbOf } from '../rdb/files.js';
import { SimulatedDisk } from '../support/disk.js';
import { HISTORY, LogBuilder, wire } from '../support/log-files.js';
import { LOG_DIRECTORY, recoverFrom } from '../support/recovery.js';

interface Checked {
  readonly code: CheckCode;
  readonly text: string;
  readonly questions: readonly string[];
}

function check(disk: SimulatedDisk, args: readonly string[], answer = ''): Checked {
  const lines: string[] = [];
  const questions: string[] = [];
  const code = runCheck(args, {
    disk,
    say: (line) => lines.push(line),
    ask(question) {
      questions.push(question);
      return answer;
    },
  });
  expect(disk.openCount, 'all files are closed').toBe(0);
  return { code, text: lines.join('\n'), questions };
}

interface Written {
  readonly disk: SimulatedDisk;
  /** Where the frames of the first log end. */
  readonly ends: readonly number[];
}

/** Two logs with numbers 1 to 6, the even ones in the first. */
function twoLogs(spoil: (bytes: Uint8Array, ends: readonly number[]) => Uint8Array): Written {
  const disk = new SimulatedDisk();
  const logs = [new LogBuilder(1, 0, 4096), new LogBuilder(1, 1, 4096)] as const;
  const ends: number[] = [];
  for (let number = 1; number <= 6; number++) {
    const log = logs[number % 2]!;
    log.append(number, number % 3, wire('SET', 'k', String(number)) + wire('INCR', 'n'));
    log.endTurn();
    if (log === logs[0]) ends.push(log.bytes.length);
  }
  disk.makeDirectory('data');
  disk.makeDirectory(LOG_DIRECTORY);
  writeFile(disk, `${LOG_DIRECTORY}/${logs[0].name}`, spoil(logs[0].bytes, ends));
  writeFile(disk, `${LOG_DIRECTORY}/${logs[1].name}`, logs[1].bytes);
  const generations = [{ generation: 1, from: 1, to: null, logCount: 2 }];
  const manifest = { history: HISTORY, partitionCount: 4, base: null, generations };
  const text = Buffer.from(formatManifest(manifest), 'latin1');
  writeFile(disk, `${LOG_DIRECTORY}/${MANIFEST_NAME}`, text);
  return { disk, ends };
}

const whole = (bytes: Uint8Array) => bytes;
const flipped = (bytes: Uint8Array, ends: readonly number[]) => {
  bytes[ends[0]! + 20] = 0xff;
  return bytes;
};
const torn = (bytes: Uint8Array) => bytes.subarray(0, bytes.length - 5);

describe('a log directory', () => {
  it('is whole: what is in it is told', () => {
    const { disk, ends } = twoLogs(whole);
    const { code, text } = check(disk, [`${LOG_DIRECTORY}/`]);
    expect(code).toBe(CheckCode.Whole);
    expect(text).toContain(
      `log-1-0.flog: ${ends[2]} bytes, 3 records, 6 commands, numbers 2 to 6; whole`,
    );
    expect(text).toContain('databases: 0: 2, 1: 2, 2: 2');
    expect(text).toContain('commands: SET 6, INCR 6');
    expect(text).toContain('All changes up to number 6 are there.\nOK: the logs are whole.');
  });

  it('is torn at its end, which is no reason not to start', async () => {
    const { disk, ends } = twoLogs(torn);
    const { code, text } = check(disk, [LOG_DIRECTORY]);
    expect(code).toBe(CheckCode.Broken);
    const left = ends[2]! - 5 - ends[1]!;
    expect(text).toContain(
      `TORN: log-1-0.flog, offset ${ends[1]}: ${left} bytes of an unfinished write`,
    );
    expect(text).toContain('A server cuts this off by itself when it starts');
    expect((await recoverFrom(disk)).result.recovered?.number).toBe(5);
  });

  it('is damaged: it is fixed after a yes, and a server starts with what is left', async () => {
    const { disk, ends } = twoLogs(flipped);
    await expect(recoverFrom(disk)).rejects.toThrow(/flagstone-check/);
    const told = check(disk, [LOG_DIRECTORY]);
    expect(told.code).toBe(CheckCode.Broken);
    expect(told.text).toContain(
      `DAMAGED: log-1-0.flog, offset ${ends[0]}: The log is damaged here`,
    );
    expect(told.text).toContain('BROKEN: a server refuses to start');

    const refused = check(disk, ['--fix', LOG_DIRECTORY], 'no');
    expect(refused.code).toBe(CheckCode.Broken);
    expect(refused.questions).toEqual([
      'All changes behind number 3 are given up. Continue? [y/N] ',
    ]);
    await expect(recoverFrom(disk)).rejects.toThrow(/flagstone-check/);

    const fixed = check(disk, ['--fix', LOG_DIRECTORY], 'y');
    expect([fixed.code, fixed.questions.length]).toEqual([CheckCode.Whole, 1]);
    const { engine, result } = await recoverFrom(disk.crashed(null));
    expect(result.recovered?.number).toBe(3);
    expect(result.recovered?.history).not.toBe(HISTORY);
    expect(engine.run('GET', 'k')).toBe('$1\r\n3\r\n');
    expect(check(disk, [LOG_DIRECTORY]).code).toBe(CheckCode.Whole);
  });

  it('lacks one of its logs', async () => {
    const { disk } = twoLogs(whole);
    disk.remove(`${LOG_DIRECTORY}/log-1-1.flog`);
    const { code, text } = check(disk, ['--fix', '--yes', LOG_DIRECTORY]);
    expect(code).toBe(CheckCode.Broken);
    expect(text).toContain('BROKEN: The log log-1-1.flog is missing.');
  });

  it('has a manifest that is damaged', () => {
    const { disk } = twoLogs(whole);
    writeFile(disk, `${LOG_DIRECTORY}/${MANIFEST_NAME}`, Buffer.from('flagstone-log 1\n'));
    const { code, text } = check(disk, [LOG_DIRECTORY]);
    expect(code).toBe(CheckCode.Broken);
    expect(text).toMatch(/^BROKEN: The manifest/);
  });
});

describe('a log file', () => {
  const path = `${LOG_DIRECTORY}/log-1-0.flog`;

  it('is cut at its first break, without a question under --yes', () => {
    const { disk, ends } = twoLogs(flipped);
    expect(check(disk, [path]).code).toBe(CheckCode.Broken);
    const { code, questions, text } = check(disk, [path, '--fix', '--yes']);
    expect([code, questions]).toEqual([CheckCode.Whole, []]);
    expect(text).toContain(`DAMAGED at offset ${ends[0]}`);
    expect(disk.crashed(null).contentOf(path)).toBeNull();
    expect(disk.contentOf(path)?.length).toBe(ends[0]);
    expect(check(disk, [path]).code).toBe(CheckCode.Whole);
  });

  it('does not begin as a log does', () => {
    const { disk } = twoLogs(() => Buffer.from('not a log at all, but longer than a head'));
    const { code, text } = check(disk, [path, '--fix', '--yes']);
    expect(code).toBe(CheckCode.Broken);
    expect(text).toContain('does not begin as a log does');
  });
});

describe('an RDB file', () => {
  const engine = emptyEngine();
  engine.run('SET', 'a', '1');
  engine.run('SET', 'b', '1', 'PX', '100000');
  engine.run('RPUSH', 'l', '1', '2');
  engine.run('SELECT', '3');
  engine.run('ZADD', 'z', '1', 'm');
  const { bytes } = rdbOf(engine);

  function diskWith(content: Uint8Array): SimulatedDisk {
    const disk = new SimulatedDisk();
    writeFile(disk, 'dump.rdb', content);
    return disk;
  }

  it('is whole: its keys are counted', () => {
    const { code, text } = check(diskWith(bytes), ['dump.rdb']);
    expect(code).toBe(CheckCode.Whole);
    expect(text).toMatch(/database 0: 3 keys \((strings 2, lists 1|lists 1, strings 2)\), 1 with/);
    expect(text).toContain('database 3: 1 keys (sorted sets 1), 0 with an expiry');
  });

  it('is cut or damaged, and cannot be fixed', () => {
    const cut = check(diskWith(bytes.subarray(0, bytes.length - 12)), ['dump.rdb', '--fix']);
    expect(cut.code).toBe(CheckCode.Broken);
    expect(cut.text).toContain('An RDB file cannot be fixed');
    const changed = new Uint8Array(bytes);
    changed[changed.length - 1] = changed[changed.length - 1]! ^ 1;
    expect(check(diskWith(changed), ['dump.rdb']).text).toMatch(/BROKEN: .*checksum/);
  });
});

describe('the command line', () => {
  it('is explained when it is wrong', () => {
    const disk = new SimulatedDisk();
    for (const args of [[], ['a', 'b'], ['--fast', 'a']]) {
      const { code, text } = check(disk, args);
      expect(code).toBe(CheckCode.Failed);
      expect(text).toContain('Usage: flagstone-check');
    }
    expect(check(disk, ['--help']).code).toBe(CheckCode.Whole);
  });

  it('names a file that is there', () => {
    const { code, text } = check(new SimulatedDisk(), ['dump.rdb']);
    expect(code).toBe(CheckCode.Failed);
    expect(text).toBe('dump.rdb is not there.');
  });

  it('names a log directory of Flagstone', () => {
    const disk = new SimulatedDisk();
    disk.makeDirectory('appendonlydir');
    disk.close(disk.open('appendonlydir/appendonly.aof.manifest', Open.Create));
    const { code, text } = check(disk, ['appendonlydir']);
    expect(code).toBe(CheckCode.Failed);
    expect(text).toContain('redis-check-aof');
  });
});
