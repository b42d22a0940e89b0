// Every parameter there is: those of Redis 7.2.6 by subject, then Flagstone's own.

import { assert } from '../base/assert.js';
import type { Row } from './parameter.js';
import { CLUSTER_PARAMETERS } from './parameters/cluster.js';
import { GATEWAY_PARAMETERS } from './parameters/gateway.js';
import { MEMORY_PARAMETERS } from './parameters/memory.js';
import { NETWORK_PARAMETERS } from './parameters/network.js';
import { OWN_PARAMETERS } from './parameters/own.js';
import { PERSISTENCE_PARAMETERS } from './parameters/persistence.js';
import { PROCESS_PARAMETERS } from './parameters/process.js';
import { REPLICATION_PARAMETERS } from './parameters/replication.js';
import { TLS_PARAMETERS } from './parameters/tls.js';
import { lowerCase } from './words.js';

export const PARAMETERS: readonly Row[] = [
  ...NETWORK_PARAMETERS,
  ...MEMORY_PARAMETERS,
  ...PERSISTENCE_PARAMETERS,
  ...REPLICATION_PARAMETERS,
  ...CLUSTER_PARAMETERS,
  ...TLS_PARAMETERS,
  ...PROCESS_PARAMETERS,
  ...OWN_PARAMETERS,
  ...GATEWAY_PARAMETERS,
];

const ROW_OF_NAME: ReadonlyMap<string, Row> = indexNames(PARAMETERS);

/** Is it one that Redis does not have? */
export function isOwn(row: Row): boolean {
  return OWN_PARAMETERS.includes(row) || GATEWAY_PARAMETERS.includes(row);
}

/** The row of a name or of an alias, in any case of letters. */
export function findParameter(name: string): Row | null {
  return ROW_OF_NAME.get(lowerCase(name)) ?? null;
}

/** Like findParameter, for names that the program itself writes. */
export function getParameter(name: string): Row {
  const row = findParameter(name);
  assert(row !== null, `there is no parameter '${name}'`);
  return row;
}

function indexNames(rows: readonly Row[]): Map<string, Row> {
  const index = new Map<string, Row>();
  for (const row of rows) {
    for (const name of row.alias === null ? [row.name] : [row.name, row.alias]) {
      assert(!index.has(name), `two parameters are called '${name}'`);
      index.set(name, row);
    }
  }
  return index;
}
