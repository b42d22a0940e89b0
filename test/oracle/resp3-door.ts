// A door to a server whose every connection speaks RESP3 from its first byte. `--force-resp3` of
// Redis's own suite expects that of the server; no ordinary build of Redis can be told to do it,
// so the door says HELLO 3 ahead of each client and keeps the answer to itself.

import net from 'node:net';
import { encodeCommand, ReplyFrames } from '../support/resp.js';

export interface Door {
  readonly port: number;
  close(): void;
}

/** Opens a door on a free port to the server behind `port`. */
export function openResp3Door(port: number): Promise<Door> {
  const open = new Set<net.Socket>();
  // Half-open, so that what a client sent before it hung up still reaches the server.
  const door = net.createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    const server = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true, noDelay: true });
    server.write(encodeCommand(['HELLO', '3']));
    server.on('data', firstReplyDropped(client, server));
    client.pipe(server);
    join(open, client, server);
    join(open, server, client);
  });
  return new Promise((resolve, reject) => {
    door.once('error', reject);
    door.listen(0, '127.0.0.1', () => {
      const address = door.address() as net.AddressInfo;
      resolve({
        port: address.port,
        close: () => {
          door.close();
          for (const socket of open) socket.destroy();
        },
      });
    });
  });
}

/** A reader for the server's side: from the second reply on, all goes to the client. */
function firstReplyDropped(client: net.Socket, server: net.Socket): (chunk: Buffer) => void {
  const frames = new ReplyFrames();
  const read = (chunk: Buffer): void => {
    frames.feed(chunk);
    if (frames.next() === undefined) return;
    server.off('data', read);
    // What is left of this chunk belongs to the client.
    if (frames.pendingBytes > 0) client.write(chunk.subarray(chunk.length - frames.pendingBytes));
    server.pipe(client);
  };
  return read;
}

/** When one side breaks, so does the other. */
function join(open: Set<net.Socket>, socket: net.Socket, other: net.Socket): void {
  open.add(socket);
  socket.on('error', () => other.destroy());
  socket.on('close', () => {
    open.delete(socket);
    other.destroySoon();
  });
}
