import type { onnx } from 'onnx-proto';
import { floatTensor, model, node, randomValues, value } from './onnx-model.ts';

/** Models whose operators with weights are in the bodies of If, Loop and Scan. */

export const bodyOf = (name: string, g: onnx.IGraphProto): onnx.IAttributeProto => ({
  name,
  type: 5,
  g,
});

/** The same names in both branches; their Gemm takes a weight of the main graph. */
function branch(name: string, seed: number): onnx.IAttributeProto {
  return bodyOf(name, {
    name,
    node: [
      node('Conv', ['x', `w_${name}`, `b_${name}`], ['h']),
      node('Relu', ['h'], ['r']),
      node('Flatten', ['r'], ['f']),
      node('Gemm', ['f', 'shared', 'b_shared'], ['out']),
    ],
    initializer: [
      floatTensor(`w_${name}`, [8, 3, 3, 3], randomValues(216, seed)),
      floatTensor(`b_${name}`, [8], randomValues(8, seed + 1)),
    ],
    output: [value('out', [1, 32])],
  });
}

/** An If whose branch depends on the sign of one element of x. */
export function ifModel(): Uint8Array {
  return model({
    node: [
      node('ReduceMean', ['x'], ['m'], { attribute: [{ name: 'keepdims', type: 2, i: 0 }] }),
      node('Greater', ['m', 'zero'], ['c']),
      node('If', ['c'], ['y'], {
        name: 'choose',
        attribute: [branch('then_branch', 1), branch('else_branch', 3)],
      }),
    ],
    input: [value('x', [1, 3, 6, 6])],
    output: [value('y', [1, 32])],
    initializer: [
      floatTensor('zero', [], [0]),
      floatTensor('shared', [128, 32], randomValues(4096, 5)),
      floatTensor('b_shared', [32], randomValues(32, 6)),
    ],
  });
}

/** s = tanh(s wr + x[i] wi + b), over the rows of x; the states and the last one. */
export function loopModel(): Uint8Array {
  const body = {
    name: 'body',
    node: [
      node('MatMul', ['s', 'wr'], ['a']),
      node('Gather', ['x', 'i'], ['xi']),
      node('Gemm', ['xi', 'wi', 'b'], ['g']),
      node('Add', ['a', 'g'], ['sum']),
      node('Tanh', ['sum'], ['next']),
      node('Identity', ['next'], ['state']),
      node('Identity', ['go'], ['on']),
    ],
    initializer: [floatTensor('wr', [32, 32], quiet(1024, 1))],
    input: [value('i', [], 7), value('go', [], 9), value('s', [2, 32])],
    output: [value('on', [], 9), value('next', [2, 32]), value('state', [2, 32])],
  };
  return model({
    node: [
      node('Loop', ['times', '', 'start'], ['last', 'y'], {
        name: 'cell',
        attribute: [bodyOf('body', body)],
      }),
      node('MatMul', ['last', 'wo'], ['z']),
    ],
    input: [value('x', [5, 2, 16]), value('start', [2, 32])],
    output: [value('y', [5, 2, 32]), value('z', [2, 64])],
    initializer: [
      { name: 'times', dataType: 7, dims: [], int64Data: [5] },
      floatTensor('wi', [16, 32], quiet(512, 2)),
      floatTensor('b', [32], quiet(32, 3)),
      floatTensor('wo', [32, 64], quiet(2048, 4)),
    ],
  });
}

/** The same cell in a Scan, which says where its outputs are stacked. */
export function scanModel(): Uint8Array {
  const body = {
    name: 'body',
    node: [
      node('MatMul', ['s', 'wr'], ['a']),
      node('Gemm', ['xi', 'wi', 'b'], ['g']),
      node('Add', ['a', 'g'], ['sum']),
      node('Tanh', ['sum'], ['next']),
      node('Identity', ['next'], ['state']),
    ],
    initializer: [floatTensor('wr', [32, 32], quiet(1024, 1))],
    input: [value('s', [2, 32]), value('xi', [2, 16])],
    output: [value('next', [2, 32]), value('state', [2, 32])],
  };
  return model({
    node: [
      node('Scan', ['start', 'x'], ['last', 'y'], {
        name: 'cell',
        attribute: [
          bodyOf('body', body),
          { name: 'num_scan_inputs', type: 2, i: 1 },
          { name: 'scan_output_axes', type: 7, ints: [1] },
        ],
      }),
    ],
    input: [value('x', [5, 2, 16]), value('start', [2, 32])],
    output: [value('last', [2, 32]), value('y', [2, 5, 32])],
    initializer: [floatTensor('wi', [16, 32], quiet(512, 2)), floatTensor('b', [32], quiet(32, 3))],
  });
}

