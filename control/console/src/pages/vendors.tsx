// Vendor access: tickets from the request to the signed report, what automation proposes, break-glass.
import { useState } from 'preact/hooks';
import { get, post } from '../api/fetch';
import type { Receipt, Who } from '../api/types';
import { t, tName } from '../i18n';
import { clockSpan, when } from '../lib/format';
import { go, route } from '../lib/route';
import { Act, Card, Empty, ErrorBox, Field, Table, Tag, useLoad, type Tone } from '../parts/basics';
import { TicketView } from '../parts/ticket';
import { keepReceipt, lang, may, session, stale } from '../state';

export interface Ticket {
  id: string;
  vendor: string;
  company: string;
  target: string;
  target_name: string;
  services: string[];
  plan: string;
  kind: string;
  break_glass: boolean;
  record?: boolean; // not of tickets that an older version made
  from_wall_s: number;
  for_s: number;
  remaining_s: number;
  state: string;
  requested_by: Who | null;
  approved_by: Who | null;
  signed_by: Who | null;
  requested_wall_ns: number;
  approved_wall_ns: number;
  opened_wall_ns: number;
  ended_wall_ns: number;
  ended_by: string;
  reason: string;
  signature: string;
  history: { wall_ns: number; act: string; who: string; text: string }[];
}

export const ticketTone = (state: string): Tone =>
  state === 'open' ? 'info' : ['requested', 'report_due', 'suspended'].includes(state) ? 'warn' : 'plain';

export function VendorsPage() {
  const id = route.value.query.ticket;
  if (id) return <TicketView id={id} />;
  return (
    <>
      {may('view_events') && <Proposals />}
      <Tickets />
      {may('ticket_request') && <RequestForm />}
    </>
  );
}

function Tickets() {
  const [all, setAll] = useState(false);
  const { data, error } = useLoad(() => get<{ tickets: Ticket[] }>('/v1/tickets'), [], 2000);
  const over = ['signed', 'declined', 'lapsed', 'void'];
  const rows = [...(data?.tickets ?? [])].filter((one) => all || !over.includes(one.state)).sort((a, b) => b.requested_wall_ns - a.requested_wall_ns);
  return (
    <Card
      title={t('tickets.title')}
      actions={
        <label class="check">
          <input type="checkbox" checked={all} onChange={(event) => setAll(event.currentTarget.checked)} />
          {t('tickets.also_over')}
        </label>
      }
    >
      <ErrorBox error={error} />
      {data && rows.length === 0 && <Empty>{t('tickets.none')}</Empty>}
      {rows.length > 0 && (
        <Table
          caption={t('tickets.title')}
          rows={rows}
          keyOf={(row) => row.id}
          columns={[
            {
              head: t('term.ticket'),
              cell: (row) => (
                <>
                  <button type="button" class="as-link" data-ticket={row.id} onClick={() => go('vendors', { ticket: row.id })}>
                    {row.id}
                  </button>
                  {row.break_glass && <Tag tone="warn">{t('term.break_glass')}</Tag>}
                  {row.kind === 'recovery' && <Tag tone="info">{t('term.recovery')}</Tag>}
                </>
              ),
            },
            {
              head: t('term.vendor'),
              cell: (row) => (
                <>
                  <strong>{row.company || row.vendor}</strong>
                  <span class="under">
                    → {row.target_name} ({row.services.join(', ')})
                  </span>
                </>
              ),
            },
            { head: t('tickets.plan'), wide: true, cell: (row) => row.plan.slice(0, 160) },
            {
              head: t('common.state'),
              cell: (row) => (
                <>
                  <Tag tone={ticketTone(row.state)}>{tName('ticket', row.state)}</Tag>
                  {row.state === 'open' && !stale.value && <span class="under">{t('map.left', { time: clockSpan(row.remaining_s) })}</span>}
                </>
              ),
            },
            { head: t('tickets.requested'), cell: (row) => `${row.requested_by?.name ?? '–'}, ${when(row.requested_wall_ns)}` },
          ]}
        />
      )}
    </Card>
  );
}

interface VendorRow {
  name: string;
  company: string;
  target: string;
  services: string[];
  longest_s: number;
  record: boolean;
}

