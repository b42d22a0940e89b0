// CLIENT and its subcommands: what connections there are, what they are called, and how to be rid
// of them. Other connections are seen through the shared directory (stats/clients.ts).

import { int64 } from '../base/ascii.js';
import type { Slices } from '../base/slices.js';
import { isWord, readInt64, word } from '../dispatch/args.js';
import type { Context } from '../dispatch/context.js';
import { containerCommand, Flag } from '../dispatch/define.js';
import { Closing, ReplyMode } from '../dispatch/session.js';
import { Refusal, SYNTAX } from '../resp/errors.js';
import {
  CLIENT_NAME_BYTES_MAX,
  CLIENT_TEXT_BYTES_MAX,
  ClientFlag,
  type ClientView,
} from '../stats/clients.js';
import { BAD_ID, ClientFilter, isFilterName, lettersOf } from './client-filter.js';
import { trackingSubcommands } from './client-tracking.js';
import { helpSubcommand, refuseSubcommand, sub } from './server/help.js';

const ON = word('ON');
const OFF = word('OFF');
const SKIP = word('SKIP');
const ID = word('ID');
const WRITE = word('WRITE');
const ALL = word('ALL');
const TIMEOUT = word('TIMEOUT');
const ERROR = word('ERROR');
const LIB_NAME = word('LIB-NAME');
const LIB_VER = word('LIB-VER');

const BAD_NAME = new Refusal(
  'ERR Client names cannot contain spaces, newlines or special characters.',
);
const LONG_NAME = new Refusal(
  `ERR Client names of more than ${CLIENT_NAME_BYTES_MAX} bytes are not supported.`,
);
const LONG_ATTRIBUTE = new Refusal(
  `ERR Library names and versions of more than ${CLIENT_TEXT_BYTES_MAX} bytes are not supported.`,
);
const NO_SUCH_CLIENT = new Refusal('ERR No such client');
const BAD_PAUSE_MODE = new Refusal('ERR CLIENT PAUSE mode must be WRITE or ALL');
const BAD_REASON = new Refusal('ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR');
const NOT_TIMEOUT = new Refusal('ERR timeout is not an integer or out of range');
const NEGATIVE_TIMEOUT = new Refusal('ERR timeout is negative');
const LONG_TIMEOUT = new Refusal('ERR timeout is out of range');

/** Flags of subcommands about oneself, and of those about others. */
const OWN = Flag.NoScript | Flag.Loading | Flag.Stale;
const OTHERS = OWN | Flag.Admin;

// ---- names -------------------------------------------------------------------------------------

/** Is the text fit for CLIENT LIST, which is split at spaces? Redis stops looking at a NUL. */
export function isPrintable(text: string): boolean {
  return /^[!-~]*$/.test(text.split('\0', 1)[0]!);
}

/** The name at word `index`; refuses names that CLIENT LIST could not show. */
export function readClientName(context: Context, index: number): string {
  const name = context.args.text(index);
  if (!isPrintable(name)) throw BAD_NAME;
  if (name.length > CLIENT_NAME_BYTES_MAX) throw LONG_NAME;
  return name;
}

export function nameSession(context: Context, name: string): void {
  context.session.name = name;
  context.server.clients.setName(context.session.slot, name);
}

// ---- showing -----------------------------------------------------------------------------------

