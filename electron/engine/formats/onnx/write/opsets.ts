import { printable } from '../../../../../shared/errors.ts';
import type { GraphRecord, OnnxIndex, OpsetRecord, Span } from '../read/records.ts';
import type { Piece } from '../../../export/layout.ts';
import type { Edit } from './edits.ts';
import { field, opsetMessage } from './messages.ts';
import { REWRITTEN } from './attribute-inputs.ts';
import { encodeVarint } from '../read/wire.ts';
import changes from '../fit/opset-changes.json';

/** Field numbers of ModelProto and FunctionProto (onnx.proto). */
const MODEL_IR_VERSION = 1;
const MODEL_OPSET_IMPORT = 8;
const FUNCTION_OPSET_IMPORT = 9;

/** By operator: the opset it came with, then those at which its nodes began to mean something else. */
const operators: Readonly<Record<string, readonly number[]>> = changes.operators;

/**
 * Whether every operator of the model means the same at both opsets (see opset-changes.json). This
 * includes the bodies of functions: onnxruntime puts them in place of their calls and runs their
 * nodes at the model's opset, whatever opset they import.
 * @param rewritten operators whose nodes the export writes as the new opset has them
 */
export function canRaise(
  index: OnnxIndex,
  from: number,
  to: number,
  rewritten: ReadonlySet<string> = NONE,
): boolean {
  const graphs = [index.graph, ...index.functions];
  return graphs.every((graph) => graphAllows(graph, from, to, rewritten));
}

const NONE: ReadonlySet<string> = new Set();

function graphAllows(
  graph: GraphRecord,
  from: number,
  to: number,
  rewritten: ReadonlySet<string> = NONE,
): boolean {
  for (const op of operatorsThatHold([graph], from, to)) if (!rewritten.has(op)) return false;
  return true;
}

/** The operators of ai.onnx that are not known to mean the same at both opsets. */
function* operatorsThatHold(
  graphs: readonly GraphRecord[],
  from: number,
  to: number,
): Generator<string> {
  for (const graph of graphs)
    for (const { domain, opType, attributes } of graph.nodes) {
      if (domain === '' && isChanged(opType, from, to)) yield opType;
      for (const attribute of attributes) yield* operatorsThatHold(attribute.graphs, from, to);
    }
}

function isChanged(opType: string, from: number, to: number): boolean {
  const [first, ...changed] = Object.hasOwn(operators, opType) ? operators[opType]! : [];
  if (first === undefined || first > from) return true;
  return changed.some((version) => version > from && version <= to);
}

function addDomains({ nodes }: GraphRecord, into: Set<string>): void {
  for (const { domain, attributes } of nodes) {
    into.add(domain);
    for (const { graphs } of attributes) for (const graph of graphs) addDomains(graph, into);
  }
}

/** Operators that a reason names at most. */
const MAX_NAMED = 5;

function listed(names: readonly string[]): string {
  const shown =
    names.length > MAX_NAMED
      ? [...names.slice(0, MAX_NAMED), `${names.length - MAX_NAMED} more operators`]
      : names;
  return shown.length === 1
    ? shown[0]!
    : `${shown.slice(0, -1).join(', ')} and ${shown[shown.length - 1]!}`;
}

/** The opsets of ai.onnx that the weights of the model or of a function would like. */
export type WantedOpsets = ReadonlyMap<GraphRecord | null, ReadonlySet<number>>;

/**
 * The opsets that a static export wants: onnxruntime makes integer kernels of a graph from 10 on, hands codes
 * through MaxPool from 12 on, and restores weights per channel by ai.onnx's own operator from 13 on.
 */
export const STATIC_OPSETS: readonly number[] = [10, 11, 12, 13];

/** The version of ai.onnx that a static export has, where no type of weights raises it further. */
export function staticOpset(index: OnnxIndex): number {
  return new Opsets(index, new Map([[null, new Set(STATIC_OPSETS)]]), REWRITTEN).version(null);
}

/** The opset imports of an export: the source's, ai.onnx raised as far as is wanted and safe, and what is added. */
export class Opsets {
  private readonly index: OnnxIndex;
  /** The versions of ai.onnx that are raised, by function; null is the model. */
  private readonly raised = new Map<GraphRecord | null, number>();
  private readonly needed = new Set<GraphRecord | null>();
  /** Reasons that were asked for, by function and opset: thousands of weights ask for the same one. */
  private readonly reasons = new Map<GraphRecord | null, Map<number, string>>();
  private irVersion: number;

  /**
   * The highest version that is wanted and safe is taken. The model's is raised for its functions as
   * well, and a function's import only where its own weights want that: onnxruntime checks the types
   * of a body at the function's version and runs it at the model's.
   */
  constructor(index: OnnxIndex, wanted: WantedOpsets, rewritten: ReadonlySet<string> = NONE) {
    this.index = index;
    this.irVersion = index.irVersion;
    const all = new Set([...wanted.values()].flatMap((versions) => [...versions]));
    this.raise(null, all, (from, to) => canRaise(index, from, to, rewritten));
    for (const [owner, versions] of wanted)
      if (owner !== null)
        this.raise(owner, versions, (from, to) => graphAllows(owner, from, to, rewritten));
  }

