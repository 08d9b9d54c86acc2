import type { ModelGraph, Operand, OperatorRef, ValueRef } from '../../../shared/graph.ts';
import type { SkippedLayer } from '../../../shared/layer-errors.ts';
import { addTo } from '../../../shared/lists.ts';
import type { TensorRef } from '../../../shared/model.ts';
import type { Graphed } from '../calibrate/counterparts.ts';
import { mainOperators, Matching } from './matching.ts';

/** An operator of the original that an export quantizes: what computes it in the export. */
export interface Layer {
  /** The original's operator. */
  readonly name: string;
  readonly op: string;
  /** Its number in the original's graph. */
  readonly operator: number;
  /** Its weights in the original, by number. */
  readonly tensors: readonly number[];
  readonly outputs: readonly LayerValue[];
  /**
   * Values of the export that are cast to give the outputs. onnxruntime computes float16 in float32 where it has no
   * kernel, and rounds what it hands on only where it is observed.
   */
  readonly rounded: readonly string[];
  /** The export's operators that make the outputs of the inputs, in the order of execution. */
  readonly operators: readonly number[];
  /** What these take of other layers. */
  readonly inputs: readonly LayerValue[];
}

/** One value: its name in the original, and what stands for it in the export. */
export interface LayerValue {
  readonly original: string;
  readonly exported: string;
}

/** What quantizes, or computes on what is quantized. */
const QUANTIZING =
  /^(Dynamic)?Quantize|^Dequantize|^Q(Linear|Gemm|Attention|MoE|Ordered)|Quantized|^MatMul(NBits|Integer)|^ConvInteger|^(DE)?QUANTIZE$/;

/** Operators whose bodies take values of the graph around them by name. */
const HAS_BODY: ReadonlySet<string> = new Set(['If', 'Loop', 'Scan', 'SequenceMap']);

/** The layers that an export quantizes, in the original's order of execution, and what of it belongs to none. */
export function findLayers(
  original: Graphed,
  exported: Graphed,
): { readonly layers: readonly Layer[]; readonly skipped: readonly SkippedLayer[] } {
  return new Finder(original, exported).find();
}

/** Whether a stored tensor of the export is not the original's of its name. */
function differs(tensor: TensorRef, same: TensorRef | undefined): boolean {
  if (same === undefined) return isNarrow(tensor);
  return same.dtype !== tensor.dtype || same.shape.join() !== tensor.shape.join();
}

/** Codes, and floats of 16 bits. A float32 tensor under a new name was computed of others, as in a folded normalization. */
function isNarrow({ dtype, quantization }: TensorRef): boolean {
  return quantization !== null || dtype === 'float16' || dtype === 'bfloat16';
}

class Finder {
  private readonly original: Graphed;
  private readonly exported: Graphed;
  private readonly matching: Matching;
  private readonly tensors: ReadonlyMap<string, TensorRef>;
  /** The weights of the original's operators, by kind and name of these. */
  private readonly weights = new Map<string, number[]>();
  /** The original's operators by kind and name. */
  private readonly operators: ReadonlyMap<string, OperatorRef>;

  constructor(original: Graphed, exported: Graphed) {
    [this.original, this.exported] = [original, exported];
    this.matching = new Matching(original.graph(), exported.graph());
    const inMain = original.model.tensors.filter(({ graph }) => graph === '');
    this.tensors = new Map(inMain.map((tensor) => [tensor.name, tensor]));
    for (const { id, role, op, layer, consumers } of inMain) {
      if (role !== 'weight' && role !== 'embedding') continue;
      // Behind an operator that restores it, a weight is its layer's as well.
      const keys = [...consumers.map((each) => `${each.op} ${each.node}`), `${op} ${layer}`];
      for (const key of new Set(keys)) addTo(this.weights, key, id);
    }
    this.operators = new Map(
      mainOperators(original.graph()).map((each) => [`${each.op} ${each.name}`, each]),
    );
  }

