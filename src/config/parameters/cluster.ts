// Redis Cluster.

import { INT32_MAX, INT64_MAX, UINT64_MAX } from '../numbers.js';
import type { Row } from '../parameter.js';
import { isHostName, isNodeName } from './checks.js';
import { choice, flag, inert, integer, memory, refused, text, textOrEmpty } from './rows.js';

const noClusterMode = refused(
  'cluster mode arrives in a later version; one Flagstone uses all cores of a machine without it',
);
const noCluster = inert('cluster mode arrives in a later version');

export const CLUSTER_PARAMETERS: readonly Row[] = [
  flag('cluster-enabled', { default: false, isMutable: false, support: noClusterMode }),
  textOrEmpty('cluster-config-file', {
    default: 'nodes.conf',
    isMutable: false,
    support: noCluster,
  }),
  integer('cluster-node-timeout', { default: 15_000, min: 0, max: INT64_MAX, support: noCluster }),
  integer('cluster-ping-interval', {
    default: 0,
    min: 0,
    max: INT64_MAX,
    isHidden: true,
    support: noCluster,
  }),
  integer('cluster-port', {
    default: 0,
    min: 0,
    max: 65_535,
    isMutable: false,
    support: noCluster,
  }),
  text('cluster-announce-ip', { support: noCluster }),
  integer('cluster-announce-port', { default: 0, min: 0, max: 65_535, support: noCluster }),
  integer('cluster-announce-tls-port', { default: 0, min: 0, max: 65_535, support: noCluster }),
  integer('cluster-announce-bus-port', { default: 0, min: 0, max: 65_535, support: noCluster }),
  text('cluster-announce-hostname', { check: isHostName, support: noCluster }),
  text('cluster-announce-human-nodename', { check: isNodeName, support: noCluster }),
  choice('cluster-preferred-endpoint-type', {
    values: ['ip', 'hostname', 'unknown-endpoint'],
    default: 'ip',
    support: noCluster,
  }),
  integer('cluster-replica-validity-factor', {
    alias: 'cluster-slave-validity-factor',
    default: 10,
    min: 0,
    max: INT32_MAX,
    support: noCluster,
  }),
  flag('cluster-replica-no-failover', {
    alias: 'cluster-slave-no-failover',
    default: false,
    support: noCluster,
  }),
  integer('cluster-migration-barrier', { default: 1, min: 0, max: INT32_MAX, support: noCluster }),
  flag('cluster-allow-replica-migration', { default: true, support: noCluster }),
  flag('cluster-require-full-coverage', { default: true, support: noCluster }),
  flag('cluster-allow-reads-when-down', { default: false, support: noCluster }),
  flag('cluster-allow-pubsubshard-when-down', { default: true, support: noCluster }),
  memory('cluster-link-sendbuf-limit', {
    default: 0,
    min: 0,
    max: UINT64_MAX,
    isUnsigned: true,
    support: noCluster,
  }),
];
