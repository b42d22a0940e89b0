// Lists. They are written as nodes, each of them a listpack (QUICKLIST_2), and read from everything
// that Redis ever wrote: elements, one ziplist, nodes of ziplists, nodes of listpacks.

import type { BlockRef } from '../slab/alloc.js';
import { NONE, type Slab } from '../slab/slab.js';
import {
  adoptNode,
  type ChainRef,
  chainNode,
  chainNodes,
  createChain,
  listpackBytes,
  nodeBytesMax,
  nodeElementsMax,
} from '../structs/chain.js';
import {
  createPacked,
  Packed,
  packedCount,
  packedReserve,
  releasePacked,
} from '../structs/packed.js';
import { Encoding, Type } from '../types/kind.js';
import { List } from '../types/list.js';
import { thresholds } from '../types/thresholds.js';
import type { Building } from './building.js';
import type { Elements } from './elements.js';
import { readLength, writeLength } from './length.js';
import {
  LISTPACK_END_BYTES,
  LISTPACK_HEAD_BYTES,
  Listpack,
  textElementBytes,
  writePacked,
} from './listpack.js';
import { builder, buildNode, builtRoom } from './listpack-build.js';
import { Container, RdbType } from './rdb-type.js';
import type { ByteSink } from './sink.js';
import { BAD_DATA, type ByteSource, EMPTY_VALUE } from './source.js';
import { Ziplist } from './ziplist.js';

// ── Writing ──────────────────────────────────────────────────────────────────────────────────

/** Elements from here on have a node to themselves, as they are: a listpack must be shorter. */
const PLAIN_BYTES_MIN = 2 ** 30;
const single = new Packed();

export function writeList(
  sink: ByteSink,
  slab: Slab,
  encoding: Encoding,
  root: number,
  compresses: boolean,
): void {
  if (encoding === Encoding.Packed) {
    writeLength(sink, 1);
    writeNode(sink, slab, root as BlockRef, compresses);
    return;
  }
  const chain = root as ChainRef;
  const nodes = chainNodes(slab, chain);
  writeLength(sink, nodes);
  for (let index = 0; index < nodes; index++) {
    writeNode(sink, slab, chainNode(slab, chain, index), compresses);
  }
}

/** Writes one node: the unit in which a long list can be written. */
export function writeNode(sink: ByteSink, slab: Slab, node: BlockRef, compresses: boolean): void {
  single.open(slab, node).first();
  if (!single.isInteger && single.length >= PLAIN_BYTES_MIN) {
    writeLength(sink, Container.Plain);
    writeLength(sink, single.length);
    sink.bytes(slab.u8, single.at, single.length);
    return;
  }
  writeLength(sink, Container.Packed);
  writePacked(sink, slab, node, compresses);
}

// ── Reading ──────────────────────────────────────────────────────────────────────────────────

const list = new List();
const listpack = new Listpack();
const ziplist = new Ziplist();

export function readList(source: ByteSource, type: RdbType, building: Building): void {
  building.reserve(0);
  const { slab } = building;
  if (type === RdbType.ListQuicklist2 || type === RdbType.ListQuicklist) {
    list.open(slab, Encoding.Packed, createPacked(slab, 0), 0);
    hold(building);
    readNodes(source, type === RdbType.ListQuicklist2, building);
  } else {
    list.open(slab, Encoding.Chain, createChain(slab, thresholds.listMaxListpackSize), 0);
    hold(building);
    if (type === RdbType.List) readElements(source, building);
    else readZiplist(source, building);
  }
  if (list.length === 0) throw EMPTY_VALUE;
}

function hold(building: Building): void {
  building.hold(Type.List, list.encoding, list.root);
}

function push(building: Building, u8: Uint8Array, start: number, length: number): void {
  building.reserve(list.reserveBytes(length, 1));
  list.push(false, u8, start, length);
  if (list.root !== building.root) hold(building);
}

