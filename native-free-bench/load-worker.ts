// The body of a load thread: opens connections, runs its part of the load on the word, reports. One
// load at a time; orders are obeyed in turn, but `stop`, which is meant for a load that runs.

import { parentPort } from 'node:worker_threads';
import { type LoadSession, openLoad } from './load.js';
import type { LoadOrder, LoadReport } from './load-threads.js';

const port = parentPort;
if (port === null) throw new Error('load-worker.js is started by load-threads.ts, as a thread');

let session: LoadSession | null = null;
let last: Promise<void> = Promise.resolve();

port.on('message', (order: LoadOrder) => {
  if (order.kind === 'stop') {
    session?.stop();
    return;
  }
  last = last.then(async () => {
    port.postMessage(await obey(order).catch(failureOf));
  });
});

async function obey(order: LoadOrder): Promise<LoadReport> {
  if (order.kind === 'open') {
    session = await openLoad(order.plan);
    return { kind: 'ready' };
  }
  if (order.kind === 'go') {
    if (session === null) throw new Error('a load is opened before it runs');
    return { kind: 'done', result: await session.run() };
  }
  await session?.close();
  session = null;
  return { kind: 'closed' };
}

function failureOf(error: unknown): LoadReport {
  return { kind: 'failed', why: error instanceof Error ? error.message : String(error) };
}
