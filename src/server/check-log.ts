// What is in one log file, for flagstone-check: records, numbers, databases, commands by count, and
// where its frames end. With --fix it is cut there.

import { type Disk, DiskError, Open } from '../base/disk.js';
import { Slices } from '../base/slices.js';
import { FILE_HEAD_BYTES } from '../log/file-head.js';
import { LogOpener } from '../log/log-bytes.js';
import { Ending, Found, type LogBytes, LogReader } from '../log/log-reader.js';
import { LogDamage, readHead } from '../log/merge.js';
import { Parsed, Parser } from '../resp/parse.js';
import { CheckCode, type CheckFields } from './check-fields.js';

const MB = 1024 * 1024;
const COMMANDS_SHOWN = 12;

/** What was found in the records of one log, or of several. */
export class LogContent {
  recordCount = 0;
  commandCount = 0;
  /** Records by database, commands by name. */
  readonly databases = new Map<number, number>();
  readonly commands = new Map<string, number>();
  firstNumber = -1;
  lastNumber = -1;
  private readonly args = new Slices();
  private readonly parser = new Parser(this.args, { bulkBytesMax: Number.POSITIVE_INFINITY });

  /** Takes the record that the reader stands on. */
  add(reader: LogReader): void {
    const { number, database } = reader;
    this.recordCount++;
    if (this.firstNumber === -1 || number < this.firstNumber) this.firstNumber = number;
    this.lastNumber = Math.max(this.lastNumber, number);
    count(this.databases, database);
    const { parser, args } = this;
    parser.feed(reader.u8, reader.bodyAt, reader.bodyAt + reader.bodyBytes);
    while (parser.at < parser.end) {
      if (parser.next() !== Parsed.Command) {
        throw new LogDamage({
          file: reader.name,
          offset: reader.position,
          text: `Record ${number}, which ends here, does not consist of commands.`,
        });
      }
      this.commandCount++;
      count(this.commands, args.text(0).toUpperCase());
    }
  }

  /** Takes what was found in another log. */
  take(other: LogContent): void {
    this.recordCount += other.recordCount;
    this.commandCount += other.commandCount;
    for (const [database, records] of other.databases) count(this.databases, database, records);
    for (const [name, calls] of other.commands) count(this.commands, name, calls);
  }

  describe(say: (line: string) => void): void {
    if (this.recordCount === 0) return;
    const databases = [...this.databases].sort(([a], [b]) => a - b);
    say(`  databases: ${databases.map(([index, records]) => `${index}: ${records}`).join(', ')}`);
    const commands = [...this.commands].sort(([, a], [, b]) => b - a);
    const shown = commands.slice(0, COMMANDS_SHOWN).map(([name, calls]) => `${name} ${calls}`);
    const others = commands.length - shown.length;
    say(`  commands: ${shown.join(', ')}${others > 0 ? `, and ${others} others` : ''}`);
  }
}

function count<K>(counts: Map<K, number>, key: K, amount = 1): void {
  counts.set(key, (counts.get(key) ?? 0) + amount);
}

/** Reads a log to its end, or up to the number `to`. */
export function readLog(reader: LogReader, content: LogContent, to: number | null): void {
  for (let found = reader.advance(); found !== Found.End; found = reader.advance()) {
    if (found === Found.NeedsBytes) reader.refill();
    else if (to !== null && reader.number > to) reader.retire();
    else content.add(reader);
  }
}

/** How a log ends, as a sentence. */
export function endingOf(reader: LogReader): string {
  const left = reader.bytes - reader.endsAt;
  switch (reader.ending) {
    case Ending.Torn:
      return `torn: whole up to offset ${reader.endsAt}, then ${left} bytes of an unfinished write`;
    case Ending.Broken:
      return (
        `DAMAGED at offset ${reader.endsAt}` +
        (reader.resumesAt > 0 ? `: whole records follow from offset ${reader.resumesAt} on` : '')
      );
    default:
      return 'whole';
  }
}

export function sizeText(bytes: number): string {
  return bytes < MB ? `${bytes} bytes` : `${(bytes / MB).toFixed(1)} MB`;
}

/** A line about a log and what it holds. */
export function describeLog(reader: LogReader, content: LogContent): string {
  const { recordCount, commandCount, firstNumber, lastNumber } = content;
  const numbers = recordCount === 0 ? '' : `, numbers ${firstNumber} to ${lastNumber}`;
  return (
    `${reader.name}: ${sizeText(reader.bytes)}, ${recordCount} records, ${commandCount} ` +
    `commands${numbers}; ${endingOf(reader)}`
  );
}

/** A log file by itself. */
export function checkLogFile(path: string, fields: CheckFields): CheckCode {
  const { disk, say } = fields;
  const slash = path.lastIndexOf('/');
  const directory = slash === -1 ? '.' : path.slice(0, slash);
  const opener = new LogOpener(disk, directory, 'look');
  const content = new LogContent();
  let reader: LogReader;
  try {
    const source = opener.open(path.slice(slash + 1));
    if (source === null) {
      say(`${path} is not there.`);
      return CheckCode.Failed;
    }
    if (!describeHead(path, source, say)) return CheckCode.Broken;
    reader = new LogReader(path, source);
    readLog(reader, content, null);
  } finally {
    opener.close();
  }
  say(describeLog(reader, content));
  content.describe(say);
  if (reader.ending === Ending.Whole) {
    say(
      'OK: the file is whole. Whether no other log of its directory lacks anything, only a check',
    );
    say('of the directory can tell.');
    return CheckCode.Whole;
  }
  if (!fields.isFixing) {
    say('BROKEN: --fix cuts the file there. In a log directory, fix the directory instead.');
    return CheckCode.Broken;
  }
  return cut(path, reader, fields);
}

function describeHead(path: string, source: LogBytes, say: (line: string) => void): boolean {
  const head = readHead(source);
  if (head === null) {
    say(`BROKEN: ${path} does not begin as a log does; nothing of it can be read.`);
    return false;
  }
  const { generation, thread, history } = head;
  say(`${path}: log of generation ${generation}, thread ${thread}, history ${history}…`);
  return true;
}

function cut(path: string, reader: LogReader, { disk, say, mayChange }: CheckFields): CheckCode {
  const { endsAt, bytes } = reader;
  const what = `${path} is cut from ${bytes} to ${endsAt} bytes: ${bytes - endsAt} bytes are lost.`;
  if (!mayChange(what)) {
    say('Nothing was changed.');
    return CheckCode.Broken;
  }
  truncate(disk, path, Math.max(endsAt, FILE_HEAD_BYTES));
  say(`FIXED: ${path} has ${endsAt} bytes now.`);
  return CheckCode.Whole;
}

function truncate(disk: Disk, path: string, bytes: number): void {
  const fd = disk.open(path, Open.Edit);
  try {
    const result = disk.truncate(fd, bytes);
    if (result < 0) throw new DiskError('Cutting', path, -result);
    const synced = disk.sync(fd);
    if (synced < 0) throw new DiskError('Syncing', path, -synced);
  } finally {
    disk.close(fd);
  }
}