function pushAll(building: Building, elements: Elements): void {
  while (elements.next()) push(building, elements.u8, elements.start, elements.length);
}

/** One string after the other. */
function readElements(source: ByteSource, building: Building): void {
  const { text } = building;
  for (let left = readLength(source); left > 0; left--) {
    text.read(source);
    push(building, text.u8, text.start, text.length);
  }
  if (list.length === 0) return;
  list.settle();
  hold(building);
}

/** One ziplist, which Redis makes a quicklist of, however short. */
function readZiplist(source: ByteSource, building: Building): void {
  const { text } = building;
  text.read(source);
  ziplist.open(text.u8, text.start, text.length).count();
  pushAll(building, ziplist.open(text.u8, text.start, text.length));
}

/** Nodes. The list is a chain unless there is only one, and a small one, as in Redis. */
function readNodes(source: ByteSource, hasContainers: boolean, building: Building): void {
  const { text } = building;
  const elements: Elements = hasContainers ? listpack : ziplist;
  for (let left = readLength(source); left > 0; left--) {
    const container = hasContainers ? readLength(source) : Container.Packed;
    text.read(source);
    if (text.length === 0) throw BAD_DATA;
    if (container === Container.Plain) {
      becomeChain(building);
      push(building, text.u8, text.start, text.length);
      continue;
    }
    if (container !== Container.Packed) throw BAD_DATA;
    if (hasContainers && takeNode(building)) continue;
    const count = elements.open(text.u8, text.start, text.length).count();
    if (count === 0) continue;
    elements.open(text.u8, text.start, text.length);
    const bytes = hasContainers ? text.length : measure(elements);
    if (list.length > 0 || !isSmall(bytes, count)) becomeChain(building);
    pushAll(building, elements.open(text.u8, text.start, text.length));
  }
}

/** Takes a node as it is, if this list may have such a node. */
function takeNode(building: Building): boolean {
  const { slab, text } = building;
  const room = packedReserve(slab, NONE, builtRoom(text.length), 0);
  building.reserve(room + list.reserveBytes(text.length, 1));
  const node = buildNode(building);
  const { count } = builder;
  const bytes = builder.listpackBytes + LISTPACK_HEAD_BYTES + LISTPACK_END_BYTES;
  if (list.length === 0 && list.encoding === Encoding.Packed && isSmall(bytes, count)) {
    releasePacked(slab, list.root as BlockRef);
    list.open(slab, Encoding.Packed, node, bytes);
    hold(building);
    return true;
  }
  const limit = thresholds.listMaxListpackSize;
  const isWhole = bytes <= nodeBytesMax(limit) && count <= nodeElementsMax(limit);
  if (count === 0 || !isWhole) {
    releasePacked(slab, node);
    return count === 0;
  }
  becomeChain(building);
  adoptNode(slab, list.root as ChainRef, node, bytes);
  return true;
}

/** May so many elements in a listpack of so many bytes be a list without a chain? */
function isSmall(bytes: number, count: number): boolean {
  const limit = thresholds.listMaxListpackSize;
  if (count > nodeElementsMax(limit)) return false;
  return limit >= 0 || bytes <= nodeBytesMax(limit);
}

/** Bytes of the listpack that would hold the same. */
function measure(elements: Elements): number {
  let bytes = LISTPACK_HEAD_BYTES + LISTPACK_END_BYTES;
  while (elements.next()) bytes += textElementBytes(elements.u8, elements.start, elements.length);
  return bytes;
}

/** From now on the list is a chain of nodes. */
function becomeChain(building: Building): void {
  if (list.encoding === Encoding.Chain) return;
  building.reserve(0);
  const { slab } = building;
  const node = list.root as BlockRef;
  const chain = createChain(slab, thresholds.listMaxListpackSize);
  if (packedCount(slab, node) === 0) releasePacked(slab, node);
  else adoptNode(slab, chain, node, listpackBytes(slab, node));
  list.open(slab, Encoding.Chain, chain, 0);
  hold(building);
}
