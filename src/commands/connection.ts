// Connections: greeting, logging in, choosing a database, leaving. CLIENT stands in client.ts.

import { DEFAULT_USER } from '../acl/user.js';
import { int64 } from '../base/ascii.js';
import { isWord, readInt64, readIntegerIn, word } from '../dispatch/args.js';
import type { Context } from '../dispatch/context.js';
import { type CommandSpec, Flag, InMulti, sessionCommand } from '../dispatch/define.js';
import { updateSubscriberGate } from '../dispatch/gates.js';
import { REDIS_VERSION } from '../dispatch/server-door.js';
import { Closing, ReplyMode } from '../dispatch/session.js';
import { DATABASE_OUT_OF_RANGE, NOT_INTEGER, Refusal, SYNTAX } from '../resp/errors.js';
import { client, nameSession, readClientName } from './client.js';
import { forgetTracking } from './client-tracking.js';
import { dropSubscriptions, isSubscriberMode } from './pubsub.js';
import { stopMonitoring } from './server/monitor.js';

const AUTH = word('AUTH');
const SETNAME = word('SETNAME');

const NO_PASSWORD_SET = new Refusal(
  'ERR AUTH <password> called without any password configured for the default user. ' +
    'Are you sure your configuration is correct?',
);
const WRONG_PASSWORD = new Refusal('WRONGPASS invalid username-password pair or user is disabled.');
const NO_SUCH_PROTOCOL = new Refusal('NOPROTO unsupported protocol version');
const NOT_PROTOCOL = new Refusal('ERR Protocol version is not an integer or out of range');
const HELLO_FIRST = new Refusal(
  'NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO ' +
    '<proto> AUTH <user> <pass> option can be used to authenticate the client and select the ' +
    'RESP protocol version at the same time',
);

const INT32_MAX = 2 ** 31 - 1;
const NOT_INT32 = new Refusal(
  `ERR value is out of range, value must between ${-INT32_MAX - 1} and ${INT32_MAX}`,
);

// Strangers may say these, and they count as short.
const FOR_STRANGERS =
  Flag.NoScript | Flag.Loading | Flag.Stale | Flag.Fast | Flag.NoAuth | Flag.AllowBusy;

/** Acts as that user from now on, or refuses. */
function logIn({ args, session, server }: Context, user: string, passwordIndex: number): void {
  const password = args.copy(passwordIndex);
  if (!server.access.authenticate(session, user, password, args.text(0))) throw WRONG_PASSWORD;
}

function setProtocol(context: Context, protocol: 2 | 3): void {
  context.session.protocol = protocol;
  context.reply.protocol = protocol;
  updateSubscriberGate(context.session);
  context.server.clients.setProtocol(context.session.slot, protocol);
}

const auth = sessionCommand({
  name: 'auth',
  arity: -2,
  group: 'connection',
  since: '1.0.0',
  summary: 'Logs this connection in.',
  cost: 'O(N) where N is the number of passwords of the user',
  flags: FOR_STRANGERS,
  syntax: '[username] password',
  history: [['6.0.0', 'The form with a user name was added.']],
  run(context) {
    const { args, reply } = context;
    if (args.count > 3) throw SYNTAX;
    const { access } = context.server;
    if (args.count === 2 && access.accounts.default.isPasswordless) throw NO_PASSWORD_SET;

    logIn(context, args.count === 2 ? DEFAULT_USER : args.text(1), args.count - 1);

    reply.ok();
  },
});

/** HELLO's options behind the version: the words where they stand, 0 if they do not. */
interface Greeting {
  userIndex: number;
  name: string | null;
}

function readGreeting(context: Context): Greeting {
  const { args } = context;
  const greeting: Greeting = { userIndex: 0, name: null };
  for (let index = 2; index < args.count; index++) {
    const moreWords = args.count - 1 - index;
    if (isWord(args, index, AUTH) && moreWords >= 2) {
      greeting.userIndex = index + 1;
      index += 2;
    } else if (isWord(args, index, SETNAME) && moreWords >= 1) {
      greeting.name = readClientName(context, index + 1);
      index += 1;
    } else {
      context.refuse(`ERR Syntax error in HELLO option '${args.text(index)}'`);
    }
  }
  return greeting;
}

