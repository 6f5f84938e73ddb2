// The map: zones and links as a picture, what is cut in it, and the way to a cut, an undo and a reopening.
import { useEffect, useState } from 'preact/hooks';
import type { LinkState, Overview } from '../api/types';
import { t } from '../i18n';
import { clockSpan, count } from '../lib/format';
import { linkRates } from '../lib/rates';
import { go, route } from '../lib/route';
import { isPartial } from '../lib/targets';
import { Card, Empty, Table, Tag } from '../parts/basics';
import { LinkPanel } from '../parts/link_panel';
import { Picture, trafficText } from '../parts/picture';
import { QuarantineCard } from '../parts/quarantine';
import { ReceiptView } from '../parts/receipt';
import { Reopenings } from '../parts/reopen';
import { history, lang, overview, receipts, stale } from '../state';

function useNarrow(): boolean {
  const [query] = useState(() => matchMedia('(max-width: 700px)'));
  const [narrow, setNarrow] = useState(query.matches);
  useEffect(() => {
    const changed = () => setNarrow(query.matches);
    query.addEventListener('change', changed);
    return () => query.removeEventListener('change', changed);
  }, []);
  return narrow;
}

export function MapPage() {
  const state = overview.value;
  const narrow = useNarrow();
  const chosen = route.value.query.link ?? '';
  if (!state) return <Empty>{t('live.first')}</Empty>;
  const rates = linkRates(history.value);
  const link = state.links.find((one) => one.link === chosen);
  const newest = receipts.value[0];
  return (
    <>
      <Alarms state={state} />
      <div class={`map ${link ? 'with-panel' : ''}`}>
        <Card title={t('map.picture')} class="picture-card">
          <div class="depends">
            <Picture state={state} rates={rates} size={narrow ? 'narrow' : link ? 'middle' : 'wide'} chosen={chosen} onChoose={(name) => go('map', { link: name })} />
          </div>
          <p class="hint">{t('map.hint')}</p>
        </Card>
        {link && <LinkPanel key={link.link} link={link} />}
      </div>
      <Reopenings />
      {newest && (
        <Card title={t('map.last_receipt')}>
          <ReceiptView receipt={newest.receipt} at={newest.at} />
        </Card>
      )}
      <div class="columns">
        <Card title={t('map.links')}>
          <div class="depends">
            <LinkTable state={state} rates={rates} />
          </div>
        </Card>
        <QuarantineCard hosts={state.quarantine} />
        <Accesses state={state} />
      </div>
    </>
  );
}

function Alarms({ state }: { state: Overview }) {
  if (state.alarms.length === 0) return null;
  return (
    <section class="alarms" aria-label={t('map.alarms')}>
      <h2>{t('map.alarms')}</h2>
      <ul>
        {state.alarms.map((alarm, i) => (
          <li key={i}>{alarm}</li>
        ))}
      </ul>
    </section>
  );
}

export function StateTags({ link }: { link: LinkState }) {
  return (
    <>
      {isPartial(link) ? <Tag tone="warn">{t('map.partial_now')}</Tag> : link.cut ? <Tag tone="cut">{t('map.cut_now')}</Tag> : <Tag tone="good">{t('map.open_now')}</Tag>}
      {link.clinical && <Tag tone="info">{t('map.clinical')}</Tag>}
      {link.mode === 'learn' && <Tag tone="warn">{t('term.learn')}</Tag>}
    </>
  );
}

function LinkTable({ state, rates }: { state: Overview; rates: Map<string, number> }) {
  return (
    <Table
      caption={t('map.links')}
      rows={state.links}
      keyOf={(link) => link.link}
      rowClass={(link) => (link.cut ? 'cut' : '')}
      columns={[
        {
          head: t('term.link'),
          cell: (link) => (
            <button type="button" class="as-link" onClick={() => go('map', { link: link.link })}>
              {link.link}
            </button>
          ),
        },
        { head: t('term.zone'), cell: (link) => link.zones.join(' ↔ ') },
        { head: t('common.state'), cell: (link) => <StateTags link={link} /> },
        { head: t('map.traffic'), number: true, cell: (link) => trafficText(link, rates) },
        { head: t('map.flows'), number: true, cell: (link) => count(link.flows_live ?? 0, lang.value) },
      ]}
    />
  );
}

function Accesses({ state }: { state: Overview }) {
  return (
    <Card title={t('map.accesses')} actions={<a href="#/vendors">{t('page.vendors')}</a>}>
      {state.accesses.length === 0 ? (
        <Empty>{t('map.no_access')}</Empty>
      ) : (
        <ul class={`plain-list ${stale.value ? 'dim' : ''}`}>
          {state.accesses.map((access) => (
            <li key={access.name} data-access={access.name}>
              <Tag tone="warn">{t('map.access_open')}</Tag> <strong>{access.name}</strong>
              {access.description && <span class="under">{access.description}</span>}
              {access.left_s ? <span class="under">{t('map.left', { time: clockSpan(access.left_s) })}</span> : null}
            </li>
          ))}
        </ul>
      )}
    </Card>
  );
}
