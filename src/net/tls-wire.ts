// Encrypted sockets below their streams. A stream costs a command as much as its encryption does:
// memory of 64 KB for each read, a queue and two callbacks for each write. Here a read goes into
// one buffer of the thread, and a write straight to the socket's handle, one at a time.
//
//   send ─▶ in flight, one write ─▶ handle ─▶ written
//      └──▶ waiting, while one is ────────────────┘ all of it together
//
// Node lets nobody do that by its own doors. What is needed is found out by trying, and where it
// is not found, sockets are served as streams (sockets.ts).

import { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { copyBytes, withView } from '../base/bytes.js';
import type { Connection, Wire } from './connection.js';
import type { LoopServing } from './loop-serving.js';
import { LINGER_MS, SOCKET_BYTES_MAX } from './sockets.js';

/** OpenSSL gives at most 16 KB at a time. */
const READ_BYTES = 64 * 1024;

/** A write as the handle knows it. */
interface WriteRequest {
  oncomplete: (this: WriteRequest, status: number) => void;
  /** Set by the stream: it will be told. */
  async?: boolean;
  direct: DirectSocket;
  bytes: Uint8Array;
}

interface Handle {
  /** Returns 0, or why it did not begin to write; tells the request when it is done. */
  writeBuffer(request: WriteRequest, bytes: Uint8Array): number;
  /** Reads go there from now on. */
  useUserBuffer(buffer: Uint8Array): void;
}

/** Where a socket keeps what its option `onread` said. */
interface ReadSlots {
  readonly buffer: symbol;
  readonly callback: symbol;
}

type ReadCallback = (bytes: number, buffer: Uint8Array) => boolean;

const slots = findReadSlots();
/** All sockets of the thread read here: what has come is looked at before the next read. */
const readBuffer = withView(new Uint8Array(new ArrayBuffer(READ_BYTES)));
/** The class of requests, which Node does not export: the thread's first write shows it. */
let Request: (new () => WriteRequest) | null = null;

/** By a socket that has the option, so that it does not matter what they are called. */
function findReadSlots(): ReadSlots | null {
  const buffer = new Uint8Array(1);
  const callback = (): boolean => true;
  // The types know the option of sockets that connect alone.
  const options: object = { onread: { buffer, callback } };
  const probe = new Socket(options);
  const values = probe as unknown as Record<symbol, unknown>;
  const keys = Object.getOwnPropertySymbols(probe);
  probe.destroy();
  const bufferSlot = keys.find((key) => values[key] === buffer);
  const callbackSlot = keys.find((key) => values[key] === callback);
  if (bufferSlot === undefined || callbackSlot === undefined) return null;
  return { buffer: bufferSlot, callback: callbackSlot };
}

/** The handle of a socket that can be served below its stream; null of any other. */
export function handleOf(socket: TLSSocket): Handle | null {
  const handle = (socket as unknown as { readonly _handle?: Partial<Handle> | null })._handle;
  if (slots === null || handle == null) return null;
  // Both are empty, or the socket is not made as the probe was.
  const values = socket as unknown as Record<symbol, unknown>;
  const isFree = values[slots.buffer] === null && values[slots.callback] === null;
  // What the stream has read already would come after what is read from now on.
  if (!isFree || socket.readableLength > 0 || socket.writableLength > 0) return null;
  if (typeof handle.writeBuffer !== 'function') return null;
  return typeof handle.useUserBuffer === 'function' ? (handle as Handle) : null;
}

/** What a connection keeps of such a socket. */
class DirectSocket {
  readonly socket: TLSSocket;
  readonly handle: Handle;
  /** Bytes of the write in flight, 0 for none, and of what waits for its end. */
  flyingBytes = 0;
  waiting: Uint8Array[] = [];
  waitingBytes = 0;
  isEnding = false;
  private readonly loop: LoopServing;
  private readonly connection: Connection;

  constructor(loop: LoopServing, connection: Connection, socket: TLSSocket, handle: Handle) {
    this.loop = loop;
    this.connection = connection;
    this.socket = socket;
    this.handle = handle;
  }

  /** False when the peer is gone. */
  write(bytes: Uint8Array): boolean {
    this.flyingBytes = bytes.length;
    this.loop.serving.writeCount++;
    if (Request === null) {
      this.writeFirst(bytes);
      return true;
    }
    const request = new Request();
    request.oncomplete = completed;
    request.direct = this;
    // The handle may come back to them.
    request.bytes = bytes;
    if (this.handle.writeBuffer(request, bytes) === 0) return true;
    this.flyingBytes = 0;
    return false;
  }

  /** As a stream does it, and looks what that hands to the handle. */
  private writeFirst(bytes: Uint8Array): void {
    const { handle } = this;
    const { writeBuffer } = handle;
    let seen = null as WriteRequest | null;
    handle.writeBuffer = (request, written) => {
      seen = request;
      return writeBuffer.call(handle, request, written);
    };
    this.socket.write(bytes, () => this.written());
    Reflect.deleteProperty(handle, 'writeBuffer');
    // Were it done already, no request would be told, and we would wait for ever.
    if (seen?.async === true) Request = seen.constructor as new () => WriteRequest;
  }

  /** The system has taken the write that was in flight, or the peer is gone. */
  written(): void {
    this.flyingBytes = 0;
    const { socket, waiting } = this;
    // Whatever went wrong, its close says so.
    if (socket.destroyed) return;
    if (waiting.length > 0) {
      const bytes = waiting.length === 1 ? waiting[0]! : Buffer.concat(waiting);
      this.waiting = [];
      this.waitingBytes = 0;
      if (!this.write(bytes)) {
        socket.destroy();
        return;
      }
    } else if (this.isEnding) {
      socket.end(() => socket.destroy());
      return;
    }
    this.loop.drained(this.connection);
  }
}

function completed(this: WriteRequest, status: number): void {
  const { direct } = this;
  if (status < 0 && !direct.socket.destroyed) direct.socket.destroy();
  direct.written();
}

/** Joins a connection, whose wire is a TlsWire, and its socket. */
export function attachDirect(
  loop: LoopServing,
  connection: Connection,
  socket: TLSSocket,
  handle: Handle,
): void {
  connection.socket = new DirectSocket(loop, connection, socket, handle);
  const callback: ReadCallback = (bytes, buffer) => {
    loop.received(connection, buffer, bytes);
    return true;
  };
  const values = socket as unknown as Record<symbol, unknown>;
  values[slots!.buffer] = readBuffer;
  values[slots!.callback] = callback;
  handle.useUserBuffer(readBuffer);
  socket.on('end', () => loop.ended(connection));
  socket.on('close', () => loop.gone(connection));
  socket.resume();
}

export class TlsWire implements Wire {
  send(connection: Connection, u8: Uint8Array, start: number, end: number): number {
    const direct = connection.socket as DirectSocket;
    if (direct.socket.destroyed) return -1;
    const room = SOCKET_BYTES_MAX - direct.flyingBytes - direct.waitingBytes;
    const bytes = Math.min(room, end - start);
    if (bytes <= 0) return 0;
    // A copy: the arena is used again.
    const copy = Buffer.allocUnsafe(bytes);
    copyBytes(u8, start, copy, 0, bytes);
    if (direct.flyingBytes === 0) return direct.write(copy) ? bytes : -1;
    direct.waiting.push(copy);
    direct.waitingBytes += bytes;
    return bytes;
  }

  want(connection: Connection, reads: boolean, _writes: boolean): void {
    const { socket } = connection.socket as DirectSocket;
    if (reads) socket.resume();
    else socket.pause();
  }

  close(connection: Connection, isOrderly: boolean): void {
    const direct = connection.socket as DirectSocket;
    const { socket } = direct;
    if (!isOrderly || direct.flyingBytes === 0) {
      socket.destroy();
      return;
    }
    direct.isEnding = true;
    const timer = setTimeout(() => socket.destroy(), LINGER_MS);
    timer.unref();
    socket.once('close', () => clearTimeout(timer));
  }
}
