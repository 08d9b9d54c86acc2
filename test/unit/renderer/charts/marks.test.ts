import { describe, expect, it } from 'vitest';
import { binMarks, histogramRows } from '../../../../renderer/charts/histogram.ts';
import { markAt, nextMark, tooltipPlace, type Mark } from '../../../../renderer/charts/marks.ts';

const box = (x: number, y: number, width: number, height: number): Mark => ({
  x,
  y,
  width,
  height,
  title: '',
  lines: [],
});

describe('markAt', () => {
  const marks = [box(0, 0, 100, 100), box(40, 40, 10, 10), box(200, 0, 10, 10)];

  it('finds the least box around a point', () => {
    expect(markAt(marks, 45, 45)).toBe(1);
    expect(markAt(marks, 10, 10)).toBe(0);
  });

  it('finds the nearest box within reach, and none beyond it', () => {
    expect(markAt(marks, 192, 5)).toBe(2);
    expect(markAt(marks, 108, 5)).toBe(0);
    expect(markAt(marks, 150, 5)).toBe(-1);
    expect(markAt([], 0, 0)).toBe(-1);
  });
});

describe('nextMark', () => {
  it('enters from either end', () => {
    expect(nextMark(5, -1, 'ArrowRight')).toBe(0);
    expect(nextMark(5, -1, 'ArrowLeft')).toBe(4);
    expect(nextMark(5, -1, 'Home')).toBe(0);
    expect(nextMark(5, -1, 'End')).toBe(4);
  });

  it('stays between the ends', () => {
    expect(nextMark(5, 4, 'ArrowDown')).toBe(4);
    expect(nextMark(5, 0, 'ArrowUp')).toBe(0);
    expect(nextMark(30, 3, 'PageDown')).toBe(13);
    expect(nextMark(30, 13, 'Home')).toBe(0);
    expect(nextMark(30, 13, 'End')).toBe(29);
  });

  it('leaves other keys and empty charts alone', () => {
    expect(nextMark(5, 1, 'a')).toBeNull();
    expect(nextMark(0, -1, 'ArrowRight')).toBeNull();
  });
});

describe('tooltipPlace', () => {
  const tooltip = { width: 100, height: 40 };

  it('stands over the middle of its mark, and under it where there is no room', () => {
    expect(tooltipPlace(box(200, 100, 20, 10), tooltip, 1000)).toEqual({ left: 160, top: 52 });
    expect(tooltipPlace(box(200, 30, 20, 10), tooltip, 1000)).toEqual({ left: 160, top: 48 });
  });

  it('stays inside the window', () => {
    expect(tooltipPlace(box(0, 100, 2, 2), tooltip, 1000).left).toBe(4);
    expect(tooltipPlace(box(990, 100, 2, 2), tooltip, 1000).left).toBe(896);
  });
});

describe('a histogram', () => {
  const histogram = { lo: -1, hi: 1, counts: [1, 0, 2, 1] };

  it('has a mark for every bin that is not empty', () => {
    const marks = binMarks(histogram, { x: (value) => value * 100, top: 5, bottom: 25 }, 'weight');
    expect(marks).toEqual([
      {
        ...box(-100, 5, 50, 20),
        title: '−1 to −0.5',
        lines: ['1 weight', '25.0\u202f% of all'],
      },
      { ...box(0, 5, 50, 20), title: '0 to 0.5', lines: ['2 weights', '50.0\u202f% of all'] },
      { ...box(50, 5, 50, 20), title: '0.5 to 1', lines: ['1 weight', '25.0\u202f% of all'] },
    ]);
  });

  it('becomes rows of all its bins', () => {
    expect(histogramRows(histogram)).toEqual([
      [-1, -0.5, 1],
      [-0.5, 0, 0],
      [0, 0.5, 2],
      [0.5, 1, 1],
    ]);
  });
});
