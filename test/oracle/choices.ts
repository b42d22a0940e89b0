// Commands whose answer is the server's own choice: a scan, a random pick. Each choice must be
// right on the other side. For that the two servers hold the same values, and what SPOP takes from
// one is taken from the other.

import { decodeReply, printReply, type Reply, textOf } from '../support/resp.js';
import type { Side } from './side.js';

type Words = readonly string[];
/** What the two sides said, printed, where it does not fit together. */
export type Disagreement = readonly [left: string, right: string];

const SCAN_ROUNDS_MAX = 100_000;
/** SPOP makes a new set where at the most one of so many that it pops is to stay. */
const REBUILD_SHARE = 5;
/** A member that no set of integers takes. */
const NO_INTEGER = '~';
const CURSOR_AT: Readonly<Record<string, number>> = { scan: 1, hscan: 2, sscan: 2, zscan: 2 };
/** How to read all that a pick may pick from. */
const CONTENT: Readonly<Record<string, (key: string) => Words>> = {
  srandmember: (key) => ['SMEMBERS', key],
  hrandfield: (key) => ['HGETALL', key],
  zrandmember: (key) => ['ZRANGE', key, '0', '-1', 'WITHSCORES'],
};

export function isChoice(words: Words): boolean {
  return /^(?:[hsz]?scan|randomkey|spop|[sz]randmember|hrandfield)$/i.test(words[0]!);
}

/** Asks both sides; undefined when their answers fit together. */
export async function compareChoice(
  left: Side,
  right: Side,
  words: Words,
): Promise<Disagreement | undefined> {
  const name = words[0]!.toLowerCase();
  if (name === 'spop') return comparePop(left, right, words);
  const [onLeft, onRight] = await Promise.all([ask(left, words), ask(right, words)]);
  if (CURSOR_AT[name] !== undefined) return compareScans(left, right, words, [onLeft, onRight]);
  const both: Disagreement = [printReply(onLeft), printReply(onRight)];
  // Equal texts are the same choice, the same refusal, or nothing twice.
  if (both[0] === both[1]) return undefined;
  if (onLeft.type === 'error' || onLeft.type !== onRight.type) return both;
  if (name === 'randomkey') {
    const [leftKey, rightKey] = [textOf(onLeft), textOf(onRight)];
    const isRight =
      leftKey !== undefined &&
      rightKey !== undefined &&
      (await exists(left, rightKey)) &&
      (await exists(right, leftKey));
    return isRight ? undefined : both;
  }
  return comparePicks(left, right, words, onLeft, onRight);
}

async function ask(side: Side, words: Words): Promise<Reply> {
  const [frame] = await side.ask([words]);
  return decodeReply(frame!);
}

async function exists(side: Side, key: string): Promise<boolean> {
  const reply = await ask(side, ['EXISTS', key]);
  return reply.type === 'integer' && Number(reply.value) === 1;
}

/** Elements, or pairs where the command answers pairs, however the protocol nests them. */
function itemsOf(reply: Reply, isPaired: boolean): string[] {
  if (reply.type === 'map') {
    return reply.value.map(([key, value]) => `${printReply(key)} ${printReply(value)}`);
  }
  if (reply.type !== 'array' && reply.type !== 'set') return [printReply(reply)];
  const { value } = reply;
  if (!isPaired) return value.map((item) => printReply(item));
  if (value[0]?.type === 'array') return value.map((item) => itemsOf(item, false).join(' '));
  const items: string[] = [];
  for (let at = 0; at + 1 < value.length; at += 2) {
    items.push(`${printReply(value[at]!)} ${printReply(value[at + 1]!)}`);
  }
  return items;
}

/** Both sides pick as many, of what there is, and each item once where the count is positive. */
async function comparePicks(
  left: Side,
  right: Side,
  words: Words,
  onLeft: Reply,
  onRight: Reply,
): Promise<Disagreement | undefined> {
  const isPaired = words.length > 3;
  const [leftItems, rightItems] = [itemsOf(onLeft, isPaired), itemsOf(onRight, isPaired)];
  const both: Disagreement = [printReply(onLeft), printReply(onRight)];
  if (leftItems.length !== rightItems.length) return both;
  const isRight =
    (await holdsAll(left, words, leftItems)) && (await holdsAll(right, words, rightItems));
  const mayRepeat = words[2]?.startsWith('-') === true;
  const isDistinct = mayRepeat || new Set(leftItems).size === leftItems.length;
  return isRight && isDistinct ? undefined : both;
}

