// The pictures of docs/images, taken anew. After a build:
//
//   node dist/test/support/take-screenshots.js
//
// It starts a server and the examples, plays with them, and photographs what browsers show.

import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { launchBrowser, openPage } from './browser.js';
import type { Client } from './client.js';
import { startExample } from './example.js';
import { freePort, startServer } from './server.js';

const FOLDER = 'docs/images';
const SECONDS = 14;
const DESKTOP = { width: 1240, height: 800 };
const PHONE = { width: 390, height: 780 };

/** JPEG where it is smaller by far: pages of text and lines do well at this quality. */
async function photograph(page: Page, name: string): Promise<void> {
  await page.screenshot({ path: join(FOLDER, `${name}.jpg`), type: 'jpeg', quality: 62 });
}

async function seed(client: Client): Promise<void> {
  for (let player = 0; player < 300; player++) {
    await client.pipeline([
      [
        'HSET',
        `player:${player}`,
        'name',
        `Player ${player}`,
        'level',
        player % 60,
        'gold',
        player * 17,
      ],
      [
        'SET',
        `session:${(player * 7919).toString(16)}`,
        `{"player":${player}}`,
        'EX',
        3600 + player,
      ],
      ['ZADD', 'board', (player * 13) % 997, `player:${player}`],
      ['XADD', 'events', '*', 'type', player % 2 === 0 ? 'login' : 'score', 'player', player],
    ]);
  }
  await client.command('HOTKEYS', 'START', 'METRICS', 2, 'CPU', 'NET', 'COUNT', 6);
}

/** Traffic that rises and falls, so that the lines have something to show. */
async function traffic(client: Client, endMs: number): Promise<void> {
  for (let round = 0; Date.now() < endMs; round++) {
    const most = 60 + Math.round(40 * Math.sin(round / 25));
    const commands = Array.from({ length: most }, (_, index) => {
      const player = (round * 31 + index * index) % 330;
      if (index % 4 === 0) return ['ZINCRBY', 'board', 1, `player:${player}`];
      return ['HGET', `player:${player}`, 'name'];
    });
    await client.pipeline(commands);
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

async function dashboard(browser: Browser): Promise<void> {
  const gatewayPort = await freePort();
  const dir = mkdtempSync(join(tmpdir(), 'flagstone-pictures-'));
  const args = ['--gateway-port', String(gatewayPort)];
  const server = await startServer({ threads: 2, dir, args, startMsMax: 60_000 });
  const clients = [await server.connect(), await server.connect()];
  await seed(clients[0]!);
  const url = `http://127.0.0.1:${gatewayPort}/`;
  const [light, dark, phone] = await Promise.all([
    openPage(browser, url, { viewport: DESKTOP, colorScheme: 'light' }),
    openPage(browser, `${url}#console`, { viewport: DESKTOP, colorScheme: 'dark' }),
    openPage(browser, `${url}#keys/player:7`, { viewport: PHONE, colorScheme: 'dark' }),
  ]);
  const endMs = Date.now() + SECONDS * 1000;
  await Promise.all(clients.map((client) => traffic(client, endMs)));
  await photograph(light.page, 'dashboard');
  await light.page.goto(`${url}#keys/board`);
  await light.page.locator('.key-detail td').first().waitFor();
  await light.page.locator('.keys a').first().waitFor();
  await photograph(light.page, 'keys');
  await phone.page.locator('.key-detail td').first().waitFor();
  await photograph(phone.page, 'phone');
  for (const line of ['HGETALL player:7', 'ZRANGE board 0 2 WITHSCORES', 'INCR player:7']) {
    await dark.page.getByLabel('Command').fill(line);
    await dark.page.getByLabel('Command').press('Enter');
  }
  await dark.page.getByLabel('Command').fill('zra');
  await dark.page.locator('.suggestion').first().waitFor();
  await photograph(dark.page, 'console');
  for (const client of clients) client.close();
  await server.stop();
  rmSync(dir, { recursive: true, force: true });
}

async function game(browser: Browser): Promise<void> {
  const example = await startExample('game');
  const keys = ['ArrowUp', 'ArrowLeft', 'ArrowDown', 'ArrowRight'];
  const players = await Promise.all(
    ['Ada', 'Grace', 'Linus', 'Margaret'].map(async (name) => {
      const { page } = await openPage(browser, example.url, {
        viewport: { width: 1160, height: 620 },
      });
      await page.getByLabel('Your name').fill(name);
      await page.getByRole('button', { name: 'Play' }).click();
      return page;
    }),
  );
  for (let round = 0; round < 10; round++) {
    await Promise.all(
      players.map(async (page, index) => {
        const key = keys[(round * 3 + index) % 4]!;
        for (let step = 0; step < 4 + index * 2; step++) await page.keyboard.press(key);
      }),
    );
  }
  await photograph(players[0]!, 'game');
  await example.stop();
}

mkdirSync(FOLDER, { recursive: true });
const browser = await launchBrowser();
await dashboard(browser);
await game(browser);
const counters = await startExample('analytics');
const { page } = await openPage(browser, counters.url, { viewport: { width: 1100, height: 760 } });
await page.waitForTimeout(SECONDS * 1000);
await photograph(page, 'analytics');
await counters.stop();
await browser.close();
