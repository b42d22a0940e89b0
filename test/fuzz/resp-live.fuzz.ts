// Garbage and damaged requests, sent to a living server. Whatever arrives, it must go on serving
// others, answer with RESP, and say no word about a failed assertion.

import type { Client } from '../support/client.js';
import { encodeCommands, printReply, quoted } from '../support/resp.js';
import type { Random } from '../support/seed.js';
import { type Server, startServer } from '../support/server.js';
import type { FuzzTarget } from './target.js';

/** Commands that would end, hang or fill the server on purpose are not what is looked for here. */
const COMMANDS: readonly (readonly string[])[] = [
  ['PING'],
  ['SET', 'key', 'value'],
  ['GET', 'key'],
  ['MSET', 'a', '1', 'b', '2'],
  ['DEL', 'a', 'b'],
  ['INCR', 'counter'],
  ['HELLO', '3'],
  ['SELECT', '1'],
  ['SETRANGE', 'key', '5', 'x'],
  ['BITFIELD', 'key', 'INCRBY', 'u8', '#1', '200'],
  ['EXPIRE', 'key', '100', 'NX'],
  ['SCAN', '0', 'MATCH', 'k*', 'COUNT', '10'],
  ['CLIENT', 'SETNAME', 'fuzz'],
  ['ECHO', '\r\n$5\r\n'],
  ['APPEND', 'long', 'y'.repeat(3000)],
];
const TOKENS = [
  '*',
  '$',
  '\r\n',
  '\r',
  '\n',
  '*-1\r\n',
  '$-1\r\n',
  '*0\r\n',
  '$0\r\n\r\n',
  '"',
  "'",
];
const NUMBERS = [
  '0',
  '-1',
  '2',
  '1048576',
  '1048577',
  '536870913',
  '2147483648',
  '99999999999999999999',
];
const PIECES_MAX = 20;
const GARBAGE_BYTES_MAX = 200;
/** How long a damaged request is given before its connection is dropped. */
const ANSWER_MS = 3;
const PING_EVERY_STEPS = 20;

let server: Server | null = null;

export const target: FuzzTarget = {
  name: 'resp-live',
  about: 'garbage and damaged requests against a living server, which must go on answering PING',
  stepsPerRun: 300,
  async run({ steps, random, note }) {
    server ??= await startServer();
    const witness = await server.connect();
    try {
      for (let step = 0; step < steps; step++) {
        const bytes = damaged(random);
        note(`step ${step}: ${quoted(bytes.toString('latin1')).slice(0, 300)}`);
        await throwAt(server, bytes, random);
        if (step % PING_EVERY_STEPS === 0) await mustAnswer(server, witness);
      }
      await mustAnswer(server, witness);
    } finally {
      witness.close();
    }
  },
  async stop() {
    const running = server;
    server = null;
    await running?.stop();
  },
};

async function throwAt(on: Server, bytes: Buffer, random: Random): Promise<void> {
  const client = await on.connect({
    delivery: random.chance(0.3) ? { chunkSeed: random.next() } : 'whole',
  });
  await client.send(bytes);
  await new Promise((resolve) => setTimeout(resolve, ANSWER_MS));
  client.close();
}

async function mustAnswer(on: Server, witness: Client): Promise<void> {
  const text = await witness
    .command('PING')
    .then((reply) => printReply(reply))
    .catch((error: Error) => error.message);
  if (text === '+PONG' && !/AssertionFailure|ASSERTION FAILED/.test(on.printed)) return;
  throw new Error(`PING was answered with: ${text}\n${on.report()}`);
}

/** A few good commands with some damage, or no command at all. */
function damaged(random: Random): Buffer {
  if (random.chance(0.15)) {
    return Buffer.from(random.bytes(random.between(1, GARBAGE_BYTES_MAX)), 'latin1');
  }
  if (random.chance(0.15)) return Buffer.from(tokens(random), 'latin1');
  const commands = Array.from({ length: random.between(1, 4) }, () => random.pick(COMMANDS));
  let text = encodeCommands(commands).toString('latin1');
  for (let count = random.between(0, 4); count > 0; count--) text = mutated(text, random);
  return Buffer.from(text, 'latin1');
}

function mutated(text: string, random: Random): string {
  const at = random.below(text.length + 1);
  const rest = text.slice(at);
  switch (random.below(6)) {
    case 0:
      return text.slice(0, at);
    case 1:
      return text.slice(0, at) + random.bytes(1) + text.slice(at + 1);
    case 2:
      return text.slice(0, at) + random.pick(TOKENS) + rest;
    case 3:
      return text.slice(0, at) + rest.slice(random.between(1, 8));
    case 4:
      return text.slice(0, at) + rest.replace(/\d+/, random.pick(NUMBERS));
    default:
      return text + text.slice(0, at);
  }
}

function tokens(random: Random): string {
  let text = '';
  for (let count = random.between(1, PIECES_MAX); count > 0; count--) {
    text += random.pick(random.chance(0.3) ? NUMBERS : TOKENS);
  }
  return text;
}
