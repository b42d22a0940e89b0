// The road of a command: refusals and their order, locks, groups that are timed as one, what is
// counted.

import { beforeEach, describe, expect, it } from 'vitest';
import { Slices } from '../../src/base/slices.js';
import type { Context } from '../../src/dispatch/context.js';
import {
  type CommandSpec,
  containerCommand,
  crossCommand,
  everyCommand,
  Flag,
  keyAt,
  keyCommand,
  keysFrom,
  sessionCommand,
  splitCommand,
} from '../../src/dispatch/define.js';
import { Notify } from '../../src/dispatch/effects.js';
import { Gate } from '../../src/dispatch/gates.js';
import { Outcome } from '../../src/dispatch/run.js';
import type { ServerDoor } from '../../src/dispatch/server-door.js';
import { ReplyMode } from '../../src/dispatch/session.js';
import { SYNTAX } from '../../src/resp/errors.js';
import { GrowingEdge, Reply } from '../../src/resp/write.js';
import { inspectLock } from '../../src/slab/lock.js';
import { Header } from '../../src/slab/slab.js';
import { Engine } from '../support/engine.js';

const PARTITIONS = 8;
const COMMON = { group: 'string', since: '1.0.0', summary: 'S.', cost: 'O(1)' } as const;

/** What the toy commands saw. */
let held: number[] = [];
let ran: string[] = [];
let counted: string[] = [];

function heldLocks({ keyspace }: Context): number[] {
  return keyspace.partitions
    .filter(({ slab }) => inspectLock(slab.i32, Header.Lock).holderThread === 0)
    .map(({ index }) => index);
}

function see(context: Context): void {
  held = heldLocks(context);
  ran.push(context.command.fullName);
  context.reply.ok();
}

const named = (name: string, arity: number, flags = 0) => ({
  ...COMMON,
  name,
  arity,
  flags,
  run: see,
});
const SPECS: readonly CommandSpec[] = [
  keyCommand({ ...named('one', -2, Flag.Read | Flag.Fast), keys: [keyAt(1, 'RO')] }),
  keyCommand({ ...named('two', -2, Flag.Write | Flag.DenyOom), keys: [keyAt(1, 'RW')] }),
  splitCommand({ ...named('many', -2), keys: [keysFrom(1, -1, 1, 'RO')] }),
  crossCommand({ ...named('cross', -1), keys: [keysFrom(1, -1, 1, 'RO')] }),
  everyCommand(named('every', 1)),
  sessionCommand(named('free', -1, Flag.NoAuth)),
  keyCommand({
    ...named('refuse', 2),
    keys: [keyAt(1, 'RW')],
    run: () => {
      throw SYNTAX;
    },
  }),
  keyCommand({
    ...named('late', 2),
    keys: [keyAt(1, 'RW')],
    run(context) {
      context.changed(1, Notify.String, 'set');
      throw SYNTAX;
    },
  }),
  sessionCommand({
    ...named('visits', 1),
    visits: true,
    run(context) {
      const seen: string[] = [];
      for (let index = 0; index < PARTITIONS; index++) {
        context.visit(index, (partition) => {
          seen.push(`${partition.index}:${heldLocks(context)}:${partition.database}`);
        });
      }
      context.reply.text(seen.join(' '));
    },
  }),
  containerCommand({
    ...{ ...COMMON, name: 'box', arity: -2, flags: 0 },
    subcommands: [sessionCommand(named('in', 2))],
  }),
];

function start(): Engine {
  const note = (what: string) => (id: number, calls?: number, us?: number) => {
    const { fullName } = engine.runner.table.all[id]!;
    counted.push([what, fullName, calls, us].filter((each) => each !== undefined).join(' '));
  };
  const commandStats = {
    called: note('called'),
    rejected: note('rejected'),
    failed: note('failed'),
  };
  const slowlog = {
    record: (
      _: unknown,
      command: { fullName: string },
      args: Slices | null,
      calls: number,
      us: number,
    ) =>
      void counted.push(
        `slow ${command.fullName} ${args === null ? '-' : args.text(0)} ${calls} ${us}`,
      ),
  };
  const stats = { errorReplied: (code: string) => void counted.push(`error ${code}`) };
  const server = { commandStats, slowlog, stats } as unknown as Partial<ServerDoor>;
  const engine: Engine = new Engine({ specs: SPECS, partitions: PARTITIONS, server });
  return engine;
}

