"""Dot products before and after a downcast, in torch: every product and every sum an operation of torch's own, in order.

torch.dot itself sums in the order that its build prefers; here the order is that of the vectors, so
that the result is one on every machine. It is held against torch.dot within that freedom.
"""

import math

import torch
from golden import encoded, write

LENGTHS = (1, 7, 64, 1000)


def vectors():
    torch.manual_seed(11)
    for length in LENGTHS:
        yield f"uniform {length}", torch.rand(length) * 2 - 1, torch.rand(length) * 2 - 1
    weights = torch.randn(512) * 0.05
    yield "weights", weights, torch.rand(512) * 2 - 1
    yield "saturating", torch.randn(200) * 1.5, torch.randn(200) * 1.5
    yield "overflowing", torch.full((4,), 300.0), torch.tensor([300.0, 1.0, 2.0, 3.0])
    half = torch.rand(100)
    yield "cancelling", torch.cat([half, -half]), torch.cat([half, half])
    yield "zeros", torch.zeros(5), torch.rand(5)
    yield "tiny", torch.full((20,), 1e-8), torch.rand(20)


def in_order(a, b, dtype):
    total = torch.zeros((), dtype=dtype)
    for x, y in zip(a.to(dtype), b.to(dtype)):
        total = total + x * y
    return total


def as_integers(values, scale, low, high):
    return torch.clamp(torch.round(values / scale), low, high).to(torch.int64)


def int8(a, b):
    """onnxruntime's symmetric scale: the range's width, in float32, over 254."""
    scales = []
    for values in (a, b):
        width = (values.abs().max() * 2).to(torch.float64) / 254
        scales.append(width.to(torch.float32) if width >= 2**-126 else torch.tensor(1.0))
    codes = [as_integers(v, s, -128, 127) for v, s in zip((a, b), scales)]
    total = (codes[0] * codes[1]).sum()
    return (total.to(torch.float32) * (scales[0] * scales[1])).item()


def fixed(a, b, bits):
    step = torch.tensor(2.0**-bits)
    codes = [as_integers(values, step, -(2**bits), 2**bits - 1) for values in (a, b)]
    return (codes[0] * codes[1]).sum().item() / 2 ** (2 * bits)


def results(a, b):
    found = {"reference": in_order(a, b, torch.float64).item(), "float32": in_order(a, b, torch.float32).item()}
    for name, dtype in (("bfloat16", torch.bfloat16), ("float16", torch.float16)):
        low, other = a.to(dtype), b.to(dtype)
        found[name] = in_order(low.float(), other.float(), torch.float32).to(dtype).item()
        theirs = torch.dot(low, other).item()
        size = (low.float().abs() @ other.float().abs()).item()
        slack = size * torch.finfo(dtype).eps
        assert found[name] == theirs or abs(found[name] - theirs) <= slack, (name, found[name], theirs)
    found["int8"] = int8(a, b)
    found["q7"] = fixed(a, b, 7)
    found["q15"] = fixed(a, b, 15)
    # JSON has no infinity.
    return {name: value if math.isfinite(value) else str(value) for name, value in found.items()}


def main():
    cases = [
        {"name": name, "a": encoded(a.numpy()), "b": encoded(b.numpy()), **results(a, b)}
        for name, a, b in vectors()
    ]
    write("dot.json", f"torch {torch.__version__}", {"cases": cases})


if __name__ == "__main__":
    main()
