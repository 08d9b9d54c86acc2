import { expect, test } from 'vitest';
import { fitColumns, type TableRoom } from '../../../../renderer/components/columns.ts';
import { targetRow, TypeToFind } from '../../../../renderer/components/grid-keys.ts';
import { tableCsv } from '../../../../renderer/components/table-csv.ts';
import { Selection } from '../../../../renderer/state/selection.svelte.ts';
import { figures, tensor } from '../tensors.ts';

const room: TableRoom = {
  tensors: [tensor(0, { shape: [1024, 1024, 3, 3] }), tensor(1)],
  names: ['conv1', 'conv2'],
  hasBlocks: false,
  schemes: ['int4 block 1024'],
  choice: {},
  compare: true,
  isStatic: false,
  hasLayerErrors: false,
  width: 1200,
  layerWidth: null,
  isNarrow: false,
  measure: (text) => text.length * 7,
};
const keys = (change: Partial<TableRoom>) =>
  fitColumns({ ...room, ...change }).map(({ key }) => key);

test('columns hold the longest figure that they can show', () => {
  const widths = new Map(fitColumns(room).map(({ key, width }) => [key, width]));
  expect(widths.get('shape')).toBeGreaterThanOrEqual('1024×1024×3×3'.length * 7 + 10);
  expect(widths.get('elements')).toBeGreaterThanOrEqual('9 441 280'.length * 7 + 10);
  expect(widths.get('schemeA')).toBeGreaterThanOrEqual('int4 block 1024'.length * 7 + 10);
  const others = [...widths].filter(([key]) => key !== 'layer').map(([, width]) => width);
  expect(widths.get('layer')).toBe(1200 - others.reduce((sum, width) => sum + width, 0));
});

test('the longest text counts wherever it stands', () => {
  const shapes = [...Array.from({ length: 20 }, () => [1, 2, 3, 45]), [1, 2, 3, 456]];
  const tensors = shapes.map((each, id) => tensor(id, { shape: each }));
  const shape = fitColumns({ ...room, tensors }).find(({ key }) => key === 'shape')!;
  expect(shape.width).toBeGreaterThanOrEqual('1×2×3×456'.length * 7 + 10);
});

test('where there is no room columns leave, but not those that were asked for nor those of the recipes', () => {
  expect(keys({})).toContain('op');
  const narrow = keys({ width: 600 });
  expect(narrow).not.toContain('op');
  expect(narrow).toEqual(expect.arrayContaining(['layer', 'schemeA', 'dbA', 'dbB', 'delta']));
  expect(keys({ width: 600, choice: { op: true } })).toContain('op');
  expect(keys({ choice: { histogram: false, dtype: true } })).toEqual(
    expect.not.arrayContaining(['histogram']),
  );
});

test('long names keep more room, for which more columns leave', () => {
  const names = ['text_decoder.bert.encoder.layer.11.attention.self.query'];
  expect(keys({ width: 930 })).toContain('shape');
  expect(keys({ width: 930, names })).not.toContain('elements');
  expect(keys({ width: 800, names })).not.toContain('shape');
  expect(keys({ width: 1600, names })).toEqual(keys({ width: 1600 }));
});

test('a width that the names were given holds, and others leave for it', () => {
  const fitted = fitColumns({ ...room, width: 930, layerWidth: 400 });
  expect(fitted[0]!.width).toBe(400);
  expect(fitted.map(({ key }) => key)).not.toContain('elements');
});

test('without compare the columns of B are gone', () => {
  expect(keys({ compare: false }).filter((key) => /B$|delta/.test(key))).toEqual([]);
});

test('keys move within the rows, and up from the first into the head', () => {
  expect(targetRow('ArrowDown', 3, 10, 5)).toBe(4);
  expect(targetRow('ArrowDown', 9, 10, 5)).toBe(9);
  expect(targetRow('ArrowUp', 0, 10, 5)).toBe(-1);
  expect(targetRow('PageUp', 2, 10, 5)).toBe(0);
  expect(targetRow('PageDown', 7, 10, 5)).toBe(9);
  expect(targetRow('Home', 7, 10, 5)).toBe(0);
  expect(targetRow('End', 7, 10, 5)).toBe(9);
  expect(targetRow('x', 7, 10, 5)).toBeNull();
  expect(targetRow('ArrowDown', -1, 0, 5)).toBeNull();
});

test('typing finds the next name that begins so; a pause begins anew; one letter again goes on', () => {
  const names = ['conv1', 'conv2', 'dense', 'crop'];
  const typing = new TypeToFind();
  expect(typing.find('c', names, 0, 0)).toBe(1);
  expect(typing.find('c', names, 1, 100)).toBe(3);
  expect(typing.find('D', names, 3, 2000)).toBe(2);
  expect(typing.find('c', names, 2, 4000)).toBe(3);
  expect(typing.find('o', names, 3, 4100)).toBe(0);
  expect(typing.find('z', names, 0, 9000)).toBeNull();
});

test('the table is copied with exact figures, B only with compare on', () => {
  const row = { tensor: tensor(0), a: figures({ db: 40.125 }) };
  const both = tableCsv([{ ...row, b: figures({ scheme: null, db: Infinity, bytes: 16384 }) }]);
  expect(both.split('\r\n')[1]).toBe(
    'layer0,w0,MatMul,weight,float32,64x64,4096,16384,"int8 symmetric, per channel, minmax",40.125,100,,kept,Infinity,16384,,',
  );
  expect(tableCsv([{ ...row, b: null }])).not.toContain('SQNR B');
});

test('rows are selected one by one, toggled, and extended from where the selection began', () => {
  const selection = new Selection();
  const rows = [[5], [3], [8, 9], [1]].map((members) => ({ members }));
  selection.select(3);
  selection.extend(1, rows);
  expect([...selection.ids]).toEqual([3, 8, 9, 1]);
  selection.extend(5, rows);
  expect([...selection.ids]).toEqual([5, 3]);
  selection.toggle(3);
  expect([...selection.ids]).toEqual([5]);
  selection.toggle(8, [8, 9]);
  expect([...selection.ids]).toEqual([5, 8, 9]);
  selection.toggle(8, [8, 9]);
  expect([...selection.ids]).toEqual([5]);
  selection.all([5, 3, 8, 1]);
  expect(selection.ids.size).toBe(4);
  selection.clear();
  expect([selection.current, selection.ids.size]).toEqual([null, 0]);
});

test('the outputs of layers are columns in mode static only, and the size of the original gives way to them', () => {
  expect(keys({ width: 930 })).not.toContain('outputA');
  const shown = keys({ width: 930, isStatic: true });
  expect(shown).toEqual(expect.arrayContaining(['observed', 'outputA', 'outputB']));
  expect(shown).not.toContain('bytes');
  expect(keys({ width: 930, isStatic: true, compare: false })).not.toContain('outputB');
});
