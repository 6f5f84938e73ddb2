// What can be cut: links first (vendors and the internet before care), then zones, then everything.
import type { LinkState, Overview } from '../api/types';

export interface Target {
  kind: 'link' | 'zone' | 'all';
  name: string;
  links: LinkState[];
}

export function targetsOf(overview: Overview): Target[] {
  const kinds = new Map(overview.zones.map((zone) => [zone.name, zone.kind ?? '']));
  // The outside is what one cuts at night; care comes last.
  const rank = (link: LinkState): number => {
    const outside = link.zones.some((zone) => ['vendor', 'internet'].includes(kinds.get(zone) || zone));
    return (outside ? 0 : 1) + (link.clinical ? 2 : 0);
  };
  const links = [...overview.links].sort((a, b) => rank(a) - rank(b));
  const out: Target[] = links.map((link) => ({ kind: 'link', name: link.link, links: [link] }));
  const names = new Set(links.map((link) => link.link));
  for (const zone of overview.zones) {
    const touching = overview.links.filter((link) => link.zones.includes(zone.name));
    // sekishod takes a name for a link before it takes it for a zone.
    if (touching.length > 0 && !names.has(zone.name)) out.push({ kind: 'zone', name: zone.name, links: touching });
  }
  out.push({ kind: 'all', name: 'all', links: overview.links });
  return out;
}

// A full cut, and one that touches care, asks once more; a vendor's line never does.
export function asksAgain(target: Target, protectedFlows: number): boolean {
  return target.kind === 'all' || target.links.some((link) => link.clinical) || protectedFlows > 0;
}

// Cut, but protected hosts pass.
export function isPartial(link: LinkState): boolean {
  return link.cut && link.state === 'partial';
}

// Fully: what is only partly cut can be cut further.
export function isCut(target: Target): boolean {
  return target.links.length > 0 && target.links.every((link) => link.cut && !isPartial(link));
}

export function flowsOf(target: Target): number {
  return target.links.reduce((sum, link) => sum + (link.flows_live ?? 0), 0);
}
