// How two replies to the same command are compared: byte for byte, unless the command's row says
// that its answer has no order, moves with the clock, or is the server's own choice.

import { decodeReply, printReply, type Reply } from '../support/resp.js';

export type Rule =
  | { readonly kind: 'exact' }
  /** A list without an order of its own. */
  | { readonly kind: 'bag' }
  /** Pairs without an order: a map, or in RESP2 the list of its keys and values. */
  | { readonly kind: 'pairs' }
  /** Only the number of items counts. */
  | { readonly kind: 'count' }
  /** Integers may differ by so much: the two servers read their clocks at different moments. */
  | { readonly kind: 'near'; readonly tolerance: number }
  /** Only the type of the reply counts. */
  | { readonly kind: 'type' }
  /** Facts with names, of which some are the server's own. */
  | { readonly kind: 'facts'; readonly own: readonly string[] }
  /** A line of `name:figure`, of which only these count. */
  | { readonly kind: 'figures'; readonly names: readonly string[] }
  /** Texts of which those may change places that are the same up to a zero byte. */
  | { readonly kind: 'collated' }
  /** Rows by distance: of equal ones either may come first, or be the one beyond COUNT. */
  | { readonly kind: 'places' }
  /** Rows whose item `at` is a time. */
  | { readonly kind: 'timed'; readonly at: number };

/** The two servers run a batch within this time of each other, however busy the machine is. */
const CLOCK_MS = 5_000;
const EXACT: Rule = { kind: 'exact' };
const BAG: Rule = { kind: 'bag' };
const COLLATED: Rule = { kind: 'collated' };
const NEAR_SECONDS: Rule = { kind: 'near', tolerance: CLOCK_MS / 1000 };
const NEAR_MS: Rule = { kind: 'near', tolerance: CLOCK_MS };
/** Where XPENDING has the time since a delivery. */
const IDLE_AT = 2;

type RuleOf = (words: readonly string[]) => Rule;

const RULES: Readonly<Record<string, Rule | RuleOf>> = {
  keys: BAG,
  ttl: NEAR_SECONDS,
  pttl: NEAR_MS,
  expiretime: NEAR_SECONDS,
  pexpiretime: NEAR_MS,
  time: { kind: 'type' },
  'object idletime': { kind: 'type' },
  // Shared integers and copies are counted differently by every allocator and version.
  'object refcount': { kind: 'type' },
  'memory usage': { kind: 'type' },
  'debug object': {
    kind: 'figures',
    names: ['encoding', 'ql_nodes', 'ql_listpack_max', 'ql_uncompressed_size'],
  },
  hgetall: { kind: 'pairs' },
  hkeys: BAG,
  hvals: BAG,
  smembers: BAG,
  sinter: BAG,
  sunion: BAG,
  sdiff: BAG,
  geosearch: foundPlaces,
  georadius: foundPlaces,
  georadius_ro: foundPlaces,
  georadiusbymember: foundPlaces,
  georadiusbymember_ro: foundPlaces,
  sort: sorted,
  sort_ro: sorted,
  xpending: (words) => (words.length > 3 ? { kind: 'timed', at: IDLE_AT } : EXACT),
  'xinfo stream': { kind: 'facts', own: ['radix-tree-keys', 'radix-tree-nodes'] },
  'xinfo consumers': { kind: 'facts', own: ['idle', 'inactive'] },
};

/** Unsorted places come in the order of the server's boxes. */
function foundPlaces(words: readonly string[]): Rule {
  return words.some((word) => /^(?:asc|desc|count)$/i.test(word)) ? { kind: 'places' } : BAG;
}

/** A set that is not sorted has the order of its table. */
function sorted(words: readonly string[]): Rule {
  if (!words.includes('nosort')) {
    // Redis compares such texts as C strings, and its quicksort leaves equal ones anywhere.
    const isCollated = words.some((word) => /^alpha$/i.test(word));
    return isCollated && !words.some((word) => /^(?:get|store)$/i.test(word)) ? COLLATED : EXACT;
  }
  return words.some((word) => /^limit$/i.test(word)) ? { kind: 'count' } : BAG;
}

export function ruleOf(words: readonly string[]): Rule {
  const name = words[0]!.toLowerCase();
  const rule = RULES[name] ?? RULES[`${name} ${(words[1] ?? '').toLowerCase()}`] ?? EXACT;
  return typeof rule === 'function' ? rule(words) : rule;
}

