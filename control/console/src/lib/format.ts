// Figures and times for people. Pure; the language is an argument.

export type Lang = 'ja' | 'en';

const locale = (lang: Lang) => (lang === 'ja' ? 'ja-JP' : 'en-GB');

export function count(n: number, lang: Lang): string {
  return Number.isFinite(n) ? n.toLocaleString(locale(lang)) : '–';
}

// 1536 → "1.5 kB". Decimal units, as on a network's labels.
export function bytes(n: number): string {
  return scaled(n, ['B', 'kB', 'MB', 'GB', 'TB', 'PB']);
}

export function bitRate(bytesPerSecond: number): string {
  return scaled(bytesPerSecond * 8, ['bit/s', 'kbit/s', 'Mbit/s', 'Gbit/s', 'Tbit/s']);
}

function scaled(n: number, units: string[]): string {
  if (!Number.isFinite(n)) return '–';
  let i = 0;
  let value = n;
  while (Math.abs(value) >= 999.5 && i < units.length - 1) {
    value /= 1000;
    ++i;
  }
  const digits = i === 0 || Math.abs(value) >= 99.5 ? 0 : 1;
  return `${value.toFixed(digits)} ${units[i]}`;
}

// A span in nanoseconds, as a receipt tells it: 12.3 µs, 1.8 ms, 4.2 s.
export function span(ns: number): string {
  if (!Number.isFinite(ns)) return '–';
  const sign = ns < 0 ? '−' : '';
  const n = Math.abs(ns);
  if (n < 1e6) return `${sign}${(n / 1e3).toFixed(1)} µs`;
  if (n < 1e9) return `${sign}${(n / 1e6).toFixed(1)} ms`;
  return `${sign}${(n / 1e9).toFixed(1)} s`;
}

// 3725 → "1:02:05"; 65 → "1:05". For countdowns.
export function clockSpan(seconds: number): string {
  const s = Math.max(0, Math.floor(seconds));
  const two = (n: number) => String(n).padStart(2, '0');
  const h = Math.floor(s / 3600);
  const m = Math.floor((s % 3600) / 60);
  return h > 0 ? `${h}:${two(m)}:${two(s % 60)}` : `${m}:${two(s % 60)}`;
}

// A length of time in words: 90 → "1 分 30 秒" / "1 min 30 s".
export function duration(seconds: number, lang: Lang): string {
  const s = Math.max(0, Math.round(seconds));
  const units: [number, string, string][] = [
    [86400, '日', 'd'],
    [3600, '時間', 'h'],
    [60, '分', 'min'],
    [1, '秒', 's'],
  ];
  const parts: string[] = [];
  let rest = s;
  for (const [size, ja, en] of units) {
    if (parts.length === 2) break;
    const n = Math.floor(rest / size);
    if (n > 0 || (size === 1 && parts.length === 0)) parts.push(`${n} ${lang === 'ja' ? ja : en}`);
    rest %= size;
  }
  return parts.join(' ');
}

const two = (n: number) => String(n).padStart(2, '0');

// Local wall clock, 24 hours.
export function timeOfDay(date: Date): string {
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

export function dateTime(date: Date): string {
  if (Number.isNaN(date.getTime())) return '–';
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${timeOfDay(date)}`;
}

// Times of the API: seconds or nanoseconds since 1970, or ISO text; 0 and nothing read as "–".
export function when(value: number | string | null | undefined): string {
  const date = toDate(value);
  return date ? dateTime(date) : '–';
}

export function toDate(value: number | string | null | undefined): Date | null {
  if (value === null || value === undefined || value === 0 || value === '') return null;
  if (typeof value === 'string') {
    const date = new Date(value);
    return Number.isNaN(date.getTime()) ? null : date;
  }
  // Seconds until the year 5138, above that nanoseconds.
  return new Date(value < 1e11 ? value * 1000 : value / 1e6);
}
