// ACL: who may do what. Users and their rules stand in acl/, how commands are checked in
// dispatch/access.ts; here are the commands about them.

import { type LogEntry, Reason, Where } from '../acl/access-log.js';
import { CATEGORIES } from '../acl/catalog.js';
import { namesFirstArgument } from '../acl/rules.js';
import { hasBlanks, type Selector, USER_NAME_BYTES_MAX } from '../acl/selector.js';
import { DEFAULT_USER } from '../acl/user.js';
import { readUsersFile, writeUsersFile } from '../acl/users-file.js';
import { int64 } from '../base/ascii.js';
import { randomHex } from '../base/prng.js';
import { Slices } from '../base/slices.js';
import { systemSentence } from '../config/files.js';
import { isWord, readInt64, word } from '../dispatch/args.js';
import type { Command } from '../dispatch/command.js';
import type { Context } from '../dispatch/context.js';
import { type CommandSpec, containerCommand, Flag } from '../dispatch/define.js';
import { Refusal } from '../resp/errors.js';
import type { Reply } from '../resp/write.js';
import { helpSubcommand, refuseSubcommand, sub, textsFrom } from './server/help.js';

const RESET = word('RESET');

const BAD_NAME = new Refusal("ERR Usernames can't contain spaces or null characters");
const LONG_NAME = new Refusal(
  `ERR Usernames of more than ${USER_NAME_BYTES_MAX} bytes are not supported.`,
);
const DEFAULT_STAYS = new Refusal("ERR The 'default' user cannot be removed");
const NO_FILE = new Refusal(
  'ERR This Redis instance is not configured to use an ACL file. You may want to specify users ' +
    'via the ACL SETUSER command and then issue a CONFIG REWRITE (assuming you have a Redis ' +
    'configuration file set) in order to store users in the Redis configuration.',
);
const NOT_SAVED = new Refusal(
  'ERR There was an error trying to save the ACLs. Please check the server logs for more ' +
    'information',
);

const BITS_MAX = 4096;
const BITS_USUAL = 256;
const BAD_BITS = new Refusal(
  'ERR ACL GENPASS argument must be the number of bits for the output password, a positive ' +
    `number up to ${BITS_MAX}`,
);
const ENTRIES_USUAL = 10;

const OWN = Flag.NoScript | Flag.Loading | Flag.Stale;
const OTHERS = OWN | Flag.Admin;
const TO_ALL = ['request_policy:all_nodes', 'response_policy:all_succeeded'];

// ---- changing users -----------------------------------------------------------------------------

function isChannelsOpen({ server }: Context): boolean {
  return server.config.text('acl-pubsub-default') === 'allchannels';
}

/** What was changed is in force here before the next command, and on other threads too. */
function usersChanged({ server, session }: Context, user: string): void {
  server.access.catchUp(session);
  server.usersChanged(user);
}

/** Redis calls it a misuse, and may end it. */
function warnOfFirstArguments({ server }: Context, rules: readonly string[]): void {
  const hasSubcommands = (name: string) =>
    server.table.named(name.toLowerCase())?.subcommands.length !== 0;
  for (const rule of rules) {
    if (!namesFirstArgument(rule, hasSubcommands)) continue;
    server.log(
      'warning',
      'Deprecation warning: Allowing a first arg of an otherwise blocked command is a misuse of ' +
        `ACL and may get disabled in the future (offender: ${rule})`,
    );
  }
}

const setuser = sub({
  name: 'setuser',
  arity: -3,
  group: 'server',
  since: '6.0.0',
  summary: 'Makes a user, or changes what he may do.',
  cost: 'O(N) where N is the number of rules',
  flags: OTHERS,
  syntax: 'username [rule [rule ...]]',
  tips: TO_ALL,
  history: [
    ['6.2.0', 'Rules about channels were added.'],
    ['7.0.0', 'Selectors and patterns of keys to read or to write were added.'],
  ],
  run(context) {
    const { args, server, reply } = context;
    const name = args.text(2);
    if (hasBlanks(name)) throw BAD_NAME;
    if (name.length > USER_NAME_BYTES_MAX) throw LONG_NAME;
    const rules = textsFrom(context, 3);

    // All of the rules or none, so that it may come before the refusal.
    const problem = server.access.accounts.set(name, rules, isChannelsOpen(context));
    if (problem !== null) throw new Refusal(`ERR ${problem}`);
    usersChanged(context, name);
    warnOfFirstArguments(context, rules);

    reply.ok();
  },
});

