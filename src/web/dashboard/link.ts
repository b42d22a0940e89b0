// The connection of the dashboard to the gateway that served it, and who is signed in.

import {
  type Client,
  type ClientOptions,
  connect,
  ReplyError,
  type State,
} from '../../client/index.js';
import { Store } from './store.js';

export interface Credentials {
  readonly user: string;
  readonly password: string;
}

export interface LinkState {
  readonly state: State;
  readonly reason: string;
  /** Has it been ready before? A first start is no loss. */
  readonly wasReady: boolean;
  /** The server wants a user and a password first. */
  readonly needsLogin: boolean;
  readonly user: string;
}

const START: LinkState = {
  state: 'connecting',
  reason: '',
  wasReady: false,
  needsLogin: false,
  user: 'default',
};

export const link = new Store<LinkState>(START);

/** Kept in memory alone: a page that is loaded anew asks again. */
let credentials: Credentials | null = null;
let client: Client | null = null;

export function gatewayUrl(): string {
  const url = new URL('ws', location.href);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  url.hash = '';
  url.search = '';
  return url.href;
}

/** Another connection of the same user, for those who change theirs (the console). */
export function openClient(options: ClientOptions): Client {
  return connect(gatewayUrl(), { ...options, ...credentials });
}

export function db(): Client {
  if (client === null) client = openClient({ onState: stateChanged, retryMsMax: 2_000 });
  return client;
}

function stateChanged(state: State, reason: string): void {
  const before = link.value;
  const isRefused = state === 'refused';
  link.set({
    ...before,
    state,
    reason,
    wasReady: before.wasReady || state === 'ready',
    needsLogin: isRefused || before.needsLogin,
  });
}

export function signIn(given: Credentials): void {
  const before = client;
  client = null;
  before?.close();
  credentials = given;
  link.set({ ...START, user: given.user });
  db();
}

export function signOut(): void {
  const before = client;
  client = null;
  before?.close();
  credentials = null;
  link.set({ ...START, needsLogin: true });
}

/** What went wrong, for people. A server that wants a password brings the form. */
export function explain(error: unknown): string {
  if (error instanceof ReplyError && error.code === 'NOAUTH') {
    link.set({ ...link.value, needsLogin: true });
  }
  return error instanceof Error ? error.message : String(error);
}