  find(): { layers: Layer[]; skipped: SkippedLayer[] } {
    const [layers, skipped]: [Layer[], SkippedLayer[]] = [[], []];
    const covered = new Set<number>();
    for (const operator of mainOperators(this.original.graph())) {
      const cut = this.cut(operator);
      if (cut === null || !this.isQuantized(operator, cut)) continue;
      for (const id of cut.operators) covered.add(id);
      if (cut.problem === null) layers.push({ ...this.named(operator, cut), ...cut });
      else skipped.push({ name: operator.name, reason: cut.problem });
    }
    return { layers, skipped: [...skipped, ...this.uncovered(covered), ...this.inBodies()] };
  }

  /** What makes an operator's outputs in the export; null where the export has none of them. */
  private cut({ outputs }: OperatorRef): Cut | null {
    const { values } = this.original.graph();
    const own = outputs.flatMap((output) => {
      const name = output === null ? null : values[output]!.name;
      const exported = name === null ? null : this.matching.counterpartOf(name);
      return name === null || exported === null ? [] : [{ name, exported }];
    });
    if (own.length === 0) return null;
    return new Cut(this.exported.graph(), this.matching, own);
  }

  private isQuantized({ op, outputs }: OperatorRef, cut: Cut): boolean {
    const { operators, values } = this.exported.graph();
    if (cut.isRenamed || this.makesCodes(outputs, values)) return true;
    const isOwn = (each: OperatorRef): boolean =>
      each.op === op && each.outputs.length === outputs.length;
    return [...cut.changing].some((id) => {
      const each = operators[id]!;
      // What restores a stored tensor counts where that is not the original's.
      const isRestore = each.op === 'DEQUANTIZE' && each.inputs[0]?.kind === 'tensor';
      if (!isRestore && !isOwn(each) && (QUANTIZING.test(each.op) || each.op === 'Cast'))
        return true;
      return each.inputs.some((input) => {
        if (input?.kind !== 'tensor') return false;
        const tensor = this.exported.model.tensors[input.tensor]!;
        return isFloatOrCodes(tensor) && differs(tensor, this.tensors.get(tensor.name));
      });
    });
  }

  /** Whether outputs are codes that are floats in the original. */
  private makesCodes(outputs: OperatorRef['outputs'], values: readonly ValueRef[]): boolean {
    return outputs.some((output) => {
      if (output === null) return false;
      const { name, isCodes } = this.original.graph().values[output]!;
      const exported = this.matching.counterpartOf(name);
      return isCodes !== true && exported !== null && values[exported]!.isCodes === true;
    });
  }

  /** By the operator that computes: the original has it by its name, even where others were folded into it. */
  private named(
    operator: OperatorRef,
    cut: Cut,
  ): Pick<Layer, 'name' | 'op' | 'operator' | 'tensors'> {
    const { operators } = this.exported.graph();
    const found = [...cut.operators]
      .reverse()
      .map((id) => this.namesake(operators[id]!))
      .find((each) => each !== undefined);
    const { id, name, op } = found ?? operator;
    return { name, op, operator: id, tensors: this.weights.get(`${op} ${name}`) ?? [] };
  }

  /** The original's operator of an export's: by its name, or by its weight where it has taken the name of what was folded in. */
  private namesake({ op, name, inputs }: OperatorRef): OperatorRef | undefined {
    const found = this.operators.get(`${op} ${name}`);
    if (found !== undefined) return found;
    const weights = inputs.flatMap((input) =>
      input?.kind === 'tensor'
        ? (this.tensors.get(this.exported.model.tensors[input.tensor]!.name) ?? [])
        : [],
    );
    const weight = weights.find(({ role }) => role === 'weight' || role === 'embedding');
    return weight?.op === op ? this.operators.get(`${op} ${weight.layer}`) : undefined;
  }

