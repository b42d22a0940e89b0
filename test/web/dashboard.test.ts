// The dashboard in a browser, served by a real gateway: numbers, keys, console, sign-in, and a
// server that goes away and comes back.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  isBrowserMissing,
  launchBrowser,
  openPage,
  SHOWN_MS_MAX,
  type WatchedPage,
} from '../support/browser.js';
import { freePort, type Server, startServer } from '../support/server.js';

/** Tests of pages share a busy machine with each other. */
const START_MS_MAX = 60_000;
const TEST_MS_MAX = 120_000;

let browser: Browser;
let server: Server;
let gatewayPort: number;
let dir: string;

function start(): Promise<Server> {
  const args = ['--gateway-port', String(gatewayPort), '--appendonly', 'yes'];
  return startServer({ threads: 2, dir, args, startMsMax: START_MS_MAX });
}

function dashboardUrl(page = ''): string {
  return `http://127.0.0.1:${gatewayPort}/${page}`;
}

async function seed(): Promise<void> {
  const client = await server.connect();
  await client.pipeline([
    ['SET', 'greeting', 'hello'],
    ['SET', 'session:1', '{"user":7}', 'EX', '1000'],
    ['HSET', 'player:1', 'name', 'Ada', 'level', '3'],
    ['RPUSH', 'inbox', 'first', 'second'],
    ['SADD', 'tags', 'fast'],
    ['ZADD', 'board', '10', 'ada', '20', 'grace'],
    ['XADD', 'log', '1-1', 'event', 'login'],
    ['ARSET', 'samples', '4', 'four'],
    ['SET', 'bytes', new Uint8Array([0, 255, 65])],
  ]);
  client.close();
}

async function run(page: Page, line: string): Promise<string> {
  const entries = page.locator('.entry');
  const before = await entries.count();
  await page.getByLabel('Command').fill(line);
  await page.getByLabel('Command').press('Enter');
  const answered = page.locator('.entry:not(.entry-waiting)').nth(before);
  await answered.waitFor();
  return answered.locator('pre').innerText();
}

async function saysConnected(page: Page): Promise<void> {
  await page.locator('.state[data-state=ready]').waitFor();
}

beforeAll(async () => {
  if (isBrowserMissing) return;
  dir = mkdtempSync(join(tmpdir(), 'flagstone-web-'));
  gatewayPort = await freePort();
  [browser, server] = await Promise.all([launchBrowser(), start()]);
  await seed();
}, TEST_MS_MAX);

afterAll(async () => {
  if (isBrowserMissing) return;
  await Promise.all([browser?.close(), server?.stop()]);
  rmSync(dir, { recursive: true, force: true });
});

