import * as path from 'node:path';
import { AppError } from '../../../../../shared/errors.ts';
import { dtypeOf } from '../../../../../shared/dtypes.ts';
import type { WeightPlans } from '../../../../../shared/plan.ts';
import type { ExportMode } from '../../../../../shared/exports.ts';
import type { Recipe } from '../../../../../shared/recipe.ts';
import { fitSafetensors } from '../fit/fit.ts';
import { elementTypeName } from '../read/element-types.ts';
import type { Header } from '../read/read-header.ts';
import type { ShardIndex } from '../read/read-index.ts';
import { describedCodes, QUANTIZATION_KEY } from '../read/stored-quantization.ts';
import type { SafetensorsTensor } from '../read/tensors.ts';
import type { FileSource } from '../../../source.ts';
import { piecesLength, type Layout, type OutputFile, type Piece } from '../../../export/layout.ts';
import { TOOL_VERSION } from '../../../export/version.ts';
import { NO_SMALLER_EXPORT } from '../../no-gain.ts';
import { indexPiece, shardName } from './write-index.ts';
import { replaceTensor, type Replacement } from './replace-tensor.ts';
import { filePieces, type OutputTensor } from './write-header.ts';

/** Keys of the metadata by which an export says how it was made. */
export const RECIPE_KEY = 'quantscope.recipe';
export const VERSION_KEY = 'quantscope.version';

export interface SafetensorsExport {
  readonly headers: readonly Header[];
  /** null where the model is one file. */
  readonly index: ShardIndex | null;
  readonly tensors: readonly SafetensorsTensor[];
  readonly files: readonly FileSource[];
  readonly plan: WeightPlans;
  readonly mode: ExportMode;
  readonly recipe: Recipe;
  readonly targetName: string;
}

/** What each planned tensor becomes. */
interface Outcome {
  readonly replaced: ReadonlyMap<number, Replacement>;
  readonly quantized: Layout['quantized'];
  readonly refused: Layout['refused'];
}

/**
 * Lay out an export: one file for one file; for a sharded set as many shards with the same tensors
 * and an index, or all in one file where the target is named so. What the plan does not change is
 * copied byte for byte, whole files included. A plan that saves nothing changes nothing.
 */
export function layoutSafetensors(request: SafetensorsExport): Layout {
  const outcome = outcomeOf(request);
  const made = layoutOf(request, outcome);
  const before = request.files.reduce((sum, file) => sum + file.size, 0);
  if (outcome.quantized.length === 0 || made.bytes < before) return made;
  const reason = NO_SMALLER_EXPORT;
  const kept = outcome.quantized.map(({ tensor }) => ({ tensor, reason }));
  const refused = [...outcome.refused, ...kept];
  return layoutOf(request, { replaced: new Map(), quantized: [], refused });
}

function layoutOf(request: SafetensorsExport, outcome: Outcome): Layout {
  const { pieces, beside } =
    request.index === null || isOneFile(request)
      ? { pieces: oneFile(request, outcome), beside: [] }
      : sharded(request, request.index, outcome);
  const bytes = beside.reduce((sum, file) => sum + piecesLength(file.pieces), piecesLength(pieces));
  const { quantized, refused } = outcome;
  return { pieces, beside, bytes, quantized, refused };
}

function outcomeOf({ plan, tensors, mode, recipe }: SafetensorsExport): Outcome {
  const taken = new Set(tensors.map(({ entry }) => entry.name));
  const fresh = (base: string): string => {
    let name = base;
    for (let count = 1; taken.has(name); count++) name = `${base}_${count}`;
    taken.add(name);
    return name;
  };
  const replaced = new Map<number, Replacement>();
  const quantized: Layout['quantized'][number][] = [];
  const refused: Layout['refused'][number][] = [];
  for (const entry of plan) {
    const { tensor: id } = entry;
    const tensor = tensors[id];
    const fit = tensor === undefined ? null : fitSafetensors(entry, tensor, mode, recipe);
    if (fit === null) continue;
    if ('refused' in fit) refused.push({ tensor: id, reason: fit.refused });
    else {
      replaced.set(id, replaceTensor(tensor!, fit.scheme, fresh));
      quantized.push({ tensor: id, codes: 'tensor', ...fit });
    }
  }
  return { replaced, quantized, refused };
}

function isOneFile({ targetName }: SafetensorsExport): boolean {
  return targetName.toLowerCase().endsWith('.safetensors');
}

