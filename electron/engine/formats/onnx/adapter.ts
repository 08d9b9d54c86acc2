import type { Model, TensorRef } from '../../../../shared/model.ts';
import * as fs from 'node:fs';
import { EQUALIZATION_KEY, notePiece } from './equalize/note.ts';
import { equalizationOfText } from '../../../../shared/equalization-file.ts';
import { layoutOnnx, RECIPE_KEY } from './write/layout-onnx.ts';
import { graphHints } from '../../runtime/graph-hints.ts';
import type { FileSource } from '../../source.ts';
import { readNumbers } from '../../tensor-bytes.ts';
import { channelAxes } from './fit/static/bias-correction.ts';
import { findEqualizables } from './equalize/find.ts';
import { observable } from './fit/static/observable.ts';
import { activationCodes } from './read/activation-codes.ts';
import { exactActivations } from './write/exact-activations.ts';
import { planStatic } from './fit/static/plan.ts';
import { weightInputs } from './fit/weight-inputs.ts';
import { layersCopy } from './write/layers-copy.ts';
import { roundedActivations } from './write/rounded-activations.ts';
import { observedCopy } from './write/observed-copy.ts';
import { staticOpset } from './write/opsets.ts';
import {
  SHAPE_SUFFIX,
  type ActivationCodes,
  type FormatAdapter,
  type OpenedModel,
} from '../format.ts';
import { sumsOf } from '../sums.ts';
import { kernelsOf } from './kernels/kernels.ts';
import { ExternalFiles, type ExternalRange } from './read/external-data.ts';
import { buildGraph, type OnnxGraph } from './read/graph.ts';
import { readProperties } from './read/properties.ts';
import { functionCalls } from './read/functions.ts';
import { readIndex } from './read/read-index.ts';
import type { OnnxIndex } from './read/records.ts';
import { withStoredQuantization } from './read/stored-quantization.ts';
import { buildTensors } from './read/tensors.ts';
import type { OnnxTensor } from './read/stored.ts';
import { WireReader } from './read/wire.ts';

/** ModelProto's fields and their wire types (onnx.proto): what an ONNX file may begin with. */
const TOP_LEVEL_TAGS: ReadonlySet<number> = new Set([
  0x08, 0x12, 0x1a, 0x22, 0x28, 0x32, 0x3a, 0x42, 0x72,
]);

export const onnxAdapter: FormatAdapter = {
  format: 'onnx',
  name: 'ONNX',
  extensions: ['onnx'],
  guesses: true,
  match: matchOnnx,
  inFolder: (names) => names.filter((name) => /\.onnx$/i.test(name)),
  open: openOnnx,
};

/**
 * ONNX has no magic number. A protobuf of its fields is taken for one when the first field's tag is
 * one of ModelProto's and, should it be length-delimited, its length fits in the file.
 */
function matchOnnx(head: Uint8Array, size: number): boolean {
  if (!TOP_LEVEL_TAGS.has(head[0] ?? 0)) return false;
  if ((head[0]! & 7) === 0) return head.length >= 2;
  let [length, scale] = [0, 1];
  for (let at = 1; at < Math.min(head.length, 11); at++) {
    length += (head[at]! & 0x7f) * scale;
    if (head[at]! < 0x80) return at + 1 + length <= size;
    scale *= 128;
  }
  return false;
}

