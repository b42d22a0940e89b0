// Step machines of the protocols between threads, under a scheduler that decides who goes next: all
// interleavings of two or three threads, or random ones from a seed.
//
// A model has a program per thread: named steps, each one atomic access to what threads share. A
// step changes the state it is given and names the next step; null means that it cannot go yet, and
// the thread stays where it is (what it changed is forgotten). A list of steps is a choice: time
// passed or not, say. A thread that reaches DONE has ended.

import type { Random } from '../support/seed.js';

export const DONE = 'done';

/** What every state has: the step at which each thread stands. Plain values only. */
export interface Standing {
  at: string[];
}

export type Step<S> = (state: S, me: number) => string | null;
export type Program<S> = Readonly<Record<string, Step<S> | readonly Step<S>[]>>;

export interface Model<S extends Standing> {
  readonly start: S;
  readonly programs: readonly Program<S>[];
  /** What is wrong with this state, or null. Asked in every state. */
  readonly wrong?: (state: S) => string | null;
  /** Asked once all threads are done. */
  readonly wrongAtEnd?: (state: S) => string | null;
}

/** A way into trouble: what is wrong, and the steps that led there. */
export interface Failure {
  readonly reason: string;
  readonly trace: readonly string[];
}

export interface Exploration {
  readonly failure: Failure | null;
  readonly stateCount: number;
}

interface Successor {
  readonly name: string;
  readonly key: string;
}

const STATES_MAX = 2_000_000;

/** Visits every state that any interleaving reaches, depth first, until one is wrong. */
export function explore<S extends Standing>(model: Model<S>): Exploration {
  const seen = new Set<string>();
  // The way to the state being looked at: what is still to be tried at each depth.
  const names: string[] = [];
  const pending: Successor[][] = [];
  const visit = (key: string): string | null => {
    seen.add(key);
    if (seen.size > STATES_MAX) throw new Error('the model has too many states to visit them all');
    const state = JSON.parse(key) as S;
    const successors = successorsOf(model, key);
    pending.push(successors);
    return reasonOf(model, state, successors.length);
  };
  const result = (reason: string | null): Exploration => ({
    failure: reason === null ? null : { reason, trace: [...names] },
    stateCount: seen.size,
  });

  const reason = visit(JSON.stringify(model.start));
  if (reason !== null) return result(reason);
  while (pending.length > 0) {
    const next = pending[pending.length - 1]!.pop();
    if (next === undefined) {
      pending.pop();
      names.pop();
      continue;
    }
    if (seen.has(next.key)) continue;
    names.push(next.name);
    const found = visit(next.key);
    if (found !== null) return result(found);
  }
  return result(null);
}

/** One random interleaving, at most `stepsMax` long. */
export function wander<S extends Standing>(
  model: Model<S>,
  random: Random,
  stepsMax: number,
): Failure | null {
  let key = JSON.stringify(model.start);
  const trace: string[] = [];
  for (let steps = 0; steps < stepsMax; steps++) {
    const successors = successorsOf(model, key);
    const reason = reasonOf(model, JSON.parse(key) as S, successors.length);
    if (reason !== null) return { reason, trace };
    if (successors.length === 0) return null;
    const next = random.pick(successors);
    trace.push(next.name);
    key = next.key;
  }
  return null;
}

/** All states that one step of one thread leads to. */
function successorsOf<S extends Standing>(model: Model<S>, key: string): Successor[] {
  const successors: Successor[] = [];
  const { at } = JSON.parse(key) as S;
  for (const [me, label] of at.entries()) {
    if (label === DONE) continue;
    const found = model.programs[me]![label];
    if (found === undefined) throw new Error(`thread ${me} has no step '${label}'`);
    const choices = typeof found === 'function' ? [found] : found;
    for (const step of choices) {
      const draft = JSON.parse(key) as S;
      const next = step(draft, me);
      if (next === null) continue;
      draft.at[me] = next;
      successors.push({ name: `${me}:${label}`, key: JSON.stringify(draft) });
    }
  }
  return successors;
}

function reasonOf<S extends Standing>(
  model: Model<S>,
  state: S,
  successorCount: number,
): string | null {
  const reason = model.wrong?.(state) ?? null;
  if (reason !== null || successorCount > 0) return reason;
  const isEnd = state.at.every((label) => label === DONE);
  if (!isEnd) return `nobody can go on: ${state.at.join(', ')}`;
  return model.wrongAtEnd?.(state) ?? null;
}

/** Which rules of a protocol hold in a model: all, or all but one. */
export type Rules<Name extends string> = Readonly<Record<Name, boolean>>;

export function allRules<Name extends string>(names: readonly Name[]): Rules<Name> {
  return Object.fromEntries(names.map((name) => [name, true])) as Rules<Name>;
}

export function without<Name extends string>(names: readonly Name[], name: Name): Rules<Name> {
  return { ...allRules(names), [name]: false };
}
