// Command statistics: calls, time, refusals and a latency histogram per command and thread, in
// shared memory. A thread writes only its own block with plain stores; whoever reads sums over all
// blocks and may see a moment ago. Doubles hold counts exactly up to 2^53.
//
//   block of a thread: per command id
//   ┌───────┬──────────────┬──────────┬────────┬───────────────────────────────┐
//   │ calls │ microseconds │ rejected │ failed │ histogram: 48 buckets         │
//   └───────┴──────────────┴──────────┴────────┴───────────────────────────────┘
//   Bucket b counts calls of at most 2^(b/2) · 0.5 µs and more than the bucket before.

const enum Row {
  Calls = 0,
  Microseconds = 1,
  Rejected = 2,
  Failed = 3,
  Histogram = 4,
  Words = 52,
}

/**
 * Rows of a thread's block. Their memory is made by main, which does not load the commands; a row
 * that no command uses costs address space only.
 */
export const COMMANDS_MAX = 640;
/** Buckets of a latency histogram. */
export const HISTOGRAM_BUCKETS = 48;
const SMALLEST_US = 0.5;
const UNITS_PER_US = 1024;
const SMALLEST_UNITS = SMALLEST_US * UNITS_PER_US;
const SMALLEST_DOUBLING = Math.log2(SMALLEST_UNITS);
/** Below, units are an int32; above, nobody counts the nanoseconds of a logarithm. */
const LONG_US = 2 ** 20;
const LIMITS = Float64Array.from({ length: HISTOGRAM_BUCKETS + 1 }, (_, bucket) =>
  bucketLimit(bucket),
);

export class CommandTotals {
  calls = 0;
  microseconds = 0;
  rejected = 0;
  failed = 0;
  readonly histogram = new Float64Array(HISTOGRAM_BUCKETS);
}

export class CommandStats {
  readonly buffer: SharedArrayBuffer;
  private readonly commandCount: number;
  private readonly threadCount: number;
  private readonly all: Float64Array;
  /** This thread's block. */
  private readonly own: Float64Array;
  /** latency-tracking: are histograms kept? */
  tracksLatency = true;

  constructor(
    buffer: SharedArrayBuffer,
    commandCount: number,
    threadCount: number,
    thread: number,
  ) {
    this.buffer = buffer;
    this.commandCount = commandCount;
    this.threadCount = threadCount;
    this.all = new Float64Array(buffer);
    const words = commandCount * Row.Words;
    this.own = this.all.subarray(thread * words, (thread + 1) * words);
  }

  static bytesFor(commandCount: number, threadCount: number): number {
    return commandCount * threadCount * Row.Words * 8;
  }

  /** `calls` calls of a command took `microseconds` together. */
  called(id: number, calls: number, microseconds: number): void {
    const at = id * Row.Words;
    const { own } = this;
    own[at + Row.Calls] = own[at + Row.Calls]! + calls;
    own[at + Row.Microseconds] = own[at + Row.Microseconds]! + microseconds;
    if (this.tracksLatency) {
      const bucket = at + Row.Histogram + bucketOf(microseconds / calls);
      own[bucket] = own[bucket]! + calls;
    }
  }

  rejected(id: number): void {
    const at = id * Row.Words + Row.Rejected;
    this.own[at] = this.own[at]! + 1;
  }

  failed(id: number): void {
    const at = id * Row.Words + Row.Failed;
    this.own[at] = this.own[at]! + 1;
  }

  /** Sums of all threads for one command. */
  totals(id: number): CommandTotals {
    const totals = new CommandTotals();
    for (let thread = 0; thread < this.threadCount; thread++) {
      const at = (thread * this.commandCount + id) * Row.Words;
      totals.calls += this.all[at + Row.Calls]!;
      totals.microseconds += this.all[at + Row.Microseconds]!;
      totals.rejected += this.all[at + Row.Rejected]!;
      totals.failed += this.all[at + Row.Failed]!;
      for (let bucket = 0; bucket < HISTOGRAM_BUCKETS; bucket++) {
        totals.histogram[bucket] =
          totals.histogram[bucket]! + this.all[at + Row.Histogram + bucket]!;
      }
    }
    return totals;
  }

  /** Calls of one command in all threads. */
  callsOf(id: number): number {
    let calls = 0;
    for (let thread = 0; thread < this.threadCount; thread++) {
      calls += this.all[(thread * this.commandCount + id) * Row.Words + Row.Calls]!;
    }
    return calls;
  }

  /** Calls of all commands in one thread. */
  callsIn(thread: number): number {
    let calls = 0;
    for (let id = 0; id < this.commandCount; id++) {
      calls += this.all[(thread * this.commandCount + id) * Row.Words + Row.Calls]!;
    }
    return calls;
  }

  /** Time of all commands in one thread. */
  microsecondsIn(thread: number): number {
    let sum = 0;
    for (let id = 0; id < this.commandCount; id++) {
      sum += this.all[(thread * this.commandCount + id) * Row.Words + Row.Microseconds]!;
    }
    return sum;
  }

  /** Forgets everything; counts of other threads that are being written may survive by one. */
  reset(): void {
    this.all.fill(0);
  }
}

/** The upper bound of a histogram bucket in microseconds. */
export function bucketLimit(bucket: number): number {
  // Without a power function: V8's differ in the last bit before and after optimisation.
  return SMALLEST_US * (1 << (bucket >> 1)) * ((bucket & 1) === 0 ? 1 : Math.SQRT2);
}

function bucketOf(microseconds: number): number {
  // Twice the logarithm to base 2, without calling one: in units of 2^-10 µs the integer's highest
  // bit tells the doubling, and a comparison with its geometric middle the half.
  if (microseconds >= LONG_US) return bucketOfLong(microseconds);
  const units = Math.ceil(microseconds * UNITS_PER_US) | 0;
  if (units <= SMALLEST_UNITS) return 0;
  const doubling = 31 - Math.clz32(units - 1);
  const bucket = 2 * (doubling - SMALLEST_DOUBLING) + 1;
  return microseconds <= LIMITS[bucket]! ? bucket : bucket + 1;
}

function bucketOfLong(microseconds: number): number {
  let bucket = 0;
  while (bucket < HISTOGRAM_BUCKETS - 1 && microseconds > LIMITS[bucket]!) bucket++;
  return bucket;
}
