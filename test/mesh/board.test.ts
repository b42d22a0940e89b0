import { afterEach, describe, expect, it } from 'vitest';
import { isLibcAvailable } from '../../src/base/libc.js';
import { Board, createBoard, NO_SLOT, type Part, type PartOrder } from '../../src/mesh/board.js';
import { closeDoorbells, type SleepKind } from '../../src/mesh/doorbell.js';
import { createMesh, type MeshShape } from '../../src/mesh/post.js';
import { seedOf } from '../support/seed.js';
import { runJobs } from './workers.js';

const seed = seedOf('BOARD_SEED');
const repeat = `repeat with: BOARD_SEED=${seed} npx vitest run test/mesh/board`;

function orderOf(board: Board, argument: number): PartOrder {
  const argAt = board.allocate(4);
  const resultAt = board.allocate(8);
  board.scratch.i32[argAt >> 2] = argument;
  return {
    kind: 5,
    first: 3,
    maskLow: -1,
    maskHigh: 1,
    argAt,
    argBytes: 4,
    resultAt,
    resultBytesMax: 8,
  };
}

/** Doubles the argument into the result. */
function double(part: Part): number {
  part.scratch.i32[part.resultAt >> 2] = part.scratch.i32[part.argAt >> 2]! * 2;
  return 4;
}

describe('the part board', () => {
  it('lets an owner run a part in the memory of its coordinator', () => {
    const shape = createBoard({ threadCount: 3 });
    const woken: number[] = [];
    const coordinator = new Board(shape, 0, (owner) => woken.push(owner));
    const owner = new Board(shape, 2, () => {});
    const order = orderOf(coordinator, 21);
    expect(owner.hasOffers()).toBe(false);
    const slot = coordinator.post(2, order);
    expect(woken).toEqual([2]);
    expect(owner.hasOffers()).toBe(true);
    const seen: Part[] = [];
    const served = owner.serve((part) => {
      seen.push({ ...part });
      return double(part);
    }, 10);
    expect(served).toBe(1);
    expect(seen[0]).toMatchObject({ ...order, coordinator: 0 });
    expect(owner.hasOffers()).toBe(false);
    expect(coordinator.claimOwn(slot)).toBe(false);
    coordinator.awaitAll(() => expect.fail('the part was run already'));
    expect(coordinator.resultBytesOf(slot)).toBe(4);
    expect(coordinator.scratch.i32[order.resultAt >> 2]).toBe(42);
    coordinator.endRound();
    expect(coordinator.allocate(1)).toBe(0);
  });

  it('lets the coordinator run what the owner has not claimed', () => {
    const shape = createBoard({ threadCount: 2 });
    const coordinator = new Board(shape, 0, () => {});
    const owner = new Board(shape, 1, () => {});
    const orders = [1, 2, 3].map((argument) => orderOf(coordinator, argument));
    for (const order of orders) coordinator.post(1, order);
    expect(owner.serve(double, 1)).toBe(1);
    let ownCount = 0;
    coordinator.awaitAll((part) => {
      ownCount++;
      return double(part);
    });
    expect(ownCount).toBe(2);
    expect(owner.serve(double, 10)).toBe(0);
    const results = orders.map(({ resultAt }) => coordinator.scratch.i32[resultAt >> 2]);
    expect(results).toEqual([2, 4, 6]);
    coordinator.endRound();
  });

  it('tells the coordinator when no slot is free, and frees slots with the round', () => {
    const shape = createBoard({ threadCount: 2, slotsPerOwner: 2 });
    const boards = [0, 1].map((self) => new Board(shape, self, () => {}));
    const [first, second] = boards as [Board, Board];
    expect(first.post(1, orderOf(first, 1))).not.toBe(NO_SLOT);
    expect(second.post(1, orderOf(second, 2))).not.toBe(NO_SLOT);
    expect(first.post(1, orderOf(first, 3))).toBe(NO_SLOT);
    expect(first.post(0, orderOf(first, 4))).not.toBe(NO_SLOT);
    first.awaitAll(double);
    first.endRound();
    expect(first.post(1, orderOf(first, 5))).not.toBe(NO_SLOT);
    expect(second.post(1, orderOf(second, 6))).toBe(NO_SLOT);
    for (const board of boards) {
      board.awaitAll(double);
      board.endRound();
      expect(board.hasOffers()).toBe(false);
    }
  });

  it('refuses parts within parts, results that are too long, and places outside its memory', () => {
    const shape = createBoard({ threadCount: 2, scratchBytes: 256 });
    const board = new Board(shape, 0, () => {});
    const owner = new Board(shape, 1, () => {});
    board.post(1, orderOf(board, 1));
    board.post(1, orderOf(board, 2));
    expect(board.allocate(1)).toBe(-1);
    expect(() => board.post(1, { ...orderOf(board, 1), argAt: 255, argBytes: 2 })).toThrow();
    const nested = owner.serve((part) => owner.serve(double, 1) + double(part), 1);
    expect(nested).toBe(1);
    expect(() => owner.serve(() => 9, 1)).toThrow('fits the place');
  });
});

describe('the part board between threads', () => {
  const meshes: MeshShape[] = [];
  afterEach(() => {
    for (const mesh of meshes.splice(0)) closeDoorbells(mesh.bells);
  });

  const native: SleepKind = isLibcAvailable() ? 'epoll' : 'blocking';
  for (const sleeps of [
    [native, native],
    ['blocking', 'blocking', native, 'loop'],
  ] as const) {
    it(`runs every part exactly once with ${sleeps.length} threads`, async () => {
      const [rounds, partsPerRound] = [1500, 6];
      const mesh = createMesh({ sleeps });
      meshes.push(mesh);
      const board = createBoard({ threadCount: sleeps.length, slotsPerOwner: 4 });
      const partCount = rounds * partsPerRound * sleeps.length;
      const counters = new SharedArrayBuffer(partCount * 4);
      const finished = new SharedArrayBuffer(4);
      const jobs = sleeps.map((_, thread) => ({
        job: 'board' as const,
        mesh,
        board,
        thread,
        rounds,
        partsPerRound,
        counters,
        finished,
        seed,
      }));
      const results = await runJobs(jobs);
      const all = `${repeat}; ${JSON.stringify(results)}`;
      for (const [wrong, , , late] of results) expect([wrong, late], all).toEqual([0, 0]);
      expect(
        new Int32Array(counters).every((count) => count === 1),
        all,
      ).toBe(true);
      const served = results.reduce((sum, [, one]) => sum + one!, 0);
      expect(served, all).toBeGreaterThan(0);
    });
  }
});
