// Latencies as a log-linear histogram: constant memory, constant cost, mergeable between threads.
//
//   value (ns)   0 … 2047   2048 … 4095   4096 … 8191   …   2^42 and over
//   step (ns)    1          2             4             …   counted in the last bucket
//
// Each octave above the first has 1024 buckets, so a bucket is at most 1/1024 of its value wide:
// three significant digits everywhere, from a nanosecond to over an hour.

const SUB_BITS = 10;
const SUB_COUNT = 1 << SUB_BITS; // 1024 buckets in each octave
const LINEAR_END = SUB_COUNT * 2; // below it one bucket per nanosecond
const VALUE_BITS = 42; // 2^42 ns is 73 minutes, longer than any run
const VALUE_LIMIT = 2 ** VALUE_BITS;
const BUCKET_COUNT = LINEAR_END + (VALUE_BITS - SUB_BITS - 1) * SUB_COUNT;

// Above 2^31 a value leaves int32; dividing by 2^21 first keeps its 1024 leading steps.
const INT_LIMIT = 2 ** 31;
const WIDE_SHIFT = 21;
const WIDE_STEP = 2 ** WIDE_SHIFT;

/** What travels between threads. */
export interface HistogramParts {
  readonly counts: Float64Array<ArrayBuffer>;
  readonly total: number;
  readonly sum: number;
  readonly smallest: number;
  readonly largest: number;
}

export class Histogram {
  private readonly counts: Float64Array<ArrayBuffer>;
  private total = 0;
  private sum = 0;
  private smallest = Number.POSITIVE_INFINITY;
  private largest = 0;

  constructor() {
    this.counts = new Float64Array(BUCKET_COUNT);
  }

  /** Counts one value in nanoseconds; fractions are cut off. */
  record(valueNs: number): void {
    const value = valueNs > 0 ? Math.floor(valueNs) : 0;
    this.counts[bucketOf(value)]! += 1;
    this.total += 1;
    this.sum += value;
    if (value < this.smallest) this.smallest = value;
    if (value > this.largest) this.largest = value;
  }

  count(): number {
    return this.total;
  }

  mean(): number {
    return this.total === 0 ? 0 : this.sum / this.total;
  }

  min(): number {
    return this.total === 0 ? 0 : this.smallest;
  }

  max(): number {
    return this.largest;
  }

  /** The value that `percent` of all values are at or below, to three significant digits. */
  percentile(percent: number): number {
    if (this.total === 0) return 0;
    const wanted = Math.max(1, Math.ceil((Math.min(percent, 100) / 100) * this.total));
    let seen = 0;
    for (let bucket = 0; bucket < BUCKET_COUNT; bucket += 1) {
      seen += this.counts[bucket]!;
      if (wanted <= seen) return this.clamp(middleOf(bucket));
    }
    return this.largest;
  }

  merge(parts: HistogramParts): void {
    for (let bucket = 0; bucket < BUCKET_COUNT; bucket += 1) {
      this.counts[bucket]! += parts.counts[bucket]!;
    }
    this.total += parts.total;
    this.sum += parts.sum;
    if (parts.smallest < this.smallest) this.smallest = parts.smallest;
    if (parts.largest > this.largest) this.largest = parts.largest;
  }

  parts(): HistogramParts {
    const { counts, total, sum, smallest, largest } = this;
    return { counts, total, sum, smallest, largest };
  }

  private clamp(value: number): number {
    return Math.min(Math.max(value, this.smallest), this.largest);
  }
}

function bucketOf(value: number): number {
  if (value < LINEAR_END) return value;
  if (value >= VALUE_LIMIT) return BUCKET_COUNT - 1;
  let leading = value;
  let shift = 0;
  if (value >= INT_LIMIT) {
    leading = Math.floor(value / WIDE_STEP);
    shift = WIDE_SHIFT;
  }
  const drop = 31 - Math.clz32(leading) - SUB_BITS;
  // The leading 11 bits of the value run from 1024 to 2047; each octave follows the last one.
  return (shift + drop) * SUB_COUNT + (leading >>> drop);
}

function middleOf(bucket: number): number {
  if (bucket < LINEAR_END) return bucket;
  const octave = Math.floor(bucket / SUB_COUNT) - 1;
  const step = 2 ** octave;
  const start = (bucket - octave * SUB_COUNT) * step;
  return start + Math.floor(step / 2);
}
