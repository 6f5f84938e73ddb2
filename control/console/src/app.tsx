// The frame: skip link, header with the cut, navigation, what must be seen on every page, and the page itself.
import type { ComponentType } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { t, type Key } from './i18n';
import { route } from './lib/route';
import { CutDialog, cutOpen } from './parts/cut';
import { Header } from './parts/header';
import { QuarantineDialog, quarantineOpen } from './parts/quarantine';
import { CutBand, PendingBand, StaleBand, WaitingBand } from './parts/bands';
import { AuditPage } from './pages/audit';
import { IncidentsPage } from './pages/incidents';
import { LoginPage } from './pages/login';
import { MapPage } from './pages/map';
import { NoticesPage } from './pages/notices';
import { PeoplePage } from './pages/people';
import { PerformancePage } from './pages/performance';
import { PlaybooksPage } from './pages/playbooks';
import { PolicyPage } from './pages/policy';
import { SetupPage } from './pages/setup';
import { SignaturesPage } from './pages/signatures';
import { VendorsPage } from './pages/vendors';
import { lang, may, overview, session, stale } from './state';

interface Page {
  name: string;
  title: Key;
  // One of these shows it in the navigation; none: everyone.
  needs: string[];
  view: ComponentType;
  // Drawn from the live state: grey while that is stale.
  live?: boolean;
}
const pages: Page[] = [
  { name: 'map', title: 'page.map', needs: ['view'], view: MapPage, live: true },
  { name: 'incidents', title: 'page.incidents', needs: ['view_events'], view: IncidentsPage },
  { name: 'vendors', title: 'page.vendors', needs: ['ticket_view', 'ticket_request', 'ticket_approve'], view: VendorsPage },
  { name: 'playbooks', title: 'page.playbooks', needs: ['view'], view: PlaybooksPage },
  { name: 'policy', title: 'page.policy', needs: ['view', 'config_view'], view: PolicyPage },
  { name: 'signatures', title: 'page.signatures', needs: ['view'], view: SignaturesPage },
  { name: 'performance', title: 'page.performance', needs: ['view'], view: PerformancePage, live: true },
  { name: 'notices', title: 'page.notices', needs: ['machine', 'view_events'], view: NoticesPage },
  { name: 'people', title: 'page.people', needs: ['people_change'], view: PeoplePage },
  { name: 'audit', title: 'page.audit', needs: ['audit_view'], view: AuditPage },
];

const allowed = (page: Page) => page.needs.some(may);

export function App() {
  const who = session.value;
  const wanted = route.value.page;
  if (wanted === 'setup') return <SetupPage />;
  if (who === undefined) return <p class="boot">{t('live.asking')}</p>;
  if (who === null) return <LoginPage />;
  const open = pages.filter(allowed);
  const page = open.find((one) => one.name === wanted) ?? open[0];
  return <Shell page={page} open={open} />;
}

function Badge({ n = 0 }: { n?: number }) {
  if (n === 0) return null;
  return (
    <span class="badge">
      <span class="only-read">{t('waiting.yours')}: </span>
      {n}
    </span>
  );
}

function Shell({ page, open }: { page: Page | undefined; open: Page[] }) {
  const main = useRef<HTMLElement>(null);
  const [menu, setMenu] = useState(false);
  const first = useRef(true);
  const title = page ? t(page.title) : t('page.none');
  const site = overview.value?.site;
  useEffect(() => {
    setMenu(false);
    // A new page takes the focus, so that keyboard and screen reader start at its head.
    if (!first.current) main.current?.querySelector('h1')?.focus();
    first.current = false;
  }, [page?.name]);
  useEffect(() => {
    document.title = `${title} – ${site ? `${site} – ` : ''}${t('app.name')}`;
  }, [title, site, lang.value]);
  const View = page?.view;
  return (
    <div class={`shell ${stale.value ? 'is-stale' : ''}`}>
      <a class="skip" href="#main" onClick={(event) => (event.preventDefault(), main.current?.focus())}>
        {t('app.skip')}
      </a>
      <Header menuOpen={menu} onMenu={() => setMenu(!menu)} />
      <StaleBand />
      <CutBand />
      <PendingBand />
      <WaitingBand />
      <div class="body">
        <nav id="pages" class={menu ? 'open' : ''} aria-label={t('app.pages')}>
          <ul>
            {open.map((one) => (
              <li key={one.name}>
                <a href={`#/${one.name}`} aria-current={one === page ? 'page' : undefined}>
                  {t(one.title)}
                  {one.name === 'vendors' && <Badge n={overview.value?.yours.tickets} />}
                  {one.name === 'map' && <Badge n={overview.value?.yours.reopenings} />}
                </a>
              </li>
            ))}
          </ul>
        </nav>
        <main id="main" ref={main} tabIndex={-1} class={page?.live ? 'live' : ''} data-page={page?.name}>
          <h1 tabIndex={-1}>{title}</h1>
          {View ? <View key={page?.name} /> : <p>{t('page.none_help')}</p>}
        </main>
      </div>
      {cutOpen.value !== null && <CutDialog {...cutOpen.value} onClose={() => (cutOpen.value = null)} />}
      {quarantineOpen.value !== null && <QuarantineDialog {...quarantineOpen.value} onClose={() => (quarantineOpen.value = null)} />}
    </div>
  );
}
