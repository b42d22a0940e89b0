// What may be typed next: names of commands and subcommands, and the arguments of the one that is
// being typed. All from COMMAND DOCS.

import type { Client, Value } from '../../../client/index.js';

export interface CommandDoc {
  /** In capitals, with a space before the subcommand. */
  readonly name: string;
  readonly summary: string;
  readonly since: string;
  readonly syntax: string;
}

type Doc = ReadonlyMap<string, Value>;

export async function readCommandDocs(client: Client): Promise<readonly CommandDoc[]> {
  const reply = await client.send('COMMAND', 'DOCS');
  const docs: CommandDoc[] = [];
  addDocs(reply as ReadonlyMap<string, Doc>, docs);
  return docs.sort((a, b) => (a.name < b.name ? -1 : 1));
}

function addDocs(map: ReadonlyMap<string, Doc>, docs: CommandDoc[]): void {
  for (const [name, doc] of map) {
    const children = doc.get('subcommands');
    docs.push({
      name: name.replace('|', ' ').toUpperCase(),
      summary: String(doc.get('summary') ?? ''),
      since: String(doc.get('since') ?? ''),
      syntax: syntaxOf((doc.get('arguments') ?? []) as readonly Doc[]),
    });
    if (children !== undefined) addDocs(children as ReadonlyMap<string, Doc>, docs);
  }
}

function syntaxOf(args: readonly Doc[]): string {
  return args.map(argumentText).join(' ');
}

/** One argument in the notation of the manual. */
function argumentText(argument: Doc): string {
  const type = String(argument.get('type'));
  const flags = (argument.get('flags') ?? []) as readonly string[];
  const parts = (argument.get('arguments') ?? []) as readonly Doc[];
  const token = argument.get('token');
  let text = String(argument.get('display_text') ?? argument.get('name'));
  if (type === 'pure-token') text = '';
  if (type === 'block') text = syntaxOf(parts);
  if (type === 'oneof') text = parts.map(argumentText).join(' | ');
  const isOptional = flags.includes('optional');
  if (type === 'oneof' && !isOptional) text = `<${text}>`;
  if (token !== undefined) text = `${String(token)} ${text}`.trim();
  if (flags.includes('multiple')) text = `${text} [${text} ...]`;
  return isOptional ? `[${text}]` : text;
}

export interface Completion {
  /** Names that begin with what was typed. */
  readonly names: readonly CommandDoc[];
  /** The command whose arguments are being typed. */
  readonly current: CommandDoc | null;
}

const NAMES_MAX = 8;
const NOTHING: Completion = { names: [], current: null };

export function complete(docs: readonly CommandDoc[], line: string): Completion {
  const typed = line.trimStart().toUpperCase().replace(/\s+/g, ' ');
  if (typed === '') return NOTHING;
  const current = commandOf(docs, typed);
  const isNameDone = current !== null && typed.startsWith(`${current.name} `);
  const isContainer =
    current !== null && docs.some(({ name }) => name.startsWith(`${current.name} `));
  if (isNameDone && !isContainer) return { names: [], current };
  const names = docs.filter(({ name }) => name.startsWith(typed) && name !== typed);
  return { names: names.slice(0, NAMES_MAX), current };
}

/** The longest name that the line begins with, in whole words. */
function commandOf(docs: readonly CommandDoc[], typed: string): CommandDoc | null {
  let best: CommandDoc | null = null;
  for (const doc of docs) {
    const fits = typed === doc.name || typed.startsWith(`${doc.name} `);
    if (fits && doc.name.length > (best?.name.length ?? 0)) best = doc;
  }
  return best;
}
