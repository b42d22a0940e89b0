// Patterns of keys and channels that a user may touch. They are compared with the bytes of a
// command in place; the commonest form, a fixed beginning and a star, without the matcher.

import { matchesGlob } from '../base/glob.js';

/** What a pattern of keys permits: bits. */
export const enum Right {
  Read = 1,
  Write = 2,
  All = 3,
}

const STAR = 0x2a;
const NO_PREFIX = -1;
/** With one of these a pattern is more than its letters. */
const SPECIAL = /[*?[\\]/;

export class Pattern {
  /** Byte text (latin1). */
  readonly text: string;
  /** Right bits; of channels all. */
  rights: number;
  private readonly bytes: Uint8Array;
  /** Bytes before the only star, which ends the pattern; NO_PREFIX where it has another form. */
  private readonly prefixBytes: number;

  constructor(text: string, rights: number) {
    this.text = text;
    this.rights = rights;
    this.bytes = new Uint8Array(Buffer.from(text, 'latin1'));
    const last = this.bytes.length - 1;
    const isPrefix = last >= 0 && this.bytes[last] === STAR && !SPECIAL.test(text.slice(0, -1));
    this.prefixBytes = isPrefix ? last : NO_PREFIX;
  }

  /** Does it match u8[start, start + length)? */
  matches(u8: Uint8Array, start: number, length: number): boolean {
    const { bytes, prefixBytes } = this;
    if (prefixBytes === NO_PREFIX) {
      return matchesGlob(bytes, 0, bytes.length, u8, start, length, false);
    }
    // As for the matcher, not even a star matches the empty text.
    if (length < prefixBytes || length === 0) return false;
    for (let index = 0; index < prefixBytes; index++) {
      if (u8[start + index] !== bytes[index]) return false;
    }
    return true;
  }

  /** Is it letter by letter u8[start, start + length)? */
  equals(u8: Uint8Array, start: number, length: number): boolean {
    const { bytes } = this;
    if (bytes.length !== length) return false;
    for (let index = 0; index < length; index++) {
      if (u8[start + index] !== bytes[index]) return false;
    }
    return true;
  }

  /** As a rule for keys. */
  get keyRule(): string {
    if (this.rights === Right.All) return `~${this.text}`;
    return this.rights === Right.Read ? `%R~${this.text}` : `%W~${this.text}`;
  }
}
