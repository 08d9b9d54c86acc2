import { printable } from '../../../../shared/errors.ts';
import { scaleCount, schemeBytes, type Plan, type TensorPlan } from '../../../../shared/plan.ts';
import type { ExportMode } from '../../../../shared/protocol.ts';
import { isFloatCast, storageDtype, type Recipe, type Scheme } from '../../../../shared/recipe.ts';
import type { GraphRecord, NodeRecord, OnnxIndex } from '../../formats/onnx/records.ts';
import type { Stored, Use } from '../../formats/onnx/scopes.ts';
import type { OnnxTensor } from '../../formats/onnx/tensors.ts';
import type { FileSource } from '../../source.ts';
import { piecesLength, type Layout, type Piece } from '../layout.ts';
import { TOOL_VERSION } from '../version.ts';
import type { CodeLayout } from '../write-model.ts';
import { applyEdits, type Edit } from './edits.ts';
import { irVersionOf, restoreOpset } from './dequantize.ts';
import { entryMessage, field } from './messages.ts';
import { FreshNames } from './names.ts';
import { Opsets } from './opsets.ts';
import {
  DYNAMIC_OPSET,
  integerForm,
  isMatMulWeight,
  nbitsShape,
  type IntegerUse,
  type PlannedWeight,
} from './integer-uses.ts';
import { IntegerNodes, type LstmWeight } from './integer-nodes.ts';
import { SideFile } from './side-file.ts';
import { replaceWeight, type PartNames } from './replace-weight.ts';

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
  /** The file name of the export, after which its side file is named. */
  readonly targetName: string;
  /** Nodes that are known not to run on integers. */
  readonly floating?: ReadonlySet<NodeRecord>;
}

/**
 * Lay out an export. Each planned weight is stored quantized. Where its mode runs a node on integers,
 * integer operators take the codes; for every other use a DequantizeLinear or Cast feeds the old
 * name, so that those consumers stay as they are. A plan that changes nothing, or saves nothing,
 * gives the source byte for byte.
 */
export function layoutOnnx(request: OnnxExport): Layout {
  const { index, files, plan } = request;
  const edits: Edit[] = [];
  const quantized: Layout['quantized'][number][] = [];
  const refused: Layout['refused'][number][] = [];
  const names = new FreshNames(index);
  const opsets = new Opsets(index, wantedOpsets(request));
  const side = new SideFile(request.targetName);
  const integers: LstmWeight[] = [];
  for (const entry of plan) {
    const outcome = editsFor(entry, request, { names, opsets, side });
    if (outcome === null || entry.scheme === null) continue;
    if ('refused' in outcome) refused.push({ tensor: entry.tensor, reason: outcome.refused });
    else {
      edits.push(...outcome.edits);
      integers.push(...outcome.integers);
      quantized.push({ tensor: entry.tensor, scheme: entry.scheme, codes: outcome.codes });
    }
  }
  const nodes = new IntegerNodes(names);
  integers.sort((a, b) => a.use.node.frame.start - b.use.node.frame.start);
  const halves = new Map<NodeRecord, LstmWeight>();
  for (const integer of integers) {
    const { use, parts } = integer;
    if (use.form !== 'DynamicQuantizeLSTM') {
      edits.push(nodes.replace(use, parts));
      continue;
    }
    const half = halves.get(use.node);
    halves.set(use.node, integer);
    if (half === undefined) continue;
    halves.delete(use.node);
    edits.push(nodes.replaceLstm(use.input === 2 ? [half, integer] : [integer, half]));
  }
  // One of an LSTM's weights would save nothing, so that the other is restored for it.
  if (halves.size > 0) {
    const floating = new Set([...(request.floating ?? []), ...halves.keys()]);
    return layoutOnnx({ ...request, floating });
  }
  const isChanged = new Set(quantized.map(({ tensor }) => tensor));
  for (const tensor of request.tensors)
    if (tensor.ref.storage === 'external' && !isChanged.has(tensor.ref.id))
      edits.push(...side.move(tensor));
  const { size } = files[0]!;
  if (quantized.length > 0) edits.push(...opsets.edits(size), ...metadataEdits(request));
  const pieces = applyEdits(edits, size);
  const beside = side.layout();
  const bytes = beside.reduce((sum, file) => sum + piecesLength(file.pieces), piecesLength(pieces));
  const made: Layout = { pieces, beside, bytes, quantized, refused };
  const before = files.reduce((sum, file) => sum + file.size, 0);
  // With nothing quantized only the names of side files differ.
  if (quantized.length === 0 || bytes < before) return made;
  const reason = 'the whole export would be no smaller than its source';
  const nothing = plan.map((entry) => ({ ...entry, scheme: null }));
  const kept = quantized.map(({ tensor }) => ({ tensor, reason }));
  return { ...layoutOnnx({ ...request, plan: nothing }), refused: [...refused, ...kept] };
}

