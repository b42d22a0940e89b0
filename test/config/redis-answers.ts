// What redis-server 7.2.6 answered, recorded: to lines of a configuration file, to command lines,
// to CONFIG SET and to CONFIG REWRITE.

/** A line, and the sentence that refuses it; null where Redis takes it. */
// biome-ignore format: a table, one row per line.
export const LINES: readonly (readonly [line: string, refusal: string | null])[] = [
  ['foo bar', 'Bad directive or wrong number of arguments'],
  ['port', 'wrong number of arguments'],
  ['port 1 2', 'wrong number of arguments'],
  ['port abc', "argument couldn't be parsed into an integer"],
  ['port 70000', 'argument must be between 0 and 65535 inclusive'],
  ['port -1', 'argument must be between 0 and 65535 inclusive'],
  ['port 08', "argument couldn't be parsed into an integer"],
  ['port "6379', 'Unbalanced quotes in configuration line'],
  ["port '6379'x", 'Unbalanced quotes in configuration line'],
  ['maxmemory 1x', 'argument must be a memory value'],
  ['maxmemory -1', 'argument must be a memory value'],
  ['maxmemory 99999999999999999999gb', null],
  ['maxmemory ""', null],
  ['maxmemory 1GB', null],
  ['maxclients 0', 'argument must be between 1 and 4294967295 inclusive'],
  ['maxclients -1', 'argument must be between 1 and 4294967295 inclusive'],
  ['maxclients 4294967296', 'argument must be between 1 and 4294967295 inclusive'],
  ['hz 99999999999', 'argument must be between 0 and 2147483647 inclusive'],
  ['databases 0', 'argument must be between 1 and 2147483647 inclusive'],
  ['tcp-keepalive -1', 'argument must be between 0 and 2147483647 inclusive'],
  ['unixsocketperm 888', "argument couldn't be parsed as an octal number"],
  ['unixsocketperm 1000', 'argument must be between 0 and 777 inclusive'],
  ['unixsocketperm -1', 'argument must be between 0 and 777 inclusive'],
  ['unixsocketperm 700', null],
  ['maxmemory-clients 101%', 'percentage argument must be less or equal to 100'],
  ['maxmemory-clients x%', 'argument must be a memory or percent value'],
  ['maxmemory-clients 50%', null],
  ['proto-max-bulk-len 1mb', null],
  ['proto-max-bulk-len 1m', 'argument must be between 1048576 and 9223372036854775807 inclusive'],
  ['proto-max-bulk-len 1kb', 'argument must be between 1048576 and 9223372036854775807 inclusive'],
  [
    'proto-max-bulk-len 9223372036854775808',
    'argument must be between 1048576 and 9223372036854775807 inclusive',
  ],
  [
    'client-query-buffer-limit 1',
    'argument must be between 1048576 and 9223372036854775807 inclusive',
  ],
  ['list-max-listpack-size -6', null],
  [
    'list-max-listpack-size 2147483648',
    'argument must be between -2147483648 and 2147483647 inclusive',
  ],
  ['active-expire-effort 11', 'argument must be between 1 and 10 inclusive'],
  ['slowlog-log-slower-than -2', 'argument must be between -1 and 9223372036854775807 inclusive'],
  ['slowlog-max-len -1', 'argument must be between 0 and 9223372036854775807 inclusive'],
  ['appendonly maybe', "argument must be 'yes' or 'no'"],
  ['protected-mode YES', null],
  [
    'loglevel loud',
    'argument(s) must be one of the following: debug, verbose, notice, warning, nothing',
  ],
  ['loglevel NOTICE', null],
  [
    'maxmemory-policy lru',
    'argument(s) must be one of the following: volatile-lru, volatile-lfu, volatile-random, ' +
      'volatile-ttl, allkeys-lru, allkeys-lfu, allkeys-random, noeviction, volatile-lrm, ' +
      'allkeys-lrm',
  ],
  ['appendfsync sometimes', 'argument(s) must be one of the following: everysec, always, no'],
  [
    'shutdown-on-sigterm save nosave',
    "shutdown options SAVE and NOSAVE can't be used simultaneously",
  ],
  [
    'shutdown-on-sigterm save bogus',
    'argument(s) must be one of the following: default, save, nosave, now, force',
  ],
  [
    'shutdown-on-sigterm ""',
    'argument(s) must be one of the following: default, save, nosave, now, force',
  ],
  [
    'shutdown-on-sigterm',
    'argument(s) must be one of the following: default, save, nosave, now, force',
  ],
  ['shutdown-on-sigterm "nosave now"', null],
  ['oom-score-adj relative', null],
  ['oom-score-adj-values 1 2', 'wrong number of arguments'],
  [
    'oom-score-adj-values 1 2 3000',
    'Invalid oom-score-adj-values, elements must be between -2000 and 2000.',
  ],
  [
    'oom-score-adj-values 1 2 x',
    'Invalid oom-score-adj-values, elements must be between -2000 and 2000.',
  ],
  ['save 1', 'Invalid save parameters'],
  ['save a b', 'Invalid save parameters'],
  ['save 0 1', 'Invalid save parameters'],
  ['save 1 -1', 'Invalid save parameters'],
  ['save ""', null],
  ['save', null],
  ['save "900 1 300 10"', null],
  ['save 900 1 300', 'Invalid save parameters'],
  ['bind 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17', 'Too many bind addresses specified.'],
  ['bind ""', null],
  [
    'client-output-buffer-limit normal 1 2',
    'Wrong number of arguments in buffer limit configuration.',
  ],
  [
    'client-output-buffer-limit master 1 2 3',
    'Invalid client class specified in buffer limit configuration.',
  ],
  [
    'client-output-buffer-limit normal x 2 3',
    'Error in hard, soft or soft_seconds setting in buffer limit configuration.',
  ],
  [
    'client-output-buffer-limit normal 1 2 -3',
    'Error in hard, soft or soft_seconds setting in buffer limit configuration.',
  ],
  ['client-output-buffer-limit normal 1mb 2k 3 replica 0 0 0', null],
  ['notify-keyspace-events q', "Invalid event class character. Use 'Ag$lshzxeKEtmdn'."],
  ['notify-keyspace-events K E', 'wrong number of arguments'],
  ['latency-tracking-info-percentiles a', 'Invalid latency-tracking-info-percentiles parameters'],
  [
    'latency-tracking-info-percentiles 101',
    'latency-tracking-info-percentiles parameters should sit between [0.0,100.0]',
  ],
  [
    'latency-tracking-info-percentiles -1',
    'latency-tracking-info-percentiles parameters should sit between [0.0,100.0]',
  ],
  ['latency-tracking-info-percentiles ""', null],
  ['latency-tracking-info-percentiles 50 99.99', null],
  ['dbfilename a/b', "dbfilename can't be a path, just a filename"],
  ['appendfilename ""', "appendfilename can't be empty"],
  ['appendfilename a/b', "appendfilename can't be a path, just a filename"],
  ['appenddirname ""', "appenddirname can't be empty"],
  ['appenddirname a\\b', "appenddirname can't be a path, just a dirname"],
  [
    'cluster-announce-hostname a_b',
    'Hostnames may only contain alphanumeric characters, hyphens or dots',
  ],
  ['cluster-announce-human-nodename a;b', 'Announced human node name contained invalid character'],
  ['proc-title-template {nope}', 'template format is invalid or contains unknown variables'],
  ['proc-title-template "{title}"', 'template format is invalid or contains unknown variables'],
  ['proc-title-template {{', null],
  ['proc-title-template "{title} x"', null],
  ['dir /definitely/not/here', 'No such file or directory'],
  ['dir /etc/passwd', 'Not a directory'],
  ['dir ""', 'No such file or directory'],
  ['replicaof a', 'wrong number of arguments'],
  ['replicaof a 99999', 'Invalid master port'],
  ['replicaof a b', 'Invalid master port'],
  ['replicaof no one', null],
  ['include', 'Bad directive or wrong number of arguments'],
  ['include a b', 'Bad directive or wrong number of arguments'],
  ['rename-command get', 'Bad directive or wrong number of arguments'],
  ['rename-command nosuch x', 'No such command in rename-command'],
  ['rename-command get set', 'Target command name already exists'],
  ['rename-command get ""', null],
  ['user', 'Bad directive or wrong number of arguments'],
  ['loadmodule', 'Bad directive or wrong number of arguments'],
  ['foo.bar', 'Module config specified without value'],
  ['sentinel', null],
  ['sentinel monitor a b c d', 'sentinel directive while not in sentinel mode'],
  ['list-max-ziplist-entries 5', null],
  ['list-max-ziplist-entries', 'Bad directive or wrong number of arguments'],
  ['lua-replicate-commands yes', null],
  ['slaveof no one', null],
  ['slave-priority x', "argument couldn't be parsed into an integer"],
  ['requirepass "a\\x41\\n\\"b"', null],
  ["requirepass 'a\\'b\\n'", null],
  ['requirepass a"b"', null],
  ['requirepass "a"b', 'Unbalanced quotes in configuration line'],
  ['io-threads 0', 'argument must be between 1 and 128 inclusive'],
  ['io-threads 129', 'argument must be between 1 and 128 inclusive'],
];

