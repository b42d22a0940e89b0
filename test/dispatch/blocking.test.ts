// Who waits for a key, and who serves it: several threads with one keyspace, in steps of whole
// commands. What happens within a command is checked in test/sim/waiters.ts and test/live.

import { beforeEach, describe, expect, it } from 'vitest';
import { keySlot } from '../../src/base/crc.js';
import { genericCommands } from '../../src/commands/generic/index.js';
import { serverKeyspaceCommands } from '../../src/commands/server-keyspace.js';
import { stringCommands } from '../../src/commands/string/index.js';
import { queueCommands } from '../support/queue-commands.js';
import { randomTest } from '../support/random-test.js';
import { type Client, Threads } from '../support/threads.js';

const PARTITIONS = 8;
const SPECS = [...queueCommands, ...stringCommands, ...genericCommands, ...serverKeyspaceCommands];
const NIL = '*-1\r\n';

/** A key of partition `partition`; `variant` makes different ones. */
function keyIn(partition: number, variant = 0): string {
  for (let number = 0; ; number++) {
    const bytes = Buffer.from(`k${variant}:${number}`, 'latin1');
    if ((keySlot(bytes, 0, bytes.length) & (PARTITIONS - 1)) === partition) return bytes.toString();
  }
}

const taken = (key: string, element: string) =>
  `*2\r\n$${key.length}\r\n${key}\r\n$${element.length}\r\n${element}\r\n`;
const bulk = (text: string) => `$${text.length}\r\n${text}\r\n`;

