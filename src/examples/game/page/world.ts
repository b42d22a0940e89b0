// What a page knows of the game: players, gems, scores. It begins with a picture of all, events
// keep it going, and a new picture every few seconds mends what a lost connection has missed.

import type { Value } from '../../../client/index.js';

export interface Player {
  name: string;
  colour: string;
  x: number;
  y: number;
  /** Where it is drawn: it glides to where it is. */
  shownX: number;
  shownY: number;
  score: number;
}

export interface BoardRow {
  readonly id: string;
  readonly name: string;
  readonly colour: string;
  readonly score: number;
}

export class World {
  readonly players = new Map<string, Player>();
  readonly gems = new Map<string, number>();
  readonly names = new Map<string, { name: string; colour: string }>();
  private readonly scores = new Map<string, number>();

  /** The board of all who have ever played, best first. */
  board(most: number): BoardRow[] {
    const rows = [...this.scores].map(([id, score]) => ({ id, score, ...this.nameOf(id) }));
    return rows.sort((a, b) => b.score - a.score).slice(0, most);
  }

  picture(reply: Value): void {
    const [players, names, gems, board] = (reply as readonly Value[]).map(pairsOf);
    for (const [id, text] of names!) this.rename(id, text);
    const present = new Set(players!.map(([id]) => id));
    for (const id of this.players.keys()) if (!present.has(id)) this.players.delete(id);
    for (const [id, place] of players!) this.place(id, ...numbersOf(place));
    this.gems.clear();
    for (const [place, worth] of gems!) this.gems.set(place, Number(worth));
    for (const [id, score] of board!) this.scores.set(id, Number(score));
  }

  /** One event of the channel. Says whether the board has changed. */
  event(text: string): boolean {
    const [kind, ...words] = text.split(' ');
    switch (kind) {
      case 'm':
        this.place(words[0]!, Number(words[1]), Number(words[2]));
        return false;
      case 'j':
        this.rename(words[0]!, words.slice(3).join(' '));
        this.place(words[0]!, Number(words[1]), Number(words[2]));
        if (!this.scores.has(words[0]!)) this.scores.set(words[0]!, 0);
        return true;
      case 's':
        this.scores.set(words[0]!, Number(words[1]));
        return true;
      case 'g':
        this.gems.set(`${words[0]} ${words[1]}`, Number(words[2]));
        return false;
      case 't':
        this.gems.delete(`${words[0]} ${words[1]}`);
        return false;
      default:
        return false;
    }
  }

  private nameOf(id: string): { name: string; colour: string } {
    return this.names.get(id) ?? { name: id, colour: '#93a1b3' };
  }

  private rename(id: string, text: string): void {
    const at = text.indexOf(' ');
    this.names.set(id, {
      name: text.slice(at + 1),
      colour: `hsl(${Number(text.slice(0, at)) % 360} 75% 62%)`,
    });
  }

  private place(id: string, x: number, y: number): void {
    const known = this.players.get(id);
    if (known !== undefined) Object.assign(known, this.nameOf(id), { x, y });
    else {
      const shown = { x, y, shownX: x, shownY: y, score: 0 };
      this.players.set(id, { ...this.nameOf(id), ...shown });
    }
  }
}

function numbersOf(place: string): [number, number] {
  const [x, y] = place.split(' ');
  return [Number(x), Number(y)];
}

/** A map, or the flat list that a function makes of one. */
function pairsOf(value: Value): (readonly [string, string])[] {
  const flat = value instanceof Map ? [...value].flat() : (value as readonly Value[]).flat();
  const pairs: [string, string][] = [];
  for (let at = 0; at + 1 < flat.length; at += 2) {
    pairs.push([String(flat[at]), String(flat[at + 1])]);
  }
  return pairs;
}
