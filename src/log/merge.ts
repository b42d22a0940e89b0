// The records of all logs of a directory, in the order of their numbers: the order in which they
// happened. Each log's own numbers ascend, so the next record is the current one of some log. The
// merge ends at the first number that no log has, because whatever comes behind it may rest on what
// is missing; what has come out until then is a prefix of what happened.
//
// What the end means depends on where it is (see `fault`): behind the bounds of all closed
// generations it is where the last run stopped; before one of them, or where a log goes on behind
// bytes that are no frame, the files are damaged and nothing may be dropped unasked.

import { assert } from '../base/assert.js';
import { FILE_HEAD_BYTES, parseFileHead } from './file-head.js';
import { Ending, Found, type LogBytes, LogReader } from './log-reader.js';
import { type Generation, logFileName, type Manifest } from './manifest.js';

/** Opens a log by its name in the directory; null when there is no such file. */
export type OpenLog = (name: string) => LogBytes | null;

export interface LogFault {
  readonly file: string;
  /** Where in the file; −1 when it is not about a place. */
  readonly offset: number;
  /** A sentence. */
  readonly text: string;
}

/** Why a log directory cannot be read. */
export class LogDamage extends Error {
  readonly fault: LogFault;

  constructor(fault: LogFault) {
    super(
      fault.offset === -1 ? fault.text : `${fault.file}, offset ${fault.offset}: ${fault.text}`,
    );
    this.fault = fault;
  }
}

/** The end of a log that a stop has torn. */
export interface TornTail {
  readonly file: string;
  readonly offset: number;
  readonly bytes: number;
}

export interface MergeEnd {
  /** The last number that counts. */
  readonly cut: number;
  readonly torn: readonly TornTail[];
  /** Whole records behind the cut. */
  readonly discardedCount: number;
}

interface OpenedLog {
  readonly reader: LogReader;
  readonly generation: Generation;
}

export class LogMerge {
  /** Bytes of all logs that are read. */
  readonly totalBytes: number;
  /** The log whose current record is next. */
  reader: LogReader;
  private readonly logs: readonly OpenedLog[];
  /** Those that have a record left that may count. */
  private readonly live: OpenedLog[] = [];
  /** The number that comes next, in a double of its own: numbers exceed 2^31. */
  private readonly next = new Float64Array(1);
  private current: OpenedLog | null = null;
  /** A log that has to be refilled before the merge can go on. */
  private hungry: OpenedLog | null = null;
  private readonly manifest: Manifest;
  private isPrimed = false;

  /** Throws a LogDamage when a log is missing, or not the one that the manifest means. */
  constructor(manifest: Manifest, open: OpenLog) {
    this.manifest = manifest;
    const base = manifest.base?.number ?? null;
    this.next[0] = base === null ? manifest.generations[0]!.from : base + 1;
    this.logs = manifest.generations
      .filter(({ to }) => to === null || base === null || to > base)
      .flatMap((generation) => openGeneration(generation, open));
    this.totalBytes = this.logs.reduce((sum, { reader }) => sum + reader.bytes, 0);
    this.live.push(...this.logs);
    this.reader = this.logs[0]?.reader ?? new LogReader('', NO_LOG);
  }

  /** The number of the record that comes next. */
  get nextNumber(): number {
    return this.next[0]!;
  }

  /** File bytes read so far. */
  get readBytes(): number {
    return this.logs.reduce((sum, { reader }) => sum + reader.position, 0);
  }

  /** Moves to the next record, which `reader` then stands on. */
  advance(): Found {
    if (!this.isPrimed) return this.prime();
    const { current } = this;
    if (current !== null) {
      const found = this.step(current);
      if (found === Found.NeedsBytes) return found;
    }
    return this.choose();
  }

  /** After NeedsBytes: what was given out before is overwritten. */
  refill(): void {
    assert(this.hungry !== null, 'a log wants bytes');
    this.hungry.reader.refill();
  }

  /** Brings each log to its first record that counts. */
  private prime(): Found {
    const { live } = this;
    for (let index = 0; index < live.length; ) {
      const log = live[index]!;
      // Numbers up to the base's are in the base.
      if (log.reader.number >= this.next[0]!) {
        index++;
        continue;
      }
      const found = this.step(log);
      if (found === Found.NeedsBytes) return found;
      if (found === Found.Record) continue;
    }
    this.isPrimed = true;
    return this.choose();
  }

