// String commands on one engine in this process: replies and the order of refusals, what they leave
// in the log, which events they announce, and that the structures below stay whole.

import { describe, expect, it } from 'vitest';
import { stringCommands } from '../../src/commands/string/index.js';
import { limits } from '../../src/dispatch/limits.js';
import { hashOfEntry } from '../../src/keyspace/entry.js';
import { checkExpiry } from '../../src/keyspace/expire.js';
import { usedBytesOf } from '../../src/slab/slab.js';
import { checkTable } from '../../src/structs/table.js';
import { commonLength, commonSubsequence } from '../../src/types/lcs.js';
import { Engine, type EngineOptions } from '../support/engine.js';
import { answer, play, type Row } from '../support/rows.js';
import { Random, seedOf } from '../support/seed.js';

function start(options: Partial<EngineOptions> = {}): Engine {
  return new Engine({ specs: stringCommands, ...options });
}

function check(engine: Engine): void {
  for (const partition of engine.keyspace.partitions) {
    partition.select(0);
    checkTable(partition.slab, partition.tableRoot, hashOfEntry);
    checkExpiry(partition.slab, partition.expiryRoot);
  }
}

function usedBytes(engine: Engine): number {
  return engine.slabs.reduce((sum, slab) => sum + usedBytesOf(slab), 0);
}

const NOW = 1_700_000_000_000;
const SYNTAX = '-ERR syntax error';
const NOT_INTEGER = '-ERR value is not an integer or out of range';
const NOT_FLOAT = '-ERR value is not a valid float';
const OVERFLOW = '-ERR increment or decrement would overflow';

describe('SET', () => {
  it('looks at all words for syntax before it looks at a value', () => {
    play(start(), [
      ['SET k v EX abc NX XX', SYNTAX],
      ['SET k v EX', SYNTAX],
      ['SET k v EX 10 PX 10', SYNTAX],
      ['SET k v KEEPTTL EX 10', SYNTAX],
      ['SET k v PERSIST', SYNTAX],
      ['SET k v NX XX', SYNTAX],
      ['SET k v NX IFEQ a', SYNTAX],
      ['SET k v IFEQ a IFNE b', SYNTAX],
      ['SET k v IFEQ', SYNTAX],
      ['SET k v EX abc', NOT_INTEGER],
      ['SET k v EX 0', "-ERR invalid expire time in 'set' command"],
      ['SET k v XX EX -1', "-ERR invalid expire time in 'set' command"],
      ['SET k v EX 9223372036854775', "-ERR invalid expire time in 'set' command"],
      ['SET k v EX 9223372036854776', "-ERR invalid expire time in 'set' command"],
      ['SET k v PX 9223372036854775807', "-ERR invalid expire time in 'set' command"],
      ['SET k v EXAT 9223372036854776', "-ERR invalid expire time in 'set' command"],
      ['SET k v PXAT 9223372036854775808', NOT_INTEGER],
      ['SET k v PXAT 9223372036854775807', '+OK'],
      ['SET k v EX 9221672036854775', '+OK'],
      ['SET k v EX 5 EX 100 nx nx', '$-1'],
      ['SET k w xx xx get GET', '$1 v'],
    ]);
  });

  it('answers with the old value and keeps or drops the expiry as asked', () => {
    const engine = start();
    play(engine, [
      ['SET k a GET', '$-1'],
      ['SET k b GET PX 50', '$1 a'],
      ['SET k c KEEPTTL', '+OK'],
    ]);
    engine.clock.wallMs += 51;
    play(engine, [
      ['GET k', '$-1'],
      ['SET k a PX 50', '+OK'],
      ['SET k b', '+OK'],
    ]);
    engine.clock.wallMs += 51;
    play(engine, [
      ['GET k', '$1 b'],
      ['SET k c NX GET', '$1 b'],
      ['SET j c XX GET', '$-1'],
      ['GET j', '$-1'],
      ['SET k past EXAT 1', '+OK'],
      ['GET k', '$-1'],
    ]);
    check(engine);
  });

  it('compares with IFEQ, IFNE, IFDEQ and IFDNE', () => {
    const engine = start();
    play(engine, [
      ['SET k v IFEQ x', '$-1'],
      ['SET k hello IFNE x', '+OK'],
      ['SET k w IFEQ x', '$-1'],
      ['SET k w IFNE hello GET', '$5 hello'],
      ['DIGEST k', '$16 9555e8555c62dcfd'],
      ['SET k w IFDNE 9555E8555C62DCFD', '$-1'],
      ['SET k w IFDEQ 123', '-ERR must be exactly 16 hexadecimal characters'],
      ['SET k w IFDEQ zzzzzzzzzzzzzzzz', '$-1'],
      ['SET k w IFDEQ 9555E8555c62dcfd EX 10', '+OK'],
      ['SET k w2 IFDEQ 1 EX 0', "-ERR invalid expire time in 'set' command"],
      ['SET n 123', '+OK'],
      ['SET n x ifeq 0123', '$-1'],
      ['SET n x IfEq 123', '+OK'],
      ['SET missing v IFDEQ 1', '$-1'],
      ['SET missing v IFDNE 1', '+OK'],
    ]);
  });

  it('takes values of every size over values of every size', () => {
    const engine = start();
    const sizes = [0, 1, 3, 16, 40, 44, 45, 200, 4095, 4096, 4097, 9000, 40_000];
    const values = ['7', '-9223372036854775808', ...sizes.map((size) => 'x'.repeat(size))];
    for (const from of values) {
      for (const to of values) {
        for (const time of [[], ['PX', '100000'], ['KEEPTTL']]) {
          engine.run('SET', 'k', from, 'PX', '5000');
          expect(engine.run('SET', 'k', to, ...time)).toBe('+OK\r\n');
          expect(engine.run('GET', 'k')).toBe(`$${to.length}\r\n${to}\r\n`);
          check(engine);
        }
      }
    }
  });

  it('builds one entry for a new volatile key, with room for its expiry', () => {
    const engine = start({ partitions: 1 });
    engine.run('SET', 'w', 'v', 'EX', '100');
    const before = usedBytes(engine);
    engine.run('SET', 'key', 'value', 'EX', '100');
    expect(usedBytes(engine) - before).toBeLessThanOrEqual(32);
    check(engine);
  });
});

