// How two replies to the same command are compared: byte for byte, unless the command's row says
// that its answer has no order, moves with the clock, or is the server's own choice.

import { decodeReply, printReply, type Reply } from '../support/resp.js';

export type Rule =
  | { readonly kind: 'exact' }
  /** A list without an order of its own. */
  | { readonly kind: 'bag' }
  /** Integers may differ by so much: the two servers read their clocks at different moments. */
  | { readonly kind: 'near'; readonly tolerance: number }
  /** Only the type of the reply counts. */
  | { readonly kind: 'type' };

/** The two servers run a batch within this time of each other, however busy the machine is. */
const CLOCK_MS = 5_000;
const EXACT: Rule = { kind: 'exact' };
const NEAR_SECONDS: Rule = { kind: 'near', tolerance: CLOCK_MS / 1000 };
const NEAR_MS: Rule = { kind: 'near', tolerance: CLOCK_MS };

const RULES: Readonly<Record<string, Rule>> = {
  keys: { kind: 'bag' },
  ttl: NEAR_SECONDS,
  pttl: NEAR_MS,
  expiretime: NEAR_SECONDS,
  pexpiretime: NEAR_MS,
  time: { kind: 'type' },
  'object idletime': { kind: 'type' },
  // Shared integers and copies are counted differently by every allocator and version.
  'object refcount': { kind: 'type' },
  'memory usage': { kind: 'type' },
};

export function ruleOf(words: readonly string[]): Rule {
  const name = words[0]!.toLowerCase();
  const rule = RULES[name];
  if (rule !== undefined) return rule;
  return RULES[`${name} ${(words[1] ?? '').toLowerCase()}`] ?? EXACT;
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
  }
}

/** A text that is the same for the same items in any order. */
export function bagOf(reply: Reply): string {
  if (reply.type !== 'array' && reply.type !== 'set') return printReply(reply);
  return reply.value
    .map((item) => printReply(item))
    .sort()
    .join('\n');
}
