// Generated from the command objects in src/commands/ by `npm run docs`; a test fails when
// this file and the commands differ.

import type { Value, Word } from './value.js';

/** A method for every command. What stands behind the named arguments is in the notation. */
export interface Commands {
  /** `ACL CAT [category]` */
  aclCat(...rest: Word[]): Promise<Value>;
  /** `ACL DELUSER username [username ...]` */
  aclDeluser(username: Word, ...rest: Word[]): Promise<Value>;
  /** `ACL DRYRUN username command [arg [arg ...]]` */
  aclDryrun(username: Word, command: Word, ...rest: Word[]): Promise<Value>;
  /** `ACL GENPASS [bits]` */
  aclGenpass(...rest: Word[]): Promise<string>;
  /** `ACL GETUSER username` */
  aclGetuser(username: Word): Promise<Value>;
  /** `ACL HELP` */
  aclHelp(): Promise<Value>;
  /** `ACL LIST` */
  aclList(): Promise<Value>;
  /** `ACL LOAD` */
  aclLoad(): Promise<Value>;
  /** `ACL LOG [<count | RESET>]` */
  aclLog(...rest: Word[]): Promise<Value>;
  /** `ACL SAVE` */
  aclSave(): Promise<Value>;
  /** `ACL SETUSER username [rule [rule ...]]` */
  aclSetuser(username: Word, ...rest: Word[]): Promise<Value>;
  /** `ACL USERS` */
  aclUsers(): Promise<Value>;
  /** `ACL WHOAMI` */
  aclWhoami(): Promise<string>;
  /** `APPEND key value` */
  append(key: Word, value: Word): Promise<number>;
  /** `ARCOUNT key` */
  arcount(key: Word): Promise<Value>;
  /** `ARDEL key index [index ...]` */
  ardel(key: Word, index: Word, ...rest: Word[]): Promise<Value>;
  /** `ARDELRANGE key start end [start end ...]` */
  ardelrange(key: Word, ...rest: Word[]): Promise<Value>;
  /** `ARGET key index` */
  arget(key: Word, index: Word): Promise<Value>;
  /** `ARGETRANGE key start end` */
  argetrange(key: Word, start: Word, end: Word): Promise<Value>;
  /** `ARGREP key start end <EXACT string | MATCH string | GLOB pattern | RE pattern> [<EXACT
   * string | MATCH string | GLOB pattern | RE pattern> ...] [<AND | OR | LIMIT limit |
   * WITHVALUES | NOCASE> [<AND | OR | LIMIT limit | WITHVALUES | NOCASE> ...]]` */
  argrep(key: Word, start: Word, end: Word, ...rest: Word[]): Promise<Value>;
  /** `ARINFO key [FULL]` */
  arinfo(key: Word, ...rest: Word[]): Promise<Value>;
  /** `ARINSERT key value [value ...]` */
  arinsert(key: Word, value: Word, ...rest: Word[]): Promise<Value>;
  /** `ARLASTITEMS key count [REV]` */
  arlastitems(key: Word, count: Word, ...rest: Word[]): Promise<Value>;
  /** `ARLEN key` */
  arlen(key: Word): Promise<Value>;
  /** `ARMGET key index [index ...]` */
  armget(key: Word, index: Word, ...rest: Word[]): Promise<Value>;
  /** `ARMSET key index value [index value ...]` */
  armset(key: Word, ...rest: Word[]): Promise<Value>;
  /** `ARNEXT key` */
  arnext(key: Word): Promise<Value>;
  /** `AROP key start end <SUM | MIN | MAX | AND | OR | XOR | MATCH value | USED>` */
  arop(key: Word, start: Word, end: Word, ...rest: Word[]): Promise<Value>;
  /** `ARRING key size value [value ...]` */
  arring(key: Word, size: Word, value: Word, ...rest: Word[]): Promise<Value>;
  /** `ARSCAN key start end [LIMIT limit]` */
  arscan(key: Word, start: Word, end: Word, ...rest: Word[]): Promise<Value>;
  /** `ARSEEK key index` */
  arseek(key: Word, index: Word): Promise<Value>;
  /** `ARSET key index value [value ...]` */
  arset(key: Word, index: Word, value: Word, ...rest: Word[]): Promise<Value>;
  /** `ASKING` */
  asking(): Promise<Value>;
  /** `BGREWRITEAOF` */
  bgrewriteaof(): Promise<Value>;
  /** `BGSAVE [SCHEDULE]` */
  bgsave(...rest: Word[]): Promise<Value>;
  /** `BITCOUNT key [start end [BYTE | BIT]]` */
  bitcount(key: Word, ...rest: Word[]): Promise<number>;
  /** `BITFIELD key [<GET encoding offset | [OVERFLOW <WRAP | SAT | FAIL>] <SET encoding offset
   * value | INCRBY encoding offset increment>> [<GET encoding offset | [OVERFLOW <WRAP | SAT |
   * FAIL>] <SET encoding offset value | INCRBY encoding offset increment>> ...]]` */
  bitfield(key: Word, ...rest: Word[]): Promise<Value>;
  /** `BITFIELD_RO key [GET encoding offset [GET encoding offset ...]]` */
  bitfield_ro(key: Word, ...rest: Word[]): Promise<Value>;
  /** `BITOP <AND | OR | XOR | NOT | DIFF | DIFF1 | ANDOR | ONE> destkey key [key ...]` */
  bitop(...rest: Word[]): Promise<number>;
  /** `BITPOS key bit [start [end [BYTE | BIT]]]` */
  bitpos(key: Word, bit: Word, ...rest: Word[]): Promise<number>;
  /** `BLMOVE source destination <LEFT | RIGHT> <LEFT | RIGHT> timeout` */
  blmove(source: Word, destination: Word, ...rest: Word[]): Promise<Value>;
  /** `BLMOVEM source destination <LEFT | RIGHT> <LEFT | RIGHT> timeout [<COUNT count | EXACTLY
   * exactly> <OBO | BULK>]` */
  blmovem(source: Word, destination: Word, ...rest: Word[]): Promise<Value>;
  /** `BLMPOP timeout numkeys key [key ...] <LEFT | RIGHT> [COUNT count]` */
  blmpop(timeout: Word, numkeys: Word, key: Word, ...rest: Word[]): Promise<Value>;
  /** `BLPOP key [key ...] timeout` */
  blpop(key: Word, ...rest: Word[]): Promise<Value>;
  /** `BRPOP key [key ...] timeout` */
  brpop(key: Word, ...rest: Word[]): Promise<Value>;
  /** `BRPOPLPUSH source destination timeout` */
  brpoplpush(source: Word, destination: Word, timeout: Word): Promise<Value>;
  /** `BZMPOP timeout numkeys key [key ...] <MIN | MAX> [COUNT count]` */
  bzmpop(timeout: Word, numkeys: Word, key: Word, ...rest: Word[]): Promise<Value>;
  /** `BZPOPMAX key [key ...] timeout` */
  bzpopmax(key: Word, ...rest: Word[]): Promise<Value>;
  /** `BZPOPMIN key [key ...] timeout` */
  bzpopmin(key: Word, ...rest: Word[]): Promise<Value>;
  /** `CLIENT CACHING <YES | NO>` */
  clientCaching(...rest: Word[]): Promise<Value>;
  /** `CLIENT GETNAME` */
  clientGetname(): Promise<Value>;
  /** `CLIENT GETREDIR` */
  clientGetredir(): Promise<Value>;
  /** `CLIENT HELP` */
  clientHelp(): Promise<Value>;
  /** `CLIENT ID` */
  clientId(): Promise<Value>;
  /** `CLIENT INFO` */
  clientInfo(): Promise<string>;
  /** `CLIENT KILL <old-format | <[ID client-id] | [TYPE <NORMAL | MASTER | SLAVE | REPLICA |
   * PUBSUB>] | [USER username] | [ADDR addr] | [LADDR laddr] | [SKIPME <YES | NO>] | [MAXAGE
   * maxage]>>` */
  clientKill(...rest: Word[]): Promise<Value>;
  /** `CLIENT LIST [TYPE <NORMAL | MASTER | REPLICA | PUBSUB>] [ID client-id [client-id ...]]` */
  clientList(...rest: Word[]): Promise<Value>;
  /** `CLIENT NO-EVICT <ON | OFF>` */
  clientNoEvict(...rest: Word[]): Promise<Value>;
  /** `CLIENT NO-TOUCH <ON | OFF>` */
  clientNoTouch(...rest: Word[]): Promise<Value>;
  /** `CLIENT PAUSE timeout [<WRITE | ALL>]` */
  clientPause(timeout: Word, ...rest: Word[]): Promise<Value>;
  /** `CLIENT SETINFO <LIB-NAME libname | LIB-VER libver>` */
  clientSetinfo(...rest: Word[]): Promise<Value>;
  /** `CLIENT SETNAME connection-name` */
  clientSetname(connectionName: Word): Promise<Value>;
  /** `CLIENT TRACKINGINFO` */
  clientTrackinginfo(): Promise<Value>;
  /** `CLIENT UNBLOCK client-id [<TIMEOUT | ERROR>]` */
  clientUnblock(clientId: Word, ...rest: Word[]): Promise<Value>;
  /** `CLIENT UNPAUSE` */
  clientUnpause(): Promise<Value>;
  /** `CLUSTER ADDSLOTS slot [slot ...]` */
  clusterAddslots(slot: Word, ...rest: Word[]): Promise<Value>;
  /** `CLUSTER ADDSLOTSRANGE start-slot end-slot [start-slot end-slot ...]` */
  clusterAddslotsrange(...rest: Word[]): Promise<Value>;
  /** `CLUSTER BUMPEPOCH` */
  clusterBumpepoch(): Promise<Value>;
  /** `CLUSTER COUNT-FAILURE-REPORTS node-id` */
  clusterCountFailureReports(nodeId: Word): Promise<Value>;
  /** `CLUSTER COUNTKEYSINSLOT slot` */
  clusterCountkeysinslot(slot: Word): Promise<Value>;
  /** `CLUSTER DELSLOTS slot [slot ...]` */
  clusterDelslots(slot: Word, ...rest: Word[]): Promise<Value>;
  /** `CLUSTER DELSLOTSRANGE start-slot end-slot [start-slot end-slot ...]` */
  clusterDelslotsrange(...rest: Word[]): Promise<Value>;
  /** `CLUSTER FAILOVER [<FORCE | TAKEOVER>]` */
  clusterFailover(...rest: Word[]): Promise<Value>;
  /** `CLUSTER FLUSHSLOTS` */
  clusterFlushslots(): Promise<Value>;
  /** `CLUSTER FORGET node-id` */
  clusterForget(nodeId: Word): Promise<Value>;
  /** `CLUSTER GETKEYSINSLOT slot count` */
  clusterGetkeysinslot(slot: Word, count: Word): Promise<Value>;
  /** `CLUSTER HELP` */
  clusterHelp(): Promise<Value>;
  /** `CLUSTER INFO` */
  clusterInfo(): Promise<Value>;
  /** `CLUSTER KEYSLOT key` */
  clusterKeyslot(key: Word): Promise<Value>;
  /** `CLUSTER LINKS` */
  clusterLinks(): Promise<Value>;
  /** `CLUSTER MEET ip port [cluster-bus-port]` */
  clusterMeet(ip: Word, port: Word, ...rest: Word[]): Promise<Value>;
  /** `CLUSTER MYID` */
  clusterMyid(): Promise<Value>;
  /** `CLUSTER MYSHARDID` */
  clusterMyshardid(): Promise<Value>;
  /** `CLUSTER NODES` */
  clusterNodes(): Promise<Value>;
  /** `CLUSTER REPLICAS node-id` */
  clusterReplicas(nodeId: Word): Promise<Value>;
  /** `CLUSTER REPLICATE node-id` */
  clusterReplicate(nodeId: Word): Promise<Value>;
  /** `CLUSTER RESET [<HARD | SOFT>]` */
  clusterReset(...rest: Word[]): Promise<Value>;
  /** `CLUSTER SAVECONFIG` */
  clusterSaveconfig(): Promise<Value>;
  /** `CLUSTER SET-CONFIG-EPOCH config-epoch` */
  clusterSetConfigEpoch(configEpoch: Word): Promise<Value>;
  /** `CLUSTER SETSLOT slot <IMPORTING node-id | MIGRATING node-id | NODE node-id | STABLE>` */
  clusterSetslot(slot: Word, ...rest: Word[]): Promise<Value>;
  /** `CLUSTER SHARDS` */
  clusterShards(): Promise<Value>;
  /** `CLUSTER SLAVES node-id` */
  clusterSlaves(nodeId: Word): Promise<Value>;
  /** `CLUSTER SLOTS` */
  clusterSlots(): Promise<Value>;
  /** `COMMAND COUNT` */
  commandCount(): Promise<Value>;
  /** `COMMAND DOCS [command-name [command-name ...]]` */
  commandDocs(...rest: Word[]): Promise<Value>;
  /** `COMMAND GETKEYS command [arg [arg ...]]` */
  commandGetkeys(command: Word, ...rest: Word[]): Promise<Value>;
  /** `COMMAND GETKEYSANDFLAGS command [arg [arg ...]]` */
  commandGetkeysandflags(command: Word, ...rest: Word[]): Promise<Value>;
  /** `COMMAND HELP` */
  commandHelp(): Promise<Value>;
  /** `COMMAND INFO [command-name [command-name ...]]` */
  commandInfo(...rest: Word[]): Promise<Value>;
  /** `COMMAND LIST [FILTERBY <MODULE module-name | ACLCAT category | PATTERN pattern>]` */
  commandList(...rest: Word[]): Promise<Value>;
  /** `CONFIG GET parameter [parameter ...]` */
  configGet(parameter: Word, ...rest: Word[]): Promise<ReadonlyMap<string, string | Uint8Array>>;
  /** `CONFIG HELP` */
  configHelp(): Promise<Value>;
  /** `CONFIG RESETSTAT` */
  configResetstat(): Promise<Value>;
  /** `CONFIG REWRITE` */
  configRewrite(): Promise<Value>;
  /** `CONFIG SET parameter value [parameter value ...]` */
  configSet(...rest: Word[]): Promise<Value>;
  /** `COPY source destination [DB destination-db] [REPLACE]` */
  copy(source: Word, destination: Word, ...rest: Word[]): Promise<number>;
  /** `DBSIZE` */
  dbsize(): Promise<number>;
  /** `DEBUG` */
  debug(): Promise<Value>;
  /** `DECR key` */
  decr(key: Word): Promise<number>;
  /** `DECRBY key decrement` */
  decrby(key: Word, decrement: Word): Promise<number>;
  /** `DEL key [key ...]` */
  del(key: Word, ...rest: Word[]): Promise<number>;
  /** `DELEX key [IFEQ ifeq-value | IFNE ifne-value | IFDEQ ifdeq-digest | IFDNE ifdne-digest]` */
  delex(key: Word, ...rest: Word[]): Promise<Value>;
  /** `DIGEST key` */
  digest(key: Word): Promise<Value>;
  /** `DUMP key` */
  dump(key: Word): Promise<string | Uint8Array | null>;
  /** `ECHO message` */
  echo(message: Word): Promise<string>;
  /** `EVAL script numkeys [key [key ...]] [arg [arg ...]]` */
  eval(script: Word, numkeys: Word, ...rest: Word[]): Promise<Value>;
  /** `EVAL_RO script numkeys [key [key ...]] [arg [arg ...]]` */
  eval_ro(script: Word, numkeys: Word, ...rest: Word[]): Promise<Value>;
  /** `EVALSHA sha1 numkeys [key [key ...]] [arg [arg ...]]` */
  evalsha(sha1: Word, numkeys: Word, ...rest: Word[]): Promise<Value>;
  /** `EVALSHA_RO sha1 numkeys [key [key ...]] [arg [arg ...]]` */
  evalsha_ro(sha1: Word, numkeys: Word, ...rest: Word[]): Promise<Value>;
  /** `EXISTS key [key ...]` */
  exists(key: Word, ...rest: Word[]): Promise<number>;
  /** `EXPIRE key seconds [<NX | XX | GT | LT>]` */
  expire(key: Word, seconds: Word, ...rest: Word[]): Promise<number>;
  /** `EXPIREAT key unix-time-seconds [<NX | XX | GT | LT>]` */
  expireat(key: Word, unixTimeSeconds: Word, ...rest: Word[]): Promise<number>;
  /** `EXPIRETIME key` */
  expiretime(key: Word): Promise<number>;
  /** `FCALL function numkeys [key [key ...]] [arg [arg ...]]` */
  fcall(functionName: Word, numkeys: Word, ...rest: Word[]): Promise<Value>;
  /** `FCALL_RO function numkeys [key [key ...]] [arg [arg ...]]` */
  fcall_ro(functionName: Word, numkeys: Word, ...rest: Word[]): Promise<Value>;
  /** `FEED HELP` */
  feedHelp(): Promise<Value>;
  /** `FEED INFO` */
  feedInfo(): Promise<Value>;
  /** `FEED READ position [COUNT count] [BLOCK milliseconds] [MATCH pattern [pattern ...]] [DB
   * index]` */
  feedRead(position: Word, ...rest: Word[]): Promise<Value>;
  /** `FLUSHALL [<ASYNC | SYNC>]` */
  flushall(...rest: Word[]): Promise<string | null>;
  /** `FLUSHDB [<ASYNC | SYNC>]` */
  flushdb(...rest: Word[]): Promise<string | null>;
  /** `FUNCTION DELETE library-name` */
  functionDelete(libraryName: Word): Promise<Value>;
  /** `FUNCTION DUMP` */
  functionDump(): Promise<Value>;
  /** `FUNCTION FLUSH [<ASYNC | SYNC>]` */
  functionFlush(...rest: Word[]): Promise<Value>;
  /** `FUNCTION HELP` */
  functionHelp(): Promise<Value>;
  /** `FUNCTION KILL` */
  functionKill(): Promise<Value>;
  /** `FUNCTION LIST [LIBRARYNAME library-name-pattern] [WITHCODE]` */
  functionList(...rest: Word[]): Promise<Value>;
  /** `FUNCTION LOAD [REPLACE] function-code` */
  functionLoad(...rest: Word[]): Promise<Value>;
  /** `FUNCTION RESTORE serialized-value [<FLUSH | APPEND | REPLACE>]` */
  functionRestore(serializedValue: Word, ...rest: Word[]): Promise<Value>;
  /** `FUNCTION STATS` */
  functionStats(): Promise<Value>;
  /** `GEOADD key [NX | XX] [CH] longitude latitude member [longitude latitude member ...]` */
  geoadd(key: Word, ...rest: Word[]): Promise<number>;
  /** `GEODIST key member1 member2 [M | KM | FT | MI]` */
  geodist(key: Word, member1: Word, member2: Word, ...rest: Word[]): Promise<number | null>;
  /** `GEOHASH key [member [member ...]]` */
  geohash(key: Word, ...rest: Word[]): Promise<Value>;
  /** `GEOPOS key [member [member ...]]` */
  geopos(key: Word, ...rest: Word[]): Promise<Value>;
  /** `GEORADIUS key longitude latitude radius <M | KM | FT | MI> [WITHCOORD] [WITHDIST]
   * [WITHHASH] [COUNT count [ANY]] [ASC | DESC] [STORE storekey | STOREDIST storedistkey]` */
  georadius(
    key: Word,
    longitude: Word,
    latitude: Word,
    radius: Word,
    ...rest: Word[]
  ): Promise<Value>;
  /** `GEORADIUS_RO key longitude latitude radius <M | KM | FT | MI> [WITHCOORD] [WITHDIST]
   * [WITHHASH] [COUNT count [ANY]] [ASC | DESC]` */
  georadius_ro(
    key: Word,
    longitude: Word,
    latitude: Word,
    radius: Word,
    ...rest: Word[]
  ): Promise<Value>;
  /** `GEORADIUSBYMEMBER key member radius <M | KM | FT | MI> [WITHCOORD] [WITHDIST] [WITHHASH]
   * [COUNT count [ANY]] [ASC | DESC] [STORE storekey | STOREDIST storedistkey]` */
  georadiusbymember(key: Word, member: Word, radius: Word, ...rest: Word[]): Promise<Value>;
  /** `GEORADIUSBYMEMBER_RO key member radius <M | KM | FT | MI> [WITHCOORD] [WITHDIST]
   * [WITHHASH] [COUNT count [ANY]] [ASC | DESC]` */
  georadiusbymember_ro(key: Word, member: Word, radius: Word, ...rest: Word[]): Promise<Value>;
  /** `GEOSEARCH key <FROMMEMBER member | FROMLONLAT longitude latitude> <BYRADIUS radius <M |
   * KM | FT | MI> | BYBOX width height <M | KM | FT | MI>> [ASC | DESC] [COUNT count [ANY]]
   * [WITHCOORD] [WITHDIST] [WITHHASH]` */
  geosearch(key: Word, ...rest: Word[]): Promise<Value>;
  /** `GEOSEARCHSTORE destination source <FROMMEMBER member | FROMLONLAT longitude latitude>
   * <BYRADIUS radius <M | KM | FT | MI> | BYBOX width height <M | KM | FT | MI>> [ASC | DESC]
   * [COUNT count [ANY]] [STOREDIST]` */
  geosearchstore(destination: Word, source: Word, ...rest: Word[]): Promise<Value>;
  /** `GET key` */
  get(key: Word): Promise<string | Uint8Array | null>;
  /** `GETBIT key offset` */
  getbit(key: Word, offset: Word): Promise<number>;
  /** `GETDEL key` */
  getdel(key: Word): Promise<string | Uint8Array | null>;
  /** `GETEX key [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT
   * unix-time-milliseconds | PERSIST]` */
  getex(key: Word, ...rest: Word[]): Promise<string | Uint8Array | null>;
  /** `GETRANGE key start end` */
  getrange(key: Word, start: Word, end: Word): Promise<string | Uint8Array>;
  /** `GETSET key value` */
  getset(key: Word, value: Word): Promise<string | Uint8Array | null>;
  /** `HDEL key field [field ...]` */
  hdel(key: Word, field: Word, ...rest: Word[]): Promise<number>;
  /** `HEXISTS key field` */
  hexists(key: Word, field: Word): Promise<number>;
  /** `HEXPIRE key seconds [<NX | XX | GT | LT>] FIELDS numfields field [field ...]` */
  hexpire(key: Word, seconds: Word, ...rest: Word[]): Promise<Value>;
  /** `HEXPIREAT key unix-time-seconds [<NX | XX | GT | LT>] FIELDS numfields field [field ...]` */
  hexpireat(key: Word, unixTimeSeconds: Word, ...rest: Word[]): Promise<Value>;
  /** `HEXPIRETIME key FIELDS numfields field [field ...]` */
  hexpiretime(key: Word, ...rest: Word[]): Promise<Value>;
  /** `HGET key field` */
  hget(key: Word, field: Word): Promise<string | Uint8Array | null>;
  /** `HGETALL key` */
  hgetall(key: Word): Promise<ReadonlyMap<string, string | Uint8Array>>;
  /** `HGETDEL key FIELDS numfields field [field ...]` */
  hgetdel(key: Word, ...rest: Word[]): Promise<Value>;
  /** `HGETEX key [<EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT
   * unix-time-milliseconds | PERSIST>] FIELDS numfields field [field ...]` */
  hgetex(key: Word, ...rest: Word[]): Promise<Value>;
  /** `HINCRBY key field increment` */
  hincrby(key: Word, field: Word, increment: Word): Promise<number>;
  /** `HINCRBYFLOAT key field increment` */
  hincrbyfloat(key: Word, field: Word, increment: Word): Promise<string | Uint8Array | null>;
  /** `HKEYS key` */
  hkeys(key: Word): Promise<readonly (string | Uint8Array)[]>;
  /** `HLEN key` */
  hlen(key: Word): Promise<number>;
  /** `HMGET key field [field ...]` */
  hmget(key: Word, field: Word, ...rest: Word[]): Promise<readonly (string | Uint8Array | null)[]>;
  /** `HMSET key field value [field value ...]` */
  hmset(key: Word, ...rest: Word[]): Promise<Value>;
  /** `HOTKEYS GET` */
  hotkeysGet(): Promise<Value>;
  /** `HOTKEYS HELP` */
  hotkeysHelp(): Promise<Value>;
  /** `HOTKEYS RESET` */
  hotkeysReset(): Promise<Value>;
  /** `HOTKEYS START METRICS count [CPU] [NET] [COUNT k] [DURATION seconds] [SAMPLE ratio]
   * [SLOTS count slot [slot ...]]` */
  hotkeysStart(...rest: Word[]): Promise<Value>;
  /** `HOTKEYS STOP` */
  hotkeysStop(): Promise<Value>;
  /** `HPERSIST key FIELDS numfields field [field ...]` */
  hpersist(key: Word, ...rest: Word[]): Promise<Value>;
  /** `HPEXPIRE key milliseconds [<NX | XX | GT | LT>] FIELDS numfields field [field ...]` */
  hpexpire(key: Word, milliseconds: Word, ...rest: Word[]): Promise<Value>;
  /** `HPEXPIREAT key unix-time-milliseconds [<NX | XX | GT | LT>] FIELDS numfields field [field
   * ...]` */
  hpexpireat(key: Word, unixTimeMilliseconds: Word, ...rest: Word[]): Promise<Value>;
  /** `HPEXPIRETIME key FIELDS numfields field [field ...]` */
  hpexpiretime(key: Word, ...rest: Word[]): Promise<Value>;
  /** `HPTTL key FIELDS numfields field [field ...]` */
  hpttl(key: Word, ...rest: Word[]): Promise<Value>;
  /** `HRANDFIELD key [count [WITHVALUES]]` */
  hrandfield(key: Word, ...rest: Word[]): Promise<Value>;
  /** `HSCAN key cursor [MATCH pattern] [COUNT count] [NOVALUES]` */
  hscan(
    key: Word,
    cursor: Word,
    ...rest: Word[]
  ): Promise<readonly [string, readonly (string | Uint8Array)[]]>;
  /** `HSET key field value [field value ...]` */
  hset(key: Word, ...rest: Word[]): Promise<number>;
  /** `HSETEX key [<FNX | FXX>] [<EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT
   * unix-time-milliseconds | KEEPTTL>] FIELDS numfields field value [field value ...]` */
  hsetex(key: Word, ...rest: Word[]): Promise<Value>;
  /** `HSETNX key field value` */
  hsetnx(key: Word, field: Word, value: Word): Promise<number>;
  /** `HSTRLEN key field` */
  hstrlen(key: Word, field: Word): Promise<number>;
  /** `HTTL key FIELDS numfields field [field ...]` */
  httl(key: Word, ...rest: Word[]): Promise<Value>;
  /** `HVALS key` */
  hvals(key: Word): Promise<readonly (string | Uint8Array)[]>;
  /** `INCR key` */
  incr(key: Word): Promise<number>;
  /** `INCRBY key increment` */
  incrby(key: Word, increment: Word): Promise<number>;
  /** `INCRBYFLOAT key increment` */
  incrbyfloat(key: Word, increment: Word): Promise<string | Uint8Array | null>;
  /** `INCREX key [BYFLOAT float | BYINT integer] [SATURATE] [LBOUND lowerbound] [UBOUND
   * upperbound] [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT
   * unix-time-milliseconds | PERSIST] [ENX]` */
  increx(key: Word, ...rest: Word[]): Promise<Value>;
  /** `INFO [section [section ...]]` */
  info(...rest: Word[]): Promise<string>;
  /** `KEYS pattern` */
  keys(pattern: Word): Promise<readonly (string | Uint8Array)[]>;
  /** `LASTSAVE` */
  lastsave(): Promise<number>;
  /** `LATENCY DOCTOR` */
  latencyDoctor(): Promise<Value>;
  /** `LATENCY GRAPH event` */
  latencyGraph(event: Word): Promise<Value>;
  /** `LATENCY HELP` */
  latencyHelp(): Promise<Value>;
  /** `LATENCY HISTOGRAM [command [command ...]]` */
  latencyHistogram(...rest: Word[]): Promise<Value>;
  /** `LATENCY HISTORY event` */
  latencyHistory(event: Word): Promise<Value>;
  /** `LATENCY LATEST` */
  latencyLatest(): Promise<Value>;
  /** `LATENCY RESET [event [event ...]]` */
  latencyReset(...rest: Word[]): Promise<Value>;
  /** `LCS key1 key2 [LEN] [IDX] [MINMATCHLEN min-match-len] [WITHMATCHLEN]` */
  lcs(key1: Word, key2: Word, ...rest: Word[]): Promise<Value>;
  /** `LINDEX key index` */
  lindex(key: Word, index: Word): Promise<string | Uint8Array | null>;
  /** `LINSERT key <BEFORE | AFTER> pivot element` */
  linsert(key: Word, ...rest: Word[]): Promise<number>;
  /** `LLEN key` */
  llen(key: Word): Promise<number>;
  /** `LMOVE source destination <LEFT | RIGHT> <LEFT | RIGHT>` */
  lmove(source: Word, destination: Word, ...rest: Word[]): Promise<string | Uint8Array | null>;
  /** `LMOVEM source destination <LEFT | RIGHT> <LEFT | RIGHT> [<COUNT count | EXACTLY exactly>
   * <OBO | BULK>]` */
  lmovem(source: Word, destination: Word, ...rest: Word[]): Promise<Value>;
  /** `LMPOP numkeys key [key ...] <LEFT | RIGHT> [COUNT count]` */
  lmpop(numkeys: Word, key: Word, ...rest: Word[]): Promise<Value>;
  /** `LOLWUT [VERSION version]` */
  lolwut(...rest: Word[]): Promise<string>;
  /** `LPOP key [count]` */
  lpop(key: Word, ...rest: Word[]): Promise<Value>;
  /** `LPOS key element [RANK rank] [COUNT num-matches] [MAXLEN len]` */
  lpos(key: Word, element: Word, ...rest: Word[]): Promise<Value>;
  /** `LPUSH key element [element ...]` */
  lpush(key: Word, element: Word, ...rest: Word[]): Promise<number>;
  /** `LPUSHX key element [element ...]` */
  lpushx(key: Word, element: Word, ...rest: Word[]): Promise<number>;
  /** `LRANGE key start stop` */
  lrange(key: Word, start: Word, stop: Word): Promise<readonly (string | Uint8Array)[]>;
  /** `LREM key count element` */
  lrem(key: Word, count: Word, element: Word): Promise<number>;
  /** `LSET key index element` */
  lset(key: Word, index: Word, element: Word): Promise<string | null>;
  /** `LTRIM key start stop` */
  ltrim(key: Word, start: Word, stop: Word): Promise<string | null>;
  /** `MEMORY DOCTOR` */
  memoryDoctor(): Promise<Value>;
  /** `MEMORY HELP` */
  memoryHelp(): Promise<Value>;
  /** `MEMORY MALLOC-STATS` */
  memoryMallocStats(): Promise<Value>;
  /** `MEMORY PURGE` */
  memoryPurge(): Promise<Value>;
  /** `MEMORY STATS` */
  memoryStats(): Promise<Value>;
  /** `MEMORY USAGE key [SAMPLES count]` */
  memoryUsage(key: Word, ...rest: Word[]): Promise<number | null>;
  /** `MGET key [key ...]` */
  mget(key: Word, ...rest: Word[]): Promise<readonly (string | Uint8Array | null)[]>;
  /** `MIGRATE host port <key | > destination-db timeout [COPY] [REPLACE] [<AUTH auth | AUTH2
   * username password>] [KEYS keys [keys ...]]` */
  migrate(host: Word, port: Word, ...rest: Word[]): Promise<Value>;
  /** `MODULE HELP` */
  moduleHelp(): Promise<Value>;
  /** `MODULE LIST` */
  moduleList(): Promise<Value>;
  /** `MOVE key db` */
  move(key: Word, db: Word): Promise<number>;
  /** `MSET key value [key value ...]` */
  mset(...rest: Word[]): Promise<string | null>;
  /** `MSETEX numkeys key value [key value ...] [NX | XX] [EX seconds | PX milliseconds | EXAT
   * unix-time-seconds | PXAT unix-time-milliseconds | KEEPTTL]` */
  msetex(numkeys: Word, ...rest: Word[]): Promise<Value>;
  /** `MSETNX key value [key value ...]` */
  msetnx(...rest: Word[]): Promise<number>;
  /** `OBJECT ENCODING key` */
  objectEncoding(key: Word): Promise<string>;
  /** `OBJECT FREQ key` */
  objectFreq(key: Word): Promise<Value>;
  /** `OBJECT HELP` */
  objectHelp(): Promise<Value>;
  /** `OBJECT IDLETIME key` */
  objectIdletime(key: Word): Promise<Value>;
  /** `OBJECT REFCOUNT key` */
  objectRefcount(key: Word): Promise<Value>;
  /** `PERSIST key` */
  persist(key: Word): Promise<number>;
  /** `PEXPIRE key milliseconds [<NX | XX | GT | LT>]` */
  pexpire(key: Word, milliseconds: Word, ...rest: Word[]): Promise<number>;
  /** `PEXPIREAT key unix-time-milliseconds [<NX | XX | GT | LT>]` */
  pexpireat(key: Word, unixTimeMilliseconds: Word, ...rest: Word[]): Promise<number>;
  /** `PEXPIRETIME key` */
  pexpiretime(key: Word): Promise<number>;
  /** `PFADD key [element [element ...]]` */
  pfadd(key: Word, ...rest: Word[]): Promise<number>;
  /** `PFCOUNT key [key ...]` */
  pfcount(key: Word, ...rest: Word[]): Promise<number>;
  /** `PFDEBUG subcommand key` */
  pfdebug(subcommand: Word, key: Word): Promise<Value>;
  /** `PFMERGE destkey [sourcekey [sourcekey ...]]` */
  pfmerge(destkey: Word, ...rest: Word[]): Promise<Value>;
  /** `PFSELFTEST` */
  pfselftest(): Promise<Value>;
  /** `PING [message]` */
  ping(...rest: Word[]): Promise<string | null>;
  /** `PSETEX key milliseconds value` */
  psetex(key: Word, milliseconds: Word, value: Word): Promise<string | null>;
  /** `PTTL key` */
  pttl(key: Word): Promise<number>;
  /** `PUBLISH channel message` */
  publish(channel: Word, message: Word): Promise<number>;
  /** `PUBSUB CHANNELS [pattern]` */
  pubsubChannels(...rest: Word[]): Promise<Value>;
  /** `PUBSUB HELP` */
  pubsubHelp(): Promise<Value>;
  /** `PUBSUB NUMPAT` */
  pubsubNumpat(): Promise<Value>;
  /** `PUBSUB NUMSUB [channel [channel ...]]` */
  pubsubNumsub(...rest: Word[]): Promise<Value>;
  /** `PUBSUB SHARDCHANNELS [pattern]` */
  pubsubShardchannels(...rest: Word[]): Promise<Value>;
  /** `PUBSUB SHARDNUMSUB [shardchannel [shardchannel ...]]` */
  pubsubShardnumsub(...rest: Word[]): Promise<Value>;
  /** `RANDOMKEY` */
  randomkey(): Promise<string | Uint8Array | null>;
  /** `READONLY` */
  readonly(): Promise<Value>;
  /** `READWRITE` */
  readwrite(): Promise<Value>;
  /** `RENAME key newkey` */
  rename(key: Word, newkey: Word): Promise<string | null>;
  /** `RENAMENX key newkey` */
  renamenx(key: Word, newkey: Word): Promise<number>;
  /** `REPLICAOF <host port | NO ONE>` */
  replicaof(...rest: Word[]): Promise<Value>;
  /** `RESTORE key ttl serialized-value [REPLACE] [ABSTTL] [IDLETIME seconds] [FREQ frequency]` */
  restore(key: Word, ttl: Word, serializedValue: Word, ...rest: Word[]): Promise<Value>;
  /** `ROLE` */
  role(): Promise<Value>;
  /** `RPOP key [count]` */
  rpop(key: Word, ...rest: Word[]): Promise<Value>;
  /** `RPOPLPUSH source destination` */
  rpoplpush(source: Word, destination: Word): Promise<string | Uint8Array | null>;
  /** `RPUSH key element [element ...]` */
  rpush(key: Word, element: Word, ...rest: Word[]): Promise<number>;
  /** `RPUSHX key element [element ...]` */
  rpushx(key: Word, element: Word, ...rest: Word[]): Promise<number>;
  /** `SADD key member [member ...]` */
  sadd(key: Word, member: Word, ...rest: Word[]): Promise<number>;
  /** `SAVE` */
  save(): Promise<Value>;
  /** `SCAN cursor [MATCH pattern] [COUNT count] [TYPE type]` */
  scan(cursor: Word, ...rest: Word[]): Promise<readonly [string, readonly (string | Uint8Array)[]]>;
  /** `SCARD key` */
  scard(key: Word): Promise<number>;
  /** `SCRIPT DEBUG <YES | SYNC | NO>` */
  scriptDebug(...rest: Word[]): Promise<Value>;
  /** `SCRIPT EXISTS sha1 [sha1 ...]` */
  scriptExists(sha1: Word, ...rest: Word[]): Promise<Value>;
  /** `SCRIPT FLUSH [<ASYNC | SYNC>]` */
  scriptFlush(...rest: Word[]): Promise<Value>;
  /** `SCRIPT HELP` */
  scriptHelp(): Promise<Value>;
  /** `SCRIPT KILL` */
  scriptKill(): Promise<Value>;
  /** `SCRIPT LOAD script` */
  scriptLoad(script: Word): Promise<Value>;
  /** `SDIFF key [key ...]` */
  sdiff(key: Word, ...rest: Word[]): Promise<readonly (string | Uint8Array)[]>;
  /** `SDIFFCARD numkeys key [key ...] [LIMIT limit]` */
  sdiffcard(numkeys: Word, key: Word, ...rest: Word[]): Promise<Value>;
  /** `SDIFFSTORE destination key [key ...]` */
  sdiffstore(destination: Word, key: Word, ...rest: Word[]): Promise<number>;
  /** `SELECT index` */
  select(index: Word): Promise<string | null>;
  /** `SET key value [NX | XX | IFEQ ifeq-value | IFNE ifne-value | IFDEQ ifdeq-digest | IFDNE
   * ifdne-digest] [GET] [EX seconds | PX milliseconds | EXAT unix-time-seconds | PXAT
   * unix-time-milliseconds | KEEPTTL]` */
  set(key: Word, value: Word, ...rest: Word[]): Promise<Value>;
  /** `SETBIT key offset value` */
  setbit(key: Word, offset: Word, value: Word): Promise<number>;
  /** `SETEX key seconds value` */
  setex(key: Word, seconds: Word, value: Word): Promise<string | null>;
  /** `SETNX key value` */
  setnx(key: Word, value: Word): Promise<number>;
  /** `SETRANGE key offset value` */
  setrange(key: Word, offset: Word, value: Word): Promise<number>;
  /** `SHUTDOWN [<NOSAVE | SAVE>] [NOW] [FORCE] [ABORT]` */
  shutdown(...rest: Word[]): Promise<Value>;
  /** `SINTER key [key ...]` */
  sinter(key: Word, ...rest: Word[]): Promise<readonly (string | Uint8Array)[]>;
  /** `SINTERCARD numkeys key [key ...] [LIMIT limit]` */
  sintercard(numkeys: Word, key: Word, ...rest: Word[]): Promise<number>;
  /** `SINTERSTORE destination key [key ...]` */
  sinterstore(destination: Word, key: Word, ...rest: Word[]): Promise<number>;
  /** `SISMEMBER key member` */
  sismember(key: Word, member: Word): Promise<number>;
  /** `SLAVEOF <host port | NO ONE>` */
  slaveof(...rest: Word[]): Promise<Value>;
  /** `SLOWLOG GET [count]` */
  slowlogGet(...rest: Word[]): Promise<Value>;
  /** `SLOWLOG HELP` */
  slowlogHelp(): Promise<Value>;
  /** `SLOWLOG LEN` */
  slowlogLen(): Promise<Value>;
  /** `SLOWLOG RESET` */
  slowlogReset(): Promise<Value>;
  /** `SMEMBERS key` */
  smembers(key: Word): Promise<readonly (string | Uint8Array)[]>;
  /** `SMISMEMBER key member [member ...]` */
  smismember(key: Word, member: Word, ...rest: Word[]): Promise<Value>;
  /** `SMOVE source destination member` */
  smove(source: Word, destination: Word, member: Word): Promise<number>;
  /** `SORT key [BY by-pattern] [LIMIT offset count] [GET get-pattern [GET get-pattern ...]]
   * [ASC | DESC] [ALPHA] [STORE destination]` */
  sort(key: Word, ...rest: Word[]): Promise<Value>;
  /** `SORT_RO key [BY by-pattern] [LIMIT offset count] [GET get-pattern [GET get-pattern ...]]
   * [ASC | DESC] [ALPHA]` */
  sort_ro(key: Word, ...rest: Word[]): Promise<Value>;
  /** `SPOP key [count]` */
  spop(key: Word, ...rest: Word[]): Promise<Value>;
  /** `SPUBLISH shardchannel message` */
  spublish(shardchannel: Word, message: Word): Promise<number>;
  /** `SRANDMEMBER key [count]` */
  srandmember(key: Word, ...rest: Word[]): Promise<Value>;
  /** `SREM key member [member ...]` */
  srem(key: Word, member: Word, ...rest: Word[]): Promise<number>;
  /** `SSCAN key cursor [MATCH pattern] [COUNT count]` */
  sscan(
    key: Word,
    cursor: Word,
    ...rest: Word[]
  ): Promise<readonly [string, readonly (string | Uint8Array)[]]>;
  /** `STRLEN key` */
  strlen(key: Word): Promise<number>;
  /** `SUBSTR key start end` */
  substr(key: Word, start: Word, end: Word): Promise<string | Uint8Array>;
  /** `SUNION key [key ...]` */
  sunion(key: Word, ...rest: Word[]): Promise<readonly (string | Uint8Array)[]>;
  /** `SUNIONCARD numkeys key [key ...] [APPROX] [LIMIT limit]` */
  sunioncard(numkeys: Word, key: Word, ...rest: Word[]): Promise<Value>;
  /** `SUNIONSTORE destination key [key ...]` */
  sunionstore(destination: Word, key: Word, ...rest: Word[]): Promise<number>;
  /** `SWAPDB index1 index2` */
  swapdb(index1: Word, index2: Word): Promise<string | null>;
  /** `TIME` */
  time(): Promise<Value>;
  /** `TOUCH key [key ...]` */
  touch(key: Word, ...rest: Word[]): Promise<number>;
  /** `TTL key` */
  ttl(key: Word): Promise<number>;
  /** `TYPE key` */
  type(key: Word): Promise<string>;
  /** `UNLINK key [key ...]` */
  unlink(key: Word, ...rest: Word[]): Promise<number>;
  /** `WAIT numreplicas timeout` */
  wait(numreplicas: Word, timeout: Word): Promise<number>;
  /** `WAITAOF numlocal numreplicas timeout` */
  waitaof(numlocal: Word, numreplicas: Word, timeout: Word): Promise<Value>;
  /** `XACK key group id [id ...]` */
  xack(key: Word, group: Word, id: Word, ...rest: Word[]): Promise<number>;
  /** `XACKDEL key group [KEEPREF | DELREF | ACKED] IDS numids id [id ...]` */
  xackdel(key: Word, group: Word, ...rest: Word[]): Promise<Value>;
  /** `XADD key [NOMKSTREAM] [KEEPREF | DELREF | ACKED] [IDMPAUTO pid | IDMP pid iid] [<MAXLEN |
   * MINID> [= | ~] threshold [LIMIT count]] <* | id> field value [field value ...]` */
  xadd(key: Word, ...rest: Word[]): Promise<Value>;
  /** `XAUTOCLAIM key group consumer min-idle-time start [COUNT count] [JUSTID]` */
  xautoclaim(
    key: Word,
    group: Word,
    consumer: Word,
    minIdleTime: Word,
    start: Word,
    ...rest: Word[]
  ): Promise<Value>;
  /** `XCFGSET key [IDMP-DURATION idmp-duration] [IDMP-MAXSIZE idmp-maxsize]` */
  xcfgset(key: Word, ...rest: Word[]): Promise<Value>;
  /** `XCLAIM key group consumer min-idle-time id [id ...] [IDLE ms] [TIME
   * unix-time-milliseconds] [RETRYCOUNT count] [FORCE] [JUSTID] [LASTID lastid]` */
  xclaim(
    key: Word,
    group: Word,
    consumer: Word,
    minIdleTime: Word,
    id: Word,
    ...rest: Word[]
  ): Promise<Value>;
  /** `XDEL key id [id ...]` */
  xdel(key: Word, id: Word, ...rest: Word[]): Promise<number>;
  /** `XDELEX key [KEEPREF | DELREF | ACKED] IDS numids id [id ...]` */
  xdelex(key: Word, ...rest: Word[]): Promise<Value>;
  /** `XGROUP CREATE key group <id | $> [MKSTREAM] [ENTRIESREAD entries-read]` */
  xgroupCreate(key: Word, group: Word, ...rest: Word[]): Promise<Value>;
  /** `XGROUP CREATECONSUMER key group consumer` */
  xgroupCreateconsumer(key: Word, group: Word, consumer: Word): Promise<Value>;
  /** `XGROUP DELCONSUMER key group consumer` */
  xgroupDelconsumer(key: Word, group: Word, consumer: Word): Promise<Value>;
  /** `XGROUP DESTROY key group` */
  xgroupDestroy(key: Word, group: Word): Promise<Value>;
  /** `XGROUP HELP` */
  xgroupHelp(): Promise<Value>;
  /** `XGROUP SETID key group <id | $> [ENTRIESREAD entries-read]` */
  xgroupSetid(key: Word, group: Word, ...rest: Word[]): Promise<Value>;
  /** `XIDMPRECORD key pid iid stream-id` */
  xidmprecord(key: Word, pid: Word, iid: Word, streamId: Word): Promise<Value>;
  /** `XINFO CONSUMERS key group` */
  xinfoConsumers(key: Word, group: Word): Promise<Value>;
  /** `XINFO GROUPS key` */
  xinfoGroups(key: Word): Promise<Value>;
  /** `XINFO HELP` */
  xinfoHelp(): Promise<Value>;
  /** `XINFO STREAM key [FULL [COUNT count]]` */
  xinfoStream(key: Word, ...rest: Word[]): Promise<Value>;
  /** `XLEN key` */
  xlen(key: Word): Promise<number>;
  /** `XNACK key group <SILENT | FAIL | FATAL> IDS numids id [id ...] [RETRYCOUNT count] [FORCE]` */
  xnack(key: Word, group: Word, ...rest: Word[]): Promise<Value>;
  /** `XPENDING key group [[IDLE min-idle-time] start end count [consumer]]` */
  xpending(key: Word, group: Word, ...rest: Word[]): Promise<Value>;
  /** `XRANGE key start end [COUNT count]` */
  xrange(key: Word, start: Word, end: Word, ...rest: Word[]): Promise<Value>;
  /** `XREAD [COUNT count] [MAXCOUNT maxcount] [MAXSIZE maxsize] [BLOCK milliseconds] STREAMS
   * key [key ...] id [id ...]` */
  xread(...rest: Word[]): Promise<Value>;
  /** `XREADGROUP GROUP group consumer [COUNT count] [MAXCOUNT maxcount] [MAXSIZE maxsize]
   * [BLOCK milliseconds] [CLAIM min-idle-time] [NOACK] STREAMS key [key ...] id [id ...]` */
  xreadgroup(...rest: Word[]): Promise<Value>;
  /** `XREVRANGE key end start [COUNT count]` */
  xrevrange(key: Word, end: Word, start: Word, ...rest: Word[]): Promise<Value>;
  /** `XSETID key last-id [ENTRIESADDED entries-added] [MAXDELETEDID max-deleted-id]` */
  xsetid(key: Word, lastId: Word, ...rest: Word[]): Promise<Value>;
  /** `XTRIM key <MAXLEN | MINID> [= | ~] threshold [LIMIT count] [KEEPREF | DELREF | ACKED]` */
  xtrim(key: Word, ...rest: Word[]): Promise<number>;
  /** `ZADD key [NX | XX] [GT | LT] [CH] [INCR] score member [score member ...]` */
  zadd(key: Word, ...rest: Word[]): Promise<number | null>;
  /** `ZCARD key` */
  zcard(key: Word): Promise<number>;
  /** `ZCOUNT key min max` */
  zcount(key: Word, min: Word, max: Word): Promise<number>;
  /** `ZDIFF numkeys key [key ...] [WITHSCORES]` */
  zdiff(numkeys: Word, key: Word, ...rest: Word[]): Promise<Value>;
  /** `ZDIFFSTORE destination numkeys key [key ...]` */
  zdiffstore(destination: Word, numkeys: Word, key: Word, ...rest: Word[]): Promise<number>;
  /** `ZINCRBY key increment member` */
  zincrby(key: Word, increment: Word, member: Word): Promise<number | null>;
  /** `ZINTER numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE SUM | MIN | MAX |
   * COUNT] [WITHSCORES]` */
  zinter(numkeys: Word, key: Word, ...rest: Word[]): Promise<Value>;
  /** `ZINTERCARD numkeys key [key ...] [LIMIT limit]` */
  zintercard(numkeys: Word, key: Word, ...rest: Word[]): Promise<number>;
  /** `ZINTERSTORE destination numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE
   * SUM | MIN | MAX | COUNT]` */
  zinterstore(destination: Word, numkeys: Word, key: Word, ...rest: Word[]): Promise<number>;
  /** `ZLEXCOUNT key min max` */
  zlexcount(key: Word, min: Word, max: Word): Promise<number>;
  /** `ZMPOP numkeys key [key ...] MIN | MAX [COUNT count]` */
  zmpop(numkeys: Word, key: Word, ...rest: Word[]): Promise<Value>;
  /** `ZMSCORE key member [member ...]` */
  zmscore(key: Word, member: Word, ...rest: Word[]): Promise<Value>;
  /** `ZPOPMAX key [count]` */
  zpopmax(key: Word, ...rest: Word[]): Promise<Value>;
  /** `ZPOPMIN key [count]` */
  zpopmin(key: Word, ...rest: Word[]): Promise<Value>;
  /** `ZRANDMEMBER key [count [WITHSCORES]]` */
  zrandmember(key: Word, ...rest: Word[]): Promise<Value>;
  /** `ZRANGE key start stop [BYSCORE | BYLEX] [REV] [LIMIT offset count] [WITHSCORES]` */
  zrange(key: Word, start: Word, stop: Word, ...rest: Word[]): Promise<Value>;
  /** `ZRANGEBYLEX key min max [LIMIT offset count]` */
  zrangebylex(key: Word, min: Word, max: Word, ...rest: Word[]): Promise<Value>;
  /** `ZRANGEBYSCORE key min max [WITHSCORES] [LIMIT offset count]` */
  zrangebyscore(key: Word, min: Word, max: Word, ...rest: Word[]): Promise<Value>;
  /** `ZRANGESTORE dst src min max [BYSCORE | BYLEX] [REV] [LIMIT offset count]` */
  zrangestore(dst: Word, src: Word, min: Word, max: Word, ...rest: Word[]): Promise<number>;
  /** `ZRANK key member [WITHSCORE]` */
  zrank(key: Word, member: Word, ...rest: Word[]): Promise<Value>;
  /** `ZREM key member [member ...]` */
  zrem(key: Word, member: Word, ...rest: Word[]): Promise<number>;
  /** `ZREMRANGEBYLEX key min max` */
  zremrangebylex(key: Word, min: Word, max: Word): Promise<number>;
  /** `ZREMRANGEBYRANK key start stop` */
  zremrangebyrank(key: Word, start: Word, stop: Word): Promise<number>;
  /** `ZREMRANGEBYSCORE key min max` */
  zremrangebyscore(key: Word, min: Word, max: Word): Promise<number>;
  /** `ZREVRANGE key start stop [WITHSCORES]` */
  zrevrange(key: Word, start: Word, stop: Word, ...rest: Word[]): Promise<Value>;
  /** `ZREVRANGEBYLEX key max min [LIMIT offset count]` */
  zrevrangebylex(key: Word, max: Word, min: Word, ...rest: Word[]): Promise<Value>;
  /** `ZREVRANGEBYSCORE key max min [WITHSCORES] [LIMIT offset count]` */
  zrevrangebyscore(key: Word, max: Word, min: Word, ...rest: Word[]): Promise<Value>;
  /** `ZREVRANK key member [WITHSCORE]` */
  zrevrank(key: Word, member: Word, ...rest: Word[]): Promise<Value>;
  /** `ZSCAN key cursor [MATCH pattern] [COUNT count]` */
  zscan(
    key: Word,
    cursor: Word,
    ...rest: Word[]
  ): Promise<readonly [string, readonly (string | Uint8Array)[]]>;
  /** `ZSCORE key member` */
  zscore(key: Word, member: Word): Promise<number | null>;
  /** `ZUNION numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE SUM | MIN | MAX |
   * COUNT] [WITHSCORES]` */
  zunion(numkeys: Word, key: Word, ...rest: Word[]): Promise<Value>;
  /** `ZUNIONSTORE destination numkeys key [key ...] [WEIGHTS weight [weight ...]] [AGGREGATE
   * SUM | MIN | MAX | COUNT]` */
  zunionstore(destination: Word, numkeys: Word, key: Word, ...rest: Word[]): Promise<number>;
}
