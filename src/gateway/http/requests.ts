// HTTP requests of all kinds: who may ask, and who answers.

import type { GatewayDoor } from '../door.js';
import type { Headers, HttpRequest, HttpResponse } from '../engine.js';
import { renderMetrics } from '../metrics.js';
import { isOfUnknownHost, judgeOrigin, type OriginRequest, OriginVerdict } from '../origins.js';
import type { OwnCommands } from '../own-commands.js';
import { Rate } from '../rate.js';
import { ReplyError } from '../reply-values.js';
import { Answers } from './answers.js';
import { answerApi, readApiBody } from './api.js';
import {
  Conversation,
  ConversationOver,
  type Credentials,
  readCredentials,
} from './conversation.js';
import { EventStream, subscriptionsOf } from './events.js';
import { answerKey, keyOf } from './key.js';
import type { Pages } from './pages.js';

const METRICS_TYPE = 'application/openmetrics-text; version=1.0.0; charset=utf-8';
const KEY_PATH = '/api/key/';
const DOUBTFUL = 'ERR without a password this host name is not served: see gateway-origins';
/** What a page of another origin may send and read. */
const CORS_HEADERS: Headers = [
  ['Access-Control-Allow-Methods', 'GET, POST, OPTIONS'],
  ['Access-Control-Allow-Headers', 'Authorization, Content-Type'],
  ['Access-Control-Max-Age', '600'],
];

/** What is needed to answer one request; read before its engine takes it back. */
interface Asked {
  readonly request: HttpRequest;
  readonly response: HttpResponse;
  readonly answers: Answers;
  /** What lets pages of another origin, which is allowed, read the answer. */
  readonly shared: Headers;
  readonly credentials: Credentials;
  /** It may come from a page that is not allowed: the client has to show who it is. */
  readonly isDoubtful: boolean;
}

type Answering = (conversation: Conversation, asked: Asked) => Promise<void>;

export class Requests {
  private readonly door: GatewayDoor;
  private readonly own: OwnCommands;
  private readonly pages: Pages;
  private readonly rates = new Map<string, Rate>();
  private readonly streams = new Set<EventStream>();

  constructor(door: GatewayDoor, own: OwnCommands, pages: Pages) {
    this.door = door;
    this.own = own;
    this.pages = pages;
  }

  /** Once a second: heartbeats, and what is not needed any more. */
  look(nowMs: number): void {
    for (const stream of this.streams) {
      if (stream.isOver) this.streams.delete(stream);
      else stream.look(nowMs);
    }
    for (const [address, rate] of this.rates) if (rate.isFull(nowMs)) this.rates.delete(address);
  }

  end(): void {
    for (const stream of this.streams) stream.end();
  }

  serve(request: HttpRequest, response: HttpResponse, isTls: boolean): void {
    const { door } = this;
    const origin = request.header('origin');
    const from: OriginRequest = {
      origin,
      host: request.header('host'),
      isTls,
      allowed: door.text('gateway-origins'),
      isOpen: !door.needsPassword(),
    };
    const verdict = judgeOrigin(from);
    const isForeign = verdict === OriginVerdict.Foreign;
    const shared: Headers = isForeign
      ? [['Access-Control-Allow-Origin', origin], ...CORS_HEADERS]
      : [];
    const answers = new Answers(
      request,
      response,
      isForeign ? [['Vary', 'Origin'], ...shared] : shared,
    );
    if (verdict === OriginVerdict.Refused) {
      answers.refuse(403, 'ERR this origin may not use the gateway: see gateway-origins');
      return;
    }
    if (request.method === 'OPTIONS') {
      answers.send(204, 'text/plain', '');
      return;
    }
    const credentials = readCredentials(request.header('authorization'));
    const isDoubtful = request.method !== 'POST' && isOfUnknownHost(from);
    this.route({ request, response, answers, shared, credentials, isDoubtful });
  }

  private route(asked: Asked): void {
    const { request, response, answers, shared } = asked;
    const { path, method } = request;
    const isRead = method === 'GET' || method === 'HEAD';
    if (path === '/api') {
      if (method === 'POST') this.serveApi(asked);
      else answers.refuse(405, 'ERR this is for POST', [['Allow', 'POST, OPTIONS']]);
      return;
    }
    if (!isRead) {
      answers.refuse(405, 'ERR this is for GET', [['Allow', 'GET, HEAD, OPTIONS']]);
    } else if (path === '/events' && method === 'HEAD') {
      // Its head would be followed by events all the same.
      answers.refuse(405, 'ERR this is for GET', [['Allow', 'GET, OPTIONS']]);
    } else if (path.startsWith(KEY_PATH)) this.serveKey(asked);
    else if (path === '/events') this.serveEvents(asked);
    else if (path === '/metrics') this.converse(asked, (each) => this.serveMetrics(each, answers));
    else if (path === '/health/live') answers.document(200, { status: 'live' });
    else if (path === '/health/ready') this.serveReadiness(answers);
    else if (path === '/ws') answers.refuse(426, 'ERR this is for WebSockets');
    else if (!this.pages.answer(request, response, shared)) {
      answers.refuse(404, 'ERR no such page');
    }
  }

