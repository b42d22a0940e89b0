// The server's log: lines as Redis writes them, to standard output or to `logfile`.
//
//   <pid>:<role> <day> <month> <year> <time>.<ms> <mark> <text>

import { openSync, writeSync } from 'node:fs';
import { systemDate } from '../base/clock.js';

export type LogLevel = 'debug' | 'verbose' | 'notice' | 'warning';

const RANKS: Readonly<Record<LogLevel | 'nothing', number>> = {
  debug: 0,
  verbose: 1,
  notice: 2,
  warning: 3,
  nothing: 4,
};
const MARKS: Readonly<Record<LogLevel, string>> = {
  debug: '.',
  verbose: '-',
  notice: '*',
  warning: '#',
};
const MONTHS = 'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split(' ');
const STANDARD_OUTPUT = 1;

export class LogFile {
  private fd = STANDARD_OUTPUT;
  private path = '';
  private rank = RANKS.notice;

  /**
   * Chooses file and level; an empty path is standard output. Throws if the file cannot be
   * opened.
   */
  configure(path: string, level: string): void {
    this.rank = RANKS[level as LogLevel | 'nothing'] ?? RANKS.notice;
    if (path === this.path) return;
    this.fd = path === '' ? STANDARD_OUTPUT : openSync(path, 'a');
    this.path = path;
  }

  write(level: LogLevel, text: string): void {
    if (RANKS[level] < this.rank) return;
    try {
      writeSync(this.fd, `${process.pid}:M ${stamp(systemDate())} ${MARKS[level]} ${text}\n`);
    } catch {
      // A full disk or a closed pipe takes the log, not the server.
    }
  }

  /** Lines that belong to the one written before: a report. Whatever the level is. */
  writeLines(lines: readonly string[]): void {
    try {
      writeSync(this.fd, `${lines.join('\n')}\n`);
    } catch {
      // As above.
    }
  }
}

function stamp(date: Date): string {
  const two = (value: number) => String(value).padStart(2, '0');
  const time = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  const ms = String(date.getMilliseconds()).padStart(3, '0');
  return `${two(date.getDate())} ${MONTHS[date.getMonth()]} ${date.getFullYear()} ${time}.${ms}`;
}
