// The page of the game. A key press is a call of the function game_move; everything that is drawn
// comes from the channel game:events.

import './style.css';
import { type Client, connect, ReplyError } from '../../../client/index.js';
import { World } from './world.js';

const CELL = 40;
const STEP_MS = 90;
const PICTURE_MS = 3_000;
const BOARD_ROWS = 10;

const MOVES: Readonly<Record<string, readonly [number, number] | undefined>> = {
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  w: [0, -1],
  s: [0, 1],
  a: [-1, 0],
  d: [1, 0],
  up: [0, -1],
  down: [0, 1],
  left: [-1, 0],
  right: [1, 0],
};

function element<T extends HTMLElement>(id: string): T {
  return document.getElementById(id) as T;
}

/** Letters and digits by chance, for the id and the secret of a player. */
function chance(bytes: number): string {
  const drawn = crypto.getRandomValues(new Uint8Array(bytes));
  return Array.from(drawn, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

interface Gateway {
  readonly url: string;
  readonly user: string;
  readonly password: string;
}

const world = new World();
const own = {
  id: chance(6),
  secret: chance(12),
  name: '',
  colour: String(Number.parseInt(chance(2), 16) % 360),
};
const pressed = new Set<string>();
let sentAt = 0;

async function start(): Promise<void> {
  const gateway = (await (await fetch('./gateway.json')).json()) as Gateway;
  const db = connect(gateway.url, {
    user: gateway.user,
    password: gateway.password,
    onState: (state) => {
      element('state').textContent = state === 'ready' ? 'connected' : state;
      element('state').dataset.state = state;
      if (state === 'ready') refresh(db);
    },
  });
  follow(db);
  setInterval(() => refresh(db), PICTURE_MS);
  setInterval(() => step(db), STEP_MS);
  listen(db);
  draw();
}

async function follow(db: Client): Promise<void> {
  for await (const { payload } of db.subscribe('game:events')) {
    const text = String(payload);
    if (world.event(text)) drawBoard();
    if (sentAt !== 0 && text.startsWith(`m ${own.id} `)) {
      element('delay').textContent = `${Math.round(performance.now() - sentAt)} ms`;
      sentAt = 0;
    }
  }
}

/** The whole picture, and a sign of life: who is silent for long is taken out of the game. */
async function refresh(db: Client): Promise<void> {
  if (own.name !== '') await act(db, 'game_move', own.id, own.secret, 0, 0);
  const state = await db.fcall_ro('game_state', 0).catch(() => null);
  if (state === null) return;
  world.picture(state);
  drawBoard();
}

/** Calls a function; a player that was taken out comes back by itself. */
async function act(db: Client, ...call: (string | number)[]): Promise<void> {
  const [name, ...args] = call;
  try {
    await db.fcall(name!, 0, ...args);
  } catch (error) {
    const isGone = error instanceof ReplyError && error.code === 'GONE';
    if (isGone) await join(db).catch(() => {});
  }
}

function join(db: Client): Promise<unknown> {
  return db.fcall('game_join', 0, own.id, own.secret, own.colour, own.name);
}

function step(db: Client): void {
  const key = [...pressed].at(-1);
  const move = key === undefined ? undefined : MOVES[key];
  if (move === undefined || own.name === '') return;
  if (sentAt === 0) sentAt = performance.now();
  act(db, 'game_move', own.id, own.secret, ...move);
}

function listen(db: Client): void {
  const press = (key: string): void => {
    if (MOVES[key] === undefined || pressed.has(key)) return;
    pressed.add(key);
    // The first step is made at once; those of a key that stays down follow the clock.
    step(db);
  };
  window.addEventListener('keydown', (event) => {
    if (event.target instanceof HTMLInputElement || MOVES[event.key] === undefined) return;
    event.preventDefault();
    press(event.key);
  });
  window.addEventListener('keyup', (event) => pressed.delete(event.key));
  window.addEventListener('blur', () => pressed.clear());
  for (const button of document.querySelectorAll<HTMLElement>('[data-move]')) {
    const name = button.dataset.move!;
    button.addEventListener('pointerdown', () => press(name));
    for (const end of ['pointerup', 'pointerleave', 'pointercancel']) {
      button.addEventListener(end, () => pressed.delete(name));
    }
  }
  element('join').addEventListener('submit', async (event) => {
    event.preventDefault();
    own.name = element<HTMLInputElement>('name').value.trim();
    await join(db);
    element('join').hidden = true;
    element('field').dataset.player = own.id;
    refresh(db);
  });
  window.addEventListener('pagehide', () => act(db, 'game_leave', own.id, own.secret));
}

// ---- drawing -----------------------------------------------------------------------------------

function drawBoard(): void {
  const rows = world.board(BOARD_ROWS).map(({ id, name, colour, score }) => {
    const row = document.createElement('li');
    row.className = id === own.id ? 'own' : '';
    row.dataset.player = id;
    const dot = document.createElement('i');
    dot.style.background = colour;
    const title = document.createElement('span');
    title.textContent = name;
    const points = document.createElement('b');
    points.textContent = String(score);
    row.append(dot, title, points);
    return row;
  });
  element('board').replaceChildren(...rows);
}

function draw(): void {
  const canvas = element<HTMLCanvasElement>('field');
  const pen = canvas.getContext('2d')!;
  pen.clearRect(0, 0, canvas.width, canvas.height);
  pen.fillStyle = '#1c2531';
  for (let x = CELL / 2; x < canvas.width; x += CELL) {
    for (let y = CELL / 2; y < canvas.height; y += CELL) pen.fillRect(x - 1, y - 1, 2, 2);
  }
  for (const [place, worth] of world.gems) drawGem(pen, place, worth);
  for (const [id, player] of world.players) {
    player.shownX += (player.x - player.shownX) * 0.35;
    player.shownY += (player.y - player.shownY) * 0.35;
    const [x, y] = [(player.shownX + 0.5) * CELL, (player.shownY + 0.5) * CELL];
    disc(pen, x, y, 15, player.colour);
    if (id === own.id) {
      pen.strokeStyle = '#ffffff';
      pen.lineWidth = 2.5;
      pen.stroke();
    }
    pen.fillStyle = '#e8edf3';
    pen.font = '600 12px system-ui, sans-serif';
    pen.textAlign = 'center';
    pen.fillText(player.name, x, y < 40 ? y + 31 : y - 21);
  }
  // For tests and the curious: where everybody is.
  canvas.dataset.players = [...world.players].map(([id, { x, y }]) => `${id}:${x},${y}`).join(' ');
  requestAnimationFrame(draw);
}

function disc(
  pen: CanvasRenderingContext2D,
  x: number,
  y: number,
  size: number,
  fill: string,
): void {
  pen.beginPath();
  pen.arc(x, y, size, 0, 2 * Math.PI);
  pen.fillStyle = fill;
  pen.fill();
}

function drawGem(pen: CanvasRenderingContext2D, place: string, worth: number): void {
  const [x, y] = place.split(' ').map((each) => (Number(each) + 0.5) * CELL) as [number, number];
  const size = worth > 1 ? 13 : 8;
  pen.beginPath();
  pen.moveTo(x, y - size);
  pen.lineTo(x + size * 0.8, y);
  pen.lineTo(x, y + size);
  pen.lineTo(x - size * 0.8, y);
  pen.closePath();
  pen.fillStyle = worth > 1 ? '#fbbf24' : '#5eead4';
  pen.fill();
}

start();
