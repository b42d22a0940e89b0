// The gateway on node:http and ws, for where uWebSockets.js does not load.

import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import {
  type Engine,
  type EngineHooks,
  type EnginePlan,
  HEADER_BYTES_MAX,
  type Headers,
  type HttpRequest,
  type HttpResponse,
  type Socket,
  type SocketHandler,
  STATUS_TEXTS,
} from './engine.js';

/** More than so much unsent output, and `write` says so. */
const BUFFER_BYTES = 64 * 1024;
/** Whoever sends its headers or its body slower than that is given up. */
const HEADERS_MS = 10_000;
const REQUEST_MS = 30_000;
const KEEP_ALIVE_MS = 60_000;
/** A whole message of bytes, and how its length is told. */
const FINAL_BINARY = 0x82;
const LONG = 126;
const VERY_LONG = 127;
const VERY_LONG_FROM = 65_536;
/** Whoever does not answer the end of its WebSocket is cut off. */
const CLOSE_MS = 5000;

export class NodeEngine implements Engine {
  readonly name = 'node';
  private readonly plan: EnginePlan;
  private readonly hooks: EngineHooks;
  private readonly server: Server;
  private readonly sockets: WebSocketServer;
  private readonly open = new Set<NodeSocket>();
  private pings: NodeJS.Timeout | null = null;

  constructor(plan: EnginePlan, hooks: EngineHooks) {
    this.plan = plan;
    this.hooks = hooks;
    const options = {
      maxHeaderSize: HEADER_BYTES_MAX,
      headersTimeout: HEADERS_MS,
      requestTimeout: REQUEST_MS,
      keepAliveTimeout: KEEP_ALIVE_MS,
    };
    const { tls } = plan;
    this.server =
      tls === null
        ? createServer(options)
        : createTlsServer({
            ...options,
            cert: readFileSync(tls.certFile),
            key: readFileSync(tls.keyFile),
            passphrase: tls.keyPass,
          });
    this.sockets = new WebSocketServer({
      noServer: true,
      // The gateway itself says 1009; what is much longer does not even get into memory.
      maxPayload: plan.messageBytesMax,
      perMessageDeflate: false,
      clientTracking: false,
    });
    this.server.on('request', (request, response) => {
      hooks.request(new NodeRequest(request), new NodeResponse(request, response));
    });
    this.server.on('upgrade', (request, socket, head) => this.upgrade(request, socket, head));
  }

  private upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on('error', () => socket.destroy());
    const upgrade = this.hooks.upgrade(new NodeRequest(request));
    if (!('protocol' in upgrade)) {
      const { status, text } = upgrade;
      const body = `${text}\n`;
      socket.end(
        `HTTP/1.1 ${status} ${STATUS_TEXTS[status] ?? ''}\r\nConnection: close\r\n` +
          `Content-Type: text/plain; charset=utf-8\r\nContent-Length: ${Buffer.byteLength(body)}` +
          `\r\n\r\n${body}`,
      );
      return;
    }
    // The one protocol that was chosen, whatever else was offered.
    request.headers['sec-websocket-protocol'] = upgrade.protocol;
    this.sockets.handleUpgrade(request, socket, head, (webSocket) => {
      const opened = new NodeSocket(webSocket, request);
      this.open.add(opened);
      opened.serve(upgrade.opened(opened), () => this.open.delete(opened));
    });
  }

  async listen(): Promise<void> {
    const { port, host, idleSeconds } = this.plan;
    await new Promise<void>((resolve, reject) => {
      this.server.once('error', reject);
      this.server.listen({ port, host }, resolve);
    });
    this.server.removeAllListeners('error');
    this.server.on('error', () => {});
    this.pings = setInterval(() => {
      for (const socket of this.open) socket.ping();
    }, idleSeconds * 500);
    this.pings.unref();
  }

  async end(): Promise<void> {
    if (this.pings !== null) clearInterval(this.pings);
    const closed = new Promise<void>((resolve) => this.server.close(() => resolve()));
    this.server.closeAllConnections();
    for (const socket of this.open) socket.cut();
    await closed;
  }
}

class NodeSocket implements Socket {
  readonly address: string;
  readonly localAddress: string;
  private readonly webSocket: WebSocket;
  private readonly below: IncomingMessage['socket'];
  /** It has answered since the ping before the last. */
  private isAlive = true;

  constructor(webSocket: WebSocket, request: IncomingMessage) {
    this.webSocket = webSocket;
    this.below = request.socket;
    this.address = addressOf(request.socket.remoteAddress, request.socket.remotePort);
    this.localAddress = addressOf(request.socket.localAddress, request.socket.localPort);
  }

  serve(handler: SocketHandler, closed: () => void): void {
    const { webSocket, below } = this;
    below.setNoDelay(true);
    webSocket.on('message', (data, isBinary) => {
      this.isAlive = true;
      handler.message(data as Buffer, isBinary);
    });
    webSocket.on('pong', () => {
      this.isAlive = true;
    });
    // What follows is its close, with the code of what went wrong.
    webSocket.on('error', () => {});
    below.on('drain', () => handler.drained());
    webSocket.on('close', () => {
      closed();
      handler.closed();
    });
  }

