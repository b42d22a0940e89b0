// The change feed over logs in one process, without threads: what a follower gets while logs are
// written, rewritten, and fail.

import { describe, expect, it } from 'vitest';
import { readFile } from '../../src/base/disk.js';
import { Feed, type FeedCursor, positionText } from '../../src/log/feed.js';
import { Failure, Policy } from '../../src/log/logs.js';
import { formatManifest, MANIFEST_NAME, parseManifest } from '../../src/log/manifest.js';
import { Refusal } from '../../src/resp/errors.js';
import { LOG_DIRECTORY, LogWorld, recover } from '../support/logs.js';
import { randomTest } from '../support/random-test.js';

const INPUT_OUTPUT_ERROR = 5;
const NO_SPACE = 28;
const LARGE_BUDGET = 1 << 30;
const PAST_BYTES = 1 << 20;

interface Prepared {
  readonly baseFile: string;
  readonly number: number;
}

function prepareAndCut(world: LogWorld): Prepared {
  const { baseFile } = world.keeper.prepareRewrite();
  return { baseFile, number: world.keeper.logs.cut() };
}

function finish(world: LogWorld, { baseFile, number }: Prepared): void {
  const fd = world.disk.open(`${LOG_DIRECTORY}/${baseFile}`, 2);
  world.disk.writeAt(fd, Buffer.from('rdb'), 0, 3, 0);
  world.disk.sync(fd);
  world.disk.close(fd);
  world.keeper.finishRewrite(number, 3);
}

function endTurns(world: LogWorld): void {
  for (const log of world.logs) log.endTurn();
}

function manifestOf(world: LogWorld) {
  const bytes = readFile(world.disk, `${LOG_DIRECTORY}/${MANIFEST_NAME}`);
  return parseManifest(Buffer.from(bytes).toString('latin1'));
}

/** The feed as thread 0 has it. */
function feedOf(world: LogWorld): Feed {
  return new Feed(world.logs[0]!.files, 0, LOG_DIRECTORY);
}

function take(
  feed: Feed,
  cursor: FeedCursor,
  { count = Number.POSITIVE_INFINITY, bytes = LARGE_BUDGET } = {},
) {
  const bodies = new Map<number, string>();
  const isAtEnd = feed.read(cursor, feed.limit(), { bytes }, (file) => {
    const body = file.u8.subarray(file.bodyAt, file.bodyAt + file.bodyBytes);
    bodies.set(file.number, Buffer.from(body).toString('latin1'));
    return bodies.size < count;
  });
  return { bodies, isAtEnd, numbers: [...bodies.keys()] };
}

function lineOf(action: () => unknown): string {
  try {
    action();
  } catch (thrown) {
    if (thrown instanceof Refusal) return thrown.line;
    throw thrown;
  }
  return 'no refusal';
}

