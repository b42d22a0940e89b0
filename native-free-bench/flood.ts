// What a flood of web clients does to RESP clients. Those who flood and those whose times are taken
// have a thread each: in one, the times would be those of the flood's own work. Quiet seconds,
// seconds in which another server is flooded and seconds in which their own is take turns, so
// that whatever else the machine does is in all. The other server tells what a flood costs by
// keeping the cores busy, before anything is shared with it.

import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { timesOf } from './measure.js';
import type { Row } from './report.js';

export interface FloodPlan {
  readonly role: 'flood' | 'times';
  readonly port: number;
  readonly clients: number;
}

/** To such a thread. It says how many commands were answered (flood), or how long each took. */
export type FloodOrder = 'go' | 'stop' | 'end';
export interface FloodReport {
  readonly commands?: number;
  readonly times?: number[];
}

export interface FloodSizes {
  readonly flooding: number;
  readonly respClients: number;
  /** Of seconds, each with and without the flood; the first is not counted. */
  readonly rounds: number;
  readonly seconds: number;
}

class FloodThread {
  private readonly worker: Worker;

  private constructor(plan: FloodPlan) {
    this.worker = new Worker(workerPath(), { workerData: plan });
  }

  static async start(plan: FloodPlan): Promise<FloodThread> {
    const thread = new FloodThread(plan);
    await thread.report();
    return thread;
  }

  private report(): Promise<FloodReport> {
    return new Promise((resolve, reject) => {
      this.worker.removeAllListeners();
      this.worker.once('message', resolve);
      this.worker.once('error', reject);
    });
  }

  go(): void {
    this.worker.postMessage('go' satisfies FloodOrder);
  }

  stop(): Promise<FloodReport> {
    const report = this.report();
    this.worker.postMessage('stop' satisfies FloodOrder);
    return report;
  }

  async end(): Promise<void> {
    await this.worker.terminate();
  }
}

export interface FloodPorts {
  readonly resp: number;
  readonly gateway: number;
  /** Of another server. */
  readonly otherGateway: number;
}

/** A kind of seconds: who floods in them, if anybody, and what was measured. */
interface State {
  readonly label: string;
  readonly flood: FloodThread | null;
  readonly times: number[];
  commands: number;
}

/** Times in each kind of seconds, and how many commands a second the flood said. */
export async function measureFlood(
  ports: FloodPorts,
  sizes: FloodSizes,
  engine: string,
): Promise<Row[]> {
  const { flooding, respClients, rounds, seconds } = sizes;
  const floodOf = (port: number) => FloodThread.start({ role: 'flood', port, clients: flooding });
  const state = (label: string, flood: FloodThread | null): State => {
    return { label, flood, times: [], commands: 0 };
  };
  const states = [
    state('quiet', null),
    state('another server flooded', await floodOf(ports.otherGateway)),
    state('flooded', await floodOf(ports.gateway)),
  ];
  const timer = await FloodThread.start({ role: 'times', port: ports.resp, clients: respClients });
  for (let round = 0; round <= rounds; round++) {
    for (const each of states) {
      each.flood?.go();
      timer.go();
      await sleep(seconds * 1000);
      const timed = await timer.stop();
      const said = await each.flood?.stop();
      if (round === 0) continue;
      if (timed.times !== undefined) append(each.times, timed.times);
      each.commands += said?.commands ?? 0;
    }
  }
  await Promise.all([timer, ...states.map(({ flood }) => flood)].map((thread) => thread?.end()));
  return states.map(({ label, times, commands }) => ({
    label: `${label}, ${engine}`,
    kind: label,
    server: 'Flagstone',
    figures: { ...timesOf(times), flood: commands / rounds / seconds },
  }));
}

/** Worker threads run compiled code; a test that runs the sources uses what was built. */
function workerPath(): string {
  const isSource = import.meta.url.endsWith('.ts');
  const path = isSource ? '../dist/native-free-bench/flood-worker.js' : './flood-worker.js';
  return fileURLToPath(new URL(path, import.meta.url));
}

function append(all: number[], some: readonly number[]): void {
  for (const time of some) all.push(time);
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
