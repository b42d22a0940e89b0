// POST /api: a command, or several, as a document.

import { type Word, wordOf } from '../commands-out.js';
import { ReplyError, type Value } from '../reply-values.js';
import { type Answers, unpackBody } from './answers.js';
import type { Conversation } from './conversation.js';

/** As for RESP: what nobody could mean. */
const COMMANDS_MAX = 100_000;

/** They are about a connection, and this one is over with its answer. */
const LASTING: ReadonlySet<string> = new Set([
  'auth',
  'hello',
  'monitor',
  'psubscribe',
  'psync',
  'punsubscribe',
  'quit',
  'reset',
  'ssubscribe',
  'subscribe',
  'sunsubscribe',
  'sync',
  'unsubscribe',
]);
const LASTING_OF_CLIENT: ReadonlySet<string> = new Set(['caching', 'reply', 'tracking']);

export interface ApiRequest {
  readonly commands: readonly (readonly Word[])[];
  readonly isSingle: boolean;
}

/** Reads a body; the sentence of what is wrong with it otherwise. */
export function readApiBody(contentType: string, body: Uint8Array): ApiRequest | string {
  const isPacked = contentType.startsWith('application/msgpack');
  const document = isPacked ? unpackBody(body) : parseJson(body);
  if (document === undefined) return `ERR the body is no ${isPacked ? 'MessagePack' : 'JSON'}`;
  if (Array.isArray(document)) return readCommands([document], true);
  const commands = commandsOf(document);
  if (!Array.isArray(commands)) {
    return 'ERR the body is neither a command ["GET", "key"] nor {"commands": [...]}';
  }
  return readCommands(commands, false);
}

function parseJson(body: Uint8Array): unknown {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(body);
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function commandsOf(document: unknown): unknown {
  if (document instanceof Map) return document.get('commands');
  if (typeof document !== 'object' || document === null) return undefined;
  return (document as { readonly commands?: unknown }).commands;
}

function readCommands(list: readonly unknown[], isSingle: boolean): ApiRequest | string {
  if (list.length > COMMANDS_MAX) return `ERR more than ${COMMANDS_MAX} commands at once`;
  const commands: Word[][] = [];
  for (const each of list) {
    if (!Array.isArray(each) || each.length === 0) return 'ERR a command is a list of words';
    const words: Word[] = [];
    for (const item of each as readonly unknown[]) {
      const word = wordOf(item);
      if (word === undefined) {
        return 'ERR words are strings, numbers, booleans or {"base64": "..."}';
      }
      words.push(word);
    }
    if (isLasting(words)) return `ERR ${String(words[0])} needs a connection that lasts: see /ws`;
    commands.push(words);
  }
  return { commands, isSingle };
}

function isLasting(words: readonly Word[]): boolean {
  const name = textOf(words[0]);
  if (name === 'client' && LASTING_OF_CLIENT.has(textOf(words[1]))) return true;
  if (name === 'gateway') return textOf(words[1]) === 'token';
  return LASTING.has(name);
}

function textOf(word: Word | undefined): string {
  const text = word instanceof Uint8Array ? Buffer.from(word).toString('latin1') : String(word);
  return text.toLowerCase();
}

/** Runs what was asked for and answers it. */
export async function answerApi(
  { commands, isSingle }: ApiRequest,
  conversation: Conversation,
  answers: Answers,
): Promise<void> {
  const values = commands.length === 0 ? [] : await conversation.say(commands);
  const [first = null] = values;
  if (!isSingle) {
    answers.document(200, { results: values.map(resultOf) });
  } else if (first instanceof ReplyError) {
    answers.error(first);
  } else if (!answers.wantsBytes || !answers.bytes(first)) {
    answers.document(200, { result: first });
  }
}

function resultOf(value: Value): Value {
  const name = value instanceof ReplyError ? 'error' : 'result';
  return new Map<Value, Value>([[name, value instanceof ReplyError ? value.line : value]]);
}
