// What a bench of one floor looks like: native-free-bench/floors/NAME.bench.ts exports
// `floorBench`.

export interface FloorCase {
  readonly name: string;
  /** How many operations one call of `run` does; its time is divided by it. */
  readonly operations: number;
  /**
   * Does the work and answers a number that depends on all of it, so that it cannot be optimised
   * away. The first call after `prepare` answers the same number on every machine.
   */
  run(): number;
}

export interface FloorBench {
  readonly name: string;
  readonly about: string;
  /** Builds the cases, with little data where `isTiny`. */
  prepare(isTiny: boolean): readonly FloorCase[];
}
