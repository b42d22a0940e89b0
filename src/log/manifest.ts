// The manifest of a log directory: which files hold the data, and how far each of them counts. A
// text of lines, replaced as a whole by rename, so that whoever reads it sees one state or the
// next.
//
//   flagstone-log 1
//   history 2f6d…                             40 hex digits: what positions in the log refer to
//   partitions 64                             of the run that wrote it; another may have others
//   base base-3.rdb 1200                      may be missing: an RDB file of all up to 1200
//   history-generation 1 from 1 to 899 logs 3 kept for the change feed; the data needs it no more
//   generation 2 from 900 to 1500 logs 3      closed: of its logs records up to 1500 count
//   generation 3 from 1201 logs 3             open: everything up to the first gap counts
//   crc32 8c1b22f0                            of all bytes before this line
//
// A generation's logs are log-<generation>-<thread>.flog for threads 0 … logs − 1. Every log that
// is listed exists: files come before the manifest that names them, and go after the one that does
// not. Every record of a generation has a number of at least `from`. Generations ascend. Two may be
// open at once, while a rewrite is on: records of the older one then have the smaller numbers, and
// all logs of all generations are merged by number. History generations come before the others, are
// closed, and are no part of what is loaded; a manifest has none as a rule.

import { crc32 } from '../base/crc.js';

export const MANIFEST_NAME = 'flagstone.manifest';
/** Where the manifest is written before it is renamed; left over, it means nothing. */
export const MANIFEST_TEMPORARY_NAME = 'flagstone.manifest.temporary';

export interface ManifestBase {
  /** A name in the log directory. */
  readonly file: string;
  /** It holds every change with a number up to this one. */
  readonly number: number;
}

export interface Generation {
  readonly generation: number;
  /** No record of it has a smaller number. */
  readonly from: number;
  /** Records with a larger number do not count; null while the generation is open. */
  readonly to: number | null;
  /** Threads 0 … logCount − 1 have a log. */
  readonly logCount: number;
}

export interface Manifest {
  /** 40 hex digits. */
  readonly history: string;
  readonly partitionCount: number;
  readonly base: ManifestBase | null;
  readonly generations: readonly Generation[];
  /** Older ones, closed, which the base holds: for who follows the changes. */
  readonly past?: readonly Generation[];
}

/** Why a manifest cannot be used: a sentence for the person who started the server. */
export class ManifestError extends Error {}

const HEADLINE = 'flagstone-log 1';
const HISTORY = /^history ([0-9a-f]{40})$/;
const PARTITIONS = /^partitions ([1-9][0-9]{0,5})$/;
const BASE = /^base (\S+) ([0-9]{1,16})$/;
const GENERATION =
  /^generation ([1-9][0-9]{0,9}) from ([0-9]{1,16})(?: to ([0-9]{1,16}))? logs ([1-9][0-9]{0,4})$/;
const PAST =
  /^history-generation ([1-9]\d{0,9}) from (\d{1,16}) to (\d{1,16}) logs ([1-9]\d{0,4})$/;
const PAST_MARK = 'history-';
const CHECKSUM = /^crc32 ([0-9a-f]{8})$/;
const GENERATION_MAX = 2 ** 32 - 1;

/** `log-<generation>-<thread>.flog`. */
export function logFileName(generation: number, thread: number): string {
  return `log-${generation}-${thread}.flog`;
}

/** `base-<generation>.rdb`: what was there when the generation began. */
export function baseFileName(generation: number): string {
  return `base-${generation}.rdb`;
}

/** Every file that the manifest names. */
export function filesOf(manifest: Manifest): string[] {
  const names = manifest.base === null ? [] : [manifest.base.file];
  for (const { generation, logCount } of allGenerations(manifest)) {
    for (let thread = 0; thread < logCount; thread++) names.push(logFileName(generation, thread));
  }
  return names;
}

/** Those of the past, and those that are the data, oldest first. */
export function allGenerations({ past, generations }: Manifest): readonly Generation[] {
  return past === undefined ? generations : [...past, ...generations];
}

/** Is it a file that a log directory makes, so that it may be removed when no manifest names it? */
export function isLogDirectoryFile(name: string): boolean {
  return /^(log-[0-9]+-[0-9]+\.flog|base-[0-9]+\.rdb)$/.test(name);
}