  /** Operators on codes that no layer has. */
  private uncovered(covered: ReadonlySet<number>): SkippedLayer[] {
    const { operators, values } = this.exported.graph();
    const names = new Map<string, string>();
    for (const { id, op, name, outputs } of mainOperators(this.exported.graph())) {
      const output = typeof outputs[0] === 'number' ? values[outputs[0]]! : undefined;
      const isOwn = output !== undefined && this.matching.originOf(output.id) === output.name;
      if (covered.has(id) || !QUANTIZING.test(op) || isOwn) continue;
      const takers = output?.consumers.map((each) => operators[each.operator]!) ?? [];
      const taker = takers.find(({ graph }) => graph === '') ?? takers[0];
      if (taker !== undefined && (taker.graph !== '' || QUANTIZING.test(taker.op))) continue;
      names.set(taker?.name ?? name, whyUncovered(op, taker));
    }
    return [...names].map(([name, reason]) => ({ name, reason }));
  }

  /** Layers in bodies of control flow and functions. */
  private inBodies(): SkippedLayer[] {
    const before = new Map(
      this.original.model.tensors
        .filter(({ graph }) => graph !== '')
        .map((tensor) => [`${tensor.graph}\n${tensor.name}`, tensor]),
    );
    const differing = this.exported.model.tensors.filter(
      (tensor) =>
        tensor.graph !== '' &&
        isFloatOrCodes(tensor) &&
        differs(tensor, before.get(`${tensor.graph}\n${tensor.name}`)),
    );
    // Bodies may have layers of the same name.
    const found = new Map(
      [
        ...differing.map(({ layer, name, graph }) => ({
          name: layer === '' ? name : layer,
          graph,
        })),
        ...this.replacedInBodies(),
        ...this.takingCodesInBodies(),
      ].map(({ name, graph }) => [JSON.stringify([graph, name]), { name, graph }]),
    );
    return [...found.values()].map(({ name, graph }) => ({ name, reason: inBody(graph) }));
  }

  /** Operators of bodies with weights that operators on codes replace. Preparation folds others. */
  private replacedInBodies(): OperatorRef[] {
    const inBodies = this.exported.graph().operators.filter(({ graph }) => graph !== '');
    const kept = new Set(inBodies.map(placeOf));
    const onCodes = new Set(
      inBodies.filter(({ op }) => QUANTIZING.test(op)).map(({ graph }) => graph),
    );
    const isWeight = (input: Operand): boolean =>
      input?.kind === 'tensor' && isFloatOrCodes(this.original.model.tensors[input.tensor]!);
    return this.original
      .graph()
      .operators.filter(
        (each) => onCodes.has(each.graph) && !kept.has(placeOf(each)) && each.inputs.some(isWeight),
      );
  }

  /** Operators of bodies that take what operators on codes give. */
  private takingCodesInBodies(): OperatorRef[] {
    const { operators, values } = this.exported.graph();
    const isRestored = (input: Operand): boolean => {
      const producer = input?.kind === 'value' ? values[input.value]!.producer : null;
      return producer !== null && QUANTIZING.test(operators[producer]!.op);
    };
    return operators.filter(
      ({ graph, op, inputs }) => graph !== '' && !QUANTIZING.test(op) && inputs.some(isRestored),
    );
  }
}

function whyUncovered(op: string, taker: OperatorRef | undefined): string {
  if (taker === undefined) return `is ${op}, whose output the original does not have`;
  return `takes what ${op} gives, and the original has none of its outputs`;
}

function inBody(graph: string): string {
  return `is in ${graph}, and layers of bodies are not measured`;
}

function placeOf({ graph, op, name }: OperatorRef): string {
  return JSON.stringify([graph, op, name]);
}

/** Floats, and codes that a model says how to read: shapes and indices are neither. */
function isFloatOrCodes({ dtype, quantization }: TensorRef): boolean {
  return quantization !== null || /^b?float(16|32|64)$/.test(dtype);
}

/** The part of an export between a layer's outputs and the values of others that it takes. */
class Cut {
  readonly outputs: readonly LayerValue[];
  readonly inputs: LayerValue[] = [];
  readonly operators: readonly number[];
  readonly rounded: string[] = [];
  /** Its operators without those that quantize another layer's output for all that take it: that layer counts them. */
  readonly changing = new Set<number>();
  /** Whether it takes or gives a value under another name than the original. */
  isRenamed: boolean;
  /** Why it cannot be measured; null where it can. */
  problem: string | null = null;
  private readonly graph: ModelGraph;
  private readonly matching: Matching;
  private readonly own: ReadonlySet<string>;

