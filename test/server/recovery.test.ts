// What a start makes of a log directory, on a disk that crashes at every step: what was kept stays,
// what was cut off never comes back, and a transaction is there wholly or not at all.

import { describe, expect, it } from 'vitest';
import { writeFile } from '../../src/base/disk.js';
import type { AppendLog } from '../../src/log/append-log.js';
import { Policy } from '../../src/log/logs.js';
import { formatManifest, MANIFEST_NAME, parseManifest } from '../../src/log/manifest.js';
import { LoadingStopped } from '../../src/server/loading.js';
import { RecoveryError } from '../../src/server/recovery.js';
import { SimulatedDisk } from '../support/disk.js';
import {
  LogBuilder,
  randomBody,
  type WrittenLogs,
  wire,
  writeHistory,
} from '../support/log-files.js';
import {
  beginLogs,
  type Change,
  digestAfter,
  LOG_DIRECTORY,
  putLogs,
  recoverFrom,
} from '../support/recovery.js';
import { partSeed, Random, seedOf } from '../support/seed.js';

/** Some hundred starts: on a busy machine they take their time. */
const LONG_MS = 240_000;
const seed = seedOf('SEED');
const repeat = `repeat with: SEED=${seed} npx vitest run test/server/recovery.test.ts`;

function manifestOn(disk: SimulatedDisk) {
  const bytes = disk.contentOf(`${LOG_DIRECTORY}/${MANIFEST_NAME}`)!;
  return parseManifest(Buffer.from(bytes).toString('latin1'));
}

describe('a start with logs', () => {
  it('has all that they hold, in every database, with any number of partitions', async () => {
    const random = new Random(seed);
    const generations = [
      { logs: 3, records: 200 },
      { logs: 1, records: 0 },
      { logs: 2, records: 300 },
    ];
    const logs = writeHistory(random, { generations });
    for (const partitions of [1, 4, 16]) {
      const { engine, result, lines } = await recoverFrom(putLogs(logs), { partitions });
      expect(engine.digest(), repeat).toBe(digestAfter(logs.records));
      expect(result.recovered?.number).toBe(500);
      expect(result.recovered?.history).toBe(logs.manifest.history);
      expect(lines.join('\n')).toMatch(/DB loaded from append only file: .* seconds/);
      expect(lines.join('\n')).not.toMatch(/warning/);
    }
  });

  it('does not expire by the clock, and lets what is over expire afterwards', async () => {
    const log = new LogBuilder(1, 0, 4096);
    log.append(1, 0, wire('SET', 'k', 'v', 'PXAT', '1000'));
    // It was there when this was recorded.
    log.append(2, 0, wire('APPEND', 'k', 'w'));
    log.append(3, 0, wire('RENAME', 'k', 'other') + wire('PERSIST', 'other'));
    log.append(4, 0, wire('SET', 'over', 'v', 'PXAT', '1000'));
    log.endTurn();
    const { engine } = await recoverFrom(putLogs(single(log)));
    expect(engine.run('GET', 'other')).toBe('$2\r\nvw\r\n');
    expect(engine.run('GET', 'over')).toBe('$-1\r\n');
  });

  it('runs the commands of a record in the databases that it selects', async () => {
    const log = new LogBuilder(1, 0, 4096);
    log.append(1, 2, wire('SET', 'a', '1') + wire('SELECT', '5') + wire('SET', 'a', '2'));
    log.append(2, 2, wire('SET', 'a', '3'));
    log.append(3, 0, wire('SET', 'a', '4'));
    log.append(4, 1, wire('SET', 'a', '4'));
    log.endTurn();
    const { engine } = await recoverFrom(putLogs(single(log)));
    const values = [0, 1, 2, 5].map((database) => {
      engine.run('SELECT', String(database));
      return engine.run('GET', 'a');
    });
    expect(values).toEqual(['4', '4', '3', '2'].map((value) => `$1\r\n${value}\r\n`));
  });

  it('stops when the server is to end', async () => {
    const logs = writeHistory(new Random(1));
    const stopped = recoverFrom(putLogs(logs), { isStopping: () => true });
    await expect(stopped).rejects.toThrow(LoadingStopped);
  });
});

