// Array commands on one engine in this process: replies as Redis 8.8 documents them, what is
// refused, what they leave in the log and that it comes to the same when it is applied.

import { describe, expect, it } from 'vitest';
import { allCommands } from '../../src/commands/index.js';
import { Config } from '../../src/config/config.js';
import { notifyClassesOf, type RecordSink } from '../../src/dispatch/effects.js';
import { usedBytesOf } from '../../src/slab/slab.js';
import { checkKeyspace } from '../support/check-keyspace.js';
import { Engine } from '../support/engine.js';
import { splitWords } from '../support/pattern.js';
import { randomTest } from '../support/random-test.js';
import type { Random } from '../support/seed.js';

const WRONG_TYPE = '-WRONGTYPE Operation against a key holding the wrong kind of value';
const LAST = '18446744073709551614';
const BEHIND_LAST = '18446744073709551615';

const SINK: RecordSink = { isOn: false, append() {} };

function start(partitions = 2, partitionBytes = 4 * 1024 * 1024, sink = SINK): Engine {
  const server = debugging();
  return new Engine({ specs: allCommands, partitions, partitionBytes, server, sink });
}

/** A reply on one line: its parts as the protocol has them, without lengths of texts. */
function answer(engine: Engine, line: string): string {
  const reply = engine.run(...splitWords(line));
  return reply
    .replace(/\$\d+\r\n/g, '')
    .replaceAll('\r\n', ' ')
    .trimEnd();
}

type Row = readonly [command: string, reply: string];

function play(engine: Engine, rows: readonly Row[]): void {
  for (const [command, reply] of rows) {
    expect(`${command} → ${answer(engine, command)}`).toBe(`${command} → ${reply}`);
  }
  checkKeyspace(engine.keyspace);
}

const NIL = '$-1';

describe('ARSET, ARGET and their like', () => {
  it('write and read values by position', () => {
    play(start(), [
      ['ARSET a 0 hello', ':1'],
      ['ARSET a 0 world', ':0'],
      ['ARSET a 2 x y z', ':3'],
      ['ARGET a 0', 'world'],
      ['ARGET a 1', NIL],
      ['ARGET a 4', 'z'],
      ['ARGET nothing 0', NIL],
      ['ARMSET a 2 X 100 far 2 XX', ':1'],
      ['ARMGET a 2 3 100 7', `*4 XX y far ${NIL}`],
      ['ARMGET nothing 2 3', `*2 ${NIL} ${NIL}`],
      ['ARLEN a', ':101'],
      ['ARCOUNT a', ':5'],
      ['ARLEN nothing', ':0'],
      ['ARCOUNT nothing', ':0'],
      ['TYPE a', '+array'],
      ['OBJECT ENCODING a', 'sliced-array'],
    ]);
  });

  it('reach up to the last position', () => {
    play(start(), [
      [`ARSET a ${LAST} end`, ':1'],
      [`ARGET a ${LAST}`, 'end'],
      ['ARLEN a', `:${BEHIND_LAST}`],
      [`ARSCAN a 0 ${LAST}`, `*1 *2 :${LAST} end`],
      [`ARSET a ${LAST} end over`, '-ERR array index overflow'],
      [`ARSET a ${BEHIND_LAST} x`, '-ERR invalid array index'],
      ['ARSET a 9223372036854775807 x y', ':2'],
      ['ARGETRANGE a 9223372036854775808 9223372036854775806', `*3 y x ${NIL}`],
      ['ARDEL a 9223372036854775807 9223372036854775808', ':2'],
      ['ARLASTITEMS a 2', `*2 ${NIL} end`],
    ]);
  });

  it('refuse what is no position', () => {
    const engine = start();
    play(engine, [['SET s 1', '+OK']]);
    const index = '-ERR invalid array index';
    play(engine, [
      ['ARGET a x', index],
      ['ARGET a -1', index],
      ['ARGET s x', WRONG_TYPE],
      ['ARMGET a 0 x', index],
      ['ARSET a x 1', index],
      ['ARSET s x 1', index],
      ['ARSET s 0 1', WRONG_TYPE],
      ['ARMSET a 0 x 1.5 y', index],
      ['ARMSET a 0 x 1', "-ERR wrong number of arguments for 'armset' command"],
      ['ARDEL a 0 x', index],
      ['ARDELRANGE a 0 x', index],
      ['ARDELRANGE a 0 1 2', "-ERR wrong number of arguments for 'ardelrange' command"],
      ['ARGETRANGE a 0 x', index],
      ['ARSCAN a x 0', index],
      ['ARGREP a x + MATCH y', index],
      ['AROP a x 1 SUM', index],
      ['ARSEEK a x', index],
      ['EXISTS a', ':0'],
    ]);
  });

  it('refuse a key that holds another type', () => {
    const engine = start();
    engine.run('SET', 's', '1');
    for (const line of [
      ...['ARGET s 0', 'ARMGET s 0', 'ARGETRANGE s 0 1', 'ARLEN s', 'ARCOUNT s', 'ARNEXT s'],
      ...['ARLASTITEMS s 1', 'ARSET s 0 x', 'ARMSET s 0 x', 'ARDEL s 0', 'ARDELRANGE s 0 1'],
      ...['ARINSERT s x', 'ARRING s 3 x', 'ARSEEK s 0', 'ARSCAN s 0 1', 'ARINFO s'],
      ...['ARGREP s - + MATCH x', 'AROP s 0 1 SUM'],
    ]) {
      expect(`${line} → ${answer(engine, line)}`).toBe(`${line} → ${WRONG_TYPE}`);
    }
  });

  it('take values away, and the key with the last of them', () => {
    play(start(), [
      ['ARSET a 0 a b c d', ':4'],
      ['ARDEL a 1 1 9', ':1'],
      ['ARDEL nothing 0', ':0'],
      ['ARLEN a', ':4'],
      ['ARDEL a 3', ':1'],
      ['ARLEN a', ':3'],
      ['ARDELRANGE a 2 0', ':2'],
      ['EXISTS a', ':0'],
      ['ARSET a 5 x', ':1'],
      [`ARMSET a 9000 y ${LAST} z`, ':2'],
      [`ARDELRANGE a 0 5 6000 ${LAST} 7 8`, ':3'],
      ['EXISTS a', ':0'],
    ]);
  });
});