let engine: Engine;
beforeEach(() => {
  engine = start();
  held = [];
  ran = [];
  counted = [];
});

describe('locks', () => {
  it('of the one partition of a key command are held while it runs', () => {
    engine.run('ONE', 'key');
    expect(held).toHaveLength(1);
    engine.run('ONE', '{key}2');
    expect(held).toHaveLength(1);
  });

  it('of all partitions with a key of the command are held, and of no others', () => {
    engine.run('MANY', '{a}1', '{a}2');
    expect(held).toHaveLength(1);
    engine.run('MANY', ...Array.from({ length: 200 }, (_, index) => `key:${index}`));
    expect(held).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
    engine.run('CROSS', 'a', 'b', 'c');
    expect(held.length).toBeLessThanOrEqual(3);
  });

  it('of all partitions are held by commands on everything, of none by those on sessions', () => {
    engine.run('EVERY');
    expect(held).toHaveLength(PARTITIONS);
    engine.run('FREE');
    expect(held).toEqual([]);
    engine.run('CROSS');
    expect(held).toEqual([]);
  });

  it('are taken one by one by visits, in the session’s database', () => {
    engine.session.database = 5;
    const seen = engine.run('VISITS').split('\r\n')[1]!.split(' ');
    expect(seen).toEqual(Array.from({ length: PARTITIONS }, (_, index) => `${index}:${index}:5`));
  });

  it('are free again after every command, also after a refused one', () => {
    for (const name of ['ONE', 'MANY', 'CROSS', 'REFUSE']) {
      engine.run(name, 'key');
      expect(heldLocks(engine.runner.context)).toEqual([]);
    }
  });
});

describe('refusals', () => {
  it('quote what was sent, as far as Redis does', () => {
    expect(engine.run('BOGUS')).toBe(
      "-ERR unknown command 'BOGUS', with args beginning with: \r\n",
    );
    expect(engine.run('bo\r\ngus', 'a', '', 'b\0c')).toBe(
      "-ERR unknown command 'bo  gus', with args beginning with: 'a' '' 'b' \r\n",
    );
    const long = engine.run('x'.repeat(200), 'y'.repeat(100), 'z'.repeat(100), 'never');
    expect(long).toBe(
      `-ERR unknown command '${'x'.repeat(128)}', with args beginning with: ` +
        `'${'y'.repeat(100)}' '${'z'.repeat(25)}' \r\n`,
    );
    expect(engine.run('BOX', 'a\nb')).toBe("-ERR unknown subcommand 'a b'. Try BOX HELP.\r\n");
    expect(engine.run('BOX')).toBe("-ERR wrong number of arguments for 'box' command\r\n");
  });

  it('look at the arity before they look at gates', () => {
    engine.session.raised = Gate.Stranger;
    expect(engine.run('ONE')).toBe("-ERR wrong number of arguments for 'one' command\r\n");
    expect(engine.run('ONE', 'k')).toBe('-NOAUTH Authentication required.\r\n');
    expect(engine.run('FREE')).toBe('+OK\r\n');
  });

  it('come from gates in their order', () => {
    engine.runner.raised = Gate.OutOfMemory;
    expect(engine.run('TWO', 'k')).toMatch(/^-OOM /);
    expect(engine.run('ONE', 'k')).toBe('+OK\r\n');
    engine.session.raised = Gate.Stranger;
    expect(engine.run('TWO', 'k')).toMatch(/^-NOAUTH /);
    expect(ran).toEqual(['one']);
  });

  it('are counted as rejected before the handler, as failed inside it', () => {
    engine.run('BOGUS');
    engine.run('ONE');
    engine.run('REFUSE', 'k');
    expect(counted).toEqual([
      'error ERR',
      'error ERR',
      'rejected one',
      'error ERR',
      'failed refuse',
    ]);
  });

  it('after a change are a broken invariant', () => {
    expect(() => engine.run('LATE', 'k')).toThrow('late refuses before its first change');
  });
});

