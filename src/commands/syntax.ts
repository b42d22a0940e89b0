// From the notation of the manual to the tree of arguments that COMMAND DOCS prints:
//
//   key value [NX | XX] [EX seconds | KEEPTTL]      words, options, choices
//   key value [key value ...]                       the words before the bracket may be repeated
//   <AND | OR> [LIMIT offset count]                 a choice to be made; a token and its words
//
// Words in capitals are tokens. Names of choices and types of words are not in the notation: they
// follow from the words, by the tables at the end.

import type { KeySpec } from '../dispatch/define.js';

export type ArgumentType =
  | 'string'
  | 'integer'
  | 'double'
  | 'key'
  | 'pattern'
  | 'unix-time'
  | 'pure-token'
  | 'oneof'
  | 'block';

export interface Argument {
  readonly name: string;
  readonly type: ArgumentType;
  readonly token?: string;
  /** Index of the key specification that finds this key. */
  readonly keySpec?: number;
  readonly isOptional: boolean;
  readonly isMultiple: boolean;
  /** Is the token repeated with the words? */
  readonly isTokenMultiple: boolean;
  /** Of a choice or a block. */
  readonly parts: readonly Argument[];
}

/** The arguments behind a name that stands at word `nameIndex` (1 for subcommands). */
export function argumentsOf(
  syntax: string,
  nameIndex: number,
  keys: readonly KeySpec[],
): readonly Argument[] {
  const symbols = syntax.match(/\.\.\.|[[\]<>|]|[^\s[\]<>|]+/g) ?? [];
  const parsed = readSequence(symbols, 0);
  const builder = new Builder(keys, nameIndex + 1);
  return builder.sequence(parsed.nodes);
}

// ---- reading -----------------------------------------------------------------------------------

type Node =
  | { readonly kind: 'word'; readonly text: string }
  | { readonly kind: 'dots' }
  | { readonly kind: 'repeat'; readonly nodes: readonly Node[] }
  | {
      readonly kind: 'group';
      readonly isOptional: boolean;
      readonly alternatives: readonly (readonly Node[])[];
    };

/** Reads up to the end, a bar or a closing bracket. */
function readSequence(symbols: readonly string[], start: number): { nodes: Node[]; at: number } {
  const nodes: Node[] = [];
  let at = start;
  for (; at < symbols.length; at++) {
    const symbol = symbols[at]!;
    if (symbol === '|' || symbol === ']' || symbol === '>') break;
    if (symbol === '[' || symbol === '<') {
      const group = readGroup(symbols, at);
      addGroup(nodes, group.node);
      at = group.at;
    } else {
      nodes.push(symbol === '...' ? { kind: 'dots' } : { kind: 'word', text: symbol });
    }
  }
  return { nodes, at };
}

function readGroup(symbols: readonly string[], start: number): { node: Node; at: number } {
  const alternatives: Node[][] = [];
  let at = start;
  do {
    const { nodes, at: end } = readSequence(symbols, at + 1);
    alternatives.push(nodes);
    at = end;
  } while (symbols[at] === '|');
  return { node: { kind: 'group', isOptional: symbols[start] === '[', alternatives }, at };
}

/** A bracket that ends with dots repeats what stands before it, if that is the same. */
function addGroup(nodes: Node[], group: Node): void {
  const only =
    group.kind === 'group' && group.alternatives.length === 1 ? group.alternatives[0]! : [];
  if (only.at(-1)?.kind !== 'dots') {
    nodes.push(group);
    return;
  }
  const repeated = only.slice(0, -1);
  const before = nodes.slice(-repeated.length);
  if (JSON.stringify(before) === JSON.stringify(repeated)) {
    nodes.splice(-repeated.length, repeated.length, { kind: 'repeat', nodes: repeated });
    return;
  }
  const alternatives = [[{ kind: 'repeat', nodes: repeated } as const]];
  nodes.push({ kind: 'group', isOptional: true, alternatives });
}

// ---- building ----------------------------------------------------------------------------------

const UNKNOWN = -1;

class Builder {
  private readonly keys: readonly KeySpec[];
  /** The word that comes next, while every word before it is certain. */
  private position: number;

  constructor(keys: readonly KeySpec[], position: number) {
    this.keys = keys;
    this.position = position;
  }

  sequence(nodes: readonly Node[]): Argument[] {
    const built: Argument[] = [];
    for (let at = 0; at < nodes.length; at++) {
      const node = nodes[at]!;
      if (node.kind === 'word' && isToken(node.text)) {
        const operands = operandsAfter(nodes, at);
        built.push(this.withToken(node.text, operands));
        at += operands.length;
      } else if (node.kind !== 'dots') {
        built.push(this.single(node));
      }
    }
    return built;
  }

  private single(node: Exclude<Node, { kind: 'dots' }>): Argument {
    if (node.kind === 'word') return this.word(node.text);
    if (node.kind === 'group') return this.group(node);
    const parts = this.sequence(node.nodes);
    const repeated = this.together(parts, nameOf(parts, 'data'));
    this.position = UNKNOWN;
    return { ...repeated, isMultiple: true, isTokenMultiple: repeated.token !== undefined };
  }

  private word(text: string): Argument {
    const keySpec = this.keySpecAt(this.position);
    this.advance();
    if (keySpec === UNKNOWN) return plain(text, typeOfName(text));
    return { ...plain(text, 'key'), keySpec };
  }

