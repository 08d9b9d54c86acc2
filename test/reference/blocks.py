"""Blocks: opset-21 DequantizeLinear as onnxruntime's quantizer makes it."""

import numpy as np
import onnx
import onnxruntime
from golden import encoded, write
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import quant_utils

TYPES = {
    "int8": TensorProto.INT8,
    "uint8": TensorProto.UINT8,
    "int4": TensorProto.INT4,
    "uint4": TensorProto.UINT4,
}


def matrices():
    rng = np.random.default_rng(42)
    normal = lambda *shape: rng.standard_normal(shape).astype(np.float32)
    yield "normal", normal(64, 5)
    yield "tails shorter than a block", normal(37, 6)
    yield "less than one block", normal(9, 4)
    mixed = normal(48, 6) * np.float32([1e-6, 1e-3, 1, 1e3, 1e6, 1])
    mixed[:, 5] = 0
    mixed[:16, 0] = np.abs(mixed[:16, 0])
    mixed[:16, 1] = -np.abs(mixed[:16, 1])
    mixed[16:32, 2] = 0
    mixed[:16, 3] = np.float32(1e-39)
    yield "zeros, one-sided and tiny blocks", mixed
    yield "ties", (np.arange(96, dtype=np.float32).reshape(32, 3) - np.float32(40)) / np.float32(4)


def restored_by_runtime(initializer, scale, zero_point, onnx_type, axis, block, shape):
    """What the runtime's own DequantizeLinear makes of the codes."""
    zero = helper.make_tensor("z", onnx_type, scale.shape, zero_point.ravel().astype(int).tolist())
    node = helper.make_node("DequantizeLinear", [initializer.name, "s", "z"], ["y"], axis=axis, block_size=block)
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)
    scales = numpy_helper.from_array(scale.astype(np.float32), "s")
    graph = helper.make_graph([node], "g", [], [output], [initializer, scales, zero])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {})[0]


def blocked(weight, dtype, axis, block, symmetric):
    onnx_type = TYPES[dtype]
    zero_point, scale = quant_utils.compute_scale_zp_blocked(weight, onnx_type, axis, block, symmetric)
    tensor = numpy_helper.from_array(weight, "w")
    initializer = quant_utils.quantize_onnx_initializer(tensor, onnx_type, zero_point, scale, axis, "q", block)
    restored = restored_by_runtime(initializer, scale, zero_point, onnx_type, axis, block, weight.shape)
    return {
        "dtype": dtype,
        "symmetric": symmetric,
        "axis": axis,
        "block": block,
        "scale": encoded(scale),
        "zeroPoint": zero_point.ravel().astype(int).tolist(),
        # As it is stored: 4-bit codes packed.
        "codes": encoded(np.frombuffer(initializer.raw_data, np.uint8)),
        "restored": encoded(restored),
    }


FACTORS = [2.0 ** (-i / 4) for i in range(24)]
FINE = [2.0 ** ((i - 7) / 32) for i in range(15)]


def signed_scale(low, high):
    """The value furthest from 0 over -8; of a range as wide below 0 as above, the width over 15."""
    low, high = min(np.float32(low), np.float32(0)), max(np.float32(high), np.float32(0))
    if low == -high:
        scale = np.float32(np.float32(2 * high) / np.float32(15))
    else:
        scale = np.float32((low if -low > high else high) / np.float32(-8))
    return np.float32(1) if abs(scale) < np.finfo(np.float32).tiny else scale


def codes_of(values, scale):
    return np.clip(np.rint(values / scale), -8, 7)


def least(values, limit, ranges):
    """The first of the ranges, none wider than the limit, whose codes leave the least squared error."""
    ranges = [(max(-limit, low), min(limit, high)) for low, high in ranges]
    error = lambda scale: ((np.float64(np.float32(codes_of(values, scale)) * scale) - np.float64(values)) ** 2).sum()
    return ranges[int(np.argmin([error(signed_scale(*each)) for each in ranges]))]


def signed(weight, dtype, axis, block, search):
    """Blocks whose scale is the better of the two of signed_scale, or the best of a search over shares of both."""
    moved = np.moveaxis(weight, axis, -1)
    scales = np.zeros((*moved.shape[:-1], -(-moved.shape[-1] // block)), np.float32)
    codes = np.zeros(moved.shape, np.int8)
    for at in np.ndindex(scales.shape):
        part = (*at[:-1], slice(at[-1] * block, (at[-1] + 1) * block))
        values = moved[part]
        low, high = float(values.min()), float(values.max())
        limit = max(-low, high)
        both = lambda factors, low, high: [(low * factor, high * factor) for factor in factors]
        if search:
            best = least(values, limit, both(FACTORS, -limit, limit) + both(FACTORS, low, high))
            best = least(values, limit, both([1.0], *best) + both(FINE, *best))
        else:
            best = least(values, limit, [(-limit, limit), (low, high)])
        scales[at] = signed_scale(*best)
        codes[part] = codes_of(values, scales[at])
    codes, scale = np.moveaxis(codes, -1, axis), np.moveaxis(scales, -1, axis)
    zero_point = np.full(scale.shape, 8 if dtype == "uint4" else 0)
    onnx_type = TYPES[dtype]
    plain = (codes + (8 if dtype == "uint4" else 0)).ravel().tolist()
    initializer = helper.make_tensor("q", onnx_type, weight.shape, plain)
    restored = restored_by_runtime(initializer, scale, zero_point, onnx_type, axis, block, weight.shape)
    return {
        **{"dtype": dtype, "axis": axis, "block": block, "range": "mse" if search else "minmax"},
        "scale": encoded(scale),
        "zeroPoint": zero_point.ravel().astype(int).tolist(),
        "codes": encoded(np.frombuffer(initializer.raw_data or packed(initializer), np.uint8)),
        "restored": encoded(restored),
    }


def packed(initializer):
    return np.array(initializer.int32_data, np.uint8).tobytes()


def main():
    cases = []
    for name, weight in matrices():
        linear = [
            blocked(weight, dtype, axis, 16, symmetric)
            for dtype in TYPES
            for axis in (0, 1)
            for symmetric in (True, False)
        ]
        either = [
            signed(weight, dtype, axis, 16, search)
            for dtype in ("int4", "uint4")
            for axis in (0, 1)
            for search in (False, True)
        ]
        given = {"name": name, "shape": list(weight.shape), "values": encoded(weight)}
        cases.append({**given, "linear": linear, "signed": either})
    write("blocks.json", f"onnxruntime {onnxruntime.__version__}, onnx {onnx.__version__}", {"cases": cases})


if __name__ == "__main__":
    main()
