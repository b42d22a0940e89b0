// ACL LOG in shared memory, beside a plain list.

import { describe, expect, it } from 'vitest';
import { AccessLog, createAccessLog, Reason, Where } from '../../src/acl/access-log.js';
import { Random, seedOf } from '../support/seed.js';

interface Row {
  count: number;
  object: string;
  user: string;
  id: number;
  createdMs: number;
  updatedMs: number;
}

const LENGTH_MAX = 13;
const LOOKED_THROUGH = 10;
const MINUTE_MS = 60_000;

describe('the log of refusals', () => {
  it('counts what repeats itself within a minute, and forgets the oldest', () => {
    const seed = seedOf('SEED');
    const random = new Random(seed);
    const buffer = createAccessLog();
    const logs = [new AccessLog(buffer), new AccessLog(buffer)];
    logs[0]!.setLengthMax(LENGTH_MAX);
    let rows: Row[] = [];
    let nowMs = 1_700_000_000_000;
    let nextId = 0;
    for (let step = 0; step < 500; step++) {
      nowMs += random.below(4000);
      const object = `key${random.below(20)}`;
      const user = random.pick(['ann', 'bob']);
      const isOld = (row: Row) => nowMs - row.updatedMs > MINUTE_MS;
      const known = rows
        .slice(0, LOOKED_THROUGH)
        .find((row) => row.object === object && row.user === user && !isOld(row));
      const row = known ?? { count: 0, object, user, id: nextId++, createdMs: nowMs, updatedMs: 0 };
      row.count++;
      row.updatedMs = nowMs;
      rows = [row, ...rows.filter((each) => each !== row)].slice(0, LENGTH_MAX);
      const entry = { reason: Reason.Key, where: Where.Lua, object, user, client: `id=${step}` };
      random.pick(logs).add(entry, nowMs);
      const shown = logs[1]!.entries(100);
      expect(
        shown.map(({ count, object, user, id, createdMs, updatedMs }) => ({
          count,
          object,
          user,
          id,
          createdMs,
          updatedMs,
        })),
        `SEED=${seed}, step ${step}`,
      ).toEqual(rows);
      expect(shown[0]).toMatchObject({
        reason: Reason.Key,
        where: Where.Lua,
        client: `id=${step}`,
      });
    }
    logs[0]!.reset();
    expect(logs[1]!.entries(5)).toEqual([]);
  });

  it('keeps nothing where no entry is wanted, and cuts what is too long', () => {
    const log = new AccessLog(createAccessLog());
    const entry = { reason: Reason.Auth, where: Where.Toplevel, user: 'ann', client: 'x' };
    log.setLengthMax(0);
    log.add({ ...entry, object: 'AUTH' }, 1);
    expect(log.entries(5)).toEqual([]);
    log.setLengthMax(2);
    log.add({ ...entry, object: 'o'.repeat(10_000) }, 1);
    log.add({ ...entry, object: 'o'.repeat(10_001) }, 2);
    expect(log.entries(5)).toHaveLength(1);
    expect(log.entries(5)[0]).toMatchObject({ count: 2, object: 'o'.repeat(4096) });
  });
});
