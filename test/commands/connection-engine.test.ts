// Connections and CLIENT in process: what a session is told, and what the server is asked for.

import { describe, expect, it } from 'vitest';
import { connectionCommands } from '../../src/commands/connection.js';
import { Gate } from '../../src/dispatch/gates.js';
import { Closing, ReplyMode } from '../../src/dispatch/session.js';
import { ClientFlag } from '../../src/stats/clients.js';
import { Counter } from '../../src/stats/server.js';
import { type Door, openDoor } from '../stats/door.js';

const WRONG = '-WRONGPASS invalid username-password pair or user is disabled.\r\n';
const NO_AUTH = '-NOAUTH Authentication required.\r\n';

function openGuarded(): { door: Door; run: (...words: string[]) => string } {
  const door = openDoor(connectionCommands, { requirepass: 'secret' });
  const session = door.open(1);
  session.raised = Gate.Stranger;
  return { door, run: (...words) => door.engine.runFor(session, ...words) };
}

describe('logging in', () => {
  it('is refused with a wrong user or password, and counted', () => {
    const { door, run } = openGuarded();
    for (const word of ['wrong', '', 'secre', 'secretsecret', 'Secret']) {
      expect(run('AUTH', word)).toBe(WRONG);
    }
    expect(run('AUTH', 'nobody', 'secret')).toBe(WRONG);
    expect(run('PING')).toBe(NO_AUTH);
    expect(door.stats.total(Counter.AclDenied)).toBe(6);
    expect(door.stats.errors()).toEqual([
      ['NOAUTH', 1],
      ['WRONGPASS', 6],
    ]);
  });

  it('opens the gate, and RESET closes it again', () => {
    const { run } = openGuarded();
    expect(run('AUTH', 'secret')).toBe('+OK\r\n');
    expect(run('PING')).toBe('+PONG\r\n');
    expect(run('RESET')).toBe('+RESET\r\n');
    expect(run('PING')).toBe(NO_AUTH);
    expect(run('AUTH', 'default', 'secret')).toBe('+OK\r\n');
    expect(run('ECHO', 'hi')).toBe('$2\r\nhi\r\n');
  });

  it('may come with HELLO, which changes nothing when it is refused', () => {
    const { run } = openGuarded();
    expect(run('HELLO', '3')).toMatch(/^-NOAUTH HELLO must be called with the client already/);
    expect(run('HELLO', '3', 'AUTH', 'default', 'wrong', 'SETNAME', 'me')).toBe(WRONG);
    expect(run('PING')).toBe(NO_AUTH);
    expect(run('HELLO', '3', 'AUTH', 'default', 'secret', 'SETNAME', 'me')).toMatch(/^%7\r\n/);
    expect(run('CLIENT', 'GETNAME')).toBe('$2\r\nme\r\n');
  });

  it('without a password set takes any for the default user, but not one alone', () => {
    const door = openDoor(connectionCommands);
    expect(door.engine.run('AUTH', 'default', 'anything')).toBe('+OK\r\n');
    expect(door.engine.run('AUTH', 'x')).toBe(
      '-ERR AUTH <password> called without any password configured for the default user. ' +
        'Are you sure your configuration is correct?\r\n',
    );
  });
});

describe('HELLO', () => {
  it('tells the fields in the order of Redis and switches the protocol', () => {
    const door = openDoor(connectionCommands);
    const session = door.open(7);
    const reply = door.engine.runFor(session, 'HELLO', '3');
    expect(reply).toBe(
      '%7\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$5\r\n7.2.6\r\n$5\r\nproto\r\n:3\r\n' +
        '$2\r\nid\r\n:7\r\n$4\r\nmode\r\n$10\r\nstandalone\r\n$4\r\nrole\r\n$6\r\nmaster\r\n' +
        '$7\r\nmodules\r\n*0\r\n',
    );
    expect(door.clients.view(session.slot)?.protocol).toBe(3);
    expect(door.engine.runFor(session, 'CLIENT', 'GETNAME')).toBe('_\r\n');
    expect(door.engine.runFor(session, 'HELLO', '2')).toMatch(/^\*14\r\n/);
  });
});

