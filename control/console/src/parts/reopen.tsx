// Reopening: one asks, another approves, in whole or in part. The page that asked learns of the answer by the
// state that everyone sees.
import { useState } from 'preact/hooks';
import { get, post } from '../api/fetch';
import type { Receipt, Who } from '../api/types';
import { t, tName } from '../i18n';
import { when } from '../lib/format';
import { keepReceipt, may, overview, session, stale } from '../state';
import { Act, Card, ErrorBox, Field, Table, Tag, useLoad } from './basics';
import { ReceiptView } from './receipt';

export interface Reopening {
  id: string;
  target: string;
  left?: string[]; // links that are still to be opened
  reason: string;
  by: Who;
  state: string;
  created_s: number;
  expires_s: number;
  partial?: boolean; // only to partly cut
  parts: { target: string; receipt: string; by: Who; wall_s: number; partial?: boolean }[];
}

const asker = (one: Reopening): string => one.by.name;

// `full`: it is fully cut, so that it can be opened for protected hosts alone.
export function ReopenForm({ target, full, disabled }: { target: string; full?: boolean; disabled?: boolean }) {
  const [partial, setPartial] = useState(false);
  const [reason, setReason] = useState('');
  const [waiting, setWaiting] = useState<Reopening | null>(null);
  const [receipt, setReceipt] = useState<Receipt | null>(null);
  if (receipt) return <ReceiptView receipt={receipt} focus />;
  if (waiting)
    return (
      <p class="note warn" role="status" data-reopen-waiting={waiting.id}>
        {t('reopen.waiting', { id: String(waiting.id) })}
      </p>
    );
  return (
    <form class="reopen-form" onSubmit={(event) => event.preventDefault()}>
      <h3>{t('term.reopen')}</h3>
      <Field label={t('reopen.reason')} hint={t('reopen.hint')}>
        {(id, hint) => <input id={id} aria-describedby={hint} type="text" required maxLength={200} value={reason} onInput={(event) => setReason(event.currentTarget.value)} />}
      </Field>
      {full && (
        <label class="check">
          <input type="checkbox" checked={partial} onChange={(event) => setPartial(event.currentTarget.checked)} data-reopen-partial />
          {t('reopen.partial')}
        </label>
      )}
      <Act
        class="primary"
        disabled={disabled || reason.trim() === ''}
        run={async () => {
          const answer = await post<Receipt & { request?: Reopening }>('/v1/reopen', { target, reason, ...(full && partial ? { partial } : {}) });
          if (answer.request) setWaiting(answer.request);
          else {
            keepReceipt(answer);
            setReceipt(answer);
          }
        }}
      >
        {t('reopen.ask')}
      </Act>
    </form>
  );
}

// Those that wait. Whoever asked sees them too, without the buttons.
export function Reopenings() {
  const asked = overview.value?.reopenings ?? 0;
  const { data, error, reload } = useLoad(() => get<{ reopenings: Reopening[] }>('/v1/reopenings'), [asked], 5000);
  const [receipt, setReceipt] = useState<Receipt | null>(null);
  const rows = (data?.reopenings ?? []).filter((one) => one.state === 'waiting');
  if (rows.length === 0 && !receipt) return error && asked > 0 ? <ErrorBox error={error} /> : null;
  const me = session.value?.person.name;
  return (
    <Card title={t('reopen.title')} class="attention">
      {receipt && <ReceiptView receipt={receipt} focus />}
      {rows.length > 0 && (
        <Table
          caption={t('reopen.title')}
          rows={rows}
          keyOf={(row) => row.id}
          columns={[
            { head: t('reopen.target'), cell: (row) => (
                <>
                  <strong>{row.target}</strong>
                  {row.partial && <span class="under">{t('reopen.partial')}</span>}
                </>
              ),
            },
            { head: t('reopen.by'), cell: (row) => asker(row) },
            { head: t('common.reason'), cell: (row) => row.reason, wide: true },
            { head: t('term.expiry'), cell: (row) => when(row.expires_s) },
            {
              head: t('common.action'),
              cell: (row) =>
                !may('reopen_approve') || asker(row) === me ? (
                  <Tag>{asker(row) === me ? t('reopen.needs_other') : tName('state', row.state)}</Tag>
                ) : (
                  <Answer row={row} onDone={(next) => (next && setReceipt(next), reload())} />
                ),
            },
          ]}
        />
      )}
    </Card>
  );
}

// The cut links of a zone or of everything: each can be opened on its own.
function partsOf(target: string): string[] {
  const links = overview.value?.links ?? [];
  if (links.some((link) => link.link === target)) return [];
  const inside = links.filter((link) => link.cut && (target === 'all' || link.zones.includes(target)));
  return inside.length > 1 ? inside.map((link) => link.link) : [];
}

function Answer({ row, onDone }: { row: Reopening; onDone: (receipt: Receipt | null) => void }) {
  const parts = row.left && row.left.length > 1 ? row.left : partsOf(row.target);
  const [part, setPart] = useState('');
  const [partial, setPartial] = useState(false);
  const [declining, setDeclining] = useState(false);
  const [reason, setReason] = useState('');
  return (
    <div class="answer">
      {parts.length > 0 && (
        <label>
          {t('reopen.part')}{' '}
          <select value={part} onChange={(event) => setPart(event.currentTarget.value)}>
            <option value="">{t('reopen.whole')}</option>
            {parts.map((name) => (
              <option key={name} value={name}>
                {name}
              </option>
            ))}
          </select>
        </label>
      )}
      {!row.partial && (
        <label class="check">
          <input type="checkbox" checked={partial} onChange={(event) => setPartial(event.currentTarget.checked)} />
          {t('reopen.partial')}
        </label>
      )}
      <div class="actions">
        <Act
          class="primary"
          disabled={stale.value}
          label={`${t('term.approve')}: ${row.target}`}
          run={async () => {
            const receipt = await post<Receipt>('/v1/reopenings/approve', { id: row.id, ...(part ? { target: part } : {}), ...(partial ? { partial } : {}) });
            keepReceipt(receipt);
            onDone(receipt);
          }}
        >
          {t('term.approve')}
        </Act>
        {!declining && (
          <button type="button" onClick={() => setDeclining(true)}>
            {t('term.decline')}
          </button>
        )}
      </div>
      {declining && (
        <div class="actions">
          <input type="text" aria-label={t('common.reason')} placeholder={t('common.reason')} value={reason} onInput={(event) => setReason(event.currentTarget.value)} />
          <Act
            disabled={reason.trim() === ''}
            run={async () => {
              await post('/v1/reopenings/decline', { id: row.id, reason });
              onDone(null);
            }}
          >
            {t('term.decline')}
          </Act>
        </div>
      )}
    </div>
  );
}
