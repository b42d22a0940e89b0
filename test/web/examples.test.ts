// The examples in a browser: three players who move at once and see each other, and counters that
// count.

import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isBrowserMissing, launchBrowser, openPage, SHOWN_MS_MAX } from '../support/browser.js';
import { type Example, startExample } from '../support/example.js';

/** Tests of pages share a busy machine with each other. */
const TEST_MS_MAX = 120_000;

let browser: Browser;

beforeAll(async () => {
  if (!isBrowserMissing) browser = await launchBrowser();
});

afterAll(async () => {
  await browser?.close();
});

/** Where each player is, as a page sees it. */
async function placesIn(page: Page): Promise<Record<string, string>> {
  const text = (await page.locator('#field').getAttribute('data-players')) ?? '';
  const pairs = text.split(' ').filter((word) => word !== '');
  return Object.fromEntries(pairs.map((pair) => pair.split(':') as [string, string]));
}

async function join(game: Example, name: string) {
  const { page, complaints } = await openPage(browser, game.url);
  await page.locator('#state[data-state=ready]').waitFor();
  await page.getByLabel('Your name').fill(name);
  await page.getByRole('button', { name: 'Play' }).click();
  await page.locator('#field[data-player]').waitFor();
  return { page, complaints, id: (await page.locator('#field').getAttribute('data-player'))! };
}

async function walk(page: Page, keys: readonly string[], steps: number): Promise<void> {
  for (let step = 0; step < steps; step++) await page.keyboard.press(keys[step % keys.length]!);
}

describe.skipIf(isBrowserMissing)('the game', { timeout: TEST_MS_MAX }, () => {
  let game: Example;
  beforeAll(async () => {
    game = await startExample('game');
  }, TEST_MS_MAX);
  afterAll(() => game?.stop());

  it('shows all players where they are, while three move at once', async () => {
    const players = await Promise.all(['Ada', 'Grace', 'Linus'].map((name) => join(game, name)));
    const [first] = players;
    const paths = [
      ['ArrowLeft', 'ArrowUp'],
      ['ArrowRight', 'ArrowUp'],
      ['ArrowLeft', 'ArrowDown'],
    ];

    // Enough steps for every player to reach a corner from wherever it began.
    await Promise.all(players.map(({ page }, index) => walk(page, paths[index]!, 60)));

    const corners = Object.fromEntries(
      players.map(({ id }, index) => [id, ['0,0', '23,0', '0,13'][index]!]),
    );
    for (const { page } of players) {
      await expect.poll(() => placesIn(page), { timeout: SHOWN_MS_MAX }).toEqual(corners);
    }
    const board = await first!.page.locator('#board').innerText();
    for (const name of ['Ada', 'Grace', 'Linus']) expect(board).toContain(name);
    expect(players.flatMap(({ complaints }) => complaints)).toEqual([]);
    await Promise.all(players.map(({ page }) => page.context().close()));
  });
});

describe.skipIf(isBrowserMissing)('the counters', { timeout: TEST_MS_MAX }, () => {
  let analytics: Example;
  beforeAll(async () => {
    analytics = await startExample('analytics');
  }, TEST_MS_MAX);
  afterAll(() => analytics?.stop());

  it('count up while one looks', async () => {
    const { page, complaints } = await openPage(browser, analytics.url);
    const total = async () => {
      const text = await page.locator('#total').innerText();
      return Number(text.replaceAll(',', '')) || 0;
    };

    await expect.poll(total, { timeout: SHOWN_MS_MAX }).toBeGreaterThan(0);
    const before = await total();
    await expect.poll(total, { timeout: SHOWN_MS_MAX }).toBeGreaterThan(before);
    expect(await page.locator('#pages li').count()).toBeGreaterThan(3);
    expect(complaints).toEqual([]);
    await page.context().close();
  });
});
