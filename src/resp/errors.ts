// The lines of error replies that more than one place needs, and what carries them. A refusal is
// thrown by a reader or a door before the first change of a command and caught in dispatch/run.ts;
// the common ones are built once, so that refusing allocates nothing.

/** The user's error: the line of an error reply, without the leading '-' and without CRLF. */
export class Refusal {
  readonly line: string;
  readonly bytes: Uint8Array;

  constructor(line: string) {
    // A line break inside would end the reply early, as would binary bytes from an argument.
    this.line = line.replace(/[\r\n]/g, ' ');
    this.bytes = Buffer.from(`-${this.line}\r\n`, 'latin1');
  }

  /** The word that clients branch on: ERR, WRONGTYPE, OOM … */
  get code(): string {
    const space = this.line.indexOf(' ');
    return space === -1 ? this.line : this.line.slice(0, space);
  }
}

export const WRONG_TYPE = new Refusal(
  'WRONGTYPE Operation against a key holding the wrong kind of value',
);
export const SYNTAX = new Refusal('ERR syntax error');
export const NO_SUCH_KEY = new Refusal('ERR no such key');
export const NOT_INTEGER = new Refusal('ERR value is not an integer or out of range');
export const NOT_FLOAT = new Refusal('ERR value is not a valid float');
export const OUT_OF_RANGE = new Refusal('ERR value is out of range');
export const OUT_OF_RANGE_POSITIVE = new Refusal('ERR value is out of range, must be positive');
export const INDEX_OUT_OF_RANGE = new Refusal('ERR index out of range');
export const OVERFLOW = new Refusal('ERR increment or decrement would overflow');
export const NAN_OR_INFINITY = new Refusal('ERR increment would produce NaN or Infinity');
export const STRING_TOO_LONG = new Refusal(
  'ERR string exceeds maximum allowed size (proto-max-bulk-len)',
);
export const INVALID_CURSOR = new Refusal('ERR invalid cursor');
export const INVALID_DATABASE = new Refusal('ERR invalid DB index');
export const DATABASE_OUT_OF_RANGE = new Refusal('ERR DB index is out of range');
export const SAME_OBJECT = new Refusal('ERR source and destination objects are the same');
export const NO_AUTH = new Refusal('NOAUTH Authentication required.');
export const OUT_OF_MEMORY_TO_QUEUE = new Refusal(
  'OOM command not allowed: no memory to queue another command.',
);
export const OUT_OF_MEMORY = new Refusal("OOM command not allowed when used memory > 'maxmemory'.");
