"""What torch's floats make of a value, and the exact decimals that Python prints of it."""

import torch
from golden import write

FLOATS = {"float64": torch.int64, "float32": torch.int32, "float16": torch.int16, "bfloat16": torch.int16}
# Exact doubles, so that one rounding stands between the value and what is stored; 1/3 by its quotient.
# 65520 is the tie between float16's largest and the next; 2049 a tie of its fraction; the others are
# subnormal, negative, or past an end.
VALUES = ["1/3", "0", "-0.5", "1", "0.75", "2049", "2051", "65504", "65519", "65520", "-70000", "1e30"]
VALUES += ["3.0517578125e-05", "2.98023223876953125e-08", "8.9406967163085938e-08", "16777217", "16777219"]


def quotient(text):
    top, _, bottom = text.partition("/")
    return float(top) / float(bottom or 1)


def stored(name, integer, text):
    held = torch.tensor(quotient(text), dtype=torch.float64).to(getattr(torch, name))
    bits = held.view(integer).item() % (1 << (8 * held.element_size()))
    return {"format": name, "value": text, "hex": f"{bits:0{2 * held.element_size()}x}", "text": format(held.double().item(), ".60f")}


write(
    "number_values.json",
    f"torch {torch.__version__}",
    {"values": [stored(name, integer, text) for name, integer in FLOATS.items() for text in VALUES]},
)
