import { AppError } from '../../shared/errors.ts';
import type { Model, TensorRef } from '../../shared/model.ts';
import type { TensorSummary } from '../../shared/protocol.ts';
import { shortName } from '../../shared/short-name.ts';

/**
 * Characters of names that a model of no bytes may show: a name stands at every tensor and use, so that a
 * small file could stand for gigabytes of text. Four more are free for each byte of the files.
 */
const MAX_TEXT = 64 << 20;
const TEXT_PER_BYTE = 4;

/**
 * What the page and the command line show of a model's tensors: all but where the values are, with long
 * names shortened.
 * @throws AppError LIMIT when the names are out of proportion to the files
 */
export function tensorSummaries({
  tensors,
  files,
}: Pick<Model, 'tensors' | 'files'>): TensorSummary[] {
  const limit = files.reduce((sum, { bytes }) => sum + bytes * TEXT_PER_BYTE, MAX_TEXT);
  let text = 0;
  return tensors.map((tensor) => {
    const summary = summaryOf(tensor);
    text += textOf(summary);
    if (text <= limit) return summary;
    throw new AppError('LIMIT', 'the names of tensors and operators are too long for the file', {
      file: files[0]?.path,
      field: tensor.name,
      found: `over ${limit} characters in all`,
      expected: `at most ${TEXT_PER_BYTE} for each byte of the file and ${MAX_TEXT} more`,
    });
  });
}

function summaryOf({ data: _, ...facts }: TensorRef): TensorSummary {
  return {
    ...facts,
    name: shortName(facts.name),
    layer: shortName(facts.layer),
    ...(facts.block === undefined ? {} : { block: shortName(facts.block) }),
    op: shortName(facts.op),
    graph: shortName(facts.graph),
    consumers: facts.consumers.map(({ node, op, input }) => ({
      node: shortName(node),
      op: shortName(op),
      input,
    })),
  };
}

function textOf({ name, layer, block = '', op, graph, consumers }: TensorSummary): number {
  return consumers.reduce(
    (sum, consumer) => sum + consumer.node.length + consumer.op.length,
    name.length + layer.length + block.length + op.length + graph.length,
  );
}
