"""PyTorch's iinfo and finfo of every format that it has, and what formats are called elsewhere."""

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


write(
    "number_formats.json",
    f"torch {torch.__version__}, onnx {onnx.__version__}, gguf {version('gguf')}",
    {
        "names": names(),
        "integers": [integer(name) for name in INTEGERS],
        "floats": [floating(name) for name in FLOATS],
    },
)
