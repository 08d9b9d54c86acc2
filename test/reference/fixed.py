"""CMSIS-DSP's conversions to Q7, Q15 and Q31, written out in numpy's float32.

arm_float_to_q7, _q15 and _q31 multiply in float32 by 2^n, convert, and saturate (SSAT or
clip_q63_to_q31). Without ARM_MATH_ROUNDING the conversion truncates toward zero, as C does.
"""

import numpy as np
from golden import encoded, write

FORMATS = {"q7": (7, np.int8), "q15": (15, np.int16), "q31": (31, np.int32)}


def values():
    rng = np.random.default_rng(77)
    normal = (rng.standard_normal(400) * 0.4).astype(np.float32)
    edges = [1, -1, 0.99999994, -1.0000001, 0.9921875, 0.99609375, -0.99609375, 1.5, -2, 1e30, -1e30, 0, -0.0, 1e-45]
    ties = [(k + 0.5) / 128 for k in range(-129, 129, 7)] + [(k + 0.5) / 32768 for k in range(-9, 9)]
    return np.concatenate([normal, np.float32(edges), np.float32(ties)])


def converted(given, name, rounding):
    bits, kind = FORMATS[name]
    with np.errstate(over="ignore"):
        scaled = given * np.float32(2**bits)
    assert scaled.dtype == np.float32
    integer = (np.trunc if rounding == "zero" else np.rint)(scaled).astype(np.float64)
    return np.clip(integer, -(2.0**bits), 2.0**bits - 1).astype(kind)


def main():
    given = values()
    cases = [
        {"dtype": name, "rounding": rounding, "codes": encoded(converted(given, name, rounding))}
        for name in FORMATS
        for rounding in ("even", "zero")
    ]
    write("fixed.json", f"numpy {np.__version__}", {"values": encoded(given), "cases": cases})


if __name__ == "__main__":
    main()
