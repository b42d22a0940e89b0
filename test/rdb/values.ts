// Values for the tests of the format: an engine that can make any, random ones, and payloads put
// together by hand.

import { Crc64 } from '../../src/base/crc.js';
import { hashBytes } from '../../src/base/hash.js';
import { Slices } from '../../src/base/slices.js';
import { arrayCommands } from '../../src/commands/array/index.js';
import { genericCommands } from '../../src/commands/generic/index.js';
import { hashCommands } from '../../src/commands/hash/index.js';
import { listCommands } from '../../src/commands/list/index.js';
import { hexOf } from '../../src/commands/server/digest.js';
import { emptyDigest } from '../../src/commands/server/digest-mixing.js';
import { mixValue } from '../../src/commands/server/digest-values.js';
import { setCommands } from '../../src/commands/set/index.js';
import { sortedSetCommands } from '../../src/commands/sorted-set/index.js';
import { streamCommands } from '../../src/commands/stream/index.js';
import { stringCommands } from '../../src/commands/string/index.js';
import { Config } from '../../src/config/config.js';
import type { Partition } from '../../src/keyspace/partition.js';
import { NONE, usedBytesOf } from '../../src/slab/slab.js';
import { checkKeyspace } from '../support/check-keyspace.js';
import { Engine, type EngineOptions } from '../support/engine.js';
import type { Random } from '../support/seed.js';

export const specs = [
  ...arrayCommands,
  ...genericCommands,
  ...hashCommands,
  ...listCommands,
  ...setCommands,
  ...sortedSetCommands,
  ...streamCommands,
  ...stringCommands,
];

/** An engine of one partition that knows all types, with what its first keys need already there. */
export function startEngine(options: Partial<EngineOptions> = {}): Engine {
  const engine = new Engine({
    specs,
    partitions: 1,
    partitionBytes: 32 * 1024 * 1024,
    databases: 2,
    server: { config: new Config() },
    ...options,
  });
  engine.run('HSET', 'first', 'field', 'value');
  engine.run('HPEXPIRE', 'first', '1000', 'FIELDS', '1', 'field');
  engine.run('DEL', 'first');
  return engine;
}

/** The payload that DUMP answers for a key, as latin1; null when it answers nil. */
export function dump(engine: Engine, key: string): string | null {
  const reply = engine.run('DUMP', key);
  if (reply.startsWith('$-1') || reply.startsWith('_')) return null;
  const head = reply.indexOf('\r\n');
  if (!reply.startsWith('$')) throw new Error(`DUMP answered ${reply}`);
  return reply.slice(head + 2, -2);
}

/** All that can be seen of one key. */
export function describeKey(engine: Engine, key: string): Record<string, string> {
  const type = engine.run('TYPE', key).trim();
  return {
    type,
    encoding: engine.run('OBJECT', 'ENCODING', key).split('\r\n')[1] ?? '',
    digest: digestOf(engine.keyspace.partitions[0]!, key),
    times: type === '+hash' ? timesOf(engine, key) : '',
    cursor: type === '+array' ? engine.run('ARNEXT', key) : '',
    stream: type === '+stream' ? engine.run('XINFO', 'STREAM', key, 'FULL', 'COUNT', '1') : '',
  };
}

/** As DEBUG DIGEST-VALUE. */
export function digestOf(partition: Partition, key: string): string {
  const args = Slices.of(key);
  args.hashes[0] = hashBytes(args.u8, 0, args.lengthOf(0));
  partition.select(0);
  const entry = partition.peek(args, 0);
  const digest = emptyDigest();
  if (entry !== NONE) mixValue(digest, partition.slab, entry);
  return hexOf(digest);
}

function timesOf(engine: Engine, key: string): string {
  const fields = bulks(engine.run('HKEYS', key)).sort();
  if (fields.length === 0) return '';
  return engine.run('HPEXPIRETIME', key, 'FIELDS', String(fields.length), ...fields);
}

