// One ticket: where it stands, what can be done with it now, its history, and the report to be signed.
import { useState } from 'preact/hooks';
import { get, post } from '../api/fetch';
import { t, tName } from '../i18n';
import { bytes, clockSpan, count, duration, when } from '../lib/format';
import { ticketTone, type Ticket } from '../pages/vendors';
import { lang, may, session, stale } from '../state';
import { Act, Card, Empty, ErrorBox, Field, Table, Tag, useLoad } from './basics';

interface ReportRow {
  source: string;
  destination: string;
  source_name?: string;
  destination_name?: string;
  service: string;
  count: number;
  first_wall_ns: number;
  last_wall_ns: number;
  detail?: string;
  sid?: string;
  reason?: string;
  what?: string;
  kind?: string;
  text?: string;
  bytes_to_destination?: number;
  bytes_to_source?: number;
}
interface Rows {
  rows: ReportRow[];
  more: number;
}
interface Report {
  complete: boolean;
  opened_wall_ns: number;
  ended_wall_ns: number;
  flow_count: number;
  bytes_to_target: number;
  bytes_to_vendor: number;
  flows: Rows;
  alerts: Rows;
  drops: Rows;
  logins: Rows;
  findings: Rows;
  // Reports that were filed by an older version have neither.
  captures?: { rows: Capture[]; more: number };
  recording?: Recording | null;
}
interface Capture {
  id: string;
  wall_ns: number;
  kind: string;
  why: string;
  packets: number;
  bytes: number;
}
interface Recording {
  parts: number;
  packets: number;
  bytes: number;
  overwritten: number;
  restarts: number;
  left_out: number;
  damaged: number;
  finished: boolean;
  error: string;
}

export function TicketView({ id }: { id: string }) {
  const { data, error, reload } = useLoad(() => get<{ ticket: Ticket; report: Report | null }>('/v1/ticket', { id }), [id], 2000);
  if (!data) return error ? <ErrorBox error={error} /> : <Empty>…</Empty>;
  const ticket = data.ticket;
  return (
    <>
      <p>
        <a href="#/vendors">← {t('tickets.all')}</a>
      </p>
      <Card title={`${t('term.ticket')} ${ticket.id}`}>
        <p class="big-state" role="status" data-ticket-state={ticket.state}>
          <Tag tone={ticketTone(ticket.state)}>{tName('ticket', ticket.state)}</Tag>{' '}
          {ticket.state === 'open' && !stale.value && t('map.left', { time: clockSpan(ticket.remaining_s) })}
        </p>
        <dl class="facts">
          <dt>{t('term.vendor')}</dt>
          <dd>
            <strong>{ticket.company || ticket.vendor}</strong> → {ticket.target_name} ({ticket.services.join(', ')})
          </dd>
          <dt>{t('tickets.plan')}</dt>
          <dd class="plan">{ticket.plan}</dd>
          <dt>{t('tickets.kind')}</dt>
          <dd>
            {ticket.kind === 'recovery' ? t('term.recovery') : t('tickets.maintenance')}
            {ticket.break_glass && ` · ${t('term.break_glass')}`}
            {ticket.record && ` · ${t('tickets.recorded')}`}
          </dd>
          <dt>{t('tickets.length')}</dt>
          <dd>
            {duration(ticket.for_s, lang.value)}
            {ticket.from_wall_s > 0 && ` (${t('tickets.from', { time: when(ticket.from_wall_s) })})`}
          </dd>
          <dt>{t('tickets.requested')}</dt>
          <dd>
            {ticket.requested_by?.name ?? '–'}, {when(ticket.requested_wall_ns)}
          </dd>
          <dt>{t('tickets.approved')}</dt>
          <dd>{ticket.approved_by ? `${ticket.approved_by.name}, ${when(ticket.approved_wall_ns)}` : '–'}</dd>
          {ticket.reason && (
            <>
              <dt>{t('common.reason')}</dt>
              <dd>{ticket.reason}</dd>
            </>
          )}
          {ticket.signed_by && (
            <>
              <dt>{t('tickets.signed')}</dt>
              <dd>
                {ticket.signed_by.name}: {ticket.signature}
              </dd>
            </>
          )}
        </dl>
        <Deeds ticket={ticket} onDone={reload} />
      </Card>
      {data.report && <ReportView report={data.report} />}
      <Card title={t('incidents.timeline')}>
        <ol class="timeline">
          {ticket.history.map((step, i) => (
            <li key={i}>
              <time>{when(step.wall_ns)}</time> <strong>{step.who}</strong> {tName('act', step.act)}
              {step.text && `: ${step.text}`}
            </li>
          ))}
        </ol>
      </Card>
    </>
  );
}

