// Positions on Earth as scores of a sorted set. Longitude and latitude are halved 26 times each;
// the bits, interleaved, are a number of 52 bits, and places that are near each other mostly have
// numbers that are near each other, too:
//
//   bit 51                               0
//      ┌────┬────┬────┬────┬── … ──┬────┬────┐
//      │ lo │ la │ lo │ la │       │ lo │ la │    lo: longitude, la: latitude, high bits first
//      └────┴────┴────┴────┴── … ──┴────┴────┘
//
// A cell is what the first 2 × step bits say: a rectangle, and a range of scores. A search covers
// its area with nine cells. All of it in Redis's order of operations, so that results agree in
// every bit.

import { arcSine, cosine, sine } from '../base/trigonometry.js';

export const LONGITUDE_MAX = 180;
export const LATITUDE_MAX = 85.05112878;
/** The halvings of a score. */
const STEPS = 26;
const EARTH_RADIUS_METERS = 6372797.560856;
/** Half of Earth's circumference in the Mercator projection. */
const MERCATOR_MAX_METERS = 20037726.37;
const RADIANS = Math.PI / 180;
const TWO_31 = 2 ** 31;
const TWO_32 = 2 ** 32;
const TWO_63 = 2 ** 63;

// ── Scores ───────────────────────────────────────────────────────────────────────────────────

/** Spreads 16 bits to the even bits of 32. */
function spread(bits: number): number {
  let x = bits;
  x = (x | (x << 8)) & 0x00ff00ff;
  x = (x | (x << 4)) & 0x0f0f0f0f;
  x = (x | (x << 2)) & 0x33333333;
  return (x | (x << 1)) & 0x55555555;
}

/** Gathers the even bits of 32: spread undone. */
function gather(bits: number): number {
  let x = bits & 0x55555555;
  x = (x | (x >>> 1)) & 0x33333333;
  x = (x | (x >>> 2)) & 0x0f0f0f0f;
  x = (x | (x >>> 4)) & 0x00ff00ff;
  return (x | (x >>> 8)) & 0xffff;
}

/** Which part of its range a coordinate lies in, of 2^step parts; the upper end is one beyond. */
function partOf(value: number, least: number, most: number, step: number): number {
  return Math.floor(((value - least) / (most - least)) * 2 ** step);
}

/** The number whose bits are those of longitude and latitude in turns. */
function interleaved(longitude: number, latitude: number, added: number): number {
  const lowWord = spread(latitude & 0xffff) | (spread(longitude & 0xffff) << 1);
  const highWord = spread(latitude >>> 16) | (spread(longitude >>> 16) << 1);
  // Of 54 bits at the very edge of the map: there the sum is rounded once, as Redis's is.
  return (highWord >>> 0) * TWO_32 + ((lowWord >>> 0) + added);
}

/** The score of a position. */
export function scoreOfPosition(longitude: number, latitude: number): number {
  return interleaved(
    partOf(longitude, -LONGITUDE_MAX, LONGITUDE_MAX, STEPS),
    partOf(latitude, -LATITUDE_MAX, LATITUDE_MAX, STEPS),
    0,
  );
}

/** A position: what readScore has found. */
export const position = { longitude: 0, latitude: 0 };

/** Words of a score as a C program gets them, whatever it is. */
const words = { low: 0, high: 0 };

function splitScore(score: number): void {
  const whole = Math.trunc(score);
  if (whole >= TWO_63 * 2) {
    words.low = 0;
    words.high = 0;
  } else if (whole >= -TWO_63) {
    words.low = whole | 0;
    words.high = Math.floor(whole / TWO_32) | 0;
  } else {
    words.low = 0;
    words.high = TWO_31 | 0;
  }
}

/** The middle of part `index` of a range: the mean of its ends. */
function middleOf(index: number, least: number, most: number): number {
  const parts = 2 ** STEPS;
  const range = most - least;
  const from = least + (index / parts) * range;
  const to = least + (((index + 1) >>> 0) / parts) * range;
  return Math.min(most, Math.max(least, (from + to) / 2));
}

/** Sets `position` to where a score points: the middle of the smallest cell. */
export function readScore(score: number): void {
  splitScore(score);
  const { low, high } = words;
  const latitude = (gather(low) | (gather(high) << 16)) >>> 0;
  const longitude = (gather(low >>> 1) | (gather(high >>> 1) << 16)) >>> 0;
  position.longitude = middleOf(longitude, -LONGITUDE_MAX, LONGITUDE_MAX);
  position.latitude = middleOf(latitude, -LATITUDE_MAX, LATITUDE_MAX);
}

const ALPHABET = '0123456789bcdefghjkmnpqrstuvwxyz';
const TEXT_LETTERS = 11;
const LETTER_BITS = 5;

