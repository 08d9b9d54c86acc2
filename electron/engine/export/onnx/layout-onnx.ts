import { printable } from '../../../../shared/errors.ts';
import type { Plan, TensorPlan } from '../../../../shared/plan.ts';
import type { ExportMode } from '../../../../shared/protocol.ts';
import type { Recipe } from '../../../../shared/recipe.ts';
import type { GraphRecord, OnnxIndex } from '../../formats/onnx/records.ts';
import type { OnnxTensor } from '../../formats/onnx/tensors.ts';
import type { FileSource } from '../../source.ts';
import { piecesLength, type Layout, type Piece } from '../layout.ts';
import { TOOL_VERSION } from '../version.ts';
import { applyEdits, type Edit } from './edits.ts';
import { entryMessage, field, opsetMessage } from './messages.ts';
import { FreshNames } from './names.ts';
import { replaceWeight } from './replace-weight.ts';

/** Keys of metadata_props by which an export says how it was made. */
export const RECIPE_KEY = 'quantscope.recipe';
export const VERSION_KEY = 'quantscope.version';

/** Field numbers of ModelProto and FunctionProto (onnx.proto). */
const MODEL_OPSET_IMPORT = 8;
const MODEL_METADATA = 14;
const FUNCTION_OPSET_IMPORT = 9;

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
  const imports = new Imports(index);
  for (const entry of plan) {
    const outcome = editsFor(entry, request, names, imports);
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
  const pieces = applyEdits([...edits, ...imports.edits(size), ...metadataEdits(request)], size);
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
  imports: Imports,
): { readonly edits: readonly Edit[] } | { readonly refused: string } | null {
  const tensor = tensors[entry.tensor];
  if (entry.scheme === null || tensor === undefined) return null;
  const owner = ownerOf(index, tensor.stored.graph);
  const replaced = replaceWeight(tensor, entry.scheme, {
    opset: imports.version(owner),
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
  if (replaced.domain === 'com.microsoft') imports.need(owner);
  return replaced;
}

/** The function whose body holds a graph (by its path), or null for the model. */
function ownerOf(index: OnnxIndex, graph: GraphRecord): GraphRecord | null {
  let frame = graph.frame;
  while (frame.parent !== null) frame = frame.parent;
  return index.functions.find((body) => body.frame === frame) ?? null;
}

/** Opset imports of the model and of each function, and the entries that an export adds. */
class Imports {
  private readonly index: OnnxIndex;
  private readonly needed = new Set<GraphRecord | null>();

  constructor(index: OnnxIndex) {
    this.index = index;
  }

  /** The version of ai.onnx in force; a function without an import of its own uses none of its operators. */
  version(owner: GraphRecord | null): number {
    const opsets = owner === null ? this.index.opsets : owner.opsets;
    return opsets.find((opset) => opset.domain === '')?.version ?? 1;
  }

  need(owner: GraphRecord | null): void {
    this.needed.add(owner);
    // The model must import what its functions use.
    this.needed.add(null);
  }

  edits(fileSize: number): Edit[] {
    const edits: Edit[] = [];
    for (const owner of this.needed) {
      const opsets = owner === null ? this.index.opsets : owner.opsets;
      if (opsets.some((opset) => opset.domain === 'com.microsoft')) continue;
      const number = owner === null ? MODEL_OPSET_IMPORT : FUNCTION_OPSET_IMPORT;
      const at = owner === null ? fileSize : owner.frame.end;
      const pieces = field(number, [opsetMessage('com.microsoft', 1)]);
      edits.push({ start: at, end: at, pieces, frame: owner?.frame ?? null });
    }
    return edits;
  }
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
