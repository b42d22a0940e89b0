// One partition without commands around it: keys are placed by hand. For model tests of the
// keyspace.

import { drawHashKey, hashBytes, setHashKey } from '../../src/base/hash.js';
import { Slices } from '../../src/base/slices.js';
import { Keyspace, Lookup } from '../../src/keyspace/keyspace.js';
import type { Partition } from '../../src/keyspace/partition.js';
import { allocate, type BlockRef, release } from '../../src/slab/alloc.js';
import { NONE } from '../../src/slab/slab.js';
import { freshSlab } from './slab.js';

const FILL_BYTES = [65_536, 8192, 512, 64, 16];

export class KeyModel {
  readonly keyspace: Keyspace;
  readonly partition: Partition;

  constructor(slabBytes: number, databases: number) {
    setHashKey(drawHashKey());
    const slab = freshSlab(slabBytes, databases);
    this.keyspace = new Keyspace([slab], databases, new Float64Array(Lookup.Words));
    this.partition = this.keyspace.partitions[0]!;
  }

  /** The words as a command's, each hashed as a key. */
  place(...words: string[]): Slices {
    const args = Slices.of(...words);
    for (let index = 0; index < args.count; index++) {
      args.hashes[index] = hashBytes(args.u8, args.startOf(index), args.lengthOf(index));
      args.partitions[index] = 0;
    }
    return args;
  }

  /** Takes all memory there is. */
  fill(): BlockRef[] {
    const { slab } = this.partition;
    const taken: BlockRef[] = [];
    for (const bytes of FILL_BYTES) {
      for (let ref = allocate(slab, bytes); ref !== NONE; ref = allocate(slab, bytes)) {
        taken.push(ref);
      }
    }
    return taken;
  }

  empty(taken: readonly BlockRef[]): void {
    for (const ref of taken) release(this.partition.slab, ref);
  }
}
