import { defineConfig } from 'vitest/config';

// Workers run the built server from dist, so `npm test` builds first (the pretest script).
export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
