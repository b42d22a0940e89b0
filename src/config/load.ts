// Reading a configuration at the start: a file, standard input and the options of the command
// line, one after the other as if they were one text. The last line about a parameter counts.

import { Config } from './config.js';
import { ConfigError } from './config-error.js';
import { checkLogFile, readConfigFiles, resolvePath } from './files.js';
import { findParameter } from './parameters.js';
import { trimLine } from './rewrite.js';
import { fromByteText, lowerCase, splitWords, toByteText } from './words.js';

/** A file that includes itself would never end. */
const INCLUDE_DEPTH_MAX = 64;

/** Directives of older versions that may still stand in a file, with one argument. */
const FORGOTTEN = new Set([
  'list-max-ziplist-entries',
  'list-max-ziplist-value',
  'lua-replicate-commands',
]);

export interface LoadRequest {
  /** As in a command line's result; null if none was named. */
  readonly file?: string | null;
  /** All of standard input, as byte text. */
  readonly stdinText?: string | null;
  /** Further lines, as byte text. */
  readonly options?: string;
  /** Shown in the error block. */
  readonly serverVersion: string;
  /**
   * Names of all commands, lower case: rename-command may name only these. 'later': whoever asks
   * has them not at hand; a line that needs to know throws a CommandsWanted.
   */
  readonly commandNames?: Iterable<string> | 'later';
  /** What is wrong with a `user` line. Without it such lines are refused. */
  readonly checkUser?: (words: readonly string[]) => UserFault | null;
  /** Where the process was started, if not where it is. */
  readonly directory?: string;
}

export interface UserFault {
  readonly word: string;
  readonly sentence: string;
}

/** A line speaks of commands: it can be judged only with their names. */
export class CommandsWanted extends Error {}

/** The configuration, or a ConfigError whose message is for standard error. */
export function loadConfig(request: LoadRequest): Config {
  return new Loader(request).load();
}

/** Where something stands, for the error block. */
interface Place {
  readonly lineNumber: number;
  readonly line: string;
}

class Loader {
  private readonly config: Config;
  private readonly commandNames: Set<string> | null;
  /** Where each parameter was set last. */
  private readonly places = new Map<string, Place>();

  constructor(private readonly request: LoadRequest) {
    this.config = new Config(request.directory);
    const { commandNames = null } = request;
    const isKnown = commandNames !== null && commandNames !== 'later';
    this.commandNames = isKnown ? new Set(commandNames) : null;
  }

  load(): Config {
    const { config } = this;
    const { file = null, stdinText = null, options = '' } = this.request;
    const directory = toByteText(config.text('dir'));
    let text = '';
    if (file !== null) {
      const name = resolvePath(directory, toByteText(file));
      config.file = name;
      text = readConfigFiles(directory, name);
    }
    if (stdinText !== null) text = withNewline(text) + stdinText;
    // The options start on a line of their own even after a newline: Redis counts lines so.
    this.readLines(`${text}\n${options}`, 0);
    this.checkWhole();
    return config;
  }

  private readLines(text: string, includeDepth: number): void {
    for (const [index, whole] of text.split('\n').entries()) {
      const line = trimLine(whole);
      if (line === '' || line.startsWith('#')) continue;
      const place = { lineNumber: index + 1, line };

      const words = splitWords(line);
      if (words === null) throw this.fatal('Unbalanced quotes in configuration line', place);
      const [name = '', ...values] = words;
      const sentence = this.readDirective(lowerCase(name), values, place, includeDepth);
      if (sentence !== null) throw this.fatal(sentence, place);
    }
  }

  /** Returns what is wrong with the line, or null. */
  private readDirective(
    name: string,
    words: readonly string[],
    place: Place,
    includeDepth: number,
  ): string | null {
    const row = findParameter(name);
    if (row !== null) {
      const isRepeated = this.places.has(row.name);
      this.places.set(row.name, place);
      return this.config.set(name, words, isRepeated);
    }
    const [first = '', second = ''] = words;
    if (FORGOTTEN.has(name) && words.length === 1) return null;
    const speaksOfCommands = name === 'rename-command' || name === 'user';
    if (speaksOfCommands && this.request.commandNames === 'later') throw new CommandsWanted();
    if (name === 'include' && words.length === 1) return this.include(first, includeDepth);
    if (name === 'rename-command' && words.length === 2) return this.rename(first, second);
    if (name === 'user' && words.length >= 1) return this.readUser(words);
    if (name === 'loadmodule' && words.length >= 1) return 'Flagstone loads no modules';
    if (name.includes('.')) {
      return words.length === 0
        ? 'Module config specified without value'
        : 'Flagstone loads no modules, so there are none to configure';
    }
    // A lone "sentinel" only chooses the mode, and only on the command line.
    if (name === 'sentinel') {
      return words.length === 0 ? null : 'sentinel directive while not in sentinel mode';
    }
    return 'Bad directive or wrong number of arguments';
  }

  private include(file: string, depth: number): string | null {
    if (depth >= INCLUDE_DEPTH_MAX) return 'Too many nested includes: does a file include itself?';
    // `dir` may have changed since the start, and counts from its line on.
    this.readLines(readConfigFiles(toByteText(this.config.text('dir')), file), depth + 1);
    return null;
  }

  private rename(from: string, to: string): string | null {
    const names = this.commandNames;
    const [oldName, newName] = [lowerCase(from), lowerCase(to)];
    if (names !== null) {
      if (!names.delete(oldName)) return 'No such command in rename-command';
      if (newName !== '' && names.has(newName)) return 'Target command name already exists';
      if (newName !== '') names.add(newName);
    }
    this.config.renames.push([oldName, newName]);
    return null;
  }

  private readUser(words: readonly string[]): string | null {
    const { checkUser } = this.request;
    if (checkUser === undefined) {
      return 'users are not known where this configuration is read';
    }
    const isTwice = this.config.users.some(([name]) => name === words[0]);
    const fault = isTwice ? duplicateUser(words[0] ?? '') : checkUser(words);
    if (fault !== null) return `Error in user declaration '${fault.word}': ${fault.sentence}`;
    this.config.users.push([...words]);
    return null;
  }

  /** What can be judged only when every line is read: a later one may have mended it. */
  private checkWhole(): void {
    const refusal = this.config.findRefusal();
    if (refusal !== null) throw this.fatal(refusal.sentence, this.places.get(refusal.name) ?? null);

    const logFile = toByteText(this.config.text('logfile'));
    if (logFile === '') return;
    const fault = checkLogFile(toByteText(this.config.text('dir')), logFile);
    if (fault !== null) throw this.fatal(`Can't open the log file: ${fault}`, null);
  }

  private fatal(sentence: string, place: Place | null): ConfigError {
    const { serverVersion } = this.request;
    const lines = ['', `*** FATAL CONFIG FILE ERROR (Flagstone ${serverVersion}) ***`];
    if (place !== null) {
      lines.push(`Reading the configuration file, at line ${place.lineNumber}`);
      lines.push(`>>> '${place.line}'`);
    }
    lines.push(sentence, '');
    return new ConfigError(fromByteText(lines.join('\n')));
  }
}

function duplicateUser(name: string): UserFault {
  const sentence = 'Duplicate user found. A user can only be defined once in config files';
  return { word: name, sentence };
}

function withNewline(text: string): string {
  return text === '' || text.endsWith('\n') ? text : `${text}\n`;
}
