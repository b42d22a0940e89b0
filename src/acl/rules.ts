// Words of rules, as they come in a command, a line of the configuration or of an ACL file.

import type { Fault } from './fault.js';
import type { User } from './user.js';

/** A word that made no rule. */
export interface RuleFault {
  readonly rule: string;
  readonly fault: Fault;
}

/**
 * The words with those of a selector joined, which may stand in one word or in several; or the
 * word with the parenthesis that nothing closes.
 */
export function joinSelectors(words: readonly string[]): string[] | { readonly open: string } {
  const joined: string[] = [];
  let selector: string | null = null;
  let open = '';
  for (const word of words) {
    if (selector !== null) selector += ` ${word}`;
    else if (word.startsWith('(') && !word.endsWith(')')) {
      selector = word;
      open = word;
      continue;
    } else {
      joined.push(word);
      continue;
    }
    if (!word.endsWith(')')) continue;
    joined.push(selector);
    selector = null;
  }
  return selector === null ? joined : { open };
}

/** Applies rules to a user up to the first that is none. */
export function applyRules(
  user: User,
  rules: readonly string[],
  allChannels: boolean,
): RuleFault | null {
  for (const rule of rules) {
    const fault = user.apply(rule, allChannels);
    if (fault !== null) return { rule, fault };
  }
  return null;
}

/** Does the rule permit a command for the sake of its first argument? Redis means to end that. */
export function namesFirstArgument(
  rule: string,
  hasSubcommands: (name: string) => boolean,
): boolean {
  if (!rule.startsWith('+') || rule.startsWith('+@') || !rule.includes('|')) return false;
  return !hasSubcommands(rule.slice(1, rule.lastIndexOf('|')));
}
