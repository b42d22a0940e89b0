// Stream commands on one engine in this process: what they leave in the log and that it comes to
// the same when it is applied, what Redis 8 added, and that a refusal changes nothing.

import { describe, expect, it } from 'vitest';
import { hashBytes } from '../../src/base/hash.js';
import { Slices } from '../../src/base/slices.js';
import { genericCommands } from '../../src/commands/generic/index.js';
import { streamCommands } from '../../src/commands/stream/index.js';
import { stringCommands } from '../../src/commands/string/index.js';
import { typeOf } from '../../src/keyspace/entry.js';
import { checkStructure } from '../../src/keyspace/values.js';
import { checkSlab } from '../../src/slab/check.js';
import { usedBytesOf } from '../../src/slab/slab.js';
import { Type } from '../../src/types/kind.js';
import { Engine } from '../support/engine.js';
import { randomTest } from '../support/random-test.js';
import { answer, play } from '../support/rows.js';
import type { Random } from '../support/seed.js';

const specs = [...streamCommands, ...stringCommands, ...genericCommands];

interface Recording {
  readonly engine: Engine;
  /** One record each: its commands, as lines of words. */
  readonly records: string[][];
}

/** The RESP commands of a record as lines. */
function linesOf(bytes: string): string[] {
  const lines: string[] = [];
  for (const command of bytes.split(/(?=\*\d+\r\n)/)) {
    const parts = command.split('\r\n');
    lines.push(
      parts
        .filter((_, index) => index >= 2 && index % 2 === 0)
        .join(' ')
        .trimEnd(),
    );
  }
  return lines;
}

function record(partitions = 4): Recording {
  const records: string[][] = [];
  const sink = {
    isOn: true,
    append(_database: number, u8: Uint8Array, start: number, length: number) {
      records.push(linesOf(Buffer.from(u8.slice(start, start + length)).toString('latin1')));
    },
  };
  return { engine: new Engine({ specs, partitions, sink }), records };
}

/** What a command leaves in the log: all its records' commands. */
function leaves({ engine, records }: Recording, line: string): string[] {
  records.length = 0;
  answer(engine, line);
  return records.flat();
}

function check(engine: Engine, key: string): void {
  const args = Slices.of(key);
  for (const partition of engine.keyspace.partitions) {
    partition.select(0);
    checkSlab(partition.slab);
  }
  engine.run('EXISTS', key);
  engine.runner.keyspace.partitions.forEach((partition) => {
    args.hashes[0] = hashOf(key);
    const entry = partition.peek(args, 0);
    if (entry !== 0 && typeOf(partition.slab, entry) === Type.Stream) {
      checkStructure(partition.slab, entry);
    }
  });
}

function hashOf(key: string): number {
  return hashBytes(Buffer.from(key, 'latin1'), 0, key.length);
}

describe('XREADGROUP', () => {
  it.each([
    'GROUP STREAMS c COUNT 1 STREAMS s >',
    'COUNT 1 GROUP STREAMS c STREAMS s >',
    'NOACK GROUP g STREAMS STREAMS s >',
    'COUNT 1 GROUP STREAMS STREAMS STREAMS streams s > >',
  ])('finds its keys whatever its group is called: %s', (words) => {
    const engine = new Engine({ specs, partitions: 16 });
    for (const key of ['s', 'streams']) {
      answer(engine, `XADD ${key} 1-1 f v`);
      answer(engine, `XGROUP CREATE ${key} STREAMS 0`);
      answer(engine, `XGROUP CREATE ${key} g 0`);
    }
    expect(answer(engine, `XREADGROUP ${words}`)).toContain('1-1');
  });
});

