// A file that several load at the same time: together they load what one does, and whatever is
// another's is passed over, to the very byte where its value ends.

import { describe, expect, it } from 'vitest';
import { FileSource } from '../../src/rdb/file-source.js';
import type { RdbType } from '../../src/rdb/rdb-type.js';
import { skipValue } from '../../src/rdb/skip.js';
import type { Engine } from '../support/engine.js';
import { partSeed, Random, seedOf } from '../support/seed.js';
import { emptyEngine, fillEngine, loadFile, writeFile } from './files.js';
import { FORMS, LARGE_FORMS } from './forms.js';
import { checkKeyspace, lengthOf, text, withCrc } from './values.js';

const SEED_VARIABLE = 'SEED';
const RUNS = 2;
/** Version and checksum behind a value of DUMP. */
const FOOTER_BYTES = 10;

function sourceOf(bytes: Uint8Array, pieceBytes: number): FileSource {
  let at = 0;
  return new FileSource({
    bytesTotal: bytes.length,
    read(u8, start, length) {
      const count = Math.min(length, pieceBytes, bytes.length - at);
      u8.set(bytes.subarray(at, at + count), start);
      at += count;
      return count;
    },
  });
}

function loadInLanes(engine: Engine, bytes: Uint8Array, count: number) {
  const lanes = Array.from({ length: count }, (_, index) =>
    loadFile(engine, bytes, { lane: { index, count }, checksums: index === 0, pieceBytes: 5000 }),
  );
  const sum = (name: 'keysLoaded' | 'keysExpired' | 'keysEmpty') =>
    lanes.reduce((total, lane) => total + lane[name], 0);
  return {
    loaded: sum('keysLoaded'),
    expired: sum('keysExpired'),
    empty: sum('keysEmpty'),
    lanes,
  };
}

describe('lanes', () => {
  it('load together what one alone loads', () => {
    const seed = seedOf(SEED_VARIABLE);
    for (let run = 0; run < RUNS; run++) {
      const random = new Random(partSeed(seed, run));
      const title = `${SEED_VARIABLE}=${seed}, run ${run}`;
      const source = emptyEngine();
      fillEngine(source, random, 40);
      // Over before the file is loaded.
      source.run('SET', 'over', 'value', 'PX', '1');
      const functions = [Buffer.from('#!lua name=a')];
      const { bytes, keys } = writeFile(source, { compresses: random.chance(0.5), functions });
      const alone = emptyEngine();
      const target = emptyEngine();
      for (const engine of [alone, target]) engine.clock.wallMs = source.clock.wallMs + 10;
      const one = loadFile(alone, bytes);
      const { loaded, expired, empty, lanes } = loadInLanes(target, bytes, random.between(2, 4));
      expect([loaded, expired, empty], title).toEqual([one.keysLoaded, one.keysExpired, 0]);
      expect(loaded + expired, title).toBe(keys);
      expect(target.digest(), title).toBe(alone.digest());
      for (const lane of lanes) expect(lane.bytesRead, title).toBe(bytes.length);
      expect(lanes[0]!.functions, title).toEqual(one.functions);
      checkKeyspace(target.keyspace);
    }
  });

  it.each([...FORMS, ...LARGE_FORMS])('pass over $name', ({ bytes }) => {
    const body = bytes.subarray(1, bytes.length - FOOTER_BYTES);
    const source = sourceOf(body, 100);
    skipValue(source, bytes[0]! as RdbType);
    expect(source.position).toBe(body.length);
    // One byte less is refused, wherever it is missing.
    const cut = sourceOf(body.subarray(0, body.length - 1), 100);
    expect(() => skipValue(cut, bytes[0]! as RdbType)).toThrow();
  });

  it("pass over Valkey's hashes with times, and strings that are longer than a block", () => {
    const time = Buffer.alloc(8, 0xff);
    const timed = Buffer.concat([lengthOf(1), text('field'), text('value'), time]);
    const long = Buffer.alloc(3 * 1024 * 1024, 'x');
    const key = (type: number, name: string, body: Uint8Array) =>
      Buffer.concat([Buffer.of(type), text(name), body]);
    const parts = Array.from({ length: 8 }, (_, index) => [
      key(22, `timed:${index}`, timed),
      key(0, `long:${index}`, text(long)),
    ]).flat();
    const file = Buffer.concat([Buffer.from('VALKEY080'), ...parts, Buffer.of(255)]);
    const engine = emptyEngine();
    expect(loadInLanes(engine, withCrc(file), 3).loaded).toBe(16);
    expect(engine.run('STRLEN', 'long:3')).toBe(`:${long.length}\r\n`);
    checkKeyspace(engine.keyspace);
  });
});