function single(log: LogBuilder): WrittenLogs {
  const generations = [{ generation: 1, from: 1, to: null, logCount: 1 }];
  const manifest = { history: 'a'.repeat(40), partitionCount: 4, base: null, generations };
  return { manifest, files: new Map([[log.name, log.bytes]]), records: [] };
}

/** Two logs, one of which has lost its end, so that records of the other are behind the cut. */
function tornHistory(random: Random): { logs: WrittenLogs; cut: number } {
  const logs = writeHistory(random, { generations: [{ logs: 2, records: 60 }] });
  const [name, bytes] = random.pick([...logs.files]);
  const at = random.between(40, bytes.length - 1);
  logs.files.set(name, bytes.slice(0, at));
  const cut = logs.records.findIndex((each) => each.file === name && each.frameEnd > at);
  return { logs, cut };
}

describe('a torn end', () => {
  it('is cut off, reported, and closed with another history', async () => {
    const { logs, cut } = tornHistory(new Random(seed));
    const disk = putLogs(logs);
    const { engine, result, lines } = await recoverFrom(disk);
    expect(engine.digest(), repeat).toBe(digestAfter(logs.records.slice(0, cut)));
    expect(result.recovered?.number).toBe(cut);
    expect(result.recovered?.history).not.toBe(logs.manifest.history);
    expect(lines.filter((line) => line.startsWith('warning')).length).toBeGreaterThan(1);
    beginLogs(disk, result);
    const { generations, history } = manifestOn(disk);
    expect(history).toBe(result.recovered?.history);
    expect(generations.at(-1)).toEqual({ generation: 2, from: cut + 1, to: null, logCount: 2 });
    for (const each of generations.slice(0, -1)) expect(each.to).toBe(cut);
  });

  it('is refused under aof-load-truncated no, and nothing is changed', async () => {
    const { logs } = tornHistory(new Random(seed));
    const disk = putLogs(logs);
    const before = manifestOn(disk);
    const config = { 'aof-load-truncated': 'no' };
    const refused = recoverFrom(disk, { config });
    await expect(refused, repeat).rejects.toThrow(
      /aof-load-truncated is no.*flagstone-check --fix/,
    );
    expect(manifestOn(disk)).toEqual(before);
  });

  it(
    'never comes back, at whatever step of the start the next crash is',
    async () => {
      let crashes = 0;
      for (let step = 1; ; step++) {
        const random = new Random(partSeed(seed, step));
        const { logs, cut } = tornHistory(random);
        const disk = putLogs(logs);
        const hasCrashed = await crashAt(disk, step);
        const survivors = [
          disk.killed(),
          step % 2 === 0 ? disk.crashed(null) : disk.crashed(random),
        ];
        for (const survivor of survivors) {
          await expectToGoOn(survivor, logs.records.slice(0, cut), random);
        }
        if (!hasCrashed) break;
        crashes++;
      }
      // Syncs of two logs, two new files with their heads, the manifest, its name, the directory.
      expect(crashes, repeat).toBeGreaterThan(10);
    },
    LONG_MS,
  );
});

describe('what a process left unsynced when it died', () => {
  it('is on the disk before the manifest says that it counts', async () => {
    const random = new Random(seed);
    const disk = putLogs(writeHistory(random, { generations: [{ logs: 2, records: 0 }] }));
    const first = await recoverFrom(disk);
    const { appends } = beginLogs(disk, first.result);
    const changes = Array.from({ length: 20 }, () => appendTo(random.pick(appends), random));
    for (const append of appends) append.endTurn();
    // The machine goes on, so nothing is lost, but nothing was synced either.
    const second = await recoverFrom(disk);
    expect(second.result.recovered?.number).toBe(20);
    beginLogs(disk, second.result);
    const third = await recoverFrom(disk.crashed(null));
    expect(third.engine.digest(), repeat).toBe(digestAfter(changes));
  });
});

class Crash extends Error {}

/** Starts until the disk is changed for the `step`-th time. False when it never was. */
async function crashAt(disk: SimulatedDisk, step: number): Promise<boolean> {
  let left = step;
  disk.beforeChange = () => {
    if (--left === 0) throw new Crash();
  };
  try {
    const { result } = await recoverFrom(disk);
    beginLogs(disk, result);
    return false;
  } catch (error) {
    if (!(error instanceof Crash)) throw error;
    return true;
  }
}