/** Are these picks of what the side holds? */
async function holdsAll(side: Side, words: Words, items: readonly string[]): Promise<boolean> {
  const name = words[0]!.toLowerCase();
  const isPaired = words.length > 3;
  const content = await ask(side, CONTENT[name]!(words[1]!));
  const all = new Set(
    isPaired || name === 'srandmember'
      ? itemsOf(content, isPaired)
      : itemsOf(content, true).map((pair) => pair.slice(0, pair.lastIndexOf(' '))),
  );
  return items.every((item) => hasItem(all, item));
}

function hasItem(all: ReadonlySet<string>, item: string): boolean {
  if (all.has(item)) return true;
  // A field alone, where its value has blanks.
  for (const pair of all) if (pair.startsWith(item)) return true;
  return false;
}

/** Takes from the left what it likes, and the same from the right. */
async function comparePop(
  left: Side,
  right: Side,
  words: Words,
): Promise<Disagreement | undefined> {
  const sizeReply = await ask(right, ['SCARD', words[1] ?? '']);
  const size = sizeReply.type === 'integer' ? Number(sizeReply.value) : 0;
  const onLeft = await ask(left, words);
  const popped =
    onLeft.type === 'array' || onLeft.type === 'set'
      ? onLeft.value.map((item) => textOf(item)!)
      : onLeft.type === 'bulk'
        ? [onLeft.value]
        : [];
  if (popped.length === 0) {
    const printed: Disagreement = [printReply(onLeft), printReply(await ask(right, words))];
    return printed[0] === printed[1] ? undefined : printed;
  }
  const wanted = words.length === 2 ? 1 : Math.min(size, Number(words[2]));
  const removed = await ask(right, ['SREM', words[1]!, ...popped]);
  const isRight =
    popped.length === wanted &&
    removed.type === 'integer' &&
    Number(removed.value) === popped.length;
  if (isRight) {
    if (words.length > 2) await rebuildRest(right, words[1]!, size - wanted, wanted);
    return undefined;
  }
  return [
    printReply(onLeft),
    `${wanted} of ${size} were to pop; ${printReply(removed)} were there`,
  ];
}

/** Of a set of which it pops nearly all, SPOP makes a new one of the rest; SREM does not. */
async function rebuildRest(side: Side, key: string, rest: number, popped: number): Promise<void> {
  if (rest === 0 || rest * REBUILD_SHARE > popped) return;
  const encoding = textOf(await ask(side, ['OBJECT', 'ENCODING', key]));
  // A listpack or a set of integers is one again.
  if (encoding !== 'hashtable') return;
  const members = await ask(side, ['SMEMBERS', key]);
  const expiry = await ask(side, ['PEXPIRETIME', key]);
  if (members.type !== 'array' && members.type !== 'set') return;
  const [first, ...others] = members.value.map((member) => textOf(member)!);
  await ask(side, ['DEL', key]);
  // A text makes it a listpack, which it stays, as the one that SPOP makes of a table's members.
  await ask(side, ['SADD', key, NO_INTEGER, first!]);
  if (first !== NO_INTEGER) await ask(side, ['SREM', key, NO_INTEGER]);
  if (others.length > 0) await ask(side, ['SADD', key, ...others]);
  if (expiry.type !== 'integer' || expiry.value < 0) return;
  await ask(side, ['PEXPIREAT', key, String(expiry.value)]);
}

async function compareScans(
  left: Side,
  right: Side,
  words: Words,
  first: readonly [Reply, Reply],
): Promise<Disagreement | undefined> {
  const [leftItems, rightItems] = await Promise.all([
    scanAll(left, words, first[0]),
    scanAll(right, words, first[1]),
  ]);
  return leftItems === rightItems ? undefined : [leftItems, rightItems];
}

/** All that a full scan finds, as a text that compares as a set; an error as itself. */
async function scanAll(side: Side, words: Words, firstReply: Reply): Promise<string> {
  const name = words[0]!.toLowerCase();
  const isPaired = name === 'hscan' || name === 'zscan';
  const cursorAt = CURSOR_AT[name]!;
  const found = new Set<string>();
  let reply = firstReply;
  for (let round = 0; round < SCAN_ROUNDS_MAX; round++) {
    if (reply.type !== 'array') return printReply(reply);
    const [cursor, list] = reply.value;
    for (const item of itemsOf(list!, isPaired)) found.add(item);
    const next = textOf(cursor!)!;
    if (next === '0') return [...found].sort().join('\n');
    reply = await ask(side, [...words.slice(0, cursorAt), next, ...words.slice(cursorAt + 1)]);
  }
  return 'a scan that does not end';
}
