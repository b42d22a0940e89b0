// What threads that do shares of one work tell the one that has begun it, and hear from it: three
// words. Each does its share to the end unless another has failed or nobody wants it any more.
//
// - Ended: added to by each share as its last act; the one that has begun it sleeps on it.
// - IsStopped: by the one that has begun it. HasFailed: by any share. Both stay.
//
// What the shares have done is told in another way (by messages): nothing is ordered by these words
// but themselves, and who sees one late takes one step more.

const enum Word {
  Ended = 0,
  IsStopped = 1,
  HasFailed = 2,
  Words = 3,
}

export class LaneSignals {
  /** To be sent to the other threads, each of which makes a LaneSignals of it. */
  readonly words: Int32Array;

  constructor(words: Int32Array = new Int32Array(new SharedArrayBuffer(Word.Words * 4))) {
    this.words = words;
  }

  /** This share has come to its end, whatever that was. */
  end(): void {
    // Before the notification: whoever sleeps on it finds it changed.
    Atomics.add(this.words, Word.Ended, 1);
    Atomics.notify(this.words, Word.Ended);
  }

  /** Have so many shares ended? If not, sleeps until another one has, for `msMax` at the most. */
  haveEnded(count: number, msMax: number): boolean {
    // The sleep below compares with it: a share that ends in between is not slept over.
    const ended = Atomics.load(this.words, Word.Ended);
    if (ended === count) return true;
    Atomics.wait(this.words, Word.Ended, ended, msMax);
    return false;
  }

  stop(): void {
    // For others to see soon; see above.
    Atomics.store(this.words, Word.IsStopped, 1);
  }

  fail(): void {
    // As stop.
    Atomics.store(this.words, Word.HasFailed, 1);
  }

  get isStopped(): boolean {
    // Asked in every step, so never long out of date.
    return Atomics.load(this.words, Word.IsStopped) !== 0;
  }

  get hasFailed(): boolean {
    // As isStopped.
    return Atomics.load(this.words, Word.HasFailed) !== 0;
  }
}
