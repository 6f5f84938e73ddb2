// What is on the screen is only as good as the last event. Without one for three seconds the page calls itself
// stale, and nothing that it shows counts as the present state.

export const STALE_AFTER_MS = 3000;

export interface Freshness {
  stale: boolean;
  // Whole seconds since the last event; Infinity: none has come yet.
  ageSeconds: number;
}

// Both times of one monotonic clock, in ms; `last` null: no event yet.
export function freshness(last: number | null, now: number): Freshness {
  if (last === null) return { stale: true, ageSeconds: Infinity };
  const age = Math.max(0, now - last);
  return { stale: age >= STALE_AFTER_MS, ageSeconds: Math.floor(age / 1000) };
}

// Per-second rates from two readings of a counter. A counter that went back (the dataplane restarted) gives 0.
export function rate(before: number, after: number, milliseconds: number): number {
  if (milliseconds <= 0 || after < before) return 0;
  return ((after - before) * 1000) / milliseconds;
}
