"""Casts to float8 with saturate = 1: ml_dtypes' rounding between ONNX's bounds."""

import ml_dtypes
import numpy as np
import onnx
import onnxruntime
from golden import encoded, sha256, write
from onnx import TensorProto, helper

TYPES = {
    "float8_e4m3fn": (ml_dtypes.float8_e4m3fn, TensorProto.FLOAT8E4M3FN, 0x7F),
    "float8_e5m2": (ml_dtypes.float8_e5m2, TensorProto.FLOAT8E5M2, 0x7E),
}

EDGES = np.float32(
    [0.0, -0.0, 1.0, 448, 463.99997, 464, 464.00003, 480, -1e30, np.inf, -np.inf, 57344, 61439.996, 61440,
     65536, 2**-6, 2**-9, 2**-10, 2**-10 * 1.0000001, 2**-16, 2**-17, 1e-45, 1.0625, 1.1875, 1.125, -0.3, 0.017]
)


def runtime_cast(values, onnx_type):
    """The runtime's own Cast with saturate = 1, cast back to float32."""
    nodes = [
        helper.make_node("Cast", ["x"], ["y"], to=onnx_type, saturate=1),
        helper.make_node("Cast", ["y"], ["z"], to=TensorProto.FLOAT),
    ]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [values.size])]
    outputs = [helper.make_tensor_value_info("z", TensorProto.FLOAT, [values.size])]
    model = helper.make_model(
        helper.make_graph(nodes, "g", inputs, outputs), opset_imports=[helper.make_opsetid("", 21)], ir_version=10
    )
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"x": values})[0]


def cast(values, name):
    """Patterns of the saturated values, every NaN as one pattern; held against the runtime."""
    kind, onnx_type, nan = TYPES[name]
    limit = np.float32(ml_dtypes.finfo(kind).max)
    with np.errstate(invalid="ignore"):
        narrow = np.clip(values, -limit, limit).astype(kind)
        own = runtime_cast(values, onnx_type)
        wide = narrow.astype(np.float32)
    different = (wide.view(np.uint32) != own.view(np.uint32)) & ~(np.isnan(wide) & np.isnan(own))
    assert not different.any(), (name, values[different][:8], wide[different][:8], own[different][:8])
    patterns = narrow.view(np.uint8).copy()
    patterns[np.isnan(values)] = nan
    return patterns


def scattered():
    return (np.arange(65536, dtype=np.uint64) * 65537 % 2**32).astype(np.uint32).view(np.float32)


def ties(kind):
    """The half-way points above all positive finite values, and a step to each side, both signs."""
    wide = np.arange(256, dtype=np.uint8).view(kind).astype(np.float32)
    positive = np.unique(wide[np.isfinite(wide) & (wide >= 0)])
    middle = ((positive[:-1].astype(np.float64) + positive[1:]) / 2).astype(np.float32)
    steps = np.concatenate([middle, np.nextafter(middle, np.float32(np.inf)), np.nextafter(middle, np.float32(0))])
    return np.concatenate([steps, -steps])


def main():
    content = {"edges": encoded(EDGES)}
    for name, (kind, _, nan) in TYPES.items():
        wide = np.arange(256, dtype=np.uint8).view(kind).astype(np.float32).view(np.uint32).copy()
        wide[np.isnan(wide.view(np.float32))] = 0x7FC00000
        given = ties(kind)
        content[name] = {
            "nan": nan,
            "widened": encoded(wide),
            "edges": encoded(cast(EDGES, name)),
            "ties": encoded(given),
            "fromTies": encoded(cast(given, name)),
            "scatteredSha256": sha256(cast(scattered(), name)),
        }
    made_by = f"ml_dtypes {ml_dtypes.__version__}, onnx {onnx.__version__}, onnxruntime {onnxruntime.__version__}"
    write("float8.json", made_by, content)


if __name__ == "__main__":
    main()
