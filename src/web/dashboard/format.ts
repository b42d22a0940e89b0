// Numbers, sizes, times and bytes as people read them.

const UNITS = ['B', 'KB', 'MB', 'GB', 'TB'];

export function bytes(value: number): string {
  let unit = 0;
  let size = value;
  while (size >= 1024 && unit < UNITS.length - 1) {
    size /= 1024;
    unit++;
  }
  return `${unit === 0 || size >= 100 ? Math.round(size) : size.toFixed(1)} ${UNITS[unit]}`;
}

export function count(value: number): string {
  if (value >= 999_950) return `${(value / 1e6).toFixed(value < 1e7 ? 2 : 1)} M`;
  if (value >= 10_000) return `${(value / 1e3).toFixed(1)} k`;
  const isWhole = Number.isInteger(value) || value >= 10;
  return isWhole ? Math.round(value).toLocaleString('en') : value.toFixed(1);
}

export function micros(value: number): string {
  if (value === 0) return '0';
  if (value >= 1e6) return `${(value / 1e6).toFixed(2)} s`;
  if (value >= 1e3) return `${(value / 1e3).toFixed(value < 1e4 ? 2 : 1)} ms`;
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} µs`;
}

export function percent(share: number): string {
  return `${(share * 100).toFixed(share > 0.9995 || share < 0.0005 ? 0 : 1)} %`;
}

/** 75 is `1 min 15 s`: the two largest units that say something. */
export function seconds(value: number): string {
  const whole = Math.max(0, Math.floor(value));
  const parts: readonly (readonly [number, string])[] = [
    [Math.floor(whole / 86400), 'd'],
    [Math.floor(whole / 3600) % 24, 'h'],
    [Math.floor(whole / 60) % 60, 'min'],
    [whole % 60, 's'],
  ];
  const first = parts.findIndex(([amount]) => amount > 0);
  if (first === -1) return '0 s';
  const said = parts.slice(first, first + 2).filter(([amount]) => amount > 0);
  return said.map(([amount, unit]) => `${amount} ${unit}`).join(' ');
}

export function clockTime(ms: number): string {
  return new Date(ms).toLocaleTimeString('en-GB');
}

/** Text as it is; bytes that are no text with `\x` and two digits, as redis-cli shows them. */
export function printable(value: string | Uint8Array): string {
  if (typeof value === 'string') return value;
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(value);
  } catch {
    return Array.from(value, escapedByte).join('');
  }
}

function escapedByte(byte: number): string {
  const isPlain = byte >= 32 && byte < 127 && byte !== 92;
  return isPlain ? String.fromCharCode(byte) : `\\x${byte.toString(16).padStart(2, '0')}`;
}

const HEX_COLUMNS = 16;

/** Offset, bytes, and what of them is text, sixteen in a line. */
export function hexDump(value: Uint8Array): string {
  const lines: string[] = [];
  for (let at = 0; at < value.length; at += HEX_COLUMNS) {
    const row = value.subarray(at, at + HEX_COLUMNS);
    const hex = Array.from(row, (byte) => byte.toString(16).padStart(2, '0')).join(' ');
    const text = Array.from(row, (byte) =>
      byte >= 32 && byte < 127 ? String.fromCharCode(byte) : '·',
    );
    lines.push(`${at.toString(16).padStart(6, '0')}  ${hex.padEnd(47)}  ${text.join('')}`);
  }
  return lines.join('\n');
}
