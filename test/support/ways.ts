// The ways in which one transcript is executed. A new way is a row here and serves every
// transcript; no test is ever copied for it.

import type { Delivery } from './client.js';
import type { ServerKind, ServerOptions } from './server.js';

export type ServerShape = Pick<ServerOptions, 'threads' | 'partitions' | 'transport' | 'tls'>;

export interface Way {
  readonly name: string;
  readonly protocol: 2 | 3;
  readonly delivery: Delivery;
  /** Commands of one connection are sent together before the first reply is read. */
  readonly isPipelined: boolean;
  readonly place: 'tcp' | 'tls' | 'in process';
  readonly server: ServerShape;
}

const CHUNK_SEED = 20_240_611;
const PARTITION_COUNTS = [1, 2, 8];
const TRANSPORTS = ['native', 'epoll', 'node'] as const;

type Manner = Pick<Way, 'delivery' | 'isPipelined'> & { readonly manner: string };

const MANNERS: readonly Manner[] = [
  { manner: 'whole', delivery: 'whole', isPipelined: false },
  { manner: 'byte by byte', delivery: 'bytes', isPipelined: false },
  { manner: 'random pieces', delivery: { chunkSeed: CHUNK_SEED }, isPipelined: true },
  { manner: 'pipelined', delivery: 'whole', isPipelined: true },
];

/** Every test run plays these, so they are a spread over the grid and not the grid. */
export const FAST_WAYS: readonly Way[] = [
  tcp('whole', 2, {}),
  tcp('whole', 3, { transport: 'epoll' }),
  tcp('byte by byte', 2, {}),
  tcp('pipelined', 3, { threads: 2, partitions: 8 }),
  tcp('random pieces', 2, { threads: 1, partitions: 1, transport: 'node' }),
  tls('random pieces', 3, { threads: 1 }),
  inProcess('whole', 2, 1),
  inProcess('byte by byte', 3, 2),
  inProcess('pipelined', 3, 8),
  inProcess('random pieces', 2, 8),
];

/** Every combination; FLAGSTONE_WAYS=all runs it. */
export const ALL_WAYS: readonly Way[] = [
  ...FAST_WAYS,
  ...shapes().flatMap((server) =>
    MANNERS.flatMap(({ manner }) => [tcp(manner, 2, server), tcp(manner, 3, server)]),
  ),
  ...TRANSPORTS.flatMap((transport) =>
    MANNERS.map(({ manner }) => tls(manner, 2, { threads: 2, transport })),
  ),
  ...PARTITION_COUNTS.flatMap((partitions) =>
    MANNERS.flatMap(({ manner }) => [
      inProcess(manner, 2, partitions),
      inProcess(manner, 3, partitions),
    ]),
  ),
];

/** The ways to run now: FLAGSTONE_WAYS is `all`, or a part of the names wanted, or unset. */
export function waysToRun(wanted = process.env.FLAGSTONE_WAYS): readonly Way[] {
  if (wanted === undefined || wanted === '' || wanted === 'fast') return FAST_WAYS;
  const unique = [...new Map(ALL_WAYS.map((way) => [way.name, way])).values()];
  return wanted === 'all' ? unique : unique.filter((way) => way.name.includes(wanted));
}

/** The way as it applies to a server of this kind; undefined where it does not. */
export function adapted(way: Way, kind: ServerKind): Way | undefined {
  if (kind === 'flagstone') return way;
  if (way.place !== 'tcp') return undefined;
  // A real redis has no such options. The fast ways still run there, with other manners.
  return FAST_WAYS.includes(way) ? { ...way, server: {} } : undefined;
}

function tcp(mannerName: string, protocol: 2 | 3, server: ServerShape): Way {
  const { manner, ...rest } = MANNERS.find((row) => row.manner === mannerName)!;
  const words = [`TCP, ${manner}, RESP${protocol}`];
  if (server.threads !== undefined) words.push(`threads ${server.threads}`);
  if (server.partitions !== undefined) words.push(`partitions ${server.partitions}`);
  if (server.transport !== undefined) words.push(`transport ${server.transport}`);
  return { name: words.join(', '), protocol, ...rest, place: 'tcp', server };
}

function tls(mannerName: string, protocol: 2 | 3, server: ServerShape): Way {
  const way = tcp(mannerName, protocol, server);
  const name = way.name.replace('TCP', 'TLS');
  return { ...way, name, place: 'tls', server: { ...server, tls: true } };
}

function inProcess(mannerName: string, protocol: 2 | 3, partitions: number): Way {
  const { manner, ...rest } = MANNERS.find((row) => row.manner === mannerName)!;
  const name = `in process, ${manner}, RESP${protocol}, partitions ${partitions}`;
  return { name, protocol, ...rest, place: 'in process', server: { partitions } };
}

function shapes(): ServerShape[] {
  const list: ServerShape[] = [];
  for (const transport of TRANSPORTS) {
    for (const threads of [1, 2, 8]) {
      for (const partitions of PARTITION_COUNTS) list.push({ threads, partitions, transport });
    }
  }
  return list;
}
