// What a thread does with its connections: pipelines that are read ahead, sessions that wait or are
// put off, peers that send too much or read too little.

import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { InProcessServer, type ServedSession } from '../support/in-process.js';
import { type Command, encodeCommands } from '../support/resp.js';

const MIB = 1024 * 1024;
const LARGE = 'x'.repeat(200_000);

const servers: InProcessServer[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.stop();
});

function start(...args: string[]): InProcessServer {
  const server = new InProcessServer({ args, partitionBytes: 64 * MIB });
  servers.push(server);
  return server;
}

/** A client's end: what came, in which pieces, and whether the server closed. */
class Peer {
  readonly session: ServedSession;
  readonly pieces: string[] = [];
  isClosed = false;

  constructor(server: InProcessServer) {
    this.session = server.open({
      received: (bytes) => void this.pieces.push(Buffer.from(bytes).toString('latin1')),
      closed: () => {
        this.isClosed = true;
      },
    });
  }

  send(...commands: Command[]): void {
    this.session.feed(encodeCommands(commands));
  }

  sendText(text: string): void {
    this.session.feed(Buffer.from(text, 'latin1'));
  }

  /** What came since the last call, CRLF as spaces. */
  take(): string {
    return this.pieces.splice(0).join('').replaceAll('\r\n', ' ').trimEnd();
  }
}

/** The server reads commands in a turn that is not over yet. */
function receive(peer: Peer, ...commands: Command[]): void {
  receiveText(peer, encodeCommands(commands).toString('latin1'));
}

function receiveText({ session }: Peer, text: string): void {
  const bytes = Buffer.from(text, 'latin1');
  session.server.executor.serving.received(session.connection, bytes, 0, bytes.length);
}

function sets(count: number): Command[] {
  return Array.from({ length: count }, (_, index) => ['SET', `key:${index}`, String(index)]);
}