  /**
   * Head and message in one buffer and one write: half the cost of ws's own send, which is made for
   * compression and fragments. Its control frames go between ours whole, as they must.
   */
  send(bytes: Uint8Array): void {
    if (this.webSocket.readyState !== this.webSocket.OPEN) return;
    const { length } = bytes;
    const head = length < LONG ? 2 : length < VERY_LONG_FROM ? 4 : 10;
    // A copy: what the system does not take at once is kept until it does.
    const frame = Buffer.allocUnsafe(head + length);
    frame[0] = FINAL_BINARY;
    if (head === 2) frame[1] = length;
    else if (head === 4) {
      frame[1] = LONG;
      frame.writeUInt16BE(length, 2);
    } else {
      frame[1] = VERY_LONG;
      frame.writeBigUInt64BE(BigInt(length), 2);
    }
    frame.set(bytes, head);
    this.below.write(frame);
  }

  get bufferedBytes(): number {
    return this.below.writableLength;
  }

  end(code: number, reason: string): void {
    this.webSocket.close(code, reason);
    setTimeout(() => this.cut(), CLOSE_MS).unref();
  }

  cut(): void {
    this.webSocket.terminate();
  }

  ping(): void {
    if (!this.isAlive) {
      this.cut();
      return;
    }
    this.isAlive = false;
    this.webSocket.ping();
  }
}

class NodeRequest implements HttpRequest {
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly address: string;
  readonly localAddress: string;
  private readonly request: IncomingMessage;

  constructor(request: IncomingMessage) {
    this.request = request;
    this.method = request.method ?? 'GET';
    const url = request.url ?? '/';
    const mark = url.indexOf('?');
    this.path = mark === -1 ? url : url.slice(0, mark);
    this.query = mark === -1 ? '' : url.slice(mark + 1);
    this.address = addressOf(request.socket.remoteAddress, request.socket.remotePort);
    this.localAddress = addressOf(request.socket.localAddress, request.socket.localPort);
  }

  header(name: string): string {
    const value = this.request.headers[name];
    return typeof value === 'string' ? value : (value?.join(', ') ?? '');
  }
}

class NodeResponse implements HttpResponse {
  private readonly request: IncomingMessage;
  private readonly response: ServerResponse;

  constructor(request: IncomingMessage, response: ServerResponse) {
    this.request = request;
    this.response = response;
    response.on('error', () => {});
    request.on('error', () => {});
  }

  get isOver(): boolean {
    return this.response.writableEnded || this.response.destroyed;
  }

  answer(status: number, headers: Headers, body: Uint8Array | string): void {
    if (this.isOver) return;
    const { response, request } = this;
    const length = typeof body === 'string' ? Buffer.byteLength(body) : body.length;
    for (const [name, value] of headers) response.setHeader(name, value);
    if (status !== 204 && status !== 304) response.setHeader('Content-Length', length);
    // A body that nobody reads would be taken for the next request.
    if (hasBody(request) && !request.complete) response.setHeader('Connection', 'close');
    response.writeHead(status);
    response.end(body);
  }

  begin(status: number, headers: Headers): void {
    if (this.isOver) return;
    for (const [name, value] of headers) this.response.setHeader(name, value);
    this.response.writeHead(status);
    this.response.flushHeaders();
  }

  write(piece: string): boolean {
    if (this.isOver) return true;
    this.response.write(piece);
    return this.response.writableLength < BUFFER_BYTES;
  }

  end(): void {
    if (!this.isOver) this.response.end();
  }

  abort(): void {
    this.response.destroy();
  }

  readBody(bytesMax: number, done: (body: Uint8Array | null) => void): void {
    const pieces: Buffer[] = [];
    let bytes = 0;
    let isDone = false;
    const finish = (body: Uint8Array | null) => {
      if (isDone) return;
      isDone = true;
      done(body);
    };
    this.request.on('data', (piece: Buffer) => {
      bytes += piece.length;
      if (bytes > bytesMax) finish(null);
      else if (!isDone) pieces.push(piece);
    });
    this.request.on('end', () => finish(Buffer.concat(pieces)));
  }

  onGone(listener: () => void): void {
    this.response.on('close', () => {
      if (!this.response.writableFinished) listener();
    });
  }

  onDrained(listener: () => void): void {
    this.response.on('drain', listener);
  }
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}

function addressOf(host: string | undefined, port: number | undefined): string {
  if (host === undefined) return '';
  // An IPv4 client of a socket for both is shown as what it is.
  const plain = host.startsWith('::ffff:') ? host.slice(7) : host;
  return plain.includes(':') ? `[${plain}]:${port ?? 0}` : `${plain}:${port ?? 0}`;
}
