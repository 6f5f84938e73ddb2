import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { readOverview } from '../src/api/overview';
import type { Overview } from '../src/api/types';
import { LiveFeed, type Source } from '../src/lib/live';
import { linkRates, series } from '../src/lib/rates';
import { freshness, rate } from '../src/lib/staleness';

const event = (change: object = {}) =>
  JSON.stringify({
    site: 'here',
    version: 3,
    zones: [{ zone: 'his', kind: 'normal' }, { zone: 'vendor', kind: 'vendor' }],
    links: [{ link: 'vendor', zones: ['vendor', 'his'], cut: false, clinical: false, mode: 'enforce', fail: 'closed', ips: 'off', bytes: 1000 }],
    quarantine: [],
    accesses: [{ access: 'a', open: true, left_s: 4 }, { access: 'b', open: false, left_s: 0 }],
    dataplane: { state: 'running', connected: true },
    alarms: [{ name: 'clock', text: 'wrong' }],
    ...change,
  });

describe('freshness', () => {
  it('ends three seconds after the last event', () => {
    expect(freshness(1000, 3999)).toEqual({ stale: false, ageSeconds: 2 });
    expect(freshness(1000, 4000)).toEqual({ stale: true, ageSeconds: 3 });
  });
  it('does not begin before the first event', () => {
    expect(freshness(null, 5)).toEqual({ stale: true, ageSeconds: Infinity });
  });
  it('bears a clock that seems to go back', () => {
    expect(freshness(5000, 4990)).toEqual({ stale: false, ageSeconds: 0 });
  });
});

describe('a state event', () => {
  it('is read', () => {
    const read = readOverview(event())!;
    expect(read.zones).toEqual([{ name: 'his', kind: 'normal' }, { name: 'vendor', kind: 'vendor' }]);
    expect(read.accesses.map((one) => one.name)).toEqual(['a']);
    expect(read.alarms).toEqual(['wrong']);
  });
  it('counts what waits for this person, and none where a gateway does not say', () => {
    expect(readOverview(event({ reopenings: 2, tickets_waiting: 3, yours: { reopenings: 1, tickets: 3 } }))).toMatchObject({
      reopenings: 2,
      tickets_waiting: 3,
      yours: { reopenings: 1, tickets: 3 },
    });
    expect(readOverview(event())!.yours).toEqual({ reopenings: 0, tickets: 0 });
  });
  it('is refused when it is not whole', () => {
    expect(readOverview('{"links":')).toBeNull();
    expect(readOverview('null')).toBeNull();
    expect(readOverview(event({ links: undefined }))).toBeNull();
    expect(readOverview(event({ dataplane: null }))).toBeNull();
    // A link that does not say whether it is cut must not look open.
    expect(readOverview(event({ links: [{ link: 'x', zones: ['a', 'b'] }] }))).toBeNull();
  });
});

describe('rates', () => {
  const at = (ms: number, bytes: number) => ({ at: ms, overview: { ...readOverview(event())!, links: [{ ...readOverview(event())!.links[0]!, bytes }] } as Overview });
  it('need two readings', () => {
    expect(linkRates([]).size).toBe(0);
    expect(linkRates([at(0, 5)]).size).toBe(0);
    expect(linkRates([at(0, 1000), at(1000, 3000)]).get('vendor')).toBe(2000);
  });
  it('are zero when a counter went back', () => {
    expect(rate(500, 20, 1000)).toBe(0);
    expect(linkRates([at(0, 5000), at(1000, 10)]).get('vendor')).toBe(0);
  });
  it('make a series that ends now', () => {
    const [x, y] = series([at(0, 0), at(1000, 100), at(3000, 500)], (one) => one.links[0]!.bytes!);
    expect(x).toEqual([-2, 0]);
    expect(y).toEqual([100, 200]);
  });
});

class FakeSource implements Source {
  static made: FakeSource[] = [];
  onmessage = null;
  onerror: ((event: Event) => void) | null = null;
  readyState = 1;
  closed = false;
  private readonly handlers: [string, (event: MessageEvent) => void][] = [];
  constructor() {
    FakeSource.made.push(this);
  }
  addEventListener(kind: string, handler: (event: MessageEvent) => void) {
    this.handlers.push([kind, handler]);
  }
  say(data: string, kind = 'state') {
    for (const [wanted, handler] of this.handlers) if (wanted === kind) handler({ data } as MessageEvent);
  }
  fail(state: number) {
    this.readyState = state;
    this.onerror?.({} as Event);
  }
  close() {
    this.closed = true;
  }
}

describe('the live feed', () => {
  const seen: Overview[] = [];
  let refused = 0;
  let feed: LiveFeed;
  beforeEach(() => {
    vi.useFakeTimers();
    FakeSource.made = [];
    seen.length = 0;
    refused = 0;
    feed = new LiveFeed({ url: '/v1/live', open: () => new FakeSource(), onState: (o) => seen.push(o), onRefused: () => ++refused, retryMs: 2000 });
    feed.start();
  });
  afterEach(() => {
    feed.stop();
    vi.useRealTimers();
  });
  it('hands on what it can read, and only that', () => {
    FakeSource.made[0]!.say(event());
    FakeSource.made[0]!.say('garbage');
    expect(seen.length).toBe(1);
  });
  it('leaves a break to the browser, and comes back after a refusal', () => {
    FakeSource.made[0]!.fail(0);
    expect(refused).toBe(0);
    FakeSource.made[0]!.fail(2);
    expect(refused).toBe(1);
    vi.advanceTimersByTime(1999);
    expect(FakeSource.made.length).toBe(1);
    vi.advanceTimersByTime(1);
    expect(FakeSource.made.length).toBe(2);
    FakeSource.made[1]!.say(event());
    expect(seen.length).toBe(1);
  });
  it('asks who we are when the server says bye, and takes no stale event for a state', () => {
    FakeSource.made[0]!.say('{}', 'stale');
    expect(seen.length).toBe(0);
    FakeSource.made[0]!.say('{}', 'bye');
    expect(refused).toBe(1);
    expect(FakeSource.made[0]!.closed).toBe(true);
  });
  it('is silent once stopped', () => {
    feed.stop();
    expect(FakeSource.made[0]!.closed).toBe(true);
    FakeSource.made[0]!.fail(2);
    vi.advanceTimersByTime(60_000);
    expect(FakeSource.made.length).toBe(1);
  });
});
