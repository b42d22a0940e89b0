// XADD IDMP and IDMPAUTO, XCFGSET and XIDMPRECORD, which Redis 8.6 added: what is there once, for
// how long it is known, what of it stands in the log and in copies. Against maps in JavaScript.

import { describe, expect, it } from 'vitest';
import { genericCommands } from '../../src/commands/generic/index.js';
import { streamCommands } from '../../src/commands/stream/index.js';
import { stringCommands } from '../../src/commands/string/index.js';
import { Config } from '../../src/config/config.js';
import { type EntryRef, Type, typeOf } from '../../src/keyspace/entry.js';
import { eachEntry } from '../../src/keyspace/scan.js';
import { checkStructure } from '../../src/keyspace/values.js';
import { checkSlab } from '../../src/slab/check.js';
import { usedBytesOf } from '../../src/slab/slab.js';
import { Engine } from '../support/engine.js';
import { randomTest } from '../support/random-test.js';
import { answer, play } from '../support/rows.js';
import type { Random } from '../support/seed.js';

const specs = [...streamCommands, ...stringCommands, ...genericCommands];
const START_MS = 1_700_000_000_000;
const SECOND_MS = 1000;

function check(engine: Engine): void {
  for (const partition of engine.keyspace.partitions) {
    partition.select(0);
    eachEntry(partition, (slab, entry) => {
      const found = entry as EntryRef;
      if (typeOf(slab, found) === Type.Stream) checkStructure(slab, found);
    });
    checkSlab(partition.slab);
  }
}

/** What XINFO STREAM tells of producers: seconds, most, pids, iids, added, duplicates. */
function figures(engine: Engine, key: string): number[] {
  const names = 'idmp-duration|idmp-maxsize|pids-tracked|iids-tracked|iids-added|iids-duplicates';
  const found = answer(engine, `XINFO STREAM ${key}`).matchAll(
    new RegExp(`(?:${names}) :(\\d+)`, 'g'),
  );
  return [...found].map((match) => Number(match[1]));
}

const made = (sequence: number): string => `$15 ${START_MS}-${sequence}`;

