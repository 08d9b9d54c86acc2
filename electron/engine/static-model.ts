import type { ActivationDetail, LayerActivation } from '../../shared/activations.ts';
import { packedBytes } from '../../shared/dtypes.ts';
import type { Ranges } from '../../shared/ranges.ts';
import type { Recipe } from '../../shared/recipe.ts';
import { Activations } from './activations.ts';
import type { PreparedModel } from './calibrate/prepared.ts';
import { PreparedView, type StoredActivations } from './prepared-view.ts';
import type { Session } from './session.ts';

/** Of a scale in float32. */
const SCALE_BYTES = 4;

/** A calibrated model in mode static. */
export class StaticModel extends PreparedView {
  /** Those that the prepared model's plans go by. */
  readonly ranges: Ranges;
  private readonly activations: Activations;

  /** @param ranges those that the prepared model's plans go by */
  constructor(source: Session, prepared: PreparedModel, ranges: Ranges) {
    super(source, prepared);
    this.ranges = ranges;
    this.activations = new Activations(prepared.session.opened.graph(), ranges);
  }

  /** The weights that operators on integers take, with the biases of these. */
  onIntegers(recipe: Recipe): ReadonlyMap<number, readonly number[]> {
    const { sourceOf, preparedOf } = this.numbers;
    const plan = this.session.plan(recipe, 'static');
    const taken = new Map<number, readonly number[]>();
    for (const [source, own] of preparedOf) {
      const operator = this.activations.integerTaker(own, plan);
      if (operator === null) continue;
      const bias = operator.bias === undefined ? undefined : sourceOf.get(operator.bias.tensor);
      taken.set(source, bias === undefined ? [] : [bias]);
    }
    return taken;
  }

  /** What an ONNX file stores for the values between operators: a scale and a zero point each. */
  storedActivations(recipe: Recipe): StoredActivations {
    const { model } = this.session.opened;
    const schemes = this.session
      .plan(recipe, 'static')
      .activations.flatMap(({ scheme }) =>
        scheme === null || model.format !== 'onnx' ? [] : [scheme],
      );
    const bytes = schemes.reduce((sum, { dtype }) => sum + SCALE_BYTES + packedBytes(dtype, 1), 0);
    return { values: schemes.length, bytes };
  }

  /** The outputs of the operators of all weights, in the source's order. */
  layerActivations(recipe: Recipe): readonly LayerActivation[] {
    const plan = this.session.plan(recipe, 'static');
    return [...this.numbers.preparedOf].flatMap(([tensor, own]) => {
      if (this.tensors[tensor]!.role !== 'weight') return [];
      return this.activations.of(own, tensor, plan) ?? [];
    });
  }

  /** All that is known of the output of one weight's operator; null where none is. */
  activation(tensor: number, recipe: Recipe, bins: number): ActivationDetail | null {
    const own = this.numbers.preparedOf.get(tensor);
    if (own === undefined) return null;
    const plan = this.session.plan(recipe, 'static');
    return this.activations.detail(own, tensor, { plan, recipe, bins });
  }
}