// The deeds that its state and one's rights allow. sekishod decides; these are the ones worth offering.
function Deeds({ ticket, onDone }: { ticket: Ticket; onDone: () => void }) {
  const [text, setText] = useState('');
  const deed = (name: string, body: object = {}) => async () => {
    await post(`/v1/tickets/${name}`, { id: ticket.id, ...body });
    setText('');
    onDone();
  };
  const me = session.value?.person.name;
  const approve = may('ticket_approve');
  const request = may('ticket_request');
  const own = ticket.requested_by?.name === me;
  const state = ticket.state;
  const unapproved = ticket.break_glass && !ticket.approved_by;
  const wordy = (approve && ['requested', 'open', 'suspended', 'report_due'].includes(state)) || (request && ['open', 'suspended', 'approved'].includes(state));
  return (
    <>
      {wordy && (
        <Field label={state === 'report_due' ? t('tickets.sign_text') : t('common.reason')} hint={state === 'report_due' ? t('tickets.sign_hint') : undefined}>
          {(id, hint) => <input id={id} aria-describedby={hint} name="reason" type="text" maxLength={1000} value={text} onInput={(event) => setText(event.currentTarget.value)} />}
        </Field>
      )}
      <div class="actions" data-deeds>
        {approve && (state === 'requested' || unapproved) && !own && (
          <Act class="primary" disabled={stale.value} run={deed('approve')}>
            {t('term.approve')}
          </Act>
        )}
        {approve && state === 'requested' && !own && (
          <Act disabled={text.trim() === ''} run={deed('decline', { reason: text })}>
            {t('term.decline')}
          </Act>
        )}
        {state === 'requested' && own && <Tag>{t('reopen.needs_other')}</Tag>}
        {request && state === 'approved' && (
          <Act class="primary" disabled={stale.value} run={deed('open')}>
            {t('tickets.open')}
          </Act>
        )}
        {approve && state === 'open' && (
          <Act class="cut" run={deed('suspend', { reason: text || t('tickets.suspended_here') })}>
            {t('term.suspend')}
          </Act>
        )}
        {approve && state === 'suspended' && (
          <Act class="primary" disabled={stale.value} run={deed('resume')}>
            {t('tickets.resume')}
          </Act>
        )}
        {request && ['approved', 'open', 'suspended'].includes(state) && <Act deed="close" run={deed('close', { reason: text || t('tickets.closed_here') })}>{t('tickets.close')}</Act>}
        {approve && state === 'report_due' && (
          <Act class="primary" disabled={text.trim() === ''} run={deed('sign', { text })}>
            {t('tickets.sign')}
          </Act>
        )}
      </div>
    </>
  );
}

function ReportView({ report }: { report: Report }) {
  const lists: ['findings' | 'alerts' | 'logins' | 'flows' | 'drops', Rows][] = [
    ['findings', report.findings],
    ['alerts', report.alerts],
    ['logins', report.logins],
    ['flows', report.flows],
    ['drops', report.drops],
  ];
  return (
    <Card title={t('term.report')} class="report">
      <p class="sum" data-report>
        {t('tickets.report_sum', {
          flows: count(report.flow_count, lang.value),
          to: bytes(report.bytes_to_target),
          back: bytes(report.bytes_to_vendor),
        })}
      </p>
      <p class="hint">
        {when(report.opened_wall_ns)} – {when(report.ended_wall_ns)} {!report.complete && t('tickets.not_complete')}
      </p>
      {lists.map(
        ([name, list]) =>
          list.rows.length > 0 && (
            <div key={name}>
              <h3>{tName('report', name)}</h3>
              <Table
                caption={tName('report', name)}
                rows={list.rows.slice(0, 200)}
                columns={[
                  { head: t('impact.from'), cell: (row) => row.source_name || row.source },
                  { head: t('impact.to'), cell: (row) => row.destination_name || row.destination },
                  { head: t('impact.service'), cell: (row) => row.service },
                  { head: t('audit.details'), wide: true, cell: (row) => [row.kind, row.sid, row.reason, row.what, row.detail, row.text].filter(Boolean).join(' · ') },
                  { head: t('impact.count'), number: true, cell: (row) => count(row.count, lang.value) },
                  { head: t('impact.bytes'), number: true, cell: (row) => (row.bytes_to_destination === undefined ? '' : `${bytes(row.bytes_to_destination)} / ${bytes(row.bytes_to_source ?? 0)}`) },
                ]}
              />
            </div>
          ),
      )}
      {report.captures && report.captures.rows.length > 0 && (
        <>
          <h3>{t('report.captures')}</h3>
          <Table
            caption={t('report.captures')}
            rows={report.captures.rows.slice(0, 200)}
            columns={[
              { head: t('capture.id'), cell: (row) => row.id },
              { head: t('common.time'), cell: (row) => when(row.wall_ns) },
              { head: t('audit.details'), wide: true, cell: (row) => [tName('capture', row.kind), row.why].filter(Boolean).join(' · ') },
              { head: t('capture.packets'), number: true, cell: (row) => count(row.packets, lang.value) },
              { head: t('impact.bytes'), number: true, cell: (row) => bytes(row.bytes) },
            ]}
          />
        </>
      )}
      {report.recording && <RecordingView recording={report.recording} />}
    </Card>
  );
}

function RecordingView({ recording }: { recording: Recording }) {
  const gaps = recording.overwritten + recording.restarts + recording.left_out + recording.damaged;
  return (
    <>
      <h3>{t('report.recording')}</h3>
      <p data-recording>
        {t('capture.recorded', { packets: count(recording.packets, lang.value), bytes: bytes(recording.bytes), parts: count(recording.parts, lang.value) })}{' '}
        {!recording.finished && t('tickets.not_complete')}
      </p>
      {gaps > 0 && (
        <p>
          <Tag tone="warn">{t('capture.gaps')}</Tag> {t('capture.gap_counts', { blocks: count(recording.overwritten + recording.damaged, lang.value), restarts: count(recording.restarts, lang.value), packets: count(recording.left_out, lang.value) })}
        </p>
      )}
      {recording.error && <p>{recording.error}</p>}
    </>
  );
}
