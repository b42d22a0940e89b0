// The numbers of the format. They are those of Redis's files, so they never change; those that only
// Flagstone reads begin at 192, far from Redis's types (26 and below) and opcodes (243 and above).

/** What the body of a value looks like: the byte before it. */
export const enum RdbType {
  String = 0,
  List = 1,
  Set = 2,
  /** Scores as text. */
  SortedSet = 3,
  Hash = 4,
  /** Scores as doubles. */
  SortedSet2 = 5,
  HashZipmap = 9,
  ListZiplist = 10,
  SetIntset = 11,
  SortedSetZiplist = 12,
  HashZiplist = 13,
  ListQuicklist = 14,
  StreamListpacks = 15,
  HashListpack = 16,
  SortedSetListpack = 17,
  ListQuicklist2 = 18,
  StreamListpacks2 = 19,
  SetListpack = 20,
  StreamListpacks3 = 21,
  /** Times of fields, as release candidates of 7.4 wrote them. */
  HashTimedEarly = 22,
  HashListpackTimedEarly = 23,
  HashTimed = 24,
  HashListpackTimed = 25,
  Array = 192,
  /** StreamListpacks3, and behind it what is remembered of producers. */
  StreamProducers = 193,
  /** What Valkey 9 means by 22: no byte says this, file-read.ts does. */
  HashTimedValkey = 256,
}

/** What stands before a key in a file, or in its place. */
export const enum Opcode {
  /** Before a group of keys, of a cluster's node: the slot and how many keys it has. */
  SlotInfo = 244,
  /** The code of a library of functions. */
  Function = 245,
  /** The same, as release candidates of 7.0 wrote it. */
  FunctionEarly = 246,
  ModuleAux = 247,
  /** Of the key that follows: seconds since it was used, or how often it is. */
  Idle = 248,
  Frequency = 249,
  /** A fact about the file: name and value. */
  Aux = 250,
  /** Keys of the database, and how many of them have an expiry. */
  ResizeDatabase = 251,
  /** Of the key that follows: when it expires. */
  ExpiryMs = 252,
  ExpirySeconds = 253,
  SelectDatabase = 254,
  End = 255,
}

/** Version of the format: 10 is what Redis 7.0 reads. */
export const RDB_VERSION_WIDEST = 10;
/** Sets as listpacks, streams with the times of consumers: Redis 7.2. */
const RDB_VERSION_7_2 = 11;
/** Times of fields: Redis 7.4. The newest that is read. */
export const RDB_VERSION_MAX = 12;

/** The first version of the format that has values of this type. */
export function versionOf(type: RdbType): number {
  if (type <= RdbType.StreamListpacks2) return RDB_VERSION_WIDEST;
  return type <= RdbType.StreamListpacks3 ? RDB_VERSION_7_2 : RDB_VERSION_MAX;
}

/** Of the nameless consumer that stands for nobody, see stream-write.ts. */
export const NEVER_SEEN_MS = 0;

/** Nodes of a list: one long element, or a listpack of several. */
export const enum Container {
  Plain = 1,
  Packed = 2,
}