/** The position that a score points to as a geohash of eleven letters, as others write them. */
export function geohashText(score: number): string {
  readScore(score);
  // Others halve latitudes from −90 to 90.
  const bits = interleaved(
    partOf(position.longitude, -LONGITUDE_MAX, LONGITUDE_MAX, STEPS),
    partOf(position.latitude, -90, 90, STEPS),
    0,
  );
  let text = '';
  for (let shift = 2 * STEPS - LETTER_BITS; shift > 0; shift -= LETTER_BITS) {
    text += ALPHABET[Math.floor(bits / 2 ** shift) & 0x1f];
  }
  // Ten letters take 50 of the 52 bits; the last one has always been 0.
  return text.padEnd(TEXT_LETTERS, '0');
}

// ── Distances ────────────────────────────────────────────────────────────────────────────────

/** Metres between two latitudes. */
function latitudeDistance(latitude1: number, latitude2: number): number {
  return EARTH_RADIUS_METERS * Math.abs(latitude2 * RADIANS - latitude1 * RADIANS);
}

/** Metres between two positions, on a sphere. */
export function distanceBetween(
  longitude1: number,
  latitude1: number,
  longitude2: number,
  latitude2: number,
): number {
  const v = sine((longitude2 * RADIANS - longitude1 * RADIANS) / 2);
  if (v === 0) return latitudeDistance(latitude1, latitude2);
  const radians1 = latitude1 * RADIANS;
  const radians2 = latitude2 * RADIANS;
  const u = sine((radians2 - radians1) / 2);
  const a = u * u + cosine(radians1) * cosine(radians2) * v * v;
  return 2 * EARTH_RADIUS_METERS * arcSine(Math.sqrt(a));
}

/** As distanceBetween, with an error of some billionths of a metre, in a third of the time. */
function roughDistance(
  longitude1: number,
  latitude1: number,
  longitude2: number,
  latitude2: number,
): number {
  const v = Math.sin(((longitude2 - longitude1) * RADIANS) / 2);
  const u = Math.sin(((latitude2 - latitude1) * RADIANS) / 2);
  const a = u * u + Math.cos(latitude1 * RADIANS) * Math.cos(latitude2 * RADIANS) * v * v;
  return 2 * EARTH_RADIUS_METERS * Math.asin(Math.sqrt(a));
}

// ── Areas ────────────────────────────────────────────────────────────────────────────────────

/** The area of a search: a circle or a rectangle around a position. */
export class Area {
  isCircle = true;
  longitude = 0;
  latitude = 0;
  /** Radius, width and height in the unit of the search; `unit` metres each. */
  radius = 0;
  width = 0;
  height = 0;
  unit = 1;
  /** Metres from the centre to the place that `holds` was asked about last and that lies inside. */
  distance = 0;

  /** Does `position` lie in the area? */
  holds(): boolean {
    const { longitude, latitude } = this;
    if (this.isCircle) {
      const radius = this.radius * this.unit;
      // Nearly all cells reach far beyond the circle: what lies well outside is cheap to see.
      const rough = roughDistance(longitude, latitude, position.longitude, position.latitude);
      if (rough > radius * ROUGHLY + 1) return false;
      this.distance = this.distanceOfPosition();
      return !(this.distance > radius);
    }
    const high = latitudeDistance(position.latitude, latitude);
    if (high > (this.height * this.unit) / 2) return false;
    const wide = distanceBetween(
      position.longitude,
      position.latitude,
      longitude,
      position.latitude,
    );
    if (wide > (this.width * this.unit) / 2) return false;
    this.distance = this.distanceOfPosition();
    return true;
  }

  private distanceOfPosition(): number {
    const { longitude, latitude } = position;
    return distanceBetween(this.longitude, this.latitude, longitude, latitude);
  }
}

/** More than what the rough distance may be wrong by. */
const ROUGHLY = 1 + 1e-9;

// ── Cells ────────────────────────────────────────────────────────────────────────────────────

/** A cell by the parts of longitude and latitude at its step; step 0 is no cell. */
class Cell {
  longitude = 0;
  latitude = 0;
  step = 0;

  /** The cell at this step that the position lies in. */
  place(longitude: number, latitude: number, step: number): void {
    this.longitude = partOf(longitude, -LONGITUDE_MAX, LONGITUDE_MAX, step);
    this.latitude = partOf(latitude, -LATITUDE_MAX, LATITUDE_MAX, step);
    this.step = step;
  }

  /** The cell so many cells east and north of another, around the edges of the map. */
  placeBeside(cell: Cell, east: number, north: number): void {
    const mask = 2 ** cell.step - 1;
    this.longitude = east === 0 ? cell.longitude : (cell.longitude + east) & mask;
    this.latitude = north === 0 ? cell.latitude : (cell.latitude + north) & mask;
    this.step = cell.step;
  }

  isSame(cell: Cell): boolean {
    const { longitude, latitude, step } = this;
    return longitude === cell.longitude && latitude === cell.latitude && step === cell.step;
  }

  get west(): number {
    return this.longitudeAt(this.longitude);
  }

  get east(): number {
    return this.longitudeAt(this.longitude + 1);
  }

  get south(): number {
    return this.latitudeAt(this.latitude);
  }

  get north(): number {
    return this.latitudeAt(this.latitude + 1);
  }

