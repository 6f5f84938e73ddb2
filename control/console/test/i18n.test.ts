import { describe, expect, it } from 'vitest';
import { fill, texts } from '../src/i18n';
import { terms } from '../src/i18n/terms';

const sources = import.meta.glob<string>(['../src/**/*.{ts,tsx}', '!../src/i18n/**'], { query: '?raw', import: 'default', eager: true });

const holes = (text: string) => [...text.matchAll(/\{(\w+)\}/g)].map((m) => m[1]).sort();

// English, Japanese: the words that documents, receipts and the command line use too.
const WORDS = `
zone|ゾーン; zone link|ゾーン間通信; wire|仮想ワイヤ; vendor access|保守接続口; ticket|保守作業申請; approve|承認;
decline|却下; suspend|一時停止; expiry|有効期限; report|作業報告; break-glass|緊急特例(事後承認); vendor|保守事業者;
cut|遮断; reopen|遮断解除; undo|取り消し; receipt|遮断実行記録; latched|遮断保持中; impact|影響確認; quarantine|隔離;
release|隔離解除; protected|保護対象通信; playbook|緊急対応手順; drill|訓練; recovery|復旧; backup restore|復元;
evidence|証拠保全; audit|監査ログ; alert|検知; incident|インシデント; exception|例外; detect|検知のみ;
prevent|検知・破棄; why|判定理由; drop|破棄; reject|拒否; learn|学習モード; fail-closed|障害時遮断;
fail-open|障害時通過; rollback|設定切り戻し`;

describe('texts', () => {
  it('have both languages, with the same places to fill', () => {
    for (const [key, [ja, en]] of Object.entries(texts)) {
      expect(ja.trim(), key).not.toBe('');
      expect(en.trim(), key).not.toBe('');
      expect(holes(ja), key).toEqual(holes(en));
    }
  });

  it('have no Japanese in English', () => {
    for (const [key, [, en]] of Object.entries(texts)) expect(/[\u3040-\u30ff\u4e00-\u9fff]/.test(en), `${key}: ${en}`).toBe(false);
  });

  it('use the words of the house, and only those', () => {
    const wanted = new Map(WORDS.split(';').map((pair) => pair.trim().split('|') as [string, string]));
    const have = new Map(Object.values(terms).map(([ja, en]) => [en.toLowerCase(), ja]));
    expect([...have].sort()).toEqual([...wanted].sort());
  });

  it('are all used', () => {
    const code = Object.values(sources).join('\n');
    // Keys that are put together from a name of the API, and the table of words itself.
    const byName = new Set([...code.matchAll(/tName\(\s*'(\w+)'/g)].map((m) => m[1]!));
    for (const m of code.matchAll(/prefix="(\w+)"/g)) byName.add(m[1]!);
    const unused = Object.keys(texts).filter((key) => !code.includes(`'${key}'`) && !byName.has(key.split('.')[0]!) && !key.startsWith('term.'));
    expect(unused).toEqual([]);
  });

  it('are filled', () => {
    expect(fill('{n} of {all}, {n}', { n: 3, all: 9 })).toBe('3 of 9, 3');
    expect(fill('{unknown}', {})).toBe('{unknown}');
  });
});
