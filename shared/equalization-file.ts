import * as v from 'valibot';
import { MOST_EXPONENT, type Equalization } from './equalization.ts';

const finite = v.pipe(v.number(), v.finite());

/** Checks Equalization. */
export const equalizationSchema = v.strictObject({
  layers: v.array(
    v.strictObject({
      name: v.string(),
      result: v.string(),
      takers: v.array(v.string()),
      exponents: v.array(
        v.pipe(v.number(), v.integer(), v.minValue(-MOST_EXPONENT), v.maxValue(MOST_EXPONENT)),
      ),
    }),
  ),
  left: v.array(v.strictObject({ name: v.string(), reason: v.string() })),
  dropped: v.optional(v.string()),
  tried: v.optional(v.strictObject({ without: v.nullable(finite), with: v.nullable(finite) })),
});

/** What a text says was equalized; null where it says nothing of that. */
export function equalizationOfText(text: string): Equalization | null {
  try {
    const result = v.safeParse(equalizationSchema, JSON.parse(text));
    return result.success ? result.output : null;
  } catch {
    return null;
  }
}
