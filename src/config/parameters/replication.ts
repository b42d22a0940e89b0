// Replicas of this server, and this server as a replica.

import { primaryAddress } from '../forms.js';
import { INT32_MAX, INT64_MAX, MB } from '../numbers.js';
import type { Row } from '../parameter.js';
import { choice, flag, inert, integer, memory, refused, special, text } from './rows.js';

const noReplicaOf = refused(
  'replication arrives in a later version; remove replicaof and start this server on its own',
);
const noReplication = inert('replication arrives in a later version');

export const REPLICATION_PARAMETERS: readonly Row[] = [
  special('replicaof', {
    alias: 'slaveof',
    form: primaryAddress,
    isMutable: false,
    isMulti: true,
    support: noReplicaOf,
  }),
  text('masterauth', { isSensitive: true, support: noReplication }),
  text('masteruser', { isSensitive: true, support: noReplication }),
  flag('replica-serve-stale-data', {
    alias: 'slave-serve-stale-data',
    default: true,
    support: noReplication,
  }),
  flag('replica-read-only', { alias: 'slave-read-only', default: true, support: noReplication }),
  flag('replica-ignore-maxmemory', {
    alias: 'slave-ignore-maxmemory',
    default: true,
    support: noReplication,
  }),
  flag('replica-lazy-flush', { alias: 'slave-lazy-flush', default: false, support: noReplication }),
  flag('replica-announced', { default: true, support: noReplication }),
  text('replica-announce-ip', { alias: 'slave-announce-ip', support: noReplication }),
  integer('replica-announce-port', {
    alias: 'slave-announce-port',
    default: 0,
    min: 0,
    max: 65_535,
    support: noReplication,
  }),
  integer('replica-priority', {
    alias: 'slave-priority',
    default: 100,
    min: 0,
    max: INT32_MAX,
    support: noReplication,
  }),
  flag('replica-ignore-disk-write-errors', { default: false, support: noReplication }),
  flag('repl-disable-tcp-nodelay', { default: false, support: noReplication }),
  flag('repl-diskless-sync', { default: true, support: noReplication }),
  integer('repl-diskless-sync-delay', {
    default: 5,
    min: 0,
    max: INT32_MAX,
    support: noReplication,
  }),
  integer('repl-diskless-sync-max-replicas', {
    default: 0,
    min: 0,
    max: INT32_MAX,
    support: noReplication,
  }),
  choice('repl-diskless-load', {
    values: ['disabled', 'on-empty-db', 'swapdb'],
    default: 'disabled',
    isRefusedWhileLoading: true,
    support: noReplication,
  }),
  integer('repl-ping-replica-period', {
    alias: 'repl-ping-slave-period',
    default: 10,
    min: 1,
    max: INT32_MAX,
    support: noReplication,
  }),
  integer('repl-timeout', { default: 60, min: 1, max: INT32_MAX, support: noReplication }),
  memory('repl-backlog-size', { default: MB, min: 1, max: INT64_MAX, support: noReplication }),
  integer('repl-backlog-ttl', { default: 3600, min: 0, max: INT64_MAX, support: noReplication }),
  integer('min-replicas-to-write', {
    alias: 'min-slaves-to-write',
    default: 0,
    min: 0,
    max: INT32_MAX,
    support: noReplication,
  }),
  integer('min-replicas-max-lag', {
    alias: 'min-slaves-max-lag',
    default: 10,
    min: 0,
    max: INT32_MAX,
    support: noReplication,
  }),
  choice('propagation-error-behavior', {
    values: ['ignore', 'panic', 'panic-on-replicas'],
    default: 'ignore',
    support: noReplication,
  }),
];
