import { append } from '../../../../../shared/lists.ts';
import { printable } from '../../../../../shared/errors.ts';
import type { ScaleDtype, TensorPlan } from '../../../../../shared/plan.ts';
import { isPrepared, type ExportMode } from '../../../../../shared/exports.ts';
import { storageDtype } from '../../../../../shared/scheme.ts';
import type { GraphRecord, NodeRecord, OnnxIndex } from '../read/records.ts';
import { piecesLength, type CodeLayout, type Layout, type Piece } from '../../../export/layout.ts';
import { TOOL_VERSION } from '../../../export/version.ts';
import { NO_SMALLER_EXPORT, noGain } from '../../no-gain.ts';
import { applyEdits, type Edit } from './edits.ts';
import { besides, exporterMetadata, spanBytes } from './exporter-metadata.ts';
import { constantOpset, irVersionOf, usefulOpsets } from '../fit/dequantize.ts';
import { HalfNodes } from './half-nodes.ts';
import { fitWeight } from '../fit/fit-weight.ts';
import type { HalfPlan } from '../fit/half-plan.ts';
import { planHalf } from '../fit/half-rules.ts';
import { entryMessage, field } from './messages.ts';
import { FreshNames } from '../read/names.ts';
import { attributeEdits, REWRITTEN } from './attribute-inputs.ts';
import { Opsets, STATIC_OPSETS, type WantedOpsets } from './opsets.ts';
import { BROADCAST_OPSET, DYNAMIC_OPSET } from '../fit/integer-uses.ts';
import { IntegerNodes, type LstmWeight } from './integer-nodes.ts';
import { inlineExternal, SideFile } from './side-file.ts';
import { replaceWeight, type ReplacedWeight } from './replace-weight.ts';
import { QUANTIZE_16_OPSET, staticEdits } from './static-nodes.ts';
import { storePending } from './store-pending.ts';
import type { OnnxExport } from '../fit/request.ts';
import { MICROSOFT_FORMS, nbitsUses } from '../fit/taken-uses.ts';

/** Keys of metadata_props by which an export says how it was made. */
export const RECIPE_KEY = 'quantscope.recipe';
export const VERSION_KEY = 'quantscope.version';

/** Modes in which operators take codes as they are. */
const RUNS_ON_CODES: ReadonlySet<ExportMode> = new Set(['dynamic', 'nbits']);

