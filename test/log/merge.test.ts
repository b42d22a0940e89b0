// What logs are read back as, whole, torn and damaged: a prefix of what was written, or a refusal.

import { describe, expect, it } from 'vitest';
import { FILE_HEAD_BYTES, formatFileHead } from '../../src/log/file-head.js';
import { Ending, Found, type LogBytes, LogReader } from '../../src/log/log-reader.js';
import type { Manifest } from '../../src/log/manifest.js';
import { LogDamage, type LogFault, LogMerge, type MergeEnd } from '../../src/log/merge.js';
import {
  bytesOf,
  HISTORY,
  LogBuilder,
  openIn,
  type WrittenLogs,
  type WrittenRecord,
  wire,
  writeHistory,
} from '../support/log-files.js';
import { randomTest } from '../support/random-test.js';

interface ReadBack {
  readonly records: readonly { number: number; database: number; body: string }[];
  readonly end: MergeEnd;
  readonly fault: string | null;
}

function readBack(manifest: Manifest, files: ReadonlyMap<string, Uint8Array>): ReadBack {
  const merge = new LogMerge(manifest, openIn(files));
  const records = [];
  for (let found = merge.advance(); found !== Found.End; found = merge.advance()) {
    if (found === Found.NeedsBytes) {
      merge.refill();
      continue;
    }
    const { u8, number, database, bodyAt, bodyBytes } = merge.reader;
    const body = Buffer.from(u8.subarray(bodyAt, bodyAt + bodyBytes)).toString('latin1');
    records.push({ number, database, body });
  }
  const end = merge.finish();
  return { records, end, fault: merge.fault === null ? null : messageOf(merge.fault) };
}

function messageOf(fault: LogFault): string {
  return new LogDamage(fault).message;
}

const plain = ({ number, database, body }: WrittenRecord) => ({
  number,
  database,
  body: body.toString('latin1'),
});

/** Throws unless what was read is the first records that were written. */
function expectPrefix(read: ReadBack, records: readonly WrittenRecord[], length: number): void {
  if (read.records.length !== length) {
    throw new Error(`${read.records.length} records were read, ${length} are expected`);
  }
  for (const [index, record] of read.records.entries()) {
    const written = records[index]!;
    const isSame =
      record.number === written.number &&
      record.database === written.database &&
      record.body === written.body.toString('latin1');
    if (!isSame) expect(record).toEqual(plain(written));
  }
}

/** As expectPrefix for logs without a fault, fast: nothing is copied. */
function expectExactly(
  { manifest, records }: WrittenLogs,
  files: ReadonlyMap<string, Uint8Array>,
  length: number,
): void {
  const merge = new LogMerge(manifest, openIn(files));
  let count = 0;
  for (let found = merge.advance(); found !== Found.End; found = merge.advance()) {
    if (found === Found.NeedsBytes) {
      merge.refill();
      continue;
    }
    const { u8, number, database, bodyAt, bodyBytes } = merge.reader;
    const written = records[count++]!;
    const isSame =
      number === written.number &&
      database === written.database &&
      written.body.compare(u8, bodyAt, bodyAt + bodyBytes) === 0;
    if (!isSame) throw new Error(`record ${number} is not what was written`);
  }
  const { cut } = merge.finish();
  if (merge.fault !== null) throw new Error(messageOf(merge.fault));
  if (count === length && cut === length) return;
  throw new Error(`${count} records were read up to ${cut}, ${length} are expected`);
}

/** The log gives exactly the first `length` of these records, and is torn. */
function expectFrames(records: readonly WrittenRecord[], source: LogBytes, length: number): void {
  const reader = new LogReader('log', source);
  let count = 0;
  for (let found = reader.advance(); found !== Found.End; found = reader.advance()) {
    if (found === Found.NeedsBytes) {
      reader.refill();
      continue;
    }
    const { body, database, number } = records[count++]!;
    const { u8, bodyAt, bodyBytes } = reader;
    if (reader.number === number && reader.database === database) {
      if (body.compare(u8, bodyAt, bodyAt + bodyBytes) === 0) continue;
    }
    throw new Error(`record ${reader.number} is not what was written`);
  }
  const isTorn = reader.endsAt < source.size;
  const isRight = reader.ending === (isTorn ? Ending.Torn : Ending.Whole);
  if (count === length && isRight) return;
  throw new Error(`${count} records and ending ${reader.ending}, ${length} are expected`);
}

