// XREADGROUP CLAIM, MAXCOUNT and MAXSIZE, which Redis 8 added: what is claimed, in which order, how
// it is told and what it leaves in the log. Against a list of pending entries in JavaScript.

import { describe, expect, it } from 'vitest';
import { genericCommands } from '../../src/commands/generic/index.js';
import { streamCommands } from '../../src/commands/stream/index.js';
import { eachEntry } from '../../src/keyspace/scan.js';
import { checkStructure } from '../../src/keyspace/values.js';
import { checkSlab } from '../../src/slab/check.js';
import { Engine } from '../support/engine.js';
import { randomTest } from '../support/random-test.js';
import { answer, play } from '../support/rows.js';
import type { Random } from '../support/seed.js';

const specs = [...streamCommands, ...genericCommands];
const START_MS = 1_700_000_000_000;

function check(engine: Engine): void {
  for (const partition of engine.keyspace.partitions) {
    partition.select(0);
    eachEntry(partition, (slab, entry) => {
      checkStructure(slab, entry as Parameters<typeof checkStructure>[1]);
    });
    checkSlab(partition.slab);
  }
}

/** A stream `s` of `count` entries 1-0, 2-0, … and its group `g`, which has read nothing. */
function start(count: number): Engine {
  const engine = new Engine({ specs, partitions: 2 });
  for (let ms = 1; ms <= count; ms++) answer(engine, `XADD s ${ms}-0 f ${ms}`);
  answer(engine, 'XGROUP CREATE s g 0');
  return engine;
}

const claimed = (id: number, idleMs: number, deliveries: number | string): string =>
  `*4 $${`${id}-0`.length} ${id}-0 *2 $1 f $${`${id}`.length} ${id} :${idleMs} :${deliveries}`;

