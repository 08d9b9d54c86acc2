import { append } from '../../../../../shared/lists.ts';
import { valueKey, type ValueRef } from '../../../../../shared/graph.ts';
import type { EqualizablePart, Equalizables, ScaledTensor } from '../../format.ts';
import { addedTo, multiplies, sourceOf, takerOf, type Carrying } from './carriers.ts';
import { broadcast, type ChannelAxis } from './channel-axis.ts';
import { passed, type ReadIntegers } from './passing.ts';

/** Operators that are told of where they have no part. */
const TOLD: ReadonlySet<string> = new Set(['Conv', 'ConvTranspose', 'Gemm', 'MatMul']);

/**
 * Where factors of channels can be moved from the weights that take a value to those that make it, exactly: cross-layer
 * equalization (Nagel et al. 2019, "Data-Free Quantization Through Weight Equalization and Bias Correction", 4.1) and
 * what norms carry (Xiao et al. 2022, "SmoothQuant").
 */
export function findEqualizables(model: Carrying, readIntegers: ReadIntegers): Equalizables {
  const parts: EqualizablePart[] = [];
  const left: { operator: number; reason: string }[] = [];
  for (const { id, op, graph } of model.graph.operators) {
    if (graph !== '') continue;
    const found = new Walk(model, readIntegers).from(id);
    if (found !== null && typeof found !== 'string') parts.push(found);
    else if (found !== null && TOLD.has(op)) left.push({ operator: id, reason: found });
  }
  return { parts, left };
}

/** Follows a value through all operators that take it, up to weights. */
class Walk {
  private readonly model: Carrying;
  private readonly readIntegers: ReadIntegers;
  private readonly made: ScaledTensor[] = [];
  private readonly taken: ScaledTensor[] = [];
  private readonly takers: number[] = [];
  private readonly values = new Map<string, number>();
  /** By operator that was passed: the input. */
  private readonly through = new Map<number, number>();
  private channels = 0;

  constructor(model: Carrying, readIntegers: ReadIntegers) {
    [this.model, this.readIntegers] = [model, readIntegers];
  }

  /** @returns why there is nothing; null where the operator has no weights */
  from(operator: number): EqualizablePart | string | null {
    const source = sourceOf(this.model, operator);
    if (source === null || typeof source === 'string') return source;
    append(this.made, source.scaled);
    this.channels = source.channels;
    const why = this.follow(operator, source.axis);
    if (why !== null) return why;
    const { channels, made, taken, takers } = this;
    if (taken.length === 0) return 'no weight takes its result';
    return { operator, channels, made, taken, takers, values: [...this.values] };
  }

  /** Follow an operator's first output. @returns why it has no factors */
  private follow(operator: number, axis: ChannelAxis): string | null {
    const { operators, values } = this.model.graph;
    const [output] = operators[operator]!.outputs;
    if (output === undefined || output === null) return 'its result has no name';
    const { isOutput, consumers } = values[output]!;
    if (isOutput) return 'its result is an output of the model';
    this.note(values[output]!, axis);
    for (const consumer of consumers) {
      if (consumer.isInner) return 'a body of If, Loop or Scan takes its result';
      const why = this.into(consumer.operator, consumer.input, axis);
      if (why !== null) return why;
    }
    return null;
  }

  /** Note a value that may be quantized: codes need only what a Relu lets through. */
  private note(value: ValueRef, { front, end }: ChannelAxis): void {
    const { operators } = this.model.graph;
    const [first, second] = value.consumers;
    const isRectified = second === undefined && operators[first?.operator ?? -1]?.op === 'Relu';
    if (!isRectified) this.values.set(valueKey(value), end === null ? front! : -end);
  }

  private into(operator: number, input: number, axis: ChannelAxis): string | null {
    const { graph } = this.model;
    const { op } = graph.operators[operator]!;
    if (multiplies(this.model, operator, input)) {
      const taker = takerOf(this.model, operator, axis, this.channels);
      if (typeof taker === 'string') return taker;
      this.taken.push(taker);
      this.takers.push(operator);
      return null;
    }
    if ((this.through.get(operator) ?? input) !== input) return `${op} takes its result twice`;
    if (this.through.has(operator)) return null;
    this.through.set(operator, input);
    const { channels, readIntegers } = this;
    const next =
      this.added(operator, input, axis) ??
      passed({ graph, operator, input, channels, readIntegers }, axis);
    if (typeof next === 'string') return next;
    return next === null
      ? `${op} takes its result and passes no factors on`
      : this.follow(operator, next);
  }

  /** After the Add or Sub of a constant; null where it is neither. */
  private added(operator: number, input: number, axis: ChannelAxis): ChannelAxis | string | null {
    const { op, domain, inputs } = this.model.graph.operators[operator]!;
    const other = inputs[1 - input];
    if (domain !== '' || (op !== 'Add' && op !== 'Sub') || other?.kind !== 'tensor') return null;
    const constant = addedTo(this.model, other.tensor, axis, this.channels);
    if (typeof constant === 'string') return constant;
    this.made.push(constant);
    return broadcast(axis);
  }
}