/** How many records are there before the first that the cut file has lost. */
function wholeBefore({ records }: WrittenLogs, file: string, cut: number): number {
  const lost = records.findIndex((each) => each.file === file && each.frameEnd > cut);
  return lost === -1 ? records.length : lost;
}

describe('logs that are whole', () => {
  randomTest('are read back in the order of their numbers', 30, (random) => {
    const generations = Array.from({ length: random.between(1, 4) }, () => ({
      logs: random.between(1, 5),
      records: random.below(200),
    }));
    const firstNumber = random.pick([1, 7, 2 ** 31 - 50, 2 ** 32 - 60, 2 ** 40]);
    const valueBytes = random.pick([10, 5000]);
    const logs = writeHistory(random, { generations, firstNumber, valueBytes });
    const read = readBack(logs.manifest, logs.files);
    expectPrefix(read, logs.records, logs.records.length);
    expect(read.fault).toBeNull();
    expect(read.end).toEqual({
      cut: firstNumber + logs.records.length - 1,
      torn: [],
      discardedCount: 0,
    });
  });

  randomTest('are read from behind the base', 20, (random) => {
    const generations = [
      { logs: 2, records: 50 },
      { logs: 3, records: 50 },
    ];
    const logs = writeHistory(random, { generations });
    const number = random.below(100);
    const manifest = { ...logs.manifest, base: { file: 'base-1.rdb', number } };
    const read = readBack(manifest, logs.files);
    expect(read.records.map((record) => record.number)).toEqual(
      logs.records.slice(number).map((record) => record.number),
    );
    expect(read.end.cut).toBe(100);
  });

  it('may hold a record that is larger than what is read at once', () => {
    const log = new LogBuilder(1, 0, 4 * 1024 * 1024);
    const value = 'v'.repeat(1_500_000);
    const bodies = [wire('SET', 'a', 'b'), wire('SET', 'k', value), wire('SET', 'c', 'd')];
    for (const [index, body] of bodies.entries()) {
      log.append(index + 1, 0, body);
      log.endTurn();
    }
    const read = readBack(manifestOf([{ from: 1, to: null }]), new Map([[log.name, log.bytes]]));
    expect(read.records.map(({ body }) => body)).toEqual(bodies);
  });
});

function manifestOf(bounds: readonly { from: number; to: number | null }[]): Manifest {
  const generations = bounds.map((each, index) => ({
    ...each,
    generation: index + 1,
    logCount: 1,
  }));
  return { history: HISTORY, partitionCount: 4, base: null, generations };
}

