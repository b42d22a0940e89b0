// Snapshots and append-only logs.

import { directory, savePoints } from '../forms.js';
import { INT32_MAX, INT32_MIN, INT64_MAX, MB } from '../numbers.js';
import { isSameValue, type Row, type SupportRule } from '../parameter.js';
import { isFileName, isLogFolderName, isLogName } from './checks.js';
import {
  choice,
  depends,
  flag,
  inert,
  integer,
  memory,
  NOW,
  special,
  text,
  textOrEmpty,
} from './rows.js';

const alwaysBase = onlyAs(true, 'the base of its log is always in the RDB format');
const noTimestamps = onlyAs(false, 'records of its log have numbers and no times');
const alwaysTidy = onlyAs(false, 'files of its log that are not needed are removed at once');
const loadsByTime = inert('loading lets others go on by time and not by bytes');
const noReplicas = inert('replication arrives in a later version');
const noProcessors = inert('threads are not bound to processors');

/** Of a flag that has one value in effect, whatever it is set to. */
function onlyAs(value: boolean, reason: string): SupportRule {
  return depends((wanted) => (isSameValue(wanted, value) ? NOW : inert(reason)));
}

export const PERSISTENCE_PARAMETERS: readonly Row[] = [
  special('dir', { form: directory, isProtected: true, isRefusedWhileLoading: true }),
  special('save', { form: savePoints, isMulti: true }),
  flag('appendonly', { default: false, isRefusedWhileLoading: true }),
  choice('appendfsync', {
    values: ['everysec', 'always', 'no'],
    default: 'everysec',
  }),
  textOrEmpty('appendfilename', {
    default: 'appendonly.aof',
    check: isLogName,
    isMutable: false,
  }),
  textOrEmpty('appenddirname', {
    default: 'appendonlydir',
    check: isLogFolderName,
    isMutable: false,
  }),
  flag('no-appendfsync-on-rewrite', { default: false }),
  integer('auto-aof-rewrite-percentage', {
    default: 100,
    min: 0,
    max: INT32_MAX,
  }),
  memory('auto-aof-rewrite-min-size', {
    default: 64 * MB,
    min: 0,
    max: INT64_MAX,
  }),
  flag('aof-load-truncated', { default: true }),
  flag('aof-use-rdb-preamble', { default: true, support: alwaysBase }),
  flag('aof-timestamp-enabled', { default: false, support: noTimestamps }),
  flag('aof-rewrite-incremental-fsync', { default: true }),
  flag('aof-disable-auto-gc', { default: false, isHidden: true, support: alwaysTidy }),
  text('aof_rewrite_cpulist', { isMutable: false, support: noProcessors }),
  textOrEmpty('dbfilename', {
    default: 'dump.rdb',
    check: isFileName,
    isProtected: true,
  }),
  flag('rdbcompression', { default: true }),
  flag('rdbchecksum', { default: true, isMutable: false }),
  flag('rdb-del-sync-files', { default: false, support: noReplicas }),
  flag('rdb-save-incremental-fsync', { default: true }),
  integer('rdb-key-save-delay', {
    default: 0,
    min: INT32_MIN,
    max: INT32_MAX,
    isHidden: true,
  }),
  integer('key-load-delay', {
    default: 0,
    min: INT32_MIN,
    max: INT32_MAX,
    isHidden: true,
  }),
  integer('loading-process-events-interval-bytes', {
    default: 2_097_152,
    min: 1024,
    max: INT32_MAX,
    isHidden: true,
    support: loadsByTime,
  }),
  flag('stop-writes-on-bgsave-error', { default: true }),
  text('bgsave_cpulist', { isMutable: false, support: noProcessors }),
];