/** It starts with `kept` and nothing else, and what is written then is there after another kill. */
async function expectToGoOn(
  disk: SimulatedDisk,
  kept: readonly Change[],
  random: Random,
): Promise<void> {
  const first = await recoverFrom(disk);
  expect(first.engine.digest(), repeat).toBe(digestAfter(kept));
  const { appends } = beginLogs(disk, first.result);
  const changes = [...kept];
  for (let count = random.below(20); count > 0; count--) {
    changes.push(appendTo(random.pick(appends), random));
  }
  for (const append of appends) expect(append.endTurn()).toBe(true);
  const second = await recoverFrom(disk.killed());
  expect(second.engine.digest(), repeat).toBe(digestAfter(changes));
  expect(second.result.recovered?.number).toBe(changes.length);
}

function appendTo(append: AppendLog, random: Random): Change {
  const change = {
    database: random.below(3),
    body: Buffer.from(randomBody(random, 12), 'latin1'),
  };
  append.append(change.database, change.body, 0, change.body.length);
  return change;
}

describe('many crashes in a row', () => {
  it(
    'lose nothing that was acknowledged, and keep a prefix of the rest',
    async () => {
      for (let run = 0; run < 4; run++) await crashOften(new Random(partSeed(seed, run)));
    },
    LONG_MS,
  );
});

async function crashOften(random: Random): Promise<void> {
  let disk = putLogs(writeHistory(random, { generations: [{ logs: 2, records: 0 }] }));
  let changes: Change[] = [];
  let acknowledged = 0;
  for (let crash = 0; crash < 8; crash++) {
    const { engine, result } = await recoverFrom(disk);
    const kept = result.recovered!.number;
    expect(kept, repeat).toBeGreaterThanOrEqual(acknowledged);
    changes = changes.slice(0, kept);
    expect(changes.length, repeat).toBe(kept);
    expect(engine.digest(), repeat).toBe(digestAfter(changes));
    const isPowerLost = random.chance(0.5);
    const { appends } = beginLogs(disk, result);
    appends[0]!.setPolicy(isPowerLost ? Policy.Always : Policy.EverySecond);
    appends[1]!.setPolicy(isPowerLost ? Policy.Always : Policy.EverySecond);
    acknowledged = kept;
    for (let turn = random.below(15); turn > 0; turn--) {
      for (let count = random.below(4); count > 0; count--) {
        changes.push(appendTo(random.pick(appends), random));
      }
      if (random.chance(0.7)) {
        const append = random.pick(appends);
        const hasRecords = append.hasRecords;
        expect(append.endTurn()).toBe(true);
        // It helps others with what has a smaller number than its own last.
        if (hasRecords) acknowledged = Math.max(acknowledged, numberOf(append));
      }
    }
    disk = isPowerLost ? disk.crashed(random) : disk.killed();
  }
}

/** The last number whose record this log's turns have made safe. */
function numberOf(append: AppendLog): number {
  return append.lastOwnLow >>> 0;
}

describe('damage', () => {
  it('is refused with the file, the place and what to do', async () => {
    const log = new LogBuilder(1, 0, 4096);
    const ends: number[] = [];
    for (let number = 1; number <= 3; number++) {
      log.append(number, 0, wire('SET', 'k', String(number)));
      log.endTurn();
      ends.push(log.bytes.length);
    }
    const written = single(log);
    const bytes = log.bytes;
    bytes[ends[0]! + 20] = 0xff;
    written.files.set(log.name, bytes);
    const refused = recoverFrom(putLogs(written));
    await expect(refused).rejects.toThrow(RecoveryError);
    await expect(refused).rejects.toThrow(
      `${LOG_DIRECTORY}/log-1-0.flog, offset ${ends[0]}: The log is damaged here; whole records ` +
        `follow from offset ${ends[1]} on.`,
    );
    await expect(refused).rejects.toThrow(/flagstone-check .* --fix/);
  });

  it('is a manifest that does not agree with its checksum', async () => {
    const disk = putLogs(writeHistory(new Random(1)));
    const text = formatManifest(manifestOn(disk)).replace('partitions 4', 'partitions 5');
    writeFile(disk, `${LOG_DIRECTORY}/${MANIFEST_NAME}`, Buffer.from(text, 'latin1'));
    await expect(recoverFrom(disk)).rejects.toThrow(/flagstone\.manifest: .*checksum/);
  });

  it('is a command that cannot be run again', async () => {
    const log = new LogBuilder(1, 0, 4096);
    log.append(1, 0, wire('SET', 'k', 'v'));
    log.append(2, 0, wire('LPUSH', 'k', 'v'));
    log.endTurn();
    await expect(recoverFrom(putLogs(single(log)))).rejects.toThrow(
      /Record 2.*'LPUSH' cannot be run again: it was answered with "WRONGTYPE/,
    );
  });

  it('is a database that this server does not have', async () => {
    const log = new LogBuilder(1, 0, 4096);
    log.append(1, 16, wire('SET', 'k', 'v'));
    log.endTurn();
    await expect(recoverFrom(putLogs(single(log)))).rejects.toThrow(/start it with more of them/);
  });

  it('is a base that is missing', async () => {
    const logs = writeHistory(new Random(1));
    const manifest = { ...logs.manifest, base: { file: 'base-1.rdb', number: 3 } };
    await expect(recoverFrom(putLogs({ ...logs, manifest }))).rejects.toThrow(/base-1\.rdb/);
  });
});

