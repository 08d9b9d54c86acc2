const view = new DataView(new ArrayBuffer(8));

/** A finite double as sign x significand x 2^exponent. */
function parts(value: number): { negative: boolean; significand: bigint; exponent: number } {
  view.setFloat64(0, value);
  const bits = view.getBigUint64(0);
  const field = Number((bits >> 52n) & 0x7ffn);
  const fraction = bits & ((1n << 52n) - 1n);
  return {
    negative: bits >> 63n === 1n,
    significand: field === 0 ? fraction : fraction | (1n << 52n),
    exponent: Math.max(field, 1) - 1075,
  };
}

/**
 * A finite double with so many decimals, worked out in whole numbers and rounded half to even: the
 * text of Python's format(value, '.60f') for 60, the sign of zero included.
 * @throws RangeError where the value is not finite
 */
export function exactDecimal(value: number, decimals = 60): string {
  if (!Number.isFinite(value)) throw new RangeError(`${value} has no decimals`);
  const { negative, significand, exponent } = parts(value);
  let scaled = significand * 10n ** BigInt(decimals);
  if (exponent >= 0) scaled <<= BigInt(exponent);
  else {
    const shift = BigInt(-exponent);
    const rest = BigInt.asUintN(-exponent, scaled);
    const half = 1n << (shift - 1n);
    scaled >>= shift;
    if (rest > half || (rest === half && (scaled & 1n) === 1n)) scaled++;
  }
  const digits = scaled.toString().padStart(decimals + 1, '0');
  const whole = digits.slice(0, digits.length - decimals);
  const text = decimals === 0 ? whole : `${whole}.${digits.slice(-decimals)}`;
  return negative ? `-${text}` : text;
}
