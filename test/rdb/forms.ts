// The forms of values that Redis has had, put together from the format by hand: apart from src/rdb
// on purpose, which must not be judged by its own writers.

import { lengthOf, payload, text } from './values.js';

export interface FormRow {
  readonly name: string;
  readonly bytes: Buffer;
  /** Commands that make the same value. */
  readonly commands: readonly (readonly string[])[];
  readonly encoding: string;
}

// ── Collections in a string ──────────────────────────────────────────────────────────────────

/** A ziplist of texts and, as numbers, integers in a form that holds them. */
export function ziplist(...elements: readonly (string | number)[]): Buffer {
  const parts: Buffer[] = [];
  let before = 0;
  let lastAt = 10;
  let at = 10;
  for (const element of elements) {
    const body = typeof element === 'number' ? ziplistInteger(element) : ziplistText(element);
    const head = before < 254 ? Buffer.of(before) : Buffer.of(254, ...little(before, 4));
    parts.push(head, body);
    lastAt = at;
    before = head.length + body.length;
    at += before;
  }
  const total = at + 1;
  const head = Buffer.of(...little(total, 4), ...little(lastAt, 4), ...little(elements.length, 2));
  return Buffer.concat([head, ...parts, Buffer.of(0xff)]);
}

function ziplistInteger(value: number): Buffer {
  if (value >= 0 && value <= 12) return Buffer.of(0xf1 + value);
  if (value >= -128 && value < 128) return Buffer.of(0xfe, value & 0xff);
  if (value >= -32768 && value < 32768) return Buffer.of(0xc0, ...little(value, 2));
  if (value >= -(2 ** 23) && value < 2 ** 23) return Buffer.of(0xf0, ...little(value, 3));
  if (value === (value | 0)) return Buffer.of(0xd0, ...little(value, 4));
  const wide = Buffer.alloc(9, 0xe0);
  wide.writeBigInt64LE(BigInt(value), 1);
  return wide;
}

function ziplistText(value: string): Buffer {
  const bytes = Buffer.from(value, 'latin1');
  if (bytes.length < 64) return Buffer.concat([Buffer.of(bytes.length), bytes]);
  if (bytes.length < 2 ** 14) {
    return Buffer.concat([Buffer.of(0x40 | (bytes.length >> 8), bytes.length & 0xff), bytes]);
  }
  const head = Buffer.alloc(5, 0x80);
  head.writeUInt32BE(bytes.length, 1);
  return Buffer.concat([head, bytes]);
}

/** A listpack of texts and, as numbers, integers. */
export function listpack(...elements: readonly (string | number)[]): Buffer {
  const parts = elements.map((element) => {
    const body = typeof element === 'number' ? listpackInteger(element) : listpackText(element);
    return Buffer.concat([body, backLength(body.length)]);
  });
  const inside = Buffer.concat(parts);
  const head = Buffer.of(...little(inside.length + 7, 4), ...little(elements.length, 2));
  return Buffer.concat([head, inside, Buffer.of(0xff)]);
}

function listpackInteger(value: number): Buffer {
  if (value >= 0 && value < 128) return Buffer.of(value);
  if (value >= -4096 && value < 4096) {
    return Buffer.of(0xc0 | ((value >> 8) & 0x1f), value & 0xff);
  }
  if (value >= -32768 && value < 32768) return Buffer.of(0xf1, ...little(value, 2));
  if (value >= -(2 ** 23) && value < 2 ** 23) return Buffer.of(0xf2, ...little(value, 3));
  if (value === (value | 0)) return Buffer.of(0xf3, ...little(value, 4));
  const wide = Buffer.alloc(9, 0xf4);
  wide.writeBigInt64LE(BigInt(value), 1);
  return wide;
}

function listpackText(value: string): Buffer {
  const bytes = Buffer.from(value, 'latin1');
  const { length } = bytes;
  if (length < 64) return Buffer.concat([Buffer.of(0x80 | length), bytes]);
  if (length < 4096) {
    return Buffer.concat([Buffer.of(0xe0 | (length >> 8), length & 0xff), bytes]);
  }
  return Buffer.concat([Buffer.of(0xf0, ...little(length, 4)), bytes]);
}

