import { describe, expect, it } from 'vitest';
import {
  CLIENT_NAME_BYTES_MAX,
  ClientDirectory,
  type ClientFacts,
  ClientFlag,
  NO_SLOT,
  Wish,
} from '../../src/stats/clients.js';

const SLOTS = 4;

function directories(threads: number): ClientDirectory[] {
  const buffer = new SharedArrayBuffer(ClientDirectory.bytesFor(threads, SLOTS));
  return Array.from(
    { length: threads },
    (_, thread) => new ClientDirectory(buffer, threads, SLOTS, thread),
  );
}

function facts(id: number): ClientFacts {
  return {
    id,
    address: `127.0.0.1:${id}`,
    localAddress: '127.0.0.1:6379',
    fd: id + 10,
    createdMs: 1_700_000_000_123,
  };
}

describe('the client directory', () => {
  it('shows every thread the connections of all threads, in the order of their ids', () => {
    const [first, second] = directories(2) as [ClientDirectory, ClientDirectory];
    first.open(facts(3));
    second.open(facts(2));
    first.open(facts(1));

    expect(first.views().map(({ id }) => id)).toEqual([1, 2, 3]);
    expect(second.views()).toEqual(first.views());
    expect(first.count()).toBe(3);
    expect(second.count(0)).toBe(2);
  });

  it('starts a connection with the state of a fresh one, whatever stood in the slot', () => {
    const [own] = directories(1) as [ClientDirectory];
    const slot = own.open(facts(1));
    own.touch(slot, 99, 7, 5, ClientFlag.Blocked, 1000, 2000);
    own.setName(slot, 'old');
    own.setProtocol(slot, 3);
    own.close(slot);

    expect(own.open(facts(2))).toBe(slot);
    expect(own.view(slot)).toMatchObject({
      id: 2,
      name: '',
      user: 'default',
      flags: 0,
      database: 0,
      protocol: 2,
      commandId: -1,
      queuedCommands: -1,
      inputBytes: 0,
      outputBytes: 0,
      lastSeconds: 1_700_000_000,
      address: '127.0.0.1:2',
      fd: 12,
    });
  });

  it('tells what a turn has changed', () => {
    const [own, other] = directories(2) as [ClientDirectory, ClientDirectory];
    const slot = own.open(facts(1));
    own.touch(slot, 1_700_000_050, 12, 3, ClientFlag.NoTouch, 5_000_000_000, 77);
    own.setName(slot, 'n'.repeat(CLIENT_NAME_BYTES_MAX));
    own.setLibraryName(slot, 'lib');
    own.setLibraryVersion(slot, '1.0');

    expect(other.view(slot)).toMatchObject({
      lastSeconds: 1_700_000_050,
      commandId: 12,
      database: 3,
      flags: ClientFlag.NoTouch,
      inputBytes: 5_000_000_000,
      outputBytes: 77,
      name: 'n'.repeat(CLIENT_NAME_BYTES_MAX),
      libraryName: 'lib',
      libraryVersion: '1.0',
    });
  });

  it('has no slot when all are taken, and one again after a close', () => {
    const [own] = directories(1) as [ClientDirectory];
    const slots = Array.from({ length: SLOTS }, (_, id) => own.open(facts(id + 1)));
    expect(own.open(facts(9))).toBe(NO_SLOT);
    expect(own.open(facts(9))).toBe(NO_SLOT);

    own.close(slots[2]!);

    expect(own.open(facts(9))).toBe(slots[2]);
    expect(own.open(facts(10))).toBe(NO_SLOT);
  });

  it('refuses to write the slots of another thread', () => {
    const [own, other] = directories(2) as [ClientDirectory, ClientDirectory];
    const slot = own.open(facts(1));
    expect(() => other.setName(slot, 'x')).toThrow('its own slots');
    expect(() => other.close(slot)).toThrow('its own slots');
  });

  it('draws ids that no two threads share', () => {
    const all = directories(3);
    const ids = Array.from({ length: 30 }, (_, index) => all[index % 3]!.drawId());
    expect(new Set(ids).size).toBe(30);
    expect(Math.min(...ids)).toBe(1);
  });
});

describe('a wish', () => {
  it('reaches the owner of the connection once', () => {
    const [own, other] = directories(2) as [ClientDirectory, ClientDirectory];
    const slot = own.open(facts(5));
    expect(own.hasWishes).toBe(false);
    expect(other.wish(slot, 5, Wish.UnblockError)).toBe(true);
    expect(own.hasWishes).toBe(true);
    expect(other.hasWishes).toBe(false);

    const granted: unknown[] = [];
    own.takeWishes((...wish) => granted.push(wish));
    own.takeWishes((...wish) => granted.push(wish));

    expect(granted).toEqual([[slot, 5, Wish.UnblockError]]);
    expect(own.hasWishes).toBe(false);
  });

  it('does not meet the next connection in the slot, however late it is left', () => {
    const [own, other] = directories(2) as [ClientDirectory, ClientDirectory];
    const slot = own.open(facts(5));
    const words = new Int32Array(own.buffer);
    const before = words.slice();
    other.wish(slot, 5, Wish.Close);
    const late = [...words.keys()].filter((word) => words[word] !== before[word]);
    const left = late.map((word) => words[word]!);
    own.close(slot);
    own.open(facts(6));
    // The wisher looked before the slot changed hands and writes only now.
    late.forEach((word, index) => {
      words[word] = left[index]!;
    });

    const granted: unknown[] = [];
    own.takeWishes((...wish) => granted.push(wish));

    expect(late).toHaveLength(2);
    expect(granted).toEqual([]);
    expect(other.wish(slot, 5, Wish.Close)).toBe(false);
  });

  it('to close hides the connection from everybody, before and after its owner has seen it', () => {
    const [own, other] = directories(2) as [ClientDirectory, ClientDirectory];
    const slot = own.open(facts(5));
    other.wish(slot, 5, Wish.Close);
    expect(other.find(5)).toBeNull();
    own.takeWishes(() => {});
    expect(other.find(5)).toBeNull();
    expect(other.views()).toEqual([]);

    own.close(slot);
    own.open(facts(6));

    expect(other.views().map((view) => view.id)).toEqual([6]);
  });

  it('to close is had first by one thread, and left again by others', () => {
    const [own, other] = directories(2) as [ClientDirectory, ClientDirectory];
    const slot = own.open(facts(5));
    other.wish(slot, 5, Wish.UnblockTimeout);

    expect(other.claimClosing(slot, 5)).toBe(true);
    expect(own.claimClosing(slot, 5)).toBe(false);
    expect(other.wish(slot, 5, Wish.Close)).toBe(true);
    own.close(slot);
    expect(other.claimClosing(slot, 5)).toBe(false);
  });

  it('to close is not replaced by one to wake', () => {
    const [own, other] = directories(2) as [ClientDirectory, ClientDirectory];
    const slot = own.open(facts(5));
    other.wish(slot, 5, Wish.UnblockTimeout);
    other.wish(slot, 5, Wish.Close);
    other.wish(slot, 5, Wish.UnblockTimeout);

    const granted: unknown[] = [];
    own.takeWishes((...wish) => granted.push(wish));

    expect(granted).toEqual([[slot, 5, Wish.Close]]);
  });
});