const deluser = sub({
  name: 'deluser',
  arity: -3,
  group: 'server',
  since: '6.0.0',
  summary: 'Deletes users, and closes the connections that act as them.',
  cost: 'O(1) for each user, and O(N) where N is the number of connections',
  flags: OTHERS,
  syntax: 'username [username ...]',
  tips: TO_ALL,
  run(context) {
    const { args, server, session, reply } = context;
    const names: string[] = [];
    for (let index = 2; index < args.count; index++) names.push(args.text(index));
    if (names.includes(DEFAULT_USER)) throw DEFAULT_STAYS;

    const { access } = server;
    const known = names.filter((name) => access.accounts.find(name) !== null);
    const count = access.accounts.remove(names);
    usersChanged(context, '');
    for (const name of known) server.closeClientsOf(name, session);

    reply.integer(count);
  },
});

// ---- the file -----------------------------------------------------------------------------------

function fileOf({ server }: Context): string {
  const file = server.config.text('aclfile');
  if (file === '') throw NO_FILE;
  return file;
}

const load = sub({
  name: 'load',
  arity: 2,
  group: 'server',
  since: '6.0.0',
  summary: 'Takes the users from the ACL file.',
  cost: 'O(N) where N is the number of users',
  flags: OTHERS,
  run(context) {
    const { server, session, reply } = context;
    const { accounts } = server.access;
    const users = readUsersFile(accounts.catalog, fileOf(context), isChannelsOpen(context));
    if (typeof users === 'string') throw new Refusal(`ERR ${users}`);

    const before = accounts.all.filter(({ name }) => name !== DEFAULT_USER);
    accounts.replaceAll(users);
    usersChanged(context, DEFAULT_USER);
    for (const { name } of before) server.closeClientsOf(name, session);

    reply.ok();
  },
});

const save = sub({
  name: 'save',
  arity: 2,
  group: 'server',
  since: '6.0.0',
  summary: 'Writes the users into the ACL file.',
  cost: 'O(N) where N is the number of users',
  flags: OTHERS,
  tips: TO_ALL,
  run(context) {
    const { server, reply } = context;
    const file = fileOf(context);
    try {
      writeUsersFile(file, server.access.accounts.all);
    } catch (error) {
      server.log('warning', `Writing the ACL file for ACL SAVE: ${systemSentence(error)}`);
      throw NOT_SAVED;
    }
    reply.ok();
  },
});

// ---- asking -------------------------------------------------------------------------------------

const whoami = sub({
  name: 'whoami',
  arity: 2,
  group: 'server',
  since: '6.0.0',
  summary: 'Tells as which user this connection acts.',
  cost: 'O(1)',
  flags: OWN,
  run({ session, reply }) {
    reply.text(session.user);
  },
});

const users = sub({
  name: 'users',
  arity: 2,
  group: 'server',
  since: '6.0.0',
  summary: 'Lists the names of all users.',
  cost: 'O(N) where N is the number of users',
  flags: OTHERS,
  run({ server, reply }) {
    const { all } = server.access.accounts;
    reply.array(all.length);
    for (const { name } of all) reply.text(name);
  },
});

const list = sub({
  name: 'list',
  arity: 2,
  group: 'server',
  since: '6.0.0',
  summary: 'Lists all users with their rules, as an ACL file has them.',
  cost: 'O(N) where N is the number of users',
  flags: OTHERS,
  run({ server, reply }) {
    const { all } = server.access.accounts;
    reply.array(all.length);
    for (const user of all) reply.text(`user ${user.name} ${user.describe()}`);
  },
});

