"""Ranges of onnxruntime's entropy calibration on whole tensors, with 2048 bins."""

import contextlib
import io

import numpy as np
import onnxruntime
from golden import encoded, write
from onnxruntime.quantization.calibrate import HistogramCollector


def tensors():
    rng = np.random.default_rng(5)
    yield "normal", rng.standard_normal(5000).astype(np.float32)
    yield "outliers", np.concatenate([rng.standard_normal(3990), rng.standard_normal(10) * 30]).astype(np.float32)
    yield "one-sided", np.abs(rng.standard_normal(3000)).astype(np.float32)
    yield "heavy tails", rng.standard_t(4, 4000).astype(np.float32)
    yield "uniform", rng.uniform(-1, 1, 3000).astype(np.float32)


def entropy_range(values, levels):
    collector = HistogramCollector(
        method="entropy", symmetric=False, num_bins=2048, num_quantized_bins=levels, percentile=99.99, scenario="same"
    )
    with contextlib.redirect_stdout(io.StringIO()):
        collector.collect({"x": [values]})
        low, high = collector.compute_collection_result()["x"][:2]
    return float(low), float(high)


def main():
    cases = []
    for name, values in tensors():
        ranges = [[levels, *entropy_range(values, levels)] for levels in (8, 128)]
        cases.append({"name": name, "values": encoded(values), "ranges": ranges})
    write("entropy.json", f"onnxruntime {onnxruntime.__version__}", {"cases": cases})


if __name__ == "__main__":
    main()
