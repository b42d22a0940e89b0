// What is in a log directory, for flagstone-check: its manifest, its base, its logs, and whether
// their records follow each other without a gap. With --fix all of them end before the first gap.

import { readFile } from '../base/disk.js';
import { LogOpener } from '../log/log-bytes.js';
import { Found, LogReader } from '../log/log-reader.js';
import {
  type Generation,
  logFileName,
  MANIFEST_NAME,
  type Manifest,
  parseManifest,
} from '../log/manifest.js';
import { LogDamage, type LogFault, LogMerge, type MergeEnd } from '../log/merge.js';
import { manifestUpTo, writeRepaired } from '../log/repair.js';
import { CheckCode, type CheckFields } from './check-fields.js';
import { describeLog, LogContent, readLog } from './check-log.js';
import { checkRdbFile } from './check-rdb.js';

export function checkDirectory(directory: string, fields: CheckFields): CheckCode {
  const { disk, say } = fields;
  const text = Buffer.from(readFile(disk, `${directory}/${MANIFEST_NAME}`)).toString('latin1');
  const manifest = parseManifest(text);
  const { history, partitionCount, base, past = [] } = manifest;
  say(`${directory}: a log directory, history ${history}, ${partitionCount} partitions`);
  if (base !== null) {
    say(`base: all changes up to number ${base.number}`);
    const code = checkRdbFile(`${directory}/${base.file}`, fields);
    if (code !== CheckCode.Whole) {
      say('Without its base a log cannot be loaded, and --fix cannot help: restore a copy.');
      return code;
    }
  }
  for (const { generation, from, to, logCount } of past) {
    say(`generation ${generation}: ${logCount} logs, ${from} to ${to}, for the change feed alone`);
  }
  const opener = new LogOpener(disk, directory, 'look');
  try {
    for (const generation of manifest.generations) describeGeneration(generation, opener, say);
    const { end, fault } = merge(manifest, opener);
    return judge(directory, manifest, end, fault, fields);
  } finally {
    opener.close();
  }
}

function describeGeneration(
  { generation, from, to, logCount }: Generation,
  opener: LogOpener,
  say: (line: string) => void,
): void {
  const end = to === null ? 'open' : `closed, up to number ${to}`;
  say(`generation ${generation}: ${logCount} logs, from number ${from} on, ${end}`);
  const all = new LogContent();
  for (let thread = 0; thread < logCount; thread++) {
    const name = logFileName(generation, thread);
    const source = opener.open(name);
    // The merge says what is missing, and whether it matters.
    if (source === null) continue;
    const content = new LogContent();
    const reader = new LogReader(name, source);
    readLog(reader, content, to);
    say(`  ${describeLog(reader, content)}`);
    all.take(content);
  }
  all.describe(say);
}

function merge(
  manifest: Manifest,
  opener: LogOpener,
): { readonly end: MergeEnd; readonly fault: LogFault | null } {
  const merged = new LogMerge(manifest, (name) => opener.open(name));
  for (let found = merged.advance(); found !== Found.End; found = merged.advance()) {
    if (found === Found.NeedsBytes) merged.refill();
  }
  const end = merged.finish();
  return { end, fault: merged.fault };
}

function judge(
  directory: string,
  manifest: Manifest,
  { cut, torn, discardedCount }: MergeEnd,
  fault: LogFault | null,
  fields: CheckFields,
): CheckCode {
  const { say, isFixing } = fields;
  say(`All changes up to number ${cut} are there.`);
  if (fault !== null) say(`DAMAGED: ${new LogDamage(fault).message}`);
  for (const { file, offset, bytes } of torn) {
    say(`TORN: ${file}, offset ${offset}: ${bytes} bytes of an unfinished write`);
  }
  if (discardedCount > 0) {
    say(`Number ${cut + 1} is missing, and ${discardedCount} whole records follow it.`);
  }
  if (fault === null && torn.length === 0 && discardedCount === 0) {
    say('OK: the logs are whole.');
    return CheckCode.Whole;
  }
  if (!isFixing) {
    say(
      fault === null
        ? 'A server cuts this off by itself when it starts, unless aof-load-truncated is no; so ' +
            'does --fix.'
        : 'BROKEN: a server refuses to start with these logs. --fix gives up what comes behind ' +
            `number ${cut}. Make a copy first.`,
    );
    return CheckCode.Broken;
  }
  return fix(directory, manifest, cut, fields);
}

function fix(
  directory: string,
  manifest: Manifest,
  cut: number,
  { disk, say, mayChange, newHistory }: CheckFields,
): CheckCode {
  if (!mayChange(`All changes behind number ${cut} are given up.`)) {
    say('Nothing was changed.');
    return CheckCode.Broken;
  }
  writeRepaired(disk, directory, manifestUpTo(manifest, cut, newHistory()));
  say(
    `FIXED: the logs end with number ${cut} now. The files are as long as they were; what is ` +
      'given up goes when a server has started and rewritten its log.',
  );
  return CheckCode.Whole;
}
