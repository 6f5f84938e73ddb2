// t('key', {n: 3}): the text in the chosen language. Both languages stand side by side, so none can be forgotten;
// a key that does not exist does not compile. test/i18n.test.ts compares the placeholders.
import type { Lang } from '../lib/format';
import { lang } from '../state';
import { commands } from './commands';
import { pages } from './pages';
import { shell } from './shell';
import { names, terms } from './terms';
import { work } from './work';

export const texts = { ...terms, ...names, ...shell, ...commands, ...pages, ...work };
export type Key = keyof typeof texts;

export function fill(text: string, values: Record<string, string | number>): string {
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => (name in values ? String(values[name]) : whole));
}

const at = (language: Lang): 0 | 1 => (language === 'ja' ? 0 : 1);

export function t(key: Key, values: Record<string, string | number> = {}): string {
  return fill(texts[key][at(lang.value)], values);
}

// For names that the API gives ("operator", a state, a reason): their text if there is one, else as they are.
export function tName(prefix: string, name: string): string {
  const key = `${prefix}.${name}`;
  return Object.hasOwn(texts, key) ? texts[key as Key][at(lang.value)] : name;
}
