// The append logs on a simulated disk: what was acknowledged is there after a crash, whatever
// fails and whenever.

import { describe, expect, it } from 'vitest';
import { Failure, Policy } from '../../src/log/logs.js';
import { parseManifest } from '../../src/log/manifest.js';
import { FRESH, LOG_DIRECTORY, LogWorld, recordsOf, recover } from '../support/logs.js';
import { randomTest } from '../support/random-test.js';
import type { Random } from '../support/seed.js';

const NO_SPACE = 28;
const IO_ERROR = 5;

function fileOf(world: LogWorld, name: string): Uint8Array {
  const u8 = world.disk.contentOf(`${LOG_DIRECTORY}/${name}`);
  if (u8 === null) throw new Error(`there is no ${name}`);
  return u8;
}

function manifestOf(world: LogWorld) {
  return parseManifest(Buffer.from(fileOf(world, 'flagstone.manifest')).toString('latin1'));
}

/** As the job of SNAPSHOT does it. */
function rewrite(world: LogWorld): void {
  const { baseFile, directory } = world.keeper.prepareRewrite();
  const number = world.keeper.logs.cut();
  writeBase(world, directory, baseFile);
  world.keeper.finishRewrite(number, 3);
}

function writeBase(world: LogWorld, directory: string, baseFile: string): void {
  const fd = world.disk.open(`${directory}/${baseFile}`, 2);
  world.disk.writeAt(fd, Buffer.from('rdb'), 0, 3, 0);
  world.disk.sync(fd);
  world.disk.close(fd);
}

