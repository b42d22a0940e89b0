// CLIENT TRACKING and its relatives: who caches keys says so, and how it wants to hear of their
// changes. What becomes of that is told in pubsub/tracking.ts.

import { int64 } from '../base/ascii.js';
import { isWord, readInt64, word } from '../dispatch/args.js';
import type { Context } from '../dispatch/context.js';
import { Flag } from '../dispatch/define.js';
import { updateTrackedGate } from '../dispatch/gates.js';
import { doOverlap, type Tracked } from '../pubsub/tracked.js';
import { Refusal, SYNTAX } from '../resp/errors.js';
import { sub } from './server/help.js';

const ON = word('ON');
const OFF = word('OFF');
const YES = word('YES');
const NO = word('NO');
const REDIRECT = word('REDIRECT');
const BCAST = word('BCAST');
const OPTIN = word('OPTIN');
const OPTOUT = word('OPTOUT');
const NOLOOP = word('NOLOOP');
const PREFIX = word('PREFIX');

const TWO_REDIRECTS = new Refusal('ERR A client can only redirect to a single other client');
const NO_REDIRECT = new Refusal('ERR The client ID you want redirect to does not exist');
const NEEDS_BCAST = new Refusal('ERR PREFIX option requires BCAST mode to be enabled');
const FIXED_BCAST = new Refusal(
  "ERR You can't switch BCAST mode on/off before disabling tracking for this client, and then " +
    're-enabling it with a different mode.',
);
const NO_EXCEPTIONS = new Refusal('ERR OPTIN and OPTOUT are not compatible with BCAST');
const BOTH_MODES = new Refusal("ERR You can't specify both OPTIN mode and OPTOUT mode");
const FIXED_MODE = new Refusal(
  "ERR You can't switch OPTIN/OPTOUT mode before disabling tracking for this client, and then " +
    're-enabling it with a different mode.',
);
const NOT_CACHING = new Refusal(
  'ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or ' +
    'OPTOUT mode enabled',
);
const NOT_OPTIN = new Refusal(
  'ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.',
);
const NOT_OPTOUT = new Refusal(
  'ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.',
);
const NO_MEMORY = new Refusal('OOM command not allowed: no memory for another prefix.');

const OWN = Flag.NoScript | Flag.Loading | Flag.Stale;

interface Wanted {
  isBroadcast: boolean;
  isOptIn: boolean;
  isOptOut: boolean;
  isNoLoop: boolean;
  redirect: number;
  redirectSlot: number;
  readonly prefixes: Uint8Array[];
}

function readOptions(context: Context): Wanted {
  const { args } = context;
  const wanted: Wanted = {
    isBroadcast: false,
    isOptIn: false,
    isOptOut: false,
    isNoLoop: false,
    redirect: 0,
    redirectSlot: -1,
    prefixes: [],
  };
  for (let index = 3; index < args.count; index++) {
    const hasMore = index + 1 < args.count;
    if (isWord(args, index, REDIRECT) && hasMore) readRedirect(context, ++index, wanted);
    else if (isWord(args, index, BCAST)) wanted.isBroadcast = true;
    else if (isWord(args, index, OPTIN)) wanted.isOptIn = true;
    else if (isWord(args, index, OPTOUT)) wanted.isOptOut = true;
    else if (isWord(args, index, NOLOOP)) wanted.isNoLoop = true;
    else if (isWord(args, index, PREFIX) && hasMore) wanted.prefixes.push(args.copy(++index));
    else throw SYNTAX;
  }
  return wanted;
}

function readRedirect({ args, server }: Context, index: number, wanted: Wanted): void {
  if (wanted.redirect !== 0) throw TWO_REDIRECTS;
  readInt64(args, index);
  const view = server.clients.find(int64.value);
  if (view === null) throw NO_REDIRECT;
  wanted.redirect = view.id;
  wanted.redirectSlot = view.slot;
}

/** Refuses what does not go together, or not with what is on already. */
function checkOptions(wanted: Wanted, tracked: Tracked | null): void {
  const { isBroadcast, isOptIn, isOptOut } = wanted;
  if (!isBroadcast && wanted.prefixes.length > 0) throw NEEDS_BCAST;
  if (tracked !== null && tracked.isBroadcast !== isBroadcast) throw FIXED_BCAST;
  if (isBroadcast && (isOptIn || isOptOut)) throw NO_EXCEPTIONS;
  if (isOptIn && isOptOut) throw BOTH_MODES;
  if (tracked === null) return;
  if ((isOptIn && tracked.isOptOut) || (isOptOut && tracked.isOptIn)) throw FIXED_MODE;
}

/** A key may be told once: prefixes of one session may not overlap. */
function checkPrefixes(
  context: Context,
  prefixes: readonly Uint8Array[],
  tracked: Tracked | null,
): void {
  const had = (tracked?.prefixes ?? []).map(({ prefix }) => prefix).sort(Buffer.compare);
  for (const [index, prefix] of prefixes.entries()) {
    const existing = had.find((each) => doOverlap(each, prefix));
    if (existing !== undefined) refuseOverlap(context, prefix, 'an existing prefix', existing);
    const other = prefixes.slice(index + 1).find((each) => doOverlap(prefix, each));
    if (other !== undefined) refuseOverlap(context, prefix, 'another provided prefix', other);
  }
}