function backLength(length: number): Buffer {
  if (length <= 127) return Buffer.of(length);
  if (length < 16383) return Buffer.of(length >> 7, (length & 127) | 128);
  return Buffer.of(length >> 14, ((length >> 7) & 127) | 128, (length & 127) | 128);
}

export function zipmap(...elements: readonly string[]): Buffer {
  const parts = elements.map((element, index) => {
    const bytes = Buffer.from(element, 'latin1');
    const { length } = bytes;
    const head = length < 254 ? Buffer.of(length) : Buffer.of(254, ...little(length, 4));
    // Two bytes that a shorter value has left behind.
    if (index % 2 === 0) return Buffer.concat([head, bytes]);
    return Buffer.concat([head, Buffer.of(2), bytes, Buffer.of(0, 0)]);
  });
  return Buffer.concat([Buffer.of(elements.length / 2), ...parts, Buffer.of(0xff)]);
}

export function intset(width: 2 | 4 | 8, ...integers: readonly bigint[]): Buffer {
  const bytes = Buffer.alloc(8 + width * integers.length);
  bytes.writeUInt32LE(width, 0);
  bytes.writeUInt32LE(integers.length, 4);
  for (const [index, value] of integers.entries()) {
    for (let byte = 0; byte < width; byte++) {
      bytes[8 + index * width + byte] = Number((value >> BigInt(8 * byte)) & 0xffn);
    }
  }
  return bytes;
}

/** The lowest `count` bytes, low first. */
export function little(value: number, count: number): number[] {
  return Array.from({ length: count }, (_, index) => Math.floor(value / 2 ** (8 * index)) & 0xff);
}

function wide(value: number): Buffer {
  return Buffer.of(...little(value, 8));
}

function double(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleLE(value);
  return bytes;
}

export function id(ms: number, seq: number): Buffer {
  const bytes = Buffer.alloc(16);
  bytes.writeBigUInt64BE(BigInt(ms), 0);
  bytes.writeBigUInt64BE(BigInt(seq), 8);
  return bytes;
}

// ── Values ───────────────────────────────────────────────────────────────────────────────────

const body = (...parts: readonly Buffer[]) => Buffer.concat(parts);
const LONG = 'long '.repeat(60);
const COMPRESSED = Buffer.of(0xc3, 8, 30, 0, 0x61, 0xe0, 18, 0, 1, 0x61, 0x61);

const LIST = [['RPUSH', 'key', 'first', '7', '-300', '100000', LONG, '-5000000000', '']];
const LIST_ELEMENTS = ['first', 7, -300, 100_000, LONG, -5_000_000_000, ''] as const;
const HASH = [['HSET', 'key', 'a', '1', 'field', 'value', 'b', '70000']];
const HASH_ELEMENTS = ['a', 1, 'field', 'value', 'b', 70_000] as const;
const SORTED_SET = [['ZADD', 'key', '-2.5', 'low', '0', '17', '1e21', 'high', '7', 'seven']];
const SORTED_SET_ELEMENTS = ['low', '-2.5', 17, 0, 'seven', 7, 'high', '1e+21'] as const;

const STREAM = [
  ['XADD', 'key', '5-1', 'a', '1', 'b', 'two'],
  ['XADD', 'key', '5-9', 'a', 'x', 'b', 'y'],
  ['XADD', 'key', '9-0', 'other', 'z'],
  ['XADD', 'key', '10-0', 'gone', 'z'],
  ['XDEL', 'key', '5-9'],
  ['XDEL', 'key', '10-0'],
];
const STREAM_BLOCKS = body(
  Buffer.of(1),
  text(id(5, 1)),
  text(
    listpack(
      ...[2, 1, 2, 'a', 'b', 0],
      ...[2, 0, 0, 1, 'two', 5],
      ...[3, 0, 8, 'x', 'y', 5],
      ...[0, 4, -1, 1, 'other', 'z', 6],
    ),
  ),
  Buffer.of(2, 10, 0),
);
const GROUP = [
  ['XGROUP', 'CREATE', 'key', 'group', '5-1', 'ENTRIESREAD', '1'],
  ['XCLAIM', 'key', 'group', 'alice', '0', '5-1', 'TIME', '1000', 'RETRYCOUNT', '3', 'FORCE'],
  ['XGROUP', 'CREATECONSUMER', 'key', 'group', 'bob'],
];
const PENDING = body(Buffer.of(1), id(5, 1), wide(1000), Buffer.of(3));
const OWNED = body(Buffer.of(1), id(5, 1));

