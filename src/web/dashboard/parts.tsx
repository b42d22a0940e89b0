// Small parts that all pages use: empty, loading and failing states, a dialog that asks, a badge.

import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { Store, useStore } from './store.js';

export function Empty({ title, children }: { title: string; children?: ComponentChildren }) {
  return (
    <div class="empty">
      <strong>{title}</strong>
      {children === undefined ? null : <p>{children}</p>}
    </div>
  );
}

export function Loading({ what }: { what: string }) {
  return (
    <div class="empty" role="status">
      <span class="spinner" aria-hidden="true" />
      <p>{what}</p>
    </div>
  );
}

export function Failure({ error, retry }: { error: string; retry?: () => void }) {
  return (
    <div class="notice bad" role="alert">
      <span>{error}</span>
      {retry === undefined ? null : (
        <button type="button" onClick={retry}>
          Try again
        </button>
      )}
    </div>
  );
}

export function TypeBadge({ type }: { type: string }) {
  return <span class={`badge type-${type}`}>{type}</span>;
}

// ---- questions ---------------------------------------------------------------------------------

interface Question {
  readonly title: string;
  readonly text: string;
  readonly action: string;
  readonly isDangerous: boolean;
  /** A text to be edited first. */
  readonly field?: { readonly label: string; readonly value: string; readonly isLong: boolean };
  answer(text: string | null): void;
}

const question = new Store<Question | null>(null);

/** Asks before something is lost. True when the user wants it. */
export function confirmAction(
  title: string,
  text: string,
  action: string,
  isDangerous = true,
): Promise<boolean> {
  return new Promise((resolve) => {
    const answer = (given: string | null): void => {
      question.set(null);
      resolve(given !== null);
    };
    question.set({ title, text, action, isDangerous, answer });
  });
}

/** Asks for a text. Null when the user leaves. */
export function askText(
  title: string,
  text: string,
  field: { readonly label: string; readonly value: string; readonly isLong: boolean },
): Promise<string | null> {
  return new Promise((resolve) => {
    const answer = (given: string | null): void => {
      question.set(null);
      resolve(given);
    };
    question.set({ title, text, action: 'Save', isDangerous: false, field, answer });
  });
}

export function Questions() {
  const asked = useStore(question);
  return asked === null ? null : <QuestionDialog key={asked.title} {...asked} />;
}

function QuestionDialog({ title, text, action, isDangerous, field, answer }: Question) {
  const dialog = useRef<HTMLDialogElement>(null);
  const input = useRef<HTMLTextAreaElement & HTMLInputElement>(null);
  useEffect(() => dialog.current!.showModal(), []);
  const submit = (event: Event): void => {
    event.preventDefault();
    answer(input.current?.value ?? '');
  };
  return (
    <dialog ref={dialog} class="dialog" onCancel={() => answer(null)} aria-label={title}>
      <form onSubmit={submit}>
        <h2>{title}</h2>
        <p>{text}</p>
        {field === undefined ? null : (
          <label class="field" for="question">
            <span>{field.label}</span>
            {field.isLong ? (
              <textarea
                id="question"
                ref={input}
                rows={10}
                spellcheck={false}
                defaultValue={field.value}
              />
            ) : (
              <input id="question" ref={input} spellcheck={false} defaultValue={field.value} />
            )}
          </label>
        )}
        <div class="dialog-actions">
          <button type="button" onClick={() => answer(null)}>
            Cancel
          </button>
          <button type="submit" class={isDangerous ? 'danger' : 'primary'}>
            {action}
          </button>
        </div>
      </form>
    </dialog>
  );
}
