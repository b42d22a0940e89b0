// Random commands whose effect the clock or chance decides, or that serve those who wait: what a
// log cannot just repeat. For tests that compare what was with what a start makes of the log.
//
// A line is one or several commands. {name} stands for a word, the same wherever it stands in the
// line; [a|b|] stands for one of several texts, of which one may be empty.

import type { Maker } from '../oracle/grammar/maker.js';

export type Words = readonly string[];

/** DUMP of the number 12, as Redis 7.2 makes it. */
const DUMPED = '\x00\xc0\x0c\x0b\x00\x55\xf5\x45\x22\xa1\x9b\x55\x5c';

const COUNTING =
  "local v=redis.call('INCR',KEYS[1]); redis.call('PEXPIRE',KEYS[1],ARGV[1]); " +
  "redis.call('XADD',KEYS[2],'*','a',v); redis.call('SPOP',KEYS[3]); return v";
const DRAWING =
  "redis.call('SELECT',ARGV[1]); " +
  "redis.call('SET',KEYS[1],redis.call('TIME')[2]..math.random()); return 1";

const KEYS = [
  'PEXPIRE {key} {ms}',
  'SET {key} {value} PX {ms}',
  'SET {key} {value} KEEPTTL',
  'GETEX {key} [PX {ms}|EXAT 1]',
  'COPY {key} {key2} DB {database} REPLACE',
  'INCREX {key} BYINT 3 [EX {far}|PX {ms}]',
  'INCREX {key} BYINT 3 UBOUND 10 OVERFLOW [FAIL|SAT] EX {far} ENX',
  'MSETEX 2 {key} {value} {key2} {value2} [PX {ms}|KEEPTTL]',
  'DELEX {key} ; SET {key} {value} IFEQ 1',
  'RESTORE r{key} {ms} {dumped} REPLACE',
  'RESTORE r{key} {farMs} {dumped} REPLACE',
  'SETEX {key} {far} {value} ; PERSIST {key} ; EXPIRE {key} {far2} GT ; EXPIRE {key} -1',
  'APPEND {key} {value} ; SETRANGE {key} 30 {value2}',
  'BITOP XOR {key} {key2} {key3} ; BITFIELD {key} INCRBY u5 3 7',
  'GETDEL {key}',
  'PFADD {hll} {member} {member2} {member3} ; PFMERGE {hll} {hll2} ; PFCOUNT {hll2}',
];

const HASHES = [
  'HPEXPIRE {hash} {ms} FIELDS 2 {member} {member2}',
  'HEXPIRE {hash} {far} [NX|XX|GT|LT] FIELDS 2 {member} {member2}',
  'HPEXPIREAT {hash} 1 FIELDS 1 {member}',
  'HPERSIST {hash} FIELDS 2 {member} {member2}',
  'HGETEX {hash} [PX {ms}|EX {far}] FIELDS 2 {member} {member2}',
  'HGETEX {hash} PERSIST FIELDS 1 {member}',
  'HGETDEL {hash} FIELDS 2 {member} {member2}',
  'HSETEX {hash} [FNX|FXX|] [PX {ms}|EX {far}] FIELDS 2 {member} {value} {member2} {value2}',
  'HSETEX {hash} KEEPTTL FIELDS 1 {member} {value}',
  'HINCRBY {hash} {member} 1 ; HINCRBYFLOAT {hash} {member2} 0.1',
  'HSET {hash} {member} {value}',
];

const STREAMS = [
  'XADD {stream} * f {value}',
  'XADD {stream} MAXLEN ~ [3|50|150] * f {value}',
  'XADD {stream} MAXLEN ~ 10 LIMIT [0|5|100] * f x',
  'XADD {stream} [IDMP p i|IDMP p j|IDMPAUTO p] [MAXLEN 0|] * f [x|y]',
  'XTRIM {stream} MAXLEN ~ [0|7|100]',
  'XTRIM {stream} MINID ~ {sixty} LIMIT 30',
  'XGROUP CREATE {stream} {group} [$|0] MKSTREAM',
  'XREADGROUP GROUP {group} [alice|dora] COUNT 3 STREAMS {stream} >',
  'XREADGROUP GROUP {group} bob [NOACK|CLAIM 0] STREAMS {stream} >',
  'XREADGROUP GROUP {group} fred BLOCK 10 STREAMS {stream} >',
  'XCLAIM {stream} {group} carol 0 1-1 2-1 3-1 5-0 [FORCE|] [JUSTID|]',
  'XAUTOCLAIM {stream} {group} erna 0 0 COUNT 5',
  'XACKDEL {stream} {group} [KEEPREF|DELREF|ACKED] IDS 2 1-1 2-1',
  'XDELEX {stream} [KEEPREF|DELREF|ACKED] IDS 2 3-1 4-1',
  'XNACK {stream} {group} [SILENT|FAIL|FATAL] IDS 2 1-1 5-0',
];