/** A group with two consumers, one of which has an entry. */
function group(hasRead: boolean, hasActive: boolean): Buffer {
  const times = hasActive ? body(wide(7000), wide(7000)) : wide(7000);
  return body(
    Buffer.of(1),
    text('group'),
    Buffer.of(5, 1),
    hasRead ? Buffer.of(1) : Buffer.alloc(0),
    PENDING,
    Buffer.of(2),
    ...[text('alice'), times, OWNED],
    ...[text('bob'), times, Buffer.of(0)],
  );
}

/** What a stream remembers of its producer. */
const PRODUCERS = body(
  Buffer.of(60, 5, 1, 0, 1),
  ...[text('producer'), Buffer.of(1), text('iid'), id(9, 0), wide(9)],
);

const T = 1_900_000_000_000;
const TIMED = [
  ['HSET', 'key', 'a', '1', 'b', 'two', 'c', '3'],
  ['HPEXPIREAT', 'key', String(T), 'FIELDS', '1', 'b'],
  ['HPEXPIREAT', 'key', String(T + 5), 'FIELDS', '1', 'c'],
];

function row(
  name: string,
  type: number,
  content: Buffer,
  commands: readonly (readonly string[])[],
  encoding: string,
  version = 10,
): FormRow {
  return { name, bytes: payload(type, content, version), commands, encoding };
}

const set = (key: string): string[][] => [['SET', 'key', key]];

