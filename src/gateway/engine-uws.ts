// The gateway on uWebSockets.js: HTTP and WebSockets in C++, on the loop of this thread. It is an
// optional dependency, so nothing here imports it but its types.
//
// Its rules: a request is valid within its handler alone; a response or a socket must not be
// touched after it was closed, and what is said outside of its callbacks is said within `cork`.

import type {
  TemplatedApp,
  HttpRequest as UwsRequest,
  HttpResponse as UwsResponse,
  us_listen_socket,
  us_socket_context_t,
  WebSocket,
} from 'uWebSockets.js';
import {
  type Engine,
  type EngineHooks,
  type EnginePlan,
  type Headers,
  type HttpRequest,
  type HttpResponse,
  type Socket,
  type SocketHandler,
  STATUS_TEXTS,
} from './engine.js';

export type Uws = typeof import('uWebSockets.js');

/** Beyond the gateway's own limit, so that it can say 1009; see engine.ts. */
const MESSAGE_SLACK_BYTES = 64 * 1024;
/** uWebSockets.js counts its time-outs in so many seconds, and takes 8 to 960. */
const IDLE_SECONDS_MIN = 8;
const IDLE_SECONDS_MAX = 960;

/** LIBUS_LISTEN_EXCLUSIVE_PORT; the types of the package do not have it. */
const EXCLUSIVE_PORT = 1;
type ListenWithOption = (
  host: string,
  port: number,
  option: number,
  listening: (socket: us_listen_socket | false) => void,
) => void;

interface SocketData {
  readonly opened: (socket: Socket) => SocketHandler;
  socket: UwsSocket | null;
  handler: SocketHandler | null;
}

/** uWebSockets.js, or null where it does not load. */
export async function loadUws(): Promise<Uws | null> {
  try {
    const loaded = (await import('uWebSockets.js')) as unknown as Uws & { readonly default?: Uws };
    return loaded.default ?? loaded;
  } catch {
    return null;
  }
}

export class UwsEngine implements Engine {
  readonly name = 'uws';
  private readonly uws: Uws;
  private readonly plan: EnginePlan;
  private readonly app: TemplatedApp;
  private listening: us_listen_socket | null = null;

  constructor(uws: Uws, plan: EnginePlan, hooks: EngineHooks) {
    this.uws = uws;
    this.plan = plan;
    const { tls } = plan;
    this.app =
      tls === null
        ? uws.App()
        : uws.SSLApp({
            cert_file_name: tls.certFile,
            key_file_name: tls.keyFile,
            passphrase: tls.keyPass,
          });
    const { port, host } = plan;
    const localAddress = `${host}:${port}`;
    this.app.ws<SocketData>('/ws', {
      maxPayloadLength: plan.messageBytesMax * 2 + MESSAGE_SLACK_BYTES,
      idleTimeout: Math.min(IDLE_SECONDS_MAX, Math.max(IDLE_SECONDS_MIN, plan.idleSeconds)),
      sendPingsAutomatically: true,
      maxBackpressure: 0,
      compression: 0,
      upgrade: (response, request, context) => {
        upgrade(response, new UwsHttpRequest(request, response, localAddress), context, hooks);
      },
      open: (webSocket) => {
        const data = webSocket.getUserData();
        data.socket = new UwsSocket(webSocket, localAddress);
        data.handler = data.opened(data.socket);
        // It was refused: `close` was called before there was a handler.
        if (data.socket.isOver) data.handler.closed();
      },
      message: (webSocket, message, isBinary) => {
        webSocket.getUserData().handler?.message(new Uint8Array(message), isBinary);
      },
      drain: (webSocket) => webSocket.getUserData().handler?.drained(),
      close: (webSocket) => {
        const data = webSocket.getUserData();
        if (data.socket !== null) data.socket.isOver = true;
        data.handler?.closed();
      },
    });
    this.app.any('/*', (response, request) => {
      hooks.request(
        new UwsHttpRequest(request, response, localAddress),
        new UwsHttpResponse(response, request.getMethod() === 'head'),
      );
    });
  }

  async listen(): Promise<void> {
    const { host, port } = this.plan;
    await new Promise<void>((resolve, reject) => {
      // Without the option another process could listen on the same port as well.
      const listen = this.app.listen.bind(this.app) as unknown as ListenWithOption;
      listen(host, port, EXCLUSIVE_PORT, (socket) => {
        if (socket !== false) {
          this.listening = socket;
          resolve();
        } else {
          reject(new Error(`Failed listening on port ${port} (gateway), aborting.`));
        }
      });
    });
  }

  async end(): Promise<void> {
    if (this.listening !== null) this.uws.us_listen_socket_close(this.listening);
    this.listening = null;
    this.app.close();
  }
}

function upgrade(
  response: UwsResponse,
  request: UwsHttpRequest,
  context: us_socket_context_t,
  hooks: EngineHooks,
): void {
  const answer = hooks.upgrade(request);
  if (!('protocol' in answer)) {
    const { status, text } = answer;
    response.cork(() => {
      response.writeStatus(`${status} ${STATUS_TEXTS[status] ?? ''}`);
      response.writeHeader('Content-Type', 'text/plain; charset=utf-8');
      response.end(`${text}\n`, true);
    });
    return;
  }
  const data: SocketData = { opened: answer.opened, socket: null, handler: null };
  const key = request.header('sec-websocket-key');
  const extensions = request.header('sec-websocket-extensions');
  response.upgrade(data, key, answer.protocol, extensions, context);
}

