// List commands on one engine in this process: against arrays, over all encodings; what is refused
// changes nothing; what they leave in the log.

import { afterEach, describe, expect, it } from 'vitest';
import { genericCommands } from '../../src/commands/generic/index.js';
import { listCommands } from '../../src/commands/list/index.js';
import { stringCommands } from '../../src/commands/string/index.js';
import { type EntryRef, encodingOf, Type } from '../../src/keyspace/entry.js';
import { eachEntry } from '../../src/keyspace/scan.js';
import { kindOf, rootOf } from '../../src/keyspace/values.js';
import { checkSlab } from '../../src/slab/check.js';
import { usedBytesOf } from '../../src/slab/slab.js';
import { thresholds } from '../../src/types/thresholds.js';
import { Engine, type EngineOptions } from '../support/engine.js';
import { randomTest } from '../support/random-test.js';
import { bulkTexts } from '../support/resp.js';
import { answer, play } from '../support/rows.js';
import type { Random } from '../support/seed.js';

const RANK_ZERO =
  "-ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... " +
  'or use negative to start from the end of the list';
const LIMIT = thresholds.listMaxListpackSize;

afterEach(() => {
  thresholds.listMaxListpackSize = LIMIT;
});

function start(options: Partial<EngineOptions> = {}): Engine {
  return new Engine({
    specs: [...listCommands, ...genericCommands, ...stringCommands],
    ...options,
  });
}

function elementsOf(engine: Engine, key: string): string[] {
  return bulkTexts(engine.run('LRANGE', key, '0', '-1'));
}

/** Checks the structures of all lists. */
function checkValues(engine: Engine): void {
  for (const partition of engine.keyspace.partitions) {
    partition.select(0);
    eachEntry(partition, (slab, ref) => {
      const entry = ref as EntryRef;
      kindOf(Type.List).check(slab, encodingOf(slab, entry), rootOf(slab, entry));
    });
  }
}

function usedBytes(engine: Engine): number {
  return engine.slabs.reduce((sum, slab) => sum + usedBytesOf(slab), 0);
}

/** Two lists and what ought to be in them. */
class Model {
  readonly engine = start({ partitions: 1 });
  readonly lists: [string[], string[]] = [[], []];

  private run(...words: string[]): string {
    return this.engine.run(...words);
  }

  private bulk(text: string | undefined): string {
    return text === undefined ? '$-1\r\n' : `$${text.length}\r\n${text}\r\n`;
  }

  push(which: number, isHead: boolean, texts: string[]): void {
    const list = this.lists[which]!;
    if (isHead) list.unshift(...[...texts].reverse());
    else list.push(...texts);
    const reply = this.run(isHead ? 'LPUSH' : 'RPUSH', `k${which}`, ...texts);
    expect(reply).toBe(`:${list.length}\r\n`);
  }

  pop(which: number, isHead: boolean): void {
    const list = this.lists[which]!;
    const text = isHead ? list.shift() : list.pop();
    expect(this.run(isHead ? 'LPOP' : 'RPOP', `k${which}`)).toBe(this.bulk(text));
  }

  popSeveral(which: number, isHead: boolean, count: number): void {
    const list = this.lists[which]!;
    const reply = this.run(isHead ? 'LPOP' : 'RPOP', `k${which}`, String(count));
    if (list.length === 0) {
      expect(reply).toBe('*-1\r\n');
      return;
    }
    const texts = isHead ? list.splice(0, count) : popped(list, count);
    expect(reply).toBe(`*${texts.length}\r\n${texts.map((each) => this.bulk(each)).join('')}`);
  }

  insert(which: number, isBehind: boolean, pivot: string, text: string): void {
    const list = this.lists[which]!;
    const index = list.indexOf(pivot);
    const reply = this.run('LINSERT', `k${which}`, isBehind ? 'AFTER' : 'BEFORE', pivot, text);
    if (index === -1) {
      expect(reply).toBe(list.length === 0 ? ':0\r\n' : ':-1\r\n');
      return;
    }
    list.splice(isBehind ? index + 1 : index, 0, text);
    expect(reply).toBe(`:${list.length}\r\n`);
  }

