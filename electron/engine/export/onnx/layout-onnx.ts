import { printable } from '../../../../shared/errors.ts';
import { scaleCount, type Plan, type TensorPlan } from '../../../../shared/plan.ts';
import type { ExportMode } from '../../../../shared/protocol.ts';
import { storageDtype, type Recipe } from '../../../../shared/recipe.ts';
import type { GraphRecord, OnnxIndex } from '../../formats/onnx/records.ts';
import type { OnnxTensor } from '../../formats/onnx/tensors.ts';
import type { FileSource } from '../../source.ts';
import { piecesLength, type Layout, type Piece } from '../layout.ts';
import { TOOL_VERSION } from '../version.ts';
import { applyEdits, type Edit } from './edits.ts';
import { irVersionOf, restoreOpset } from './dequantize.ts';
import { entryMessage, field } from './messages.ts';
import { FreshNames } from './names.ts';
import { Opsets } from './opsets.ts';
import { replaceWeight } from './replace-weight.ts';

/** Keys of metadata_props by which an export says how it was made. */
export const RECIPE_KEY = 'quantscope.recipe';
export const VERSION_KEY = 'quantscope.version';

/** Field numbers of ModelProto (onnx.proto). */
const MODEL_METADATA = 14;

export interface OnnxExport {
  readonly index: OnnxIndex;
  readonly tensors: readonly OnnxTensor[];
  readonly files: readonly FileSource[];
  readonly plan: Plan;
  readonly mode: ExportMode;
  readonly recipe: Recipe;
}

/**
 * Lay out a weight-only (QDQ) export: each planned weight is stored quantized and a DequantizeLinear
 * or Cast feeds its old name, so that every consumer stays as it is. A plan that changes nothing, or
 * saves nothing, gives the source byte for byte.
 */
export function layoutOnnx(request: OnnxExport): Layout {
  const { index, files, plan } = request;
  const edits: Edit[] = [];
  const quantized: Layout['quantized'][number][] = [];
  const refused: Layout['refused'][number][] = [];
  const names = new FreshNames(index);
  const opsets = new Opsets(index, wantedOpsets(request));
  for (const entry of plan) {
    const outcome = editsFor(entry, request, names, opsets);
    if (outcome === null || entry.scheme === null) continue;
    if ('refused' in outcome) refused.push({ tensor: entry.tensor, reason: outcome.refused });
    else {
      edits.push(...outcome.edits);
      quantized.push({ tensor: entry.tensor, scheme: entry.scheme });
    }
  }
  const size = files[0]!.size;
  const whole: Layout = {
    pieces: [{ kind: 'copy', file: 0, offset: 0, length: size }],
    bytes: size,
    quantized: [],
    refused,
  };
  if (quantized.length === 0) return whole;
  const pieces = applyEdits([...edits, ...opsets.edits(size), ...metadataEdits(request)], size);
  const bytes = piecesLength(pieces);
  if (bytes < size) return { pieces, bytes, quantized, refused };
  const reason = 'the whole export would be no smaller than its source';
  return {
    ...whole,
    refused: [...refused, ...quantized.map(({ tensor }) => ({ tensor, reason }))],
  };
}

function editsFor(
  entry: TensorPlan,
  { index, tensors }: OnnxExport,
  names: FreshNames,
  opsets: Opsets,
): { readonly edits: readonly Edit[] } | { readonly refused: string } | null {
  const tensor = tensors[entry.tensor];
  if (entry.scheme === null || tensor === undefined) return null;
  const owner = ownerOf(index, tensor.stored.graph);
  const replaced = replaceWeight(tensor, entry.scheme, {
    opset: opsets.version(owner),
    irVersion: index.irVersion,
    names,
  });
  if ('refused' in replaced) return replaced;
  const before = replaced.edits.reduce((sum, edit) => sum + edit.end - edit.start, 0);
  const after = replaced.edits.reduce((sum, edit) => sum + piecesLength(edit.pieces), 0);
  if (after >= before)
    return {
      refused: `with its scales and nodes it takes ${after} bytes of the file, not fewer than ${before}`,
    };
  if (replaced.domain === 'com.microsoft') opsets.needMicrosoft(owner);
  opsets.needIr(irVersionOf(storageDtype(entry.scheme.dtype)));
  return replaced;
}

/** The opsets at which the operators that restore the planned weights are ai.onnx's own. */
function wantedOpsets({ plan, tensors }: OnnxExport): number[] {
  const wanted = new Set<number>();
  for (const { tensor, scheme } of plan)
    if (scheme !== null) wanted.add(restoreOpset(scheme, scaleCount(scheme, tensors[tensor]!.ref)));
  return [...wanted];
}

/** The function whose body holds a graph (by its path), or null for the model. */
function ownerOf(index: OnnxIndex, graph: GraphRecord): GraphRecord | null {
  let frame = graph.frame;
  while (frame.parent !== null) frame = frame.parent;
  return index.functions.find((body) => body.frame === frame) ?? null;
}

function metadataEdits({ index, files, recipe }: OnnxExport): Edit[] {
  const size = files[0]!.size;
  const stale = index.metadata.filter(({ name }) => name === RECIPE_KEY || name === VERSION_KEY);
  const pieces: Piece[] = [
    ...field(MODEL_METADATA, [entryMessage(RECIPE_KEY, JSON.stringify(recipe))]),
    ...field(MODEL_METADATA, [entryMessage(VERSION_KEY, printable(TOOL_VERSION))]),
  ];
  return [
    ...stale.map(({ span }): Edit => ({ ...span, pieces: [], frame: null })),
    { start: size, end: size, pieces, frame: null },
  ];
}