describe('XREADGROUP CLAIM', () => {
  it('takes over what was idle for long, and then reads what is new', () => {
    const engine = start(4);
    answer(engine, 'XREADGROUP GROUP g alice COUNT 2 STREAMS s >');
    engine.clock.wallMs += 99;
    play(engine, [
      ['XREADGROUP GROUP g bob COUNT 1 CLAIM 100 STREAMS s >', `*1 *2 $1 s *1 ${claimed(3, 0, 0)}`],
    ]);
    engine.clock.wallMs += 1;
    play(engine, [
      [
        'XREADGROUP GROUP g bob CLAIM 100 STREAMS s >',
        `*1 *2 $1 s *3 ${claimed(1, 100, 1)} ${claimed(2, 100, 1)} ${claimed(4, 0, 0)}`,
      ],
      ['XREADGROUP GROUP g bob CLAIM 100 STREAMS s >', '*-1'],
      ['XPENDING s g', '*4 :4 $3 1-0 $3 4-0 *1 *2 $3 bob $1 4'],
      ['XPENDING s g - + 2', '*2 *4 $3 1-0 $3 bob :0 :2 *4 $3 2-0 $3 bob :0 :2'],
    ]);
    check(engine);
  });

  it('takes the longest idle first, and those that were given back before all others', () => {
    const engine = start(5);
    for (const id of [3, 1, 4, 2, 5]) {
      answer(engine, `XCLAIM s g alice 0 ${id}-0 FORCE`);
      engine.clock.wallMs += 10;
    }
    answer(engine, 'XNACK s g FAIL IDS 1 5-0');
    const nowMs = START_MS + 50;
    play(engine, [
      [
        'XREADGROUP GROUP g bob COUNT 3 CLAIM 20 STREAMS s >',
        `*1 *2 $1 s *3 ${claimed(5, nowMs, 2)} ${claimed(3, 50, 2)} ${claimed(1, 40, 2)}`,
      ],
      [
        'XREADGROUP GROUP g bob COUNT 2 CLAIM 20 STREAMS s >',
        `*1 *2 $1 s *2 ${claimed(4, 30, 2)} ${claimed(2, 20, 2)}`,
      ],
    ]);
    check(engine);
  });

  it('shares COUNT between what is claimed and what is new', () => {
    const engine = start(6);
    answer(engine, 'XREADGROUP GROUP g alice COUNT 2 STREAMS s >');
    engine.clock.wallMs += 5;
    play(engine, [
      [
        'XREADGROUP GROUP g bob COUNT 3 CLAIM 5 STREAMS s >',
        `*1 *2 $1 s *3 ${claimed(1, 5, 1)} ${claimed(2, 5, 1)} ${claimed(3, 0, 0)}`,
      ],
      ['XREADGROUP GROUP g bob COUNT 1 CLAIM 0 STREAMS s >', `*1 *2 $1 s *1 ${claimed(1, 0, 2)}`],
    ]);
  });

  it('keeps pending what it claims with NOACK, and is ignored for the history', () => {
    const engine = start(3);
    answer(engine, 'XREADGROUP GROUP g alice COUNT 1 STREAMS s >');
    engine.clock.wallMs += 5;
    play(engine, [
      [
        'XREADGROUP GROUP g bob NOACK CLAIM 1 STREAMS s >',
        `*1 *2 $1 s *3 ${claimed(1, 5, 1)} ${claimed(2, 0, 0)} ${claimed(3, 0, 0)}`,
      ],
      ['XPENDING s g', '*4 :1 $3 1-0 $3 1-0 *1 *2 $3 bob $1 1'],
      ['XREADGROUP GROUP g bob CLAIM 0 STREAMS s 0', '*1 *2 $1 s *1 *2 $3 1-0 *2 $1 f $1 1'],
      ['XREADGROUP GROUP g alice CLAIM 0 STREAMS s 0', '*1 *2 $1 s *0'],
    ]);
  });

  it('forgets entries that were deleted', () => {
    const engine = start(3);
    answer(engine, 'XREADGROUP GROUP g alice STREAMS s >');
    answer(engine, 'XDEL s 1-0 3-0');
    play(engine, [
      ['XREADGROUP GROUP g bob CLAIM 0 STREAMS s >', `*1 *2 $1 s *1 ${claimed(2, 0, 1)}`],
      ['XPENDING s g', '*4 :1 $3 2-0 $3 2-0 *1 *2 $3 bob $1 1'],
    ]);
    check(engine);
  });

  it('claims a key that is named twice once', () => {
    const engine = start(2);
    answer(engine, 'XREADGROUP GROUP g alice STREAMS s >');
    engine.clock.wallMs += 5;
    play(engine, [
      [
        'XREADGROUP GROUP g bob CLAIM 5 STREAMS s s > >',
        `*1 *2 $1 s *2 ${claimed(1, 5, 1)} ${claimed(2, 5, 1)}`,
      ],
    ]);
  });

  it('leaves in the log what XCLAIM leaves there', () => {
    const records: string[] = [];
    const sink = {
      isOn: true,
      append(_database: number, u8: Uint8Array, from: number, length: number) {
        records.push(Buffer.from(u8.slice(from, from + length)).toString('latin1'));
      },
    };
    const engine = new Engine({ specs, partitions: 1, sink });
    for (const id of ['1-0', '2-0']) answer(engine, `XADD s ${id} a 1`);
    answer(engine, 'XGROUP CREATE s g 0');
    answer(engine, 'XREADGROUP GROUP g alice STREAMS s >');
    answer(engine, 'XDEL s 2-0');
    answer(engine, 'XGROUP CREATECONSUMER s g bob');
    engine.clock.wallMs += 7;
    records.length = 0;
    answer(engine, 'XREADGROUP GROUP g bob CLAIM 1 STREAMS s >');
    const words = records.join('').split('\r\n');
    expect(
      words
        .filter((text) => !/^[*$]\d+$/.test(text))
        .join(' ')
        .trim(),
    ).toBe(
      `XCLAIM s g bob 0 1-0 TIME ${START_MS + 7} RETRYCOUNT 2 FORCE JUSTID LASTID 2-0 ` +
        `XCLAIM s g alice 0 2-0 TIME ${START_MS} RETRYCOUNT 1 FORCE JUSTID LASTID 2-0`,
    );
  });

  it('refuses what is no time, and belongs to groups', () => {
    const engine = start(1);
    const refusal = '-ERR Invalid min-idle-time argument for XREADGROUP';
    play(engine, [
      ['XREADGROUP GROUP g c CLAIM x STREAMS s >', refusal],
      ['XREADGROUP GROUP g c CLAIM -1 STREAMS s >', refusal],
      ['XREADGROUP GROUP g c CLAIM STREAMS s >', refusal],
      [
        'XREAD CLAIM 5 STREAMS s 0',
        '-ERR The CLAIM option is only supported by XREADGROUP. You called XREAD instead.',
      ],
      ['XPENDING s g', '*4 :0 $-1 $-1 *-1'],
    ]);
  });

  randomTest('claims what a list of pending entries says', 20, (random) => {
    const engine = new Engine({ specs, partitions: 1 });
    answer(engine, 'XGROUP CREATE s g 0 MKSTREAM');
    const model = new Model();
    for (let step = 0; step < 400; step++) {
      engine.clock.wallMs += random.below(20);
      model.step(engine, random);
    }
    check(engine);
  });
});

