// What all pages share: who is logged in, the language, the last live state and how fresh it is.
import { computed, effect, signal } from '@preact/signals';
import { get, post, setCsrf, whenUnauthorized } from './api/fetch';
import type { Overview, Receipt, Session } from './api/types';
import type { Lang } from './lib/format';
import { LiveFeed } from './lib/live';
import { freshness } from './lib/staleness';

function stored(key: string): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    return null; // a browser that keeps nothing: the defaults
  }
}
function store(key: string, value: string): void {
  try {
    localStorage.setItem(key, value);
  } catch {
    /* as above */
  }
}

const chosen = stored('sekisho.language');
export const lang = signal<Lang>(chosen === 'ja' || chosen === 'en' ? chosen : 'ja');
export function setLanguage(value: Lang): void {
  lang.value = value;
  store('sekisho.language', value);
}

export type Theme = 'auto' | 'light' | 'dark';
const theme0 = stored('sekisho.theme');
export const theme = signal<Theme>(theme0 === 'light' || theme0 === 'dark' ? theme0 : 'auto');
export function setTheme(value: Theme): void {
  theme.value = value;
  store('sekisho.theme', value);
}

// undefined: not asked yet; null: nobody.
export const session = signal<Session | null | undefined>(undefined);
export const may = (permission: string): boolean =>
  session.value?.person.permissions.includes(permission) ?? false;

export const overview = signal<Overview | null>(null);
// One reading per event, the newest last: what the plots draw.
export interface Reading {
  at: number;
  overview: Overview;
}
export const history = signal<Reading[]>([]);
const HISTORY = 600;

// Monotonic ms of the last event, and of now (twice a second).
export const lastEvent = signal<number | null>(null);
export const lastEventWall = signal<Date | null>(null);
export const now = signal(performance.now());
export const fresh = computed(() => freshness(lastEvent.value, now.value));
export const stale = computed(() => fresh.value.stale);

// The receipts of this person in this page, the newest first.
export const receipts = signal<{ receipt: Receipt; at: number; reopened: boolean }[]>([]);
export function keepReceipt(receipt: Receipt): void {
  receipts.value = [{ receipt, at: performance.now(), reopened: false }, ...receipts.value].slice(0, 20);
}

const feed = new LiveFeed({
  url: '/v1/live',
  open: (url) => new EventSource(url),
  onState: (next) => {
    const at = performance.now();
    now.value = at;
    lastEvent.value = at;
    lastEventWall.value = new Date();
    overview.value = next;
    history.value = [...history.value.slice(-(HISTORY - 1)), { at, overview: next }];
  },
  // The stream ended for good: ask who we are, which shows the login page if that is why.
  onRefused: () => void whoAmI(),
});

export async function whoAmI(): Promise<void> {
  try {
    entered(await get<Session>('/v1/me'));
  } catch {
    if (session.value === undefined) session.value = null;
  }
}

export function entered(next: Session): void {
  if (next.csrf) setCsrf(next.csrf);
  session.value = next;
  const wanted = next.person.language;
  if (!stored('sekisho.language') && (wanted === 'ja' || wanted === 'en')) lang.value = wanted;
  feed.start();
}

function leave(): void {
  feed.stop();
  setCsrf('');
  session.value = null;
  overview.value = null;
  history.value = [];
  lastEvent.value = null;
  lastEventWall.value = null;
  receipts.value = [];
}

export async function logOut(): Promise<void> {
  try {
    await post('/v1/logout');
  } finally {
    leave();
  }
}

export function startState(): void {
  whenUnauthorized(leave);
  setInterval(() => (now.value = performance.now()), 500);
  effect(() => {
    document.documentElement.lang = lang.value;
  });
  effect(() => {
    const root = document.documentElement;
    if (theme.value === 'auto') root.removeAttribute('data-theme');
    else root.setAttribute('data-theme', theme.value);
  });
  void whoAmI();
}