describe('a follower', () => {
  it('gets the records of all logs in the order of their numbers', () => {
    const world = new LogWorld(3);
    for (const log of [0, 2, 1, 1, 0, 2, 2]) world.append(log, `from ${log}`, log);
    endTurns(world);
    const feed = feedOf(world);
    const { bodies, isAtEnd } = take(feed, feed.follow(1, '0'));
    expect([...bodies]).toEqual([...world.bodies]);
    expect(isAtEnd).toBe(true);
  });

  it('goes on where its last reply ended, also as somebody else', () => {
    const world = new LogWorld(2);
    const feed = feedOf(world);
    for (let index = 0; index < 9; index++) world.append(index % 2, `${index}`);
    endTurns(world);
    const cursor = feed.follow(1, '0');
    expect(take(feed, cursor, { count: 4 }).numbers).toEqual([1, 2, 3, 4]);
    const position = positionText(cursor);
    expect(feed.follow(1, position)).toBe(cursor);
    expect(take(feed, cursor, { count: 2 }).numbers).toEqual([5, 6]);
    expect(take(feed, feed.follow(2, position)).numbers).toEqual([5, 6, 7, 8, 9]);
    expect(take(feed, feed.follow(1, position)).numbers).toEqual([5, 6, 7, 8, 9]);
  });

  it('from now on gets what comes later, whoever had not written yet', () => {
    const world = new LogWorld(2);
    const feed = feedOf(world);
    world.append(0, 'written');
    endTurns(world);
    world.append(1, 'pending');
    const cursor = feed.follow(1, '$');
    expect(cursor.number).toBe(2);
    expect(recover(world.disk.killed()).last).toBe(2);
    world.append(1, 'later');
    endTurns(world);
    expect([...take(feed, cursor).bodies.values()]).toEqual(['later']);
  });

  it('never sees a number while a lower one may still come', () => {
    const world = new LogWorld(3);
    const feed = feedOf(world);
    const cursor = feed.follow(1, '0');
    world.append(1, 'first');
    world.append(2, 'second');
    // Its file has it; log 1 has the smaller number, and its turn goes on.
    world.logs[2]!.files.take(2);
    world.logs[2]!.files.writeOut(2);
    world.logs[2]!.files.release(2);
    expect(take(feed, cursor).numbers).toEqual([]);
    world.logs[1]!.endTurn();
    world.logs[2]!.endTurn();
    expect(take(feed, cursor).numbers).toEqual([1, 2]);
  });

  it('sees what its own thread has changed in the same turn', () => {
    const world = new LogWorld(2);
    const feed = feedOf(world);
    const cursor = feed.follow(1, '0');
    world.append(0, 'own');
    expect(take(feed, cursor).numbers).toEqual([1]);
    endTurns(world);
    expect(take(feed, cursor).numbers).toEqual([]);
  });

  it('sees under always only what is synced', () => {
    const world = new LogWorld(2, { policy: Policy.Always });
    const feed = feedOf(world);
    const cursor = feed.follow(1, '0');
    world.append(0, 'own');
    expect(take(feed, cursor).numbers).toEqual([]);
    world.logs[0]!.endTurn();
    expect(take(feed, cursor).numbers).toEqual([1]);
    expect(recover(world.disk.crashed(null)).last).toBe(1);
  });

  it('that looks for its place reads a share at a time', () => {
    const world = new LogWorld(1, { bufferBytes: 64 * 1024 });
    const feed = feedOf(world);
    for (let index = 0; index < 100; index++) {
      world.append(0, 'x'.repeat(1000));
      world.logs[0]!.endTurn();
    }
    const cursor = feed.follow(1, positionText({ ...feed.follow(2, '0'), number: 90 }));
    let rounds = 0;
    let found = take(feed, cursor, { bytes: 10_000, count: 1 });
    for (; found.bodies.size === 0; rounds++)
      found = take(feed, cursor, { bytes: 10_000, count: 1 });
    expect(rounds).toBeGreaterThan(5);
    expect(found.numbers).toEqual([91]);
  });

  it('is not misled by a write that fails and is done again', () => {
    const world = new LogWorld(3);
    const feed = feedOf(world);
    const cursor = feed.follow(1, '0');
    world.append(2, 'safe');
    endTurns(world);
    world.append(1, 'torn at first, in the middle of this text');
    world.disk.failNext('write', NO_SPACE, { tornBytes: 40 });
    world.disk.failNext('truncate', INPUT_OUTPUT_ERROR);
    expect(world.logs[1]!.endTurn()).toBe(false);
    expect(take(feed, cursor).numbers).toEqual([1]);
    world.append(1, 'in the same frame');
    world.keeper.tick();
    endTurns(world);
    expect(take(feed, cursor).numbers).toEqual([2, 3]);
  });

  it('gets a record that is larger than any buffer, whole', () => {
    const world = new LogWorld(2);
    const feed = feedOf(world);
    const large = 'y'.repeat(300_000);
    world.append(0, 'before');
    world.append(0, large);
    world.append(1, 'after');
    endTurns(world);
    const { bodies } = take(feed, feed.follow(1, '0'));
    expect([...bodies.values()]).toEqual(['before', large, 'after']);
  });
});

