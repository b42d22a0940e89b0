// WebSocket clients that cost little: one TCP socket each, frames made beforehand, answers counted
// and not decoded. A load in a library would spend more than the server it measures.

import { connect, type Socket } from 'node:net';

const OPCODE_BINARY = 0x82;
const MASKED = 0x80;
const LONG = 126;
const VERY_LONG = 127;
const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';

/** A binary message as a client sends it; its mask is zero, which leaves the bytes as they are. */
export function messageFrame(payload: Uint8Array): Buffer {
  const { length } = payload;
  const head =
    length < LONG
      ? Buffer.of(OPCODE_BINARY, MASKED | length, 0, 0, 0, 0)
      : Buffer.of(OPCODE_BINARY, MASKED | LONG, length >> 8, length & 0xff, 0, 0, 0, 0);
  return Buffer.concat([head, payload]);
}

/** MessagePack of short strings and numbers, as requests are. */
export function packRequest(id: number, words: readonly string[]): Buffer {
  const pieces = [Buffer.of(0x90 + words.length + 1), Buffer.of(0xcd, id >> 8, id & 0xff)];
  for (const word of words) {
    const bytes = Buffer.from(word);
    const { length } = bytes;
    pieces.push(length < 32 ? Buffer.of(0xa0 + length) : Buffer.of(0xd9, length), bytes);
  }
  return Buffer.concat(pieces);
}

export function packBatch(requests: readonly Buffer[]): Buffer {
  const { length } = requests;
  const head = length < 16 ? Buffer.of(0x90 + length) : Buffer.of(0xdc, length >> 8, length & 0xff);
  return Buffer.concat([head, ...requests]);
}

/** How many messages a server's frame holds: itself, or what it is an array of. */
function messageCount(u8: Buffer, at: number): number {
  const first = u8[at]!;
  if (first >= 0x90 && first < 0xa0) return isArray(u8[at + 1]!) ? first & 0x0f : 1;
  if (first === 0xdc) return u8.readUInt16BE(at + 1);
  return 1;
}

function isArray(mark: number): boolean {
  return (mark >= 0x90 && mark < 0xa0) || mark === 0xdc;
}

export class WebSocketLoad {
  /** Called for every frame with its payload, and how many messages it holds. */
  onFrame: (payload: Buffer, messages: number) => void = () => {};
  private readonly socket: Socket;
  private rest: Buffer = Buffer.alloc(0);
  private isOpen = false;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.setNoDelay(true);
  }

  static async open(port: number): Promise<WebSocketLoad> {
    const socket = connect(port, '127.0.0.1');
    const load = new WebSocketLoad(socket);
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      socket.on('data', (bytes) => {
        if (load.isOpen) load.receive(bytes);
        else if (load.handshake(bytes)) resolve();
      });
      socket.write(
        `GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
          `Sec-WebSocket-Key: ${KEY}\r\nSec-WebSocket-Version: 13\r\n` +
          'Sec-WebSocket-Protocol: flagstone.msgpack\r\n\r\n',
      );
    });
    return load;
  }

  private handshake(bytes: Buffer): boolean {
    const all = Buffer.concat([this.rest, bytes]);
    const end = all.indexOf('\r\n\r\n');
    this.rest = all;
    if (end === -1) return false;
    if (!all.toString('latin1', 0, end).includes(' 101 ')) throw new Error('no WebSocket');
    this.isOpen = true;
    this.rest = Buffer.alloc(0);
    if (all.length > end + 4) this.receive(all.subarray(end + 4));
    return true;
  }

  private receive(bytes: Buffer): void {
    const all = this.rest.length === 0 ? bytes : Buffer.concat([this.rest, bytes]);
    let at = 0;
    while (at + 2 <= all.length) {
      let length = all[at + 1]! & 0x7f;
      let head = 2;
      if (length === LONG) {
        if (at + 4 > all.length) break;
        length = all.readUInt16BE(at + 2);
        head = 4;
      } else if (length === VERY_LONG) {
        if (at + 10 > all.length) break;
        length = Number(all.readBigUInt64BE(at + 2));
        head = 10;
      }
      if (at + head + length > all.length) break;
      const start = at + head;
      at = start + length;
      const isMessage = all[start - head] === OPCODE_BINARY;
      if (isMessage) this.onFrame(all.subarray(start, at), messageCount(all, start));
    }
    this.rest = all.subarray(at);
  }

  /** Sends a frame that messageFrame has made. */
  send(frame: Buffer): void {
    this.socket.write(frame);
  }

  close(): void {
    this.socket.destroy();
  }
}
