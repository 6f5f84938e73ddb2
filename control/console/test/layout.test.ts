import { describe, expect, it } from 'vitest';
import type { LinkState, Overview } from '../src/api/types';
import { BOX_HEIGHT, BOX_WIDTH, layout, lineWidth } from '../src/lib/layout';
import { parseRoute } from '../src/lib/route';
import { asksAgain, isCut, targetsOf } from '../src/lib/targets';

const zone = (name: string, outside = false) => ({ name, outside });
const star = (names: string[]) => names.map((name) => ({ name: `l-${name}`, zones: [name, 'his'] as [string, string] }));

describe('the map', () => {
  const names = ['device', 'lab', 'backup', 'vendor', 'kitchen', 'internet'];
  const zones = [zone('his'), ...names.map((name, i) => zone(name, i >= 3))];
  it('puts the busiest zone in the middle, the outside left', () => {
    const plan = layout(zones, star(names));
    const at = new Map(plan.zones.map((one) => [one.name, one]));
    expect(at.get('his')!.x).toBe(plan.width / 2);
    expect(at.get('vendor')!.x).toBeLessThan(plan.width / 2);
    expect(at.get('device')!.x).toBeGreaterThan(plan.width / 2);
  });
  it('is the same for the same site', () => {
    expect(layout(zones, star(names))).toEqual(layout(zones, star(names)));
  });
  it.each(['wide', 'middle', 'narrow'] as const)('keeps boxes apart and inside (%s)', (size) => {
    for (const n of [1, 2, 3, 4, 6]) {
      const some = names.slice(0, n);
      const plan = layout([zone('his'), ...some.map((name) => zone(name, name.length % 2 === 0))], star(some), size);
      expect(plan.zones.length).toBe(n + 1);
      for (const a of plan.zones) {
        expect(a.x - BOX_WIDTH / 2).toBeGreaterThanOrEqual(0);
        expect(a.x + BOX_WIDTH / 2).toBeLessThanOrEqual(plan.width);
        expect(a.y - BOX_HEIGHT / 2).toBeGreaterThanOrEqual(0);
        expect(a.y + BOX_HEIGHT / 2).toBeLessThanOrEqual(plan.height);
        for (const b of plan.zones)
          if (a !== b) expect(Math.abs(a.x - b.x) >= BOX_WIDTH || Math.abs(a.y - b.y) >= BOX_HEIGHT, `${n} ${size}: ${a.name} on ${b.name}`).toBe(true);
      }
    }
  });
  it('bears links to unknown zones, inside of a zone, and twins', () => {
    const plan = layout([zone('a'), zone('b')], [
      { name: 'x', zones: ['a', 'nowhere'] },
      { name: 'in', zones: ['a', 'a'] },
      { name: 'one', zones: ['a', 'b'] },
      { name: 'two', zones: ['b', 'a'] },
    ]);
    expect(plan.links.map((link) => link.name)).toEqual(['in', 'one', 'two']);
    expect(plan.links[1]!.y).not.toBe(plan.links[2]!.y);
  });
  it('draws more traffic thicker, within bounds', () => {
    expect(lineWidth(0)).toBeLessThan(lineWidth(1e4));
    expect(lineWidth(1e4)).toBeLessThan(lineWidth(1e7));
    expect(lineWidth(1e30)).toBe(8);
  });
});

describe('targets of a cut', () => {
  const link = (name: string, a: string, b: string, clinical = false, cut = false): LinkState => ({ link: name, zones: [a, b], cut, clinical, mode: 'enforce', fail: 'closed', ips: 'off' });
  const overview = {
    zones: [{ name: 'his' }, { name: 'device' }, { name: 'vendor', kind: 'vendor' }, { name: 'alone' }],
    links: [link('device-his', 'device', 'his', true), link('vendor', 'vendor', 'his', false, true)],
  } as unknown as Overview;
  it('begin with the outside, end with everything', () => {
    const targets = targetsOf(overview);
    // The zone "vendor" has the name of a link: sekishod would take the link.
    expect(targets.map((one) => `${one.kind} ${one.name}`)).toEqual(['link vendor', 'link device-his', 'zone his', 'zone device', 'all all']);
  });
  it('ask again for care and for everything, never for a vendor', () => {
    const by = new Map(targetsOf(overview).map((one) => [one.name, one]));
    expect(asksAgain(by.get('vendor')!, 0)).toBe(false);
    expect(asksAgain(by.get('vendor')!, 1)).toBe(true);
    expect(asksAgain(by.get('device-his')!, 0)).toBe(true);
    expect(asksAgain(by.get('his')!, 0)).toBe(true);
    expect(asksAgain(by.get('all')!, 0)).toBe(true);
  });
  it('know what is cut', () => {
    const by = new Map(targetsOf(overview).map((one) => [one.name, one]));
    expect(isCut(by.get('vendor')!)).toBe(true);
    expect(isCut(by.get('his')!)).toBe(false);
    expect(isCut({ kind: 'all', name: 'all', links: [] })).toBe(false);
  });
});

describe('a route', () => {
  it('is a page with its query', () => {
    expect(parseRoute('')).toEqual({ page: 'map', query: {} });
    expect(parseRoute('#/map?link=vendor%20a')).toEqual({ page: 'map', query: { link: 'vendor a' } });
    expect(parseRoute('#audit')).toEqual({ page: 'audit', query: {} });
  });
});
