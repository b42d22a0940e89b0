// Scripts on a running server: what one connection loads all know, and what becomes of the others
// while a script keeps the server busy.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeCommands, isError, printReply, textOf } from '../support/resp.js';
import { type Client, type Server, startServer } from '../support/server.js';

const CLIENTS = 6;
const DEADLINE_MS = 20_000;
/** Long scripts take a machine's time, not the server's patience. */
const TEST_MS_MAX = 60_000;
const ERROR = /^-/;
const BUSY = /^-"?BUSY Redis is busy running a script\. You can only call SCRIPT KILL/;
const LOOP = 'while true do end';
/** Writes, and then runs until nobody is interested any more, at most some seconds. */
const WRITING =
  "redis.call('set', KEYS[1], 'written') local t = redis.call('time') " +
  "for i = 1, tonumber(ARGV[1]) do local x = i * i end return 'done'";

const SHAPES = [
  { transport: 'native', threads: 1 },
  { transport: 'native', threads: 2 },
  { transport: 'epoll', threads: 2 },
  { transport: 'node', threads: 2 },
] as const;

async function say(client: Client, ...words: string[]): Promise<string> {
  return printReply(await client.command(...words), 'short');
}

/** Asks until the answer is as wanted. */
async function until(ask: () => Promise<string>, wanted: RegExp): Promise<string> {
  const deadline = Date.now() + DEADLINE_MS;
  for (;;) {
    const answer = await ask();
    if (wanted.test(answer)) return answer;
    if (Date.now() > deadline) throw new Error(`never ${wanted}, but ${answer}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

describe.each(SHAPES)('$transport transport, $threads workers', (shape) => {
  let server: Server;
  const clients: Client[] = [];
  beforeAll(async () => {
    server = await startServer({ ...shape, args: ['--busy-reply-threshold', '50'] });
    for (let count = 0; count < CLIENTS; count++) clients.push(await server.connect());
  });
  afterAll(async () => {
    for (const client of clients) client.close();
    await server.stop();
  });

  it('may take long behind a SAVE, whose end comes as a message', async () => {
    const [client, other] = clients;
    const long = 'for i = 1, tonumber(ARGV[1]) do local x = i * i end return 7';
    const replies = [
      say(client!, 'SAVE'),
      say(client!, 'EVAL', long, '0', '30000000'),
      say(client!, 'PING'),
    ];
    expect(await Promise.all(replies)).toEqual(['OK', '7', 'PONG']);
    expect(await until(() => say(other!, 'PING'), /PONG/)).toBe('PONG');
  });

  it('lets every connection run what one has loaded, until one flushes', async () => {
    const [first] = clients;
    for (let round = 0; round < 20; round++) {
      const sha = JSON.parse(await say(first!, 'SCRIPT', 'LOAD', `return ${round}`));
      for (const client of clients) expect(await say(client, 'EVALSHA', sha, '0')).toBe(`${round}`);
      await say(clients[round % CLIENTS]!, 'SCRIPT', 'FLUSH');
      for (const client of clients) {
        expect(await say(client, 'EVALSHA', sha, '0')).toMatch(/NOSCRIPT/);
      }
    }
  });

  it('runs scripts of one key on all threads as single steps', async () => {
    const script = "local n = redis.call('get', KEYS[1]) redis.call('set', KEYS[1], n + 1)";
    await say(clients[0]!, 'SET', 'count', '0');
    // On a busy machine any script may stand still for longer than the threshold of these tests.
    await say(clients[0]!, 'CONFIG', 'SET', 'busy-reply-threshold', '60000');
    await Promise.all(
      clients.map(async (client) => {
        for (let round = 0; round < 200; round++) await say(client, 'EVAL', script, '1', 'count');
      }),
    );
    await say(clients[0]!, 'CONFIG', 'SET', 'busy-reply-threshold', '50');
    expect(await say(clients[0]!, 'GET', 'count')).toBe(`"${CLIENTS * 200}"`);
  });

  // A loop of Node's cannot be turned from within: there those of the script's own thread wait.
  const busy = shape.transport !== 'node' ? it : it.skip;

  busy(
    'answers BUSY to the others while a script runs for long, and SCRIPT KILL ends it',
    async () => {
      const [runner, ...others] = clients;
      await say(others[0]!, 'SET', 'k', 'v');
      const killed = runner!.command('EVAL', LOOP, '0');
      for (const other of others) await until(() => say(other, 'GET', 'k'), BUSY);
      expect(await say(others[1]!, 'PING')).toMatch(BUSY);
      expect(await say(others[1]!, 'EVAL', 'return 1', '0')).toMatch(BUSY);
      expect(await say(others[2]!, 'MULTI')).toBe('OK');
      expect(await say(others[2]!, 'GET', 'k')).toMatch(BUSY);
      expect(await say(others[2]!, 'EXEC')).toMatch(/EXECABORT/);
      const late = await server.connect();
      expect(await say(late, 'PING')).toMatch(BUSY);
      late.close();
      expect(await say(others[3]!, 'SCRIPT', 'KILL')).toBe('OK');
      expect(printReply(await killed, 'short')).toMatch(/Script killed by user with SCRIPT KILL/);
      for (const client of clients) expect(await say(client, 'GET', 'k')).toBe('"v"');
      expect(await say(others[0]!, 'SCRIPT', 'KILL')).toMatch(/NOTBUSY/);
    },
  );

  busy('takes requests of any length while a script runs, and answers them after it', async () => {
    const text = 'long'.repeat(250_000);
    const talkers = await Promise.all(Array.from({ length: 4 }, () => server.connect()));
    for (let round = 0; round < 5; round++) {
      const killed = clients[0]!.command('EVAL', LOOP, '0');
      await until(() => say(clients[1]!, 'GET', 'k'), BUSY);
      const replies = talkers.map((client) => client.command('ECHO', text));
      // Time for the pauses of the script, in which all of them are read piece by piece.
      await new Promise((resolve) => setTimeout(resolve, 100));
      await until(() => say(clients[1]!, 'SCRIPT', 'KILL'), /^OK$/);
      await killed;
      for (const reply of await Promise.all(replies)) {
        if (!isError(reply)) expect(textOf(reply) === text).toBe(true);
        else expect(printReply(reply, 'short')).toMatch(BUSY);
      }
    }
    for (const client of talkers) {
      expect(await say(client, 'PING')).toBe('PONG');
      client.close();
    }
    expect(server.isRunning, server.report()).toBe(true);
  });

  busy('can be told to end a script whose own client does not stop talking', async () => {
    const text = 'long'.repeat(250_000);
    const runner = await server.connect();
    const killed = runner.command('EVAL', LOOP, '0');
    // More than a thread has buffers for.
    const replies = Array.from({ length: 8 }, () => runner.command('ECHO', text));
    await until(() => say(clients[1]!, 'GET', 'k'), BUSY);
    await new Promise((resolve) => setTimeout(resolve, 200));
    const late = await server.connect();
    expect(await say(late, 'PING')).toMatch(BUSY);
    expect(await say(late, 'SCRIPT', 'KILL')).toBe('OK');
    expect(printReply(await killed, 'short')).toMatch(/Script killed by user with SCRIPT KILL/);
    for (const reply of await Promise.all(replies)) expect(textOf(reply) === text).toBe(true);
    runner.close();
    late.close();
  });

  // One thread, so that it is certain whose pause it is in which everybody talks.
  const alone = shape.threads === 1 ? it : it.skip;

  alone('answers in the next script what one pause set aside', async () => {
    const [first, second, third] = clients;
    await say(second!, 'WATCH', 'k');
    const one = first!.command('EVAL', LOOP, '0');
    await until(() => say(third!, 'GET', 'k'), BUSY);
    // Whoever watches waits for the end of the script; the script's own client waits as well.
    const two = second!.command('EVAL', LOOP, '0');
    const behind = [first!.command('ECHO', 'x'), first!.command('ECHO', 'y')];
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(await say(third!, 'SCRIPT', 'KILL')).toBe('OK');
    expect(printReply(await one, 'short')).toMatch(/Script killed by user/);
    await until(() => say(third!, 'GET', 'k'), BUSY);
    const late = Promise.all(behind);
    await until(() => say(third!, 'SCRIPT', 'KILL'), /^OK$/);
    expect(printReply(await two, 'short')).toMatch(/Script killed by user/);
    const [x, y] = (await late).map((reply) => printReply(reply, 'short'));
    for (const [reply, text] of [
      [x!, 'x'],
      [y!, 'y'],
    ] as const) {
      if (!BUSY.test(reply)) expect(reply).toBe(`"${text}"`);
    }
    await say(second!, 'UNWATCH');
    const text = 'z'.repeat(50_000);
    for (const client of clients) {
      expect(textOf(await client.command('ECHO', text)) === text).toBe(true);
    }
    expect(server.isRunning, server.report()).toBe(true);
  });

  busy('kills a script that catches its errors, and one that is inside of a pattern', async () => {
    const scripts = [
      'while true do pcall(function() while true do end end) end',
      "return string.find(string.rep('a', 50), string.rep('a-', 30) .. 'b')",
      'local f = coroutine.wrap(function() while true do end end) f()',
    ];
    for (const script of scripts) {
      const killed = clients[0]!.command('EVAL', script, '0');
      await until(() => say(clients[1]!, 'SCRIPT', 'KILL'), /^OK$/);
      expect(printReply(await killed, 'short')).toMatch(/killed|nil value|nonexistent/);
      expect(await say(clients[0]!, 'EVAL', 'return 1', '0')).toBe('1');
    }
  });

  busy('does not kill a script that has written', async () => {
    await clients[0]!.send(encodeCommands([['EVAL', WRITING, '1', 'k', '150000000']]));
    const done = clients[0]!.read(TEST_MS_MAX);
    await until(() => say(clients[1]!, 'GET', 'k'), BUSY);
    expect(await say(clients[1]!, 'SCRIPT', 'KILL')).toMatch(/UNKILLABLE/);
    expect(printReply(await done, 'short')).toBe('"done"');
    expect(await say(clients[1]!, 'GET', 'k')).toBe('"written"');
  });

  busy('lets clients that wait for keys time out and leave meanwhile', async () => {
    const waiter = await server.connect();
    const leaver = await server.connect();
    const watcher = await server.connect();
    await say(watcher, 'WATCH', 'k');
    const waiting = waiter.command('BLPOP', 'list', '0.2');
    void leaver.command('BLPOP', 'list', '0').catch(() => {});
    await until(() => say(clients[1]!, 'CLIENT', 'LIST'), /cmd=blpop.*cmd=blpop/s);
    const killed = clients[0]!.command('EVAL', LOOP, '0');
    await until(() => say(clients[1]!, 'GET', 'k'), BUSY);
    leaver.close();
    watcher.close();
    await new Promise((resolve) => setTimeout(resolve, 400));
    expect(await say(clients[2]!, 'SCRIPT', 'KILL')).toBe('OK');
    await killed;
    expect(printReply(await waiting, 'short')).toBe('(nil array)');
    // Its end is seen in the next turn of its thread.
    await until(() => say(clients[1]!, 'INFO', 'clients'), /blocked_clients:0/);
    expect(await say(clients[1]!, 'RPUSH', 'list', 'x')).toBe('1');
    expect(await say(clients[1]!, 'LPOP', 'list')).toBe('"x"');
    waiter.close();
  });

  it('survives scripts without end in memory and depth', async () => {
    const scripts = [
      "local t = {} while true do t[#t + 1] = string.rep('x', 1000000) .. #t end",
      'local function f() return f() + 1 end return f()',
      "return string.rep('x', 2000000000)",
    ];
    for (const script of scripts) {
      await clients[0]!.send(encodeCommands([['EVAL', script, '0']]));
      expect(printReply(await clients[0]!.read(TEST_MS_MAX), 'short')).toMatch(ERROR);
      expect(await say(clients[0]!, 'EVAL', 'return 1', '0')).toBe('1');
    }
  });
});

describe('SHUTDOWN NOSAVE while a script keeps the server busy', () => {
  it.each([1, 2])('ends the server with %d workers', async (threads) => {
    const args = ['--busy-reply-threshold', '50', '--save', ''];
    const server = await startServer({ threads, transport: 'native', args });
    const first = await server.connect();
    const second = await server.connect();
    await say(second, 'PING');
    void first.command('EVAL', `redis.call('set', KEYS[1], 1) ${LOOP}`, '1', 'k').catch(() => {});
    await until(() => say(second, 'GET', 'k'), BUSY);
    expect(await say(second, 'SHUTDOWN')).toMatch(BUSY);
    void second.command('SHUTDOWN', 'NOSAVE').catch(() => {});
    expect(await server.ended).toMatch(/0/);
    await server.stop();
  });
});
