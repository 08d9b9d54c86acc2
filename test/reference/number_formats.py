"""PyTorch's iinfo and finfo of every format that it has, what formats are called elsewhere, and exact
decimals as Python prints them."""

import random
import struct
from importlib.metadata import version

import ml_dtypes
import onnx
import torch
from gguf.constants import GGML_QUANT_SIZES, GGMLQuantizationType
from golden import write

INTEGERS = ("uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64")
FLOATS = ("float64", "float32", "float16", "bfloat16", "float8_e4m3fn", "float8_e5m2")


def integer(name):
    info = torch.iinfo(getattr(torch, name))
    return {"name": name, "bits": info.bits, "min": str(info.min), "max": str(info.max)}


def floating(name):
    info = torch.finfo(getattr(torch, name))
    return {
        "name": name,
        "bits": info.bits,
        "min": info.min,
        "max": info.max,
        "eps": info.eps,
        "smallestNormal": info.smallest_normal,
        # torch has no word for it.
        "smallestSubnormal": float(ml_dtypes.finfo(name).smallest_subnormal),
        "resolution": info.resolution,
    }


def names():
    """ONNX's name of each numpy type, PyTorch's dtypes, and GGUF's types with the bits of an element."""
    onnx_types = {}
    for name, number in onnx.TensorProto.DataType.items():
        if name not in ("UNDEFINED", "STRING"):
            onnx_types[onnx.helper.tensor_dtype_to_np_dtype(number).name] = name
    sizes = {t: GGML_QUANT_SIZES[t] for t in GGMLQuantizationType}
    return {
        "pytorch": sorted(n for n in dir(torch) if isinstance(getattr(torch, n), torch.dtype)),
        "onnx": onnx_types,
        "gguf": {t.name: {"block": block, "bytes": size} for t, (block, size) in sizes.items()},
    }


def decimals():
    """Doubles of every size, ties of the last decimal place among them, to 60 decimals."""
    rng = random.Random(20240917)
    values = [0.0, -0.0, 1.0, -0.5, 1 / 3, -2 / 3, 0.1, 5e-324, 1.7976931348623157e308]
    values += [2.0**-k for k in (59, 60, 61, 62, 120, 200)]
    values += [-3 * 2.0**-61, 5 * 2.0**-61, 1 - 2.0**-53, 0.3333333432674408]
    values += [rng.uniform(-1, 1) * 2.0 ** rng.randint(-80, 80) for _ in range(200)]
    return [{"bits": struct.pack(">d", v).hex(), "text": format(v, ".60f")} for v in values]


write(
    "number_formats.json",
    f"torch {torch.__version__}, onnx {onnx.__version__}, gguf {version('gguf')}",
    {
        "names": names(),
        "integers": [integer(name) for name in INTEGERS],
        "floats": [floating(name) for name in FLOATS],
        "decimals": decimals(),
    },
)