describe('ARGETRANGE and ARSCAN', () => {
  it('return every position, or every value with its position, in either direction', () => {
    play(start(), [
      ['ARMSET a 0 a 1 b 3 d', ':3'],
      ['ARGETRANGE a 0 4', `*5 a b ${NIL} d ${NIL}`],
      ['ARGETRANGE a 4 1', `*4 ${NIL} d ${NIL} b`],
      ['ARGETRANGE nothing 0 1', `*2 ${NIL} ${NIL}`],
      ['ARSCAN a 0 3', '*3 *2 :0 a *2 :1 b *2 :3 d'],
      ['ARSCAN a 9 1', '*2 *2 :3 d *2 :1 b'],
      ['ARSCAN a 0 9 LIMIT 2', '*2 *2 :0 a *2 :1 b'],
      ['ARSCAN a 4 9', '*0'],
      ['ARSCAN nothing 0 9', '*0'],
      ['ARGETRANGE a 0 1000000', '-ERR range exceeds maximum of 1000000 items'],
      [`ARGETRANGE a ${LAST} 0`, '-ERR range exceeds maximum of 1000000 items'],
      ['ARSCAN a 0 9 LIMIT 0', '-ERR LIMIT must be positive'],
      ['ARSCAN a 0 9 LIMIT x', '-ERR value is not an integer or out of range'],
      ['ARSCAN a 0 9 COUNT 2', '-ERR syntax error'],
      ['ARSCAN a 0 9 LIMIT', "-ERR wrong number of arguments for 'arscan' command"],
    ]);
  });
});

describe('ARINSERT, ARNEXT and ARSEEK', () => {
  it('write where the cursor is', () => {
    play(start(), [
      ['ARNEXT log', ':0'],
      ['ARSEEK log 5', ':0'],
      ['ARINSERT log a', ':0'],
      ['ARINSERT log b c', ':2'],
      ['ARNEXT log', ':3'],
      ['ARSEEK log 10', ':1'],
      ['ARINSERT log d', ':10'],
      ['ARSET log 20 x', ':1'],
      ['ARNEXT log', ':11'],
      ['ARSEEK log 0', ':1'],
      ['ARNEXT log', ':0'],
      ['ARINSERT log A', ':0'],
      ['ARGET log 0', 'A'],
    ]);
  });

  it('end with the positions', () => {
    play(start(), [
      ['ARINSERT log a', ':0'],
      [`ARSEEK log ${LAST}`, ':1'],
      ['ARINSERT log b c', '-ERR insert index overflow'],
      ['ARINSERT log b', `:${LAST}`],
      ['ARNEXT log', NIL],
      ['ARINSERT log c', '-ERR insert index overflow'],
      [`ARSEEK log ${BEHIND_LAST}`, ':1'],
      ['ARNEXT log', NIL],
      ['ARCOUNT log', ':2'],
    ]);
  });
});