describe('a rewrite', () => {
  it('keeps what came before for followers, apart from what is loaded', () => {
    const world = new LogWorld(2, { pastBytesMax: PAST_BYTES });
    const feed = feedOf(world);
    world.append(0, 'old');
    const { baseFile } = world.keeper.prepareRewrite();
    world.append(1, 'old, pending at the end of the rewrite');
    const prepared = { baseFile, number: world.keeper.logs.cut() };
    world.append(0, 'new');
    finish(world, prepared);
    endTurns(world);
    expect(manifestOf(world)).toMatchObject({
      past: [{ generation: 1, from: 1, to: 2, logCount: 2 }],
      generations: [{ generation: 2, from: 3, to: null }],
    });
    expect(take(feed, feed.follow(1, '0')).numbers).toEqual([1, 2, 3]);
    // It survives the machine, although nothing that is loaded needs it.
    const crashed = world.disk.crashed(null);
    const log = Buffer.from(readFile(crashed, `${LOG_DIRECTORY}/log-1-1.flog`)).toString('latin1');
    expect(log).toContain('pending at the end');
  });

  it('removes what is beyond feed-history-bytes, and says so to who comes too late', () => {
    const world = new LogWorld(1, { pastBytesMax: 400 });
    const feed = feedOf(world);
    const start = positionText(feed.follow(1, '0'));
    for (let round = 0; round < 5; round++) {
      world.append(0, 'x'.repeat(100));
      endTurns(world);
      finish(world, prepareAndCut(world));
    }
    const { past = [], history } = manifestOf(world);
    expect(past.map(({ generation }) => generation)).toEqual([4, 5]);
    expect(lineOf(() => feed.follow(2, start))).toBe(`FEEDTRIMMED oldest position is ${history}-3`);
    expect(take(feed, feed.follow(2, '0')).numbers).toEqual([4, 5]);
    expect(feed.summary()).toMatchObject({ oldest: 3, newest: 5, pastBytes: 2 * (32 + 8 + 116) });
    expect(world.disk.list(LOG_DIRECTORY).filter((name) => name.startsWith('log-1-'))).toEqual([]);
  });

  it('does not take the logs away from who is reading them', () => {
    const world = new LogWorld(1);
    const feed = feedOf(world);
    for (let index = 0; index < 4; index++) world.append(0, `${index}`);
    endTurns(world);
    const cursor = feed.follow(1, '0');
    expect(take(feed, cursor, { count: 1 }).numbers).toEqual([1]);
    finish(world, prepareAndCut(world));
    world.append(0, 'new');
    endTurns(world);
    expect(take(feed, cursor).numbers).toEqual([2, 3, 4, 5]);
    const { openCount } = world.disk;
    feed.closed(1);
    expect(world.disk.openCount).toBe(openCount - 1);
  });

  it('because of a failed sync ends the feed, and nothing is passed over in silence', () => {
    const world = new LogWorld(2, { pastBytesMax: PAST_BYTES, policy: Policy.Always });
    const feed = feedOf(world);
    const cursor = feed.follow(1, '0');
    world.append(0, 'safe');
    endTurns(world);
    world.append(1, 'dropped');
    world.append(0, 'unsafe');
    world.disk.failNext('sync', INPUT_OUTPUT_ERROR);
    expect(world.logs[0]!.endTurn()).toBe(false);
    expect(world.keeper.logs.failure).toBe(Failure.Ended);
    expect(world.logs[1]!.endTurn()).toBe(false);
    expect(take(feed, cursor).numbers).toEqual([1]);
    finish(world, prepareAndCut(world));
    endTurns(world);
    expect(world.keeper.logs.failure).toBe(Failure.None);
    world.append(0, 'again');
    endTurns(world);
    expect(lineOf(() => take(feed, cursor))).toMatch(/^FEEDTRIMMED oldest position is .*-3$/);
    expect(take(feed, feed.follow(2, '0')).numbers).toEqual([4]);
  });
});