/** The line of one connection. What no thread keeps for a single connection is 0. */
function lineOf(context: Context, view: ClientView): string {
  const seconds = Math.floor(context.nowMs / 1000);
  const { commandId } = view;
  const command = commandId === -1 ? 'NULL' : context.server.table.all[commandId]!.fullName;
  const { inputBytes, inputFreeBytes, argumentBytes, queuedBytes, outputBytes } = view;
  // Whoever changes a key that is watched cannot write into the slot of another thread.
  const isDirty = view.watchedKeys > 0 && context.transactions.watchers.isDirty(view.slot);
  const flags = isDirty ? view.flags | ClientFlag.Dirty : view.flags;
  return (
    `id=${view.id} addr=${view.address} laddr=${view.localAddress} fd=${view.fd} ` +
    `name=${view.name} age=${Math.max(0, seconds - Math.floor(view.createdMs / 1000))} ` +
    `idle=${Math.max(0, seconds - view.lastSeconds)} flags=${lettersOf(flags)} ` +
    `db=${view.database} sub=${view.subscriptions} psub=${view.patternSubscriptions} ` +
    `ssub=${view.shardSubscriptions} multi=${view.queuedCommands} ` +
    `qbuf=${inputBytes} ` +
    `qbuf-free=${inputFreeBytes} argv-mem=${argumentBytes} multi-mem=${queuedBytes} ` +
    `rbs=0 rbp=0 obl=0 oll=${view.outputChunks} omem=${outputBytes} tot-mem=${view.totalBytes} ` +
    `events=${outputBytes > 0 ? 'rw' : 'r'} cmd=${command} user=${view.user} ` +
    `redir=${view.redirect} resp=${view.protocol} ` +
    `lib-name=${view.libraryName} lib-ver=${view.libraryVersion}\n`
  );
}

/** Brings this session's own slot up to date: the turn that would do so is still running. */
function noteOwn(context: Context): void {
  const { session, server } = context;
  const command = context.executing ?? context.command;
  server.clients.note(
    session.slot,
    Math.floor(context.nowMs / 1000),
    command.id,
    session.database,
    session.clientFlags,
  );
  const { args } = context;
  if (args.rawEnd !== 0) server.clients.setInput(session.slot, args.rawEnd - args.rawStart);
}

/** The line of the connection in a slot, for ACL LOG; as it is now if it is the command's own. */
export function describeClient(context: Context, slot: number): string {
  if (slot === context.session.slot) noteOwn(context);
  const view = context.server.clients.view(slot);
  return view === null ? '' : lineOf(context, view).trimEnd();
}

function replyLines(context: Context, views: readonly ClientView[]): void {
  let text = '';
  for (const view of views) text += lineOf(context, view);
  context.reply.verbatim(text, 'txt');
}

function listByIds(context: Context): void {
  const { args, server } = context;
  const ids: number[] = [];
  for (let index = 3; index < args.count; index++) {
    readInt64(args, index, BAD_ID);
    ids.push(int64.value);
  }
  const byId = new Map(server.clients.views().map((view) => [view.id, view]));
  replyLines(
    context,
    ids.flatMap((id) => byId.get(id) ?? []),
  );
}

function list(context: Context): void {
  const { args, server } = context;
  noteOwn(context);
  if (args.count > 3 && isWord(args, 2, ID) && isOnlyIds(args)) {
    listByIds(context);
    return;
  }
  const filter = ClientFilter.read(context, 2, false);
  replyLines(
    context,
    server.clients.views().filter((view) => filter.accepts(view)),
  );
}

/** Then they are told in the order in which they are named. */
function isOnlyIds(args: Slices): boolean {
  for (let index = 4; index < args.count; index++) {
    if (isFilterName(args.text(index))) return false;
  }
  return true;
}

// ---- closing -----------------------------------------------------------------------------------

function kill(context: Context): void {
  const { args, session, server, reply } = context;
  // The old form has an address and no more.
  const isOld = args.count === 3;
  const filter = isOld ? ClientFilter.ofAddress(args.text(2)) : ClientFilter.read(context, 2, true);

  const meant = server.clients
    .views()
    .filter((view) => filter.accepts(view) && !(filter.skipsSelf && view.id === session.id));
  if (isOld && meant.length === 0) throw NO_SUCH_CLIENT;

  for (const view of meant) {
    // One's own reply still goes out.
    if (view.id === session.id) session.closing = Closing.AfterReply;
    else server.closeClient(view.slot, view.id);
  }

  if (isOld) reply.ok();
  else reply.integer(meant.length);
}

