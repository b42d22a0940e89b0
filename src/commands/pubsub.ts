// Publish and subscribe. What happens to a message is told in pubsub/hub.ts; here are its commands.
// The replies of the subscribing commands are themselves messages: one for each name, and CLIENT
// REPLY does not silence them.

import { matchesGlob } from '../base/glob.js';
import type { Context } from '../dispatch/context.js';
import {
  type CommandSpec,
  containerCommand,
  Flag,
  type KeySpec,
  keyAt,
  keysFrom,
  sessionCommand,
} from '../dispatch/define.js';
import { updateSubscriberGate } from '../dispatch/gates.js';
import { ReplyMode, type Session } from '../dispatch/session.js';
import { writeConfirmation } from '../pubsub/delivery.js';
import { Kind } from '../pubsub/registry.js';
import { Refusal } from '../resp/errors.js';
import { helpSubcommand, refuseSubcommand, sub } from './server/help.js';

const NO_MEMORY = new Refusal('OOM command not allowed: no memory for another subscription.');

// ---- subscribing -------------------------------------------------------------------------------

const NAMES: readonly string[] = ['channel', 'shardchannel', 'pattern'];

/** One name after the other, each with its confirmation. */
function subscribe(context: Context, kind: Kind): void {
  const { args, session, server, command } = context;
  // Inside MULTI Redis lets channels and patterns through: clients did so before it was forbidden.
  const isInMulti = context.executing !== null && kind !== Kind.Shard;
  if (session.isDenyBlocking && !isInMulti) {
    context.refuse(
      `ERR ${command.spec.name.toUpperCase()} isn't allowed for a DENY BLOCKING client`,
    );
  }

  for (let index = 1; index < args.count; index++) {
    if (!server.pubsub.subscribe(session, kind, args, index)) {
      context.reply.refusal(NO_MEMORY);
      break;
    }
    confirm(context, kind, true, args.copy(index));
  }
  subscriptionsChanged(context);
}

/** The names given, or all. */
function unsubscribe(context: Context, kind: Kind): void {
  const { args, session, server } = context;
  const names: Uint8Array[] = [];
  if (args.count === 1 && session.subscriptions !== null) {
    for (const { group } of session.subscriptions.byKind[kind]!.values()) names.push(group.name);
  }
  for (let index = 1; index < args.count; index++) names.push(args.copy(index));

  for (const name of names) {
    server.pubsub.unsubscribe(session, kind, Buffer.from(name).toString('latin1'));
    confirm(context, kind, false, name);
  }
  if (names.length === 0) confirm(context, kind, false, null);
  subscriptionsChanged(context);
}

/** A confirmation goes out whatever CLIENT REPLY says. */
function confirm(
  context: Context,
  kind: Kind,
  isSubscribed: boolean,
  name: Uint8Array | null,
): void {
  const { session, reply } = context;
  const mode = session.replyMode;
  session.replyMode = ReplyMode.On;
  const count = session.subscriptions?.shownCount(kind) ?? 0;
  writeConfirmation(reply, kind, isSubscribed, name, count);
  if (mode !== ReplyMode.On) reply.commandAt = reply.at;
  session.replyMode = mode;
}

/** What others are told of the session, and what it may say from now on. */
function subscriptionsChanged({ session, server }: Context): void {
  const { subscriptions } = session;
  updateSubscriberGate(session);
  server.clients.setSubscriptions(
    session.slot,
    subscriptions?.count(Kind.Channel) ?? 0,
    subscriptions?.count(Kind.Pattern) ?? 0,
    subscriptions?.count(Kind.Shard) ?? 0,
  );
}

/** RESET: ends all subscriptions without a word. */
export function dropSubscriptions(context: Context): void {
  if (context.session.subscriptions === null) return;
  context.server.pubsub.leave(context.session);
  subscriptionsChanged(context);
}

/** A subscriber of RESP2 cannot tell replies from messages: PING answers in the form of those. */
export function isSubscriberMode(session: Session): boolean {
  return session.subscriptions !== null && session.protocol === 2;
}

const SUBSCRIBES = Flag.DenyOom | Flag.PubSub | Flag.NoScript | Flag.Loading | Flag.Stale;
const UNSUBSCRIBES = Flag.PubSub | Flag.NoScript | Flag.Loading | Flag.Stale;

