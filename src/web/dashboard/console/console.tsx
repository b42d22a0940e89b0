// The console: a line is a command, its reply is shown as redis-cli would. It has a connection of
// its own, so that SELECT, MULTI and SUBSCRIBE here change nothing elsewhere.

import { useEffect, useRef, useState } from 'preact/hooks';
import type { Client, Value } from '../../../client/index.js';
import { printable } from '../format.js';
import { db, explain, openClient } from '../link.js';
import { confirmAction } from '../parts.js';
import { type CommandDoc, complete, readCommandDocs } from './completion.js';
import { keepLine, readHistory } from './history.js';
import { wordsOf } from './line.js';
import { isProse, replyText } from './reply-text.js';

interface Entry {
  readonly id: number;
  readonly line: string;
  readonly text: string;
  readonly kind: 'reply' | 'error' | 'push' | 'waiting';
}

const ENTRIES_MAX = 300;
/** What these take away cannot be brought back, or nobody can sign in any more. */
const DANGEROUS =
  /^\s*(?:flushall|flushdb|shutdown|debug|swapdb|script\s+flush|function\s+flush)\b/i;

export function ConsolePage() {
  const { entries, run, clear } = useConsole();
  const [docs, setDocs] = useState<readonly CommandDoc[]>([]);
  const end = useRef<HTMLDivElement>(null);
  useEffect(() => {
    // On the page's connection: on the console's own, all of it would come as bytes.
    readCommandDocs(db()).then(setDocs, () => {});
  }, []);
  // New entries scroll into view.
  useEffect(() => end.current?.scrollIntoView({ block: 'end' }), [entries]);
  return (
    <section class="card console">
      <header class="card-head">
        <h1>Console</h1>
        <span class="hint">Tab completes, ↑ and ↓ go through the history</span>
        <span class="spring" />
        <button type="button" onClick={clear} disabled={entries.length === 0}>
          Clear
        </button>
      </header>
      <div class="console-log" role="log">
        {entries.length === 0 ? (
          <p class="hint">
            Try <code>PING</code>, <code>SET greeting hello</code> or <code>INFO memory</code>.
          </p>
        ) : null}
        {entries.map(({ id, line, text, kind }) => (
          <div key={id} class={`entry entry-${kind}`}>
            {line === '' ? null : <div class="entry-line">{line}</div>}
            <pre>{text}</pre>
          </div>
        ))}
        <div ref={end} />
      </div>
      <Prompt docs={docs} run={run} />
    </section>
  );
}

function useConsole() {
  const [client, setClient] = useState<Client | null>(null);
  const [entries, setEntries] = useState<readonly Entry[]>([]);
  const lastId = useRef(0);
  const add = (line: string, text: string, kind: Entry['kind']): number => {
    const id = ++lastId.current;
    setEntries((before) => [...before.slice(1 - ENTRIES_MAX), { id, line, text, kind }]);
    return id;
  };
  // One connection while the page is shown.
  useEffect(() => {
    const opened = openClient({
      binary: true,
      onPush: (kind, values) => {
        const words = values.map((each) =>
          typeof each === 'string' ? new TextEncoder().encode(each) : each,
        );
        add('', replyText([new TextEncoder().encode(kind), ...words]), 'push');
      },
    });
    setClient(() => opened);
    return () => opened.close();
  }, []);
  const run = async (line: string): Promise<void> => {
    const words = wordsOf(line);
    if (words === null) {
      add(line, 'Invalid argument(s): a quote is not closed', 'error');
      return;
    }
    if (words.length === 0 || client === null) return;
    const text = `${line} cannot be taken back.`;
    if (DANGEROUS.test(line) && !(await confirmAction('Are you sure?', text, 'Run it'))) return;
    const id = add(line, '…', 'waiting');
    const fill = (said: string, kind: Entry['kind']): void => {
      setEntries((before) =>
        before.map((each) => (each.id === id ? { ...each, text: said, kind } : each)),
      );
    };
    await client
      // A command that waits, waits as long as it wants.
      .call(words, { timeoutMs: 0 })
      .then((value) => fill(textOf(words, value), 'reply'))
      .catch((error: unknown) => fill(`(error) ${explain(error)}`, 'error'));
  };
  return { entries, run, clear: () => setEntries([]) };
}

function textOf(words: readonly (string | Uint8Array)[], value: Value): string {
  if (value instanceof Uint8Array && isProse(words)) return printable(value).trimEnd();
  return replyText(value);
}

interface PromptProps {
  readonly docs: readonly CommandDoc[];
  run(line: string): void;
}

function Prompt({ docs, run }: PromptProps) {
  const [line, setLine] = useState('');
  const [picked, setPicked] = useState(0);
  const [lines, setLines] = useState(readHistory);
  const [back, setBack] = useState(0);
  const input = useRef<HTMLInputElement>(null);
  const { names, current } = complete(docs, line);
  const change = (text: string, steps = 0): void => {
    setLine(text);
    setPicked(0);
    setBack(steps);
  };
  const choose = (name: string): void => {
    change(`${name} `);
    input.current?.focus();
  };
  const enter = (event: Event): void => {
    event.preventDefault();
    if (line.trim() === '') return;
    setLines(keepLine(lines, line.trim()));
    change('');
    run(line.trim());
  };
  const step = (steps: number): void => {
    const next = Math.max(0, Math.min(lines.length, back + steps));
    change(next === 0 ? '' : lines.at(-next)!, next);
  };
  const keyDown = (event: KeyboardEvent): void => {
    const isListing = names.length > 0 && back === 0;
    const keys: Readonly<Record<string, (() => void) | undefined>> = {
      Tab: names.length > 0 ? () => choose(names[picked]?.name ?? names[0]!.name) : undefined,
      ArrowUp: isListing && picked > 0 ? () => setPicked(picked - 1) : () => step(1),
      ArrowDown: isListing ? () => setPicked((picked + 1) % names.length) : () => step(-1),
    };
    const action = keys[event.key];
    if (action === undefined) return;
    event.preventDefault();
    action();
  };
  return (
    <form class="prompt" onSubmit={enter}>
      <Suggestions names={names} current={current} picked={picked} choose={choose} />
      <label class="prompt-line">
        <span aria-hidden="true">›</span>
        <input
          ref={input}
          value={line}
          onInput={(event) => change(event.currentTarget.value)}
          onKeyDown={keyDown}
          placeholder="A command"
          aria-label="Command"
          autocomplete="off"
          autocapitalize="off"
          spellcheck={false}
        />
        <button type="submit" class="primary">
          Run
        </button>
      </label>
    </form>
  );
}

interface SuggestionProps {
  readonly names: readonly CommandDoc[];
  readonly current: CommandDoc | null;
  readonly picked: number;
  choose(name: string): void;
}

function Suggestions({ names, current, picked, choose }: SuggestionProps) {
  if (names.length === 0 && current === null) return null;
  return (
    <div class="suggestions">
      {names.map(({ name, summary }, index) => (
        <button
          type="button"
          key={name}
          class="suggestion"
          data-picked={index === picked}
          onClick={() => choose(name)}
        >
          <span class="mono">{name}</span>
          <small>{summary}</small>
        </button>
      ))}
      {current === null ? null : (
        <p class="syntax">
          <code>
            <b>{current.name}</b> {current.syntax}
          </code>
          <small>{current.summary}</small>
        </p>
      )}
    </div>
  );
}
