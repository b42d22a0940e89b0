// Where the native transport listens, without an acceptor that takes part.

import { expect, it } from 'vitest';
import { close, isLibcAvailable } from '../../src/base/libc.js';
import { createListening, ListeningSockets } from '../../src/net/listening.js';
import { freePort } from '../support/server.js';

it.skipIf(!isLibcAvailable())('refuses to move while the acceptor is behind', async () => {
  const sockets = new ListeningSockets(createListening());
  const ports = await Promise.all([freePort(), freePort(), freePort()]);
  const move = (port: number) => {
    const plan = { port, bind: ['127.0.0.1'], backlog: 16, unixSocket: '' };
    sockets.change([plan], 16, () => {});
  };
  let moved = 0;
  const moveOn = () => {
    for (; moved < 200; moved++) move(ports[moved % ports.length]!);
  };

  expect(moveOn).toThrow('the acceptor is behind');

  const names = () => sockets.adopt().map(({ name }) => name);
  expect(names()).toEqual([`127.0.0.1:${ports[(moved - 1) % ports.length]}`]);
  move(ports[moved % ports.length]!);
  expect(names()).toEqual([`127.0.0.1:${ports[moved % ports.length]}`]);
  for (const { fd } of sockets.adopt()) close(fd);
});