describe('XADD with a producer', () => {
  it('answers the ID of the first entry to whoever adds it again', () => {
    const engine = new Engine({ specs });
    play(engine, [
      ['XADD s IDMP producer1 msg1 * field value', made(0)],
      ['XADD s IDMP producer1 msg1 * field different', made(0)],
      ['XADD s IDMP producer1 msg2 * field value', made(1)],
      ['XADD s IDMP producer2 msg1 * field value', made(2)],
      ['XADD s IDMPAUTO producer2 * field value', made(3)],
      ['XADD s IDMPAUTO producer2 * field value', made(3)],
      ['XADD s IDMPAUTO producer2 * fiel dvalue', made(4)],
      ['XADD s IDMPAUTO producer3 * field value', made(5)],
      ['XLEN s', ':6'],
      // The ID is known though its entry is gone.
      [`XDEL s ${START_MS}-0`, ':1'],
      ['XADD s IDMP producer1 msg1 MAXLEN 0 * field value', made(0)],
      ['XLEN s', ':5'],
    ]);
    expect(figures(engine, 's')).toEqual([100, 100, 3, 6, 6, 3]);
    check(engine);
  });

  it('tells nothing of producers where there were none', () => {
    const engine = new Engine({ specs });
    answer(engine, 'XADD s * a 1');
    expect(answer(engine, 'XINFO STREAM s')).toMatch(
      /^\*20 .*recorded-first-entry-id \S+ \S+ \$6 groups /,
    );
    answer(engine, 'XCFGSET s IDMP-DURATION 7');
    const told = answer(engine, 'XINFO STREAM s');
    expect(told).toMatch(/^\*32 .*recorded-first-entry-id \S+ \S+ \$13 idmp-duration :7 \$12 /);
    expect(told).toMatch(/ idmp-maxsize :100 \$12 pids-tracked :0 \$12 iids-tracked :0 \$10 /);
    expect(told).toMatch(/ iids-added :0 \$15 iids-duplicates :0 \$6 groups /);
    expect(answer(engine, 'XINFO STREAM s FULL')).toMatch(
      /^\*30 .*iids-duplicates :0 \$7 entries /,
    );
  });

  it('makes no key with NOMKSTREAM, and refuses what cannot be', () => {
    const engine = new Engine({ specs });
    const given = '-ERR IDMP and IDMPAUTO can only be used when the entry ID is *';
    answer(engine, 'SET text x');
    play(engine, [
      ['XADD s NOMKSTREAM IDMP p i * a 1', '$-1'],
      ['XADD s IDMP p i 1-1 a 1', given],
      ['XADD s IDMPAUTO p 1-* a 1', given],
      ["XADD s IDMP '' i * a 1", '-ERR the producer ID must not be empty'],
      ["XADD s IDMP p '' * a 1", '-ERR the idempotent ID must not be empty'],
      ["XADD s IDMPAUTO '' * a 1", '-ERR the producer ID must not be empty'],
      ['XADD s IDMP p i IDMP p i * a 1', '-ERR syntax error'],
      ['XADD s IDMPAUTO p IDMP p i * a 1', '-ERR syntax error'],
      ['XADD s IDMP p i * a', "-ERR wrong number of arguments for 'xadd' command"],
      ['XTRIM s IDMPAUTO p MAXLEN 1', '-ERR syntax error'],
      [
        'XADD text IDMP p i * a 1',
        '-WRONGTYPE Operation against a key holding the wrong kind of value',
      ],
      ['EXISTS s', ':0'],
    ]);
  });

  it('forgets when the time is over, and the oldest when there are too many', () => {
    const engine = new Engine({ specs });
    answer(engine, 'XADD s 1-0 a 1');
    play(engine, [
      ['XCFGSET s IDMP-DURATION 10 IDMP-MAXSIZE 2', '+OK'],
      ['XADD s IDMP p one * a 1', made(0)],
    ]);
    engine.clock.wallMs += 9999;
    const later = `$15 ${START_MS + 9999}-0`;
    play(engine, [
      ['XADD s IDMP p one * a 1', made(0)],
      ['XADD s IDMP p two * a 1', later],
    ]);
    engine.clock.wallMs += 1;
    expect(figures(engine, 's')).toEqual([10, 2, 1, 1, 2, 1]);
    play(engine, [
      ['XADD s IDMP p one * a 1', `$15 ${START_MS + 10_000}-0`],
      ['XADD s IDMP p three * a 1', `$15 ${START_MS + 10_000}-1`],
      ['XADD s IDMP p one * a 1', `$15 ${START_MS + 10_000}-0`],
      ['XADD s IDMP p two * a 1', `$15 ${START_MS + 10_000}-2`],
      ['XADD s IDMP p one * a 1', `$15 ${START_MS + 10_000}-3`],
    ]);
    expect(figures(engine, 's')).toEqual([10, 2, 1, 2, 6, 2]);
    check(engine);
  });

  it('keeps nothing of producers that are silent once others add', () => {
    const engine = new Engine({ specs, partitions: 1 });
    answer(engine, 'XADD s IDMP q first * a 1');
    const slab = engine.keyspace.partitions[0]!.slab;
    const bytes = usedBytesOf(slab);
    for (let pid = 0; pid < 300; pid++) answer(engine, `XADD s IDMP pid${pid} x * a 1`);
    engine.clock.wallMs += 200 * SECOND_MS;
    for (let step = 0; step < 301; step++) answer(engine, `XADD s IDMP q y${step} MAXLEN 1 * a 1`);
    expect(figures(engine, 's')).toEqual([100, 100, 1, 100, 602, 0]);
    // A hundred iids of some sixty bytes.
    expect(usedBytesOf(slab) - bytes).toBeLessThan(10_000);
    check(engine);
  });
});

