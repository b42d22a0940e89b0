// A value that components follow. All state that more than one component sees is in one of these.

import { useEffect, useState } from 'preact/hooks';

export class Store<T> {
  private readonly listeners = new Set<() => void>();

  constructor(private current: T) {}

  get value(): T {
    return this.current;
  }

  set(value: T): void {
    this.current = value;
    for (const listener of this.listeners) listener();
  }

  listen(listener: () => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }
}

export function useStore<T>(store: Store<T>): T {
  const [, setVersion] = useState(0);
  useEffect(() => {
    const changed = (): void => setVersion((version) => version + 1);
    // What changed between the first drawing and now is seen by drawing once more.
    changed();
    return store.listen(changed);
  }, [store]);
  return store.value;
}