  private longitudeAt(part: number): number {
    return -LONGITUDE_MAX + (part / 2 ** this.step) * (LONGITUDE_MAX - -LONGITUDE_MAX);
  }

  private latitudeAt(part: number): number {
    return -LATITUDE_MAX + (part / 2 ** this.step) * (LATITUDE_MAX - -LATITUDE_MAX);
  }

  /** The lowest score in the cell, and the lowest one behind it. */
  get scoreMin(): number {
    return interleaved(this.longitude, this.latitude, 0) * 2 ** (2 * (STEPS - this.step));
  }

  get scoreEnd(): number {
    return interleaved(this.longitude, this.latitude, 1) * 2 ** (2 * (STEPS - this.step));
  }
}

/** Where the nine cells of a search lie: columns east and rows north of the one in the middle. */
const EAST = [0, 0, 0, 1, -1, 1, -1, 1, -1] as const;
const NORTH = [0, 1, -1, 0, 0, 1, 1, -1, -1] as const;
const CELLS = EAST.length;
const CENTER = 0;
const NORTHERN = 1;
const SOUTHERN = 2;
const EASTERN = 3;
const WESTERN = 4;

/** Half the sides of the rectangle around an area are these parts of it. */
const bounds = { west: 0, south: 0, east: 0, north: 0 };

/** Sets `bounds` to the degrees around an area. */
function surround(area: Area): void {
  const { longitude, latitude, unit } = area;
  const height = unit * (area.isCircle ? area.radius : area.height / 2);
  const width = unit * (area.isCircle ? area.radius : area.width / 2);
  const high = height / EARTH_RADIUS_METERS / RADIANS;
  // A degree of longitude is shorter near the poles: the longer side of the area counts.
  const nearer = latitude < 0 ? latitude - high : latitude + high;
  const wide = width / EARTH_RADIUS_METERS / cosine(nearer * RADIANS) / RADIANS;
  bounds.west = longitude - wide;
  bounds.east = longitude + wide;
  bounds.south = latitude - high;
  bounds.north = latitude + high;
}

/** The step at which nine cells are likely to cover an area of this radius. */
function stepFor(meters: number, latitude: number): number {
  if (meters === 0) return STEPS;
  let step = -1;
  for (let reach = meters; reach < MERCATOR_MAX_METERS; reach *= 2) step++;
  // Cells are narrow near the poles.
  const distance = Math.abs(latitude);
  if (distance > 66) step--;
  if (distance > 80) step--;
  return Math.min(STEPS, Math.max(1, step));
}

/** The cells that cover an area, one after the other as ranges of scores. */
export class Cover {
  scoreMin = 0;
  scoreEnd = 0;
  private readonly cells = Array.from({ length: CELLS }, () => new Cell());
  private next = 0;
  private last = CENTER;

  open(area: Area): void {
    surround(area);
    const { width, height, radius, unit, longitude, latitude } = area;
    const half = area.isCircle
      ? radius
      : Math.sqrt((width / 2) * (width / 2) + (height / 2) * (height / 2));
    let step = stepFor(half * unit, latitude);
    this.place(longitude, latitude, step);
    if (step > 1 && this.isTooNarrow()) {
      step--;
      this.place(longitude, latitude, step);
    }
    if (step >= 2) this.leaveOut();
    this.next = 0;
    this.last = CENTER;
  }

  private place(longitude: number, latitude: number, step: number): void {
    const { cells } = this;
    const center = cells[CENTER]!;
    center.place(longitude, latitude, step);
    for (let index = 1; index < CELLS; index++) {
      cells[index]!.placeBeside(center, EAST[index]!, NORTH[index]!);
    }
  }

  /** Does the area reach beyond the nine cells? Near an edge of a cell it may. */
  private isTooNarrow(): boolean {
    const { cells } = this;
    return (
      cells[NORTHERN]!.north < bounds.north ||
      cells[SOUTHERN]!.south > bounds.south ||
      cells[EASTERN]!.east < bounds.east ||
      cells[WESTERN]!.west > bounds.west
    );
  }

  /** Leaves out the sides that the area does not reach. */
  private leaveOut(): void {
    const { cells } = this;
    const { west, south, east, north } = cells[CENTER]!;
    for (let index = 1; index < CELLS; index++) {
      const isOut =
        (NORTH[index] === -1 && south < bounds.south) ||
        (NORTH[index] === 1 && north > bounds.north) ||
        (EAST[index] === -1 && west < bounds.west) ||
        (EAST[index] === 1 && east > bounds.east);
      if (isOut) cells[index]!.step = 0;
    }
  }

  /** Goes to the next cell: scores from scoreMin up to but not including scoreEnd. */
  advance(): boolean {
    const { cells } = this;
    while (this.next < CELLS) {
      const index = this.next++;
      const cell = cells[index]!;
      if (cell.step === 0) continue;
      // Where cells are large, those east and west of the middle may be one and the same.
      if (this.last !== CENTER && cell.isSame(cells[this.last]!)) continue;
      this.last = index;
      this.scoreMin = cell.scoreMin;
      this.scoreEnd = cell.scoreEnd;
      return true;
    }
    return false;
  }
}