describe('GETEX, GETDEL, GETSET, SETNX, SETEX, PSETEX', () => {
  it('answer and refuse in the order of Redis', () => {
    const engine = start();
    play(engine, [
      ['GETEX k EX abc', '$-1'],
      ['GETEX k EX 10 PERSIST', SYNTAX],
      ['GETEX k KEEPTTL', SYNTAX],
      ['GETEX k EX', SYNTAX],
      ['SET k v', '+OK'],
      ['GETEX k EX abc', NOT_INTEGER],
      ['GETEX k PX 0', "-ERR invalid expire time in 'getex' command"],
      ['GETEX k', '$1 v'],
      ['GETEX k PX 50', '$1 v'],
      ['GETEX k PERSIST', '$1 v'],
    ]);
    engine.clock.wallMs += 100;
    play(engine, [
      ['GETEX k EXAT 1', '$1 v'],
      ['GET k', '$-1'],
      ['SETNX k 1', ':1'],
      ['SETNX k 2', ':0'],
      ['GETSET k x', '$1 1'],
      ['GETDEL k', '$1 x'],
      ['GETDEL k', '$-1'],
      ['SETEX k 0 v', "-ERR invalid expire time in 'setex' command"],
      ['PSETEX k x v', NOT_INTEGER],
      ['PSETEX k -1 v', "-ERR invalid expire time in 'psetex' command"],
      ['SETEX k 10 v', '+OK'],
      ['PSETEX k 10 v', '+OK'],
    ]);
    engine.clock.wallMs += 11;
    play(engine, [['GET k', '$-1']]);
    check(engine);
  });
});