describe('a start without logs of its own', () => {
  it('begins an empty one, and says that a snapshot is not loaded', async () => {
    const disk = new SimulatedDisk();
    writeFile(disk, 'data/dump.rdb', new Uint8Array(5));
    const { result, lines } = await recoverFrom(disk);
    expect(result.recovered).toMatchObject({ number: 0, base: null, generations: [] });
    expect(lines.join('\n')).toMatch(/dump\.rdb is not loaded/);
  });

  it('refuses to begin one where a manifest is missing, and changes nothing', async () => {
    const random = new Random(seed);
    const logs = writeHistory(random, { generations: [{ logs: 2, records: 30 }] });
    for (const hasRedisLog of [false, true]) {
      const disk = putLogs(logs);
      disk.remove(`${LOG_DIRECTORY}/${MANIFEST_NAME}`);
      if (hasRedisLog) writeFile(disk, 'data/appendonly.aof', Buffer.from(wire('SET', 'k', 'old')));
      const refused = recoverFrom(disk);
      await expect(refused, repeat).rejects.toThrow(RecoveryError);
      await expect(refused).rejects.toThrow(
        /log-1-0\.flog, log-1-1\.flog.*flagstone\.manifest is not there.*move these files/,
      );
      for (const [name, bytes] of logs.files) {
        const content = disk.contentOf(`${LOG_DIRECTORY}/${name}`);
        expect(Buffer.compare(content!, bytes)).toBe(0);
      }
    }
  });

  it('refuses where only a base is left, unless it is of a take-over that broke off', async () => {
    const disk = new SimulatedDisk();
    disk.makeDirectory('data');
    disk.makeDirectory(LOG_DIRECTORY);
    writeFile(disk, `${LOG_DIRECTORY}/base-7.rdb`, new Uint8Array(5));
    await expect(recoverFrom(disk)).rejects.toThrow(/base-7\.rdb/);
    writeFile(disk, 'data/appendonly.aof', Buffer.from(wire('SET', 'k', 'v')));
    const { engine } = await recoverFrom(disk);
    expect(engine.run('GET', 'k')).toBe('$1\r\nv\r\n');
  });

  it('begins behind files of a first start that broke off, and never inside them', async () => {
    const logs = writeHistory(new Random(seed), { generations: [{ logs: 1, records: 0 }] });
    const disk = putLogs(logs);
    disk.remove(`${LOG_DIRECTORY}/${MANIFEST_NAME}`);
    const { result } = await recoverFrom(disk);
    beginLogs(disk, result);
    expect(manifestOn(disk).generations).toEqual([
      { generation: 2, from: 1, to: null, logCount: 2 },
    ]);
    expect(disk.list(LOG_DIRECTORY)).toEqual([MANIFEST_NAME, 'log-2-0.flog', 'log-2-1.flog']);
  });

  it('leaves the logs alone when appendonly is no', async () => {
    const disk = putLogs(writeHistory(new Random(1)));
    const { engine, result, lines } = await recoverFrom(disk, { config: { appendonly: 'no' } });
    expect(result.recovered).toBeNull();
    expect(engine.run('DBSIZE')).toBe(':0\r\n');
    expect(lines.join('\n')).toMatch(/logs in .* are not loaded/);
  });
});
