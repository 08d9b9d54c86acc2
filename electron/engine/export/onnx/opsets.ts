import type { GraphRecord, NodeRecord, OnnxIndex } from '../../formats/onnx/records.ts';
import type { Edit } from './edits.ts';
import { field, opsetMessage } from './messages.ts';
import { encodeVarint } from '../../formats/onnx/wire.ts';
import changes from './opset-changes.json';

/** Field numbers of ModelProto and FunctionProto (onnx.proto). */
const MODEL_IR_VERSION = 1;
const MODEL_OPSET_IMPORT = 8;
const FUNCTION_OPSET_IMPORT = 9;

/** By operator: the opset it came with, then those at which its nodes began to mean something else. */
const operators: Readonly<Record<string, readonly number[]>> = changes.operators;

/**
 * Whether every operator that the main graph uses means the same at both opsets (see
 * opset-changes.json). Functions are bound to the model's version, so that a model with any is not raised.
 */
export function canRaise(index: OnnxIndex, from: number, to: number): boolean {
  return index.functions.length === 0 && graphAllows(index.graph, from, to);
}

function graphAllows(graph: GraphRecord, from: number, to: number): boolean {
  return graph.nodes.every((node) => nodeAllows(node, from, to));
}

function nodeAllows(node: NodeRecord, from: number, to: number): boolean {
  if (node.domain === '') {
    const [first, ...changed] = Object.hasOwn(operators, node.opType)
      ? operators[node.opType]!
      : [];
    if (first === undefined || first > from) return false;
    if (changed.some((version) => version > from && version <= to)) return false;
  }
  return node.attributes.every((attribute) =>
    attribute.graphs.every((graph) => graphAllows(graph, from, to)),
  );
}

/** The opset imports of an export: the source's, ai.onnx raised as far as is wanted and safe, and what is added. */
export class Opsets {
  private readonly index: OnnxIndex;
  private readonly raised: number;
  private readonly needed = new Set<GraphRecord | null>();
  private irVersion: number;

  /** @param wanted opsets of ai.onnx that something in the plan would like. The highest that is safe is taken. */
  constructor(index: OnnxIndex, wanted: readonly number[]) {
    this.index = index;
    this.irVersion = index.irVersion;
    const now = this.sourceVersion(null);
    const safe = wanted.filter((version) => version > now && canRaise(index, now, version));
    this.raised = Math.max(now, ...safe);
  }

  /** The version of ai.onnx in force in the model or a function; a function without an import of its own uses none of it. */
  version(owner: GraphRecord | null): number {
    return owner === null ? this.raised : this.sourceVersion(owner);
  }

  /** Say that com.microsoft is used by the model or a function. */
  needMicrosoft(owner: GraphRecord | null): void {
    this.needed.add(owner);
    // The model must import what its functions use.
    this.needed.add(null);
  }

  /** Say that types are used that came with an IR version. */
  needIr(version: number): void {
    this.irVersion = Math.max(this.irVersion, version);
  }

  edits(fileSize: number): Edit[] {
    return [...this.raiseEdits(fileSize), ...this.irEdits(), ...this.importEdits(fileSize)];
  }

  private sourceVersion(owner: GraphRecord | null): number {
    const opsets = owner === null ? this.index.opsets : owner.opsets;
    return opsets.find((opset) => opset.domain === '')?.version ?? 1;
  }

  private raiseEdits(fileSize: number): Edit[] {
    if (this.raised === this.sourceVersion(null)) return [];
    const entry = this.index.opsets.find((opset) => opset.domain === '');
    const span = entry?.span ?? { start: fileSize, end: fileSize };
    return [
      { ...span, pieces: field(MODEL_OPSET_IMPORT, [opsetMessage('', this.raised)]), frame: null },
    ];
  }

  private irEdits(): Edit[] {
    if (this.irVersion === this.index.irVersion) return [];
    const span = this.index.irVersionSpan ?? { start: 0, end: 0 };
    const bytes = Buffer.concat([encodeVarint(MODEL_IR_VERSION * 8), encodeVarint(this.irVersion)]);
    return [{ ...span, pieces: [{ kind: 'bytes', bytes }], frame: null }];
  }

  private importEdits(fileSize: number): Edit[] {
    const edits: Edit[] = [];
    for (const owner of this.needed) {
      const opsets = owner === null ? this.index.opsets : owner.opsets;
      if (opsets.some((opset) => opset.domain === 'com.microsoft')) continue;
      const number = owner === null ? MODEL_OPSET_IMPORT : FUNCTION_OPSET_IMPORT;
      const at = owner === null ? fileSize : owner.frame.end;
      const pieces = field(number, [opsetMessage('com.microsoft', 1)]);
      edits.push({ start: at, end: at, pieces, frame: owner?.frame ?? null });
    }
    return edits;
  }
}