describe('a pipeline', () => {
  it('is answered in one piece', () => {
    const server = start();
    // Code that is not compiled yet takes longer than a turn.
    server.executor.serving.turnMs = Number.POSITIVE_INFINITY;
    const peer = new Peer(server);

    peer.send(...sets(100), ['GET', 'key:99']);

    expect(peer.pieces).toEqual([`${'+OK\r\n'.repeat(100)}$2\r\n99\r\n`]);
  });

  it('that takes longer than a turn goes on in the next', () => {
    const server = start();
    server.executor.serving.turnMs = 0;
    const peer = new Peer(server);

    peer.send(...sets(100), ['GET', 'key:99']);

    expect(peer.pieces.length).toBeGreaterThan(3);
    expect(peer.pieces.join('')).toBe(`${'+OK\r\n'.repeat(100)}$2\r\n99\r\n`);
  });

  it('is answered in order whatever is in its middle', () => {
    const peer = new Peer(start());

    peer.send(
      ['SET', 'key', 'a'],
      ['BOGUS'],
      ['GET'],
      ['INCR', 'key'],
      ['CONFIG', 'BOGUS'],
      ['GET', 'key'],
    );

    expect(peer.take()).toBe(
      "+OK -ERR unknown command 'BOGUS', with args beginning with:  " +
        "-ERR wrong number of arguments for 'get' command " +
        '-ERR value is not an integer or out of range ' +
        "-ERR unknown subcommand 'BOGUS'. Try CONFIG HELP. $1 a",
    );
  });

  it('changes its database on the way', () => {
    const peer = new Peer(start());

    peer.send(['SET', 'k', '0'], ['SELECT', '3'], ['GET', 'k'], ['SET', 'k', '3'], ['GET', 'k']);
    peer.send(['SELECT', '0'], ['GET', 'k'], ['SELECT', '3'], ['GET', 'k']);

    expect(peer.take()).toBe('+OK +OK $-1 +OK $1 3 +OK $1 0 +OK $1 3');
  });

  it('changes its protocol on the way', () => {
    const peer = new Peer(start());

    peer.send(['GET', 'none'], ['HELLO', '3'], ['GET', 'none'], ['RESET'], ['GET', 'none']);

    expect(peer.take()).toMatch(/^\$-1 %7 .* _ \+RESET \$-1$/s);
  });

  it('authenticates on the way', () => {
    const peer = new Peer(start('--requirepass', 'secret'));

    peer.send(['GET', 'k'], ['AUTH', 'wrong'], ['GET', 'k'], ['AUTH', 'secret'], ['GET', 'k']);

    expect(peer.take()).toBe(
      '-NOAUTH Authentication required. ' +
        '-WRONGPASS invalid username-password pair or user is disabled. ' +
        '-NOAUTH Authentication required. +OK $-1',
    );
  });

  it('sends nothing large before it has authenticated', () => {
    const peer = new Peer(start('--requirepass', 'secret'));

    peer.send(['AUTH', 'secret'], ['SET', 'k', LARGE], ['STRLEN', 'k'], ['RESET'], ['PING', LARGE]);

    expect(peer.take()).toBe(
      '+OK +OK :200000 +RESET -ERR Protocol error: unauthenticated bulk length',
    );
    expect(peer.isClosed).toBe(true);
  });

  it('ends with QUIT: what follows is not run', () => {
    const server = start();
    const peer = new Peer(server);

    peer.send(['SET', 'k', '1'], ['QUIT'], ['SET', 'k', '2'], ['GET', 'k']);

    expect(peer.take()).toBe('+OK +OK');
    expect(peer.isClosed).toBe(true);
    const other = new Peer(server);
    other.send(['GET', 'k']);
    expect(other.take()).toBe('$1 1');
  });

  it('ends with a protocol error, and what came before it is run', () => {
    const server = start();
    for (const count of [0, 1, 15, 16, 17, 40]) {
      const peer = new Peer(server);
      peer.sendText(`${encodeCommands(sets(count)).toString('latin1')}*x\r\nPING\r\n`);
      expect(peer.take()).toBe(
        `${'+OK '.repeat(count)}-ERR Protocol error: invalid multibulk length`,
      );
      expect(peer.isClosed).toBe(true);
    }
  });

  it('is silent where CLIENT REPLY says so', () => {
    const peer = new Peer(start());

    peer.send(['PING'], ['CLIENT', 'REPLY', 'SKIP'], ['ECHO', 'skipped'], ['ECHO', 'heard']);
    expect(peer.take()).toBe('+PONG $5 heard');
    peer.send(['ECHO', '1'], ['CLIENT', 'REPLY', 'OFF'], ['ECHO', '2'], ['BOGUS'], ['GET']);
    peer.send(['SET', 'k', 'v'], ['CLIENT', 'REPLY', 'ON'], ['GET', 'k']);
    expect(peer.take()).toBe('$1 1 +OK $1 v');
  });

  it('drops the long reply of a silent command, and nothing else', () => {
    const peer = new Peer(start());
    peer.send(['SET', 'long', LARGE], ['SET', 'other', 'y'.repeat(600_000)]);
    peer.take();

    peer.send(['ECHO', '1'], ['CLIENT', 'REPLY', 'SKIP'], ['GET', 'long'], ['ECHO', '2']);
    peer.send(['ECHO', '3'], ['CLIENT', 'REPLY', 'OFF'], ['MGET', 'long', 'other', 'long']);
    peer.send(['CLIENT', 'REPLY', 'ON'], ['ECHO', '4']);

    expect(peer.take()).toBe('$1 1 $1 2 $1 3 +OK $1 4');
  });

  it('may be cut anywhere', () => {
    const server = start();
    const text = encodeCommands([...sets(5), ['ECHO', '\r\n*1\r\n'], ['GET', 'key:4']]);
    for (let cut = 0; cut <= text.length; cut++) {
      const peer = new Peer(server);
      peer.session.feed(text.subarray(0, cut));
      peer.session.feed(text.subarray(cut));
      expect(peer.take()).toBe(`${'+OK '.repeat(5)}$6  *1  $1 4`);
      peer.session.close();
    }
  });
});

