// How the gateway is doing: throughput and drops as they happen, what each worker carries, drops by their reason.
import { get } from '../api/fetch';
import { t, tName } from '../i18n';
import { bitRate, count, duration } from '../lib/format';
import { series } from '../lib/rates';
import { Card, Empty, ErrorBox, Table, useLoad } from '../parts/basics';
import { Plot } from '../parts/plot';
import { history, lang, overview } from '../state';
import { Figure } from './signatures';

interface Drops {
  drops: { from: string; to: string; reason: string; explanation: string; packets: number }[];
  talkers: { from: string; to: string; reason: string; drops: number; source?: { address: string; name?: string } }[];
}

export function PerformancePage() {
  const state = overview.value;
  if (!state) return <Empty>{t('live.first')}</Empty>;
  const plane = state.dataplane;
  const [seconds, sent] = series(history.value, (one) => one.dataplane.bytes_sent ?? 0);
  const [, packets] = series(history.value, (one) => one.dataplane.packets_received ?? 0);
  const [, dropped] = series(history.value, (one) => one.dataplane.packets_dropped ?? 0);
  const n = (value: number | undefined) => count(value ?? NaN, lang.value);
  return (
    <div class="depends">
      <Card title={t('performance.now')}>
        <div class="figures">
          <Figure label={t('performance.throughput')} value={bitRate(sent[sent.length - 1] ?? 0)} />
          <Figure label={t('performance.packets')} value={`${n(Math.round(packets[packets.length - 1] ?? 0))}/s`} />
          <Figure label={t('performance.dropped')} value={`${n(Math.round(dropped[dropped.length - 1] ?? 0))}/s`} />
          <Figure label={t('map.flows')} value={`${n(plane.flows_live)} / ${n(plane.flow_capacity)}`} />
          <Figure label={t('performance.uptime')} value={duration(plane.uptime_s ?? 0, lang.value)} />
          <Figure label={t('performance.events_lost')} value={n(plane.events_lost)} tone={(plane.events_lost ?? 0) > 0 ? 'warn' : undefined} />
        </div>
      </Card>
      <div class="columns">
        <Card title={t('performance.throughput')}>
          <Plot label={t('performance.throughput')} x={seconds} series={[{ label: t('performance.throughput'), values: sent, color: 'calm' }]} format={bitRate} />
        </Card>
        <Card title={t('performance.packets')}>
          <Plot
            label={t('performance.packets')}
            x={seconds}
            series={[
              { label: t('performance.received'), values: packets, color: 'calm' },
              { label: t('performance.dropped'), values: dropped, color: 'warn' },
            ]}
            format={(value) => `${count(Math.round(value), lang.value)}/s`}
          />
        </Card>
      </div>
      <Workers />
      <Ports />
      <DropsCard />
    </div>
  );
}

interface Worker {
  worker: number;
  packets_received_per_s: number;
  bits_received_per_s: number;
  dropped_per_s: number;
  inspected_bits_per_s: number;
  flows_created_per_s: number;
  flows_live: number;
  packets_per_burst: number;
  awake_share: number;
}

function Workers() {
  const { data, error } = useLoad(() => get<{ workers: Worker[] }>('/v1/performance', { seconds: 10 }), [], 2000);
  if (error) return <ErrorBox error={error} />;
  const rows = data?.workers ?? [];
  if (rows.length === 0) return null;
  const n = (value: number) => count(Math.round(value), lang.value);
  return (
    <Card title={t('performance.workers')}>
      <Table
        caption={t('performance.workers')}
        rows={rows}
        keyOf={(row) => row.worker}
        columns={[
          { head: t('performance.worker'), number: true, cell: (row) => row.worker },
          { head: t('performance.throughput'), number: true, cell: (row) => bitRate(row.bits_received_per_s / 8) },
          { head: t('performance.packets'), number: true, cell: (row) => `${n(row.packets_received_per_s)}/s` },
          { head: t('performance.dropped'), number: true, cell: (row) => `${n(row.dropped_per_s)}/s` },
          { head: t('performance.inspected'), number: true, cell: (row) => bitRate(row.inspected_bits_per_s / 8) },
          { head: t('performance.new_flows'), number: true, cell: (row) => `${n(row.flows_created_per_s)}/s` },
          { head: t('map.flows'), number: true, cell: (row) => n(row.flows_live) },
          { head: t('performance.burst'), number: true, cell: (row) => row.packets_per_burst.toFixed(1) },
          { head: t('performance.awake'), number: true, cell: (row) => `${Math.round(row.awake_share * 100)} %` },
        ]}
      />
    </Card>
  );
}

function Ports() {
  const ports = overview.value?.dataplane.ports ?? [];
  if (ports.length === 0) return null;
  return (
    <Card title={t('performance.ports')}>
      <Table
        caption={t('performance.ports')}
        rows={ports}
        keyOf={(row) => row.port}
        rowClass={(row) => (row.link_up ? '' : 'warn')}
        columns={[
          { head: t('performance.port'), cell: (row) => <strong>{row.port}</strong> },
          { head: t('common.state'), cell: (row) => (row.link_up ? t('performance.up') : t('performance.down')) },
          { head: t('performance.received'), number: true, cell: (row) => count(row.rx_packets, lang.value) },
          { head: t('performance.sent'), number: true, cell: (row) => count(row.tx_packets, lang.value) },
          { head: t('performance.missed'), number: true, cell: (row) => count(row.rx_missed ?? 0, lang.value) },
        ]}
      />
    </Card>
  );
}

function DropsCard() {
  const { data, error } = useLoad(() => get<Drops>('/v1/drops', { limit: 10 }), [], 3000);
  const rows = [...(data?.drops ?? [])].sort((a, b) => b.packets - a.packets);
  return (
    <>
      <Card title={t('performance.drops')}>
        <ErrorBox error={error} />
        {data && rows.length === 0 && <Empty>{t('performance.no_drops')}</Empty>}
        {rows.length > 0 && (
          <Table
            caption={t('performance.drops')}
            rows={rows.slice(0, 50)}
            columns={[
              { head: t('performance.reason'), cell: (row) => <code>{row.reason}</code> },
              { head: t('performance.explanation'), wide: true, cell: (row) => tName('drop', row.reason) === row.reason ? row.explanation : tName('drop', row.reason) },
              { head: t('term.zone'), cell: (row) => `${row.from} → ${row.to}` },
              { head: t('performance.dropped'), number: true, cell: (row) => count(row.packets, lang.value) },
            ]}
          />
        )}
      </Card>
      {data && data.talkers.length > 0 && (
        <Card title={t('performance.talkers')}>
          <Table
            caption={t('performance.talkers')}
            rows={data.talkers}
            columns={[
              { head: t('why.source'), cell: (row) => row.source?.name ?? row.source?.address ?? '–' },
              { head: t('term.zone'), cell: (row) => `${row.from} → ${row.to}` },
              { head: t('performance.reason'), cell: (row) => <code>{row.reason}</code> },
              { head: t('performance.dropped'), number: true, cell: (row) => count(row.drops, lang.value) },
            ]}
          />
        </Card>
      )}
    </>
  );
}
