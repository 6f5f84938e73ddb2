// The small parts that all pages are made of.
import type { ComponentChildren } from 'preact';
import { useEffect, useId, useRef, useState } from 'preact/hooks';
import { ApiError } from '../api/fetch';
import { t, tName } from '../i18n';

export function errorText(error: unknown): string {
  if (error instanceof ApiError) {
    const known = tName('error', error.code);
    const name = known === error.code ? error.code : known;
    return error.text ? `${name}: ${error.text}` : name;
  }
  return error instanceof Error ? error.message : String(error);
}

export function ErrorBox({ error }: { error: unknown }) {
  if (!error) return null;
  return (
    <p class="note bad" role="alert">
      {errorText(error)}
    </p>
  );
}

export type Tone = 'plain' | 'good' | 'warn' | 'cut' | 'info';
export function Tag({ tone = 'plain', children }: { tone?: Tone; children: ComponentChildren }) {
  return <span class={`tag ${tone}`}>{children}</span>;
}

export function Card(props: { title?: ComponentChildren; actions?: ComponentChildren; children: ComponentChildren; class?: string }) {
  const id = useId();
  return (
    <section class={`card ${props.class ?? ''}`} aria-labelledby={props.title ? id : undefined}>
      {props.title && (
        <header class="card-head">
          <h2 id={id}>{props.title}</h2>
          {props.actions && <div class="actions">{props.actions}</div>}
        </header>
      )}
      {props.children}
    </section>
  );
}

export function Field(props: { label: ComponentChildren; hint?: ComponentChildren; children: (id: string, hint: string | undefined) => ComponentChildren }) {
  const id = useId();
  const hint = props.hint ? `${id}-hint` : undefined;
  return (
    <div class="field">
      <label for={id}>{props.label}</label>
      {props.children(id, hint)}
      {props.hint && (
        <p class="hint" id={hint}>
          {props.hint}
        </p>
      )}
    </div>
  );
}

export function Empty({ children }: { children: ComponentChildren }) {
  return <p class="empty">{children}</p>;
}

// A modal dialog: the browser keeps the focus inside and gives it back.
export function Dialog(props: { title: ComponentChildren; onClose: () => void; children: ComponentChildren; class?: string; alert?: boolean }) {
  const ref = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    const dialog = ref.current;
    if (!dialog) return;
    const before = document.activeElement as HTMLElement | null;
    dialog.showModal();
    return () => {
      dialog.close();
      before?.focus?.();
    };
  }, []);
  return (
    <dialog
      ref={ref}
      class={props.class}
      role={props.alert ? 'alertdialog' : undefined}
      aria-labelledby={id}
      onCancel={(event) => {
        event.preventDefault();
        props.onClose();
      }}
    >
      <header class="dialog-head">
        <h2 id={id} tabIndex={-1}>
          {props.title}
        </h2>
        <button type="button" class="quiet" onClick={props.onClose} aria-label={t('common.close')}>
          ✕
        </button>
      </header>
      {props.children}
    </dialog>
  );
}

// A button that works on its own: busy while its promise runs, its failure beside it.
export function Act(props: {
  children: ComponentChildren;
  run: () => Promise<unknown>;
  class?: string;
  disabled?: boolean;
  label?: string;
  confirm?: string;
  deed?: string; // its name in the page, for tests
}) {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const [asking, setAsking] = useState(false);
  const alive = useRef(true);
  useEffect(() => () => void (alive.current = false), []);
  const run = async () => {
    setAsking(false);
    setBusy(true);
    setError(null);
    try {
      await props.run();
    } catch (failure) {
      if (alive.current) setError(failure);
    } finally {
      if (alive.current) setBusy(false);
    }
  };
  return (
    <span class="act">
      <button
        type="button"
        class={props.class}
        disabled={props.disabled || busy}
        aria-busy={busy}
        aria-label={props.label}
        data-deed={props.deed}
        onClick={() => (props.confirm ? setAsking(true) : void run())}
      >
        {props.children}
      </button>
      {asking && (
        <Dialog title={t('common.sure')} onClose={() => setAsking(false)} alert>
          <p>{props.confirm}</p>
          <div class="actions end">
            <button type="button" onClick={() => setAsking(false)}>
              {t('common.cancel')}
            </button>
            <button type="button" class={props.class ?? 'primary'} onClick={() => void run()}>
              {props.children}
            </button>
          </div>
        </Dialog>
      )}
      <ErrorBox error={error} />
    </span>
  );
}

export interface Loaded<T> {
  data: T | null;
  error: unknown;
  loading: boolean;
  reload: () => void;
}

// Loads when a key changes; an answer that comes after the next question is thrown away.
export function useLoad<T>(load: () => Promise<T>, keys: unknown[], everyMs = 0): Loaded<T> {
  const [state, setState] = useState<{ data: T | null; error: unknown; loading: boolean }>({ data: null, error: null, loading: true });
  const [round, setRound] = useState(0);
  useEffect(() => {
    let current = true;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const once = async () => {
      try {
        const data = await load();
        if (current) setState({ data, error: null, loading: false });
      } catch (error) {
        if (current) setState((before) => ({ data: before.data, error, loading: false }));
      }
      if (current && everyMs > 0) timer = setTimeout(() => void once(), everyMs);
    };
    setState((before) => ({ ...before, loading: true }));
    void once();
    return () => {
      current = false;
      clearTimeout(timer);
    };
  }, [...keys, round]);
  return { ...state, reload: () => setRound((n) => n + 1) };
}

export interface Column<T> {
  head: ComponentChildren;
  cell: (row: T) => ComponentChildren;
  number?: boolean;
  wide?: boolean;
}
// On a phone each row becomes a block with its labels (see tables.css).
export function Table<T>(props: { caption: string; columns: Column<T>[]; rows: T[]; keyOf?: (row: T, index: number) => string | number; rowClass?: (row: T) => string }) {
  return (
    <div class="table-box" tabIndex={0} role="region" aria-label={props.caption}>
      <table>
        <caption class="only-read">{props.caption}</caption>
        <thead>
          <tr>
            {props.columns.map((column, i) => (
              <th key={i} scope="col" class={column.number ? 'number' : undefined}>
                {column.head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {props.rows.map((row, index) => (
            <tr key={props.keyOf ? props.keyOf(row, index) : index} class={props.rowClass?.(row)}>
              {props.columns.map((column, i) => (
                <td key={i} class={`${column.number ? 'number' : ''} ${column.wide ? 'wide' : ''}`} data-head={typeof column.head === 'string' ? column.head : undefined}>
                  {column.cell(row)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
