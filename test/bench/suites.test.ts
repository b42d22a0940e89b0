import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { runFloor, runFloors } from '../../native-free-bench/floors.js';
import { findProgram } from '../../native-free-bench/machine.js';
import { readScheduledNs, readTickedNs } from '../../native-free-bench/process-usage.js';
import { SILENT } from '../../native-free-bench/progress.js';
import type { Report } from '../../native-free-bench/report.js';
import { runBenchmark } from '../../native-free-bench/run.js';
import { SUITES } from '../../native-free-bench/suites.js';

const folder = mkdtempSync(join(tmpdir(), 'flagstone-bench-test-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function bench(...args: string[]): Promise<{ code: number; report: Report; page: string }> {
  const json = join(folder, 'report.json');
  const html = join(folder, 'report.html');
  // Tests beside this one need both cores, so nothing is pinned.
  const files = ['--json', json, '--html', html, '--no-pin'];
  const code = await runBenchmark([...args, ...files], { progress: SILENT, print: () => {} });
  const report = JSON.parse(readFileSync(json, 'utf8'));
  return { code, report, page: readFileSync(html, 'utf8') };
}

const REDIS = findProgram('redis-server');
if (REDIS === null) console.log('redis-server is not on the PATH: the suites are not run tiny');

/** Only Flagstone has a gateway: see below. */
const STANDING_IN = SUITES.map((suite) => suite.name).filter((name) => name !== 'gateway');

// Redis stands in for both servers: the suites are tested here, not what they measure.
describe.skipIf(REDIS === null)('every suite', () => {
  test.each(STANDING_IN)('%s runs tiny and fills its table', async (name) => {
    const own = ['--flagstone-command', REDIS!, '--benchmark-tool', 'own'];
    const { code, report, page } = await bench(name, '--tiny', ...own);
    expect(report.failures).toEqual([]);
    expect(code).toBe(0);
    expect(report.tables.length).toBeGreaterThan(0);
    for (const table of report.tables) {
      const servers = new Set(table.rows.map((row) => row.server));
      expect([...servers].sort()).toEqual(['Flagstone', 'Redis']);
      const [first] = table.columns;
      const figures = table.rows.map((row) => row.figures[first!.key]);
      // Growth may find no slow command and `connections` has no idle ones in half of its rows.
      if (name !== 'growth' && name !== 'connections') {
        for (const figure of figures) expect(figure).toEqual(expect.any(Number));
      }
    }
    expect(page).toContain(`<h2>${name}`);
  });

  test('the same commands get the same replies from both servers', async () => {
    const own = ['--flagstone-command', REDIS!, '--count', '2000', '--mix', 'GET:5,INCR:5,MSET:1'];
    const { report } = await bench('load', '--tiny', '--rounds', '2', ...own);
    expect(report.failures).toEqual([]);
    const rows = report.tables[0]!.rows;
    for (const label of new Set(rows.map((row) => row.label))) {
      const sums = rows.filter((row) => row.label === label).map((row) => row.figures.checksum);
      expect(sums[0]).toMatch(/^[0-9a-f]{8}$/);
      expect(sums[1]).toBe(sums[0]);
    }
  });

  test.skipIf(findProgram('redis-benchmark') === null)(
    'bars are measured with redis-benchmark where it is there',
    async () => {
      const { report } = await bench('bars', '--tiny', '--flagstone-command', REDIS!);
      expect(report.tables[0]!.about).toContain('redis-benchmark');
      expect(report.tables[0]!.rows.length).toBe(16);
      for (const row of report.tables[0]!.rows) expect(row.figures.cpuUs).toBeGreaterThan(0);
    },
  );
});

test('gateway runs tiny on both engines', { timeout: 120_000 }, async () => {
  const main = join(import.meta.dirname, '../../dist/src/server/main.js');
  const command = process.env.FLAGSTONE_COMMAND ?? `${process.execPath} ${main}`;
  const { code, report } = await bench('gateway', '--tiny', '--flagstone-command', command);
  expect(code).toBe(0);
  for (const { columns, rows } of report.tables) {
    expect(rows.length).toBeGreaterThan(1);
    for (const { figures } of rows) expect(figures[columns[0]!.key]).toEqual(expect.any(Number));
  }
});

test('a server that does not start is reported with what it said', async () => {
  const command = `${process.execPath} -e console.error('no-luck');process.exit(3) --`;
  const run = bench('start', '--tiny', '--flagstone-command', command);
  await expect(run).rejects.toThrow(/Flagstone did not start: it ended with code 3[\s\S]*no-luck/);
});

test.skipIf(process.platform !== 'linux')('processor time is read in two ways that agree', () => {
  const clocks = () => {
    const own = process.cpuUsage();
    const ownNs = (own.user + own.system) * 1000;
    return [ownNs, readTickedNs(process.pid)!, readScheduledNs(process.pid) ?? ownNs] as const;
  };
  const before = clocks();
  while (clocks()[0] < before[0] + 2e8);
  const [own, ticked, scheduled] = clocks().map((after, index) => after - before[index]!);
  for (const clock of [ticked, scheduled]) expect(Math.abs(clock! - own!)).toBeLessThan(5e7);
});

describe('the runner of floors', () => {
  const options = { isTiny: true, progress: SILENT };

  test('runs every floor tiny, with the same result hashes each time', async () => {
    const hashes = async () =>
      (await runFloors([], options)).flatMap((table) =>
        table.rows.map((row) => `${table.title} ${row.label} ${row.figures.hash}`),
      );
    const first = await hashes();
    expect(first.length).toBeGreaterThan(0);
    expect(await hashes()).toEqual(first);
  });

  test('divides the time of a case by its operations', async () => {
    let calls = 0;
    const run = () => {
      calls += 1;
      const until = performance.now() + 2;
      while (performance.now() < until);
      return 7;
    };
    const prepare = () => [{ name: 'two milliseconds', operations: 1000, run }];
    const table = await runFloor({ name: 'slow', about: '', prepare }, options);
    expect(calls).toBeGreaterThan(1);
    const { ns, hash } = table.rows[0]!.figures;
    expect(ns).toBeGreaterThan(1999);
    // A busy machine makes it longer; undivided it would be a million.
    expect(ns).toBeLessThan(1_000_000);
    expect(hash).toMatch(/^[0-9a-f]{8}$/);
  });

  test('names the floors there are where one is missing', async () => {
    await expect(runFloors(['roof'], options)).rejects.toThrow("there is no floor 'roof'");
  });
});