describe('XCFGSET', () => {
  it('forgets what is known when it changes anything', () => {
    const engine = new Engine({ specs });
    play(engine, [
      ['XADD s IDMP p i * a 1', made(0)],
      ['XCFGSET s IDMP-DURATION 100 IDMP-MAXSIZE 100', '+OK'],
      ['XADD s IDMP p i * a 1', made(0)],
      ['xcfgset s idmp-maxsize 10000', '+OK'],
      ['XADD s IDMP p i * a 1', made(1)],
    ]);
    expect(figures(engine, 's')).toEqual([100, 10_000, 1, 1, 2, 1]);
    check(engine);
  });

  it('refuses what it cannot set', () => {
    const engine = new Engine({ specs });
    answer(engine, 'XADD s 1-0 a 1');
    answer(engine, 'SET text x');
    play(engine, [
      ['XCFGSET none IDMP-DURATION 1', '-ERR no such key'],
      [
        'XCFGSET text IDMP-DURATION 1',
        '-WRONGTYPE Operation against a key holding the wrong kind of value',
      ],
      ['XCFGSET s', '-ERR syntax error'],
      ['XCFGSET s IDMP-DURATION', '-ERR syntax error'],
      ['XCFGSET s DURATION 5', '-ERR syntax error'],
      ['XCFGSET s IDMP-DURATION 0', '-ERR invalid duration'],
      ['XCFGSET s IDMP-DURATION 86401', '-ERR invalid duration'],
      ['XCFGSET s IDMP-MAXSIZE 0', '-ERR invalid maxsize'],
      ['XCFGSET s IDMP-DURATION 5 IDMP-MAXSIZE 10001', '-ERR invalid maxsize'],
    ]);
    expect(figures(engine, 's')).toEqual([]);
  });
});

describe('XIDMPRECORD', () => {
  it('says who added an entry', () => {
    const engine = new Engine({ specs });
    answer(engine, 'XADD s 1-0 a 1');
    answer(engine, `XADD s ${START_MS - 5}-0 a 1`);
    answer(engine, `XADD s ${START_MS + 500_000}-0 a 1`);
    answer(engine, 'SET text x');
    play(engine, [
      [`XIDMPRECORD s p i ${START_MS - 5}-0`, '+OK'],
      [`XIDMPRECORD s p i ${START_MS - 5}-0`, '+OK'],
      ['XIDMPRECORD s p i 1-0', '-ERR the idempotent ID belongs to another entry'],
      [`XIDMPRECORD s p ahead ${START_MS + 500_000}-0`, '+OK'],
      ['XIDMPRECORD s p i 2-0', '-ERR the stream has no entry with this ID'],
      ["XIDMPRECORD s '' i 1-0", '-ERR the producer ID must not be empty'],
      ["XIDMPRECORD s p '' 1-0", '-ERR the idempotent ID must not be empty'],
      ['XIDMPRECORD s p i x', '-ERR Invalid stream ID specified as stream command argument'],
      ['XIDMPRECORD none p i 1-0', '-ERR no such key'],
      ['XADD s IDMP p i * a 1', `$15 ${START_MS - 5}-0`],
    ]);
    // An ID ahead of the clock keeps nothing for longer than it was asked for.
    engine.clock.wallMs += 100 * SECOND_MS;
    expect(figures(engine, 's').slice(2, 4)).toEqual([0, 0]);
    check(engine);
  });

  it('is right in a log, whatever the clock of the start says', () => {
    const records: string[] = [];
    const engine = recording(records);
    answer(engine, 'XADD s * a 1');
    answer(engine, 'XCFGSET s IDMP-DURATION 1');
    for (const iid of ['x', 'i', 'j']) answer(engine, `XADD s IDMP p ${iid} * a 1`);
    engine.clock.wallMs += 2 * SECOND_MS;
    answer(engine, 'XADD s IDMP p j * a 1');
    answer(engine, 'XADD s IDMP p i * a 1');
    answer(engine, 'XADD s IDMP p k MAXLEN 0 * a 1');

    const replica = new Engine({ specs });
    replica.keyspace.expiresByClock = false;
    // Another limit than when it was written.
    const played = records.filter((line) => !line.startsWith('XCFGSET'));
    for (const line of played) expect(`${line} → ${answer(replica, line)}`).not.toMatch(/→ -/);
    replica.keyspace.expiresByClock = true;
    for (const iid of ['i', 'j', 'k']) {
      const again = `XADD s IDMP p ${iid} * a 1`;
      expect(`${iid} ${answer(replica, again)}`).toBe(`${iid} ${answer(engine, again)}`);
    }
    expect(figures(replica, 's')[3]).toBe(figures(engine, 's')[3]);
    // An entry that is gone already.
    replica.keyspace.expiresByClock = false;
    expect(answer(replica, `XIDMPRECORD s p gone ${START_MS}-77`)).toBe('+OK');
    expect(answer(replica, 'XADD s IDMP p gone * a 1')).toBe(`$16 ${START_MS}-77`);
    check(replica);
  });
});

