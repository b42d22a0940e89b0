// One door each: what may be touched only from the files named here. That is what makes the
// simulator possible (virtual clock, disk and network), and what keeps a crash-prone call in one
// reviewed place.

import { lineAt, type SourceFile, type Violation } from './source.js';

interface Place {
  /** A file, or a folder with its slash. */
  readonly at: string;
  readonly reason: string;
}

export interface Door {
  readonly name: string;
  /** Looked for in code; with `isImport` also in import specifiers. */
  readonly pattern: RegExp;
  readonly places: readonly Place[];
  readonly instead: string;
}

export const DOORS: readonly Door[] = [
  {
    name: 'Atomics',
    pattern: /\bAtomics\b/g,
    places: [
      { at: 'src/slab/', reason: 'the lock word, and the header of a partition' },
      { at: 'src/mesh/', reason: 'rings and doorbells between threads' },
      { at: 'src/log/', reason: 'the number of a write and the bounds of the logs' },
      { at: 'src/stats/', reason: 'counters that INFO sums over threads' },
      { at: 'src/pubsub/registry.ts', reason: 'who subscribes, read by all without a lock' },
      { at: 'src/pubsub/notices.ts', reason: 'which threads listen' },
      { at: 'src/net/listening.ts', reason: 'listening sockets, for the acceptor' },
      { at: 'src/pubsub/tracking.ts', reason: 'which threads have sessions that cache' },
      { at: 'src/keyspace/tracked-keys.ts', reason: 'totals that all partitions count in' },
      { at: 'src/scripting/registry.ts', reason: 'the version of the scripts, read by every run' },
      { at: 'src/scripting/function-store.ts', reason: 'versions of the libraries of functions' },
      { at: 'src/acl/user-store.ts', reason: 'the version of the users, and their lock' },
      { at: 'src/acl/access-log.ts', reason: 'the lock of ACL LOG' },
      { at: 'src/base/clock.ts', reason: 'time never goes backwards between threads' },
      { at: 'src/keyspace/waiters.ts', reason: 'the state of a waiter, claimed by one of many' },
      { at: 'src/dispatch/session.ts', reason: 'dirty and kill words of a session' },
    ],
    instead: 'share memory through slab/lock.ts or a ring of mesh/',
  },
  {
    name: 'libc',
    pattern: /(['"])koffi\1|\/libc-calls\.js/g,
    places: [
      { at: 'src/base/libc-calls.ts', reason: 'the functions, bound once per thread' },
      { at: 'src/base/libc.ts', reason: 'checked wrappers: a wrong length is a crash' },
      { at: 'src/base/io-uring.ts', reason: 'the same for rings' },
      { at: 'src/base/malloc.ts', reason: 'what only glibc has, and takes no address' },
    ],
    instead: 'call a wrapper of base/libc.ts',
  },
  {
    name: 'files',
    pattern: /(['"])(?:node:)?fs(?:\/promises)?\1/g,
    places: [
      { at: 'src/base/disk.ts', reason: 'the one door, replaced by the simulator' },
      { at: 'src/config/', reason: 'the configuration file is read before there is a disk' },
      { at: 'src/net/tls-settings.ts', reason: 'certificates and keys are no data' },
      { at: 'src/scripting/lua-binary.ts', reason: "the interpreter is the program's, not data" },
      { at: 'src/server/', reason: 'pid file, data directory and report of a crash' },
      { at: 'src/web/', reason: 'the build of the pages looks which sources are newer' },
      { at: 'src/gateway/http/pages.ts', reason: "the program's own pages, read once at start" },
      { at: 'src/gateway/engine-node.ts', reason: 'the certificate, read at start' },
      { at: 'src/examples/', reason: 'programs of their own, which serve their pages' },
    ],
    instead: 'go through base/disk.ts',
  },
  {
    name: 'time',
    pattern: /\b(?:Date|performance)\s*\.\s*now\b|\bprocess\s*\.\s*hrtime\b|\bnew\s+Date\(\s*\)/g,
    places: [
      { at: 'src/base/clock.ts', reason: 'one clock per visit, virtual in the simulator' },
      { at: 'src/client/', reason: 'it runs in browsers, with their clock' },
      { at: 'src/gateway/token.ts', reason: 'other programs make tokens with it, too' },
      { at: 'src/web/', reason: 'it runs in browsers, with their clock' },
      { at: 'src/examples/', reason: 'programs of their own' },
    ],
    instead: 'read base/clock.ts, or the time of the visit',
  },
  {
    name: 'chance',
    pattern: /\bMath\s*\.\s*random\b|\bgetRandomValues\b|\brandomUUID\b|(['"])(?:node:)?crypto\1/g,
    places: [
      { at: 'src/base/prng.ts', reason: 'a seed repeats a run' },
      { at: 'src/base/hash.ts', reason: 'the key of the hash and the digests' },
      { at: 'src/base/sha1.ts', reason: 'the names of scripts' },
      { at: 'src/gateway/token.ts', reason: 'signatures of tokens' },
      { at: 'src/net/tls-settings.ts', reason: "OpenSSL's options, and reading certificates" },
      { at: 'src/base/sha256.ts', reason: 'passwords are kept as their digests' },
      { at: 'src/client/', reason: 'pauses before a new try, in browsers' },
      { at: 'src/examples/', reason: 'players and visitors are made up' },
    ],
    instead: 'draw from base/prng.ts or digest with base/hash.ts',
  },
  {
    name: 'sockets',
    pattern: /(['"])(?:node:)?(?:net|tls|dgram)\1/g,
    places: [
      { at: 'src/net/', reason: 'links and buses are given a connect by server/wire.ts' },
      { at: 'src/top/link.ts', reason: 'the view in the terminal is a client, in its own process' },
    ],
    instead: 'take a connect from server/wire.ts',
  },
  {
    name: 'exit',
    pattern: /\bprocess\s*\.\s*(?:exit|abort|kill)\b/g,
    places: [
      { at: 'src/server/', reason: 'ending hangs on a blocked call unless stop is ordered' },
      { at: 'src/examples/', reason: 'programs of their own' },
    ],
    instead: 'fail an assert, or ask server/lifecycle.ts through a callback',
  },
];

export function checkDoors(files: readonly SourceFile[], doors = DOORS): Violation[] {
  const sources = files.filter((file) => file.path.startsWith('src/'));
  return sources.flatMap((file) => doors.flatMap((door) => checkDoor(file, door)));
}

function checkDoor(file: SourceFile, door: Door): Violation[] {
  if (door.places.some(({ at }) => file.path.startsWith(at))) return [];
  const violations: Violation[] = [];
  for (const match of file.bare.matchAll(door.pattern)) {
    if (!isCode(file, match)) continue;
    const text = `${match[0]} passes by the door of ${door.name}: ${door.instead}`;
    violations.push({ rule: 'doors', path: file.path, line: lineAt(file.text, match.index), text });
  }
  return violations;
}

/** A module's name counts where it is imported, a word where it is not inside a string. */
function isCode(file: SourceFile, match: RegExpExecArray): boolean {
  if (!/^['"]/.test(match[0])) return file.code.startsWith(match[0], match.index);
  return /(?:\bfrom|\bimport|\bimport\s*\(|\brequire\s*\()\s*$/.test(
    file.code.slice(Math.max(0, match.index - 40), match.index),
  );
}