describe('records', () => {
  it('name the ID that XADD made', () => {
    const recording = record();
    expect(leaves(recording, 'XADD s * a 1')).toEqual(['XADD s 1700000000000-0 a 1']);
    expect(leaves(recording, 'XADD s 1800000000000-* a 1 b 2')).toEqual([
      'XADD s 1800000000000-0 a 1 b 2',
    ]);
    expect(leaves(recording, 'XADD s NOMKSTREAM MAXLEN 2 * c 3')).toEqual([
      'XADD s NOMKSTREAM MAXLEN 2 1800000000000-1 c 3',
    ]);
    expect(leaves(recording, 'XADD s 1800000000005-0 c 3')).toEqual(['XADD s 1800000000005-0 c 3']);
  });

  it('have an exact trimming in place of an approximate one', () => {
    const recording = record();
    answer(recording.engine, 'XADD s 1-0 a 1');
    expect(leaves(recording, 'XADD s MAXLEN ~ 1000 LIMIT 10 2-0 a 1')).toEqual(['XADD s 2-0 a 1']);
    for (let ms = 3; ms <= 250; ms++) answer(recording.engine, `XADD s ${ms}-0 a 1`);
    expect(leaves(recording, 'XADD s MAXLEN ~ 120 251-0 a 1')).toEqual([
      'XADD s MAXLEN = 151 251-0 a 1',
    ]);
    expect(leaves(recording, 'XTRIM s MINID ~ 220 LIMIT 1000')).toEqual(['XTRIM s MINID = 201-0']);
    expect(leaves(recording, 'XTRIM s MAXLEN ~ 0 DELREF')).toEqual(['XTRIM s DELREF MAXLEN = 0']);
    expect(leaves(recording, 'XTRIM s MAXLEN ~ 0')).toEqual([]);
  });

  it('turn deliveries into claims, and how far the group is', () => {
    const recording = record();
    answer(recording.engine, 'XADD s 1-0 a 1');
    answer(recording.engine, 'XADD s 2-0 a 1');
    answer(recording.engine, 'XGROUP CREATE s g 0');
    expect(leaves(recording, 'XREADGROUP GROUP g c COUNT 1 STREAMS s >')).toEqual([
      'XGROUP CREATECONSUMER s g c',
      'XCLAIM s g c 0 1-0 TIME 1700000000000 RETRYCOUNT 1 FORCE JUSTID LASTID 1-0',
      'XGROUP SETID s g 1-0 ENTRIESREAD 1',
    ]);
    expect(leaves(recording, 'XREADGROUP GROUP g c NOACK STREAMS s >')).toEqual([
      'XGROUP SETID s g 2-0 ENTRIESREAD 2',
    ]);
    expect(leaves(recording, 'XREADGROUP GROUP g c STREAMS s >')).toEqual([]);
    expect(leaves(recording, 'XREADGROUP GROUP g c STREAMS s 0')).toEqual([]);
    expect(leaves(recording, 'XACK s g 1-0 7-0')).toEqual(['XACK s g 1-0 7-0']);
    expect(leaves(recording, 'XACK s g 1-0')).toEqual([]);
    expect(leaves(recording, 'XCLAIM s g d 0 9-9 LASTID 5-0')).toEqual([
      'XGROUP CREATECONSUMER s g d',
      'XGROUP SETID s g 5-0 ENTRIESREAD 2',
    ]);
  });

  randomTest('come to the same when they are applied', 6, (random) => {
    const recording = record(1);
    const { engine, records } = recording;
    for (let step = 0; step < 1500; step++) answer(engine, randomCommand(random));
    const replica = new Engine({ specs, partitions: 1 });
    for (const line of records.flat()) {
      const reply = answer(replica, line);
      expect(`${line} → ${reply}`).not.toMatch(/→ -/);
    }
    for (const key of KEYS) {
      expect(stateOf(replica, key)).toEqual(stateOf(engine, key));
      check(engine, key);
      check(replica, key);
    }
  });
});

const KEYS = ['s', 't'];

