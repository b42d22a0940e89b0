// flagstone/client: Flagstone from a browser, through the gateway's WebSocket.
//
//   const db = connect('wss://game.example/ws', { token });
//   await db.zincrby('board', 10, 'ada');
//   for await (const { payload } of db.subscribe('news')) show(payload);

import { type Change, type ChangesOptions, readChanges } from './changes.js';
import type { Commands } from './commands.generated.js';
import { Connection, type Options, type State } from './connection.js';
import { type Subscription, Subscriptions } from './subscriptions.js';
import type { Value, Word } from './value.js';

export type { Change, ChangesOptions } from './changes.js';
export type { Commands } from './commands.generated.js';
export type { State } from './connection.js';
export type { Socket, SocketClass } from './socket.js';
export type { Message, Subscription } from './subscriptions.js';
export { ConnectionError, ReplyError, TimeoutError, type Value, type Word } from './value.js';

export interface ClientOptions extends Options {
  /** Bytes instead of text in all replies and messages. */
  readonly binary?: boolean;
  /** The database; 0 unless told. */
  readonly db?: number;
  /** Every push of the server, of channels and of anything else (MONITOR). */
  readonly onPush?: (kind: string, values: readonly Value[]) => void;
  /**
   * Client-side caching: turns CLIENT TRACKING on and hears which keys are stale; null is all of
   * them, which is also said when the connection was lost.
   */
  readonly onInvalidate?: (keys: readonly (string | Uint8Array)[] | null) => void;
  /** Further words for CLIENT TRACKING ON: `['BCAST', 'PREFIX', 'user:']`. */
  readonly tracking?: readonly string[];
}

export interface CallOptions {
  /** How long the reply may take; 0 is for ever, as blocking commands want it. */
  readonly timeoutMs?: number;
}

class ClientCore {
  private readonly connection: Connection;
  private readonly subscriptions: Subscriptions;

  constructor(
    private readonly url: string,
    private readonly options: ClientOptions,
  ) {
    this.subscriptions = new Subscriptions((words) => this.call(words));
    this.connection = new Connection(url, options, {
      greeting: () => this.greeting(),
      pushed: (kind, values) => this.pushed(kind, values),
      stateChanged: (state, reason) => {
        if (state === 'waiting') options.onInvalidate?.(null);
        if (state === 'refused') this.subscriptions.closeAll();
        options.onState?.(state, reason);
      },
    });
  }

  get state(): State {
    return this.connection.state;
  }

  /** Any command as its words. */
  send(...words: Word[]): Promise<Value> {
    return this.connection.request(words);
  }

  call(words: readonly Word[], options: CallOptions = {}): Promise<Value> {
    return this.connection.request(words, options.timeoutMs);
  }

  /** MULTI, the commands, EXEC, in one frame: nothing of others comes in between. */
  async transaction(commands: readonly (readonly Word[])[]): Promise<readonly Value[]> {
    const queued = [['MULTI'], ...commands].map((words) => this.call(words));
    // A command that is refused while it is queued makes EXEC fail, which says so itself.
    for (const each of queued) each.catch(() => {});
    return (await this.call(['EXEC'])) as readonly Value[];
  }

  subscribe(...channels: string[]): Subscription {
    return this.subscriptions.follow('subscribe', channels);
  }

  psubscribe(...patterns: string[]): Subscription {
    return this.subscriptions.follow('psubscribe', patterns);
  }

  ssubscribe(...channels: string[]): Subscription {
    return this.subscriptions.follow('ssubscribe', channels);
  }

  /** The change feed (docs/change-feed.md). Leaving the loop ends its connection. */
  async *changes(options: ChangesOptions = {}): AsyncGenerator<Change> {
    const { onState, onInvalidate, onPush, ...rest } = this.options;
    const own = new ClientCore(this.url, rest);
    try {
      yield* readChanges((words, timeoutMs) => own.call(words, { timeoutMs }), options);
    } finally {
      own.close();
    }
  }

  close(): void {
    this.subscriptions.closeAll();
    this.connection.close();
  }

  private greeting(): Word[][] {
    const { onInvalidate, binary = false, db = 0, tracking = [] } = this.options;
    const tracks = onInvalidate !== undefined;
    return [
      ...(binary ? [['GATEWAY', 'BINARY', 'ON']] : []),
      ...(db === 0 ? [] : [['SELECT', db]]),
      ...(tracks ? [['CLIENT', 'TRACKING', 'ON', ...tracking]] : []),
      ...this.subscriptions.greeting(),
    ];
  }

  private pushed(kind: string, values: readonly Value[]): void {
    this.options.onPush?.(kind, values);
    if (kind !== 'invalidate') this.subscriptions.pushed(kind, values);
    else this.options.onInvalidate?.((values[0] ?? null) as readonly string[] | null);
  }
}

export type Client = ClientCore & Commands;

/**
 * A client with a method for every command: `db.get('k')`, `db.configGet('save')` for CONFIG GET,
 * `db.clientNoEvict('on')` for CLIENT NO-EVICT.
 */
export function connect(url: string, options: ClientOptions = {}): Client {
  const core = new ClientCore(url, options);
  const methods = new Map<string, unknown>();
  return new Proxy(core, {
    get(target, name) {
      // A promise looks for `then` in whatever it is resolved with.
      if (typeof name !== 'string' || name === 'then' || name === 'state') {
        return Reflect.get(target, name);
      }
      let method = methods.get(name);
      if (method === undefined) {
        const own: unknown = Reflect.get(target, name);
        const words = commandWords(name);
        method =
          typeof own === 'function'
            ? own.bind(target)
            : (...rest: Word[]) => target.send(...words, ...rest);
        methods.set(name, method);
      }
      return method;
    },
  }) as Client;
}

/** `clientNoEvict` is CLIENT NO-EVICT: only a subcommand has more than one word, with hyphens. */
function commandWords(name: string): string[] {
  const [first, ...rest] = name.split(/(?=[A-Z])/);
  return rest.length === 0 ? [first!] : [first!, rest.join('-')];
}