describe('a turn', () => {
  it('writes its records as one frame with one write', () => {
    const world = new LogWorld(2);
    const before = world.disk.counts.write;
    world.append(0, 'one');
    world.append(0, 'second');
    expect(world.logs[0]!.endTurn()).toBe(true);
    expect(world.disk.counts.write).toBe(before + 1);
    expect(recordsOf(fileOf(world, 'log-1-0.flog'))).toEqual([
      { number: 1, body: 'one' },
      { number: 2, body: 'second' },
    ]);
    expect(world.logs[0]!.endTurn()).toBe(true);
    expect(world.disk.counts.write).toBe(before + 1);
  });

  it('writes the smaller numbers of another thread before its replies leave', () => {
    const world = new LogWorld(3);
    world.append(1, 'earlier');
    world.append(0, 'later');
    world.append(2, 'last');
    expect(world.logs[0]!.endTurn()).toBe(true);
    expect(recordsOf(fileOf(world, 'log-1-1.flog'))).toEqual([{ number: 1, body: 'earlier' }]);
    expect(recordsOf(fileOf(world, 'log-1-2.flog'))).toEqual([]);
    world.append(1, 'more');
    for (const log of world.logs) expect(log.endTurn()).toBe(true);
    expect([...recover(world.disk.killed()).bodies.values()]).toEqual([
      'earlier',
      'later',
      'last',
      'more',
    ]);
  });

  it('writes a full buffer out, and a record that is larger than any buffer', () => {
    const world = new LogWorld(2, { bufferBytes: 1024 });
    const sizes = [100, 900, 980, 995, 996, 997, 998, 999, 1000, 1001, 3000, 70_000, 5, 1000, 10];
    for (const size of sizes) world.append(0, String.fromCharCode(97 + (size % 26)).repeat(size));
    world.append(1, 'other');
    expect(world.logs[1]!.endTurn()).toBe(true);
    const found = recover(world.disk.killed());
    expect(found.last).toBe(sizes.length + 1);
    for (const [number, body] of found.bodies) expect(body === world.bodies.get(number)).toBe(true);
  });

  it('takes no numbers while the log is off', () => {
    const world = new LogWorld(1);
    expect(world.keeper.stop()).toBe(true);
    world.append(0, 'nothing');
    expect(world.logs[0]!.endTurn()).toBe(true);
    expect(world.keeper.logs.currentNumber()).toBe(0);
    expect(world.disk.openCount).toBe(0);
  });

  it('syncs under always, and syncs what others took before it', () => {
    const world = new LogWorld(2, { policy: Policy.Always });
    world.append(1, 'earlier');
    world.append(0, 'later');
    world.logs[0]!.endTurn();
    expect(recover(world.disk.crashed(null)).last).toBe(2);
  });

  it('makes a turn of reads wait for the syncs of others under always alone', () => {
    for (const policy of [Policy.Always, Policy.EverySecond, Policy.No]) {
      const world = new LogWorld(2, { policy });
      world.append(1, 'seen');
      world.logs[0]!.endTurn();
      expect(recover(world.disk.crashed(null)).last).toBe(policy === Policy.Always ? 1 : 0);
    }
  });

  it('keeps its numbers beyond 2^32', () => {
    const number = 2 ** 32 * 5 - 2;
    const recovered = {
      history: 'ab'.repeat(20),
      number,
      base: { file: 'base-4.rdb', number },
      baseBytes: 10,
      generations: [{ generation: 4, from: number - 3, to: null, logCount: 1 }],
      logBytes: 0,
    };
    const world = new LogWorld(2, { recovered });
    for (let index = 0; index < 5; index++) {
      expect(world.append(index % 2, `${index}`)).toBe(number + 1 + index);
    }
    for (const log of world.logs) log.endTurn();
    const { generations } = manifestOf(world);
    expect(generations).toEqual([
      { generation: 4, from: number - 3, to: number, logCount: 1 },
      { generation: 5, from: number + 1, to: null, logCount: 2 },
    ]);
    const numbers = [...recordsOf(fileOf(world, 'log-5-0.flog'))].map(({ number: each }) => each);
    expect(numbers).toEqual([number + 1, number + 3, number + 5]);
  });

  it('goes on counting where the shared word wraps', () => {
    const number = 2 ** 31 - 3;
    const world = new LogWorld(2, { recovered: { ...FRESH, number } });
    world.append(1, 'seen once');
    // As other threads would move it on, seen now and then.
    for (const low of [2 ** 31 - 1, -(2 ** 30), -2]) {
      world.keeper.logs.words[0] = low;
      world.logs[1]!.observe();
      world.keeper.tick();
    }
    for (let index = 0; index < 3; index++) world.append(1, `${index}`);
    world.logs[1]!.endTurn();
    const numbers = recordsOf(fileOf(world, 'log-1-1.flog')).map(({ number: each }) => each);
    expect(numbers).toEqual([number + 1, 2 ** 32 - 1, 2 ** 32, 2 ** 32 + 1]);
    expect(world.logs[1]!.lastNumber).toBe(2 ** 32 + 1);
    expect(world.keeper.logs.currentNumber()).toBe(2 ** 32 + 1);
  });
});

describe('the sync thread', () => {
  it('makes durable what has a number, and says so', () => {
    const world = new LogWorld(2);
    world.append(0, 'one');
    world.logs[0]!.endTurn();
    world.append(1, 'not written yet');
    expect(recover(world.disk.crashed(null)).last).toBe(0);
    expect(world.keeper.logs.isSynced(1)).toBe(false);
    expect(world.sync.pass()).toBe(true);
    expect(recover(world.disk.crashed(null)).last).toBe(2);
    expect(world.keeper.logs.isSynced(2)).toBe(true);
    const { sync } = world.disk.counts;
    world.sync.pass();
    expect(world.disk.counts.sync).toBe(sync);
  });

  it('does nothing under no, and while a job asks for quiet', () => {
    const world = new LogWorld(1, { policy: Policy.No });
    world.append(0, 'one');
    world.logs[0]!.endTurn();
    expect(world.sync.pass()).toBe(false);
    world.logs[0]!.setPolicy(Policy.EverySecond);
    world.keeper.setQuiet(true);
    expect(world.sync.pass()).toBe(false);
    world.keeper.setQuiet(false);
    expect(world.sync.pass()).toBe(true);
  });
});