/** Bytes that the messages around an external tensor take in the model, and padding in its side file, at most. */
const EXTERNAL_BYTES = 6000;

/** Bytes that the operators around one integer node take in the file, about. */
const INTEGER_NODE_BYTES = 600;

interface TensorEdits {
  readonly codes: CodeLayout;
  readonly edits: readonly Edit[];
  readonly integers: readonly { readonly use: IntegerUse; readonly parts: PartNames }[];
}

function editsFor(
  entry: TensorPlan,
  request: OnnxExport,
  { names, opsets, side }: { names: FreshNames; opsets: Opsets; side: SideFile },
): TensorEdits | { readonly refused: string } | null {
  const tensor = request.tensors[entry.tensor];
  const { scheme } = entry;
  if (scheme === null || tensor === undefined) return null;
  if (request.mode === 'float' && !isFloatCast(scheme.dtype))
    return { refused: `the float mode stores float types only, not ${scheme.dtype}` };
  if (tensor.ref.storage === 'external') {
    const bytes = schemeBytes(scheme, tensor.ref) + EXTERNAL_BYTES;
    if (bytes >= tensor.ref.bytes)
      return { refused: `takes ${bytes} bytes, not fewer than ${tensor.ref.bytes}` };
  }
  const owner = ownerOf(request.index, tensor.stored.graph);
  const opset = opsets.version(owner);
  const uses = usesTakenOver(request, { tensor, scheme }, opset);
  const isRestored = uses.length < tensor.stored.uses.length || isNeeded(tensor);
  const isConv = uses.some((use) => use.form === 'ConvInteger');
  const replaced = replaceWeight(tensor, scheme, {
    opset,
    irVersion: request.index.irVersion,
    names,
    side,
    isRestored,
    nbits: uses[0]?.nbits ?? null,
    needsZeroPoint: isRestored || uses.some((use) => use.hasZeroPoint),
    ...(isConv
      ? { channelDims: [1, tensor.ref.shape[0]!, ...tensor.ref.shape.slice(2).map(() => 1)] }
      : {}),
  });
  if ('refused' in replaced) return replaced;
  const outside = tensor.ref.storage === 'external' ? tensor.ref.bytes : 0;
  const before = replaced.edits.reduce((sum, edit) => sum + edit.end - edit.start, outside);
  const after = replaced.edits.reduce(
    (sum, edit) => sum + piecesLength(edit.pieces),
    INTEGER_NODE_BYTES * uses.length,
  );
  if (after >= before)
    return {
      refused: `with its scales and nodes it takes ${after} bytes of the file, not fewer than ${before}`,
    };
  if (replaced.domain === 'com.microsoft' || uses.some((use) => MICROSOFT_FORMS.has(use.form)))
    opsets.needMicrosoft(owner);
  opsets.needIr(irVersionOf(storageDtype(scheme.dtype)));
  const codes = uses.some((use) => use.nbits !== null) ? 'nbits' : 'tensor';
  const integers = uses.map((use) => ({ use, parts: replaced.parts }));
  return { codes, edits: replaced.edits, integers };
}

/** The operators that com.microsoft has. */
const MICROSOFT_FORMS: ReadonlySet<IntegerUse['form']> = new Set([
  'DynamicQuantizeMatMul',
  'DynamicQuantizeLSTM',
  'MatMulNBits',
]);

