// What becomes of a CRC64 when bytes before those it has seen are changed: a file's first bytes
// name a version that is only known when the last key is written. A checksum that begins with 0 and
// is not inverted is linear: that of A xor B is that of A xor that of B. So the checksum of the
// difference, with as many zero bytes behind it as the rest of the file has, is what is missing.

const BITS = 64;
/** Jones's polynomial with its bits reversed. */
const POLYNOMIAL = 0x95ac9329ac4bc9b5n;
const BITS_PER_BYTE = 8;

/** By bit of a checksum, what it becomes. */
type Matrix = readonly bigint[];

function apply(matrix: Matrix, value: bigint): bigint {
  let sum = 0n;
  for (let bit = 0, rest = value; rest !== 0n; bit++, rest >>= 1n) {
    if ((rest & 1n) !== 0n) sum ^= matrix[bit]!;
  }
  return sum;
}

function square(matrix: Matrix): Matrix {
  return matrix.map((row) => apply(matrix, row));
}

/** The CRC64 (low, high) with `zeros` zero bytes behind what it has seen. */
export function crc64WithZeros(
  low: number,
  high: number,
  zeros: number,
): { readonly low: number; readonly high: number } {
  let value = (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
  let matrix: Matrix = Array.from({ length: BITS }, (_, bit) =>
    bit === 0 ? POLYNOMIAL : 1n << BigInt(bit - 1),
  );
  for (let doublings = BITS_PER_BYTE; doublings > 1; doublings /= 2) matrix = square(matrix);
  for (let left = zeros; left > 0; left = Math.floor(left / 2)) {
    if (left % 2 === 1) value = apply(matrix, value);
    if (left > 1) matrix = square(matrix);
  }
  return { low: Number(value & 0xffffffffn), high: Number(value >> 32n) };
}
