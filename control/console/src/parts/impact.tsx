// 影響確認: what a cut of a target would end, in the words of the ward.
import { ApiError, get } from '../api/fetch';
import type { Host, Impact, ImpactRow } from '../api/types';
import { t } from '../i18n';
import { bytes, count } from '../lib/format';
import { lang } from '../state';
import { Empty, ErrorBox, Table, Tag, useLoad } from './basics';

// A sekishod without previews knows the plain impact.
export async function loadImpact(target: string, partial = false): Promise<Impact> {
  try {
    return await get<Impact>('/v1/preview', { target, ...(partial ? { partial: '1' } : {}) });
  } catch (error) {
    if (!(error instanceof ApiError) || error.status !== 404 || error.code === 'no_such_target') throw error;
    return get<Impact>('/v1/impact', { target });
  }
}

export function hostName(host: Host): string {
  return host.name ? host.name : host.address;
}

export function HostCell({ host }: { host: Host }) {
  const more = [host.name ? host.address : '', host.ward ?? ''].filter(Boolean).join(' · ');
  return (
    <>
      <strong>{hostName(host)}</strong>
      {host.protected && <Tag tone="info">{t('term.protected')}</Tag>}
      {more && <span class="under">{more}</span>}
      {host.phone && (
        <a class="under" href={`tel:${host.phone}`}>
          ☎ {host.phone}
        </a>
      )}
    </>
  );
}

export function ImpactSummary({ impact }: { impact: Impact }) {
  return (
    <>
      <p class="sum">
        {impact.flows === 0
          ? t('impact.none')
          : t('impact.sum', { flows: count(impact.flows, lang.value), bytes: bytes(impact.bytes) })}
      </p>
      {impact.partial && <p class="note good">{t('impact.stays', { n: count(impact.stay_flows ?? 0, lang.value) })}</p>}
      {!impact.partial && impact.protected_flows > 0 && (
        <p class="note warn">{t('impact.protected', { n: count(impact.protected_flows, lang.value) })}</p>
      )}
      {impact.dataplane && impact.dataplane !== 'running' && <p class="note warn">{t('impact.unknown')}</p>}
    </>
  );
}

// "DICOM store" of "CT-2 → PACS, DICOM store", where sekishod says it so; else the service's name.
function serviceWords(row: ImpactRow): string {
  const words = row.text?.[lang.value].split(lang.value === 'ja' ? '、' : ', ');
  return words && words.length > 1 ? words[words.length - 1]! : row.service;
}

export function ImpactTable({ impact, most = 100 }: { impact: Impact; most?: number }) {
  return (
    <>
      {impact.stays && impact.stays.length > 0 && <Rows caption={t('impact.staying')} all={impact.stays} groups={impact.stays.length} most={most} />}
      <Rows caption={t('impact.flows')} all={impact.would_end} groups={impact.groups} most={most} />
    </>
  );
}

function Rows({ caption, all, groups, most }: { caption: string; all: ImpactRow[]; groups: number; most: number }) {
  const rows = [...all].sort((a, b) => Number(b.protected) - Number(a.protected) || b.flows - a.flows);
  if (rows.length === 0) return null;
  return (
    <>
      <Table
        caption={caption}
        rows={rows.slice(0, most)}
        rowClass={(row) => (row.protected ? 'protected' : '')}
        columns={[
          { head: t('impact.from'), cell: (row) => <HostCell host={row.source} /> },
          { head: t('impact.to'), cell: (row) => <HostCell host={row.destination} /> },
          { head: t('impact.service'), cell: (row) => serviceWords(row) },
          { head: t('impact.count'), number: true, cell: (row) => count(row.flows, lang.value) },
          { head: t('impact.bytes'), number: true, cell: (row) => bytes(row.bytes) },
        ]}
      />
      {groups > Math.min(most, rows.length) && (
        <p class="hint">{t('impact.more', { n: count(groups - Math.min(most, rows.length), lang.value) })}</p>
      )}
    </>
  );
}

export function ImpactOf({ target, most }: { target: string; most?: number }) {
  const { data, error, loading } = useLoad(() => loadImpact(target), [target]);
  if (error) return <ErrorBox error={error} />;
  if (!data || loading) return <Empty>{t('impact.loading')}</Empty>;
  return (
    <div data-impact={target}>
      <ImpactSummary impact={data} />
      <ImpactTable impact={data} most={most} />
    </div>
  );
}
