// What MIGRATE hands to the server around it: keys on their way to another one. They are sent while
// clients go on, so each is compared with what was sent before it is removed here.

/** A key with its value as DUMP gives it. */
export interface MigratedKey {
  readonly key: Uint8Array<ArrayBuffer>;
  readonly payload: Uint8Array<ArrayBuffer>;
  /** When it expires, ms since 1970; Infinity for never. */
  readonly expiryMs: number;
}

export interface Migration {
  readonly host: string;
  readonly port: number;
  /** Here and there. */
  readonly sourceDatabase: number;
  readonly targetDatabase: number;
  readonly timeoutMs: number;
  /** They stay here as well. */
  readonly copies: boolean;
  /** Those of the same name there give way. */
  readonly replaces: boolean;
  /** The words of AUTH, none or one or two. */
  readonly secrets: readonly Uint8Array<ArrayBuffer>[];
  readonly keys: readonly MigratedKey[];
}
