// Changing the configuration: edit, see the difference and what it would end, apply with a countdown, go back.
import { useState } from 'preact/hooks';
import { get, post } from '../api/fetch';
import type { ImpactRow } from '../api/types';
import { t, tName } from '../i18n';
import { count, when } from '../lib/format';
import { lang, may, overview, stale } from '../state';
import { Act, Card, Empty, ErrorBox, Field, Table, Tag, useLoad } from './basics';
import { hostName } from './impact';

interface Diagnostic {
  severity?: string;
  file?: string;
  line?: number;
  column?: number;
  what: string;
  expected?: string;
}
interface Diff {
  ok: boolean;
  failure?: string;
  diagnostics?: Diagnostic[];
  changes?: string[];
  would_end?: ImpactRow[];
  would_end_flows?: number;
  live_flows?: number;
  flows_unknown?: string;
}
interface Result {
  ok: boolean;
  version: number;
  error_text?: string;
  diagnostics?: Diagnostic[];
  confirm_by_wall_s?: number;
}
const COMPILE_MS = 150_000;

export function ConfigChange() {
  const current = useLoad(() => get<{ version: number; text: string }>('/v1/config/current'), [overview.value?.version]);
  const [text, setText] = useState<string | null>(null);
  const [diff, setDiff] = useState<Diff | null>(null);
  const [result, setResult] = useState<Result | null>(null);
  const [reason, setReason] = useState('');
  const [within, setWithin] = useState('300');
  const edited = text ?? current.data?.text ?? '';
  const changed = current.data !== null && edited !== current.data.text;
  return (
    <Card title={t('policy.config')}>
      <ErrorBox error={current.error} />
      <Field label={t('policy.text', { n: current.data?.version ?? 0 })} hint={t('policy.text_hint')}>
        {(id, hint) => (
          <textarea
            id={id}
            aria-describedby={hint}
            class="code"
            rows={16}
            spellcheck={false}
            wrap="off"
            readOnly={!may('config_change')}
            value={edited}
            onInput={(event) => {
              setText(event.currentTarget.value);
              setDiff(null);
              setResult(null);
            }}
          />
        )}
      </Field>
      {may('config_change') && (
        <div class="actions">
          <label class="button">
            {t('policy.file')}
            <input
              type="file"
              class="only-read"
              accept=".toml,text/plain"
              onChange={async (event) => {
                const file = event.currentTarget.files?.[0];
                if (file) setText(await file.text());
                setDiff(null);
              }}
            />
          </label>
          <Act disabled={!changed} run={async () => setDiff(await post<Diff>('/v1/config/diff', { text: edited }, COMPILE_MS))}>
            {t('policy.diff')}
          </Act>
          {changed && (
            <button type="button" onClick={() => (setText(null), setDiff(null), setResult(null))}>
              {t('policy.discard')}
            </button>
          )}
        </div>
      )}
      {diff && <DiffView diff={diff} />}
      {diff?.ok && (
        <div class="form-row">
          <Field label={t('common.reason')}>{(id) => <input id={id} type="text" required maxLength={200} value={reason} onInput={(event) => setReason(event.currentTarget.value)} />}</Field>
          <Field label={t('policy.within')} hint={t('policy.within_hint')}>
            {(id, hint) => (
              <select id={id} aria-describedby={hint} value={within} onChange={(event) => setWithin(event.currentTarget.value)}>
                <option value="60">{t('policy.minutes', { n: 1 })}</option>
                <option value="300">{t('policy.minutes', { n: 5 })}</option>
                <option value="1800">{t('policy.minutes', { n: 30 })}</option>
                <option value="0">{t('policy.no_confirm')}</option>
              </select>
            )}
          </Field>
          <Act
            class="primary"
            disabled={stale.value || reason.trim() === ''}
            run={async () => {
              const answer = await post<Result>('/v1/config/apply', { text: edited, reason, confirm_within_s: Number(within) }, COMPILE_MS);
              setResult(answer);
              if (answer.ok) {
                setText(null);
                setDiff(null);
              }
            }}
          >
            {t('policy.apply')}
          </Act>
        </div>
      )}
      {result && (
        <div class={`note ${result.ok ? 'good' : 'bad'}`} role="status">
          <p>{result.ok ? t('policy.applied', { n: result.version }) : (result.error_text ?? t('common.failed'))}</p>
          {result.diagnostics && <Diagnostics list={result.diagnostics} />}
        </div>
      )}
    </Card>
  );
}

