// The site as SVG. Every link is a button of its own for keyboard and screen reader; the table beneath says the same.
import type { LinkState, Overview } from '../api/types';
import { t } from '../i18n';
import { bitRate } from '../lib/format';
import { BOX_HEIGHT, BOX_WIDTH, layout, lineWidth, type LinkLine, type ZoneBox } from '../lib/layout';
import { isPartial } from '../lib/targets';
import { stale } from '../state';

export function trafficText(link: LinkState, rates: Map<string, number>): string {
  const rate = rates.get(link.link);
  return rate === undefined ? '–' : bitRate(rate);
}

const isOutside = (kind: string) => kind === 'vendor' || kind === 'internet';

interface Props {
  state: Overview;
  rates: Map<string, number>;
  size: 'wide' | 'middle' | 'narrow';
  chosen: string;
  onChoose: (link: string) => void;
}

export function Picture({ state, rates, size, chosen, onChoose }: Props) {
  const plan = layout(
    state.zones.map((zone) => ({ name: zone.name, outside: isOutside(zone.kind ?? '') })),
    state.links.map((link) => ({ name: link.link, zones: link.zones })),
    size,
  );
  const byName = new Map(state.links.map((link) => [link.link, link]));
  const choose = (event: KeyboardEvent, name: string) => {
    if (event.key !== 'Enter' && event.key !== ' ') return;
    event.preventDefault();
    onChoose(name);
  };
  return (
    <svg class="picture" viewBox={`0 0 ${plan.width} ${plan.height}`} role="group" aria-label={t('map.picture')}>
      {plan.links.map((line) => (
        <Line key={line.name} line={line} link={byName.get(line.name)!} rates={rates} />
      ))}
      {plan.zones.map((zone) => (
        <Zone key={zone.name} zone={zone} kind={state.zones.find((one) => one.name === zone.name)?.kind ?? ''} state={state} />
      ))}
      {plan.links.map((line) => {
        const link = byName.get(line.name)!;
        return (
          <g
            key={line.name}
            class={`link-label ${isPartial(link) ? 'partial' : link.cut ? 'cut' : ''} ${chosen === line.name ? 'chosen' : ''}`}
            role="button"
            tabIndex={0}
            data-link={line.name}
            aria-pressed={chosen === line.name}
            aria-label={`${t('term.link')} ${line.name}, ${link.zones.join(' – ')}: ${isPartial(link) ? t('map.partial_now') : link.cut ? t('map.cut_now') : `${t('map.open_now')}, ${trafficText(link, rates)}`}`}
            onClick={() => onChoose(line.name)}
            onKeyDown={(event) => choose(event, line.name)}
          >
            <Label line={line} link={link} rates={rates} />
          </g>
        );
      })}
    </svg>
  );
}

function Line({ line, link, rates }: { line: LinkLine; link: LinkState; rates: Map<string, number> }) {
  const rate = rates.get(line.name) ?? 0;
  // Through its label: on a phone the line bends there.
  const place = { points: `${line.a.x},${line.a.y} ${line.x},${line.y} ${line.b.x},${line.b.y}` };
  if (link.cut) return <polyline class={`wire cut ${isPartial(link) ? 'partial' : ''}`} {...place} stroke-width={5} />;
  return (
    <>
      <polyline class={`wire ${link.clinical ? 'clinical' : ''}`} {...place} stroke-width={lineWidth(rate)} />
      {rate >= 1 && !stale.value && <polyline class="pulse" {...place} stroke-width={Math.max(2, lineWidth(rate) - 2)} />}
    </>
  );
}

function Label({ line, link, rates }: { line: LinkLine; link: LinkState; rates: Map<string, number> }) {
  const name = line.name.length > 16 ? `${line.name.slice(0, 15)}…` : line.name;
  const second = isPartial(link) ? t('map.partial_big') : link.cut ? t('map.cut_big') : trafficText(link, rates);
  const width = Math.max(96, name.length * 9 + 24, second.length * (link.cut ? 17 : 8) + 24);
  return (
    <>
      <rect x={line.x - width / 2} y={line.y - 23} width={width} height={46} rx={9} />
      <text x={line.x} y={line.y - 5} class="name">
        {name}
      </text>
      <text x={line.x} y={line.y + 14} class={link.cut ? 'state' : 'rate'}>
        {second}
      </text>
    </>
  );
}

function Zone({ zone, kind, state }: { zone: ZoneBox; kind: string; state: Overview }) {
  const links = state.links.filter((link) => link.zones.includes(zone.name));
  const cut = links.length > 0 && links.every((link) => link.cut);
  const accesses = state.accesses.filter((access) => access.link && links.some((link) => link.link === access.link));
  const outside = isOutside(kind);
  return (
    <g class={`zone ${cut ? 'cut' : ''} ${outside ? 'outside' : ''}`}>
      <rect x={zone.x - BOX_WIDTH / 2} y={zone.y - BOX_HEIGHT / 2} width={BOX_WIDTH} height={BOX_HEIGHT} rx={12} />
      <text x={zone.x} y={zone.y + 1} class="name">
        {zone.name.length > 15 ? `${zone.name.slice(0, 14)}…` : zone.name}
      </text>
      <text x={zone.x} y={zone.y + 19} class="kind">
        {accesses.length > 0 && outside ? t('map.access_open') : kindText(kind)}
      </text>
    </g>
  );
}

function kindText(kind: string): string {
  if (kind === 'vendor') return t('term.vendor');
  if (kind === 'internet') return t('map.internet');
  return t('term.zone');
}