/** The bulk strings of a flat array. */
function bulks(reply: string): string[] {
  const texts: string[] = [];
  let at = reply.indexOf('\r\n') + 2;
  while (at < reply.length) {
    const lineEnd = reply.indexOf('\r\n', at);
    const length = Number(reply.slice(at + 1, lineEnd));
    texts.push(reply.slice(lineEnd + 2, lineEnd + 2 + length));
    at = lineEnd + 2 + length + 2;
  }
  return texts;
}

/** Asserts all that must hold, and that nothing is left when all keys are gone. */
export function checkEmptied(engine: Engine, usedBefore: number): void {
  checkKeyspace(engine.keyspace);
  const used = usedBytesOf(engine.slabs[0]!);
  if (used !== usedBefore) throw new Error(`${used - usedBefore} bytes are left over`);
}

export { checkKeyspace, usedBytesOf };

// ── Payloads by hand ─────────────────────────────────────────────────────────────────────────

/** Type and body with a footer. */
export function payload(type: number, body: Uint8Array, version = 10): Buffer {
  const head = Buffer.concat([Buffer.of(type), body, Buffer.of(version & 0xff, version >> 8)]);
  return withCrc(head);
}

/** The bytes with their checksum behind them. */
export function withCrc(bytes: Uint8Array): Buffer {
  const crc = new Crc64();
  crc.update(bytes, 0, bytes.length);
  const footer = Buffer.alloc(8);
  footer.writeUInt32LE(crc.lo, 0);
  footer.writeUInt32LE(crc.hi, 4);
  return Buffer.concat([bytes, footer]);
}

/** A string with its length before it, as it is. */
export function text(value: string | Uint8Array): Buffer {
  const bytes = typeof value === 'string' ? Buffer.from(value, 'latin1') : value;
  return Buffer.concat([lengthOf(bytes.length), bytes]);
}

export function lengthOf(length: number): Buffer {
  if (length < 64) return Buffer.of(length);
  if (length < 2 ** 14) return Buffer.of(0x40 | (length >> 8), length & 0xff);
  const long = Buffer.alloc(5);
  long[0] = 0x80;
  long.writeUInt32BE(length, 1);
  return long;
}

// ── Random values ────────────────────────────────────────────────────────────────────────────

export type Run = (...words: string[]) => unknown;

const KINDS = [
  ...(['string', 'list', 'set', 'integers', 'zset', 'hash', 'stream'] as const),
  // What Redis 7.2 has not.
  ...(['timed', 'array'] as const),
];

/** Makes a random value of a random type at `key`. */
export function makeValue(random: Random, run: Run, key: string, isOwn: boolean): void {
  const kinds = isOwn ? KINDS : KINDS.slice(0, -2);
  switch (random.pick(kinds)) {
    case 'string':
      run('SET', key, someText(random, random.chance(0.1) ? 20_000 : 200));
      return;
    case 'list':
      fill(random, (count) => run('RPUSH', key, ...texts(random, count)));
      return;
    case 'set':
      fill(random, (count) => run('SADD', key, ...texts(random, count)));
      return;
    case 'integers':
      fill(random, (count) => run('SADD', key, ...many(count, () => someInteger(random))));
      return;
    case 'zset':
      fill(random, (count) => {
        run('ZADD', key, ...many(count, () => [someScore(random), someText(random, 30)]).flat());
      });
      return;
    case 'hash':
      fill(random, (count) => run('HSET', key, ...texts(random, 2 * count)));
      return;
    case 'timed':
      makeTimed(random, run, key);
      return;
    case 'array':
      makeArray(random, run, key);
      return;
    default:
      makeStream(random, run, key, isOwn);
  }
}

function fill(random: Random, add: (count: number) => void): void {
  const rounds = random.chance(0.2) ? random.between(5, 20) : random.between(1, 3);
  for (let round = 0; round < rounds; round++) add(random.between(1, 40));
}

function many<T>(count: number, make: () => T): T[] {
  return Array.from({ length: count }, make);
}

function texts(random: Random, count: number): string[] {
  const bytes = random.pick([8, 40, 100, 400]);
  return many(count, () => someText(random, bytes));
}