describe('a rewrite', () => {
  it('lists both generations before the cut, and only the new one at its end', () => {
    const world = new LogWorld(2);
    world.append(0, 'old');
    world.append(1, 'old, unwritten');
    const { baseFile, directory } = world.keeper.prepareRewrite();
    expect(manifestOf(world).generations.map(({ generation, to }) => [generation, to])).toEqual([
      [1, null],
      [2, null],
    ]);
    const number = world.keeper.logs.cut();
    expect(number).toBe(2);
    world.append(1, 'new');
    for (const log of world.logs) expect(log.endTurn()).toBe(true);
    // What was buffered at the cut belongs to the old file.
    expect(recordsOf(fileOf(world, 'log-1-1.flog')).map(({ body }) => body)).toEqual([
      'old, unwritten',
    ]);
    expect(recordsOf(fileOf(world, 'log-2-1.flog')).map(({ body }) => body)).toEqual(['new']);
    expect(recover(world.disk.killed()).bodies).toEqual(world.bodies);
    writeBase(world, directory, baseFile);
    world.keeper.finishRewrite(number, 3);
    expect(manifestOf(world)).toMatchObject({
      base: { file: 'base-2.rdb', number: 2 },
      generations: [{ generation: 2, from: 3, to: null, logCount: 2 }],
    });
    expect(world.disk.list(LOG_DIRECTORY)).toEqual([
      'base-2.rdb',
      'flagstone.manifest',
      'log-2-0.flog',
      'log-2-1.flog',
    ]);
    expect(world.disk.openCount).toBe(2);
    expect([...recover(world.disk.killed()).bodies.values()]).toEqual(['new']);
  });

  it('that fails after its cut leaves two generations, and the next one drops both', () => {
    const world = new LogWorld(2);
    world.append(0, 'one');
    world.keeper.prepareRewrite();
    world.keeper.logs.cut();
    world.append(0, 'two');
    world.keeper.abandonRewrite();
    for (const log of world.logs) log.endTurn();
    expect(recover(world.disk.killed()).last).toBe(2);
    rewrite(world);
    expect(manifestOf(world).generations.map(({ generation }) => generation)).toEqual([3]);
    expect(recover(world.disk.killed()).last).toBe(2);
    expect(world.disk.openCount).toBe(2);
  });

  it('that was prepared and never cut is taken up by the next one', () => {
    const world = new LogWorld(1);
    const first = world.keeper.prepareRewrite();
    world.keeper.abandonRewrite();
    expect(world.keeper.prepareRewrite()).toEqual(first);
  });

  it('counts the bytes before and after', () => {
    const world = new LogWorld(1);
    for (let index = 0; index < 50; index++) world.append(0, 'x'.repeat(60));
    world.logs[0]!.endTurn();
    const { currentBytes } = world.keeper.sizes;
    expect(currentBytes).toBe(fileOf(world, 'log-1-0.flog').length);
    rewrite(world);
    expect(world.keeper.sizes).toEqual({ currentBytes: 3 + 32, baseBytes: 3 + 32 });
  });

  it('begins a log that was switched on at run time', () => {
    const world = new LogWorld(2);
    world.append(0, 'before');
    world.logs[0]!.endTurn();
    world.keeper.stop();
    world.append(0, 'not recorded');
    world.logs[0]!.endTurn();
    const { baseFile, directory } = world.keeper.prepareRewrite();
    const number = world.keeper.logs.cut();
    world.append(1, 'recorded');
    world.logs[1]!.endTurn();
    expect(manifestOf(world).generations.map(({ generation }) => generation)).toEqual([1]);
    writeBase(world, directory, baseFile);
    world.keeper.finishRewrite(number, 3);
    expect([...recover(world.disk.killed()).bodies.values()]).toEqual(['recorded']);
    expect(manifestOf(world).history.startsWith('f')).toBe(true);
  });
});

