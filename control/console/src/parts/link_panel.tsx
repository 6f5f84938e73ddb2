// One link, chosen on the map: its state, what a cut would end, and the button. Click the link, click the button.
import { useState } from 'preact/hooks';
import type { LinkState } from '../api/types';
import { t, tName } from '../i18n';
import { when } from '../lib/format';
import { go } from '../lib/route';
import { isPartial } from '../lib/targets';
import { may, stale } from '../state';
import { Card, Tag } from './basics';
import { cutOpen } from './cut';
import { ImpactOf } from './impact';
import { ReopenForm } from './reopen';

export function LinkPanel({ link }: { link: LinkState }) {
  const [reason, setReason] = useState('');
  const partial = isPartial(link);
  return (
    <Card
      title={
        <>
          {t('term.link')} <strong>{link.link}</strong>
        </>
      }
      actions={
        <button type="button" class="quiet" onClick={() => go('map')} aria-label={t('common.close')}>
          ✕
        </button>
      }
      class="link-panel"
    >
      <div class="depends">
        <p class={`big-state ${partial ? 'partial' : link.cut ? 'cut' : 'open'}`} role="status" data-state={link.state}>
          {partial ? t('map.partial_big') : link.cut ? t('map.cut_big') : t('map.open_big')}
        </p>
        {partial && <p class="note warn">{t('map.partial_means')}</p>}
        <p class="under">
          {link.zones.join(' ↔ ')} · {tName('fail', link.fail)} · {tName('ips', link.ips)}{' '}
          {link.clinical && <Tag tone="info">{t('map.clinical')}</Tag>}
        </p>
        {link.cut && (
          <dl class="facts">
            <dt>{t('map.cut_by')}</dt>
            <dd>{link.by || '–'}</dd>
            <dt>{t('map.cut_since')}</dt>
            <dd>{when(link.since_wall_ns)}</dd>
            <dt>{t('common.reason')}</dt>
            <dd>{link.reason || '–'}</dd>
          </dl>
        )}
      </div>
      {(!link.cut || partial) && may('cut') && (
        <>
          <div class="panel-cut">
            <button type="button" class="cut large" data-panel-cut onClick={() => (cutOpen.value = { first: link.link, now: true, reason })}>
              {partial ? t('cut.rest', { name: link.link }) : t('cut.do', { name: link.link })}
            </button>
            {!partial && (
              <button type="button" data-panel-partial onClick={() => (cutOpen.value = { first: link.link, now: true, partial: true, reason })}>
                {t('cut.partial_long')}
              </button>
            )}
          </div>
          <label class="reason">
            {t('common.reason')}
            <input type="text" value={reason} maxLength={200} placeholder={t('cut.default_reason')} onInput={(event) => setReason(event.currentTarget.value)} />
          </label>
        </>
      )}
      {link.cut && (may('reopen_request') || may('cut')) && <ReopenForm target={link.link} full={!partial} disabled={stale.value} />}
      {(!link.cut || partial) && (
        <>
          <h3>{t('term.impact')}</h3>
          <ImpactOf target={link.link} most={50} />
        </>
      )}
    </Card>
  );
}
