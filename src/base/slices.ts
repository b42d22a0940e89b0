// Words of a command as offsets into one byte buffer: no strings and no copies. The hot path passes
// (slices, index) instead of byte arrays; types/ and keyspace/ read keys and values through it.

const WORDS_AT_START = 64;

export class Slices {
  /** The bytes that all words lie in. Borrowed: valid until the command ends. */
  u8: Uint8Array;
  /** First byte of each word. */
  starts: Int32Array;
  /** Length in bytes of each word. */
  lengths: Int32Array;
  /** How many words there are. */
  count: number;
  /**
   * The whole command as it came, a RESP array, in u8[rawStart, rawEnd); rawEnd is 0 when it did
   * not come as one (inline, scripts).
   */
  rawStart = 0;
  rawEnd = 0;
  /** Hash of each word that dispatch/route.ts has placed as a key; undefined for other words. */
  hashes: Int32Array;
  /** Partition of each word that has been placed as a key. */
  partitions: Int32Array;

  constructor(u8: Uint8Array = new Uint8Array(0)) {
    this.u8 = u8;
    this.starts = new Int32Array(WORDS_AT_START);
    this.lengths = new Int32Array(WORDS_AT_START);
    this.count = 0;
    this.hashes = new Int32Array(WORDS_AT_START);
    this.partitions = new Int32Array(WORDS_AT_START);
  }

  /** Makes room for `count` words; keeps starts and lengths, forgets hashes and partitions. */
  ensure(count: number): void {
    if (count <= this.starts.length) return;
    const capacity = 2 ** Math.ceil(Math.log2(count));
    const starts = new Int32Array(capacity);
    const lengths = new Int32Array(capacity);
    starts.set(this.starts);
    lengths.set(this.lengths);
    this.starts = starts;
    this.lengths = lengths;
    this.hashes = new Int32Array(capacity);
    this.partitions = new Int32Array(capacity);
  }

  /** Appends the word u8[start, start + length). */
  push(start: number, length: number): void {
    const at = this.count;
    if (at === this.starts.length) this.ensure(at + 1);
    this.starts[at] = start;
    this.lengths[at] = length;
    this.count = at + 1;
  }

  startOf(index: number): number {
    return this.starts[index]!;
  }

  lengthOf(index: number): number {
    return this.lengths[index]!;
  }

  /** The word as latin1 text, for messages and cold paths only. */
  text(index: number): string {
    const start = this.starts[index]!;
    const bytes = Buffer.from(this.u8.buffer, this.u8.byteOffset + start, this.lengths[index]!);
    return bytes.toString('latin1');
  }

  /** A copy of the word's bytes, to keep past the command. */
  copy(index: number): Uint8Array<ArrayBuffer> {
    const start = this.starts[index]!;
    return new Uint8Array(this.u8.slice(start, start + this.lengths[index]!));
  }

  /** Slices over a copy of the given texts (latin1): scripts, tests, cold callers. */
  static of(...words: readonly (string | Uint8Array)[]): Slices {
    const parts = words.map((word) =>
      typeof word === 'string' ? Buffer.from(word, 'latin1') : word,
    );
    const total = parts.reduce((sum, part) => sum + part.length, 0);
    const slices = new Slices(new Uint8Array(total));
    let at = 0;
    for (const part of parts) {
      slices.u8.set(part, at);
      slices.push(at, part.length);
      at += part.length;
    }
    return slices;
  }
}
