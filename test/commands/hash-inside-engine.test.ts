// Small hashes inside the entry of their key: into it when they are written, out of it when they
// change in length, along with it when the key gets another name or an expiry.

import { describe, expect, it } from 'vitest';
import { genericCommands } from '../../src/commands/generic/index.js';
import { hashCommands } from '../../src/commands/hash/index.js';
import { Config } from '../../src/config/config.js';
import { Encoding, type EntryRef, encodingOf, Type, typeOf } from '../../src/keyspace/entry.js';
import { flushPartition } from '../../src/keyspace/flush.js';
import { eachEntry } from '../../src/keyspace/scan.js';
import { kindOf, rootOf } from '../../src/keyspace/values.js';
import { checkSlab } from '../../src/slab/check.js';
import { usedBytesOf } from '../../src/slab/slab.js';
import { Engine, type EngineOptions } from '../support/engine.js';
import { randomTest } from '../support/random-test.js';
import { bulkTexts } from '../support/resp.js';
import type { Random } from '../support/seed.js';

function start(options: Partial<EngineOptions> = {}): Engine {
  const specs = [...hashCommands, ...genericCommands];
  return new Engine({ specs, server: { config: new Config() }, ...options });
}

/** Checks all hashes and slabs; how the hashes are encoded. */
function check(engine: Engine): Encoding[] {
  const encodings: Encoding[] = [];
  for (const partition of engine.keyspace.partitions) {
    partition.select(0);
    eachEntry(partition, (slab, ref) => {
      const entry = ref as EntryRef;
      expect(typeOf(slab, entry)).toBe(Type.Hash);
      encodings.push(encodingOf(slab, entry));
      kindOf(Type.Hash).check(slab, encodingOf(slab, entry), rootOf(slab, entry));
    });
    checkSlab(partition.slab);
  }
  return encodings;
}

const KEYS = ['a', 'bb', 'ccc', 'dddd', 'eeeee', 'a-longer-name', 'k'.repeat(1100)];
const FIELDS = ['one', 'two', 'three', 'four', '5'];
const VALUES = ['x', 'y', 'longer', 'v'.repeat(70), '1', '2', '300', '-70000', ''];

/** A keyspace of hashes, beside what ought to be in it. */
class Model {
  readonly engine = start({ partitions: 2 });
  readonly hashes = new Map<string, Map<string, string>>();

  step(random: Random): void {
    const key = random.pick(KEYS);
    const field = random.pick(FIELDS);
    const value = random.pick(VALUES);
    const hash = this.hashes.get(key);
    switch (random.below(12)) {
      case 0:
      case 1:
        this.setAll(key, random);
        return;
      case 2:
        this.engine.run('HSET', key, field, value);
        this.fieldsOf(key).set(field, value);
        return;
      case 3:
        this.engine.run('HDEL', key, field);
        hash?.delete(field);
        if (hash?.size === 0) this.hashes.delete(key);
        return;
      case 4:
        this.increment(key, field, random.between(-3, 300));
        return;
      case 5:
        this.engine.run('PEXPIRE', key, '1000000');
        return;
      case 6:
        this.engine.run('PERSIST', key);
        return;
      case 7:
        this.rename(key, random.pick(KEYS));
        return;
      case 8:
        this.copy(key, random.pick(KEYS));
        return;
      case 9:
        this.restore(key, random.pick(KEYS));
        return;
      case 10:
        if (random.chance(0.3)) this.engine.run('HPEXPIRE', key, '1000000', 'FIELDS', '1', field);
        return;
      default:
        if (random.chance(0.3)) this.delete(key);
    }
  }

  private fieldsOf(key: string): Map<string, string> {
    const hash = this.hashes.get(key) ?? new Map<string, string>();
    this.hashes.set(key, hash);
    return hash;
  }

  private setAll(key: string, random: Random): void {
    const words: string[] = [];
    const hash = this.fieldsOf(key);
    for (const field of FIELDS) {
      if (random.chance(0.2)) continue;
      const value = random.pick(VALUES);
      words.push(field, value);
      hash.set(field, value);
    }
    if (words.length !== 0) this.engine.run('HSET', key, ...words);
    if (hash.size === 0) this.hashes.delete(key);
  }

  private increment(key: string, field: string, by: number): void {
    const reply = this.engine.run('HINCRBY', key, field, String(by));
    if (reply.startsWith(':')) this.fieldsOf(key).set(field, reply.slice(1, -2));
  }

