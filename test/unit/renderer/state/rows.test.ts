import { expect, test } from 'vitest';
import {
  deltaDb,
  figuresOf,
  heatStep,
  isOutlier,
  medianDb,
  OUTLIER_DB,
} from '../../../../renderer/state/figures.ts';
import {
  filterRows,
  nextSort,
  opsOf,
  rolesOf,
  rowNames,
  sortRows,
  type Filter,
  type RowFigures,
} from '../../../../renderer/state/table.ts';
import { schemeOf } from '../../../../shared/scheme.ts';
import { figures, report, tensor } from '../tensors.ts';

const plan = { tensor: 0, scheme: schemeOf(), reason: null, byRule: false };

test('the plan tells scheme and bytes before any report, the report adds the error', () => {
  expect(figuresOf(tensor(0), plan, undefined)).toMatchObject({
    scheme: schemeOf(),
    bytes: 64 * 64 + 64 * 4,
    db: undefined,
  });
  const entry = { report: report(0), asked: schemeOf() };
  expect(figuresOf(tensor(0), plan, entry)).toMatchObject({ bytes: 4352, db: 40, stale: false });
});

test('a report of another scheme is stale: its error stays, its bytes do not', () => {
  const entry = { report: report(0), asked: schemeOf({ dtype: 'uint8' }) };
  expect(figuresOf(tensor(0), plan, entry)).toMatchObject({ bytes: 4352, db: 40, stale: true });
  const kept = { ...plan, scheme: null, reason: 'kept by a rule' };
  expect(figuresOf(tensor(0), kept, entry)).toMatchObject({ bytes: 16384, db: Infinity });
});

test('where the values forbid what was planned the report has the last word', () => {
  const refused = report(0, { quantized: false, reason: 'holds NaN', bytesAfter: 16384 });
  expect(figuresOf(tensor(0), plan, { report: refused, asked: schemeOf() })).toMatchObject({
    scheme: null,
    reason: 'holds NaN',
    bytes: 16384,
  });
});

test('the median and the outliers are of what is quantized; an outlier is over one bit under', () => {
  const all = [40, 41, 42].map((db) => figures({ db }));
  const median = medianDb([...all, figures({ scheme: null, db: 1 }), figures({ db: null })]);
  expect(median).toBe(41);
  expect(OUTLIER_DB).toBeCloseTo(6.02, 2);
  expect(isOutlier(figures({ db: 41 - 6.03 }), median)).toBe(true);
  expect(isOutlier(figures({ db: 41 - 6.01 }), median)).toBe(false);
  expect(isOutlier(figures({ scheme: null, db: 0 }), median)).toBe(false);
  expect(medianDb([])).toBeNull();
});

test('heat goes in steps of 2 dB under the median, from 0 to 5', () => {
  expect([42, 40, 38.1, 38, 30, 0].map((db) => heatStep(db, 40))).toEqual([0, 0, 0, 1, 5, 5]);
  expect(heatStep(undefined, 40)).toBe(0);
  // A float16 of what is over 65504.
  expect(heatStep(-Infinity, 40)).toBe(5);
  expect(heatStep(Infinity, Infinity)).toBe(0);
});

test('the difference is B less A, and none where either has no figure', () => {
  expect(deltaDb(figures({ db: 40 }), figures({ db: 30 }))).toBe(-10);
  expect(deltaDb(figures({ db: Infinity }), figures({ db: Infinity }))).toBe(0);
  expect(deltaDb(figures({ db: null }), figures())).toBeNull();
  expect(deltaDb(figures({ scheme: null }), figures())).toBeNull();
});

