"""Casts between float types: torch for float32, numpy and exact fractions for float64."""

from fractions import Fraction

import numpy as np
import torch
from golden import encoded, sha256, write

PATTERNS = np.arange(65536, dtype=np.uint32)


def cast(bits, dtype):
    """Bit patterns that torch rounds float32 bit patterns to, every NaN as the quiet one."""
    values = torch.from_numpy(np.ascontiguousarray(bits.astype(np.uint32)).view(np.float32).copy())
    result = values.to(dtype)
    patterns = result.view(torch.int16).numpy().view(np.uint16).copy()
    patterns[torch.isnan(result).numpy()] = 0x7E00 if dtype == torch.float16 else 0x7FC0
    return patterns


def widened(dtype):
    """Float32 bit patterns of all 65,536 patterns of a 16-bit type, every NaN as the quiet one."""
    narrow = torch.from_numpy(PATTERNS.astype(np.uint16).view(np.int16).copy()).view(dtype)
    wide = narrow.to(torch.float32)
    bits = wide.view(torch.int32).numpy().view(np.uint32).copy()
    bits[torch.isnan(wide).numpy()] = 0x7FC00000
    return bits


def around_ties(dtype):
    """Float32 patterns at, and one step to each side of, the half-way points above every value."""
    bits = widened(dtype).astype(np.int64)
    half = 0x1000 if dtype == torch.float16 else 0x8000
    return np.concatenate([(bits + half + step) & 0xFFFFFFFF for step in (-1, 0, 1)]).astype(np.uint32)


def scattered():
    """65,536 float32 patterns spread over all of them."""
    return (PATTERNS.astype(np.uint64) * 65537 % 2**32).astype(np.uint32)


EDGES = np.float32(
    [0.0, -0.0, 1.0, -1.0, 65504, 65519.996, 65520, -65520, 1e30, np.inf, -np.inf, 2**-14, 2**-15,
     2**-24, 2**-25, 2.9802326e-08, -(2**-24), 6.0e-8, 1e-45, 3.3895314e38, 3.3961776e38, 3.4028235e38,
     9.2e-41, 4.6e-41, 4.5918e-41, 1.00048828125, 1.001464843, 1.00390625, 1.01171875]
)


def float64_values():
    """Doubles that two roundings, by way of float32, would get wrong, and their neighbours."""
    values = []
    for bits in (10, 7):
        for base in (1.0, 1.0 + 2.0**-bits, 1.5, 2.0**-10, 1000.0):
            step = 2.0 ** (np.floor(np.log2(base)) - bits)
            tie = base + step / 2
            values += [tie, np.nextafter(tie, np.inf), np.nextafter(tie, -np.inf), tie + step * 2.0**-30, tie - step * 2.0**-30]
    values += [65520.0, np.nextafter(65520.0, 0), 2.0**-25, np.nextafter(2.0**-25, 1), 1e300, -1e300, 5e-324, 1e-310]
    values += [3.3961775292304957e38, np.nextafter(3.3961775292304957e38, 0), 2.0**-134, np.nextafter(2.0**-134, 1)]
    rng = np.random.default_rng(3)
    values += list(rng.standard_normal(400) * 10.0 ** rng.integers(-9, 6, 400))
    values += list(rng.standard_normal(100) * 10.0 ** rng.integers(-42, 39, 100))
    return np.float64(values)


def bfloat16_of(value):
    """Exactly rounded bfloat16 pattern of a double, in integer arithmetic."""
    sign = 0x8000 if np.signbit(value) else 0
    exact = abs(Fraction(float(value)))
    candidates = np.arange(0x7F81, dtype=np.uint32)
    wide = (candidates << 16).view(np.float32)
    place = int(np.searchsorted(wide[:0x7F80].astype(np.float64), abs(float(value)), side="right")) - 1
    below = Fraction(float(wide[place]))
    above = Fraction(2) ** 128 if place + 1 >= 0x7F80 else Fraction(float(wide[place + 1]))
    if exact - below < above - exact:
        return sign | place
    if exact - below > above - exact:
        return sign | (place + 1)
    return sign | (place if place % 2 == 0 else place + 1)


def main():
    content = {}
    for name, dtype in (("float16", torch.float16), ("bfloat16", torch.bfloat16)):
        doubles = float64_values()
        if name == "float16":
            with np.errstate(over="ignore"):
                from_doubles = doubles.astype(np.float16).view(np.uint16)
        else:
            from_doubles = np.uint16([min(bfloat16_of(v), 0xFF80) for v in doubles])
        content[name] = {
            "widenedSha256": sha256(widened(dtype)),
            "narrowedSha256": sha256(cast(widened(dtype), dtype)),
            "tiesSha256": sha256(cast(around_ties(dtype), dtype)),
            "scatteredSha256": sha256(cast(scattered(), dtype)),
            "edges": encoded(cast(EDGES.view(np.uint32), dtype)),
            "fromFloat64": encoded(from_doubles),
        }
    content["edges"] = encoded(EDGES)
    content["float64"] = encoded(float64_values())
    write("casts.json", f"torch {torch.__version__}, numpy {np.__version__}", content)


if __name__ == "__main__":
    main()