/** Arguments, and what follows the first line of the error block. */
// biome-ignore format: a table, one row per command line.
export const COMMAND_LINES: readonly (readonly [
  args: readonly string[],
  block: readonly string[],
])[] = [
  [
    ['--port'],
    [
      'Reading the configuration file, at line 2',
      ">>> 'port'",
      'wrong number of arguments',
    ],
  ],
  [
    ['--port', 'abc'],
    [
      'Reading the configuration file, at line 2',
      '>>> \'port "abc"\'',
      "argument couldn't be parsed into an integer",
    ],
  ],
  [
    ['--port abc'],
    [
      'Reading the configuration file, at line 2',
      ">>> 'port abc'",
      "argument couldn't be parsed into an integer",
    ],
  ],
  [
    ['--foo', 'bar'],
    [
      'Reading the configuration file, at line 2',
      '>>> \'foo "bar"\'',
      'Bad directive or wrong number of arguments',
    ],
  ],
  [
    ['--save', '--zzz'],
    [
      'Reading the configuration file, at line 3',
      ">>> 'zzz'",
      'Bad directive or wrong number of arguments',
    ],
  ],
  [
    ['--port', 'abc', '--save'],
    [
      'Reading the configuration file, at line 2',
      '>>> \'port "abc"\'',
      "argument couldn't be parsed into an integer",
    ],
  ],
  [
    ['--save', '', '--zzz'],
    [
      'Reading the configuration file, at line 3',
      ">>> 'zzz'",
      'Bad directive or wrong number of arguments',
    ],
  ],
  [
    ['--save', '1'],
    [
      'Reading the configuration file, at line 2',
      '>>> \'save "1"\'',
      'Invalid save parameters',
    ],
  ],
  [
    ['--port', '--save'],
    [
      'Reading the configuration file, at line 2',
      '>>> \'port "--save"\'',
      "argument couldn't be parsed into an integer",
    ],
  ],
  [
    ['--port', '1', '2', '--zzz'],
    [
      'Reading the configuration file, at line 2',
      '>>> \'port "1" "2"\'',
      'wrong number of arguments',
    ],
  ],
  [
    ['--', 'x'],
    [
      'Reading the configuration file, at line 2',
      '>>> \'"x"\'',
      'Bad directive or wrong number of arguments',
    ],
  ],
  [
    ['--port', '6379', '-', 'x'],
    [
      'Reading the configuration file, at line 2',
      '>>> \'port "6379" "-" "x"\'',
      'wrong number of arguments',
    ],
  ],
  [
    ['--bind', 'a b', '--zzz'],
    [
      'Reading the configuration file, at line 3',
      ">>> 'zzz'",
      'Bad directive or wrong number of arguments',
    ],
  ],
  [
    ['--bind', 'a', '--b', '--zzz'],
    [
      'Reading the configuration file, at line 3',
      '>>> \'b "--zzz"\'',
      'Bad directive or wrong number of arguments',
    ],
  ],
  [
    ['--client-output-buffer-limit', 'normal', '1', '1', '--zzz'],
    [
      'Reading the configuration file, at line 2',
      '>>> \'client-output-buffer-limit "normal" "1" "1"\'',
      'Wrong number of arguments in buffer limit configuration.',
    ],
  ],
  [
    ['--requirepass', 'a"b', 'x'],
    [
      'Reading the configuration file, at line 2',
      '>>> \'requirepass "a\\"b" "x"\'',
      'wrong number of arguments',
    ],
  ],
  [
    ['--shutdown-on-sigint', 'nosave', 'force', '--zzz'],
    [
      'Reading the configuration file, at line 3',
      ">>> 'zzz'",
      'Bad directive or wrong number of arguments',
    ],
  ],
  [
    ['-x'],
    [
      'Reading the configuration file, at line 2',
      '>>> \'"-x"\'',
      'Bad directive or wrong number of arguments',
    ],
  ],
  [
    ['-', 'x'],
    [
      'Reading the configuration file, at line 2',
      '>>> \'"x"\'',
      'Bad directive or wrong number of arguments',
    ],
  ],
];