describe('a position', () => {
  it('of another history, behind the end, or of none is refused', () => {
    const world = new LogWorld(1);
    const feed = feedOf(world);
    const { history } = feed.follow(1, '0');
    expect(lineOf(() => feed.follow(1, `${history.replace('0', 'e')}-0`))).toMatch(
      /^FEEDLOST .*another history/,
    );
    expect(lineOf(() => feed.follow(1, `${history}-1`))).toMatch(/^FEEDLOST .*behind the last/);
    expect(lineOf(() => feed.follow(1, '1'))).toMatch(/^ERR invalid position/);
    world.keeper.stop();
    expect(lineOf(() => feed.follow(1, '0'))).toBe('ERR the change feed needs appendonly yes');
  });

  it('is lost when the log was off in between', () => {
    const world = new LogWorld(1, { pastBytesMax: PAST_BYTES });
    const feed = feedOf(world);
    const cursor = feed.follow(1, '0');
    world.keeper.stop();
    const prepared = prepareAndCut(world);
    expect(lineOf(() => feed.follow(2, '0'))).toMatch(/^ERR the change feed begins/);
    finish(world, prepared);
    world.append(0, 'anew');
    endTurns(world);
    expect(lineOf(() => take(feed, cursor))).toMatch(/^FEEDLOST .*another history/);
    expect(manifestOf(world).past).toBeUndefined();
    expect([...take(feed, feed.follow(2, '0')).bodies.values()]).toEqual(['anew']);
  });
});

describe('a manifest', () => {
  it('with generations of the past is read back as it was written', () => {
    const world = new LogWorld(2, { pastBytesMax: PAST_BYTES });
    world.append(0, 'x');
    endTurns(world);
    finish(world, prepareAndCut(world));
    const text = formatManifest(manifestOf(world));
    expect(text).toContain(
      '\nhistory-generation 1 from 1 to 1 logs 2\ngeneration 2 from 2 logs 2\n',
    );
    expect(parseManifest(text)).toEqual(manifestOf(world));
  });
});

describe('chance', () => {
  randomTest('every record is given once and in order, whatever happens beside', 40, (random) => {
    const world = new LogWorld(3, {
      pastBytesMax: PAST_BYTES,
      policy: random.pick([Policy.No, Policy.EverySecond, Policy.Always]),
    });
    const feed = feedOf(world);
    let cursor = feed.follow(1, '0');
    let next = 1;
    let pending: Prepared | null = null;
    for (let step = 0; step < 300; step++) {
      const chance = random.below(20);
      if (chance < 9) world.append(random.below(3), random.bytes(random.below(200)));
      else if (chance < 13) world.logs[random.below(3)]!.endTurn();
      else if (chance === 13 && pending === null) pending = prepareAndCut(world);
      else if (chance === 14 && pending !== null) {
        finish(world, pending);
        pending = null;
      } else if (chance === 15) cursor = feed.follow(random.below(3), positionText(cursor));
      else if (chance === 16) world.sync.pass();
      else {
        const count = random.between(1, 12);
        const { bodies } = take(feed, cursor, { count, bytes: random.below(2000) });
        const { last } = recover(world.disk.killed());
        for (const [number, body] of bodies) {
          expect(number).toBe(next++);
          expect(body).toBe(world.bodies.get(number));
          // A kill at this moment leaves whoever follows with what there is.
          expect(number).toBeLessThanOrEqual(last);
        }
      }
    }
    endTurns(world);
    for (const number of take(feed, cursor).numbers) expect(number).toBe(next++);
    expect(next - 1).toBe(world.keeper.logs.currentNumber());
  });
});
