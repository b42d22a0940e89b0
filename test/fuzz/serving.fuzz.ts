// Pipelines of several clients, cut anywhere, to peers that take their replies when they like: each
// client gets, byte for byte, what it gets when its commands come one by one and are read at once;
// and what the server keeps for a peer that does not read has a bound.

import { equal, ok } from 'node:assert/strict';
import { InProcessServer, type ServedSession } from '../support/in-process.js';
import { encodeCommand, quoted } from '../support/resp.js';
import type { Random } from '../support/seed.js';
import type { FuzzTarget } from './target.js';

const CLIENTS = 3;
const PARTITION_BYTES = 16 * 1024 * 1024;
const LARGE_BYTES = 150_000;
/** Held back at 16 MiB of output; a megabyte and a reply may come on top. */
const OUTPUT_BYTES_MAX = (16 + 1) * 1024 * 1024 + LARGE_BYTES;
const PIECE_BYTES = [1, 7, 100, 5000, 100_000, 10_000_000];
const PIECES_MAX = 1000;
const COMMANDS_MAX = 60;

export const target: FuzzTarget = {
  name: 'serving',
  about: 'pipelines cut anywhere, peers that do not read: the replies of one-by-one execution',
  stepsPerRun: 6,
  run({ steps, random, note }) {
    for (let step = 0; step < steps; step++) {
      const dialogues = Array.from({ length: CLIENTS }, (_, index) => draw(random, `c${index}:`));
      for (const words of dialogues.flat()) note(quoted(words.join(' ')).slice(0, 100));
      note(`step ${step}`);
      const partitions = random.pick([1, 2, 8]);
      const expected = playAlone(dialogues, partitions);
      const actual = playTogether(dialogues, partitions, random);
      for (let index = 0; index < CLIENTS; index++) {
        expectEqual(actual[index]!, expected[index]!, index);
      }
    }
  },
};

/** One end of a connection: what it got, and whether it was closed. */
class Peer {
  readonly session: ServedSession;
  readonly chunks: Uint8Array[] = [];
  isClosed = false;

  constructor(server: InProcessServer) {
    this.session = server.open({
      received: (bytes) => void this.chunks.push(bytes),
      closed: () => {
        this.isClosed = true;
      },
    });
  }

  get text(): string {
    return Buffer.concat(this.chunks).toString('latin1') + (this.isClosed ? ' (closed)' : '');
  }
}

function playAlone(dialogues: readonly string[][][], partitions: number): string[] {
  const server = new InProcessServer({ partitions, partitionBytes: PARTITION_BYTES });
  const texts = dialogues.map((dialogue) => {
    const peer = new Peer(server);
    for (const words of dialogue) {
      if (!peer.isClosed) peer.session.feed(encoded(words));
    }
    return peer.text;
  });
  server.stop();
  return texts;
}

function playTogether(
  dialogues: readonly string[][][],
  partitions: number,
  random: Random,
): string[] {
  const server = new InProcessServer({ partitions, partitionBytes: PARTITION_BYTES });
  const peers = dialogues.map((dialogue) => {
    const rest = Buffer.concat(dialogue.map(encoded));
    const pieceMax = Math.max(rest.length / PIECES_MAX, random.pick(PIECE_BYTES));
    const takes = random.pick(['all', 'little', 'nothing']);
    return { peer: new Peer(server), rest, pieceMax, takes };
  });
  for (const { peer, takes } of peers) if (takes !== 'all') peer.session.takes(0);
  for (let open = peers; open.length > 0; open = open.filter(({ rest }) => rest.length > 0)) {
    const one = random.pick(open);
    const bytes = Math.min(one.rest.length, random.between(1, Math.ceil(one.pieceMax)));
    const piece = one.rest.subarray(0, bytes);
    one.rest = one.rest.subarray(bytes);
    if (!one.peer.isClosed) one.peer.session.feed(piece);
    if (one.takes === 'little' && random.chance(0.5)) one.peer.session.takes(random.below(3000));
    const { outputBytes } = one.peer.session.connection;
    ok(outputBytes <= OUTPUT_BYTES_MAX, `${outputBytes} bytes of output are kept`);
  }
  for (const { peer } of peers) peer.session.takes(Number.POSITIVE_INFINITY);
  const texts = peers.map(({ peer }) => peer.text);
  server.stop();
  return texts;
}

function expectEqual(actual: string, expected: string, client: number): void {
  if (actual === expected) return;
  let at = 0;
  while (at < actual.length && actual[at] === expected[at]) at++;
  const around = (text: string) => quoted(text.slice(Math.max(0, at - 60), at + 60));
  equal(around(actual), around(expected), `client ${client}, at byte ${at}`);
}

/** A word that is no array of words is sent as it is. */
function encoded(words: readonly string[]): Buffer {
  if (words[0] !== 'RAW') return encodeCommand([...words]);
  return Buffer.from(words[1]!, 'latin1');
}

/** Commands on keys of one's own, so that no other client is seen. */
function draw(random: Random, prefix: string): string[][] {
  const key = () => `${prefix}${random.below(6)}`;
  const isGreedy = random.chance(0.05);
  const dialogue: string[][] = [['SET', `${prefix}0`, 'x'.repeat(isGreedy ? LARGE_BYTES : 10)]];
  if (isGreedy) {
    for (let count = 0; count < 150; count++) dialogue.push(['GET', `${prefix}0`]);
  }
  for (let count = random.between(1, COMMANDS_MAX); count > 0; count--) {
    dialogue.push(drawOne(random, key));
  }
  return dialogue;
}

function drawOne(random: Random, key: () => string): string[] {
  switch (random.below(18)) {
    case 0:
      return ['SET', key(), 'v'.repeat(random.below(random.pick([10, 1000, LARGE_BYTES])))];
    case 1:
      return ['INCR', key()];
    case 2:
      return ['APPEND', key(), random.bytes(random.below(40))];
    case 3:
      return ['MGET', key(), key(), key(), 'nothing'];
    case 4:
      return ['DEL', key(), key()];
    case 5:
      return ['ECHO', random.bytes(random.below(random.pick([10, 40_000])))];
    case 6:
      return ['SELECT', String(random.below(18))];
    case 7:
      return ['HELLO', random.pick(['2', '3', '4']), 'SETNAME', 'x'].slice(0, random.pick([1, 2]));
    case 8:
      return ['CLIENT', 'REPLY', random.pick(['ON', 'ON', 'OFF', 'SKIP', 'BOGUS'])];
    case 9:
      return random.pick([['BOGUS', 'a\r\nb'], ['GET'], ['CONFIG', 'BOGUS'], ['AUTH', 'x']]);
    case 10:
      return random.pick([['PING'], ['PING', 'hello'], ['RESET'], ['CLIENT', 'GETNAME']]);
    case 11:
      return ['RAW', random.pick(['\r\n', '*0\r\n', 'PING\r\n', `SET ${key()} "a\\x41'"\r\n`])];
    case 12:
      if (!random.chance(0.1)) return ['STRLEN', key()];
      return random.pick([
        ['QUIT'],
        ['RAW', '*1\r\nPING\r\n'],
        ['RAW', 'GET "a\r\n'],
        ['RAW', '*x\r\n'],
      ]);
    default:
      return ['GET', key()];
  }
}