interface Pending {
  readonly number: number;
  ms: number;
  deliveries: number;
}

/** A group `g` of the stream `s`, whose entries are 1-0, 2-0, … */
class Model {
  private readonly alive = new Set<number>();
  private added = 0;
  private delivered = 0;
  private pending: Pending[] = [];

  step(engine: Engine, random: Random): void {
    const nowMs = engine.clock.nowMs();
    const number = 1 + random.below(this.added + 1);
    const entry = this.pending.find((each) => each.number === number);
    switch (random.below(8)) {
      case 0:
      case 1:
      case 2:
        this.added++;
        this.alive.add(this.added);
        answer(engine, `XADD s ${this.added}-0 f ${this.added}`);
        break;
      case 3:
        expect(answer(engine, `XACK s g ${number}-0`)).toBe(`:${entry === undefined ? 0 : 1}`);
        this.pending = this.pending.filter((each) => each !== entry);
        break;
      case 4:
        answer(engine, `XDEL s ${number}-0`);
        this.alive.delete(number);
        break;
      case 5:
        answer(engine, `XNACK s g FAIL IDS 1 ${number}-0`);
        if (entry !== undefined) entry.ms = 0;
        break;
      default:
        this.read(engine, random, nowMs);
    }
  }

  private read(engine: Engine, random: Random, nowMs: number): void {
    const idleMs = random.pick([0, 30, 100, 500]);
    const count = random.pick([1, 3, 1000]);
    const consumer = random.pick(['alice', 'bob']);
    const told: string[] = [];
    const idle = this.pending
      .filter((each) => nowMs - each.ms >= idleMs)
      .sort((left, right) => left.ms - right.ms || left.number - right.number);
    for (const each of idle.slice(0, count)) {
      if (!this.alive.has(each.number)) {
        this.pending.splice(this.pending.indexOf(each), 1);
        continue;
      }
      told.push(claimed(each.number, nowMs - each.ms, each.deliveries));
      each.ms = nowMs;
      each.deliveries++;
    }
    while (told.length < count && this.delivered < this.added) {
      const number = ++this.delivered;
      if (!this.alive.has(number)) continue;
      told.push(claimed(number, 0, 0));
      this.pending.push({ number, ms: nowMs, deliveries: 1 });
    }
    const line = `XREADGROUP GROUP g ${consumer} COUNT ${count} CLAIM ${idleMs} STREAMS s >`;
    const reply = told.length === 0 ? '*-1' : `*1 *2 $1 s *${told.length} ${told.join(' ')}`;
    expect(answer(engine, line)).toBe(reply);
  }
}

