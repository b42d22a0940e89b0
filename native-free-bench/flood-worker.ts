// The body of a thread of flood.ts: web clients that flood, or RESP clients whose times are taken.

import type { Socket } from 'node:net';
import { setPriority } from 'node:os';
import { parentPort, workerData } from 'node:worker_threads';
import type { FloodOrder, FloodPlan, FloodReport } from './flood.js';
import { encodeWords } from './requests.js';
import { BATCH, openSocket, openWeb, type Talker } from './talkers.js';

/** Of those who flood: they stand for other machines, and take no processor from who is timed. */
const NICENESS = 10;
/** Between two requests of a RESP client. */
const PAUSE_MS = 10;
/** What is under way arrives. */
const SETTLE_MS = 100;

const port = parentPort;
if (port === null) throw new Error('flood-worker.js is started by flood.ts, as a thread');
const plan = workerData as FloodPlan;
let isOn = false;

function report(what: FloodReport): void {
  port!.postMessage(what);
}

async function flood(): Promise<(order: FloodOrder) => void> {
  // On Linux the priority is the thread's own; elsewhere it would be that of the process.
  if (process.platform === 'linux') setPriority(0, NICENESS);
  const talkers: Talker[] = [];
  /** Those whose last batch was answered while the flood rested. */
  let resting: Talker[] = [];
  let batches = 0;
  for (let at = 0; at < plan.clients; at++) {
    const talker = await openWeb(plan.port, 'SET', () => {
      batches++;
      if (isOn) talkers[at]!.send();
      else resting.push(talkers[at]!);
    });
    talkers.push(talker);
  }
  resting = [...talkers];
  return (order) => {
    if (order === 'go') {
      batches = 0;
      for (const talker of resting.splice(0)) talker.send();
    } else {
      setTimeout(() => report({ commands: batches * BATCH }), SETTLE_MS);
    }
  };
}

async function takeTimes(): Promise<(order: FloodOrder) => void> {
  const request = encodeWords(['GET', 'key:1']);
  const clients: (() => void)[] = [];
  let times: number[] = [];
  for (let at = 0; at < plan.clients; at++) {
    const socket: Socket = await openSocket(plan.port);
    let sentAt = 0;
    const say = () => {
      if (!isOn) return;
      sentAt = performance.now();
      socket.write(request);
    };
    socket.on('data', () => {
      times.push(performance.now() - sentAt);
      if (isOn) setTimeout(say, PAUSE_MS);
    });
    clients.push(say);
  }
  return (order) => {
    if (order === 'go') {
      times = [];
      for (const say of clients) say();
    } else {
      setTimeout(() => report({ times }), SETTLE_MS);
    }
  };
}

const obey = await (plan.role === 'flood' ? flood() : takeTimes());
port.on('message', (order: FloodOrder) => {
  isOn = order === 'go';
  obey(order);
});
report({});
