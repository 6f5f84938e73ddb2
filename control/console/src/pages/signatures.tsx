// The signature set in force: how it loaded, what costs most, what was refused, what still only detects.
import { useState } from 'preact/hooks';
import { get, post } from '../api/fetch';
import { t, tName } from '../i18n';
import { bytes, count, span, when } from '../lib/format';
import { Act, Card, Empty, ErrorBox, Field, Table, Tag, useLoad } from '../parts/basics';
import { lang, may } from '../state';

interface SetReport {
  name?: string;
  version?: string;
  hash: string;
  candidates: number;
  loaded: number;
  rejected: number;
  partial: number;
  recent: number;
  bytes: number;
  compiled_in_ms: number;
  recent_act_from_wall_s?: number;
}
interface SignatureRow {
  sid: number;
  gid: number;
  rev: number;
  msg: string;
  action: string;
  classtype: string;
  app: string;
  priority: number;
  links: Record<string, string>;
  only_detects_until_wall_s?: number;
  promoted?: boolean;
}
interface SetAnswer {
  set: SetReport | null;
  total: number;
  signatures: SignatureRow[];
}

export function SignaturesPage() {
  const [grep, setGrep] = useState('');
  const [asked, setAsked] = useState('');
  const { data, error, reload } = useLoad(() => get<SetAnswer>('/v1/signatures', /^\d+$/.test(asked) ? { sid: asked } : { grep: asked, limit: 100 }), [asked]);
  const [said, setSaid] = useState('');
  return (
    <>
      <Card title={t('signatures.report')}>
        <ErrorBox error={error} />
        {data && (data.set ? <Report set={data.set} /> : <Empty>{t('signatures.no_set')}</Empty>)}
        {said && (
          <p class="note good" role="status">
            {said}
          </p>
        )}
        {may('signature_change') && data?.set && <Change onDone={(text) => (setSaid(text), reload())} />}
      </Card>
      <Dearest />
      <Card title={t('signatures.list')}>
        <form
          class="form-row"
          role="search"
          onSubmit={(event) => {
            event.preventDefault();
            setAsked(grep.trim());
          }}
        >
          <Field label={t('signatures.search')}>{(id) => <input id={id} type="search" value={grep} maxLength={100} onInput={(event) => setGrep(event.currentTarget.value)} />}</Field>
          <button type="submit">{t('common.search')}</button>
        </form>
        {data && data.signatures.length === 0 && <Empty>{t('common.nothing')}</Empty>}
        {data && data.signatures.length > 0 && (
          <>
            <p class="hint">{t('common.shown', { n: count(data.signatures.length, lang.value), all: count(data.total, lang.value) })}</p>
            <Table
              caption={t('signatures.list')}
              rows={data.signatures}
              keyOf={(row) => `${row.gid}:${row.sid}`}
              columns={[
                { head: 'sid', cell: (row) => <code>{row.sid}</code> },
                {
                  head: t('signatures.msg'),
                  wide: true,
                  cell: (row) => (
                    <>
                      {row.msg}
                      <span class="under">{[row.classtype, row.app].filter(Boolean).join(' · ')}</span>
                    </>
                  ),
                },
                { head: t('signatures.on_links'), cell: (row) => Object.entries(row.links).map(([link, action]) => <span key={link} class="under">{`${link}: ${tName('action', action)}`}</span>) },
                {
                  head: t('common.state'),
                  cell: (row) =>
                    row.only_detects_until_wall_s ? (
                      <>
                        <Tag tone="info">{t('term.detect')}</Tag>
                        <span class="under">{t('map.until', { time: when(row.only_detects_until_wall_s) })}</span>
                        {may('signature_change') && (
                          <Act
                            confirm={t('signatures.promote_sure', { sid: row.sid })}
                            run={async () => {
                              await post('/v1/signatures/promote', { sids: [row.sid], reason: t('signatures.promote') }, 130_000);
                              reload();
                            }}
                          >
                            {t('signatures.promote')}
                          </Act>
                        )}
                      </>
                    ) : row.promoted ? (
                      <Tag>{t('signatures.promoted')}</Tag>
                    ) : null,
                },
              ]}
            />
          </>
        )}
      </Card>
      <Rejected />
    </>
  );
}

