// Bytes that grow while a library of Lua writes a string: outside of the machine, so that nothing
// the machine does meanwhile moves them.

const BYTES_AT_START = 1024;
/** A buffer that has grown beyond is not kept for the next string. */
const BYTES_KEPT = 1024 * 1024;

export class ByteWriter {
  u8: Uint8Array<ArrayBuffer> = new Uint8Array(BYTES_AT_START);
  length = 0;
  /** DataView of u8, for numbers. */
  view: DataView = new DataView(this.u8.buffer);

  /** Starts a new string. */
  clear(): void {
    this.length = 0;
    if (this.u8.length > BYTES_KEPT) this.resize(BYTES_AT_START);
  }

  /** Makes room for `count` bytes and returns where they begin; they count as written. */
  grow(count: number): number {
    const at = this.length;
    if (at + count > this.u8.length) this.resize(Math.max(this.u8.length * 2, at + count));
    this.length = at + count;
    return at;
  }

  byte(value: number): void {
    const at = this.grow(1);
    this.u8[at] = value;
  }

  text(text: string): void {
    const at = this.grow(text.length);
    const { u8 } = this;
    for (let index = 0; index < text.length; index++) u8[at + index] = text.charCodeAt(index);
  }

  bytes(u8: Uint8Array, start: number, length: number): void {
    const at = this.grow(length);
    this.u8.set(u8.subarray(start, start + length), at);
  }

  private resize(bytes: number): void {
    const larger = new Uint8Array(bytes);
    larger.set(this.u8.subarray(0, Math.min(this.length, bytes)));
    this.u8 = larger;
    this.view = new DataView(larger.buffer);
  }
}
