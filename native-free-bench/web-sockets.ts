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

/** What is called for a frame whose payload is u8[start, end), and how many messages it holds. */
export type FrameListener = (u8: Buffer, start: number, end: number, messages: number) => void;

/**
 * Where all sockets are read into: a read is over, and what it brought looked at, before the next
 * one begins. Without it Node gives 64 KB to each read, which costs more than the read itself.
 */
const READ = Buffer.allocUnsafeSlow(64 * 1024);
const NOTHING: Buffer = Buffer.alloc(0);

export class WebSocketLoad {
  /** The bytes are the next socket's when it returns. */
  onFrame: FrameListener = () => {};
  private readonly socket: Socket;
  private rest: Buffer = NOTHING;
  private isOpen = false;
  private opened: ((error: Error | null) => void) | null = null;

  private constructor(port: number) {
    const callback = (length: number): boolean => {
      this.read(READ, length);
      return true;
    };
    const onread = { buffer: READ, callback };
    this.socket = connect({ port, host: '127.0.0.1', noDelay: true, onread });
    this.socket.on('error', (error) => this.opened?.(error));
  }

  static async open(port: number): Promise<WebSocketLoad> {
    const load = new WebSocketLoad(port);
    await new Promise<void>((resolve, reject) => {
      load.opened = (error) => (error === null ? resolve() : reject(error));
      load.socket.write(
        `GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
          `Sec-WebSocket-Key: ${KEY}\r\nSec-WebSocket-Version: 13\r\n` +
          'Sec-WebSocket-Protocol: flagstone.msgpack\r\n\r\n',
      );
    });
    return load;
  }

  private read(buffer: Buffer, length: number): void {
    if (!this.isOpen) this.handshake(buffer.subarray(0, length));
    else if (this.rest.length === 0) this.receive(buffer, 0, length);
    else {
      const all = Buffer.concat([this.rest, buffer.subarray(0, length)]);
      this.receive(all, 0, all.length);
    }
  }

  private handshake(bytes: Buffer): void {
    const all = Buffer.concat([this.rest, bytes]);
    const end = all.indexOf('\r\n\r\n');
    this.rest = all;
    if (end === -1) return;
    const isOpen = all.toString('latin1', 0, end).includes(' 101 ');
    this.opened?.(isOpen ? null : new Error('no WebSocket'));
    this.opened = null;
    this.isOpen = isOpen;
    this.rest = NOTHING;
    if (isOpen && all.length > end + 4) this.receive(all, end + 4, all.length);
  }

  private receive(u8: Buffer, from: number, to: number): void {
    let at = from;
    while (at + 2 <= to) {
      let length = u8[at + 1]! & 0x7f;
      let head = 2;
      if (length === LONG) {
        if (at + 4 > to) break;
        length = u8.readUInt16BE(at + 2);
        head = 4;
      } else if (length === VERY_LONG) {
        if (at + 10 > to) break;
        length = Number(u8.readBigUInt64BE(at + 2));
        head = 10;
      }
      const start = at + head;
      const end = start + length;
      if (end > to) break;
      if (u8[at] === OPCODE_BINARY) this.onFrame(u8, start, end, messageCount(u8, start));
      at = end;
    }
    // A copy: the buffer is the next socket's.
    this.rest = at === to ? NOTHING : Buffer.from(u8.subarray(at, to));
  }

  /** Sends a frame that messageFrame has made. */
  send(frame: Buffer): void {
    this.socket.write(frame);
  }

  close(): void {
    this.socket.destroy();
  }
}
