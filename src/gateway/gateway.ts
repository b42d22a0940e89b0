// The gateway: what comes over HTTP and WebSockets is led to sessions of the server, and what they
// say is led back.
//
//   engine ─▶ upgrade ─▶ WebSocketGuest ─▶ line ─▶ the road of every command
//          ─▶ request ─▶ Conversation   ─▶ line
//                     ─▶ EventStream    ◀─ line

import type { GatewayDoor, Guest, Line } from './door.js';
import type {
  Engine,
  EngineHooks,
  EnginePlan,
  HttpRequest,
  HttpResponse,
  Upgrade,
} from './engine.js';
import { NodeEngine } from './engine-node.js';
import { loadUws, UwsEngine } from './engine-uws.js';
import { ReplyFrames } from './frames/replies.js';
import { RequestFrames } from './frames/requests.js';
import { Pages } from './http/pages.js';
import { Requests } from './http/requests.js';
import { judgeOrigin, OriginVerdict } from './origins.js';
import { OwnCommands } from './own-commands.js';
import { type Shared, type SubProtocol, WebSocketGuest } from './web-socket-guest.js';

const LOOK_MS = 1000;
const PROTOCOLS: readonly SubProtocol[] = ['flagstone.msgpack', 'resp3'];

export class Gateway implements EngineHooks {
  private readonly door: GatewayDoor;
  private readonly shared: Shared;
  private readonly requests: Requests;
  private readonly guests = new Set<WebSocketGuest>();
  private readonly isTls: boolean;
  private engine: Engine | null = null;
  private timer: NodeJS.Timeout | null = null;

  /** `pagesDirectory`: where the dashboard's files are. */
  constructor(door: GatewayDoor, pagesDirectory: string) {
    this.door = door;
    this.isTls = door.flag('gateway-tls');
    const own = new OwnCommands(door);
    this.shared = {
      door,
      own,
      requests: new RequestFrames(),
      replies: new ReplyFrames(),
      messageBytesMax: door.number('gateway-max-message-bytes'),
    };
    this.requests = new Requests(door, own, new Pages(pagesDirectory));
  }

  async start(): Promise<void> {
    const { door } = this;
    const tls = {
      certFile: door.text('tls-cert-file'),
      keyFile: door.text('tls-key-file'),
      keyPass: door.text('tls-key-file-pass'),
    };
    if (this.isTls && (tls.certFile === '' || tls.keyFile === '')) {
      throw new Error('gateway-tls needs tls-cert-file and tls-key-file.');
    }
    const plan: EnginePlan = {
      port: door.number('gateway-port'),
      host: door.text('gateway-bind'),
      tls: this.isTls ? tls : null,
      messageBytesMax: this.shared.messageBytesMax,
      idleSeconds: door.number('gateway-idle-seconds'),
    };
    this.engine = await makeEngine(door.text('gateway-engine'), plan, this);
    await this.engine.listen();
    const scheme = this.isTls ? 'https' : 'http';
    door.log(
      'notice',
      `The gateway listens on ${scheme}://${plan.host}:${plan.port} (${this.engine.name})`,
    );
    this.timer = setInterval(() => this.look(), LOOK_MS);
  }

  async end(): Promise<void> {
    if (this.timer !== null) clearInterval(this.timer);
    this.requests.end();
    await this.engine?.end();
  }

  /** Another configuration is in force. */
  configChanged(): void {
    this.shared.own.configChanged();
  }

  get engineName(): string {
    return this.engine?.name ?? '';
  }

  get socketCount(): number {
    return this.guests.size;
  }

  private look(): void {
    const nowMs = this.door.nowMs();
    for (const guest of this.guests) guest.look(nowMs);
    this.requests.look(nowMs);
  }

  // ---- from the engine --------------------------------------------------------------------------

  upgrade(request: HttpRequest): Upgrade {
    const { door } = this;
    if (request.path !== '/ws') return { status: 404, text: 'WebSockets are at /ws' };
    const verdict = judgeOrigin({
      origin: request.header('origin'),
      host: request.header('host'),
      isTls: this.isTls,
      allowed: door.text('gateway-origins'),
      isOpen: !door.needsPassword(),
    });
    if (verdict === OriginVerdict.Refused) {
      return { status: 403, text: 'This origin may not use the gateway: see gateway-origins' };
    }
    const protocol = chooseProtocol(request.header('sec-websocket-protocol'));
    if (protocol === null) {
      return { status: 400, text: `The sub-protocol is one of ${PROTOCOLS.join(', ')}` };
    }
    return {
      protocol,
      opened: (socket) => {
        const guest = new WebSocketGuest(this.shared, socket, protocol, (gone) =>
          this.guests.delete(gone),
        );
        this.guests.add(guest);
        // Not before: a handshake that breaks off would be counted for ever.
        const refusal = door.admit(socket.address);
        if (refusal !== null) guest.refuse(refusal);
        else guest.connect(openLine(door, guest, socket));
        return guest;
      },
    };
  }

  request(request: HttpRequest, response: HttpResponse): void {
    this.requests.serve(request, response, this.isTls);
  }
}

/** A line in RESP3, from its start. */
function openLine(
  door: GatewayDoor,
  guest: Guest,
  peer: { readonly address: string; readonly localAddress: string },
): Line | null {
  const line = door.open(guest, peer);
  if (line !== null) door.speakRespThree(line.session);
  return line;
}

function chooseProtocol(offered: string): SubProtocol | null {
  for (const each of offered.split(',')) {
    const found = PROTOCOLS.find((protocol) => protocol === each.trim());
    if (found !== undefined) return found;
  }
  return null;
}

async function makeEngine(wanted: string, plan: EnginePlan, hooks: EngineHooks): Promise<Engine> {
  if (wanted !== 'node') {
    const uws = await loadUws();
    if (uws !== null) return new UwsEngine(uws, plan, hooks);
    if (wanted === 'uws') {
      throw new Error('uWebSockets.js does not load here: use gateway-engine node or auto.');
    }
  }
  return new NodeEngine(plan, hooks);
}
