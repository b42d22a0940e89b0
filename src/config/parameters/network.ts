// Listening, connections, and who may connect.

import { addresses, outputLimits } from '../forms.js';
import { GB, INT32_MAX, INT64_MAX, MB, UINT32_MAX } from '../numbers.js';
import type { Row } from '../parameter.js';
import {
  choice,
  flag,
  inert,
  integer,
  memory,
  memoryOrPercent,
  octal,
  refused,
  special,
  text,
  textOrEmpty,
} from './rows.js';

const noOutgoing = inert('it opens no connections of its own yet');
const noMark = inert('it does not mark its sockets');
const noModules = inert('it loads no modules');
const noThreadedInput = inert("every thread reads and writes; their number is 'threads'");

export const NETWORK_PARAMETERS: readonly Row[] = [
  special('bind', { form: addresses, isMulti: true }),
  integer('port', { default: 6379, min: 0, max: 65_535 }),
  text('unixsocket', { isMutable: false }),
  octal('unixsocketperm', { default: 0, min: 0, max: 0o777, isUnsigned: true, isMutable: false }),
  integer('tcp-backlog', { default: 511, min: 0, max: INT32_MAX, isMutable: false }),
  integer('timeout', { default: 0, min: 0, max: INT32_MAX }),
  integer('tcp-keepalive', { default: 300, min: 0, max: INT32_MAX }),
  integer('maxclients', { default: 10_000, min: 1, max: UINT32_MAX, isUnsigned: true }),
  flag('protected-mode', { default: true }),
  text('requirepass', { isSensitive: true }),
  special('client-output-buffer-limit', { form: outputLimits, isMulti: true }),
  memory('client-query-buffer-limit', { default: GB, min: MB, max: INT64_MAX, isUnsigned: true }),
  memory('proto-max-bulk-len', { default: 512 * MB, min: MB, max: INT64_MAX }),
  choice('enable-protected-configs', {
    values: ['no', 'yes', 'local'],
    default: 'no',
    isMutable: false,
  }),
  choice('enable-debug-command', {
    values: ['no', 'yes', 'local'],
    default: 'no',
    isMutable: false,
  }),
  text('bind-source-addr', { support: noOutgoing }),
  integer('socket-mark-id', {
    default: 0,
    min: 0,
    max: UINT32_MAX,
    isUnsigned: true,
    isMutable: false,
    support: noMark,
  }),
  choice('enable-module-command', {
    values: ['no', 'yes', 'local'],
    default: 'no',
    isMutable: false,
    support: noModules,
  }),
  memoryOrPercent('maxmemory-clients', {
    default: 0,
    min: -100,
    max: INT64_MAX,
  }),
  integer('tracking-table-max-keys', {
    default: 1_000_000,
    min: 0,
    max: INT64_MAX,
    isUnsigned: true,
  }),
  textOrEmpty('aclfile', { default: '', isMutable: false }),
  integer('acllog-max-len', { default: 128, min: 0, max: INT64_MAX }),
  choice('acl-pubsub-default', {
    values: ['allchannels', 'resetchannels'],
    default: 'resetchannels',
  }),
  integer('io-threads', {
    default: 1,
    min: 1,
    max: 128,
    isMutable: false,
    support: noThreadedInput,
  }),
  flag('io-threads-do-reads', { default: false, isMutable: false, support: noThreadedInput }),
];
