// Who is told of what, and whether it arrives.
import { get, post } from '../api/fetch';
import { t } from '../i18n';
import { bytes, count, when } from '../lib/format';
import { Act, Card, Empty, ErrorBox, Table, Tag, useLoad } from '../parts/basics';
import { useState } from 'preact/hooks';
import { lang, may } from '../state';

interface Receiver {
  name: string;
  via: string;
  queued: number;
  delivered: number;
  lost: number;
  last_ok_wall_ns: number;
  last_failure_wall_ns: number;
  last_error: string;
  disk?: number;
}

export function NoticesPage() {
  const { data, error, reload } = useLoad(() => get<{ receivers: Receiver[]; lost: number }>('/v1/notices'), [], 5000);
  const [said, setSaid] = useState<{ name: string; delivered: boolean; error: string } | null>(null);
  return (
    <Card title={t('notices.title')}>
      <ErrorBox error={error} />
      {said && (
        <p class={`note ${said.delivered ? 'good' : 'bad'}`} role="status">
          {said.delivered ? t('notices.test_ok', { name: said.name }) : t('notices.test_failed', { name: said.name, why: said.error })}
        </p>
      )}
      {data && data.lost > 0 && <p class="note warn">{t('notices.lost', { n: count(data.lost, lang.value) })}</p>}
      {data && data.receivers.length === 0 && <Empty>{t('notices.none')}</Empty>}
      {data && data.receivers.length > 0 && (
        <Table
          caption={t('notices.title')}
          rows={data.receivers}
          keyOf={(row) => row.name}
          columns={[
            { head: t('common.name'), cell: (row) => <strong>{row.name}</strong> },
            { head: t('notices.via'), cell: (row) => row.via },
            { head: t('common.state'), cell: (row) => <Health row={row} /> },
            { head: t('notices.queued'), number: true, cell: (row) => count(row.queued, lang.value) + (typeof row.disk === 'number' && row.disk > 1 ? ` (${bytes(row.disk)})` : '') },
            { head: t('notices.delivered'), number: true, cell: (row) => count(row.delivered, lang.value) },
            { head: t('notices.last_ok'), cell: (row) => when(row.last_ok_wall_ns) },
            {
              head: t('common.action'),
              cell: (row) =>
                may('machine') && (
                  <Act
                    run={async () => {
                      setSaid(await post('/v1/notices/test', { name: row.name }, 60_000));
                      reload();
                    }}
                    label={`${t('notices.test')}: ${row.name}`}
                  >
                    {t('notices.test')}
                  </Act>
                ),
            },
          ]}
        />
      )}
    </Card>
  );
}

function Health({ row }: { row: Receiver }) {
  if (row.last_error && row.last_failure_wall_ns > row.last_ok_wall_ns)
    return (
      <>
        <Tag tone="warn">{t('notices.failing')}</Tag>
        <span class="under">{row.last_error}</span>
      </>
    );
  return <Tag tone={row.delivered > 0 ? 'good' : 'plain'}>{row.delivered > 0 ? t('notices.works') : t('notices.nothing_yet')}</Tag>;
}