/** Names and values, the reply, and what CONFIG GET then says of the first name. */
// biome-ignore format: a table, one row per call.
export const CHANGES: readonly (readonly [
  pairs: readonly string[],
  reply: string,
  value: string | null,
])[] = [
  [['foo', '1'], "ERR Unknown option or number of arguments for CONFIG SET - 'foo'", null],
  [
    ['maxmemory', '1', 'foo', '2'],
    "ERR Unknown option or number of arguments for CONFIG SET - 'foo'",
    '0',
  ],
  [['maxmemory', '1', 'bar'], 'ERR syntax error', '0'],
  [
    ['maxmemory', 'x'],
    "ERR CONFIG SET failed (possibly related to argument 'maxmemory') - argument must be a " +
      "memory value",
    '0',
  ],
  [
    ['MaxMemory', 'x'],
    "ERR CONFIG SET failed (possibly related to argument 'maxmemory') - argument must be a " +
      "memory value",
    '0',
  ],
  [
    ['maxmemory', '1', 'MAXMEMORY', '2'],
    "ERR CONFIG SET failed (possibly related to argument 'MAXMEMORY') - duplicate parameter",
    '0',
  ],
  [
    ['maxmemory', '1', 'maxmemory', '2'],
    "ERR CONFIG SET failed (possibly related to argument 'maxmemory') - duplicate parameter",
    '0',
  ],
  [
    ['databases', '5'],
    "ERR CONFIG SET failed (possibly related to argument 'databases') - can't set immutable " +
      "config",
    '16',
  ],
  [
    ['port-x', '1', 'databases', '2'],
    "ERR Unknown option or number of arguments for CONFIG SET - 'port-x'",
    null,
  ],
  [
    ['databases', '5', 'foo', '1'],
    "ERR CONFIG SET failed (possibly related to argument 'databases') - can't set immutable " +
      "config",
    '16',
  ],
  [['hz', '5000'], 'OK', '500'],
  [['hz', '0'], 'OK', '1'],
  [
    ['hz', 'abc'],
    "ERR CONFIG SET failed (possibly related to argument 'hz') - argument couldn't be parsed " +
      "into an integer",
    '1',
  ],
  [
    ['maxmemory', '10mb', 'timeout', '-1'],
    "ERR CONFIG SET failed (possibly related to argument 'timeout') - argument must be " +
      "between 0 and 2147483647 inclusive",
    '0',
  ],
  [
    ['slave-priority', 'x'],
    "ERR CONFIG SET failed (possibly related to argument 'slave-priority') - argument " +
      "couldn't be parsed into an integer",
    '100',
  ],
  [['replica-priority', '5', 'slave-priority', '7'], 'OK', '7'],
  [['save', '900 1 300 10'], 'OK', '900 1 300 10'],
  [
    ['save', '900  1'],
    "ERR CONFIG SET failed (possibly related to argument 'save') - Invalid save parameters",
    '900 1 300 10',
  ],
  [
    ['save', '900'],
    "ERR CONFIG SET failed (possibly related to argument 'save') - Invalid save parameters",
    '900 1 300 10',
  ],
  [['save', ''], 'OK', ''],
  [
    ['client-output-buffer-limit', 'normal 1mb 2mb 60'],
    'OK',
    'normal 1048576 2097152 60 slave 268435456 67108864 60 pubsub 33554432 8388608 60',
  ],
  [
    ['client-output-buffer-limit', 'normal 1mb 2mb'],
    "ERR CONFIG SET failed (possibly related to argument 'client-output-buffer-limit') - " +
      "Wrong number of arguments in buffer limit configuration.",
    'normal 1048576 2097152 60 slave 268435456 67108864 60 pubsub 33554432 8388608 60',
  ],
  [
    ['client-output-buffer-limit', 'slave 1 2 3 normal 4 5 x'],
    "ERR CONFIG SET failed (possibly related to argument 'client-output-buffer-limit') - " +
      "Error in hard, soft or soft_seconds setting in buffer limit configuration.",
    'normal 1048576 2097152 60 slave 268435456 67108864 60 pubsub 33554432 8388608 60',
  ],
  [
    ['client-output-buffer-limit', 'replica 1gb 1k 9 pubsub 0 0 0'],
    'OK',
    'normal 1048576 2097152 60 slave 1073741824 1000 9 pubsub 0 0 0',
  ],
  [['maxmemory-clients', '5%'], 'OK', '5%'],
  [['maxmemory-clients', '3k'], 'OK', '3000'],
  [['maxmemory-clients', '0%'], 'OK', '0'],
  [
    ['loglevel', 'bad'],
    "ERR CONFIG SET failed (possibly related to argument 'loglevel') - argument(s) must be " +
      "one of the following: debug, verbose, notice, warning, nothing",
    'notice',
  ],
  [['loglevel', 'VERBOSE'], 'OK', 'verbose'],
  [['oom-score-adj', 'relative'], 'OK', 'yes'],
  [['shutdown-on-sigterm', 'force save'], 'OK', 'save force'],
  [['shutdown-on-sigterm', 'default'], 'OK', 'default'],
  [
    ['shutdown-on-sigterm', ''],
    "ERR CONFIG SET failed (possibly related to argument 'shutdown-on-sigterm') - " +
      "argument(s) must be one of the following: default, save, nosave, now, force",
    'default',
  ],
  [['notify-keyspace-events', 'KEA'], 'OK', 'AKE'],
  [['notify-keyspace-events', 'gnKx'], 'OK', 'gxnK'],
  [['notify-keyspace-events', 'An'], 'OK', 'A'],
  [['notify-keyspace-events', ''], 'OK', ''],
  [['latency-tracking-info-percentiles', '50 99.123456789 0'], 'OK', '50 99.123457 0'],
  [['latency-tracking-info-percentiles', ''], 'OK', ''],
  [
    ['latency-tracking-info-percentiles', '5 x'],
    "ERR CONFIG SET failed (possibly related to argument " +
      "'latency-tracking-info-percentiles') - Invalid latency-tracking-info-percentiles parameters",
    '',
  ],
  [['requirepass', ''], 'OK', ''],
  [
    ['dir', '/nope'],
    "ERR CONFIG SET failed (possibly related to argument 'dir') - No such file or directory",
    '/start',
  ],
  [
    ['unixsocketperm', '7'],
    "ERR CONFIG SET failed (possibly related to argument 'unixsocketperm') - can't set " +
      "immutable config",
    '0',
  ],
  [['maxmemory', '18446744073709551615'], 'OK', '18446744073709551615'],
  [['maxmemory', '0'], 'OK', '0'],
  [['slowlog-log-slower-than', '9223372036854775807'], 'OK', '9223372036854775807'],
  [
    ['oom-score-adj-values', '-1000 0  5'],
    "ERR CONFIG SET failed (possibly related to argument 'oom-score-adj-values') - wrong " +
      "number of arguments",
    '0 200 800',
  ],
  [
    ['set-max-listpack-value', '1kb'],
    "ERR CONFIG SET failed (possibly related to argument 'set-max-listpack-value') - " +
      "argument couldn't be parsed into an integer",
    '64',
  ],
  [['hash-max-ziplist-value', '1kb'], 'OK', '1024'],
  [
    ['appendonly', 'perhaps'],
    "ERR CONFIG SET failed (possibly related to argument 'appendonly') - argument must be " +
      "'yes' or 'no'",
    'no',
  ],
  [
    ['watchdog-period', '-1'],
    "ERR CONFIG SET failed (possibly related to argument 'watchdog-period') - argument must " +
      "be between 0 and 2147483647 inclusive",
    '0',
  ],
  [['lua-time-limit', '77'], 'OK', '77'],
];

