// SSCAN: some members of a set, and where to go on.

import type { Context } from '../../dispatch/context.js';
import { type CommandSpec, Flag, keyAt, keyCommand } from '../../dispatch/define.js';
import { Encoding, Type } from '../../keyspace/entry.js';
import { SYNTAX } from '../../resp/errors.js';
import { NONE, type Slab } from '../../slab/slab.js';
import { bucketAtPosition, eachInBucket, nextPosition, SCAN_END } from '../../structs/table.js';
import { type MemberRef, memberLength, memberStart } from '../../types/set/member.js';
import { SetValue } from '../../types/set/value.js';
import { SetWalk } from '../../types/set/walk.js';
import { Findings, readCursor, ScanOptions } from '../scan-options.js';
import { openSet } from './members.js';

const set = new SetValue();
const walk = new SetWalk();
const options = new ScanOptions();
const findings = new Findings();
/** Members met by the running scan, whether or not they are wanted. */
let met = 0;
let scanning: Context | null = null;

function readOptions(context: Context): void {
  const { args } = context;
  options.begin();
  for (let index = 3; index < args.count; index += 2) {
    if (!options.read(args, index)) throw SYNTAX;
  }
}

const sscan = keyCommand({
  name: 'sscan',
  arity: -3,
  group: 'set',
  since: '2.8.0',
  summary: 'Lists some members of a set, and where to go on.',
  cost: 'O(1) for a call, O(N) for all calls that it takes to meet N members.',
  flags: Flag.Read,
  syntax: 'key cursor [MATCH pattern] [COUNT count]',
  keys: [keyAt(1, 'RO', 'access')],
  tips: ['nondeterministic_output'],
  run(context) {
    const { args, partition, reply } = context;
    const cursor = readCursor(args, 2);

    const entry = partition.find(args, 1, Type.Set);
    findings.begin();
    if (entry === NONE) {
      findings.endScan(reply, 0);
      return;
    }
    readOptions(context);
    openSet(set, partition, entry);

    if (set.encoding === Encoding.Table) {
      findings.endScan(reply, scanTable(context, cursor));
      return;
    }
    walk.open(set);
    while (walk.next()) {
      walk.asText();
      meet(context, walk.u8, walk.start, walk.length);
    }
    findings.endScan(reply, 0);
  },
});

function meet(context: Context, u8: Uint8Array, start: number, length: number): void {
  if (options.matches(context.args, u8, start, length)) findings.add(u8, start, length);
}

function visit(slab: Slab, ref: number): void {
  const member = ref as MemberRef;
  met++;
  meet(scanning!, slab.u8, memberStart(slab, member), memberLength(slab, member));
}

/** Walks a table on from the cursor; returns the next cursor, 0 at the end. */
function scanTable(context: Context, cursor: number): number {
  const { slab, root } = set;
  scanning = context;
  met = 0;
  let position = cursor % SCAN_END;
  for (let steps = options.stepsMax; ; steps--) {
    eachInBucket(slab, bucketAtPosition(slab, root << 1, position), visit);
    position = nextPosition(slab, root << 1, position);
    if (position === SCAN_END) return 0;
    if (met >= options.count || steps <= 0) return position;
  }
}

export const setScanCommands: readonly CommandSpec[] = [sscan];