  set(which: number, index: number, text: string): void {
    const list = this.lists[which]!;
    const place = index < 0 ? index + list.length : index;
    const reply = this.run('LSET', `k${which}`, String(index), text);
    if (list.length === 0) expect(reply).toBe('-ERR no such key\r\n');
    else if (place < 0 || place >= list.length) expect(reply).toBe('-ERR index out of range\r\n');
    else {
      expect(reply).toBe('+OK\r\n');
      list[place] = text;
    }
  }

  remove(which: number, count: number, text: string): void {
    const list = this.lists[which]!;
    const places = list.flatMap((each, index) => (each === text ? [index] : []));
    const most = count === 0 ? places.length : Math.abs(count);
    const gone = new Set(count < 0 ? places.slice(-most) : places.slice(0, most));
    const kept = list.filter((_, index) => !gone.has(index));
    expect(this.run('LREM', `k${which}`, String(count), text)).toBe(`:${gone.size}\r\n`);
    list.splice(0, list.length, ...kept);
  }

  trim(which: number, first: number, last: number): void {
    const list = this.lists[which]!;
    const kept = list.slice(first, Math.max(0, list.length + last + 1));
    expect(this.run('LTRIM', `k${which}`, String(first), String(last))).toBe('+OK\r\n');
    list.splice(0, list.length, ...kept);
  }

  move(from: number, to: number, fromHead: boolean, toHead: boolean): void {
    const text = fromHead ? this.lists[from]!.shift() : this.lists[from]!.pop();
    if (text !== undefined && toHead) this.lists[to]!.unshift(text);
    else if (text !== undefined) this.lists[to]!.push(text);
    const ends = [fromHead ? 'LEFT' : 'RIGHT', toHead ? 'LEFT' : 'RIGHT'];
    expect(this.run('LMOVE', `k${from}`, `k${to}`, ...ends)).toBe(this.bulk(text));
  }

  check(random: Random): void {
    checkValues(this.engine);
    for (const which of [0, 1]) {
      const key = `k${which}`;
      const list = this.lists[which]!;
      expect(elementsOf(this.engine, key)).toEqual(list);
      expect(this.run('LLEN', key)).toBe(`:${list.length}\r\n`);
      const index = random.below(list.length + 1);
      expect(this.run('LINDEX', key, String(index))).toBe(this.bulk(list[index]));
      const text = list[index] ?? 'none';
      const found = list.indexOf(text);
      expect(this.run('LPOS', key, text)).toBe(found === -1 ? '$-1\r\n' : `:${found}\r\n`);
    }
  }
}

function popped(list: string[], count: number): string[] {
  return list.splice(Math.max(0, list.length - count)).reverse();
}

function anyText(random: Random): string {
  const kind = random.below(30);
  if (kind < 12) return String(random.below(8));
  if (kind < 20) return String(random.below(2 ** random.between(1, 32)) - 100);
  if (kind === 20) return random.bytes(random.below(9000));
  return random.bytes(random.below(random.pick([4, 30, 300])));
}

function step(model: Model, random: Random): void {
  const which = random.below(2);
  const isHead = random.chance(0.5);
  const list = model.lists[which]!;
  const known = list[random.below(list.length + 1)] ?? anyText(random);
  const choice = random.below(14);
  if (choice < 4) {
    model.push(
      which,
      isHead,
      Array.from({ length: random.between(1, 9) }, () => anyText(random)),
    );
  } else if (choice === 4) model.push(which, isHead, Array(random.below(200) + 1).fill('filling'));
  else if (choice === 5) model.pop(which, isHead);
  else if (choice === 6) model.popSeveral(which, isHead, random.between(1, 40));
  else if (choice < 9) model.insert(which, isHead, known, anyText(random));
  else if (choice === 9) model.set(which, random.between(-20, 20), anyText(random));
  else if (choice === 10) model.remove(which, random.between(-3, 3), known);
  else if (choice === 11) model.trim(which, random.below(6), -1 - random.below(6));
  else model.move(which, random.below(2), isHead, random.chance(0.5));
}