describe('a transaction', () => {
  const increments = (count: number): Command[] =>
    Array.from({ length: count }, (_, index) => ['INCR', `counter:${index}`]);

  it('may be longer than what is read ahead', () => {
    const peer = new Peer(start());

    peer.send(['MULTI'], ...increments(40), ['EXEC'], ['MGET', 'counter:0', 'counter:39']);

    const queued = '+QUEUED '.repeat(40);
    expect(peer.take()).toBe(`+OK ${queued}*40 ${':1 '.repeat(40)}*2 $1 1 $1 1`);
  });

  it('keeps its commands when the memory they came in is used again', () => {
    const server = start();
    const peer = new Peer(server);
    const other = new Peer(server);

    peer.send(['MULTI'], ['SET', 'a', '1'], ['MSET', 'b', '2', 'c', '3'], ['SET', 'd', '4']);
    other.send(...increments(30));
    peer.send(['SET', 'e', '5'], ['EXEC'], ['MGET', 'a', 'b', 'c', 'd', 'e']);

    expect(peer.take()).toBe(
      `+OK ${'+QUEUED '.repeat(4)}*4 +OK +OK +OK +OK *5 $1 1 $1 2 $1 3 $1 4 $1 5`,
    );
  });

  it('is forgotten by DISCARD, and another one begins in the same pipeline', () => {
    const peer = new Peer(start());

    peer.send(['MULTI'], ['SET', 'a', '1'], ['DISCARD'], ['MULTI'], ['SET', 'b', '2'], ['EXEC']);
    peer.send(['MGET', 'a', 'b']);

    expect(peer.take()).toBe('+OK +QUEUED +OK +OK +QUEUED *1 +OK *2 $-1 $1 2');
  });

  it('shows in CLIENT LIST while it is open', () => {
    const server = start();
    const peer = new Peer(server);
    const other = new Peer(server);
    const id = String(peer.session.connection.session.id);
    const shown = () => {
      other.send(['CLIENT', 'LIST', 'ID', id]);
      return / multi=(-?\d+)/.exec(other.take())?.[1];
    };

    peer.send(['MULTI'], ['GET', 'a'], ['GET', 'b']);
    expect(shown()).toBe('2');
    peer.send(['GET', 'c'], ['EXEC']);
    expect(shown()).toBe('-1');
    peer.send(['MULTI'], ['GET', 'a'], ['CLIENT', 'LIST', 'ID', id], ['EXEC']);
    expect(peer.take()).toMatch(/ multi=2 /);
    expect(shown()).toBe('-1');
    peer.send(['WATCH', 'a'], ['MULTI'], ['GET', 'a'], ['EXEC']);
    other.send(['CLIENT', 'LIST', 'ID', id]);
    expect(other.take()).toMatch(/ multi=-1 .* tot-mem=2048 /);
  });
});

describe('a session that waits', () => {
  it('keeps what comes behind and goes on with it when the wait is over', async () => {
    const server = start();
    const peer = new Peer(server);

    peer.send(['SET', 'k', '1'], ['WAIT', '1', '20'], ['INCR', 'k'], ['GET', 'k']);
    expect(peer.take()).toBe('+OK');
    peer.send(['INCR', 'k']);
    peer.sendText('INCR "\\x6b"\r\n');
    expect(peer.take()).toBe('');
    await sleep(30);
    server.turn();

    expect(peer.take()).toBe(':0 :2 $1 2 :3 :4');
  });

  it('reads inline words that it had read ahead as they were', async () => {
    const server = start();
    const peer = new Peer(server);

    peer.sendText('WAIT 1 10\r\nECHO "a\\x41\\"b"\r\nECHO "a\\x41\\"b"\r\n');
    await sleep(20);
    server.turn();

    expect(peer.take()).toBe(':0 $4 aA"b $4 aA"b');
  });

  it('may wait again behind its wait', async () => {
    const server = start();
    const peer = new Peer(server);

    peer.send(['WAIT', '1', '10'], ['PING'], ['WAIT', '1', '10'], ['PING'], ...sets(40));
    await sleep(15);
    server.turn();
    expect(peer.take()).toBe(':0 +PONG');
    await sleep(15);
    server.turn();

    expect(peer.take()).toBe(`:0 +PONG ${'+OK '.repeat(40).trimEnd()}`);
  });

  it('is woken by CLIENT UNBLOCK', () => {
    const server = start();
    const peer = new Peer(server);
    const other = new Peer(server);
    peer.send(['CLIENT', 'ID'], ['WAIT', '1', '0'], ['PING']);
    const id = peer.take().slice(1);

    other.send(['CLIENT', 'UNBLOCK', id]);
    server.turn();

    expect(other.take()).toBe(':1');
    expect(peer.take()).toBe(':0 +PONG');
  });

  it('is forgotten when its peer leaves', () => {
    const server = start();
    const peer = new Peer(server);
    peer.send(['WAIT', '1', '0'], ['SET', 'k', '1']);

    peer.session.end();

    expect(peer.isClosed).toBe(true);
    const other = new Peer(server);
    other.send(['GET', 'k']);
    expect(other.take()).toBe('$-1');
    expect(server.executor.serving.connections.size).toBe(1);
  });
});