/** The uses of a weight that an operator on its codes takes over in a mode. */
function usesTakenOver(
  request: OnnxExport,
  weight: PlannedWeight & { readonly scheme: Scheme },
  opset: number,
): IntegerUse[] {
  if (request.mode === 'dynamic') return integerUses(request, weight, opset);
  return request.mode === 'nbits' ? nbitsUses(weight.tensor, weight.scheme) : [];
}

/** MatMulNBits wants codes in an order that no other operator takes: all uses or none. */
function nbitsUses(tensor: OnnxTensor, scheme: Scheme): IntegerUse[] {
  const { ref, stored } = tensor;
  const nbits = nbitsShape(tensor, scheme);
  if (nbits === null || isNeeded(tensor) || !stored.uses.every(isMatMulWeight)) return [];
  return stored.uses.map(({ record, graph, input }) => ({
    form: 'MatMulNBits',
    node: record,
    graph,
    tensor: ref.id,
    input,
    shape: ref.shape,
    isPerChannel: false,
    hasZeroPoint: !scheme.symmetric,
    nbits,
  }));
}

/** The uses of a weight that run on integers. Conv wants its scales in a shape that no other use takes: all or none. */
function integerUses(
  request: OnnxExport,
  weight: PlannedWeight & { readonly scheme: Scheme },
  opset: number,
): IntegerUse[] {
  const { tensor, scheme } = weight;
  const { ref, stored } = tensor;
  const forms = stored.uses.map((use) =>
    request.floating?.has(use.record) === true
      ? null
      : integerForm(use, weight, opset, (input) => weightAt(request, use, input)),
  );
  const isAllConv = forms.every((form) => form === 'ConvInteger') && !isNeeded(tensor);
  return stored.uses.flatMap((use, at): IntegerUse[] => {
    const form = forms[at]!;
    if (form === null || (form === 'ConvInteger' && !isAllConv)) return [];
    const isLstm = form === 'DynamicQuantizeLSTM';
    const hasZeroPoint = isLstm || !(scheme.symmetric && scheme.dtype === 'int8');
    return [
      {
        form,
        node: use.record,
        graph: use.graph,
        tensor: ref.id,
        input: use.input,
        shape: ref.shape,
        isPerChannel: scheme.granularity === 'channel',
        hasZeroPoint,
        nbits: null,
      },
    ];
  });
}

const tensorsByStored = new WeakMap<readonly OnnxTensor[], ReadonlyMap<Stored, OnnxTensor>>();

/** A model's tensors by their records. */
function byStored(tensors: readonly OnnxTensor[]): ReadonlyMap<Stored, OnnxTensor> {
  const known = tensorsByStored.get(tensors);
  if (known !== undefined) return known;
  const made = new Map(tensors.map((tensor) => [tensor.stored, tensor]));
  tensorsByStored.set(tensors, made);
  return made;
}

/** The stored weight that a node takes at another input, and what is planned for it. */
function weightAt({ tensors, plan }: OnnxExport, use: Use, input: number): PlannedWeight | null {
  const name = use.record.inputs[input] ?? '';
  const stored = use.scope.stored(name);
  if (stored === undefined || stored.name !== name) return null;
  const tensor = byStored(tensors).get(stored);
  const entry = tensor === undefined ? undefined : plan[tensor.ref.id];
  return tensor === undefined ? null : { tensor, scheme: entry?.scheme ?? null };
}

/** Whether a weight is wanted under its name, whatever its uses take. */
function isNeeded({ stored }: OnnxTensor): boolean {
  if (stored.isHandedOn) return true;
  return stored.graph.outputs.some((output) => output.name === stored.name);
}

/** The opsets at which the operators that take or restore the planned weights are ai.onnx's own. */
function wantedOpsets({ plan, tensors, mode }: OnnxExport): number[] {
  const wanted = new Set<number>(mode === 'dynamic' ? [DYNAMIC_OPSET] : []);
  for (const { tensor, scheme } of plan) {
    const isTaken =
      scheme !== null && mode === 'nbits' && nbitsUses(tensors[tensor]!, scheme).length > 0;
    if (scheme !== null && !isTaken)
      wanted.add(restoreOpset(scheme, scaleCount(scheme, tensors[tensor]!.ref)));
  }
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
