// Playbooks and drills: a named order of cuts, step by step, each with its receipt; and the evidence of what was done.
import { useState } from 'preact/hooks';
import { get, post } from '../api/fetch';
import type { Who } from '../api/types';
import { t, tName } from '../i18n';
import { bytes, count, duration, span, when } from '../lib/format';
import { Act, Card, Empty, ErrorBox, Field, Table, Tag, useLoad, type Tone } from '../parts/basics';
import { lang, may, overview } from '../state';

interface Step {
  kind: string;
  targets: string[];
  partial?: boolean;
  text_en: string;
  text_ja: string;
  wait_s: number;
}
interface RunStep extends Step {
  begun: boolean;
  done: boolean;
  outcome: string;
  refusal: string;
  receipt: string;
  confirmed_after_ns: number;
  took_ns: number;
  by: string;
  would_drop: { link: string; flows_ended: number; flows_refused: number; packets: number; bytes: number }[];
}
interface Stage {
  targets: string[];
  condition_en: string;
  condition_ja: string;
}
interface Playbook {
  name: string;
  title_en: string;
  title_ja: string;
  steps: Step[];
  reopen: Stage[];
}
interface Run {
  id: string;
  name: string;
  title_en: string;
  title_ja: string;
  drill: boolean;
  who: Who;
  reason: string;
  state: string;
  at: number;
  steps: RunStep[];
  reopen: Stage[];
  began_wall_ns: number;
  ended_wall_ns: number;
  took_ns: number;
  note: string;
}

const inMine = <T extends string>(row: Record<`${T}_en` | `${T}_ja`, string>, name: T): string => row[`${name}_${lang.value}`];
const LIVE = ['running', 'paused', 'waiting'];
const runTone = (state: string): Tone => (LIVE.includes(state) ? 'warn' : state === 'finished' ? 'good' : 'plain');

export function PlaybooksPage() {
  const runs = useLoad(() => get<{ runs: Run[]; disk: string }>('/v1/playbooks/runs'), [], 1000);
  const books = useLoad(() => get<{ playbooks: Playbook[] }>('/v1/playbooks'), [overview.value?.version]);
  const live = (runs.data?.runs ?? []).filter((run) => LIVE.includes(run.state));
  const over = (runs.data?.runs ?? []).filter((run) => !LIVE.includes(run.state));
  return (
    <>
      <ErrorBox error={runs.error} />
      {runs.data?.disk && <p class="note warn">{runs.data.disk}</p>}
      {live.map((run) => (
        <RunCard key={run.id} run={run} onDone={runs.reload} />
      ))}
      <Card title={t('page.playbooks')}>
        <ErrorBox error={books.error} />
        {books.data && books.data.playbooks.length === 0 && <Empty>{t('playbooks.none')}</Empty>}
        <ul class="plain-list">
          {(books.data?.playbooks ?? []).map((book) => (
            <BookRow key={book.name} book={book} onDone={runs.reload} />
          ))}
        </ul>
      </Card>
      <DrillCard onDone={runs.reload} />
      {over.length > 0 && (
        <Card title={t('playbooks.over')}>
          {over.slice(0, 20).map((run) => (
            <details key={run.id}>
              <summary>
                {when(run.began_wall_ns)} {inMine(run, 'title') || run.name} {run.drill ? `(${t('term.drill')})` : ''} – {tName('run', run.state)}
              </summary>
              <Steps run={run} />
            </details>
          ))}
        </Card>
      )}
      {may('evidence') && <EvidenceCard />}
    </>
  );
}

function stepText(step: Step): string {
  if (step.kind === 'cut') return `${step.partial ? t('cut.partial') : t('term.cut')}: ${step.targets.join(', ')}`;
  if (step.kind === 'wait') return t('playbooks.wait', { time: duration(step.wait_s, lang.value) });
  return `${t('playbooks.pause')}: ${inMine(step, 'text')}`;
}

function BookRow({ book, onDone }: { book: Playbook; onDone: () => void }) {
  const [reason, setReason] = useState('');
  const start = (drill: boolean) => async () => {
    await post('/v1/playbooks/run', { name: book.name, drill, reason });
    onDone();
  };
  return (
    <li data-playbook={book.name}>
      <h3>{inMine(book, 'title') || book.name}</h3>
      <ol class="steps">
        {book.steps.map((step, i) => (
          <li key={i}>{stepText(step)}</li>
        ))}
      </ol>
      {may('cut') && (
        <div class="form-row">
          <Field label={t('common.reason')}>{(id) => <input id={id} type="text" maxLength={200} value={reason} onInput={(event) => setReason(event.currentTarget.value)} />}</Field>
          <Act class="cut" confirm={t('playbooks.sure', { name: inMine(book, 'title') || book.name })} run={start(false)}>
            {t('playbooks.run')}
          </Act>
          <Act run={start(true)}>{t('playbooks.as_drill')}</Act>
        </div>
      )}
    </li>
  );
}