describe('what producers added', () => {
  it('is in the log behind the entry, and before what was trimmed', () => {
    const records: string[] = [];
    const engine = recording(records);
    const leaves = (line: string): string => {
      records.length = 0;
      answer(engine, line);
      return records.join(' ');
    };
    expect(leaves('XADD s NOMKSTREAM IDMP p i * a 1')).toBe('');
    expect(leaves('XADD s IDMP p i * a 1')).toBe(
      `XADD s ${START_MS}-0 a 1 XIDMPRECORD s p i ${START_MS}-0`,
    );
    expect(leaves('XADD s IDMP p i * a 1')).toBe('');
    expect(leaves('XADD s DELREF IDMP p j MAXLEN 0 * a 1')).toBe(
      `XADD s ${START_MS}-1 a 1 XIDMPRECORD s p j ${START_MS}-1 XTRIM s DELREF MAXLEN = 0`,
    );
    expect(leaves('XCFGSET s IDMP-MAXSIZE 5')).toBe('XCFGSET s IDMP-MAXSIZE 5');
  });

  it('goes with the stream when it is copied, dumped, renamed and removed', () => {
    const engine = new Engine({ specs, server: { config: new Config() } });
    const used = () => engine.slabs.map(usedBytesOf);
    // What a database keeps for itself once it had a key.
    answer(engine, 'XADD s * a 1');
    answer(engine, 'DEL s');
    for (const name of ['s', 'copy', 'restored', 'renamed']) {
      answer(engine, `XADD ${name} 1-0 a 1`);
      answer(engine, `DEL ${name}`);
    }
    const before = used();
    answer(engine, 'XADD s IDMP p i * a 1');
    answer(engine, 'XCFGSET s IDMP-MAXSIZE 7');
    for (let number = 0; number < 20; number++) {
      answer(engine, `XADD s IDMP ${number % 3 === 0 ? 'p' : 'q'} i${number} * a ${number}`);
    }
    answer(engine, 'XADD s IDMP p i18 * a 1');
    const told = figures(engine, 's');
    expect(told).toEqual([100, 7, 2, 14, 21, 1]);
    play(engine, [['COPY s copy', ':1']]);
    const payload = Buffer.from(engine.run('DUMP', 's').replace(/^\$\d+\r\n|\r\n$/g, ''), 'latin1');
    expect(payload[0]).toBe(193);
    expect(engine.run('RESTORE', 'restored', '0', payload)).toBe('+OK\r\n');
    play(engine, [['RENAME s renamed', '+OK']]);
    const first = answer(engine, 'XADD copy IDMP p i18 * a 1');
    for (const key of ['copy', 'restored', 'renamed']) {
      expect(answer(engine, `XADD ${key} IDMP p i18 * a 1`)).toBe(first);
      expect(figures(engine, key).slice(0, 5)).toEqual(told.slice(0, 5));
    }
    check(engine);
    play(engine, [['DEL copy restored renamed', ':3']]);
    expect(used()).toEqual(before);
  });

  randomTest('is what maps say, in the log too', 12, (random) => {
    const records: string[] = [];
    const engine = recording(records);
    const model = new Model();
    for (let step = 0; step < 600; step++) model.step(engine, random);
    check(engine);
    const replica = new Engine({ specs, partitions: 1 });
    replica.clock.wallMs = engine.clock.wallMs;
    for (const line of records) {
      const reply = answer(replica, line);
      expect(`${line} → ${reply}`).not.toMatch(/→ -/);
    }
    check(replica);
    // What has come to be known is known there as well, and no more.
    for (const [name, { id }] of model.known(engine.clock.wallMs)) {
      expect(answer(replica, `XADD s IDMP ${name} * f 1`)).toBe(`$${id.length} ${id}`);
    }
    expect(figures(replica, 's').slice(2, 4)).toEqual(figures(engine, 's').slice(2, 4));
  });
});