describe('ranges', () => {
  it('are cut as Redis cuts them', () => {
    play(start(), [
      ['GETRANGE k x 1', NOT_INTEGER],
      ['GETRANGE k 0 -1', '$0'],
      ['SET k "Hello World"', '+OK'],
      ['GETRANGE k 0 3', '$4 Hell'],
      ['SUBSTR k -4 -1', '$4 orld'],
      ['GETRANGE k 5 3', '$0'],
      ['GETRANGE k -5000 10000', '$11 Hello World'],
      ['GETRANGE k 0 -100', '$1 H'],
      ['GETRANGE k -100 -101', '$0'],
      ['GETRANGE k -9223372036854775807 -9223372036854775808', '$0'],
      ['GETRANGE k -9223372036854775808 -9223372036854775807', '$1 H'],
      ['GETRANGE k 0 9223372036854775807', '$11 Hello World'],
      ['SET n -1234', '+OK'],
      ['GETRANGE n 1 2', '$2 12'],
      ['STRLEN n', ':5'],
      ['STRLEN missing', ':0'],
    ]);
  });

  it('are written with zeros before them, and refused where the string became too long', () => {
    play(start(), [
      ['SETRANGE k x v', NOT_INTEGER],
      ['SETRANGE k -1 ""', '-ERR offset is out of range'],
      ['SETRANGE k 536870912 ""', ':0'],
      ['SETRANGE k 536870912 x', '-ERR string exceeds maximum allowed size (proto-max-bulk-len)'],
      ['GET k', '$-1'],
      ['SETRANGE k 2 ab', ':4'],
      ['GET k', '$4 \0\0ab'],
      ['SET n 123', '+OK'],
      ['SETRANGE n 1 9', ':3'],
      ['INCR n', ':194'],
      ['APPEND n ""', ':3'],
      ['APPEND n 5', ':4'],
      ['DECRBY n 5', ':1940'],
    ]);
  });

  it('respect a lower limit of the configuration', () => {
    const before = limits.bulkBytesMax;
    limits.bulkBytesMax = 10;
    try {
      play(start(), [
        ['SET k 123456789', '+OK'],
        ['APPEND k 0', ':10'],
        ['APPEND k 1', '-ERR string exceeds maximum allowed size (proto-max-bulk-len)'],
        [
          'LCS k k LEN',
          '-ERR Insufficient memory, transient memory for LCS exceeds proto-max-bulk-len',
        ],
      ]);
    } finally {
      limits.bulkBytesMax = before;
    }
  });
});

describe('counters', () => {
  it('count in 64 bits and refuse to overflow', () => {
    play(start(), [
      ['INCR n', ':1'],
      ['DECR n', ':0'],
      ['DECR n', ':-1'],
      ['INCRBY n 4294967296', ':4294967295'],
      ['INCR n', ':4294967296'],
      ['SET n 9223372036854775806', '+OK'],
      ['INCR n', ':9223372036854775807'],
      ['INCR n', OVERFLOW],
      ['INCRBY n -9223372036854775808', ':-1'],
      ['DECRBY n 9223372036854775807', ':-9223372036854775808'],
      ['DECR n', OVERFLOW],
      ['DECRBY n -9223372036854775808', '-ERR decrement would overflow'],
      ['INCRBY n x', NOT_INTEGER],
      ['SET n " 1"', '+OK'],
      ['INCR n', NOT_INTEGER],
    ]);
  });

  it('keep the expiry of their key', () => {
    const engine = start();
    play(engine, [
      ['SET n 1 PX 50', '+OK'],
      ['INCR n', ':2'],
      ['INCRBYFLOAT n 0.5', '$3 2.5'],
      ['INCRBYFLOAT n 0.5', '$1 3'],
      ['INCR n', ':4'],
    ]);
    engine.clock.wallMs += 51;
    play(engine, [['INCR n', ':1']]);
    check(engine);
  });

  it('add floats with the digits of Redis', () => {
    play(start(), [
      ['INCRBYFLOAT f 0.1', '$3 0.1'],
      ['INCRBYFLOAT f 0.2', '$3 0.3'],
      ['SET f 3.0e3', '+OK'],
      ['INCRBYFLOAT f 200.1', '$22 3200.10000000000000009'],
      ['INCRBYFLOAT f abc', NOT_FLOAT],
      ['SET f abc', '+OK'],
      ['INCRBYFLOAT f 1', NOT_FLOAT],
      ['SET f 1', '+OK'],
      ['INCRBYFLOAT f inf', '-ERR increment would produce NaN or Infinity'],
    ]);
  });
});

