"""Cross-layer equalization (Nagel et al. 2019, "Data-Free Quantization Through Weight Equalization and Bias Correction",
equation 11) and SmoothQuant (Xiao et al. 2022, equation 4) in numpy float64, with factors rounded to powers of two, and
relative to the median factor.

A model of five layers: Conv -> Relu -> depthwise Conv -> Relu -> Conv, and LayerNormalization -> two MatMuls.
"""

import numpy as np
from golden import encoded, write


def exponents(made, taken, share, own=0):
    """By channel: the exponent of the factor that brings made and taken, which have own already, near each other."""
    wanted = own + (1 - share) * np.log2(taken) - share * np.log2(made)
    return np.rint(wanted - np.sort(wanted)[len(wanted) // 2])


def equalized(first, bias, deep, deep_bias, last):
    """Factors of the first two Convs, which settle in sweeps, and all weights with these."""
    factors = np.zeros((2, len(deep)))
    while True:
        before = factors.copy()
        factors[0] = exponents(abs(first).max((1, 2, 3)), abs(deep).max((1, 2, 3)), 0.5, before[0])
        first, bias, deep = scaled(first, bias, deep, factors[0] - before[0])
        factors[1] = exponents(abs(deep).max((1, 2, 3)), abs(last).max((0, 2, 3)), 0.5, before[1])
        two = 2.0 ** (factors[1] - before[1])
        deep, deep_bias = deep * two.reshape(-1, 1, 1, 1), deep_bias * two
        last = last / two.reshape(1, -1, 1, 1)
        if (factors == before).all():
            return factors, first, bias, deep, deep_bias, last


def scaled(first, bias, deep, step):
    """Factors moved from a depthwise Conv into the one before it."""
    two = (2.0**step).reshape(-1, 1, 1, 1)
    return first * two, bias * two.ravel(), deep / two


def smoothed(scale, shift, weights, peaks):
    found = exponents(peaks, np.max([abs(w).max(1) for w in weights], 0), 0.75)
    two = 2.0**found
    return found, scale * two, shift * two, [w / two.reshape(-1, 1) for w in weights]


def main():
    rng = np.random.default_rng(20)
    normal = lambda *shape: rng.normal(size=shape).astype(np.float32).astype(np.float64)
    spread = (2.0 ** rng.integers(-5, 6, 7)).reshape(-1, 1, 1, 1)
    first, bias, deep, deep_bias = normal(7, 2, 1, 1) * spread, normal(7), normal(7, 1, 2, 2), normal(7)
    last = normal(3, 7, 1, 1) * 2.0 ** rng.integers(-3, 4, 7).reshape(1, -1, 1, 1)
    stored = {"first": first, "bias": bias, "deep": deep, "deep bias": deep_bias, "last": last}
    factors, *found = equalized(*stored.values())
    after = dict(zip(stored, found))
    norm = {"scale": normal(7) * 4, "shift": normal(7), "q": normal(7, 3), "k": normal(7, 4)}
    peaks = np.float64(np.float32(abs(rng.normal(size=7)) * 2.0 ** rng.integers(-2, 6, 7)))
    smooth, scale, shift, (q, k) = smoothed(norm["scale"], norm["shift"], (norm["q"], norm["k"]), peaks)
    after |= {"scale": scale, "shift": shift, "q": q, "k": k}
    bits = lambda values: encoded(values.astype(np.float32))
    tensors = [
        {"name": name, "dims": list(values.shape), "before": bits(values), "after": bits(after[name])}
        for name, values in (stored | norm).items()
    ]
    named = {"c": factors[0], "d": factors[1], "n": smooth}
    exact = {name: values.astype(int).tolist() for name, values in named.items()}
    write("equalize.json", "numpy " + np.__version__, {"peaks": peaks.tolist(), "exponents": exact, "tensors": tensors})


if __name__ == "__main__":
    main()
