"""What npm run bench compares with: numpy and torch, as JSON on stdout, in milliseconds.

bench.py kernels                            histograms of 16M floats on one thread
bench.py gptq ROWS COLUMNS                  int4 in blocks of 32, scales searched, both orders, one thread
bench.py model LAYERS ROWS COLUMNS FILE     int8 per-channel report of raw float32, all cores
"""

import json
import os
import sys
import time

import gptq
import numpy as np
import torch

BINS = 2048


def median_time(task, runs):
    task()
    times = []
    for _ in range(runs):
        start = time.perf_counter()
        task()
        times.append(time.perf_counter() - start)
    return sorted(times)[runs // 2] * 1000


def kernels():
    torch.set_num_threads(1)
    values = (np.random.default_rng(1).standard_normal(1 << 24) * 0.05).astype(np.float32)
    tensor = torch.from_numpy(values)
    low, high = float(values.min()), float(values.max())
    return {
        "numpyHistogram": median_time(lambda: np.histogram(values, BINS, (low, high)), 5),
        "torchHistc": median_time(lambda: torch.histc(tensor, BINS, low, high), 5),
    }


def solve(rows, columns):
    """GPTQ as test/reference/gptq.py writes it out."""
    weights = (np.random.default_rng(1).standard_normal((rows, columns)) * 0.05).astype(np.float32)
    at = np.arange(columns)
    moments = (0.9 ** abs(at[:, None] - at)).astype(np.float32)
    start = time.perf_counter()
    for order in (at, at[::-1].copy()):
        gptq.gptq(weights, moments, order, 32, 4, None, False)
    return {"gptq": (time.perf_counter() - start) * 1000}


def report(weight):
    """Everything that a row of Quantscope's report has, for the output channels of [K, N]."""
    low, high = torch.aminmax(weight)
    low, high = low.item(), high.item()
    deviation, mean = torch.std_mean(weight)
    finite = torch.isfinite(weight).all().item()
    zeros = (weight == 0).sum().item()
    counts = torch.histc(weight, 64, low, high)
    limit = weight.abs().amax(dim=0)
    scale = torch.clamp(limit / 127, min=torch.finfo(torch.float32).tiny)
    zero = torch.zeros(scale.shape, dtype=torch.int32)
    codes = torch.quantize_per_channel(weight, scale, zero, 1, torch.qint8)
    restored = codes.dequantize()
    error = restored - weight
    wide, wide_error = weight.double().flatten(), error.double().flatten()
    noise = torch.dot(wide_error, wide_error).item()
    signal = torch.dot(wide, wide).item()
    cross = torch.dot(wide_error, wide).item()
    worst = error.abs().max().item()
    levels = torch.bincount(codes.int_repr().flatten().int() + 128, minlength=256).count_nonzero().item()
    return low, high, deviation, mean, finite, zeros, counts, noise, signal, cross, worst, levels


def model(layers, rows, columns, file):
    torch.set_num_threads(os.cpu_count())
    # Mapped, as safetensors are, and in the page cache.
    weights = torch.from_numpy(np.memmap(file, np.float32, mode="r", shape=(layers, rows, columns)))

    def run():
        for weight in weights:
            report(weight)

    return {"report": median_time(run, 1), "threads": torch.get_num_threads()}


if __name__ == "__main__":
    import warnings

    warnings.filterwarnings("ignore")
    if sys.argv[1] == "kernels":
        result = kernels()
    elif sys.argv[1] == "gptq":
        result = solve(*map(int, sys.argv[2:4]))
    else:
        result = model(*map(int, sys.argv[2:5]), sys.argv[5])
    print(json.dumps(result))
