import type { Model } from '../../../../shared/model.ts';
import type { FileSource } from '../../source.ts';
import { planStatic } from './fit/static/plan.ts';
import { weightInputs } from './fit/weight-inputs.ts';
import { layoutLitert } from './write/layout-litert.ts';
import { layersCopy } from './write/layers-copy.ts';
import { observedCopy } from './write/observed-copy.ts';
import { MAX_WORD, MIN_RUNTIME_VERSION } from './write/runtime-versions.ts';
import type { FormatAdapter, OpenedModel } from '../format.ts';
import { mainValues } from '../main-values.ts';
import { sumsOf } from '../sums.ts';
import { PagedBytes } from './read/paged-bytes.ts';
import { readProperties } from './read/properties.ts';
import { readModel, SCHEMA_VERSION } from './read/read-model.ts';
import type { LitertIndex } from './read/records.ts';
import { buildGraph, type LitertGraph } from './read/graph.ts';
import { buildTensors, type LitertTensor } from './read/tensors.ts';
import { firstSignature } from './read/signature.ts';
import { litertHints } from '../../runtime/litert/graph-hints.ts';

/** The FlatBuffers file identifier, at byte 4. */
const IDENTIFIER = 'TFL3';

export const litertAdapter: FormatAdapter = {
  format: 'litert',
  name: 'LiteRT',
  extensions: ['tflite', 'litert'],
  match: (head) => Buffer.from(head.subarray(4, 8)).toString('latin1') === IDENTIFIER,
  inFolder: (names) => names.filter((name) => /\.(?:tflite|litert)$/i.test(name)),
  open: openLitert,
};

/** What LiteRT stores per channel and restores: blocks and 16 bits per channel it does not. */
const CANDIDATES: readonly string[] = ['litert-int4', 'litert-int8', 'float16'];

function openLitert(source: FileSource): OpenedModel {
  const bytes = new PagedBytes(source);
  const index = readModel(bytes);
  const tensors = buildTensors(index);
  let graph: LitertGraph | undefined;
  const graphOf = (): LitertGraph => (graph ??= buildGraph(index, tensors));
  const model = describe(index, source, tensors);
  return {
    model,
    files: [source],
    extension: '.tflite',
    modes: ['qdq', 'dynamic', 'static', 'float'],
    candidates: CANDIDATES,
    properties: () => readProperties(bytes, index, model.producer, model.opsets),
    graph: graphOf,
    runHints: litertHints(index, firstSignature(index, bytes)),
    layout: ({ weights, ...computing }, mode, recipe) =>
      layoutLitert({
        ...{ index, tensors, source: bytes, plan: weights, mode, recipe },
        computing: mode === 'static' ? { ...computing, graph: graphOf() } : null,
      }),
    planStatic: (asked, facts) => planStatic(asked, { ...facts, graph: graphOf(), index, tensors }),
    observable: () => ({ values: mainValues(graphOf()), inBodies: [], skipped: [] }),
    weightInputs: () => weightInputs(graphOf(), index, tensors),
    withOutputs: (values, what) => observedCopy(index, bytes, values, what),
    withLayers: (layers) => layersCopy(index, bytes, graphOf(), layers),
    close: () => source.close(),
  };
}

function describe(index: LitertIndex, source: FileSource, tensors: readonly LitertTensor[]): Model {
  const refs = tensors.map(({ ref }) => ref);
  const runtime = metadataText(index, source, MIN_RUNTIME_VERSION);
  return {
    format: 'litert',
    files: [{ path: source.path, bytes: source.size }],
    producer: [index.description, runtime === '' ? '' : `for runtime ${runtime} or newer`]
      .filter((part) => part !== '')
      .join('; '),
    opsets: [{ domain: 'LiteRT', version: SCHEMA_VERSION }],
    ...sumsOf(refs),
    tensors: refs,
  };
}

/** Metadata that is a word, padded with zeros. */
function metadataText(index: LitertIndex, source: FileSource, name: string): string {
  const entry = index.metadata.find((candidate) => candidate.name === name);
  const stored = entry === undefined ? null : (index.buffers[entry.buffer] ?? null);
  if (stored === null) return '';
  const bytes = source.read(stored.offset, Math.min(MAX_WORD, stored.length));
  return Buffer.from(bytes).toString('utf8').replace(/\0.*$/s, '');
}
