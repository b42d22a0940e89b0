// What the geo commands read and write alike: positions, distances and units.

import { formatLongDouble, longDoubleFrom } from '../../base/long-double.js';
import type { Slices } from '../../base/slices.js';
import { isWord, readDouble, word } from '../../dispatch/args.js';
import { Refusal } from '../../resp/errors.js';
import type { Reply } from '../../resp/write.js';
import { LATITUDE_MAX, LONGITUDE_MAX, position } from '../../types/geo.js';

const NO_UNIT = new Refusal('ERR unsupported unit provided. please use M, KM, FT, MI');
const NO_RADIUS = new Refusal('ERR need numeric radius');
const NO_WIDTH = new Refusal('ERR need numeric width');
const NO_HEIGHT = new Refusal('ERR need numeric height');
const NEGATIVE_RADIUS = new Refusal('ERR radius cannot be negative');
const NEGATIVE_SIDE = new Refusal('ERR height or width cannot be negative');

const UNITS: readonly (readonly [Uint8Array, number])[] = [
  [word('M'), 1],
  [word('KM'), 1000],
  [word('FT'), 0.3048],
  [word('MI'), 1609.34],
];

/** Metres of the unit that word `index` names. */
export function readUnit(args: Slices, index: number): number {
  for (let row = 0; row < UNITS.length; row++) {
    const unit = UNITS[row]!;
    if (isWord(args, index, unit[0])) return unit[1];
  }
  throw NO_UNIT;
}

export function readRadius(args: Slices, index: number): number {
  const radius = readDouble(args, index, NO_RADIUS);
  if (radius < 0) throw NEGATIVE_RADIUS;
  return radius;
}

export const sides = { width: 0, height: 0 };

/** Reads width and height from word `index` on, into `sides`. */
export function readSides(args: Slices, index: number): void {
  sides.width = readDouble(args, index, NO_WIDTH);
  sides.height = readDouble(args, index + 1, NO_HEIGHT);
  if (sides.width < 0 || sides.height < 0) throw NEGATIVE_SIDE;
}

/** Reads longitude and latitude from word `index` on, into types/geo's `position`. */
export function readPosition(args: Slices, index: number): void {
  const longitude = readDouble(args, index);
  const latitude = readDouble(args, index + 1);
  if (Math.abs(longitude) <= LONGITUDE_MAX && Math.abs(latitude) <= LATITUDE_MAX) {
    position.longitude = longitude;
    position.latitude = latitude;
    return;
  }
  const pair = `${decimals(longitude)},${decimals(latitude)}`;
  throw new Refusal(`ERR invalid longitude,latitude pair ${pair}`);
}

/** C's "%f". */
function decimals(value: number): string {
  if (!Number.isFinite(value)) return value < 0 ? '-inf' : 'inf';
  return Math.abs(value) < 1e21 ? value.toFixed(6) : `${BigInt(value)}.000000`;
}

/** A coordinate with all its digits, as Redis prints them by way of an 80-bit float. */
export function replyCoordinate(reply: Reply, value: number): void {
  reply.doubleOf(formatLongDouble(longDoubleFrom(value)!));
}

const FRACTION = 10_000;
/** What becomes of a distance that is no number, of places on opposite sides of Earth. */
const NO_DISTANCE = '-922337203685477.5808';

/** A distance with four decimals. */
export function replyDistance(reply: Reply, distance: number): void {
  const scaled = roundToEven(distance * FRACTION);
  if (!(scaled < 2 ** 63)) {
    reply.text(NO_DISTANCE);
    return;
  }
  const whole = Math.floor(scaled / FRACTION);
  const fraction = String(scaled - whole * FRACTION).padStart(4, '0');
  reply.text(`${whole < 1e21 ? whole : BigInt(whole)}.${fraction}`);
}

/** Halves go to the even neighbour, as with C's llrint. */
function roundToEven(value: number): number {
  const floor = Math.floor(value);
  const above = value - floor;
  if (above !== 0.5) return above < 0.5 ? floor : floor + 1;
  return floor % 2 === 0 ? floor : floor + 1;
}