function Report({ set }: { set: SetReport }) {
  const n = (value: number) => count(value, lang.value);
  return (
    <>
      <div class="figures">
        <Figure label={t('signatures.loaded')} value={n(set.loaded)} />
        <Figure label={t('signatures.rejected')} value={n(set.rejected)} tone={set.rejected > 0 ? 'warn' : undefined} />
        <Figure label={t('signatures.partial')} value={n(set.partial)} />
        <Figure label={t('signatures.recent')} value={n(set.recent)} />
        <Figure label={t('signatures.size')} value={bytes(set.bytes)} />
        <Figure label={t('signatures.compiled')} value={`${(set.compiled_in_ms / 1000).toFixed(1)} s`} />
      </div>
      <p class="hint">
        {[set.name, set.version].filter(Boolean).join(' ')} <code>{set.hash.slice(0, 16)}</code>
        {set.recent_act_from_wall_s ? ` · ${t('signatures.act_from', { time: when(set.recent_act_from_wall_s) })}` : ''}
      </p>
    </>
  );
}

export function Figure({ label, value, tone }: { label: string; value: string; tone?: string | undefined }) {
  return (
    <div class={`figure ${tone ?? ''}`}>
      <span class="figure-value">{value}</span>
      <span class="figure-label">{label}</span>
    </div>
  );
}

function Change({ onDone }: { onDone: (text: string) => void }) {
  const [path, setPath] = useState('');
  return (
    <details class="more">
      <summary>{t('signatures.change')}</summary>
      <div class="form-row">
        <Field label={t('signatures.path')} hint={t('signatures.path_hint')}>{(id, hint) => <input id={id} aria-describedby={hint} type="text" spellcheck={false} value={path} onInput={(event) => setPath(event.currentTarget.value)} />}</Field>
        <Act
          class="primary"
          disabled={!path.startsWith('/')}
          run={async () => {
            const answer = await post<{ ok: boolean; version: number; error_text?: string }>('/v1/signatures/import', { path, reason: t('signatures.import') }, 150_000);
            if (!answer.ok) throw new Error(answer.error_text ?? t('common.failed'));
            onDone(t('policy.applied', { n: answer.version }));
          }}
        >
          {t('signatures.import')}
        </Act>
        <Act
          confirm={t('signatures.back_sure')}
          run={async () => {
            const answer = await post<{ ok: boolean; version: number; error_text?: string }>('/v1/signatures/rollback', { reason: t('signatures.back') }, 150_000);
            if (!answer.ok) throw new Error(answer.error_text ?? t('common.failed'));
            onDone(t('policy.applied', { n: answer.version }));
          }}
        >
          {t('signatures.back')}
        </Act>
      </div>
    </details>
  );
}

// What the set costs: the signatures that take most time of the workers.
function Dearest() {
  const [by, setBy] = useState('time');
  const { data, error } = useLoad(() => get<{ signatures: { sid: number; msg: string; hits: number; judged: number; matches: number; time_ns: number }[] }>('/v1/signatures/top', { by, limit: 20 }), [by], 5000);
  return (
    <Card
      title={t('signatures.top')}
      actions={
        <label class="check">
          {t('signatures.by')}{' '}
          <select value={by} onChange={(event) => setBy(event.currentTarget.value)}>
            {['time', 'judged', 'hits', 'matches'].map((one) => (
              <option key={one} value={one}>
                {tName('cost', one)}
              </option>
            ))}
          </select>
        </label>
      }
    >
      <ErrorBox error={error} />
      {data && data.signatures.length === 0 && <Empty>{t('signatures.no_cost')}</Empty>}
      {data && data.signatures.length > 0 && (
        <Table
          caption={t('signatures.top')}
          rows={data.signatures}
          keyOf={(row) => row.sid}
          columns={[
            { head: 'sid', cell: (row) => <code>{row.sid}</code> },
            { head: t('signatures.msg'), wide: true, cell: (row) => row.msg },
            { head: t('cost.time'), number: true, cell: (row) => span(row.time_ns) },
            { head: t('cost.judged'), number: true, cell: (row) => count(row.judged, lang.value) },
            { head: t('cost.hits'), number: true, cell: (row) => count(row.hits, lang.value) },
            { head: t('cost.matches'), number: true, cell: (row) => count(row.matches, lang.value) },
          ]}
        />
      )}
    </Card>
  );
}

function Rejected() {
  const { data, error } = useLoad(() => get<{ total: number; rejected: string[] }>('/v1/signatures/rejected'), []);
  return (
    <Card title={t('signatures.rejected_list')}>
      <ErrorBox error={error} />
      {data && data.rejected.length === 0 && <Empty>{t('common.nothing')}</Empty>}
      {data && data.rejected.length > 0 && (
        <details>
          <summary>{t('common.shown', { n: count(data.rejected.length, lang.value), all: count(data.total, lang.value) })}</summary>
          <ul class="plain-list small">
            {data.rejected.slice(0, 500).map((one, i) => (
              <li key={i}>{one}</li>
            ))}
          </ul>
        </details>
      )}
    </Card>
  );
}
