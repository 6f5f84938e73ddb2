// The cut: first action opens this, second action cuts. What touches care, and a cut of everything, asks once more.
import { signal } from '@preact/signals';
import { useEffect, useRef, useState } from 'preact/hooks';
import { ApiError, post } from '../api/fetch';
import type { Impact, Receipt } from '../api/types';
import { t } from '../i18n';
import { count } from '../lib/format';
import { asksAgain, flowsOf, isCut, targetsOf, type Target } from '../lib/targets';
import { keepReceipt, lang, overview, receipts, stale } from '../state';
import { Dialog, Empty, ErrorBox, Tag, errorText } from './basics';
import { ImpactSummary, ImpactTable, loadImpact } from './impact';
import { ReceiptView } from './receipt';

// null: closed. `first` stands on top of the list; `now`: it was chosen already, the press was on its own button.
export interface CutRequest {
  first: string;
  now?: boolean;
  partial?: boolean; // with `now`: protected hosts stay
  reason?: string;
}
export const cutOpen = signal<CutRequest | null>(null);

export function CutButton() {
  return (
    <button type="button" class="cut-button" onClick={() => (cutOpen.value = { first: '' })} aria-haspopup="dialog" data-cut>
      {t('term.cut')}
    </button>
  );
}

export function targetLabel(target: Target): string {
  if (target.kind === 'all') return t('cut.all');
  if (target.kind === 'zone') return t('cut.zone', { name: target.name });
  return target.name;
}

export async function sendCut(target: string, reason: string, partial = false): Promise<Receipt> {
  const receipt = await post<Receipt>('/v1/cut', { target, reason: reason || t('cut.default_reason'), ...(partial ? { partial } : {}) });
  keepReceipt(receipt);
  return receipt;
}

type Step = { at: 'choose' } | { at: 'ask'; target: Target } | { at: 'sent'; target: Target } | { at: 'done'; receipt: Receipt } | { at: 'failed'; target: Target; partial: boolean; error: unknown };

export function CutDialog({ first, now, partial: partly = false, reason: given = '', onClose }: CutRequest & { onClose: () => void }) {
  const [step, setStep] = useState<Step>({ at: 'choose' });
  const [reason, setReason] = useState(given);
  const state = overview.value;
  const all = state ? targetsOf(state) : [{ kind: 'all', name: 'all', links: [] } as Target];
  const [chosen, setChosen] = useState<string>(first || (all.find((one) => !isCut(one)) ?? all[0]!).name);
  const impacts = useRef(new Map<string, Impact>());

  const cut = async (target: Target, partial = false) => {
    setStep({ at: 'sent', target });
    try {
      setStep({ at: 'done', receipt: await sendCut(target.name, reason, partial) });
    } catch (error) {
      setStep({ at: 'failed', target, partial, error });
    }
  };
  // A partial cut ends nothing that is protected: it asks nothing.
  const press = (target: Target, partial = false) => {
    if (partial) return void cut(target, true);
    const impact = impacts.current.get(target.name);
    if (asksAgain(target, impact?.protected_flows ?? 0)) setStep({ at: 'ask', target });
    else void cut(target);
  };
  useEffect(() => {
    const target = all.find((one) => one.name === first);
    if (now && target) press(target, partly);
  }, []);
  const targets = [...all].sort((a, b) => Number(b.name === first) - Number(a.name === first));

  return (
    <Dialog title={t(step.at === 'done' ? 'term.receipt' : step.at === 'ask' ? 'common.sure' : 'cut.title')} onClose={onClose} class={`cut-dialog ${step.at}`} alert={step.at === 'ask'}>
      {step.at === 'choose' && (
        <>
          {stale.value && <p class="note warn">{t('cut.stale')}</p>}
          <div class="chooser">
            <ul class="targets">
              {targets.map((target) => (
                <TargetRow key={target.kind + target.name} target={target} chosen={chosen === target.name} onChoose={() => setChosen(target.name)} onCut={(partial) => press(target, partial)} />
              ))}
            </ul>
            <section class="chooser-impact" aria-live="polite" aria-label={t('term.impact')}>
              <h3>
                {t('term.impact')}: {chosen === 'all' ? t('cut.all') : chosen}
              </h3>
              <LateImpact target={chosen} keep={impacts.current} />
            </section>
          </div>
          <label class="reason">
            {t('common.reason')}
            <input type="text" value={reason} maxLength={200} placeholder={t('cut.default_reason')} onInput={(event) => setReason(event.currentTarget.value)} />
          </label>
        </>
      )}
      {step.at === 'ask' && (
        <div class="ask">
          <p class="ask-word" role="alert">
            {t(step.target.kind === 'all' ? 'cut.ask_all' : 'cut.ask_clinical', { name: targetLabel(step.target) })}
          </p>
          <LateImpact target={step.target.name} keep={impacts.current} protectedFirst />
          <div class="actions end">
            <button type="button" onClick={() => setStep({ at: 'choose' })} autofocus>
              {t('common.back')}
            </button>
            {!step.target.links.every((link) => link.cut) && (
              <button type="button" onClick={() => void cut(step.target, true)} data-cut-partial-instead>
                {t('cut.partial_instead')}
              </button>
            )}
            <button type="button" class="cut" onClick={() => void cut(step.target)} data-cut-sure>
              {t('cut.sure', { name: targetLabel(step.target) })}
            </button>
          </div>
        </div>
      )}
      {step.at === 'sent' && (
        <p class="working" role="status" aria-live="assertive">
          {t('cut.working', { name: targetLabel(step.target) })}
        </p>
      )}
      {step.at === 'failed' && (
        <div class="receipt bad" role="alert">
          <h3>
            <span class="verdict">{unknownOutcome(step.error) ? t('cut.unknown') : t('cut.refused')}</span>
            <span class="subject">{targetLabel(step.target)}</span>
          </h3>
          <p class="pull">{unknownOutcome(step.error) ? t('cut.unknown_help') : errorText(step.error)}</p>
          <div class="actions end">
            <button type="button" onClick={() => setStep({ at: 'choose' })}>
              {t('common.back')}
            </button>
            <button type="button" class="cut" onClick={() => void cut(step.target, step.partial)}>
              {t('cut.again')}
            </button>
          </div>
        </div>
      )}
      {step.at === 'done' && (
        <>
          <ReceiptView receipt={step.receipt} at={receipts.value.find((one) => one.receipt.id === step.receipt.id)?.at} focus />
          <div class="actions end">
            <button type="button" onClick={() => setStep({ at: 'choose' })}>
              {t('cut.more')}
            </button>
            <button type="button" class="primary" onClick={onClose}>
              {t('common.close')}
            </button>
          </div>
        </>
      )}
    </Dialog>
  );
}