function replySelector(reply: Reply, selector: Selector): void {
  reply.text('commands');
  reply.text(selector.commandRules);
  reply.text('keys');
  reply.text(selector.keyRules);
  reply.text('channels');
  reply.text(selector.channelRules);
}

const getuser = sub({
  name: 'getuser',
  arity: 3,
  group: 'server',
  since: '6.0.0',
  summary: 'Tells the rules of a user.',
  cost: 'O(N) where N is the number of rules, passwords and patterns of the user',
  flags: OTHERS,
  syntax: 'username',
  history: [
    ['6.2.0', 'Patterns of channels were added.'],
    ['7.0.0', 'Selectors were added, and keys and channels are told as rules.'],
  ],
  run({ args, server, reply }) {
    const user = server.access.accounts.find(args.text(2));
    if (user === null) {
      reply.nil();
      return;
    }
    const { flags, passwords, root } = user;
    const selectors = user.selectors.slice(1);
    reply.map(6);
    reply.text('flags');
    reply.set(flags.length);
    for (const flag of flags) reply.text(flag);
    reply.text('passwords');
    reply.array(passwords.length);
    for (const password of passwords) reply.text(password);
    replySelector(reply, root);
    reply.text('selectors');
    reply.array(selectors.length);
    for (const selector of selectors) {
      reply.map(3);
      replySelector(reply, selector);
    }
  },
});

const cat = sub({
  name: 'cat',
  arity: -2,
  group: 'server',
  since: '6.0.0',
  summary: 'Lists the categories of commands, or the commands of one.',
  cost: 'O(N) where N is the number of commands',
  flags: OWN,
  syntax: '[category]',
  run(context) {
    const { args, server, reply } = context;
    if (args.count > 3) refuseSubcommand(context);
    if (args.count === 2) {
      reply.array(CATEGORIES.length);
      for (const category of CATEGORIES) reply.text(category);
      return;
    }
    const name = args.text(2);
    const commands = server.access.accounts.catalog.inCategory(name);
    if (commands === null) throw new Refusal(`ERR Unknown category '${name.slice(0, 128)}'`);
    reply.array(commands.length);
    for (const { fullName } of commands) reply.text(fullName);
  },
});

const genpass = sub({
  name: 'genpass',
  arity: -2,
  group: 'server',
  since: '6.0.0',
  summary: 'Makes a password that nobody can guess.',
  cost: 'O(1)',
  flags: OWN,
  syntax: '[bits]',
  run(context) {
    const { args, reply } = context;
    if (args.count > 3) refuseSubcommand(context);
    let bits = BITS_USUAL;
    if (args.count === 3) {
      readInt64(args, 2);
      bits = int64.value;
    }
    if (bits <= 0 || bits > BITS_MAX) throw BAD_BITS;
    const digits = Math.ceil(bits / 4);
    reply.text(randomHex(Math.ceil(digits / 2)).slice(0, digits));
  },
});

function commandNamed({ args, server }: Context): Command | null {
  const command = server.table.find(args, 3);
  if (command === null || command.subcommands.length === 0 || args.count === 4) return command;
  return server.table.findSub(command, args, 4);
}

const dryrun = sub({
  name: 'dryrun',
  arity: -4,
  group: 'server',
  since: '7.0.0',
  summary: 'Tells whether a user might run a command.',
  cost: 'O(1)',
  flags: OTHERS,
  syntax: 'username command [arg [arg ...]]',
  run(context) {
    const { args, server, reply } = context;
    const user = server.access.accounts.find(args.text(2));
    if (user === null) throw new Refusal(`ERR User '${args.text(2)}' not found`);
    const command = commandNamed(context);
    if (command === null) throw new Refusal(`ERR Command '${args.text(3)}' not found`);
    if (!command.accepts(args.count - 3)) throw command.wrongArity;
    const words: Uint8Array[] = [];
    for (let index = 3; index < args.count; index++) words.push(args.copy(index));

    const problem = server.access.explain(user, command, Slices.of(...words));

    if (problem === null) reply.ok();
    else reply.text(problem);
  },
});

