// What the gateway and the server around it know of each other. The server (server/edge-gateway.ts)
// has sessions, commands and figures; the gateway has sockets, frames and pages. So this folder
// needs neither net/ nor server/.

import type { Slices } from '../base/slices.js';
import type { Session } from '../dispatch/session.js';
import type { Reply } from '../resp/write.js';

/** A client's connection as the server has it: RESP goes in. */
export interface Line {
  readonly session: Session;
  readonly isClosed: boolean;
  /** RESP of the client, cut anywhere; the bytes are the caller's again when this returns. */
  received(bytes: Uint8Array): void;
  /** The client takes more, after a send that it did not take whole. */
  drained(): void;
  /** The client is gone. */
  gone(): void;
}

/** The client as the server sees it: RESP comes out. */
export interface Guest {
  /** Each reply is to be preceded by the id of its request (frames/replies.ts). */
  readonly isMarked: boolean;
  /** Of the next request. */
  readonly nextId: number;
  /** The next request has run. */
  ranNext(): void;
  /** Why the next command is not run, before it is looked up; null lets it. */
  refusalOf(nowMs: number): string | null;
  /** A command that no table knows: true, and answered, if it is the gateway's own. */
  ownCommand(args: Slices, session: Session, reply: Reply): boolean;
  /** A command has run; strangers have only so many. */
  ran(session: Session): void;
  /** Takes bytes of replies and messages; returns how many, −1 when the client is gone. */
  send(u8: Uint8Array, start: number, end: number, isPush: boolean): number;
  /** The server has closed the line; `isOrderly`: after all that was said. */
  close(isOrderly: boolean): void;
}

export interface Peer {
  readonly address: string;
  readonly localAddress: string;
}

/** What the gateway may ask of the server. */
export interface GatewayDoor {
  /** Counts a client in; or why it may not come in, as RESP error text without its mark. */
  admit(address: string): string | null;
  /** A line for one that was admitted; null when there is no room for it. */
  open(guest: Guest, peer: Peer): Line | null;
  /** The session's replies have the types of RESP3, as after HELLO 3. */
  speakRespThree(session: Session): void;
  /** Makes the session the user's: false when there is none of that name, or it is off. */
  authenticateAs(session: Session, user: string): boolean;
  /** Why the session may not say INFO, as error text; null when it may. */
  refusalToInspect(session: Session): string | null;
  /** Does a client need to say who it is? */
  needsPassword(): boolean;
  readonly isLoading: boolean;
  readonly isStopping: boolean;
  /** Milliseconds since the epoch. */
  nowMs(): number;
  text(parameter: string): string;
  number(parameter: string): number;
  flag(parameter: string): boolean;
  log(level: 'notice' | 'warning' | 'verbose', line: string): void;
  /** The figures of the moment, for GATEWAY STATS and metrics. */
  figures(): Figures;
}

/** As docs/gateway.md shows them under GATEWAY STATS. */
export interface Figures {
  readonly time: number;
  readonly uptimeMs: number;
  readonly version: string;
  readonly engine: string;
  readonly commands: number;
  readonly connections: number;
  readonly gatewayConnections: number;
  readonly inputBytes: number;
  readonly outputBytes: number;
  readonly hits: number;
  readonly misses: number;
  readonly expired: number;
  readonly evicted: number;
  readonly errors: number;
  readonly usedMemory: number;
  readonly peakMemory: number;
  readonly residentBytes: number;
  readonly maxMemory: number;
  readonly keys: number;
  readonly workers: readonly WorkerFigures[];
  readonly partitions: readonly PartitionFigures[];
  readonly latency: { readonly limitsUs: readonly number[]; readonly counts: readonly number[] };
  readonly commandStats: readonly CommandFigures[];
}

export interface WorkerFigures {
  readonly thread: number;
  readonly kind: string;
  readonly connections: number;
  readonly commands: number;
  readonly microseconds: number;
  readonly cpuUserUs: number;
  readonly cpuSystemUs: number;
  readonly turns: number;
  readonly inputBytes: number;
  readonly outputBytes: number;
}

export interface PartitionFigures {
  readonly keys: number;
  readonly usedBytes: number;
  readonly capacityBytes: number;
}

export interface CommandFigures {
  readonly name: string;
  readonly calls: number;
  readonly microseconds: number;
  readonly rejected: number;
  readonly failed: number;
  /** counts[i]: at most latency.limitsUs[i], and more than the one before. */
  readonly histogram: readonly number[];
}