describe('lists', () => {
  randomTest('are what arrays would be, in every encoding', 12, (random) => {
    const model = new Model();
    for (let index = 0; index < 400; index++) {
      if (random.chance(0.02)) thresholds.listMaxListpackSize = random.pick([-5, -2, -1, 1, 3, 50]);
      step(model, random);
      if (index % 20 === 0) model.check(random);
    }
    model.check(random);
    for (const slab of model.engine.slabs) checkSlab(slab);
    model.engine.run('DEL', 'k0', 'k1');
    const empty = start({ partitions: 1 });
    empty.run('SET', 'k', 'v');
    empty.run('DEL', 'k');
    expect(usedBytes(model.engine)).toBe(usedBytes(empty));
  });

  it('are listpacks up to the limit and quicklists beyond it, and back at half of it', () => {
    const engine = start({ partitions: 1 });
    thresholds.listMaxListpackSize = 4;
    play(engine, [
      ['RPUSH l a b c d', ':4'],
      ['OBJECT ENCODING l', '$8 listpack'],
      ['RPUSH l e', ':5'],
      ['OBJECT ENCODING l', '$9 quicklist'],
      ['RPOP l 2', '*2 $1 e $1 d'],
      ['OBJECT ENCODING l', '$9 quicklist'],
      ['RPOP l', '$1 c'],
      ['OBJECT ENCODING l', '$8 listpack'],
    ]);
    // 64 bytes take 67 in a listpack, which has 7 bytes besides: 61 of them are 4094.
    thresholds.listMaxListpackSize = -1;
    for (let index = 0; index < 61; index++) engine.run('RPUSH', 'm', 'x'.repeat(64));
    play(engine, [
      ['OBJECT ENCODING m', '$8 listpack'],
      ['RPUSH m ab', ':62'],
      ['OBJECT ENCODING m', '$8 listpack'],
      ['RPUSH m a', ':63'],
      ['OBJECT ENCODING m', '$9 quicklist'],
    ]);
  });

  it('come back from quicklists by the bytes of a listpack, or by the limit of today', () => {
    const engine = start({ partitions: 1 });
    // 20 bytes take 22 in a listpack, which has 7 bytes besides: 186 of them are 4099.
    const many = Array.from({ length: 400 }, () => 'x'.repeat(20));
    engine.run('RPUSH', 'l', ...many);
    play(engine, [
      ['OBJECT ENCODING l', '$8 listpack'],
      ['RPUSH l y', ':401'],
      ['OBJECT ENCODING l', '$9 quicklist'],
      ['LTRIM l 0 185', '+OK'],
      ['OBJECT ENCODING l', '$9 quicklist'],
      ['LTRIM l 0 184', '+OK'],
      ['OBJECT ENCODING l', '$8 listpack'],
    ]);
    engine.run('RPUSH', 'l', ...many);
    thresholds.listMaxListpackSize = 400;
    play(engine, [
      ['OBJECT ENCODING l', '$9 quicklist'],
      ['LTRIM l 0 199', '+OK'],
      ['OBJECT ENCODING l', '$8 listpack'],
    ]);
  });

  it('do not count the digits of an integer that comes from a quicklist', () => {
    const engine = start({ partitions: 1 });
    const numbers = Array.from({ length: 10 }, (_, index) => `100000000000000000${index}`);
    thresholds.listMaxListpackSize = 5;
    engine.run('RPUSH', 'l', ...numbers);
    thresholds.listMaxListpackSize = -1;
    engine.run('RPUSH', 't', 'x'.repeat(4070));
    for (const encoding of ['$8 listpack', '$8 listpack', '$9 quicklist']) {
      engine.run('LMOVE', 'l', 't', 'LEFT', 'RIGHT');
      expect(answer(engine, 'OBJECT ENCODING t')).toBe(encoding);
    }
  });

  it('replace and insert in a node that is longer than its limit', () => {
    const engine = start({ partitions: 1 });
    thresholds.listMaxListpackSize = 4;
    engine.run('RPUSH', 'l', 'a', 'b', 'c', 'd', 'e');
    const long = 'y'.repeat(300_000);
    expect(engine.run('LSET', 'l', '1', long)).toBe('+OK\r\n');
    expect(engine.run('LSET', 'l', '2', long)).toBe('+OK\r\n');
    expect(engine.run('LINSERT', 'l', 'BEFORE', long, 'x')).toBe(':6\r\n');
    expect(elementsOf(engine, 'l')).toEqual(['a', 'x', long, long, 'd', 'e']);
    checkValues(engine);
    play(engine, [
      ['LTRIM l 0 1', '+OK'],
      ['OBJECT ENCODING l', '$8 listpack'],
    ]);
    checkValues(engine);
  });

  it('are left as they are by what is refused', () => {
    const engine = start({ partitions: 1 });
    play(engine, [
      ['RPUSH l a b c', ':3'],
      ['SET s v', '+OK'],
    ]);
    const before = usedBytes(engine);
    const wrongType = '-WRONGTYPE Operation against a key holding the wrong kind of value';
    const syntax = '-ERR syntax error';
    const notInteger = '-ERR value is not an integer or out of range';
    const notPositive = '-ERR value is out of range, must be positive';
    play(engine, [
      ['LPUSH s a', wrongType],
      ['LPOP s', wrongType],
      ['LMOVE l s LEFT LEFT', wrongType],
      ['LMOVE s l LEFT LEFT', wrongType],
      ['LMOVE none s LEFT LEFT', '$-1'],
      ['LMOVE l m UP LEFT', syntax],
      ['LMOVEM l s LEFT LEFT', wrongType],
      ['LMOVEM l m LEFT LEFT COUNT 2', syntax],
      ['LMOVEM l m LEFT LEFT COUNT 0 OBO', '-ERR count should be greater than 0'],
      ['LMOVEM l m LEFT LEFT EXACTLY 4 BULK', '*-1'],
      ['LMOVEM none m LEFT LEFT COUNT 4 BULK', '*0'],
      ['LMPOP 2 none s LEFT', wrongType],
      ['LMPOP 0 l LEFT', '-ERR numkeys should be greater than 0'],
      ['LMPOP 1 l LEFT COUNT 0', '-ERR count should be greater than 0'],
      ['LMPOP 1 l LEFT COUNT 1 COUNT 1', syntax],
      ['LMPOP 1 l UP', syntax],
      ['LMPOP 5 l LEFT', syntax],
      ['LPOP l -1', notPositive],
      ['LPOP l x', notPositive],
      ['LPOP l 0', '*0'],
      ['LPOP none 0', '*-1'],
      ['LPOP l 1 2', "-ERR wrong number of arguments for 'lpop' command"],
      ['LSET none x y', '-ERR no such key'],
      ['LSET l x y', notInteger],
      ['LSET l 3 y', '-ERR index out of range'],
      ['LINSERT l at a b', syntax],
      ['LINSERT l BEFORE z b', ':-1'],
      ['LREM l x a', notInteger],
      ['LTRIM l x 1', notInteger],
      ['LPOS l a RANK 0', RANK_ZERO],
      ['LPOS l a RANK', syntax],
      ['LPOS l a COUNT -1', "-ERR COUNT can't be negative"],
      ['LPOS l a MAXLEN -1', "-ERR MAXLEN can't be negative"],
      ['LRANGE l 0 -1', '*3 $1 a $1 b $1 c'],
    ]);
    expect(usedBytes(engine)).toBe(before);
  });

  it('refuse what a full partition has no room for, with nothing changed', () => {
    const engine = start({ partitions: 1, partitionBytes: 2 * 1024 * 1024 });
    engine.run('RPUSH', 'l', 'a');
    const before = usedBytes(engine);
    const large = 'x'.repeat(1_800_000);
    expect(engine.run('RPUSH', 'l', large)).toMatch(/^-OOM /);
    expect(engine.run('RPUSH', 'new', large)).toMatch(/^-OOM /);
    expect(engine.run('LSET', 'l', '0', large)).toMatch(/^-OOM /);
    expect(engine.run('LINSERT', 'l', 'BEFORE', 'a', large)).toMatch(/^-OOM /);
    expect(usedBytes(engine)).toBe(before);
    expect(engine.run('EXISTS', 'new')).toBe(':0\r\n');
  });

  it('move several elements one by one or all at once', () => {
    const engine = start();
    const rows: [string, string, string, string][] = [
      ['LEFT LEFT COUNT 2 OBO', 'b a', 'c d', 'b a x'],
      ['LEFT LEFT COUNT 2 BULK', 'a b', 'c d', 'a b x'],
      ['LEFT RIGHT COUNT 2 OBO', 'a b', 'c d', 'x a b'],
      ['RIGHT LEFT COUNT 2 OBO', 'c d', 'a b', 'c d x'],
      ['RIGHT RIGHT COUNT 2 OBO', 'd c', 'a b', 'x d c'],
      ['RIGHT RIGHT EXACTLY 2 BULK', 'c d', 'a b', 'x c d'],
      ['RIGHT LEFT COUNT 9 BULK', 'a b c d', '', 'a b c d x'],
      ['LEFT RIGHT', 'a', 'b c d', 'x a'],
    ];
    for (const [order, reply, source, target] of rows) {
      engine.run('DEL', '{k}s', '{k}t');
      engine.run('RPUSH', '{k}s', 'a', 'b', 'c', 'd');
      engine.run('RPUSH', '{k}t', 'x');
      const words = reply.split(' ');
      expect([order, answer(engine, `LMOVEM {k}s {k}t ${order}`)]).toEqual([
        order,
        `*${words.length} ${words.map((each) => `$1 ${each}`).join(' ')}`,
      ]);
      expect(elementsOf(engine, '{k}s').join(' ')).toBe(source);
      expect(elementsOf(engine, '{k}t').join(' ')).toBe(target);
    }
    engine.run('RPUSH', 'l', 'a', 'b', 'c');
    engine.run('LMOVEM', 'l', 'l', 'LEFT', 'LEFT', 'EXACTLY', '2', 'OBO');
    expect(elementsOf(engine, 'l')).toEqual(['b', 'a', 'c']);
    engine.run('LMOVEM', 'l', 'l', 'LEFT', 'LEFT', 'COUNT', '5', 'BULK');
    expect(elementsOf(engine, 'l')).toEqual(['b', 'a', 'c']);
  });

  it('are recorded as what happened', () => {
    const records: string[] = [];
    const sink = {
      isOn: true,
      append(_database: number, u8: Uint8Array, start: number, length: number) {
        const text = Buffer.from(u8.slice(start, start + length)).toString('latin1');
        records.push(
          text
            .split('\r\n')
            .filter((_, index) => index > 0 && index % 2 === 0)
            .join(' '),
        );
      },
    };
    const engine = start({ sink });
    for (const line of [
      'RPUSH l a b c d e',
      'LMPOP 2 none l LEFT COUNT 2',
      'LMPOP 1 l RIGHT COUNT 9',
      'RPUSH l a b',
      'LTRIM l 0 -1',
      'LTRIM l 0 0',
      'LREM l 0 z',
      'LPOP none',
      'LMOVE l m LEFT RIGHT',
    ]) {
      engine.run(...line.split(' '));
    }
    expect(records).toEqual([
      'RPUSH l a b c d e',
      'LPOP l 2',
      'RPOP l 3',
      'RPUSH l a b',
      'LTRIM l 0 0',
      'LMOVE l m LEFT RIGHT',
    ]);
  });
});
