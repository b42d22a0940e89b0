// Signed tokens: access for a while, without a password, handed out by whoever knows the secret.
//
//   base64url(payload) . base64url(HMAC-SHA256(secret, base64url(payload)))
//   payload: {"user":"player","exp":1767225600,"iat":1767222000}, in seconds

import { createHmac, timingSafeEqual } from 'node:crypto';

export const SECRET_BYTES_MIN = 16;
/** A user's name and two numbers need no more. */
const TOKEN_BYTES_MAX = 4096;
/** Clocks of two machines differ by a little. */
const SKEW_SECONDS = 5;

export interface Token {
  readonly user: string;
  /** When it ends, milliseconds. */
  readonly endMs: number;
}

export interface TokenRequest {
  readonly secret: string;
  readonly user: string;
  /** How long it holds. */
  readonly seconds: number;
  /** From when it holds: now, unless it is said. */
  readonly nowMs?: number;
}

/** Makes a token. */
export function createToken({ secret, user, seconds, nowMs = Date.now() }: TokenRequest): string {
  if (Buffer.byteLength(secret) < SECRET_BYTES_MIN) {
    throw new Error(`The secret of tokens has at least ${SECRET_BYTES_MIN} bytes.`);
  }
  // Whole seconds, rounded so that it holds for no less than was asked.
  const payload = {
    user,
    exp: Math.ceil(nowMs / 1000 + seconds),
    iat: Math.floor(nowMs / 1000),
  };
  const text = Buffer.from(JSON.stringify(payload), 'utf8').toString('base64url');
  return `${text}.${signatureOf(secret, text).toString('base64url')}`;
}

/** What a token grants; null when it is forged, broken, expired or not valid yet. */
export function verifyToken(secret: string, token: string, nowMs: number): Token | null {
  if (Buffer.byteLength(secret) < SECRET_BYTES_MIN || token.length > TOKEN_BYTES_MAX) return null;
  const dot = token.indexOf('.');
  if (dot <= 0) return null;
  const text = token.slice(0, dot);
  const given = Buffer.from(token.slice(dot + 1), 'base64url');
  const right = signatureOf(secret, text);
  // The signature first, and in constant time: nothing is read that nobody has signed.
  if (given.length !== right.length || !timingSafeEqual(given, right)) return null;
  const payload = parsePayload(text);
  if (payload === null) return null;
  const { user, exp, iat } = payload;
  if (typeof user !== 'string' || typeof exp !== 'number' || !Number.isFinite(exp)) return null;
  if (exp * 1000 <= nowMs) return null;
  const isEarly = typeof iat === 'number' && (iat - SKEW_SECONDS) * 1000 > nowMs;
  const isNoTime = iat !== undefined && typeof iat !== 'number';
  return isEarly || isNoTime ? null : { user, endMs: exp * 1000 };
}

function signatureOf(secret: string, text: string): Buffer {
  return createHmac('sha256', secret).update(text, 'latin1').digest();
}

function parsePayload(text: string): { user?: unknown; exp?: unknown; iat?: unknown } | null {
  try {
    const value: unknown = JSON.parse(Buffer.from(text, 'base64url').toString('utf8'));
    return typeof value === 'object' && value !== null ? value : null;
  } catch {
    return null;
  }
}