describe('a log that ends too early', () => {
  randomTest('gives all whole frames before the cut, at every byte of 64 KB', 1, (random) => {
    const generations = [{ logs: 1, records: 200 }];
    const logs = writeHistory(random, { generations, valueBytes: 800 });
    const [file, bytes] = [...logs.files][0]!;
    const first = Math.max(FILE_HEAD_BYTES, bytes.length - 64 * 1024);
    const ends = [...new Set(logs.records.map(({ frameEnd }) => frameEnd))];
    // Frames far before the cut are left out, or each cut would read all of them again.
    for (let cut = first, start = 0; cut < bytes.length; cut++) {
      while (ends[start + 8]! < cut) start++;
      const from = start === 0 ? FILE_HEAD_BYTES : ends[start - 1]!;
      const source = bytesOf(bytes.subarray(from - FILE_HEAD_BYTES, cut));
      const skipped = logs.records.findIndex((each) => each.frameEnd > from);
      expectFrames(logs.records.slice(skipped), source, wholeBefore(logs, file, cut) - skipped);
    }
  });

  randomTest('gives all records before the first lost one, wherever it is cut', 1, (random) => {
    const generations = [{ logs: 2, records: 200 }];
    const logs = writeHistory(random, { generations, valueBytes: 100 });
    for (const [file, bytes] of logs.files) {
      for (let cut = FILE_HEAD_BYTES; cut < bytes.length; cut += random.between(1, 7)) {
        const files = new Map(logs.files).set(file, bytes.subarray(0, cut));
        expectExactly(logs, files, wholeBefore(logs, file, cut));
      }
    }
  });

  randomTest('may end in zeros or in anything else instead', 30, (random) => {
    const logs = writeHistory(random, { generations: [{ logs: 2, records: 100 }] });
    for (const [file, bytes] of logs.files) {
      const cut = random.between(FILE_HEAD_BYTES, bytes.length);
      const tail = random.chance(0.5)
        ? Buffer.alloc(random.below(3000))
        : Buffer.from(random.bytes(random.below(3000)), 'latin1');
      const files = new Map(logs.files).set(file, Buffer.concat([bytes.subarray(0, cut), tail]));
      const read = readBack(logs.manifest, files);
      // The zeros may be those that a record is filled up with: then nothing is missing there.
      let end = cut;
      while (end < bytes.length && tail[end - cut] === bytes[end]) end++;
      expectPrefix(read, logs.records, wholeBefore(logs, file, end));
      expect(read.fault).toBeNull();
    }
  });

  it('says what is torn and how many records are discarded', () => {
    const logs = [new LogBuilder(1, 0, 4096), new LogBuilder(1, 1, 4096)] as const;
    const ends: number[] = [];
    for (let number = 1; number <= 6; number++) {
      const log = logs[number % 2]!;
      log.append(number, 0, wire('SET', 'k', String(number)));
      log.endTurn();
      ends.push(log.bytes.length);
    }
    const files = new Map(logs.map((log) => [log.name, log.bytes]));
    files.set('log-1-1.flog', logs[1].bytes.subarray(0, ends[4]! - 3));
    const manifest = manifestOf([{ from: 1, to: null }]);
    const two = { ...manifest, generations: [{ ...manifest.generations[0]!, logCount: 2 }] };
    const { end, fault } = readBack(two, files);
    const offset = ends[2]!;
    const bytes = ends[4]! - 3 - offset;
    expect(end).toEqual({
      cut: 4,
      torn: [{ file: 'log-1-1.flog', offset, bytes }],
      discardedCount: 1,
    });
    expect(fault).toBeNull();
  });
});

describe('a log of which a byte has changed', () => {
  randomTest('gives a prefix or is refused, whichever byte it is', 2, (random) => {
    const logs = writeHistory(random, {
      generations: [
        { logs: 2, records: 12 },
        { logs: 2, records: 12 },
      ],
    });
    let refused = 0;
    for (const [file, bytes] of logs.files) {
      for (let at = 0; at < bytes.length; at++) {
        const changed = bytes.slice();
        changed[at] = changed[at]! ^ random.between(1, 255);
        try {
          const read = readBack(logs.manifest, new Map(logs.files).set(file, changed));
          if (read.fault === null) expectPrefix(read, logs.records, read.records.length);
          else refused++;
        } catch (error) {
          if (!(error instanceof LogDamage)) throw error;
          refused++;
        }
      }
    }
    expect(refused).toBeGreaterThan(100);
  });

  it('is refused in the middle, with the place and where whole records go on', () => {
    const log = new LogBuilder(1, 0, 4096);
    const ends: number[] = [];
    for (let number = 1; number <= 5; number++) {
      log.append(number, 0, wire('SET', 'k', String(number)));
      log.endTurn();
      ends.push(log.bytes.length);
    }
    const changed = log.bytes;
    changed[ends[1]! + 30] = changed[ends[1]! + 30]! ^ 1;
    const read = readBack(manifestOf([{ from: 1, to: null }]), new Map([[log.name, changed]]));
    expect(read.fault).toBe(
      `log-1-0.flog, offset ${ends[1]}: The log is damaged here; whole records follow from ` +
        `offset ${ends[2]} on.`,
    );
  });

  it('is refused when its length points behind the end of the file', () => {
    const log = new LogBuilder(1, 0, 4096);
    for (let number = 1; number <= 3; number++) {
      log.append(number, 0, wire('SET', 'k', String(number)));
      log.endTurn();
    }
    const changed = log.bytes;
    changed[FILE_HEAD_BYTES + 2] = 1;
    const { fault, records } = readBack(
      manifestOf([{ from: 1, to: null }]),
      new Map([[log.name, changed]]),
    );
    expect(records).toEqual([]);
    expect(fault).toMatch(/whole records follow/);
  });
});