function randomCommand(random: Random): string {
  const key = random.pick(KEYS);
  const group = random.pick(['g', 'h']);
  const consumer = random.pick(['alice', 'bob']);
  const id = `${random.below(60)}-${random.below(3)}`;
  const references = random.pick(['', 'KEEPREF', 'DELREF', 'ACKED']);
  switch (random.below(17)) {
    case 0:
    case 1:
    case 2:
    case 3:
      return `XADD ${key} ${random.pick(['*', '1700000000000-*'])} f ${random.below(9)}`;
    case 4:
      return `XADD ${key} MAXLEN ${random.pick(['~', '='])} ${random.below(300)} * f 1`;
    case 5:
      return `XGROUP CREATE ${key} ${group} ${random.pick(['0', '$'])} MKSTREAM`;
    case 6:
    case 7:
      return `XREADGROUP GROUP ${group} ${consumer} COUNT 9 STREAMS ${key} >`;
    case 8:
      return `XREADGROUP GROUP ${group} ${consumer} COUNT 3 NOACK STREAMS ${key} >`;
    case 9:
      return `XAUTOCLAIM ${key} ${group} ${consumer} 0 - COUNT ${random.between(1, 5)} JUSTID`;
    case 10:
      return `XTRIM ${key} MAXLEN ${random.pick(['~', '='])} ${random.below(200)} ${references}`;
    case 11:
      return `XCLAIM ${key} ${group} ${consumer} 0 1700000000000-${random.below(400)} FORCE`;
    case 12: {
      const mode = random.pick(['SILENT', 'FAIL', 'FATAL']);
      const options = random.pick(['', ' FORCE', ' RETRYCOUNT 5']);
      const number = random.below(400);
      return `XNACK ${key} ${group} ${mode} IDS 1 1700000000000-${number}${options}`;
    }
    case 14:
    case 15:
      return `XREADGROUP GROUP ${group} ${consumer} COUNT 5 CLAIM 0 STREAMS ${key} >`;
    case 13:
      return `XDELEX ${key} ${references} IDS 1 1700000000000-${random.below(400)}`;
    default:
      return random.chance(0.1)
        ? `XGROUP DELCONSUMER ${key} ${group} ${consumer}`
        : `XACKDEL ${key} ${group} ${references} IDS 2 1700000000000-${random.below(400)} ${id}`;
  }
}

/** All that a log must bring back: times and what is only counted are not part of it. */
function stateOf(engine: Engine, key: string): string[] {
  const full = answer(engine, `XINFO STREAM ${key} FULL COUNT 0`);
  const stable = full
    .replaceAll(/(radix-tree-(?:keys|nodes) ):\d+/g, '$1')
    .replaceAll(/(seen-time |active-time )\S+( \$\d+ active-time \S+)?/g, '$1');
  return [stable, answer(engine, `XLEN ${key}`)];
}