describe('CLIENT', () => {
  it('LIST shows the connections of the directory, by type and by id', () => {
    const door = openDoor(connectionCommands);
    const first = door.open(1);
    const second = door.open(2);
    const run = (...words: string[]) => door.engine.runFor(first, ...words);
    run('CLIENT', 'SETNAME', 'one');
    run('CLIENT', 'SETINFO', 'lib-name', 'mylib');
    door.clients.touch(second.slot, 1_700_000_000, -1, 4, ClientFlag.PubSub, 10, 20);

    const list = run('CLIENT', 'LIST');
    expect(list).toContain(
      'id=1 addr=127.0.0.1:5001 laddr=127.0.0.1:6379 fd=11 name=one age=0 idle=0 flags=N db=0 ' +
        'sub=0 psub=0 ssub=0 multi=-1 qbuf=0 qbuf-free=0 argv-mem=0 multi-mem=0 rbs=0 ' +
        'rbp=0 obl=0 oll=0 omem=0 tot-mem=2048 events=r cmd=client|list user=default redir=-1 ' +
        'resp=2 lib-name=mylib lib-ver=\n',
    );
    expect(list).toContain('flags=P db=4');
    expect(list).toContain('omem=20 tot-mem=2078 events=rw cmd=NULL');
    expect(run('CLIENT', 'LIST', 'TYPE', 'pubsub')).not.toContain('id=1 ');
    expect(run('CLIENT', 'LIST', 'ID', '2', '9', '1')).toMatch(/^\$\d+\r\nid=2 [^\n]*\nid=1 /);
    expect(run('CLIENT', 'LIST', 'TYPE', 'constructor')).toMatch(/^-ERR Unknown client type/);
  });

  it('KILL asks the owner of each connection that fits, and spares its own by default', () => {
    const door = openDoor(connectionCommands);
    const own = door.open(1);
    const second = door.open(2);
    door.open(3, '10.0.0.1:99');
    const run = (...words: string[]) => door.engine.runFor(own, ...words);

    expect(run('CLIENT', 'KILL', 'TYPE', 'normal')).toBe(':2\r\n');
    expect(run('CLIENT', 'KILL', 'ADDR', '10.0.0.1:99', 'ID', '2')).toBe(':0\r\n');
    expect(run('CLIENT', 'KILL', second.address)).toBe('+OK\r\n');
    expect(own.closing).toBe(Closing.No);
    expect(run('CLIENT', 'KILL', 'ID', '1', 'SKIPME', 'no')).toBe(':1\r\n');
    expect(own.closing).toBe(Closing.AfterReply);
    expect(door.asked).toEqual(['closeClient 1 2', 'closeClient 2 3', 'closeClient 1 2']);
  });

  it('UNBLOCK wakes only a connection that waits', () => {
    const door = openDoor(connectionCommands);
    const own = door.open(1);
    const other = door.open(2);
    const run = (...words: string[]) => door.engine.runFor(own, ...words);
    expect(run('CLIENT', 'UNBLOCK', '2')).toBe(':0\r\n');
    door.clients.touch(other.slot, 0, -1, 0, ClientFlag.Blocked, 0, 0);
    expect(run('CLIENT', 'UNBLOCK', '2', 'ERROR')).toBe(':1\r\n');
    expect(door.asked).toEqual(['unblockClient 1 2 true']);
  });

  it('PAUSE says until when and for whom', () => {
    const door = openDoor(connectionCommands);
    expect(door.engine.run('CLIENT', 'PAUSE', '1500')).toBe('+OK\r\n');
    expect(door.engine.run('CLIENT', 'PAUSE', '0', 'WRITE')).toBe('+OK\r\n');
    expect(door.engine.run('CLIENT', 'PAUSE', '9223372036854775807')).toBe(
      '-ERR timeout is out of range\r\n',
    );
    expect(door.engine.run('CLIENT', 'UNPAUSE')).toBe('+OK\r\n');
    expect(door.asked).toEqual([
      `pauseClients ${1_700_000_000_000 + 1500} true`,
      'pauseClients 0 false',
      'unpauseClients',
    ]);
  });

  it('REPLY silences one command or all that follow', () => {
    const door = openDoor(connectionCommands);
    const session = door.open(1);
    const run = (...words: string[]) => door.engine.runFor(session, ...words);
    expect([run('CLIENT', 'REPLY', 'SKIP'), run('PING'), run('PING')]).toEqual([
      '',
      '',
      '+PONG\r\n',
    ]);
    expect([run('CLIENT', 'REPLY', 'OFF'), run('PING'), run('BOGUS')]).toEqual(['', '', '']);
    expect(run('CLIENT', 'REPLY', 'SKIP')).toBe('');
    expect(run('CLIENT', 'REPLY', 'ON')).toBe('+OK\r\n');
    run('CLIENT', 'REPLY', 'OFF');
    expect(run('RESET')).toBe('+RESET\r\n');
    expect(session.replyMode).toBe(ReplyMode.On);
  });

  it('refuses names that the directory could not hold or show', () => {
    const door = openDoor(connectionCommands);
    const session = door.open(1);
    const run = (...words: string[]) => door.engine.runFor(session, ...words);
    expect(run('CLIENT', 'SETNAME', 'x'.repeat(256))).toBe('+OK\r\n');
    expect(run('CLIENT', 'SETNAME', 'x'.repeat(257))).toBe(
      '-ERR Client names of more than 256 bytes are not supported.\r\n',
    );
    expect(run('CLIENT', 'SETINFO', 'lib-ver', 'x'.repeat(65))).toMatch(/^-ERR Library names/);
    expect(run('CLIENT', 'SETNAME', 'caf\xe9')).toMatch(/^-ERR Client names cannot contain/);
    expect(session.name).toBe('x'.repeat(256));
  });
});
