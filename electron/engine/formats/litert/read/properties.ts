import type { Opset } from '../../../../../shared/model.ts';
import {
  factsOf,
  listed,
  MOST_TEXT,
  shownText,
  type ModelProperties,
  type SignatureProperties,
  type TextProperty,
  type ValueProperties,
} from '../../../../../shared/properties.ts';
import { shortName } from '../../../../../shared/short-name.ts';
import { numberOf, tablesOf, vectorOf, type TableNode } from './nodes.ts';
import type { PagedBytes } from './paged-bytes.ts';
import type { GraphRecord, LitertIndex, MetadataRecord } from './records.ts';
import { dtypeOfType, typeName } from './tensor-types.ts';
import { textOf, valuesOf } from './values.ts';

/** What a .tflite file declares: the first subgraph's inputs and outputs, its signatures and metadata. */
export function readProperties(
  source: PagedBytes,
  index: LitertIndex,
  producer: string,
  opsets: readonly Opset[],
): ModelProperties {
  const [main] = index.graphs;
  const value = (tensor: number): ValueProperties => valueOf(source, main!, tensor);
  return {
    facts: factsOf({
      Producer: shownText(producer),
      'Schema version': String(opsets[0]!.version),
      Subgraphs: index.graphs.length > 1 ? String(index.graphs.length) : '',
    }),
    opsets: [],
    inputs: listed(main!.inputs, value),
    outputs: listed(main!.outputs, value),
    signatures: listed(tablesOf(index.root, 'signature_defs'), (signature) =>
      signatureOf(source, index, signature),
    ),
    metadata: listed(index.metadata, (record) => metadataOf(source, index, record)),
  };
}

/** -1 is an optional tensor that is left out. */
function valueOf(source: PagedBytes, graph: GraphRecord, tensor: number): ValueProperties {
  const record = graph.tensors[tensor];
  if (record === undefined) return { name: '', type: 'left out', shape: null };
  // The signature has -1 where a size is free; `shape` has the size that it was converted with.
  const free = valuesOf(source, vectorOf(record.node, 'shape_signature'));
  const sizes = free.length === record.shape.length ? free : record.shape;
  return {
    name: shortName(record.name),
    type: dtypeOfType(record.type) ?? typeName(record.type).toLowerCase(),
    shape: sizes.map((size) => (size < 0 ? '' : size)),
  };
}

function signatureOf(
  source: PagedBytes,
  index: LitertIndex,
  signature: TableNode,
): SignatureProperties {
  const graph = index.graphs[numberOf(signature, 'subgraph_index')]!;
  const value = (map: TableNode): ValueProperties => ({
    ...valueOf(source, graph, numberOf(map, 'tensor_index')),
    name: shortName(textOf(source, vectorOf(map, 'name'))),
  });
  return {
    name: shortName(textOf(source, vectorOf(signature, 'signature_key'))),
    inputs: listed(tablesOf(signature, 'inputs'), value),
    outputs: listed(tablesOf(signature, 'outputs'), value),
  };
}

/** Metadata is bytes of any kind: words are shown, and of others how many there are. */
function metadataOf(
  source: PagedBytes,
  { buffers }: LitertIndex,
  { name, buffer }: MetadataRecord,
): TextProperty {
  const stored = buffers[buffer] ?? null;
  const length = stored?.length ?? 0;
  const bytes =
    stored === null || length > MOST_TEXT
      ? new Uint8Array(0)
      : source.read(stored.offset, stored.length);
  // Words are padded with zeros.
  const text = Buffer.from(bytes).toString('utf8').replace(/\0+$/, '');
  const isWords = text !== '' && !/[\p{Cc}\ufffd]/u.test(text.replace(/[\n\r\t]/g, ''));
  return { name: shortName(name), text: isWords ? text : `${length} bytes` };
}
