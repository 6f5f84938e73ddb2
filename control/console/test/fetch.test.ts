import { afterEach, describe, expect, it, vi } from 'vitest';
import { ApiError, get, post, refusalOf, setCsrf, whenUnauthorized, withQuery } from '../src/api/fetch';

function answer(status: number, body: unknown) {
  const made = vi.fn(async (_path: string, _init: RequestInit) => new Response(typeof body === 'string' ? body : JSON.stringify(body), { status }));
  vi.stubGlobal('fetch', made);
  return made;
}
afterEach(() => {
  vi.unstubAllGlobals();
  setCsrf('');
  whenUnauthorized(() => {});
});

describe('a request', () => {
  it('carries the CSRF value when it changes something, and only then', async () => {
    const made = answer(200, {});
    setCsrf('secret');
    await get('/v1/status');
    await post('/v1/cut', { target: 'vendor' });
    expect((made.mock.calls[0]![1].headers as Record<string, string>)['X-Sekisho-CSRF']).toBeUndefined();
    expect((made.mock.calls[1]![1].headers as Record<string, string>)['X-Sekisho-CSRF']).toBe('secret');
    expect(made.mock.calls[1]![1].body).toBe('{"target":"vendor"}');
  });
  it('says what was refused', async () => {
    answer(409, { error: { name: 'nothing_to_undo', text: 'no cut' } });
    await expect(post('/v1/undo')).rejects.toMatchObject({ status: 409, code: 'nothing_to_undo', text: 'no cut' });
  });
  it('tells of the end of the session, but not of a wrong password', async () => {
    const ended = vi.fn();
    whenUnauthorized(ended);
    answer(401, { error: { name: 'login_required', text: '' } });
    await expect(post('/v1/login', {})).rejects.toBeInstanceOf(ApiError);
    expect(ended).not.toHaveBeenCalled();
    await expect(get('/v1/status')).rejects.toBeInstanceOf(ApiError);
    expect(ended).toHaveBeenCalledOnce();
  });
  it('knows no answer from a refusal', async () => {
    vi.stubGlobal('fetch', async () => {
      throw new TypeError('failed');
    });
    await expect(post('/v1/cut', {})).rejects.toMatchObject({ status: 0, code: 'unreachable' });
    answer(200, 'not json');
    await expect(get('/v1/status')).rejects.toMatchObject({ code: 'bad_answer' });
  });
  it('gives up after its time', async () => {
    vi.stubGlobal('fetch', (_path: string, init: RequestInit) => new Promise((_done, fail) => init.signal!.addEventListener('abort', () => fail(new Error('aborted')))));
    await expect(get('/v1/status', {}, 5)).rejects.toMatchObject({ code: 'timeout' });
  });
});

describe('helpers', () => {
  it('write a query', () => {
    expect(withQuery('/v1/x', { a: 'ä b', b: undefined, c: '', d: 3 })).toBe('/v1/x?a=%C3%A4%20b&d=3');
    expect(withQuery('/v1/x')).toBe('/v1/x');
  });
  it('name a refusal without a body', () => {
    expect(refusalOf(502, null).code).toBe('http_502');
  });
});
