// Runs jobs in real threads, from the compiled tests: worker threads load JavaScript only.

import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import type { Job } from './jobs.js';

const path = fileURLToPath(new URL('../../dist/test/mesh/jobs.js', import.meta.url));

/** Starts one thread per job and returns what they answered, in the order of the jobs. */
export async function runJobs(jobs: readonly Job[]): Promise<number[][]> {
  if (!existsSync(path)) throw new Error('Run `npm run build` first: workers run from dist.');
  return Promise.all(jobs.map((job) => runJob(job)));
}

function runJob(job: Job): Promise<number[]> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(path, { workerData: job });
    let result: number[] | null = null;
    worker.on('message', (message: number[]) => {
      result = message;
    });
    worker.on('error', reject);
    worker.on('exit', (code) => {
      if (result !== null) resolve(result);
      else reject(new Error(`a worker ended with ${code} and without a result`));
    });
  });
}