export function formatManifest(manifest: Manifest): string {
  const fault = faultOf(manifest);
  if (fault !== null) throw new ManifestError(`The manifest would be wrong: ${fault}`);
  const { history, partitionCount, base, generations } = manifest;
  const lines = [HEADLINE, `history ${history}`, `partitions ${partitionCount}`];
  if (base !== null) lines.push(`base ${base.file} ${base.number}`);
  for (const { generation, from, to, logCount } of manifest.past ?? []) {
    lines.push(`${PAST_MARK}generation ${generation} from ${from} to ${to} logs ${logCount}`);
  }
  for (const { generation, from, to, logCount } of generations) {
    const end = to === null ? '' : ` to ${to}`;
    lines.push(`generation ${generation} from ${from}${end} logs ${logCount}`);
  }
  const body = `${lines.join('\n')}\n`;
  return `${body}crc32 ${checksumOf(body)}\n`;
}

/** Throws a ManifestError when the text is not a whole and sensible manifest. */
export function parseManifest(text: string): Manifest {
  const lines = text.split('\n');
  const end = lines.pop();
  const last = CHECKSUM.exec(lines.pop() ?? '');
  if (end !== '' || last === null) throw new ManifestError('The manifest has no checksum line.');
  const body = `${lines.join('\n')}\n`;
  if (last[1] !== checksumOf(body)) {
    throw new ManifestError('The manifest does not agree with its checksum.');
  }
  if (lines.shift() !== HEADLINE) {
    throw new ManifestError(`The manifest does not begin with "${HEADLINE}".`);
  }
  const [, history] = expect(HISTORY, lines.shift());
  const [, partitions] = expect(PARTITIONS, lines.shift());
  const baseLine = lines[0]?.startsWith('base ') ? expect(BASE, lines.shift()) : null;
  const pastCount = lines.filter((line) => line.startsWith(PAST_MARK)).length;
  const manifest: Manifest = {
    history: history!,
    partitionCount: Number(partitions),
    base: baseLine === null ? null : { file: baseLine[1]!, number: Number(baseLine[2]) },
    generations: lines.slice(pastCount).map((line) => generationOf(GENERATION, line)),
    ...(pastCount > 0 && {
      past: lines.slice(0, pastCount).map((line) => generationOf(PAST, line)),
    }),
  };
  const fault = faultOf(manifest);
  if (fault !== null) throw new ManifestError(`The manifest is wrong: ${fault}`);
  return manifest;
}

function generationOf(pattern: RegExp, line: string): Generation {
  const [, generation, from, to, logs] = expect(pattern, line);
  return {
    generation: Number(generation),
    from: Number(from),
    to: to === undefined ? null : Number(to),
    logCount: Number(logs),
  };
}

function expect(pattern: RegExp, line: string | undefined): readonly (string | undefined)[] {
  const found = pattern.exec(line ?? '');
  if (found === null) {
    throw new ManifestError(`The manifest has a line that is not understood: "${line ?? ''}".`);
  }
  return found;
}

/** What is wrong with a manifest, as a sentence; null when nothing is. */
export function faultOf(manifest: Manifest): string | null {
  const { history, partitionCount, base, generations } = manifest;
  if (!/^[0-9a-f]{40}$/.test(history)) return 'the history is not 40 hex digits.';
  if (!isNumber(partitionCount) || partitionCount === 0) return 'it has no partitions.';
  if (base !== null) {
    if (!isNumber(base.number)) return 'the number of the base is out of range.';
    if (!/^[^/\\\s]+$/.test(base.file)) return 'the base is not a file of its directory.';
  }
  if (generations.length === 0) return 'it names no generation.';
  let last: Generation | null = null;
  for (const each of allGenerations(manifest)) {
    const name = `generation ${each.generation}`;
    if (!isNumber(each.generation) || each.generation > GENERATION_MAX)
      return `${name} is too high.`;
    if (!isNumber(each.from)) return `${name} begins out of range.`;
    // A generation nothing was written to ends before it begins.
    if (each.to !== null && each.to + 1 < each.from) return `${name} ends before it begins.`;
    if (!isNumber(each.logCount) || each.logCount === 0) return `${name} has no logs.`;
    if (last !== null && each.generation <= last.generation) return 'generations do not ascend.';
    if (last !== null && each.from < last.from) return `${name} begins before the one before it.`;
    last = each;
  }
  return null;
}

function isNumber(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

function checksumOf(body: string): string {
  const bytes = Buffer.from(body, 'latin1');
  return crc32(bytes, 0, bytes.length).toString(16).padStart(8, '0');
}
