// CLIENT LIST and CLIENT KILL by what connections are: each option alone, in the negative, and
// together.

import { describe, expect, it } from 'vitest';
import { connectionCommands } from '../../src/commands/connection.js';
import { ClientFlag } from '../../src/stats/clients.js';
import { type Door, openDoor } from '../stats/door.js';

const NOW = 1_700_000_000;

/** Three connections beside the one that asks: a subscriber, one in database 4, an idle one. */
function open(): {
  door: Door;
  list: (...words: string[]) => number[];
  kill: (...words: string[]) => string;
} {
  const door = openDoor(connectionCommands);
  const asker = door.open(1);
  const subscriber = door.open(2, '10.0.0.1:7000');
  const other = door.open(3, '10.0.0.1:7001');
  const idle = door.open(4, '[::1]:7000');
  const { clients } = door;
  clients.touch(subscriber.slot, NOW, -1, 0, ClientFlag.PubSub, 0, 0, 0);
  clients.touch(other.slot, NOW, -1, 4, ClientFlag.Multi | ClientFlag.NoEvict, 0, 0, 0);
  clients.touch(idle.slot, NOW - 500, -1, 0, 0, 0, 0, 0);
  clients.setName(other.slot, 'other');
  clients.setLibraryName(other.slot, 'lib');
  clients.setLibraryVersion(other.slot, '1.2');
  const list = (...words: string[]): number[] => {
    const reply = door.engine.runFor(asker, 'CLIENT', 'LIST', ...words);
    expect(reply).toMatch(/^\$/);
    return [...reply.matchAll(/^id=(\d+)/gm)].map(([, id]) => Number(id));
  };
  return { door, list, kill: (...words) => door.engine.runFor(asker, 'CLIENT', ...words) };
}

describe('options of CLIENT LIST', () => {
  it('choose by each property', () => {
    const { list } = open();
    const rows: [string, number[]][] = [
      ['TYPE pubsub', [2]],
      ['type NORMAL', [1, 3, 4]],
      ['NOT-TYPE pubsub', [1, 3, 4]],
      ['ADDR 10.0.0.1:7001', [3]],
      ['NOT-ADDR 10.0.0.1:7001', [1, 2, 4]],
      ['LADDR 127.0.0.1:6379', [1, 2, 3, 4]],
      ['IP 10.0.0.1', [2, 3]],
      ['IP [::1]', [4]],
      ['NAME other', [3]],
      ['NOT-NAME other', [1, 2, 4]],
      ['LIB-NAME lib LIB-VER 1.2', [3]],
      ['DB 4', [3]],
      ['NOT-DB 4', [1, 2, 4]],
      ['FLAGS x', [3]],
      ['FLAGS ex', [3]],
      ['NOT-FLAGS N', [2, 3]],
      ['IDLE 100', [4]],
      ['USER default', [1, 2, 3, 4]],
      ['NOT-USER default', []],
      ['ID 4 2', [4, 2]],
      ['ID 4 2 3 TYPE normal', [3, 4]],
      ['NOT-ID 1 4', [2, 3]],
      ['IP 10.0.0.1 NOT-ID 2 DB 4', [3]],
    ];
    for (const [words, ids] of rows) expect(list(...words.split(' ')), words).toEqual(ids);
  });

  it('are refused when they make no sense', () => {
    const { kill: client } = open();
    const rows: [string, string][] = [
      ['LIST NONSENSE 1', 'syntax error'],
      ['LIST TYPE', 'syntax error'],
      ['LIST TYPE normal ID', 'syntax error'],
      ['LIST SKIPME no', 'syntax error'],
      ['LIST NOT-MAXAGE 1', 'syntax error'],
      ['LIST ID x', 'Invalid client ID'],
      ['LIST ID 1 x', 'Invalid client ID'],
      ['LIST DB x', 'DB is not an integer or out of range'],
      ['LIST DB 16', 'DB number should be between 0 and 15'],
      ['LIST FLAGS x1', 'Unknown flags found in the provided filter: 1'],
      ['LIST IDLE 0', 'idle should be greater than 0'],
      ['KILL MAXAGE x', 'maxage is not an integer or out of range'],
      ['KILL MAXAGE 0', 'maxage should be greater than 0'],
      ['KILL ID 0', 'client-id should be greater than 0'],
      ['KILL ID 2 TYPE nonsense', "Unknown client type 'nonsense'"],
      ['KILL SKIPME maybe', 'syntax error'],
    ];
    for (const [words, text] of rows) {
      expect(client(...words.split(' ')), words).toBe(`-ERR ${text}\r\n`);
    }
  });
});

describe('CLIENT KILL', () => {
  it('closes who has all that is asked for, and counts them', () => {
    const { door, kill } = open();
    expect(kill('KILL', 'IP', '10.0.0.1', 'NOT-TYPE', 'pubsub')).toBe(':1\r\n');
    expect(door.asked.at(-1)).toMatch(/^closeClient \d+ 3$/);
    expect(kill('KILL', 'ID', '2', '4')).toBe(':2\r\n');
    expect(kill('KILL', 'USER', 'default', 'NOT-ID', '2', '3', '4')).toBe(':0\r\n');
    expect(kill('KILL', '10.0.0.9:1')).toBe('-ERR No such client\r\n');
  });

  it('knows how old a connection is', () => {
    const { door, kill } = open();
    expect(kill('KILL', 'MAXAGE', '10')).toBe(':0\r\n');
    door.engine.clock.wallMs += 10_000;
    door.engine.runner.readClock();
    expect(kill('KILL', 'MAXAGE', '10', 'SKIPME', 'yes')).toBe(':3\r\n');
  });
});