export function agree(words: readonly string[], left: Buffer, right: Buffer): boolean {
  if (left.equals(right)) return true;
  const rule = ruleOf(words);
  if (rule.kind === 'exact') return false;
  return follows(rule, decodeReply(left), decodeReply(right));
}

function follows(rule: Rule, left: Reply, right: Reply): boolean {
  if (left.type !== right.type) return false;
  switch (rule.kind) {
    case 'exact':
      return printReply(left) === printReply(right);
    case 'type':
      return left.type !== 'error';
    case 'near': {
      if (left.type !== 'integer' || right.type !== 'integer') return false;
      // -1 and -2 mean no life time and no key; nothing is near to them.
      if (left.value < 0 || right.value < 0) return left.value === right.value;
      return Math.abs(Number(left.value) - Number(right.value)) <= rule.tolerance;
    }
    case 'bag':
      return bagOf(left) === bagOf(right);
    case 'collated':
      return bagOf(left) === bagOf(right) && heads(left) === heads(right);
    case 'places':
      return bagOf(left) === bagOf(right) || (isTold(left) && told(left) === told(right));
    case 'pairs':
      return pairsOf(left).sort().join('\n') === pairsOf(right).sort().join('\n');
    case 'count':
      return 'value' in left && lengthOf(left) === lengthOf(right);
    case 'facts':
      return factsOf(left, rule.own) === factsOf(right, rule.own);
    case 'figures':
      return rule.names.every((name) => figureOf(left, name) === figureOf(right, name));
    case 'timed':
      return untimed(left, rule.at) === untimed(right, rule.at);
  }
}

function lengthOf(reply: Reply): number {
  return reply.type === 'array' || reply.type === 'set' ? reply.value.length : -1;
}

/** A text that is the same for the same items in any order. */
export function bagOf(reply: Reply): string {
  if (reply.type !== 'array' && reply.type !== 'set') return printReply(reply);
  return reply.value
    .map((item) => printReply(item))
    .sort()
    .join('\n');
}

/** Do the rows tell more of their places than the names? */
function isTold(reply: Reply): boolean {
  return reply.type === 'array' && reply.value.length > 0 && reply.value[0]!.type === 'array';
}

/** What rows tell besides the names, in order. */
function told(reply: Reply): string {
  if (reply.type !== 'array') return printReply(reply);
  return reply.value
    .map((row) =>
      row.type === 'array'
        ? row.value
            .slice(1)
            .map((each) => printReply(each))
            .join(' ')
        : '',
    )
    .join('\n');
}

/** The items up to their first zero bytes. */
function heads(reply: Reply): string {
  if (reply.type !== 'array') return printReply(reply);
  return reply.value.map((item) => printReply(item).replace(/(?:\\x00.*)?"$/, '')).join('\n');
}

function pairsOf(reply: Reply): string[] {
  if (reply.type === 'map') {
    return reply.value.map(([key, value]) => `${printReply(key)}: ${printReply(value)}`);
  }
  if (reply.type !== 'array') return [printReply(reply)];
  const { value } = reply;
  const pairs: string[] = [];
  for (let at = 0; at + 1 < value.length; at += 2) {
    pairs.push(`${printReply(value[at]!)}: ${printReply(value[at + 1]!)}`);
  }
  return pairs;
}

/** Named facts, or a list of such, without those of the server's own. */
function factsOf(reply: Reply, own: readonly string[]): string {
  const isList = reply.type === 'array' && (reply.value.length === 0 || isNested(reply.value[0]!));
  if (isList) return reply.value.map((item) => factsOf(item, own)).join('\n\n');
  const isOwn = (pair: string): boolean => own.some((name) => pair.startsWith(`$"${name}": `));
  return pairsOf(reply)
    .filter((pair) => !isOwn(pair))
    .join('\n');
}

function isNested(reply: Reply): boolean {
  return reply.type === 'array' || reply.type === 'map';
}

/** The figure behind a name; an error is one in all. */
function figureOf(reply: Reply, name: string): string {
  if (reply.type !== 'simple') return printReply(reply);
  return new RegExp(` ${name}:(\\S+)`).exec(reply.value)?.[1] ?? '';
}

function untimed(reply: Reply, at: number): string {
  if (reply.type !== 'array') return printReply(reply);
  return reply.value
    .map((line) =>
      line.type === 'array'
        ? line.value.map((item, index) => (index === at ? '' : printReply(item))).join(' ')
        : printReply(line),
    )
    .join('\n');
}