/**
 * A file, and what it became once CONFIG SET had changed timeout to 9 and tcp-keepalive to 301. The
 * server was started in /start with --port 0; its `user` line is left out.
 */
export const REWRITES: readonly { readonly before: string; readonly after: string }[] = [
  {
    before: [
      '# My server\n',
      'port 0\n',
      '\n',
      '# memory, in megabytes\n',
      'MAXMEMORY   100mb\n',
      'slave-priority 50\n',
      'save 900 1\n',
      'save 300 10\n',
      'timeout 5\n',
      'timeout 6\n',
      'unknown thing\n',
      '\n',
      '\n',
      'rename-command get obtain\n',
      'requirepass "a b\\"c\\x00d"\n',
      'hz 10\n',
    ].join(''),
    after: [
      '# My server\n',
      'port 0\n',
      '\n',
      '# memory, in megabytes\n',
      'maxmemory 100mb\n',
      'replica-priority 50\n',
      'save 900 1\n',
      'save 300 10\n',
      'timeout 9\n',
      '\n',
      '# ??? unknown thing\n',
      '\n',
      'rename-command get obtain\n',
      'requirepass "a b\\"c\\x00d"\n',
      'hz 10\n',
      '\n',
      '# Generated by CONFIG REWRITE\n',
      'latency-tracking-info-percentiles 50 99 99.9\n',
      'dir "/start"\n',
      'tcp-keepalive 301\n',
    ].join(''),
  },
  {
    before: [].join(''),
    after: [
      '# Generated by CONFIG REWRITE\n',
      'dir "/start"\n',
      'port 0\n',
      'tcp-keepalive 301\n',
      'save 3600 1\n',
      'save 300 100\n',
      'save 60 10000\n',
      'timeout 9\n',
      'latency-tracking-info-percentiles 50 99 99.9\n',
    ].join(''),
  },
  {
    before: [
      'maxmemory-clients 10%\n',
      '# Generated by CONFIG REWRITE\n',
      'latency-tracking-info-percentiles 50\n',
      'bind 127.0.0.1 -::1\n',
      'client-output-buffer-limit slave 256mb 64mb 60\n',
      'loglevel VERBOSE\n',
      'shutdown-on-sigterm "save now"',
    ].join(''),
    after: [
      'maxmemory-clients 10%\n',
      '# Generated by CONFIG REWRITE\n',
      'latency-tracking-info-percentiles 50\n',
      'bind 127.0.0.1 -::1\n',
      'client-output-buffer-limit normal 0 0 0\n',
      'loglevel verbose\n',
      'shutdown-on-sigterm save now\n',
      'tcp-keepalive 301\n',
      'save 3600 1\n',
      'save 300 100\n',
      'save 60 10000\n',
      'timeout 9\n',
      'dir "/start"\n',
      'port 0\n',
    ].join(''),
  },
  {
    before: [
      'save ""\n',
      'appendfsync always\n',
      'unixsocketperm 750\n',
      'notify-keyspace-events KEA\n',
      'dir /\n',
      'hash-max-ziplist-value 2048\n',
      'proto-max-bulk-len 1500000\n',
      'bind ""',
    ].join(''),
    after: [
      'save ""\n',
      'appendfsync always\n',
      'unixsocketperm 750\n',
      'notify-keyspace-events "AKE"\n',
      'dir "/"\n',
      'hash-max-listpack-value 2kb\n',
      'proto-max-bulk-len 1500000\n',
      'bind ""\n',
      '# Generated by CONFIG REWRITE\n',
      'timeout 9\n',
      'latency-tracking-info-percentiles 50 99 99.9\n',
      'tcp-keepalive 301\n',
      'port 0\n',
    ].join(''),
  },
];
