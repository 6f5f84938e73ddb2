// A first login by a one-time link: name and password, then the second factor as a QR code, then its first code.
import { useState } from 'preact/hooks';
import { post, setCsrf } from '../api/fetch';
import type { Session } from '../api/types';
import { t } from '../i18n';
import { go, route } from '../lib/route';
import { ErrorBox, Field } from '../parts/basics';
import { Qr } from '../parts/qr';
import { entered } from '../state';
import { Gate } from './login';

interface Secret {
  secret: string; // base32
  otpauth: string;
  csrf: string;
}

export function SetupPage() {
  const [link, setLink] = useState(route.value.query.link ?? '');
  const [user, setUser] = useState(route.value.query.user ?? '');
  const [password, setPassword] = useState('');
  const [again, setAgain] = useState('');
  const [code, setCode] = useState('');
  const [secret, setSecret] = useState<Secret | null>(null);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const differ = again !== '' && password !== again;
  const guarded = (work: () => Promise<void>) => async (event: Event) => {
    event.preventDefault();
    setBusy(true);
    setError(null);
    try {
      await work();
    } catch (failure) {
      setError(failure);
    } finally {
      setBusy(false);
    }
  };
  const begin = guarded(async () => {
    if (password !== again) return;
    const answer = await post<Secret>('/v1/setup', { link: link.trim(), user: user.trim(), password });
    setCsrf(answer.csrf);
    setSecret(answer);
  });
  const finish = guarded(async () => {
    entered(await post<Session>('/v1/totp', { code: code.replace(/\s/g, '') }));
    go('map');
  });
  return (
    <Gate title={t('setup.title')}>
      {secret === null ? (
        <form onSubmit={begin}>
          <p>{t('setup.what')}</p>
          <Field label={t('setup.link')} hint={t('setup.link_hint')}>
            {(id, hint) => <input id={id} aria-describedby={hint} name="link" type="text" required spellcheck={false} maxLength={200} value={link} onInput={(event) => setLink(event.currentTarget.value)} />}
          </Field>
          <Field label={t('login.user')}>
            {(id) => <input id={id} name="user" type="text" autocomplete="username" required spellcheck={false} autocapitalize="none" maxLength={64} value={user} onInput={(event) => setUser(event.currentTarget.value)} />}
          </Field>
          <Field label={t('login.password')} hint={t('setup.password_hint')}>
            {(id, hint) => <input id={id} aria-describedby={hint} name="password" type="password" autocomplete="new-password" required minLength={12} maxLength={256} value={password} onInput={(event) => setPassword(event.currentTarget.value)} />}
          </Field>
          <Field label={t('setup.again')} hint={differ ? t('setup.differ') : undefined}>
            {(id, hint) => <input id={id} aria-describedby={hint} aria-invalid={differ} name="again" type="password" autocomplete="new-password" required maxLength={256} value={again} onInput={(event) => setAgain(event.currentTarget.value)} />}
          </Field>
          <ErrorBox error={error} />
          <button type="submit" class="primary wide" disabled={busy || differ}>
            {t('setup.next')}
          </button>
        </form>
      ) : (
        <form onSubmit={finish}>
          <p>{t('setup.scan')}</p>
          <Qr text={secret.otpauth} label={t('setup.qr')} />
          <p>
            {t('setup.by_hand')}
            <br />
            <code class="secret" data-secret={secret.secret}>
              {secret.secret.replace(/(.{4})/g, '$1 ').trim()}
            </code>
          </p>
          <Field label={t('login.code')} hint={t('setup.code_hint')}>
            {(id, hint) => (
              <input id={id} aria-describedby={hint} name="code" type="text" inputMode="numeric" autocomplete="one-time-code" pattern="[0-9 ]{6,7}" required autofocus maxLength={7} value={code} onInput={(event) => setCode(event.currentTarget.value)} />
            )}
          </Field>
          <ErrorBox error={error} />
          <button type="submit" class="primary wide" disabled={busy}>
            {t('setup.finish')}
          </button>
        </form>
      )}
    </Gate>
  );
}