describe('a session that is put off', () => {
  it('keeps its commands until the pause is over', () => {
    const server = start();
    const writer = new Peer(server);
    const other = new Peer(server);
    writer.send(['SET', 'k', '1']);
    other.send(['CLIENT', 'PAUSE', '100000', 'WRITE']);
    expect(writer.take() + other.take()).toBe('+OK+OK');

    writer.send(['GET', 'k'], ['INCR', 'k'], ['GET', 'k']);
    writer.send(['PING'], ['INCR', 'k']);
    other.send(['GET', 'k']);
    expect(writer.take()).toBe('$1 1');
    expect(other.take()).toBe('$1 1');
    other.send(['CLIENT', 'UNPAUSE']);
    server.turn();

    expect(other.take()).toBe('+OK');
    expect(writer.take()).toBe(':2 $1 2 +PONG :3');
  });

  it('goes on when the pause ends by the clock', async () => {
    const server = start();
    const peer = new Peer(server);
    peer.send(['CLIENT', 'PAUSE', '200'], ['PING']);
    expect(peer.take()).toBe('+OK');
    peer.send(...sets(50));
    expect(peer.take()).toBe('');

    await sleep(230);
    server.turn();

    expect(peer.take()).toBe(`+PONG ${'+OK '.repeat(50).trimEnd()}`);
  });
});

describe('large input', () => {
  it('arrives in pieces of any size', () => {
    const server = start();
    const value = 'abcdefgh'.repeat(MIB / 2);
    for (const pieceBytes of [1000, 65_536, 3 * MIB, 10 * MIB]) {
      const peer = new Peer(server);
      const text = encodeCommands([['PING'], ['SET', 'k', value], ['STRLEN', 'k'], ['PING']]);
      for (let at = 0; at < text.length; at += pieceBytes) {
        peer.session.feed(text.subarray(at, at + pieceBytes));
      }
      expect(peer.take()).toBe(`+PONG +OK :${value.length} +PONG`);
      expect(peer.session.connection.inputBytes).toBe(0);
      peer.session.close();
    }
  });

  it('takes no memory for what is only announced', () => {
    const peer = new Peer(start());

    peer.sendText('*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$536870912\r\nabc');

    const { large, kept } = peer.session.connection;
    expect((large?.u8.length ?? 0) + (kept?.length ?? 0)).toBeLessThan(MIB / 4);
  });

  it('closes the connection beyond client-query-buffer-limit', () => {
    const server = start('--client-query-buffer-limit', '1mb');
    const peer = new Peer(server);

    peer.sendText('*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5000000\r\n');
    for (let sent = 0; sent < 3 && !peer.isClosed; sent++) peer.sendText('x'.repeat(500_000));

    expect(peer.isClosed).toBe(true);
    expect(server.logLines.join('\n')).toContain('max query buffer length');
  });

  it('of many commands is not kept', () => {
    const peer = new Peer(start());
    const text = encodeCommands(sets(20_000));
    expect(text.length).toBeGreaterThan(500_000);

    peer.session.feed(text);

    expect(peer.pieces.join('')).toBe('+OK\r\n'.repeat(20_000));
    expect(peer.session.connection.inputBytes).toBe(0);
  });
});

