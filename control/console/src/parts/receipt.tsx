// A receipt, as a tired person can read it: one word in large letters, then the proof.
import { useEffect, useRef } from 'preact/hooks';
import { post } from '../api/fetch';
import type { Receipt } from '../api/types';
import { t, tName } from '../i18n';
import { clockSpan, count, span, when } from '../lib/format';
import { keepReceipt, lang, may, now, receipts } from '../state';
import { Act } from './basics';

const UNDO_MS = 600_000;

// What the large word says, and how it looks.
export function verdictOf(receipt: Receipt): { key: string; tone: 'good' | 'warn' | 'bad' } {
  if (receipt.outcome === 'REFUSED') return { key: 'refused', tone: 'bad' };
  if (receipt.outcome === 'UNCONFIRMED') return { key: 'unconfirmed', tone: 'bad' };
  if (!receipt.latched && receipt.command === 'cut') return { key: 'not_latched', tone: 'warn' };
  if (receipt.outcome === 'NO_DATAPLANE') return { key: 'no_dataplane', tone: 'warn' };
  return { key: receipt.nothing_changed ? 'unchanged' : 'confirmed', tone: 'good' };
}

export function subjectOf(receipt: Receipt): string {
  if (receipt.subject) return receipt.subject;
  const names = receipt.links.map((link) => link.name);
  return names.length > 4 ? `${names.slice(0, 4).join(', ')} …` : names.join(', ');
}

export function ReceiptView({ receipt, at, focus }: { receipt: Receipt; at?: number; focus?: boolean }) {
  const head = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    if (focus) head.current?.focus();
  }, []);
  const verdict = verdictOf(receipt);
  const last = Math.max(...receipt.links.map((link) => link.last_packet_ns), 0);
  const ended = receipt.links.reduce((sum, link) => sum + link.flows_ended, 0);
  const kept = receipt.links.reduce((sum, link) => sum + (link.flows_kept ?? 0), 0);
  const cut = receipt.command === 'cut';
  return (
    <div class={`receipt ${verdict.tone}`} data-outcome={receipt.outcome} data-receipt={receipt.id}>
      <h3 ref={head} tabIndex={-1} role="status" aria-live="assertive">
        <span class="verdict">
          {tName('command', receipt.command)}
          {receipt.partial ? t('receipt.partial') : ''} {tName('verdict', verdict.key)}
        </span>
        <span class="subject">{subjectOf(receipt)}</span>
      </h3>
      {receipt.outcome === 'UNCONFIRMED' && cut && (
        <p class="pull" role="alert">
          {receipt.cables && receipt.cables.length > 0
            ? t('receipt.pull', { cables: receipt.cables.join(', ') })
            : t('receipt.pull_any')}
        </p>
      )}
      {receipt.refusal && <p class="note bad">{receipt.refusal}</p>}
      {receipt.outcome !== 'REFUSED' && (
        <dl class="facts">
          {receipt.confirmed_ns > 0 && (
            <>
              <dt>{t('receipt.confirmed')}</dt>
              <dd>{t('receipt.after', { time: span(receipt.confirmed_ns - receipt.command_ns) })}</dd>
            </>
          )}
          {cut && (
            <>
              <dt>{t('receipt.last_packet')}</dt>
              <dd>
                {last === 0
                  ? t('receipt.no_packet')
                  : last >= receipt.command_ns
                    ? t('receipt.after', { time: span(last - receipt.command_ns) })
                    : t('receipt.before', { time: span(receipt.command_ns - last) })}
              </dd>
              <dt>{t('receipt.flows_ended')}</dt>
              <dd>{count(ended, lang.value)}</dd>
              {receipt.partial && (
                <>
                  <dt>{t('receipt.flows_kept')}</dt>
                  <dd>{count(kept, lang.value)}</dd>
                </>
              )}
            </>
          )}
          <dt>{t('receipt.came')}</dt>
          <dd>{when(receipt.command_wall_ns)}</dd>
          {(receipt.until_wall_ns ?? 0) > 0 && (
            <>
              <dt>{t('term.expiry')}</dt>
              <dd>{when(receipt.until_wall_ns)}</dd>
            </>
          )}
          <dt>{t('receipt.disk')}</dt>
          <dd>{receipt.latched ? t('receipt.latched') : t('receipt.not_latched', { why: receipt.latch_error ?? '' })}</dd>
          <dt>{t('term.audit')}</dt>
          <dd>
            {receipt.audit_sequence
              ? t('receipt.audited', { n: receipt.audit_sequence })
              : t('receipt.not_audited', { why: receipt.audit_error ?? '' })}
          </dd>
          <dt>{t('term.receipt')}</dt>
          <dd>
            <code>{receipt.id}</code>
          </dd>
        </dl>
      )}
      {receipt.text && (
        <details>
          <summary>{t('receipt.whole')}</summary>
          <pre>{receipt.text[lang.value]}</pre>
        </details>
      )}
      {at !== undefined && <Undo receipt={receipt} at={at} />}
    </div>
  );
}

// One's own cut can be taken back alone for ten minutes.
function Undo({ receipt, at }: { receipt: Receipt; at: number }) {
  const entry = receipts.value.find((one) => one.receipt.id === receipt.id);
  const newestCut = receipts.value.find((one) => one.receipt.command === 'cut' && !one.reopened);
  const left = UNDO_MS - (now.value - at);
  if (receipt.command !== 'cut' || receipt.outcome === 'REFUSED' || receipt.nothing_changed) return null;
  if (!may('cut') || left <= 0 || !entry || entry.reopened || newestCut?.receipt.id !== receipt.id) return null;
  return (
    <p class="undo">
      <Act run={undo} class="primary">
        {t('receipt.undo')}
      </Act>
      <span class="hint">{t('receipt.undo_left', { time: clockSpan(left / 1000) })}</span>
    </p>
  );
}

async function undo(): Promise<void> {
  const newest = receipts.value.find((one) => one.receipt.command === 'cut' && !one.reopened);
  const receipt = await post<Receipt>('/v1/undo');
  if (newest && receipt.outcome !== 'REFUSED')
    receipts.value = receipts.value.map((one) => (one === newest ? { ...one, reopened: true } : one));
  keepReceipt(receipt);
}
