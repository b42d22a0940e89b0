// Encrypted connections.

import { INT32_MAX } from '../numbers.js';
import type { Row } from '../parameter.js';
import { choice, flag, inert, integer, text } from './rows.js';

const inTickets = inert('sessions are kept by the clients, in tickets, and take no memory here');
const noLinks = inert('it opens no encrypted connections to other servers yet');

export const TLS_PARAMETERS: readonly Row[] = [
  integer('tls-port', { default: 0, min: 0, max: 65_535 }),
  integer('tls-session-cache-size', {
    default: 20_480,
    min: 0,
    max: INT32_MAX,
    support: inTickets,
  }),
  integer('tls-session-cache-timeout', { default: 300, min: 0, max: INT32_MAX }),
  flag('tls-cluster', { default: false, support: noLinks }),
  flag('tls-replication', { default: false, support: noLinks }),
  choice('tls-auth-clients', { values: ['no', 'yes', 'optional'], default: 'yes' }),
  flag('tls-prefer-server-ciphers', { default: false }),
  flag('tls-session-caching', { default: true }),
  text('tls-cert-file', { isVolatile: true }),
  text('tls-key-file', { isVolatile: true }),
  text('tls-key-file-pass'),
  text('tls-client-cert-file', { isVolatile: true, support: noLinks }),
  text('tls-client-key-file', { isVolatile: true, support: noLinks }),
  text('tls-client-key-file-pass', { support: noLinks }),
  text('tls-dh-params-file', { isVolatile: true }),
  text('tls-ca-cert-file', { isVolatile: true }),
  text('tls-ca-cert-dir', { isVolatile: true }),
  text('tls-protocols'),
  text('tls-ciphers'),
  text('tls-ciphersuites'),
];