// ---- the log ------------------------------------------------------------------------------------

const REASONS: Readonly<Record<Reason, string>> = {
  [Reason.Command]: 'command',
  [Reason.Key]: 'key',
  [Reason.Channel]: 'channel',
  [Reason.Auth]: 'auth',
};
const WHERES: Readonly<Record<Where, string>> = {
  [Where.Toplevel]: 'toplevel',
  [Where.Multi]: 'multi',
  [Where.Lua]: 'lua',
};

function replyEntry({ reply, nowMs }: Context, entry: LogEntry): void {
  reply.map(10);
  reply.text('count');
  reply.integer(entry.count);
  reply.text('reason');
  reply.text(REASONS[entry.reason]);
  reply.text('context');
  reply.text(WHERES[entry.where]);
  reply.text('object');
  reply.text(entry.object);
  reply.text('username');
  reply.text(entry.user);
  reply.text('age-seconds');
  reply.double((nowMs - entry.updatedMs) / 1000);
  reply.text('client-info');
  reply.text(entry.client);
  reply.text('entry-id');
  reply.integer(entry.id);
  reply.text('timestamp-created');
  reply.integer(entry.createdMs);
  reply.text('timestamp-last-updated');
  reply.integer(entry.updatedMs);
}

const log = sub({
  name: 'log',
  arity: -2,
  group: 'server',
  since: '6.0.0',
  summary: 'Tells what was refused lately, or forgets it.',
  cost: 'O(N) where N is the number of entries told',
  flags: OTHERS,
  syntax: '[<count | RESET>]',
  history: [['7.2.0', 'Entries have a number, and tell when they were made and renewed.']],
  run(context) {
    const { args, server, reply } = context;
    if (args.count > 3) refuseSubcommand(context);
    let most = ENTRIES_USUAL;
    if (isWord(args, 2, RESET)) {
      server.access.log.reset();
      reply.ok();
      return;
    }
    if (args.count === 3) {
      readInt64(args, 2);
      most = Math.max(0, int64.value);
    }
    const entries = server.access.log.entries(most);
    reply.array(entries.length);
    for (const entry of entries) replyEntry(context, entry);
  },
});

const help = helpSubcommand({
  container: 'acl',
  group: 'server',
  since: '6.0.0',
  lines: [
    'CAT [<category>]',
    '    List all commands that belong to <category>, or all command categories',
    '    when no category is specified.',
    'DELUSER <username> [<username> ...]',
    '    Delete a list of users.',
    'DRYRUN <username> <command> [<arg> ...]',
    '    Returns whether the user can execute the given command without executing the command.',
    'GETUSER <username>',
    "    Get the user's details.",
    'GENPASS [<bits>]',
    '    Generate a secure 256-bit user password. The optional `bits` argument can',
    '    be used to specify a different size.',
    'LIST',
    '    Show users details in config file format.',
    'LOAD',
    '    Reload users from the ACL file.',
    'LOG [<count> | RESET]',
    '    Show the ACL log entries.',
    'SAVE',
    '    Save the current config to the ACL file.',
    'SETUSER <username> <attribute> [<attribute> ...]',
    '    Create or modify a user with the specified attributes.',
    'USERS',
    '    List all the registered usernames.',
    'WHOAMI',
    '    Return the current connection username.',
  ],
});

const acl = containerCommand({
  name: 'acl',
  arity: -2,
  group: 'server',
  since: '6.0.0',
  summary: 'A container for commands about users and their rights.',
  flags: 0,
  subcommands: [
    cat,
    deluser,
    dryrun,
    genpass,
    getuser,
    help,
    list,
    load,
    log,
    save,
    setuser,
    users,
    whoami,
  ],
});

export const aclCommands: readonly CommandSpec[] = [acl];
