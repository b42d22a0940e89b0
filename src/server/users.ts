// Users of the configuration: `user` lines, or an ACL file. They are made before the first thread
// starts, so that nobody is served under other rules.

import { Accounts } from '../acl/accounts.js';
import { Catalog } from '../acl/catalog.js';
import { applyRules, joinSelectors } from '../acl/rules.js';
import { hasBlanks, USER_NAME_BYTES_MAX } from '../acl/selector.js';
import { DEFAULT_USER, User } from '../acl/user.js';
import type { UsersShape } from '../acl/user-store.js';
import { readUsersFile } from '../acl/users-file.js';
import { allCommands } from '../commands/index.js';
import type { Config } from '../config/config.js';
import type { UserFault } from '../config/load.js';
import { CommandTable } from '../dispatch/table.js';
import type { LogFile } from './log-file.js';

const BOTH =
  'Configuring Redis with users defined in redis.conf and at the same setting an ACL file path ' +
  'is invalid. This setup is very likely to lead to configuration errors and security holes, ' +
  'please define either an ACL file or declare users directly in your redis.conf, but not both.';

let catalog: Catalog | null = null;

function catalogOfAll(): Catalog {
  catalog ??= new Catalog(new CommandTable(allCommands).all);
  return catalog;
}

/** What is wrong with a `user` line; commands that do not exist are found later. */
export function checkUser([, ...words]: readonly string[]): UserFault | null {
  const rules = joinSelectors(words);
  if (!Array.isArray(rules)) return { word: rules.open, sentence: 'Syntax error' };
  const user = new User(catalogOfAll(), '', false);
  for (const rule of rules) {
    const fault = user.apply(rule, false);
    if (fault !== null && !fault.isUnknownName) return { word: rule, sentence: fault.sentence };
  }
  return null;
}

/** Makes all users, or throws what is for the log. */
export function makeUsers(config: Config, log: LogFile, shape: UsersShape): void {
  const file = config.text('aclfile');
  if (file !== '' && config.users.length > 0) throw new Error(BOTH);
  const password = config.bytes('requirepass').toString('latin1');
  const accounts = new Accounts(catalogOfAll(), shape, password);
  const isOpen = config.text('acl-pubsub-default') === 'allchannels';
  if (file === '') {
    accounts.replaceAll(readUserLines(config, log, accounts.default, isOpen));
    return;
  }
  const users = readUsersFile(catalogOfAll(), file, isOpen);
  if (typeof users === 'string') {
    throw new Error(`Aborting Redis startup because of ACL errors: ${users}`);
  }
  accounts.replaceAll(users);
}

function readUserLines(config: Config, log: LogFile, standing: User, isOpen: boolean): User[] {
  const users = new Map([[DEFAULT_USER, standing]]);
  for (const [name = '', ...words] of config.users) {
    if (hasBlanks(name)) throw new Error('Spaces not allowed in ACL usernames');
    if (name.length > USER_NAME_BYTES_MAX) {
      throw new Error(`A username has more than ${USER_NAME_BYTES_MAX} bytes.`);
    }
    const user = new User(catalogOfAll(), name, isOpen);
    const rules = joinSelectors(words);
    const problem = Array.isArray(rules) ? applyRules(user, rules, isOpen) : null;
    if (problem !== null) {
      throw new Error(
        `Error loading ACL rule '${problem.rule}' for the user named '${name}': ` +
          `${problem.fault.sentence}. Critical error while loading ACLs. Exiting.`,
      );
    }
    if (!user.isEnabled) {
      log.write(
        'notice',
        `The user '${name}' is disabled (there is no 'on' modifier in the user description). ` +
          'Make sure this is not a configuration error.',
      );
    }
    users.set(name, user);
  }
  return [...users.values()];
}
