// The pool of job threads: one, so that one job runs at a time and a walk has the snapshot for
// itself. It is made when the first job comes and goes when none has come for a while, so a server
// that never saves has no such thread. The death of a job's thread is the death of the process, as
// of any other: a partition may be torn.

import type { Piscina } from 'piscina';
import type { SnapshotOutcome, SnapshotTask } from './snapshot.js';

/** Long enough for save points in a row, short enough that its memory is not held all day. */
const IDLE_MS = 60_000;
/** What a job leaves behind is small and dies at once; and a snapshot should take little memory. */
const YOUNG_GENERATION_MB = 4;

const SCRIPT = new URL('./job-thread.js', import.meta.url);

export class JobPool {
  private piscina: Piscina | null = null;

  /** Writes a snapshot; rejects only when the thread has died. */
  async writeSnapshot(task: SnapshotTask): Promise<SnapshotOutcome> {
    return (await this.run('writeTask', task)) as SnapshotOutcome;
  }

  private async run(name: string, task: unknown): Promise<unknown> {
    this.piscina ??= await makePool();
    return this.piscina.run(task, { name });
  }

  /** Ends its thread. No job may be running. */
  async close(): Promise<void> {
    const { piscina } = this;
    this.piscina = null;
    await piscina?.destroy();
  }
}

async function makePool(): Promise<Piscina> {
  const { Piscina: Pool } = await import('piscina');
  return new Pool({
    filename: SCRIPT.href,
    minThreads: 0,
    maxThreads: 1,
    idleTimeout: IDLE_MS,
    resourceLimits: { maxYoungGenerationSizeMb: YOUNG_GENERATION_MB },
    // Jobs are long: what Piscina gains by keeping a thread spinning between tasks is lost on them.
    atomics: 'disabled',
    recordTiming: false,
  });
}