describe('several keys', () => {
  it('are set and read at once, the last of two equal keys counting', () => {
    const engine = start({ partitions: 8 });
    play(engine, [
      ['MSET a 1 b 2 a 3', '+OK'],
      ['MGET a b c', '*3 $1 3 $1 2 $-1'],
      ['MSET a 1 b', "-ERR wrong number of arguments for 'mset' command"],
      ['MSETNX c 1 c', "-ERR wrong number of arguments for 'msetnx' command"],
      ['MSETNX c 1 b 2', ':0'],
      ['MGET c b', '*2 $-1 $1 2'],
      ['MSETNX c 1 c 2 d 3', ':1'],
      ['MGET c d', '*2 $1 2 $1 3'],
    ]);
    check(engine);
  });

  it('are set by MSETEX on a condition and with a common time', () => {
    const engine = start({ partitions: 8 });
    play(engine, [
      ['MSETEX 0 a 1', '-ERR invalid numkeys value'],
      ['MSETEX x a 1', '-ERR invalid numkeys value'],
      ['MSETEX 2147483648 a 1', '-ERR invalid numkeys value'],
      ['MSETEX 2147483647 a 1', '-ERR wrong number of key-value pairs'],
      ['MSETEX 2 a 1 b', '-ERR wrong number of key-value pairs'],
      ['MSETEX 1 a 1 b', SYNTAX],
      ['MSETEX 1 a 1 NX XX', SYNTAX],
      ['MSETEX 1 a 1 EX 1 KEEPTTL', SYNTAX],
      ['MSETEX 1 a 1 GET', SYNTAX],
      ['MSETEX 1 a 1 EX 0', "-ERR invalid expire time in 'msetex' command"],
      ['MSETEX 2 a 1 b 2 XX', ':0'],
      ['MSETEX 2 a 1 b 2 PX 50 NX', ':1'],
      ['MSETEX 2 b 3 c 4 nx', ':0'],
      ['MSETEX 2 a 5 b 6 xx keepttl', ':1'],
      ['MGET a b c', '*3 $1 5 $1 6 $-1'],
    ]);
    engine.clock.wallMs += 51;
    play(engine, [['MGET a b', '*2 $-1 $-1']]);
    check(engine);
  });

  it('are refused together when one partition has no memory left, and nothing is changed', () => {
    const engine = start({ partitions: 2, partitionBytes: 4 * 1024 * 1024 });
    const big = 'x'.repeat(500_000);
    let count = 0;
    while (engine.run('SET', `big${count}`, big).startsWith('+')) count++;
    const before = usedBytes(engine);
    const words = Array.from({ length: 20 }, (_, index) => [`key${index}`, big]).flat();
    expect(engine.run('MSET', ...words)).toMatch(/^-OOM /);
    expect(engine.run('MSETEX', '20', ...words, 'EX', '10')).toMatch(/^-OOM /);
    expect(usedBytes(engine)).toBe(before);
    expect(engine.run('MGET', 'key0', 'key1')).toBe('*2\r\n$-1\r\n$-1\r\n');
    check(engine);
  });
});

describe('DELEX and DIGEST', () => {
  it('delete on a condition, and look at the key before they look at the condition', () => {
    play(start(), [
      ['DELEX k', ':0'],
      ['DELEX k IFEQ', "-ERR wrong number of arguments for 'delex' command"],
      ['DELEX k IFEQ a b', "-ERR wrong number of arguments for 'delex' command"],
      ['DELEX k FOO a', ':0'],
      ['DELEX k IFDEQ 1', ':0'],
      ['SET k hello', '+OK'],
      ['DELEX k FOO a', '-ERR Invalid condition. Use IFEQ, IFNE, IFDEQ, or IFDNE'],
      ['DELEX k IFEQ other', ':0'],
      ['DELEX k IFNE hello', ':0'],
      ['DELEX k IFDEQ 1', '-ERR must be exactly 16 hexadecimal characters'],
      ['DELEX k IFDNE 9555E8555C62DCFD', ':0'],
      ['DELEX k IFDEQ 9555e8555c62dcfd', ':1'],
      ['DIGEST k', '$-1'],
      ['SET k 123', '+OK'],
      ['DIGEST k', '$16 404a763b3f4c8c9a'],
      ['DELEX k ifeq 123', ':1'],
      ['GET k', '$-1'],
    ]);
  });
});

