// Incidents: what one host did in one hour, its alerts, what people found out about it, and the way to stop it.
import { useState } from 'preact/hooks';
import { get, post } from '../api/fetch';
import { t, tName } from '../i18n';
import { count, when } from '../lib/format';
import { go, route } from '../lib/route';
import { Act, Card, Empty, ErrorBox, Field, Table, Tag, useLoad, type Tone } from '../parts/basics';
import { quarantineOpen } from '../parts/quarantine';
import { lang, may } from '../state';

interface Incident {
  id: number;
  host: string;
  hour_wall_s: number;
  technique: string;
  name: string;
  tactic: string;
  by: string;
  link: string;
  state: string;
  first_wall_ns: number;
  last_wall_ns: number;
  alerts: number;
  blocked: number;
  severity: number;
}
interface Whole extends Incident {
  signatures: { gid: number; sid: number; signature: string; alerts: number; last_wall_ns: number }[];
  peers: { address: string; alerts: number }[];
  entries: { wall_ns: number; who: string; kind: string; text: string }[];
}
const STATES = ['new', 'valid', 'false', 'closed'];
const DETECTOR = 900; // gid of the detectors of vendor access: no signature, so no exception
// What rules write as one word.
const words = (text: string) => text.replaceAll('_', ' ');
const nameOf = (incident: Incident) => words(incident.name || incident.technique);

export function IncidentsPage() {
  const id = route.value.query.id;
  return id ? <One id={id} /> : <List />;
}

const stateTone = (state: string): Tone => (state === 'new' ? 'warn' : state === 'valid' ? 'info' : 'plain');

function List() {
  const [state, setState] = useState('new');
  const { data, error } = useLoad(() => get<{ incidents: Incident[]; counts?: Record<string, number> }>('/v1/incidents', { state }), [state], 3000);
  return (
    <Card
      title={t('incidents.title')}
      actions={
        <span class="switch" role="group" aria-label={t('common.state')}>
          {[...STATES, ''].map((one) => (
            <button key={one} type="button" aria-pressed={state === one} onClick={() => setState(one)}>
              {one === '' ? t('common.all') : tName('incident', one)}
              {data?.counts && one !== '' ? ` (${count(data.counts[one] ?? 0, lang.value)})` : ''}
            </button>
          ))}
        </span>
      }
    >
      <ErrorBox error={error} />
      {data && data.incidents.length === 0 && <Empty>{t('incidents.none')}</Empty>}
      {data && data.incidents.length > 0 && (
        <Table
          caption={t('incidents.title')}
          rows={data.incidents}
          keyOf={(row) => row.id}
          columns={[
            { head: t('common.time'), cell: (row) => when(row.last_wall_ns) },
            {
              head: t('incidents.what'),
              wide: true,
              cell: (row) => (
                <>
                  <button type="button" class="as-link" data-incident={row.id} onClick={() => go('incidents', { id: String(row.id) })}>
                    {nameOf(row)}
                  </button>
                  <span class="under">{[row.technique, words(row.tactic)].filter(Boolean).join(' · ')}</span>
                </>
              ),
            },
            { head: t('incidents.host'), cell: (row) => <strong>{row.host}</strong> },
            { head: t('term.link'), cell: (row) => row.link },
            { head: t('term.alert'), number: true, cell: (row) => count(row.alerts, lang.value) },
            { head: t('term.drop'), number: true, cell: (row) => count(row.blocked, lang.value) },
            { head: t('common.state'), cell: (row) => <Tag tone={stateTone(row.state)}>{tName('incident', row.state)}</Tag> },
          ]}
        />
      )}
    </Card>
  );
}

