// Parameters with a form of their own: lists of pairs, addresses, classes of events.

import { checkDirectory, resolvePath } from './files.js';
import {
  formatDecimal,
  formatMemory,
  parseDecimal,
  parseLooseInteger,
  parseMemory,
} from './numbers.js';
import type { Form, Parsed, RewriteLine, Value } from './parameter.js';
import { isSameValue } from './parameter.js';
import { lowerCase, quoteWord } from './words.js';

/** The process may not listen on more addresses than these. */
const ADDRESS_COUNT_MAX = 16;

const WRONG_COUNT = 'wrong number of arguments';

const DEFAULT_ADDRESSES = ['*', '-::*'];

/** `bind`: where to listen. A dash before an address: it need not exist. */
export const addresses: Form = {
  default: DEFAULT_ADDRESSES,
  parse(words) {
    if (words.length > ADDRESS_COUNT_MAX) return { error: 'Too many bind addresses specified.' };
    return { value: isOneEmpty(words) ? [] : [...words] };
  },
  format: joined,
  rewrite(name, value) {
    if (isSameValue(value, DEFAULT_ADDRESSES)) return [];
    return [forced(`${name} ${joined(value) || '""'}`)];
  },
};

/** `save`: pairs of seconds and changes. Every line of a configuration adds to them. */
export const savePoints: Form = {
  default: ['3600', '1', '300', '100', '60', '10000'],
  parse(words, { previous, isRepeated }) {
    if (isOneEmpty(words)) return { value: [] };
    const numbers = words.map(parseLooseInteger);
    const isWrong = numbers.some((n, i) => n === null || n < (i % 2 === 0 ? 1n : 0n));
    if (isWrong || words.length % 2 === 1) return { error: 'Invalid save parameters' };

    const earlier = isRepeated ? wordsOf(previous) : [];
    return { value: [...earlier, ...numbers.map(String)] };
  },
  format: joined,
  rewrite(name, value) {
    const words = wordsOf(value);
    if (words.length === 0) return [forced(`${name} ""`)];
    return grouped(words, 2).map((pair) => forced(`${name} ${pair.join(' ')}`));
  },
};

const CLASS_OF_NAME: ReadonlyMap<string, string> = new Map([
  ['normal', 'normal'],
  ['slave', 'slave'],
  ['replica', 'slave'],
  ['pubsub', 'pubsub'],
]);
const CLASSES = ['normal', 'slave', 'pubsub'];
const WORDS_OF_LIMIT = 4;

const DEFAULT_LIMITS = [
  ...['normal', '0', '0', '0'],
  ...['slave', String(256 * 1024 ** 2), String(64 * 1024 ** 2), '60'],
  ...['pubsub', String(32 * 1024 ** 2), String(8 * 1024 ** 2), '60'],
];

/** `client-output-buffer-limit`: class, hard bytes, soft bytes, soft seconds; for some or all. */
export const outputLimits: Form = {
  default: DEFAULT_LIMITS,
  parse(words, { previous }) {
    if (words.length % WORDS_OF_LIMIT !== 0) {
      return { error: 'Wrong number of arguments in buffer limit configuration.' };
    }
    const limits = [...wordsOf(previous)];
    for (const group of grouped(words, WORDS_OF_LIMIT)) {
      const limit = parseLimit(group);
      if (typeof limit === 'string') return { error: limit };
      const [className = ''] = limit;
      limits.splice(CLASSES.indexOf(className) * WORDS_OF_LIMIT, WORDS_OF_LIMIT, ...limit);
    }
    return { value: limits };
  },
  format: joined,
  rewrite(name, value) {
    const defaults = grouped(DEFAULT_LIMITS, WORDS_OF_LIMIT);
    return grouped(wordsOf(value), WORDS_OF_LIMIT).map((limit, index) => {
      const [className, hard = '0', soft = '0', seconds] = limit;
      const shownName = className === 'slave' ? 'replica' : className;
      const bytes = `${formatMemory(BigInt(hard))} ${formatMemory(BigInt(soft))}`;
      const isForced = !isSameValue(limit, defaults[index] ?? []);
      return { text: `${name} ${shownName} ${bytes} ${seconds}`, isForced };
    });
  },
};

function parseLimit(group: readonly string[]): string[] | string {
  const [name = '', hardWord = '', softWord = '', secondsWord = ''] = group;
  const className = CLASS_OF_NAME.get(lowerCase(name));
  if (className === undefined)
    return 'Invalid client class specified in buffer limit configuration.';

  const hard = parseMemory(hardWord);
  const soft = parseMemory(softWord);
  const whole = parseLooseInteger(secondsWord);
  // Redis keeps the seconds in 32 bits.
  const seconds = whole === null ? null : BigInt.asIntN(32, whole);
  if (hard === null || soft === null || seconds === null || seconds < 0n) {
    return 'Error in hard, soft or soft_seconds setting in buffer limit configuration.';
  }
  return [className, String(hard), String(soft), String(seconds)];
}

