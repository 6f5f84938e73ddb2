// 判定理由: why a packet would pass or not, in a sentence and with the rule's place.
import { useState } from 'preact/hooks';
import { get } from '../api/fetch';
import { t, tName } from '../i18n';
import { Card, Empty, ErrorBox, Field, Tag } from './basics';

interface Answer {
  from: string;
  to: string;
  link: string;
  link_cut: boolean;
  quarantined: boolean;
  policy: string;
  rule: string;
  rule_at?: string;
  passed_over: { rule: string; rule_at: string; why: string }[];
  verdict: string;
  decided_by: string;
}

export function WhyCard() {
  const [question, setQuestion] = useState({ source: '', destination: '', protocol: 'tcp', port: '' });
  const [answers, setAnswers] = useState<Answer[] | null>(null);
  const [error, setError] = useState<unknown>(null);
  const set = (key: keyof typeof question) => (event: { currentTarget: { value: string } }) => setQuestion({ ...question, [key]: event.currentTarget.value });
  const ask = async (event: Event) => {
    event.preventDefault();
    setError(null);
    try {
      setAnswers((await get<{ answers: Answer[] }>('/v1/why', { ...question })).answers);
    } catch (failure) {
      setAnswers(null);
      setError(failure);
    }
  };
  const ports = question.protocol !== 'icmp' && question.protocol !== 'icmpv6';
  return (
    <Card title={t('term.why')}>
      <form class="form-row" onSubmit={ask}>
        <Field label={t('why.source')}>{(id) => <input id={id} name="source" type="text" required spellcheck={false} placeholder="10.20.9.7" value={question.source} onInput={set('source')} />}</Field>
        <Field label={t('why.destination')}>{(id) => <input id={id} name="destination" type="text" required spellcheck={false} placeholder="10.20.0.10" value={question.destination} onInput={set('destination')} />}</Field>
        <Field label={t('why.protocol')}>
          {(id) => (
            <select id={id} name="protocol" value={question.protocol} onChange={set('protocol')}>
              {['tcp', 'udp', 'icmp', 'icmpv6', 'sctp'].map((one) => (
                <option key={one}>{one}</option>
              ))}
            </select>
          )}
        </Field>
        {ports && <Field label={t('why.port')}>{(id) => <input id={id} name="port" type="number" min={0} max={65535} required value={question.port} onInput={set('port')} />}</Field>}
        <button type="submit" class="primary">
          {t('why.ask')}
        </button>
      </form>
      <ErrorBox error={error} />
      <div aria-live="polite">
        {answers && answers.length === 0 && <Empty>{t('why.no_path')}</Empty>}
        {answers?.map((answer, i) => (
          <div key={i} class="why-answer" data-verdict={answer.verdict}>
            <p>
              <Tag tone={answer.verdict === 'pass' ? 'good' : answer.link_cut ? 'cut' : 'warn'}>{tName('action', answer.verdict)}</Tag>{' '}
              <strong>
                {answer.from} → {answer.to}
              </strong>{' '}
              <span class="under">
                {t('term.link')} {answer.link}
              </span>
            </p>
            <p>
              {tName('decided', answer.decided_by)}
              {answer.decided_by.startsWith('policy') && (
                <>
                  : <strong>{answer.rule}</strong> <code>{answer.rule_at ?? ''}</code>
                </>
              )}
            </p>
            {answer.passed_over.length > 0 && (
              <ul class="plain-list small">
                {answer.passed_over.map((one, k) => (
                  <li key={k}>
                    {t('why.passed_over')}: {one.rule} ({tName('passed', one.why)})
                  </li>
                ))}
              </ul>
            )}
          </div>
        ))}
      </div>
    </Card>
  );
}