describe('a log that is switched off', () => {
  it('records until it is stopped, whatever its threads have heard before', () => {
    const world = new LogWorld(2);
    const [one, other] = world.logs;
    one!.turnOn(false);
    expect(one!.isOn).toBe(true);
    world.append(0, 'between no and yes');
    expect(one!.endTurn()).toBe(true);
    one!.turnOn(true);
    expect(recover(world.disk.killed()).bodies).toEqual(world.bodies);
    one!.turnOn(false);
    world.keeper.stop();
    for (const log of world.logs) log.observe();
    expect(one!.isOn).toBe(false);
    expect(other!.isOn).toBe(true);
  });

  it('is not left by a thread between the preparation of its first base and the cut', () => {
    const world = new LogWorld(1);
    const log = world.logs[0]!;
    world.keeper.stop();
    log.turnOn(true);
    const { baseFile, directory } = world.keeper.prepareRewrite();
    log.turnOn(false);
    const number = world.keeper.logs.cut();
    expect(log.isOn).toBe(true);
    world.append(0, 'recorded');
    log.endTurn();
    writeBase(world, directory, baseFile);
    world.keeper.finishRewrite(number, 3);
    expect([...recover(world.disk.killed()).bodies.values()]).toEqual(['recorded']);
  });

  it('lets no turn fail that was under way, even after a failure of before', () => {
    const world = new LogWorld(2, { policy: Policy.Always });
    world.disk.failNext('write', NO_SPACE);
    world.append(1, 'kept');
    expect(world.logs[1]!.endTurn()).toBe(false);
    world.keeper.tick();
    world.append(1, 'earlier');
    world.append(0, 'later');
    world.keeper.stop();
    expect(world.logs[0]!.endTurn()).toBe(true);
  });

  it('is not named by the manifest of the next one, whose first bases fail', () => {
    const world = new LogWorld(2);
    world.append(0, 'before');
    world.logs[0]!.endTurn();
    world.keeper.stop();
    const before = manifestOf(world);
    for (let failures = 0; failures < 3; failures++) {
      world.keeper.prepareRewrite();
      world.keeper.logs.cut();
      world.append(1, 'in no file that counts');
      expect(world.logs[1]!.endTurn()).toBe(true);
      world.keeper.abandonRewrite();
      expect(world.keeper.isWithoutBase).toBe(true);
      expect(manifestOf(world)).toEqual(before);
    }
    rewrite(world);
    expect(world.keeper.isWithoutBase).toBe(false);
    world.append(1, 'recorded');
    world.logs[1]!.endTurn();
    expect([...recover(world.disk.killed()).bodies.values()]).toEqual(['recorded']);
    const { history, generations } = manifestOf(world);
    expect(history).not.toBe(before.history);
    expect(generations).toHaveLength(1);
    // Nothing of the log before, or of the bases that failed, stays.
    expect(world.disk.list(LOG_DIRECTORY)).toEqual([
      'base-5.rdb',
      'flagstone.manifest',
      'log-5-0.flog',
      'log-5-1.flog',
    ]);
    expect(world.disk.openCount).toBe(2);
  });
});

