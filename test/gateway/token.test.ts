// Signed tokens, and from which pages the gateway may be used.

import { createHmac } from 'node:crypto';
import { describe, expect, it, vi } from 'vitest';
import { judgeOrigin, OriginVerdict } from '../../src/gateway/origins.js';
import { Rate } from '../../src/gateway/rate.js';
import { createToken, verifyToken } from '../../src/gateway/token.js';
import { token } from '../../src/server/token.js';

const secret = 'a secret of some length';
const nowMs = 1_767_222_000_000;

function signed(payload: unknown, key = secret): string {
  const json = typeof payload === 'string' ? payload : JSON.stringify(payload);
  const text = Buffer.from(json).toString('base64url');
  return `${text}.${createHmac('sha256', key).update(text).digest('base64url')}`;
}

describe('a token', () => {
  it('grants its user until it ends', () => {
    const token = createToken({ secret, user: 'player', seconds: 60, nowMs });

    expect(verifyToken(secret, token, nowMs)).toEqual({ user: 'player', endMs: nowMs + 60_000 });
    expect(verifyToken(secret, token, nowMs + 59_999)).not.toBeNull();
    expect(verifyToken(secret, token, nowMs + 60_000)).toBeNull();
  });

  it('holds for no less than was asked, also when a second is nearly over', () => {
    const token = createToken({ secret, user: 'player', seconds: 1, nowMs: nowMs + 999 });

    expect(verifyToken(secret, token, nowMs + 1998)).not.toBeNull();
    expect(verifyToken(secret, token, nowMs + 2000)).toBeNull();
  });

  it('of another secret, or with another payload, grants nothing', () => {
    const exp = nowMs / 1000 + 60;
    const [, mac = ''] = signed({ user: 'player', exp }).split('.');
    const forged = Buffer.from(JSON.stringify({ user: 'admin', exp })).toString('base64url');

    expect(
      verifyToken(secret, signed({ user: 'player', exp }, 'another secret!!'), nowMs),
    ).toBeNull();
    expect(verifyToken(secret, `${forged}.${mac}`, nowMs)).toBeNull();
    expect(verifyToken('', signed({ user: 'player', exp }, ''), nowMs)).toBeNull();
  });

  it.each([
    ['nothing', ''],
    ['no dot', 'abc'],
    ['no JSON', signed('{')],
    ['a payload that is no object', signed('null')],
    ['no user', signed({ exp: nowMs })],
    ['no end', signed({ user: 'player' })],
    ['an end that is text', signed({ user: 'player', exp: '9999999999' })],
    ['a beginning in the future', signed({ user: 'player', exp: 9e9, iat: nowMs / 1000 + 60 })],
    ['a signature cut short', signed({ user: 'player', exp: 9e9 }).slice(0, -3)],
  ])('with %s grants nothing', (_, token) => {
    expect(verifyToken(secret, token, nowMs)).toBeNull();
  });

  it('is not made with a short secret', () => {
    expect(() => createToken({ secret: 'short', user: 'a', seconds: 1 })).toThrow(/16 bytes/);
  });
});

describe('flagstone token', () => {
  function run(words: readonly string[], environment: NodeJS.ProcessEnv = {}): [number, string] {
    const out = vi.spyOn(process.stdout, 'write').mockReturnValue(true);
    const error = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
    const code = token(words, environment);
    const text = String((code === 0 ? out : error).mock.calls[0]?.[0]);
    out.mockRestore();
    error.mockRestore();
    return [code, text];
  }

  it('makes a token that holds', () => {
    const [code, text] = run(['--user', 'player', '--seconds', '60'], {
      FLAGSTONE_TOKEN_SECRET: secret,
    });

    expect(code).toBe(0);
    expect(verifyToken(secret, text.trim(), Date.now())?.user).toBe('player');
  });

  it('says what it needs', () => {
    expect(run(['--user', 'player'])).toEqual([1, expect.stringMatching(/^Usage/)]);
    expect(run(['--user', 'player', '--secret', 'short'])).toEqual([
      1,
      expect.stringMatching(/16 bytes/),
    ]);
    expect(run(['player'])).toEqual([1, expect.stringMatching(/^Usage/)]);
  });
});

describe('an origin', () => {
  const base = { origin: '', host: 'localhost:8080', isTls: false, allowed: '', isOpen: true };
  const cases: [what: string, verdict: OriginVerdict, change: Partial<typeof base>][] = [
    ['none at all is a program', OriginVerdict.Own, {}],
    ['its own', OriginVerdict.Own, { origin: 'http://localhost:8080' }],
    ['its own over TLS', OriginVerdict.Own, { origin: 'https://localhost:8080', isTls: true }],
    ['an address', OriginVerdict.Own, { origin: 'http://10.0.0.1:1', host: '10.0.0.1:1' }],
    ['an IPv6 address', OriginVerdict.Own, { origin: 'http://[::1]:1', host: '[::1]:1' }],
    ['another', OriginVerdict.Refused, { origin: 'https://evil.example' }],
    ['null', OriginVerdict.Refused, { origin: 'null' }],
    [
      'its own by a name that anybody may point here',
      OriginVerdict.Refused,
      { origin: 'http://evil.example', host: 'evil.example' },
    ],
    [
      'the same with a password',
      OriginVerdict.Own,
      { origin: 'http://cache.example', host: 'cache.example', isOpen: false },
    ],
    [
      'one that is allowed',
      OriginVerdict.Foreign,
      { origin: 'https://game.example', allowed: 'https://a.example https://game.example/' },
    ],
    ['all', OriginVerdict.Foreign, { origin: 'https://game.example', allowed: '*' }],
  ];

  it.each(cases)('%s', (_, verdict, change) => {
    expect(judgeOrigin({ ...base, ...change })).toBe(verdict);
  });
});

describe('a rate', () => {
  it('lets a second of commands through at once, and then as many as time brings', () => {
    const rate = new Rate();
    const taken = (ms: number) => {
      let count = 0;
      while (rate.take(10, ms)) count++;
      return count;
    };

    expect(taken(1000)).toBe(10);
    expect(taken(1500)).toBe(5);
    expect(taken(60_000)).toBe(10);
    expect(new Rate().take(0, 0)).toBe(true);
  });
});
