// Waits that are over, said in the middle of something: while messages of other threads are read,
// or replies leave. Whoever waited is answered between two turns, because it goes on with its
// commands then, and one of them may be a script in whose pauses messages are read.

import type { Wait } from '../dispatch/session.js';
import type { Reply } from '../resp/write.js';
import type { Connection } from './connection.js';
import type { Serving } from './serving.js';

/** The answer to a session that waits, from whoever served it. */
interface Answer {
  readonly slot: number;
  /** Session.wait.place. */
  readonly place: number;
  readonly bytes: Uint8Array;
}

/** The end of a wait that has no place. */
interface Ending {
  readonly connection: Connection;
  readonly wait: Wait | null;
  readonly write: (reply: Reply) => void;
}

export class Endings {
  private readonly serving: Serving;
  /** Told of each place that was answered, whether anybody waits there still or not. */
  private readonly answered: (place: number) => void;
  private answers: Answer[] = [];
  private endings: Ending[] = [];

  constructor(serving: Serving, answered: (place: number) => void) {
    this.serving = serving;
    this.answered = answered;
  }

  get count(): number {
    return this.answers.length + this.endings.length;
  }

  /** Ends the wait `place` of the session in `slot`, if it still waits so, with `bytes`. */
  answer(slot: number, place: number, bytes: Uint8Array): void {
    this.answers.push({ slot, place, bytes });
  }

  /** Ends what the connection waits for now, if it still does by then. */
  end(connection: Connection, write: (reply: Reply) => void): void {
    this.endings.push({ connection, wait: connection.session.wait, write });
  }

  /** Between two turns: what was said before this was called. */
  give(): void {
    const { serving, answers, endings } = this;
    this.answers = [];
    this.endings = [];
    for (const { slot, place, bytes } of answers) {
      this.answered(place);
      const connection = serving.connectionAt(slot);
      if (connection === null || connection.session.wait?.place !== place) continue;
      serving.endWait(connection, (reply) => reply.raw(bytes));
    }
    for (const { connection, wait, write } of endings) {
      // A closed one waits for nothing.
      const stillWaits = wait !== null && connection.session.wait === wait;
      if (stillWaits) serving.endWait(connection, write);
    }
  }
}
