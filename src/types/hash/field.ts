// A field of a large hash: one block with the field, its value and, when it expires, its place in
// the hash's heap of expiries (structs/heap.ts), where the time stands.
//
//    word 0                                    word 1      words         bytes
//   ┌──────────┬──────┬───────────┬───────────┬───────────┬─────────────┬───────┬───────┐
//   │ volatile │ long │ field     │ value     │ place in  │ field bytes │ field │ value │
//   │ 1        │ 1    │ bytes 12  │ bytes 18  │ the heap  │ value bytes │       │       │
//   └──────────┴──────┴───────────┴───────────┴───────────┴─────────────┴───────┴───────┘
//                                              volatile    long
//
// A field of 10 bytes with a value of 10 takes 24 bytes, and some ten in the table.

import { assert } from '../../base/assert.js';
import { copyBytes, equalBytes } from '../../base/bytes.js';
import { hashBytes } from '../../base/hash.js';
import { allocate, type BlockRef, capacityOf, release } from '../../slab/alloc.js';
import { NONE, type Ref, type Slab } from '../../slab/slab.js';

export type FieldRef = Ref<'hash field'>;

const enum Field {
  Head = 0,
  Optional = 1,
}
const enum Sizes {
  Field = 0,
  Value = 1,
  Words = 2,
}

const VOLATILE = 1;
const LONG = 2;
const FIELD_SHIFT = 2;
const FIELD_MASK = 0xfff;
const VALUE_SHIFT = 14;
const VALUE_MASK = 0x3ffff;

function headOf(slab: Slab, field: FieldRef): number {
  return slab.i32[(field << 1) + Field.Head]!;
}

export function isVolatileField(slab: Slab, field: FieldRef): boolean {
  return (headOf(slab, field) & VOLATILE) !== 0;
}

export function fieldBytesOf(slab: Slab, field: FieldRef): number {
  const head = headOf(slab, field);
  if ((head & LONG) === 0) return (head >>> FIELD_SHIFT) & FIELD_MASK;
  return slab.i32[sizesAt(field, head) + Sizes.Field]!;
}

export function valueBytesOf(slab: Slab, field: FieldRef): number {
  const head = headOf(slab, field);
  if ((head & LONG) === 0) return head >>> VALUE_SHIFT;
  return slab.i32[sizesAt(field, head) + Sizes.Value]!;
}

function sizesAt(field: FieldRef, head: number): number {
  const at = (field << 1) + Field.Optional;
  return (head & VOLATILE) !== 0 ? at + 1 : at;
}

/** Byte offset of the field's name. */
export function fieldStartOf(slab: Slab, field: FieldRef): number {
  const head = headOf(slab, field);
  const at = sizesAt(field, head);
  return ((head & LONG) !== 0 ? at + Sizes.Words : at) << 2;
}

/** Byte offset of the value. */
export function valueStartOf(slab: Slab, field: FieldRef): number {
  return fieldStartOf(slab, field) + fieldBytesOf(slab, field);
}

function isLong(fieldBytes: number, valueBytes: number): boolean {
  return fieldBytes > FIELD_MASK || valueBytes > VALUE_MASK;
}

/** Bytes of the block of such a field. */
export function fieldBlockBytes(
  fieldBytes: number,
  valueBytes: number,
  isVolatile: boolean,
): number {
  let bytes = Field.Optional * 4 + fieldBytes + valueBytes;
  if (isVolatile) bytes += 4;
  return isLong(fieldBytes, valueBytes) ? bytes + Sizes.Words * 4 : bytes;
}

/** A field whose name and value are not written yet, in no heap. Memory was reserved. */
export function createField(
  slab: Slab,
  fieldBytes: number,
  valueBytes: number,
  isVolatile: boolean,
): FieldRef {
  const block = allocate(slab, fieldBlockBytes(fieldBytes, valueBytes, isVolatile));
  assert(block !== NONE, 'memory for a field was reserved');
  const field = block as number as FieldRef;
  writeHead(slab, field, fieldBytes, valueBytes, isVolatile);
  if (isVolatile) slab.i32[(field << 1) + Field.Optional] = 0;
  return field;
}

