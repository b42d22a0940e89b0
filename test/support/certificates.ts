// Certificates for tests: an authority, a server and a client it vouches for, and a client that it
// does not know. Made anew for each test process, in a folder that is removed at its end.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { generate } from 'selfsigned';

/** Paths of files in PEM form. */
export interface Certificates {
  readonly folder: string;
  readonly authority: string;
  readonly server: Identity;
  readonly client: Identity;
  /** Signed by an authority of its own. */
  readonly stranger: Identity;
  /** As `server`, with another certificate and an encrypted key. */
  readonly other: Identity;
}

export interface Identity {
  readonly cert: string;
  readonly key: string;
}

export const PASSPHRASE = 'open sesame';

let made: Promise<Certificates> | null = null;

export function certificates(): Promise<Certificates> {
  made ??= make();
  return made;
}

async function make(): Promise<Certificates> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'flagstone-certificates-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  const write = (name: string, text: string): string => {
    const file = path.join(folder, name);
    writeFileSync(file, text, { mode: 0o600 });
    return file;
  };
  const authority = await issue('Test authority', { isAuthority: true });
  const identity = async (name: string, options: IssueOptions = {}): Promise<Identity> => {
    const issued = await issue(name, options);
    return { cert: write(`${name}.crt`, issued.cert), key: write(`${name}.key`, issued.key) };
  };
  return {
    folder,
    authority: write('authority.crt', authority.cert),
    server: await identity('localhost', { signer: authority }),
    client: await identity('client', { signer: authority }),
    stranger: await identity('stranger'),
    other: await identity('other', { signer: authority, passphrase: PASSPHRASE }),
  };
}

interface Issued {
  readonly cert: string;
  readonly key: string;
}

interface IssueOptions {
  readonly isAuthority?: boolean;
  readonly signer?: Issued;
  readonly passphrase?: string;
}

async function issue(name: string, options: IssueOptions): Promise<Issued> {
  const { signer, passphrase, isAuthority = false } = options;
  const pems = await generate([{ name: 'commonName', value: name }], {
    keyType: 'ec',
    algorithm: 'sha256',
    extensions: [
      { name: 'basicConstraints', cA: isAuthority, critical: true },
      { name: 'subjectAltName', altNames: [{ type: 2, value: 'localhost' }] },
    ],
    ...(signer === undefined ? {} : { ca: signer }),
    ...(passphrase === undefined ? {} : { passphrase }),
  });
  return { cert: pems.cert, key: pems.private };
}