describe('a command that waits', () => {
  let threads: Threads;
  let writer: Client;
  let first: Client;
  let second: Client;
  const [a, b, c] = [keyIn(1), keyIn(5), keyIn(6)];
  beforeEach(() => {
    threads = new Threads(SPECS, 3, PARTITIONS);
    first = threads.connect(0);
    second = threads.connect(1);
    writer = threads.connect(2);
    return () => {
      expect(threads.check()).toBe(0);
      expect(threads.recordBytes).toBe(0);
    };
  });

  it('is answered at once where there is something', () => {
    threads.run(writer, 'PUSH', a, 'x');
    expect(threads.run(first, 'TAKE', b, a, '0')).toBe(taken(a, 'x'));
    expect(first.isWaiting).toBe(false);
  });

  it('is served by the writer, which leaves nothing of it to others', () => {
    expect(threads.run(first, 'TAKE', a, '0')).toBe('');
    expect(first.isWaiting).toBe(true);
    expect(threads.check()).toBe(1);
    expect(threads.runOnly(writer, 'PUSH', a, 'x')).toBe(':1\r\n');
    expect(threads.run(second, 'SIZE', a)).toBe(':0\r\n');
    threads.handOver(writer.thread);
    expect(first.hear()).toBe(taken(a, 'x'));
    expect(threads.records).toEqual([`PUSH ${a} x`, `TAKE1 ${a}`]);
  });

  it('is served in the order of arrival, across threads', () => {
    const waiting = Array.from({ length: 9 }, (_, index) => threads.connect(index % 3));
    for (const client of waiting) threads.run(client, 'TAKE', a, '0');
    threads.run(writer, 'PUSH', a, 'e0', 'e1');
    for (let index = 2; index < 9; index++) threads.run(writer, 'PUSH', a, `e${index}`);
    expect(waiting.map((client) => client.hear())).toEqual(
      waiting.map((_, index) => taken(a, `e${index}`)),
    );
  });

  it('that waits for several keys is served once, whatever partitions they are in', () => {
    threads.run(first, 'TAKE', a, b, a, c, '0');
    expect(threads.check()).toBe(3);
    threads.runOnly(writer, 'PUSH', b, 'x');
    expect(threads.run(second, 'PUSH', a, 'y')).toBe(':1\r\n');
    threads.handOver(writer.thread);
    expect(first.hear()).toBe(taken(b, 'x'));
    expect(threads.run(writer, 'SIZE', a)).toBe(':1\r\n');
  });

  it('takes from its first key when one step fills several', () => {
    threads.run(first, 'TAKE', a, b, '0');
    threads.run(writer, 'PUSHES', b, 'x', a, 'y');
    expect(first.hear()).toBe(taken(a, 'y'));
    expect(threads.run(writer, 'SIZE', b)).toBe(':1\r\n');
  });

  it('moves to another partition in one step with the change that brought the element', () => {
    for (const [source, target] of [
      [a, b],
      [b, a],
      [a, keyIn(1, 7)],
    ] as const) {
      threads.run(first, 'SHIFT', source, target, '0');
      threads.runOnly(writer, 'PUSH', source, 'x');
      expect(threads.run(second, 'SIZE', source)).toBe(':0\r\n');
      expect(threads.run(second, 'TAKE', target, '0')).toBe(taken(target, 'x'));
      threads.handOver(writer.thread);
      expect(first.hear()).toBe(bulk('x'));
    }
    expect(threads.records.slice(0, 2)).toEqual([`PUSH ${a} x`, `SHIFT ${a} ${b}`]);
  });

  it('feeds the next of a chain, to its end', () => {
    threads.run(second, 'SHIFT', b, c, '0');
    threads.run(first, 'SHIFT', a, b, '0');
    const last = threads.connect(2);
    threads.run(last, 'TAKE', c, '0');
    threads.run(writer, 'PUSH', a, 'x');
    expect(first.hear()).toBe(bulk('x'));
    expect(second.hear()).toBe(bulk('x'));
    expect(last.hear()).toBe(taken(c, 'x'));
    expect(threads.run(writer, 'DBSIZE')).toBe(':0\r\n');
  });

  it('may move in a circle, and comes to an end', () => {
    threads.run(first, 'SHIFT', a, b, '0');
    threads.run(second, 'SHIFT', b, a, '0');
    threads.run(writer, 'PUSH', a, 'x');
    expect(first.hear()).toBe(bulk('x'));
    expect(second.hear()).toBe(bulk('x'));
    expect(threads.run(writer, 'SIZE', a)).toBe(':1\r\n');
    threads.run(first, 'SHIFT', b, b, '0');
    threads.run(writer, 'PUSH', b, 'y');
    expect(first.hear()).toBe(bulk('y'));
    expect(threads.run(writer, 'SIZE', b)).toBe(':1\r\n');
  });

  it('keeps its place when there is not enough for it yet', () => {
    threads.run(first, 'PEEK', a, b, '2', '0');
    threads.run(second, 'TAKE', a, '0');
    threads.run(writer, 'PUSH', a, 'x');
    expect(second.hear()).toBe(taken(a, 'x'));
    expect(first.isWaiting).toBe(true);
    threads.run(second, 'TAKE', a, '0');
    threads.run(writer, 'PUSH', a, 'x', 'y');
    expect(first.hear()).toBe(bulk(`${a}=2`));
    expect(second.hear()).toBe(taken(a, 'x'));
  });

  it('is woken by every way in which a key comes to be', () => {
    const ways: readonly (readonly (readonly string[])[])[] = [
      [
        ['PUSH', c, 'x'],
        ['RENAME', c, a],
      ],
      [
        ['PUSH', c, 'x'],
        ['COPY', c, a],
      ],
      [['SET', a, 'x,']],
      [
        ['PUSH', c, 'x'],
        ['COPY', c, a, 'DB', '1'],
        ['SWAPDB', '0', '1'],
      ],
    ];
    for (const way of ways) {
      threads.run(writer, 'FLUSHALL');
      threads.run(first, 'TAKE', a, '0');
      for (const command of way) {
        expect(first.isWaiting, command.join(' ')).toBe(true);
        threads.run(writer, ...command);
      }
      expect(first.hear(), way.join(' ')).toBe(taken(a, 'x'));
    }
  });

  it('waits in its own database, also for a key that is moved there', () => {
    first.session.database = 1;
    threads.run(first, 'SHIFT', a, b, '0');
    threads.run(writer, 'PUSH', a, 'x');
    expect(first.isWaiting).toBe(true);
    threads.run(writer, 'MOVE', a, '1');
    expect(first.hear()).toBe(bulk('x'));
    expect(threads.run(first, 'SIZE', b)).toBe(':1\r\n');
    expect(threads.run(writer, 'DBSIZE')).toBe(':0\r\n');
  });

  it('stands through FLUSHALL and FLUSHDB', () => {
    threads.run(writer, 'PUSH', b, 'old');
    threads.run(first, 'TAKE', a, '0');
    threads.run(writer, 'FLUSHALL');
    threads.run(writer, 'FLUSHDB');
    expect(threads.check()).toBe(1);
    threads.run(writer, 'PUSH', a, 'x');
    expect(first.hear()).toBe(taken(a, 'x'));
  });

  it('is not woken by a key of another kind, and by its end only if it says so', () => {
    threads.run(writer, 'PUSH', a, 'x');
    threads.run(first, 'ATTEND', a, '2', '0');
    expect(first.isWaiting).toBe(true);
    threads.run(second, 'PEEK', a, '2', '0');
    threads.run(writer, 'DEL', a);
    expect(first.hear()).toBe('-GONE the key is no more\r\n');
    expect(second.isWaiting).toBe(true);
    expect(threads.timeOut(second)).toBe(true);
    expect(second.hear()).toBe(NIL);
  });

  it.each(['FLUSHALL', 'SWAPDB 0 1', 'RENAME'])(
    'that wants its key to stay is told by %s',
    (how) => {
      threads.run(writer, 'PUSH', a, 'x');
      threads.run(first, 'ATTEND', a, '2', '0');
      threads.run(writer, ...(how === 'RENAME' ? ['RENAME', a, b] : how.split(' ')));
      expect(first.hear()).toBe('-GONE the key is no more\r\n');
    },
  );

  it('that wants its key to stay is told when it expires', () => {
    threads.run(writer, 'PUSH', a, 'x');
    threads.run(writer, 'PEXPIRE', a, '50');
    threads.run(first, 'ATTEND', a, '2', '0');
    threads.clock.wallMs += 60;
    expect(threads.run(writer, 'EXISTS', a)).toBe(':0\r\n');
    expect(first.hear()).toBe('-GONE the key is no more\r\n');
  });

  it('loses nothing when its session goes', () => {
    threads.run(first, 'TAKE', a, b, '0');
    threads.close(first);
    expect(threads.check()).toBe(0);
    expect(threads.run(writer, 'PUSH', a, 'x')).toBe(':1\r\n');
    expect(threads.run(second, 'SIZE', a)).toBe(':1\r\n');
  });

  it('is not ended by the clock once a writer has served it', () => {
    threads.run(first, 'TAKE', a, '10');
    threads.runOnly(writer, 'PUSH', a, 'x');
    expect(threads.timeOut(first)).toBe(false);
    threads.handOver(writer.thread);
    expect(first.hear()).toBe(taken(a, 'x'));
  });

  it('frees its record when its session goes before the reply comes', () => {
    threads.run(first, 'TAKE', a, b, '0');
    threads.runOnly(writer, 'PUSH', a, 'x');
    threads.close(first);
    threads.handOver(writer.thread);
    expect(first.hear()).toBe('');
  });

  it('is refused like any other when it is run for the waiter', () => {
    threads.run(first, 'SHIFT', a, b, '0');
    threads.run(writer, 'SET', b, 'x,');
    threads.run(second, 'TAKE', a, '0');
    threads.run(writer, 'PUSH', a, 'y', 'z');
    expect(first.hear()).toBe(bulk('y'));
    expect(second.hear()).toBe(taken(a, 'z'));
    expect(threads.run(writer, 'SIZE', b)).toBe(':2\r\n');
  });

  it('answers at once where waiting is not allowed', () => {
    first.session.isDenyBlocking = true;
    expect(threads.run(first, 'TAKE', a, '0')).toBe(NIL);
    expect(threads.run(first, 'SHIFT', a, b, '0')).toBe('$-1\r\n');
    first.session.protocol = 3;
    expect(threads.run(first, 'TAKE', a, '0')).toBe('_\r\n');
  });

  it('is answered in the protocol of its session', () => {
    first.session.protocol = 3;
    threads.run(first, 'TAKE', a, '5');
    threads.timeOut(first);
    expect(first.hear()).toBe('_\r\n');
  });

  it('is counted as called once, when it is answered', () => {
    threads.run(first, 'TAKE', a, '0');
    threads.run(writer, 'SIZE', b);
    expect(threads.calls.filter((name) => name === 'take')).toHaveLength(0);
    threads.run(writer, 'PUSH', a, 'x');
    threads.run(first, 'TAKE', a, '5');
    threads.timeOut(first);
    threads.run(writer, 'SIZE', b);
    expect(threads.calls.filter((name) => name === 'take')).toHaveLength(2);
  });

  it('refuses when there is no memory to wait in', () => {
    const long = 'k'.repeat(5 * 1024 * 1024);
    expect(threads.run(first, 'TAKE', long, '0')).toMatch(/^-OOM /);
    expect(first.isWaiting).toBe(false);
  });

  it('counts the keys that are waited for', () => {
    const { waiters } = threads.runners[1]!.blocking;
    threads.run(writer, 'PUSH', c, 'x');
    threads.run(first, 'TAKE', a, b, '0');
    threads.run(second, 'TAKE', a, '0');
    const attending = threads.connect(0);
    threads.run(attending, 'ATTEND', c, '2', '0');
    expect([waiters.keyCount(), waiters.keylessKeyCount()]).toEqual([3, 1]);
    for (const client of [first, second, attending]) threads.close(client);
    expect([waiters.keyCount(), waiters.keylessKeyCount()]).toEqual([0, 0]);
  });
});