function One({ id }: { id: string }) {
  const { data, error, reload } = useLoad(() => get<Whole>('/v1/incident', { id }), [id], 3000);
  if (!data) return error ? <ErrorBox error={error} /> : <Empty>…</Empty>;
  const change = async (path: string, body: object) => {
    await post(path, { id: data.id, ...body });
    reload();
  };
  return (
    <>
      <p>
        <a href="#/incidents">← {t('incidents.all')}</a>
      </p>
      <Card
        title={`${t('term.incident')} ${data.id}: ${nameOf(data)}`}
        actions={
          may('quarantine') && (
            <button type="button" class="cut" data-quarantine={data.host} onClick={() => (quarantineOpen.value = { host: data.host, reason: `${t('term.incident')} ${data.id}: ${nameOf(data)}` })}>
              {t('incidents.quarantine', { host: data.host })}
            </button>
          )
        }
      >
        <dl class="facts">
          <dt>{t('incidents.host')}</dt>
          <dd>
            <strong>{data.host}</strong>
          </dd>
          <dt>{t('incidents.technique')}</dt>
          <dd>{[data.technique, words(data.tactic)].filter(Boolean).join(' · ') || '–'}</dd>
          <dt>{t('term.link')}</dt>
          <dd>{data.link}</dd>
          <dt>{t('incidents.span')}</dt>
          <dd>
            {when(data.first_wall_ns)} – {when(data.last_wall_ns)}
          </dd>
          <dt>{t('term.alert')}</dt>
          <dd>
            {count(data.alerts, lang.value)} ({t('incidents.blocked', { n: count(data.blocked, lang.value) })})
          </dd>
          <dt>{t('common.state')}</dt>
          <dd>
            <Tag tone={stateTone(data.state)}>{tName('incident', data.state)}</Tag>
          </dd>
        </dl>
        {may('incident_change') && (
          <div class="actions">
            {STATES.filter((state) => state !== data.state).map((state) => (
              <Act key={state} run={() => change('/v1/incidents/state', { state })}>
                {tName('incident_do', state)}
              </Act>
            ))}
          </div>
        )}
      </Card>
      <div class="columns">
        <Card title={t('incidents.signatures')}>
          <Table
            caption={t('incidents.signatures')}
            rows={data.signatures}
            keyOf={(row) => `${row.gid}:${row.sid}`}
            columns={[
              { head: 'sid', cell: (row) => <code>{row.sid}</code> },
              { head: t('signatures.msg'), wide: true, cell: (row) => row.signature },
              { head: t('term.alert'), number: true, cell: (row) => count(row.alerts, lang.value) },
              { head: t('common.action'), cell: (row) => may('incident_change') && row.gid !== DETECTOR && <Exception incident={data} sid={row.sid} onDone={reload} /> },
            ]}
          />
        </Card>
        <Card title={t('incidents.peers')}>
          <ul class="plain-list">
            {data.peers.map((peer) => (
              <li key={peer.address} class="spread">
                <strong>{peer.address}</strong> <span>{count(peer.alerts, lang.value)}</span>
              </li>
            ))}
          </ul>
        </Card>
      </div>
      <Timeline incident={data} onNote={(text) => change('/v1/incidents/note', { text })} />
    </>
  );
}

function Timeline({ incident, onNote }: { incident: Whole; onNote: (text: string) => Promise<void> }) {
  const [text, setText] = useState('');
  const lines = [
    { wall_ns: incident.first_wall_ns, who: '', kind: 'first', text: '' },
    { wall_ns: incident.last_wall_ns, who: '', kind: 'last', text: '' },
    ...incident.entries,
  ].sort((a, b) => a.wall_ns - b.wall_ns);
  return (
    <Card title={t('incidents.timeline')}>
      <ol class="timeline">
        {lines.map((line, i) => (
          <li key={i}>
            <time>{when(line.wall_ns)}</time> <strong>{line.who}</strong> {tName('entry', line.kind)}
            {line.text && <>: {line.kind === 'state' ? tName('incident', line.text) : line.text}</>}
          </li>
        ))}
      </ol>
      {may('incident_change') && (
        <form class="form-row" onSubmit={(event) => event.preventDefault()}>
          <Field label={t('incidents.note')} hint={t('incidents.note_hint')}>
            {(id, hint) => <input id={id} aria-describedby={hint} name="note" type="text" maxLength={1000} value={text} onInput={(event) => setText(event.currentTarget.value)} />}
          </Field>
          <Act
            disabled={text.trim() === ''}
            run={async () => {
              await onNote(text.trim());
              setText('');
            }}
          >
            {t('incidents.add_note')}
          </Act>
        </form>
      )}
    </Card>
  );
}

// An exception for this host and signature, with an end.
function Exception({ incident, sid, onDone }: { incident: Incident; sid: number; onDone: () => void }) {
  const [open, setOpen] = useState(false);
  const [days, setDays] = useState('7');
  const [reason, setReason] = useState('');
  if (!open)
    return (
      <button type="button" onClick={() => setOpen(true)}>
        {t('incidents.exception')}
      </button>
    );
  return (
    <div class="answer">
      <Field label={t('term.expiry')}>
        {(id) => (
          <select id={id} value={days} onChange={(event) => setDays(event.currentTarget.value)}>
            {[1, 7, 30, 90].map((n) => (
              <option key={n} value={n}>
                {t('quarantine.days', { n })}
              </option>
            ))}
          </select>
        )}
      </Field>
      <Field label={t('common.reason')}>{(id) => <input id={id} type="text" maxLength={200} value={reason} onInput={(event) => setReason(event.currentTarget.value)} />}</Field>
      <div class="actions">
        <Act
          class="primary"
          disabled={reason.trim() === ''}
          run={async () => {
            await post('/v1/incidents/exception', { id: incident.id, sid, address: incident.host, until: Math.floor(Date.now() / 1000) + Number(days) * 86400, reason }, 150_000);
            setOpen(false);
            onDone();
          }}
        >
          {t('incidents.exception')}
        </Act>
        <button type="button" onClick={() => setOpen(false)}>
          {t('common.cancel')}
        </button>
      </div>
    </div>
  );
}
