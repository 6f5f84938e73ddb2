import { useState } from 'preact/hooks';
import { post } from '../api/fetch';
import type { Session } from '../api/types';
import { t } from '../i18n';
import { ErrorBox, Field } from '../parts/basics';
import { Preferences } from '../parts/header';
import { entered } from '../state';

export function LoginPage() {
  const [user, setUser] = useState('');
  const [password, setPassword] = useState('');
  const [code, setCode] = useState('');
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const submit = async (event: Event) => {
    event.preventDefault();
    setBusy(true);
    setError(null);
    try {
      entered(await post<Session>('/v1/login', { user: user.trim(), password, code: code.replace(/\s/g, '') }));
    } catch (failure) {
      setError(failure);
      setCode('');
    } finally {
      setBusy(false);
    }
  };
  return (
    <Gate title={t('login.title')}>
      <form onSubmit={submit}>
        <Field label={t('login.user')}>
          {(id) => <input id={id} name="user" type="text" autocomplete="username" autocapitalize="none" spellcheck={false} required autofocus maxLength={64} value={user} onInput={(event) => setUser(event.currentTarget.value)} />}
        </Field>
        <Field label={t('login.password')}>
          {(id) => <input id={id} name="password" type="password" autocomplete="current-password" required maxLength={256} value={password} onInput={(event) => setPassword(event.currentTarget.value)} />}
        </Field>
        <Field label={t('login.code')} hint={t('login.code_hint')}>
          {(id, hint) => (
            <input id={id} aria-describedby={hint} name="code" type="text" inputMode="numeric" autocomplete="one-time-code" pattern="[0-9 ]{6,7}" maxLength={7} value={code} onInput={(event) => setCode(event.currentTarget.value)} />
          )}
        </Field>
        <ErrorBox error={error} />
        <button type="submit" class="primary wide" disabled={busy} aria-busy={busy}>
          {t('login.enter')}
        </button>
      </form>
      <p class="hint">{t('login.night')}</p>
    </Gate>
  );
}

// The frame of the two pages before a session.
export function Gate({ title, children }: { title: string; children: preact.ComponentChildren }) {
  return (
    <div class="gate">
      <header class="gate-head">
        <span class="brand">
          <span class="mark" aria-hidden="true">
            関所
          </span>
          <span class="brand-name">Sekisho</span>
        </span>
        <Preferences />
      </header>
      <main id="main">
        <h1>{title}</h1>
        {children}
      </main>
    </div>
  );
}