/** The body of a Loop that multiplies its state s, and of the product a makes the next. */
function productBody(nodes: readonly onnx.INodeProto[]): onnx.IGraphProto {
  return {
    name: 'body',
    node: [node('MatMul', ['s', 'w'], ['a']), ...nodes, node('Identity', ['go'], ['on'])],
    initializer: [floatTensor('w', [32, 32], quiet(1024, 1))],
    input: [value('i', [], 7), value('go', [], 9), value('s', [1, 32])],
    output: [value('on', [], 9), value('next', [1, 32])],
  };
}

/** A Loop of as many iterations as the input says. */
export function steppedLoopModel(): Uint8Array {
  const body = productBody([node('Tanh', ['a'], ['next'])]);
  return model({
    node: [
      node('Loop', ['times', '', 'start'], ['y'], {
        name: 'cell',
        attribute: [bodyOf('body', body)],
      }),
    ],
    input: [value('times', [], 7)],
    output: [value('y', [1, 32])],
    initializer: [floatTensor('start', [1, 32], quiet(32, 2))],
  });
}

/** A Loop that multiplies in each iteration, and a second time in an If that takes its other branch in the first one. */
export function loopOfIfModel(): Uint8Array {
  const branches = [
    bodyOf('then_branch', {
      name: 'then',
      node: [node('MatMul', ['a', 'w2'], ['t'])],
      output: [value('t', [1, 32])],
    }),
    bodyOf('else_branch', {
      name: 'else',
      node: [node('Neg', ['a'], ['e'])],
      output: [value('e', [1, 32])],
    }),
  ];
  const body = productBody([
    node('Greater', ['i', 'none'], ['later']),
    node('If', ['later'], ['next'], { name: 'choose', attribute: branches }),
  ]);
  return model({
    node: [
      node('Loop', ['times', '', 'x'], ['y'], {
        name: 'cell',
        attribute: [bodyOf('body', body)],
      }),
    ],
    input: [value('x', [1, 32])],
    output: [value('y', [1, 32])],
    initializer: [
      { name: 'times', dataType: 7, dims: [], int64Data: [3] },
      { name: 'none', dataType: 7, dims: [], int64Data: [0] },
      floatTensor('w2', [32, 32], quiet(1024, 2)),
    ],
  });
}

/** A Loop whose value has a row more in each iteration. */
export function growingLoopModel(): Uint8Array {
  const body = {
    name: 'body',
    node: [
      node('MatMul', ['s', 'w'], ['made']),
      node('Gather', ['made', 'first'], ['row']),
      node('Concat', ['s', 'row'], ['next'], { attribute: [{ name: 'axis', type: 2, i: 0 }] }),
      node('Identity', ['go'], ['on']),
    ],
    initializer: [floatTensor('w', [32, 32], quiet(1024, 1))],
    input: [value('i', [], 7), value('go', [], 9), value('s', ['n', 32])],
    output: [value('on', [], 9), value('next', ['m', 32])],
  };
  return model({
    node: [
      node('Loop', ['times', '', 'x'], ['rows'], {
        name: 'grow',
        attribute: [bodyOf('body', body)],
      }),
      node('MatMul', ['rows', 'wo'], ['y']),
    ],
    input: [value('x', [1, 32])],
    output: [value('y', ['m', 64])],
    initializer: [
      { name: 'times', dataType: 7, dims: [], int64Data: [4] },
      { name: 'first', dataType: 7, dims: [1], int64Data: [0] },
      floatTensor('wo', [32, 64], quiet(2048, 2)),
    ],
  });
}

/** Values in [-1/4, 1/4), so that a recurrent cell does not saturate. */
function quiet(count: number, seed: number): number[] {
  return randomValues(count, seed).map((each) => each / 4);
}