  private raise(
    owner: GraphRecord | null,
    wanted: Iterable<number>,
    isSafe: (from: number, to: number) => boolean,
  ): void {
    const now = this.sourceVersion(owner);
    const limit = owner === null ? Infinity : this.version(null);
    const versions = [...wanted].filter((version) => version > now && version <= limit);
    const highest = versions.sort((a, b) => b - a).find((version) => isSafe(now, version));
    if (highest !== undefined) this.raised.set(owner, highest);
  }

  /**
   * The version of ai.onnx in force in the model or a function: of the function's and the model's the
   * lower one. A function without an import of its own uses none of it.
   */
  version(owner: GraphRecord | null): number {
    const own = this.raised.get(owner) ?? this.sourceVersion(owner);
    return owner === null ? own : Math.min(own, this.version(null));
  }

  /**
   * Why the model or a function stays below an opset: the operators that would mean something else
   * there, or that are not known.
   */
  whyBelow(owner: GraphRecord | null, wanted: number): string {
    const known = this.reasons.get(owner) ?? new Map<number, string>();
    this.reasons.set(owner, known);
    const reason = known.get(wanted) ?? this.reasonBelow(owner, wanted);
    known.set(wanted, reason);
    return reason;
  }

  private reasonBelow(owner: GraphRecord | null, wanted: number): string {
    // A function runs at the model's opset, so that what holds the model holds it as well.
    const held = this.version(null) < wanted ? null : owner;
    const graphs = held === null ? [this.index.graph, ...this.index.functions] : [held];
    const found = operatorsThatHold(graphs, this.sourceVersion(held), wanted);
    const names = [...new Set(found)].sort();
    const at = `the ${held === null ? 'file' : 'function'} is at opset ${this.version(owner)}`;
    if (names.length === 0) return at;
    const verb = names.length === 1 ? 'changes' : 'change';
    return `${at}: ${listed(names.map(printable))} ${verb} on the way to opset ${wanted}`;
  }

  /** Whether the model's version of ai.onnx is at least this one, and its source's was not. */
  isRaisedTo(version: number): boolean {
    return this.sourceVersion(null) < version && this.version(null) >= version;
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

  /** Whether the file has operators of com.microsoft, its source's own included: no other runtime has them. */
  usesMicrosoft(): boolean {
    return this.needed.size > 0 || this.usedDomains().has('com.microsoft');
  }

  /** Leave out imports of domains that no node is of: onnxruntime adds its own when it writes a model. */
  dropUnused(): Edit[] {
    const used = new Set(['', ...(this.needed.size > 0 ? ['com.microsoft'] : [])]);
    for (const domain of this.usedDomains()) used.add(domain);
    return this.index.opsets
      .filter(({ domain }) => !used.has(domain))
      .map(({ span }) => ({ ...span, pieces: [], frame: null }));
  }

  private usedDomains(): ReadonlySet<string> {
    const domains = new Set<string>();
    for (const graph of [this.index.graph, ...this.index.functions]) addDomains(graph, domains);
    return domains;
  }

  edits(fileSize: number): Edit[] {
    return [...this.raiseEdits(fileSize), ...this.irEdits(), ...this.importEdits(fileSize)];
  }

  private sourceVersion(owner: GraphRecord | null): number {
    return this.importsOf(owner).find((opset) => opset.domain === '')?.version ?? 1;
  }

  private raiseEdits(fileSize: number): Edit[] {
    return [...this.raised].map(([owner, version]) => {
      const entry = this.importsOf(owner).find((opset) => opset.domain === '');
      const span = entry?.span ?? this.endOf(owner, fileSize);
      return this.importEdit(owner, span, opsetMessage('', version));
    });
  }

  private importsOf(owner: GraphRecord | null): readonly OpsetRecord[] {
    return owner === null ? this.index.opsets : owner.opsets;
  }

  /** Where the fields of the model or a function end. */
  private endOf(owner: GraphRecord | null, fileSize: number): Span {
    const at = owner === null ? fileSize : owner.frame.end;
    return { start: at, end: at };
  }

  private importEdit(owner: GraphRecord | null, span: Span, message: Piece): Edit {
    const number = owner === null ? MODEL_OPSET_IMPORT : FUNCTION_OPSET_IMPORT;
    return { ...span, pieces: field(number, [message]), frame: owner?.frame ?? null };
  }

  private irEdits(): Edit[] {
    if (this.irVersion === this.index.irVersion) return [];
    const span = this.index.irVersionSpan ?? { start: 0, end: 0 };
    const bytes = Buffer.concat([encodeVarint(MODEL_IR_VERSION * 8), encodeVarint(this.irVersion)]);
    return [{ ...span, pieces: [{ kind: 'bytes', bytes }], frame: null }];
  }

  private importEdits(fileSize: number): Edit[] {
    const message = opsetMessage('com.microsoft', 1);
    return [...this.needed]
      .filter((owner) => !this.importsOf(owner).some(({ domain }) => domain === 'com.microsoft'))
      .map((owner) => this.importEdit(owner, this.endOf(owner, fileSize), message));
  }
}
