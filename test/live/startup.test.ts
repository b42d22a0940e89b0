// How the process starts, refuses to start, and ends.

import { type ChildProcess, spawn } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { programMappings } from '../../src/server/resident.js';
import { printReply, textOf } from '../support/resp.js';
import {
  type Client,
  commandOf,
  connect,
  freePort,
  type Server,
  startServer,
} from '../support/server.js';

/** No more than a test has: who needs it all hangs. */
const END_MS_MAX = 45_000;
const IS_LINUX = process.platform === 'linux';

interface Ended {
  readonly code: number | null;
  readonly signal: string | null;
  readonly text: string;
}

let folder: string;
const children: ChildProcess[] = [];
beforeEach(() => {
  folder = mkdtempSync(path.join(os.tmpdir(), 'flagstone-start-'));
});
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  rmSync(folder, { recursive: true, force: true });
});

/** Runs the server to its end. `prefix` is a shell's: a limit to set first. */
function run(args: readonly string[], options: { prefix?: string; input?: string } = {}) {
  const child = start(args, options.prefix);
  child.stdin?.end(options.input ?? '');
  return endOf(child);
}

function start(args: readonly string[], prefix = ''): ChildProcess {
  const words = [...commandOf(), ...args];
  const child =
    prefix === ''
      ? spawn(words[0]!, words.slice(1), { cwd: folder })
      : spawn('/bin/sh', ['-c', `${prefix}; exec "$@"`, 'sh', ...words], { cwd: folder });
  children.push(child);
  return child;
}

function endOf(child: ChildProcess): Promise<Ended> {
  let text = '';
  child.stdout?.setEncoding('utf8').on('data', (piece: string) => {
    text += piece;
  });
  child.stderr?.setEncoding('utf8').on('data', (piece: string) => {
    text += piece;
  });
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      reject(new Error(`it did not end:\n${text}`));
    }, END_MS_MAX);
    child.once('close', (code, signal) => {
      clearTimeout(timer);
      resolve({ code, signal, text });
    });
  });
}