function openOnnx(source: FileSource): OpenedModel {
  const wire = new WireReader(source);
  const index = readIndex(wire);
  const external = new ExternalFiles(source);
  try {
    const numbers = new Map<FileSource, number>([[source, 0]]);
    const fileNumber = ({ file }: ExternalRange): number => {
      const known = numbers.get(file);
      if (known !== undefined) return known;
      numbers.set(file, numbers.size);
      return numbers.size - 1;
    };
    const built = buildTensors(index, external, fileNumber, source);
    const files = [...numbers.keys()];
    const tensors = withStoredQuantization(built, (tensor) => readNumbers(files, tensor));
    const model = describe(index, files, tensors);
    let graph: OnnxGraph | undefined;
    const graphOf = (): OnnxGraph => (graph ??= buildGraph(index, tensors));
    const codesOf = (): ActivationCodes[] =>
      activationCodes(graphOf(), tensors, ({ ref }) => readNumbers(files, ref));
    return {
      model,
      files,
      extension: '.onnx',
      modes: ['qdq', 'dynamic', 'static', 'float', 'float16', 'nbits'],
      recipeName: () => recipeName(wire, index),
      kernels: () => kernelsOf(index, tensors),
      properties: () => readProperties(wire, index, model.opsets),
      graph: graphOf,
      functionCalls: () => functionCalls(index),
      runHints: graphHints(index, tensors),
      layout: ({ weights, ...computing }, mode, recipe, targetName, statistics) =>
        layoutOnnx({
          ...{ index, tensors, files, plan: weights, mode, recipe, targetName, statistics },
          computing: mode === 'static' ? { ...computing, graph: graphOf() } : null,
        }),
      planStatic: (asked, facts) =>
        planStatic(asked, { ...facts, graph: graphOf(), tensors, opset: staticOpset(index) }),
      channelAxes: () => channelAxes(graphOf()),
      equalizables: () =>
        findEqualizables({ graph: graphOf(), tensors }, (id) => readSmall(files, tensors[id]!.ref)),
      noteEqualization: (copy, equalization) => fs.appendFileSync(copy, notePiece(equalization)),
      equalization: () => {
        const text = metadataText(wire, index, EQUALIZATION_KEY);
        return text === null ? null : equalizationOfText(text);
      },
      observable: () => observable(index, graphOf(), tensors),
      weightInputs: () => weightInputs(graphOf(), tensors, observable(index, graphOf(), tensors)),
      withOutputs: (values, what) =>
        observedCopy(
          { index, graph: graphOf },
          files,
          values,
          what === 'shapes' ? SHAPE_SUFFIX : null,
        ),
      activationCodes: codesOf,
      withExactActivations: (codes) => exactActivations(graphOf(), files, codes),
      withRoundedActivations: (activations) =>
        roundedActivations({ index, graph: graphOf(), tensors }, files, activations),
      withLayers: (layers) => layersCopy({ index, graph: graphOf(), tensors }, files, layers),
      close: () => {
        source.close();
        external.close();
      },
    };
  } catch (error) {
    external.close();
    throw error;
  }
}

/** Axes and shapes are short; of a longer tensor nothing is read. */
const MOST_INTEGERS = 64;

function readSmall(files: readonly FileSource[], ref: TensorRef): readonly number[] {
  return ref.elements > MOST_INTEGERS || ref.dtype === 'string' ? [] : readNumbers(files, ref);
}

/** Metadata may hold anything: what is not a recipe with a name has none. */
function recipeName(wire: WireReader, index: OnnxIndex): string | null {
  try {
    const recipe = JSON.parse(metadataText(wire, index, RECIPE_KEY) ?? 'null') as {
      readonly name?: unknown;
    } | null;
    return typeof recipe?.name === 'string' ? recipe.name : null;
  } catch {
    return null;
  }
}

/** The text of a metadata entry; null where there is none, or it is no text. */
function metadataText(wire: WireReader, index: OnnxIndex, key: string): string | null {
  const entry = index.metadata.find(({ name }) => name === key);
  if (entry === undefined) return null;
  try {
    const { payload, end } = wire.field(entry.span.start, entry.span.end, 0);
    let text = '';
    wire.forEachField(payload, end, 1, (part) => {
      if (part.number === 2) text = wire.text(part, 'a metadata value');
    });
    return text;
  } catch {
    return null;
  }
}

function describe(
  index: OnnxIndex,
  files: readonly FileSource[],
  tensors: readonly OnnxTensor[],
): Model {
  const refs = tensors.map((tensor) => tensor.ref);
  return {
    format: 'onnx',
    files: files.map((file) => ({ path: file.path, bytes: file.size })),
    producer: index.producer,
    opsets: index.opsets.map(({ domain, version }) => ({
      domain: domain === '' ? 'ai.onnx' : domain,
      version,
    })),
    ...sumsOf(refs),
    tensors: refs,
  };
}
