// Requests to the API. The session is a cookie that no script can read; a change needs, besides it, the CSRF
// value that login (or /v1/me) told this page.

export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    readonly text: string,
    // The whole body: some refusals carry more (diagnostics, a retry time).
    readonly body: unknown = null,
  ) {
    super(`${code}: ${text}`);
  }
}

let csrf = '';
let onUnauthorized: () => void = () => {};

export function setCsrf(value: string): void {
  csrf = value;
}

// Called when a request was answered 401: the session is over.
export function whenUnauthorized(handler: () => void): void {
  onUnauthorized = handler;
}

type Query = Record<string, string | number | boolean | undefined>;

export function withQuery(path: string, query: Query = {}): string {
  const parts = Object.entries(query)
    .filter(([, value]) => value !== undefined && value !== '')
    .map(([key, value]) => `${key}=${encodeURIComponent(String(value))}`);
  return parts.length > 0 ? `${path}?${parts.join('&')}` : path;
}

// What a refusal says: {"error": {"name", "text"}}; anything else keeps its status as its name.
export function refusalOf(status: number, body: unknown): ApiError {
  const error = (body as { error?: { name?: unknown; text?: unknown } } | null)?.error;
  if (error && typeof error.name === 'string')
    return new ApiError(status, error.name, typeof error.text === 'string' ? error.text : '', body);
  return new ApiError(status, `http_${status}`, '', body);
}

async function request<T>(method: string, path: string, body: unknown, milliseconds: number): Promise<T> {
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), milliseconds);
  let response: Response;
  let text: string;
  try {
    const headers: Record<string, string> = { Accept: 'application/json' };
    if (method !== 'GET') {
      headers['Content-Type'] = 'application/json';
      if (csrf) headers['X-Sekisho-CSRF'] = csrf;
    }
    response = await fetch(path, {
      method,
      headers,
      body: method === 'GET' ? undefined : JSON.stringify(body ?? {}),
      credentials: 'same-origin',
      cache: 'no-store',
      redirect: 'error',
      signal: stop.signal,
    });
    text = await response.text();
  } catch {
    throw stop.signal.aborted ? new ApiError(0, 'timeout', '') : new ApiError(0, 'unreachable', '');
  } finally {
    clearTimeout(timer);
  }
  let answer: unknown = null;
  try {
    answer = text ? JSON.parse(text) : null;
  } catch {
    if (response.ok) throw new ApiError(response.status, 'bad_answer', text.slice(0, 200));
  }
  if (!response.ok) {
    const error = refusalOf(response.status, answer);
    if (response.status === 401 && path !== '/v1/login') onUnauthorized();
    throw error;
  }
  return answer as T;
}

export function get<T>(path: string, query?: Query, milliseconds = 20_000): Promise<T> {
  return request<T>('GET', withQuery(path, query), undefined, milliseconds);
}

// A change of configuration compiles first: up to two minutes.
export function post<T>(path: string, body: unknown = {}, milliseconds = 30_000): Promise<T> {
  return request<T>('POST', path, body, milliseconds);
}
