// What is kept in memory, in which form, and what goes when it is full.

import { eventClasses } from '../forms.js';
import { INT32_MAX, INT32_MIN, INT64_MAX, KB, MB, UINT64_MAX } from '../numbers.js';
import type { Row } from '../parameter.js';
import { choice, flag, inert, integer, memory, special } from './rows.js';

const ownAllocator = inert('it has an allocator of its own');
const noRehashing = inert('its tables grow bucket by bucket and are never rehashed');
const alwaysSanitized = inert('it checks every payload in full');
const neverCompresses = inert(
  'no node of a list is compressed: it is read in place, without a copy to unpack it into',
);
const exactExpiry = inert(
  'its expiry index finds every expired key, so there is no effort to choose',
);

export const MEMORY_PARAMETERS: readonly Row[] = [
  integer('databases', { default: 16, min: 1, max: INT32_MAX, isMutable: false }),
  memory('maxmemory', { default: 0, min: 0, max: UINT64_MAX, isUnsigned: true }),
  flag('lazyfree-lazy-eviction', { default: false }),
  flag('lazyfree-lazy-expire', { default: false }),
  flag('lazyfree-lazy-server-del', { default: false }),
  flag('lazyfree-lazy-user-del', { default: false }),
  flag('lazyfree-lazy-user-flush', { default: false }),
  integer('active-expire-effort', { default: 1, min: 1, max: 10, support: exactExpiry }),
  integer('list-max-listpack-size', {
    alias: 'list-max-ziplist-size',
    default: -2,
    min: INT32_MIN,
    max: INT32_MAX,
  }),
  integer('list-compress-depth', {
    default: 0,
    min: 0,
    max: INT32_MAX,
    support: neverCompresses,
  }),
  integer('hash-max-listpack-entries', {
    alias: 'hash-max-ziplist-entries',
    default: 512,
    min: 0,
    max: INT64_MAX,
    isUnsigned: true,
  }),
  memory('hash-max-listpack-value', {
    alias: 'hash-max-ziplist-value',
    default: 64,
    min: 0,
    max: INT64_MAX,
    isUnsigned: true,
  }),
  integer('set-max-intset-entries', {
    default: 512,
    min: 0,
    max: INT64_MAX,
    isUnsigned: true,
  }),
  integer('set-max-listpack-entries', {
    default: 128,
    min: 0,
    max: INT64_MAX,
    isUnsigned: true,
  }),
  integer('set-max-listpack-value', {
    default: 64,
    min: 0,
    max: INT64_MAX,
    isUnsigned: true,
  }),
  integer('zset-max-listpack-entries', {
    alias: 'zset-max-ziplist-entries',
    default: 128,
    min: 0,
    max: INT64_MAX,
    isUnsigned: true,
  }),
  memory('zset-max-listpack-value', {
    alias: 'zset-max-ziplist-value',
    default: 64,
    min: 0,
    max: INT64_MAX,
    isUnsigned: true,
  }),
  memory('stream-node-max-bytes', {
    default: 4 * KB,
    min: 0,
    max: INT64_MAX,
    isUnsigned: true,
  }),
  integer('stream-node-max-entries', { default: 100, min: 0, max: INT64_MAX }),
  integer('stream-idmp-duration', { default: 100, min: 1, max: 86_400 }),
  integer('stream-idmp-maxsize', { default: 100, min: 1, max: 10_000 }),
  memory('hll-sparse-max-bytes', {
    default: 3000,
    min: 0,
    max: INT64_MAX,
    isUnsigned: true,
  }),
  special('notify-keyspace-events', { form: eventClasses }),
  choice('maxmemory-policy', {
    values: [
      'volatile-lru',
      'volatile-lfu',
      'volatile-random',
      'volatile-ttl',
      'allkeys-lru',
      'allkeys-lfu',
      'allkeys-random',
      'noeviction',
      'volatile-lrm',
      'allkeys-lrm',
    ],
    default: 'noeviction',
  }),
  integer('maxmemory-samples', { default: 5, min: 1, max: INT32_MAX }),
  integer('maxmemory-eviction-tenacity', { default: 10, min: 0, max: 100 }),
  integer('lfu-log-factor', { default: 10, min: 0, max: INT32_MAX }),
  integer('lfu-decay-time', { default: 1, min: 0, max: INT32_MAX }),
  flag('activedefrag', { default: false }),
  integer('active-defrag-cycle-min', { default: 1, min: 1, max: 99 }),
  integer('active-defrag-cycle-max', { default: 25, min: 1, max: 99 }),
  integer('active-defrag-threshold-lower', {
    default: 10,
    min: 0,
    max: 1000,
  }),
  integer('active-defrag-threshold-upper', {
    default: 100,
    min: 0,
    max: 1000,
  }),
  memory('active-defrag-ignore-bytes', {
    default: 100 * MB,
    min: 1,
    max: INT64_MAX,
    isUnsigned: true,
  }),
  integer('active-defrag-max-scan-fields', {
    default: 1000,
    min: 1,
    max: INT64_MAX,
  }),
  flag('jemalloc-bg-thread', { default: true, support: ownAllocator }),
  flag('activerehashing', { default: true, support: noRehashing }),
  choice('sanitize-dump-payload', {
    values: ['no', 'yes', 'clients'],
    default: 'no',
    support: alwaysSanitized,
  }),
];
