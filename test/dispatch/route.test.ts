// Where commands go: key positions from specifications, slots of Redis Cluster, partitions.

import { describe, expect, it } from 'vitest';
import { keySlot } from '../../src/base/crc.js';
import { hashBytes } from '../../src/base/hash.js';
import { Slices } from '../../src/base/slices.js';
import {
  countedKeysAt,
  crossCommand,
  type KeySpec,
  keyAt,
  keysFrom,
} from '../../src/dispatch/define.js';
import { findKeys, KeyPositions, placeKey } from '../../src/dispatch/route.js';
import { CommandTable } from '../../src/dispatch/table.js';
import { Keyspace, Lookup } from '../../src/keyspace/keyspace.js';
import { freshSlab } from '../support/slab.js';

function keysOf(keys: readonly KeySpec[], text: string): string[] | null {
  const command = new CommandTable([
    crossCommand({
      ...{ name: 'command', arity: -1, group: 'generic', since: '1.0.0', summary: 'S.' },
      ...{ cost: 'O(1)', flags: 0, keys, run() {} },
    }),
  ]).all[0]!;
  const args = Slices.of(...text.split(' '));
  const positions = new KeyPositions();
  if (!findKeys(command, args, positions)) return null;
  return Array.from({ length: positions.count }, (_, at) => args.text(positions.words[at]!));
}

const BY_KEYWORD: KeySpec = {
  flags: ['RW'],
  begin: { keyword: 'STORE', startFrom: 2 },
  find: { lastKey: 0, step: 1, limit: 0 },
};
const FROM_THE_END: KeySpec = { ...BY_KEYWORD, begin: { keyword: 'STORE', startFrom: -2 } };
const HALF: KeySpec = {
  flags: ['RO'],
  begin: { keyword: 'STREAMS', startFrom: 1 },
  find: { lastKey: -1, step: 1, limit: 2 },
};
const UNKNOWN: KeySpec = { flags: [], begin: 'unknown', find: 'unknown' };

const ROWS: readonly [what: string, keys: readonly KeySpec[], text: string, string[] | null][] = [
  ['one key', [keyAt(1)], 'command k v', ['k']],
  ['a missing key', [keyAt(2)], 'command k', null],
  ['all words', [keysFrom(1, -1, 1)], 'command a b c', ['a', 'b', 'c']],
  ['every second word', [keysFrom(1, -1, 2)], 'command a 1 b 2', ['a', 'b']],
  ['all but the last word', [keysFrom(1, -2, 1)], 'command a b 0', ['a', 'b']],
  ['a counted row', [countedKeysAt(1, 1)], 'command 2 a b c', ['a', 'b']],
  ['a counted row of pairs', [countedKeysAt(1, 2)], 'command 2 a 1 b 2 EX', ['a', 'b']],
  ['a count of nothing', [countedKeysAt(1, 1)], 'command 0 a', []],
  ['a count beyond the end', [countedKeysAt(1, 1)], 'command 3 a b', null],
  ['a count that is none', [countedKeysAt(1, 1)], 'command x a b', null],
  ['a negative count', [countedKeysAt(1, 1)], 'command -1 a b', null],
  ['a count that is not there', [countedKeysAt(3, 1)], 'command a b', null],
  ['two specifications', [keyAt(1), countedKeysAt(2, 1)], 'command t 2 a b', ['t', 'a', 'b']],
  ['a keyword', [keyAt(1), BY_KEYWORD], 'command k x store target', ['k', 'target']],
  ['a keyword that is not there', [keyAt(1), BY_KEYWORD], 'command k x y', ['k']],
  ['a keyword without a key', [keyAt(1), BY_KEYWORD], 'command k store', null],
  ['a keyword from the end', [FROM_THE_END], 'command store a store b', ['b']],
  ['the first half of a tail', [HALF], 'command streams a b 1 2', ['a', 'b']],
  ['what nobody knows', [UNKNOWN], 'command a b', []],
];

describe('key positions', () => {
  it.each(ROWS)('are found: %s', (_, keys, text, expected) => {
    expect(keysOf(keys, text)).toEqual(expected);
  });

  it('may be thousands', () => {
    const names = Array.from({ length: 5000 }, (_, index) => `k${index}`);
    expect(keysOf([keysFrom(1, -1, 1)], `command ${names.join(' ')}`)).toEqual(names);
  });
});

describe('placing a key', () => {
  const slabs = Array.from({ length: 8 }, () => freshSlab(2 ** 20));
  const keyspace = new Keyspace(slabs, 1, new Float64Array(Lookup.Words));

  it('takes the partition of its slot', () => {
    for (let index = 0; index < 200; index++) {
      const args = Slices.of('GET', `key:${index}`);
      const partition = placeKey(keyspace, args, 1);
      const start = args.startOf(1);
      expect(partition).toBe(keySlot(args.u8, start, args.lengthOf(1)) & 7);
      expect(args.partitions[1]).toBe(partition);
      expect(args.hashes[1]).toBe(hashBytes(args.u8, start, args.lengthOf(1)));
    }
  });

  it('gives keys with one tag one partition', () => {
    const place = (key: string) => placeKey(keyspace, Slices.of('GET', key), 1);
    for (let index = 0; index < 50; index++) {
      expect(place(`{user:7}:${index}`)).toBe(place('user:7'));
      expect(place(`a{user:7}${index}`)).toBe(place('user:7'));
    }
  });
});