interface SubscriptionRow {
  readonly name: string;
  readonly kind: Kind;
  readonly isSubscribing: boolean;
  readonly since: string;
  readonly summary: string;
  readonly cost: string;
  readonly keys?: readonly KeySpec[];
}

const SHARD_CHANNELS = [keysFrom(1, -1, 1, 'not_key')];

const SUBSCRIPTION_ROWS: readonly SubscriptionRow[] = [
  {
    name: 'subscribe',
    kind: Kind.Channel,
    isSubscribing: true,
    since: '2.0.0',
    summary: 'Listens to channels.',
    cost: 'O(N) where N is the number of channels to subscribe to',
  },
  {
    name: 'unsubscribe',
    kind: Kind.Channel,
    isSubscribing: false,
    since: '2.0.0',
    summary: 'Stops listening to channels.',
    cost: 'O(N) where N is the number of channels to unsubscribe from',
  },
  {
    name: 'psubscribe',
    kind: Kind.Pattern,
    isSubscribing: true,
    since: '2.0.0',
    summary: 'Listens to all channels that match patterns.',
    cost: 'O(N) where N is the number of patterns to subscribe to',
  },
  {
    name: 'punsubscribe',
    kind: Kind.Pattern,
    isSubscribing: false,
    since: '2.0.0',
    summary: 'Stops listening to channels that match patterns.',
    cost: 'O(N) where N is the number of patterns to unsubscribe from',
  },
  {
    name: 'ssubscribe',
    kind: Kind.Shard,
    isSubscribing: true,
    since: '7.0.0',
    summary: 'Listens to shard channels.',
    cost: 'O(N) where N is the number of shard channels to subscribe to',
    keys: SHARD_CHANNELS,
  },
  {
    name: 'sunsubscribe',
    kind: Kind.Shard,
    isSubscribing: false,
    since: '7.0.0',
    summary: 'Stops listening to shard channels.',
    cost: 'O(N) where N is the number of shard channels to unsubscribe from',
    keys: SHARD_CHANNELS,
  },
];

const subscriptions = SUBSCRIPTION_ROWS.map(({ kind, isSubscribing, ...row }): CommandSpec => {
  const name = NAMES[kind]!;
  const several = `${name} [${name} ...]`;
  return sessionCommand({
    ...row,
    arity: isSubscribing ? -2 : -1,
    group: 'pubsub',
    flags: isSubscribing ? SUBSCRIBES : UNSUBSCRIBES,
    syntax: isSubscribing ? several : `[${several}]`,
    isForSubscribers: true,
    run: (context) => {
      if (isSubscribing) subscribe(context, kind);
      else unsubscribe(context, kind);
    },
  });
});

// ---- publishing --------------------------------------------------------------------------------

const PUBLISHES = Flag.PubSub | Flag.Loading | Flag.Stale | Flag.Fast | Flag.MayReplicate;

/** The reply comes first: whoever publishes to itself reads it before the message. */
function publish({ args, session, server, reply }: Context, kind: Kind.Channel | Kind.Shard): void {
  const { pubsub } = server;

  const receivers = pubsub.count(kind, args, 1);

  reply.integer(receivers);
  // Inside MULTI or a script the messages of all its commands follow their replies.
  if (receivers !== 0) pubsub.publish(args, 1, 2, session.isDenyBlocking);
}

const publishCommand = sessionCommand({
  name: 'publish',
  arity: 3,
  group: 'pubsub',
  since: '2.0.0',
  summary: 'Sends a message to the subscribers of a channel.',
  cost:
    'O(N+M) where N is the number of subscribers of the channel and M the number of patterns ' +
    'that anybody has subscribed to',
  flags: PUBLISHES,
  syntax: 'channel message',
  run: (context) => publish(context, Kind.Channel),
});

const spublish = sessionCommand({
  name: 'spublish',
  arity: 3,
  group: 'pubsub',
  since: '7.0.0',
  summary: 'Sends a message to the subscribers of a shard channel.',
  cost: 'O(N) where N is the number of subscribers of the shard channel',
  flags: PUBLISHES,
  syntax: 'shardchannel message',
  keys: [keyAt(1, 'not_key')],
  run: (context) => publish(context, Kind.Shard),
});

