// Answers of the gateway to HTTP requests: statuses, headers, bodies in JSON or MessagePack.

import { addExtension, Packr } from 'msgpackr';
import type { Headers, HttpRequest, HttpResponse } from '../engine.js';
import { ERROR_EXTENSION } from '../frames/replies.js';
import { bytesOf, jsonOf, ReplyError, type Value } from '../reply-values.js';

/** Nothing from elsewhere is loaded, and nobody may frame the pages. */
const CONTENT_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; " +
  "font-src 'self'; connect-src 'self'; manifest-src 'self'; base-uri 'none'; " +
  "form-action 'none'; frame-ancestors 'none'";

const ALWAYS: Headers = [
  ['Content-Security-Policy', CONTENT_POLICY],
  ['X-Content-Type-Options', 'nosniff'],
  ['Referrer-Policy', 'no-referrer'],
  ['X-Frame-Options', 'DENY'],
];

const STATUS_OF_CODE: Readonly<Record<string, number>> = {
  NOAUTH: 401,
  WRONGPASS: 401,
  NOPERM: 403,
  DENIED: 403,
  RATELIMIT: 429,
  LOADING: 503,
  BUSY: 503,
  OOM: 503,
  MISCONF: 503,
  MASTERDOWN: 503,
  NOREPLICAS: 503,
};

/** Plain MessagePack: no records of shapes, which only msgpackr itself would understand. */
const packr = new Packr({ useRecords: false, variableMapSize: true });
addExtension({
  Class: ReplyError,
  type: ERROR_EXTENSION,
  pack: (error: ReplyError) => Buffer.from(error.line, 'utf8'),
  unpack: (bytes: Buffer) => new ReplyError(Buffer.from(bytes).toString('utf8')),
});

/** How the client wants its answer. */
export type Form = 'json' | 'msgpack' | 'bytes';

export function formOf(accept: string): Form {
  if (accept.includes('application/msgpack')) return 'msgpack';
  return accept.includes('application/octet-stream') ? 'bytes' : 'json';
}

/** Answers requests; knows which headers each of them needs. */
export class Answers {
  private readonly response: HttpResponse;
  private readonly form: Form;
  private readonly headers: Headers;

  constructor(request: HttpRequest, response: HttpResponse, extra: Headers) {
    this.response = response;
    this.form = formOf(request.header('accept'));
    this.headers = [...ALWAYS, ['Cache-Control', 'no-store'], ...extra];
  }

  get wantsBytes(): boolean {
    return this.form === 'bytes';
  }

  /** A document: what its names stand for. */
  document(status: number, fields: Readonly<Record<string, Value>>): void {
    if (this.form === 'msgpack') {
      const body = packr.pack(new Map(Object.entries(fields)));
      this.send(status, 'application/msgpack', body);
      return;
    }
    const parts = Object.entries(fields).map(([name, value]) => `"${name}":${jsonOf(value)}`);
    this.send(status, 'application/json; charset=utf-8', `{${parts.join(',')}}\n`);
  }

  /** Bytes alone, if the value has any; false when it has not. */
  bytes(value: Value): boolean {
    const bytes = bytesOf(value);
    if (bytes === null) return false;
    this.send(200, 'application/octet-stream', bytes);
    return true;
  }

  text(status: number, type: string, body: string): void {
    this.send(status, type, body);
  }

  error(error: ReplyError): void {
    this.refuse(statusOf(error), error.line);
  }

  refuse(status: number, line: string, extra: Headers = []): void {
    const asked: Headers =
      status === 401 ? [['WWW-Authenticate', 'Basic realm="Flagstone", charset="UTF-8"']] : [];
    const wait: Headers = status === 429 ? [['Retry-After', '1']] : [];
    const more = [...asked, ...wait, ...extra];
    if (this.form === 'msgpack') {
      this.send(status, 'application/msgpack', packr.pack({ error: line }), more);
    } else {
      const body = `{"error":${JSON.stringify(line)}}\n`;
      this.send(status, 'application/json; charset=utf-8', body, more);
    }
  }

  send(status: number, type: string, body: string | Uint8Array, extra: Headers = []): void {
    const headers: Headers = [['Content-Type', type], ...this.headers, ...extra];
    this.response.answer(status, headers, body);
  }

  /** Begins a stream of events. */
  stream(): void {
    this.response.begin(200, [['Content-Type', 'text/event-stream'], ...this.headers]);
  }
}

export function statusOf({ code, line }: ReplyError): number {
  if (line.startsWith('ERR max number of clients')) return 503;
  return STATUS_OF_CODE[code] ?? 400;
}

/** The document in a body in MessagePack; undefined when it is none. */
export function unpackBody(body: Uint8Array): unknown {
  try {
    return packr.unpack(body);
  } catch {
    return undefined;
  }
}

export { ALWAYS as HEADERS_ALWAYS };
