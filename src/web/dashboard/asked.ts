// A question to the server as the state of a component: loading, its answer, or what went wrong.

import { useCallback, useEffect, useState } from 'preact/hooks';
import { explain, link } from './link.js';
import { useStore } from './store.js';

export interface Asked<T> {
  readonly value: T | null;
  readonly error: string | null;
  readonly isLoading: boolean;
  reload(): void;
}

/** Asks when the inputs change, when the connection comes back, and every so often if told. */
export function useAsked<T>(
  ask: () => Promise<T>,
  inputs: readonly unknown[],
  everyMs?: number,
): Asked<T> {
  const [value, setValue] = useState<T | null>(null);
  const [error, setError] = useState<string | null>(null);
  const [isLoading, setLoading] = useState(true);
  const [round, setRound] = useState(0);
  const isReady = useStore(link).state === 'ready';
  const reload = useCallback(() => setRound((before) => before + 1), []);
  // The inputs say what is asked.
  useEffect(() => {
    let isCurrent = true;
    if (!isReady) return;
    setLoading(true);
    ask()
      .then((answer) => {
        if (!isCurrent) return;
        setValue(answer);
        setError(null);
      })
      .catch((failure: unknown) => {
        if (isCurrent) setError(explain(failure));
      })
      .finally(() => {
        if (isCurrent) setLoading(false);
      });
    return () => {
      isCurrent = false;
    };
  }, [...inputs, round, isReady]);
  useEffect(() => {
    if (everyMs === undefined) return;
    const timer = setInterval(() => document.hidden || reload(), everyMs);
    return () => clearInterval(timer);
  }, [everyMs, reload]);
  return { value, error, isLoading, reload };
}