  private rename(key: string, to: string): void {
    const reply = this.engine.run('RENAME', key, to);
    if (!reply.startsWith('+') || key === to) return;
    this.hashes.set(to, this.hashes.get(key)!);
    this.hashes.delete(key);
  }

  private copy(key: string, to: string): void {
    const reply = this.engine.run('COPY', key, to, 'REPLACE');
    if (reply === ':1\r\n') this.hashes.set(to, new Map(this.hashes.get(key)!));
  }

  private restore(key: string, to: string): void {
    const reply = this.engine.run('DUMP', key);
    if (reply.startsWith('$-1')) return;
    const payload = Buffer.from(reply.slice(reply.indexOf('\n') + 1, -2), 'latin1');
    expect(this.engine.run('RESTORE', to, '0', payload, 'REPLACE')).toBe('+OK\r\n');
    this.hashes.set(to, new Map(this.hashes.get(key)!));
  }

  private delete(key: string): void {
    this.engine.run('DEL', key);
    this.hashes.delete(key);
  }

  check(): Encoding[] {
    for (const key of KEYS) {
      const words = bulkTexts(this.engine.run('HGETALL', key));
      const found = new Map<string, string>();
      for (let at = 0; at < words.length; at += 2) found.set(words[at]!, words[at + 1]!);
      expect(found).toEqual(this.hashes.get(key) ?? new Map());
    }
    return check(this.engine);
  }
}

describe('a hash inside its entry', () => {
  randomTest('holds what was put into it, whatever happens to it and its key', 30, (random) => {
    const model = new Model();
    const seen = new Set<Encoding>();
    for (let step = 0; step < 600; step++) {
      model.step(random);
      if (step % 20 === 0) for (const encoding of model.check()) seen.add(encoding);
    }
    model.check();
    expect(seen.has(Encoding.Inside)).toBe(true);
    expect(seen.has(Encoding.Packed)).toBe(true);
    for (const partition of model.engine.keyspace.partitions) {
      partition.select(0);
      flushPartition(partition);
      checkSlab(partition.slab);
    }
  });

  it('stays there while values keep their length, and fields go', () => {
    const engine = start();
    engine.run('HSET', 'player', 'name', 'ann', 'score', '10', 'level', '3');
    expect(check(engine)).toEqual([Encoding.Inside]);
    engine.run('HSET', 'player', 'name', 'bob', 'level', '4');
    engine.run('HINCRBY', 'player', 'score', '5');
    engine.run('HDEL', 'player', 'level');
    expect(check(engine)).toEqual([Encoding.Inside]);
    expect(bulkTexts(engine.run('HGETALL', 'player'))).toEqual(['name', 'bob', 'score', '15']);
    expect(bulkTexts(engine.run('OBJECT', 'ENCODING', 'player'))).toEqual(['listpack']);

    engine.run('HSET', 'player', 'name', 'christopher');
    expect(check(engine)).toEqual([Encoding.Packed]);
    expect(bulkTexts(engine.run('HGETALL', 'player'))).toEqual([
      'name',
      'christopher',
      'score',
      '15',
    ]);
  });

  it('leaves nothing behind', () => {
    const engine = start({ partitions: 1 });
    const { slab } = engine.keyspace.partitions[0]!;
    engine.run('HSET', 'first', 'a', '1');
    engine.run('DEL', 'first');
    const used = usedBytesOf(slab);
    for (const change of [
      ['HSET', 'h', 'a', 'longer'],
      ['HDEL', 'h', 'a', 'b'],
      ['DEL', 'h'],
    ]) {
      engine.run('HSET', 'h', 'a', '1', 'b', '2');
      engine.run(...change);
      engine.run('DEL', 'h');
      expect(usedBytesOf(slab)).toBe(used);
    }
  });

  it('takes one block of the slab, not two', () => {
    const engine = start({ partitions: 1 });
    const { slab } = engine.keyspace.partitions[0]!;
    engine.run('HSET', 'h', 'a', '1');
    const used = usedBytesOf(slab);
    const pairs = [1, 2, 3, 4, 5].flatMap((n) => [`fieldname${n}`, `value${n}6789`]);
    engine.run('HSET', 'h:000000000001', ...pairs);
    // 8 of head, 14 of key, 2 to the next granule, then the list: 8 and 5 · 22 and 1.
    expect(usedBytesOf(slab) - used).toBe(144);
  });
});