// ---- pausing and waking ------------------------------------------------------------------------

function pause(context: Context): void {
  const { args, server, reply } = context;
  if (args.count > 4) refuseSubcommand(context);
  const isForWrites = isWord(args, 3, WRITE);
  if (args.count === 4 && !isForWrites && !isWord(args, 3, ALL)) throw BAD_PAUSE_MODE;
  readInt64(args, 2, NOT_TIMEOUT);
  const timeoutMs = int64.value;
  if (timeoutMs < 0) throw NEGATIVE_TIMEOUT;
  if (timeoutMs + context.nowMs >= 2 ** 63) throw LONG_TIMEOUT;

  server.pauseClients(timeoutMs === 0 ? 0 : context.nowMs + timeoutMs, !isForWrites);

  reply.ok();
}

function unblock(context: Context): void {
  const { args, server, reply } = context;
  if (args.count > 4) refuseSubcommand(context);
  const withError = isWord(args, 3, ERROR);
  if (args.count === 4 && !withError && !isWord(args, 3, TIMEOUT)) throw BAD_REASON;
  readInt64(args, 2);
  const view = server.clients.find(int64.value);
  const isBlocked = view !== null && (view.flags & ClientFlag.Blocked) !== 0;

  if (isBlocked && !context.blocking.unblock(context, view.id, withError)) {
    server.unblockClient(view.slot, view.id, withError);
  }

  reply.flag(isBlocked);
}

/** ON or OFF at word 2. */
function readSwitch(context: Context): boolean {
  const { args } = context;
  if (isWord(args, 2, ON)) return true;
  if (isWord(args, 2, OFF)) return false;
  throw SYNTAX;
}

function setReplyMode(context: Context): void {
  const { args, session, reply } = context;
  if (isWord(args, 2, ON)) {
    session.replyMode = ReplyMode.On;
    reply.ok();
  } else if (isWord(args, 2, OFF)) {
    session.replyMode = ReplyMode.Off;
  } else if (isWord(args, 2, SKIP)) {
    if (session.replyMode !== ReplyMode.Off) session.replyMode = ReplyMode.SkipNext;
  } else {
    throw SYNTAX;
  }
}

function setAttribute(context: Context): void {
  const { args, session, server, reply } = context;
  const attribute = args.text(2);
  const isName = isWord(args, 2, LIB_NAME);
  if (!isName && !isWord(args, 2, LIB_VER))
    context.refuse(`ERR Unrecognized option '${attribute}'`);
  const value = args.text(3);
  if (!isPrintable(value)) {
    context.refuse(`ERR ${attribute} cannot contain spaces, newlines or special characters.`);
  }
  if (value.length > CLIENT_TEXT_BYTES_MAX) throw LONG_ATTRIBUTE;

  if (isName) {
    session.libraryName = value;
    server.clients.setLibraryName(session.slot, value);
  } else {
    session.libraryVersion = value;
    server.clients.setLibraryVersion(session.slot, value);
  }

  reply.ok();
}

// ---- the container -----------------------------------------------------------------------------

