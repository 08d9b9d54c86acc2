import { isKnownDomain } from '../read/operators.ts';
import type { GraphRecord, NodeRecord, OnnxIndex, Span, TensorRecord } from '../read/records.ts';
import { WireReader, type Frame } from '../read/wire.ts';
import type { FileSource } from '../../../source.ts';
import type { Edit } from './edits.ts';

/** Field numbers of what exporters note and no runtime needs (onnx.proto): doc_string, value_info, metadata_props. */
const OF_GRAPH: ReadonlySet<number> = new Set([10, 13, 16]);
const OF_FUNCTION: ReadonlySet<number> = new Set([8, 12, 14]);
const OF_NODE: ReadonlySet<number> = new Set([6, 9]);
const OF_TENSOR: ReadonlySet<number> = new Set([12, 16]);
const VALUE_INFOS: Readonly<Record<GraphRecord['kind'], number>> = { graph: 13, function: 12 };
const VALUE_NAME = 1;

const spansOf = new WeakMap<OnnxIndex, readonly Edit[]>();

/**
 * The edits that leave out what exporters note of nodes, graphs and tensors: where in the source code a node comes from, and
 * the shapes of values, which runtimes find themselves. The texts and metadata of the model as a whole stay, and so do the
 * types of what operators of other domains make, which nothing else tells.
 */
export function exporterMetadata(index: OnnxIndex, source: FileSource): readonly Edit[] {
  const known = spansOf.get(index);
  if (known !== undefined) return known;
  const finder = new Finder(new WireReader(source));
  for (const graph of [index.graph, ...index.functions]) finder.ofGraph(graph);
  spansOf.set(index, finder.edits);
  return finder.edits;
}

/** Those of them that are not inside of what other edits replace. */
export function besides(edits: readonly Edit[], others: readonly Edit[]): readonly Edit[] {
  const replaced = others.filter(({ start, end }) => end > start).sort((a, b) => a.start - b.start);
  let [at, reached] = [0, 0];
  return [...edits]
    .sort((a, b) => a.start - b.start)
    .filter(({ start }) => {
      for (; at < replaced.length && replaced[at]!.start <= start; at++)
        reached = Math.max(reached, replaced[at]!.end);
      return start >= reached;
    });
}

/** Bytes of the file that spans take. */
export function spanBytes(spans: readonly Span[]): number {
  return spans.reduce((sum, { start, end }) => sum + end - start, 0);
}

class Finder {
  readonly edits: Edit[] = [];
  private readonly wire: WireReader;

  constructor(wire: WireReader) {
    this.wire = wire;
  }

  ofGraph(graph: GraphRecord): void {
    const fields = graph.kind === 'function' ? OF_FUNCTION : OF_GRAPH;
    const needed = new Set(
      graph.nodes.flatMap(({ domain, outputs }) => (isKnownDomain(domain) ? [] : outputs)),
    );
    this.find(graph.frame, fields, (number, span) => {
      if (number !== VALUE_INFOS[graph.kind] || needed.size === 0) return true;
      return !needed.has(this.nameOf(span));
    });
    const sparse = graph.sparseInitializers.map(({ values }) => values);
    for (const tensor of [...graph.initializers, ...sparse]) this.ofTensor(tensor);
    for (const node of graph.nodes) this.ofNode(node);
  }

  private ofNode({ frame, attributes }: NodeRecord): void {
    this.find(frame, OF_NODE);
    for (const { tensor, graphs } of attributes) {
      if (tensor !== null) this.ofTensor(tensor);
      for (const graph of graphs) this.ofGraph(graph);
    }
  }

  private ofTensor({ frame }: TensorRecord): void {
    this.find(frame, OF_TENSOR);
  }

  private find(
    frame: Frame,
    numbers: ReadonlySet<number>,
    isLeftOut: (number: number, span: Span) => boolean = () => true,
  ): void {
    this.wire.forEachField(frame.payload, frame.end, 0, ({ number, start, end }) => {
      if (numbers.has(number) && isLeftOut(number, { start, end }))
        this.edits.push({ start, end, pieces: [], frame });
    });
  }

  private nameOf({ start, end }: Span): string {
    const { payload } = this.wire.field(start, end, 0);
    let name = '';
    this.wire.forEachField(payload, end, 1, (part) => {
      if (part.number === VALUE_NAME) name = this.wire.text(part, 'a value name');
    });
    return name;
  }
}
