// Encrypted connections, against the built server with both transports.

import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import tls from 'node:tls';
import { Redis } from 'ioredis';
import { createClient } from 'redis';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  type Certificates,
  certificates,
  type Identity,
  PASSPHRASE,
} from '../support/certificates.js';
import { printReply } from '../support/resp.js';
import {
  type Client,
  commandOf,
  freePort,
  Server,
  type ServerOptions,
  startServer,
} from '../support/server.js';

const TRANSPORTS = ['native', 'node'] as const;
const WAIT_MS_MAX = 30_000;

let files: Certificates;
const stopped: Server[] = [];

beforeAll(async () => {
  files = await certificates();
});
afterEach(async () => {
  for (const server of stopped.splice(0)) await server.stop();
});

async function start(args: readonly string[] = [], options: ServerOptions = {}): Promise<Server> {
  const server = await startServer({
    threads: 1,
    partitions: 8,
    tls: true,
    ...options,
    args: ['--tls-threads', '2', ...args],
  });
  stopped.push(server);
  return server;
}

/** What a client with this certificate gets for PING: the reply, or 'refused'. */
async function ping(server: Server, options: tls.ConnectionOptions = {}): Promise<string> {
  try {
    const client = await server.connectSecurely({ tls: options });
    const reply = printReply(await client.command('PING'));
    client.close();
    return reply;
  } catch {
    return 'refused';
  }
}

function shows({ cert, key }: Identity): tls.ConnectionOptions {
  return { cert: readFileSync(cert), key: readFileSync(key) };
}