const aboutOneself = [
  sub({
    name: 'id',
    arity: 2,
    group: 'connection',
    since: '5.0.0',
    summary: 'Tells the id of this connection.',
    cost: 'O(1)',
    flags: OWN,
    run({ session, reply }) {
      reply.integer(session.id);
    },
  }),
  sub({
    name: 'info',
    arity: 2,
    group: 'connection',
    since: '6.2.0',
    summary: 'Describes this connection.',
    cost: 'O(1)',
    flags: OWN,
    tips: ['nondeterministic_output'],
    run(context) {
      noteOwn(context);
      const view = context.server.clients.view(context.session.slot);
      replyLines(context, view === null ? [] : [view]);
    },
  }),
  sub({
    name: 'getname',
    arity: 2,
    group: 'connection',
    since: '2.6.9',
    summary: 'Tells the name of this connection.',
    cost: 'O(1)',
    flags: OWN,
    run({ session, reply }) {
      if (session.name === '') reply.nil();
      else reply.text(session.name);
    },
  }),
  sub({
    name: 'setname',
    arity: 3,
    group: 'connection',
    since: '2.6.9',
    summary: 'Names this connection.',
    cost: 'O(1)',
    flags: OWN,
    syntax: 'connection-name',
    tips: ['request_policy:all_nodes', 'response_policy:all_succeeded'],
    run(context) {
      nameSession(context, readClientName(context, 2));
      context.reply.ok();
    },
  }),
  sub({
    name: 'setinfo',
    arity: 4,
    group: 'connection',
    since: '7.2.0',
    summary: 'Says which library and version this connection uses.',
    cost: 'O(1)',
    flags: OWN,
    syntax: '<LIB-NAME libname | LIB-VER libver>',
    tips: ['request_policy:all_nodes', 'response_policy:all_succeeded'],
    run: setAttribute,
  }),
  sub({
    name: 'reply',
    arity: 3,
    group: 'connection',
    since: '3.2.0',
    summary: 'Turns the replies to this connection on or off.',
    cost: 'O(1)',
    flags: OWN,
    syntax: '<ON | OFF | SKIP>',
    run: setReplyMode,
  }),
  sub({
    name: 'no-touch',
    arity: 3,
    group: 'connection',
    since: '7.2.0',
    summary: 'Says whether reads of this connection count as use of the keys.',
    cost: 'O(1)',
    flags: OWN,
    syntax: '<ON | OFF>',
    run(context) {
      const { session, keyspace } = context;
      session.isNoTouch = readSwitch(context);
      // From the next command on; those of a transaction look for themselves.
      keyspace.stamping = keyspace.policyStamping;
      context.reply.ok();
    },
  }),
];

const aboutOthers = [
  sub({
    name: 'list',
    arity: -2,
    group: 'connection',
    since: '2.4.0',
    summary: 'Describes the open connections.',
    cost: 'O(N) where N is the number of connections',
    flags: OTHERS,
    syntax: '[TYPE <NORMAL | MASTER | REPLICA | PUBSUB>] [ID client-id [client-id ...]]',
    tips: ['nondeterministic_output'],
    history: [
      ['2.8.12', 'The id of each connection is unique.'],
      ['5.0.0', 'TYPE was added.'],
      ['6.0.0', 'The field user was added.'],
      ['6.2.0', 'The fields argv-mem, tot-mem, laddr and redir, and the option ID were added.'],
      ['7.0.0', 'The fields resp, multi-mem, rbs and rbp were added.'],
      ['7.0.3', 'The field ssub was added.'],
    ],
    run: list,
  }),
  sub({
    name: 'kill',
    arity: -3,
    group: 'connection',
    since: '2.4.0',
    summary: 'Closes connections.',
    cost: 'O(N) where N is the number of connections',
    flags: OTHERS,
    syntax:
      '<old-format | <[ID client-id] | [TYPE <NORMAL | MASTER | SLAVE | REPLICA | PUBSUB>] | ' +
      '[USER username] | [ADDR addr] | [LADDR laddr] | [SKIPME <YES | NO>] | [MAXAGE maxage]>>',
    history: [
      ['2.8.12', 'The form with options was added.'],
      ['3.2.0', 'The type master was added.'],
      ['5.0.0', 'The type replica is a name for slave.'],
      ['6.2.0', 'LADDR was added.'],
      ['7.4.0', 'MAXAGE was added.'],
    ],
    run: kill,
  }),
  sub({
    name: 'no-evict',
    arity: 3,
    group: 'connection',
    since: '7.0.0',
    summary: 'Says whether this connection may be closed to free memory.',
    cost: 'O(1)',
    flags: OTHERS,
    syntax: '<ON | OFF>',
    run(context) {
      context.session.isNoEvict = readSwitch(context);
      context.reply.ok();
    },
  }),
  sub({
    name: 'pause',
    arity: -3,
    group: 'connection',
    since: '3.0.0',
    summary: 'Holds back commands of all connections for a time.',
    cost: 'O(1)',
    flags: OTHERS,
    syntax: 'timeout [<WRITE | ALL>]',
    history: [['6.2.0', 'WRITE and ALL were added.']],
    run: pause,
  }),
  sub({
    name: 'unpause',
    arity: 2,
    group: 'connection',
    since: '6.2.0',
    summary: 'Ends a pause.',
    cost: 'O(N) where N is the number of paused connections',
    flags: OTHERS,
    run({ server, reply }) {
      server.unpauseClients();
      reply.ok();
    },
  }),
  sub({
    name: 'unblock',
    arity: -3,
    group: 'connection',
    since: '5.0.0',
    summary: 'Ends the wait of a blocked connection.',
    cost: 'O(log N) where N is the number of connections',
    flags: OTHERS,
    syntax: 'client-id [<TIMEOUT | ERROR>]',
    visits: true,
    run: unblock,
  }),
];

