// People and tokens: who may do what. A link for a first login is shown once, with a QR code to hand it over.
import { useState } from 'preact/hooks';
import { get, post } from '../api/fetch';
import { t, tName } from '../i18n';
import { duration, when } from '../lib/format';
import { Act, Card, Dialog, Empty, ErrorBox, Field, Table, Tag, useLoad } from '../parts/basics';
import { Qr } from '../parts/qr';
import { lang, session } from '../state';

const ROLES = ['viewer', 'operator', 'commander', 'clinician', 'vendor', 'auditor', 'admin'];
const TOKEN_PERMISSIONS = ['quarantine', 'release', 'cut', 'view', 'view_events', 'incident_change', 'ticket_view', 'config_view', 'audit_view', 'evidence'];

interface PersonRow {
  name: string;
  roles: string[];
  language: string;
  vendor: string;
  disabled: boolean;
  set_up: boolean;
  invited_until_s: number;
  last_login_s: number;
}
interface TokenRow {
  name: string;
  permissions: string[];
  zone: string;
  expires_s: number;
  created_by: string;
}
interface Invitation {
  name: string;
  link: string;
  link_lasts_s: number;
}

export function PeoplePage() {
  const people = useLoad(() => get<{ people: PersonRow[] }>('/v1/people'), []);
  const [adding, setAdding] = useState(false);
  const [invitation, setInvitation] = useState<Invitation | null>(null);
  const [roles, setRoles] = useState<PersonRow | null>(null);
  const act = async (path: string, body: unknown) => {
    await post(path, body);
    people.reload();
  };
  return (
    <>
      {invitation && <InvitationCard invitation={invitation} />}
      <Card
        title={t('people.title')}
        actions={
          <button type="button" class="primary" onClick={() => setAdding(true)}>
            {t('people.add')}
          </button>
        }
      >
        <ErrorBox error={people.error} />
        {people.data && (
          <Table
            caption={t('people.title')}
            rows={people.data.people}
            keyOf={(row) => row.name}
            columns={[
              { head: t('login.user'), cell: (row) => <strong>{row.name}</strong> },
              { head: t('people.roles'), cell: (row) => row.roles.map((role) => tName('role', role)).join(', ') + (row.vendor ? ` (${row.vendor})` : '') },
              {
                head: t('common.state'),
                cell: (row) =>
                  row.disabled ? <Tag tone="warn">{t('people.disabled')}</Tag> : row.set_up ? <Tag tone="good">{t('people.active')}</Tag> : <Tag>{t('people.invited', { time: when(row.invited_until_s) })}</Tag>,
              },
              { head: t('people.last_login'), cell: (row) => when(row.last_login_s) },
              {
                head: t('common.action'),
                cell: (row) => (
                  <div class="actions">
                    <button type="button" onClick={() => setRoles(row)}>
                      {t('people.roles')}
                    </button>
                    <Act confirm={t('people.reset_sure', { name: row.name })} run={async () => (setInvitation(await post<Invitation>('/v1/people/reset', { name: row.name })), people.reload())}>
                      {t('people.reset')}
                    </Act>
                    <Act run={() => act('/v1/people/unlock', { name: row.name })}>{t('people.unlock')}</Act>
                    {row.name !== session.value?.person.name && (
                      <Act confirm={row.disabled ? undefined : t('people.disable_sure', { name: row.name })} run={() => act('/v1/people/disable', { name: row.name, enable: row.disabled })}>
                        {row.disabled ? t('people.enable') : t('people.disable')}
                      </Act>
                    )}
                  </div>
                ),
              },
            ]}
          />
        )}
      </Card>
      <Tokens />
      {adding && <AddDialog onClose={() => setAdding(false)} onAdded={(next) => (setAdding(false), setInvitation(next), people.reload())} />}
      {roles && <RolesDialog person={roles} onClose={() => setRoles(null)} onDone={() => (setRoles(null), people.reload())} />}
    </>
  );
}

function InvitationCard({ invitation }: { invitation: Invitation }) {
  const url = `${location.origin}${location.pathname}#/setup?link=${encodeURIComponent(invitation.link)}&user=${encodeURIComponent(invitation.name)}`;
  return (
    <Card title={t('people.link_for', { name: invitation.name })} class="attention">
      <p>{t('people.link_once', { time: duration(invitation.link_lasts_s, lang.value) })}</p>
      <div class="invitation">
        <Qr text={url} label={t('setup.qr')} />
        <p>
          <code class="secret" data-invitation={invitation.link}>
            {url}
          </code>
        </p>
      </div>
    </Card>
  );
}

function Checks({ legend, names, prefix, chosen, onChange }: { legend: string; names: string[]; prefix: string; chosen: string[]; onChange: (next: string[]) => void }) {
  return (
    <fieldset class="checks">
      <legend>{legend}</legend>
      {names.map((name) => (
        <label key={name}>
          <input type="checkbox" name={name} checked={chosen.includes(name)} onChange={(event) => onChange(event.currentTarget.checked ? [...chosen, name] : chosen.filter((one) => one !== name))} />
          {tName(prefix, name)}
        </label>
      ))}
    </fieldset>
  );
}

