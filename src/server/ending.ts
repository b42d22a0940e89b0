// How the server is to end, as one number: SHUTDOWN's words on their way to the main thread.

import type { ShutdownRequest } from '../dispatch/server-door.js';

const enum Word {
  Saves = 1,
  SavesNot = 2,
  Now = 4,
  Forced = 8,
}

export function packEnding({ isSaving, isNow, isForced }: ShutdownRequest): number {
  const saves = isSaving === null ? 0 : isSaving ? Word.Saves : Word.SavesNot;
  return saves | (isNow ? Word.Now : 0) | (isForced ? Word.Forced : 0);
}

export function unpackEnding(word: number): ShutdownRequest {
  let isSaving: boolean | null = null;
  if ((word & Word.Saves) !== 0) isSaving = true;
  else if ((word & Word.SavesNot) !== 0) isSaving = false;
  return { isSaving, isNow: (word & Word.Now) !== 0, isForced: (word & Word.Forced) !== 0 };
}

/** shutdown-on-sigterm and shutdown-on-sigint. */
export function endingOf(words: readonly string[]): ShutdownRequest {
  let isSaving: boolean | null = null;
  if (words.includes('nosave')) isSaving = false;
  else if (words.includes('save')) isSaving = true;
  return { isSaving, isNow: words.includes('now'), isForced: words.includes('force') };
}
