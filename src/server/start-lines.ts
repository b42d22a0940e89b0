// What the log says about a start. People read it; test harnesses wait for some of it, which is why
// those lines are Redis's: the logo with its "PID:", "Running mode", "Server initialized", "Ready
// to accept connections".

import type { Config } from '../config/config.js';
import type { LogFile } from './log-file.js';
import type { ProcessShape } from './shape.js';
import { FLAGSTONE_VERSION, REDIS_VERSION } from './version.js';

/** Before anything is opened. */
export function sayStarting(config: Config, log: LogFile): void {
  log.write('notice', `Flagstone ${FLAGSTONE_VERSION} (Redis ${REDIS_VERSION}) is starting`);
  const source = config.file === null ? 'No file was named: all is as by default' : config.file;
  log.write('notice', `Configuration loaded. ${source}, and what the command line says.`);
  for (const warning of config.warnings()) log.write('warning', warning);
}

/** The threads are there; the data is not yet loaded. */
export function sayInitialized(shape: ProcessShape, config: Config, log: LogFile): void {
  const port = config.number('port') || config.number('tls-port');
  if (config.flag('always-show-logo')) log.writeLines(logo(port, shape.facts.processId));
  else log.write('notice', `Running mode=standalone, port=${port}.`);
  log.write('notice', 'Server initialized');
  log.write('notice', describeStart(shape, config));
}

/** Clients may come. */
export function sayReady(config: Config, log: LogFile): void {
  if (config.number('port') !== 0) log.write('notice', 'Ready to accept connections tcp');
  if (config.number('tls-port') !== 0) log.write('notice', 'Ready to accept connections tls');
  if (config.text('unixsocket') !== '') log.write('notice', 'Ready to accept connections unix');
}

function logo(port: number, processId: number): string[] {
  return [
    '',
    '        |>>>',
    `        |        Flagstone ${FLAGSTONE_VERSION} (Redis ${REDIS_VERSION}) 64 bit`,
    '    ____|____    Running in standalone mode',
    `   /__/___/__\\   Port: ${port}`,
    `  /___/__/____\\  PID: ${processId}`,
    '',
  ];
}

function describeStart(shape: ProcessShape, config: Config): string {
  const { facts, slabs } = shape;
  const gib = (facts.partitionBytes / 2 ** 30).toFixed(facts.partitionBytes < 2 ** 30 ? 3 : 0);
  return (
    `${facts.threadCount} worker thread(s), ${slabs.length} partitions of ${gib} GiB address ` +
    `space, ${facts.transport} transport, port ${config.number('port')}, pid ${facts.processId}; ` +
    describePersistence(config)
  );
}

/** What becomes of the data, in the words of whoever would miss it. */
function describePersistence(config: Config): string {
  const isSaved = config.list('save').length > 0;
  const snapshots = isSaved
    ? `snapshots are saved to ${config.text('dbfilename')}`
    : 'no snapshots are saved';
  if (!config.flag('appendonly')) {
    return isSaved
      ? `no append log, ${snapshots}: a crash costs the changes since the last one`
      : 'no append log and no snapshots: the data lives as long as the process';
  }
  const losses: Readonly<Record<string, string>> = {
    always: 'nothing that was acknowledged is lost, even with the machine',
    everysec: 'a killed process loses nothing, a lost machine up to a second',
    no: 'a killed process loses nothing, a lost machine what it had not yet written to disk',
  };
  return (
    `append log in ${config.text('appenddirname')}: ${losses[config.text('appendfsync')]}; ` +
    snapshots
  );
}