function RequestForm() {
  const { data, error } = useLoad(() => get<{ vendors: VendorRow[] }>('/v1/vendors'), []);
  const [name, setName] = useState(session.value?.person.vendor ?? '');
  const [plan, setPlan] = useState('');
  const [minutes, setMinutes] = useState('60');
  const [kind, setKind] = useState('maintenance');
  const [services, setServices] = useState<string[] | null>(null);
  const [record, setRecord] = useState(false);
  const vendors = data?.vendors ?? [];
  const vendor = vendors.find((one) => one.name === name) ?? vendors[0];
  const body = vendor && { vendor: vendor.name, target: '', plan, for_s: Number(minutes) * 60, kind, services: services ?? vendor.services, record: record || vendor.record };
  const ready = !!body && plan.trim() !== '' && Number(minutes) > 0 && body.services.length > 0;
  const send = async (path: string) => {
    const answer = await post<{ ticket: Ticket }>(path, body);
    setPlan('');
    go('vendors', { ticket: answer.ticket.id });
  };
  return (
    <Card title={t('tickets.new')}>
      <ErrorBox error={error} />
      {data && vendors.length === 0 && <Empty>{t('tickets.no_vendor')}</Empty>}
      {vendor && (
        <form onSubmit={(event) => event.preventDefault()}>
          <div class="form-row">
            <Field label={t('term.vendor')}>
              {(id) => (
                <select
                  id={id}
                  name="vendor"
                  value={vendor.name}
                  onChange={(event) => {
                    setName(event.currentTarget.value);
                    setServices(null);
                  }}
                >
                  {vendors.map((one) => (
                    <option key={one.name} value={one.name}>
                      {one.company || one.name} → {one.target}
                    </option>
                  ))}
                </select>
              )}
            </Field>
            <Field label={t('tickets.minutes')} hint={t('tickets.longest', { n: Math.floor(vendor.longest_s / 60) })}>
              {(id, hint) => <input id={id} aria-describedby={hint} name="minutes" type="number" min={1} max={Math.floor(vendor.longest_s / 60)} value={minutes} onInput={(event) => setMinutes(event.currentTarget.value)} />}
            </Field>
            <Field label={t('tickets.kind')}>
              {(id) => (
                <select id={id} name="kind" value={kind} onChange={(event) => setKind(event.currentTarget.value)}>
                  <option value="maintenance">{t('tickets.maintenance')}</option>
                  <option value="recovery">{t('term.recovery')}</option>
                </select>
              )}
            </Field>
          </div>
          <fieldset class="checks">
            <legend>{t('impact.service')}</legend>
            {vendor.services.map((one) => {
              const chosen = services ?? vendor.services;
              return (
                <label key={one}>
                  <input type="checkbox" checked={chosen.includes(one)} onChange={(event) => setServices(event.currentTarget.checked ? [...chosen, one] : chosen.filter((other) => other !== one))} />
                  {one}
                </label>
              );
            })}
          </fieldset>
          <fieldset class="checks">
            <legend>{t('report.recording')}</legend>
            <label>
              <input type="checkbox" name="record" checked={record || vendor.record} disabled={vendor.record} onChange={(event) => setRecord(event.currentTarget.checked)} />
              {t('tickets.record')}
            </label>
          </fieldset>
          <Field label={t('tickets.plan')} hint={t('tickets.plan_hint')}>
            {(id, hint) => <textarea id={id} aria-describedby={hint} name="plan" rows={3} maxLength={8000} value={plan} onInput={(event) => setPlan(event.currentTarget.value)} />}
          </Field>
          <div class="actions">
            <Act class="primary" disabled={!ready} run={() => send('/v1/tickets/request')}>
              {t('tickets.ask')}
            </Act>
            {may('ticket_approve') && (
              <Act disabled={!ready} confirm={t('tickets.break_sure')} run={() => send('/v1/tickets/break-glass')}>
                {t('term.break_glass')}
              </Act>
            )}
          </div>
        </form>
      )}
    </Card>
  );
}

interface Proposal {
  id: string;
  action: string;
  target: string;
  why: { en: string; ja: string };
  ticket: string;
  state: string;
  seen: number;
  last_wall_ns: number;
}

// What automation would not do by itself: one press, with the rights of whoever presses.
function Proposals() {
  const { data, error, reload } = useLoad(() => get<{ proposals: Proposal[] }>('/v1/proposals'), [], 3000);
  const rows = (data?.proposals ?? []).filter((one) => one.state === 'open');
  if (rows.length === 0) return <ErrorBox error={error} />;
  return (
    <Card title={t('proposals.title')} class="attention">
      <ul class="plain-list">
        {rows.map((row) => (
          <li key={row.id} class="spread" data-proposal={row.id}>
            <span>
              <strong>
                {tName('command', row.action)}: {row.target}
              </strong>
              <span class="under">
                {row.why[lang.value]} ({when(row.last_wall_ns)})
              </span>
            </span>
            <span class="actions">
              {may(row.action === 'cut' ? 'cut' : 'quarantine') && (
                <Act
                  class="cut"
                  run={async () => {
                    const answer = await post<{ receipt: Receipt }>('/v1/proposals/act', { id: row.id });
                    keepReceipt(answer.receipt);
                    reload();
                  }}
                >
                  {tName('command', row.action)}
                </Act>
              )}
              {may('incident_change') && (
                <Act
                  run={async () => {
                    await post('/v1/proposals/dismiss', { id: row.id, reason: t('proposals.dismissed') });
                    reload();
                  }}
                >
                  {t('proposals.dismiss')}
                </Act>
              )}
            </span>
          </li>
        ))}
      </ul>
    </Card>
  );
}