const DEFAULT_SCORES = ['0', '200', '800'];

/** `oom-score-adj-values`: primary, replica, background child. */
export const oomScores: Form = {
  default: DEFAULT_SCORES,
  parse(words) {
    if (words.length !== DEFAULT_SCORES.length) return { error: WRONG_COUNT };
    const scores = words.map(parseLooseInteger);
    if (scores.some((score) => score === null || score < -2000n || score > 2000n)) {
      return { error: 'Invalid oom-score-adj-values, elements must be between -2000 and 2000.' };
    }
    return { value: scores.map(String) };
  },
  format: joined,
  rewrite(name, value) {
    const isForced = !isSameValue(value, DEFAULT_SCORES);
    return [{ text: `${name} ${joined(value)}`, isForced }];
  },
};

// In the order in which they are shown. A stands for the common ones.
const COMMON_CLASSES = 'g$lshzxetad';
const ALL_CLASSES = `${COMMON_CLASSES}nKEm`;

/** `notify-keyspace-events`: a letter per class of events; the value spells every one out. */
export const eventClasses: Form = {
  default: '',
  parse(words) {
    if (words.length !== 1) return { error: WRONG_COUNT };
    const letters = (words[0] ?? '').replaceAll('A', COMMON_CLASSES);
    if (/[^g$lshzxetadnKEm]/.test(letters)) {
      return { error: "Invalid event class character. Use 'Ag$lshzxeKEtmdn'." };
    }
    return { value: [...ALL_CLASSES].filter((letter) => letters.includes(letter)).join('') };
  },
  format: shownClasses,
  rewrite(name, value) {
    return [{ text: `${name} ${quoteWord(shownClasses(value))}`, isForced: value !== '' }];
  },
};

/** Beside A Redis does not show the n, although it counts. */
function shownClasses(value: Value): string {
  const letters = String(value);
  return letters.startsWith(COMMON_CLASSES) ? letters.replace(/^[^KEm]+/, 'A') : letters;
}

const PORT_MAX = 65_535n;

/** `replicaof`: host and port of the primary; none if this server is one. */
export const primaryAddress: Form = {
  default: [],
  parse(words) {
    if (words.length !== 2) return { error: WRONG_COUNT };
    const [host = '', portWord = ''] = words;
    if (lowerCase(host) === 'no' && lowerCase(portWord) === 'one') return { value: [] };
    const port = parseLooseInteger(portWord);
    const isPort = port !== null && port >= 0n && port <= PORT_MAX;
    return isPort ? { value: [host, String(port)] } : { error: 'Invalid master port' };
  },
  format: joined,
  rewrite(name, value) {
    return wordsOf(value).length === 0 ? [] : [forced(`${name} ${joined(value)}`)];
  },
};

/** `latency-tracking-info-percentiles`. */
export const percentiles: Form = {
  default: ['50', '99', '99.9'],
  parse(words) {
    if (isOneEmpty(words)) return { value: [] };
    const shown: string[] = [];
    for (const word of words) {
      const percentile = parseDecimal(word);
      if (percentile === null) {
        return { error: 'Invalid latency-tracking-info-percentiles parameters' };
      }
      if (percentile < 0 || percentile > 100) {
        const limits = 'parameters should sit between [0.0,100.0]';
        return { error: `latency-tracking-info-percentiles ${limits}` };
      }
      shown.push(formatDecimal(percentile));
    }
    return { value: shown };
  },
  format: joined,
  rewrite(name, value) {
    return [forced(`${name} ${joined(value) || '""'}`)];
  },
};

/** `dir`: an absolute path, whose default is wherever the process was started. */
export const directory: Form = {
  default: '',
  parse(words, around): Parsed {
    if (words.length !== 1) return { error: WRONG_COUNT };
    return checkDirectory(resolvePath(around.directory, words[0] ?? ''), words[0] ?? '');
  },
  format: String,
  rewrite(name, value) {
    return [forced(`${name} ${quoteWord(String(value))}`)];
  },
};

function isOneEmpty(words: readonly string[]): boolean {
  return words.length === 1 && words[0] === '';
}

function wordsOf(value: Value): readonly string[] {
  return typeof value === 'object' ? value : [];
}

function joined(value: Value): string {
  return wordsOf(value).join(' ');
}

function forced(text: string): RewriteLine {
  return { text, isForced: true };
}

function grouped(words: readonly string[], size: number): string[][] {
  const groups: string[][] = [];
  for (let at = 0; at < words.length; at += size) groups.push(words.slice(at, at + size));
  return groups;
}