/** Field numbers of ModelProto (onnx.proto). */
const MODEL_METADATA = 14;

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
  const ownerOf = ownersOf(index);
  const rewritten = (request.computing ?? null) === null ? undefined : REWRITTEN;
  const opsets = new Opsets(index, wantedOpsets(request, ownerOf), rewritten);
  const side = new SideFile(request.targetName);
  const integers: LstmWeight[] = [];
  const restores = new Map<number, RestoreAs>();
  const plannedHalf = request.mode === 'float16' ? planHalf(request, opsets.version(null)) : null;
  const half = plannedHalf === null ? null : new HalfNodes(plannedHalf, names);
  const biases = new Set(request.computing?.operators.flatMap(({ bias }) => bias?.tensor ?? []));
  for (const entry of plan) {
    if (entry.scheme !== null && biases.has(entry.tensor)) {
      quantized.push({ tensor: entry.tensor, scheme: entry.scheme, codes: 'tensor' });
      continue;
    }
    const outcome = editsFor(entry, request, { names, opsets, ownerOf, side, half: plannedHalf });
    if (outcome === null || entry.scheme === null) continue;
    if ('refused' in outcome) refused.push({ tensor: entry.tensor, reason: outcome.refused });
    else {
      append(edits, outcome.edits);
      append(integers, outcome.integers);
      restores.set(entry.tensor, outcome.restoreAs);
      const { graph, name } = request.tensors[entry.tensor]!.stored;
      half?.store(graph, name, outcome.stored);
      const { codes, reason, scaleDtype, storedBytes } = outcome;
      quantized.push({
        ...{ tensor: entry.tensor, scheme: entry.scheme, codes, reason },
        ...(scaleDtype === 'float32' ? {} : { scaleDtype }),
        ...(storedBytes === null ? {} : { storedBytes }),
      });
    }
  }
  const computing = request.computing ?? null;
  const placed =
    computing === null
      ? null
      : staticEdits({
          computing,
          tensors: request.tensors,
          names,
          opsets,
          restores,
          irVersion: index.irVersion,
        });
  const isEdited = quantized.length > 0 || (placed !== null && placed.edits.length > 0);
  if (placed !== null && isEdited)
    append(edits, [...placed.edits, ...attributeEdits(index, names, opsets)]);
  const nodes = new IntegerNodes(names, request.recipe.accuracyLevel ?? 0);
  const onCodes = new Set(integers.map(({ use }) => use.node));
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
  if (half !== null && quantized.length > 0) append(edits, half.editsOf(index.graph));
  const isChanged = new Set(quantized.map(({ tensor }) => tensor));
  for (const tensor of request.tensors)
    if (
      tensor.ref.storage === 'external' &&
      !isChanged.has(tensor.ref.id) &&
      placed?.dropped.has(tensor.ref.id) !== true
    )
      append(
        edits,
        tensor.ref.bytes <= (request.inlineBytes ?? 0) ? inlineExternal(tensor) : side.move(tensor),
      );
  const { size } = files[0]!;
  if (isPrepared(request.recipe, request.mode) && isEdited) append(edits, opsets.dropUnused());
  if (isEdited) append(edits, [...opsets.edits(size), ...metadataEdits(request)]);
  const others = [...edits];
  const notes = (): readonly Edit[] => besides(exporterMetadata(index, files[0]!), others);
  if (request.recipe.dropMetadata === true) append(edits, notes());
  const pieces = applyEdits(edits, size);
  const beside = side.layout();
  const bytes = beside.reduce((sum, file) => sum + piecesLength(file.pieces), piecesLength(pieces));
  const made: Layout = {
    pieces,
    beside,
    bytes,
    quantized,
    refused,
    opset: opsets.version(null),
    exporterMetadata: () => Math.max(0, spanBytes(notes()) - DROP_IN_RECIPE),
    usesMicrosoft: opsets.usesMicrosoft(),
    ...keptNodes(plannedHalf),
    ...(RUNS_ON_CODES.has(request.mode) ? { integerOperators: onCodes.size } : {}),
  };
  const before = files.reduce((sum, file) => sum + file.size, 0);
  const isStatic = placed !== null && placed.edits.length > 0;
  const isIdle = quantized.length === 0 && !isStatic;
  if (bytes < before || (isIdle && bytes === before)) return made;
  if (isIdle) return smallerSides(request, made);
  const reason = NO_SMALLER_EXPORT;
  const nothing = plan.map((entry) => ({ ...entry, scheme: null }));
  const kept = quantized.map(({ tensor }) => ({ tensor, reason }));
  // Without codes of weights, codes of activations would only cost time and accuracy.
  const idle = layoutOnnx({ ...request, plan: nothing, computing: null });
  return {
    ...{ ...idle, refused: [...refused, ...kept] },
    ...(isStatic ? { idle: reason } : {}),
  };
}

/** Bytes by which a recipe that leaves the notes out is longer in the file. */
const DROP_IN_RECIPE = '"dropMetadata":true,'.length;

/** Tensors of up to so many bytes are put into the model, step by step; a protobuf file ends at 2 GiB. */
const INLINE_STEPS = [1 << 10, 1 << 16, 1 << 20, 1 << 24];
const MAX_MODEL_BYTES = 2 ** 31 - 1;

/**
 * A layout that changes no tensor and is larger than its source, since the entries of external_data name another
 * file and the side file has padding: small external tensors are put into the model until it is not.
 */
function smallerSides(request: OnnxExport, made: Layout): Layout {
  const step = INLINE_STEPS.find((bytes) => bytes > (request.inlineBytes ?? 0));
  if (step === undefined) return made;
  const next = layoutOnnx({ ...request, inlineBytes: step });
  return piecesLength(next.pieces) <= MAX_MODEL_BYTES ? next : made;
}

/** The nodes that a float16 export keeps in float32, in order. */
function keptNodes(half: HalfPlan | null): Pick<Layout, 'operators'> {
  if (half === null) return {};
  const operators = [...half.kept].map(([{ name, opType }, reason]) => ({
    name,
    op: opType,
    reason,
  }));
  return { operators };
}

/** Bytes that the operators around one integer node take in the file, about. */
const INTEGER_NODE_BYTES = 600;

type RestoreAs = ReplacedWeight['restoreAs'];

interface TensorEdits {
  readonly codes: CodeLayout;
  readonly edits: readonly Edit[];
  readonly integers: readonly LstmWeight[];
  /** The name of the codes. */
  readonly stored: string;
  readonly restoreAs: RestoreAs;
  readonly scaleDtype: ScaleDtype;
  /** Of codes, scales and zero points; null for the model's own codes. */
  readonly storedBytes: number | null;
  /** Why the weight is restored to float in a mode that runs operators on codes. */
  readonly reason: string | null;
}