describe('INCREX', () => {
  it('counts within bounds, and up to them with SATURATE', () => {
    play(start(), [
      ['INCREX k', '*2 :1 :1'],
      ['INCREX k BYINT -10', '*2 :-9 :-10'],
      ['INCREX k BYINT 100 UBOUND 80', '*2 :-9 :0'],
      ['INCREX k BYINT 100 UBOUND 80 SATURATE', '*2 :80 :89'],
      ['INCREX k BYINT 5 UBOUND 30 SATURATE', '*2 :30 :-50'],
      ['INCREX k BYINT -25 UBOUND 10', '*2 :5 :-25'],
      ['INCREX k LBOUND 0 BYINT 100 UBOUND 10 SATURATE', '*2 :10 :5'],
      ['INCREX new BYINT 5 LBOUND 10', '*2 :0 :0'],
      ['GET new', '$-1'],
      ['SET k 9223372036854775800', '+OK'],
      ['INCREX k BYINT 9223372036854775800', '*2 :9223372036854775800 :0'],
      ['INCREX k BYINT 9223372036854775800 SATURATE', '*2 :9223372036854775807 :7'],
      ['INCREX k SATURATE UBOUND -9223372036854775808', '-ERR applied increment would overflow'],
      ['SET k -9223372036854775800', '+OK'],
      ['INCREX k BYINT -100 SATURATE', '*2 :-9223372036854775808 :-8'],
    ]);
  });

  it('counts in floats with BYFLOAT', () => {
    const engine = start();
    play(engine, [
      ['SET k 1.5', '+OK'],
      ['INCREX k BYFLOAT 0.25', '*2 $4 1.75 $4 0.25'],
      ['INCREX k BYFLOAT 100 UBOUND 42.5', '*2 $4 1.75 $1 0'],
      ['INCREX k BYFLOAT 100 UBOUND 42.5 SATURATE', '*2 $4 42.5 $5 40.75'],
      ['INCREX k BYINT 1', NOT_INTEGER],
      ['INCREX k BYFLOAT +inf', '-ERR BYFLOAT increment cannot be Infinity'],
      ['INCREX k BYFLOAT 1 UBOUND -inf', "-ERR LBOUND can't be greater than UBOUND"],
      ['INCREX k BYFLOAT 1 LBOUND inf UBOUND inf', '*2 $4 42.5 $1 0'],
      [
        'INCREX k BYFLOAT 1 LBOUND inf UBOUND inf SATURATE',
        '-ERR applied increment would be Infinity',
      ],
      ['INCREX k BYFLOAT 1 UBOUND inf', '*2 $4 43.5 $1 1'],
      ['SET k inf', '+OK'],
      ['INCREX k BYFLOAT 1', '-ERR value cannot be Infinity'],
      ['SET k 1e4932', '+OK'],
      ['INCREX k BYFLOAT 1e4932 UBOUND 100', /* too long to write down */ expectedLarge()],
      ['SET k 2', '+OK'],
      ['INCREX k BYFLOAT 1', '*2 $1 3 $1 1'],
      ['INCREX k', '*2 :4 :1'],
    ]);
    engine.session.protocol = 3;
    play(engine, [
      ['INCREX k BYFLOAT 2.5', '*2 ,6.5 ,2.5'],
      ['SET k 1', '+OK'],
      ['INCREX k', '*2 :2 :1'],
    ]);
  });

  it('refuses words that do not fit together', () => {
    play(start(), [
      ['SET k x', '+OK'],
      ['INCREX k FOO', SYNTAX],
      ['INCREX k FOO 1', SYNTAX],
      ['INCREX k BYINT', SYNTAX],
      ['INCREX k BYINT 1 BYINT 2', SYNTAX],
      ['INCREX k BYINT 1 BYFLOAT 1.5', SYNTAX],
      ['INCREX k LBOUND 0 LBOUND 1', SYNTAX],
      ['INCREX k UBOUND 0 UBOUND 1', SYNTAX],
      ['INCREX k SATURATE SATURATE', SYNTAX],
      ['INCREX k EX 10 PX 5000', SYNTAX],
      ['INCREX k EX 10 EX 10', SYNTAX],
      ['INCREX k PERSIST EX 10', SYNTAX],
      ['INCREX k PERSIST PERSIST', SYNTAX],
      ['INCREX k ENX PERSIST', SYNTAX],
      ['INCREX k ENX ENX EX 10', SYNTAX],
      ['INCREX k ENX', '-ERR ENX flag requires an expiration'],
      ['INCREX k BYINT 1.5', '-ERR Increment is not an integer or out of range'],
      ['INCREX k BYFLOAT abc', '-ERR Increment is not a valid float'],
      ['INCREX k LBOUND inf', '-ERR LBOUND is not an integer or out of range'],
      ['INCREX k BYFLOAT 1 UBOUND abc', '-ERR UBOUND is not a valid float'],
      ['INCREX k LBOUND 10 UBOUND 5', "-ERR LBOUND can't be greater than UBOUND"],
      ['INCREX k EX 0', "-ERR invalid expire time in 'increx' command"],
      ['INCREX k', NOT_INTEGER],
      ['INCREX k BYFLOAT 1', NOT_FLOAT],
    ]);
  });

  it('sets, keeps and removes the expiry, and deletes a key whose time is over', () => {
    const engine = start();
    play(engine, [
      ['INCREX k PX 50 ENX', '*2 :1 :1'],
      ['INCREX k EX 100 ENX', '*2 :2 :1'],
      ['INCREX k UBOUND 2 EX 100', '*2 :2 :0'],
    ]);
    engine.clock.wallMs += 51;
    play(engine, [
      ['INCREX k PX 50', '*2 :1 :1'],
      ['INCREX k PERSIST', '*2 :2 :1'],
    ]);
    engine.clock.wallMs += 51;
    play(engine, [
      ['INCREX k EXAT 1', '*2 :3 :1'],
      ['GET k', '$-1'],
      ['INCREX k BYFLOAT 1.5 PXAT 1', '*2 $3 1.5 $3 1.5'],
      ['GET k', '$-1'],
      ['SET k 1 EX 100', '+OK'],
      ['INCREX k EXAT 1 ENX', '*2 :2 :1'],
      ['GET k', '$1 2'],
    ]);
    check(engine);
  });
});

