// Where small encodings end, as the configuration has it (the names are those of redis.conf). Each
// thread has its own copy, which server/executor.ts keeps up to date.

export const thresholds = {
  hashMaxListpackEntries: 512,
  hashMaxListpackValue: 64,
  setMaxIntsetEntries: 512,
  setMaxListpackEntries: 128,
  setMaxListpackValue: 64,
  zsetMaxListpackEntries: 128,
  zsetMaxListpackValue: 64,
  /** Positive: elements per node; −1 to −5: 4, 8, 16, 32 or 64 KiB per node. */
  listMaxListpackSize: -2,
  streamNodeMaxBytes: 4096,
  streamNodeMaxEntries: 100,
  /** Of streams that were not told otherwise (XCFGSET): seconds, and iids of each producer. */
  streamIdmpDuration: 100,
  streamIdmpMaxsize: 100,
  hllSparseMaxBytes: 3000,
};
