// The files of the configuration: reading, wildcards, the working directory, writing in one piece.
// Everything else in this folder is free of the file system.

import * as fs from 'node:fs';
import * as path from 'node:path';
import { getSystemErrorMap } from 'node:util';
import { threadId } from 'node:worker_threads';
import { ConfigError } from './config-error.js';
import { fromByteText, toByteText } from './words.js';

/** What C says where libuv uses other words. */
const SENTENCE_OF_CODE: Readonly<Record<string, string>> = {
  EISDIR: 'Is a directory',
  ELOOP: 'Too many levels of symbolic links',
  EROFS: 'Read-only file system',
  ENAMETOOLONG: 'File name too long',
  ENOSPC: 'No space left on device',
  EPERM: 'Operation not permitted',
};

/** The sentence of a failed system call, as strerror has it. */
export function systemSentence(error: unknown): string {
  const { code = '', errno } = error as NodeJS.ErrnoException;
  const known = SENTENCE_OF_CODE[code];
  if (known !== undefined) return known;
  const sentence = errno === undefined ? undefined : getSystemErrorMap().get(errno)?.[1];
  if (sentence === undefined) return String(error);
  return sentence.charAt(0).toUpperCase() + sentence.slice(1);
}

/** Byte text in, byte text out; both absolute. */
export function resolvePath(directory: string, file: string): string {
  return toByteText(path.resolve(fromByteText(directory), fromByteText(file)));
}

/** The real path of a directory that can be entered, or why it cannot. */
export function checkDirectory(
  directory: string,
  given: string,
): { value: string } | { error: string } {
  // chdir('') fails, while resolving '' would give the directory itself.
  if (given === '') return { error: 'No such file or directory' };
  try {
    const real = fs.realpathSync(fromByteText(directory));
    if (!fs.statSync(real).isDirectory()) return { error: 'Not a directory' };
    fs.accessSync(real, fs.constants.X_OK);
    return { value: toByteText(real) };
  } catch (error) {
    return { error: systemSentence(error) };
  }
}

/**
 * The text of a file, or of all files that a pattern matches, one after the other. A pattern may
 * match nothing, so that an empty conf.d can be included; a plain name must exist.
 */
export function readConfigFiles(directory: string, file: string): string {
  const full = resolvePath(directory, file);
  const names = /[*?[]/.test(file) ? expandPattern(fromByteText(full)) : [fromByteText(full)];
  return names.map((name) => readText(name, file)).join('');
}

/** All of standard input; call it only when the command line asks for it. */
export function readStandardInput(): string {
  return fs.readFileSync(0, 'latin1');
}

/** The text of a file. Throws what the system says. */
export function readTextFile(file: string): string {
  return fs.readFileSync(fromByteText(file), 'latin1');
}

/** The text of a file that may be missing. Throws what the system says otherwise. */
export function readTextIfAny(file: string): string | null {
  try {
    return readTextFile(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

/** Why the log cannot be appended to, or null. Creates it, as opening a log does. */
export function checkLogFile(directory: string, file: string): string | null {
  try {
    fs.closeSync(fs.openSync(fromByteText(resolvePath(directory, file)), 'a'));
    return null;
  } catch (error) {
    return systemSentence(error);
  }
}

/** Replaces a file in one step: readers see the old text or the new one, also after a crash. */
export function replaceFile(file: string, text: string): void {
  const target = fromByteText(file);
  const temporary = `${target}.${process.pid}.${threadId}`;
  try {
    const fd = fs.openSync(temporary, 'wx', 0o644);
    try {
      fs.writeFileSync(fd, text, 'latin1');
      fs.fsyncSync(fd);
    } finally {
      fs.closeSync(fd);
    }
    fs.renameSync(temporary, target);
    syncFolder(path.dirname(target));
  } catch (error) {
    fs.rmSync(temporary, { force: true });
    throw error;
  }
}

function syncFolder(folder: string): void {
  // Windows has no way to sync a folder.
  if (process.platform === 'win32') return;
  const fd = fs.openSync(folder, 'r');
  try {
    fs.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
}

function readText(name: string, given: string): string {
  try {
    return fs.readFileSync(name, 'latin1');
  } catch (error) {
    const shown = /[*?[]/.test(given) ? name : fromByteText(given);
    throw new ConfigError(
      `Fatal error, can't open config file '${shown}': ${systemSentence(error)}`,
    );
  }
}

/** The paths that match, in the order of their bytes. Wildcards do not cross slashes. */
function expandPattern(pattern: string): string[] {
  const { root } = path.parse(pattern);
  let found = [root];
  const segments = pattern.slice(root.length).split(path.sep).filter(Boolean);
  for (const segment of segments) {
    found = found.flatMap((folder) => matchSegment(folder, segment));
  }
  return found.filter((name) => fs.existsSync(name)).sort(compareBytes);
}

function matchSegment(folder: string, segment: string): string[] {
  if (!/[*?[]/.test(segment)) return [path.join(folder, segment)];
  const expression = segmentExpression(segment);
  return listNames(folder)
    .filter((name) => expression.test(name) && (segment.startsWith('.') || !name.startsWith('.')))
    .map((name) => path.join(folder, name));
}

function listNames(folder: string): string[] {
  try {
    return fs.readdirSync(folder);
  } catch {
    return [];
  }
}

/** A segment of a shell pattern as an expression; a bracket that never closes is a letter. */
function segmentExpression(segment: string): RegExp {
  const token = /\[([!^]?)(\]?[^\]]*)\]|\\(.)|([*?])|([\s\S])/gu;
  const source = segment.replace(token, (all, not, set, escaped, wildcard, letter) => {
    if (set) return `[${not ? '^' : ''}${set.replace(/[\\\][^]/g, '\\$&')}]`;
    if (wildcard) return wildcard === '*' ? '.*' : '.';
    return (escaped ?? letter ?? all).replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
  });
  try {
    return new RegExp(`^${source}$`, 'su');
  } catch {
    // A range that runs backwards matches nothing.
    return /(?!)/;
  }
}

function compareBytes(left: string, right: string): number {
  return Buffer.compare(Buffer.from(left), Buffer.from(right));
}
