// Encrypted connections.

import { INT32_MAX } from '../numbers.js';
import type { Row } from '../parameter.js';
import { choice, flag, integer, refused, text } from './rows.js';

const noTls = refused(
  'encrypted connections arrive in a later version; put a TLS proxy such as stunnel in front',
);

export const TLS_PARAMETERS: readonly Row[] = [
  integer('tls-port', { default: 0, min: 0, max: 65_535, support: noTls }),
  integer('tls-session-cache-size', { default: 20_480, min: 0, max: INT32_MAX, support: noTls }),
  integer('tls-session-cache-timeout', { default: 300, min: 0, max: INT32_MAX, support: noTls }),
  flag('tls-cluster', { default: false, support: noTls }),
  flag('tls-replication', { default: false, support: noTls }),
  choice('tls-auth-clients', { values: ['no', 'yes', 'optional'], default: 'yes', support: noTls }),
  flag('tls-prefer-server-ciphers', { default: false, support: noTls }),
  flag('tls-session-caching', { default: true, support: noTls }),
  text('tls-cert-file', { isVolatile: true, support: noTls }),
  text('tls-key-file', { isVolatile: true, support: noTls }),
  text('tls-key-file-pass', { support: noTls }),
  text('tls-client-cert-file', { isVolatile: true, support: noTls }),
  text('tls-client-key-file', { isVolatile: true, support: noTls }),
  text('tls-client-key-file-pass', { support: noTls }),
  text('tls-dh-params-file', { isVolatile: true, support: noTls }),
  text('tls-ca-cert-file', { isVolatile: true, support: noTls }),
  text('tls-ca-cert-dir', { isVolatile: true, support: noTls }),
  text('tls-protocols', { support: noTls }),
  text('tls-ciphers', { support: noTls }),
  text('tls-ciphersuites', { support: noTls }),
];
