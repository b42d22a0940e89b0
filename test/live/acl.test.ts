// Users over several threads, and where they are kept: what one connection changes is in force for
// all of them, and connections that may not stay are closed wherever they are.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Client } from '../support/client.js';
import { printReply } from '../support/resp.js';
import { commandOf, type Server, startServer } from '../support/server.js';

const WAYS = [
  { threads: 2, transport: 'native' },
  { threads: 2, transport: 'node' },
] as const;
const CONNECTIONS = 4;
const WAIT_MS_MAX = 30_000;
const NO_GET = "-NOPERM User ann has no permissions to run the 'get' command";

async function say(client: Client, ...words: string[]): Promise<string> {
  return printReply(await client.command(...words));
}

async function untilClosed(client: Client): Promise<void> {
  const deadline = Date.now() + WAIT_MS_MAX;
  while (!client.isClosed) {
    if (Date.now() > deadline) throw new Error(`not closed within ${WAIT_MS_MAX} ms`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Connections on all threads that act as ann. */
function annsOf(server: Server): Promise<Client[]> {
  return Promise.all(
    Array.from({ length: CONNECTIONS }, async () => {
      const client = await server.connect();
      expect(await say(client, 'AUTH', 'ann', 'x')).toBe('+OK');
      return client;
    }),
  );
}

describe.each(WAYS)('with %o', (way) => {
  let server: Server;
  let admin: Client;
  beforeAll(async () => {
    server = await startServer(way);
    admin = await server.connect();
  });
  afterAll(() => server.stop());

  it('a pattern or a command that is taken away no longer counts', async () => {
    const others = ['+@all', '-@dangerous'];
    const none = '-NOPERM No permissions to access a key';
    const setUser = (...rules: string[]) => say(admin, 'ACL', 'SETUSER', 'ann', ...rules);
    await setUser('reset', 'on', 'nopass', '~a:*', '~b:*', ...others);
    const anns = await annsOf(server);
    const all = async (reply: string, ...words: string[]) => {
      for (const ann of anns) expect(await say(ann, ...words)).toBe(reply);
    };
    for (let round = 0; round < 5; round++) {
      await all('(nil)', 'GET', 'b:1');
      await all('(nil)', 'GET', 'a:1');
      await all(none, 'GET', 'c:1');
      await setUser('resetkeys', '~b:*');
      await all(none, 'GET', 'a:1');
      await all('(nil)', 'GET', 'b:1');
      await setUser('-get');
      await all(NO_GET, 'GET', 'b:1');
      await setUser('+get', 'resetkeys', '%W~b:*', '%R~a:*');
      await all('+OK', 'SET', 'b:1', 'x');
      await all(none, 'SET', 'a:1', 'x');
      await all(none, 'GET', 'b:1');
      await all(none, 'GETSET', 'b:1', 'y');
      await setUser('resetkeys', '(~b:* +get)');
      await all('$"x"', 'GET', 'b:1');
      await setUser('clearselectors', '~a:*', '~b:*');
      await all('$"x"', 'GET', 'b:1');
      await say(admin, 'DEL', 'b:1');
    }
    for (const ann of anns) ann.close();
  });

  it('a change is in force for the next command of every connection', async () => {
    await say(admin, 'ACL', 'SETUSER', 'ann', 'reset', 'on', 'nopass', '+@all', '~*');
    const anns = await annsOf(server);
    for (let round = 0; round < 20; round++) {
      await say(admin, 'ACL', 'SETUSER', 'ann', '-get');
      for (const ann of anns) expect(await say(ann, 'GET', 'key')).toBe(NO_GET);
      await say(admin, 'ACL', 'SETUSER', 'ann', '+get');
      for (const ann of anns) expect(await say(ann, 'GET', 'key')).toBe('(nil)');
    }
    for (const ann of anns) ann.close();
  });

  it('a user who is gone has no connections any more, nor has one of his name', async () => {
    await say(admin, 'ACL', 'SETUSER', 'ann', 'reset', 'on', 'nopass', '+@all', '~*');
    const anns = await annsOf(server);
    expect(await say(admin, 'ACL', 'DELUSER', 'ann')).toBe(':1');
    expect(await say(admin, 'CLIENT', 'LIST')).not.toContain('user=ann');
    await say(admin, 'ACL', 'SETUSER', 'ann', 'on', 'nopass', '+@all', '~*');
    for (const ann of anns) await untilClosed(ann);

    const [again] = await annsOf(server);
    // Who deletes himself hears so first.
    expect(await say(again!, 'ACL', 'DELUSER', 'ann')).toBe(':1');
    await untilClosed(again!);
  });

  it('subscribers of channels that are not permitted any more are closed at once', async () => {
    await say(admin, 'ACL', 'SETUSER', 'ann', 'reset', 'on', 'nopass', '+@all', '&a*', '&b*');
    const anns = await annsOf(server);
    for (const [index, ann] of anns.entries()) {
      await say(ann, ...(index % 2 === 0 ? ['SUBSCRIBE', 'a1'] : ['PSUBSCRIBE', 'b*']));
    }
    await say(admin, 'ACL', 'SETUSER', 'ann', 'resetchannels', '&b*');
    const shown = async () =>
      (await say(admin, 'CLIENT', 'LIST', 'TYPE', 'pubsub')).match(/user=ann/g)?.length;
    // A thread that stands still for long does not hold up the reply.
    await expect.poll(shown, { timeout: WAIT_MS_MAX }).toBe(CONNECTIONS / 2);
    for (let index = 0; index < CONNECTIONS; index += 2) await untilClosed(anns[index]!);
    expect(anns[1]!.isClosed).toBe(false);
    for (const ann of anns) ann.close();
  });

  it('whoever waits for a key that he may not touch any more does not get it', async () => {
    await say(admin, 'ACL', 'SETUSER', 'ann', 'reset', 'on', 'nopass', '+@all', '~*');
    const anns = await annsOf(server);
    const waiting = anns.map((ann) => say(ann, 'BLPOP', 'list', '0'));
    const isBlocked = async () =>
      ((await say(admin, 'INFO', 'clients')).match(/blocked_clients:(\d+)/)?.[1] ?? '') ===
      String(CONNECTIONS);
    while (!(await isBlocked())) await new Promise((resolve) => setTimeout(resolve, 5));
    await say(admin, 'ACL', 'SETUSER', 'ann', 'resetkeys');
    expect(await say(admin, 'RPUSH', 'list', 'a')).toBe(':1');
    for (const reply of await Promise.all(waiting)) {
      expect(reply).toBe('-NOPERM No permissions to access a key');
    }
    expect(await say(admin, 'LLEN', 'list')).toBe(':1');
    for (const ann of anns) ann.close();
  });
});

describe('users are kept', () => {
  let dir: string;
  beforeAll(() => {
    dir = mkdtempSync(path.join(tmpdir(), 'flagstone-users-'));
  });
  afterAll(() => rmSync(dir, { recursive: true, force: true }));

  it('in an ACL file, which changes all of them or none', async () => {
    const file = path.join(dir, 'users.acl');
    writeFileSync(file, 'user ann on >secret ~a:* +@read\nuser default on nopass ~* &* +@all\n');
    const server = await startServer({ threads: 2, args: ['--aclfile', file] });
    const client = await server.connect();
    const before = await say(client, 'ACL', 'LIST');
    expect(before).toContain('user ann on sanitize-payload #');
    await say(client, 'ACL', 'SETUSER', 'bob', 'on', '(+get ~b*)');
    expect(await say(client, 'ACL', 'SAVE')).toBe('+OK');
    expect(readFileSync(file, 'latin1').split('\n')[1]).toBe(
      'user bob on sanitize-payload resetchannels -@all (~b* resetchannels -@all +get)',
    );

    writeFileSync(file, 'user ann bogus\nuser ann on\nuser\nuser eve (on\nuser joe +nosuch');
    expect(await say(client, 'ACL', 'LOAD')).toBe(
      `-ERR ${file}:1: Syntax error. WARNING: Duplicate user 'ann' found on line 2. ` +
        `${file}:3 should start with user keyword followed by the username. ` +
        `${file}:4: Unmatched parenthesis in selector definition.${file}:5: Error in applying ` +
        "operation '+nosuch': Unknown command or category name in ACL. WARNING: ACL errors " +
        'detected, no change to the previously active ACL rules was performed',
    );
    expect(await say(client, 'ACL', 'USERS')).toBe('*[$"ann", $"bob", $"default"]');

    writeFileSync(file, 'user ann on >secret ~a:* +@read\n');
    expect(await say(client, 'ACL', 'LOAD')).toBe('+OK');
    expect(await say(client, 'ACL', 'LIST')).toBe(before);
    await server.stop();
  });

  it('in lines of the configuration, which CONFIG REWRITE renews', async () => {
    const file = path.join(dir, 'server.conf');
    writeFileSync(file, 'user ann on nopass +@all ~*\nuser old on\nrequirepass secret\n');
    const server = await startServer({ command: [...commandOf(), file], dir });
    const client = await server.connect();
    expect(await say(client, 'PING')).toBe('-NOAUTH Authentication required.');
    expect(await say(client, 'AUTH', 'ann', 'x')).toBe('+OK');
    await say(client, 'ACL', 'DELUSER', 'old');
    await say(client, 'ACL', 'SETUSER', 'ann', '%R~"', '(+get ~x*)', '~y');
    await say(client, 'ACL', 'SETUSER', 'ann', 'resetkeys', '%R~"', '~y');
    const before = await say(client, 'ACL', 'LIST');
    expect(await say(client, 'CONFIG', 'REWRITE')).toBe('+OK');
    expect(readFileSync(file, 'latin1')).not.toContain('old');
    await server.stop();

    const again = await startServer({ command: [...commandOf(), file], dir });
    const other = await again.connect();
    await say(other, 'AUTH', 'ann', 'x');
    expect(await say(other, 'ACL', 'LIST')).toBe(before);
    await again.stop();
  });

  it('in one of the two places only', async () => {
    const file = path.join(dir, 'both.conf');
    const acl = path.join(dir, 'both.acl');
    writeFileSync(acl, 'user default on nopass ~* &* +@all\n');
    writeFileSync(file, `aclfile ${acl}\nuser ann on\n`);
    await expect(startServer({ command: [...commandOf(), file] })).rejects.toThrow(/but not both/);
    writeFileSync(file, `aclfile ${acl}.missing\n`);
    await expect(startServer({ command: [...commandOf(), file] })).rejects.toThrow(
      /No such file or directory/,
    );
    writeFileSync(file, 'user ann +nosuch\n');
    await expect(startServer({ command: [...commandOf(), file] })).rejects.toThrow(
      /Unknown command or category/,
    );
    writeFileSync(file, 'user ann on\nuser ann off\n');
    await expect(startServer({ command: [...commandOf(), file] })).rejects.toThrow(
      /Duplicate user/,
    );
  });
});
