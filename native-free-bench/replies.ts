// Counts replies without building them: a state machine over the bytes that survives any cut
// between chunks. Each reply's type is checked against what its command may answer; errors are kept
// as text.
//
//   type byte ─> line ─> (bulk) body ─> type byte …
//   An aggregate adds its elements to `open`; a reply is complete when `open` is 0.

/** Reply types as bits, RESP2 and RESP3. Exported and cold but for one AND per reply. */
export const ReplyKind = {
  Status: 1,
  Integer: 2,
  Bulk: 4,
  Null: 8,
  Aggregate: 16,
  Other: 32,
  Error: 64,
  /** Anything but an error. */
  Any: 1 | 2 | 4 | 8 | 16 | 32,
} as const;

const enum State {
  Type,
  Line,
  Body,
}

const enum Byte {
  LineFeed = 10,
  Minus = 45,
  Zero = 48,
  Nine = 57,
}

// What a line means, by its type byte.
const enum Form {
  Unknown = 0,
  Text = 1,
  Number = 2,
  Bulk = 3,
  List = 4,
  Pairs = 5,
  Attribute = 6,
  Push = 7,
  Error = 8,
  BulkError = 9,
}

const FORMS = new Uint8Array(256);
const KINDS = new Uint8Array(256);
for (const [byte, form, kind] of [
  ['+', Form.Text, ReplyKind.Status],
  ['-', Form.Error, ReplyKind.Error],
  [':', Form.Number, ReplyKind.Integer],
  ['$', Form.Bulk, ReplyKind.Bulk],
  ['*', Form.List, ReplyKind.Aggregate],
  ['_', Form.Text, ReplyKind.Null],
  ['#', Form.Text, ReplyKind.Other],
  [',', Form.Text, ReplyKind.Other],
  ['(', Form.Text, ReplyKind.Other],
  ['=', Form.Bulk, ReplyKind.Bulk],
  ['!', Form.BulkError, ReplyKind.Error],
  ['%', Form.Pairs, ReplyKind.Aggregate],
  ['~', Form.List, ReplyKind.Aggregate],
  ['|', Form.Attribute, ReplyKind.Other],
  ['>', Form.Push, ReplyKind.Other],
] as const) {
  FORMS[byte.charCodeAt(0)] = form;
  KINDS[byte.charCodeAt(0)] = kind;
}

const ERROR_TEXT_MAX = 200;
const ERROR_KINDS_MAX = 20;
const CHECKSUM_FACTOR = 0x9e3779b1;

/** Findings of all connections of one thread. */
export class ReplyTally {
  replies = 0;
  errors = 0;
  wrongTypes = 0;
  /** Replies nobody asked for. */
  unexpected = 0;
  /** A sum over types, integers and lengths: the order of connections does not change it. */
  checksum = 0;
  readonly errorTexts = new Map<string, number>();

  noteError(text: string): void {
    this.errors += 1;
    const seen = this.errorTexts.get(text);
    if (seen === undefined && this.errorTexts.size >= ERROR_KINDS_MAX) return;
    this.errorTexts.set(text, (seen ?? 0) + 1);
  }
}

/** The reply stream of one connection. */
export class ReplyReader {
  /** Replies complete since `expect`. */
  position = 0;
  private state: State = State.Type;
  private form: Form = Form.Unknown;
  private typeByte = 0;
  private number = 0;
  private isNegative = false;
  private skip = 0;
  private open = 0;
  private isPush = false;
  private awaitsHeader = false;
  private errorText = '';
  private expected: Uint8Array = new Uint8Array(0);
  private expectedCount = 0;

  constructor(private readonly tally: ReplyTally) {}

  /** The next `count` replies must be of these kinds. */
  expect(kinds: Uint8Array, count: number): void {
    this.expected = kinds;
    this.expectedCount = count;
    this.position = 0;
  }

  /** Reads u8[0, length); throws where the bytes are no RESP. */
  read(u8: Uint8Array, length: number): void {
    let at = 0;
    while (at < length) {
      if (this.state === State.Body) {
        const step = Math.min(this.skip, length - at);
        if (this.form === Form.BulkError) this.keepErrorText(u8, at, at + step);
        at += step;
        this.skip -= step;
        if (this.skip === 0) this.finishBody();
      } else if (this.state === State.Type) {
        this.startElement(u8[at]!);
        at += 1;
      } else {
        at = this.readLine(u8, at, length);
      }
    }
  }