// ---- asking ------------------------------------------------------------------------------------

const ASKS = Flag.PubSub | Flag.Loading | Flag.Stale;

/** The names of a kind, or those that match the pattern at word 2. */
function listNames(context: Context, kind: Kind): void {
  const { args, server, reply } = context;
  if (args.count > 3) refuseSubcommand(context);
  let names = server.pubsub.registry.names(kind);
  if (args.count === 3) {
    const pattern = args.copy(2);
    names = names.filter((name) =>
      matchesGlob(pattern, 0, pattern.length, name, 0, name.length, false),
    );
  }

  reply.array(names.length);
  for (const name of names) reply.bulk(name, 0, name.length);
}

function countSubscribers({ args, server, reply }: Context, kind: Kind): void {
  reply.array((args.count - 2) * 2);
  for (let index = 2; index < args.count; index++) {
    const start = args.startOf(index);
    const length = args.lengthOf(index);
    reply.bulk(args.u8, start, length);
    reply.integer(server.pubsub.registry.countOf(kind, args.u8, start, length));
  }
}

const pubsub = containerCommand({
  name: 'pubsub',
  arity: -2,
  group: 'pubsub',
  since: '2.8.0',
  summary: 'A container for commands about channels and patterns.',
  flags: 0,
  subcommands: [
    sub({
      name: 'channels',
      arity: -2,
      group: 'pubsub',
      since: '2.8.0',
      summary: 'Lists the channels that have subscribers.',
      cost: 'O(N) where N is the number of channels with subscribers',
      flags: ASKS,
      syntax: '[pattern]',
      run: (context) => listNames(context, Kind.Channel),
    }),
    sub({
      name: 'numsub',
      arity: -2,
      group: 'pubsub',
      since: '2.8.0',
      summary: 'Counts the subscribers of channels.',
      cost: 'O(N) where N is the number of channels asked about',
      flags: ASKS,
      syntax: '[channel [channel ...]]',
      run: (context) => countSubscribers(context, Kind.Channel),
    }),
    sub({
      name: 'numpat',
      arity: 2,
      group: 'pubsub',
      since: '2.8.0',
      summary: 'Counts the patterns that have subscribers.',
      cost: 'O(1)',
      flags: ASKS,
      run({ server, reply }) {
        reply.integer(server.pubsub.registry.nameCount(Kind.Pattern));
      },
    }),
    sub({
      name: 'shardchannels',
      arity: -2,
      group: 'pubsub',
      since: '7.0.0',
      summary: 'Lists the shard channels that have subscribers.',
      cost: 'O(N) where N is the number of shard channels with subscribers',
      flags: ASKS,
      syntax: '[pattern]',
      run: (context) => listNames(context, Kind.Shard),
    }),
    sub({
      name: 'shardnumsub',
      arity: -2,
      group: 'pubsub',
      since: '7.0.0',
      summary: 'Counts the subscribers of shard channels.',
      cost: 'O(N) where N is the number of shard channels asked about',
      flags: ASKS,
      syntax: '[shardchannel [shardchannel ...]]',
      run: (context) => countSubscribers(context, Kind.Shard),
    }),
    helpSubcommand({
      container: 'pubsub',
      group: 'pubsub',
      since: '6.2.0',
      lines: [
        'CHANNELS [<pattern>]',
        "    Return the currently active channels matching a <pattern> (default: '*').",
        'NUMPAT',
        '    Return number of subscriptions to patterns.',
        'NUMSUB [<channel> ...]',
        '    Return the number of subscribers for the specified channels, excluding',
        '    pattern subscriptions(default: no channels).',
        'SHARDCHANNELS [<pattern>]',
        '    Return the currently active shard level channels matching a <pattern> ' +
          "(default: '*').",
        'SHARDNUMSUB [<shardchannel> ...]',
        '    Return the number of subscribers for the specified shard level channel(s)',
      ],
    }),
  ],
});

export const pubsubCommands: readonly CommandSpec[] = [
  publishCommand,
  pubsub,
  ...subscriptions,
  spublish,
];
