// Light, dark, or what the system says. The choice is kept in the browser.

import { Store } from './store.js';

export type Theme = 'system' | 'light' | 'dark';

const KEY = 'flagstone-theme';
const systemIsDark = window.matchMedia('(prefers-color-scheme: dark)');

export const theme = new Store<Theme>('system');

/** Counts changes of the colours that are on the screen: charts draw them themselves. */
export const paint = new Store(0);

export function startTheme(): void {
  const kept = localStorage.getItem(KEY);
  chooseTheme(kept === 'light' || kept === 'dark' ? kept : 'system');
  systemIsDark.addEventListener('change', () => chooseTheme(theme.value));
}

export function chooseTheme(chosen: Theme): void {
  theme.set(chosen);
  localStorage.setItem(KEY, chosen);
  const isDark = chosen === 'system' ? systemIsDark.matches : chosen === 'dark';
  document.documentElement.dataset.theme = isDark ? 'dark' : 'light';
  paint.set(paint.value + 1);
}

/** The colour that a custom property of the styles has now. */
export function colour(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}