  private startElement(byte: number): void {
    const form = FORMS[byte]! as Form;
    if (form === Form.Unknown) {
      throw new Error(`a reply begins with byte ${byte}, which is no RESP type`);
    }
    this.form = form;
    this.typeByte = byte;
    this.number = 0;
    this.isNegative = false;
    this.state = State.Line;
    if (this.open === 0) {
      this.open = 1;
      this.awaitsHeader = true;
      this.isPush = form === Form.Push;
    }
  }

  /** The rest of a line: its number, its length, or an error's text. Answers where to go on. */
  private readLine(u8: Uint8Array, from: number, length: number): number {
    let at = from;
    if (this.form === Form.Text || this.form === Form.Error) {
      while (at < length && u8[at] !== Byte.LineFeed) at += 1;
      if (this.form === Form.Error) this.keepErrorText(u8, from, at);
      this.number += at - from;
    } else {
      let number = this.number;
      while (at < length) {
        const byte = u8[at]!;
        if (byte === Byte.LineFeed) break;
        if (byte >= Byte.Zero && byte <= Byte.Nine) {
          number = (Math.imul(number, 10) + (byte - Byte.Zero)) | 0;
        } else if (byte === Byte.Minus) this.isNegative = true;
        at += 1;
      }
      this.number = number;
    }
    if (at === length) return at;
    this.finishLine();
    return at + 1;
  }

  private finishLine(): void {
    const isMissing = this.isNegative && this.form !== Form.Number;
    // Only the header of a whole reply is checked: not an element's, nor what an attribute holds.
    if (this.awaitsHeader && this.open === 1 && this.form !== Form.Attribute) {
      this.awaitsHeader = false;
      this.checkKind(isMissing);
    }
    const number = this.isNegative ? -this.number : this.number;
    const { tally } = this;
    tally.checksum = (tally.checksum + Math.imul(this.typeByte, CHECKSUM_FACTOR) + number) | 0;
    const hasBody = this.form === Form.Bulk || this.form === Form.BulkError;
    if (hasBody && !isMissing) {
      this.skip = number + 2; // and the line end after it
      this.state = State.Body;
      return;
    }
    this.state = State.Type;
    if (this.form === Form.Error) this.finishError();
    this.closeElements(this.elementsClosedBy(number));
  }

  /** What a line without a body changes in the count of open elements; a list opens more. */
  private elementsClosedBy(number: number): number {
    switch (this.form) {
      case Form.List:
      case Form.Push:
        return number < 0 ? 1 : 1 - number;
      case Form.Pairs:
        return number < 0 ? 1 : 1 - number * 2;
      case Form.Attribute:
        return -number * 2; // the reply it describes follows
      default:
        return 1;
    }
  }

  private finishBody(): void {
    this.state = State.Type;
    if (this.form === Form.BulkError) this.finishError();
    this.closeElements(1);
  }

  private finishError(): void {
    this.tally.noteError(this.errorText.trim());
    this.errorText = '';
  }

  private closeElements(count: number): void {
    this.open -= count;
    if (this.open > 0 || this.isPush) return;
    this.position += 1;
    this.tally.replies += 1;
    if (this.position > this.expectedCount) this.tally.unexpected += 1;
  }

  private checkKind(isMissing: boolean): void {
    if (this.isPush || this.position >= this.expectedCount) return;
    if (this.form === Form.Error || this.form === Form.BulkError) return; // counted as an error
    const kind = isMissing ? ReplyKind.Null : KINDS[this.typeByte]!;
    if ((this.expected[this.position]! & kind) === 0) this.tally.wrongTypes += 1;
  }

  private keepErrorText(u8: Uint8Array, from: number, to: number): void {
    const room = ERROR_TEXT_MAX - this.errorText.length;
    if (room > 0) this.errorText += Buffer.from(u8.subarray(from, Math.min(to, from + room)));
  }
}