function oneFile(request: SafetensorsExport, outcome: Outcome): readonly Piece[] {
  const { headers, index, files, targetName, tensors } = request;
  if (index === null && targetName.toLowerCase().endsWith('.json'))
    throw new AppError('TARGET', 'one file has no index; choose another name', {
      file: targetName,
      found: targetName,
      expected: 'a name that ends with .safetensors',
    });
  if (index === null && outcome.quantized.length === 0)
    return [{ kind: 'copy', file: 0, offset: 0, length: files[0]!.size }];
  return filePieces(
    inByteOrder(tensors).flatMap((tensor) => outputsOf(tensor, outcome)),
    metadataOf(headers, tensors, outcome, request.recipe),
    targetName,
  );
}

function sharded(
  request: SafetensorsExport,
  index: ShardIndex,
  outcome: Outcome,
): Pick<Layout, 'pieces' | 'beside'> {
  const { headers, targetName, recipe, files } = request;
  const ofShard = headers.map((): SafetensorsTensor[] => []);
  for (const tensor of inByteOrder(request.tensors)) ofShard[tensor.shard]!.push(tensor);
  const places = new Map<string, string>();
  let total = 0;
  const beside = headers.map((header, shard): OutputFile => {
    const name = shardName(targetName, shard, headers.length);
    const tensors = ofShard[shard]!;
    const outputs = tensors.flatMap((tensor) => outputsOf(tensor, outcome));
    for (const output of outputs) {
      places.set(output.name, name);
      total += piecesLength([output.piece]);
    }
    const isSame = tensors.every(({ ref }) => !outcome.replaced.has(ref.id));
    if (isSame)
      return {
        name,
        pieces: [{ kind: 'copy', file: shard + 1, offset: 0, length: files[shard + 1]!.size }],
      };
    const metadata = metadataOf([header], tensors, outcome, recipe);
    return { name, pieces: filePieces(outputs, metadata, name) };
  });
  const made: ReadonlyMap<string, string> =
    outcome.quantized.length === 0
      ? index.metadata
      : new Map([
          ...index.metadata,
          [RECIPE_KEY, JSON.stringify(recipe)],
          [VERSION_KEY, JSON.stringify(TOOL_VERSION)],
        ]);
  const isSame =
    outcome.quantized.length === 0 &&
    beside.every(({ name }, shard) => name === path.basename(files[shard + 1]!.path));
  // Written anew it could be longer: what made it may have left out the white space.
  const pieces: readonly Piece[] = isSame
    ? [{ kind: 'copy', file: 0, offset: 0, length: files[0]!.size }]
    : [indexPiece(made, total, places, index.extra)];
  return { pieces, beside };
}

/** The tensors as they lie in their files, so that what stays is copied in long runs. */
function inByteOrder(tensors: readonly SafetensorsTensor[]): SafetensorsTensor[] {
  return [...tensors].sort(
    (a, b) => a.shard - b.shard || a.entry.begin - b.entry.begin || a.entry.end - b.entry.end,
  );
}

function outputsOf({ ref, entry }: SafetensorsTensor, outcome: Outcome): readonly OutputTensor[] {
  const replacement = outcome.replaced.get(ref.id);
  if (replacement !== undefined) return replacement.tensors;
  const [range] = ref.data.ranges;
  return [
    {
      name: entry.name,
      elementType: elementTypeName(entry.dtype),
      bits: dtypeOf(entry.dtype).bits,
      shape: entry.shape,
      extra: entry.extra,
      piece: { kind: 'copy', ...range! },
    },
  ];
}

/**
 * The metadata of a file made of the tensors of some others: theirs, the first winning, the
 * descriptions of all their codes and of those that are new, and the recipe where it did anything.
 */
function metadataOf(
  headers: readonly Header[],
  tensors: readonly SafetensorsTensor[],
  { replaced, quantized }: Outcome,
  recipe: Recipe,
): ReadonlyMap<string, string> {
  const metadata = new Map([...headers].reverse().flatMap((header) => [...header.metadata]));
  const described = headers.flatMap((header) => describedCodes(header));
  for (const { ref, entry } of tensors) {
    const codes = replaced.get(ref.id)?.codes ?? null;
    if (codes !== null) described.push([entry.name, codes]);
  }
  // By fromEntries, so that a weight named __proto__ is a member like any other.
  if (described.length > 0)
    metadata.set(QUANTIZATION_KEY, JSON.stringify(Object.fromEntries(described)));
  if (quantized.length === 0) return metadata;
  return metadata.set(RECIPE_KEY, JSON.stringify(recipe)).set(VERSION_KEY, TOOL_VERSION);
}