describe.skipIf(isBrowserMissing)('the dashboard', { timeout: TEST_MS_MAX }, () => {
  it('shows the numbers of the server and asks no other origin', async () => {
    const { page, complaints }: WatchedPage = await openPage(browser, dashboardUrl());

    await saysConnected(page);
    await expect
      .poll(() => page.locator('[data-tile=Keys] strong').innerText(), { timeout: SHOWN_MS_MAX })
      .toBe('9');
    expect(await page.locator('.chart canvas').count()).toBe(6);
    expect(await page.locator('.cell').count()).toBeGreaterThan(1);
    // Of the last second there is only what the page itself asks.
    await page.getByRole('button', { name: 'All time' }).click();
    await page.locator('td', { hasText: /^HSET$/ }).waitFor();
    expect(complaints).toEqual([]);
    await page.context().close();
  });

  it('changes between light and dark, and fits on a phone', async () => {
    const viewport = { width: 360, height: 740 };
    const { page } = await openPage(browser, dashboardUrl(), { viewport, colorScheme: 'dark' });

    await saysConnected(page);
    await page.locator('.tile').first().waitFor();
    const theme = () => page.locator('html').getAttribute('data-theme');
    expect(await theme()).toBe('dark');
    await page.locator('.theme-switch').click();
    expect(await theme()).toBe('light');
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(360);
    await page.context().close();
  });

  it('shows every type, and changes and deletes after a question', async () => {
    const { page, complaints } = await openPage(browser, dashboardUrl('#keys'));
    const open = async (key: string) => page.locator('.keys a', { hasText: key }).click();
    const value = page.locator('.key-detail');

    for (const [key, shown] of Object.entries({
      greeting: 'hello',
      'session:1': '"user": 7',
      'player:1': 'Ada',
      inbox: 'second',
      tags: 'fast',
      board: 'grace',
      log: 'event: login',
      samples: 'four',
      bytes: '00 ff 41',
    })) {
      await open(key);
      await value.getByText(shown, { exact: false }).first().waitFor();
    }

    await page.getByLabel('Pattern').fill('player:*');
    await expect.poll(() => page.locator('.keys a').count(), { timeout: SHOWN_MS_MAX }).toBe(1);
    await open('player:1');
    await value.getByRole('button', { name: 'Edit' }).first().click();
    await page.locator('dialog textarea').fill('Ada Lovelace');
    await page.locator('dialog').getByRole('button', { name: 'Save' }).click();
    await value.getByText('Ada Lovelace').waitFor();
    await value.getByRole('button', { name: 'Delete' }).click();
    await page.locator('dialog').getByRole('button', { name: 'Delete' }).click();
    await page.getByText('No key fits').waitFor();
    expect(complaints).toEqual([]);
    await page.context().close();
  });

  it('answers in the console as redis-cli does, and completes commands', async () => {
    const { page, complaints } = await openPage(browser, dashboardUrl('#console'));

    expect(await run(page, 'SET quoted "a\\tb\\xff"')).toBe('OK');
    expect(await run(page, 'GET quoted')).toBe('"a\\tb\\xff"');
    expect(await run(page, 'GET nothing')).toBe('(nil)');
    expect(await run(page, 'INCR counter')).toBe('(integer) 1');
    expect(await run(page, 'LRANGE inbox 0 -1')).toBe('1) "first"\n2) "second"');
    expect(await run(page, 'INCR quoted')).toContain('(error) ERR value is not an integer');
    await page.getByLabel('Command').fill('zrangeb');
    await page.locator('.suggestion', { hasText: 'ZRANGEBYLEX' }).waitFor();
    await page.getByLabel('Command').press('Tab');
    await page.locator('.syntax', { hasText: 'ZRANGEBYLEX key min max' }).waitFor();
    await page.getByLabel('Command').fill('');
    await page.getByLabel('Command').press('ArrowUp');
    expect(await page.getByLabel('Command').inputValue()).toBe('INCR quoted');
    expect(complaints).toEqual([]);
    await page.context().close();
  });

  it('lists the clients', async () => {
    const { page } = await openPage(browser, dashboardUrl('#clients'));
    await page.locator('td', { hasText: 'client list' }).first().waitFor();
    await page.context().close();
  });

  it('says that the server is gone, and goes on when it is back', async () => {
    const { page } = await openPage(browser, dashboardUrl());
    await saysConnected(page);
    await page.locator('.tile').first().waitFor();

    await server.stop('SIGKILL');
    await page.getByText('The connection to the server was lost').waitFor();
    server = await start();

    await saysConnected(page);
    await page.locator('.banner').waitFor({ state: 'detached' });
    await page.goto(dashboardUrl('#console'));
    expect(await run(page, 'GET greeting')).toBe('"hello"');
    await page.context().close();
  });

  it('asks for user and password where the server wants them', async () => {
    const client = await server.connect();
    await client.command('CONFIG', 'SET', 'requirepass', 'open sesame');
    const { page } = await openPage(browser, dashboardUrl());

    await page.getByLabel('Password').fill('wrong');
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.getByText('WRONGPASS').waitFor();
    await page.getByLabel('Password').fill('open sesame');
    await page.getByRole('button', { name: 'Sign in' }).click();

    await saysConnected(page);
    await page.locator('.tile').first().waitFor();
    await client.command('CONFIG', 'SET', 'requirepass', '');
    client.close();
    await page.context().close();
  });
});
