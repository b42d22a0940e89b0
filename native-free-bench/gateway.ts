// The gateway: processor time of a command over a WebSocket beside RESP, delivery to thousands of
// subscribers, what a flood of web clients does to RESP clients, and the price of a scrape.

import { measureFlood } from './flood.js';
import { type Bench, type Contestant, serverChoices, startContestant, timesOf } from './measure.js';
import type { Column, ResultTable, Row } from './report.js';
import { freePort } from './servers.js';
import type { Suite } from './suites.js';
import { BATCH, KEYS, openResp, openWeb, type Talker, VALUE } from './talkers.js';
import { messageFrame, packRequest, WebSocketLoad } from './web-sockets.js';

const CONNECTIONS = 100;
const SUBSCRIBERS = 5000;
const SUBSCRIBERS_TINY = 200;
const MESSAGES_PER_SECOND = 20;
/** Messages before those that are measured, until the code is compiled. */
const WARM_UP_MESSAGES = 40;
const ROUND_DIGITS = 6;
const ZERO = 0x30;
/** Tenths of a second in which the last messages may arrive. */
const WAITS_MAX = 100;
const FLOODING = 50;
const RESP_CLIENTS = 10;
/** Seconds of each kind: some 900 samples come in one. */
const FLOOD_ROUNDS = 12;
const FLOOD_ROUNDS_TINY = 1;
const SCRAPES = 50;
const WARM_UPS = 200;
/** For each second that is measured. */
const WARM_UP_MS = 600;
const ENGINES = ['uws', 'node'];

const COST_COLUMNS: readonly Column[] = [
  { key: 'throughput', title: 'commands/s', digits: 0, better: 'more' },
  { key: 'cpuUs', title: 'CPU us/command', digits: 2, better: 'less', isCharted: true },
  { key: 'ratio', title: '/ RESP', digits: 2, better: 'less' },
];
const TIME_COLUMNS: readonly Column[] = [
  { key: 'p50Ms', title: 'p50 ms', digits: 2, better: 'less' },
  { key: 'p99Ms', title: 'p99 ms', digits: 2, better: 'less', isCharted: true },
  { key: 'count', title: 'samples', digits: 0, better: null },
];
const FLOOD_COLUMNS: readonly Column[] = [
  ...TIME_COLUMNS,
  { key: 'flood', title: 'flood commands/s', digits: 0, better: null },
];
const SCRAPE_COLUMNS: readonly Column[] = [
  { key: 'cpuMs', title: 'CPU ms', digits: 2, better: 'less', isCharted: true },
  { key: 'bytes', title: 'bytes', digits: 0, better: null },
];

interface Started extends Contestant {
  readonly gatewayPort: number;
  readonly engine: string;
}

export async function runGateway(bench: Bench, suite: Suite): Promise<ResultTable[]> {
  const costs: Row[] = [];
  const deliveries: Row[] = [];
  const floods: Row[] = [];
  const scrapes: Row[] = [];
  for (const engine of ENGINES) {
    const started = await start(bench, engine);
    try {
      costs.push(...(await measureCosts(bench, started)));
      deliveries.push(await measureDelivery(bench, started));
      floods.push(...(await floodWith(bench, started)));
      scrapes.push(await measureScrapes(bench, started));
    } finally {
      await started.server.stop();
    }
  }
  const title = suite.name;
  return [
    {
      title,
      about: `GET and SET, ${CONNECTIONS} connections, batches of ${BATCH}`,
      columns: COST_COLUMNS,
      rows: costs,
    },
    {
      title: `${title}: delivery`,
      about: `${MESSAGES_PER_SECOND} messages a second to all subscribers of a channel`,
      columns: TIME_COLUMNS,
      rows: deliveries,
    },
    {
      title: `${title}: flood`,
      about: `GET of ${RESP_CLIENTS} RESP clients while ${FLOODING} web clients flood`,
      columns: FLOOD_COLUMNS,
      rows: floods,
    },
    { title: `${title}: scrape`, about: 'GET /metrics', columns: SCRAPE_COLUMNS, rows: scrapes },
  ];
}

async function start(bench: Bench, engine: string): Promise<Started> {
  const gatewayPort = await freePort();
  const choice = serverChoices(bench.options).find(({ name }) => name === 'Flagstone')!;
  const extra = ['--gateway-port', String(gatewayPort), '--gateway-engine', engine];
  const contestant = await startContestant(bench, choice, 1, extra);
  for (let key = 0; key < KEYS; key++) {
    await contestant.server.control.ask('SET', `key:${key}`, VALUE);
  }
  return { ...contestant, gatewayPort, engine };
}

function secondsOf({ options }: Bench): number {
  return options.isTiny ? 0.3 : 3;
}

// ---- processor time ---------------------------------------------------------------------------

async function measureCosts(bench: Bench, started: Started): Promise<Row[]> {
  const rows: Row[] = [];
  for (const kind of ['GET', 'SET'] as const) {
    const resp = await measureLoad(bench, started, (done) =>
      openResp(started.server.address.port, kind, done),
    );
    const web = await measureLoad(bench, started, (done) =>
      openWeb(started.gatewayPort, kind, done),
    );
    const label = `${kind} -P ${BATCH}`;
    const row = (way: string, figures: Row['figures']): Row => ({
      label: `${label}, ${way}`,
      kind: `${label} ${way}`,
      server: 'Flagstone',
      figures,
    });
    rows.push(row('RESP', { ...resp, ratio: 1 }));
    rows.push(row(`WebSocket, ${started.engine}`, { ...web, ratio: web.cpuUs / resp.cpuUs }));
  }
  return rows;
}