const COLLECTIONS = [
  'SPOP {set}',
  'SPOP {set} {count}',
  'GEOSEARCHSTORE {zset} {geo} FROMLONLAT 10 10 BYRADIUS 9000 km [STOREDIST|]',
  'LMPOP 2 {list} {list2} [LEFT|RIGHT] COUNT 3',
  'ZMPOP 2 {zset} {zset2} [MIN|MAX] COUNT 3',
  'BLPOP {list} {list2} 0.01',
  'BLMOVE {list} {list2} LEFT RIGHT 0.01',
  'BZPOPMIN {zset} {zset2} 0.01 ; BZMPOP 0.01 1 {zset} MAX COUNT 2',
  'RPUSH {list} {member} {member2} ; ZADD {zset} 1 {member}',
  'LINSERT {list} BEFORE {member} ins ; LREM {list} 0 {member2} ; LTRIM {list} 0 60',
  'SORT {list} ALPHA STORE {key}',
  'SORT {set} ALPHA LIMIT 0 5 STORE {key}',
  'SDIFFSTORE {set} {set2} {set3} ; SUNIONSTORE {set2} {set} ; SMOVE {set} {set3} {member}',
  'ZRANGESTORE {zset2} {zset} 0 5 ; ZUNIONSTORE {zset3} 2 {zset} {set}',
  'ZINCRBY {zset} 0.1 {member}',
  'ARSET {array} {index} {value} {value2} ; ARMSET {array} 3 a 70000 {value}',
  'ARDEL {array} {index} 3 ; ARDELRANGE {array} 0 {index}',
  'ARINSERT {array} {value} {value2} ; ARRING {array} 20 {value} {value2} ; ARSEEK {array} {index}',
];

const WHOLES = [
  'EVAL {counting} 3 n{key} {stream} {set} {far}',
  'EVAL {drawing} 1 s{five} {three}',
  'MULTI ; SET {key} {value} ; SELECT {three} ; PEXPIRE {key} [{ms}|{far}] ; ' +
    'RENAME {key} {key2} ; XADD {stream} * m 1 ; SPOP {set} 2 ; EXEC',
  'MOVE {hash} {three} ; MOVE {array} 1 ; SWAPDB 0 {three}',
  'FUNCTION LOAD REPLACE {library} ; FCALL f0 1 {key} {value} {far} ; ' +
    'FCALL f1 1 {key2} {value} {far}',
];

const LINES: readonly string[] = [...KEYS, ...HASHES, ...STREAMS, ...COLLECTIONS, ...WHOLES];

/** What {name} stands for; digits behind a name tell words of one kind apart. */
const PLACES: Readonly<Record<string, (maker: Maker) => string>> = {
  key: (maker) => maker.key(),
  hash: (maker) => maker.keyOf('hash'),
  stream: (maker) => maker.keyOf('stream'),
  set: (maker) => maker.keyOf('set'),
  zset: (maker) => maker.keyOf('zset'),
  list: (maker) => maker.keyOf('list'),
  geo: (maker) => maker.keyOf('geo'),
  hll: (maker) => maker.keyOf('hll'),
  array: ({ random }) => `array:${random.below(4)}`,
  value: (maker) => maker.value(),
  member: (maker) => maker.member(),
  count: (maker) => maker.count(),
  database: (maker) => maker.database(),
  ms: ({ random }) => random.pick(['1', '5', '20', '60', '200']),
  far: (maker) => maker.relativeSeconds(),
  farMs: ({ random }) => String(random.between(10 ** 8, 10 ** 10)),
  group: ({ random }) => random.pick(['g1', 'g2']),
  index: ({ random }) => String(random.below(300)),
  three: ({ random }) => String(random.below(3)),
  five: ({ random }) => String(random.below(5)),
  sixty: ({ random }) => String(random.below(60)),
  dumped: () => DUMPED,
  counting: () => COUNTING,
  drawing: () => DRAWING,
  library: ({ random }) =>
    `#!lua name=lib${random.below(2)}\nredis.register_function('f${random.below(2)}', ` +
    "function(k,a) redis.call('SET',k[1],a[1]); return redis.call('EXPIRE',k[1],a[2]) end)",
};

/** The commands of a random line. */
export function timedStep(maker: Maker): readonly Words[] {
  const { random } = maker;
  const drawn = new Map<string, string>();
  const wordFor = (name: string): string => {
    let word = drawn.get(name);
    if (word === undefined) {
      word = PLACES[name.replace(/\d$/, '')]!(maker);
      drawn.set(name, word);
    }
    return word;
  };
  const line = random
    .pick(LINES)
    .replace(/\[([^\]]*)\]/g, (_, choices: string) => random.pick(choices.split('|')));
  return line.split(' ; ').map((command) =>
    command
      .split(' ')
      .filter((word) => word !== '')
      .map((word) => word.replace(/\{(\w+)\}/g, (_, name: string) => wordFor(name))),
  );
}
