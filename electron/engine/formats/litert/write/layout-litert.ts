import { AppError } from '../../../../../shared/errors.ts';
import { fitLitertPlan } from '../fit/fit.ts';
import { tablesOf } from '../read/nodes.ts';
import type { LitertIndex } from '../read/records.ts';
import type { PagedBytes } from '../read/paged-bytes.ts';
import { piecesLength, type Layout } from '../../../export/layout.ts';
import { NO_SMALLER_EXPORT } from '../../no-gain.ts';
import { assembleModel, toldBy } from './assemble.ts';
import { layoutStatic } from './layout-static.ts';
import { GraphEdit } from './graph-edit.ts';
import { OperatorCodes } from './operator-codes.ts';
import { replaceWeight } from './replace-weight.ts';
import { HalfBiases } from './half-biases.ts';
import { hybridOperators, widenBiases } from './hybrid-operators.ts';
import type { Computing, LitertExport, Replaced } from './request.ts';
import { storedForm, Zeros } from './stored-form.ts';

/**
 * Lay out an export. Each planned weight's buffer holds its codes under its old name; where the mode
 * runs an operator on int8 weights it takes them as they are, and a DEQUANTIZE restores them for every
 * other use. The structure is written anew from what was read, all else in it as it was. A plan that
 * changes nothing, or saves nothing, gives the source byte for byte.
 */
export function layoutLitert(request: LitertExport): Layout {
  const { index, source, computing } = request;
  if (computing !== null) {
    requireKnown(index, source);
    const isAny = computing.operators.some(({ isInteger }) => isInteger);
    if (!isAny) return unchanged(source, []);
    const made = layoutStatic(request, computing);
    if (isWorthwhile(made, request, computing)) return made;
    return { ...unchanged(source, []), idle: NO_SMALLER_EXPORT };
  }
  const { replaced, refused } = decide(request);
  if (replaced.length === 0) return unchanged(source, refused);
  requireKnown(index, source);
  const edits = index.graphs.map((graph) => new GraphEdit(graph));
  const codes = new OperatorCodes(tablesOf(index.root, 'operator_codes'));
  const biases = new HalfBiases(request.tensors);
  const hybrid = hybridOperators(index, replaced, request.mode, biases);
  widenBiases(index, replaced, biases);
  const context = { edits, codes, hybrid, options: new Map() };
  for (const weight of replaced) replaceWeight(weight, context);
  const stored = new Map(replaced.map(({ tensor, form }) => [tensor.buffer, form.codes]));
  for (const [buffer, piece] of biases.widen(edits, source)) stored.set(buffer, piece);
  const told = toldBy(request.recipe);
  const pieces = assembleModel({ index, source, told, limit: source.size }, stored, edits, codes);
  const bytes = pieces === null ? source.size : piecesLength(pieces);
  if (pieces !== null && bytes < source.size)
    return {
      pieces,
      beside: [],
      bytes,
      quantized: replaced.map(({ tensor, form, reason }) => ({
        tensor: tensor.ref.id,
        scheme: form.scheme,
        codes: 'litert',
        reason,
      })),
      refused: [...refused, ...biases.reasons()],
    };
  const reason = NO_SMALLER_EXPORT;
  const kept = replaced.map(({ tensor }) => ({ tensor: tensor.ref.id, reason }));
  return unchanged(source, [...refused, ...kept]);
}

/**
 * Whether a static export is written: where it is smaller, where it stores weights as codes, whose scales may weigh more
 * than a small model saves, and where no operator is left in float, as an integer-only device runs no other.
 */
function isWorthwhile(
  { bytes, quantized }: Layout,
  { source, tensors }: LitertExport,
  { operators }: Computing,
): boolean {
  const hasWeights = quantized.some(({ tensor }) =>
    ['weight', 'embedding'].includes(tensors[tensor]!.ref.role),
  );
  return hasWeights || bytes < source.size || operators.every(({ reason }) => reason === null);
}

/** What the plan is once it fits this format and mode, and what it asked for in vain. */
function decide({ index, source, tensors, plan, mode }: LitertExport): {
  replaced: Replaced[];
  refused: Layout['refused'][number][];
} {
  const zeros = new Zeros();
  const replaced: Replaced[] = [];
  const refused: Layout['refused'][number][] = [];
  const fitted = fitLitertPlan({ index, tensors, source }, plan, mode);
  for (const [at, { tensor: id, scheme, reason }] of fitted.entries()) {
    const tensor = tensors[id]!;
    if (scheme !== null) replaced.push({ tensor, form: storedForm(tensor, scheme, zeros), reason });
    else if (reason !== null && reason !== plan[at]!.reason) refused.push({ tensor: id, reason });
  }
  return { replaced, refused };
}

function unchanged(source: PagedBytes, refused: Layout['refused']): Layout {
  const pieces = [{ kind: 'copy', file: 0, offset: 0, length: source.size }] as const;
  return { pieces, beside: [], bytes: source.size, quantized: [], refused };
}

/** What a newer schema added cannot be told from an offset to more of it, and so not be carried over. */
function requireKnown({ unknown }: LitertIndex, source: PagedBytes): void {
  const first = unknown[0];
  if (first === undefined) return;
  throw new AppError(
    'UNSUPPORTED',
    'cannot be exported without losing what a newer schema put there',
    {
      file: source.path,
      field: first.field,
      found: first.what,
      expected: 'fields of the schema of LiteRT 2.21',
    },
  );
}
