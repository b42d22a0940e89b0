// Turns a transcript into vitest tests: one `describe` per way, one `it` per section. Servers are
// shared by the ways of one file that want the same shape.

import { afterAll, beforeAll, describe, it } from 'vitest';
import { Client } from './client.js';
import { InProcessServer } from './in-process.js';
import { printReply, textOf } from './resp.js';
import { commandOf, kindOf, type Server, type ServerKind, startServer } from './server.js';
import {
  isPipelined,
  playSection,
  readTranscript,
  reasonToSkip,
  type Section,
} from './transcript.js';
import { adapted, type Way, waysToRun } from './ways.js';

const LEAVE_MS_MAX = 20_000;
const LEAVE_POLL_MS = 2;

export interface PlayOptions {
  /** Further server arguments for this file: '--requirepass', 'secret'. */
  readonly args?: readonly string[];
}

/** Declares the tests of the transcript file at `file` in all ways. */
export function playTranscript(file: URL, options: PlayOptions = {}): void {
  const transcript = readTranscript(file);
  const kind = kindUnderTest();
  const ways = waysToRun().flatMap((way) => adapted(way, kind) ?? []);
  const servers = new Servers(options);
  afterAll(() => servers.stop());

  for (const [index, way] of ways.entries()) {
    describe(`${transcript.name} · ${way.name}`, () => {
      let place: Place;
      beforeAll(async () => {
        place = await servers.placeFor(way);
      });
      for (const section of transcript.sections) {
        it(section.title, async (context) => {
          const reason =
            reasonToSkip(section, way, kind, index === 0) ?? (await place.missing(section));
          if (reason !== undefined) return context.skip(reason);
          const isTogether = isPipelined(section, way, kind);
          await playAt(place, section, { ...way, isPipelined: isTogether }, transcript.name);
        });
      }
    });
  }
}

async function playAt(place: Place, section: Section, way: Way, name: string): Promise<void> {
  try {
    const stage = {
      way,
      open: () => place.open(way),
      untilAlone: (client: Client) => place.untilAlone(client),
    };
    await playSection(section, stage, name);
  } catch (error) {
    const report = place.report();
    if (report === '') throw error;
    throw new Error(`${(error as Error).message}\n${report}`, { cause: error });
  }
}

function kindUnderTest(): ServerKind {
  try {
    return kindOf(commandOf());
  } catch {
    return 'flagstone';
  }
}

/** Where sections are played: a server of its own, or one in this process. */
abstract class Place {
  private readonly known = new Map<string, boolean>();

  abstract open(way: Way): Promise<Client>;
  /** Returns when all other clients have left: those of the section before would be counted. */
  abstract untilAlone(client: Client): Promise<void>;
  /** What a failure should show besides the wrong line. */
  abstract report(): string;
  abstract stop(): Promise<void>;

  /** Names the first command that the section needs and the server lacks. */
  async missing(section: Section): Promise<string | undefined> {
    for (const name of section.requires) {
      if (!(await this.knows(name))) return `the server has no ${name} yet`;
    }
    return undefined;
  }

  private async knows(name: string): Promise<boolean> {
    const known = this.known.get(name);
    if (known !== undefined) return known;
    const client = await this.open({ delivery: 'whole' } as Way);
    // An unknown command says so whatever its arguments are.
    const reply = await client.command(...name.split('|'));
    client.close();
    const isKnown = !(reply.type === 'error' && /^ERR unknown (sub)?command/.test(reply.value));
    this.known.set(name, isKnown);
    return isKnown;
  }
}

class ServerPlace extends Place {
  constructor(private readonly server: Server) {
    super();
  }

  override open(way: Way): Promise<Client> {
    const options = { delivery: way.delivery };
    if (way.place === 'tls') return this.server.connectSecurely(options);
    return this.server.connect(options);
  }

  override async untilAlone(client: Client): Promise<void> {
    const deadline = Date.now() + LEAVE_MS_MAX;
    for (;;) {
      const reply = await client.command('INFO', 'clients');
      if (/^connected_clients:1\r$/m.test(textOf(reply) ?? '')) return;
      if (Date.now() > deadline) throw new Error(`others are there still: ${printReply(reply)}`);
      await new Promise((resolve) => setTimeout(resolve, LEAVE_POLL_MS));
    }
  }

  override report(): string {
    return this.server.isRunning ? '' : this.server.report();
  }

  override async stop(): Promise<void> {
    await this.server.stop();
  }
}

class InProcessPlace extends Place {
  constructor(private readonly server: InProcessServer) {
    super();
  }

  override async open(way: Way): Promise<Client> {
    const client = new Client(way.delivery);
    const session = this.server.open(client.events);
    client.attach({
      write: (bytes) => session.feed(bytes),
      settle: async () => {},
      close: () => session.close(),
    });
    return client;
  }

  override async untilAlone(): Promise<void> {
    // They left when they closed their sessions.
  }

  override report(): string {
    return '';
  }

  override async stop(): Promise<void> {
    this.server.stop();
  }
}

class Servers {
  private readonly places = new Map<string, Promise<Place>>();

  constructor(private readonly options: PlayOptions) {}

  /** The place for a way. */
  async placeFor(way: Way): Promise<Place> {
    const key = JSON.stringify([way.place, way.server]);
    const place = this.places.get(key) ?? this.start(way);
    this.places.set(key, place);
    return place;
  }

  async stop(): Promise<void> {
    for (const place of this.places.values()) await (await place).stop();
  }

  private async start(way: Way): Promise<Place> {
    const args = this.options.args ?? [];
    if (way.place === 'in process') {
      return new InProcessPlace(new InProcessServer({ ...way.server, args, hasTimer: true }));
    }
    return new ServerPlace(await startServer({ ...way.server, args }));
  }
}
