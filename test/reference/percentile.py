"""Percentiles of float64 and float32 data, computed by numpy in float64."""

import numpy as np
from golden import encoded, write

PERCENTS = [0.01, 1, 12.5, 25, 33.3, 50, 66.6, 75, 90, 99, 99.9, 99.99, 99.999, 100]


def tensors():
    rng = np.random.default_rng(11)
    yield "normal", rng.standard_normal(1999)
    yield "heavy tails", rng.standard_t(2, 500)
    yield "many equal values", np.round(rng.standard_normal(300), 1)
    yield "one value", np.float64([3.25])
    yield "two values", np.float64([-1.5, 2.0])
    yield "zeros of both signs", np.float64([0.0, -0.0, 0.0, -0.0, 1.0])
    yield "subnormal and huge", np.float64([5e-324, 1e-310, -1e-320, 1e300, -1e300, 1.0, 2.0])


def percentiles(values):
    values = values.astype(np.float64)
    return {
        "plain": encoded(np.percentile(values, PERCENTS)),
        "opposite": encoded(np.percentile(values, [100 - p for p in PERCENTS])),
        "magnitude": encoded(np.percentile(np.abs(values), PERCENTS)),
    }


def main():
    cases = []
    for name, values in tensors():
        cases.append({"name": name, "dtype": "float64", "values": encoded(values), **percentiles(values)})
        if name != "subnormal and huge":
            single = values.astype(np.float32)
            cases.append({"name": name, "dtype": "float32", "values": encoded(single), **percentiles(single)})
    rng = np.random.default_rng(12)
    values = rng.standard_normal((4, 6, 25)).astype(np.float32)
    channels = []
    for axis in range(3):
        rows = np.moveaxis(values, axis, 0).reshape(values.shape[axis], -1).astype(np.float64)
        channels.append({
            "axis": axis,
            "magnitude": encoded(np.percentile(np.abs(rows), 97.5, axis=1)),
            "low": encoded(np.percentile(rows, 2.5, axis=1)),
            "high": encoded(np.percentile(rows, 97.5, axis=1)),
        })
    per_channel = {"shape": list(values.shape), "values": encoded(values), "percent": 97.5, "channels": channels}
    content = {"percents": PERCENTS, "cases": cases, "perChannel": per_channel}
    write("percentile.json", f"numpy {np.__version__}", content)


if __name__ == "__main__":
    main()
