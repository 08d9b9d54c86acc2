"""Scales, zero points and codes of onnxruntime's quantizer, per tensor and per channel."""

import numpy as np
import onnx
import onnxruntime
from golden import encoded, write
from onnx import TensorProto, helper
from onnxruntime.quantization import quant_utils

TYPES = {
    "int8": TensorProto.INT8,
    "uint8": TensorProto.UINT8,
    "int16": TensorProto.INT16,
    "uint16": TensorProto.UINT16,
    "int4": TensorProto.INT4,
    "uint4": TensorProto.UINT4,
}
STORED = {
    "int8": np.int8,
    "uint8": np.uint8,
    "int16": np.int16,
    "uint16": np.uint16,
    "int4": np.int8,
    "uint4": np.uint8,
}


def cases():
    """Named float32 tensors with the axis of their channels."""
    rng = np.random.default_rng(20240917)
    normal = lambda *shape: rng.standard_normal(shape).astype(np.float32)
    yield "normal, axis 0", normal(6, 5, 3), 0
    yield "normal, axis 1", normal(4, 7, 3), 1
    yield "normal, axis last", normal(9, 8), 1
    yield "one axis", normal(11), 0
    yield "channels of very different sizes", normal(5, 40) * np.float32([[1e-6], [1e-2], [1], [1e3], [1e6]]), 0
    yield "one-sided, positive", np.abs(normal(3, 30)) + np.float32(0.25), 0
    yield "one-sided, negative", -np.abs(normal(3, 30)) - np.float32(0.25), 0
    yield "all zero", np.zeros((3, 4), np.float32), 0
    yield "a channel of zeros", normal(3, 10) * np.float32([[1], [0], [1]]), 0
    yield "constant", np.full((2, 6), 0.3, np.float32), 0
    yield "constant, negative", np.full((2, 6), -7.25, np.float32), 0
    yield "a single element", np.float32([[0.7]]), 0
    yield "subnormal values", np.float32([1e-45, -3e-45, 1e-40, 5e-39, -1e-38, 1.1e-38, 0, -0.0]).reshape(2, 4), 0
    # A scale at the smallest normal float32, and a hair below it.
    tiny = np.float32(np.finfo(np.float32).tiny)
    yield "scale at the smallest normal", np.float32([tiny * 127, -tiny * 127, tiny, tiny * 100]).reshape(1, 4), 0
    yield "scale below the smallest normal", np.float32([tiny * 100, -tiny * 120, tiny, 0]).reshape(1, 4), 0
    yield "huge range", np.float32([1e30, -1e-30, 1e-10, -2e29, 1, 0, 1e29, -1e30]).reshape(2, 4), 0
    # Every half-way point between codes: scale 1 for int8 (absmax 127) and for uint8 (0 to 255).
    ties = np.arange(-127, 127, dtype=np.float32) + np.float32(0.5)
    yield "ties, scale 1 symmetric", np.concatenate([ties, np.float32([127, -127])]).reshape(1, -1), 0
    unsigned = np.arange(0, 255, dtype=np.float32) + np.float32(0.5)
    yield "ties, scale 1 asymmetric", np.concatenate([unsigned, np.float32([0, 255])]).reshape(1, -1), 0
    # Division and multiplication by the reciprocal differ on many of these.
    yield "multiples of a third of the scale", (np.arange(-381, 382, dtype=np.float32) / np.float32(3) * np.float32(0.013)).reshape(1, -1), 0
    yield "zero point ties", np.float32([[-0.5, 254.5], [-1.5, 253.5], [-2.5, 252.5]]), 0
    yield "outliers", np.concatenate([normal(2, 60) * np.float32(0.01), np.float32([[5, -3], [0.5, 8]])], axis=1), 0


def quantize_linear(data, scale, zero_point, onnx_type):
    """Codes of the runtime's own operator, for one scale."""
    width = 4 if onnx_type in (TensorProto.INT4, TensorProto.UINT4) else 8
    zero = helper.make_tensor("z", onnx_type, [], [int(zero_point)])
    nodes = [helper.make_node("QuantizeLinear", ["x", "s", "z"], ["y"])]
    output = helper.make_tensor_value_info("y", onnx_type, [data.size])
    if width == 4:
        nodes.append(helper.make_node("Cast", ["y"], ["w"], to=TensorProto.INT32))
        output = helper.make_tensor_value_info("w", TensorProto.INT32, [data.size])
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [data.size])],
        [output],
        [zero, helper.make_tensor("s", TensorProto.FLOAT, [], [float(scale)])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {"x": data.ravel()})[0]


def quantized(data, dtype, symmetric, override=None):
    low, high = override or (None, None)
    zero_point, scale, codes = quant_utils.quantize_data(
        data, TYPES[dtype], symmetric, rmin_override=low, rmax_override=high
    )
    codes = codes.astype(STORED[dtype])
    own = quantize_linear(data, scale, zero_point, TYPES[dtype])
    assert np.array_equal(own.astype(np.int64), codes.astype(np.int64).ravel()), (dtype, symmetric)
    return np.float32(scale), int(zero_point), codes


def per_tensor(values, dtype, symmetric, override=None):
    scale, zero_point, codes = quantized(values.ravel(), dtype, symmetric, override)
    return {"scale": encoded(scale.reshape(1)), "zeroPoint": [zero_point], "codes": encoded(codes)}


def per_channel(values, axis, dtype, symmetric):
    parts = [quantized(values.take(i, axis).ravel(), dtype, symmetric) for i in range(values.shape[axis])]
    channel_shape = [1 if i == axis else size for i, size in enumerate(values.shape)]
    codes = np.concatenate([part[2].reshape(channel_shape) for part in parts], axis)
    return {
        "scale": encoded(np.float32([part[0] for part in parts])),
        "zeroPoint": [part[1] for part in parts],
        "codes": encoded(codes),
    }


def main():
    content = []
    for name, values, axis in cases():
        schemes = []
        for dtype in TYPES:
            for symmetric in (True, False):
                head = {"dtype": dtype, "symmetric": symmetric}
                schemes.append({**head, "granularity": "tensor", **per_tensor(values, dtype, symmetric)})
                schemes.append({**head, "granularity": "channel", **per_channel(values, axis, dtype, symmetric)})
        shape = list(values.shape)
        content.append({"name": name, "shape": shape, "axis": axis, "values": encoded(values), "schemes": schemes})
    overrides = []
    rng = np.random.default_rng(7)
    values = rng.standard_normal(300).astype(np.float32)
    for low, high in ((-1.25, 1.25), (-0.3, 2.1), (0.2, 1.1), (-1.1, -0.2)):
        for dtype in TYPES:
            for symmetric in (True, False):
                made = per_tensor(values, dtype, symmetric, (low, high))
                overrides.append({"dtype": dtype, "symmetric": symmetric, "low": low, "high": high, **made})
    made_by = f"onnxruntime {onnxruntime.__version__}, onnx {onnx.__version__}"
    write("affine.json", made_by, {"cases": content, "overrides": {"values": encoded(values), "schemes": overrides}})


if __name__ == "__main__":
    main()