class UwsSocket implements Socket {
  readonly address: string;
  readonly localAddress: string;
  isOver = false;
  private readonly webSocket: WebSocket<SocketData>;

  constructor(webSocket: WebSocket<SocketData>, localAddress: string) {
    this.webSocket = webSocket;
    this.address = addressOf(webSocket.getRemoteAddressAsText());
    this.localAddress = localAddress;
  }

  send(bytes: Uint8Array): void {
    if (!this.isOver) this.webSocket.send(bytes, true);
  }

  get bufferedBytes(): number {
    return this.isOver ? 0 : this.webSocket.getBufferedAmount();
  }

  end(code: number, reason: string): void {
    if (!this.isOver) this.webSocket.end(code, reason);
  }
}

class UwsHttpRequest implements HttpRequest {
  readonly method: string;
  readonly path: string;
  readonly query: string;
  readonly address: string;
  readonly localAddress: string;
  private readonly request: UwsRequest;

  constructor(request: UwsRequest, response: UwsResponse, localAddress: string) {
    this.request = request;
    this.method = request.getMethod().toUpperCase();
    this.path = request.getUrl();
    this.query = request.getQuery() ?? '';
    this.address = addressOf(response.getRemoteAddressAsText());
    this.localAddress = localAddress;
  }

  header(name: string): string {
    return this.request.getHeader(name);
  }
}

class UwsHttpResponse implements HttpResponse {
  isOver = false;
  private readonly response: UwsResponse;
  private readonly isHead: boolean;
  private goneListener: (() => void) | null = null;
  private isBegun = false;

  constructor(response: UwsResponse, isHead: boolean) {
    this.response = response;
    this.isHead = isHead;
    response.onAborted(() => {
      if (this.isOver) return;
      this.isOver = true;
      this.goneListener?.();
    });
  }

  answer(status: number, headers: Headers, body: Uint8Array | string): void {
    if (this.isOver) return;
    this.isOver = true;
    const { response, isHead } = this;
    response.cork(() => {
      this.head(status, headers);
      const isEmpty = isHead || status === 204 || status === 304;
      const bytes = typeof body === 'string' ? Buffer.byteLength(body) : body.length;
      if (isEmpty) response.endWithoutBody(bytes);
      else response.end(body);
    });
  }

  private head(status: number, headers: Headers): void {
    this.response.writeStatus(`${status} ${STATUS_TEXTS[status] ?? ''}`);
    for (const [name, value] of headers) this.response.writeHeader(name, value);
  }

  begin(status: number, headers: Headers): void {
    if (this.isOver) return;
    this.isBegun = true;
    this.response.cork(() => this.head(status, headers));
  }

  write(piece: string): boolean {
    if (this.isOver) return true;
    let isTaken = true;
    this.response.cork(() => {
      isTaken = this.response.write(piece);
    });
    return isTaken;
  }

  end(): void {
    if (this.isOver) return;
    this.isOver = true;
    this.response.cork(() => this.response.end());
  }

  abort(): void {
    if (this.isOver) return;
    this.isOver = true;
    this.response.close();
  }

  readBody(bytesMax: number, done: (body: Uint8Array | null) => void): void {
    const pieces: Buffer[] = [];
    let bytes = 0;
    let isDone = false;
    this.response.onData((piece, isLast) => {
      if (isDone) return;
      bytes += piece.byteLength;
      if (bytes > bytesMax) {
        isDone = true;
        done(null);
        return;
      }
      // The memory is its own again when this returns.
      pieces.push(Buffer.from(Buffer.from(piece)));
      if (!isLast) return;
      isDone = true;
      done(pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces));
    });
  }

  onGone(listener: () => void): void {
    this.goneListener = listener;
  }

  onDrained(listener: () => void): void {
    this.response.onWritable(() => {
      if (!this.isOver || this.isBegun) listener();
      return true;
    });
  }
}

/** The port is not told by every version: 0 then. */
function addressOf(text: ArrayBuffer): string {
  const host = Buffer.from(text).toString('latin1');
  const plain = host.startsWith('::ffff:') ? host.slice(7) : shortOf(host);
  return plain.includes(':') ? `[${plain}]:0` : `${plain}:0`;
}

/** uWebSockets.js writes IPv6 addresses in full: 0000:0000:…:0001. */
function shortOf(host: string): string {
  const mapped = /^0000:0000:0000:0000:0000:ffff:([0-9a-f]{4}):([0-9a-f]{4})$/.exec(host);
  if (mapped !== null) {
    const [, high, low] = mapped;
    const bytes = Buffer.from(`${high}${low}`, 'hex');
    return [...bytes].join('.');
  }
  if (!host.includes(':')) return host;
  return host.replace(/(^|:)0+(?=[0-9a-f])/g, '$1').replace(/(?:^|:)0(?::0)+(?::|$)/, '::');
}
