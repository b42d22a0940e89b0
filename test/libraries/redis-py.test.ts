// redis-py, the client for Python: its everyday work beyond strings, in scenes of redis-py-work.py.
// Skipped where the machine has no Python with it (Debian's python3-redis).

import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { projectRoot, type Server, succeeds } from '../support/server.js';
import { DEADLINE_MS, SERVERS } from './servers.js';

const PYTHON = '/usr/bin/python3';
const SCENES = join(projectRoot(), 'test/libraries/redis-py-work.py');
const TEST_MS_MAX = 2 * DEADLINE_MS;

const execute = promisify(execFile);
const hasRedisPy = succeeds(PYTHON, ['-c', 'import redis']);

describe.each(SERVERS)('redis-py on $name', (choice) => {
  let server: Server;
  beforeAll(async () => {
    if (hasRedisPy) server = await choice.start();
  });
  afterAll(() => server?.stop());

  /** A scene fails by an assertion of Python's, whose lines are then in the error of this test. */
  function scene(title: string, name: string): void {
    it(title, { timeout: TEST_MS_MAX }, async (context) => {
      if (!hasRedisPy) return context.skip(`${PYTHON} has no redis: apt-get install python3-redis`);
      const words = ['-W', 'ignore', SCENES, String(server.port), name];
      const { stdout } = await execute(PYTHON, words, { timeout: TEST_MS_MAX });
      expect(stdout).toBe('');
    });
  }

  scene('works with hashes, lists, sets, sorted sets, places and estimates', 'collections');
  scene('shares a stream among the consumers of a group', 'streams');
  scene('makes transactions, runs scripts and takes locks', 'transactions');
  scene('gets messages, and waits for elements', 'messages');
  scene('reads what operators read', 'operators');
});