// No answer came: whether it was cut is not known.
function unknownOutcome(error: unknown): boolean {
  return !(error instanceof ApiError) || error.status === 0 || error.status >= 500;
}

function TargetRow(props: { target: Target; chosen: boolean; onChoose: () => void; onCut: (partial: boolean) => void }) {
  const { target } = props;
  const done = isCut(target);
  const partly = !done && target.links.length > 0 && target.links.every((link) => link.cut);
  const clinical = target.kind !== 'all' && target.links.some((link) => link.clinical);
  // The second half of a double click on the header's button is no decision.
  return (
    <li class={`target ${target.kind} ${props.chosen ? 'chosen' : ''}`} onMouseEnter={props.onChoose}>
      <button type="button" class="target-name" aria-pressed={props.chosen} onClick={props.onChoose} onFocus={props.onChoose}>
        <strong>{targetLabel(target)}</strong>
        <span class="under">
          {target.kind === 'link' ? target.links[0]!.zones.join(' ↔ ') : t('cut.links', { n: target.links.length })}
          {!stale.value && ` · ${t('cut.flows', { n: count(flowsOf(target), lang.value) })}`}
        </span>
      </button>
      {clinical && <Tag tone="info">{t('map.clinical')}</Tag>}
      {done && !stale.value && <Tag tone="cut">{t('map.cut_now')}</Tag>}
      {partly && !stale.value && <Tag tone="warn">{t('map.partial_now')}</Tag>}
      {!done && !partly && (
        <button type="button" class="quiet" data-target-partial={target.name} onClick={(event) => event.detail < 2 && props.onCut(true)} aria-label={t('cut.do_partial', { name: targetLabel(target) })}>
          {t('cut.partial')}
        </button>
      )}
      <button type="button" class="cut" data-target={target.name} onClick={(event) => event.detail < 2 && props.onCut(false)} aria-label={t('cut.do', { name: targetLabel(target) })}>
        {t('term.cut')}
      </button>
    </li>
  );
}

// Loads a little after the choice settled: moving over the list asks for nothing.
function LateImpact(props: { target: string; keep: Map<string, Impact>; protectedFirst?: boolean }) {
  const [shown, setShown] = useState<{ target: string; impact: Impact | null; error: unknown } | null>(null);
  useEffect(() => {
    let current = true;
    const timer = setTimeout(
      async () => {
        try {
          const impact = await loadImpact(props.target);
          props.keep.set(props.target, impact);
          if (current) setShown({ target: props.target, impact, error: null });
        } catch (error) {
          if (current) setShown({ target: props.target, impact: null, error });
        }
      },
      props.protectedFirst ? 0 : 150,
    );
    return () => {
      current = false;
      clearTimeout(timer);
    };
  }, [props.target]);
  if (!shown || shown.target !== props.target) return <Empty>{t('impact.loading')}</Empty>;
  if (shown.error) return <ErrorBox error={shown.error} />;
  if (!shown.impact) return null;
  return (
    <div data-impact={props.target}>
      <ImpactSummary impact={shown.impact} />
      <ImpactTable impact={shown.impact} most={props.protectedFirst ? 30 : 12} />
    </div>
  );
}
