// Sine, cosine and arc sine to the last bit, or nearly always so: glibc's are too, and distances
// that Redis computes with them are stored and compared. JavaScript's own are off by a bit in one
// case of ten.
//
// Values are carried as sums of two doubles, high + low, which hold 106 bits; see T. J. Dekker, "A
// floating-point technique for extending the available precision", 1971. About 0.1 µs a call.

/** The parts of the last result. */
let high = 0;
let low = 0;

/** 2^27 + 1 splits a double into halves whose products are exact. */
const SPLITTER = 134217729;

/** What rounding has taken from the product of two doubles. */
function productError(a: number, b: number, product: number): number {
  const scaledA = SPLITTER * a;
  const aHigh = scaledA - (scaledA - a);
  const aLow = a - aHigh;
  const scaledB = SPLITTER * b;
  const bHigh = scaledB - (scaledB - b);
  const bLow = b - bHigh;
  return aHigh * bHigh - product + aHigh * bLow + aLow * bHigh + aLow * bLow;
}

/** Leaves (a + aLow) × (b + bLow). */
function multiply(a: number, aLow: number, b: number, bLow: number): void {
  const product = a * b;
  const error = productError(a, b, product) + (a * bLow + aLow * b);
  high = product + error;
  low = product - high + error;
}

/** Leaves (a + aLow) + (b + bLow), where a is not smaller than b. */
function add(a: number, aLow: number, b: number, bLow: number): void {
  const sum = a + b;
  const error = a - sum + b + (aLow + bLow);
  high = sum + error;
  low = sum - high + error;
}

/** 1 / n! and what is missing in it. */
function inverseFactorial(n: number): readonly [number, number] {
  let factorial = 1;
  for (let factor = 2; factor <= n; factor++) factorial *= factor;
  const inverse = 1 / factorial;
  const product = inverse * factorial;
  return [inverse, (1 - product - productError(inverse, factorial, product)) / factorial];
}

const INVERSES = Array.from({ length: 23 }, (_, n) => inverseFactorial(n));
/** Of the last terms single doubles are enough. */
const TERMS = INVERSES.map(([inverse]) => inverse);
const [OF_2, OF_2_LOW] = INVERSES[2]!;
const [OF_3, OF_3_LOW] = INVERSES[3]!;
const [OF_4, OF_4_LOW] = INVERSES[4]!;
const [OF_5, OF_5_LOW] = INVERSES[5]!;
const [OF_6, OF_6_LOW] = INVERSES[6]!;
const [OF_7, OF_7_LOW] = INVERSES[7]!;
const [OF_8, OF_8_LOW] = INVERSES[8]!;

/** The terms from 1/n! on, of alternating signs, at the square of the argument. */
function lastTerms(n: number, square: number): number {
  let sum = 0;
  for (let term = n + 12; term >= n; term -= 2) sum = TERMS[term]! - sum * square;
  return sum;
}

/** Leaves the sine of r + rLow, at most π/4 and a little: its series. */
function sineOfSmall(r: number, rLow: number): void {
  multiply(r, rLow, r, rLow);
  const square = high;
  const squareLow = low;
  add(-OF_7, -OF_7_LOW, square * lastTerms(9, square), 0);
  multiply(high, low, square, squareLow);
  add(OF_5, OF_5_LOW, high, low);
  multiply(high, low, square, squareLow);
  add(-OF_3, -OF_3_LOW, high, low);
  multiply(high, low, square, squareLow);
  multiply(high, low, r, rLow);
  add(r, rLow, high, low);
}

/** Leaves the cosine of r + rLow. */
function cosineOfSmall(r: number, rLow: number): void {
  multiply(r, rLow, r, rLow);
  const square = high;
  const squareLow = low;
  add(OF_8, OF_8_LOW, -square * lastTerms(10, square), 0);
  multiply(high, low, square, squareLow);
  add(-OF_6, -OF_6_LOW, high, low);
  multiply(high, low, square, squareLow);
  add(OF_4, OF_4_LOW, high, low);
  multiply(high, low, square, squareLow);
  add(-OF_2, -OF_2_LOW, high, low);
  multiply(high, low, square, squareLow);
  add(1, 0, high, low);
}

/** π/2 in three parts. */
const QUARTER = Math.PI / 2;
const QUARTER_MIDDLE = 6.123233995736766e-17;
const QUARTER_LOW = -1.4973849048591833e-33;
/** Up to here the number of quarters is at most 2, and its products with the parts are exact. */
const ANGLE_MAX = 3.15;

/** Leaves the sine of x, or with one more quarter turn its cosine. */
function sineAfter(x: number, quarters: number): void {
  const turned = Math.round(x / QUARTER);
  const rest = x - turned * QUARTER;
  const middle = -turned * QUARTER_MIDDLE;
  const r = rest + middle;
  const rLow = rest - r + middle - turned * QUARTER_LOW;
  const quadrant = (turned + quarters) & 3;
  if ((quadrant & 1) === 0) sineOfSmall(r, rLow);
  else cosineOfSmall(r, rLow);
  if (quadrant < 2) return;
  high = -high;
  low = -low;
}

export function sine(x: number): number {
  if (!(Math.abs(x) <= ANGLE_MAX)) return Math.sin(x);
  sineAfter(x, 0);
  return high;
}

export function cosine(x: number): number {
  if (!(Math.abs(x) <= ANGLE_MAX)) return Math.cos(x);
  sineAfter(x, 1);
  return high;
}

/** Of x from 0 to 1: one step of Newton's method from JavaScript's result. */
export function arcSine(x: number): number {
  const near = Math.asin(x);
  if (!(x > 0 && x < 1)) return near;
  const slope = Math.cos(near);
  sineAfter(near, 0);
  return near + (x - high - low) / slope;
}