  private withToken(token: string, operands: readonly Node[]): Argument {
    this.advance();
    if (operands.length === 0) return { ...plain(token.toLowerCase(), 'pure-token'), token };
    const built = this.together(this.sequence(operands), token.toLowerCase());
    const keySpec = this.keySpecOf(token);
    // A token before something that has one itself stands around it.
    if (built.token !== undefined) return { ...block(token.toLowerCase(), [built]), token };
    if (keySpec === UNKNOWN) return { ...built, token };
    return { ...built, token, keySpec, type: built.type === 'string' ? 'key' : built.type };
  }

  private group(node: Extract<Node, { kind: 'group' }>): Argument {
    const { position } = this;
    const choices = node.alternatives.map((nodes) => {
      this.position = position;
      const parts = this.sequence(nodes);
      return this.together(parts, nameOf(parts, parts[0]?.name ?? 'options'));
    });
    const isOneWord = choices.every(({ type }) => type === 'pure-token');
    this.position = node.isOptional || !isOneWord || position === UNKNOWN ? UNKNOWN : position + 1;
    const built =
      choices.length === 1 ? choices[0]! : oneOf(nameOf(choices, choices[0]!.name), choices);
    return node.isOptional ? { ...built, isOptional: true } : built;
  }

  /** One argument as it is, several as a block. */
  private together(built: readonly Argument[], name: string): Argument {
    return built.length === 1 ? built[0]! : block(name, built);
  }

  private advance(): void {
    if (this.position !== UNKNOWN) this.position++;
  }

  private keySpecAt(position: number): number {
    if (position === UNKNOWN) return UNKNOWN;
    return this.keys.findIndex(({ begin, find }) => {
      if (typeof begin !== 'object' || !('index' in begin) || find === 'unknown') return false;
      if (!('lastKey' in find)) return position === begin.index + find.firstKey;
      const past = position - begin.index;
      const last = Math.max(0, find.lastKey);
      return past >= 0 && past <= last && past % find.step === 0;
    });
  }

  private keySpecOf(token: string): number {
    return this.keys.findIndex(
      ({ begin }) => typeof begin === 'object' && 'keyword' in begin && begin.keyword === token,
    );
  }
}

/** What belongs to the token at `at`: words and choices up to the next token or option. */
function operandsAfter(nodes: readonly Node[], at: number): readonly Node[] {
  let end = at + 1;
  for (; end < nodes.length; end++) {
    const node = nodes[end]!;
    if (node.kind === 'word' && isToken(node.text)) break;
    if (node.kind === 'group' && node.isOptional) break;
  }
  return nodes.slice(at + 1, end);
}

function isToken(text: string): boolean {
  return /^[A-Z][A-Z0-9_-]*$/.test(text);
}

function plain(name: string, type: ArgumentType): Argument {
  return { name, type, isOptional: false, isMultiple: false, isTokenMultiple: false, parts: [] };
}

function block(name: string, parts: readonly Argument[]): Argument {
  return { ...plain(name, 'block'), parts };
}

function oneOf(name: string, parts: readonly Argument[]): Argument {
  return { ...plain(name, 'oneof'), parts };
}

/** Names of choices and blocks, by a token or word in them; the first row that fits has it. */
const NAMES: readonly (readonly [string, string])[] = [
  ['NX', 'condition'],
  ['IFEQ', 'condition'],
  ['EX', 'expiration'],
  ['SYNC', 'flush-type'],
  ['BYTE', 'unit'],
  ['BYFLOAT', 'increment'],
  ['EXACT', 'predicate'],
  ['NOCASE', 'options'],
  ['AND', 'operation'],
  ['SKIP', 'action'],
  ['YES', 'skipme'],
  ['ON', 'enabled'],
  ['WRITE', 'mode'],
  ['TIMEOUT', 'unblock-type'],
  ['NOSAVE', 'save-selector'],
  ['NORMAL', 'client-type'],
  ['MODULE', 'filterby'],
  ['ASC', 'order'],
  ['WRAP', 'overflow-block'],
  ['LIB-NAME', 'attr'],
  ['FORCE', 'options'],
  ['HARD', 'reset-type'],
  ['IMPORTING', 'subcommand'],
  ['ID', 'new-format'],
  ['old-format', 'filter'],
  ['host-port', 'args'],
  ['host', 'host-port'],
  ['NO', 'no-one'],
  ['protover', 'arguments'],
  ['start-slot', 'range'],
];

function nameOf(parts: readonly Argument[], otherwise: string): string {
  const row = NAMES.find(([mark]) => parts.some(({ name, token }) => mark === (token ?? name)));
  return row === undefined ? otherwise : row[1];
}

const INTEGERS: ReadonlySet<string> = new Set([
  ...['bit', 'client-id', 'cluster-bus-port', 'config-epoch', 'count', 'cursor', 'decrement'],
  ...['destination-db', 'end', 'end-slot', 'frequency', 'increment', 'index', 'index1', 'index2'],
  ...['integer', 'limit', 'milliseconds', 'min-match-len', 'numkeys', 'numlocal', 'numreplicas'],
  ...['offset', 'port', 'protover', 'samples', 'seconds', 'slot', 'start', 'start-slot'],
  ...['timeout', 'ttl', 'version'],
]);

function typeOfName(name: string): ArgumentType {
  if (name.startsWith('unix-time')) return 'unix-time';
  if (name === 'pattern') return 'pattern';
  if (name === 'float' || name === 'score') return 'double';
  return INTEGERS.has(name) ? 'integer' : 'string';
}
