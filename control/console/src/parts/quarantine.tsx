// 隔離: hosts that are isolated, and the way in and out of it.
import { signal } from '@preact/signals';
import { useState } from 'preact/hooks';
import { post } from '../api/fetch';
import type { Quarantined, Receipt } from '../api/types';
import { t } from '../i18n';
import { when } from '../lib/format';
import { keepReceipt, may, stale } from '../state';
import { Act, Card, Dialog, Empty, ErrorBox, Field } from './basics';
import { ReceiptView } from './receipt';

// The host that the dialog asks about; null: closed.
export const quarantineOpen = signal<{ host: string; reason: string } | null>(null);

export function QuarantineCard({ hosts }: { hosts: Quarantined[] }) {
  return (
    <Card
      title={t('map.quarantined')}
      actions={
        may('quarantine') && (
          <button type="button" onClick={() => (quarantineOpen.value = { host: '', reason: '' })}>
            {t('quarantine.new')}
          </button>
        )
      }
    >
      {hosts.length === 0 ? (
        <Empty>{t('map.no_quarantine')}</Empty>
      ) : (
        <ul class={`plain-list ${stale.value ? 'dim' : ''}`}>
          {hosts.map((host) => (
            <li key={host.host} class="spread">
              <span>
                <strong>{host.host}</strong>
                <span class="under">{host.until_wall_ns ? t('map.until', { time: when(host.until_wall_ns) }) : t('quarantine.for_ever')}</span>
              </span>
              {may('release') && (
                <Act
                  disabled={stale.value}
                  confirm={t('quarantine.release_sure', { host: host.host })}
                  run={async () => keepReceipt(await post<Receipt>('/v1/release', { host: host.host, reason: t('quarantine.release_reason') }))}
                >
                  {t('term.release')}
                </Act>
              )}
            </li>
          ))}
        </ul>
      )}
    </Card>
  );
}

export function QuarantineDialog({ host: first, reason: why, onClose }: { host: string; reason: string; onClose: () => void }) {
  const [host, setHost] = useState(first);
  const [reason, setReason] = useState(why);
  const [hours, setHours] = useState('24');
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const [receipt, setReceipt] = useState<Receipt | null>(null);
  const submit = async (event: Event) => {
    event.preventDefault();
    setBusy(true);
    setError(null);
    try {
      const answer = await post<Receipt>('/v1/quarantine', { host: host.trim(), for_s: Number(hours) * 3600, reason: reason || t('quarantine.default_reason') });
      keepReceipt(answer);
      setReceipt(answer);
    } catch (failure) {
      setError(failure);
    } finally {
      setBusy(false);
    }
  };
  return (
    <Dialog title={t('term.quarantine')} onClose={onClose}>
      {receipt ? (
        <>
          <ReceiptView receipt={receipt} focus />
          <div class="actions end">
            <button type="button" class="primary" onClick={onClose}>
              {t('common.close')}
            </button>
          </div>
        </>
      ) : (
        <form onSubmit={submit}>
          <p>{t('quarantine.what')}</p>
          <Field label={t('quarantine.host')} hint={t('quarantine.host_hint')}>
            {(id, hint) => <input id={id} aria-describedby={hint} type="text" required autofocus value={host} maxLength={64} spellcheck={false} onInput={(event) => setHost(event.currentTarget.value)} />}
          </Field>
          <Field label={t('quarantine.how_long')}>
            {(id) => (
              <select id={id} value={hours} onChange={(event) => setHours(event.currentTarget.value)}>
                <option value="1">{t('quarantine.hours', { n: 1 })}</option>
                <option value="24">{t('quarantine.hours', { n: 24 })}</option>
                <option value="168">{t('quarantine.days', { n: 7 })}</option>
                <option value="0">{t('quarantine.for_ever')}</option>
              </select>
            )}
          </Field>
          <Field label={t('common.reason')}>
            {(id) => <input id={id} type="text" value={reason} maxLength={200} onInput={(event) => setReason(event.currentTarget.value)} />}
          </Field>
          <ErrorBox error={error} />
          <div class="actions end">
            <button type="button" onClick={onClose}>
              {t('common.cancel')}
            </button>
            <button type="submit" class="cut" disabled={busy}>
              {t('quarantine.do')}
            </button>
          </div>
        </form>
      )}
    </Dialog>
  );
}