export const FORMS: readonly FormRow[] = [
  row('a string', 0, text('value'), set('value'), 'embstr'),
  row('an empty string', 0, text(''), set(''), 'embstr'),
  row('an int8', 0, Buffer.of(0xc0, 0x85), set('-123'), 'int'),
  row('an int16', 0, Buffer.of(0xc1, 0x39, 0x30), set('12345'), 'int'),
  row('an int32', 0, Buffer.of(0xc2, ...little(-70_000, 4)), set('-70000'), 'int'),
  row('an int64 as text', 0, text('9223372036854775807'), set('9223372036854775807'), 'int'),
  row('a compressed string', 0, COMPRESSED, set('a'.repeat(30)), 'embstr'),
  row('a string with a long length', 0, text(LONG), set(LONG), 'raw'),
  row(
    'a list of strings (Redis 2)',
    1,
    body(Buffer.of(7), ...LIST_ELEMENTS.map((each) => text(String(each)))),
    LIST,
    'listpack',
  ),
  row('a list as a ziplist (2.x)', 10, text(ziplist(...LIST_ELEMENTS)), LIST, 'quicklist'),
  row(
    'a list as two ziplists (3.2)',
    14,
    body(
      Buffer.of(3),
      text(ziplist(...LIST_ELEMENTS.slice(0, 3))),
      text(ziplist()),
      text(ziplist(...LIST_ELEMENTS.slice(3))),
    ),
    LIST,
    'quicklist',
  ),
  row(
    'a list as one ziplist of a quicklist (3.2)',
    14,
    body(Buffer.of(1), text(ziplist(...LIST_ELEMENTS))),
    LIST,
    'listpack',
  ),
  row(
    'a list as one listpack (7.0)',
    18,
    body(Buffer.of(1, 2), text(listpack(...LIST_ELEMENTS))),
    LIST,
    'listpack',
  ),
  row(
    'a list with a plain node (7.0)',
    18,
    body(
      Buffer.of(3, 2),
      text(listpack(...LIST_ELEMENTS.slice(0, 4))),
      Buffer.of(1),
      text(LONG),
      Buffer.of(2),
      text(listpack(...LIST_ELEMENTS.slice(5))),
    ),
    LIST,
    'quicklist',
  ),
  row(
    'a set of strings',
    2,
    body(Buffer.of(3), text('a'), Buffer.of(0xc0, 5), text('b')),
    [['SADD', 'key', 'a', '5', 'b']],
    'listpack',
  ),
  row(
    'a set of strings that are integers',
    2,
    body(Buffer.of(2), text('1'), text('2')),
    [['SADD', 'key', '1', '2']],
    'intset',
  ),
  row(
    'a set of int16',
    11,
    text(intset(2, -300n, 5n, 6n)),
    [['SADD', 'key', '5', '6', '-300']],
    'intset',
  ),
  row(
    'a set of int64',
    11,
    text(intset(8, -(2n ** 63n), 5n, 2n ** 40n)),
    [['SADD', 'key', '-9223372036854775808', '5', '1099511627776']],
    'intset',
  ),
  row(
    'a set as a listpack (7.2)',
    20,
    text(listpack('a', 5, 'b')),
    [['SADD', 'key', 'a', '5', 'b']],
    'listpack',
    11,
  ),
  row(
    'a sorted set with scores as text (2.x)',
    3,
    body(
      Buffer.of(4),
      ...[text('low'), text('-2.5'), text('17'), text('0')],
      ...[text('high'), text('1e+21'), text('seven'), text('7')],
    ),
    SORTED_SET,
    'listpack',
  ),
  row(
    'a sorted set with infinite scores as text (2.x)',
    3,
    body(Buffer.of(2), text('low'), Buffer.of(255), text('high'), Buffer.of(254)),
    [['ZADD', 'key', '-inf', 'low', 'inf', 'high']],
    'listpack',
  ),
  row(
    'a sorted set with scores as doubles (4.0)',
    5,
    body(
      Buffer.of(4),
      ...[text('high'), double(1e21), text('seven'), double(7)],
      ...[text('17'), double(0), text('low'), double(-2.5)],
    ),
    SORTED_SET,
    'listpack',
  ),
  row(
    'a sorted set as a ziplist (2.4)',
    12,
    text(ziplist(...SORTED_SET_ELEMENTS)),
    SORTED_SET,
    'listpack',
  ),
  row(
    'a sorted set as a listpack (7.0)',
    17,
    text(listpack(...SORTED_SET_ELEMENTS)),
    SORTED_SET,
    'listpack',
  ),
  row(
    'a hash of strings',
    4,
    body(Buffer.of(3), ...HASH_ELEMENTS.map((each) => text(String(each)))),
    HASH,
    'listpack',
  ),
  row('a hash as a zipmap (2.2)', 9, text(zipmap(...HASH_ELEMENTS.map(String))), HASH, 'listpack'),
  row(
    'a hash as a zipmap with a long value (2.2)',
    9,
    text(zipmap('a', LONG)),
    [['HSET', 'key', 'a', LONG]],
    'hashtable',
  ),
  row('a hash as a ziplist (2.6)', 13, text(ziplist(...HASH_ELEMENTS)), HASH, 'listpack'),
  row('a hash as a listpack (7.0)', 16, text(listpack(...HASH_ELEMENTS)), HASH, 'listpack'),
  row(
    'a hash with times (7.4, before its release)',
    22,
    body(
      Buffer.of(3),
      ...[Buffer.of(0), text('a'), text('1')],
      ...[Buffer.of(0x81, ...wide(T).reverse()), text('b'), text('two')],
      ...[Buffer.of(0x81, ...wide(T + 5).reverse()), text('c'), text('3')],
    ),
    TIMED,
    'listpackex',
    12,
  ),
  row(
    'a hash with times (7.4)',
    24,
    body(
      wide(T),
      Buffer.of(3),
      ...[Buffer.of(0), text('a'), text('1')],
      ...[Buffer.of(1), text('b'), text('two')],
      ...[Buffer.of(6), text('c'), text('3')],
    ),
    TIMED,
    'listpackex',
    12,
  ),
  row(
    'a hash with times as a listpack (7.4, before its release)',
    23,
    text(listpack('b', 'two', T, 'c', 3, T + 5, 'a', 1, 0)),
    TIMED,
    'listpackex',
    12,
  ),
  row(
    'a hash with times as a listpack (7.4)',
    25,
    body(wide(T), text(listpack('b', 'two', T, 'c', 3, T + 5, 'a', 1, 0))),
    TIMED,
    'listpackex',
    12,
  ),
  row(
    'a stream (5.0)',
    15,
    body(STREAM_BLOCKS, Buffer.of(0)),
    [STREAM[0]!, STREAM[2]!, ['XSETID', 'key', '10-0', 'ENTRIESADDED', '2', 'MAXDELETEDID', '0-0']],
    'stream',
  ),
  row(
    'a stream with a group (7.0)',
    19,
    body(STREAM_BLOCKS, Buffer.of(5, 1, 10, 0, 4), group(true, false)),
    [...STREAM, ...GROUP],
    'stream',
  ),
  row(
    'a stream with a group (7.2)',
    21,
    body(STREAM_BLOCKS, Buffer.of(5, 1, 10, 0, 4), group(true, true)),
    [...STREAM, ...GROUP],
    'stream',
    11,
  ),
  row(
    'a stream whose producers named themselves',
    193,
    body(STREAM_BLOCKS, Buffer.of(5, 1, 10, 0, 4), group(true, true), PRODUCERS),
    [
      ...STREAM,
      ...GROUP,
      ['XCFGSET', 'key', 'IDMP-DURATION', '60', 'IDMP-MAXSIZE', '5'],
      ['XIDMPRECORD', 'key', 'producer', 'iid', '9-0'],
    ],
    'stream',
    12,
  ),
];

