// Numbers as C's printf and strtod have them, where Redis's Lua libraries use those.

/** printf's "%.<precision>g". */
export function generalText(value: number, precision: number): string {
  if (Number.isNaN(value)) return 'nan';
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf';
  if (value === 0) return Object.is(value, -0) ? '-0' : '0';
  const digits = Math.max(precision, 1);
  const [mantissa, power] = roundedExponential(value, digits).split('e') as [string, string];
  const exponent = Number(power);
  const sign = value < 0 ? '-' : '';
  const all = mantissa.replace(/[-.]/g, '').replace(/0+$/, '');
  if (exponent < -4 || exponent >= digits) {
    const rest = all.length > 1 ? `.${all.slice(1)}` : '';
    const two = String(Math.abs(exponent)).padStart(2, '0');
    return `${sign}${all[0]}${rest}e${exponent < 0 ? '-' : '+'}${two}`;
  }
  if (exponent < 0) return `${sign}0.${'0'.repeat(-exponent - 1)}${all}`;
  const whole = all.slice(0, exponent + 1).padEnd(exponent + 1, '0');
  const fraction = all.slice(exponent + 1);
  return fraction === '' ? sign + whole : `${sign}${whole}.${fraction}`;
}

/** toExponential with as many digits, but a tie goes to the even digit as in C, not upwards. */
function roundedExponential(value: number, digits: number): string {
  const text = value.toExponential(digits - 1);
  // A tie is exact, so it shows one digit further already, as a 5.
  if (!value.toExponential(Math.min(digits, 100)).includes('5e')) return text;
  // 40 digits more: no double has a 5 there, and so many zeros behind it, without being a tie.
  const exact = value.toExponential(Math.min(digits + 40, 100));
  const [mantissa, power] = exact.split('e') as [string, string];
  const all = mantissa.replace(/[-.]/g, '');
  if (!/^50*$/.test(all.slice(digits))) return text;
  const isEven = Number(all[digits - 1]) % 2 === 0;
  if (!isEven) return text;
  const sign = value < 0 ? '-' : '';
  return `${sign}${all[0]}.${all.slice(1, digits)}e${power}`;
}

const HEXADECIMAL = String.raw`0x(?:[0-9a-f]+\.?[0-9a-f]*|\.[0-9a-f]+)(?:p[+-]?\d+)?`;
const DECIMAL = String.raw`(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?`;
const WORD = String.raw`inf(?:inity)?|nan(?:\(\w*\))?`;
const NUMBER = new RegExp(`[+-]?(?:${HEXADECIMAL}|${DECIMAL}|${WORD})`, 'iy');

/** What strtod reads last: the number, and how many characters of the text it is. */
export const read = { value: 0, length: 0 };

/** strtod: the longest number that text[at …] begins with; `read.length` is 0 if there is none. */
export function readNumber(text: string, at: number): number {
  NUMBER.lastIndex = at;
  const match = NUMBER.exec(text);
  if (match === null) {
    read.length = 0;
    return 0;
  }
  const found = match[0].toLowerCase();
  read.length = found.length;
  const isNegative = found.startsWith('-');
  const digits = found.replace(/^[+-]/, '');
  const value = magnitudeOf(digits);
  return isNegative ? -value : value;
}

function magnitudeOf(digits: string): number {
  if (digits.startsWith('inf')) return Number.POSITIVE_INFINITY;
  if (digits.startsWith('nan')) return Number.NaN;
  if (!digits.startsWith('0x')) return Number(digits);
  const [mantissa, power] = digits.slice(2).split('p') as [string, string | undefined];
  const [whole, fraction = ''] = mantissa.split('.') as [string, string | undefined];
  const bits = BigInt(`0x${whole}${fraction}`);
  return Number(bits) * 2 ** (Number(power ?? 0) - 4 * fraction.length);
}
