// The servers that the libraries work against: Flagstone with two workers and, where the machine
// has one, a real redis-server, which shows that a test asks for what Redis does.

import { findProgram, type Server, startServer } from '../support/server.js';

/** The longest that anything may take. A busy machine is slow; only a broken one needs it all. */
export const DEADLINE_MS = 20_000;

const WORKERS = 2;
const POLL_MS = 5;

export interface ServerChoice {
  readonly name: string;
  start(): Promise<Server>;
}

export const SERVERS: readonly ServerChoice[] = [
  { name: 'Flagstone', start: () => startServer({ threads: WORKERS }) },
  ...redisServers(),
];

function redisServers(): ServerChoice[] {
  const program = process.env.REDIS_SERVER ?? findProgram('redis-server');
  if (program === null) return [];
  return [{ name: 'redis-server', start: () => startServer({ command: [program] }) }];
}

/** Asks again and again until `wanted` is content with the answer, which it returns. */
export async function until<Answer>(
  ask: () => Answer | Promise<Answer>,
  wanted: (answer: Answer) => boolean,
): Promise<Answer> {
  const deadline = Date.now() + DEADLINE_MS;
  for (;;) {
    const answer = await ask();
    if (wanted(answer)) return answer;
    if (Date.now() > deadline) throw new Error(`at last still ${JSON.stringify(answer)}`);
    await sleep(POLL_MS);
  }
}

export function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