function expectedLarge(): string {
  const engine = start();
  engine.run('INCRBYFLOAT', 'k', '1e4932');
  return `*2 ${answer(engine, 'GET k')} $1 0`;
}

describe('LCS', () => {
  it('answers with the string, its length, or where it lies, in both protocols', () => {
    const engine = start();
    play(engine, [
      ['MSET a ohmytext b mynewtext n 12', '+OK'],
      ['LCS a b', '$6 mytext'],
      ['LCS a b len', ':6'],
      [
        'LCS a b IDX WITHMATCHLEN',
        '*4 $7 matches *2 *3 *2 :4 :7 *2 :5 :8 :4 *3 *2 :2 :3 *2 :0 :1 :2 $3 len :6',
      ],
      ['LCS a b IDX MINMATCHLEN 4', '*4 $7 matches *1 *2 *2 :4 :7 *2 :5 :8 $3 len :6'],
      ['LCS a missing IDX', '*4 $7 matches *0 $3 len :0'],
      ['LCS a missing', '$0'],
      ['LCS n n', '$2 12'],
      ['LCS a b MINMATCHLEN', SYNTAX],
      ['LCS a b MINMATCHLEN x', NOT_INTEGER],
      ['LCS a b LEN IDX', '-ERR If you want both the length and indexes, please just use IDX.'],
      ['LCS a b LEN IDX FOO', SYNTAX],
    ]);
    engine.session.protocol = 3;
    play(engine, [['LCS a b IDX MINMATCHLEN 5', '%2 $7 matches *0 $3 len :6']]);
  });

  it('finds a subsequence of both strings, as long as its length says', () => {
    const seed = seedOf('FLAGSTONE_SEED');
    const random = new Random(seed);
    const text = () => Buffer.from(random.bytes(random.below(40))).map((byte) => byte & 3);
    for (let round = 0; round < 300; round++) {
      const [a, b] = [text(), text()];
      const { bytes, matches } = commonSubsequence(a, b)!;
      const hint = `FLAGSTONE_SEED=${seed}`;
      expect(bytes.length, hint).toBe(commonLength(a, b));
      const fromA = matches.toReversed().map((m) => a.subarray(m.aFirst, m.aLast + 1));
      const fromB = matches.toReversed().map((m) => b.subarray(m.bFirst, m.bLast + 1));
      expect(Buffer.concat(fromA), hint).toEqual(Buffer.from(bytes));
      expect(Buffer.concat(fromB), hint).toEqual(Buffer.from(bytes));
    }
  });
});

