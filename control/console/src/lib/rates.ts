// Rates from the readings that the page has seen. Counters are of the dataplane; the clock is the page's.
import type { Overview } from '../api/types';
import { rate } from './staleness';

export interface Reading {
  at: number;
  overview: Overview;
}

// Bytes a second of each link over about the last `spanMs`; no second reading: nothing is known yet.
export function linkRates(history: Reading[], spanMs = 3000): Map<string, number> {
  const out = new Map<string, number>();
  const last = history[history.length - 1];
  if (!last) return out;
  let first = history[history.length - 2];
  for (const one of history) {
    if (one !== last && last.at - one.at <= spanMs) {
      first = one;
      break;
    }
  }
  if (!first) return out;
  const before = new Map(first.overview.links.map((link) => [link.link, link.bytes ?? 0]));
  for (const link of last.overview.links) {
    const start = before.get(link.link);
    if (start !== undefined) out.set(link.link, rate(start, link.bytes ?? 0, last.at - first.at));
  }
  return out;
}

// A series of per-second rates of one counter of the dataplane: [seconds before now], [values].
export function series(history: Reading[], read: (overview: Overview) => number): [number[], number[]] {
  const times: number[] = [];
  const values: number[] = [];
  for (let i = 1; i < history.length; ++i) {
    const a = history[i - 1]!;
    const b = history[i]!;
    times.push((b.at - history[history.length - 1]!.at) / 1000);
    values.push(rate(read(a.overview), read(b.overview), b.at - a.at));
  }
  return [times, values];
}
