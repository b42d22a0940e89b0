// A snapshot that is large enough to be loaded by several threads: it is the same afterwards, and
// what is wrong with it is said, whichever thread finds out.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { keySlot } from '../../src/base/crc.js';
import { makeValue, text, withCrc } from '../rdb/values.js';
import { textOf } from '../support/resp.js';
import { partSeed, Random, seedOf } from '../support/seed.js';
import { type Client, commandOf, freePort, Server, startServer } from '../support/server.js';

const SEED_VARIABLE = 'SEED';
const WAIT_MS_MAX = 60_000;
const PARTITIONS = 8;
const CHECKSUM_BYTES = 8;

let dir: string;
let server: Server | null = null;
beforeEach(() => {
  dir = mkdtempSync(path.join(os.tmpdir(), 'flagstone-lanes-'));
});
afterEach(async () => {
  await server?.stop('SIGKILL');
  server = null;
  rmSync(dir, { recursive: true, force: true });
});

const options = () => ({
  dir,
  threads: 1,
  partitions: PARTITIONS,
  args: ['--enable-debug-command', 'yes', '--rdbcompression', 'no', '--save', ''],
});

async function start(): Promise<Client> {
  server = await startServer(options());
  const client = await server.connect();
  await expect
    .poll(async () => textOf(await client.command('PING')), { timeout: WAIT_MS_MAX })
    .toBe('PONG');
  return client;
}

/** What a server says that does not come up. */
async function refusal(): Promise<string> {
  const failing = new Server(commandOf(options()), options(), await freePort());
  server = failing;
  await failing.ended;
  return failing.printed;
}

it('is loaded as it was, and refused when it is damaged', async () => {
  const seed = seedOf(SEED_VARIABLE);
  const title = `${SEED_VARIABLE}=${seed}`;
  const random = new Random(partSeed(seed, 0));
  let client = await start();
  await client.command('DEBUG', 'POPULATE', '10000', 'key', '1000');
  for (let index = 0; index < 12; index++) {
    const pending: unknown[] = [];
    const send = (...words: string[]) => pending.push(client.command(...words));
    makeValue(random, send as never, `value${index}`, true);
    await Promise.all(pending);
  }
  const digest = textOf(await client.command('DEBUG', 'DIGEST'));
  const keys = textOf(await client.command('DBSIZE'));
  await client.command('SAVE');
  client.close();
  await server!.stop('SIGKILL');

  client = await start();
  expect(textOf(await client.command('DBSIZE')), title).toBe(keys);
  expect(textOf(await client.command('DEBUG', 'DIGEST')), title).toBe(digest);
  expect(server!.printed).toContain(`keys loaded: ${keys},`);
  client.close();
  await server!.stop('SIGKILL');

  const file = path.join(dir, 'dump.rdb');
  const good = readFileSync(file);
  const damaged = Buffer.from(good);
  damaged[damaged.length - 1]! ^= 1;
  writeFileSync(file, damaged);
  expect(await refusal()).toContain('CRC error');

  // The same key again, in the share of another thread than main.
  const name = Array.from({ length: 100 }, (_, index) => `key:${index}`).find(
    (key) => keySlot(Buffer.from(key), 0, key.length) % 2 === 1,
  )!;
  const again = Buffer.concat([Buffer.of(0), text(name), text('again'), Buffer.of(255)]);
  const body = good.subarray(0, good.length - CHECKSUM_BYTES - 1);
  writeFileSync(file, withCrc(Buffer.concat([body, again])));
  expect(await refusal()).toContain(`key "${name}" of database 0 is there twice`);
}, 120_000);
