// What must be seen on every page: that the page is stale, what is cut, a configuration that waits
// for a confirmation, what waits for this person's approval.
import { post } from '../api/fetch';
import { t } from '../i18n';
import { clockSpan, timeOfDay } from '../lib/format';
import { isPartial } from '../lib/targets';
import { fresh, lastEventWall, may, now, overview, stale } from '../state';
import { Act } from './basics';

export function StaleBand() {
  // One announcement when it begins, not one a second.
  const { stale: old, ageSeconds } = fresh.value;
  return (
    <div class="stale-slot" role="alert">
      {old && (
        <div class="band stale" data-stale>
          <p class="big">{t('live.stale')}</p>
          <p>
            <span aria-hidden="true">{Number.isFinite(ageSeconds) ? t('live.age', { n: ageSeconds }) : t('live.never')}</span>{' '}
            {lastEventWall.value && t('live.last', { time: timeOfDay(lastEventWall.value) })} {t('live.stale_help')}
          </p>
        </div>
      )}
    </div>
  );
}

export function CutBand() {
  const cut = overview.value?.links.filter((link) => link.cut) ?? [];
  if (cut.length === 0) return null;
  const every = cut.length === overview.value?.links.length && !cut.some(isPartial);
  return (
    <div class={`band cut ${stale.value ? 'dim' : ''}`} role="status" data-cut-links={cut.map((link) => link.link).join(' ')}>
      <strong class="big">{t('term.latched')}</strong>
      <span class="names">
        {every
          ? t('cut.all')
          : cut.map((link) => (
              <a key={link.link} href={`#/map?link=${encodeURIComponent(link.link)}`}>
                {link.link}
                {isPartial(link) && t('receipt.partial')}
              </a>
            ))}
      </span>
      {stale.value && <span>{t('live.last', { time: lastEventWall.value ? timeOfDay(lastEventWall.value) : '–' })}</span>}
    </div>
  );
}

export function PendingBand() {
  const pending = overview.value?.pending;
  // The countdown follows the page's clock; the machine's own clock decides.
  void now.value;
  if (!pending) return null;
  const left = pending.deadline_wall_s - Date.now() / 1000;
  return (
    <div class="band pending" role="status">
      <strong>{t('policy.pending', { n: pending.version, time: clockSpan(left) })}</strong>
      {may('config_change') && (
        <>
          <Act class="primary" disabled={stale.value} run={() => post('/v1/config/confirm', {}, 130_000)}>
            {t('policy.confirm')}
          </Act>
          <Act disabled={stale.value} run={() => post('/v1/config/rollback', { reason: t('policy.rollback_reason') }, 130_000)}>
            {t('term.rollback')}
          </Act>
        </>
      )}
    </div>
  );
}

// What only this person and his like can settle, whichever page he looks at.
export function WaitingBand() {
  const { reopenings = 0, tickets = 0 } = overview.value?.yours ?? {};
  if (reopenings + tickets === 0) return null;
  return (
    <div class={`band pending ${stale.value ? 'dim' : ''}`} role="status" data-waiting>
      <strong>{t('waiting.yours')}</strong>
      {tickets > 0 && <a href="#/vendors">{t('waiting.tickets', { n: tickets })}</a>}
      {reopenings > 0 && <a href="#/map">{t('waiting.reopenings', { n: reopenings })}</a>}
    </div>
  );
}
