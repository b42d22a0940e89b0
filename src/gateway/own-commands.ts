// GATEWAY: commands about the connection to the gateway itself. They stand in no command table,
// because no RESP connection has them.

import type { Slices } from '../base/slices.js';
import type { Session } from '../dispatch/session.js';
import type { Reply } from '../resp/write.js';
import type { GatewayDoor } from './door.js';
import { verifyToken } from './token.js';

/** A connection, as far as these commands change it. */
export interface OwnGuest {
  endMs: number;
  setBinary(isBinary: boolean): boolean;
}

const NAME = 'gateway';
const WRONG_TOKEN = 'WRONGPASS invalid or expired token, or its user is disabled.';

export class OwnCommands {
  private readonly door: GatewayDoor;
  /** gateway-rate, which CONFIG SET changes. */
  rate = 0;

  constructor(door: GatewayDoor) {
    this.door = door;
    this.configChanged();
  }

  configChanged(): void {
    this.rate = this.door.number('gateway-rate');
  }

  /** True, and answered, if the words are one of these commands. */
  run(args: Slices, session: Session, reply: Reply, guest: OwnGuest): boolean {
    if (args.lengthOf(0) !== NAME.length || args.text(0).toLowerCase() !== NAME) return false;
    const name = args.count > 1 ? args.text(1).toLowerCase() : '';
    if (name === 'token' && args.count === 3) this.logIn(args.text(2), session, reply, guest);
    else if (name === 'binary' && args.count === 3) setBinary(args.text(2), reply, guest);
    else if (name === 'stats' && args.count === 2) this.writeFigures(session, reply);
    else if (name === 'ping' && args.count === 2) reply.simple('PONG');
    else {
      reply.error(
        'ERR unknown subcommand or wrong number of arguments. ' +
          'Try GATEWAY TOKEN token, GATEWAY BINARY ON|OFF, GATEWAY STATS, GATEWAY PING.',
      );
    }
    return true;
  }

  private logIn(token: string, session: Session, reply: Reply, guest: OwnGuest): void {
    const granted = verifyToken(this.door.text('gateway-token-secret'), token, this.door.nowMs());
    if (granted === null || !this.door.authenticateAs(session, granted.user)) {
      reply.error(WRONG_TOKEN);
      return;
    }
    guest.endMs = granted.endMs;
    reply.ok();
  }

  private writeFigures(session: Session, reply: Reply): void {
    const refusal = this.door.refusalToInspect(session);
    if (refusal === null) writeValue(reply, this.door.figures());
    else reply.error(refusal);
  }
}

function setBinary(word: string, reply: Reply, guest: OwnGuest): void {
  const choice = word.toLowerCase();
  if (choice !== 'on' && choice !== 'off') reply.error('ERR GATEWAY BINARY takes ON or OFF');
  else if (guest.setBinary(choice === 'on')) reply.ok();
  else reply.error('ERR GATEWAY BINARY is for flagstone.msgpack: RESP3 has bytes only');
}

/** Plain data as a reply. */
function writeValue(reply: Reply, value: unknown): void {
  if (typeof value === 'string') reply.utf8(value);
  else if (typeof value === 'boolean') reply.boolean(value);
  else if (typeof value === 'number') {
    if (Number.isSafeInteger(value)) reply.integer(value);
    else reply.double(value);
  } else if (Array.isArray(value)) {
    reply.array(value.length);
    for (const each of value) writeValue(reply, each);
  } else if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value);
    reply.map(entries.length);
    for (const [name, each] of entries) {
      reply.utf8(name);
      writeValue(reply, each);
    }
  } else {
    reply.nil();
  }
}