function Diagnostics({ list }: { list: Diagnostic[] }) {
  if (!Array.isArray(list) || list.length === 0) return null;
  return (
    <ul class="plain-list small">
      {list.map((one, i) => (
        <li key={i}>
          <code>{[one.file, one.line, one.column].filter(Boolean).join(':')}</code> {one.severity ? `${one.severity}: ` : ''}
          {one.what}
          {one.expected ? `; ${one.expected}` : ''}
        </li>
      ))}
    </ul>
  );
}

function DiffView({ diff }: { diff: Diff }) {
  return (
    <div class="diff" role="status">
      {!diff.ok && <p class="note bad">{diff.failure ?? t('policy.bad')}</p>}
      <Diagnostics list={diff.diagnostics ?? []} />
      {diff.changes && diff.changes.length === 0 && <Empty>{t('policy.same')}</Empty>}
      {diff.changes && diff.changes.length > 0 && (
        <ul class="changes">
          {diff.changes.map((line, i) => (
            <li key={i} class={line.startsWith('+') ? 'plus' : line.startsWith('-') ? 'minus' : ''}>
              {line}
            </li>
          ))}
        </ul>
      )}
      {diff.flows_unknown && <p class="note warn">{t('policy.flows_unknown', { why: diff.flows_unknown })}</p>}
      {diff.would_end_flows !== undefined && (
        <p class={`note ${diff.would_end_flows > 0 ? 'warn' : 'good'}`}>{t('policy.would_end', { n: count(diff.would_end_flows, lang.value), all: count(diff.live_flows ?? 0, lang.value) })}</p>
      )}
      {(diff.would_end ?? []).slice(0, 20).map((row, i) => (
        <p key={i} class="under">
          {hostName(row.source)} → {hostName(row.destination)}, {row.service}
          {row.protected && <Tag tone="info">{t('term.protected')}</Tag>}
        </p>
      ))}
    </div>
  );
}

interface Version {
  version: number;
  who: string;
  reason: string;
  wall_s: number;
  outcome: string;
}

export function ConfigHistory() {
  const { data, error, reload } = useLoad(() => get<{ current: number; versions: Version[] }>('/v1/config/history'), [overview.value?.version, overview.value?.pending?.version]);
  return (
    <Card title={t('policy.history')}>
      <ErrorBox error={error} />
      {data && (
        <Table
          caption={t('policy.history')}
          rows={data.versions.slice(0, 30)}
          keyOf={(row) => row.version}
          columns={[
            { head: t('policy.version'), number: true, cell: (row) => row.version },
            { head: t('common.time'), cell: (row) => when(row.wall_s) },
            { head: t('common.who'), cell: (row) => row.who },
            { head: t('common.reason'), wide: true, cell: (row) => row.reason },
            { head: t('common.state'), cell: (row) => (row.version === data.current ? <Tag tone="good">{t('policy.in_force')}</Tag> : tName('outcome', row.outcome)) },
            {
              head: t('common.action'),
              cell: (row) =>
                may('config_change') && row.version !== data.current ? (
                  <Act
                    disabled={stale.value}
                    confirm={t('policy.rollback_sure', { n: row.version })}
                    run={async () => {
                      const answer = await post<Result>('/v1/config/rollback', { version: row.version, reason: t('policy.rollback_reason') }, COMPILE_MS);
                      if (!answer.ok) throw new Error(answer.error_text ?? t('common.failed'));
                      reload();
                    }}
                  >
                    {t('term.rollback')}
                  </Act>
                ) : null,
            },
          ]}
        />
      )}
    </Card>
  );
}