/** Lists, sets, hashes and sorted sets that are too large for their small forms. */
export const LARGE_FORMS: readonly FormRow[] = [
  row(
    'a set of more integers than an intset has',
    11,
    text(intset(4, ...Array.from({ length: 600 }, (_, index) => BigInt(index * 3)))),
    [['SADD', 'key', ...Array.from({ length: 600 }, (_, index) => String(index * 3))]],
    'hashtable',
  ),
  row(
    'a set as a long listpack',
    20,
    text(listpack(...Array.from({ length: 200 }, (_, index) => `member${index}`))),
    [['SADD', 'key', ...Array.from({ length: 200 }, (_, index) => `member${index}`)]],
    'hashtable',
    11,
  ),
  row(
    'a sorted set as a long listpack',
    17,
    text(listpack(...Array.from({ length: 200 }, (_, index) => [`m${index}`, index]).flat())),
    [
      [
        'ZADD',
        'key',
        ...Array.from({ length: 200 }, (_, index) => [`${index}`, `m${index}`]).flat(),
      ],
    ],
    'skiplist',
  ),
  row(
    'a hash as a long ziplist',
    13,
    text(ziplist(...Array.from({ length: 600 }, (_, index) => [`f${index}`, index]).flat())),
    [
      [
        'HSET',
        'key',
        ...Array.from({ length: 600 }, (_, index) => [`f${index}`, `${index}`]).flat(),
      ],
    ],
    'hashtable',
  ),
  row(
    'a hash of many strings',
    4,
    body(
      lengthOf(600),
      ...Array.from({ length: 600 }, (_, index) => body(text(`f${index}`), text(`${index}`))),
    ),
    [
      [
        'HSET',
        'key',
        ...Array.from({ length: 600 }, (_, index) => [`f${index}`, `${index}`]).flat(),
      ],
    ],
    'hashtable',
  ),
  row(
    'a list longer than a node',
    1,
    body(lengthOf(3000), ...Array.from({ length: 3000 }, (_, index) => text(`element${index}`))),
    [['RPUSH', 'key', ...Array.from({ length: 3000 }, (_, index) => `element${index}`)]],
    'quicklist',
  ),
];
