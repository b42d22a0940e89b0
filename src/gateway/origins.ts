// From which web pages the gateway may be used. A browser says the page's origin; other programs
// say none, and are not concerned. But neither does a browser where a page reads from its own
// origin (GET): of such requests the host counts, see isOfUnknownHost.

export interface OriginRequest {
  /** The Origin header, '' without one. */
  readonly origin: string;
  /** The Host header. */
  readonly host: string;
  readonly isTls: boolean;
  /** gateway-origins. */
  readonly allowed: string;
  /** Whoever comes in is somebody without saying who. */
  readonly isOpen: boolean;
}

export const enum OriginVerdict {
  Refused = 0,
  /** The gateway's own page, or no page at all. */
  Own = 1,
  /** A page of another origin, which is to be told that it may read the answer. */
  Foreign = 2,
}

export function judgeOrigin(request: OriginRequest): OriginVerdict {
  const { origin, host, isTls, allowed, isOpen } = request;
  if (origin === '') return OriginVerdict.Own;
  const own = `${isTls ? 'https' : 'http'}://${host}`.toLowerCase();
  const said = origin.toLowerCase();
  // A page can give its own name this machine's address (DNS rebinding), and is then of the same
  // origin. It cannot do so with an address, and it has no password.
  if (said === own && (!isOpen || isAddress(host))) return OriginVerdict.Own;
  for (const each of allowed.split(/[\s,]+/)) {
    if (each === '*' || (each !== '' && each.toLowerCase().replace(/\/$/, '') === said)) {
      return said === own ? OriginVerdict.Own : OriginVerdict.Foreign;
    }
  }
  return OriginVerdict.Refused;
}

/**
 * May it come from a page that has given its own name this machine's address? Browsers say no
 * origin then, but they always say the host, and no page can choose that.
 */
export function isOfUnknownHost({ origin, host, allowed, isOpen }: OriginRequest): boolean {
  if (!isOpen || origin !== '' || host === '' || isAddress(host)) return false;
  const said = host.toLowerCase();
  return !allowed.split(/[\s,]+/).some((each) => {
    const known = each
      .toLowerCase()
      .replace(/^https?:\/\//, '')
      .replace(/\/$/, '');
    return known === '*' || known === said;
  });
}

/** An IP address or the name of this very machine, with or without a port. */
function isAddress(host: string): boolean {
  const name = host.replace(/:\d+$/, '').toLowerCase();
  return (
    name === 'localhost' || /^\d+\.\d+\.\d+\.\d+$/.test(name) || /^\[[0-9a-f:.]+\]$/.test(name)
  );
}