describe('MAXCOUNT and MAXSIZE', () => {
  const entry = (id: number): string => `*2 $3 ${id}-0 *2 $1 f $1 ${id}`;
  /** Bytes of such an entry as it is sent. */
  const ENTRY_BYTES = entry(1)
    .split(' ')
    .reduce((sum, line) => sum + line.length + 2, 0);

  function startThree(): Engine {
    const engine = new Engine({ specs, partitions: 4 });
    for (const key of ['s', 't', 'u']) {
      for (let ms = 1; ms <= 3; ms++) answer(engine, `XADD ${key} ${ms}-0 f ${ms}`);
      answer(engine, `XGROUP CREATE ${key} g 0`);
    }
    return engine;
  }

  it('limit all streams together', () => {
    const engine = startThree();
    const two = `${entry(1)} ${entry(2)}`;
    play(engine, [
      [
        'XREAD COUNT 2 MAXCOUNT 3 STREAMS s t u 0 0 0',
        `*2 *2 $1 s *2 ${two} *2 $1 t *1 ${entry(1)}`,
      ],
      ['XREAD MAXCOUNT 3 STREAMS s t 0 0', `*1 *2 $1 s *3 ${two} ${entry(3)}`],
      ['XREAD MAXCOUNT 1 STREAMS s t + +', `*1 *2 $1 s *1 ${entry(3)}`],
      [
        'XREADGROUP GROUP g c COUNT 2 MAXCOUNT 3 STREAMS s t u > > >',
        `*2 *2 $1 s *2 ${two} *2 $1 t *1 ${entry(1)}`,
      ],
      ['XPENDING u g', '*4 :0 $-1 $-1 *-1'],
      ['XREADGROUP GROUP g c MAXCOUNT 1 STREAMS s t 0 0', `*1 *2 $1 s *1 ${entry(1)}`],
      ['XREADGROUP GROUP g c MAXCOUNT 9 STREAMS s u 0 0', `*2 *2 $1 s *2 ${two} *2 $1 u *0`],
    ]);
    check(engine);
  });

  it('limit what is claimed as well', () => {
    const engine = startThree();
    answer(engine, 'XREADGROUP GROUP g c STREAMS s t u > > >');
    engine.clock.wallMs += 5;
    play(engine, [
      [
        'XREADGROUP GROUP g d CLAIM 5 MAXCOUNT 4 STREAMS s t u > > >',
        `*2 *2 $1 s *3 ${claimed(1, 5, 1)} ${claimed(2, 5, 1)} ${claimed(3, 5, 1)} ` +
          `*2 $1 t *1 ${claimed(1, 5, 1)}`,
      ],
      [
        `XREADGROUP GROUP g d CLAIM 5 MAXSIZE ${ENTRY_BYTES} STREAMS s t u > > >`,
        `*1 *2 $1 t *1 ${claimed(2, 5, 1)}`,
      ],
      [
        'XREADGROUP GROUP g d CLAIM 5 STREAMS s t u > > >',
        `*2 *2 $1 t *1 ${claimed(3, 5, 1)} ` +
          `*2 $1 u *3 ${claimed(1, 5, 1)} ${claimed(2, 5, 1)} ${claimed(3, 5, 1)}`,
      ],
    ]);
    check(engine);
  });

  it('give one entry at least, whatever its size', () => {
    const engine = startThree();
    const size = 2 * ENTRY_BYTES;
    play(engine, [
      ['XREAD MAXSIZE 1 STREAMS s t 0 0', `*1 *2 $1 s *1 ${entry(1)}`],
      [`XREAD MAXSIZE ${size} STREAMS s t 1 0`, `*1 *2 $1 s *2 ${entry(2)} ${entry(3)}`],
      [`XREAD MAXSIZE ${size} STREAMS s t 2 0`, `*2 *2 $1 s *1 ${entry(3)} *2 $1 t *1 ${entry(1)}`],
      [`XREAD MAXSIZE ${size - 1} STREAMS s t 2 0`, `*1 *2 $1 s *1 ${entry(3)}`],
      [`XREAD MAXSIZE ${size} STREAMS s t + +`, `*2 *2 $1 s *1 ${entry(3)} *2 $1 t *1 ${entry(3)}`],
      ['XREADGROUP GROUP g c MAXSIZE 1 STREAMS s t > >', `*1 *2 $1 s *1 ${entry(1)}`],
      ['XREADGROUP GROUP g c MAXSIZE 1 STREAMS s t > >', `*1 *2 $1 s *1 ${entry(2)}`],
      ['XPENDING s g', '*4 :2 $3 1-0 $3 2-0 *1 *2 $1 c $1 2'],
      ['XREADGROUP GROUP g c MAXSIZE 1 STREAMS s t 0 0', `*2 *2 $1 s *1 ${entry(1)} *2 $1 t *0`],
    ]);
    check(engine);
  });

  it('refuse what is no limit', () => {
    const engine = startThree();
    play(engine, [
      ['XREAD MAXCOUNT 0 STREAMS s 0', '-ERR MAXCOUNT must be a positive integer'],
      ['XREAD MAXSIZE -5 STREAMS s 0', '-ERR MAXSIZE must be a positive integer'],
      [
        'XREAD COUNT 3 MAXCOUNT 2 STREAMS s 0',
        '-ERR MAXCOUNT must be greater than or equal to COUNT',
      ],
      ['XREADGROUP GROUP g c MAXCOUNT x STREAMS s >', '-ERR MAXCOUNT must be a positive integer'],
    ]);
  });
});