const tensors = [
  tensor(0, { name: 'conv.w', op: 'Conv', layer: 'conv10' }),
  tensor(1, { name: 'conv.b', op: 'Conv', layer: 'conv10', role: 'bias' }),
  tensor(2, { name: 'lstm.w', op: 'LSTM', layer: 'lstm' }),
  tensor(3, { name: 'lstm.r', op: 'LSTM', layer: 'lstm' }),
  tensor(4, { name: 'emb', op: 'Gather', layer: 'conv9', role: 'embedding' }),
];
const db = [30, undefined, 20, null, 50];
const rows: RowFigures = {
  a: (id) => figures({ db: db[id], bytes: id }),
  b: (id) => figures({ scheme: id === 0 ? null : schemeOf(), db: id }),
  delta: (id) => (id === 0 ? null : -id),
  isOutlier: (id) => id === 2,
  name: ({ layer }) => layer,
  output: () => undefined,
  layerError: () => undefined,
  spread: () => null,
};
const everything: Filter = { text: '', op: null, role: 'weights', outliersOnly: false };

test('rows are the weights and embeddings, or those of a role, an op, a text or the outliers', () => {
  const filter = (change: Partial<Filter>) =>
    filterRows(tensors, { ...everything, ...change }, rows);
  expect(filter({})).toEqual([0, 2, 3, 4]);
  expect(filter({ role: 'bias' })).toEqual([1]);
  expect(filter({ role: 'all', op: 'Conv' })).toEqual([0, 1]);
  expect(filter({ text: 'LSTM .r' })).toEqual([3]);
  expect(filter({ outliersOnly: true })).toEqual([2]);
  const block = [tensor(0, { block: 'encoder.layers.0..11.fc' }), tensor(1)];
  expect(filterRows(block, { ...everything, text: 'layers.0..11' }, rows)).toEqual([0]);
});

test('sorting puts what has no value last both ways, keeps ties in order, and counts numbers in names', () => {
  const ids = [0, 2, 3, 4];
  const by = (key: 'dbA' | 'dbB' | 'layer' | 'bytesA' | 'delta', descending = false) =>
    sortRows(ids, tensors, { key, descending }, rows);
  expect(by('dbA')).toEqual([2, 0, 4, 3]);
  expect(by('dbA', true)).toEqual([4, 0, 2, 3]);
  expect(by('dbB', true)).toEqual([4, 3, 2, 0]);
  expect(by('layer')).toEqual([4, 0, 2, 3]);
  expect(by('delta')).toEqual([4, 3, 2, 0]);
  expect(sortRows(ids, tensors, null, rows)).toEqual(ids);
});

test('a head is clicked through ascending, descending and the order of the model', () => {
  const first = nextSort(null, 'dbA');
  expect(first).toEqual({ key: 'dbA', descending: false });
  const second = nextSort(first, 'dbA');
  expect(second).toEqual({ key: 'dbA', descending: true });
  expect(nextSort(second, 'dbA')).toBeNull();
  expect(nextSort(second, 'layer')).toEqual({ key: 'layer', descending: false });
});

test('a row is named by its layer, or by its tensor where weights share a layer', () => {
  expect(rowNames(tensors)).toEqual(['conv10', 'conv.b', 'lstm.w', 'lstm.r', 'conv9']);
  const unrelated = ['onnx::LSTM_7', 'onnx::LSTM_8'].map((name, id) =>
    tensor(id, { name, layer: '/rnn/LSTM' }),
  );
  expect(rowNames(unrelated)).toEqual(['/rnn/LSTM (onnx::LSTM_7)', '/rnn/LSTM (onnx::LSTM_8)']);
});

test('no two tensors have one name: the graph that each sits in tells them apart', () => {
  const same = ['', 'If_1.then_branch'].map((graph, id) =>
    tensor(id, { name: 'b', role: 'bias', graph }),
  );
  expect(rowNames(same)).toEqual(['b (main graph)', 'b (If_1.then_branch)']);
});

test('ops are offered by frequency, roles as far as they occur', () => {
  expect(opsOf(tensors, 'weights')).toEqual(['LSTM', 'Conv', 'Gather']);
  expect(rolesOf(tensors)).toEqual(['weight', 'embedding', 'bias']);
});