async function until(what: string, isSo: () => Promise<boolean> | boolean): Promise<void> {
  const deadline = Date.now() + WAIT_MS_MAX;
  while (!(await isSo())) {
    if (Date.now() > deadline) throw new Error(`not within ${WAIT_MS_MAX} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function numberIn(client: Client, field: string): Promise<number> {
  const text = printReply(await client.command('INFO', 'everything'));
  return Number(new RegExp(`${field}:(\\d+)`).exec(text)?.[1] ?? -1);
}

async function configSet(client: Client, ...words: string[]): Promise<string> {
  return printReply(await client.command('CONFIG', 'SET', ...words));
}

const REFUSED = /Unable to update TLS configuration\. Check server logs\./;

/** The name in the certificate that the server shows now. */
function nameShown(server: Server): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = tls.connect({ port: server.tlsPort, rejectUnauthorized: false }, () => {
      resolve(String(socket.getPeerCertificate().subject.CN));
      socket.destroy();
    });
    socket.on('error', reject);
  });
}

describe.each(TRANSPORTS)('with the %s transport', (transport) => {
  it('clients of both ports share one keyspace, and hear each other', async () => {
    const server = await start([], { transport });
    const plain = await server.connect();
    const secure = await Promise.all([server.connectSecurely(), server.connectSecurely()]);
    for (const client of secure) await client.command('INCR', 'count');
    expect(printReply(await plain.command('GET', 'count'))).toBe('$"2"');

    const [listener, waiter] = secure as [Client, Client];
    await listener.command('SUBSCRIBE', 'news');
    expect(printReply(await plain.command('PUBLISH', 'news', 'hello'))).toBe(':1');
    expect(printReply(await listener.read())).toContain('"hello"');
    const waited = waiter.command('BLPOP', 'list', '0');
    await until('it waits', async () => (await numberIn(plain, 'blocked_clients')) === 1);
    await plain.command('RPUSH', 'list', 'element');
    expect(printReply(await waited)).toContain('"element"');
    expect(printReply(await plain.command('CLIENT', 'KILL', 'TYPE', 'pubsub'))).toBe(':1');
    expect(await listener.closedWithin(WAIT_MS_MAX)).toBe(true);
    for (const client of [plain, waiter]) client.close();
  });

  it('what speaks no TLS, or stops in its handshake, is nobody, and costs nobody', async () => {
    const server = await start([], { transport });
    const plain = await server.connect();
    const halves = Array.from({ length: 20 }, () => net.connect(server.tlsPort, '127.0.0.1'));
    const raw = net.connect(server.tlsPort, '127.0.0.1');
    const closed = new Promise((resolve) => raw.on('close', resolve));
    raw.on('error', () => {});
    raw.write('PING\r\n');
    await closed;
    expect(await ping(server)).toBe('+PONG');
    const isAlone = async () => (await numberIn(plain, 'connected_clients')) === 1;
    await until('only one client is left', isAlone);
    for (const half of halves) half.destroy();
    plain.close();
  });

  it('certificates are asked for as tls-auth-clients says, and must be known', async () => {
    const server = await start(['--tls-auth-clients', 'yes'], { transport });
    const plain = await server.connect();
    expect(await ping(server)).toBe('refused');
    expect(await ping(server, shows(files.stranger))).toBe('refused');
    expect(await ping(server, shows(files.client))).toBe('+PONG');

    expect(await configSet(plain, 'tls-auth-clients', 'optional')).toBe('+OK');
    expect(await ping(server)).toBe('+PONG');
    expect(await ping(server, shows(files.stranger))).toBe('refused');
    expect(await ping(server, shows(files.client))).toBe('+PONG');

    expect(await configSet(plain, 'tls-auth-clients', 'no')).toBe('+OK');
    expect(await ping(server, shows(files.stranger))).toBe('+PONG');
    plain.close();
  });

  it('many connect at once, and as many as maxclients get in', async () => {
    const server = await start(['--maxclients', '40'], { transport });
    const plain = await server.connect();
    const answers = await Promise.all(Array.from({ length: 60 }, () => keep(server)));
    const inside = answers.filter((client) => client !== null);
    expect(inside.length).toBe(39);
    for (const client of inside) client.close();
    await until('they left', async () => (await numberIn(plain, 'connected_clients')) === 1);
    expect(await ping(server)).toBe('+PONG');
    plain.close();
  });
});

/** A client that stays, or null when it was turned away. */
async function keep(server: Server): Promise<Client | null> {
  try {
    const client = await server.connectSecurely();
    return printReply(await client.command('PING')) === '+PONG' ? client : null;
  } catch {
    return null;
  }
}

describe('TLS', () => {
  it('serves with no other port, and shows itself as Redis does', async () => {
    const server = await startOnlyTls();
    const client = await server.connectSecurely();
    expect(await numberIn(client, 'tcp_port')).toBe(server.tlsPort);
    const listed = printReply(await client.command('CLIENT', 'LIST'));
    expect(listed).toMatch(new RegExp(`laddr=127.0.0.1:${server.tlsPort} fd=\\d+ `));
    expect(server.printed).toContain('Ready to accept connections tls');
    expect(server.printed).not.toContain('Ready to accept connections tcp');
    client.close();
  });

  it('takes new certificates by CONFIG SET, also from files of the same names', async () => {
    const server = await start();
    const client = await server.connectSecurely();
    const cert = path.join(server.dir, 'live.crt');
    const key = path.join(server.dir, 'live.key');
    copyFileSync(files.server.cert, cert);
    copyFileSync(files.server.key, key);
    expect(await configSet(client, 'tls-cert-file', cert, 'tls-key-file', key)).toBe('+OK');
    expect(await nameShown(server)).toBe('localhost');

    copyFileSync(files.other.cert, cert);
    copyFileSync(files.other.key, key);
    expect(await configSet(client, 'tls-cert-file', cert, 'tls-key-file-pass', 'wrong')).toMatch(
      REFUSED,
    );
    expect(await nameShown(server)).toBe('localhost');
    expect(await configSet(client, 'tls-cert-file', cert, 'tls-key-file-pass', PASSPHRASE)).toBe(
      '+OK',
    );
    // On every thread: connections take turns.
    for (let count = 0; count < 4; count++) expect(await nameShown(server)).toBe('other');
    client.close();
  });

  it('refuses bad files and lists, tells the log why, and changes nothing', async () => {
    const server = await start();
    const client = await server.connectSecurely();
    const bad = path.join(server.dir, 'bad.pem');
    writeFileSync(bad, 'no certificate');
    const changes: readonly (readonly [name: string, value: string, line: string])[] = [
      ['tls-cert-file', '/nowhere', 'Failed to load certificate: /nowhere'],
      ['tls-cert-file', bad, `Failed to load certificate: ${bad}`],
      ['tls-key-file', files.client.key, `Failed to load private key: ${files.client.key}`],
      ['tls-ca-cert-file', bad, 'Failed to configure CA certificate(s) file/directory'],
      ['tls-ca-cert-dir', '/nowhere', 'Failed to configure CA certificate(s) file/directory'],
      ['tls-dh-params-file', bad, `${bad}: failed to read DH params.`],
      ['tls-protocols', 'SSLv3', 'Invalid tls-protocols specified.'],
      ['tls-ciphers', 'none', 'Failed to configure ciphers: none'],
      ['tls-ciphersuites', 'none', 'Failed to configure ciphersuites: none'],
      ['tls-cert-file', '', 'No tls-cert-file configured!'],
    ];
    for (const [name, value, line] of changes) {
      const before = printReply(await client.command('CONFIG', 'GET', name));
      expect(await configSet(client, name, value), name).toMatch(REFUSED);
      expect(printReply(await client.command('CONFIG', 'GET', name))).toBe(before);
      await until(line, () => server.printed.includes(line));
    }
    expect(await ping(server)).toBe('+PONG');
    client.close();
  });

  it('speaks the protocols and ciphers that it is told to', async () => {
    const server = await start(['--tls-protocols', 'TLSv1.2']);
    const client = await server.connectSecurely();
    expect(await ping(server, { minVersion: 'TLSv1.3' })).toBe('refused');
    expect(await ping(server, { maxVersion: 'TLSv1.2' })).toBe('+PONG');
    const cipher = 'ECDHE-ECDSA-AES128-GCM-SHA256';
    expect(await configSet(client, 'tls-ciphers', cipher)).toBe('+OK');
    expect(await ping(server, { ciphers: 'ECDHE-ECDSA-AES256-GCM-SHA384' })).toBe('refused');
    expect(await ping(server, { ciphers: cipher })).toBe('+PONG');
    expect(await configSet(client, 'tls-protocols', 'TLSv1.3')).toBe('+OK');
    expect(await ping(server, { maxVersion: 'TLSv1.2' })).toBe('refused');
    expect(await ping(server)).toBe('+PONG');
    client.close();
  });

  it('knows who comes back, on whichever thread', async () => {
    const server = await start(['--tls-protocols', 'TLSv1.2']);
    const client = await server.connectSecurely();
    const session = await sessionOf(server);
    for (let count = 0; count < 4; count++) expect(await isResumed(server, session)).toBe(true);
    expect(await configSet(client, 'tls-session-caching', 'no')).toBe('+OK');
    expect(await isResumed(server, session)).toBe(false);
    client.close();
  });

  it('closes a reader that does not read at its limit, and nobody else', async () => {
    const limit = 'normal 1000000 0 0 replica 0 0 0 pubsub 0 0 0';
    const server = await start(['--client-output-buffer-limit', limit]);
    const other = await server.connectSecurely();
    await other.command('SET', 'large', 'x'.repeat(500_000));
    const socket = tls.connect({ port: server.tlsPort, rejectUnauthorized: false });
    await new Promise((resolve) => socket.once('secureConnect', resolve));
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.on('error', () => {});
    socket.pause();
    socket.write('GET large\r\n'.repeat(200));
    // It may not have been let in yet, so its end is known by what the log says.
    const why = 'overcoming of output buffer limits';
    await until('it is closed', () => server.printed.includes(why));
    await until('it is gone', async () => (await numberIn(other, 'connected_clients')) === 1);
    expect(printReply(await other.command('STRLEN', 'large'))).toBe(':500000');
    socket.resume();
    await closed;
    other.close();
  });

  it('gives a large value whole to who reads slowly, and takes a large one', async () => {
    const server = await start();
    const client = await server.connectSecurely({ delivery: 'whole' });
    const value = 'value '.repeat(300_000);
    expect(printReply(await client.command('SET', 'key', value))).toBe('+OK');
    const replies = await client.pipeline(Array.from({ length: 4 }, () => ['GET', 'key']));
    expect(replies.every((reply) => printReply(reply) === `$"${value}"`)).toBe(true);
    client.close();
  });

  it('answers all of a pipeline before it follows the peer that has said goodbye', async () => {
    const server = await start();
    const raw = net.connect({ port: server.tlsPort, host: '127.0.0.1', allowHalfOpen: true });
    const socket = tls.connect({ socket: raw, rejectUnauthorized: false });
    await new Promise((resolve) => socket.once('secureConnect', resolve));
    let text = '';
    socket.setEncoding('latin1').on('data', (piece: string) => (text += piece));
    const ended = new Promise((resolve) => socket.once('end', resolve));
    socket.end('INCR n\r\n'.repeat(500));
    await ended;
    expect(text.endsWith(':500\r\n')).toBe(true);
    socket.destroy();
  });

  it('records what its threads change, and a start with fewer of them has it all', async () => {
    const args = ['--appendonly', 'yes'];
    const server = await start(args);
    const clients = await Promise.all([server.connectSecurely(), server.connectSecurely()]);
    for (const [index, client] of clients.entries()) {
      await client.command('SET', `key:${index}`, 'value');
      await client.command('RPUSH', 'list', String(index));
      client.close();
    }
    process.kill(server.pid, 'SIGKILL');
    await server.ended;
    const again = await startServer({ threads: 1, partitions: 8, dir: server.dir, args });
    const client = await again.connect();
    expect(printReply(await client.command('EXISTS', 'key:0', 'key:1'))).toBe(':2');
    expect(printReply(await client.command('LLEN', 'list'))).toBe(':2');
    client.close();
    await again.stop();
  });

  it('serves ioredis and node-redis', async () => {
    const server = await start();
    const ca = readFileSync(files.authority, 'utf8');
    const io = new Redis({ port: server.tlsPort, tls: { ca, servername: 'localhost' } });
    expect(await io.set('key', 'value')).toBe('OK');
    const node = createClient({
      socket: { port: server.tlsPort, host: '127.0.0.1', tls: true, ca, servername: 'localhost' },
    });
    await node.connect();
    expect(await node.get('key')).toBe('value');
    await node.close();
    await io.quit();
  });
});

describe('A start with TLS that cannot be', () => {
  it.each([
    [['--tls-port', '1'], 'No tls-cert-file configured!'],
    [['--tls-port', '1', '--tls-cert-file', '/nowhere'], 'No tls-key-file configured!'],
  ])('%s says %s', async (args, line) => {
    const server = new Server(commandOf(), { args }, await freePort());
    expect(await server.ended).toBe('it ended with code 1');
    expect(server.printed).toContain(line);
    expect(server.printed).toContain('Failed to configure TLS. Check logs for more info.');
    await server.stop();
  });

  it('says that clients cannot be checked without an authority', async () => {
    const { cert, key } = files.server;
    const args = ['--tls-port', '1', '--tls-cert-file', cert, '--tls-key-file', key];
    const server = new Server(commandOf(), { args }, await freePort());
    expect(await server.ended).toBe('it ended with code 1');
    expect(server.printed).toContain(
      'Either tls-ca-cert-file or tls-ca-cert-dir must be specified',
    );
    await server.stop();
  });
});

async function startOnlyTls(): Promise<Server> {
  const tlsPort = await freePort();
  const { cert, key } = files.server;
  const args = ['--tls-port', String(tlsPort), '--tls-cert-file', cert, '--tls-key-file', key];
  const server = new Server(commandOf(), { args: [...args, '--tls-auth-clients', 'no'] }, 0, {
    port: tlsPort,
    args: [],
  });
  stopped.push(server);
  await until('it is ready', () => server.printed.includes('Ready to accept connections'));
  return server;
}

function sessionOf(server: Server): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket = tls.connect({ port: server.tlsPort, rejectUnauthorized: false });
    socket.on('error', reject);
    socket.once('session', (session) => {
      resolve(session);
      socket.destroy();
    });
  });
}

function isResumed(server: Server, session: Buffer): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const where = { port: server.tlsPort, rejectUnauthorized: false, session };
    const socket = tls.connect(where, () => {
      resolve(socket.isSessionReused());
      socket.destroy();
    });
    socket.on('error', reject);
  });
}
