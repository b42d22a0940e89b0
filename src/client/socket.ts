// The part of the browsers' WebSocket that the client uses, so that any class of that shape will
// do: the browser's own, Node's from version 22 on, or that of the package ws.

export interface Socket {
  binaryType: string;
  onopen: ((event: never) => void) | null;
  onmessage: ((event: never) => void) | null;
  onerror: ((event: never) => void) | null;
  onclose: ((event: never) => void) | null;
  send(bytes: Uint8Array<ArrayBuffer>): void;
  close(code?: number): void;
}

export type SocketClass = new (url: string, protocol: string) => Socket;

export const PROTOCOL = 'flagstone.msgpack';

/** What `onmessage` is given. */
export interface Received {
  readonly data: unknown;
}

export function socketClass(given: SocketClass | undefined): SocketClass {
  const found = given ?? (globalThis as { WebSocket?: SocketClass }).WebSocket;
  if (found !== undefined) return found;
  throw new Error('there is no WebSocket here: pass the one of the package ws as an option');
}
