// The frame of all pages: who is signed in, where to go, how the connection is.

import type { ComponentChildren, FunctionComponent } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { ClientsPage } from './clients.js';
import { ConsolePage } from './console/console.js';
import { KeysPage } from './keys/keys.js';
import { db, link, signIn, signOut } from './link.js';
import { OverviewPage } from './overview/overview.js';
import { Questions } from './parts.js';
import { SlowLogPage } from './slow-log.js';
import { startStats, stats } from './stats.js';
import { useStore } from './store.js';
import { chooseTheme, type Theme, theme } from './theme.js';

interface Page {
  readonly name: string;
  readonly title: string;
  readonly icon: string;
  readonly component: FunctionComponent;
}

/** Icons are the paths of 24 by 24 pixels. */
const PAGES: readonly Page[] = [
  {
    name: 'overview',
    title: 'Overview',
    icon: 'M4 19V9m5 10V5m5 14v-7m5 7V8',
    component: OverviewPage,
  },
  {
    name: 'keys',
    title: 'Keys',
    icon: 'M15 9a4 4 0 1 1-3.8-4A4 4 0 0 1 15 9zm-1.2 2.8L20 18m-3-3-2 2',
    component: KeysPage,
  },
  { name: 'console', title: 'Console', icon: 'm5 8 4 4-4 4m7 1h7', component: ConsolePage },
  {
    name: 'clients',
    title: 'Clients',
    icon:
      'M9 11a3 3 0 1 0 0-6 3 3 0 0 0 0 6zm-5 8a5 5 0 0 1 10 0' +
      'm1-8a3 3 0 0 0 0-6m2 9a5 5 0 0 1 3 5',
    component: ClientsPage,
  },
  {
    name: 'slow',
    title: 'Slow log',
    icon: 'M12 8v4l3 2m5-2a8 8 0 1 1-16 0 8 8 0 0 1 16 0z',
    component: SlowLogPage,
  },
];

function pageName(): string {
  const name = location.hash.slice(1).split('/')[0];
  return PAGES.some((page) => page.name === name) ? name! : 'overview';
}

function usePage(): Page {
  const [name, setName] = useState(pageName);
  useEffect(() => {
    const changed = (): void => setName(pageName());
    window.addEventListener('hashchange', changed);
    return () => window.removeEventListener('hashchange', changed);
  }, []);
  return PAGES.find((page) => page.name === name)!;
}

export function App() {
  const { needsLogin } = useStore(link);
  const page = usePage();
  useEffect(() => {
    db();
    return startStats();
  }, []);
  if (needsLogin) return <Login />;
  const Component = page.component;
  return (
    <div class="frame">
      <TopBar />
      <Navigation current={page.name} />
      <main class={`page page-${page.name}`}>
        <ConnectionBanner />
        <Component key={page.name} />
      </main>
      <Questions />
    </div>
  );
}

function Icon({ path }: { path: string }) {
  return (
    <svg viewBox="0 0 24 24" width="20" height="20" aria-hidden="true" class="icon">
      <path d={path} />
    </svg>
  );
}

function Mark() {
  return (
    <svg viewBox="0 0 32 32" width="26" height="26" aria-hidden="true" class="mark">
      <rect width="32" height="32" rx="7" />
      <path d="M6 7h11v8H6zm13 0h7v5h-7zm0 7h7v11h-7zM6 17h5v8H6zm7 0h4v8h-4z" />
    </svg>
  );
}

function TopBar() {
  const { state, user } = useStore(link);
  const { last } = useStore(stats);
  const words = { ready: 'Connected', refused: 'Refused', closed: 'Closed' } as const;
  const said = state in words ? words[state as keyof typeof words] : 'Connecting';
  return (
    <header class="top">
      <a class="brand" href="#overview">
        <Mark />
        <span>Flagstone</span>
        {last === null ? null : <small>{last.version}</small>}
      </a>
      <span class={`state state-${state}`} data-state={state}>
        <i aria-hidden="true" />
        {said}
      </span>
      <span class="spring" />
      <ThemeSwitch />
      <button type="button" class="quiet" onClick={signOut} title={`Signed in as ${user}`}>
        <Icon path="M10 5H5v14h5m4-11 4 4-4 4m4-4H9" />
        <span class="wide">Sign out</span>
      </button>
    </header>
  );
}

const NEXT_THEME: Readonly<Record<Theme, Theme>> = {
  system: 'light',
  light: 'dark',
  dark: 'system',
};
const THEME_ICON: Readonly<Record<Theme, string>> = {
  system: 'M4 6h16v10H4zm5 13h6',
  light:
    'M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zm0-5v2m0 14v2M3 12h2m14 0h2' +
    'M5.6 5.6 7 7m10 10 1.4 1.4m0-12.8L17 7M7 17l-1.4 1.4',
  dark: 'M20 14.5A8 8 0 0 1 9.5 4 8 8 0 1 0 20 14.5z',
};

function ThemeSwitch() {
  const chosen = useStore(theme);
  return (
    <button
      type="button"
      class="quiet theme-switch"
      onClick={() => chooseTheme(NEXT_THEME[chosen])}
      title={`Colours: ${chosen}`}
    >
      <Icon path={THEME_ICON[chosen]} />
      <span class="wide">{chosen}</span>
    </button>
  );
}

function Navigation({ current }: { current: string }) {
  return (
    <nav class="navigation" aria-label="Pages">
      {PAGES.map(({ name, title, icon }) => (
        <a key={name} href={`#${name}`} aria-current={name === current ? 'page' : undefined}>
          <Icon path={icon} />
          <span>{title}</span>
        </a>
      ))}
    </nav>
  );
}

function ConnectionBanner() {
  const { state, reason, wasReady } = useStore(link);
  if (state === 'ready') return null;
  const text = wasReady
    ? 'The connection to the server was lost. Trying again; what you see is from before.'
    : 'Connecting to the server …';
  return (
    <div class="notice warn banner" role="status">
      <span class="spinner" aria-hidden="true" />
      <span>
        {text}
        {reason === '' ? null : <small> ({reason})</small>}
      </span>
    </div>
  );
}

function Login() {
  const { reason, state, user } = useStore(link);
  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    const form = new FormData(event.target as HTMLFormElement);
    const text = (name: string): string => String(form.get(name) ?? '');
    signIn({ user: text('user') || 'default', password: text('password') });
  };
  return (
    <LoginFrame>
      <form class="card login" onSubmit={submit}>
        <Mark />
        <h1>Flagstone</h1>
        <p>This server wants to know who you are. Sign in as a user of its ACL.</p>
        {state === 'refused' ? (
          <div class="notice bad" role="alert">
            {reason}
          </div>
        ) : null}
        <label class="field">
          <span>User</span>
          <input
            name="user"
            defaultValue={user === 'default' ? '' : user}
            autocomplete="username"
            placeholder="default"
            autocapitalize="off"
          />
        </label>
        <label class="field">
          <span>Password</span>
          <input name="password" type="password" autocomplete="current-password" />
        </label>
        <button type="submit" class="primary">
          Sign in
        </button>
      </form>
    </LoginFrame>
  );
}

function LoginFrame({ children }: { children: ComponentChildren }) {
  return (
    <div class="login-frame">
      {children}
      <ThemeSwitch />
    </div>
  );
}
