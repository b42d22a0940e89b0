// The command line, read as redis-server reads its own:
//
//   flagstone [file.conf] [--name value ...] [-]
//
// The options become lines of configuration, so that one parser and one set of errors serve both.

import { ConfigError } from './config-error.js';
import { quoteWord, splitWords, toByteText } from './words.js';

export type Action = 'serve' | 'version' | 'help';

export interface CommandLine {
  readonly action: Action;
  /** The configuration file as given; null if none. */
  readonly file: string | null;
  /** Standard input is configuration too, between the file and the options. */
  readonly isStdinWanted: boolean;
  /** Lines of configuration, as byte text. */
  readonly options: string;
}

/** `args` are those after the name of the program. */
export function parseCommandLine(args: readonly string[]): CommandLine {
  const first = args[0] ?? '';
  const action = actionOf(first);
  if (action !== 'serve') return { action, file: null, isStdinWanted: false, options: '' };
  if (args.some((arg) => arg === '--sentinel')) throw new ConfigError(NO_SENTINEL);

  const isFileFirst = args.length > 0 && !first.startsWith('-');
  const reader = new OptionReader(args.map(toByteText));
  reader.read(isFileFirst ? 1 : 0);
  const { isStdinWanted, options } = reader;
  return { action, file: isFileFirst ? first : null, isStdinWanted, options };
}

/** What --version prints. */
export function versionText(serverVersion: string): string {
  return `Flagstone server v=${serverVersion} bits=64 node=${process.versions.node}\n`;
}

/** What --help prints. */
export const HELP_TEXT = `Flagstone: a Redis-compatible server on all cores

Usage: flagstone [file.conf] [--name value ...] [-]
       flagstone -              read the configuration from standard input
       flagstone -v, --version
       flagstone -h, --help
       flagstone top [options]  a view of a running server in the terminal
       flagstone token --user NAME  a signed token for the gateway

The file has the syntax of redis.conf, and every parameter of it may be given
as an option. Of the file, standard input and the options, the last one that
names a parameter counts.

Examples:
       flagstone                                    all defaults, port 6379
       flagstone /etc/flagstone.conf
       flagstone --port 7777 --maxmemory 4gb
       flagstone /etc/flagstone.conf --loglevel verbose
       flagstone --bind 127.0.0.1 -::1 --save ''
       echo 'maxmemory 128mb' | flagstone -

Parameters that Redis does not have:
       --threads <n>            threads that serve, up to 256; 0 is one per core (0)
       --partitions <n>         parts of the keyspace, a power of two (64)
       --partition-size <size>  memory each part may grow to, up to 2gb (2gb)
       --transport <kind>       native, io_uring, epoll, node or auto (auto)
       --watchdog-lock-ms <ms>  report locks held longer; 0 never (1000)
       --tls-threads <n>        threads of encrypted connections; 0 is one per worker (0)
       --gateway-port <port>    WebSocket, HTTP and the dashboard; 0 is off (0)
       --feed-history-bytes <size>  log kept for readers of the change feed
  and gateway-bind, gateway-origins, gateway-tls and others: see docs/gateway.md
`;

const NO_SENTINEL =
  'Flagstone has no Sentinel mode: run the redis-sentinel of Redis, a program of its own';

function actionOf(first: string): Action {
  if (first === '-v' || first === '--version') return 'version';
  return first === '--help' || first === '-h' ? 'help' : 'serve';
}

class OptionReader {
  isStdinWanted = false;
  options = '';
  /** A name that still lacks its value takes the next argument, whatever it looks like. */
  private isValueDue = false;

  constructor(private readonly args: readonly string[]) {}

  read(firstIndex: number): void {
    const { args } = this;
    for (let index = firstIndex; index < args.length; index++) {
      const arg = args[index] ?? '';
      const isAtEdge = index === 0 || index === args.length - 1;
      if (arg === '-' && isAtEdge) {
        this.isStdinWanted = true;
      } else if (!this.isValueDue && arg.startsWith('--')) {
        this.readName(arg, args[index + 1] ?? null);
      } else {
        this.options += `${quoteWord(arg)} `;
        this.isValueDue = false;
      }
    }
  }

  /** `--port`, or name and value in one argument as in `"--port 6380"`. */
  private readName(arg: string, next: string | null): void {
    if (this.options !== '') this.options += '\n';
    this.options += `${arg.slice(2)} `;
    this.isValueDue = splitWords(arg)?.length === 1;

    // Lists of arguments made by programs have `--save` with nothing behind it: it means none.
    const isAlone = next === null || next.startsWith('--');
    if (isAlone && arg.toLowerCase() === '--save') {
      this.options += '""';
      this.isValueDue = false;
    }
  }
}
