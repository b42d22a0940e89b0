// connect-redis: sessions of an Express application, two instances of which share the store.

import { createServer, type Server as WebServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { RedisStore } from 'connect-redis';
import express from 'express';
import session from 'express-session';
import { createClient } from 'redis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Server } from '../support/server.js';
import { SERVERS, until } from './servers.js';

declare module 'express-session' {
  interface SessionData {
    logins: number;
    user: string;
  }
}

const COOKIE_MS = 1_000_000;

function clientOf(server: Server) {
  const client = createClient({ url: `redis://127.0.0.1:${server.port}` });
  client.on('error', () => {});
  return client;
}

/** An application that counts the logins of a browser. */
function applicationOn(store: RedisStore): WebServer {
  const application = express();
  const cookie = { maxAge: COOKIE_MS };
  const options = { store, secret: 'flint', resave: false, saveUninitialized: false, cookie };
  application.use(session(options));
  application.post('/login/:user', (request, response) => {
    request.session.user = request.params.user;
    request.session.logins = (request.session.logins ?? 0) + 1;
    response.json({ logins: request.session.logins });
  });
  application.get('/me', (request, response) => {
    response.json({ user: request.session.user ?? null, logins: request.session.logins ?? 0 });
  });
  application.post('/logout', (request, response, next) => {
    request.session.destroy((error) => (error ? next(error) : response.json({})));
  });
  return createServer(application);
}

/** Keeps its cookie between requests. */
class Browser {
  private cookie = '';

  get sessionId(): string {
    return decodeURIComponent(/connect\.sid=s%3A([^.]+)\./.exec(this.cookie)?.[1] ?? '');
  }

  async ask(web: WebServer, method: string, path: string): Promise<unknown> {
    const { port } = web.address() as AddressInfo;
    const headers = this.cookie === '' ? {} : { cookie: this.cookie };
    const response = await fetch(`http://127.0.0.1:${port}${path}`, { method, headers });
    expect(response.status).toBe(200);
    this.cookie = response.headers.get('set-cookie')?.split(';')[0] ?? this.cookie;
    return response.json();
  }
}

describe.each(SERVERS)('connect-redis on $name', (choice) => {
  let server: Server;
  let client: ReturnType<typeof clientOf>;
  let store: RedisStore;
  let webs: WebServer[];
  beforeAll(async () => {
    server = await choice.start();
  });
  afterAll(() => server.stop());
  beforeEach(async () => {
    client = await clientOf(server).connect();
    await client.flushAll();
    store = new RedisStore({ client, prefix: 'app:', scanCount: 10 });
    webs = [applicationOn(store), applicationOn(new RedisStore({ client, prefix: 'app:' }))];
    for (const web of webs) {
      await new Promise<void>((resolve) => web.listen(0, '127.0.0.1', resolve));
    }
  });
  afterEach(() => {
    for (const web of webs) web.close();
    client.destroy();
  });

  it('counts the logins of each browser over both instances', async () => {
    const [one, two] = [new Browser(), new Browser()];
    for (let login = 1; login <= 10; login++) {
      expect(await one.ask(webs[login % 2]!, 'POST', '/login/ann')).toEqual({ logins: login });
    }
    expect(await two.ask(webs[1]!, 'POST', '/login/bob')).toEqual({ logins: 1 });
    expect(await one.ask(webs[0]!, 'GET', '/me')).toEqual({ user: 'ann', logins: 10 });
    expect(await two.ask(webs[0]!, 'GET', '/me')).toEqual({ user: 'bob', logins: 1 });
    expect(await new Browser().ask(webs[0]!, 'GET', '/me')).toEqual({ user: null, logins: 0 });
    expect((await store.ids()).sort()).toEqual([one.sessionId, two.sessionId].sort());
  });

  it('gives a session the time of its cookie, anew with every visit', async () => {
    const browser = new Browser();
    await browser.ask(webs[0]!, 'POST', '/login/ann');
    const key = `app:${browser.sessionId}`;
    expect(await client.ttl(key)).toBeGreaterThan(COOKIE_MS / 1_000 - 60);
    expect(JSON.parse((await client.get(key))!)).toMatchObject({ user: 'ann', logins: 1 });
    await client.expire(key, 100);
    await browser.ask(webs[1]!, 'GET', '/me');
    expect(await client.ttl(key)).toBeGreaterThan(COOKIE_MS / 1_000 - 60);
  });

  it('forgets a session on logout and when its time is over', async () => {
    const browser = new Browser();
    await browser.ask(webs[0]!, 'POST', '/login/ann');
    await browser.ask(webs[1]!, 'POST', '/logout');
    expect(await client.dbSize()).toBe(0);
    expect(await browser.ask(webs[0]!, 'GET', '/me')).toEqual({ user: null, logins: 0 });

    await browser.ask(webs[0]!, 'POST', '/login/ann');
    await client.pExpire(`app:${browser.sessionId}`, 50);
    await until(
      () => client.dbSize(),
      (size) => size === 0,
    );
    expect(await browser.ask(webs[1]!, 'GET', '/me')).toEqual({ user: null, logins: 0 });
  });

  it('finds, reads and clears all sessions, however many', async () => {
    const expires = new Date(Date.now() + COOKIE_MS);
    const cookie = { originalMaxAge: COOKIE_MS, expires };
    const names = Array.from({ length: 500 }, (_, index) => `s${index}`);
    const sessionOf = (user: string) => ({ cookie, user, logins: 1 });
    await Promise.all(names.map((name) => store.set(name, sessionOf(name))));
    await client.set('other', 'not a session');
    expect(await store.length()).toBe(500);
    const all: { id: string; user: string }[] = await store.all();
    expect(all.every(({ id, user }) => id === user)).toBe(true);
    expect(new Set(all.map(({ id }) => id))).toEqual(new Set(names));
    await store.clear();
    expect(await store.length()).toBe(0);
    expect(await client.get('other')).toBe('not a session');
  });
});