describe('a disk that fails', () => {
  it('raises the gate, keeps the records, and goes on where it stopped', () => {
    const world = new LogWorld(2);
    world.append(0, 'safe');
    expect(world.logs[0]!.endTurn()).toBe(true);
    world.disk.failNext('write', NO_SPACE, { times: Number.POSITIVE_INFINITY, tornBytes: 7 });
    world.append(0, 'kept');
    expect(world.logs[0]!.endTurn()).toBe(false);
    expect(world.keeper.logs.failure).toBe(Failure.Write);
    expect(world.keeper.logs.errno).toBe(NO_SPACE);
    expect(fileOf(world, 'log-1-0.flog').length).toBe(32 + 8 + 20);
    // A key that expires meanwhile leaves a record, and lets the reads of its turn go.
    world.append(0, 'expired');
    expect(world.logs[0]!.endTurn()).toBe(true);
    // A write of another thread that was under way is not acknowledged either.
    world.append(1, 'later');
    expect(world.logs[1]!.endTurn()).toBe(false);
    world.keeper.tick();
    expect(world.keeper.logs.failure).toBe(Failure.Write);
    world.disk.heal();
    world.keeper.tick();
    expect(world.keeper.logs.failure).toBe(Failure.None);
    expect(recover(world.disk.killed()).bodies).toEqual(world.bodies);
    world.append(0, 'after');
    expect(world.logs[0]!.endTurn()).toBe(true);
    expect(world.logs[1]!.endTurn()).toBe(true);
    expect(recover(world.disk.killed()).bodies).toEqual(world.bodies);
    expect(world.lines.length).toBe(2);
  });

  it('leaves a torn tail only while it cannot cut it off', () => {
    const world = new LogWorld(1);
    world.disk.failNext('write', NO_SPACE, { tornBytes: 13 });
    world.disk.failNext('truncate', IO_ERROR, { times: 2 });
    world.append(0, 'x'.repeat(50));
    expect(world.logs[0]!.endTurn()).toBe(false);
    expect(fileOf(world, 'log-1-0.flog').length).toBe(32 + 13);
    world.keeper.tick();
    expect(world.keeper.logs.failure).toBe(Failure.Write);
    world.keeper.tick();
    expect(world.keeper.logs.failure).toBe(Failure.None);
    expect(recover(world.disk.killed()).bodies).toEqual(world.bodies);
  });

  it('that is full for longer than the buffer lasts ends the generation', () => {
    const world = new LogWorld(1, { bufferBytes: 1024 });
    world.disk.failNext('write', NO_SPACE, { times: Number.POSITIVE_INFINITY });
    for (let index = 0; index < 100; index++) {
      world.append(0, 'x'.repeat(60));
      world.logs[0]!.endTurn();
    }
    expect(world.keeper.hasEnded).toBe(true);
    world.disk.heal();
    world.keeper.tick();
    expect(world.keeper.hasEnded).toBe(true);
    rewrite(world);
    expect(world.keeper.logs.failure).toBe(Failure.None);
    world.append(0, 'after');
    expect(world.logs[0]!.endTurn()).toBe(true);
    expect([...recover(world.disk.killed()).bodies.values()]).toEqual(['after']);
  });

  it('that ends the generation of another thread in the middle of a turn keeps its replies', () => {
    const world = new LogWorld(2);
    world.append(1, 'given up');
    world.append(0, 'behind the gap');
    const { files } = world.logs[0]!;
    const release = files.release.bind(files);
    // As soon as the first has written its own records, and before it looks at the other's.
    files.release = (log) => {
      release(log);
      files.release = release;
      files.take(1);
      files.giveUp(1, NO_SPACE);
      files.release(1);
    };

    expect(world.logs[0]!.endTurn()).toBe(false);
    expect(recover(world.disk.killed()).bodies.size).toBe(0);
  });

  it('whose sync fails ends the generation, whoever synced', () => {
    for (const policy of [Policy.Always, Policy.EverySecond]) {
      const world = new LogWorld(2, { policy });
      world.disk.failNext('sync', IO_ERROR);
      world.append(0, 'one');
      expect(world.logs[0]!.endTurn()).toBe(policy === Policy.EverySecond);
      if (policy === Policy.EverySecond) world.sync.pass();
      expect(world.keeper.hasEnded).toBe(true);
      const bytes = fileOf(world, 'log-1-0.flog').length;
      world.append(0, 'two');
      world.logs[0]!.endTurn();
      expect(fileOf(world, 'log-1-0.flog').length).toBe(bytes);
      world.keeper.tick();
      expect(world.keeper.hasEnded).toBe(true);
      rewrite(world);
      expect(world.keeper.hasEnded).toBe(false);
      world.append(0, 'three');
      expect(world.logs[0]!.endTurn()).toBe(true);
      expect([...recover(world.disk.killed()).bodies.values()]).toEqual(['three']);
    }
  });

  it('that refuses the new files or the new manifest leaves everything as it was', () => {
    for (const operation of ['open', 'write', 'sync', 'rename', 'syncDirectory'] as const) {
      for (let after = 0; after < 6; after++) {
        const world = new LogWorld(2);
        world.append(0, 'one');
        world.logs[0]!.endTurn();
        world.disk.failNext(operation, NO_SPACE, { after });
        try {
          world.keeper.prepareRewrite();
        } catch {
          // It says so; what matters is what is left.
        }
        world.disk.heal();
        world.append(1, 'two');
        expect(world.logs[1]!.endTurn()).toBe(true);
        expect(recover(world.disk.killed()).bodies).toEqual(world.bodies);
        rewrite(world);
        expect(recover(world.disk.killed()).last).toBe(2);
        expect(world.disk.openCount).toBe(2);
      }
    }
  });
});

