// Messages that come while a script keeps this thread busy: connections are taken at once, so that
// somebody can say SCRIPT KILL; all else is kept until the script has ended, in its order.

import { type MessageHandler, type MessageHandlers, MessageKind } from '../mesh/post.js';

interface Kept {
  readonly kind: number;
  readonly from: number;
  readonly bytes: Uint8Array;
}

export class DeferredMail {
  /** To poll with in the pauses of a script. */
  readonly handlers: MessageHandlers;
  private readonly later: MessageHandlers;
  private kept: Kept[] = [];

  constructor(handlers: MessageHandlers) {
    this.later = handlers;
    const own: (MessageHandler | undefined)[] = [];
    for (let kind = 0; kind < MessageKind.Count; kind++) {
      if (kind === MessageKind.Connection) own[kind] = handlers[kind];
      else if (handlers[kind] !== undefined) own[kind] = this.keeper(kind);
    }
    this.handlers = own as MessageHandlers;
  }

  private keeper(kind: number): MessageHandler {
    return (from, u8, start, length) => {
      this.kept.push({ kind, from, bytes: u8.slice(start, start + length) });
    };
  }

  /** Hands over what was kept; before any poll with the handlers themselves. */
  deliver(): void {
    if (this.kept.length === 0) return;
    const { kept } = this;
    this.kept = [];
    for (const { kind, from, bytes } of kept) {
      this.later[kind]!(from, bytes, 0, bytes.length);
    }
  }
}