function AddDialog({ onClose, onAdded }: { onClose: () => void; onAdded: (invitation: Invitation) => void }) {
  const [name, setName] = useState('');
  const [roles, setRoles] = useState<string[]>(['viewer']);
  const [language, setLanguage] = useState('ja');
  const [vendor, setVendor] = useState('');
  return (
    <Dialog title={t('people.add')} onClose={onClose}>
      <Field label={t('login.user')}>{(id) => <input id={id} name="new-name" type="text" maxLength={64} spellcheck={false} value={name} onInput={(event) => setName(event.currentTarget.value)} />}</Field>
      <Checks legend={t('people.roles')} names={ROLES} prefix="role" chosen={roles} onChange={setRoles} />
      {roles.includes('vendor') && <Field label={t('term.vendor')}>{(id) => <input id={id} type="text" maxLength={64} value={vendor} onInput={(event) => setVendor(event.currentTarget.value)} />}</Field>}
      <Field label={t('app.language')}>
        {(id) => (
          <select id={id} value={language} onChange={(event) => setLanguage(event.currentTarget.value)}>
            <option value="ja">日本語</option>
            <option value="en">English</option>
          </select>
        )}
      </Field>
      <div class="actions end">
        <button type="button" onClick={onClose}>
          {t('common.cancel')}
        </button>
        <Act class="primary" disabled={name.trim() === '' || roles.length === 0} run={async () => onAdded(await post<Invitation>('/v1/people/add', { name: name.trim(), roles, language, vendor }))}>
          {t('people.invite')}
        </Act>
      </div>
    </Dialog>
  );
}

function RolesDialog({ person, onClose, onDone }: { person: PersonRow; onClose: () => void; onDone: () => void }) {
  const [roles, setRoles] = useState(person.roles);
  return (
    <Dialog title={`${person.name}: ${t('people.roles')}`} onClose={onClose}>
      <Checks legend={t('people.roles')} names={ROLES} prefix="role" chosen={roles} onChange={setRoles} />
      <div class="actions end">
        <button type="button" onClick={onClose}>
          {t('common.cancel')}
        </button>
        <Act class="primary" disabled={roles.length === 0} run={async () => (await post('/v1/people/roles', { name: person.name, roles }), onDone())}>
          {t('common.save')}
        </Act>
      </div>
    </Dialog>
  );
}

function Tokens() {
  const tokens = useLoad(() => get<{ tokens: TokenRow[] }>('/v1/tokens'), []);
  const [name, setName] = useState('');
  const [zone, setZone] = useState('');
  const [days, setDays] = useState('90');
  const [permissions, setPermissions] = useState<string[]>(['quarantine']);
  const [made, setMade] = useState<{ name: string; token: string } | null>(null);
  return (
    <Card title={t('tokens.title')}>
      <ErrorBox error={tokens.error} />
      {made && (
        <div class="note good" role="status">
          <p>{t('tokens.once', { name: made.name })}</p>
          <code class="secret">{made.token}</code>
        </div>
      )}
      {tokens.data && tokens.data.tokens.length === 0 && <Empty>{t('tokens.none')}</Empty>}
      {tokens.data && tokens.data.tokens.length > 0 && (
        <Table
          caption={t('tokens.title')}
          rows={tokens.data.tokens}
          keyOf={(row) => row.name}
          columns={[
            { head: t('common.name'), cell: (row) => <strong>{row.name}</strong> },
            { head: t('tokens.may'), cell: (row) => row.permissions.map((one) => tName('permission', one)).join(', ') },
            { head: t('term.zone'), cell: (row) => row.zone || t('common.all') },
            { head: t('term.expiry'), cell: (row) => when(row.expires_s) },
            { head: t('tokens.by'), cell: (row) => row.created_by },
            { head: t('common.action'), cell: (row) => <Act confirm={t('tokens.revoke_sure', { name: row.name })} run={async () => (await post('/v1/tokens/revoke', { name: row.name }), tokens.reload())}>{t('tokens.revoke')}</Act> },
          ]}
        />
      )}
      <details class="more">
        <summary>{t('tokens.new')}</summary>
        <div class="form-row">
          <Field label={t('common.name')}>{(id) => <input id={id} type="text" maxLength={64} value={name} onInput={(event) => setName(event.currentTarget.value)} />}</Field>
          <Field label={t('tokens.zone')} hint={t('tokens.zone_hint')}>{(id, hint) => <input id={id} aria-describedby={hint} type="text" maxLength={64} value={zone} onInput={(event) => setZone(event.currentTarget.value)} />}</Field>
          <Field label={t('tokens.days')}>{(id) => <input id={id} type="number" min={1} max={366} value={days} onInput={(event) => setDays(event.currentTarget.value)} />}</Field>
        </div>
        <Checks legend={t('tokens.may')} names={TOKEN_PERMISSIONS} prefix="permission" chosen={permissions} onChange={setPermissions} />
        <Act
          class="primary"
          disabled={name.trim() === '' || permissions.length === 0}
          run={async () => {
            setMade(await post<{ name: string; token: string }>('/v1/tokens/create', { name: name.trim(), permissions, zone: zone.trim(), for_s: Number(days) * 86400 }));
            tokens.reload();
          }}
        >
          {t('tokens.make')}
        </Act>
      </details>
    </Card>
  );
}
