// Chromium without a window, for tests of pages. On a machine without it the tests are skipped with
// a message; where CI is set they must run.

import { existsSync } from 'node:fs';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';

const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';
const FLAGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** How long a page may take to show something, on a machine that is busy with other tests. */
export const SHOWN_MS_MAX = 20_000;

export const isBrowserMissing = !existsSync(CHROMIUM) && process.env.CI !== 'true';
if (isBrowserMissing) console.log(`tests of pages are skipped: there is no ${CHROMIUM}`);

export function launchBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: CHROMIUM, args: FLAGS });
}

export interface WatchedPage {
  readonly page: Page;
  /** What went wrong in the page, and what it asked another origin for: nothing, in the end. */
  readonly complaints: string[];
}

/** A page in a context of its own. Requests to other origins than `origins` are complaints. */
export async function openPage(
  browser: Browser,
  url: string,
  options: BrowserContextOptions = {},
): Promise<WatchedPage> {
  const context = await browser.newContext(options);
  context.setDefaultTimeout(SHOWN_MS_MAX);
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('request', (request) => {
    const isOwn = new URL(request.url()).hostname === new URL(url).hostname;
    if (!isOwn && !request.url().startsWith('data:')) complaints.push(`asked ${request.url()}`);
  });
  await page.goto(url);
  return { page, complaints };
}
