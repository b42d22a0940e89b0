// The two ways to serve HTTP and WebSockets, behind one small face: uWebSockets.js where it loads
// (engine-uws.ts), node:http and ws elsewhere (engine-node.ts). The same tests run on both.

/** A WebSocket. */
export interface Socket {
  readonly address: string;
  readonly localAddress: string;
  /** Sends a binary message; the bytes are the caller's again when this returns. */
  send(bytes: Uint8Array): void;
  /** Bytes that were sent and that the system has not taken yet. */
  readonly bufferedBytes: number;
  /** Closes with a code, after what was sent. */
  end(code: number, reason: string): void;
}

export interface SocketHandler {
  /** The message's bytes are the engine's again when this returns. */
  message(bytes: Uint8Array, isBinary: boolean): void;
  /** Less is buffered than before. */
  drained(): void;
  closed(): void;
}

export interface HttpRequest {
  /** In capitals. */
  readonly method: string;
  /** As it was sent, without the query. */
  readonly path: string;
  /** Without the question mark. */
  readonly query: string;
  readonly address: string;
  readonly localAddress: string;
  /** A header by its name in lower case; '' when there is none. */
  header(name: string): string;
}

export type Headers = readonly (readonly [name: string, value: string])[];

export interface HttpResponse {
  /** The client has gone away, or everything was sent: nothing can be said any more. */
  readonly isOver: boolean;
  /** The whole answer. `body` must not change any more. */
  answer(status: number, headers: Headers, body: Uint8Array | string): void;
  /** An answer without an end: pieces follow. */
  begin(status: number, headers: Headers): void;
  /** A piece; false when more than a little is buffered. */
  write(piece: string): boolean;
  end(): void;
  /** Cuts the connection. */
  abort(): void;
  /** The body, or null when it is longer than `bytesMax`. */
  readBody(bytesMax: number, done: (body: Uint8Array | null) => void): void;
  /** Once, when the client goes away before the answer is complete. */
  onGone(listener: () => void): void;
  onDrained(listener: () => void): void;
}

/** How a WebSocket handshake is answered. */
export type Upgrade =
  | { readonly protocol: string; readonly opened: (socket: Socket) => SocketHandler }
  | { readonly status: number; readonly text: string };

export interface EngineHooks {
  upgrade(request: HttpRequest): Upgrade;
  request(request: HttpRequest, response: HttpResponse): void;
}

export interface EnginePlan {
  readonly port: number;
  readonly host: string;
  readonly tls: TlsFiles | null;
  /** Longer WebSocket messages are refused by the gateway, much longer ones by the engine. */
  readonly messageBytesMax: number;
  readonly idleSeconds: number;
}

export interface TlsFiles {
  readonly certFile: string;
  readonly keyFile: string;
  readonly keyPass: string;
}

export interface Engine {
  readonly name: 'uws' | 'node';
  /** Begins to listen; throws when it cannot. */
  listen(): Promise<void>;
  end(): Promise<void>;
}

/** The longest headers of a request. */
export const HEADER_BYTES_MAX = 16 * 1024;

export const STATUS_TEXTS: Readonly<Record<number, string>> = {
  200: 'OK',
  204: 'No Content',
  304: 'Not Modified',
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  413: 'Payload Too Large',
  415: 'Unsupported Media Type',
  426: 'Upgrade Required',
  429: 'Too Many Requests',
  431: 'Request Header Fields Too Large',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
};