describe('a paused command', () => {
  it('is put off untouched, and runs when it comes again', () => {
    const { runner, session } = engine;
    const reply = new Reply(new Uint8Array(100), new GrowingEdge());
    runner.raised = Gate.WritesPaused;
    expect(runner.run(session, Slices.of('TWO', 'k'), reply)).toBe(Outcome.Postponed);
    expect(reply.at).toBe(0);
    expect(runner.run(session, Slices.of('ONE', 'k'), reply)).toBe(Outcome.Done);
    runner.raised = Gate.Paused;
    expect(runner.run(session, Slices.of('ONE', 'k'), reply)).toBe(Outcome.Postponed);
    runner.raised = 0;
    expect(runner.run(session, Slices.of('TWO', 'k'), reply)).toBe(Outcome.Done);
    expect(ran).toEqual(['one', 'two']);
  });
});

describe('groups', () => {
  const calls = () => counted.filter((line) => line.startsWith('called'));

  it('of equal quick commands are timed as one', () => {
    for (let index = 0; index < 10; index++) {
      engine.runner.run(
        engine.session,
        Slices.of('ONE', `key:${index}`),
        new Reply(new Uint8Array(99), new GrowingEdge()),
      );
    }
    expect(calls()).toEqual([]);
    engine.clock.wallMs += 5;
    engine.runner.closeGroup(null);
    expect(calls()).toEqual(['called one 10 5000']);
  });

  it('end with another command, with 32 calls, and with a long one', () => {
    const runner = (...words: string[]) =>
      engine.runner.run(
        engine.session,
        Slices.of(...words),
        new Reply(new Uint8Array(99), new GrowingEdge()),
      );
    for (let index = 0; index < 33; index++) runner('ONE', 'k');
    runner('TWO', 'k');
    runner('ONE', 'k', 'x'.repeat(20_000));
    expect(calls()).toEqual([
      'called one 32 0',
      'called one 1 0',
      'called two 1 0',
      'called one 1 0',
    ]);
  });

  it('do not hold commands of several keys, or on sessions', () => {
    engine.run('MANY', 'a', 'b');
    engine.run('FREE');
    expect(calls()).toEqual(['called many 1 0', 'called free 1 0']);
  });

  it('that were slow are told to the slow log, with the words of the last command', () => {
    engine.runner.slowerThanUs = 0;
    engine.run('ONE', 'k');
    engine.run('EVERY');
    expect(counted.filter((line) => line.startsWith('slow'))).toEqual([
      'slow one ONE 1 0',
      'slow every EVERY 1 0',
    ]);
  });
});

describe('CLIENT REPLY', () => {
  it('drops what a command wrote, refusals too', () => {
    const { session } = engine;
    session.replyMode = ReplyMode.Off;
    expect(engine.run('ONE', 'k') + engine.run('BOGUS') + engine.run('ONE')).toBe('');
    session.replyMode = ReplyMode.SkipNext;
    expect([engine.run('ONE', 'k'), engine.run('ONE', 'k'), engine.run('ONE', 'k')]).toEqual([
      '',
      '',
      '+OK\r\n',
    ]);
  });
});

describe('time', () => {
  it('is one for a whole command, and goes on between two', () => {
    engine.run('ONE', 'k');
    const before = engine.keyspace.nowMs;
    engine.clock.wallMs += 1500;
    engine.run('ONE', 'k');
    expect(engine.keyspace.nowMs).toBe(before + 1500);
    expect(engine.keyspace.recency).toBe(Math.floor((before + 1500) / 1000) & 0xffffff);
  });
});
