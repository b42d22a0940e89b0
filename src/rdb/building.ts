// A value while it is read: blocks in a partition's slab that no key refers to yet. Each step
// reserves the memory that it needs, so a value that turns out to be broken, or too large for the
// partition, is freed again and nothing has changed.

import type { Partition } from '../keyspace/partition.js';
import { kindOf } from '../keyspace/values.js';
import { NONE, type Slab } from '../slab/slab.js';
import { Encoding, Type } from '../types/kind.js';
import { RdbText } from './strings.js';

export class Building {
  type: Type = Type.String;
  encoding: Encoding = Encoding.Embedded;
  /** Where the structure begins; NONE as long as there is none, and for strings. */
  root = NONE as number;
  /** A string, which is not in the slab yet: it is put there with its key. */
  readonly text = new RdbText();
  /** The other string of a pair. */
  readonly second = new RdbText();
  /** The hash of the key that will have the value. */
  keyHash = 0;
  private of: Partition | null = null;

  /** Nothing is there yet; the value will be one of `partition`. */
  begin(partition: Partition, keyHash: number): void {
    this.of = partition;
    this.keyHash = keyHash;
    this.type = Type.String;
    this.root = NONE;
  }

  get slab(): Slab {
    return this.of!.slab;
  }

  /** Refuses with -OOM unless so many bytes can be allocated. */
  reserve(bytes: number): void {
    this.of!.reserve(bytes);
  }

  /** The structure as it is now: called after every change that may move it. */
  hold(type: Type, encoding: Encoding, root: number): void {
    this.type = type;
    this.encoding = encoding;
    this.root = root;
  }

  /** Frees what was built. */
  drop(): void {
    if (this.root === NONE) return;
    kindOf(this.type).freeStep(this.slab, this.encoding, this.root, Number.MAX_SAFE_INTEGER);
    this.root = NONE;
  }

  /** The value is stored, or dropped: long texts are given back. */
  end(): void {
    this.text.release();
    this.second.release();
  }
}
