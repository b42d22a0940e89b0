// The places that a search has found, outside the slabs: they are sorted, and perhaps stored in the
// place of what they were found in. Names lie one behind the other. Borrowed: reused for every
// search of the thread.

import { copyBytes } from '../../base/bytes.js';

const NAME_BYTES_AT_START = 4096;
const PLACES_AT_START = 256;
/** What one large search has grown is not kept for ever. */
const PLACES_KEPT = 64 * 1024;

export class Found {
  count = 0;
  u8 = new Uint8Array(NAME_BYTES_AT_START);
  starts = new Int32Array(PLACES_AT_START);
  lengths = new Int32Array(PLACES_AT_START);
  scores = new Float64Array(PLACES_AT_START);
  /** In metres, from the centre of the search. */
  distances = new Float64Array(PLACES_AT_START);
  /** The indexes of the places in the order of the answer. */
  order = new Int32Array(PLACES_AT_START);
  private nameBytes = 0;

  begin(): void {
    if (this.starts.length > PLACES_KEPT) {
      this.u8 = new Uint8Array(NAME_BYTES_AT_START);
      this.count = 0;
      this.resize(PLACES_AT_START);
    }
    this.count = 0;
    this.nameBytes = 0;
  }

  add(u8: Uint8Array, start: number, length: number, score: number, distance: number): void {
    const index = this.count;
    if (index === this.starts.length) this.resize(index * 2);
    if (this.nameBytes + length > this.u8.length) {
      const grown = new Uint8Array(Math.max(this.u8.length * 2, this.nameBytes + length));
      grown.set(this.u8.subarray(0, this.nameBytes));
      this.u8 = grown;
    }
    copyBytes(u8, start, this.u8, this.nameBytes, length);
    this.starts[index] = this.nameBytes;
    this.lengths[index] = length;
    this.scores[index] = score;
    this.distances[index] = distance;
    this.order[index] = index;
    this.nameBytes += length;
    this.count = index + 1;
  }

  /** Sorts by distance; places at the same distance stay as they are. */
  sort(isDescending: boolean): void {
    const { distances } = this;
    const sign = isDescending ? -1 : 1;
    this.order.subarray(0, this.count).sort((a, b) => {
      const first = distances[a]!;
      const second = distances[b]!;
      if (first === second) return 0;
      return first > second ? sign : -sign;
    });
  }

  /** Keeps the first places only. */
  keep(count: number): void {
    if (count < this.count) this.count = count;
  }

  private resize(places: number): void {
    const kept = this.count;
    const starts = new Int32Array(places);
    const lengths = new Int32Array(places);
    const scores = new Float64Array(places);
    const distances = new Float64Array(places);
    const order = new Int32Array(places);
    starts.set(this.starts.subarray(0, kept));
    lengths.set(this.lengths.subarray(0, kept));
    scores.set(this.scores.subarray(0, kept));
    distances.set(this.distances.subarray(0, kept));
    order.set(this.order.subarray(0, kept));
    this.starts = starts;
    this.lengths = lengths;
    this.scores = scores;
    this.distances = distances;
    this.order = order;
  }
}