describe('what follows a change', () => {
  function record(): { engine: Engine; records: string[] } {
    const records: string[] = [];
    const sink = {
      isOn: true,
      append(_database: number, u8: Uint8Array, start: number, length: number) {
        const text = Buffer.from(u8.slice(start, start + length)).toString('latin1');
        // What is left without headers and lengths are the words, of all commands in a row.
        const words = text.split('\r\n').filter((line) => !/^[*$]\d+$/.test(line) && line !== '');
        records.push(words.join(' '));
      },
    };
    return { engine: start({ sink }), records };
  }

  /** Commands and the words they leave in the log; '' for nothing. */
  const EFFECTS: readonly Row[] = [
    ['SET k v', 'SET k v'],
    ['SET k v GET', 'SET k v'],
    ['SET k v KEEPTTL GET', 'SET k v KEEPTTL'],
    ['SET k v NX', ''],
    ['SET k v XX', 'SET k v'],
    ['SET k v EX 10 GET', `SET k v PXAT ${NOW + 10_000}`],
    ['SET k v IFEQ x EX 10', ''],
    ['SET k v PXAT 1700000099999', 'SET k v PXAT 1700000099999'],
    ['SETEX k 10 v', `SET k v PXAT ${NOW + 10_000}`],
    ['PSETEX k 10 v', `SET k v PXAT ${NOW + 10}`],
    ['GETSET k w', 'SET k w'],
    ['GETEX k', ''],
    ['GETEX k PERSIST', ''],
    ['GETEX k EX 10', `PEXPIREAT k ${NOW + 10_000}`],
    ['GETEX k PERSIST', 'PERSIST k'],
    ['GETEX k EXAT 1', 'DEL k'],
    ['INCRBYFLOAT k 1.50', 'SET k 1.5 KEEPTTL'],
    ['GETDEL k', 'DEL k'],
    ['GETDEL k', ''],
    ['APPEND k a', 'APPEND k a'],
    ['SETRANGE k 0 ""', ''],
    ['MSETEX 2 k 1 j 2 EX 10', `SET k 1 PXAT ${NOW + 10_000} SET j 2 PXAT ${NOW + 10_000}`],
    ['MSETEX 1 k 2 KEEPTTL', 'SET k 2 KEEPTTL'],
    ['INCREX k', 'SET k 3 KEEPTTL'],
    ['INCREX k PERSIST', 'SET k 4'],
    ['INCREX k BYFLOAT 0.5', 'SET k 4.5 KEEPTTL'],
    ['INCREX k BYFLOAT 0.5 EX 10', `SET k 5 PXAT ${NOW + 10_000}`],
    ['INCREX k EX 20 ENX', 'SET k 6 KEEPTTL'],
    ['INCREX k UBOUND 6', ''],
    ['INCREX k EXAT 1', 'DEL k'],
    ['DELEX j IFEQ x', ''],
    ['DELEX j IFEQ 2', 'DEL j'],
    ['MSETNX a 1 b 2', 'MSETNX a 1 b 2'],
    ['MSETNX a 1 b 2', ''],
  ];

  it('is one record of what happened, without conditions and relative times', () => {
    const { engine, records } = record();
    for (const [command, effect] of EFFECTS) {
      records.length = 0;
      answer(engine, command);
      const words = records.join(' ');
      expect(`${command} → ${words}`).toBe(`${command} → ${effect}`);
    }
  });

  it('is announced under the names of Redis', () => {
    const engine = start();
    const events: string[] = [];
    engine.listen((event, key) => void events.push(`${event} ${key}`));
    const rows: readonly Row[] = [
      ['SET k 1', 'set k'],
      ['SET k 1 EX 10', 'set k, expire k'],
      ['SET k 1 NX', ''],
      ['GETEX k EX 10', 'expire k'],
      ['GETEX k PERSIST', 'persist k'],
      ['INCR k', 'incrby k'],
      ['DECRBY k 1', 'incrby k'],
      ['INCRBYFLOAT k 1', 'incrbyfloat k'],
      ['APPEND k 1', 'append k'],
      ['SETRANGE k 0 1', 'setrange k'],
      ['GETSET k 1', 'set k'],
      ['MSET k 1 j 2', 'set k, set j'],
      ['MSETEX 1 k 1 EX 10', 'set k, expire k'],
      ['INCREX k EX 10', 'incrby k, expire k'],
      ['INCREX k PERSIST', 'incrby k, persist k'],
      ['INCREX k BYFLOAT 1', 'incrbyfloat k'],
      ['INCREX k EXAT 1', 'del k'],
      ['GETDEL j', 'del j'],
    ];
    for (const [command, expected] of rows) {
      events.length = 0;
      answer(engine, command);
      expect(`${command} → ${events.join(', ')}`).toBe(`${command} → ${expected}`);
    }
  });
});

