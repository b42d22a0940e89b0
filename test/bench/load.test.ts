import { createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { Histogram } from '../../native-free-bench/histogram.js';
import type { LoadPlan } from '../../native-free-bench/load.js';
import { LoadCrew, splitPlan } from '../../native-free-bench/load-threads.js';
import { parseMix } from '../../native-free-bench/mix.js';
import { SILENT } from '../../native-free-bench/progress.js';
import { runBenchmark } from '../../native-free-bench/run.js';

/** A RESP server that does just enough to be measured, and counts what it is asked. */
class SmallServer {
  readonly keys = new Map<string, string>();
  readonly asked = new Map<string, number>();
  readonly sockets = new Set<Socket>();
  private readonly server: Server = createServer((socket) => this.serve(socket));

  /** What to answer instead, by command name. */
  constructor(private readonly wrong: Readonly<Record<string, string>> = {}) {}

  async listen(): Promise<number> {
    await new Promise<void>((resolve) => this.server.listen(0, '127.0.0.1', resolve));
    const address = this.server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }

  private serve(socket: Socket): void {
    let rest = '';
    this.sockets.add(socket);
    socket.on('close', () => this.sockets.delete(socket));
    socket.on('error', () => socket.destroy());
    socket.on('data', (chunk) => {
      rest += chunk.toString('latin1');
      let out = '';
      for (let words = take(); words !== null; words = take()) out += this.answer(words);
      if (out !== '') socket.write(out);
    });
    const take = () => {
      const count = /^\*(\d+)\r\n/.exec(rest);
      if (count === null) return null;
      const words: string[] = [];
      let at = count[0].length;
      for (let index = 0; index < Number(count[1]); index += 1) {
        const head = /^\$(\d+)\r\n/.exec(rest.slice(at, at + 16));
        if (head === null) return null;
        const start = at + head[0].length;
        at = start + Number(head[1]) + 2;
        if (rest.length < at) return null;
        words.push(rest.slice(start, at - 2));
      }
      rest = rest.slice(at);
      return words;
    };
  }

  private answer([name = '', key = '', value = '']: readonly string[]): string {
    this.asked.set(name, (this.asked.get(name) ?? 0) + 1);
    const wrong = this.wrong[name];
    if (wrong !== undefined) return wrong;
    const bulk = (text: string | undefined) =>
      text === undefined ? '$-1\r\n' : `$${text.length}\r\n${text}\r\n`;
    switch (name) {
      case 'SET':
        this.keys.set(key, value);
        return '+OK\r\n';
      case 'GET':
        return bulk(this.keys.get(key));
      case 'INCR':
        this.keys.set(key, String(Number(this.keys.get(key) ?? 0) + 1));
        return `:${this.keys.get(key)}\r\n`;
      case 'INFO':
        return bulk(
          `connected_clients:${this.sockets.size}\r\nused_memory:${this.keys.size * 50}\r\n` +
            'used_memory_rss:1048576\r\nused_cpu_user:1.5\r\nused_cpu_sys:0.5\r\n',
        );
      case 'DBSIZE':
        return `:${this.keys.size}\r\n`;
      case 'FLUSHALL':
        this.keys.clear();
        return '+OK\r\n';
      default:
        return name === 'PING' ? '+PONG\r\n' : '+OK\r\n';
    }
  }
}

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function startServer(wrong: Readonly<Record<string, string>> = {}) {
  const server = new SmallServer(wrong);
  const port = await server.listen();
  cleanups.push(() => server.close());
  return { server, port };
}

function startCrew(threads: number): LoadCrew {
  const crew = new LoadCrew(threads);
  cleanups.push(() => crew.end());
  return crew;
}

function planFor(port: number, mix: string, changes: Partial<LoadPlan> = {}): LoadPlan {
  return {
    ...{ host: '127.0.0.1', port, greeting: [], connections: 3, pipeline: 4, keys: 10, size: 8 },
    ...{ distribution: { kind: 'uniform' }, entries: parseMix(mix).entries, seed: 1 },
    ...{ count: 1001, seconds: null },
    ...changes,
  };
}

describe('the load generator', () => {
  test.each([0, 1, 2])('sends exactly the commands asked for (%i threads)', async (threads) => {
    const { server, port } = await startServer();
    const result = await startCrew(threads).run(planFor(port, 'INCR'));
    expect(result.commands).toBe(1001);
    expect(server.asked.get('INCR')).toBe(1001);
    const values = [...server.keys.values()].map(Number);
    expect(values.reduce((sum, value) => sum + value, 0)).toBe(1001);
    expect([...server.keys.keys()].sort()).toEqual(
      Array.from({ length: 10 }, (_, key) => `counter:00000000000${key}`),
    );
    expect([result.errors, result.wrongTypes, result.unexpected]).toEqual([0, 0, 0]);
  });

  test('measures plausible latencies: in order, within the length of the run', async () => {
    const { port } = await startServer();
    const result = await startCrew(0).run(planFor(port, 'getset', { pipeline: 1 }));
    const latency = new Histogram();
    latency.merge(result.latency);
    expect(latency.count()).toBe(1001);
    const marks = [0, 50, 99, 99.9, 100].map((percent) => latency.percentile(percent));
    expect(marks).toEqual([...marks].sort((a, b) => a - b));
    expect(marks[0]).toBeGreaterThan(1000); // no reply crosses a socket in a microsecond
    expect(latency.max()).toBeLessThanOrEqual(result.elapsedMs * 1e6);
    // Three connections were busy all the time, so their latencies fill three times the run.
    const busyMs = (latency.mean() * latency.count()) / 1e6;
    expect(busyMs).toBeLessThanOrEqual(result.elapsedMs * 3);
    expect(busyMs).toBeGreaterThan(result.elapsedMs / 2);
  });

  test('ends after the seconds asked for, and when it is told to stop', async () => {
    const { port } = await startServer();
    const crew = startCrew(1);
    const timed = await crew.run(planFor(port, 'PING', { count: null, seconds: 0.1 }));
    expect(timed.elapsedMs).toBeGreaterThanOrEqual(100);
    expect(timed.commands).toBeGreaterThan(0);
    const session = await crew.open(planFor(port, 'PING', { count: null, seconds: 60 }));
    const running = session.run();
    setTimeout(() => session.stop(), 50);
    expect((await running).elapsedMs).toBeLessThan(10_000);
    await session.close();
  });

  test('gives the same sum of replies for the same seed, and notices a changed reply', async () => {
    const sums: number[] = [];
    for (const wrong of [{}, {}, { GET: '$3\r\nbad\r\n' }]) {
      const { port } = await startServer(wrong);
      const crew = startCrew(0);
      const fill = { distribution: { kind: 'sequential', first: 0, step: 1 } as const, count: 10 };
      await crew.run(planFor(port, 'SET', fill));
      sums.push((await crew.run(planFor(port, 'getset'))).checksum);
    }
    expect(sums[1]).toBe(sums[0]);
    expect(sums[2]).not.toBe(sums[0]);
  });

  test('counts error replies and replies of a wrong type', async () => {
    const { port } = await startServer({ SET: '-OOM full\r\n', GET: ':1\r\n' });
    const failing = await startCrew(1).run(planFor(port, 'SET'));
    expect(failing.errors).toBe(1001);
    expect(failing.errorTexts).toEqual([['OOM full', 1001]]);
    const wrong = await startCrew(0).run(planFor(port, 'GET'));
    expect([wrong.errors, wrong.wrongTypes]).toEqual([0, 1001]);
  });

  test('greets first, and fails with the refusal where the greeting is refused', async () => {
    const { server, port } = await startServer({ SELECT: '-ERR no such database\r\n' });
    const greeting = [['AUTH', 'secret']];
    await startCrew(0).run(planFor(port, 'PING', { greeting }));
    expect(server.asked.get('AUTH')).toBe(3);
    const refused = planFor(port, 'PING', { greeting: [['SELECT', '99']] });
    await expect(startCrew(1).run(refused)).rejects.toThrow('no such database');
  });

  test.each([0, 1])('fails where the server hangs up or is not there (%i threads)', async (n) => {
    const { server, port } = await startServer();
    const session = await startCrew(n).open(planFor(port, 'PING', { count: null, seconds: 60 }));
    const running = session.run();
    setTimeout(() => {
      for (const socket of server.sockets) socket.destroy();
    }, 30);
    await expect(running).rejects.toThrow(/closed the connection|ECONNRESET|EPIPE/);
    await session.close();
    await server.close();
    cleanups.splice(0, 1);
    await expect(startCrew(n).open(planFor(port, 'PING'))).rejects.toThrow('ECONNREFUSED');
  });

  test('shares out connections, commands and keys without losing any', () => {
    const whole = planFor(1, 'SET', {
      ...{ connections: 7, count: 100, keys: 100 },
      distribution: { kind: 'sequential', first: 0, step: 1 },
    });
    const parts = splitPlan(whole, 3);
    expect(parts.map((part) => part.connections)).toEqual([3, 2, 2]);
    expect(parts.map((part) => part.count)).toEqual([34, 33, 33]);
    expect(parts.map((part) => part.distribution)).toEqual(
      [0, 1, 2].map((first) => ({ kind: 'sequential', first, step: 3 })),
    );
    expect(splitPlan(whole, 50).length).toBe(7);
  });
});

describe('a benchmark of a running server', () => {
  async function bench(port: number, ...more: string[]) {
    const printed: string[] = [];
    const target = ['--target', `small=redis://127.0.0.1:${port}`];
    const code = await runBenchmark(['--tiny', '--load-threads', '0', ...target, ...more], {
      progress: SILENT,
      print: (text) => printed.push(text),
    });
    return { code, text: printed.join('\n') };
  }

  test('prints throughput, latency, processor time and memory, and leaves no key', async () => {
    const { server, port } = await startServer();
    const { code, text } = await bench(port, '--count', '500', '--pipeline', '1,8');
    expect(code).toBe(0);
    expect(text).toMatch(/getset -P 1 +small( +[\d,.]+){7} +[0-9a-f]{8}/);
    expect(text).toMatch(/getset -P 8 +small/);
    expect(text).toContain('cores');
    expect(server.keys.size).toBe(0);
  });

  test('reports wrong replies as failures, by its exit code too', async () => {
    const { port } = await startServer({ GET: '-ERR broken\r\n' });
    const { code, text } = await bench(port, '--count', '100', '--pipeline', '4', '--mix', 'GET');
    expect(code).toBe(1);
    expect(text).toContain('FAILURE small, GET: 100 error replies: ERR broken');
  });

  test('refuses a server that holds keys, because it would flush them', async () => {
    const { server, port } = await startServer();
    server.keys.set('dear', '1');
    await expect(bench(port)).rejects.toThrow('holds keys');
    expect(server.keys.size).toBe(1);
  });

  test('refuses a target where a suite starts its own servers', async () => {
    await expect(bench(1, 'growth')).rejects.toThrow('takes no --target');
  });
});
