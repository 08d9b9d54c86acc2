import { printable } from '../../shared/errors.ts';
import type { TensorSummary } from '../../shared/protocol.ts';
import { openModel } from '../engine/formats/registry.ts';
import { tensorSummaries } from '../engine/summaries.ts';
import {
  JSON_OPTION,
  MODEL_ARGUMENT,
  type CommandDefinition,
  type CommandInput,
} from './command.ts';
import { printJson } from './json.ts';
import { megabytes, print } from './output.ts';
import { toTable } from './table.ts';

export const inspectCommand: CommandDefinition = {
  name: 'inspect',
  description: 'List the tensors of a model, and its size in each number format.',
  arguments: [MODEL_ARGUMENT],
  options: [JSON_OPTION],
  examples: ['quantscope inspect model.onnx', 'quantscope inspect model.safetensors --json'],
  run: inspect,
};

function inspect({ positionals, values }: CommandInput): void {
  const file = positionals[0]!;
  const opened = openModel(file);
  try {
    const { files, tensors: _, ...facts } = opened.model;
    const tensors = tensorSummaries(opened.model);
    const fileBytes = files.reduce((sum, { bytes }) => sum + bytes, 0);
    if (values['json'] === true) {
      printJson({ file, ...facts, fileBytes, tensors: tensors.map(tensorFacts) });
      return;
    }
    const opsets = facts.opsets.map(({ domain, version }) => `${domain} ${version}`).join(', ');
    print(
      `${printable(file)}: ${facts.format}, ${megabytes(fileBytes)}, ${facts.parameters} parameters`,
    );
    print(
      `producer ${printable(facts.producer)}${opsets === '' ? '' : `; opsets ${printable(opsets)}`}`,
    );
    for (const [dtype, bytes] of Object.entries(facts.footprint))
      print(`  as ${dtype.padEnd(9)} ${megabytes(bytes)}`);
    const rows = tensors.map((tensor) => [
      printable(tensor.name),
      tensor.dtype,
      tensor.shape.join('x'),
      String(tensor.bytes),
      tensor.role,
      tensor.op,
      tensor.fixed ?? '',
    ]);
    print(
      toTable([['tensor', 'dtype', 'shape', 'bytes', 'role', 'op', ''], ...rows], new Set([3]), {
        whole: new Set([1, 2]),
      }),
    );
  } finally {
    opened.close();
  }
}

function tensorFacts({ id: _id, ...facts }: TensorSummary): object {
  return facts;
}