const hello = sessionCommand({
  name: 'hello',
  arity: -1,
  group: 'connection',
  since: '6.0.0',
  summary: 'Greets the server, and chooses the protocol.',
  cost: 'O(1)',
  flags: FOR_STRANGERS,
  syntax: '[protover [AUTH username password] [SETNAME clientname]]',
  history: [['6.2.0', 'Without a version it tells about the connection as it is.']],
  run(context) {
    const { args, session, reply } = context;
    let protocol: 2 | 3 | 0 = 0;
    if (args.count >= 2) {
      readInt64(args, 1, NOT_PROTOCOL);
      if (int64.value !== 2 && int64.value !== 3) throw NO_SUCH_PROTOCOL;
      protocol = int64.value;
    }
    const greeting = readGreeting(context);
    const { userIndex } = greeting;
    if (userIndex > 0) logIn(context, args.text(userIndex), userIndex + 1);
    else if (!session.isAuthenticated) throw HELLO_FIRST;

    if (greeting.name !== null) nameSession(context, greeting.name);
    if (protocol !== 0) setProtocol(context, protocol);

    reply.map(7);
    reply.text('server');
    reply.text('redis');
    reply.text('version');
    reply.text(REDIS_VERSION);
    reply.text('proto');
    reply.integer(session.protocol);
    reply.text('id');
    reply.integer(session.id);
    reply.text('mode');
    reply.text('standalone');
    reply.text('role');
    reply.text('master');
    reply.text('modules');
    reply.array(0);
  },
});

const select = sessionCommand({
  name: 'select',
  arity: 2,
  group: 'connection',
  since: '1.0.0',
  summary: 'Chooses the database of this connection.',
  cost: 'O(1)',
  flags: Flag.Loading | Flag.Stale | Flag.Fast,
  syntax: 'index',
  run({ args, session, keyspace, reply }) {
    const index = readIntegerIn(args, 1, -INT32_MAX - 1, INT32_MAX, NOT_INT32, NOT_INTEGER);
    if (index < 0 || index >= keyspace.databaseCount) throw DATABASE_OUT_OF_RANGE;

    session.database = index;

    reply.ok();
  },
});

const ping = sessionCommand({
  name: 'ping',
  arity: -1,
  group: 'connection',
  since: '1.0.0',
  summary: 'Answers, to show that the server does.',
  cost: 'O(1)',
  flags: Flag.Fast,
  syntax: '[message]',
  tips: ['request_policy:all_shards', 'response_policy:all_succeeded'],
  isForSubscribers: true,
  run({ args, session, command, reply }) {
    if (args.count > 2) throw command.wrongArity;
    if (isSubscriberMode(session)) {
      reply.array(2);
      reply.text('pong');
      if (args.count === 1) reply.text('');
      else reply.bulk(args.u8, args.startOf(1), args.lengthOf(1));
    } else if (args.count === 1) reply.raw(PONG);
    else reply.bulk(args.u8, args.startOf(1), args.lengthOf(1));
  },
});

const PONG = Buffer.from('+PONG\r\n', 'latin1');

const echo = sessionCommand({
  name: 'echo',
  arity: 2,
  group: 'connection',
  since: '1.0.0',
  summary: 'Answers with the message it was given.',
  cost: 'O(1)',
  flags: Flag.Loading | Flag.Stale | Flag.Fast,
  syntax: 'message',
  run({ args, reply }) {
    reply.bulk(args.u8, args.startOf(1), args.lengthOf(1));
  },
});

const reset = sessionCommand({
  name: 'reset',
  arity: 1,
  group: 'connection',
  since: '6.2.0',
  summary: 'Brings this connection back to how it was at its start.',
  cost: 'O(1)',
  flags: FOR_STRANGERS,
  inMulti: InMulti.Ends,
  isForSubscribers: true,
  run(context) {
    const { session, reply } = context;
    context.transactions.end(session);
    dropSubscriptions(context);
    forgetTracking(context);
    stopMonitoring(context);
    session.database = 0;
    context.server.access.begin(session);
    context.server.clients.setUser(session.slot, session.user);
    session.replyMode = ReplyMode.On;
    session.isReadOnly = false;
    session.isNoEvict = false;
    session.isNoTouch = false;
    context.keyspace.stamping = context.keyspace.policyStamping;
    // The library's name and version stay: it is still the one behind the connection.
    nameSession(context, '');
    setProtocol(context, 2);

    reply.simple('RESET');
  },
});

const quit = sessionCommand({
  name: 'quit',
  arity: -1,
  group: 'connection',
  since: '1.0.0',
  summary: 'Closes this connection.',
  cost: 'O(1)',
  flags: FOR_STRANGERS,
  deprecatedSince: '7.2.0',
  replacedBy: 'just closing the connection',
  inMulti: InMulti.Ends,
  isForSubscribers: true,
  run({ session, reply }) {
    session.closing = Closing.AfterReply;
    reply.ok();
  },
});

export const connectionCommands: readonly CommandSpec[] = [
  auth,
  client,
  echo,
  hello,
  ping,
  quit,
  reset,
  select,
];