function writeHead(
  slab: Slab,
  field: FieldRef,
  fieldBytes: number,
  valueBytes: number,
  isVolatile: boolean,
): void {
  const { i32 } = slab;
  const bit = isVolatile ? VOLATILE : 0;
  if (!isLong(fieldBytes, valueBytes)) {
    const sizes = (fieldBytes << FIELD_SHIFT) | (valueBytes << VALUE_SHIFT);
    i32[(field << 1) + Field.Head] = sizes | bit;
    return;
  }
  i32[(field << 1) + Field.Head] = LONG | bit;
  const at = sizesAt(field, LONG | bit);
  i32[at + Sizes.Field] = fieldBytes;
  i32[at + Sizes.Value] = valueBytes;
}

/**
 * Gives the field room for a value of another length, in its own block; the value's bytes are
 * undefined then. False, with nothing changed, when that needs another block.
 */
export function resizeValue(slab: Slab, field: FieldRef, valueBytes: number): boolean {
  const head = headOf(slab, field);
  const fieldBytes = fieldBytesOf(slab, field);
  if ((head & LONG) === 0 && head >>> VALUE_SHIFT === valueBytes) return true;
  if (isLong(fieldBytes, valueBytes) !== ((head & LONG) !== 0)) return false;
  const isVolatile = (head & VOLATILE) !== 0;
  const bytes = fieldBlockBytes(fieldBytes, valueBytes, isVolatile);
  const room = capacityOf(slab, field as number as BlockRef);
  if (bytes > room || bytes * 2 < room) return false;
  writeHead(slab, field, fieldBytes, valueBytes, isVolatile);
  return true;
}

/** SameKey of the table: has the field this name? */
export function isFieldNamed(
  slab: Slab,
  ref: number,
  u8: Uint8Array,
  start: number,
  length: number,
): boolean {
  const field = ref as FieldRef;
  if (fieldBytesOf(slab, field) !== length) return false;
  return equalBytes(slab.u8, fieldStartOf(slab, field), u8, start, length);
}

/** HashOf of the table. */
export function hashOfField(slab: Slab, ref: number): number {
  const field = ref as FieldRef;
  return hashBytes(slab.u8, fieldStartOf(slab, field), fieldBytesOf(slab, field));
}

/** Copies the name of a field into another one whose name is as long. */
export function copyName(source: Slab, from: FieldRef, target: Slab, to: FieldRef): void {
  const start = fieldStartOf(target, to);
  copyBytes(source.u8, fieldStartOf(source, from), target.u8, start, fieldBytesOf(source, from));
}

/** Copies the value of a field into another one whose value is as long. */
export function copyValue(source: Slab, from: FieldRef, target: Slab, to: FieldRef): void {
  const start = valueStartOf(target, to);
  copyBytes(source.u8, valueStartOf(source, from), target.u8, start, valueBytesOf(source, from));
}

export function releaseField(slab: Slab, field: FieldRef): void {
  release(slab, field as number as BlockRef);
}

export function fieldRoom(slab: Slab, field: FieldRef): number {
  return capacityOf(slab, field as number as BlockRef);
}

/** Asserts what must hold for any field. */
export function checkField(slab: Slab, field: FieldRef): void {
  const fieldBytes = fieldBytesOf(slab, field);
  const valueBytes = valueBytesOf(slab, field);
  const bytes = fieldBlockBytes(fieldBytes, valueBytes, isVolatileField(slab, field));
  assert(fieldBytes >= 0 && valueBytes >= 0, 'lengths are not negative');
  assert(bytes <= fieldRoom(slab, field), 'a field fits its block');
}
