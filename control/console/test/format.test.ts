import { describe, expect, it } from 'vitest';
import { bitRate, bytes, clockSpan, count, dateTime, duration, span, toDate, when } from '../src/lib/format';

describe('figures', () => {
  it('are scaled by thousands', () => {
    expect(bytes(0)).toBe('0 B');
    expect(bytes(999)).toBe('999 B');
    expect(bytes(1500)).toBe('1.5 kB');
    expect(bytes(999_999)).toBe('1.0 MB');
    expect(bytes(123_456_789)).toBe('123 MB');
    expect(bitRate(125_000_000)).toBe('1.0 Gbit/s');
    expect(bytes(NaN)).toBe('–');
  });
  it('have separators', () => {
    expect(count(1234567, 'ja')).toBe('1,234,567');
    expect(count(NaN, 'en')).toBe('–');
  });
});

describe('spans', () => {
  it('take the unit that fits', () => {
    expect(span(900)).toBe('0.9 µs');
    expect(span(1_800_000)).toBe('1.8 ms');
    expect(span(-4_200_000_000)).toBe('−4.2 s');
  });
  it('count down', () => {
    expect(clockSpan(600)).toBe('10:00');
    expect(clockSpan(59.9)).toBe('0:59');
    expect(clockSpan(3725)).toBe('1:02:05');
    expect(clockSpan(-3)).toBe('0:00');
  });
  it('are said in two units', () => {
    expect(duration(90, 'ja')).toBe('1 分 30 秒');
    expect(duration(86400 + 7200 + 61, 'en')).toBe('1 d 2 h');
    expect(duration(0, 'ja')).toBe('0 秒');
  });
});

describe('times of the API', () => {
  it('are seconds, nanoseconds or text', () => {
    const date = new Date(2026, 10, 23, 3, 12, 5);
    const seconds = date.getTime() / 1000;
    expect(when(seconds)).toBe('2026-11-23 03:12:05');
    expect(when(seconds * 1e9)).toBe('2026-11-23 03:12:05');
    expect(when(date.toISOString())).toBe('2026-11-23 03:12:05');
  });
  it('may be missing', () => {
    expect(when(0)).toBe('–');
    expect(when(undefined)).toBe('–');
    expect(toDate('no date')).toBeNull();
    expect(dateTime(new Date(NaN))).toBe('–');
  });
});