describe('ARRING and ARLASTITEMS', () => {
  it('write in a circle, and tell what came last', () => {
    play(start(), [
      ['ARRING ring 3 v0', ':0'],
      ['ARRING ring 3 v1 v2', ':2'],
      ['ARRING ring 3 v3', ':0'],
      ['ARLASTITEMS ring 3', '*3 v1 v2 v3'],
      ['ARLASTITEMS ring 3 REV', '*3 v3 v2 v1'],
      ['ARLASTITEMS ring 9 rev', '*3 v3 v2 v1'],
      ['ARLASTITEMS ring 2', '*2 v2 v3'],
      ['ARLASTITEMS ring 1', '*1 v3'],
      ['ARLASTITEMS ring 0', '*0'],
      ['ARLASTITEMS ring -1 NONSENSE', '*0'],
      ['ARLASTITEMS nothing 3', '*0'],
      ['ARLASTITEMS ring x', '-ERR invalid COUNT'],
      ['ARLASTITEMS ring 1 BACK', '-ERR syntax error'],
      ['ARLASTITEMS ring 1 REV REV', "-ERR wrong number of arguments for 'arlastitems' command"],
      ['ARRING ring 0 x', '-ERR size must be positive'],
      ['ARRING ring -1 x', '-ERR size must be positive'],
      ['ARRING ring x x', '-ERR invalid size'],
      ['ARCOUNT ring', ':3'],
    ]);
  });

  it('keep the last values when the size changes', () => {
    play(start(), [
      ['ARRING ring 4 a b c d e f', ':1'],
      ['ARGETRANGE ring 0 3', '*4 e f c d'],
      ['ARRING ring 6 g', ':4'],
      ['ARGETRANGE ring 0 5', `*6 c d e f g ${NIL}`],
      ['ARRING ring 2 h', ':0'],
      ['ARGETRANGE ring 0 5', `*6 h g ${NIL} ${NIL} ${NIL} ${NIL}`],
      ['ARLEN ring', ':2'],
      ['ARLASTITEMS ring 2', '*2 g h'],
    ]);
  });

  it('honour the cursor, and keep no more than a gap lets them', () => {
    play(start(), [
      ['ARRING ring 4 a b c d e f', ':1'],
      ['ARSEEK ring 0', ':1'],
      ['ARRING ring 9 x', ':0'],
      ['ARGETRANGE ring 0 4', `*5 x f c d ${NIL}`],
      ['ARDEL ring 3', ':1'],
      ['ARLASTITEMS ring 3', '*3 f c x'],
      ['ARSET ring 7 far', ':1'],
      ['ARRING ring 2 y', ':0'],
      ['ARGETRANGE ring 0 7', `*8 y x ${NIL} ${NIL} ${NIL} ${NIL} ${NIL} ${NIL}`],
    ]);
  });

  it('refuse a reply of a million nils', () => {
    play(start(), [
      ['ARSET a 5000000 x', ':1'],
      ['ARLASTITEMS a 1000001', '-ERR count exceeds maximum of 1000000 items'],
      ['ARLASTITEMS a 2', `*2 ${NIL} x`],
    ]);
  });
});

