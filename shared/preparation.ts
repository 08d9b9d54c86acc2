import type { Opset } from './model.ts';

/** What holding a prepared copy against its source found. */
export interface PreparationCheck {
  /** Samples that both were run on; 0 where they were not run. */
  readonly samples: number;
  /** The least SQNR of the copy's float outputs, dB: Infinity where all are equal; null where none can be compared. */
  readonly sqnrDb: number | null;
  /** Why the two were not run; null where they were. */
  readonly unchecked: string | null;
}

/** What preparing a model changed: constants are computed in advance, and normalizations fused into weights. */
export interface Preparation {
  /** Operators of the main graph and its subgraphs; a call of a function is one. */
  readonly operators: { readonly before: number; readonly after: number };
  /** Tensors of the copy that were computed from others of the source. */
  readonly constants: number;
  /** BatchNormalization operators that were fused into the operator before them. */
  readonly normalizations: number;
  /** Calls of functions that were replaced by what they compute. */
  readonly functions: number;
  /** Operator sets that the copy uses, and the source imports in another version or not at all. */
  readonly opsets: readonly Opset[];
  /** Bytes of the files, before anything is quantized. */
  readonly bytes: { readonly before: number; readonly after: number };
  readonly check: PreparationCheck;
}

/** Why models of other formats are not prepared. */
export const NOTHING_TO_PREPARE: Readonly<Record<string, string>> = {
  litert:
    'a LiteRT model has nothing to prepare: its converter has folded constants and fused normalizations',
  safetensors:
    'a checkpoint has nothing to prepare: it stores tensors and no operators that could be folded into them',
};

/** What the preparation changed and how that was checked, in sentences. */
export function preparationLines(facts: Preparation): readonly string[] {
  const { operators, constants, normalizations, functions, opsets } = facts;
  const parts = [
    operators.before === operators.after
      ? `${counted(operators.after, 'operator')} as before`
      : `${counted(operators.before, 'operator')} became ${operators.after}`,
    ...(constants > 0 ? [`${counted(constants, 'constant')} computed in advance`] : []),
    ...(normalizations > 0 ? [`${counted(normalizations, 'normalization')} fused`] : []),
    ...(functions > 0 ? [`${counted(functions, 'function call')} inlined`] : []),
    ...(opsets.length > 0 ? [`operator sets: ${opsets.map(opsetText).join(', ')}`] : []),
  ];
  const { before, after } = facts.bytes;
  const larger =
    constants > 0 && after > before
      ? [`constants computed in advance add ${kilobytes(after - before)} to the model in float`]
      : [];
  return [`prepared: ${parts.join(', ')}`, ...larger, checkLine(facts.check)];
}

/** The same, as a paragraph. */
export function preparationText(facts: Preparation): string {
  return preparationLines(facts).map(asSentence).join(' ');
}

/** Words as a sentence of their own. */
export function asSentence(words: string): string {
  return `${words.charAt(0).toUpperCase()}${words.slice(1)}.`;
}

function checkLine({ samples, sqnrDb, unchecked }: PreparationCheck): string {
  if (unchecked !== null) return `the prepared copy was not compared with the source: ${unchecked}`;
  const on = `on ${counted(samples, 'sample')}`;
  if (sqnrDb === null)
    return `the prepared copy runs ${on}, and gives no output that can be compared`;
  const difference =
    sqnrDb === Infinity
      ? 'gives equal outputs'
      : `differs from the source by float rounding (${sqnrDb.toFixed(0)} dB)`;
  return `the prepared copy ${difference} ${on}`;
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}

function opsetText({ domain, version }: Opset): string {
  return `${domain} ${version}`;
}

function kilobytes(bytes: number): string {
  return `${(bytes / 1000).toFixed(1)} kB`;
}
