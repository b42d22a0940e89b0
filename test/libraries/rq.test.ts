// RQ, a job queue for Python: its everyday work in scenes of rq-jobs.py. Skipped where the machine
// has no Python with RQ (Debian's python3-rq).

import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { projectRoot, type Server, succeeds } from '../support/server.js';
import { DEADLINE_MS, SERVERS } from './servers.js';

const PYTHON = '/usr/bin/python3';
const SCENES = join(projectRoot(), 'test/libraries/rq-jobs.py');
const TEST_MS_MAX = 2 * DEADLINE_MS;

const execute = promisify(execFile);
const hasRq = succeeds(PYTHON, ['-c', 'import rq, redis']);

describe.each(SERVERS)('RQ on $name', (choice) => {
  let server: Server;
  beforeAll(async () => {
    if (hasRq) server = await choice.start();
  });
  afterAll(() => server?.stop());

  function scene(title: string, name: string, wanted: unknown): void {
    it(title, { timeout: TEST_MS_MAX }, async (context) => {
      if (!hasRq) return context.skip(`${PYTHON} has no rq: apt-get install python3-rq`);
      const words = ['-W', 'ignore', SCENES, String(server.port), name];
      const { stdout } = await execute(PYTHON, words, { timeout: TEST_MS_MAX });
      expect(JSON.parse(stdout)).toEqual(wanted);
    });
  }

  scene('runs jobs of several queues and keeps their results', 'results', {
    waiting: [3, 3],
    results: [100, 101, 102, 103, 104, 105],
    finished: [3, 3],
  });

  scene('tries failing jobs again, and lists those that fail in the end', 'retries', {
    flaky: 'done',
    hopeless: 'failed',
    error: 'ValueError: not yet',
    failed: true,
    tries: 2,
    again: 'done',
  });

  scene('holds a job back until all that it depends on are done', 'dependencies', {
    deferred: 'deferred',
    last: 4,
  });

  scene('runs scheduled jobs in time and keeps those of tomorrow', 'schedule', {
    scheduled: 2,
    soon: 3,
    left: true,
  });

  scene('cancels jobs, empties queues and deletes them', 'deletion', {
    left: 49,
    emptied: 49,
    keys: 1,
    queues: 0,
  });
});
