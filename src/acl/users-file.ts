// The ACL file: a line for each user, as `user` lines of the configuration. It is read and written
// as a whole; a file with anything wrong in it changes nothing.

import { readTextFile, replaceFile, systemSentence } from '../config/files.js';
import { trimLine } from '../config/rewrite.js';
import type { Catalog } from './catalog.js';
import { joinSelectors } from './rules.js';
import { hasBlanks, USER_NAME_BYTES_MAX } from './selector.js';
import { DEFAULT_USER, User } from './user.js';

/** The users of a file, or all that is wrong with it in one line. */
export function readUsersFile(
  catalog: Catalog,
  file: string,
  allChannels: boolean,
): User[] | string {
  let text: string;
  try {
    text = readTextFile(file);
  } catch (error) {
    return `Error loading ACLs, opening file '${file}': ${systemSentence(error)}`;
  }
  const reading = new Reading(catalog, file, allChannels);
  for (const [index, line] of text.split('\n').entries())
    reading.readLine(trimLine(line), index + 1);
  return reading.end();
}

/** Writes all users into the file, in one step. Throws what the system says. */
export function writeUsersFile(file: string, users: readonly User[]): void {
  replaceFile(file, users.map((user) => `user ${user.name} ${user.describe()}\n`).join(''));
}

class Reading {
  private readonly users = new Map<string, User>();
  private errors = '';

  constructor(
    private readonly catalog: Catalog,
    private readonly file: string,
    private readonly allChannels: boolean,
  ) {}

  readLine(line: string, lineNumber: number): void {
    if (line === '') return;
    const place = `${this.file}:${lineNumber}`;
    const [keyword, name, ...words] = line.split(' ');
    if (keyword !== 'user' || name === undefined) {
      this.errors += `${place} should start with user keyword followed by the username. `;
      return;
    }
    if (hasBlanks(name)) {
      this.errors += `'${place}: username '${name}' contains invalid characters. `;
      return;
    }
    if (name.length > USER_NAME_BYTES_MAX) {
      this.errors += `${place}: a username has more than ${USER_NAME_BYTES_MAX} bytes. `;
      return;
    }
    if (this.users.has(name)) {
      this.errors += `WARNING: Duplicate user '${name}' found on line ${lineNumber}. `;
      return;
    }
    const user = new User(this.catalog, name, this.allChannels);
    this.users.set(name, user);
    this.readRules(user, words, place);
  }

  private readRules(user: User, words: readonly string[], place: string): void {
    const rules = joinSelectors(words);
    if (!Array.isArray(rules)) {
      this.errors += `${place}: Unmatched parenthesis in selector definition.`;
      return;
    }
    let hasFailed = false;
    for (const word of rules) {
      const rule = word.replace(/^[\t\r\n]+|[\t\r\n]+$/g, '');
      const fault = user.apply(rule, this.allChannels);
      if (fault === null) continue;
      if (fault.isUnknownName) {
        this.errors += `${place}: Error in applying operation '${rule}': ${fault.sentence}. `;
      } else if (!hasFailed) {
        // What follows may be wrong for this reason only.
        this.errors += `${place}: ${fault.sentence}. `;
        hasFailed = true;
      }
    }
  }

  end(): User[] | string {
    if (this.errors !== '') {
      return (
        `${this.errors}WARNING: ACL errors detected, no change to the previously active ACL ` +
        'rules was performed'
      );
    }
    if (!this.users.has(DEFAULT_USER)) {
      const user = new User(this.catalog, DEFAULT_USER, true);
      for (const rule of ['+@all', '~*', '&*', 'on', 'nopass']) user.apply(rule, true);
      this.users.set(DEFAULT_USER, user);
    }
    return [...this.users.values()];
  }
}
