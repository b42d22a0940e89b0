// flagstone token: makes a signed token for the gateway, as gateway/token.ts does for programs.

import { systemDate } from '../base/clock.js';
import { createToken } from '../gateway/token.js';

const USAGE =
  'Usage: flagstone token --user NAME [--seconds 3600] [--secret TEXT]\n' +
  'Makes a token for the gateway. The secret is that of gateway-token-secret; without --secret ' +
  'it is taken from the environment, FLAGSTONE_TOKEN_SECRET, where other users do not see it.\n';
const SECONDS = 3600;

/** `words`: those behind "token". Returns the exit code. */
export function token(words: readonly string[], environment: NodeJS.ProcessEnv): number {
  const options = readOptions(words);
  const secret = options?.get('secret') ?? environment.FLAGSTONE_TOKEN_SECRET;
  const user = options?.get('user');
  const seconds = Number(options?.get('seconds') ?? SECONDS);
  if (secret === undefined || user === undefined || !(seconds > 0)) {
    process.stderr.write(USAGE);
    return 1;
  }
  try {
    const text = createToken({ secret, user, seconds, nowMs: systemDate().getTime() });
    process.stdout.write(`${text}\n`);
    return 0;
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`);
    return 1;
  }
}

/** Pairs of --name value; null for anything else. */
function readOptions(words: readonly string[]): Map<string, string> | null {
  const options = new Map<string, string>();
  for (let at = 0; at < words.length; at += 2) {
    const name = /^--(user|seconds|secret)$/.exec(words[at]!)?.[1];
    const value = words[at + 1];
    if (name === undefined || value === undefined) return null;
    options.set(name, value);
  }
  return options;
}
