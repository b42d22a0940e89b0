// Dialogues about keyspace notifications: a command, and the events that it causes. Both forms are
// listened to, and must tell the same.

import type { Client } from './client.js';
import type { Reply } from './resp.js';

/** One command of a dialogue and the events that follow it, as `event key`. */
export interface Step {
  readonly line: string;
  readonly events: string[];
}

/** The text of a dialogue, with its comments and empty lines as steps without a command. */
export function parseDialogue(text: string): (Step | string)[] {
  const steps: (Step | string)[] = [];
  for (const line of text.split('\n')) {
    const last = steps.at(-1);
    if (line.startsWith('> ')) steps.push({ line: line.slice(2), events: [] });
    else if (line === '' || line.startsWith('#')) steps.push(line);
    else if (typeof last === 'object') last.events.push(line);
  }
  return steps;
}

export function printDialogue(steps: readonly (Step | string)[]): string {
  return steps
    .flatMap((step) => (typeof step === 'string' ? [step] : [`> ${step.line}`, ...step.events]))
    .join('\n');
}

const CLASSES = 'KEAnm';
const FENCE = '__key_fence';
const NOTHING: readonly [string, string] = ['', ''];
const CHANNEL = /^__key(space|event)@(\d+)__:(.*)$/s;

/** Plays the commands of a dialogue and listens; returns it with the events that came. */
export async function playDialogue(
  connect: () => Promise<Client>,
  dialogue: readonly (Step | string)[],
): Promise<(Step | string)[]> {
  const listener = await connect();
  const speaker = await connect();
  try {
    await speaker.command('CONFIG', 'SET', 'notify-keyspace-events', CLASSES);
    await speaker.command('DEBUG', 'SET-ACTIVE-EXPIRE', '0');
    await listener.command('PSUBSCRIBE', '__key*');
    const played: (Step | string)[] = [];
    let isQueuing = false;
    for (const step of dialogue) {
      if (typeof step === 'string') {
        played.push(step);
        continue;
      }
      if (step.line === 'MULTI') isQueuing = true;
      if (step.line === 'EXEC') isQueuing = false;
      await speak(speaker, step.line);
      // What is queued causes nothing, and a fence would be queued too.
      const events = isQueuing ? [] : await eventsUntilFence(speaker, listener);
      played.push({ line: step.line, events });
    }
    return played;
  } finally {
    listener.close();
    speaker.close();
  }
}

async function speak(speaker: Client, line: string): Promise<void> {
  const words = line.split(' ').map((word) => (word === '""' ? '' : word));
  if (words[0] === 'WAITMS') {
    await new Promise((resolve) => setTimeout(resolve, Number(words[1])));
    return;
  }
  await speaker.command(...words);
}

/** What the listener gets until the message that the speaker publishes now. */
async function eventsUntilFence(speaker: Client, listener: Client): Promise<string[]> {
  await speaker.command('PUBLISH', FENCE, '');
  const messages: [string, string][] = [];
  for (;;) {
    const words = wordsOf(await listener.read());
    const [channel = '', message = ''] = words.slice(2);
    if (channel === FENCE) return pairUp(messages);
    messages.push([channel, message]);
  }
}

function wordsOf(reply: Reply): string[] {
  const items = reply.type === 'array' || reply.type === 'push' ? reply.value : [];
  return items.map((item) => (item.type === 'bulk' ? item.value : ''));
}

/** Each event is told in both forms, the key's channel first. */
function pairUp(messages: readonly [string, string][]): string[] {
  const events: string[] = [];
  for (let at = 0; at < messages.length; at += 2) {
    const [ofKey, ofEvent] = [messages[at]!, messages[at + 1] ?? NOTHING];
    const key = CHANNEL.exec(ofKey[0]);
    const event = CHANNEL.exec(ofEvent[0]);
    const isPair =
      key?.[1] === 'space' &&
      event?.[1] === 'event' &&
      key[2] === event[2] &&
      key[3] === ofEvent[1] &&
      event[3] === ofKey[1];
    if (!isPair) throw new Error(`no pair: ${ofKey.join(' ')} and ${ofEvent.join(' ')}`);
    const database = key[2] === '0' ? '' : ` @${key[2]}`;
    events.push(`${event[3]} ${key[3]}${database}`);
  }
  return events;
}
