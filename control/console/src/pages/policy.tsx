// The policy: what it says and what it does (hits), why a packet fares as it does, and how it is changed.
import { useState } from 'preact/hooks';
import { get } from '../api/fetch';
import { t, tName } from '../i18n';
import { count } from '../lib/format';
import { Card, Empty, ErrorBox, Table, Tag, useLoad } from '../parts/basics';
import { ConfigChange, ConfigHistory } from '../parts/config';
import { WhyCard } from '../parts/why';
import { lang, may } from '../state';

interface RuleRow {
  rule: string;
  at: string;
  action: string;
  hits: number;
}
interface Learned {
  rules: { link: string; name: string; flows: number }[];
  toml: string;
  overflow: number | boolean;
}

export function PolicyPage() {
  return (
    <>
      <WhyCard />
      <Rules />
      {may('config_view') && <ConfigChange />}
      {may('config_view') && <ConfigHistory />}
      <LearnCard />
    </>
  );
}

function Rules() {
  const { data, error } = useLoad(() => get<{ rules: RuleRow[] }>('/v1/rules'), [], 5000);
  const [unused, setUnused] = useState(false);
  const rows = (data?.rules ?? []).map((row, index) => ({ ...row, index }));
  const shown = unused ? rows.filter((row) => row.hits === 0) : rows;
  const never = rows.filter((row) => row.hits === 0).length;
  return (
    <Card
      title={t('policy.rules')}
      actions={
        <label class="check">
          <input type="checkbox" checked={unused} onChange={(event) => setUnused(event.currentTarget.checked)} />
          {t('policy.only_unused', { n: never })}
        </label>
      }
    >
      <ErrorBox error={error} />
      {data && shown.length === 0 && <Empty>{unused ? t('policy.none_unused') : t('policy.no_rules')}</Empty>}
      {shown.length > 0 && (
        <Table
          caption={t('policy.rules')}
          rows={shown}
          keyOf={(row) => row.index}
          columns={[
            { head: '#', number: true, cell: (row) => row.index + 1 },
            {
              head: t('policy.rule'),
              wide: true,
              cell: (row) => (
                <>
                  <strong>{row.rule}</strong>
                  <span class="under">{row.at}</span>
                </>
              ),
            },
            { head: t('policy.action'), cell: (row) => <Tag tone={row.action === 'accept' ? 'good' : 'plain'}>{tName('action', row.action)}</Tag> },
            { head: t('policy.hits'), number: true, cell: (row) => (row.hits === 0 ? <Tag tone="warn">{t('policy.unused')}</Tag> : count(row.hits, lang.value)) },
          ]}
        />
      )}
    </Card>
  );
}

function LearnCard() {
  const { data, error, reload } = useLoad(() => get<Learned>('/v1/learn'), []);
  return (
    <Card title={t('policy.learned')} actions={<button type="button" onClick={reload}>{t('common.reload')}</button>}>
      <ErrorBox error={error} />
      {data && data.rules.length === 0 && <Empty>{t('policy.nothing_learned')}</Empty>}
      {data && data.rules.length > 0 && (
        <>
          <p class="hint">{t('policy.learn_hint')}</p>
          <Table
            caption={t('policy.learned')}
            rows={data.rules.slice(0, 200)}
            columns={[
              { head: t('term.link'), cell: (row) => row.link },
              { head: t('policy.rule'), wide: true, cell: (row) => row.name },
              { head: t('map.flows'), number: true, cell: (row) => count(row.flows, lang.value) },
            ]}
          />
          <details>
            <summary>{t('policy.as_toml')}</summary>
            <pre>{data.toml}</pre>
          </details>
        </>
      )}
    </Card>
  );
}