/** What an export is made with. */
interface Making {
  readonly names: FreshNames;
  readonly opsets: Opsets;
  readonly ownerOf: OwnerOf;
  readonly side: SideFile;
  readonly half: HalfPlan | null;
}

/** Carries out what fitWeight decides. What the file would grow by is known only from the edits, with their names. */
function editsFor(
  entry: TensorPlan,
  request: OnnxExport,
  { names, opsets, ownerOf, side, half }: Making,
): TensorEdits | { readonly refused: string } | null {
  const tensor = request.tensors[entry.tensor];
  const { scheme } = entry;
  if (scheme === null || tensor === undefined) return null;
  const owner = ownerOf(tensor.stored.graph);
  const place = {
    opset: opsets.version(owner),
    whyBelow: (wanted: number) => opsets.whyBelow(owner, wanted),
  };
  const fit = fitWeight(request, { tensor, scheme }, place, half);
  if ('refused' in fit) return fit;
  if ('pending' in fit) {
    const { edits, codes } = storePending(tensor, fit.pending, side);
    return {
      ...{ codes: 'tensor', edits, integers: [], stored: codes },
      ...{ scaleDtype: 'float32', storedBytes: null, reason: null, restoreAs: () => [] },
    };
  }
  const { uses, scaleDtype, reason } = fit;
  const { irVersion } = request.index;
  const { edits, parts, storedBytes, restoreAs } = replaceWeight(tensor, scheme, {
    ...fit,
    irVersion,
    names,
    side,
  });
  const outside = tensor.ref.storage === 'external' ? tensor.ref.bytes : 0;
  const before = edits.reduce((sum, edit) => sum + edit.end - edit.start, outside);
  const after = edits.reduce(
    (sum, edit) => sum + piecesLength(edit.pieces),
    INTEGER_NODE_BYTES * uses.length,
  );
  // An operator computes on integers only with its weight among them, however small.
  if (after >= before && request.mode !== 'static')
    return { refused: `with its scales and nodes it ${noGain(before, after)} of the file` };
  if (fit.restore?.domain === 'com.microsoft' || uses.some(({ form }) => MICROSOFT_FORMS.has(form)))
    opsets.needMicrosoft(owner);
  opsets.needIr(irVersionOf(storageDtype(scheme.dtype)));
  const codes = fit.nbits === null ? 'tensor' : 'nbits';
  const integers = uses.map((use) => ({ use, parts }));
  return {
    ...{ codes, edits, integers, stored: parts.codes, restoreAs },
    ...{ scaleDtype, storedBytes, reason },
  };
}

/**
 * The opsets at which the operators that take or restore the planned weights are ai.onnx's own, and
 * at which Constants of functions may be of their types.
 */
function wantedOpsets(request: OnnxExport, ownerOf: OwnerOf): WantedOpsets {
  const wanted = new Map<GraphRecord | null, Set<number>>([[null, new Set()]]);
  if (request.mode === 'static')
    for (const version of STATIC_OPSETS) wanted.get(null)!.add(version);
  if (request.computing?.activations.some(({ scheme }) => scheme?.dtype.endsWith('16')) === true)
    wanted.get(null)!.add(QUANTIZE_16_OPSET);
  for (const { tensor, scheme } of request.plan) {
    if (scheme === null) continue;
    const { ref, stored: place } = request.tensors[tensor]!;
    if (ref.quantization?.pending !== undefined) continue;
    const owner = ownerOf(place.graph);
    const versions = wanted.get(owner) ?? new Set();
    wanted.set(owner, versions);
    if (request.mode === 'dynamic') versions.add(DYNAMIC_OPSET);
    const weight = { tensor: request.tensors[tensor]!, scheme };
    const uses = request.mode === 'nbits' ? nbitsUses(weight, BROADCAST_OPSET) : [];
    const isTaken = uses.length > 0;
    if (uses.some(({ node }) => node.opType === 'Gemm')) versions.add(BROADCAST_OPSET);
    if (!isTaken) for (const version of usefulOpsets(scheme, ref)) versions.add(version);
    const stored = isTaken ? 'uint8' : storageDtype(scheme.dtype);
    if (owner !== null) versions.add(constantOpset(stored));
  }
  return wanted;
}

/** The function whose body holds a graph, or null for the model. */
type OwnerOf = (graph: GraphRecord) => GraphRecord | null;

function ownersOf({ functions }: OnnxIndex): OwnerOf {
  const bodies = new Map(functions.map((body) => [body.frame, body]));
  return ({ frame }) => {
    let outermost = frame;
    while (outermost.parent !== null) outermost = outermost.parent;
    return bodies.get(outermost) ?? null;
  };
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
