// `npm run analytics`: counters of a busy web site. This program plays the site: it makes up visits
// and writes them in bulk; the page reads the counters and draws them.
//
//   analytics:second:<s>   hash   kind -> events in that second; expires after ten minutes
//   analytics:visitors     HyperLogLog of all visitors
//   analytics:pages        zset   page by visits
//   analytics:countries    hash   country -> visits
//   analytics:rate         channel on which the page asks for more or fewer events

import type { Client, Word } from '../../client/index.js';
import { setStage, stopOnSignals } from '../stage.js';

const TICK_MS = 50;
const KEPT_SECONDS = 600;
const VISITORS = 200_000;
const RATE_MAX = 20_000;
const KINDS = ['view', 'view', 'view', 'view', 'click', 'click', 'cart', 'order'];
const PAGES = ['/', '/shop', '/shop/maps', '/shop/dice', '/news', '/forum', '/help', '/about'];
const COUNTRIES = ['DE', 'US', 'FR', 'BR', 'IN', 'JP', 'PL', 'KE'];

let eventsPerSecond = 2_000;

/** One of the list, the first ones much more often than the last. */
function draw<T>(list: readonly T[]): T {
  return list[Math.floor(Math.random() ** 2 * list.length)]!;
}

/** The commands of one visit: they go out with those of many others in one frame. */
function commandsOf(second: number): Word[][] {
  return [
    ['HINCRBY', `analytics:second:${second}`, draw(KINDS), 1],
    ['PFADD', 'analytics:visitors', Math.floor(Math.random() * VISITORS)],
    ['ZINCRBY', 'analytics:pages', 1, draw(PAGES)],
    ['HINCRBY', 'analytics:countries', draw(COUNTRIES), 1],
  ];
}

async function ingest(db: Client, owed: number): Promise<void> {
  const second = Math.floor(Date.now() / 1000);
  const replies: Promise<unknown>[] = [];
  for (let event = 0; event < owed; event++) {
    for (const words of commandsOf(second)) replies.push(db.call(words));
  }
  replies.push(db.expire(`analytics:second:${second}`, KEPT_SECONDS));
  await Promise.all(replies);
}

async function followRate(db: Client): Promise<void> {
  for await (const { payload } of db.subscribe('analytics:rate')) {
    const asked = Number(payload);
    if (asked >= 0 && asked <= RATE_MAX) eventsPerSecond = asked;
  }
}

const stage = await setStage({ name: 'analytics', port: 3001 });
const { db } = stage;
await db.ping();
followRate(db);

let isBusy = false;
let lastMs = Date.now();
const timer = setInterval(async () => {
  // The next share waits for the last one, so that a slow server is asked for less.
  if (isBusy || db.state !== 'ready') return;
  isBusy = true;
  const nowMs = Date.now();
  const owed = Math.round((eventsPerSecond * Math.min(1_000, nowMs - lastMs)) / 1000);
  lastMs = nowMs;
  await ingest(db, owed).catch((error: Error) => console.error(error.message));
  isBusy = false;
}, TICK_MS);

stopOnSignals(async () => {
  clearInterval(timer);
  await stage.stop();
});
console.log(`The counters are at ${stage.pageUrl} (Ctrl+C ends it)`);