async function measureLoad(
  bench: Bench,
  { server }: Started,
  open: (done: () => void) => Promise<Talker>,
): Promise<{ throughput: number; cpuUs: number }> {
  const talkers: Talker[] = [];
  let batches = 0;
  let isOver = false;
  for (let at = 0; at < CONNECTIONS; at++) {
    const talker = await open(() => {
      batches++;
      if (!isOver) talkers[at]!.send();
    });
    talkers.push(talker);
  }
  for (const talker of talkers) talker.send();
  await sleep(secondsOf(bench) * WARM_UP_MS);
  const before = await server.usage();
  const batchesBefore = batches;
  const began = performance.now();
  await sleep(secondsOf(bench) * 1000);
  const seconds = (performance.now() - began) / 1000;
  const commands = (batches - batchesBefore) * BATCH;
  const after = await server.usage();
  isOver = true;
  await sleep(100);
  for (const talker of talkers) talker.close();
  const cpuUs = (after.cpuNs - before.cpuNs) / 1000 / commands;
  return { throughput: commands / seconds, cpuUs };
}

// ---- delivery -----------------------------------------------------------------------------------

async function measureDelivery(bench: Bench, started: Started): Promise<Row> {
  const { control } = started.server;
  const wanted = bench.options.isTiny ? SUBSCRIBERS_TINY : SUBSCRIBERS;
  const warmUps = bench.options.isTiny ? 2 : WARM_UP_MESSAGES;
  const rounds = warmUps + Math.max(4, Math.round(secondsOf(bench) * MESSAGES_PER_SECOND));
  const times: number[] = [];
  const sentAt: number[] = [];
  const clients: WebSocketLoad[] = [];
  const frame = messageFrame(packRequest(1, ['SUBSCRIBE', 'bench']));
  for (let at = 0; at < wanted; at++) {
    const client = await WebSocketLoad.open(started.gatewayPort);
    client.onFrame = (u8, _start, end, messages) => {
      // The message is its round. Several in one frame are successive ones.
      let last = 0;
      for (let at = end - ROUND_DIGITS; at < end; at++) last = last * 10 + u8[at]! - ZERO;
      const now = performance.now();
      for (let round = last - messages + 1; round <= last; round++) {
        if (round >= warmUps && round < sentAt.length) times.push(now - sentAt[round]!);
      }
    };
    client.send(frame);
    clients.push(client);
  }
  while (!String(await control.ask('PUBSUB', 'NUMSUB', 'bench')).endsWith(String(wanted))) {
    await sleep(20);
  }
  await sleep(200);
  times.length = 0;
  for (let round = 0; round < rounds; round++) {
    const next = performance.now() + 1000 / MESSAGES_PER_SECOND;
    sentAt.push(performance.now());
    await control.ask('PUBLISH', 'bench', String(round).padStart(ROUND_DIGITS, '0'));
    await sleep(Math.max(0, next - performance.now()));
  }
  const count = (rounds - warmUps) * wanted;
  for (let wait = 0; wait < WAITS_MAX && times.length < count; wait++) await sleep(100);
  for (const client of clients) client.close();
  const label = `${wanted} subscribers, ${started.engine}`;
  return { label, kind: label, server: 'Flagstone', figures: timesOf(times) };
}

// ---- scrape -------------------------------------------------------------------------------------

async function floodWith(bench: Bench, { server, gatewayPort, engine }: Started): Promise<Row[]> {
  const { options } = bench;
  const other = await start(bench, engine);
  try {
    const ports = {
      resp: server.address.port,
      gateway: gatewayPort,
      otherGateway: other.gatewayPort,
    };
    const rounds = options.isTiny ? FLOOD_ROUNDS_TINY : FLOOD_ROUNDS;
    const seconds = options.isTiny ? 0.3 : 1;
    const sizes = { flooding: FLOODING, respClients: RESP_CLIENTS, rounds, seconds };
    return await measureFlood(ports, sizes, engine);
  } finally {
    await other.server.stop();
  }
}

async function measureScrapes(bench: Bench, started: Started): Promise<Row> {
  const { server, gatewayPort, engine } = started;
  const scrapes = bench.options.isTiny ? 4 : SCRAPES;
  const url = `http://127.0.0.1:${gatewayPort}/metrics`;
  let bytes = 0;
  // Until the code is compiled: a scraper comes for days.
  const warmUps = bench.options.isTiny ? 2 : WARM_UPS;
  for (let at = 0; at < warmUps; at++) await (await fetch(url)).text();
  const idleBefore = await server.usage();
  await sleep(scrapes * 20);
  const before = await server.usage();
  const idleNs = before.cpuNs - idleBefore.cpuNs;
  for (let at = 0; at < scrapes; at++) {
    bytes = (await (await fetch(url)).text()).length;
    await sleep(20);
  }
  const after = await server.usage();
  const cpuMs = (after.cpuNs - before.cpuNs - idleNs) / scrapes / 1e6;
  return { label: engine, kind: engine, server: 'Flagstone', figures: { cpuMs, bytes } };
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
