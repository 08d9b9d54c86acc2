"""Cross-layer equalization (Nagel et al. 2019, "Data-Free Quantization Through Weight Equalization and Bias Correction",
equation 11) and SmoothQuant (Xiao et al. 2022, equation 4) in numpy float64, with factors rounded to powers of two, and
relative to the median factor; magnitudes are the larger of those of weights and of results.

A model of five layers: Conv -> Relu -> depthwise Conv -> Relu -> Conv, and LayerNormalization -> two MatMuls.
"""

import numpy as np
from golden import encoded, write


def exponents(made, taken, share):
    """By channel: the exponent of the factor that brings made and taken near each other."""
    wanted = (1 - share) * np.log2(taken) - share * np.log2(made)
    return np.rint(wanted - np.sort(wanted)[len(wanted) // 2])


def larger(weights, results):
    """By channel: what is further above its median."""
    return np.maximum(weights / np.sort(weights)[len(weights) // 2], results / np.sort(results)[len(results) // 2])


def equalized(results, first, bias, deep, deep_bias, last):
    """Factors of the first two Convs, each by what the other's leave, until they settle; and all weights with these."""
    factors = np.zeros((2, len(deep)))
    rows, columns = abs(first).max((1, 2, 3)), abs(last).max((0, 2, 3))
    both = abs(deep).max((1, 2, 3))
    while True:
        before = factors.copy()
        factors[0] = exponents(larger(rows, results[0]), both * 2.0 ** factors[1], 0.5)
        factors[1] = exponents(larger(both / 2.0 ** factors[0], results[1]), columns, 0.5)
        if (factors == before).all():
            break
    one, two = 2.0 ** factors
    wide = lambda factor: factor.reshape(-1, 1, 1, 1)
    made = first * wide(one), bias * one, deep / wide(one) * wide(two), deep_bias * two
    return factors, *made, last / two.reshape(1, -1, 1, 1)


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
    magnitudes = lambda scale: np.float64(np.float32(abs(rng.normal(size=7)) * 2.0 ** rng.integers(-2, 6, 7) * scale))
    results = magnitudes(1), magnitudes(4)
    factors, *found = equalized(results, *stored.values())
    after = dict(zip(stored, found))
    norm = {"scale": normal(7) * 4, "shift": normal(7), "q": normal(7, 3), "k": normal(7, 4)}
    peaks = magnitudes(1)
    smooth, scale, shift, (q, k) = smoothed(norm["scale"], norm["shift"], (norm["q"], norm["k"]), peaks)
    after |= {"scale": scale, "shift": shift, "q": q, "k": k}
    bits = lambda values: encoded(values.astype(np.float32))
    tensors = [
        {"name": name, "dims": list(values.shape), "before": bits(values), "after": bits(after[name])}
        for name, values in (stored | norm).items()
    ]
    named = {"c": factors[0], "d": factors[1], "n": smooth}
    exact = {name: values.astype(int).tolist() for name, values in named.items()}
    write("equalize.json", "numpy " + np.__version__, {"peaks": {"c+": results[0].tolist(), "d+": results[1].tolist(), "n": peaks.tolist()}, "exponents": exact, "tensors": tensors})


if __name__ == "__main__":
    main()
