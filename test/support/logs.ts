// A set of append logs in one process, without threads: their directory on a simulated disk, and
// what a restart would find in it.

import { readFile } from '../../src/base/disk.js';
import { AppendLog } from '../../src/log/append-log.js';
import { FILE_HEAD_BYTES, parseFileHead } from '../../src/log/file-head.js';
import { LogKeeper, type Recovered } from '../../src/log/keeper.js';
import { createLogs, Policy } from '../../src/log/logs.js';
import { logFileName, MANIFEST_NAME, parseManifest } from '../../src/log/manifest.js';
import { readFrame } from '../../src/log/record.js';
import { LogSync } from '../../src/log/sync.js';
import { SimulatedDisk } from './disk.js';

export const LOG_DIRECTORY = 'logs';
const HISTORY = '00112233445566778899aabbccddeeff00112233';

export const FRESH: Recovered = {
  history: HISTORY,
  number: 0,
  base: null,
  baseBytes: 0,
  generations: [],
  logBytes: 0,
};

export class LogWorld {
  readonly disk: SimulatedDisk;
  readonly logs: readonly AppendLog[];
  readonly keeper: LogKeeper;
  readonly sync: LogSync;
  readonly lines: string[] = [];
  /** Bodies by number, of every record that was appended. */
  readonly bodies = new Map<number, string>();

  constructor(
    logCount: number,
    {
      policy = Policy.EverySecond,
      bufferBytes = 4096,
      disk = new SimulatedDisk(),
      recovered = FRESH,
      pastBytesMax = 0,
    } = {},
  ) {
    this.disk = disk;
    const shape = createLogs(logCount, bufferBytes);
    this.logs = Array.from({ length: logCount }, (_, index) => new AppendLog(shape, index, disk));
    this.keeper = new LogKeeper({
      shape,
      disk,
      directory: LOG_DIRECTORY,
      partitionCount: 8,
      drawHistory: () => HISTORY.replace('0', 'f'),
      pastBytesMax: () => pastBytesMax,
      log: (_level, line) => this.lines.push(line),
    });
    this.sync = new LogSync(shape, disk);
    this.keeper.begin(recovered);
    for (const log of this.logs) {
      log.turnOn(true);
      log.setPolicy(policy);
    }
  }

  /** Appends a record; returns its number. */
  append(log: number, body: string, database = 0): number {
    const u8 = Buffer.from(body, 'latin1');
    const before = this.keeper.logs.currentNumber();
    this.logs[log]!.append(database, u8, 0, u8.length);
    const number = this.keeper.logs.currentNumber();
    if (number !== before) this.bodies.set(number, body);
    return number;
  }
}

export interface Found {
  /** Bodies by number, from the first one behind the base to the first gap. */
  readonly bodies: ReadonlyMap<number, string>;
  /** The last number of the prefix; the base's if there is none. */
  readonly last: number;
  /** Records behind the gap. */
  readonly beyond: number;
}

/** What a restart finds on the disk: the records of all logs by number, up to the first gap. */
export function recover(disk: SimulatedDisk, directory = LOG_DIRECTORY): Found {
  const text = Buffer.from(readFile(disk, `${directory}/${MANIFEST_NAME}`)).toString('latin1');
  const manifest = parseManifest(text);
  const all = new Map<number, string>();
  for (const { generation, from, to, logCount } of manifest.generations) {
    for (let thread = 0; thread < logCount; thread++) {
      const u8 = readFile(disk, `${directory}/${logFileName(generation, thread)}`);
      const head = parseFileHead(u8);
      if (head === null || head.generation !== generation || head.thread !== thread) {
        throw new Error(`${logFileName(generation, thread)} has no head`);
      }
      for (const { number, body } of recordsOf(u8)) {
        if (number < from) throw new Error(`${number} is before generation ${generation}`);
        if (to !== null && number > to) continue;
        if (all.has(number)) throw new Error(`${number} is there twice`);
        all.set(number, body);
      }
    }
  }
  const first = manifest.base === null ? manifest.generations[0]!.from : manifest.base.number + 1;
  const bodies = new Map<number, string>();
  let last = first - 1;
  while (all.has(last + 1)) {
    last++;
    bodies.set(last, all.get(last)!);
  }
  let beyond = 0;
  for (const number of all.keys()) if (number > last) beyond++;
  return { bodies, last, beyond };
}

/** The records of the whole frames at the start of a log. */
export function recordsOf(u8: Uint8Array): { number: number; body: string }[] {
  const records: { number: number; body: string }[] = [];
  for (let at = FILE_HEAD_BYTES; ; ) {
    const frame = readFrame(u8, at, u8.length);
    if (frame === null) return records;
    for (const { low, high, body } of frame.records) {
      const number = high * 2 ** 32 + (low >>> 0);
      records.push({ number, body: Buffer.from(body).toString('latin1') });
    }
    at = frame.end;
  }
}
