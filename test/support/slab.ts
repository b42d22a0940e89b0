// A slab of one's own, for models and benches of what lies in one.

import { formatSlab } from '../../src/slab/alloc.js';
import { Slab } from '../../src/slab/slab.js';

export function freshSlab(bytes: number, databases = 1): Slab {
  const slab = new Slab(0, new SharedArrayBuffer(bytes));
  formatSlab(slab, databases);
  return slab;
}

/** An int32 that spreads well over its bits. */
export function mix(value: number): number {
  let mixed = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}