describe('a hole that a loss of power has left', () => {
  function holed(zeroFrom: number, zeroTo: number) {
    const log = new LogBuilder(1, 0, 64 * 1024);
    const ends: number[] = [];
    for (let number = 1; number <= 40; number++) {
      log.append(number, 0, wire('SET', 'k', 'v'.repeat(300)));
      log.endTurn();
      ends.push(log.bytes.length);
    }
    const bytes = log.bytes;
    bytes.fill(0, zeroFrom === -1 ? ends[9]! : zeroFrom, zeroTo === -1 ? ends[12]! : zeroTo);
    return readBack(manifestOf([{ from: 1, to: null }]), new Map([[log.name, bytes]]));
  }

  it('ends the log, although frames follow', () => {
    const read = holed(-1, -1);
    expect(read.records).toHaveLength(10);
    expect(read.fault).toBeNull();
  });

  it('ends the log when it is one block of the disk in the middle of frames', () => {
    const read = holed(4096, 8192);
    expect(read.fault).toBeNull();
    expect(read.end.torn).toHaveLength(1);
  });

  it('is not a few bytes that are zero', () => {
    expect(holed(5000, 5100).fault).toMatch(/damaged/);
  });
});

describe('a log that is not what the manifest means', () => {
  const log = new LogBuilder(1, 0, 4096);
  log.append(1, 0, wire('SET', 'k', 'v'));
  log.endTurn();
  const manifest = manifestOf([{ from: 1, to: null }]);

  it('is missing', () => {
    expect(() => readBack(manifest, new Map())).toThrow(/log-1-0\.flog is missing/);
  });

  it('is another one', () => {
    const other = new Map([
      [log.name, formatFileHead({ generation: 1, thread: 3, history: HISTORY })],
    ]);
    expect(() => readBack(manifest, other)).toThrow(/says that it is log-1-3\.flog/);
  });

  it('lacks records that its closed generation had', () => {
    const closed = manifestOf([
      { from: 1, to: 5 },
      { from: 6, to: null },
    ]);
    const second = new LogBuilder(2, 0, 4096);
    second.append(6, 0, wire('SET', 'k', 'v'));
    second.endTurn();
    const files = new Map([log, second].map((each) => [each.name, each.bytes]));
    expect(readBack(closed, files).fault).toMatch(
      'Record 2 is in none of the logs of generation 1, which was closed with all records up to 5.',
    );
  });

  it('has a record twice', () => {
    const second = new LogBuilder(2, 0, 4096);
    second.append(1, 0, wire('SET', 'k', 'v'));
    second.endTurn();
    const files = new Map([log, second].map((each) => [each.name, each.bytes]));
    const two = manifestOf([
      { from: 1, to: 1 },
      { from: 1, to: null },
    ]);
    expect(() => readBack(two, files)).toThrow(/number 1 is there twice/);
  });

  it('ends where its generation was closed, whatever stands behind', () => {
    const more = new LogBuilder(1, 0, 4096);
    for (let number = 1; number <= 4; number++) more.append(number, 0, wire('SET', 'k', '1'));
    more.endTurn();
    const second = new LogBuilder(2, 0, 4096);
    second.append(3, 0, wire('SET', 'k', 'new'));
    second.endTurn();
    const files = new Map([more, second].map((each) => [each.name, each.bytes]));
    const bounds = [
      { from: 1, to: 2 },
      { from: 3, to: null },
    ];
    const read = readBack(manifestOf(bounds), files);
    expect(read.records.map(({ number, body }) => [number, body])).toEqual([
      [1, wire('SET', 'k', '1')],
      [2, wire('SET', 'k', '1')],
      [3, wire('SET', 'k', 'new')],
    ]);
    expect(read.end).toEqual({ cut: 3, torn: [], discardedCount: 0 });
  });
});

describe('a reader', () => {
  it.each([Buffer.from('abc'), Buffer.alloc(4096)])(
    'says where the frames of a single log end',
    (tail) => {
      const log = new LogBuilder(1, 0, 4096);
      log.append(5, 2, wire('SET', 'k', 'v'));
      log.endTurn();
      const whole = log.bytes.length;
      const reader = new LogReader(log.name, bytesOf(Buffer.concat([log.bytes, tail])));
      for (let found = reader.advance(); found !== Found.End; found = reader.advance()) {
        if (found === Found.NeedsBytes) reader.refill();
        else expect([reader.number, reader.database]).toEqual([5, 2]);
      }
      expect([reader.ending, reader.endsAt]).toEqual([Ending.Torn, whole]);
    },
  );
});