function someText(random: Random, bytesMax: number): string {
  const kind = random.below(5);
  if (kind === 0) return someInteger(random);
  if (kind === 1) return random.bytes(random.below(bytesMax));
  if (kind === 2) return String.fromCharCode(97 + random.below(26)).repeat(random.below(bytesMax));
  return `${random.pick(['member', 'a:b:c:', 'field', ''])}${random.below(1000)}`;
}

function someInteger(random: Random): string {
  const bits = random.pick([6, 7, 8, 13, 15, 16, 23, 24, 31, 32, 47, 63]);
  const value = BigInt.asIntN(bits + 1, BigInt(random.next()) * BigInt(random.next()));
  return String(value);
}

function someScore(random: Random): string {
  if (random.chance(0.1)) return random.pick(['inf', '-inf', '0', '1e300', '-1e-300']);
  return random.chance(0.5) ? String(random.below(100)) : String(random.next() / 1e5 - 20_000);
}

function makeTimed(random: Random, run: Run, key: string): void {
  run('HSET', key, 'anchor', 'kept');
  fill(random, (count) => {
    const names = many(count, () => `field${random.below(2000)}`);
    run('HSET', key, ...names.flatMap((name) => [name, someText(random, 30)]));
    const at = 1_800_000_000_000 + random.next();
    const chosen = names.slice(0, 1 + random.below(names.length));
    run('HPEXPIREAT', key, String(at), 'FIELDS', String(chosen.length), ...chosen);
  });
}

function makeArray(random: Random, run: Run, key: string): void {
  const reach = random.pick([10n, 5000n, 2n ** 40n, 2n ** 64n - 1n]);
  fill(random, (count) => {
    const at = BigInt.asUintN(64, BigInt(random.next()) * BigInt(random.next())) % reach;
    if (random.chance(0.5)) run('ARSET', key, String(at), ...texts(random, random.between(1, 3)));
    else run('ARMSET', key, ...many(count, () => [someSmall(random), someText(random, 40)]).flat());
  });
  if (random.chance(0.5)) run('ARINSERT', key, someText(random, 40));
}

function someSmall(random: Random): string {
  return String(random.below(random.pick([100, 100_000])));
}

function makeStream(random: Random, run: Run, key: string, isOwn: boolean): void {
  let ms = 1000;
  const ids: string[] = [];
  fill(random, (count) => {
    const names = many(random.between(1, 4), () => random.pick(['a', 'bb', 'name', 'x y']));
    for (let entry = 0; entry < count; entry++) {
      if (random.chance(0.3)) ms += random.below(100_000);
      const id = `${ms}-${ids.length + 1}`;
      ids.push(id);
      if (random.chance(0.1)) names.push('more');
      run('XADD', key, id, ...names.flatMap((name) => [name, someText(random, 30)]));
    }
  });
  for (const id of ids) if (random.chance(0.1)) run('XDEL', key, id);
  for (let group = random.below(4); group > 0; group--) {
    const name = `group${group}`;
    run('XGROUP', 'CREATE', key, name, random.pick(['0', '$', ids[random.below(ids.length)]!]));
    for (let consumer = random.below(4); consumer > 0; consumer--) {
      const reads = ['COUNT', String(random.between(1, 30)), 'STREAMS', key, '>'];
      run('XREADGROUP', 'GROUP', name, `consumer${consumer}`, ...reads);
    }
    if (random.chance(0.5)) run('XACK', key, name, ...ids.filter(() => random.chance(0.2)), '0-1');
  }
  if (isOwn && random.chance(0.5)) nameProducers(random, run, key);
}

function nameProducers(random: Random, run: Run, key: string): void {
  for (let count = random.below(20); count > 0; count--) {
    const iid = someText(random, 20) || 'iid';
    run('XADD', key, 'IDMP', random.pick(['p', 'producer two']), iid, '*', 'a', 'b');
  }
  if (random.chance(0.2)) run('XCFGSET', key, 'IDMP-MAXSIZE', String(random.between(1, 100)));
}
