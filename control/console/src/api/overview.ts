// Reads a `state` event. Anything that lacks its parts is refused (null): a half state must not pass for a whole one.
import type { LinkState, OpenAccess, Overview } from './types';

type Any = Record<string, unknown>;
const list = (value: unknown): Any[] => (Array.isArray(value) ? (value as Any[]) : []);

export function readOverview(text: string): Overview | null {
  let raw: Any;
  try {
    raw = JSON.parse(text) as Any;
  } catch {
    return null;
  }
  if (!raw || typeof raw !== 'object' || !Array.isArray(raw.links) || typeof raw.dataplane !== 'object' || !raw.dataplane)
    return null;
  const traffic = new Map(list(raw.traffic).map((row) => [row.link, row]));
  const links = list(raw.links).map((link) => ({ ...(traffic.get(link.link) ?? {}), ...link }) as unknown as LinkState);
  if (links.some((link) => typeof link.link !== 'string' || !Array.isArray(link.zones) || typeof link.cut !== 'boolean'))
    return null;
  const zones = list(raw.zones).map((zone) =>
    typeof zone === 'string' ? { name: zone } : { name: String(zone.name ?? zone.zone), kind: zone.kind as string | undefined },
  );
  if (zones.length === 0)
    for (const link of links)
      for (const name of link.zones) if (!zones.some((zone) => zone.name === name)) zones.push({ name, kind: undefined });
  const yours = (raw.yours ?? {}) as Any;
  return {
    site: String(raw.site ?? ''),
    version: Number(raw.version ?? 0),
    zones,
    links,
    quarantine: list(raw.quarantine) as unknown as Overview['quarantine'],
    accesses: list(raw.accesses)
      .filter((access) => access.open === true)
      .map((access) => ({ ...access, name: String(access.access ?? access.name) }) as OpenAccess),
    dataplane: raw.dataplane as Overview['dataplane'],
    alarms: alarmsOf(raw),
    reopen_people: Number(raw.reopen_people ?? 1),
    pending: raw.pending as Overview['pending'],
    reopenings: Number(raw.reopenings ?? 0),
    tickets_waiting: Number(raw.tickets_waiting ?? 0),
    yours: { reopenings: Number(yours.reopenings ?? 0), tickets: Number(yours.tickets ?? 0) },
    wall_ns: raw.wall_ns as number | undefined,
  };
}

function alarmsOf(raw: Any): string[] {
  const from = Array.isArray(raw.alarms) ? raw.alarms : raw.reports;
  if (!Array.isArray(from)) return [];
  return from.map((one) => (typeof one === 'string' ? one : String((one as Any).text ?? (one as Any).name ?? JSON.stringify(one))));
}