function recording(records: string[]): Engine {
  const sink = {
    isOn: true,
    append(_database: number, u8: Uint8Array, from: number, length: number) {
      const bytes = Buffer.from(u8.slice(from, from + length)).toString('latin1');
      for (const command of bytes.split(/(?=\*\d+\r\n)/)) {
        records.push(
          command
            .split('\r\n')
            .filter((_, at) => at >= 2 && at % 2 === 0)
            .join(' '),
        );
      }
    },
  };
  return new Engine({ specs, partitions: 1, sink });
}

interface Known {
  readonly id: string;
  readonly ms: number;
}

/** The stream `s`: what each producer has added of late, the oldest first. */
class Model {
  private readonly producers = new Map<string, Map<string, Known>>();
  private seconds = 100;
  private most = 100;
  private exists = false;

  step(engine: Engine, random: Random): void {
    engine.clock.wallMs += random.pick([0, 1, 300, 900]);
    const nowMs = engine.clock.wallMs;
    if (this.exists && random.chance(0.02)) {
      const seconds = random.pick([1, 5, 60]);
      const most = random.pick([1, 3, 10]);
      answer(engine, `XCFGSET s IDMP-DURATION ${seconds} IDMP-MAXSIZE ${most}`);
      if (seconds !== this.seconds || most !== this.most) this.producers.clear();
      this.seconds = seconds;
      this.most = most;
      return;
    }
    const pid = `p${random.below(5)}`;
    const iid = `i${random.below(12)}`;
    const trimming = random.pick(['', '', 'MAXLEN 3', 'MAXLEN ~ 5', 'MAXLEN 0']);
    const [, id] = answer(engine, `XADD s IDMP ${pid} ${iid} ${trimming} * f ${iid}`).split(' ');
    this.exists = true;
    this.forget(nowMs);
    const iids = this.producers.get(pid) ?? new Map<string, Known>();
    this.producers.set(pid, iids);
    const known = iids.get(iid);
    if (known !== undefined) {
      expect(id).toBe(known.id);
      return;
    }
    expect(id).toBe(answer(engine, 'XINFO STREAM s').match(/last-generated-id \S+ (\S+)/)?.[1]);
    if (iids.size >= this.most) iids.delete([...iids.keys()][0]!);
    iids.set(iid, { id: id!, ms: nowMs });
  }

  private forget(nowMs: number): void {
    for (const iids of this.producers.values()) {
      for (const [iid, { ms }] of iids) {
        if (ms + this.seconds * SECOND_MS <= nowMs) iids.delete(iid);
      }
    }
  }

  /** Producers and iids, as XADD takes them. */
  known(nowMs: number): Map<string, Known> {
    this.forget(nowMs);
    const known = new Map<string, Known>();
    for (const [pid, iids] of this.producers) {
      for (const [iid, entry] of iids) known.set(`${pid} ${iid}`, entry);
    }
    return known;
  }
}
