// Clients that say the same batches again and again, each when the one before it is answered:
// over RESP and over WebSockets, so that both can be compared.

import { connect, type Socket } from 'node:net';
import { encodeWords } from './requests.js';
import { messageFrame, packBatch, packRequest, WebSocketLoad } from './web-sockets.js';

export const BATCH = 16;
export const KEYS = 1000;
export const VALUE = 'x'.repeat(16);
/** Batches made beforehand. */
const VARIANTS = 64;

export type Verb = 'GET' | 'SET';

/** Says a batch, and calls `done` when all of it is answered; `send` is called again then. */
export interface Talker {
  send(): void;
  close(): void;
}

function wordsOf(verb: Verb, number: number): string[] {
  const key = `key:${(number * 7919) % KEYS}`;
  return verb === 'GET' ? ['GET', key] : ['SET', key, VALUE];
}

export function openSocket(port: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => resolve(socket));
    socket.setNoDelay(true);
    socket.once('error', reject);
  });
}

export async function openResp(port: number, verb: Verb, done: () => void): Promise<Talker> {
  const socket = await openSocket(port);
  const replyBytes = verb === 'GET' ? `$${VALUE.length}\r\n${VALUE}\r\n`.length : '+OK\r\n'.length;
  const batches = Array.from({ length: VARIANTS }, (_, variant) =>
    Buffer.concat(
      Array.from({ length: BATCH }, (__, at) =>
        Buffer.from(encodeWords(wordsOf(verb, variant * BATCH + at))),
      ),
    ),
  );
  let next = 0;
  let left = 0;
  socket.on('data', ({ length }) => {
    left -= length;
    if (left === 0) done();
  });
  return {
    send() {
      left = replyBytes * BATCH;
      socket.write(batches[next++ % VARIANTS]!);
    },
    close: () => socket.destroy(),
  };
}

export async function openWeb(gatewayPort: number, verb: Verb, done: () => void): Promise<Talker> {
  const web = await WebSocketLoad.open(gatewayPort);
  const batches = Array.from({ length: VARIANTS }, (_, variant) => {
    const requests = Array.from({ length: BATCH }, (__, at) =>
      packRequest(at, wordsOf(verb, variant * BATCH + at)),
    );
    return messageFrame(packBatch(requests));
  });
  let next = 0;
  let left = 0;
  web.onFrame = (_u8, _start, _end, messages) => {
    left -= messages;
    if (left === 0) done();
  };
  return {
    send() {
      left = BATCH;
      web.send(batches[next++ % VARIANTS]!);
    },
    close: () => web.close(),
  };
}
