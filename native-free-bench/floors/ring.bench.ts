// The byte rings between threads, written and drained by one: what a message costs besides the
// journey of its cache lines.

import { RingReader, RingWriter, ringBytes } from '../../src/mesh/ring.js';
import type { FloorBench } from '../floor.js';

const CAPACITY = 64 * 1024;
const BATCH = 16;
const KIND = 1;

export const floorBench: FloorBench = {
  name: 'ring',
  about: 'messages pushed into a ring and drained in sixteens',
  prepare(isTiny) {
    const operations = isTiny ? BATCH : BATCH * 256;
    return [16, 100, 1000].map((bytes) => messageCase(bytes, operations));
  },
};

function messageCase(bytes: number, operations: number) {
  const memory = new SharedArrayBuffer(ringBytes(CAPACITY));
  const writer = new RingWriter(memory, 0, CAPACITY);
  const reader = new RingReader(memory, 0, CAPACITY);
  const message = new Uint8Array(bytes).fill(7);
  let sum = 0;
  const take = (kind: number, u8: Uint8Array, start: number, length: number) => {
    sum = (sum + kind + length + u8[start + length - 1]!) | 0;
  };
  const run = () => {
    sum = 0;
    for (let done = 0; done < operations; done += BATCH) {
      for (let index = 0; index < BATCH; index += 1) writer.tryPush(KIND, message, 0, bytes);
      reader.drain(take);
    }
    return sum;
  };
  return { name: `${bytes} bytes`, operations, run };
}