describe('what Redis 8 added', () => {
  it('XDELEX deletes with a view to references', () => {
    const { engine } = record();
    for (const id of ['1-0', '2-0', '3-0', '4-0']) answer(engine, `XADD s ${id} a 1`);
    play(engine, [
      ['XDELEX none IDS 2 1-0 2-0', '*2 :-1 :-1'],
      ['XDELEX s ACKED IDS 1 4-0', '*1 :2'],
      ['XGROUP CREATE s g 0', '+OK'],
      ['XREADGROUP GROUP g c COUNT 2 NOACK STREAMS none >', NO_GROUP],
    ]);
    answer(engine, 'XREADGROUP GROUP g c COUNT 3 STREAMS s >');
    play(engine, [
      ['XDELEX s KEEPREF IDS 2 1-0 9-0', '*2 :1 :-1'],
      ['XPENDING s g', '*4 :3 $3 1-0 $3 3-0 *1 *2 $1 c $1 3'],
      ['XDELEX s DELREF IDS 2 1-0 2-0', '*2 :-1 :1'],
      ['XPENDING s g', '*4 :1 $3 3-0 $3 3-0 *1 *2 $1 c $1 1'],
      ['XDELEX s IDS 2 3-0 4-0 ACKED', '*2 :2 :2'],
      ['XACK s g 3-0', ':1'],
      ['XDELEX s ACKED IDS 1 3-0', '*1 :1'],
      ['XLEN s', ':1'],
      ['XDELEX s IDS 0', "-ERR wrong number of arguments for 'xdelex' command"],
      ['XDELEX s IDS 0 1-0', '-ERR Number of IDs must be a positive integer'],
      ['XDELEX s IDS 2 1-0', '-ERR The `numids` parameter must match the number of arguments'],
      ['XDELEX s IDS 1 1-0 2-0', '-ERR The `numids` parameter must match the number of arguments'],
      ['XDELEX s KEEPREF DELREF IDS 1 1-0', '-ERR syntax error'],
    ]);
  });

  it('XACKDEL acknowledges and deletes', () => {
    const { engine } = record();
    for (const id of ['1-0', '2-0', '3-0']) answer(engine, `XADD s ${id} a 1`);
    answer(engine, 'XGROUP CREATE s g 0');
    answer(engine, 'XGROUP CREATE s h 0');
    answer(engine, 'XREADGROUP GROUP g c STREAMS s >');
    answer(engine, 'XREADGROUP GROUP h c COUNT 2 STREAMS s >');
    play(engine, [
      ['XACKDEL none g IDS 1 1-0', '*1 :-1'],
      ['XACKDEL s none IDS 1 1-0', '*1 :-1'],
      ['XACKDEL s g ACKED IDS 2 1-0 9-0', '*2 :2 :-1'],
      ['XACKDEL s h ACKED IDS 1 1-0', '*1 :1'],
      ['XACKDEL s g DELREF IDS 1 2-0', '*1 :1'],
      ['XPENDING s h', '*4 :0 $-1 $-1 *-1'],
      ['XACKDEL s g IDS 1 3-0', '*1 :1'],
      ['XLEN s', ':0'],
    ]);
  });

  it('XNACK gives pending entries back to their group', () => {
    const { engine } = record();
    for (const id of ['1-0', '2-0', '3-0', '4-0']) answer(engine, `XADD s ${id} a 1`);
    answer(engine, 'XGROUP CREATE s g 0');
    answer(engine, 'XREADGROUP GROUP g c COUNT 3 STREAMS s >');
    answer(engine, 'XCLAIM s g c 0 2-0 RETRYCOUNT 4294967296 JUSTID');
    const most = '9223372036854775807';
    play(engine, [
      ['XNACK s g SILENT IDS 3 1-0 2-0 9-0', ':2'],
      ['XNACK s g FATAL IDS 1 3-0', ':1'],
      [
        'XPENDING s g - + 10',
        `*3 *4 $3 1-0 $0  :-1 :0 *4 $3 2-0 $0  :-1 :4294967295 *4 $3 3-0 $0  :-1 :${most}`,
      ],
      ['XPENDING s g', '*4 :3 $3 1-0 $3 3-0 *0'],
      ['XPENDING s g IDLE 9000000 - + 1', '*1 *4 $3 1-0 $0  :-1 :0'],
      ['XPENDING s g - + 10 c', '*0'],
      // Again, and down to none.
      ['XNACK s g SILENT IDS 1 1-0', ':1'],
      ['XNACK s g FAIL IDS 2 1-0 1-0 RETRYCOUNT 7', ':2'],
      ['XPENDING s g - + 1', '*1 *4 $3 1-0 $0  :-1 :7'],
      // Claimed however long they should have been idle; deliveries are counted up to the most.
      ['XCLAIM s g d 1000000 1-0 JUSTID', '*1 $3 1-0'],
      ['XAUTOCLAIM s g d 1000000 2-1', '*3 $3 0-0 *1 *2 $3 3-0 *2 $1 a $1 1 *0'],
      ['XPENDING s g - + 10 d', `*2 *4 $3 1-0 $1 d :0 :7 *4 $3 3-0 $1 d :0 :${most}`],
      ['XGROUP DELCONSUMER s g d', ':2'],
      ['XPENDING s g - + 10', '*1 *4 $3 2-0 $0  :-1 :4294967295'],
      ['XACK s g 2-0', ':1'],
      ['XPENDING s g', '*4 :0 $-1 $-1 *-1'],
    ]);
    check(engine, 's');
  });

  it('XNACK FORCE makes entries pending that are there', () => {
    const { engine } = record();
    for (const id of ['1-0', '2-0', '3-0']) answer(engine, `XADD s ${id} a 1`);
    answer(engine, 'XGROUP CREATE s g 0');
    play(engine, [
      ['XNACK s g SILENT IDS 2 1-0 9-0 FORCE', ':1'],
      ['XNACK s g FATAL IDS 1 2-0 FORCE RETRYCOUNT 3', ':1'],
      ['XNACK s g FATAL IDS 1 3-0 FORCE', ':1'],
      [
        'XPENDING s g - + 10',
        '*3 *4 $3 1-0 $0  :-1 :0 *4 $3 2-0 $0  :-1 :3 *4 $3 3-0 $0  :-1 :9223372036854775807',
      ],
      ['COPY s copy', ':1'],
      ['XPENDING copy g', '*4 :3 $3 1-0 $3 3-0 *0'],
      // A group that reads such an entry again is its owner.
      ['XREADGROUP GROUP g c COUNT 1 STREAMS s >', '*1 *2 $1 s *1 *2 $3 1-0 *2 $1 a $1 1'],
      ['XPENDING s g', '*4 :3 $3 1-0 $3 3-0 *1 *2 $1 c $1 1'],
      ['XDELEX s DELREF IDS 1 2-0', '*1 :1'],
      ['XDEL s 3-0', ':1'],
      ['XNACK s g FAIL IDS 1 3-0', ':1'],
      ['XAUTOCLAIM s g c 0 2-0', '*3 $3 0-0 *0 *1 $3 3-0'],
      ['XPENDING s g', '*4 :1 $3 1-0 $3 1-0 *1 *2 $1 c $1 1'],
    ]);
    expect(answer(engine, 'XINFO STREAM copy FULL')).toMatch(/\*16 .* \$12 nacked-count :3$/);
    expect(answer(engine, 'XINFO STREAM s FULL')).not.toContain('nacked-count');
    check(engine, 's');
    check(engine, 'copy');
  });

  it('XNACK refuses what it does not understand', () => {
    const { engine } = record();
    answer(engine, 'XADD s 1-0 a 1');
    answer(engine, 'XGROUP CREATE s g 0');
    answer(engine, 'SET text x');
    const missing = (key: string, group: string): string =>
      `-NOGROUP No such key '${key}' or consumer group '${group}'`;
    play(engine, [
      ['XNACK none g FAIL IDS 1 1-0', missing('none', 'g')],
      ['XNACK s none FAIL IDS 1 1-0', missing('s', 'none')],
      [
        'XNACK text g FAIL IDS 1 1-0',
        '-WRONGTYPE Operation against a key holding the wrong kind of value',
      ],
      ['XNACK s g IDS 1 1-0', "-ERR wrong number of arguments for 'xnack' command"],
      ['XNACK s g OTHER IDS 1 1-0', '-ERR syntax error'],
      ['XNACK s g FAIL OTHER 1 1-0', '-ERR syntax error'],
      ['XNACK s g FAIL IDS 1 1-0 OTHER', '-ERR syntax error'],
      ['XNACK s g FAIL IDS 1 1-0 RETRYCOUNT', '-ERR syntax error'],
      [
        'XNACK s g FAIL IDS 1 1-0 RETRYCOUNT x',
        '-ERR Invalid RETRYCOUNT option argument for XNACK',
      ],
      [
        'XNACK s g FAIL IDS 1 1-0 RETRYCOUNT -1',
        '-ERR Invalid RETRYCOUNT option argument for XNACK',
      ],
      ['XNACK s g FAIL IDS 0 1-0', '-ERR Number of IDs must be a positive integer'],
      ['XNACK s g FAIL IDS x 1-0', '-ERR Number of IDs must be a positive integer'],
      [
        'XNACK s g FAIL IDS 2 1-0',
        '-ERR The `numids` parameter must match the number of arguments',
      ],
      [
        'XNACK s g FAIL IDS 1 x FORCE',
        '-ERR Invalid stream ID specified as stream command argument',
      ],
    ]);
  });

  it('trimming may keep what is not acknowledged', () => {
    const { engine } = record();
    for (let ms = 1; ms <= 6; ms++) answer(engine, `XADD s ${ms}-0 a 1`);
    answer(engine, 'XGROUP CREATE s g 0');
    answer(engine, 'XREADGROUP GROUP g c COUNT 4 STREAMS s >');
    answer(engine, 'XACK s g 1-0 3-0 4-0');
    play(engine, [
      ['XTRIM s MAXLEN 0 ACKED', ':3'],
      ['XRANGE s - + COUNT 1', '*1 *2 $3 2-0 *2 $1 a $1 1'],
      ['XTRIM s MINID 3 DELREF', ':1'],
      ['XPENDING s g', '*4 :0 $-1 $-1 *-1'],
      ['XADD s MAXLEN 1 ACKED 7-0 a 1', '$3 7-0'],
      ['XLEN s', ':3'],
    ]);
  });

  it('XREAD + reads the last entry', () => {
    const { engine } = record();
    answer(engine, 'XADD s 1-0 a 1');
    answer(engine, 'XADD s 2-0 a 2');
    play(engine, [
      ['XREAD STREAMS s +', '*1 *2 $1 s *1 *2 $3 2-0 *2 $1 a $1 2'],
      ['XREAD STREAMS none +', '*-1'],
    ]);
  });
});

