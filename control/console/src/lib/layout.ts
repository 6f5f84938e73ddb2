// Where the zones of the map stand. Pure: the same site gives the same picture, so that people learn it by heart.

export interface ZoneBox {
  name: string;
  x: number;
  y: number;
}
export interface LinkLine {
  name: string;
  a: ZoneBox;
  b: ZoneBox;
  // Where the label stands, and the slope of the line there.
  x: number;
  y: number;
}
export interface Layout {
  width: number;
  height: number;
  zones: ZoneBox[];
  links: LinkLine[];
}

export const BOX_WIDTH = 148;
export const BOX_HEIGHT = 56;

interface Edge {
  name: string;
  zones: [string, string];
}

export interface ZoneIn {
  name: string;
  // A vendor's zone, or the internet.
  outside?: boolean;
}

// The zone that most links touch stands in the middle (the HIS, usually): what is outside of the hospital on its left,
// what is inside on its right. Without such a zone, and on a phone, the zones stand on an ellipse.
export function layout(zonesIn: ZoneIn[], edges: Edge[], size: 'wide' | 'middle' | 'narrow' = 'wide'): Layout {
  const zoneNames = zonesIn.map((zone) => zone.name);
  const width = { wide: 960, middle: 720, narrow: 420 }[size];
  const degree = new Map(zoneNames.map((name) => [name, 0]));
  for (const edge of edges)
    if (edge.zones[0] !== edge.zones[1])
      for (const zone of edge.zones) degree.set(zone, (degree.get(zone) ?? 0) + 1);
  const most = Math.max(0, ...degree.values());
  const hub = most >= 2 && most >= zoneNames.length / 2 ? zoneNames.find((name) => degree.get(name) === most) : undefined;
  const outer = zonesIn.filter((zone) => zone.name !== hub);
  const zones: ZoneBox[] = [];
  let height: number;
  if (hub !== undefined && size === 'narrow') {
    const rows = [...outer].sort((a, b) => Number(b.outside ?? false) - Number(a.outside ?? false));
    height = Math.max(200, 104 * rows.length);
    zones.push({ name: hub, x: BOX_WIDTH / 2 + 4, y: height / 2 });
    rows.forEach((zone, i) => zones.push({ name: zone.name, x: width - BOX_WIDTH / 2 - 4, y: round((height * (i + 0.5)) / rows.length) }));
  } else if (hub !== undefined) {
    const [left, right] = sides(outer);
    height = Math.max(260, 110 * Math.max(left.length, right.length) + 30);
    zones.push({ name: hub, x: width / 2, y: height / 2 });
    for (const [column, x] of [
      [left, BOX_WIDTH / 2 + 8],
      [right, width - BOX_WIDTH / 2 - 8],
    ] as const)
      column.forEach((zone, i) => zones.push({ name: zone.name, x, y: round((height * (i + 0.5)) / column.length) }));
  } else {
    height = size === 'narrow' ? Math.max(440, Math.ceil(outer.length / 2) * 150 + 130) : Math.max(380, Math.min(640, 250 + outer.length * 26));
    const cx = width / 2;
    const cy = height / 2;
    const rx = width / 2 - BOX_WIDTH / 2 - 8;
    const ry = height / 2 - BOX_HEIGHT / 2 - 10;
    outer.forEach((zone, i) => {
      const alone = outer.length === 1;
      // Two stand one above the other on a phone and side by side elsewhere; more go round from the upper left.
      const start = outer.length === 2 ? (size === 'narrow' ? -Math.PI / 2 : Math.PI) : (-3 * Math.PI) / 4;
      const angle = start + (2 * Math.PI * i) / outer.length;
      zones.push({ name: zone.name, x: alone ? cx : round(cx + rx * Math.cos(angle)), y: alone ? cy : round(cy + ry * Math.sin(angle)) });
    });
  }
  const at = new Map(zones.map((zone) => [zone.name, zone]));
  // Parallel links (two between the same zones) get labels apart from each other.
  const seen = new Map<string, number>();
  const links: LinkLine[] = [];
  for (const edge of edges) {
    const a = at.get(edge.zones[0]);
    const b = at.get(edge.zones[1]);
    if (!a || !b) continue;
    const key = [a.name, b.name].sort().join('\u0000');
    const nth = seen.get(key) ?? 0;
    seen.set(key, nth + 1);
    const inside = a === b;
    // On a phone the label stands in the row of the outer zone.
    const row = size === 'narrow' && hub !== undefined && !inside ? (a.name === hub ? b : b.name === hub ? a : null) : null;
    links.push({
      name: edge.name,
      a,
      b,
      x: round((a.x + b.x) / 2),
      y: round(inside ? a.y + BOX_HEIGHT / 2 + 18 : row ? row.y + nth * 44 : (a.y + b.y) / 2 + nth * 44),
    });
  }
  return { width, height, zones: zoneNames.map((name) => at.get(name)).filter((z): z is ZoneBox => !!z), links };
}

// Outside left, inside right; where one side would be empty, they share both.
function sides(outer: ZoneIn[]): [ZoneIn[], ZoneIn[]] {
  const left = outer.filter((zone) => zone.outside);
  const right = outer.filter((zone) => !zone.outside);
  if (left.length > 0 && right.length > 0) return [left, right];
  const half = Math.floor(outer.length / 2);
  return [outer.slice(0, half), outer.slice(half)];
}

function round(n: number): number {
  return Math.round(n * 10) / 10;
}

// Thickness of a line by its traffic: one step per decade, so that 1 Mbit/s and 1 Gbit/s both show.
export function lineWidth(bytesPerSecond: number): number {
  if (bytesPerSecond < 1) return 2;
  return Math.min(8, 2 + 0.7 * Math.log10(bytesPerSecond));
}
