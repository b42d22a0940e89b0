// `npm run test:fast`: everything that needs no running server and no long search, in half a
// minute.

import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    root: new URL('..', import.meta.url).pathname,
    include: ['test/**/*.test.ts'],
    exclude: [
      'test/live/**',
      'test/libraries/**',
      'test/oracle/**',
      'test/sim/**',
      'test/fuzz/**',
      'test/bench/**',
      'test/docs/**',
      'test/mesh/**',
      'test/commands/*.test.ts',
      // These are about their whole process, which others share here.
      'test/base/libc.test.ts',
      'test/server/compiler-threads.test.ts',
    ],
    pool: 'threads',
    maxWorkers: 2,
  },
});