  constructor(
    graph: ModelGraph,
    matching: Matching,
    outputs: readonly { readonly name: string; readonly exported: number }[],
  ) {
    [this.graph, this.matching] = [graph, matching];
    this.own = new Set(outputs.map(({ name }) => name));
    this.outputs = outputs.map(({ name, exported }) => ({
      original: name,
      exported: graph.values[exported]!.name,
    }));
    this.isRenamed = this.outputs.some(({ original, exported }) => original !== exported);
    this.operators = this.walk(outputs.map(({ exported }) => exported));
  }

  /** The operators that make some values of others' values. */
  private walk(outputs: readonly number[]): number[] {
    const operators = new Set<number>();
    const seen = new Set<number>();
    const left = outputs.map((value) => ({ value, isOthers: false }));
    for (let next = left.pop(); next !== undefined; next = left.pop()) {
      const { value } = next;
      if (seen.has(value)) continue;
      seen.add(value);
      const isOthers = next.isOthers || this.isOthers(value) || this.restoresOthers(value);
      const producer = this.within(value);
      if (producer === null) {
        this.take(value, isOthers);
        continue;
      }
      if (operators.has(producer)) continue;
      operators.add(producer);
      if (!isOthers) this.changing.add(producer);
      const { op, inputs } = this.graph.operators[producer]!;
      if (op === 'Cast' && !isOthers && this.matching.isStep(producer))
        this.round(inputs[0] ?? null);
      if (HAS_BODY.has(op)) this.problem ??= `is ${op}, whose body takes values by their names`;
      for (const input of inputs)
        if (input?.kind === 'value') left.push({ value: input.value, isOthers });
    }
    return [...operators].sort((a, b) => a - b);
  }

  /** Whether a value has its name in the original and belongs to another layer. */
  private isOthers(value: number): boolean {
    const origin = this.matching.originOf(value);
    return origin === this.graph.values[value]!.name && !this.own.has(origin);
  }

  /** Whether a value is what the codes of another layer's output stand for. */
  private restoresOthers(value: number): boolean {
    const { producer } = this.graph.values[value]!;
    if (producer === null || !this.matching.isStep(producer)) return false;
    const [input] = this.graph.operators[producer]!.inputs;
    return input?.kind === 'value' && this.isOthers(input.value);
  }

  /** Whether an operator computes from stored tensors alone. */
  private isConstant(operator: number): boolean {
    const { inputs } = this.graph.operators[operator]!;
    return inputs.length > 0 && inputs.every((input) => input?.kind !== 'value');
  }

  /** The operator that makes a value, where it belongs to the layer; null where the value is an input of it. */
  private within(value: number): number | null {
    const { producer } = this.graph.values[value]!;
    const origin = this.matching.originOf(value);
    const isOwn = origin !== null && this.own.has(origin);
    if (producer === null) return null;
    if (origin === null || isOwn || this.matching.isStep(producer)) return producer;
    return this.isConstant(producer) ? producer : null;
  }

  /** Note what a cast of the layer's own output takes. */
  private round(input: Operand): void {
    const origin = input?.kind === 'value' ? this.matching.originOf(input.value) : null;
    if (input?.kind === 'value' && origin !== null && this.own.has(origin))
      this.rounded.push(this.graph.values[input.value]!.name);
  }

  private take(value: number, isOthers: boolean): void {
    const { name, isState } = this.graph.values[value]!;
    if (isState === true) this.problem ??= `keeps ${name} from run to run`;
    const origin = this.matching.originOf(value);
    if (origin === null) {
      this.problem ??= `takes ${name}, which the original does not have`;
      return;
    }
    this.inputs.push({ original: origin, exported: name });
    if (origin !== name && !isOthers) this.isRenamed = true;
  }
}