describe('ARGREP', () => {
  const filled = (): Engine => {
    const engine = start();
    engine.run(
      ...splitWords('ARMSET log 0 "boot: ok" 1 "warn: disk" 2 "ERROR: cpu" 3 "info: ready" 4'),
      'error: net',
    );
    return engine;
  };

  it('finds what equals, contains or matches', () => {
    play(filled(), [
      ['ARGREP log - + MATCH error', '*1 :4'],
      ['ARGREP log - + MATCH error NOCASE', '*2 :2 :4'],
      ['ARGREP log + - MATCH error NOCASE', '*2 :4 :2'],
      ['ARGREP log - + MATCH error NOCASE WITHVALUES', '*2 *2 :2 ERROR: cpu *2 :4 error: net'],
      ['ARGREP log 0 4 GLOB "warn:*" OR GLOB "error:*"', '*2 :1 :4'],
      ['ARGREP log 0 4 RE "^[A-Za-z]+: (cpu|net)$"', '*2 :2 :4'],
      ['ARGREP log 0 4 RE "^error" NOCASE LIMIT 1', '*1 :2'],
      ['ARGREP log 0 4 EXACT "info: ready"', '*1 :3'],
      ['ARGREP log 0 4 EXACT "INFO: READY"', '*0'],
      ['ARGREP log 0 4 NOCASE EXACT "INFO: READY"', '*1 :3'],
      ['ARGREP log - + MATCH r GLOB "*:*e*" AND', '*2 :3 :4'],
      ['ARGREP log - + LIMIT 9 MATCH : AND LIMIT 2 OR', '*2 :0 :1'],
      ['ARGREP log - + MATCH ""', '*5 :0 :1 :2 :3 :4'],
      ['ARGREP nothing - + MATCH x', '*0'],
    ]);
  });

  it('refuses what it does not understand', () => {
    const engine = filled();
    play(engine, [
      ['ARGREP log - + MATCH', "-ERR wrong number of arguments for 'argrep' command"],
      ['ARGREP log - + LIMIT 1', '-ERR syntax error'],
      ['ARGREP log - + MATCH x LIMIT', '-ERR syntax error'],
      ['ARGREP log - + MATCH x RE', '-ERR syntax error'],
      ['ARGREP log - + MATCH x LIMIT 0', '-ERR LIMIT must be positive'],
      ['ARGREP log - + MATCH x NONSENSE', '-ERR syntax error'],
      ['ARGREP log - + RE ""', '-ERR regular expression is empty'],
      ['ARGREP log - + RE (', "-ERR invalid regular expression: Missing ')'"],
      ['ARGREP log - + RE (a)\\1', '-ERR regular expression backreferences are not supported'],
      [
        `ARGREP log - + RE ${'a'.repeat(2049)}`,
        '-ERR regular expression is too long, maximum is 2048 bytes',
      ],
      [`ARGREP log - + RE ${'a'.repeat(2048)}`, '*0'],
      [`ARGREP log - +${' MATCH x'.repeat(251)}`, '-ERR too many predicates, maximum is 250'],
    ]);
  });

  randomTest('finds a text in others as JavaScript does', 100, (random) => {
    const engine = start(1);
    const letters = (count: number) =>
      Array.from({ length: count }, () => random.pick(['a', 'b', 'A', 'B'])).join('');
    const values = Array.from({ length: 20 }, () => letters(random.below(12)));
    engine.run('ARSET', 'a', '0', ...values);
    const wanted = letters(random.below(5));
    for (const isFolded of [false, true]) {
      const fold = (text: string) => (isFolded ? text.toLowerCase() : text);
      const expected = values.flatMap((value, index) =>
        fold(value).includes(fold(wanted)) ? [`:${index}\r\n`] : [],
      );
      const options = isFolded ? ['NOCASE'] : [];
      expect(engine.run('ARGREP', 'a', '-', '+', 'MATCH', wanted, ...options)).toBe(
        `*${expected.length}\r\n${expected.join('')}`,
      );
    }
  });
});

