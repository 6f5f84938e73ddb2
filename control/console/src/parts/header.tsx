import { t } from '../i18n';
import { timeOfDay } from '../lib/format';
import { lang, lastEventWall, logOut, may, overview, session, setLanguage, setTheme, stale, theme, type Theme } from '../state';
import { CutButton } from './cut';

export function Header({ menuOpen, onMenu }: { menuOpen: boolean; onMenu: () => void }) {
  const person = session.value?.person;
  return (
    <header class="top">
      <button type="button" class="menu-button" aria-expanded={menuOpen} aria-controls="pages" onClick={onMenu}>
        <span aria-hidden="true">☰</span>
        <span class="only-read">{t('app.pages')}</span>
      </button>
      <a class="brand" href="#/map">
        <span class="mark" aria-hidden="true">
          関所
        </span>
        <span class="brand-name">Sekisho</span>
      </a>
      {overview.value?.site && <span class="site">{overview.value.site}</span>}
      <Live />
      <span class="grow" />
      <Preferences />
      {person && (
        <span class="who">
          <span class="who-name">{person.name}</span>
          <button type="button" class="quiet" onClick={() => void logOut()}>
            {t('app.logout')}
          </button>
        </span>
      )}
      {may('cut') && <CutButton />}
    </header>
  );
}

function Live() {
  const at = lastEventWall.value;
  return (
    <span class={`live-mark ${stale.value ? 'old' : ''}`}>
      <span class="dot" aria-hidden="true" />
      {stale.value ? t('live.old') : t('live.now')}
      {at && <time class="clock">{timeOfDay(at)}</time>}
    </span>
  );
}

export function Preferences() {
  return (
    <span class="preferences">
      <span class="switch" role="group" aria-label={t('app.language')}>
        <button type="button" lang="ja" aria-pressed={lang.value === 'ja'} onClick={() => setLanguage('ja')}>
          日本語
        </button>
        <button type="button" lang="en" aria-pressed={lang.value === 'en'} onClick={() => setLanguage('en')}>
          English
        </button>
      </span>
      <label class="theme">
        <span class="only-read">{t('app.theme')}</span>
        <select value={theme.value} onChange={(event) => setTheme(event.currentTarget.value as Theme)}>
          <option value="auto">{t('theme.auto')}</option>
          <option value="light">{t('theme.light')}</option>
          <option value="dark">{t('theme.dark')}</option>
        </select>
      </label>
    </span>
  );
}
