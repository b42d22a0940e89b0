// A value of any type as RDB bytes: its type's number, which files put before the key, and its
// body. The widest form is what every Redis since 7.0 reads, wherever the value allows it.

import { assert, fail } from '../base/assert.js';
import {
  Encoding,
  type EntryRef,
  encodingOf,
  payloadHigh,
  payloadLow,
  Type,
  typeOf,
} from '../keyspace/entry.js';
import { readString, StringBytes } from '../keyspace/strings.js';
import { rootOf } from '../keyspace/values.js';
import type { Slab } from '../slab/slab.js';
import { isPairs } from '../types/hash/small.js';
import { writeArray } from './array.js';
import { hashTypeFor, measured, measureHash, writeHash } from './hash.js';
import { writeList } from './list.js';
import { RdbType } from './rdb-type.js';
import { setTypeFor, writeSet } from './set.js';
import type { ByteSink } from './sink.js';
import { sortedSetTypeFor, writeSortedSet } from './sorted-set.js';
import { streamTypeFor, writeStream } from './stream-write.js';
import { writeIntegerText, writeText } from './strings.js';

export interface Form {
  /** Long strings are compressed. */
  readonly compresses: boolean;
  /**
   * Nothing is lost, even where Redis 7.0 could not read it then: the times at which consumers of
   * streams last got something, if they differ from those at which they last tried. The times of
   * fields are never lost.
   */
  readonly isExact: boolean;
  /** Fields of hashes that expire at it or before are left out; -1 for none. */
  readonly nowMs: number;
  /** Fields of hashes lose their times, for servers that know of none. */
  readonly dropsFieldTimes?: boolean;
  /** Nothing is told of the producers of streams, for servers that know of none. */
  readonly dropsProducers?: boolean;
}

/** What the body of the entry's value will look like. The value must not change before it. */
export function rdbTypeOf(slab: Slab, entry: EntryRef, form: Form): RdbType {
  const encoding = encodingOf(slab, entry);
  switch (typeOf(slab, entry)) {
    case Type.String:
      return RdbType.String;
    case Type.List:
      return RdbType.ListQuicklist2;
    case Type.Set:
      return setTypeFor(encoding);
    case Type.SortedSet:
      return sortedSetTypeFor(encoding);
    case Type.Hash:
      return hashTypeFor(slab, encoding, rootOf(slab, entry), form);
    case Type.Stream:
      return streamTypeFor(slab, rootOf(slab, entry), form);
    case Type.Array:
      return RdbType.Array;
    default:
      return fail('a value is of a type that has a form');
  }
}

/** Is anything left of the value? Of a hash all fields may have expired. */
export function isWritable(slab: Slab, entry: EntryRef, form: Form): boolean {
  const encoding = encodingOf(slab, entry);
  if (typeOf(slab, entry) !== Type.Hash || isPairs(encoding)) return true;
  measureHash(slab, encoding, rootOf(slab, entry), form.nowMs);
  return measured.count !== 0;
}

const string = new StringBytes();

/** Writes the body of the entry's value. */
export function writeValue(sink: ByteSink, slab: Slab, entry: EntryRef, form: Form): void {
  const { compresses } = form;
  const encoding = encodingOf(slab, entry);
  const type = typeOf(slab, entry);
  if (type === Type.String) {
    writeString(sink, slab, entry, encoding, compresses);
    return;
  }
  const root = rootOf(slab, entry);
  if (type === Type.List) writeList(sink, slab, encoding, root, compresses);
  else if (type === Type.Set) writeSet(sink, slab, encoding, root, compresses);
  else if (type === Type.SortedSet) writeSortedSet(sink, slab, encoding, root, compresses);
  else if (type === Type.Hash) writeHash(sink, slab, encoding, root, form);
  else if (type === Type.Array) writeArray(sink, slab, root, compresses);
  else {
    assert(type === Type.Stream, 'a value is of a type that has a form');
    writeStream(sink, slab, root, rdbTypeOf(slab, entry, form), compresses);
  }
}

function writeString(
  sink: ByteSink,
  slab: Slab,
  entry: EntryRef,
  encoding: Encoding,
  compresses: boolean,
): void {
  if (encoding === Encoding.Integer) {
    writeIntegerText(sink, payloadLow(slab, entry), payloadHigh(slab, entry));
    return;
  }
  readString(slab, entry, string);
  writeText(sink, string.u8, string.start, string.length, compresses);
}
