import { arraySource } from '../../electron/engine/quantize/chunks.ts';
import { layoutOf } from '../../electron/engine/quantize/layout.ts';
import { solveTensor } from '../../electron/engine/quantize/solve-tensor.ts';
import { computeStatistics } from '../../electron/engine/quantize/statistics.ts';
import { schemeOf } from '../../shared/scheme.ts';
import { compared, milliseconds, skipped, timed, type Row } from './measure.ts';
import { pythonPeer, type GptqPeer } from './peers.ts';

const [ROWS, COLUMNS] = [64, 512];

/** Codes of a weight by GPTQ, both orders of columns, on one thread, against the plain reference in numpy. */
export async function gptqRows(root: string, values: Float32Array): Promise<Row[]> {
  const shape = [ROWS, COLUMNS];
  const source = arraySource(values.subarray(0, ROWS * COLUMNS));
  const scheme = schemeOf({
    ...{ dtype: 'int4', granularity: { block: 32 }, range: 'mse', algorithm: 'gptq' },
  });
  const statistics = computeStatistics(source, layoutOf(shape, 0), 4);
  const input = { name: 'w', source, shape, axis: 0, scheme, statistics };
  const matrix = { rows: ROWS, columns: COLUMNS, groups: 1, isColumns: false };
  // Inputs that follow one another: the moment of two columns falls with their distance.
  const moments = Float32Array.from(
    { length: COLUMNS ** 2 },
    (_, at) => 0.9 ** Math.abs(Math.floor(at / COLUMNS) - (at % COLUMNS)),
  );
  const ours = await timed(() => solveTensor(input, source, matrix, moments, () => undefined), 5);
  const what = `GPTQ, int4 in blocks of 32, scales searched, ${ROWS} x ${COLUMNS} weights`;
  const peer = pythonPeer<GptqPeer>(root, ['gptq', String(ROWS), String(COLUMNS)]);
  if (typeof peer === 'string') return [skipped(what, milliseconds(ours), peer, '10x faster')];
  return [compared(what, ours, 'the reference in numpy', peer.gptq, 0.1)];
}