const NO_GROUP =
  "-NOGROUP No such key 'none' or consumer group 'g' in XREADGROUP with GROUP option";

describe('reading', () => {
  it('serves the same key twice, and what was pending before', () => {
    const { engine } = record();
    for (const id of ['1-0', '2-0', '3-0']) answer(engine, `XADD s ${id} a 1`);
    answer(engine, 'XGROUP CREATE s g 0');
    play(engine, [
      [
        'XREADGROUP GROUP g c COUNT 2 STREAMS s s > >',
        '*2 *2 $1 s *2 *2 $3 1-0 *2 $1 a $1 1 *2 $3 2-0 *2 $1 a $1 1 ' +
          '*2 $1 s *1 *2 $3 3-0 *2 $1 a $1 1',
      ],
      ['XREADGROUP GROUP g c STREAMS s s > >', '*-1'],
      ['XDEL s 2-0', ':1'],
      [
        'XREADGROUP GROUP g c COUNT 2 STREAMS s 1',
        '*1 *2 $1 s *2 *2 $3 2-0 *-1 *2 $3 3-0 *2 $1 a $1 1',
      ],
    ]);
  });

  it('reads keys of several partitions as one', () => {
    const { engine } = record(16);
    const keys = Array.from({ length: 40 }, (_, index) => `key-${index}`);
    for (const key of keys) engine.run('XADD', key, '1-0', 'a', key);
    const reply = engine.run('XREAD', 'STREAMS', ...keys, ...keys.map(() => '0'));
    expect(reply.startsWith('*40\r\n')).toBe(true);
    for (const key of keys) expect(reply).toContain(`$1\r\na\r\n$${key.length}\r\n${key}\r\n`);
  });
});