const HELP_LINES = [
  'CACHING (YES|NO)',
  '    Enable/disable tracking of the keys for next command in OPTIN/OPTOUT modes.',
  'GETREDIR',
  '    Return the client ID we are redirecting to when tracking is enabled.',
  'GETNAME',
  '    Return the name of the current connection.',
  'ID',
  '    Return the ID of the current connection.',
  'INFO',
  '    Return information about the current client connection.',
  'KILL <ip:port>',
  '    Kill connection made from <ip:port>.',
  'KILL <option> <value> [<option> <value> [...]]',
  '    Kill connections. Options are:',
  '    * ADDR (<ip:port>|<unixsocket>:0)',
  '      Kill connections made from the specified address',
  '    * LADDR (<ip:port>|<unixsocket>:0)',
  '      Kill connections made to specified local address',
  '    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)',
  '      Kill connections by type.',
  '    * USER <username>',
  '      Kill connections authenticated by <username>.',
  '    * SKIPME (YES|NO)',
  '      Skip killing current connection (default: yes).',
  'LIST [options ...]',
  '    Return information about client connections. Options:',
  '    * TYPE (NORMAL|MASTER|REPLICA|PUBSUB)',
  '      Return clients of specified type.',
  'UNPAUSE',
  '    Stop the current client pause, resuming traffic.',
  'PAUSE <timeout> [WRITE|ALL]',
  '    Suspend all, or just write, clients for <timeout> milliseconds.',
  'REPLY (ON|OFF|SKIP)',
  '    Control the replies sent to the current connection.',
  'SETNAME <name>',
  '    Assign the name <name> to the current connection.',
  'SETINFO <option> <value>',
  '    Set client meta attr. Options are:',
  '    * LIB-NAME: the client lib name.',
  '    * LIB-VER: the client lib version.',
  'UNBLOCK <clientid> [TIMEOUT|ERROR]',
  '    Unblock the specified blocked client.',
  'TRACKING (ON|OFF) [REDIRECT <id>] [BCAST] [PREFIX <prefix> [...]]',
  '         [OPTIN] [OPTOUT] [NOLOOP]',
  '    Control server assisted client side caching.',
  'TRACKINGINFO',
  '    Report tracking status for the current connection.',
  'NO-EVICT (ON|OFF)',
  '    Protect current client connection from eviction.',
  'NO-TOUCH (ON|OFF)',
  '    Will not touch LRU/LFU stats when this mode is on.',
];

export const client = containerCommand({
  name: 'client',
  arity: -2,
  group: 'connection',
  since: '2.4.0',
  summary: 'A container for commands about connections.',
  flags: 0,
  subcommands: [
    ...aboutOneself,
    ...aboutOthers,
    ...trackingSubcommands,
    helpSubcommand({
      container: 'client',
      group: 'connection',
      since: '5.0.0',
      lines: HELP_LINES,
    }),
  ],
});
