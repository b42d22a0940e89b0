// flagstone-check: what is in a log directory, a log file or an RDB file, whether it is whole,
// where it breaks, and with --fix how it is made to end there.

import { type Disk, DiskError, SystemDisk } from '../base/disk.js';
import { randomHex } from '../base/prng.js';
import { MANIFEST_NAME, ManifestError } from '../log/manifest.js';
import { LogDamage } from '../log/merge.js';
import { RdbFileError } from '../rdb/file-read.js';
import { checkDirectory } from './check-directory.js';
import { CheckCode, type CheckFields } from './check-fields.js';
import { checkLogFile } from './check-log.js';
import { checkRdbFile } from './check-rdb.js';

export interface CheckDoors {
  say(line: string): void;
  /** What somebody answers to a question. */
  ask(question: string): string;
  /** Another one in tests. */
  readonly disk?: Disk;
}

const HISTORY_BYTES = 20;

export const CHECK_HELP = `flagstone-check: is the data whole?

Usage: flagstone-check [--fix] [--yes] <path>

<path> is one of
  a log directory      that of a server with appendonly yes: its folder appendonlydir
  a log file           log-1-0.flog, one of the files in such a directory
  an RDB file          dump.rdb, or the base of a log

Without --fix nothing is changed. With it what comes behind the first break is given up, after a
question, or without one with --yes: a log file is cut there, and in a log directory the manifest is
written anew, so that all logs end with the last change before the break. Stop the server and make a
copy first. An RDB file cannot be fixed.

Exit codes: 0 all is whole (or was fixed), 1 something is torn or damaged, 2 it cannot be checked.`;

export function runCheck(args: readonly string[], doors: CheckDoors): CheckCode {
  const { say } = doors;
  const options = args.filter((arg) => arg.startsWith('--'));
  const paths = args.filter((arg) => !arg.startsWith('--'));
  const unknown = options.find((option) => !['--fix', '--yes', '--help'].includes(option));
  if (options.includes('--help')) {
    say(CHECK_HELP);
    return CheckCode.Whole;
  }
  if (unknown !== undefined || paths.length !== 1) {
    say(unknown === undefined ? CHECK_HELP : `${unknown} is no option.\n\n${CHECK_HELP}`);
    return CheckCode.Failed;
  }
  const fields: CheckFields = {
    disk: doors.disk ?? new SystemDisk(),
    say,
    isFixing: options.includes('--fix'),
    mayChange(what) {
      if (options.includes('--yes')) return true;
      return /^y(es)?$/i.test(doors.ask(`${what} Continue? [y/N] `));
    },
    newHistory: () => randomHex(HISTORY_BYTES),
  };
  return check(paths[0]!.replace(/(.)\/+$/, '$1'), fields);
}

function check(path: string, fields: CheckFields): CheckCode {
  const { disk, say } = fields;
  try {
    if (!disk.exists(path)) {
      say(`${path} is not there.`);
      return CheckCode.Failed;
    }
    if (disk.exists(`${path}/${MANIFEST_NAME}`)) return checkDirectory(path, fields);
    if (isDirectory(disk, path)) return failedFor(path, disk, say);
    if (path.endsWith('.flog')) return checkLogFile(path, fields);
    return checkRdbFile(path, fields);
  } catch (error) {
    if (error instanceof DiskError) {
      say(error.message);
      return CheckCode.Failed;
    }
    if (
      error instanceof ManifestError ||
      error instanceof LogDamage ||
      error instanceof RdbFileError
    ) {
      say(`BROKEN: ${error.message}`);
      return CheckCode.Broken;
    }
    throw error;
  }
}

function isDirectory(disk: Disk, path: string): boolean {
  try {
    disk.list(path);
    return true;
  } catch {
    return false;
  }
}

function failedFor(path: string, disk: Disk, say: (line: string) => void): CheckCode {
  const hasRedisFiles = disk.list(path).some((name) => /\.(aof|aof\.manifest)$/.test(name));
  say(
    hasRedisFiles
      ? `${path} has append-only files of Redis: redis-check-aof looks at them.`
      : `${path} has no ${MANIFEST_NAME}: it is no log directory. Give the folder appendonlydir.`,
  );
  return CheckCode.Failed;
}