describe('a peer that does not read', () => {
  it('has its commands wait while much is queued, and gets all in order', () => {
    const server = start();
    const peer = new Peer(server);
    peer.send(['SET', 'k', LARGE]);
    peer.take();

    peer.session.takes(0);
    const gets = Array.from({ length: 300 }, (): Command => ['GET', 'k']);
    peer.send(...gets, ['INCR', 'counter']);

    const { connection } = peer.session;
    expect(connection.outputBytes).toBeGreaterThan(15 * MIB);
    expect(connection.outputBytes).toBeLessThan(18 * MIB);
    const other = new Peer(server);
    other.send(['GET', 'counter']);
    expect(other.take()).toBe('$-1');
    peer.session.takes(Number.POSITIVE_INFINITY);
    const text = peer.pieces.join('');
    const value = `$${LARGE.length}\r\n${LARGE}\r\n`;
    expect(text === `${value.repeat(300)}:1\r\n`).toBe(true);
    expect(connection.outputBytes).toBe(0);
  });

  it('gets what it takes, byte by byte', () => {
    const peer = new Peer(start());
    peer.session.takes(0);
    peer.send(...sets(3), ['GET', 'key:1']);

    for (let count = 0; count < 30; count++) peer.session.takes(1);

    expect(peer.pieces.join('')).toBe('+OK\r\n+OK\r\n+OK\r\n$1\r\n1\r\n');
    expect(peer.pieces.every((piece) => piece.length === 1)).toBe(true);
  });

  it('gets what is queued for it when the log has what it promises', () => {
    const server = start();
    const { executor } = server;
    const peer = new Peer(server);
    peer.session.takes(0);
    peer.send(['SET', 'k', 'v']);
    const takenAtEnds: number[] = [];
    const endTurn = executor.endTurn.bind(executor);
    executor.endTurn = () => {
      takenAtEnds.push(peer.pieces.length);
      endTurn();
    };

    peer.session.takes(100);

    expect(takenAtEnds[0]).toBe(0);
    expect(peer.take()).toBe('+OK');
  });

  it('gets no reply that a message has queued when the log does not have it', () => {
    const server = start();
    const { executor } = server;
    const [writer, speaker] = [new Peer(server), new Peer(server)];
    writer.send(['HELLO', '3'], ['SUBSCRIBE', 'channel']);
    speaker.send(['HELLO', '3'], ['SUBSCRIBE', 'other']);
    writer.take();
    const commands: [Peer, Command][] = [
      [writer, ['SET', 'k', 'v']],
      [speaker, ['PUBLISH', 'channel', 'message']],
    ];
    for (const [{ session }, command] of commands) {
      const bytes = encodeCommands([command]);
      executor.serving.received(session.connection, bytes, 0, bytes.length);
    }
    expect(writer.session.connection.outputBytes).toBeGreaterThan(0);

    executor.endTurn = () => executor.serving.closeUnanswered();
    executor.serving.flushReplies();

    expect(writer.take()).toBe('');
    expect(writer.isClosed).toBe(true);
  });

  it('has its writers closed before others hear of what the log does not have', () => {
    const server = start();
    const { serving, sink, pubsub } = server.executor;
    const [writer, listener] = [new Peer(server), new Peer(server)];
    listener.send(['SUBSCRIBE', 'channel']);
    listener.take();
    const order: string[] = [];
    sink.endTurn = () => order.push('log') === 0;
    const closeUnanswered = serving.closeUnanswered.bind(serving);
    serving.closeUnanswered = () => {
      order.push('closing');
      closeUnanswered();
    };
    Object.defineProperty(pubsub, 'hasNews', {
      get: () => order.push('news') === 0,
    });

    writer.send(['PUBLISH', 'channel', 'message']);

    const from = order.indexOf('log');
    expect(order.slice(from, from + 3)).toEqual(['log', 'closing', 'news']);
    expect(writer.isClosed).toBe(true);
    expect(listener.take()).toBe('*3 $7 message $7 channel $7 message');
  });

  it('is closed beyond client-output-buffer-limit', () => {
    const server = start('--client-output-buffer-limit', 'normal', '1mb', '0', '0');
    const peer = new Peer(server);
    peer.send(['SET', 'k', LARGE]);
    peer.session.takes(0);

    for (let count = 0; count < 20 && !peer.isClosed; count++) peer.send(['GET', 'k']);

    expect(peer.isClosed).toBe(true);
    expect(server.logLines.join('\n')).toContain('output buffer limits');
    expect(server.executor.serving.connections.size).toBe(0);
  });

  it('gets its last replies after its last command', () => {
    const peer = new Peer(start());
    peer.session.takes(0);
    peer.send(['ECHO', 'a'], ['ECHO', 'b'], ['QUIT']);
    expect(peer.isClosed).toBe(false);

    peer.session.takes(Number.POSITIVE_INFINITY);

    expect(peer.take()).toBe('$1 a $1 b +OK');
    expect(peer.isClosed).toBe(true);
  });

  it('gets its last reply when its queue goes in the same turn', () => {
    const peer = new Peer(start());
    peer.session.takes(0);
    peer.send(['ECHO', 'a']);
    receive(peer, ['ECHO', 'b'], ['QUIT']);

    peer.session.takes(Number.POSITIVE_INFINITY);

    expect(peer.take()).toBe('$1 a $1 b +OK');
    expect(peer.isClosed).toBe(true);
  });

  it('is forgotten once, when it is closed on its way to its next command', () => {
    const server = start('--client-output-buffer-limit', 'normal', '20kb', '0', '0');
    const { clients, serving } = server.executor;
    const [peer, other] = [new Peer(server), new Peer(server)];
    const long: Command = ['ECHO', 'x'.repeat(10_000)];
    receiveText(peer, `${encodeCommands([long, long, long])}*2\r\n$4\r\nECHO`);
    // Until the arena has no room for another connection's turn.
    while (serving.reply.at <= MIB - 256 * 1024) receive(other, long);
    peer.sendText('\r\n$1\r\na\r\n');
    expect(peer.isClosed).toBe(true);

    server.turn();
    other.session.close();

    expect(clients.totalBytes()).toBe(0);
  });

  it('may send its last byte and read afterwards', () => {
    const peer = new Peer(start());
    peer.session.takes(0);
    peer.send(['ECHO', 'a'], ['ECHO', 'b']);
    peer.session.end();
    expect(peer.isClosed).toBe(false);

    peer.session.takes(Number.POSITIVE_INFINITY);

    expect(peer.take()).toBe('$1 a $1 b');
    expect(peer.isClosed).toBe(true);
  });

  it('gets what it was answered before a command that blocks', () => {
    const server = start();
    const peer = new Peer(server);
    receive(peer, ['ECHO', 'a'], ['BLPOP', 'nothing', '0'], ['ECHO', 'b']);

    peer.session.end();

    expect(peer.take()).toBe('$1 a');
    expect(peer.isClosed).toBe(true);
  });

  it('is not kept by a command that blocks later, when nobody listens to it any more', () => {
    const server = start();
    const peer = new Peer(server);
    peer.send(['SET', 'k', LARGE]);
    peer.session.takes(0);
    const gets = Array.from({ length: 100 }, (): Command => ['GET', 'k']);
    peer.send(...gets, ['BLPOP', 'nothing', '0']);
    peer.session.end();
    expect(peer.isClosed).toBe(false);

    peer.session.takes(Number.POSITIVE_INFINITY);

    expect(peer.pieces.join('').length).toBeGreaterThan(100 * LARGE.length);
    expect(peer.isClosed).toBe(true);
    expect(server.executor.serving.connections.size).toBe(0);
  });

  it('hears the end of a SAVE that it has asked for', () => {
    const server = start();
    const peer = new Peer(server);
    peer.send(['SAVE']);
    peer.session.end();
    expect(peer.isClosed).toBe(false);

    server.executor.serving.endings.end(peer.session.connection, (reply) => reply.ok());
    server.turn();

    expect(peer.take()).toBe('+OK');
    expect(peer.isClosed).toBe(true);
  });
});
