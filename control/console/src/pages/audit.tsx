// 監査ログ: what was done, by whom; whether the chain is whole; and a copy to take away.
import { useState } from 'preact/hooks';
import { get } from '../api/fetch';
import { t } from '../i18n';
import { count, when } from '../lib/format';
import { Act, Card, Empty, ErrorBox, Table, Tag, useLoad } from '../parts/basics';
import { lang } from '../state';

interface AuditRecord {
  sequence: number;
  wall_ns: number;
  name: string;
  from: string;
  action: string;
  receipt: string;
  details: Record<string, unknown>;
}
interface Verdict {
  intact: boolean;
  records: number;
  last_sequence: number;
  findings: { kind: string; line: number; text: string }[];
  more: boolean;
}

export function AuditPage() {
  const [limit, setLimit] = useState(100);
  const { data, error, loading } = useLoad(() => get<{ records: AuditRecord[] }>('/v1/audit', { limit }), [limit], 10_000);
  const [verified, setVerified] = useState<Verdict | null>(null);
  const rows = [...(data?.records ?? [])].sort((a, b) => b.sequence - a.sequence);
  return (
    <>
      <Card
        title={t('audit.chain')}
        actions={
          <>
            <Act class="primary" run={async () => setVerified(await get<Verdict>('/v1/audit/verify', {}, 120_000))}>
              {t('audit.verify')}
            </Act>
            <Act run={exportAll}>{t('audit.export')}</Act>
          </>
        }
      >
        <p class="hint">{t('audit.what')}</p>
        {verified && (
          <div class={`note ${verified.intact ? 'good' : 'bad'}`} role="status" data-verified={verified.intact}>
            <p>{verified.intact ? t('audit.whole', { n: count(verified.records, lang.value) }) : t('audit.broken', { n: count(verified.findings.length, lang.value) })}</p>
            <ul class="plain-list small">
              {verified.findings.slice(0, 20).map((finding, i) => (
                <li key={i}>
                  {finding.kind} ({finding.line}): {finding.text}
                </li>
              ))}
            </ul>
          </div>
        )}
      </Card>
      <Card title={t('audit.records')}>
        <ErrorBox error={error} />
        {data && rows.length === 0 && <Empty>{t('common.nothing')}</Empty>}
        {rows.length > 0 && (
          <Table
            caption={t('audit.records')}
            rows={rows}
            keyOf={(row) => row.sequence}
            columns={[
              { head: '#', number: true, cell: (row) => row.sequence },
              { head: t('common.time'), cell: (row) => when(row.wall_ns) },
              { head: t('common.who'), cell: (row) => (
                  <>
                    {row.name}
                    <span class="under">{row.from}</span>
                  </>
                ) },
              { head: t('common.action'), cell: (row) => <Tag tone={row.action === 'cut' ? 'cut' : 'plain'}>{row.action}</Tag> },
              { head: t('audit.details'), wide: true, cell: (row) => <code class="wrap">{detailText(row)}</code> },
            ]}
          />
        )}
        {limit < 10_000 && rows.length >= limit && (
          <button type="button" disabled={loading} onClick={() => setLimit(limit * 5)}>
            {t('common.more')}
          </button>
        )}
      </Card>
    </>
  );
}

// One line: name=value, the receipt first.
function detailText(row: AuditRecord): string {
  const parts = Object.entries(row.details ?? {})
    .filter(([, value]) => value !== '' && value !== null)
    .map(([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`);
  return [row.receipt, ...parts].filter(Boolean).join(' ');
}

// The lines as they stand in the log: their hashes can be checked elsewhere.
async function exportAll(): Promise<void> {
  const { lines } = await get<{ lines: string[] }>('/v1/audit/export', { limit: 10_000 }, 60_000);
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([lines.join('\n'), '\n'], { type: 'application/x-ndjson' }));
  link.download = `sekisho-audit-${new Date().toISOString().slice(0, 10)}.jsonl`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