async function answers(port: number | string): Promise<boolean> {
  const deadline = performance.now() + END_MS_MAX;
  while (performance.now() < deadline) {
    try {
      const client = await connect(port);
      const reply = printReply(await client.command('PING'));
      client.close();
      // The other threads serve before the first one knows that there is nothing to load.
      if (!reply.startsWith('-LOADING')) return reply === '+PONG';
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
  return false;
}

/** Those who have closed their connections have left the server, too. */
async function untilAlone(client: Client): Promise<void> {
  const isAlone = async () =>
    expect(textOf(await client.command('INFO', 'clients'))).toContain('connected_clients:1\r\n');
  await vi.waitFor(isAlone, { timeout: END_MS_MAX });
}

const TRANSPORTS = ['native', 'node'] as const;

describe('what it says and leaves', () => {
  it('prints its version and its help', async () => {
    for (const word of ['--version', '-v']) {
      expect(await run([word])).toMatchObject({
        code: 0,
        text: expect.stringMatching(/v=7\.2\.6/),
      });
    }
    expect(await run(['--help'])).toMatchObject({
      code: 0,
      text: expect.stringContaining('Usage'),
    });
  });

  it.each([
    ['an unknown parameter', ['--no-such-parameter', 'yes'], /Bad directive/],
    ['a bad value', ['--maxclients', 'many'], /maxclients/],
    ['a value out of range', ['--partition-size', '4gb'], /partition-size/],
    ['a missing file', ['/no/such/file.conf'], /can't open config file/],
    ['a missing directory', ['--dir', '/no/such/directory'], /No such file or directory/],
    ['the wish for the background', ['--daemonize', 'yes'], /systemd/],
    ['a host that is not here', ['--bind', '192.0.2.1'], /listen/i],
  ])('refuses %s with a sentence and exit code 1', async (_, args, sentence) => {
    const ended = await run([...args, '--port', String(await freePort())]);
    expect(ended).toMatchObject({ code: 1, text: expect.stringMatching(sentence) });
    expect(ended.text).not.toMatch(/\n\s+at /);
  });

  it.skipIf(process.getuid?.() === 0)('refuses a directory it may not write', async () => {
    chmodSync(folder, 0o500);
    expect(await run(['--dir', folder])).toMatchObject({
      code: 1,
      text: expect.stringContaining('cannot be used'),
    });
    chmodSync(folder, 0o700);
  });

  it.each(TRANSPORTS)('refuses a port in use (%s)', async (transport) => {
    const holder = net.createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => holder.once('listening', resolve));
    const { port } = holder.address() as net.AddressInfo;
    const args = ['--port', String(port), '--bind', '127.0.0.1', '--transport', transport];
    expect(await run(args)).toMatchObject({ code: 1, text: expect.stringMatching(/in use/i) });
    holder.close();
  });

  it('warns of more threads than cores', async () => {
    const cores = os.availableParallelism();
    const line = /threads is \d+, and this process may use \d+ core/;
    for (const [threads, isWarned] of [[cores + 1, true] as const, [cores, false] as const]) {
      const server = await startServer({ threads, partitions: 1 });
      expect(line.test(server.printed)).toBe(isWarned);
      await server.stop();
    }
  });

  it('says in its log that a thread cannot be loaded, and whose fault it is', async () => {
    const breaking = path.join(folder, 'breaking.cjs');
    // What every thread loads first, by the words with which Node was started.
    writeFileSync(
      breaking,
      "if (!require('node:worker_threads').isMainThread) throw new Error('a file is missing');\n",
    );
    const [program, ...words] = commandOf();
    const args = ['--port', String(await freePort()), '--logfile', 'server.log', '--dir', folder];
    const child = spawn(program!, ['--require', breaking, ...words, ...args], { cwd: folder });
    children.push(child);
    expect((await endOf(child)).code).toBe(1);
    const log = readFileSync(path.join(folder, 'server.log'), 'utf8');
    expect(log.match(/crashed by Error: a file is missing/g)).toHaveLength(1);
  });
});

describe('configuration', () => {
  it('comes from standard input', async () => {
    const port = await freePort();
    const child = start(['-', '--threads', '1']);
    const ended = endOf(child);
    child.stdin?.end(`port ${port}\nbind 127.0.0.1\nsave ""\nmaxclients 77\n`);
    expect(await answers(port)).toBe(true);
    const client = await connect(port);
    expect(printReply(await client.command('CONFIG', 'GET', 'maxclients'))).toContain('77');
    client.close();
    child.kill('SIGTERM');
    expect(await ended).toMatchObject({ code: 0 });
  });

  it('comes from a file that includes others', async () => {
    const port = await freePort();
    mkdirSync(path.join(folder, 'conf.d'));
    writeFileSync(path.join(folder, 'conf.d', 'one.conf'), 'maxclients 55\n');
    writeFileSync(path.join(folder, 'conf.d', 'two.conf'), 'timeout 66\n');
    const file = path.join(folder, 'flagstone.conf');
    writeFileSync(file, `port ${port}\nbind 127.0.0.1\nsave ""\ninclude ${folder}/conf.d/*.conf\n`);
    const child = start([file, '--threads', '1']);
    const ended = endOf(child);
    expect(await answers(port)).toBe(true);
    const client = await connect(port);
    const reply = printReply(await client.command('CONFIG', 'GET', 'maxclients', 'timeout'));
    expect(reply).toContain('55');
    expect(reply).toContain('66');
    client.close();
    child.kill('SIGTERM');
    expect(await ended).toMatchObject({ code: 0 });
  });
});

describe.each(TRANSPORTS)('the end (%s transport)', (transport) => {
  const begin = async (...args: string[]) => {
    const port = await freePort();
    const child = start([
      ...['--port', String(port), '--bind', '127.0.0.1', '--transport', transport],
      ...['--threads', '2', '--save', '', '--enable-debug-command', 'yes'],
      ...['--pidfile', path.join(folder, 'pid'), '--unixsocket', path.join(folder, 'socket')],
      ...['--unixsocketperm', '700', ...args],
    ]);
    const ended = endOf(child);
    expect(await answers(port)).toBe(true);
    return { port, child, ended };
  };

  /** Returns when the command has begun: what is said right before it stands in the log. */
  const sleeps = async (child: ChildProcess, client: Client, seconds: string) => {
    const isSaid = new Promise<void>((resolve) => {
      child.stdout?.on('data', (piece: string) => {
        if (piece.includes('falls asleep')) resolve();
      });
    });
    const commands = [
      ['DEBUG', 'LOG', 'falls asleep'],
      ['DEBUG', 'SLEEP', seconds],
    ];
    void client.pipeline(commands).catch(() => {});
    await isSaid;
  };

  it.each(['SIGTERM', 'SIGINT'] as const)('comes in order by %s', async (signal) => {
    const { child, ended, port } = await begin();
    expect(await answers(path.join(folder, 'socket'))).toBe(true);
    // Written when all threads serve: the first may have answered before.
    // On a busy machine the other threads take seconds.
    await vi.waitFor(
      () => {
        expect(readFileSync(path.join(folder, 'pid'), 'latin1')).toBe(`${child.pid}\n`);
      },
      { timeout: 30_000 },
    );
    const client = await connect(port);
    child.kill(signal);
    expect(await ended).toMatchObject({ code: 0, text: expect.stringContaining('bye bye') });
    expect(await client.closedWithin(END_MS_MAX)).toBe(true);
    expect(existsSync(path.join(folder, 'pid'))).toBe(false);
    expect(existsSync(path.join(folder, 'socket'))).toBe(false);
  });

  it.each([[[]], [['NOSAVE']], [['NOW', 'FORCE']]])('comes by SHUTDOWN %j', async (words) => {
    const { port, ended } = await begin();
    const client = await connect(port);
    await expect(client.command('SHUTDOWN', ...words)).rejects.toThrow('closed');
    expect(await ended).toMatchObject({ code: 0 });
    expect(existsSync(path.join(folder, 'pid'))).toBe(false);
  });

  it('waits for a command in progress; a second SIGTERM changes nothing', async () => {
    const { port, child, ended } = await begin();
    const client = await connect(port);
    await sleeps(child, client, '0.5');
    child.kill('SIGTERM');
    await new Promise((resolve) => setTimeout(resolve, 100));
    child.kill('SIGTERM');
    expect(await ended).toMatchObject({ code: 0 });
  });

  it('comes at once by a second SIGINT', async () => {
    const { port, child, ended } = await begin();
    const client = await connect(port);
    await sleeps(child, client, '5');
    // Two signals at the same moment are one: it goes on until it is understood.
    const timer = setInterval(() => child.kill('SIGINT'), 200);
    const end = await ended;
    clearInterval(timer);
    expect(end).toMatchObject({ code: 1, text: expect.stringContaining('You insist') });
  });

  it('is not brought about by SIGHUP, or by nobody reading its output', async () => {
    const { port, child, ended } = await begin('--loglevel', 'verbose');
    child.stdout?.destroy();
    child.kill('SIGHUP');
    child.kill('SIGPIPE');
    const client = await connect(port);
    for (let round = 0; round < 20; round++) await client.command('DEBUG', 'LOG', 'x'.repeat(1000));
    expect(printReply(await client.command('PING'))).toBe('+PONG');
    client.close();
    child.kill('SIGTERM');
    expect(await ended).toMatchObject({ code: 0 });
  });
});

describe.each(TRANSPORTS)('the unix socket (%s transport)', (transport) => {
  const args = (socket: string) => [
    ...['--port', '0', '--threads', '1', '--save', '', '--transport', transport],
    ...['--unixsocket', socket],
  ];

  it('replaces one that a killed server left, and refuses one that is in use', async () => {
    const socket = path.join(folder, 'socket');
    const killed = start(args(socket));
    const end = endOf(killed);
    expect(await answers(socket)).toBe(true);
    expect(await run(args(socket))).toMatchObject({
      code: 1,
      text: expect.stringContaining('another server listens'),
    });
    expect(await answers(socket)).toBe(true);
    killed.kill('SIGKILL');
    await end;
    expect(existsSync(socket)).toBe(true);

    const next = start(args(socket));
    const ended = endOf(next);
    expect(await answers(socket)).toBe(true);
    next.kill('SIGTERM');
    expect(await ended).toMatchObject({ code: 0 });
  });

  it('leaves a file alone that is no socket', async () => {
    const file = path.join(folder, 'precious');
    writeFileSync(file, 'data');
    expect(await run(args(file))).toMatchObject({
      code: 1,
      text: expect.stringContaining('not a socket'),
    });
    expect(readFileSync(file, 'latin1')).toBe('data');
  });
});

describe('on a small machine', () => {
  it.skipIf(!IS_LINUX)('reserves less where address space is limited, and says so', async () => {
    const port = await freePort();
    const child = start(
      ['--port', String(port), '--bind', '127.0.0.1', '--threads', '2', '--save', ''],
      'ulimit -v 8000000',
    );
    const ended = endOf(child);
    expect(await answers(port)).toBe(true);
    const client = await connect(port);
    for (let index = 0; index < 100; index++) {
      expect(printReply(await client.command('SET', `key:${index}`, 'x'.repeat(100_000)))).toBe(
        '+OK',
      );
    }
    client.close();
    child.kill('SIGTERM');
    expect(await ended).toMatchObject({
      code: 0,
      text: expect.stringMatching(/does not reserve 64 partitions .*ulimit -v/),
    });
  });

  it.skipIf(!IS_LINUX)('says why when there is too little even for that', async () => {
    const ended = await run(['--threads', '8', '--port', '0'], { prefix: 'ulimit -v 1900000' });
    expect(ended).toMatchObject({ code: 1, text: expect.stringContaining('ulimit -v') });
  });

  it('says why when there are more databases than its partitions have room for', async () => {
    const ended = await run(['--databases', '2147483647', '--port', '0']);
    expect(ended).toMatchObject({ code: 1, text: expect.stringContaining('fewer --databases') });
    expect(ended.text).not.toContain('BUG REPORT');
  });

  it.skipIf(!IS_LINUX)('lowers maxclients to the limit of open files', async () => {
    const port = await freePort();
    const child = start(
      ['--port', String(port), '--bind', '127.0.0.1', '--threads', '2', '--save', ''],
      'ulimit -n 256',
    );
    const ended = endOf(child);
    expect(await answers(port)).toBe(true);
    const client = await connect(port);
    expect(printReply(await client.command('CONFIG', 'GET', 'maxclients'))).toContain('192');
    await untilAlone(client);
    const many = await Promise.all(Array.from({ length: 191 }, () => connect(port)));
    for (const each of many) expect(printReply(await each.command('PING'))).toBe('+PONG');
    const last = await connect(port);
    expect(printReply(await last.read())).toBe('-ERR max number of clients reached');
    for (const each of [...many, client, last]) each.close();
    child.kill('SIGTERM');
    expect(await ended).toMatchObject({ code: 0, text: expect.stringContaining('ulimit -n') });
  });
});

/** The share of Node's code and tables that is in memory for this process. */
function programShare(pid: number): number {
  const maps = readFileSync(`/proc/${pid}/maps`, 'latin1');
  const heads = programMappings(maps, process.execPath).map(({ start }) => start.toString(16));
  let [bytes, resident] = [0, 0];
  for (const text of readFileSync(`/proc/${pid}/smaps`, 'latin1').split(/^(?=[0-9a-f]+-)/m)) {
    if (!heads.some((head) => text.startsWith(`${head.padStart(8, '0')}-`))) continue;
    bytes += Number(/^Size:\s+(\d+)/m.exec(text)![1]);
    resident += Number(/^Rss:\s+(\d+)/m.exec(text)![1]);
  }
  return resident / bytes;
}

describe('how much it takes', () => {
  // How soon it answers is measured on a quiet machine: npm run bench -- start.
  it('holds little while idle', async () => {
    let server: Server | null = null;
    try {
      server = await startServer({ threads: 2 });
      const client = await server.connect();
      const info = textOf(await client.command('INFO', 'memory')) ?? '';
      const residentMb = Number(/used_memory_rss:(\d+)/.exec(info)?.[1]) / 2 ** 20;
      client.close();
      expect(residentMb).toBeLessThan(400);
    } finally {
      await server?.stop();
    }
  });

  it.skipIf(process.platform !== 'linux')(
    'lets go of what only the start needed',
    async () => {
      const server = await startServer({ threads: 1 });
      try {
        // About half of it is read by a start, a fifth is left.
        await vi.waitFor(() => expect(programShare(server.pid)).toBeLessThan(0.4), 20_000);
        const client = await server.connect();
        expect(printReply(await client.command('PING'))).toBe('+PONG');
        client.close();
      } finally {
        await server.stop();
      }
    },
    60_000,
  );

  it.skipIf(process.platform !== 'linux')(
    'gives back what clients have left, when asked',
    async () => {
      const server = await startServer({ threads: 1 });
      const resident = () => {
        const status = readFileSync(`/proc/${server.pid}/status`, 'latin1');
        return Number(/^VmRSS:\s+(\d+) kB/m.exec(status)![1]) / 1024;
      };
      try {
        const client = await server.connect();
        const before = resident();
        // Arguments that never come to their end, in buffers of their own.
        const start = `*3\r\n$3\r\nSET\r\n$1\r\na\r\n$${8 * 2 ** 20}\r\n`;
        const bytes = Buffer.from(start + 'x'.repeat(4 * 2 ** 20));
        const others = await Promise.all(Array.from({ length: 12 }, () => server.connect()));
        await Promise.all(others.map((other) => other.send(bytes)));
        await vi.waitFor(() => expect(resident()).toBeGreaterThan(before + 30), 20_000);
        for (const other of others) other.close();
        await untilAlone(client);
        expect(printReply(await client.command('MEMORY', 'PURGE'))).toBe('+OK');
        // V8 finds them by itself as well, a quarter of a minute later.
        await vi.waitFor(() => expect(resident()).toBeLessThan(before + 15), 10_000);
        client.close();
      } finally {
        await server.stop();
      }
    },
    60_000,
  );
});