  /** Moves one log on; at its end it leaves the live ones. */
  private step(log: OpenedLog): Found {
    const { reader, generation } = log;
    const found = reader.advance();
    if (found === Found.NeedsBytes) {
      this.hungry = log;
      return found;
    }
    const isOver = found === Found.End;
    if (!isOver && (generation.to === null || reader.number <= generation.to)) return found;
    this.live.splice(this.live.indexOf(log), 1);
    if (this.current === log) this.current = null;
    // What stands behind the bound of a closed generation was discarded when it was closed.
    if (!isOver) reader.retire();
    return Found.End;
  }

  /** Finds the log that has the next number. */
  private choose(): Found {
    const { live, next, current } = this;
    const wanted = next[0]!;
    let found = current;
    // As a rule a thread writes several records in a row.
    if (found === null || found.reader.number !== wanted) {
      found = null;
      for (let index = 0; index < live.length; index++) {
        const log = live[index]!;
        if (log.reader.number === wanted) {
          found = log;
          break;
        }
      }
      if (found === null) return this.stop(wanted);
      this.current = found;
      this.reader = found.reader;
    }
    next[0] = wanted + 1;
    return Found.Record;
  }

  /** Nobody has the number: the end, unless somebody has a smaller one. */
  private stop(wanted: number): Found {
    for (const { reader } of this.live) {
      if (reader.number >= wanted) continue;
      const text = `The record with number ${reader.number} is there twice.`;
      throw new LogDamage({ file: reader.name, offset: reader.position, text });
    }
    this.current = null;
    return Found.End;
  }

  /** After the end: what of the logs keeps them from being used as they are; null if nothing. */
  get fault(): LogFault | null {
    const next = this.next[0]!;
    for (const { reader, generation } of this.logs) {
      const isNeeded = generation.to === null || generation.to >= next;
      if (reader.ending !== Ending.Broken || !isNeeded) continue;
      const where =
        reader.resumesAt > 0 ? `; whole records follow from offset ${reader.resumesAt} on` : '';
      const text = `The log is damaged here${where}.`;
      return { file: reader.name, offset: reader.endsAt, text };
    }
    const short = this.manifest.generations.find(({ to }) => to !== null && to >= next);
    if (short === undefined || this.logs.length === 0) return null;
    const tail = this.tornTails(short.generation)[0];
    return {
      file: tail?.file ?? logFileName(short.generation, 0),
      offset: tail?.offset ?? -1,
      text:
        `Record ${next} is in none of the logs of generation ${short.generation}, which was ` +
        `closed with all records up to ${short.to}.`,
    };
  }

  /** After the end: reads the rest of what is open, to say what is behind the cut. */
  finish(): MergeEnd {
    let discardedCount = 0;
    for (const log of [...this.live]) {
      for (let found: Found = Found.Record; found !== Found.End; found = this.step(log)) {
        if (found === Found.NeedsBytes) this.refill();
        else discardedCount++;
      }
    }
    return { cut: this.next[0]! - 1, torn: this.tornTails(null), discardedCount };
  }

  /** Of one generation, or of all open ones. */
  private tornTails(generation: number | null): TornTail[] {
    return this.logs
      .filter((log) =>
        generation === null ? log.generation.to === null : log.generation.generation === generation,
      )
      .filter(({ reader }) => reader.ending === Ending.Torn)
      .map(({ reader }) => ({
        file: reader.name,
        offset: reader.endsAt,
        bytes: reader.bytes - reader.endsAt,
      }));
  }
}

const NO_LOG: LogBytes = { size: FILE_HEAD_BYTES, read: () => 0 };

function openGeneration(generation: Generation, open: OpenLog): OpenedLog[] {
  return Array.from({ length: generation.logCount }, (_, thread) => ({
    reader: openLog(generation.generation, thread, open),
    generation,
  }));
}

function openLog(generation: number, thread: number, open: OpenLog): LogReader {
  const file = logFileName(generation, thread);
  const source = open(file);
  if (source === null) {
    throw new LogDamage({ file, offset: -1, text: `The log ${file} is missing.` });
  }
  const head = readHead(source);
  if (head === null) {
    throw new LogDamage({ file, offset: 0, text: 'The file does not begin as a log does.' });
  }
  if (head.generation !== generation || head.thread !== thread) {
    const name = logFileName(head.generation, head.thread);
    throw new LogDamage({ file, offset: 0, text: `The file says that it is ${name}.` });
  }
  return new LogReader(file, source);
}

/** The head of a log file; null when it has none. */
export function readHead(source: LogBytes): ReturnType<typeof parseFileHead> {
  const u8 = new Uint8Array(new ArrayBuffer(FILE_HEAD_BYTES));
  let done = 0;
  while (done < FILE_HEAD_BYTES) {
    const count = source.read(u8, done, FILE_HEAD_BYTES - done, done);
    if (count === 0) return null;
    done += count;
  }
  return parseFileHead(u8);
}
