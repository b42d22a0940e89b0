// Commands read ahead: they are looked up and placed as they would be one by one, and touching
// their memory changes nothing.

import { describe, expect, it } from 'vitest';
import { Slices } from '../../src/base/slices.js';
import { genericCommands } from '../../src/commands/generic/index.js';
import { stringCommands } from '../../src/commands/string/index.js';
import { BATCH_COMMANDS, Batch } from '../../src/dispatch/batch.js';
import { placeKey } from '../../src/dispatch/route.js';
import { Engine } from '../support/engine.js';

const SPECS = [...stringCommands, ...genericCommands];

function batchOf(engine: Engine, commands: readonly string[][]): Batch {
  const batch = new Batch(engine.keyspace, engine.runner.table);
  for (const [index, words] of commands.entries()) {
    const given = Slices.of(...words);
    const args = batch.args[index]!;
    args.u8 = given.u8;
    args.count = 0;
    for (let word = 0; word < given.count; word++)
      args.push(given.startOf(word), given.lengthOf(word));
    batch.add(index * 100);
  }
  return batch;
}

describe('a batch', () => {
  it('looks up commands and places the keys of those with one', () => {
    const engine = new Engine({ specs: SPECS });
    const batch = batchOf(engine, [
      ['get', 'k'],
      ['MGET', 'a', 'b'],
      ['BOGUS'],
      ['GET'],
      ['SET', 'k', 'v'],
    ]);

    const names = batch.commands.slice(0, batch.count).map((command) => command?.fullName ?? null);
    expect(names).toEqual(['get', 'mget', null, 'get', 'set']);
    expect([...batch.placed.slice(0, 5)]).toEqual([1, 0, 0, 0, 1]);
    expect([...batch.startsAt.slice(0, 5)]).toEqual([0, 100, 200, 300, 400]);
    const args = Slices.of('GET', 'k');
    expect(batch.args[0]!.partitions[1]).toBe(placeKey(engine.keyspace, args, 1));
    expect(batch.args[0]!.hashes[1]).toBe(args.hashes[1]);
  });

  it('takes name and key from the command before where they are the same', () => {
    const engine = new Engine({ specs: SPECS });
    const words = Slices.of(
      'SET',
      'key:1',
      'v',
      'SET',
      'key:1',
      'w',
      'SET',
      'key:2',
      'x',
      'GET',
      'key:2',
    );
    const batch = new Batch(engine.keyspace, engine.runner.table);
    for (const [first, count] of [
      [0, 3],
      [3, 3],
      [6, 3],
      [9, 2],
    ] as const) {
      const args = batch.args[batch.count]!;
      args.u8 = words.u8;
      args.count = 0;
      for (let word = first; word < first + count; word++) {
        args.push(words.startOf(word), words.lengthOf(word));
      }
      batch.add(0);
    }

    expect([...batch.placed.slice(0, 4)]).toEqual([1, 2, 1, 1]);
    for (const [index, key] of ['key:1', 'key:1', 'key:2', 'key:2'].entries()) {
      const args = Slices.of('GET', key);
      expect(batch.args[index]!.partitions[1]).toBe(placeKey(engine.keyspace, args, 1));
      expect(batch.args[index]!.hashes[1]).toBe(args.hashes[1]);
    }
    expect(batch.commands.slice(0, 4).map((each) => each!.fullName)).toEqual([
      ...['set', 'set', 'set', 'get'],
    ]);
  });

  it('touches what is there and what is not, in any database, and changes nothing', () => {
    const engine = new Engine({ specs: SPECS, partitions: 2 });
    for (let index = 0; index < 300; index++) engine.run('SET', `key:${index}`, 'v'.repeat(index));
    const before = engine.slabs.map(({ u8 }) =>
      Buffer.from(u8.slice(0, 2 ** 20)).toString('latin1'),
    );
    for (let round = 0; round < 20; round++) {
      const commands = Array.from({ length: BATCH_COMMANDS }, (_, index) => [
        'GET',
        `key:${round * 31 + index * 7}`,
      ]);
      const batch = batchOf(engine, commands);
      batch.touch(round % 16);
    }
    const after = engine.slabs.map(({ u8 }) =>
      Buffer.from(u8.slice(0, 2 ** 20)).toString('latin1'),
    );
    expect(after.every((text, index) => text === before[index])).toBe(true);
  });

  it('may touch a table that another thread is tearing down', () => {
    const engine = new Engine({ specs: SPECS, partitions: 1 });
    for (let index = 0; index < 2000; index++) engine.run('SET', `key:${index}`, 'v');
    const { i32 } = engine.slabs[0]!;
    // Whatever the words say by now: hints are read within the slab.
    for (let at = 64; at < 2 ** 18; at += 3) i32[at] = Math.imul(at, 0x9e3779b1);
    const batch = batchOf(
      engine,
      Array.from({ length: BATCH_COMMANDS }, (_, index) => ['GET', `key:${index}`]),
    );
    expect(() => batch.touch(0)).not.toThrow();
  });
});
