// Where a command goes: key positions → slots → partitions. `placeKey` is on the hot path; the rest
// serves commands with several keys, COMMAND GETKEYS and ACL.

import { parseSafeInteger } from '../base/ascii.js';
import { keySlot } from '../base/crc.js';
import { hashBytes } from '../base/hash.js';
import type { Slices } from '../base/slices.js';
import type { Keyspace } from '../keyspace/keyspace.js';
import { isWord, word as wordOf } from './args.js';
import type { Command } from './command.js';
import type { KeySpec } from './define.js';

/** Hashes the key at word `index` and finds its partition. */
export function placeKey(keyspace: Keyspace, args: Slices, index: number): number {
  const start = args.startOf(index);
  const length = args.lengthOf(index);
  const partition = keySlot(args.u8, start, length) & keyspace.mask;
  args.partitions[index] = partition;
  args.hashes[index] = hashBytes(args.u8, start, length);
  return partition;
}

/** Word indexes of keys, reused by all calls of a thread. */
export class KeyPositions {
  words = new Int32Array(64);
  /** Which key specification each came from. */
  specs = new Uint8Array(64);
  count = 0;
  /** The command may reach keys that none of its words names: it needs all partitions. */
  isEvery = false;

  add(word: number, spec: number): void {
    if (this.count === this.words.length) {
      const words = new Int32Array(this.count * 2);
      const specs = new Uint8Array(this.count * 2);
      words.set(this.words);
      specs.set(this.specs);
      this.words = words;
      this.specs = specs;
    }
    this.words[this.count] = word;
    this.specs[this.count] = spec;
    this.count++;
  }
}

/**
 * Finds the keys of a command. False when the arguments do not name keys where they should (a key
 * count that is no number, a range beyond the end): the handler refuses such a command itself.
 */
export function findKeys(command: Command, args: Slices, out: KeyPositions): boolean {
  out.count = 0;
  out.isEvery = false;
  if (command.hasPlainKeys && command.firstKey !== 0) {
    const last = command.lastKey < 0 ? args.count + command.lastKey : command.lastKey;
    if (last >= args.count) return false;
    for (let index = command.firstKey; index <= last; index += command.keyStep) out.add(index, 0);
    return true;
  }
  if (command.spec.findKeys !== undefined) return command.spec.findKeys(args, out);
  const specs = command.spec.keys;
  if (specs === undefined) return true;
  for (let index = 0; index < specs.length; index++) {
    if (!findBySpec(specs[index]!, index, args, out)) return false;
  }
  return true;
}

function findBySpec(spec: KeySpec, specIndex: number, args: Slices, out: KeyPositions): boolean {
  const begin = beginOf(spec, args);
  if (begin === -1) return true;
  if (begin >= args.count) return begin === args.count && mayBeEmpty(spec);
  if (spec.find === 'unknown') return false;
  let first = begin;
  let last: number;
  if ('lastKey' in spec.find) {
    const { lastKey, limit } = spec.find;
    if (lastKey >= 0) last = begin + lastKey;
    else if (limit <= 1) last = args.count + lastKey;
    else last = begin + Math.floor((args.count - begin) / limit) + lastKey;
  } else {
    const countAt = begin + spec.find.keyCountAt;
    if (countAt >= args.count) return false;
    const count = parseSafeInteger(args.u8, args.startOf(countAt), args.lengthOf(countAt));
    if (!(count >= 0 && count <= args.count)) return false;
    first = begin + spec.find.firstKey;
    last = first + (count - 1) * spec.find.step;
  }
  if (last >= args.count) return false;
  for (let word = first; word <= last; word += spec.find.step) out.add(word, specIndex);
  return true;
}

/** PFMERGE without sources: what reaches to the last word may begin behind it. */
function mayBeEmpty({ find }: KeySpec): boolean {
  return typeof find === 'object' && 'lastKey' in find && find.lastKey === -1 && find.limit === 0;
}

/** Keywords before keys as bytes, by their text: STREAMS is looked for in every XREAD. */
const keywords = new Map<string, Uint8Array>();

function keywordBytes(text: string): Uint8Array {
  let bytes = keywords.get(text);
  if (bytes === undefined) {
    bytes = wordOf(text);
    keywords.set(text, bytes);
  }
  return bytes;
}

function beginOf(spec: KeySpec, args: Slices): number {
  if (spec.begin === 'unknown') return -1;
  if ('index' in spec.begin) return spec.begin.index;
  const { keyword, startFrom } = spec.begin;
  const bytes = keywordBytes(keyword);
  const step = startFrom < 0 ? -1 : 1;
  const from = startFrom < 0 ? args.count + startFrom : startFrom;
  for (let word = from; word > 0 && word < args.count; word += step) {
    if (isWord(args, word, bytes)) return word + 1;
  }
  return -1;
}