describe('AROP', () => {
  it('adds up, compares, combines and counts', () => {
    play(start(), [
      ['ARMSET a 0 10 1 20.5 2 30 3 text 4 -2 9 1e2', ':6'],
      ['AROP a 0 2 SUM', '60.5'],
      ['AROP a 0 100 SUM', '158.5'],
      ['AROP a 4 0 MIN', '-2'],
      ['AROP a 0 4 MAX', '30'],
      ['AROP a 0 9 MAX', '100'],
      ['AROP a 0 2 AND', ':0'],
      ['AROP a 0 2 OR', ':30'],
      ['AROP a 0 2 XOR', ':0'],
      ['AROP a 1 1 or', ':20'],
      ['AROP a 3 3 SUM', NIL],
      ['AROP a 3 3 AND', NIL],
      ['AROP a 5 8 MIN', NIL],
      ['AROP a 0 9 USED', ':6'],
      ['AROP a 0 9 MATCH text', ':1'],
      ['AROP a 0 9 MATCH 10', ':1'],
      ['AROP nothing 0 9 USED', ':0'],
      ['AROP nothing 0 9 MATCH x', ':0'],
      ['AROP nothing 0 9 SUM', NIL],
      ['AROP a 0 9 AVG', '-ERR unknown operation'],
      ['AROP a 0 9 MATCH', '-ERR MATCH requires a value argument'],
      ['AROP a 0 9 SUM x', "-ERR wrong number of arguments for 'arop' command"],
    ]);
  });

  it('is exact for integers of 64 bits and for decimals', () => {
    play(start(), [
      ['ARSET a 0 0.1 0.2 -0.3', ':3'],
      ['AROP a 0 1 SUM', '0.3'],
      ['AROP a 0 2 SUM', '0'],
      ['ARSET b 0 9223372036854775807 9223372036854775806 -9223372036854775808', ':3'],
      ['AROP b 0 1 MIN', '9.2233720368547758e+18'],
      ['AROP b 0 2 MIN', '-9.2233720368547758e+18'],
      ['AROP b 0 2 SUM', '9.2233720368547758e+18'],
      ['AROP b 0 1 AND', ':9223372036854775806'],
      ['AROP b 0 2 XOR', ':-9223372036854775807'],
      ['ARSET c 0 9007199254740993 9007199254740992', ':2'],
      ['AROP c 0 1 MAX', '9007199254740993'],
      ['AROP c 0 1 MIN', '9007199254740992'],
      ['AROP c 0 1 SUM', '18014398509481985'],
      ['ARSET d 0 inf 1 -2.9 1e400', ':4'],
      ['AROP d 0 2 SUM', 'inf'],
      ['AROP d 2 2 OR', ':-2'],
      ['AROP d 3 3 MAX', '1e+400'],
      ['AROP d 0 0 OR', NIL],
      ['ARSET e 0 inf -inf', ':2'],
      ['AROP e 0 1 SUM', '-nan'],
      ['AROP e 0 1 MIN', '-inf'],
    ]);
  });

  randomTest('sums as BigInt does', 50, (random) => {
    const engine = start(1);
    const values = Array.from({ length: random.between(1, 200) }, () =>
      String((BigInt(random.next()) << 24n) * (random.chance(0.5) ? 1n : -1n)),
    );
    engine.run('ARSET', 'a', '0', ...values);
    const sum = values.reduce((total, value) => total + BigInt(value), 0n);
    if (sum > -(10n ** 17n) && sum < 10n ** 17n) {
      expect(answer(engine, 'AROP a 0 1000 SUM')).toBe(String(sum));
    } else {
      expect(Number(answer(engine, 'AROP a 0 1000 SUM'))).toBeCloseTo(Number(sum), -5);
    }
    const bits = values.reduce((total, value) => total ^ BigInt(value), 0n);
    expect(answer(engine, 'AROP a 0 1000 XOR')).toBe(`:${bits}`);
  });
});

describe('ARINFO', () => {
  it('tells what an array is made of', () => {
    const engine = start();
    play(engine, [
      ['ARMSET a 0 a 1 b 100 c', ':3'],
      ['ARINSERT a d', ':0'],
      [
        'ARINFO a',
        '*14 count :3 len :101 next-insert-index :1 slices :1 directory-size :1 ' +
          'super-dir-entries :0 slice-size :4096',
      ],
      ['ARINFO nothing', '-ERR no such key'],
      ['ARINFO a SOME', '-ERR syntax error'],
      ['ARINFO a FULL FULL', '-ERR syntax error'],
      ['ARSET b 0 1 2 3 4', ':4'],
    ]);
    const full = answer(engine, 'ARINFO b full');
    expect(full).toMatch(/^\*24 count :4 .* dense-slices :1 sparse-slices :0 /);
    expect(full).toMatch(/ avg-dense-size 4 avg-dense-fill 1 avg-sparse-size 0$/);
    engine.session.protocol = 3;
    expect(engine.run('ARINFO', 'a')).toMatch(/^%7\r\n\$5\r\ncount\r\n:3\r\n/);
    expect(engine.run('ARGET', 'a', '7')).toBe('_\r\n');
    engine.session.protocol = 2;
  });
});

