// What the keyspace does with structured values: it knows them by their kind only (types/kind.ts).

import { fail } from '../base/assert.js';
import type { Slab } from '../slab/slab.js';
import { arrayKind } from '../types/array/kind.js';
import { hashKind } from '../types/hash/kind.js';
import { Encoding, Type, type ValueKind } from '../types/kind.js';
import { listKind } from '../types/list.js';
import { setKind } from '../types/set/kind.js';
import { sortedSetKind } from '../types/sorted-set/index.js';
import { streamKind } from '../types/stream/kind.js';
import { type EntryRef, encodingOf, insideOf, payloadLow, typeOf } from './entry.js';
import { blobWalkAt } from './string-first.js';

/** By type; null where values are strings. */
const kinds: readonly (ValueKind | null)[] = kindsByType([
  [Type.List, listKind],
  [Type.SortedSet, sortedSetKind],
  [Type.Set, setKind],
  [Type.Hash, hashKind],
  [Type.Stream, streamKind],
  [Type.Array, arrayKind],
]);

function kindsByType(pairs: readonly (readonly [Type, ValueKind])[]): (ValueKind | null)[] {
  const byType = new Array<ValueKind | null>(Type.Any + 1).fill(null);
  for (const [type, kind] of pairs) byType[type] = kind;
  return byType;
}

/** The kind of a structured value. */
export function kindOf(type: Type): ValueKind {
  return kinds[type] ?? fail('a structured value is of a kind that is known');
}

/** Is the value a structure, on a root that rootOf tells? */
export function isStructured(slab: Slab, entry: EntryRef): boolean {
  return encodingOf(slab, entry) > Encoding.Blob;
}

/** Where the structure of an entry begins. */
export function rootOf(slab: Slab, entry: EntryRef): number {
  if (encodingOf(slab, entry) === Encoding.Inside) return insideOf(slab, entry);
  return payloadLow(slab, entry);
}

/** Elements of the structure of an entry. */
export function lengthOf(slab: Slab, entry: EntryRef): number {
  return kindOf(typeOf(slab, entry)).length(slab, encodingOf(slab, entry), rootOf(slab, entry));
}

/** Word index of the walk word of an entry's value, see structs/walked.ts; 0 for none. */
export function walkWordOf(slab: Slab, entry: EntryRef): number {
  if (encodingOf(slab, entry) === Encoding.Blob) return blobWalkAt(payloadLow(slab, entry));
  const kind = kindOf(typeOf(slab, entry));
  return kind.walkAt?.(encodingOf(slab, entry), rootOf(slab, entry)) ?? 0;
}

/** About the bytes that the structure of an entry with a walk word holds, found quickly. */
export function roughBytesOf(slab: Slab, entry: EntryRef): number {
  const kind = kindOf(typeOf(slab, entry));
  return kind.roughBytes?.(slab, encodingOf(slab, entry), rootOf(slab, entry)) ?? 0;
}

/** Redis's name of the structure's encoding. */
export function structureName(slab: Slab, entry: EntryRef): string {
  const kind = kindOf(typeOf(slab, entry));
  return kind.encodingName(slab, encodingOf(slab, entry), rootOf(slab, entry));
}

/** Bytes that the structure of an entry holds. */
export function structureBytes(slab: Slab, entry: EntryRef): number {
  return kindOf(typeOf(slab, entry)).heldBytes(slab, encodingOf(slab, entry), rootOf(slab, entry));
}

/** Asserts what must hold of the structure of an entry. */
export function checkStructure(slab: Slab, entry: EntryRef): void {
  kindOf(typeOf(slab, entry)).check(slab, encodingOf(slab, entry), rootOf(slab, entry));
}

/** Bytes that a copy of the structure of an entry may allocate. */
export function structureReserve(slab: Slab, entry: EntryRef): number {
  const kind = kindOf(typeOf(slab, entry));
  return kind.copyReserve(slab, encodingOf(slab, entry), rootOf(slab, entry));
}

/** Copies the structure of an entry into `target`; returns the copy's root. Memory was reserved. */
export function copyStructure(slab: Slab, entry: EntryRef, target: Slab): number {
  const kind = kindOf(typeOf(slab, entry));
  return kind.copy(slab, encodingOf(slab, entry), rootOf(slab, entry), target);
}

/** The structure of an entry hangs on a key of this hash now. */
export function rekeyStructure(slab: Slab, entry: EntryRef, keyHash: number): void {
  const kind = kindOf(typeOf(slab, entry));
  kind.rekey?.(slab, encodingOf(slab, entry), rootOf(slab, entry), keyHash);
}

/** The slab is reset: indexes in its header are empty. */
export function forgetStructures(slab: Slab): void {
  for (const kind of kinds) kind?.forget?.(slab);
}

/** Frees the structure of an entry at once, however large. */
export function freeStructure(slab: Slab, entry: EntryRef): void {
  const kind = kindOf(typeOf(slab, entry));
  const encoding = encodingOf(slab, entry);
  if (!kind.freeStep(slab, encoding, rootOf(slab, entry), Number.MAX_SAFE_INTEGER)) {
    fail('an unlimited step frees everything');
  }
}