describe('whatever happens', () => {
  randomTest('what was acknowledged survives the process, without a gap', 600, (random) => {
    const policy = random.pick([Policy.Always, Policy.EverySecond, Policy.No]);
    const world = new LogWorld(1 + random.below(3), { policy, bufferBytes: 512 });
    const acknowledged = play(world, random);
    const found = recover(world.disk.killed());
    expectPrefix(world, found.bodies, found.last, acknowledged);
  });

  randomTest('what was acknowledged under always survives the machine', 600, (random) => {
    const policy = Policy.Always;
    const world = new LogWorld(1 + random.below(3), { policy, bufferBytes: 512 });
    const acknowledged = play(world, random);
    const found = recover(world.disk.crashed(random));
    expectPrefix(world, found.bodies, found.last, acknowledged);
  });
});

function expectPrefix(
  world: LogWorld,
  bodies: ReadonlyMap<number, string>,
  last: number,
  acknowledged: number,
): void {
  expect(last).toBeGreaterThanOrEqual(acknowledged);
  for (const [number, body] of bodies) expect(body === world.bodies.get(number)).toBe(true);
}

/** Plays turns, rewrites and failures. Returns the last number whose reply has left. */
function play(world: LogWorld, random: Random): number {
  let acknowledged = 0;
  const own = world.logs.map(() => 0);
  let pending: { number: number; directory: string; baseFile: string } | null = null;
  for (let steps = random.below(60); steps > 0; steps--) {
    const log = random.below(world.logs.length);
    const chance = random.below(30);
    // The gate refuses writes while a failure is known.
    if (chance < 12 && world.keeper.logs.failure === Failure.None) {
      const bytes = random.chance(0.1) ? random.below(2000) : random.below(120);
      own[log] = world.append(log, random.bytes(bytes));
    } else if (chance < 22) {
      // The replies of a turn that failed never leave.
      if (world.logs[log]!.endTurn()) acknowledged = Math.max(acknowledged, own[log]!);
      own[log] = 0;
    } else if (chance === 22) {
      const operation = random.pick(['write', 'write', 'truncate', 'sync'] as const);
      world.disk.failNext(operation, NO_SPACE, {
        after: random.below(3),
        times: 1 + random.below(3),
        tornBytes: random.pick([0, 5, 40]),
      });
    } else if (chance === 23) world.sync.pass();
    else if (chance === 24) world.keeper.tick();
    else if (chance === 25) world.disk.heal();
    else if (pending === null && chance < 28) {
      try {
        const prepared = world.keeper.prepareRewrite();
        if (random.chance(0.8)) pending = { number: world.keeper.logs.cut(), ...prepared };
      } catch {
        // Nothing has changed.
      }
    } else if (pending !== null && chance === 29) {
      try {
        writeBase(world, pending.directory, pending.baseFile);
        world.keeper.finishRewrite(pending.number, 3);
      } catch {
        world.keeper.abandonRewrite();
      }
      pending = null;
    }
  }
  return acknowledged;
}