describe('many who wait', () => {
  randomTest('get every element exactly once, in order per key', 40, (random) => {
    const threads = new Threads(queueCommands, 3, PARTITIONS);
    const keys = Array.from({ length: 5 }, (_, index) => keyIn(index % PARTITIONS, index));
    const clients = Array.from({ length: 12 }, (_, index) => threads.connect(index % 3));
    const writer = threads.connect(0);
    const waitingOrder = new Map<string, Client[]>(keys.map((key) => [key, []]));
    const contents = new Map<string, string[]>(keys.map((key) => [key, []]));
    let next = 0;
    for (let step = 0; step < 300; step++) {
      const client = random.pick(clients);
      const key = random.pick(keys);
      const queue = waitingOrder.get(key)!;
      const elements = contents.get(key)!;
      if (random.below(2) === 0 && !client.isWaiting) {
        const told = threads.run(client, 'TAKE', key, '0');
        const element = elements.shift();
        expect(told).toBe(element === undefined ? '' : taken(key, element));
        if (element === undefined) queue.push(client);
      } else if (random.below(4) === 0 && client.isWaiting) {
        threads.close(client);
        for (const each of waitingOrder.values()) {
          if (each.includes(client)) each.splice(each.indexOf(client), 1);
        }
      } else {
        const pushed = Array.from({ length: 1 + random.below(3) }, () => `e${next++}`);
        threads.run(writer, 'PUSH', key, ...pushed);
        elements.push(...pushed);
        while (queue.length > 0 && elements.length > 0) {
          expect(queue.shift()!.hear()).toBe(taken(key, elements.shift()!));
        }
      }
      threads.check();
    }
    for (const client of clients) threads.close(client);
    expect(threads.check()).toBe(0);
    expect(threads.recordBytes).toBe(0);
  });
});
