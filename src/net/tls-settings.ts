// Certificates, keys and what TLS may speak, as the configuration says. The sentences of refusal
// are Redis's.

import { constants, X509Certificate } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { SecureContextOptions } from 'node:tls';
import type { Config } from '../config/config.js';

/** The parameters whose change makes files be read again. */
export const TLS_SETTINGS: readonly string[] = [
  'tls-cert-file',
  'tls-key-file',
  'tls-key-file-pass',
  'tls-dh-params-file',
  'tls-ca-cert-file',
  'tls-ca-cert-dir',
  'tls-auth-clients',
  'tls-protocols',
  'tls-ciphers',
  'tls-ciphersuites',
  'tls-prefer-server-ciphers',
  'tls-session-caching',
  'tls-session-cache-timeout',
];

/** What is switched off of the protocols that tls-protocols does not name. */
const OFF_OF_PROTOCOL: ReadonlyMap<string, number> = new Map([
  ['tlsv1', constants.SSL_OP_NO_TLSv1],
  ['tlsv1.1', constants.SSL_OP_NO_TLSv1_1],
  ['tlsv1.2', constants.SSL_OP_NO_TLSv1_2],
  ['tlsv1.3', constants.SSL_OP_NO_TLSv1_3],
]);
const PROTOCOLS = 'TLSv1.2 TLSv1.3';
const CIPHERSUITES = 'TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256';
/** What OpenSSL offers by itself. */
const CIPHERS = 'DEFAULT';
/** How OpenSSL finds a certificate in a folder: by the hash of its subject. */
const HASHED_NAME = /^[0-9a-f]{8}\.\d+$/;

/** A sequence in DER, which begins with 0x30. */
const DH_PARAMETERS = /^-----BEGIN DH PARAMETERS-----\s+M[A-P]/m;

/** Why the configuration is none. */
class TlsFailure extends Error {}

/** What speaks against the configuration, or null. */
export function checkTls(config: Config): string | null {
  try {
    readTls(config);
    return null;
  } catch (error) {
    if (error instanceof TlsFailure) return error.message;
    throw error;
  }
}

/** The options of a server's secure context; throws a sentence for the log. */
export function readTls(config: Config): SecureContextOptions {
  const certFile = config.text('tls-cert-file');
  const keyFile = config.text('tls-key-file');
  if (certFile === '') throw new TlsFailure('No tls-cert-file configured!');
  if (keyFile === '') throw new TlsFailure('No tls-key-file configured!');
  const base: SecureContextOptions = {
    minVersion: 'TLSv1',
    maxVersion: 'TLSv1.3',
    secureOptions: secureOptionsOf(config),
    honorCipherOrder: config.flag('tls-prefer-server-ciphers'),
    // Nobody is let in by the system's list of authorities.
    ca: authoritiesOf(config),
    sessionTimeout: config.number('tls-session-cache-timeout') || 1,
    sessionIdContext: 'flagstone',
  };
  const cert = readOr(certFile, `Failed to load certificate: ${certFile}`);
  attempt({ cert }, `Failed to load certificate: ${certFile}`);
  const key = readOr(keyFile, `Failed to load private key: ${keyFile}`);
  const passphrase = config.text('tls-key-file-pass');
  const identity = { cert, key, passphrase };
  attempt(identity, `Failed to load private key: ${keyFile}`);
  const ciphers = ciphersOf(config);
  const dhFile = config.text('tls-dh-params-file');
  if (dhFile === '') return { ...base, ...identity, ciphers, dhparam: 'auto' };
  const dhparam = readOr(dhFile, `Failed to load ${dhFile}`);
  // A context takes what is none, and goes on without.
  if (!DH_PARAMETERS.test(dhparam.toString('latin1'))) {
    throw new TlsFailure(`${dhFile}: failed to read DH params.`);
  }
  attempt({ dhparam }, `Failed to load DH params file: ${dhFile}`);
  return { ...base, ...identity, ciphers, dhparam };
}

function authoritiesOf(config: Config): Buffer[] {
  const file = config.text('tls-ca-cert-file');
  const folder = config.text('tls-ca-cert-dir');
  const isNeeded =
    config.text('tls-auth-clients') !== 'no' ||
    config.flag('tls-cluster') ||
    config.flag('tls-replication');
  if (isNeeded && file === '' && folder === '') {
    throw new TlsFailure(
      'Either tls-ca-cert-file or tls-ca-cert-dir must be specified when tls-cluster, ' +
        'tls-replication or tls-auth-clients are enabled!',
    );
  }
  const failure = 'Failed to configure CA certificate(s) file/directory';
  const found: Buffer[] = [];
  if (file !== '') found.push(authorityOr(file, failure));
  if (folder !== '') {
    const names = orFail(() => readdirSync(folder), failure);
    for (const name of names) {
      if (HASHED_NAME.test(name)) found.push(authorityOr(`${folder}/${name}`, failure));
    }
  }
  return found;
}

function secureOptionsOf(config: Config): number {
  const wanted = config.text('tls-protocols') || PROTOCOLS;
  const names = new Set(wanted.toLowerCase().split(' '));
  for (const name of names) {
    if (OFF_OF_PROTOCOL.has(name)) continue;
    throw new TlsFailure(
      'Invalid tls-protocols specified. Use a combination of ' +
        "'TLSv1', 'TLSv1.1', 'TLSv1.2' and 'TLSv1.3'.",
    );
  }
  // No peer makes the server negotiate anew in the middle of a connection.
  let options = constants.SSL_OP_NO_RENEGOTIATION | constants.SSL_OP_NO_COMPRESSION;
  for (const [name, off] of OFF_OF_PROTOCOL) if (!names.has(name)) options |= off;
  if (!config.flag('tls-session-caching')) options |= constants.SSL_OP_NO_TICKET;
  return options;
}

function ciphersOf(config: Config): string {
  const ciphers = config.text('tls-ciphers') || CIPHERS;
  const suites = config.text('tls-ciphersuites') || CIPHERSUITES;
  attempt({ ciphers: `${CIPHERSUITES}:${ciphers}` }, 'Failed to configure ciphers', ciphers);
  const isSuite = suites.split(':').every((suite) => suite.startsWith('TLS_'));
  if (!isSuite) throw new TlsFailure(`Failed to configure ciphersuites: ${suites}`);
  const all = `${suites}:${ciphers}`;
  attempt({ ciphers: all }, 'Failed to configure ciphersuites', suites);
  return all;
}

/** Makes a context of this alone, so that the sentence names what is wrong. */
function attempt(options: SecureContextOptions, failure: string, reason?: string): void {
  orFail(() => tlsModule().createSecureContext(options), failure, reason);
}

/** A context would take anything here, and then know nobody. */
function authorityOr(path: string, failure: string): Buffer {
  const text = readOr(path, failure);
  orFail(() => new X509Certificate(text), failure);
  return text;
}

function readOr(path: string, failure: string): Buffer {
  return orFail(() => readFileSync(path), failure);
}

function orFail<T>(action: () => T, failure: string, reason?: string): T {
  try {
    return action();
  } catch (error) {
    throw new TlsFailure(`${failure}: ${reason ?? (error as Error).message}`);
  }
}

/** Loaded when it is needed: a server without TLS does without its memory. */
function tlsModule(): typeof import('node:tls') {
  return createRequire(import.meta.url)('node:tls') as typeof import('node:tls');
}