describe('refusals', () => {
  it('change nothing', () => {
    const { engine, records } = record(1);
    answer(engine, 'XADD s 5-0 a 1');
    answer(engine, 'XGROUP CREATE s g 0');
    answer(engine, 'SET text x');
    records.length = 0;
    const used = engine.slabs.map((slab) => usedBytesOf(slab));
    for (const line of [
      'XADD s 5-0 a 1',
      'XADD s 0-0 a 1',
      'XADD s * a',
      'XADD text * a 1',
      'XADD new MAXLEN -1 * a 1',
      'XADD new MAXLEN 5 LIMIT 5 * a 1',
      'XDEL s 5-0 x',
      'XTRIM s MAXLEN 0 MINID 0',
      'XGROUP CREATE s g 0',
      'XGROUP CREATE new g 0',
      'XGROUP CREATE new g x MKSTREAM',
      'XREADGROUP GROUP g new STREAMS s text > >',
      'XREADGROUP GROUP g new STREAMS s $',
      'XACK s g 5-0 x',
      'XCLAIM s g new 0 5-0 NONSENSE',
      'XAUTOCLAIM s g new 0 - COUNT 0',
      'XSETID s 4-0',
      'XDELEX s IDS 2 5-0 x',
    ]) {
      expect(`${line} → ${answer(engine, line)}`).toMatch(/→ -/);
      expect(records).toEqual([]);
      expect(engine.slabs.map((slab) => usedBytesOf(slab))).toEqual(used);
    }
    expect(answer(engine, 'XLEN s')).toBe(':1');
  });

  it('answer a full partition with -OOM, and everything is as before', () => {
    const engine = new Engine({ specs, partitions: 1, partitionBytes: 2 * 1024 * 1024 });
    const value = 'x'.repeat(10_000);
    let count = 0;
    while (engine.run('XADD', 's', '*', 'a', value).startsWith('$')) count++;
    expect(count).toBeGreaterThan(50);
    expect(answer(engine, 'XLEN s')).toBe(`:${count}`);
    check(engine, 's');
  });
});
