import type { ScaleZeroPoint } from '../../../../shared/affine.ts';
import { bigintOf, numberOf } from '../../formats/litert/read/nodes.ts';
import type {
  GraphRecord,
  LitertIndex,
  OperatorRecord,
} from '../../formats/litert/read/records.ts';
import { RANDOM_OPERATORS } from '../../formats/litert/read/operators.ts';
import type { Signature } from '../../formats/litert/read/signature.ts';
import type { RunHints } from '../inputs.ts';

/** Operators that are told: messages name three, and a small file may share one name among thousands. */
const TOLD_OPERATORS = 100;
const TOLD_CHARACTERS = 200;

/** What the graphs of a LiteRT model tell about its inputs and its runs. */
export function litertHints({ graphs }: LitertIndex, signature: Signature): RunHints {
  const inputs = new Set(signature.inputs.map(({ tensor }) => tensor));
  return {
    runtime: 'LiteRT',
    limits: indexLimits(signature),
    states: [],
    random: goingOn(graphs),
    unpassable: [],
    sharedOutputs: sharedOutputs(signature),
    quantized: quantizedBorders(signature),
    passedOn: signature.outputs.filter(({ tensor }) => inputs.has(tensor)).map(({ name }) => name),
  };
}

/** Operators whose next run goes on from the one before, those without a seed first. */
function goingOn(graphs: readonly GraphRecord[]): RunHints['random'] {
  const found = graphs.flatMap((graph) =>
    graph.operators
      .filter((operator) => RANDOM_OPERATORS.has(operator.op) || keepsState(operator, graph))
      .map((operator) => ({ operator, graph, isSeeded: isSeeded(operator) })),
  );
  return found
    .sort((a, b) => Number(a.isSeeded) - Number(b.isSeeded))
    .slice(0, TOLD_OPERATORS)
    .map(({ operator, graph, ...rest }) => {
      const name = graph.tensors[operator.outputs[0] ?? -1]?.name ?? '';
      return { operator: `${operator.op} "${name.slice(0, TOLD_CHARACTERS)}"`, ...rest };
    });
}

/** Scales of inputs and outputs that are codes of one scale. */
function quantizedBorders({
  graph,
  inputs,
  outputs,
}: Signature): NonNullable<RunHints['quantized']> {
  const borders = (named: Signature['inputs']): Record<string, ScaleZeroPoint> =>
    Object.fromEntries(
      named.flatMap(({ name, tensor }) => {
        const { scale, zeroPoint } = graph.tensors[tensor]!;
        return scale.length === 1 && scale[0]! > 0
          ? [[name, { scale: scale[0]!, zeroPoint: zeroPoint[0] ?? 0 }]]
          : [];
      }),
    );
  return { inputs: borders(inputs), outputs: borders(outputs) };
}

function sharedOutputs({ outputs }: Signature): string[][] {
  const names = new Map<number, string[]>();
  for (const { tensor, name } of outputs) {
    const group = names.get(tensor) ?? [];
    group.push(name);
    names.set(tensor, group);
  }
  return [...names.values()].filter((group) => group.length > 1);
}

/** Without either seed LiteRT draws one from the computer (random_ops.cc). */
function isSeeded({ op, options }: OperatorRecord): boolean {
  if (!RANDOM_OPERATORS.has(op)) return true;
  return (
    options?.table === 'RandomOptions' &&
    ['seed', 'seed2'].some((name) => bigintOf(options, name) !== 0n)
  );
}

/** Whether an operator goes on from what its last run left: in a resource, or in a tensor that is a variable. */
function keepsState({ op, inputs }: OperatorRecord, { tensors }: GraphRecord): boolean {
  if (op === 'VAR_HANDLE') return true;
  return inputs.some((input) => input >= 0 && numberOf(tensors[input]!.node, 'is_variable') !== 0);
}

/** Operators whose output holds values of their first input and nothing computed from them. */
const HANDS_ON = new Set(
  'CAST RESHAPE SQUEEZE EXPAND_DIMS TRANSPOSE SLICE STRIDED_SLICE SPLIT GATHER'.split(' '),
);

/** For each input that indexes a table: how many rows the smallest such table has. */
function indexLimits({ graph, inputs }: Signature): RunHints['limits'] {
  const source = new Map(inputs.map(({ tensor, name }) => [tensor, name]));
  // A map, and fromEntries: an input may be called constructor or __proto__.
  const limits = new Map<string, number>();
  for (const operator of graph.operators) {
    const [first = -1, second = -1] = operator.inputs;
    if (operator.op === 'GATHER' || operator.op === 'EMBEDDING_LOOKUP') {
      const [table, indices] = operator.op === 'GATHER' ? [first, second] : [second, first];
      const name = source.get(indices);
      const rows = rowsOf(operator, graph.tensors[table]?.shape ?? []);
      if (name !== undefined && rows > 0)
        limits.set(name, Math.min(limits.get(name) ?? rows, rows));
    }
    const from = source.get(first);
    if (from !== undefined && HANDS_ON.has(operator.op))
      for (const output of operator.outputs) source.set(output, from);
  }
  return Object.fromEntries(limits);
}

function rowsOf({ op, options }: OperatorRecord, shape: readonly number[]): number {
  // A file may give an operator the options of another.
  const axis =
    op === 'GATHER' && options?.table === 'GatherOptions' ? numberOf(options, 'axis') : 0;
  return shape.at(axis) ?? 0;
}
