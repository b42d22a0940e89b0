// HSCAN: the fields of a hash, some with each call. A small hash is answered as a whole.

import type { Slices } from '../../base/slices.js';
import { isWord, word } from '../../dispatch/args.js';
import type { Context } from '../../dispatch/context.js';
import { type CommandSpec, Flag, keyAt, keyCommand } from '../../dispatch/define.js';
import { SYNTAX } from '../../resp/errors.js';
import type { Slab } from '../../slab/slab.js';
import { bucketAtPosition, eachInBucket, nextPosition, SCAN_END } from '../../structs/table.js';
import { Text } from '../../types/hash/hash.js';
import { tableOf } from '../../types/hash/large.js';
import { Findings, readCursor, ScanOptions } from '../scan-options.js';
import { hash, readHash } from './open.js';

const NOVALUES = word('NOVALUES');

/** The running HSCAN. */
const options = new ScanOptions();
const findings = new Findings();
const name = new Text();
let withValues = true;
let sampled = 0;
let args: Slices;

function readOptions(): void {
  options.begin();
  withValues = true;
  for (let index = 3; index < args.count; index++) {
    if (options.read(args, index)) index++;
    else if (isWord(args, index, NOVALUES)) withValues = false;
    else throw SYNTAX;
  }
}

/** Adds the pair to the findings if the pattern fits its name. */
function addPair(): void {
  if (options.patternIndex !== 0) {
    hash.readName(name);
    if (!options.matches(args, name.u8, name.start, name.length)) return;
  }
  hash.replyName(findings.reply);
  findings.count++;
  if (!withValues) return;
  hash.replyValue(findings.reply);
  findings.count++;
}

function visitField(_slab: Slab, field: number): void {
  sampled++;
  if (hash.standOn(field)) addPair();
}

function scanLarge(cursor: number): number {
  const { slab, root } = hash;
  const table = tableOf(root);
  let position = cursor;
  let stepsLeft = options.stepsMax;
  sampled = 0;
  while (position < SCAN_END) {
    const bucket = bucketAtPosition(slab, table, position);
    if (bucket === 0) return 0;
    eachInBucket(slab, bucket, visitField);
    position = nextPosition(slab, table, position);
    stepsLeft--;
    if (sampled >= options.count || stepsLeft < 0) break;
  }
  return position < SCAN_END ? position : 0;
}

function scanSmall(): number {
  hash.beginWalk();
  while (hash.next()) addPair();
  return 0;
}

const hscan = keyCommand({
  name: 'hscan',
  arity: -3,
  group: 'hash',
  since: '2.8.0',
  summary: 'Lists some fields of a hash with their values, and where to go on.',
  cost: 'O(1) for a call, O(N) for all calls that it takes to meet N fields.',
  flags: Flag.Read,
  syntax: 'key cursor [MATCH pattern] [COUNT count] [NOVALUES]',
  keys: [keyAt(1, 'RO', 'access')],
  tips: ['nondeterministic_output'],
  history: [['7.4.0', 'Takes the option NOVALUES.']],
  run(context: Context) {
    args = context.args;
    const cursor = readCursor(args, 2);
    findings.begin();

    // As in Redis, a key that does not exist hides mistakes in the options.
    if (!readHash(context)) {
      findings.endScan(context.reply, 0);
      return;
    }
    readOptions();

    const next = hash.isLarge ? scanLarge(cursor) : scanSmall();
    findings.endScan(context.reply, next);
  },
});

export const scanCommands: readonly CommandSpec[] = [hscan];
