// Where bytes go that a snapshot has no room for in memory until their turn comes.

export interface Spill {
  /** Appends u8[0, length); returns where. */
  write(u8: Uint8Array, length: number): number;
  /** Reads `length` bytes from there into u8. */
  read(u8: Uint8Array, length: number, at: number): void;
}