function refuseOverlap(
  context: Context,
  prefix: Uint8Array,
  what: string,
  other: Uint8Array,
): never {
  context.refuse(
    `ERR Prefix '${printed(prefix)}' overlaps with ${what} '${printed(other)}'. Prefixes for a ` +
      'single client must not overlap.',
  );
}

/** As Redis prints it: a zero byte ends it. */
function printed(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1').split('\0', 1)[0]!;
}

const EVERYTHING = new Uint8Array(new ArrayBuffer(0));

function track(context: Context): void {
  const { args, session, server, reply } = context;
  const wanted = readOptions(context);
  if (isWord(args, 2, OFF)) {
    server.tracking.off(session, visitorOf(context));
    updateTrackedGate(session);
    reply.ok();
    return;
  }
  if (!isWord(args, 2, ON)) throw SYNTAX;
  checkOptions(wanted, session.tracked);
  if (wanted.isBroadcast) checkPrefixes(context, wanted.prefixes, session.tracked);
  if (wanted.isBroadcast && wanted.prefixes.length === 0) wanted.prefixes.push(EVERYTHING);

  const isOn = server.tracking.on(session, wanted, wanted.prefixes, visitorOf(context));
  updateTrackedGate(session);
  if (!isOn) throw NO_MEMORY;
  if (context.executing !== null) context.attendance.changed(session);

  reply.ok();
}

/** RESET. */
export function forgetTracking({ session, server }: Context): void {
  if (session.tracked === null) return;
  server.tracking.closed(session);
  updateTrackedGate(session);
}

function visitorOf(context: Context): (visitor: (partition: number) => void) => void {
  return (visitor) => {
    const { length } = context.keyspace.partitions;
    for (let index = 0; index < length; index++) context.visit(index, () => visitor(index));
  };
}

function setCaching(context: Context): void {
  const { args, session, reply } = context;
  const { tracked } = session;
  if (tracked === null) throw NOT_CACHING;
  if (isWord(args, 2, YES)) {
    if (!tracked.isOptIn) throw NOT_OPTIN;
  } else if (isWord(args, 2, NO)) {
    if (!tracked.isOptOut) throw NOT_OPTOUT;
  } else {
    throw SYNTAX;
  }

  tracked.isCachingSaid = true;
  if (context.executing !== null) context.attendance.changed(session);

  reply.ok();
}

function flagsOf(tracked: Tracked | null): string[] {
  if (tracked === null) return ['off'];
  const flags = ['on'];
  if (tracked.isBroadcast) flags.push('bcast');
  if (tracked.isOptIn) flags.push('optin');
  if (tracked.isOptIn && tracked.isCachingSaid) flags.push('caching-yes');
  if (tracked.isOptOut) flags.push('optout');
  if (tracked.isOptOut && tracked.isCachingSaid) flags.push('caching-no');
  if (tracked.isNoLoop) flags.push('noloop');
  if (tracked.isBroken) flags.push('broken_redirect');
  return flags;
}

function tellTracking({ session, reply }: Context): void {
  const { tracked } = session;
  const flags = flagsOf(tracked);
  const prefixes = (tracked?.prefixes ?? []).map(({ prefix }) => prefix).sort(Buffer.compare);

  reply.map(3);
  reply.text('flags');
  reply.set(flags.length);
  for (const flag of flags) reply.text(flag);
  reply.text('redirect');
  reply.integer(tracked === null ? -1 : tracked.redirect);
  reply.text('prefixes');
  reply.array(prefixes.length);
  for (const prefix of prefixes) reply.bulk(prefix, 0, prefix.length);
}

export const trackingSubcommands = [
  sub({
    name: 'caching',
    arity: 3,
    group: 'connection',
    since: '6.0.0',
    summary: 'Says whether the keys that the next command reads will be cached.',
    cost: 'O(1)',
    flags: OWN,
    syntax: '<YES | NO>',
    run: setCaching,
  }),
  sub({
    name: 'getredir',
    arity: 2,
    group: 'connection',
    since: '6.0.0',
    summary: "Tells which connection gets this one's invalidations.",
    cost: 'O(1)',
    flags: OWN,
    run({ session, reply }) {
      reply.integer(session.tracked === null ? -1 : session.tracked.redirect);
    },
  }),
  sub({
    name: 'tracking',
    arity: -3,
    group: 'connection',
    since: '6.0.0',
    summary: 'Says whether this connection caches keys and wants to hear when they change.',
    cost: 'O(1)',
    flags: OWN,
    syntax:
      '<ON | OFF> [REDIRECT client-id] [PREFIX prefix [PREFIX prefix ...]] [BCAST] [OPTIN] ' +
      '[OPTOUT] [NOLOOP]',
    visits: true,
    run: track,
  }),
  sub({
    name: 'trackinginfo',
    arity: 2,
    group: 'connection',
    since: '6.2.0',
    summary: 'Tells what CLIENT TRACKING has switched on.',
    cost: 'O(1)',
    flags: OWN,
    run: tellTracking,
  }),
];
