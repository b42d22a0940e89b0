// The command line tools that come with Redis, against the built server.

import { spawn } from 'node:child_process';
import { afterAll, beforeAll, beforeEach, describe, expect, it, type TestContext } from 'vitest';
import { encodeCommands, printReply } from '../support/resp.js';
import { findProgram, type Server, startServer } from '../support/server.js';

const PIPE_COMMANDS = 20_000;
const BENCHMARK_REQUESTS = 20_000;
/** For those that hang, or never end by themselves: a busy machine takes its time. */
const TOOL_MS_MAX = 50_000;

let server: Server;
beforeAll(async () => {
  server = await startServer();
});
afterAll(() => server.stop());
beforeEach(async () => {
  const client = await server.connect();
  await client.command('FLUSHALL');
  await client.command('MSET', 'small', 'x', 'large', 'y'.repeat(5_000), 'number', '12');
  client.close();
});

interface Ran {
  readonly output: string;
  readonly code: number | null;
}

/** Runs a tool to its end, or stops it when it has written `wanted`. */
function run(
  context: TestContext,
  tool: string,
  args: readonly string[],
  options: { input?: Uint8Array; wanted?: RegExp } = {},
): Promise<Ran> {
  const program = findProgram(tool) ?? context.skip(`there is no ${tool} on the PATH`);
  const child = spawn(program, ['-p', String(server.port), ...args]);
  let output = '';
  child.stdout.on('data', (text: Buffer) => {
    output += text.toString('latin1');
    if (options.wanted?.test(output) === true) child.kill('SIGINT');
  });
  child.stderr.on('data', (text: Buffer) => (output += text.toString('latin1')));
  child.stdin.on('error', () => {});
  child.stdin.end(options.input ?? '');
  const timer = setTimeout(() => child.kill('SIGINT'), TOOL_MS_MAX);
  return new Promise((resolve) => {
    child.on('close', (code) => {
      clearTimeout(timer);
      resolve({ output, code });
    });
  });
}

describe('redis-cli', () => {
  it('loads a file of commands with --pipe', async (context) => {
    const commands = Array.from({ length: PIPE_COMMANDS }, (_, index) => [
      'SET',
      `key:${index}`,
      `value ${index}`,
    ]);

    const { output, code } = await run(context, 'redis-cli', ['--pipe'], {
      input: encodeCommands(commands),
    });

    expect(output).toContain(`errors: 0, replies: ${PIPE_COMMANDS}`);
    expect(code).toBe(0);
    const client = await server.connect();
    expect(printReply(await client.command('DBSIZE'))).toBe(`:${PIPE_COMMANDS + 3}`);
    client.close();
  });

  it('finds the largest values with --bigkeys', async (context) => {
    const { output, code } = await run(context, 'redis-cli', ['--bigkeys']);

    expect(output).toMatch(/Biggest string found .*large.* has 5000 bytes/);
    expect(output).toContain('Sampled 3 keys in the keyspace!');
    expect(code).toBe(0);
  });

  it('finds what takes the most memory with --memkeys', async (context) => {
    const { output, code } = await run(context, 'redis-cli', ['--memkeys']);

    expect(output).toMatch(/Biggest string found .*large.* has \d+ bytes/);
    expect(code).toBe(0);
  });

  it('lists keys with --scan', async (context) => {
    const { output } = await run(context, 'redis-cli', ['--scan', '--pattern', '*a*']);

    expect(output.trim().split('\n').sort()).toEqual(['large', 'small']);
  });

  it('shows the load with --stat', async (context) => {
    // Into a pipe the tool writes blocks of 4 KB, so it is asked for many lines in a short time.
    const wanted = /^3\s+\S+[KMGB]\s+\d+\s+\d+/m;
    const { output } = await run(context, 'redis-cli', ['--stat', '-i', '0.01'], { wanted });

    expect(output).toMatch(/keys\s+mem\s+clients/);
    expect(output).toMatch(wanted);
  });

  it('measures with --latency', async (context) => {
    // It ends by itself after the second that it is given.
    const { output } = await run(context, 'redis-cli', ['--latency', '-i', '1', '--csv']);

    expect(output).toMatch(/^\d+,\d+,[\d.]+,\d+/m);
    expect(output).not.toMatch(/error/i);
  });
});

const BENCHMARKS: readonly (readonly [string, readonly string[]])[] = [
  ['one by one', []],
  ['pipelined', ['-P', '16']],
  ['with random keys and longer values', ['-r', '1000', '-d', '100', '-P', '8']],
];

const DEFAULT_SET = [
  ...['PING_INLINE', 'PING_MBULK', 'SET', 'GET', 'INCR', 'LPUSH', 'RPUSH', 'LPOP', 'RPOP', 'SADD'],
  ...['HSET', 'SPOP', 'ZADD', 'ZPOPMIN', 'LRANGE_100 (first 100 elements)', 'MSET (10 keys)'],
  ...['LRANGE_300 (first 300 elements)', 'LRANGE_600 (first 600 elements)'],
];

describe('redis-benchmark', () => {
  for (const [protocol, choice] of [['RESP2'], ['RESP3', '-3']]) {
    it(`finishes all that it tests by default with ${protocol}`, async (context) => {
      const args = ['-n', '1000', '-P', '8', '--csv', ...(choice === undefined ? [] : [choice])];

      const { output, code } = await run(context, 'redis-benchmark', args);

      for (const test of DEFAULT_SET) expect(output).toContain(`"${test}",`);
      expect(output).not.toMatch(/error/i);
      expect(code).toBe(0);
    });
  }

  for (const [manner, args] of BENCHMARKS) {
    it(`finishes its string tests ${manner}`, async (context) => {
      const tests = ['-t', 'ping,set,get,incr,mset', '-n', String(BENCHMARK_REQUESTS), '--csv'];

      const { output, code } = await run(context, 'redis-benchmark', [...tests, ...args]);

      for (const test of ['PING_INLINE', 'PING_MBULK', 'SET', 'GET', 'INCR', 'MSET (10 keys)']) {
        expect(output).toContain(`"${test}",`);
      }
      expect(output).not.toMatch(/error/i);
      expect(code).toBe(0);
    });
  }
});
