import { describe, expect, test } from 'vitest';
import {
  LINE_END,
  lineRow,
  lineScale,
  lineTicks,
  movedView,
  TICK_GAP,
  valueAfter,
  valueFrom,
  viewNear,
  type LineKind,
  type LineView,
} from '../../../../renderer/charts/number-line.ts';
import { NUMBER_FORMATS, type NumberFormat } from '../../../../shared/number-formats.ts';
import { patternValue, toDouble } from '../../../../shared/number-in-formats.ts';

function format(name: string): NumberFormat {
  const found = NUMBER_FORMATS.find((candidate) => candidate.name === name);
  if (found === undefined) throw new Error(`no format is called ${name}`);
  return found;
}

/** Every value of a small format, ascending, by its patterns. */
function allValues(facts: NumberFormat): number[] {
  const values = new Set<number>();
  for (let pattern = 0; pattern < 2 ** facts.bits; pattern++) {
    const value = patternValue(facts, BigInt(pattern));
    if (value !== null) values.add(toDouble(value) + 0);
  }
  return [...values].sort((a, b) => a - b);
}

const SIDES: readonly [number, number] = [100, 1100];
const row = (name: string, view: LineView, kind: LineKind = 'linear') =>
  lineRow(format(name), view, lineScale(kind, view, SIDES));

describe('the values of a format, one after the other', () => {
  test.each(NUMBER_FORMATS.filter(({ bits }) => bits <= 16))(
    'all of $name are walked, each once',
    (facts) => {
      const walked: number[] = [];
      let value = valueFrom(facts, -Infinity);
      for (; value !== null; value = valueAfter(facts, value)) walked.push(value);
      expect(walked).toEqual(allValues(facts));
    },
  );

  test.each(NUMBER_FORMATS)('those of $name rise everywhere, and end', (facts) => {
    const [min, max] = [Number(facts.min), Number(facts.max)];
    for (const from of [min, max, 0, 1, -1, 0.3, 1e-30, -2e5, 2 ** 60 + 1, -(2 ** 62)]) {
      const value = valueFrom(facts, from);
      if (value === null) {
        expect(from).toBeGreaterThan(max);
        continue;
      }
      expect(value).toBeGreaterThanOrEqual(Math.max(min, from));
      const next = valueAfter(facts, value);
      if (value === max) expect(next).toBeNull();
      else expect(next).toBeGreaterThan(value);
    }
  });
});

describe('a row of the line', () => {
  test('has every value where they have room', () => {
    expect(row('float8_e5m2', { lo: 0.25, hi: 0.5 })).toEqual({
      ticks: [0.25, 0.3125, 0.375, 0.4375, 0.5],
      bands: [],
    });
    expect(row('int4', { lo: -20, hi: 20 }).ticks).toHaveLength(16);
    expect(row('uint8', { lo: -20, hi: -10 })).toEqual({ ticks: [], bands: [] });
  });

  test('has bands that join where they have none, the denser the nearer to zero', () => {
    const { ticks, bands } = row('float16', { lo: 0, hi: 4 });
    expect(ticks).toEqual([]);
    expect(bands[0]?.lo).toBe(0);
    expect(bands.at(-1)?.hi).toBe(4);
    for (const [index, band] of bands.slice(1).entries()) expect(band.lo).toBe(bands[index]?.hi);
    const densities = bands.map(({ density }) => density);
    expect(densities).toEqual([...densities].sort((a, b) => b - a));
    // From 2 to 4 there are 1024 values on 500 pixels.
    expect(densities.at(-1)).toBe(1);
  });

  test('fixed point is as dense everywhere, and ends where it ends', () => {
    const { bands } = row('q31', { lo: -2, hi: 2 });
    expect(new Set(bands.map(({ density }) => density))).toEqual(new Set([23]));
    expect([bands[0]?.lo, bands.at(-1)?.hi]).toEqual([-1, expect.closeTo(1, 1)]);
  });

  test.each(['linear', 'log'] as const)(
    'the whole %s line of every format takes no more steps than there is room',
    (kind) => {
      const most = (SIDES[1] - SIDES[0]) / TICK_GAP + 2;
      for (const { name } of NUMBER_FORMATS) {
        const { ticks, bands } = row(name, { lo: -LINE_END, hi: LINE_END }, kind);
        expect(ticks.length + bands.length, name).toBeLessThan(most);
        expect(ticks.length + bands.length, name).toBeGreaterThan(0);
      }
    },
  );
});

describe('the window', () => {
  test.each(['linear', 'log'] as const)('%s places are read back', (kind) => {
    for (const view of [viewNear(1 / 3), { lo: -1e6, hi: 1e6 }, { lo: -LINE_END, hi: LINE_END }]) {
      const scale = lineScale(kind, view, SIDES);
      expect(scale.place(view.lo)).toBeCloseTo(SIDES[0], 6);
      expect(scale.place(view.hi)).toBeCloseTo(SIDES[1], 6);
      for (const at of [150, 599, 1000]) expect(scale.place(scale.value(at))).toBeCloseTo(at, 6);
    }
  });

  test('zooms and moves, and stops at the ends of the doubles and of their precision', () => {
    expect(movedView('linear', { lo: 0, hi: 8 }, [0.25, 0.75])).toEqual({ lo: 2, hi: 6 });
    expect(movedView('linear', { lo: 0, hi: 8 }, [0.5, 1.5])).toEqual({ lo: 4, hi: 12 });
    expect(movedView('linear', viewNear(Number.MAX_VALUE), [-1, 2]).hi).toBe(LINE_END);
    let view: LineView = { lo: 0.3, hi: 0.4 };
    for (let step = 0; step < 100; step++) view = movedView('linear', view, [0.25, 0.75]);
    expect(view.hi - view.lo).toBeGreaterThan(1e-12);
    expect(view.hi - view.lo).toBeLessThan(1e-11);
  });

  test('has round ticks: zero and powers of ten on a logarithmic line', () => {
    const whole = { lo: -1e6, hi: 1e6 };
    const ticks = lineTicks('log', whole, lineScale('log', whole, SIDES), 80);
    expect(ticks).toEqual([-1e5, -100, -0.1, -1e-4, -1e-7, 0, 1e-7, 1e-4, 0.1, 100, 1e5]);
    const near = { lo: 0.2, hi: 0.4 };
    expect(lineTicks('log', near, lineScale('log', near, SIDES), 200)).toEqual([
      0.2, 0.25, 0.3, 0.35, 0.4,
    ]);
    const all = { lo: -LINE_END, hi: LINE_END };
    expect(lineTicks('linear', all, lineScale('linear', all, SIDES), 200).length).toBeGreaterThan(
      2,
    );
  });
});
