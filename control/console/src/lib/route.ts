// Pages by the part after '#': '#/incidents?id=12'. No server route and no history library is needed.
import { signal } from '@preact/signals';

export interface Route {
  page: string;
  query: Record<string, string>;
}

export function parseRoute(hash: string): Route {
  const [path, query = ''] = hash.replace(/^#\/?/, '').split('?', 2);
  return { page: decodeURIComponent(path || 'map'), query: Object.fromEntries(new URLSearchParams(query)) };
}

export function href(page: string, query: Record<string, string> = {}): string {
  const text = new URLSearchParams(query).toString();
  return `#/${page}${text ? `?${text}` : ''}`;
}

export const route = signal<Route>(typeof location === 'undefined' ? { page: 'map', query: {} } : parseRoute(location.hash));

export function followRoute(): void {
  addEventListener('hashchange', () => (route.value = parseRoute(location.hash)));
}

export function go(page: string, query: Record<string, string> = {}): void {
  location.hash = href(page, query);
}
