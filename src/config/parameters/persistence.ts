// Snapshots and append-only logs.

import { directory, savePoints } from '../forms.js';
import { INT32_MAX, INT32_MIN, INT64_MAX, MB } from '../numbers.js';
import type { Row } from '../parameter.js';
import { isSameValue } from '../parameter.js';
import { isFileName, isLogFolderName, isLogName } from './checks.js';
import {
  choice,
  depends,
  flag,
  inert,
  integer,
  memory,
  NOW,
  refused,
  special,
  text,
  textOrEmpty,
} from './rows.js';

const nothingSaved = depends((value) =>
  isSameValue(value, []) ? NOW : inert('snapshots arrive in a later version: nothing is saved yet'),
);
const noAppendLog = refused(
  'append-only logs arrive in a later version; start with appendonly no, nothing is kept on disk',
);
const noLogDetail = inert('append-only logs arrive in a later version');
const noSnapshots = inert('snapshots arrive in a later version');

export const PERSISTENCE_PARAMETERS: readonly Row[] = [
  special('dir', { form: directory, isProtected: true, isRefusedWhileLoading: true }),
  special('save', { form: savePoints, isMulti: true, support: nothingSaved }),
  flag('appendonly', { default: false, isRefusedWhileLoading: true, support: noAppendLog }),
  choice('appendfsync', {
    values: ['everysec', 'always', 'no'],
    default: 'everysec',
    support: noLogDetail,
  }),
  textOrEmpty('appendfilename', {
    default: 'appendonly.aof',
    check: isLogName,
    isMutable: false,
    support: noLogDetail,
  }),
  textOrEmpty('appenddirname', {
    default: 'appendonlydir',
    check: isLogFolderName,
    isMutable: false,
    support: noLogDetail,
  }),
  flag('no-appendfsync-on-rewrite', { default: false, support: noLogDetail }),
  integer('auto-aof-rewrite-percentage', {
    default: 100,
    min: 0,
    max: INT32_MAX,
    support: noLogDetail,
  }),
  memory('auto-aof-rewrite-min-size', {
    default: 64 * MB,
    min: 0,
    max: INT64_MAX,
    support: noLogDetail,
  }),
  flag('aof-load-truncated', { default: true, support: noLogDetail }),
  flag('aof-use-rdb-preamble', { default: true, support: noLogDetail }),
  flag('aof-timestamp-enabled', { default: false, support: noLogDetail }),
  flag('aof-rewrite-incremental-fsync', { default: true, support: noLogDetail }),
  flag('aof-disable-auto-gc', { default: false, isHidden: true, support: noLogDetail }),
  text('aof_rewrite_cpulist', { isMutable: false, support: noLogDetail }),
  textOrEmpty('dbfilename', {
    default: 'dump.rdb',
    check: isFileName,
    isProtected: true,
    support: noSnapshots,
  }),
  flag('rdbcompression', { default: true }),
  flag('rdbchecksum', { default: true, isMutable: false, support: noSnapshots }),
  flag('rdb-del-sync-files', { default: false, support: noSnapshots }),
  flag('rdb-save-incremental-fsync', { default: true, support: noSnapshots }),
  integer('rdb-key-save-delay', {
    default: 0,
    min: INT32_MIN,
    max: INT32_MAX,
    isHidden: true,
    support: noSnapshots,
  }),
  integer('key-load-delay', {
    default: 0,
    min: INT32_MIN,
    max: INT32_MAX,
    isHidden: true,
    support: noSnapshots,
  }),
  integer('loading-process-events-interval-bytes', {
    default: 2_097_152,
    min: 1024,
    max: INT32_MAX,
    isHidden: true,
    support: noSnapshots,
  }),
  flag('stop-writes-on-bgsave-error', { default: true, support: noSnapshots }),
  text('bgsave_cpulist', { isMutable: false, support: noSnapshots }),
];