describe('a refusal', () => {
  it('for want of memory changes nothing', () => {
    const engine = start(1, 2 * 1024 * 1024);
    let refused = 0;
    let before = '';
    for (let at = 0; at < 3000 && refused < 5; at++) {
      const line =
        at % 2 === 0 ? ['ARSET', 'a', String(at * 7)] : ['ARMSET', 'b', String(at * 5000)];
      const reply = engine.run(...line, 'v'.repeat(2000));
      if (!reply.startsWith('-')) continue;
      expect(reply).toMatch(/^-OOM/);
      const state = `${digest(engine)} ${usedBytesOf(engine.slabs[0]!)}`;
      if (refused > 0) expect(state).toBe(before);
      before = state;
      refused++;
    }
    expect(refused).toBe(5);
    expect(answer(engine, 'ARDELRANGE a 0 1000000')).toMatch(/^:[1-9]/);
    checkKeyspace(engine.keyspace);
  });
});

function digest(engine: Engine): string {
  return engine.run('DEBUG', 'DIGEST-VALUE', 'a', 'b');
}

/** What DEBUG asks of the server. */
function debugging(): { readonly config: Config } {
  const config = new Config();
  config.set('enable-debug-command', ['yes']);
  return { config };
}

// ── What follows ─────────────────────────────────────────────────────────────────────────────

describe('what an array command leaves', () => {
  it('is an event of the class a, and del behind it when the key goes', () => {
    const engine = start();
    const events: string[] = [];
    const { notifications } = engine.effects;
    notifications.classes = notifyClassesOf('ag');
    notifications.notify = (_partition, event) => void events.push(event);
    for (const line of [
      ...['ARSET a 0 x', 'ARMSET a 1 y', 'ARINSERT a z', 'ARRING a 2 w', 'ARSEEK a 1'],
      ...['ARDEL a 9', 'ARDEL a 0', 'ARDELRANGE a 5 9', 'ARDELRANGE a 0 9', 'ARSEEK a 1'],
    ]) {
      answer(engine, line);
    }
    expect(events.join(' ')).toBe('arset armset arinsert arring arseek ardel ardelrange del');
  });

  randomTest('comes to the same when it is applied', 10, (random) => {
    const lines: string[][] = [];
    const sink = {
      isOn: true,
      append(_database: number, u8: Uint8Array, start: number, length: number) {
        const record = Buffer.from(u8.slice(start, start + length)).toString('latin1');
        lines.push(record.split('\r\n').filter((_, index) => index >= 2 && index % 2 === 0));
      },
    };
    const engine = start(1, 4 * 1024 * 1024, sink);
    for (let step = 0; step < 300; step++) {
      answer(engine, randomCommand(random));
      if (step % 60 === 0) checkKeyspace(engine.keyspace);
    }
    const replica = start(1);
    for (const line of lines) expect(replica.run(...line)).not.toMatch(/^-/);
    for (const key of KEYS) {
      expect(answer(replica, `ARNEXT ${key}`)).toBe(answer(engine, `ARNEXT ${key}`));
      const range = `ARSCAN ${key} 0 ${LAST}`;
      expect(answer(replica, range)).toBe(answer(engine, range));
    }
    expect(digest(replica)).toBe(digest(engine));
    for (const key of KEYS) answer(engine, `ARDELRANGE ${key} ${LAST} 0`);
    expect(engine.run('DBSIZE')).toBe(':0\r\n');
    const empty = start(1);
    answer(empty, 'SET a 1');
    answer(empty, 'DEL a');
    expect(usedBytesOf(engine.slabs[0]!)).toBe(usedBytesOf(empty.slabs[0]!));
  });
});

const KEYS = ['a', 'b'];

function randomCommand(random: Random): string {
  const key = random.pick(KEYS);
  const at = () => random.pick([random.below(30), random.below(10_000), 4_294_967_290]);
  const value = () => random.pick([String(random.below(1000)), 'text', 'a longer value', '2.5']);
  const values = () => Array.from({ length: random.between(1, 5) }, () => `"${value()}"`).join(' ');
  switch (random.below(9)) {
    case 0:
      return `ARSET ${key} ${at()} ${values()}`;
    case 1:
      return `ARMSET ${key} ${at()} 1 ${at()} "${value()}"`;
    case 2:
      return `ARDEL ${key} ${at()} ${at()}`;
    case 3:
      return `ARDELRANGE ${key} ${at()} ${at()}`;
    case 4:
      return `ARINSERT ${key} ${values()}`;
    case 5:
    case 6:
      return `ARRING ${key} ${random.pick([3, 5, 12, 100])} ${values()}`;
    case 7:
      return `ARSEEK ${key} ${at()}`;
    default:
      return `ARLASTITEMS ${key} ${random.below(20)}`;
  }
}