  private serveReadiness(answers: Answers): void {
    if (this.door.isLoading) answers.document(503, { status: 'loading' });
    else answers.document(200, { status: 'ready' });
  }

  private serveApi(asked: Asked): void {
    const { request, response, answers } = asked;
    const type = request.header('content-type').toLowerCase();
    const isKnown = type.startsWith('application/json') || type.startsWith('application/msgpack');
    if (!isKnown) {
      answers.refuse(415, 'ERR bodies are application/json or application/msgpack');
      return;
    }
    const bytesMax = this.door.number('gateway-max-message-bytes');
    if (Number(request.header('content-length')) > bytesMax) {
      answers.refuse(413, `ERR bodies have at most ${bytesMax} bytes`);
      return;
    }
    response.readBody(bytesMax, (body) => {
      if (response.isOver) return;
      if (body === null) {
        answers.refuse(413, `ERR bodies have at most ${bytesMax} bytes`);
        return;
      }
      const wanted = readApiBody(type, body);
      if (typeof wanted === 'string') answers.refuse(400, wanted);
      else {
        const count = wanted.commands.length;
        this.converse(asked, (each) => answerApi(wanted, each, answers), count);
      }
    });
  }

  private serveKey(asked: Asked): void {
    const { request, answers } = asked;
    const key = keyOf(request.path.slice(KEY_PATH.length));
    if (key === null) {
      answers.refuse(400, 'ERR the key is not percent-encoded');
      return;
    }
    const query = new URLSearchParams(request.query);
    this.converse(asked, (each) => answerKey(key, query, each, answers));
  }

  private async serveMetrics(conversation: Conversation, answers: Answers): Promise<void> {
    const [info = null] = await conversation.say([['INFO', 'all']]);
    if (info instanceof ReplyError) answers.error(info);
    else answers.text(200, METRICS_TYPE, renderMetrics(String(info), this.door.figures()));
  }

  private serveEvents(asked: Asked): void {
    const { request, answers } = asked;
    const query = new URLSearchParams(request.query);
    const commands = subscriptionsOf(query);
    if (commands === null) {
      answers.refuse(400, 'ERR say which ?channel=, ?pattern= or ?shard=');
      return;
    }
    const token = query.get('token');
    const known = token === null ? asked : { ...asked, credentials: tokenOf(token) };
    this.converse(known, async (conversation, { response }) => {
      const stream = new EventStream({
        response,
        answers,
        nowMs: this.door.nowMs(),
        endMs: conversation.endMs,
        end: () => conversation.end(),
      });
      this.streams.add(stream);
      await conversation.listen(commands, stream);
      this.streams.delete(stream);
    });
  }

  /** Opens a session for the request, logs it in, and closes it after the answer. */
  private converse(asked: Asked, answering: Answering, commands = 1): void {
    const { request, response, answers, credentials } = asked;
    const refusal = this.rateRefusal(request.address, commands);
    if (refusal !== null) {
      answers.error(refusal);
      return;
    }
    const conversation = new Conversation(this.door, this.own);
    const denied = conversation.open(request);
    if (denied !== null) {
      answers.error(denied);
      return;
    }
    response.onGone(() => conversation.end());
    const run = async () => {
      const wrong = await conversation.logIn(credentials);
      if (wrong !== null) answers.error(wrong);
      else if (asked.isDoubtful && !conversation.isProven) answers.refuse(403, DOUBTFUL);
      else await answering(conversation, asked);
    };
    run()
      .catch((error: unknown) => {
        if (!(error instanceof ConversationOver)) {
          this.door.log('warning', `The gateway failed to answer: ${String(error)}`);
        }
        if (!response.isOver) answers.refuse(503, 'ERR the session was closed by the server');
      })
      .finally(() => conversation.end());
  }

  private rateRefusal(address: string, commands: number): ReplyError | null {
    const perSecond = this.own.rate;
    if (perSecond === 0) return null;
    const host = address.slice(0, address.lastIndexOf(':'));
    let rate = this.rates.get(host);
    if (rate === undefined) {
      rate = new Rate();
      this.rates.set(host, rate);
    }
    const nowMs = this.door.nowMs();
    for (let count = 0; count < commands; count++) {
      if (!rate.take(perSecond, nowMs)) {
        return new ReplyError(`RATELIMIT This address may say ${perSecond} commands a second`);
      }
    }
    return null;
  }
}

function tokenOf(token: string): Credentials {
  return { kind: 'token', token };
}
