import type { Opset } from '../../../../../shared/model.ts';
import {
  factsOf,
  listed,
  MOST_TEXT,
  NO_PROPERTIES,
  shownText,
  type ModelProperties,
  type TextProperty,
  type ValueProperties,
} from '../../../../../shared/properties.ts';
import { shortName } from '../../../../../shared/short-name.ts';
import type { OnnxIndex, TypedValueRecord, ValueRecord } from './records.ts';
import { tensorType } from './tensor-types.ts';
import { decodeText } from './text.ts';
import type { WireField, WireReader } from './wire.ts';

/** TypeProto's fields that are no dense tensor (onnx.proto). */
const KINDS: Readonly<Record<number, string>> = {
  4: 'sequence',
  5: 'map',
  7: 'opaque',
  8: 'sparse tensor',
  9: 'optional',
};

/** ModelProto's and GraphProto's fields that hold a text. */
const [DOMAIN, DOC_STRING, GRAPH_NAME, GRAPH_DOC_STRING] = [4, 6, 2, 10];
const MODEL_VERSION = 5;

/** What an ONNX file declares, read again from its fields: the index keeps only what it computes with. */
export function readProperties(
  wire: WireReader,
  index: OnnxIndex,
  opsets: readonly Opset[],
): ModelProperties {
  const { graph } = index;
  const stored = new Set(
    [...graph.initializers, ...graph.sparseInitializers.map(({ values }) => values)].map(
      ({ name }) => name,
    ),
  );
  // Up to IR 3 every initializer is an input as well; later ones may be replaced by an input.
  const inputs = graph.inputs.filter(({ name }) => !stored.has(name));
  const value = (record: TypedValueRecord): ValueProperties => readValue(wire, record);
  const model = textsOf(wire, 0, wire.source.size, [DOMAIN, DOC_STRING]);
  const main = textsOf(wire, graph.frame.payload, graph.frame.end, [GRAPH_NAME, GRAPH_DOC_STRING]);
  return {
    ...NO_PROPERTIES,
    facts: factsOf({
      Producer: shownText(index.producer),
      'IR version': String(index.irVersion),
      'Model version': modelVersion(wire),
      Domain: model.get(DOMAIN) ?? '',
      Graph: main.get(GRAPH_NAME) ?? '',
      Description: model.get(DOC_STRING) ?? main.get(GRAPH_DOC_STRING) ?? '',
    }),
    opsets,
    inputs: listed(inputs, value),
    outputs: listed(graph.outputs, value),
    metadata: listed(index.metadata, (record) => readEntry(wire, record)),
  };
}

function modelVersion(wire: WireReader): string {
  let version = 0;
  wire.forEachField(0, wire.source.size, 0, (field) => {
    if (field.number === MODEL_VERSION) version = wire.int64(field, 'model_version');
  });
  return version === 0 ? '' : String(version);
}

/** The texts of some fields of a message, by number. */
function textsOf(
  wire: WireReader,
  from: number,
  end: number,
  numbers: readonly number[],
): ReadonlyMap<number, string> {
  const texts = new Map<number, string>();
  wire.forEachField(from, end, 1, (field) => {
    if (numbers.includes(field.number)) texts.set(field.number, textStart(wire, field));
  });
  return texts;
}

/** The beginning of a string field, however long it is. */
function textStart(wire: WireReader, { payload, end }: WireField): string {
  // A character of UTF-8 has at most four bytes.
  return shownText(decodeText(wire.bytes(payload, Math.min(end - payload, MOST_TEXT * 4 + 4))));
}

function readEntry(wire: WireReader, { name, span }: ValueRecord): TextProperty {
  const entry = wire.field(span.start, span.end, 0);
  return { name: shortName(name), text: textsOf(wire, entry.payload, entry.end, [2]).get(2) ?? '' };
}

function readValue(wire: WireReader, { name, dataType, span }: TypedValueRecord): ValueProperties {
  let type = tensorType(dataType)?.dtype ?? (dataType === 0 ? '' : `type ${dataType}`);
  let shape: (number | string)[] | null = null;
  const within = (field: WireField, visit: (part: WireField) => void): void =>
    wire.forEachField(field.payload, field.end, 2, visit);
  within(wire.field(span.start, span.end, 1), (part) => {
    if (part.number !== 2) return;
    within(part, (kind) => {
      type = KINDS[kind.number] ?? type;
      if (kind.number !== 1) return;
      within(kind, (field) => {
        if (field.number === 2) shape = readShape(wire, field);
      });
    });
  });
  return { name: shortName(name), type, shape };
}

/** Dimensions of TensorShapeProto: a size, a name, or neither. */
function readShape(wire: WireReader, shape: WireField): (number | string)[] {
  const dims: (number | string)[] = [];
  wire.forEachField(shape.payload, shape.end, 3, (dim) => {
    if (dim.number !== 1 || dims.length >= MOST_DIMS) return;
    let size: number | string = '';
    wire.forEachField(dim.payload, dim.end, 4, (part) => {
      if (part.number === 1) size = wire.int64(part, 'a dimension');
      else if (part.number === 2) size = shortName(wire.text(part, 'a dimension name'));
    });
    dims.push(size);
  });
  return dims;
}

/** No tensor has more axes; a file may list millions. */
const MOST_DIMS = 64;