function RunCard({ run, onDone }: { run: Run; onDone: () => void }) {
  return (
    <Card
      class="attention"
      title={
        <>
          {run.drill && <Tag tone="info">{t('term.drill')}</Tag>} {inMine(run, 'title') || run.name}{' '}
          <span data-run={run.state}>
            <Tag tone={runTone(run.state)}>{tName('run', run.state)}</Tag>
          </span>
        </>
      }
      actions={
        <>
          {run.state === 'paused' && (
            <Act class="primary" run={async () => (await post('/v1/playbooks/continue', { run: run.id }), onDone())}>
              {t('playbooks.continue')}
            </Act>
          )}
          <Act run={async () => (await post('/v1/playbooks/stop', { run: run.id, reason: t('playbooks.stopped_here') }), onDone())}>{t('playbooks.stop')}</Act>
        </>
      }
    >
      <Steps run={run} />
    </Card>
  );
}

function Steps({ run }: { run: Run }) {
  return (
    <>
      <p class="hint">
        {run.who.name} {run.reason && `– ${run.reason}`} {run.note}
      </p>
      <ol class="steps">
        {run.steps.map((step, i) => (
          <li key={i} class={step.done ? 'done' : step.begun ? 'now' : ''}>
            {step.done ? '✓ ' : step.begun ? '▶ ' : ''}
            {stepText(step)}
            {step.outcome && (
              <span class="under">
                {step.outcome} {step.confirmed_after_ns > 0 && t('receipt.after', { time: span(step.confirmed_after_ns) })} {step.refusal} {step.receipt && <code>{step.receipt}</code>}
              </span>
            )}
            {step.would_drop.map((one) => (
              <span key={one.link} class="under">
                {t('playbooks.would', { link: one.link, flows: count(one.flows_ended + one.flows_refused, lang.value), packets: count(one.packets, lang.value), bytes: bytes(one.bytes) })}
              </span>
            ))}
          </li>
        ))}
      </ol>
      {run.reopen.length > 0 && (
        <>
          <h3>{t('playbooks.reopen_order')}</h3>
          <ol class="steps">
            {run.reopen.map((stage, i) => (
              <li key={i}>
                {stage.targets.join(', ')} <span class="under">{inMine(stage, 'condition')}</span>
              </li>
            ))}
          </ol>
        </>
      )}
    </>
  );
}

function DrillCard({ onDone }: { onDone: () => void }) {
  const names = ['all', ...(overview.value?.links.map((link) => link.link) ?? [])];
  const [target, setTarget] = useState('');
  if (!may('cut')) return null;
  return (
    <Card title={`${t('term.drill')} (${t('term.cut')})`}>
      <p class="hint">{t('playbooks.drill_hint')}</p>
      <div class="form-row">
        <Field label={t('reopen.target')}>
          {(id) => (
            <select id={id} name="drill-target" value={target || names[1] || 'all'} onChange={(event) => setTarget(event.currentTarget.value)}>
              {names.map((name) => (
                <option key={name} value={name}>
                  {name === 'all' ? t('cut.all') : name}
                </option>
              ))}
            </select>
          )}
        </Field>
        <Act run={async () => (await post('/v1/drill', { target: target || names[1] || 'all', reason: t('term.drill') }), onDone())}>{t('playbooks.start_drill')}</Act>
      </div>
    </Card>
  );
}

interface Evidence {
  evidence: { id: string; bytes: number; wall_ns: number }[];
  waiting: number;
  last_failure: string;
}

function EvidenceCard() {
  const { data, error } = useLoad(() => get<Evidence>('/v1/evidence'), [], 10_000);
  const [verdict, setVerdict] = useState<{ id: string; good: boolean; fault: string } | null>(null);
  return (
    <Card title={t('term.evidence')}>
      <ErrorBox error={error} />
      {data && data.last_failure && <p class="note warn">{data.last_failure}</p>}
      {verdict && (
        <p class={`note ${verdict.good ? 'good' : 'bad'}`} role="status">
          {verdict.good ? t('evidence.good', { id: verdict.id }) : t('evidence.bad', { id: verdict.id, why: verdict.fault })}
        </p>
      )}
      {data && data.evidence.length === 0 && <Empty>{t('common.nothing')}</Empty>}
      {data && data.evidence.length > 0 && (
        <Table
          caption={t('term.evidence')}
          rows={data.evidence.slice(0, 50)}
          keyOf={(row) => row.id}
          columns={[
            { head: t('common.time'), cell: (row) => when(row.wall_ns) },
            { head: t('common.name'), wide: true, cell: (row) => <code>{row.id}</code> },
            { head: t('signatures.size'), number: true, cell: (row) => bytes(row.bytes) },
            {
              head: t('common.action'),
              cell: (row) => (
                <div class="actions">
                  <a href={`/v1/evidence/file?id=${encodeURIComponent(row.id)}`} download>
                    {t('evidence.fetch')}
                  </a>
                  <Act run={async () => setVerdict(await get('/v1/evidence/verify', { id: row.id }, 60_000))}>{t('audit.verify')}</Act>
                </div>
              ),
            },
          ]}
        />
      )}
    </Card>
  );
}