describe('random commands', () => {
  it('agree with a map of strings, leave the structures whole and give all memory back', () => {
    const seed = seedOf('FLAGSTONE_SEED');
    const random = new Random(seed);
    const engine = start({ partitions: 4 });
    const keys = ['', 'a', 'b', 'key:0000000001', 'k'.repeat(1022), 'k'.repeat(1023)];
    // Tables and wheels stay once they are there.
    for (const key of keys) engine.run('SET', key, 'v', 'EX', '100');
    for (const key of keys) engine.run('DELEX', key);
    const before = usedBytes(engine);
    const model = new Map<string, string>();
    const lengths = [0, 1, 5, 19, 20, 21, 44, 45, 500, 4096, 4097, 20_000];
    for (let step = 0; step < 4000; step++) {
      const hint = `step ${step} of FLAGSTONE_SEED=${seed}`;
      const key = random.pick(keys);
      const old = model.get(key);
      const text = random.chance(0.3)
        ? String(random.between(-1e9, 1e9))
        : 'x'.repeat(random.pick(lengths));
      switch (random.below(7)) {
        case 0:
        case 1:
          engine.run('SET', key, text, ...(random.chance(0.3) ? ['EX', '1000'] : []));
          model.set(key, text);
          break;
        case 2: {
          const reply = engine.run('APPEND', key, text);
          expect(reply, hint).toBe(`:${(old ?? '').length + text.length}\r\n`);
          model.set(key, (old ?? '') + text);
          break;
        }
        case 3: {
          if (text === '') break;
          const offset = random.below(random.pick([3, 60, 5000]));
          engine.run('SETRANGE', key, String(offset), text);
          const padded = (old ?? '').padEnd(offset, '\0');
          const end = padded.slice(offset + text.length);
          model.set(key, padded.slice(0, offset) + text + end);
          break;
        }
        case 4: {
          const reply = engine.run('INCR', key);
          const value = old ?? '0';
          const isInteger = /^(?:0|-?[1-9]\d{0,18})$/.test(value);
          if (isInteger && BigInt.asIntN(64, BigInt(value)) === BigInt(value)) {
            model.set(key, String(BigInt(value) + 1n));
          } else {
            expect(reply, hint).toMatch(/^-ERR value is not/);
          }
          break;
        }
        case 5:
          engine.run('GETEX', key, random.chance(0.5) ? 'PERSIST' : 'PXAT', '9999999999999');
          engine.run('GETEX', key, 'PERSIST');
          break;
        default:
          expect(engine.run('DELEX', key), hint).toBe(`:${old === undefined ? 0 : 1}\r\n`);
          model.delete(key);
      }
      const now = model.get(key);
      const reply = engine.run('GET', key);
      expect(reply, hint).toBe(now === undefined ? '$-1\r\n' : `$${now.length}\r\n${now}\r\n`);
      if (step % 50 === 0) check(engine);
    }
    for (const key of keys) engine.run('DELEX', key);
    check(engine);
    expect(usedBytes(engine)).toBe(before);
  });
});
